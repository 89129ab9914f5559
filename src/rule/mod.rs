//! Learning rules: how the output signal becomes one error signal per layer.

use nalgebra::{DMatrix, DVector};

/// The rule decides the error signals `δ_l` that layer l's update `h_{l−1} δ_lᵀ` is built from.
/// The output layer always gets its true gradient, `δ_L = 1`.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// Backpropagation: `δ_l = W_{l+1} δ_{l+1}`.
    GradientDescent,
    /// `δ_l = F_l δ_{l+1}`, with fixed `F_1 … F_{L−1}` in the place and shape of `w_2 … w_L` (a filter in the place of a
    /// filter).
    FeedbackAlignment(Vec<DMatrix<f64>>),
    /// `δ_l = b_l`, fixed: one vector per hidden layer l = 1..L−1, of that layer's width.
    DirectFeedbackAlignment(Vec<DVector<f64>>),
}

impl Rule {
    /// The rule's key in a scenario.
    pub fn name(&self) -> &'static str {
        match self {
            Self::GradientDescent => "gradient-descent",
            Self::FeedbackAlignment(_) => "feedback-alignment",
            Self::DirectFeedbackAlignment(_) => "direct-feedback-alignment",
        }
    }

    /// Whether error signals come through fixed feedback. On linear networks the two rules that do are one
    /// (see [`Network::feedback`](crate::network::Network::feedback)).
    pub fn has_feedback(&self) -> bool {
        match self {
            Self::GradientDescent => false,
            Self::FeedbackAlignment(_) | Self::DirectFeedbackAlignment(_) => true,
        }
    }
}
