//! Feedback alignment (FA): error signals come back layer by layer through fixed matrices, `δ_l = F_l δ_{l+1}`.

use super::{Entry, LearningRule, Needs, Rule};
use crate::network::Signals;
use nalgebra::DMatrix;

pub(super) const ENTRY: Entry = Entry {
    key: "feedback-alignment",
    about: "Errors go back layer by layer through fixed matrices (FA).",
    needs: Needs::Matrices(rule),
    about_feedback: "The fixed matrices F_l in δ_l = F_l δ_(l+1): units of layer l as rows, of layer l+1 as columns.",
    is_fixed: true,
};

pub(super) fn rule(feedback: Vec<DMatrix<f64>>) -> Rule {
    Rule::new(FeedbackAlignment(feedback))
}

/// `F_1 … F_{L−1}`
#[derive(Debug)]
struct FeedbackAlignment(Vec<DMatrix<f64>>);

impl LearningRule for FeedbackAlignment {
    fn key(&self) -> &'static str {
        ENTRY.key
    }

    fn signals(&self) -> Signals<'_> {
        Signals::Layerwise(&self.0)
    }
}
