//! Multipliers with as many digits as are wanted.
//!
//! Those of a limit are known to some 16 digits, which leaves a gap of 1e-15 and an angle of 1e-7 between the exact
//! direction and the minimiser. A few Newton steps with residuals in integers give them more: on the support S all
//! margins of `ζ = ∇Ψ*(Gᵀa)` must be equal, with the derivative `G_S ∇²Ψ* G_Sᵀ` in f64.

use super::numbers::ratio;
use crate::certify::check::Ray;
use crate::certify::check::vectors::{Matrix, Vector};
use crate::certify::dyadic::Dyadic;
use nalgebra::{DMatrix, DVector};
use num_bigint::BigInt;

/// Bits of the multipliers behind those of the largest.
const DIGITS: i64 = 160;

/// Gaps below this are as good as zero.
const SMALL_GAP: f64 = 1e-38;

/// Newton steps at most.
const STEPS: usize = 8;

/// What multipliers achieve.
pub(super) struct Measured {
    /// Of the exact direction.
    margins: Vector,
    gap: f64,
}

impl Measured {
    /// Of the exact direction that belongs to multipliers with this sum.
    pub(super) fn of(ray: &Ray, total: &Dyadic, rows: &Matrix) -> Self {
        let margins = rows.times(&ray.beta);
        let product = &margins.least() * total;
        let gap = match margins.least().is_positive() {
            true => ratio(&(&ray.product - &product), &product),
            false => f64::INFINITY,
        };
        Self { margins, gap }
    }
}

/// How multipliers are refined.
pub(super) struct Refinement<'a> {
    /// Rows whose multipliers are free.
    pub support: &'a [usize],
    pub measure: &'a dyn Fn(&[Dyadic]) -> Option<Measured>,
    /// `G_S ∇²Ψ* G_Sᵀ/m̄` at multipliers of order one, those of the support.
    pub curvature: &'a dyn Fn(&DVector<f64>) -> DMatrix<f64>,
}

impl Refinement<'_> {
    /// Improves multipliers until their gap is small or stays: the best of them, and that gap.
    pub(super) fn of(&self, mut multipliers: Vec<Dyadic>) -> Option<(Vec<Dyadic>, f64)> {
        let mut best: Option<(Vec<Dyadic>, f64)> = None;
        for _ in 0..STEPS {
            let Measured { margins, gap } = (self.measure)(&multipliers)?;
            let improved = best.as_ref().is_none_or(|(_, least)| gap < 0.5 * least);
            if best.as_ref().is_none_or(|(_, least)| gap < *least) {
                best = Some((multipliers.clone(), gap));
            }
            if gap <= SMALL_GAP || !improved {
                break;
            }
            let Some(step) = self.step(&multipliers, &margins) else {
                break;
            };
            self.apply(&mut multipliers, &step);
        }
        best.filter(|(_, gap)| gap.is_finite())
    }

    /// `m_n/m̄ − 1` on the support.
    fn residual(&self, margins: &Vector) -> DVector<f64> {
        let sum = self
            .support
            .iter()
            .fold(Dyadic::zero(), |sum, n| &sum + &margins.entry(*n));
        let count = self.support.len() as i64;
        let residual = self
            .support
            .iter()
            .map(|n| ratio(&(&margins.entry(*n).times(count) - &sum), &sum));
        DVector::from_iterator(self.support.len(), residual)
    }

    /// δ with `G_S ∇²Ψ* G_Sᵀ δ/m̄ = −residual`, for multipliers of order one.
    fn step(&self, multipliers: &[Dyadic], margins: &Vector) -> Option<DVector<f64>> {
        let residual = self.residual(margins);
        let a = DVector::from_iterator(
            self.support.len(),
            self.support.iter().map(|n| multipliers[*n].to_f64()),
        );
        let matrix = (self.curvature)(&(&a / a.amax()));
        let step = matrix
            .clone()
            .cholesky()
            .map(|c| c.solve(&-&residual))
            .or_else(|| matrix.lu().solve(&-&residual))?;
        step.iter().all(|x| x.is_finite()).then_some(step)
    }

    /// Adds a step relative to the largest multiplier.
    fn apply(&self, multipliers: &mut [Dyadic], step: &DVector<f64>) {
        let largest = multipliers
            .iter()
            .max()
            .cloned()
            .unwrap_or_else(Dyadic::zero);
        for (n, step) in self.support.iter().zip(step.iter()) {
            let Some(step) = Dyadic::from_f64(*step) else {
                continue;
            };
            let a = &mut multipliers[*n];
            let change = &step * &largest;
            let shift = change.exponent - a.exponent;
            let units = if shift >= 0 {
                change.mantissa << shift
            } else {
                change.mantissa >> -shift
            };
            a.mantissa = (&a.mantissa + units).max(BigInt::default());
        }
    }
}

/// As integers over one power of two, some digits below the last of the largest.
pub(super) fn multipliers(of: &DVector<f64>) -> Option<Vec<Dyadic>> {
    let largest = of.amax();
    if !(largest > 0.0 && largest.is_finite()) {
        return None;
    }
    let unit = largest.log2().floor() as i64 - DIGITS;
    let list = of.iter().map(|a| {
        let a = Dyadic::from_f64(a.max(0.0))?;
        // multipliers with digits below the unit are rounding
        let shift = a.exponent - unit;
        let mantissa = if shift >= 0 {
            a.mantissa << shift
        } else {
            a.mantissa >> -shift
        };
        Some(Dyadic::new(mantissa, unit))
    });
    list.collect()
}
