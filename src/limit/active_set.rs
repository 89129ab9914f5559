//! QR factors of a changing set of samples.
//!
//! `G_Sᵀ = Q R` (D × k, columns `g_n`, n ∈ S), kept up to date while samples enter and leave. All solves use Q and R,
//! never the Gram matrix `G_S G_Sᵀ`, whose condition number is squared. Gram–Schmidt with reorthogonalisation is
//! column-wise backward stable, so samples of very different norms do no harm.

use nalgebra::{DMatrix, DVector};

/// A linearly independent set S of samples with the QR factors of `G_Sᵀ`.
#[derive(Debug, Clone)]
pub(super) struct ActiveSet {
    members: Vec<usize>,
    is_member: Vec<bool>,
    /// First k columns: orthonormal basis of span{g_n : n ∈ S}.
    q: DMatrix<f64>,
    /// Leading k × k block: upper triangular.
    r: DMatrix<f64>,
}

/// A sample split into its parts along and across the span of the active set.
pub(super) struct SplitSample {
    /// `Qᵀ g`, length k.
    pub along: DVector<f64>,
    /// `(I − QQᵀ) g`, length D.
    across: DVector<f64>,
    /// ‖(I − QQᵀ) g‖.
    pub distance: f64,
}

impl SplitSample {
    /// Whether g leaves the span by more than the rounding error of the factors.
    pub(super) fn is_independent(&self, norm: f64) -> bool {
        self.distance > 16.0 * f64::EPSILON * (self.across.len() as f64).sqrt() * norm
    }
}

impl ActiveSet {
    /// The empty set, for N samples of dimension D.
    pub(super) fn new(dimension: usize, samples: usize) -> Self {
        let capacity = dimension.min(samples);
        Self {
            members: Vec::with_capacity(capacity),
            is_member: vec![false; samples],
            q: DMatrix::zeros(dimension, capacity),
            r: DMatrix::zeros(capacity, capacity),
        }
    }

    /// S, in the order of entry.
    pub(super) fn members(&self) -> &[usize] {
        &self.members
    }

    /// Whether S already spans the whole space, so that no sample can be independent of it.
    pub(super) fn is_full(&self) -> bool {
        self.members.len() == self.q.ncols()
    }

    pub(super) fn contains(&self, sample: usize) -> bool {
        self.is_member[sample]
    }

    /// Splits g along and across span{g_n : n ∈ S}; twice is enough (Giraud et al. 2005).
    pub(super) fn split(&self, g: &[f64]) -> SplitSample {
        let basis = self.q.columns(0, self.members.len());
        let mut across = DVector::from_column_slice(g);
        let mut along = basis.tr_mul(&across);
        across.gemv(-1.0, &basis, &along, 1.0);
        let correction = basis.tr_mul(&across);
        across.gemv(-1.0, &basis, &correction, 1.0);
        along += correction;
        let distance = across.norm();
        SplitSample {
            along,
            across,
            distance,
        }
    }

    /// Adds sample n; `split` must be its split for the current set, and independent of it.
    pub(super) fn push(&mut self, n: usize, split: &SplitSample) {
        let k = self.members.len();
        self.q
            .column_mut(k)
            .copy_from(&(&split.across / split.distance));
        self.r.view_mut((0, k), (k, 1)).copy_from(&split.along);
        self.r[(k, k)] = split.distance;
        self.members.push(n);
        self.is_member[n] = true;
    }

    /// Removes the member at `position`, and restores the triangle by Givens rotations.
    pub(super) fn remove(&mut self, position: usize) {
        let k = self.members.len();
        let n = self.members.remove(position);
        self.is_member[n] = false;
        for j in position..k - 1 {
            for i in 0..=j + 1 {
                self.r[(i, j)] = self.r[(i, j + 1)];
            }
        }
        for j in position..k - 1 {
            let (upper, lower) = (self.r[(j, j)], self.r[(j + 1, j)]);
            let length = upper.hypot(lower);
            let (c, s) = (upper / length, lower / length);
            for i in j..k - 1 {
                let (a, b) = (self.r[(j, i)], self.r[(j + 1, i)]);
                self.r[(j, i)] = c * a + s * b;
                self.r[(j + 1, i)] = c * b - s * a;
            }
            for i in 0..self.q.nrows() {
                let (a, b) = (self.q[(i, j)], self.q[(i, j + 1)]);
                self.q[(i, j)] = c * a + s * b;
                self.q[(i, j + 1)] = c * b - s * a;
            }
        }
    }

    /// Empties the set.
    pub(super) fn clear(&mut self) {
        for &n in &self.members {
            self.is_member[n] = false;
        }
        self.members.clear();
    }

    /// `R⁻¹ v`: the coefficients c of `Σ c_n g_n` when `v` holds its coordinates in the basis Q.
    pub(super) fn coefficients(&self, v: &DVector<f64>) -> DVector<f64> {
        let k = self.members.len();
        self.r
            .view((0, 0), (k, k))
            .solve_upper_triangular(v)
            .expect("members are independent")
    }

    /// `‖diag(norms) R⁻¹‖`: the Frobenius norm of the inverse of the members over their lengths.
    pub(super) fn inverse_norm(&self, norms: &DVector<f64>) -> f64 {
        let k = self.members.len();
        let mut inverse = DMatrix::identity(k, k);
        if !(self.r.view((0, 0), (k, k))).solve_upper_triangular_mut(&mut inverse) {
            return f64::INFINITY;
        }
        for (mut row, &n) in inverse.row_iter_mut().zip(&self.members) {
            row *= norms[n];
        }
        inverse.norm()
    }

    /// Solves `β − G_Sᵀλ = anchor`, `G_S β = levels`: the point of the plane nearest to the anchor, and its
    /// multipliers.
    pub(super) fn solve(
        &self,
        anchor: &DVector<f64>,
        levels: &DVector<f64>,
    ) -> (DVector<f64>, DVector<f64>) {
        let k = self.members.len();
        let basis = self.q.columns(0, k);
        let mut step = self
            .r
            .view((0, 0), (k, k))
            .tr_solve_upper_triangular(levels)
            .expect("members are independent");
        step -= basis.tr_mul(anchor);
        let mut point = anchor.clone();
        point.gemv(1.0, &basis, &step, 1.0);
        (point, self.coefficients(&step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> DMatrix<f64> {
        // Columns of very different length, deterministic and in general position.
        DMatrix::from_fn(5, 4, |i, j| {
            ((3 * i + 7 * j + i * j * j) as f64).sin() * 10f64.powi(-3 * j as i32)
        })
    }

    fn fill(set: &mut ActiveSet, g: &DMatrix<f64>) {
        for n in 0..g.ncols() {
            let split = set.split(g.column(n).as_slice());
            assert!(split.is_independent(g.column(n).norm()));
            set.push(n, &split);
        }
    }

    #[test]
    fn factors_reproduce_the_members_after_removals() {
        let g = samples();
        let mut set = ActiveSet::new(5, 4);
        fill(&mut set, &g);
        set.remove(1);
        set.remove(0);
        assert_eq!(set.members(), &[2, 3]);
        assert!(!set.contains(0) && set.contains(3));
        let q = set.q.columns(0, 2);
        let product = q * set.r.view((0, 0), (2, 2));
        for (column, n) in [2, 3].into_iter().enumerate() {
            let error = (product.column(column) - g.column(n)).norm() / g.column(n).norm();
            assert!(error < 1e-15, "column {n}: {error}");
        }
        assert!((q.tr_mul(&q) - DMatrix::identity(2, 2)).norm() < 1e-15);
    }

    #[test]
    fn solve_meets_both_equations() {
        let g = samples();
        let mut set = ActiveSet::new(5, 4);
        fill(&mut set, &g);
        set.remove(2);
        let anchor = DVector::from_vec(vec![1.0, -2.0, 0.5, 0.25, 3.0]);
        let levels = DVector::from_vec(vec![1.0, 0.0, -1.0]);
        let (point, multipliers) = set.solve(&anchor, &levels);
        let mut expected = anchor.clone();
        for (i, &n) in set.members().iter().enumerate() {
            assert!((g.column(n).dot(&point) - levels[i]).abs() < 1e-13 * point.norm());
            expected.axpy(multipliers[i], &g.column(n), 1.0);
        }
        assert!((expected - &point).norm() < 1e-12 * point.norm());
    }

    #[test]
    fn a_combination_of_members_is_dependent() {
        let g = samples();
        let mut set = ActiveSet::new(5, 4);
        fill(&mut set, &g);
        let sum = g.column(0) + g.column(1) * 2.0 - g.column(3);
        let split = set.split(sum.as_slice());
        assert!(!split.is_independent(sum.norm()));
        let c = set.coefficients(&split.along);
        assert!((c[1] - 2.0).abs() < 1e-9 && (c[3] + 1.0).abs() < 1e-3);
    }
}
