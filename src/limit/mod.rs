//! Limits of the flow: reference solutions, the separability decision, certificates and KKT residuals.
//!
//! On separable data the direction of β tends to a minimiser of a convex potential subject to `Gβ ≥ 1` (rows
//! `g_n = y_n x_n`). In the Euclidean case (fully connected linear networks, any depth, gradient descent or feedback
//! alignment) it is the hard-margin support vector machine,
//!
//! ```text
//! primal  min ½‖β‖²  s.t.  Gβ ≥ 1            dual  max 1ᵀa − ½‖Gᵀa‖²  s.t.  a ≥ 0            optimum  β = Gᵀa
//! ```
//!
//! For any β with `γ = min_n g_n·β > 0` and any `a ≥ 0`, `γ 1ᵀa ≤ aᵀGβ = β·Gᵀa ≤ ‖β‖‖Gᵀa‖`, so
//! `gap = (‖β‖/γ)(‖Gᵀa‖/1ᵀa) − 1 ≥ 0`, and it vanishes only at the optimum. Every solution here is accepted on that
//! number, never on a solver's status word, and every run can certify itself with it.
//!
//! By Gordan's theorem either `Gβ > 0` has a solution, or some `a ≥ 0, a ≠ 0` has `Gᵀa = 0`; [`max_margin()`] returns
//! whichever of the two it can prove, or says that it can prove neither.
//!
//! Layout: [`mod@max_margin`] solves (interior point, then active set), [`separability`] holds the decision and Farkas'
//! certificate, [`certificate`] has gaps, multipliers, KKT residuals and angles. The active-set method (`projection`,
//! on the QR factors of `active_set` and the arithmetic of `doubled`) serves them all.

mod active_set;
pub mod angle;
mod blocks;
pub mod certificate;
mod doubled;
mod gap;
pub mod max_margin;
mod newton;
pub mod norm_margin;
#[cfg(test)]
mod norm_tests;
pub mod potential;
mod projection;
mod scaling;
pub mod separability;
mod sparse;
pub mod stationary;
#[cfg(test)]
mod tests;

pub use angle::angle;
pub use certificate::{
    Certifier, KKT_ACTIVE, KktResidual, best_multipliers, duality_gap, kkt_residual,
};
pub use max_margin::{GAP_TOLERANCE, max_margin};
pub use norm_margin::minimise;
pub use potential::{Block, Potential};
pub use separability::{FARKAS_TOLERANCE, FarkasCertificate, Separability};
pub use stationary::{STATIONARITY_TOLERANCE, refine, stationary_residual};

use blocks::UnitBlocks;
use nalgebra::DVector;

/// Which limit the theory predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitKind {
    /// Hard-margin support vector machine: min ‖β‖₂ s.t. Gβ ≥ 1.
    MaxMargin,
    /// min ψ(β) s.t. Gβ ≥ 1 for an exponent other than one, or unequal weights. For p < 1 a stationary point.
    FourierNorm,
    /// The same for p = 1: min Σ_b κ_b ‖β_b‖ s.t. Gβ ≥ 1.
    FourierL1,
    /// No limit is known, or the data are not separable.
    None,
}

impl LimitKind {
    /// The name used in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::MaxMargin => "max-margin",
            Self::FourierNorm => "fourier-norm",
            Self::FourierL1 => "fourier-l1",
            Self::None => "none",
        }
    }

    /// The kind of the minimisers of a potential.
    pub fn of(potential: &Potential) -> Self {
        if potential.is_multiple_of_euclidean() {
            Self::MaxMargin
        } else if potential.exponent == 1.0 {
            Self::FourierL1
        } else {
            Self::FourierNorm
        }
    }
}

/// A certified reference solution.
#[derive(Debug, Clone)]
pub struct Limit {
    pub kind: LimitKind,
    /// ψ.
    pub potential: Potential,
    /// Minimiser of min ψ(β) s.t. Gβ ≥ 1 (smallest margin one, to rounding), length D, original coordinates. For p < 1
    /// a stationary point.
    pub beta: DVector<f64>,
    /// Dual multipliers a ≥ 0 with `Gᵀa = ∇(½ψ²)(β)` (a subgradient where ψ has a kink), length N; `1ᵀa = ψ(β)²`, and β =
    /// Gᵀa in the Euclidean case. Where more samples are active than independent they are not unique; these have
    /// independent support.
    pub multipliers: DVector<f64>,
    /// p ≥ 1: (ψ(β)/γ)(ψ*(Gᵀa)/1ᵀa) − 1 ≥ 0 of the solution in doubled arithmetic, of which `beta` and `multipliers` are
    /// the nearest f64. Recomputed from those it is larger by up to about ε max‖g_n‖‖β‖ (the rounding of β seen in the
    /// margins), which shows when the margin is tiny. `None` for p < 1, where there is no dual.
    pub duality_gap: Option<f64>,
    /// p < 1: the stationarity residual of `beta` (see [`stationary_residual()`]). `None` otherwise.
    pub stationarity: Option<f64>,
    /// Indices n with a_n > 0, increasing, from 0.
    pub support: Vec<usize>,
    /// Whether no other minimiser exists: always for p > 1; for p = 1 where the multipliers exclude one; never for p < 1,
    /// where other stationary points are usual.
    pub unique: bool,
}

impl Limit {
    /// What it was accepted on, in words.
    pub fn proof(&self) -> String {
        match (self.duality_gap, self.stationarity) {
            (Some(gap), _) => format!("duality gap {gap:.1e}"),
            (None, Some(residual)) => format!("stationarity residual {residual:.1e}"),
            (None, None) => "no certificate".into(),
        }
    }
}
