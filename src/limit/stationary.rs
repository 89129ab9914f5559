//! p < 1: stationary points instead of minima.
//!
//! `Σ_b κ_b ‖β_b‖^p` is not convex, so there is no dual and no certificate of a global minimum. What the theory promises
//! of the direction of a run (gradient descent on convolutional or diagonal networks of depth L > 2, p = 2/L) is
//! first-order stationarity: on the blocks of the support, where the potential is smooth, its gradient lies in the cone of
//! the active samples; on the others its slope is infinite and asks for nothing.
//!
//! [`stationary_residual()`] measures that for any β, [`refine()`] moves a run's β to the stationary point next to it:
//! the steps of `newton` on the blocks of the support, with all samples as constraints, so margins and signs of the
//! multipliers are right by construction.

use super::Limit;
use super::angle::angle;
use super::certificate::Certifier;
use super::newton::{Program, STEPS, Side};
use super::norm_margin::{in_data_units, reduced};
use super::potential::Potential;
use super::scaling::{largest, power_of_two};
use nalgebra::{DMatrix, DVector};

/// Largest stationarity residual of an accepted stationary point.
pub const STATIONARITY_TOLERANCE: f64 = 1e-9;

/// A stationary point farther than this from the start (radians) is another one.
const NEAR: f64 = 0.2;

/// Blocks above this fraction of the largest (in unit coordinates, `κ_b^{1/p} ‖β_b‖`) always belong to the support.
const CLEARLY_PRESENT: f64 = 0.1;

/// The smallest ratio of consecutive norms that separates the support from the rest.
const SEPARATION: f64 = 5.0;

/// The relative distance of `∇Φ`, `Φ = Σ_b κ_b ‖β_b‖^p/p`, from the cone of the active samples (those within
/// [`KKT_ACTIVE`](super::KKT_ACTIVE) of the smallest margin), in the norm of [`certificate`](super::certificate). For p < 1
/// on the support blocks only; `None` where [`Certifier::kkt_residual`] is.
///
/// **Support.** Sort the norms `κ_b^{1/p}‖β_b‖`; among the places where they fall below a tenth of the largest, the support
/// ends at the largest ratio of neighbours, provided it is at least five; otherwise every block belongs to it. Along a
/// run the support grows like log t against bounded others, so the ratio of those two groups ends up the largest one
/// however slowly it grows.
///
/// # Panics
/// As [`Certifier::new`].
pub fn stationary_residual(
    signed_samples: &DMatrix<f64>,
    potential: &Potential,
    beta: &DVector<f64>,
) -> Option<f64> {
    Certifier::new(signed_samples, potential)
        .kkt_residual(beta)
        .map(|residual| residual.stationarity)
}

/// The stationary point of `min ψ(β) s.t. Gβ ≥ 1` next to `beta_start`, on its support blocks (see
/// [`stationary_residual()`]), for p < 1. `None` if p ≥ 1 (see [`minimise`](super::minimise())), if `beta_start` is not
/// finite or does not separate on its support, if no point with residual ≤ [`STATIONARITY_TOLERANCE`] is reached, or if
/// it is more than 0.2 rad away.
///
/// # Panics
/// As [`Certifier::new`].
pub fn refine(
    signed_samples: &DMatrix<f64>,
    potential: &Potential,
    beta_start: &DVector<f64>,
) -> Option<Limit> {
    assert_eq!(
        potential.dimension(),
        signed_samples.ncols(),
        "a potential of R^D"
    );
    let size = largest(beta_start);
    if !(potential.exponent > 0.0 && potential.exponent < 1.0) || !size.is_finite() {
        return None;
    }
    let unit = power_of_two(largest(signed_samples.iter()));
    let (all, columns) = reduced(&(signed_samples / unit), potential)?;
    let start = all.point(&(beta_start / power_of_two(size)));
    let (blocks, coordinates) = all.restricted(&support_blocks(&all.norms(&start)));
    let columns = columns.select_rows(&coordinates);
    let program = Program {
        blocks: &blocks,
        columns: &columns,
    };
    let pair = program.descend(Side::Primal, &start.select_rows(&coordinates), STEPS)?;
    let residual = pair.measure.sqrt();
    if !(residual <= STATIONARITY_TOLERANCE) {
        return None;
    }
    let limit = in_data_units(&program, signed_samples, potential, &pair).ok()?;
    (angle(limit.beta.as_slice(), beta_start.as_slice()) <= NEAR).then_some(Limit {
        stationarity: Some(residual),
        ..limit
    })
}

/// Which blocks belong to the support, from their norms in unit coordinates.
pub(super) fn support_blocks(norms: &[f64]) -> Vec<bool> {
    let mut sorted = norms.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let largest = sorted.first().copied().unwrap_or(0.0);
    let cut = sorted
        .windows(2)
        .filter(|pair| pair[0] > 0.0 && pair[1] < CLEARLY_PRESENT * largest)
        .max_by(|a, b| (a[0] / a[1]).total_cmp(&(b[0] / b[1])))
        .filter(|pair| pair[0] >= SEPARATION * pair[1])
        .map_or(0.0, |pair| pair[0]);
    norms
        .iter()
        .map(|&norm| norm >= cut && norm > 0.0)
        .collect()
}
