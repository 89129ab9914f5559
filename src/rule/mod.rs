//! Learning rules: how the output signal becomes one error signal per layer.
//!
//! A rule is one file here and one line in [`RULES`]. It hands a network its [`Signals`]; a rule whose signals change
//! along the flow has a state of its own and a vector field around the network's.

mod conserved;
mod direct_feedback_alignment;
mod feedback_alignment;
mod gradient_descent;
mod kolen_pollack;

pub use conserved::{Conserved, Measured};

use crate::dataset::Dataset;
use crate::network::stepping::{GenericStepper, Lane, Stepper, Training};
use crate::network::{Kernel, Network, Signals};
use nalgebra::{DMatrix, DVector};
use std::fmt::Debug;
use std::sync::Arc;

/// Every learning rule: one line each.
pub const RULES: &[Entry] = &[
    gradient_descent::ENTRY,
    feedback_alignment::ENTRY,
    direct_feedback_alignment::ENTRY,
    kolen_pollack::ENTRY,
];

/// What code that reads scenarios needs to know about a rule.
#[derive(Debug)]
pub struct Entry {
    /// The key in a scenario.
    pub key: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// What it has to be given.
    pub needs: Needs,
    /// What its feedback is, in one line; empty for rules without feedback.
    pub about_feedback: &'static str,
    /// Whether its error signals pass through feedback that never changes.
    pub is_fixed: bool,
}

/// What has to be drawn or read before a rule can be constructed.
#[derive(Debug, Clone, Copy)]
pub enum Needs {
    /// Nothing.
    Nothing(fn() -> Rule),
    /// One matrix per hidden layer, units × outputs: `b_1 … b_{L−1}`.
    Direct(fn(Vec<DMatrix<f64>>) -> Rule),
    /// One matrix per hidden layer, of the shapes of `w_2 … w_L`: `F_1 … F_{L−1}`.
    Matrices(fn(Vec<DMatrix<f64>>) -> Rule),
}

/// A learning rule.
///
/// It says how error signals are propagated. Everything else is optional, with defaults for rules whose signals never
/// change.
pub trait LearningRule: Debug + Send + Sync + 'static {
    /// The key in a scenario.
    fn key(&self) -> &'static str;

    /// How error signals are propagated, at the start of the flow.
    fn signals(&self) -> Signals<'_>;

    /// The signals under which theory predicts the same limit; `None` where nothing is predicted. By default its own.
    fn limit_signals(&self) -> Option<Signals<'_>> {
        Some(self.signals())
    }

    /// Optional: initial state of the rule's own, stored after θ in a run's state. By default empty.
    fn state(&self, _network: &Network) -> DVector<f64> {
        DVector::zeros(0)
    }

    /// Whether the signals change along the flow, with the [`state`](Self::state).
    fn evolves(&self) -> bool {
        false
    }

    /// Optional: the vector field on (θ, state). By default the network's own under fixed signals.
    fn kernel(&self, network: &Network, data: &Dataset) -> Arc<dyn Kernel> {
        network.kernel(self.signals(), data)
    }

    /// Optional: what the rule itself conserves on a network, besides what the network conserves under its signals.
    fn conserved(&self, _network: &Network) -> Vec<Conserved> {
        Vec::new()
    }
}

/// A learning rule: a handle, cheap to clone.
#[derive(Debug, Clone)]
pub struct Rule(Arc<dyn LearningRule>);

impl PartialEq for Rule {
    /// Whether both are the same kind of rule and start with the same signals.
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key() && self.signals() == other.signals()
    }
}

impl std::ops::Deref for Rule {
    type Target = dyn LearningRule;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl Rule {
    /// A rule of this kind, built in or your own.
    pub fn new(rule: impl LearningRule) -> Self {
        Self(Arc::new(rule))
    }

    /// Backpropagation: `δ_l = w_{l+1} δ_{l+1}`.
    pub fn gradient_descent() -> Self {
        gradient_descent::rule()
    }

    /// `δ_l = F_l δ_{l+1}`, with fixed `F_1 … F_{L−1}` of the shapes of `w_2 … w_L` (a filter for a filter).
    pub fn feedback_alignment(feedback: Vec<DMatrix<f64>>) -> Self {
        feedback_alignment::rule(feedback)
    }

    /// `δ_l = b_l`, fixed: one vector per hidden layer l = 1..L−1, of that layer's width, where there is one output.
    pub fn direct_feedback_alignment(feedback: Vec<DVector<f64>>) -> Self {
        let columns = feedback
            .iter()
            .map(|b| DMatrix::from_columns(std::slice::from_ref(b)));
        direct_feedback_alignment::rule(columns.collect())
    }

    /// `δ_l = F_l δ_L`, fixed: one matrix per hidden layer l = 1..L−1, units × outputs.
    pub fn direct_feedback_matrices(feedback: Vec<DMatrix<f64>>) -> Self {
        direct_feedback_alignment::rule(feedback)
    }

    /// Finite steps of a network under this rule.
    ///
    /// # Panics
    /// If the data, the signals or the weights do not have the network's shapes.
    pub fn steps(
        &self,
        network: &Network,
        training: &Training<'_>,
        lanes: &[Lane],
    ) -> Box<dyn Stepper> {
        if self.evolves() {
            let kernel = self.kernel(network, training.data);
            return Box::new(GenericStepper::new(kernel, training, lanes));
        }
        network.steps(training, lanes)
    }
}
