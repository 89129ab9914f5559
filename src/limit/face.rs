//! p = 1 where minimisers or multipliers are not unique: a pair in the interior of both faces.
//!
//! Neither then follows from the support of the other, so no active-set method finds both. An interior-point method
//! does, to half of the digits, because it tends to the middle of the faces: there every block with `‖z_b‖ = 1` (T)
//! and every sample with margin one (S) takes part, barring ties that are no choice. All minimisers have their blocks
//! along z, so with radii r the pair solves
//!
//! ```text
//! x_b = r_b z_b,     ½‖z_b‖² = ½  (b ∈ T),      Σ_b r_b g_nb·z_b = 1  (n ∈ S),      z = Σ_S a_n g_n
//! ```
//!
//! in (a, r). The Jacobian `[H W; Wᵀ 0]`, `H = Σ_b r_b G_b G_bᵀ`, `W_nb = g_nb·z_b`, is singular along the faces, and
//! Newton's method with its pseudo-inverse moves to the nearest point of them, quadratically.

use super::gap::gap;
use super::newton::{Pair, Program};
use nalgebra::{DMatrix, DVector};

/// A pair from an interior-point method, of any scale.
#[derive(Debug, Clone)]
pub(super) struct Central {
    pub x: DVector<f64>,
    pub multipliers: DVector<f64>,
}

/// How near to one `‖z_b‖` must be, and to zero `a_n/max a` may come, tried in turn.
const NEAR: [f64; 5] = [1e-5, 1e-4, 1e-6, 1e-3, 1e-7];

/// Newton steps at most; four are usual.
const STEPS: usize = 12;

/// Singular values below this fraction of the largest belong to the faces.
const SINGULAR: f64 = 1e-9;

/// A gap with which nothing else is tried.
const GOOD: f64 = 1e-14;

/// Unknowns at most: the decomposition takes their third power.
const UNKNOWNS: usize = 300;

/// The best pair with a gap; `None` if there is none.
pub(super) fn complete(program: &Program<'_>, central: &Central) -> Option<Pair> {
    let mut best: Option<Pair> = None;
    for near in NEAR {
        if let Some(pair) = newton(program, central, near)
            && best.as_ref().is_none_or(|best| pair.measure < best.measure)
        {
            let good = pair.measure <= GOOD;
            best = Some(pair);
            if good {
                break;
            }
        }
    }
    best
}

/// The blocks with `‖z_b‖` within `near` of the largest, relatively.
pub(super) fn tight(program: &Program<'_>, multipliers: &DVector<f64>, near: f64) -> Vec<usize> {
    let norms = program.blocks.norms(&(program.columns * multipliers));
    let longest = norms.iter().copied().fold(0.0, f64::max);
    (0..norms.len())
        .filter(|&b| norms[b] >= (1.0 - near) * longest)
        .collect()
}

/// The samples whose multiplier is more than `least` of the largest.
pub(super) fn used(multipliers: &DVector<f64>, least: f64) -> Vec<usize> {
    let most = multipliers.max();
    (0..multipliers.len())
        .filter(|&n| multipliers[n] > least * most)
        .collect()
}

fn newton(program: &Program<'_>, central: &Central, near: f64) -> Option<Pair> {
    let tight = tight(program, &central.multipliers, near);
    let used = used(&central.multipliers, near);
    let unknowns = used.len() + tight.len();
    if used.is_empty() || unknowns > UNKNOWNS {
        return None;
    }
    let z = program.columns * &central.multipliers;
    let longest = program.blocks.norms(&z).into_iter().fold(0.0, f64::max);
    let smallest = program.columns.tr_mul(&central.x).min();
    let norms = program.blocks.norms(&central.x);
    let mut a = DVector::from_fn(used.len(), |i, _| central.multipliers[used[i]] / longest);
    let mut radii = DVector::from_fn(tight.len(), |j, _| norms[tight[j]] / smallest);
    let mut best: Option<Pair> = None;
    for step in 0..STEPS {
        let columns = program.columns.select_columns(&used);
        let z = &columns * &a;
        let pair = pair(program, &z, (&tight, &radii), (&used, &a), step);
        let better = |pair: &Pair| best.as_ref().is_none_or(|best| pair.measure < best.measure);
        match pair {
            Some(pair) if better(&pair) => best = Some(pair),
            _ if step > 4 => break,
            _ => {}
        }
        let (jacobian, rest) = linearised(program, &columns, &z, &tight, &radii);
        let decomposition = jacobian.svd(true, true);
        let threshold = SINGULAR * decomposition.singular_values.max();
        let change = decomposition.solve(&rest, threshold).ok()?;
        a += change.rows(0, used.len());
        radii += change.rows(used.len(), tight.len());
        if change.norm() <= f64::EPSILON * (a.norm() + radii.norm()) || !change.norm().is_finite() {
            break;
        }
    }
    best
}

/// The pair in the whole space with its gap; `None` without positive margins.
fn pair(
    program: &Program<'_>,
    z: &DVector<f64>,
    (tight, radii): (&[usize], &DVector<f64>),
    (used, a): (&[usize], &DVector<f64>),
    steps: usize,
) -> Option<Pair> {
    let mut x = DVector::zeros(z.len());
    for (&b, r) in tight.iter().zip(radii.iter()) {
        let span = program.blocks.spans[b];
        let part = z.rows(span.start, span.len) * r.max(0.0);
        x.rows_mut(span.start, span.len).copy_from(&part);
    }
    let mut multipliers = DVector::zeros(program.columns.ncols());
    for (&n, a) in used.iter().zip(a.iter()) {
        multipliers[n] = a.max(0.0);
    }
    let (x, multipliers) = (x.into(), multipliers.into());
    Some(Pair {
        measure: gap(program.blocks, program.columns, &x, &multipliers)?,
        x,
        multipliers,
        steps,
    })
}

/// The Jacobian, and how far the equations are from holding.
fn linearised(
    program: &Program<'_>,
    columns: &DMatrix<f64>,
    z: &DVector<f64>,
    tight: &[usize],
    radii: &DVector<f64>,
) -> (DMatrix<f64>, DVector<f64>) {
    let count = columns.ncols();
    let mut jacobian = DMatrix::zeros(count + tight.len(), count + tight.len());
    let mut rest = DVector::zeros(count + tight.len());
    rest.rows_mut(0, count).fill(1.0);
    for (j, &b) in tight.iter().enumerate() {
        let span = program.blocks.spans[b];
        let (g, z) = (
            columns.rows(span.start, span.len),
            z.rows(span.start, span.len),
        );
        let along = g.tr_mul(&z);
        let curvature = g.tr_mul(&g) * radii[j];
        let mut block = jacobian.view_mut((0, 0), (count, count));
        block += curvature;
        jacobian
            .view_mut((0, count + j), (count, 1))
            .copy_from(&along);
        jacobian
            .view_mut((count + j, 0), (1, count))
            .copy_from(&along.transpose());
        rest.rows_mut(0, count).axpy(-radii[j], &along, 1.0);
        rest[count + j] = 0.5 - 0.5 * z.norm_squared();
    }
    (jacobian, rest)
}
