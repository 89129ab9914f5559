//! The networks and rules that a sweep compares, by name.

use crate::generalisation::{
    BlockSize, Blocks, Feedback, Law, NoPrediction, Prediction, euclidean, separable,
};
use crate::theory::predictor_degree;
use serde::Deserialize;

/// Depths with a theory curve; deeper potentials hardly differ from `p = 1`, and their layers hardly learn within
/// reachable times.
const DEPTHS: std::ops::RangeInclusive<u32> = 1..=6;

/// Depth of the case `fc`; its limit is the same at any depth and under every rule.
const FULLY_CONNECTED_DEPTH: u32 = 2;

/// How the layers of a network act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layers {
    FullyConnected,
    Convolutional,
    Diagonal,
}

/// A network with its rule: `fc`, `conv-dfa-L`, `conv-dfa-L-unit`, `conv-bp-L`, and the same with `diagonal` in place
/// of `conv`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct NetworkCase {
    name: String,
    layers: Layers,
    /// L
    depth: u32,
    /// Distribution of the feedback; none under gradient descent.
    feedback: Option<Feedback>,
}

impl TryFrom<String> for NetworkCase {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let unknown = || {
            format!(
                "unknown case `{name}`; cases are fc, conv-dfa-L, conv-dfa-L-unit, conv-bp-2, diagonal-dfa-L, \
                 diagonal-dfa-L-unit and diagonal-bp-2, with L the depth"
            )
        };
        if name == "fc" {
            return Ok(Self {
                name,
                layers: Layers::FullyConnected,
                depth: FULLY_CONNECTED_DEPTH,
                feedback: Some(Feedback::Gaussian),
            });
        }
        let parts: Vec<&str> = name.split('-').collect();
        let layers = match parts.first() {
            Some(&"conv") => Layers::Convolutional,
            Some(&"diagonal") => Layers::Diagonal,
            _ => return Err(unknown()),
        };
        let feedback = match (parts.get(1), parts.get(3)) {
            (Some(&"dfa"), None) => Some(Feedback::Gaussian),
            (Some(&"dfa"), Some(&"unit")) => Some(Feedback::UnitModulus),
            (Some(&"bp"), None) => None,
            _ => return Err(unknown()),
        };
        let depth = parts
            .get(2)
            .filter(|digits| digits.len() == 1 && parts.len() <= 4)
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(unknown)?;
        if !DEPTHS.contains(&depth) {
            return Err(format!(
                "the case `{name}` has depth {depth}; depths {} to {} can be swept",
                DEPTHS.start(),
                DEPTHS.end()
            ));
        }
        if feedback.is_none() && depth > 2 {
            return Err(format!(
                "the case `{name}` has no one limit: at depth {depth} gradient descent tends to one of many stationary \
                 points of a potential that is not convex; depths 1 and 2 can be swept"
            ));
        }
        Ok(Self {
            name,
            layers,
            depth,
            feedback,
        })
    }
}

impl NetworkCase {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is fully connected, the case the others are compared with.
    pub fn is_fully_connected(&self) -> bool {
        self.layers == Layers::FullyConnected
    }

    /// What it is, for legends.
    #[cfg(feature = "cli")]
    pub(crate) fn label(&self) -> String {
        let layers = match self.layers {
            Layers::FullyConnected => return "fully connected (BP = DFA)".into(),
            Layers::Convolutional => "conv",
            Layers::Diagonal => "diagonal",
        };
        let (rule, signal) = match self.feedback {
            None => ("BP", ""),
            Some(Feedback::Gaussian) => ("DFA", ", Gaussian b"),
            Some(Feedback::UnitModulus) if self.layers == Layers::Convolutional => {
                ("DFA", ", |b̂| = 1")
            }
            Some(Feedback::UnitModulus) => ("DFA", ", |b| = 1"),
        };
        format!("{layers} {rule}, L = {}{signal}", self.depth)
    }

    /// Assignments (as for `--set`) that make a scenario this network and rule, with feedback of this seed.
    pub(crate) fn assignments(&self, feedback_seed: u64) -> Vec<String> {
        let network = match self.layers {
            Layers::FullyConnected => "fully-connected-linear",
            Layers::Convolutional => "convolutional-linear",
            Layers::Diagonal => "diagonal-linear",
        };
        let rule = match self.feedback {
            None => "rule=gradient-descent".to_owned(),
            Some(feedback) => {
                let law = match feedback {
                    Feedback::Gaussian => "gaussian",
                    Feedback::UnitModulus => "unit-modulus",
                };
                format!("rule.direct-feedback-alignment.feedback.{law}.seed={feedback_seed}")
            }
        };
        vec![
            format!("network.{network}.depth={}", self.depth),
            rule,
            format!("flow.state={}", self.state()),
        ]
    }

    /// The same for `[steps]`, if there is such a table.
    pub(crate) fn step_assignments(&self) -> Vec<String> {
        vec![format!("steps.state={}", self.state())]
    }

    /// Which state is integrated: where there is a reduced one, it is exact and far smaller.
    fn state(&self) -> &'static str {
        if self.is_fully_connected() {
            "reduced"
        } else {
            "full"
        }
    }

    /// What theory predicts for its limit at `n/D = ratio`.
    ///
    /// # Errors
    /// As [`separable`].
    pub(crate) fn prediction(&self, ratio: f64) -> Result<Prediction, NoPrediction> {
        let block = match self.layers {
            Layers::FullyConnected => return euclidean(ratio),
            Layers::Convolutional => BlockSize::Pair,
            Layers::Diagonal => BlockSize::Single,
        };
        let (exponent, law) = match self.feedback {
            None => (2.0 / f64::from(self.depth), Law::constant()),
            Some(feedback) => (
                1.0 + 1.0 / predictor_degree(self.depth as usize),
                Law::of_feedback(feedback, block, self.depth),
            ),
        };
        separable(
            ratio,
            &Blocks {
                block,
                exponent,
                law,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_or_refused_with_a_reason() {
        for name in [
            "fc",
            "conv-dfa-2",
            "conv-dfa-3-unit",
            "conv-bp-2",
            "diagonal-dfa-2",
            "diagonal-bp-1",
        ] {
            assert_eq!(NetworkCase::try_from(name.to_owned()).unwrap().name(), name);
        }
        for (name, why) in [
            ("cov-dfa-2", "unknown case"),
            ("conv-dfa", "unknown case"),
            ("conv-dfa-2-units", "unknown case"),
            ("conv-dfa-2-unit-3", "unknown case"),
            ("conv-dfa-+2", "unknown case"),
            ("conv-bp-2-unit", "unknown case"),
            ("conv-bp-3", "not convex"),
            ("conv-dfa-7", "depths 1 to 6"),
            ("conv-dfa-0", "depths 1 to 6"),
        ] {
            let error = NetworkCase::try_from(name.to_owned()).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    /// A single layer is the same however it is parametrised.
    #[test]
    fn at_depth_one_all_predictions_are_one() {
        let angle = |name: &str| {
            let case = NetworkCase::try_from(name.to_owned()).unwrap();
            case.prediction(0.7).unwrap().angle
        };
        for name in ["conv-dfa-1", "conv-bp-1", "diagonal-dfa-1-unit"] {
            assert_eq!(angle(name), angle("fc"), "{name}");
        }
    }
}
