//! Learning rules: how the output signal becomes one error signal per layer.

use nalgebra::DVector;

/// The rule decides the error signals `δ_l` that layer l's update `h_{l−1} δ_lᵀ` is built from.
/// The output layer always gets its true gradient.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// Backpropagation: `δ_l = W_{l+1} δ_{l+1}`.
    GradientDescent,
    /// `δ_l = b_l`, fixed: one vector per hidden layer l = 1..L−1, of that layer's width.
    DirectFeedbackAlignment(Vec<DVector<f64>>),
}

impl Rule {
    pub fn name(&self) -> &'static str {
        match self {
            Self::GradientDescent => "gradient-descent",
            Self::DirectFeedbackAlignment(_) => "direct-feedback-alignment",
        }
    }

    /// The fixed feedback vectors `b_1 … b_{L−1}`, where the rule has them.
    pub fn feedback(&self) -> Option<&[DVector<f64>]> {
        match self {
            Self::GradientDescent => None,
            Self::DirectFeedbackAlignment(b) => Some(b),
        }
    }
}
