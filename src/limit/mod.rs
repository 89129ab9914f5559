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
pub mod certificate;
mod doubled;
pub mod max_margin;
pub mod potential;
pub mod prediction;
mod projection;
mod scaling;
pub mod separability;
#[cfg(test)]
mod tests;

pub use certificate::{
    Certifier, KKT_ACTIVE, KktResidual, angle, best_multipliers, duality_gap, kkt_residual,
};
pub use max_margin::{GAP_TOLERANCE, max_margin};
pub use potential::{Block, Potential};
pub use prediction::CandidatePotential;
pub use separability::{FARKAS_TOLERANCE, FarkasCertificate, Separability};

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
    /// The name used in reports.
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
    /// Minimiser of min ‖β‖₂ s.t. Gβ ≥ 1 (smallest margin one, to rounding), length D.
    pub beta: DVector<f64>,
    /// Dual multipliers a ≥ 0 with β = Gᵀa, length N. Where more samples are active than independent they are not
    /// unique; these have independent support.
    pub multipliers: DVector<f64>,
    /// (‖β‖/γ)(‖Gᵀa‖/1ᵀa) − 1 ≥ 0 of the solution in doubled arithmetic, of which `beta` and `multipliers` are the
    /// nearest f64. Recomputed from those it is larger by up to about ε max‖g_n‖‖β‖ (the rounding of β seen in the
    /// margins), which shows when the margin is tiny.
    pub duality_gap: f64,
    /// Indices n with a_n > 0, increasing, from 0.
    pub support: Vec<usize>,
}
