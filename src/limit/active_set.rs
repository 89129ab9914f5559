//! QR factors of a changing set of samples.
//!
//! `G_Sᵀ = Q R` (D × k, columns `g_n`, n ∈ S), kept up to date while samples enter and leave. All solves use Q and R,
//! never the Gram matrix `G_S G_Sᵀ`, whose condition number is squared. Gram–Schmidt with reorthogonalisation is
//! column-wise backward stable, so samples of very different norms do no harm.

use crate::products;
use nalgebra::{DMatrix, DVector};

/// Samples that are split together by [`ActiveSet::fill`].
const TOGETHER: usize = 24;

/// A sample of which less than this is left across the others of its panel is split again by itself: what was
/// orthogonal to the earlier members to rounding, relative to all of it, is not relative to so little.
const CANCELLED: f64 = 0.1;

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

    /// Splits g along and across span{g_n : n ∈ S}.
    pub(super) fn split(&self, g: &[f64]) -> SplitSample {
        self.split_from(0, g)
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

    /// Adds those of `candidates` that are independent of the members before them, in this order, as
    /// [`split`](Self::split) and [`push`](Self::push) would, but splits many samples together: products of matrices in
    /// place of vectors.
    pub(super) fn fill(
        &mut self,
        samples: &DMatrix<f64>,
        norms: &DVector<f64>,
        candidates: &[usize],
    ) {
        for panel in candidates.chunks(TOGETHER) {
            let before = self.members.len();
            let (across, along) = self.split_panel(samples.select_columns(panel));
            for (i, &n) in panel.iter().enumerate() {
                if self.is_full() {
                    return;
                }
                if self.contains(n) {
                    continue;
                }
                let outside = across.column(i).norm();
                let mut split = self.split_from(before, across.column(i).as_slice());
                if split.distance > CANCELLED * outside {
                    let outer = along.column(i);
                    let all = outer.iter().chain(split.along.iter()).copied();
                    split.along = DVector::from_iterator(self.members.len(), all);
                } else {
                    split = self.split(samples.column(n).as_slice());
                }
                if split.is_independent(norms[n]) {
                    self.push(n, &split);
                }
            }
        }
    }

    /// The parts of some samples (as columns) across and along the span of S.
    fn split_panel(&self, mut panel: DMatrix<f64>) -> (DMatrix<f64>, DMatrix<f64>) {
        let (dimension, k) = (self.q.nrows(), self.members.len());
        if k == 0 {
            let none = DMatrix::zeros(0, panel.ncols());
            return (panel, none);
        }
        let basis = self.q.columns(0, k);
        let mut along = DMatrix::zeros(k, panel.ncols());
        let mut part = DMatrix::zeros(k, panel.ncols());
        for _ in 0..2 {
            let q = &self.q.as_slice()[..k * dimension];
            products::transposed_products(q, panel.as_slice(), dimension, part.as_mut_slice());
            panel.gemm(-1.0, &basis, &part, 1.0);
            along += &part;
        }
        (panel, along)
    }

    /// Splits g along and across the members from position `first` on only.
    fn split_from(&self, first: usize, g: &[f64]) -> SplitSample {
        let basis = &self.q.as_slice()[first * self.q.nrows()..self.members.len() * self.q.nrows()];
        split(basis, self.members.len() - first, g)
    }

    /// Room for members out of this many samples.
    pub(super) fn grow(&mut self, samples: usize) {
        let capacity = self.q.nrows().min(samples);
        self.is_member.resize(samples, false);
        self.q.resize_horizontally_mut(capacity, 0.0);
        self.r.resize_mut(capacity, capacity, 0.0);
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
        let basis = &self.q.as_slice()[..k * self.q.nrows()];
        let mut step = self
            .r
            .view((0, 0), (k, k))
            .tr_solve_upper_triangular(levels)
            .expect("members are independent");
        let mut along = DVector::zeros(k);
        products::transposed_product(basis, anchor.as_slice(), along.as_mut_slice());
        step -= along;
        let mut point = anchor.clone();
        products::add_product(basis, step.as_slice(), point.as_mut_slice());
        (point, self.coefficients(&step))
    }
}

/// Splits g along and across the span of k orthonormal vectors, one after the other in `basis`; twice is enough (Giraud
/// et al. 2005).
fn split(basis: &[f64], k: usize, g: &[f64]) -> SplitSample {
    let mut across = DVector::from_column_slice(g);
    let mut along = DVector::zeros(k);
    let mut part = DVector::zeros(k);
    for _ in 0..2 {
        products::transposed_product(basis, across.as_slice(), part.as_mut_slice());
        along += &part;
        part.neg_mut();
        products::add_product(basis, part.as_slice(), across.as_mut_slice());
    }
    let distance = across.norm();
    SplitSample {
        along,
        across,
        distance,
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

    /// Panels lead to the members that samples do one by one, equal, dependent and nearly equal ones among them.
    #[test]
    fn panels_are_samples_one_by_one() {
        let wave = |i: usize, j: usize| ((3 * i + 7 * j + i * j * j) as f64).sin();
        let mut g = DMatrix::from_fn(90, 70, wave);
        for j in [5, 30, 31, 55] {
            let other = g.column(j - 4).into_owned();
            g.set_column(j, &other);
        }
        let sum = g.column(2) - g.column(40) * 3.0;
        g.set_column(41, &sum);
        for (j, hair) in [(60, 1e-9), (61, 1e-14), (62, 1e-3)] {
            let near = g.column(j - 8) + DVector::from_fn(90, |i, _| hair * wave(i, 3 * j));
            g.set_column(j, &near);
        }
        let norms = DVector::from_iterator(70, g.column_iter().map(|g| g.norm()));
        let candidates: Vec<usize> = (0..70).rev().collect();
        let (mut one, mut all) = (ActiveSet::new(90, 50), ActiveSet::new(90, 50));
        for set in [&mut one, &mut all] {
            set.grow(70);
        }
        for &n in &candidates {
            let split = one.split(g.column(n).as_slice());
            if split.is_independent(norms[n]) {
                one.push(n, &split);
            }
        }
        all.fill(&g, &norms, &candidates);
        assert_eq!(all.members(), one.members());
        let k = all.members().len();
        assert_eq!(k, 64);
        let q = all.q.columns(0, k);
        assert!((q.tr_mul(&q) - DMatrix::identity(k, k)).amax() < 1e-14);
        let product = q * all.r.view((0, 0), (k, k));
        for (column, n) in all.members().iter().enumerate() {
            assert!((product.column(column) - g.column(*n)).norm() < 1e-14 * norms[*n]);
        }
        // and no more than there are dimensions
        let wide = DMatrix::from_fn(5, 40, wave);
        let norms = DVector::from_iterator(40, wide.column_iter().map(|g| g.norm()));
        let mut full = ActiveSet::new(5, 40);
        full.fill(&wide, &norms, &(0..40).collect::<Vec<_>>());
        assert_eq!(full.members(), [0, 1, 2, 3, 4]);
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
