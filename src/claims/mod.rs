//! The claims of the report, checked one by one.
//!
//! A [`Claim`] has its statement as printed, the corrected one, and a check on one run; [`CLAIMS`] lists them all. To
//! add a claim: one file here, one line in [`CLAIMS`]; the command line, reports and docs follow.

mod certificate;
mod classes;
mod dfa_margin;
mod direction;
mod directional_limit;
mod discrete;
mod gd_conv;
mod gd_homogeneous;
mod loss_decreases;
mod prop_1;
mod prop_2;
mod prop_3;
mod rate;
mod relu;
mod section_6;
mod theorem_2;
mod theorem_2_unconditional;
mod theorem_3;
mod theorem_4;

pub use section_6::{PairedDifference, judge_sweep};

use crate::descent::Comparison;
use crate::diagnostics::Diagnostics;
use crate::flow::FlowOptions;
use crate::limit::Limit;
use crate::problem::Problem;
use crate::theory::LimitLaw;
use crate::trajectory::{Status, Trajectory};
use serde::{Deserialize, Serialize};

/// What a check can come out as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "scenarios", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The measured residual is within the tolerance.
    Holds,
    /// The hypotheses hold and the statement does not.
    Violated,
    /// A hypothesis fails; the evidence names it.
    NotApplicable,
    /// The run cannot decide; the evidence says why and what would.
    Inconclusive,
}

impl Outcome {
    /// The outcome as written in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Violated => "violated",
            Self::NotApplicable => "not-applicable",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// One claim.
pub struct Claim {
    /// Stable id, as used in `[expect]` and reports.
    pub id: &'static str,
    /// The statement as printed in the report (or in the documentation, for claims of our own).
    pub printed: &'static str,
    /// What is true, with corrections.
    pub corrected: &'static str,
    /// How a run is judged: residual, tolerance, hypotheses.
    pub check: &'static str,
    /// Whether it concerns the flow, finite steps or a sweep.
    pub subject: Subject,
    /// The check itself; [`Claim::judge`] fills in the id.
    pub judge: fn(&Evidence<'_>) -> Verdict,
}

/// What a claim concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The flow.
    Flow,
    /// Finite steps.
    Steps,
    /// Many runs, judged together ([`judge_sweep`]); on one run it is *not applicable*.
    Sweep,
}

impl Claim {
    /// Judges this claim on one run.
    pub fn judge(&self, evidence: &Evidence<'_>) -> Verdict {
        Verdict {
            id: self.id,
            ..(self.judge)(evidence)
        }
    }
}

/// Every claim this version checks, in the order of tables.
pub const CLAIMS: &[Claim] = &[
    prop_1::CLAIM,
    directional_limit::THM_1,
    discrete::THM_1,
    directional_limit::GD_FC,
    classes::PROP_1,
    classes::THM_1,
    classes::COMPLEMENTARITY,
    classes::GD_FC,
    classes::GD_CONV,
    prop_2::PRINTED,
    prop_2::CORRECTED,
    theorem_2::MAIN_TEXT,
    theorem_2::APPENDIX,
    theorem_2::CORRECTED,
    theorem_2_unconditional::CLAIM,
    discrete::THM_2,
    theorem_3::CLAIM,
    discrete::THM_3,
    prop_3::CLAIM,
    theorem_4::THM_4,
    theorem_4::FIRST_LAYER,
    dfa_margin::CLAIM,
    gd_conv::CLAIM,
    gd_homogeneous::CLAIM,
    loss_decreases::CLAIM,
    rate::RATE_DFA,
    rate::RATE_BP,
    section_6::CLAIM,
];

/// Ids of every claim, in the order of tables.
pub fn ids() -> impl Iterator<Item = &'static str> {
    CLAIMS.iter().map(|c| c.id)
}

/// The claim of this id.
pub fn find(id: &str) -> Option<&'static Claim> {
    CLAIMS.iter().find(|c| c.id == id)
}

/// What a claim is judged on: one run and everything measured on it.
#[derive(Clone, Copy)]
pub struct Evidence<'a> {
    pub problem: &'a Problem,
    /// The options the run was integrated with; tolerances of exact statements follow its `rtol`.
    pub options: &'a FlowOptions,
    pub trajectory: &'a Trajectory,
    /// How the run ended, judged after all measurements; see [`Conclusion`](crate::accuracy::Conclusion).
    pub status: Status,
    pub diagnostics: &'a Diagnostics,
    /// `None` if the data are not separable (ReLU networks: their features at the end of the run).
    pub limit: Option<&'a Limit>,
    /// Finite steps compared with the flow; `None` if the scenario has none.
    pub steps: Option<&'a Comparison>,
    /// The key that makes the run longer, to be named in advice.
    pub extend: &'static str,
}

/// The outcome of one claim on one run, with its evidence.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    pub id: &'static str,
    #[serde(rename = "verdict")]
    pub outcome: Outcome,
    /// The measured number that decides; `None` where nothing was measured.
    pub residual: Option<f64>,
    /// What the residual is compared with.
    pub tolerance: Option<f64>,
    /// The reason in a sentence or two.
    pub evidence: String,
    /// What a certificate proves of it (docs/certificates.md); null without one. It is less than the verdict: of a
    /// finite run no certificate proves where it tends.
    pub proved: Option<String>,
}

impl Verdict {
    fn new(outcome: Outcome, residual: f64, tolerance: f64, evidence: String) -> Self {
        Self {
            id: "",
            outcome,
            residual: Some(residual),
            tolerance: Some(tolerance),
            evidence,
            proved: None,
        }
    }

    fn without_measurement(outcome: Outcome, evidence: impl Into<String>) -> Self {
        Self {
            id: "",
            outcome,
            residual: None,
            tolerance: None,
            evidence: evidence.into(),
            proved: None,
        }
    }
}

/// Judges every claim on one run.
pub fn check(evidence: &Evidence<'_>) -> Vec<Verdict> {
    CLAIMS.iter().map(|claim| claim.judge(evidence)).collect()
}

/// Judges the claims about finite steps alone.
pub fn check_steps(evidence: &Evidence<'_>) -> Vec<Verdict> {
    let about_steps = CLAIMS.iter().filter(|c| c.subject == Subject::Steps);
    about_steps.map(|claim| claim.judge(evidence)).collect()
}

/// The limit, if the data have one and the run reached its horizon.
///
/// # Errors
/// *not applicable* without separability, *inconclusive* for a run that ended early.
fn limit_of_completed_run<'a>(e: &Evidence<'a>) -> Result<&'a Limit, Verdict> {
    let limit = e.limit.ok_or_else(|| {
        not_applicable(
            if e.diagnostics.theory.limit.as_ref().is_some_and(LimitLaw::is_about_features) {
                "there is no certified limit: no output weights separate the features at the end of the run, or \
                 neither could be \
                 decided"
            } else {
            "there is no certified limit: the data are not separable by a hyperplane through the origin, or not \
             through the \
             frequencies the feedback reaches, or neither could be decided"
            },
        )
    })?;
    unfinished(e).map_or(Ok(limit), Err)
}

/// *Inconclusive* for a run that ended early, or drifted.
fn unfinished(e: &Evidence<'_>) -> Option<Verdict> {
    let why = match e.status {
        Status::Completed => return None,
        Status::Inaccurate => "the run is not as accurate as its tolerance",
        _ => "the run ended before its horizon",
    };
    Some(Verdict::without_measurement(Outcome::Inconclusive, why))
}

/// Relative errors of exact statements count as far as weights are known: `errors` are pairs of a relative error and
/// the size that it is relative to. Weights of the size of `atol` have no digits of their own, and one that is within
/// `tolerance` of the statement as it stands is left as it is.
fn beyond_resolution(
    e: &Evidence<'_>,
    tolerance: f64,
    errors: impl Iterator<Item = (f64, f64)>,
) -> f64 {
    let floor = e.options.atol / tolerance;
    let known = |(error, size): (f64, f64)| {
        if error <= tolerance {
            error
        } else {
            error * size / (size + floor)
        }
    };
    errors.map(known).fold(0.0, crate::diagnostics::worse)
}

/// *Not applicable* unless theory has `claim` state the limit of this network under this rule.
fn other_limit(e: &Evidence<'_>, claim: &str, why: &str) -> Option<Verdict> {
    let law = e.diagnostics.theory.limit.as_ref();
    let stated = law.is_some_and(|law| law.is_stated_by(claim));
    (!stated).then(|| not_applicable(why))
}

fn not_applicable(why: impl Into<String>) -> Verdict {
    Verdict::without_measurement(Outcome::NotApplicable, why)
}

/// *Not applicable* unless the rule has fixed feedback (`feedback`), or is gradient descent.
fn other_rule(e: &Evidence<'_>, feedback: bool) -> Option<Verdict> {
    let errors = &e.diagnostics.theory.errors;
    let (as_needed, why) = if feedback {
        (
            errors.are_fixed(),
            "the rule is not feedback alignment, direct or not",
        )
    } else {
        (errors.are_gradients(), "the rule is not gradient descent")
    };
    (!as_needed).then(|| not_applicable(why))
}

/// The list of claims as the Markdown of docs/claims.md.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Claims\n\nGenerated by `marginflow claims --markdown`; a test compares this file with the code.\n\
         A verdict is one of *holds*, *violated*, *not-applicable* (the evidence names the hypothesis that fails) and \
         *inconclusive* (it says what would decide).\n",
    );
    for c in CLAIMS {
        text.push_str(&format!(
            "\n## {}\n\n| | |\n|---|---|\n| As printed | {} |\n| What is true | {} |\n| How it is checked | {} |\n",
            c.id,
            c.printed.replace('|', "\\|"),
            c.corrected.replace('|', "\\|"),
            c.check.replace('|', "\\|"),
        ));
    }
    text
}
