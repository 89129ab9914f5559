//! Limits of the flow: reference solutions, the separability decision, certificates and KKT residuals.
//!
//! On separable data the direction of β converges to that of a minimiser of a potential subject to `Gβ ≥ 1` (rows
//! `g_n = y_n x_n`). One family covers the linear networks: with blocks `β_b` of orthonormal coordinates
//! ([`Potential`]),
//!
//! ```text
//! ψ(β) = (Σ_b κ_b ‖β_b‖^p)^{1/p}        ψ*(Z) = (Σ_b κ_b^{1−q} ‖Z_b‖^q)^{1/q},  1/p + 1/q = 1        (p = 1: max_b ‖Z_b‖/κ_b)
//! ```
//!
//! | network, rule | blocks | p | κ |
//! |---|---|---|---|
//! | fully connected, any rule | all of β | 2 | 1: the hard-margin support vector machine |
//! | convolutional, feedback alignment, depth L | frequencies | 2^L/(2^L − 1) | `W_d^{−1/(2^L−1)}`, `W_d = ∏_k \|b̂_k\|^{2^{L−k}}` |
//! | diagonal, feedback alignment, depth L | entries | 2^L/(2^L − 1) | the same with b in place of b̂ |
//! | convolutional / diagonal, gradient descent | frequencies / entries | 2/L | 1 (L > 2: stationary points only) |
//!
//! For p ≥ 1 primal, dual and optimality are
//!
//! ```text
//! min ψ(β)  s.t.  Gβ ≥ 1              max 1ᵀa / ψ*(Gᵀa)  over  a ≥ 0              Gᵀa = ∇(½ψ²)(β),   a_n (g_n·β − 1) = 0
//! ```
//!
//! **The gap.** Let `γ = min_n g_n·β > 0`, `a ≥ 0`, `a ≠ 0`. Then `γ 1ᵀa ≤ aᵀGβ = β·Gᵀa ≤ ψ(β) ψ*(Gᵀa)` (Hölder's
//! inequality, block by block after Cauchy's), so
//!
//! ```text
//! gap = (ψ(β)/γ) (ψ*(Gᵀa)/1ᵀa) − 1 ≥ 0
//! ```
//!
//! which vanishes only at the optimum: the first factor is at least the minimum of the primal, the second at least its
//! inverse (take the minimiser for β), so a gap ε means that `ψ(β)/γ` is at most `1 + ε` times the best. Every solution
//! here is accepted on that number, never on a solver's status, and every run can certify itself with it. `gap`
//! computes it as a sum of non-negative terms. In Fourier coordinates the samples carry the rounding of the transform,
//! which limits the resolution of a gap to about `ε max‖g_n‖‖β‖/γ`.
//!
//! **Separability.** By Gordan's theorem either `Gβ > 0` has a solution, or some `a ≥ 0, a ≠ 0` has `Gᵀa = 0`;
//! [`max_margin()`] returns whichever of the two it can prove of the data as they are stored, or says that it can prove
//! neither. A potential with infinite weights asks the same question of the usable blocks alone.
//!
//! With C outputs β is a matrix, and the potentials are Schatten norms: `schatten` minimises and certifies these.
//!
//! Layout: [`mod@max_margin`] solves the Euclidean case (coordinate ascent, then active set, then integers,
//! `exact`); [`norm_margin`] the others (Newton steps of `newton`, each a projection in the metric of the
//! Hessian; for p = 1 `sparse` with `simplex` and `face`) in the unit coordinates of `blocks`; [`stationary`]
//! handles stationary points for p < 1. [`separability`] holds the decision and Farkas' certificate,
//! [`certificate`] gaps, multipliers and KKT residuals, [`cone`] distances from the cones that subdifferentials
//! generate, `feature_margin` the SVM of a network's features, [`mod@angle`] the angle. The active-set method
//! (`projection`, on the QR factors of `active_set` and the arithmetic of `doubled`) serves them all.

mod active_set;
pub mod angle;
mod blocks;
pub mod certificate;
pub mod cone;
mod contradiction;
pub(crate) mod doubled;
mod exact;
mod face;
mod feature_margin;
mod gap;
#[cfg(test)]
mod integer_tests;
pub mod max_margin;
mod newton;
#[cfg(test)]
mod norm_edge_tests;
pub mod norm_margin;
#[cfg(test)]
mod norm_tests;
pub mod potential;
pub mod projection;
mod scaling;
mod schatten;
pub mod separability;
mod simplex;
mod sparse;
pub mod stationary;
#[cfg(test)]
mod tests;
mod undecided;

pub use angle::angle;
pub use certificate::{
    Certifier, KKT_ACTIVE, KktResidual, best_multipliers, duality_gap, kkt_residual,
};
pub use cone::{ConePoint, Generators, nearest_by_products, nearest_in_cone, nearest_of_columns};
pub(crate) use contradiction::Contradiction;
pub use feature_margin::feature_max_margin;
pub use max_margin::{GAP_TOLERANCE, max_margin, max_margin_from};
pub use norm_margin::minimise;
pub use potential::{Block, Potential};
pub use schatten::NUCLEAR_TOLERANCE;
pub use separability::{FARKAS_TOLERANCE, FarkasCertificate, Separability};
pub use stationary::{STATIONARITY_TOLERANCE, refine, stationary_residual};
pub use undecided::{Uncertified, Undecided, Unrepresentable};

use blocks::UnitBlocks;
use nalgebra::{DMatrix, DVector};

/// Which limit the theory predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitKind {
    /// Hard-margin support vector machine: min ‖β‖₂ s.t. Gβ ≥ 1.
    MaxMargin,
    /// min ψ(β) s.t. Gβ ≥ 1 for an exponent other than one, or unequal weights. For p < 1 a stationary point.
    FourierNorm,
    /// The same for p = 1: min Σ_b κ_b ‖β_b‖ s.t. Gβ ≥ 1.
    FourierL1,
    /// min (Σ σ_i(β)^p)^{1/p} s.t. Gβ ≥ 1 over singular values, p ≠ 1, 2. For p < 1 a stationary point.
    Schatten,
    /// The same for p = 1.
    Nuclear,
    /// Hard-margin support vector machine of the features of the output layer at the end of a run.
    FeatureMaxMargin,
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
            Self::Schatten => "schatten",
            Self::Nuclear => "nuclear",
            Self::FeatureMaxMargin => "feature-max-margin",
            Self::None => "none",
        }
    }

    /// The kind of the minimisers of a potential.
    pub fn of(potential: &Potential) -> Self {
        if potential.matrix.is_some() {
            if potential.exponent == 1.0 {
                Self::Nuclear
            } else {
                Self::Schatten
            }
        } else if potential.is_multiple_of_euclidean() {
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
    /// Minimiser of min ψ(β) s.t. Gβ ≥ 1 (smallest margin one, up to rounding), length D, original coordinates. For p
    /// < 1 a stationary point.
    pub beta: DVector<f64>,
    /// Dual multipliers a ≥ 0 with `Gᵀa = ∇(½ψ²)(β)` (a subgradient where ψ has a kink), length N; `1ᵀa = ψ(β)²`, and β
    /// = Gᵀa in the Euclidean case. Where more samples are active than independent they are not unique; those returned
    /// have independent support.
    pub multipliers: DVector<f64>,
    /// p ≥ 1: (ψ(β)/γ)(ψ*(Gᵀa)/1ᵀa) − 1 ≥ 0 of the solution in doubled arithmetic, of which `beta` and `multipliers`
    /// are the nearest f64. Recomputed from those it is larger by up to about ε max‖g_n‖‖β‖ (the effect of rounding β
    /// on the margins), which is noticeable when the margin is tiny. `None` for p < 1, where there is no dual.
    pub duality_gap: Option<f64>,
    /// p < 1: the stationarity residual of `beta` (see [`stationary_residual()`]). `None` otherwise.
    pub stationarity: Option<f64>,
    /// Indices n with a_n > 0, increasing, from 0.
    pub support: Vec<usize>,
    /// Whether no other minimiser exists: always for p > 1; for p = 1 where multipliers exclude one, as they do on all
    /// but ties; never for p < 1, where other stationary points are usual. Where it is false, an angle to `beta` says
    /// nothing about a run; the gap of the run's β with these `multipliers` does
    /// ([`Certifier::duality_gap`]): how far its ψ at margin one is above the minimum, relatively.
    pub unique: bool,
}

/// Margins that differ by less than this share are equal.
const SAME_MARGIN: f64 = 1e-9;

impl Limit {
    /// The samples with the smallest margin, and those with multipliers, of signed samples G (N × D): more than the
    /// support where more are active than independent, or where a multiplier happens to vanish.
    pub fn active(&self, g: &DMatrix<f64>) -> Vec<usize> {
        let margins = g * &self.beta;
        let smallest = margins.min();
        let rounding = |n: usize| 64.0 * f64::EPSILON * g.row(n).norm() * self.beta.norm();
        let is_active = |n: &usize| {
            margins[*n] <= (1.0 + SAME_MARGIN) * smallest + rounding(*n) || self.support.contains(n)
        };
        (0..g.nrows()).filter(is_active).collect()
    }

    /// What it was accepted on, in words.
    pub fn proof(&self) -> String {
        match (self.duality_gap, self.stationarity) {
            (Some(gap), _) => format!("duality gap {gap:.1e}"),
            (None, Some(residual)) => format!("stationarity residual {residual:.1e}"),
            (None, None) => "no certificate".into(),
        }
    }
}
