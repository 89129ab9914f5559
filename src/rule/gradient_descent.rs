//! Gradient descent: error signals come back through the weights (backpropagation, BP).

use super::{Entry, LearningRule, Needs, Rule};
use crate::network::Signals;

pub(super) const ENTRY: Entry = Entry {
    key: "gradient-descent",
    about: "Errors go back through the weights (BP).",
    needs: Needs::Nothing(rule),
    about_feedback: "",
    is_fixed: false,
};

pub(super) fn rule() -> Rule {
    Rule::new(GradientDescent)
}

#[derive(Debug)]
struct GradientDescent;

impl LearningRule for GradientDescent {
    fn key(&self) -> &'static str {
        ENTRY.key
    }

    fn signals(&self) -> Signals<'_> {
        Signals::Backward
    }
}
