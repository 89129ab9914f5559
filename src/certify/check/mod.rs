//! The checker: says of a certificate, in exact integer arithmetic, whether what it claims is proved.
//!
//! It reads numbers and verifies finite inequalities between them. It knows nothing of solvers, flows or networks, uses
//! nothing of this crate but [`Dyadic`], and rounds nothing: numbers are integers times powers of two, and where a
//! cosine is needed it is enclosed between two of them (`enclosure`). docs/check_certificate.py is a second checker, of
//! which no line is shared with this one.
//!
//! Work is bounded: numbers, vectors and products beyond the sizes that certificates of this program have are refused,
//! not attempted. To add a kind of statement: its file here, with an implementation of `Kind`, and one line in
//! `kinds!`; then its maker in `make`, and its function in the second checker.

mod angle;
mod classes;
mod enclosure;
mod feedback_margin;
mod interval;
mod kkt_point;
mod kkt_system;
mod least_norm;
mod loss_rises;
mod non_separable;
mod nuclear;
mod phases;
mod sandwich;
mod schatten;
mod separable;
mod shape;
mod square;
pub(in crate::certify) mod vectors;
mod weights;

pub(in crate::certify) use angle::within;
pub use classes::Classes;
pub use feedback_margin::{FeedbackMargin, Weights};
pub use kkt_point::{Group, KktPoint, Objective, Unit};
pub(in crate::certify) use kkt_system::System;
pub use least_norm::{Direction, LeastNorm, Norm};
pub(in crate::certify) use least_norm::{Dual, Ray, Share};
pub use loss_rises::LossRises;
pub use non_separable::NonSeparable;
pub use nuclear::{Factored, LeastNuclear};
pub use phases::Phases;
pub use sandwich::Sandwich;
pub use schatten::{LeastSchatten, Near};
pub use separable::Separable;

use super::dyadic::Dyadic;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use vectors::{Matrix, Vector};

/// The format that is written and read.
pub const FORMAT: &str = "marginflow-certificate/1";

/// Longest file that is read, in bytes.
pub const LONGEST: usize = 1 << 28;

/// Most statements of a certificate: there are ten kinds.
const MOST_STATEMENTS: usize = 16;

/// What is claimed of some data, and why it is true.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// [`FORMAT`].
    pub format: String,
    /// The scenario it was made from: a label, of which nothing is claimed.
    pub scenario: String,
    /// SHA-256 of the scenario with all files it names, as in `report.json`: a label too.
    pub scenario_sha256: String,
    pub data: Data,
    pub statements: Vec<Statement>,
}

/// The data that statements are about, as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Rows `g_n = y_n x_n`, N × D. Where labels are classes: the samples `x_n`.
    pub signed_samples: Vec<Vec<Dyadic>>,
    /// `b_1 … b_{L−1}` of a convolutional or diagonal network of depth L under fixed feedback, each of length D; none
    /// elsewhere.
    pub feedback: Vec<Vec<Dyadic>>,
    /// Where labels are classes; the key is absent elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Classes>,
}

/// One claim with its proof.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// What is claimed, in words; fixed by the kind of the proof.
    pub claim: String,
    /// The same as what is checked; fixed by the kind of the proof.
    pub inequality: String,
    pub proof: Proof,
}

impl Statement {
    /// With the words that go with the proof.
    pub fn of(proof: Proof) -> Self {
        let kind = proof.kind();
        Self {
            claim: kind.claim().into(),
            inequality: kind.inequality().into(),
            proof,
        }
    }
}

/// What every kind of statement says and how it is verified.
trait Kind {
    fn claim(&self) -> &'static str;
    fn inequality(&self) -> &'static str;
    /// `y_n = ±1` and κ, of a statement about a network with gates.
    fn gated(&self) -> Option<(&[i8], &Dyadic)> {
        None
    }
    /// What is proved, with its numbers; or the inequality that fails.
    fn verify(&self, data: &Exact<'_>) -> Result<String, Failure>;
}

macro_rules! kinds {
    ($($name:literal $kind:ident;)*) => {
        /// Every kind of statement.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        pub enum Proof {
            $(#[serde(rename = $name)] $kind($kind),)*
        }

        impl Proof {
            fn kind(&self) -> &dyn Kind {
                match self {
                    $(Self::$kind(proof) => proof,)*
                }
            }

            /// As in the file.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => $name,)*
                }
            }
        }
    };
}

kinds! {
    "least-norm" LeastNorm;
    "least-nuclear" LeastNuclear;
    "least-schatten" LeastSchatten;
    "loss-rises" LossRises;
    "feedback-margin" FeedbackMargin;
    "kkt-point" KktPoint;
    "non-separable" NonSeparable;
    "phases" Phases;
    "sandwich" Sandwich;
    "separable" Separable;
}

/// The data of a certificate as integers.
pub(in crate::certify) struct Exact<'a> {
    pub samples: Matrix,
    feedback: Vec<Vector>,
    stored: &'a Data,
}

impl<'a> Exact<'a> {
    pub(in crate::certify) fn of(stored: &'a Data) -> Result<Self, Failure> {
        let classes = stored.classes.as_ref();
        let samples = Matrix::of_classes(&stored.signed_samples, classes)?;
        if classes.is_some() && !stored.feedback.is_empty() {
            return Err(Failure::malformed(
                "feedback of layers of D weights goes with one output".into(),
            ));
        }
        if stored.feedback.len() > 7 {
            return Err(Failure::too_large("depths"));
        }
        let feedback = (stored.feedback.iter())
            .map(|b| Vector::of_length(b, samples.columns, "feedback"))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            samples,
            feedback,
            stored,
        })
    }

    /// Rows of features in place of the samples, of the same classes.
    pub(in crate::certify) fn rows_of(&self, features: &[Vec<Dyadic>]) -> Result<Matrix, Failure> {
        Matrix::of_classes(features, self.stored.classes.as_ref())
    }

    /// L.
    pub(in crate::certify) fn depth(&self) -> u32 {
        self.stored.feedback.len() as u32 + 1
    }
}

/// Why a statement is not proved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// This inequality fails.
    #[error("this does not hold: {0}")]
    Refuted(String),
    /// Parts that do not fit together.
    #[error("{0}")]
    Malformed(String),
    /// A proof of a size that is not attempted.
    #[error("larger than this checker takes on: {0}")]
    TooLarge(&'static str),
}

impl Failure {
    fn refuted(inequality: impl Into<String>) -> Self {
        Self::Refuted(inequality.into())
    }

    fn malformed(what: String) -> Self {
        Self::Malformed(what)
    }

    fn too_large(what: &'static str) -> Self {
        Self::TooLarge(what)
    }
}

/// A value or null; a field that is missing is refused, where serde would take it for null.
fn null_or<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(from)
}

/// Fails with the inequality unless it holds.
fn holds(inequality: bool, text: &str) -> Result<(), Failure> {
    if inequality {
        Ok(())
    } else {
        Err(Failure::refuted(text))
    }
}

/// Why bytes are no certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Something else altogether.
    #[error("not a certificate: {0}")]
    NotACertificate(String),
    /// A certificate that is damaged.
    #[error("a damaged certificate: {0}")]
    Damaged(String),
}

/// Reads a certificate.
///
/// # Errors
/// [`Unreadable::NotACertificate`] unless the bytes are a JSON object whose `format` is [`FORMAT`],
/// [`Unreadable::Damaged`] if the rest does not follow it.
pub fn read(bytes: &[u8]) -> Result<Certificate, Unreadable> {
    if bytes.len() > LONGEST {
        return Err(Unreadable::NotACertificate(format!(
            "more than {LONGEST} bytes"
        )));
    }
    let not = |why: String| Unreadable::NotACertificate(why);
    let document: Value = serde_json::from_slice(bytes).map_err(|e| not(brief(&e)))?;
    let Some(format) = document.get("format").and_then(Value::as_str) else {
        return Err(not("not an object with a `format`".into()));
    };
    if format != FORMAT {
        let start: String = format.chars().take(60).collect();
        return Err(not(format!("its format is {start:?}, not {FORMAT:?}")));
    }
    let damaged = |e: serde_json::Error| Unreadable::Damaged(brief(&e));
    // from the bytes again, which still have the keys that occur twice
    let certificate = serde_json::from_slice(bytes).map_err(damaged)?;
    let expected = serde_json::to_value(&certificate).map_err(damaged)?;
    match shape::difference(&document, &expected) {
        None => Ok(certificate),
        Some(place) => Err(Unreadable::Damaged(place)),
    }
}

/// What the reader of JSON says, which may repeat a whole file, in a line.
fn brief(error: &serde_json::Error) -> String {
    const LONGEST: usize = 200;
    let said: Vec<char> = (error.to_string().chars())
        .filter(|c| !c.is_control())
        .collect();
    if said.len() <= LONGEST {
        return said.into_iter().collect();
    }
    let (start, end) = (&said[..LONGEST / 2], &said[said.len() - LONGEST / 2..]);
    let text = |part: &[char]| part.iter().collect::<String>();
    format!("{} ... {}", text(start), text(end))
}

impl Certificate {
    /// As `certificate.json` has it.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("a certificate holds only strings") + "\n"
    }
}

/// What each statement proves, or why it does not.
///
/// # Errors
/// If there are no statements or too many, if they are about different networks, or the data have no proper form;
/// nothing is proved then.
pub fn check(certificate: &Certificate) -> Result<Vec<Result<String, Failure>>, Failure> {
    if certificate.format != FORMAT {
        return Err(Failure::malformed(format!("the format is not {FORMAT}")));
    }
    if certificate.statements.is_empty() {
        return Err(Failure::malformed(
            "no statements: nothing is claimed".into(),
        ));
    }
    if certificate.statements.len() > MOST_STATEMENTS {
        return Err(Failure::too_large("statements"));
    }
    about_one_network(&certificate.statements)?;
    let data = Exact::of(&certificate.data)?;
    Ok(certificate
        .statements
        .iter()
        .map(|statement| verify(statement, &data))
        .collect())
}

/// Labels and slope are stated where they are used. Inputs are `x_n = y_n g_n`, so with other labels a statement is
/// about other inputs, and one certificate is about one network on one set of data.
fn about_one_network(statements: &[Statement]) -> Result<(), Failure> {
    let mut gated = statements.iter().filter_map(|s| s.proof.kind().gated());
    let first = gated.next();
    if gated.any(|other| Some(other) != first) {
        return Err(Failure::malformed(
            "statements with different labels or slopes".into(),
        ));
    }
    Ok(())
}

pub(in crate::certify) fn verify(
    statement: &Statement,
    data: &Exact<'_>,
) -> Result<String, Failure> {
    let kind = statement.proof.kind();
    if statement.claim != kind.claim() || statement.inequality != kind.inequality() {
        let name = statement.proof.name();
        return Err(Failure::malformed(format!(
            "the words are not those of a {name} statement"
        )));
    }
    if kind.gated().is_some() && data.samples.classes.is_some() {
        return Err(Failure::malformed(
            "networks with gates of one output only".into(),
        ));
    }
    kind.verify(data)
}
