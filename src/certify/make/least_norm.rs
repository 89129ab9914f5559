//! Makes certificates of nearness to a minimiser.

use super::newton::{Measured, Refinement, multipliers};
use super::numbers::{angle_between, angle_of_sine, excess, least, logarithm, ratio};
use crate::certify::check::vectors::{Matrix, Vector};
use crate::certify::check::{Data, Direction, Dual, Exact, LeastNorm, Norm, Ray, Share};
use crate::certify::dyadic::Dyadic;
use crate::limit::{Limit, Potential};
use nalgebra::{DMatrix, DVector};

/// What a certificate is to be made of.
pub(in crate::certify) struct Target<'a> {
    pub norm: Norm,
    pub limit: &'a Limit,
    /// Rows to be separated, N × D; or N(C − 1) × DC.
    pub rows: &'a DMatrix<f64>,
    /// Features that they are made of, instead of the samples.
    pub features: Option<Vec<Vec<Dyadic>>>,
    /// Named directions besides that of the limit.
    pub directions: Vec<(&'static str, DVector<f64>)>,
}

/// `None` where numbers are not finite, or a size is beyond the checker.
pub(in crate::certify) fn make(target: &Target<'_>, data: &Data) -> Option<LeastNorm> {
    let exact = Exact::of(data).ok()?;
    let own = (target.features.as_ref())
        .map(|features| exact.rows_of(features))
        .transpose()
        .ok()?;
    let rows = own.as_ref().unwrap_or(&exact.samples);
    let mut proof = LeastNorm {
        norm: target.norm,
        features: target.features.clone(),
        multipliers: multipliers(&target.limit.multipliers)?,
        gap: None,
        angle: None,
        directions: Vec::new(),
    };
    if !matches!(target.norm, Norm::EntriesSum | Norm::FrequenciesSum) {
        refine(&mut proof, target, &exact, rows)?;
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

/// Improves the multipliers of `proof`, and writes gap and angle.
fn refine(
    proof: &mut LeastNorm,
    target: &Target<'_>,
    exact: &Exact<'_>,
    rows: &Matrix,
) -> Option<()> {
    let potential = &target.limit.potential;
    let support = &target.limit.support;
    let active = target.rows.select_rows(support);
    let size = active.amax();
    if !(size.is_finite() && size > 0.0) {
        return None;
    }
    let is_euclidean = proof.norm == Norm::Euclidean;
    let active = match is_euclidean {
        true => active / size,
        // in the coordinates of the potential's blocks
        false => potential.basis.rows(&(active / size)),
    };
    let curvature = |a: &DVector<f64>| {
        let z = active.tr_mul(a);
        if is_euclidean {
            return &active * active.transpose() / (&active * z).mean();
        }
        let (beta, hessian) = gradient_and_hessian(potential, &z);
        &active * hessian * active.transpose() / (&active * beta).mean()
    };
    let blank = proof.clone();
    let measure = |multipliers: &[Dyadic]| {
        let tried = LeastNorm {
            multipliers: multipliers.to_vec(),
            ..blank.clone()
        };
        let dual = tried.dual(exact, rows).ok()?;
        Some(Measured::of(dual.exact.as_ref()?, &dual.total, rows))
    };
    let refinement = Refinement {
        support,
        measure: &measure,
        curvature: &curvature,
    };
    let (multipliers, gap) = refinement.of(proof.multipliers.clone())?;
    proof.multipliers = multipliers;
    bound(proof, gap, exact, rows)
}

fn bound(proof: &mut LeastNorm, gap: f64, exact: &Exact<'_>, rows: &Matrix) -> Option<()> {
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
            ray.is_within(dual.q, &gap, theta).unwrap_or(false)
        })
    });
    proof.gap = Some(gap);
    Some(())
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
        direction.angle = angle_between(&vector, &ray.beta).map(|angle| &angle + own);
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
}
