//! Direct feedback alignment (DFA): the output's error goes to every layer through a fixed vector, `δ_l = b_l δ_L`.

use super::{Entry, LearningRule, Needs, Rule};
use crate::network::Signals;
use nalgebra::DVector;

pub(super) const ENTRY: Entry = Entry {
    key: "direct-feedback-alignment",
    about: "The output's error goes to every layer through fixed vectors (DFA).",
    needs: Needs::Vectors(rule),
    about_feedback: "The fixed vectors b_l, as wide as their layers.",
    is_fixed: true,
};

pub(super) fn rule(feedback: Vec<DVector<f64>>) -> Rule {
    Rule::new(DirectFeedbackAlignment(feedback))
}

/// `b_1 … b_{L−1}`
#[derive(Debug)]
struct DirectFeedbackAlignment(Vec<DVector<f64>>);

impl LearningRule for DirectFeedbackAlignment {
    fn key(&self) -> &'static str {
        ENTRY.key
    }

    fn signals(&self) -> Signals<'_> {
        Signals::Direct(&self.0)
    }
}
