//! The limit direction of a problem's flow: the potential that theory (or the report) says it minimises.
//!
//! | network and rule | limit direction of β |
//! |---|---|
//! | fully connected | min ‖β‖₂, the hard-margin SVM |
//! | convolutional, diagonal; fixed feedback | min `Σ_d W_d^{−1/(2^L−1)} |β̂_d|^p`, `p = 2^L/(2^L−1)`, `W_d = ∏_{l<L}
//! |b̂_l[d]|^{2^{L−l}}` |
//! | convolutional, diagonal; BP, L = 2 | min `Σ_d |β̂_d|` |
//! | convolutional, diagonal; BP, L > 2 | a first-order stationary point of `Σ_d |β̂_d|^{2/L}` |
//!
//! all subject to `Gβ ≥ 1`; with several outputs see the module `classes`. The second row corrects the report's Theorem
//! 2, which is printed in three ways, none of them right. The main text has the exponent `2^{L−1} + 1` and weights
//! `1/∏_l |b̂_{L−l}|^{2^l} = 1/W`; the gradient in the appendix is that of the exponent `1 + 1/2^{L−1}` with weights
//! `1/∏_l |b̂_{L−l}|^{2^{l−1}} = W^{−1/2}`. Both are taken here as they are printed. A third place says only
//! `α = 1/(2^{L−1} + 1)` for the power of `|β̂_d|` in the gradient: there is no norm to test, and the value is right
//! (`1/(2^L − 1)`) at L = 2 alone.

use super::growth::{potential_degree, predictor_degree};
use super::{Errors, classes, errors, frequency_classes};
use crate::limit::{Limit, Potential, Separability, minimise};
use crate::network::{Known, Signals, SpectralLinear, vectors};
use crate::problem::Problem;
use crate::spectrum::Basis;
use nalgebra::{DMatrix, DVector};

/// The limit direction of a problem.
#[derive(Debug, Clone)]
pub struct LimitLaw {
    /// The id of the claim that states it; none for limits without a claim.
    pub statement: Option<&'static str>,
    pub form: LimitForm,
}

/// The form of the limit.
#[derive(Debug, Clone)]
pub enum LimitForm {
    /// β tends to the minimiser of a convex potential subject to `Gβ ≥ 1`.
    Minimiser(Potential),
    /// β tends to a first-order stationary point of a potential that is not convex; which one depends on the path.
    Stationary(Potential),
    /// The output weights tend to the hard-margin SVM of the features that the run itself learns.
    FeatureMachine,
}

impl LimitLaw {
    /// The potential of β; none for limits that do not concern β.
    pub fn potential(&self) -> Option<&Potential> {
        match &self.form {
            LimitForm::Minimiser(potential) | LimitForm::Stationary(potential) => Some(potential),
            LimitForm::FeatureMachine => None,
        }
    }

    /// Whether it concerns the output weights and the features of the run.
    pub fn is_about_features(&self) -> bool {
        matches!(self.form, LimitForm::FeatureMachine)
    }

    /// Whether this claim states it.
    pub fn is_stated_by(&self, claim: &str) -> bool {
        self.statement == Some(claim)
    }
}

/// The certified minimiser of a claimed potential.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// As [`CandidatePotential::id`].
    pub id: &'static str,
    pub label: &'static str,
    pub limit: Limit,
}

/// The candidates that can be certified on signed samples G, in their order.
pub fn certified_candidates(list: &[CandidatePotential], g: &DMatrix<f64>) -> Vec<Candidate> {
    list.iter()
        .filter_map(|c| match minimise(g, &c.potential) {
            Separability::Separable(limit) => Some(Candidate {
                id: c.id,
                label: c.label,
                limit,
            }),
            _ => None,
        })
        .collect()
}

/// A potential claimed to give the limit.
#[derive(Debug, Clone)]
pub struct CandidatePotential {
    /// `svm`, `main-text`, `appendix`, `sparse`; with several outputs `frobenius`, `nuclear`, `schatten`, `groups`.
    pub id: &'static str,
    /// What it is, for legends.
    pub label: &'static str,
    pub potential: Potential,
}

/// The signals whose limit a problem has, with the fixed vectors they are equivalent to, if theory predicts one.
enum LimitSignals {
    Backward,
    Fixed(Vec<DVector<f64>>),
}

fn limit_signals(problem: &Problem) -> Option<LimitSignals> {
    match problem.rule().limit_signals()? {
        Signals::Backward => Some(LimitSignals::Backward),
        signals => problem
            .network()
            .fixed_signals(signals)
            .map(|signals| LimitSignals::Fixed(vectors(signals))),
    }
}

/// The limit of `problem`.
pub(super) fn of(problem: &Problem) -> Option<LimitLaw> {
    let depth = problem.network().depth();
    // a claim about one rule does not cover another rule that only shares its limit
    let stated = |claim: &'static str| match errors(problem) {
        Errors::Other => None,
        Errors::Backward | Errors::Fixed { .. } => Some(claim),
    };
    let law = |statement, form| LimitLaw { statement, form };
    match problem.network().known() {
        Known::Nothing => None,
        // Theorem 3 holds under any rule that gives the output layer its gradient.
        Known::Gated(_) | Known::Layered(_) => Some(law(Some("thm-3"), LimitForm::FeatureMachine)),
        Known::FullyConnected(_) => {
            let claim = match limit_signals(problem)? {
                LimitSignals::Backward => "gd-fc",
                LimitSignals::Fixed(_) => "thm-1",
            };
            let euclidean = Potential::euclidean(problem.dataset().dimension());
            Some(law(stated(claim), LimitForm::Minimiser(euclidean)))
        }
        Known::FullyConnectedClasses(network) => {
            let (claim, form) = classes::limit(problem, network)?;
            Some(law(stated(claim), form))
        }
        Known::EntryByEntryClasses(network) => {
            let (claim, form) = frequency_classes::limit(problem, network)?;
            Some(law(stated(claim), form))
        }
        Known::EntryByEntry(network) => Some(match limit_signals(problem)? {
            LimitSignals::Fixed(feedback) => {
                let degree = predictor_degree(depth);
                let potential = weighted(network, 1.0 + 1.0 / degree, &feedback, |l| {
                    potential_degree(depth - l) / degree
                });
                law(stated("thm-2-corrected"), LimitForm::Minimiser(potential))
            }
            LimitSignals::Backward => {
                let potential = quasi_norm(network, 2.0 / depth as f64);
                let form = if potential.exponent < 1.0 {
                    LimitForm::Stationary(potential)
                } else {
                    LimitForm::Minimiser(potential)
                };
                law(stated("gd-conv"), form)
            }
        }),
    }
}

/// Limits that have been claimed, or would hold under another rule, to be distinguished from [`of`].
pub(super) fn candidates(problem: &Problem) -> Vec<CandidatePotential> {
    match problem.network().known() {
        Known::FullyConnectedClasses(network) => return classes::candidates(problem, network),
        Known::EntryByEntryClasses(network) => {
            return frequency_classes::candidates(problem, network);
        }
        _ => {}
    }
    let (Known::EntryByEntry(network), Some(signals)) =
        (problem.network().known(), limit_signals(problem))
    else {
        return Vec::new();
    };
    let depth = problem.network().depth();
    let mut list = vec![CandidatePotential {
        id: "svm",
        label: "hard-margin SVM, ‖β‖₂",
        potential: Potential::euclidean(problem.dataset().dimension()),
    }];
    let fixed = match &signals {
        LimitSignals::Backward => None,
        LimitSignals::Fixed(feedback) => Some(feedback),
    };
    if let Some(feedback) = fixed {
        list.extend(as_printed(network, depth, feedback));
    }
    if fixed.is_some() || depth > 2 {
        list.push(CandidatePotential {
            id: "sparse",
            label: match network.basis() {
                Basis::Fourier => "gradient descent at L = 2, Fourier ℓ₁",
                Basis::Standard => "gradient descent at L = 2, ℓ₁",
            },
            potential: quasi_norm(network, 1.0),
        });
    }
    list
}

/// The report's Theorem 2 in the two versions that print a norm, each to the letter: products over l = 1 … L−1 of
/// powers of `|b̂_{L−l}|`, so that `b_k` has the power of l = L − k.
fn as_printed(
    network: &SpectralLinear,
    depth: usize,
    feedback: &[DVector<f64>],
) -> [CandidatePotential; 2] {
    let printed = potential_degree(depth - 1);
    [
        CandidatePotential {
            id: "main-text",
            label: "Theorem 2 as in the main text",
            potential: weighted(network, printed + 1.0, feedback, |k| {
                potential_degree(depth - k)
            }),
        },
        CandidatePotential {
            id: "appendix",
            label: "Theorem 2 as in the appendix",
            potential: weighted(network, 1.0 + 1.0 / printed, feedback, |k| {
                potential_degree(depth - k - 1)
            }),
        },
    ]
}

/// `Σ_d |β̂_d|^p`
fn quasi_norm(network: &SpectralLinear, exponent: f64) -> Potential {
    let frequencies = network.frequencies().len();
    let ones = vec![1.0; frequencies];
    Potential::spectral(network.basis(), network.dimension(), exponent, &ones)
}

/// `Σ_d |β̂_d|^p / ∏_l |b̂_l[d]|^{power(l)}` with l = 1 … L−1. Where some feedback vanishes up to rounding, β̂_d must
/// vanish.
fn weighted(
    network: &SpectralLinear,
    exponent: f64,
    feedback: &[DVector<f64>],
    power: impl Fn(usize) -> f64,
) -> Potential {
    let mut weights = vec![1.0; network.frequencies().len()];
    for (l, b) in (1..).zip(feedback) {
        for (weight, b) in weights.iter_mut().zip(network.transform(b).iter()) {
            *weight *= b.norm().powf(-power(l));
        }
    }
    for (weight, reached) in weights.iter_mut().zip(network.reached(feedback)) {
        if !reached {
            *weight = f64::INFINITY;
        }
    }
    Potential::spectral(network.basis(), network.dimension(), exponent, &weights)
}
