//! Direct feedback alignment (DFA): the output's error goes to every layer through a fixed vector, `δ_l = b_l δ_L`; the
//! errors of several outputs through a fixed matrix.

use super::{Entry, LearningRule, Needs, Rule};
use crate::network::Signals;
use nalgebra::DMatrix;

pub(super) const ENTRY: Entry = Entry {
    key: "direct-feedback-alignment",
    about: "The output's error goes to every layer through fixed vectors (DFA), or matrices where labels are classes.",
    needs: Needs::Direct(rule),
    about_feedback: "The fixed vectors b_l, as wide as their layers; one column per class where labels are classes.",
    is_fixed: true,
};

pub(super) fn rule(feedback: Vec<DMatrix<f64>>) -> Rule {
    Rule::new(DirectFeedbackAlignment(feedback))
}

/// `b_1 … b_{L−1}`, units × outputs.
#[derive(Debug)]
struct DirectFeedbackAlignment(Vec<DMatrix<f64>>);

impl LearningRule for DirectFeedbackAlignment {
    fn key(&self) -> &'static str {
        ENTRY.key
    }

    fn signals(&self) -> Signals<'_> {
        Signals::Direct(&self.0)
    }
}
