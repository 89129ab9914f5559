//! The minimiser of the nuclear norm, polished on its own rank and active rows.
//!
//! From a minimiser for large q the rank r and the active set S are read off. With `β = A Bᵀ` (A: D × r, B: C × r) the
//! nuclear norm is the least of `½(‖A‖² + ‖B‖²)`, and the optimality conditions are
//!
//! ```text
//! A = Z B,    B = Zᵀ A,    G_S vec(A Bᵀ) = 1,        Z = mat(G_Sᵀ λ),   ‖Z‖ ≤ 1,  λ ≥ 0
//! ```
//!
//! Newton steps on the equations converge at once where r and S are right; the rotations `A → A O`, `B → B O` that
//! change nothing are held still. Rows that turn out violated enter S, rows with negative multipliers leave it. The
//! outcome is judged by its gap like any other.

use super::newton::gap;
use super::spectrum::Spectrum;
use super::{NUCLEAR_TOLERANCE, Pair};
use nalgebra::{DMatrix, DVector};

/// Most Newton steps for one rank, and most changes of the active set.
const STEPS: usize = 12;
const CHANGES: usize = 40;

/// Singular values of β above these shares of the largest are candidates for its rank.
const SHARES: [f64; 3] = [1e-3, 1e-1, 1e-9];

/// A multiplier above this share of the largest makes a row active.
const ACTIVE: f64 = 1e-7;

/// The best of what Newton steps from `start` lead to, by its gap.
pub(super) fn polish(columns: &DMatrix<f64>, shape: (usize, usize), start: Pair) -> Pair {
    let gap_of = |x: &DVector<f64>, a: &DVector<f64>| gap(columns, shape, 1.0, (x, a));
    let mut best = Pair {
        gap: gap_of(&start.x, &start.multipliers),
        ..start
    };
    let spectrum = Spectrum::of(&best.x, shape);
    let largest = spectrum.sigma.first().copied().unwrap_or(0.0);
    let mut ranks: Vec<usize> = (SHARES.iter())
        .map(|share| {
            spectrum
                .sigma
                .iter()
                .filter(|s| **s > share * largest)
                .count()
        })
        .collect();
    ranks.dedup();
    let program = Program { columns, shape };
    let (x, multipliers) = (best.x.clone(), best.multipliers.clone());
    for rank in ranks.into_iter().filter(|rank| *rank > 0) {
        if let Some((x, multipliers)) = program.on_rank(rank, &x, &multipliers) {
            let gap = gap_of(&x, &multipliers);
            if gap < best.gap {
                best = Pair {
                    x,
                    multipliers,
                    gap,
                };
            }
            if best.gap <= NUCLEAR_TOLERANCE {
                break;
            }
        }
    }
    best
}

struct Program<'a> {
    columns: &'a DMatrix<f64>,
    shape: (usize, usize),
}

/// `β = A Bᵀ` and the multipliers of the active rows.
struct Point {
    a: DMatrix<f64>,
    b: DMatrix<f64>,
    multipliers: DVector<f64>,
}

impl Program<'_> {
    fn on_rank(
        &self,
        rank: usize,
        x: &DVector<f64>,
        multipliers: &DVector<f64>,
    ) -> Option<(DVector<f64>, DVector<f64>)> {
        let margin = self.columns.tr_mul(x).min();
        let (a, b) = Spectrum::of(&(x / margin), self.shape).balanced_factors(rank);
        let largest = multipliers.max();
        let mut active: Vec<usize> = (0..multipliers.len())
            .filter(|n| multipliers[*n] > ACTIVE * largest)
            .collect();
        let z = Spectrum::of(&(self.columns * multipliers), self.shape);
        let of_active = multipliers.select_rows(&active) / *z.sigma.first()?;
        let mut point = Point {
            a,
            b,
            multipliers: of_active,
        };
        for _ in 0..CHANGES {
            self.solve(&mut point, &active)?;
            let beta = flat(&(&point.a * point.b.transpose()));
            let margins = self.columns.tr_mul(&beta);
            let violated = (0..margins.len())
                .filter(|n| margins[*n] < 1.0 - 1e-9 && !active.contains(n))
                .min_by(|m, n| margins[*m].total_cmp(&margins[*n]));
            let lowest = point.multipliers.imin();
            if point.multipliers[lowest] < -1e-12 * point.multipliers.amax() {
                active.remove(lowest);
                point.multipliers = point.multipliers.clone().remove_row(lowest);
            } else if let Some(entering) = violated {
                active.push(entering);
                let last = point.multipliers.len();
                point.multipliers = point.multipliers.clone().insert_row(last, 0.0);
            } else {
                let mut all = DVector::zeros(multipliers.len());
                for (n, multiplier) in active.iter().zip(point.multipliers.iter()) {
                    all[*n] = multiplier.max(0.0);
                }
                return Some((beta, all));
            }
        }
        None
    }

    /// Newton steps on the optimality conditions.
    fn solve(&self, point: &mut Point, active: &[usize]) -> Option<()> {
        let rows = self.columns.select_columns(active);
        let mut last = f64::INFINITY;
        for _ in 0..STEPS {
            let (matrix, residual) = self.equations(point, &rows);
            let size = residual.norm();
            if !size.is_finite() {
                return None;
            }
            // converged, or as far as rounding lets it
            if size < 1e-13 || size > 0.5 * last && size < 1e-9 {
                return Some(());
            }
            last = size;
            let step = matrix.lu().solve(&residual)?;
            let (in_a, in_b) = (point.a.len(), point.b.len());
            for (x, d) in point.a.iter_mut().zip(step.iter()) {
                *x -= d;
            }
            for (x, d) in point.b.iter_mut().zip(step.iter().skip(in_a)) {
                *x -= d;
            }
            for (x, d) in (point.multipliers.iter_mut()).zip(step.iter().skip(in_a + in_b)) {
                *x -= d;
            }
        }
        (last < 1e-8).then_some(())
    }

    /// The Jacobian and the residual of the conditions at a point; the rotations are given a curvature of their own.
    fn equations(&self, point: &Point, rows: &DMatrix<f64>) -> (DMatrix<f64>, DVector<f64>) {
        let (d, c) = self.shape;
        let rank = point.a.ncols();
        let (in_a, in_b, count) = (d * rank, c * rank, rows.ncols());
        let size = in_a + in_b + count;
        let z = rows * &point.multipliers;
        let z = DMatrix::from_column_slice(d, c, z.as_slice());
        let mut matrix = DMatrix::zeros(size, size);
        matrix
            .view_mut((0, 0), (in_a + in_b, in_a + in_b))
            .fill_with_identity();
        for k in 0..rank {
            let (a, b) = (k * d, in_a + k * c);
            matrix.view_mut((a, b), (d, c)).copy_from(&-&z);
            matrix.view_mut((b, a), (c, d)).copy_from(&-z.transpose());
        }
        let mut residual = DVector::zeros(size);
        let (first, second) = (&point.a - &z * &point.b, &point.b - z.tr_mul(&point.a));
        residual.rows_mut(0, in_a).copy_from(&flat(&first));
        residual.rows_mut(in_a, in_b).copy_from(&flat(&second));
        for (i, g) in rows.column_iter().enumerate() {
            let g = DMatrix::from_column_slice(d, c, g.as_slice());
            let (by_a, by_b) = (flat(&(&g * &point.b)), flat(&g.tr_mul(&point.a)));
            residual[in_a + in_b + i] = by_a.dot(&flat(&point.a)) - 1.0;
            let place = in_a + in_b + i;
            matrix.view_mut((0, place), (in_a, 1)).copy_from(&-&by_a);
            matrix.view_mut((in_a, place), (in_b, 1)).copy_from(&-&by_b);
            matrix
                .view_mut((place, 0), (1, in_a))
                .copy_from(&by_a.transpose());
            matrix
                .view_mut((place, in_a), (1, in_b))
                .copy_from(&by_b.transpose());
        }
        for i in 0..rank {
            for j in 0..i {
                let mut turn = DVector::zeros(in_a + in_b);
                turn.rows_mut(i * d, d).copy_from(&point.a.column(j));
                turn.rows_mut(j * d, d).copy_from(&-point.a.column(i));
                turn.rows_mut(in_a + i * c, c).copy_from(&point.b.column(j));
                turn.rows_mut(in_a + j * c, c)
                    .copy_from(&-point.b.column(i));
                let unit = turn.normalize();
                let mut block = matrix.view_mut((0, 0), (in_a + in_b, in_a + in_b));
                block += &unit * unit.transpose();
            }
        }
        (matrix, residual)
    }
}

fn flat(matrix: &DMatrix<f64>) -> DVector<f64> {
    DVector::from_column_slice(matrix.as_slice())
}
