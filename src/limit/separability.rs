//! Separable, not separable, or undecided; and Farkas' certificate for the second.

use super::Limit;
use super::doubled::DoubledVector;
use super::exact;
use super::projection::{Precision, Projection};
use super::undecided::Undecided;
use nalgebra::{DMatrix, DVector};
use num_bigint::BigInt;

/// Largest residual `‖Gᵀa‖ / Σ a_n‖g_n‖` of an accepted certificate, and largest `|Σ a_n g_nd| / Σ a_n|g_nd|` of any
/// feature d.
pub const FARKAS_TOLERANCE: f64 = 1e-12;

/// What lifting a combination to integers may cost, in products of 64-bit words: seconds.
const WORK_OF_LIFTING: u64 = 4_000_000_000;

/// Whether some β has `g_n·β > 0` for every n, with the proof.
#[derive(Debug, Clone)]
pub enum Separability {
    /// Yes: the limit, whose margins are positive.
    Separable(Limit),
    /// No: a non-negative combination of the samples vanishes (up to rounding).
    NotSeparable(FarkasCertificate),
    /// Yes, but not through the blocks of finite weight: no β that the network can represent separates.
    Unreachable {
        /// The proof for the samples restricted to the usable blocks, in their unit coordinates; `None` if the samples
        /// vanish there.
        certificate: Option<FarkasCertificate>,
        /// Indices of the blocks of infinite weight, increasing, from 0: for a spectral potential the frequencies.
        unusable: Vec<usize>,
    },
    /// Neither could be proved in f64; says what was measured and what to try.
    Undecided(Undecided),
}

/// When data count as not separable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// A non-negative combination vanishes to the rounding of the samples: for samples that carry rounding themselves.
    ToRounding,
    /// It vanishes exactly; what that proof may cost.
    Exact(u64),
}

/// `a ≥ 0`, `1ᵀa = 1`, `Gᵀa = 0`: then `Σ a_n g_n·β = 0` for every β, so not every margin can be positive.
#[derive(Debug, Clone)]
pub struct FarkasCertificate {
    /// a, length N, summing to one.
    pub multipliers: DVector<f64>,
    /// ‖Gᵀa‖ / Σ a_n‖g_n‖ (zero if the support consists of zero samples), recomputed in plain arithmetic from the
    /// data. It is at least `‖Gᵀa‖ / max‖g_n‖`, and does not change when samples are rescaled individually.
    pub residual: f64,
    /// Indices n with a_n > 0, increasing, from 0; no proper subset of them supports a certificate. At most D + 1.
    pub support: Vec<usize>,
}

impl FarkasCertificate {
    /// Normalises `multipliers` (non-negative, not all zero) and measures the residual on `columns` (D × N).
    pub(super) fn measured(columns: &DMatrix<f64>, multipliers: &DVector<f64>) -> Self {
        let multipliers = multipliers / multipliers.sum();
        let mut combination = DVector::zeros(columns.nrows());
        let mut size = 0.0;
        for (g, &a) in columns.column_iter().zip(multipliers.iter()) {
            combination.axpy(a, &g, 1.0);
            size += a * g.norm();
        }
        let residual = if size > 0.0 {
            combination.norm() / size
        } else {
            0.0
        };
        let support = (0..multipliers.len())
            .filter(|&n| multipliers[n] > 0.0)
            .collect();
        Self {
            multipliers,
            residual,
            support,
        }
    }

    /// The combination as integers a ≥ 0, length N, with `Gᵀa = 0` exactly, for signed samples G (N × D); `None` if the
    /// samples of the support do not vanish exactly, or finding out takes more than seconds.
    pub fn lifted(&self, signed_samples: &DMatrix<f64>) -> Option<Vec<BigInt>> {
        let (&p, others) = self.support.split_last()?;
        exact::vanishing(&signed_samples.transpose(), p, others, WORK_OF_LIFTING)
    }

    /// Whether the combination vanishes in every single feature, `|Σ a_n g_nd| ≤ 1e-12 Σ a_n|g_nd|`: where features
    /// differ in scale, [`residual`](Self::residual) is blind to the small ones, and one of them may separate the data.
    /// `columns` is D × N, in any units in which sums do not overflow.
    pub(super) fn vanishes_in_every_feature(&self, columns: &DMatrix<f64>) -> bool {
        columns.row_iter().all(|feature| {
            let (mut sum, mut size) = (0.0, 0.0);
            for (g, a) in feature.iter().zip(self.multipliers.iter()) {
                sum += a * g;
                size += a * g.abs();
            }
            f64::abs(sum) <= FARKAS_TOLERANCE * size
        })
    }

    /// Refines a vanishing combination found by the active-set method: with the entering sample p at weight one, the
    /// others solve `min_{λ≥0} ‖g_p + Σ λ_n g_n‖` in doubled arithmetic; members at rounding level are dropped. `None`
    /// if it then vanishes only to rounding, and more was asked for.
    pub(super) fn refined(
        columns: &DMatrix<f64>,
        combination: &[(usize, f64)],
        proof: Proof,
    ) -> Option<Self> {
        let (&(entering, _), others) = combination.split_first()?;
        let anchor = columns.column(entering).into_owned();
        let mut projection = Projection::new(columns.clone(), anchor, 0.0);
        let carriers: Vec<usize> = others
            .iter()
            .filter(|(_, weight)| *weight > 0.0)
            .map(|&(n, _)| n)
            .collect();
        projection.start_from(&carriers);
        projection.settle(Precision::Doubled);
        let full = projection.clone();
        projection.prune(64.0 * f64::EPSILON, Precision::Doubled);
        [projection, full].into_iter().find_map(|projection| {
            let mut multipliers = projection.multipliers().hi;
            multipliers[entering] = 1.0;
            let certificate = Self::measured(columns, &multipliers);
            let accepted = certificate.residual <= FARKAS_TOLERANCE
                && certificate.vanishes_in_every_feature(columns)
                && match proof {
                    Proof::ToRounding => true,
                    Proof::Exact(work) => is_exact(columns, entering, &projection, work),
                };
            accepted.then_some(certificate)
        })
    }
}

/// Largest `‖Gᵀa‖ / Σ a_n‖g_n‖` in doubled arithmetic of what counts as exactly zero where exact arithmetic would cost
/// too much.
const VANISHED: f64 = 1e-26;

/// Whether `g_p + Σ λ_n g_n = 0` has an exact solution with λ > 0 near that of the projection.
///
/// Where the members span the whole space there is exactly one solution, and it is as far from λ as the residual times
/// the inverse of the members says. Otherwise the solution exists only if the samples are exactly dependent, which
/// takes exact arithmetic to prove.
fn is_exact(columns: &DMatrix<f64>, p: usize, projection: &Projection, work: u64) -> bool {
    let members = projection.members();
    let multipliers = projection.multipliers();
    let mut rest = DoubledVector::from(columns.column(p).into_owned());
    let mut size = columns.column(p).norm();
    let mut least = f64::INFINITY;
    for &n in members {
        let g = columns.column(n);
        rest.add_scaled(multipliers.get(n), g.as_slice());
        let share = multipliers.hi[n] * g.norm();
        size += share;
        least = least.min(share);
    }
    let rest = rest.hi.norm();
    let features = columns.row_iter().filter(|row| row.amax() > 0.0).count();
    if members.len() == features {
        let inverse = projection.inverse_norm();
        let reliable = inverse * f64::EPSILON * (features * features) as f64 <= 1e-2;
        if reliable && 4.0 * inverse * (rest + 1e-30 * size) < least {
            return true;
        }
    }
    exact::vanishes(columns, p, members, work).unwrap_or(rest <= VANISHED * size)
}
