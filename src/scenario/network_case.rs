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

/// A network with its rule: `fc`, `fc-dfa-L`, `fc-bp-L`, `conv-dfa-L`, `conv-dfa-L-unit`, `conv-bp-L`, and the last
/// three with `diagonal` instead of `conv`. `fc` is `fc-dfa-2` under a shorter name.
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
                "unknown case `{name}`; cases are fc, fc-dfa-L, fc-bp-L, conv-dfa-L, conv-dfa-L-unit, conv-bp-L, \
                 diagonal-dfa-L, diagonal-dfa-L-unit and diagonal-bp-L, with L the depth"
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
            Some(&"fc") => Layers::FullyConnected,
            _ => return Err(unknown()),
        };
        let feedback = match (parts.get(1), parts.get(3)) {
            (Some(&"dfa"), None) => Some(Feedback::Gaussian),
            (Some(&"dfa"), Some(&"unit")) if layers != Layers::FullyConnected => {
                Some(Feedback::UnitModulus)
            }
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

    pub fn is_convolutional(&self) -> bool {
        self.layers == Layers::Convolutional
    }

    /// Whether there is one limit, that of every start: not where gradient descent tends to one of many stationary
    /// points of a potential that is not convex.
    pub(super) fn has_one_limit(&self) -> bool {
        self.is_fully_connected() || self.feedback.is_some() || self.depth <= 2
    }

    /// The fully connected network of `cases` to compare with: that of the same rule and depth, otherwise the first one
    /// (the limit is the same for all).
    pub(crate) fn counterpart<'a>(&self, cases: &'a [Self]) -> Option<&'a Self> {
        let connected = || cases.iter().filter(|case| case.is_fully_connected());
        let alike = |case: &&Self| {
            (case.depth, case.feedback.is_some()) == (self.depth, self.feedback.is_some())
        };
        connected().find(alike).or_else(|| connected().next())
    }

    /// What it is, for legends.
    #[cfg(feature = "cli")]
    pub(crate) fn label(&self) -> String {
        let layers = match self.layers {
            Layers::FullyConnected if self.name == "fc" => {
                return "fully connected (BP = DFA)".into();
            }
            Layers::FullyConnected => "fully connected",
            Layers::Convolutional => "conv",
            Layers::Diagonal => "diagonal",
        };
        let (rule, signal) = match self.feedback {
            None => ("BP", ""),
            Some(_) if self.is_fully_connected() => ("DFA", ""),
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
        if self.is_fully_connected() && self.feedback.is_some() {
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
            None if !self.has_one_limit() => return Err(NoPrediction::ManyLimits),
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
            "fc-dfa-3",
            "fc-bp-2",
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
            ("fc-dfa-2-unit", "unknown case"),
            ("fc-bp", "unknown case"),
            ("conv-dfa-7", "depths 1 to 6"),
            ("conv-dfa-0", "depths 1 to 6"),
        ] {
            let error = NetworkCase::try_from(name.to_owned()).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn networks_are_compared_with_those_of_their_rule_and_depth() {
        let case = |name: &str| NetworkCase::try_from(name.to_owned()).unwrap();
        let cases = ["fc-bp-3", "conv-dfa-2", "fc-dfa-2", "fc-dfa-3"].map(case);
        for (name, expected) in [
            ("conv-dfa-2-unit", "fc-dfa-2"),
            ("conv-dfa-3", "fc-dfa-3"),
            ("conv-bp-3", "fc-bp-3"),
            ("diagonal-bp-2", "fc-bp-3"),
        ] {
            assert_eq!(case(name).counterpart(&cases).unwrap().name(), expected);
        }
        assert!(case("conv-bp-2").counterpart(&cases[1..2]).is_none());
    }

    #[test]
    fn only_one_limit_can_be_predicted() {
        let case = |name: &str| NetworkCase::try_from(name.to_owned()).unwrap();
        assert_eq!(
            case("conv-bp-3").prediction(1.0),
            Err(NoPrediction::ManyLimits)
        );
        let angle = |name: &str| case(name).prediction(1.0).unwrap().angle;
        assert_eq!(angle("fc-bp-3"), angle("fc"));
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
