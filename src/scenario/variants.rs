//! The same scenario at other depths and under another rule.

use super::Scenario;
use super::schema::{Architecture, Feedback, Initial};

/// A rule and initial weights for the data and architecture of a scenario, at any depth.
#[derive(Debug, Clone)]
pub struct Variant {
    /// How the weights start, in words.
    pub initial: String,
    depth_key: &'static str,
    /// Assignments except for the depth.
    others: Vec<String>,
}

impl Variant {
    /// The assignments (as for `--set`) that turn the scenario into this variant.
    pub fn assignments(&self, depth: usize) -> Vec<String> {
        let mut assignments = self.others.clone();
        assignments.push(format!("{}={depth}", self.depth_key));
        assignments
    }
}

impl Scenario {
    /// The scenario under fixed feedback (its own, or that of seed 1), and under gradient descent, from the weights of
    /// the scenario. Gradient descent cannot leave zero: where the scenario starts there, both rules start from
    /// Gaussian weights as well, the same for both, that preserve the size of a signal: with variance 1/D in fully
    /// connected layers on `dimension` inputs, and variance 1 in those that act entrywise.
    ///
    /// Empty if the depth cannot be changed alone: hidden widths are given, or weights or feedback come from files.
    pub fn variants_by_depth(&self, dimension: usize) -> Vec<Variant> {
        let document = &self.document;
        let (depth_key, scale) = match &document.network {
            Architecture::FullyConnected { hidden: None, .. } => (
                "network.fully-connected-linear.depth",
                (dimension as f64).powf(-0.5),
            ),
            Architecture::Convolutional { .. } => ("network.convolutional-linear.depth", 1.0),
            Architecture::Diagonal { .. } => ("network.diagonal-linear.depth", 1.0),
            Architecture::FullyConnected { .. }
            | Architecture::Relu { .. }
            | Architecture::Layers(_) => {
                return Vec::new();
            }
        };
        let feedback = match &document.rule.feedback {
            None => vec!["rule.direct-feedback-alignment.feedback.gaussian.seed=1".into()],
            Some(
                Feedback::Gaussian { .. }
                | Feedback::UnitModulus { .. }
                | Feedback::Orthonormal { .. },
            ) => Vec::new(),
            Some(Feedback::Files(_)) => return Vec::new(),
        };
        let descent = vec!["rule=gradient-descent".to_owned()];
        let variant = |initial: &str, others: Vec<String>| Variant {
            initial: initial.into(),
            depth_key,
            others,
        };
        let own = "the weights of the scenario";
        match document.initial.get_ref() {
            Initial::Files(_) => Vec::new(),
            Initial::Gaussian { .. } => vec![variant(own, feedback), variant(own, descent)],
            Initial::Zero => {
                let start = vec![format!(
                    "initial.gaussian={{ scale = {scale:?}, seed = 1 }}"
                )];
                let gaussian = format!("Gaussian weights of standard deviation {scale:.3}");
                vec![
                    variant("zero weights", feedback.clone()),
                    variant(&gaussian, [feedback, start.clone()].concat()),
                    variant(&gaussian, [descent, start].concat()),
                ]
            }
        }
    }
}
