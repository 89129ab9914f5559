//! Limits of the flow: reference solutions, certificates, KKT residuals. (stub)

use nalgebra::DVector;

/// Which limit the theory predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitKind {
    /// Hard-margin support vector machine: min ‖β‖₂ s.t. Gβ ≥ 1.
    MaxMargin,
    /// No limit is known, or the data are not separable.
    None,
}

impl LimitKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::MaxMargin => "max-margin",
            Self::None => "none",
        }
    }
}

/// A certified reference solution.
#[derive(Debug, Clone)]
pub struct Limit {
    pub kind: LimitKind,
    /// Minimiser of min ‖β‖₂ s.t. Gβ ≥ 1 (margin exactly one).
    pub beta: DVector<f64>,
    /// Dual multipliers a ≥ 0 with β = Gᵀa, length N.
    pub multipliers: DVector<f64>,
    /// (‖β‖/γ)(‖Gᵀa‖/1ᵀa) − 1 ≥ 0.
    pub duality_gap: f64,
    /// Indices n with a_n > 0, increasing, from 0.
    pub support: Vec<usize>,
}
