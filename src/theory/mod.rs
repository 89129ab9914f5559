//! What is known about a problem before it is run: the only place that states what theory predicts.
//!
//! [`of`] derives a [`Theory`], a plain value, from network, rule, loss and start. Limits, diagnostics, alarms, claims
//! and figures read that value and never inspect the network or rule themselves. `None` and empty lists mean *not
//! applicable*: for a network or a rule that theory does not cover nothing is predicted, and everything else still
//! works.
//!
//! | statement | where |
//! |---|---|
//! | limit direction, and what else has been claimed | `limit` |
//! | rate of directional convergence | `rate`, `approach` |
//! | growth of the layers | `growth` |
//! | conserved quantities | `conserved` |
//! | alignment of layers with fixed feedback, and its closed form from zero weights | `alignment` |
//! | margin problems of gated networks | [`MarginProblem`] |
//! | several outputs | `classes`, `class_approach` |
//! | bounds of what is accumulated | `sandwich`, `off_zero` |
//! | the margin that fixed feedback never lowers | `feedback_margin` |
//!
//! docs/theory.md has the derivations.

mod alignment;
mod approach;
mod class_approach;
mod classes;
mod conserved;
mod feedback_margin;
mod frequency_classes;
mod growth;
mod limit;
mod off_zero;
mod rate;
mod sandwich;
mod sparse_approach;

pub use crate::rule::{Conserved, Measured};
pub use alignment::{Alignment, FrequencyAlignment, OuterProducts};
pub use classes::{ClassAlignment, Matrices};
pub(crate) use classes::{GD_FC_VECTOR, THM_1_VECTOR};
pub use conserved::drift;
pub use feedback_margin::FeedbackMargin;
pub(crate) use frequency_classes::{GD_CONV_VECTOR, imprisoned_entry};
pub use growth::{Growth, predictor_degree};
pub use limit::{Candidate, CandidatePotential, LimitForm, LimitLaw, certified_candidates};
pub use off_zero::OffZero;
pub use rate::RateLaw;
pub use sandwich::Sandwich;

use crate::limit::Potential;
use crate::network::{Known, Signals};
use crate::problem::Problem;
use nalgebra::DVector;

/// What theory says about a problem.
#[derive(Debug, Clone)]
pub struct Theory {
    /// How errors reach the hidden layers, as far as predictions depend on it.
    pub errors: Errors,
    /// The direction in which the weights converge.
    pub limit: Option<LimitLaw>,
    /// How fast they converge.
    pub rate: Option<RateLaw>,
    /// How fast the layers grow.
    pub growth: Option<Growth>,
    /// Quantities that do not change along the flow.
    pub conserved: Vec<Conserved>,
    /// Quantities that change in one direction only.
    pub monotone: Vec<Monotone>,
    /// How layers align with fixed feedback.
    pub alignment: Option<Alignment>,
    /// Whether the alignment has a closed form in Z, as it has from zero weights.
    pub closed_form: bool,
    /// The margin problem to a KKT point of which all layers together converge, where the network is not linear.
    pub margin_problem: Option<MarginProblem>,
    /// How layers with several outputs align with fixed feedback, from zero weights.
    pub class_alignment: Option<ClassAlignment>,
    /// Bounds from both sides on what the first layer has learned.
    pub sandwich: Option<Sandwich>,
    /// The margin that two layers with fixed feedback never lower.
    pub feedback_margin: Option<FeedbackMargin>,
    /// Limits that have been claimed, or would hold under another rule, to compare with [`limit`](Self::limit).
    pub candidates: Vec<CandidatePotential>,
}

impl Theory {
    /// The potential whose constrained minimum (stationary point for p < 1) β tends to in direction.
    pub fn potential(&self) -> Option<&Potential> {
        self.limit.as_ref().and_then(LimitLaw::potential)
    }
}

/// How errors reach the hidden layers.
#[derive(Debug, Clone, PartialEq)]
pub enum Errors {
    /// Back through the weights: gradient descent.
    Backward,
    /// Through feedback that never changes.
    Fixed {
        /// `b_{L−1}` of the last hidden layer, where there is one.
        last: Option<DVector<f64>>,
        /// `b_1`, the error signal of the first layer, where no gates intervene between it and the output.
        first: Option<DVector<f64>>,
    },
    /// In a way specific to the rule.
    Other,
}

impl Errors {
    /// Whether the rule is gradient descent.
    pub fn are_gradients(&self) -> bool {
        *self == Self::Backward
    }

    /// Whether error signals pass through fixed feedback.
    pub fn are_fixed(&self) -> bool {
        matches!(self, Self::Fixed { .. })
    }

    /// `b_{L−1}` of the last hidden layer, where errors pass through fixed feedback.
    pub fn last_feedback(&self) -> Option<&DVector<f64>> {
        match self {
            Self::Fixed { last, .. } => last.as_ref(),
            Self::Backward | Self::Other => None,
        }
    }
}

/// A quantity that theory says changes in one direction only, along the exact flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Monotone {
    /// The loss never rises.
    Loss,
    /// The smoothed margin `ℓ⁻¹(𝓛)/‖θ‖^L` never falls once the loss is below that of one sample with margin zero
    /// (Lyu and Li 2020).
    SmoothedMargin,
}

/// A margin problem in all weights of a gated network.
#[derive(Debug, Clone, PartialEq)]
pub enum MarginProblem {
    /// min ½‖θ‖² s.t. `y_n f ≥ 1`: gradient descent.
    LeastNorm,
    /// min `Σ_j ‖w_j‖⁴/b_j²` s.t. `y_n f ≥ 1`: two layers under fixed feedback b.
    LeastFeedbackPotential(DVector<f64>),
}

/// What theory says about `problem`.
pub fn of(problem: &Problem) -> Theory {
    let (network, rule) = (problem.network(), problem.rule());
    let from_zero = problem.theta0().amax() == 0.0;
    let errors = errors(problem);
    let alignment = alignment::of(problem);
    let mut conserved = conserved::of_network(problem);
    conserved.extend(rule.conserved(network));
    let mut theory = Theory {
        limit: limit::of(problem),
        rate: rate::of(problem),
        growth: growth::of(problem),
        conserved,
        monotone: monotone(problem, &errors, from_zero),
        closed_form: from_zero && alignment.is_some(),
        alignment,
        class_alignment: classes::alignment(problem),
        margin_problem: margin_problem(problem, &errors),
        sandwich: None,
        feedback_margin: None,
        candidates: limit::candidates(problem),
        errors,
    };
    theory.sandwich = sandwich::of(problem, &theory);
    theory.feedback_margin = feedback_margin::of(problem, &theory);
    theory
}

fn errors(problem: &Problem) -> Errors {
    if problem.rule().evolves() {
        return Errors::Other;
    }
    match problem.rule().signals() {
        Signals::Backward => Errors::Backward,
        signals @ (Signals::Layerwise(_) | Signals::Direct(_)) => Errors::Fixed {
            last: signals.last(),
            first: problem
                .feedback()
                .and_then(|signals| signals.into_iter().next()),
        },
    }
}

/// The quantities that provably change in one direction only.
fn monotone(problem: &Problem, errors: &Errors, from_zero: bool) -> Vec<Monotone> {
    let depth = problem.network().depth();
    match (problem.network().known(), errors) {
        (Known::Nothing, _) | (_, Errors::Other) => Vec::new(),
        (Known::Gated(_), Errors::Backward) => vec![Monotone::Loss, Monotone::SmoothedMargin],
        (Known::Layered(network), Errors::Backward) if network.total_degree().is_some() => {
            vec![Monotone::Loss, Monotone::SmoothedMargin]
        }
        (_, Errors::Backward) => vec![Monotone::Loss],
        (Known::FullyConnected(_), Errors::Fixed { .. }) if from_zero => vec![Monotone::Loss],
        (Known::EntryByEntry(network), Errors::Fixed { .. }) if from_zero => {
            let real = network.frequencies().iter().all(|f| f.len == 1);
            if real || depth <= 2 {
                vec![Monotone::Loss]
            } else {
                Vec::new()
            }
        }
        (Known::Gated(_), Errors::Fixed { .. }) if from_zero && depth == 2 => vec![Monotone::Loss],
        (_, Errors::Fixed { .. }) => Vec::new(),
    }
}

fn margin_problem(problem: &Problem, errors: &Errors) -> Option<MarginProblem> {
    match problem.network().known() {
        Known::Gated(_) => {}
        Known::Layered(network) if network.total_degree().is_some() => {
            return matches!(errors, Errors::Backward).then_some(MarginProblem::LeastNorm);
        }
        _ => return None,
    }
    match errors {
        Errors::Backward => Some(MarginProblem::LeastNorm),
        Errors::Fixed { last, .. } if problem.network().depth() == 2 => {
            last.clone().map(MarginProblem::LeastFeedbackPotential)
        }
        Errors::Fixed { .. } | Errors::Other => None,
    }
}
