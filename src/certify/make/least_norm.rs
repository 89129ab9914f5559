//! Makes certificates of nearness to a minimiser.
//!
//! The multipliers of the limit are known to some 16 digits, which leaves a gap of 1e-15 and an angle of 1e-7 between
//! the exact direction and the minimiser. A few Newton steps with residuals in integers give them as many digits as are
//! wanted: on the support S all margins of `ζ = ∇Ψ*(Gᵀa)` must be equal, with the derivative `G_S ∇²Ψ* G_Sᵀ` in f64.

use super::numbers::{angle_of_sine, excess, least, logarithm, ratio};
use crate::certify::check::vectors::{Matrix, Vector};
use crate::certify::check::{Data, Direction, Dual, Exact, LeastNorm, Norm, Ray, Share, within};
use crate::certify::dyadic::Dyadic;
use crate::limit::{Limit, Potential};
use nalgebra::{DMatrix, DVector};
use num_bigint::BigInt;

/// Bits of the multipliers behind those of the largest.
const DIGITS: i64 = 160;

/// Gaps below this are as good as zero.
const SMALL_GAP: f64 = 1e-38;

/// Newton steps at most.
const STEPS: usize = 8;

/// What a certificate is to be made of.
pub(in crate::certify) struct Target<'a> {
    pub norm: Norm,
    pub limit: &'a Limit,
    /// Rows to be separated, N × D.
    pub rows: &'a DMatrix<f64>,
    /// Whether these are features instead of the samples.
    pub are_features: bool,
    /// Named directions besides that of the limit.
    pub directions: Vec<(&'static str, DVector<f64>)>,
}

/// `None` where numbers are not finite, or a size is beyond the checker.
pub(in crate::certify) fn make(target: &Target<'_>, data: &Data) -> Option<LeastNorm> {
    let exact = Exact::of(data).ok()?;
    let features = match target.are_features {
        true => Some(rows_of(target.rows)?),
        false => None,
    };
    let own = features
        .as_ref()
        .map(|rows| Matrix::of(rows))
        .transpose()
        .ok()?;
    let rows = own.as_ref().unwrap_or(&exact.samples);
    let mut proof = LeastNorm {
        norm: target.norm,
        features: features.clone(),
        multipliers: multipliers(&target.limit.multipliers)?,
        gap: None,
        angle: None,
        directions: Vec::new(),
    };
    if !matches!(target.norm, Norm::EntriesSum | Norm::FrequenciesSum) {
        let newton = Newton::new(target)?;
        newton.refine(&mut proof, &exact, rows)?;
    }
    let all = std::iter::once(("limit", target.limit.beta.clone()))
        .chain(target.directions.iter().cloned());
    for (name, beta) in all {
        if let Some(direction) = direction(name, &beta, &proof, &exact, rows) {
            proof.directions.push(direction);
        }
    }
    Some(proof)
}

pub(in crate::certify) fn rows_of(matrix: &DMatrix<f64>) -> Option<Vec<Vec<Dyadic>>> {
    matrix
        .row_iter()
        .map(|row| Dyadic::list(row.iter()))
        .collect()
}

/// As integers over one power of two, some digits below the last of the largest.
fn multipliers(of: &DVector<f64>) -> Option<Vec<Dyadic>> {
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

/// The matrix of a Newton step, and what it needs.
struct Newton<'a> {
    target: &'a Target<'a>,
    /// Rows of the support in the coordinates of the potential's blocks, of order one.
    rows: DMatrix<f64>,
    support: Vec<usize>,
}

impl<'a> Newton<'a> {
    fn new(target: &'a Target<'a>) -> Option<Self> {
        let support: Vec<usize> = target.limit.support.clone();
        let rows = target.rows.select_rows(&support);
        let size = rows.amax();
        let normal = size.is_finite() && size > 0.0;
        let rows = target.limit.potential.basis.rows(&(rows / size));
        normal.then_some(Self {
            target,
            rows,
            support,
        })
    }

    /// Improves the multipliers of `proof` until its gap is small or stays, and writes gap and angle.
    fn refine(&self, proof: &mut LeastNorm, exact: &Exact<'_>, rows: &Matrix) -> Option<()> {
        let mut best: Option<(f64, Vec<Dyadic>)> = None;
        for _ in 0..STEPS {
            let dual = proof.dual(exact, rows).ok()?;
            let ray = dual.exact.as_ref()?;
            let margins = rows.times(&ray.beta);
            let product = &margins.least() * &dual.total;
            let gap = match margins.least().is_positive() {
                true => ratio(&(&ray.product - &product), &product),
                false => f64::INFINITY,
            };
            let improved = best.as_ref().is_none_or(|(least, _)| gap < 0.5 * least);
            if best.as_ref().is_none_or(|(least, _)| gap < *least) {
                best = Some((gap, proof.multipliers.clone()));
            }
            if gap <= SMALL_GAP || !improved {
                break;
            }
            let residual = self.residual(&margins);
            let Some(step) = self.step(proof, residual) else {
                break;
            };
            self.apply(proof, &step);
        }
        let (gap, multipliers) = best.filter(|(gap, _)| gap.is_finite())?;
        proof.multipliers = multipliers;
        self.bound(proof, gap, exact, rows)
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
    fn step(&self, proof: &LeastNorm, residual: DVector<f64>) -> Option<DVector<f64>> {
        let a = DVector::from_iterator(
            self.support.len(),
            self.support.iter().map(|n| proof.multipliers[*n].to_f64()),
        );
        let a = &a / a.amax();
        let z = self.rows.tr_mul(&a);
        let (beta, hessian) = gradient_and_hessian(&self.target.limit.potential, &z);
        let mean = (&self.rows * beta).mean();
        let matrix = &self.rows * hessian * self.rows.transpose() / mean;
        let step = matrix
            .clone()
            .cholesky()
            .map(|c| c.solve(&-&residual))
            .or_else(|| matrix.lu().solve(&-&residual))?;
        step.iter().all(|x| x.is_finite()).then_some(step)
    }

    /// Adds a step relative to the largest multiplier.
    fn apply(&self, proof: &mut LeastNorm, step: &DVector<f64>) {
        let largest = proof
            .multipliers
            .iter()
            .max()
            .cloned()
            .unwrap_or_else(Dyadic::zero);
        for (n, step) in self.support.iter().zip(step.iter()) {
            let Some(step) = Dyadic::from_f64(*step) else {
                continue;
            };
            let a = &mut proof.multipliers[*n];
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

    fn bound(
        &self,
        proof: &mut LeastNorm,
        gap: f64,
        exact: &Exact<'_>,
        rows: &Matrix,
    ) -> Option<()> {
        let dual = proof.dual(exact, rows).ok()?;
        let ray = dual.exact.as_ref()?;
        let product = &rows.times(&ray.beta).least() * &dual.total;
        let gap = least(gap, |g| ray.product <= &(&Dyadic::one() + g) * &product)?;
        let estimate = match proof.norm {
            Norm::Euclidean => (2.0 * gap.to_f64()).sqrt(),
            _ => sine(&dual, ray, gap.to_f64()),
        };
        proof.angle = angle_of_sine(estimate).and_then(|start| {
            least(start, |theta| {
                dual.is_within(ray, &gap, theta).unwrap_or(false)
            })
        });
        proof.gap = Some(gap);
        Some(())
    }
}

/// `∇Ψ*(z)` and `∇²Ψ*(z)`, up to one factor, in the coordinates of the blocks:
/// `w_b ‖z_b‖^{q−2} z_b` and `w_b ‖z_b‖^{q−2} (I + (q−2) z_b z_bᵀ/‖z_b‖²)`, `w = κ^{1−q}`.
fn gradient_and_hessian(potential: &Potential, z: &DVector<f64>) -> (DVector<f64>, DMatrix<f64>) {
    let q = potential.exponent / (potential.exponent - 1.0);
    let size = z.amax();
    let z = z / size;
    let log_weight = |kappa: f64| (1.0 - q) * kappa.ln();
    let usable = potential
        .blocks
        .iter()
        .map(|b| log_weight(b.weight))
        .filter(|w| w.is_finite());
    let largest = usable.fold(f64::NEG_INFINITY, f64::max);
    let mut gradient = DVector::zeros(z.len());
    let mut hessian = DMatrix::zeros(z.len(), z.len());
    for block in &potential.blocks {
        let part = z.rows(block.start, block.len).into_owned();
        let norm = part.norm();
        if norm == 0.0 || !block.weight.is_finite() {
            continue;
        }
        let factor = (log_weight(block.weight) - largest + (q - 2.0) * norm.ln()).exp();
        gradient
            .rows_mut(block.start, block.len)
            .copy_from(&(&part * factor));
        let unit = part / norm;
        let curved = DMatrix::identity(block.len, block.len) + &unit * unit.transpose() * (q - 2.0);
        hessian
            .view_mut((block.start, block.start), (block.len, block.len))
            .copy_from(&(curved * factor));
    }
    // of homogeneous degree q − 1 in z before it was scaled: one factor for both, but for the size of z
    (gradient * size, hessian)
}

/// `√(2(2g+g²)(q−1)) max W^{1/q} ψ(ζ)/‖ζ‖`.
fn sine(dual: &Dual<'_>, ray: &Ray, gap: f64) -> f64 {
    let q = f64::from(dual.q);
    let log_psi = (logarithm(&ray.largest) + (q - 1.0) * logarithm(&ray.product)) / q;
    let log_size = 0.5 * logarithm(&ray.beta.square());
    (2.0 * (2.0 * gap + gap * gap) * (q - 1.0)).sqrt() * (log_psi - log_size).exp()
}

fn direction(
    name: &'static str,
    beta: &DVector<f64>,
    proof: &LeastNorm,
    exact: &Exact<'_>,
    rows: &Matrix,
) -> Option<Direction> {
    let mut direction = Direction {
        name: name.into(),
        beta: Dyadic::list(beta.iter())?,
        gap: None,
        angle: None,
        radii: Vec::new(),
    };
    let vector = Vector::of(&direction.beta).ok()?;
    let dual = proof.dual(exact, rows).ok()?;
    let margin = rows.times(&vector).least();
    if !margin.is_positive() {
        return None;
    }
    direction.radii = proof.radii(&vector, exact).unwrap_or_default();
    let product = &margin * &dual.total;
    if let Ok(sides) = proof.sides(&direction, &vector, &product, exact, &dual) {
        direction.gap = excess(&(sides.left, sides.right), sides.power);
    }
    if direction.gap.is_none() {
        direction.radii.clear();
    }
    if let (Some(ray), Some(own)) = (&dual.exact, &proof.angle) {
        direction.angle = proof.angle_to(&vector, &ray.beta).map(|angle| &angle + own);
    }
    (direction.gap.is_some() || direction.angle.is_some()).then_some(direction)
}

impl LeastNorm {
    /// Radii with which ψ(β) is bounded from above; none for other norms, `None` if the weights do not reach β.
    fn radii(&self, beta: &Vector, exact: &Exact<'_>) -> Option<Vec<Dyadic>> {
        let power = match self.norm {
            Norm::EntriesPower | Norm::FrequenciesPower => (1 << exact.depth()) - 1,
            _ => return Some(Vec::new()),
        };
        let radius = |share: Share| {
            if !share.size.is_positive() {
                return Some(Dyadic::zero());
            }
            let estimate = (ratio(&share.size, &share.weight).ln() / f64::from(power)).exp();
            least(estimate, |r| &share.weight * &r.pow(power) >= share.size)
        };
        self.sizes_and_weights(beta, exact)
            .ok()?
            .into_iter()
            .map(radius)
            .collect()
    }

    /// Bound on the angle between two directions.
    fn angle_to(&self, beta: &Vector, ray: &Vector) -> Option<Dyadic> {
        let product = beta.dot(ray);
        let squares = &beta.square() * &ray.square();
        let rest = &squares - &product.pow(2);
        let start = angle_of_sine(ratio(&rest, &squares).max(0.0).sqrt())?;
        least(start, |theta| within(beta, ray, theta).unwrap_or(false))
    }
}
