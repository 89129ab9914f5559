//! p < 1: stationary points instead of minima.
//!
//! `Σ_b κ_b ‖β_b‖^p` is not convex, so there is no dual and no certificate of a global minimum. What the theory
//! guarantees for the direction of a run (gradient descent on convolutional or diagonal networks of depth L > 2, p =
//! 2/L) is first-order stationarity: on the blocks of the support, where the potential is smooth, its gradient lies in
//! the cone of the active samples; on the others its slope is infinite and imposes no condition.
//!
//! [`stationary_residual()`] measures that for any β, [`refine()`] moves a run's β to the nearby stationary point,
//! unless it is there already. It takes the steps of `newton` on the blocks of the support, with all samples as
//! constraints, so that margins and signs of the multipliers are correct by construction.

use super::angle::angle;
use super::blocks::UnitBlocks;
use super::certificate::Certifier;
use super::newton::{Program, STEPS, Side};
use super::norm_margin::{in_data_units, reduced};
use super::potential::Potential;
use super::scaling::{largest, power_of_two};
use super::{Limit, LimitKind};
use nalgebra::{DMatrix, DVector};

/// Largest stationarity residual of an accepted stationary point.
pub const STATIONARITY_TOLERANCE: f64 = 1e-9;

/// A stationary point farther than this from the start (radians) counts as a different one.
const NEAR: f64 = 0.2;

/// Blocks above this fraction of the largest (in unit coordinates, `κ_b^{1/p} ‖β_b‖`) always belong to the support.
const CLEARLY_PRESENT: f64 = 0.1;

/// Blocks below this fraction of the largest count as rounding of zero.
const ROUNDING: f64 = 1e-13;

/// The smallest ratio of consecutive norms that separates the support from the rest. Small blocks of a support are
/// rarely smaller than the others by this factor, and blocks off the support are once log t is of this size.
const SEPARATION: f64 = 1000.0;

/// The relative distance of `∇Φ`, `Φ = Σ_b κ_b ‖β_b‖^p/p`, from the cone of the active samples (those within
/// [`KKT_ACTIVE`](super::KKT_ACTIVE) of the smallest margin), in the norm of [`certificate`](super::certificate).
/// For p < 1 only on the support blocks; `None` where [`Certifier::kkt_residual`] is `None`.
///
/// **Support.** Sort the norms `κ_b^{1/p}‖β_b‖` above rounding; among the places where they fall below a tenth of the
/// largest, the support ends at the largest ratio of neighbours, provided it is at least a thousand; otherwise every
/// block above rounding belongs to it. Along a run the support grows like log t while the other blocks stay bounded, so
/// the ratio between those two groups ends up the largest one; once the others have sunk into rounding, small blocks of
/// the support are not mistaken for them.
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

/// The stationary point of `min ψ(β) s.t. Gβ ≥ 1` near `beta_start`, on its support blocks (see
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
    if potential.exponent >= 1.0 || potential.matrix.is_some() || !size.is_finite() {
        return None;
    }
    let unit = power_of_two(largest(signed_samples.iter()));
    let (all, columns) = reduced(&(signed_samples / unit), potential)?;
    let start = all.point(&(beta_start / power_of_two(size)));
    if let Some(limit) = as_it_stands(signed_samples, potential, beta_start) {
        return Some(limit);
    }
    let (blocks, coordinates) = all.restricted(&support_blocks(&all.norms(&start)));
    let columns = columns.select_rows(&coordinates);
    let program = Program {
        blocks: &blocks,
        columns: &columns,
    };
    let pair = program.descend(Side::Primal, &start.select_rows(&coordinates), STEPS)?;
    let residual = pair.measure.sqrt();
    if residual.is_nan() || residual > STATIONARITY_TOLERANCE {
        return None;
    }
    let limit = in_data_units(&program, signed_samples, potential, &pair).ok()?;
    (angle(limit.beta.as_slice(), beta_start.as_slice()) <= NEAR).then_some(Limit {
        stationarity: Some(residual),
        ..limit
    })
}

/// The start itself, restricted to its support, if that is already stationary: late in a run β is stationary up to
/// rounding even at points that are not local minima, and descent would move away from those.
fn as_it_stands(
    signed_samples: &DMatrix<f64>,
    potential: &Potential,
    beta_start: &DVector<f64>,
) -> Option<Limit> {
    let blocks = UnitBlocks::new(potential);
    let mut x = blocks.point(&(beta_start / power_of_two(largest(beta_start))));
    let support = support_blocks(&blocks.norms(&x));
    for (span, _) in blocks.spans.iter().zip(support).filter(|(_, kept)| !kept) {
        x.rows_mut(span.start, span.len).fill(0.0);
    }
    let beta = blocks.beta(&x);
    let smallest = (signed_samples * &beta).min();
    if smallest.is_nan() || smallest <= 0.0 {
        return None;
    }
    let beta = beta / smallest;
    let found = Certifier::new(signed_samples, potential).kkt_residual(&beta)?;
    let accepted = found.stationarity <= STATIONARITY_TOLERANCE
        && found.complementarity <= STATIONARITY_TOLERANCE;
    accepted.then(|| Limit {
        kind: LimitKind::of(potential),
        potential: potential.clone(),
        support: (0..found.multipliers.len())
            .filter(|&n| found.multipliers[n] > 0.0)
            .collect(),
        beta,
        multipliers: found.multipliers,
        duality_gap: None,
        stationarity: Some(found.stationarity),
        unique: false,
    })
}

/// Which blocks belong to the support, from their norms in unit coordinates.
pub(super) fn support_blocks(norms: &[f64]) -> Vec<bool> {
    let largest = norms.iter().copied().fold(0.0, f64::max);
    let present = |norm: f64| norm > ROUNDING * largest;
    let mut sorted: Vec<f64> = norms.iter().copied().filter(|n| present(*n)).collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let cut = sorted
        .windows(2)
        .filter(|pair| pair[1] < CLEARLY_PRESENT * largest)
        .max_by(|a, b| (a[0] / a[1]).total_cmp(&(b[0] / b[1])))
        .filter(|pair| pair[0] >= SEPARATION * pair[1])
        .map_or(0.0, |pair| pair[0]);
    norms
        .iter()
        .map(|&norm| norm >= cut && present(norm))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{gaussian, teacher};
    use super::super::{Separability, minimise};
    use super::*;
    use crate::spectrum::Basis;
    use rand::SeedableRng;
    use rand_pcg::Pcg64;

    fn potential(basis: Basis, dimension: usize, exponent: f64) -> Potential {
        let weights = vec![1.0; basis.frequencies(dimension).len()];
        Potential::spectral(basis, dimension, exponent, &weights)
    }

    #[test]
    fn the_support_ends_at_the_largest_ratio() {
        let far = [1.0, 3e-7, 0.02, 0.5, 1e-6, 0.0];
        assert_eq!(
            support_blocks(&far),
            [true, false, true, true, false, false]
        );
        // Nothing below a tenth, or nothing clearly separated: all blocks belong to the support.
        assert_eq!(support_blocks(&[1.0, 0.5, 0.2]), [true; 3]);
        assert_eq!(support_blocks(&[1.0, 0.3, 0.09, 0.03, 0.01]), [true; 5]);
        // The support grows like log t and the others stay bounded, which shows long before they reach rounding.
        for log_t in [1e4, 1e9, 1e30] {
            assert_eq!(
                support_blocks(&[log_t, 2.0, 0.4 * log_t, 0.7]),
                [true, false, true, false]
            );
        }
        // A small block counts as present next to rounding of zero.
        assert_eq!(
            support_blocks(&[1.5, 1.3, 0.1, 1e-17]),
            [true, true, true, false]
        );
        assert_eq!(support_blocks(&[0.0, 0.0]), [false; 2]);
    }

    #[test]
    fn one_sample_ends_on_one_block() {
        // Points with two coordinates can be stationary too, but as maxima along their line: a start near one moves
        // away.
        let g = DMatrix::from_row_slice(1, 3, &[1.0, 2.0, 0.5]);
        let potential = potential(Basis::Standard, 3, 0.5);
        let start = DVector::from_vec(vec![1e-4, 3.0, 1e-5]);
        let limit = refine(&g, &potential, &start).unwrap();
        assert_eq!(limit.beta, DVector::from_vec(vec![0.0, 0.5, 0.0]));
        assert!(limit.duality_gap.is_none() && !limit.unique);
        assert_eq!(limit.kind.name(), "fourier-norm");
        assert!(refine(&g, &potential, &DVector::from_vec(vec![1.0, -3.0, 0.0])).is_none());
        let convex = Potential {
            exponent: 1.0,
            ..potential.clone()
        };
        assert!(refine(&g, &convex, &start).is_none());
        // β off the support is ignored; on it the gradient must be in the cone: (1, 1) ∝ (x^{-1/2}) is not (1, 2).
        assert!(stationary_residual(&g, &potential, &start).unwrap() < 1e-15);
        let even = stationary_residual(&g, &potential, &DVector::from_vec(vec![1.0, 1.0, 0.0]));
        assert!((even.unwrap() - 0.1f64.sqrt()).abs() < 1e-15, "{even:?}");
    }

    #[test]
    fn refined_points_are_local_minima() {
        let mut rng = Pcg64::seed_from_u64(3);
        let mut found = 0;
        for basis in [Basis::Standard, Basis::Fourier] {
            for seed in 0..12 {
                let g = teacher(5, 8, seed);
                let Separability::Separable(sparse) = minimise(&g, &potential(basis, 8, 1.0))
                else {
                    panic!("a teacher separates")
                };
                let noise = gaussian(8, 1, &mut rng) * (1e-5 * sparse.beta.norm());
                let start = &sparse.beta + noise.column(0);
                for p in [2.0 / 3.0, 0.5] {
                    let potential = potential(basis, 8, p);
                    let Some(limit) = refine(&g, &potential, &start) else {
                        continue;
                    };
                    found += 1;
                    assert!(((&g * &limit.beta).min() - 1.0).abs() < 1e-13);
                    assert!(limit.multipliers.min() >= 0.0);
                    let residual = stationary_residual(&g, &potential, &limit.beta).unwrap();
                    assert!(residual < 1e-7, "{seed}: {residual:e}");
                    // No direction that keeps the margins and the support lowers ψ.
                    let value = potential.value(&limit.beta);
                    let coordinates = basis.coordinates(&limit.beta);
                    for _ in 0..50 {
                        let mut move_ = gaussian(8, 1, &mut rng).column(0).into_owned();
                        for block in &potential.blocks {
                            let part = coordinates.rows(block.start, block.len);
                            if part.norm() < 1e-9 * coordinates.norm() {
                                move_.rows_mut(block.start, block.len).fill(0.0);
                            }
                        }
                        let moved =
                            &limit.beta + basis.original(&move_) * (1e-4 * limit.beta.norm());
                        let margin = (&g * &moved).min();
                        assert!(potential.value(&moved) / margin > value * (1.0 - 1e-12));
                    }
                }
            }
        }
        assert!(found >= 10, "{found}");
    }
}
