//! How predictors with several outputs approach their Schatten limit under fixed feedback.
//!
//! Near the limit write `Z = r(ζ + ε r^{−a})`, r growing like `(log t)^{1/(2^L−1)}`, and likewise
//! `C_l = r^{2^{l−1}}(c_l + γ_l r^{−a})` with `c_2 = ½ζᵀζ`, `c_{l+1} = ½c_l²`; Z stands in for C_1. Then
//! `C_{l+1}' = C_lᵀC_l'` gives
//!
//! ```text
//! (2^l − a) γ_{l+1} = 2^{l−1} γ_lᵀ c_l + (2^{l−1} − a) c_l γ_l,        c_1 = ζ, γ_1 = ε
//! δβ = M_a ε = ε c_2⋯c_L + Σ_l ζ c_2 ⋯ γ_l ⋯ c_L
//! ```
//!
//! In singular bases of ζ the c_l are diagonal, and M_a couples the entries (i, j) and (j, i) of ε only. The change
//! must not affect the margins of the support: `G_S M_a ε = 0`. What was learned outside the span of the support forces
//! ε with a = 1, the law `(log t)^{−1/(2^L−1)}`; `ε = G_Sᵀc` in the span is a free mode where `K(a) = G_S M_a G_Sᵀ` is
//! singular. At a = 0 M is the Hessian of the dual potential and K positive definite; the first a > 0 at which K is
//! singular is the slowest mode, as for the phases of convolutional networks (`approach`), whose part areas play here.

use crate::limit::Limit;
use crate::singular::Singular;
use nalgebra::{DMatrix, DVector, SymmetricEigen};

/// Points of the scan for the first zero.
const SCAN: usize = 200;

/// Singular values below this share of the largest are rounding.
const ROUNDING: f64 = 1e-12;

/// ζ in its singular bases.
struct Bases {
    /// D × D and C × C, orthonormal.
    left: DMatrix<f64>,
    right: DMatrix<f64>,
    /// The singular values, with zeros up to the longer side.
    sigma: Vec<f64>,
    rank: usize,
    depth: usize,
}

/// The smallest a in (0, `up_to`] of a mode that is visible in β; `None` if there is none. `up_to` must be below 2, the
/// first pole.
pub(super) fn slowest_mode(
    (shape, depth): ((usize, usize), usize),
    signed_samples: &DMatrix<f64>,
    limit: &Limit,
    up_to: f64,
) -> Option<f64> {
    let rows = signed_samples.select_rows(&limit.support);
    let z = signed_samples.tr_mul(&limit.multipliers);
    let bases = Bases::of(
        &DMatrix::from_column_slice(shape.0, shape.1, z.as_slice()),
        depth,
    )?;
    let rank = bases.rank;
    // margins that fix all of β leave no mode that could be seen; of rank r it has r(D + C − 1 − r) degrees of freedom,
    // since the columns add up to zero
    if rows.nrows() >= rank * (shape.0 + shape.1 - 1 - rank) {
        return None;
    }
    let samples: Vec<DMatrix<f64>> = (rows.row_iter())
        .map(|g| bases.coordinates(&DMatrix::from_iterator(shape.0, shape.1, g.iter().copied())))
        .collect();
    let sign = |a: f64| -> f64 {
        let mut k = DMatrix::zeros(samples.len(), samples.len());
        for (j, g) in samples.iter().enumerate() {
            let moved = bases.response(g, a);
            for (i, g) in samples.iter().enumerate() {
                k[(i, j)] = g.dot(&moved);
            }
        }
        let lu = k.lu();
        let permutation: f64 = lu.p().determinant();
        let signs = lu.u().diagonal().map(f64::signum);
        permutation * signs.product()
    };
    let start = sign(0.0);
    let step = up_to / SCAN as f64;
    let crossed = |a: &f64| sign(*a) != start;
    let first = (1..=SCAN).map(|i| step * i as f64).find(crossed)?;
    let (mut low, mut high) = (first - step, first);
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if crossed(&middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

impl Bases {
    /// `None` if ζ = 0.
    fn of(zeta: &DMatrix<f64>, depth: usize) -> Option<Self> {
        let (d, c) = zeta.shape();
        let found = Singular::of(zeta);
        let rank = found.rank(ROUNDING);
        let Singular { u, values, v } = found;
        let largest = values.first().copied().filter(|largest| *largest > 0.0)?;
        let kept = values.iter().take(rank);
        let mut sigma: Vec<f64> = kept.map(|sigma| sigma / largest).collect();
        sigma.resize(d.max(c), 0.0);
        let u = u.columns(0, rank).into_owned();
        let v = v.columns(0, rank).into_owned();
        Some(Self {
            left: completed(&u),
            right: completed(&v),
            sigma,
            rank,
            depth,
        })
    }

    fn coordinates(&self, m: &DMatrix<f64>) -> DMatrix<f64> {
        self.left.tr_mul(m) * &self.right
    }

    /// `M_a ε` in the singular bases, from ε there.
    fn response(&self, epsilon: &DMatrix<f64>, a: f64) -> DMatrix<f64> {
        let (d, outputs) = epsilon.shape();
        let square = d.min(outputs);
        // c_1 … c_L of every singular value
        let mut c = vec![DVector::from_vec(self.sigma.clone())];
        for _ in 1..self.depth {
            let next = c[c.len() - 1].map(|c| 0.5 * c * c);
            c.push(next);
        }
        // products of c_2 … up to, and from, a layer
        let behind = |l: usize, j: usize| (l + 1..self.depth).map(|m| c[m][j]).product::<f64>();
        let before = |l: usize, i: usize| (0..l).map(|m| c[m][i]).product::<f64>();
        let mut response = DMatrix::from_fn(d, outputs, |i, j| epsilon[(i, j)] * behind(0, j));
        let mut gamma = DMatrix::zeros(outputs, outputs);
        for l in 1..self.depth {
            let (power, next) = (2f64.powi(l as i32 - 1), 2f64.powi(l as i32));
            let below = |i: usize, j: usize| match l {
                1 if i < d && j < outputs => epsilon[(i, j)],
                1 => 0.0,
                _ => gamma[(i, j)],
            };
            let c_l = &c[l - 1];
            gamma = DMatrix::from_fn(outputs, outputs, |i, j| {
                let turned = power * below(j, i) * c_l[j];
                let kept = (power - a) * c_l[i] * below(i, j);
                (turned + kept) / (next - a)
            });
            for i in 0..square {
                for j in 0..outputs {
                    response[(i, j)] += before(l, i) * gamma[(i, j)] * behind(l, j);
                }
            }
        }
        response
    }
}

/// Orthonormal columns, and more of them up to a basis.
fn completed(columns: &DMatrix<f64>) -> DMatrix<f64> {
    let dimension = columns.nrows();
    let rest = DMatrix::identity(dimension, dimension) - columns * columns.transpose();
    let eigen = SymmetricEigen::new(rest);
    let mut basis = columns.clone();
    for (value, vector) in eigen
        .eigenvalues
        .iter()
        .zip(eigen.eigenvectors.column_iter())
    {
        if *value > 0.5 {
            let place = basis.ncols();
            basis = basis.insert_column(place, 0.0);
            basis.set_column(place, &vector);
        }
    }
    basis
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::standard_normals;
    use crate::limit::{LimitKind, Potential};

    fn random(seed: u64, rows: usize, columns: usize) -> DMatrix<f64> {
        let draws = standard_normals("class approach", seed).take(rows * columns);
        DMatrix::from_iterator(rows, columns, draws)
    }

    /// Two features and three classes leave β four degrees of freedom: margins that fix all of them leave no mode.
    #[test]
    fn a_predictor_that_its_margins_fix_has_no_mode() {
        let shape = (2, 3);
        for seed in 0..20 {
            let features = random(seed, 4, 2);
            let pairs = [(0, 1), (0, 2), (1, 2), (2, 0)];
            let rows = DMatrix::from_fn(4, 6, |n, i| {
                let (c, k) = pairs[n];
                let sign = f64::from(u8::from(i / 2 == c)) - f64::from(u8::from(i / 2 == k));
                features[(n, i % 2)] * sign
            });
            assert_eq!(Singular::of(&rows).rank(ROUNDING), 4, "independent rows");
            let multipliers = random(seed + 100, 4, 1).column(0).map(f64::abs);
            let limit = Limit {
                kind: LimitKind::Schatten,
                potential: Potential::schatten(shape, 4.0 / 3.0),
                beta: rows.tr_mul(&multipliers),
                support: (0..4).collect(),
                multipliers,
                duality_gap: None,
                stationarity: None,
                unique: true,
            };
            for depth in [2, 3] {
                let mode = slowest_mode((shape, depth), &rows, &limit, 1.999);
                assert_eq!(mode, None, "{seed}, L = {depth}");
            }
        }
    }

    /// At a = 0 the response is the derivative of `β = Z(ZᵀZ)^{2^{L−1}−1}`, up to the factor of the c_l.
    #[test]
    fn without_decay_the_response_is_the_hessian() {
        for (d, outputs) in [(5, 3), (3, 3), (2, 4)] {
            for depth in [2, 3] {
                let zeta = random(1, d, outputs);
                let bases = Bases::of(&zeta, depth).unwrap();
                let sigma = bases.sigma[0] / Singular::of(&zeta).values[0];
                let zeta = zeta * sigma;
                let factor = if depth == 2 { 0.5 } else { 0.5 * 0.125 };
                let beta = |z: &DMatrix<f64>| {
                    let power = 2_u32.pow(depth as u32 - 1) - 1;
                    let square = z.tr_mul(z);
                    (0..power).fold(z.clone(), |product, _| product * &square) * factor
                };
                let epsilon = random(2, d, outputs);
                let h = 1e-5;
                let difference =
                    (beta(&(&zeta + &epsilon * h)) - beta(&(&zeta - &epsilon * h))) / (2.0 * h);
                let found = bases.response(&bases.coordinates(&epsilon), 0.0);
                let expected = bases.coordinates(&difference);
                let error = (found - &expected).norm() / expected.norm();
                assert!(error < 1e-8, "{d} x {outputs}, L = {depth}: {error:e}");
            }
        }
    }
}
