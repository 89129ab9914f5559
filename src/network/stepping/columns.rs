//! Matrices whose columns are padded to whole vectors, and their products in vector instructions.
//!
//! Columns are padded with zeros to a multiple of eight, the length of the longest vector of doubles on any machine. A
//! product is a [`combine`]: columns of one matrix added up with coefficients from another, eight vectors of sums in
//! registers. It never sums along a column, so no sums across the lanes of a vector are needed.

use super::vector::Aligned;
use nalgebra::{DMatrix, DVector};
use pulp::Simd;

/// The length of every column is a multiple of this.
const WHOLE: usize = 8;

/// A matrix, column after column, each padded with zeros to whole vectors.
#[derive(Debug)]
pub(crate) struct Columns {
    rows: usize,
    /// Rows, including padding.
    height: usize,
    entries: Aligned,
}

/// One column.
pub(crate) fn column(x: &DVector<f64>) -> Columns {
    let mut column = Columns::zeros(x.len(), 1);
    column.read(x.as_slice());
    column
}

/// Coefficients `c_kj` inside a slice, at `k·term + j·sum`.
#[derive(Clone, Copy)]
pub(crate) struct Coefficients<'a> {
    pub entries: &'a [f64],
    pub term: usize,
    pub sum: usize,
}

impl Columns {
    pub(crate) fn zeros(rows: usize, columns: usize) -> Self {
        let height = rows.next_multiple_of(WHOLE);
        Self {
            rows,
            height,
            entries: Aligned::zeros(height * columns),
        }
    }

    pub(crate) fn new(matrix: &DMatrix<f64>) -> Self {
        let mut padded = Self::zeros(matrix.nrows(), matrix.ncols());
        padded.read(matrix.as_slice());
        padded
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Rows, including padding.
    pub(crate) fn height(&self) -> usize {
        self.height
    }

    pub(crate) fn count(&self) -> usize {
        self.entries.len() / self.height
    }

    /// All entries, including padding.
    pub(crate) fn entries(&self) -> &[f64] {
        &self.entries
    }

    /// All entries, including padding.
    pub(crate) fn entries_mut(&mut self) -> &mut [f64] {
        &mut self.entries
    }

    /// The columns, including padding.
    pub(crate) fn columns(&self) -> std::slice::ChunksExact<'_, f64> {
        self.entries.chunks_exact(self.height)
    }

    /// The columns, including padding, which has to stay zero.
    pub(crate) fn columns_mut(&mut self) -> std::slice::ChunksExactMut<'_, f64> {
        self.entries.chunks_exact_mut(self.height)
    }

    /// Reads the entries from a column-major matrix without padding.
    pub(crate) fn read(&mut self, matrix: &[f64]) {
        for (column, source) in self
            .entries
            .chunks_exact_mut(self.height)
            .zip(matrix.chunks_exact(self.rows))
        {
            column[..self.rows].copy_from_slice(source);
        }
    }

    /// Writes the entries to a column-major matrix without padding.
    pub(crate) fn write(&self, matrix: &mut [f64]) {
        for (column, target) in self.columns().zip(matrix.chunks_exact_mut(self.rows)) {
            target.copy_from_slice(&column[..self.rows]);
        }
    }

    /// Reads the entries from the transposed matrix.
    #[inline(always)]
    pub(crate) fn transpose_from(&mut self, other: &Self) {
        let height = self.height;
        for (i, row) in other.entries.chunks_exact(other.height).enumerate() {
            for (target, source) in self.entries[i..].iter_mut().step_by(height).zip(row) {
                *target = *source;
            }
        }
    }

    /// The entries as coefficients of this matrix's columns in a product from the right: `c_kj` is entry (k, j).
    pub(crate) fn right(&self) -> Coefficients<'_> {
        Coefficients {
            entries: &self.entries,
            term: 1,
            sum: self.height,
        }
    }

    /// The entries of the transposed matrix as coefficients: `c_kj` is entry (j, k).
    pub(crate) fn right_transposed(&self) -> Coefficients<'_> {
        Coefficients {
            entries: &self.entries,
            term: self.height,
            sum: 1,
        }
    }
}

/// `out_j = Σ_k x_k c_kj` over the columns `x_k`, or `out_j += …`.
#[inline(always)]
pub(crate) fn combine<S: Simd>(
    simd: S,
    out: &mut Columns,
    x: &Columns,
    coefficients: Coefficients<'_>,
    add: bool,
) {
    debug_assert_eq!(out.height, x.height, "columns of one length");
    let sums = out.count();
    let mut product = Product::<S> {
        out: S::as_mut_simd_f64s(&mut out.entries).0,
        x: S::as_simd_f64s(&x.entries).0,
        height: x.height / S::F64_LANES,
        coefficients,
        add,
    };
    let fours = sums - sums % 4;
    for j in (0..fours).step_by(4) {
        product.four(simd, j);
    }
    for j in fours..sums {
        product.one(simd, j);
    }
}

/// A [`combine`] in vector arithmetic.
struct Product<'a, S: Simd> {
    out: &'a mut [S::f64s],
    x: &'a [S::f64s],
    /// Vectors per column.
    height: usize,
    coefficients: Coefficients<'a>,
    add: bool,
}

impl<S: Simd> Product<'_, S> {
    /// Columns j … j + 3 of the sums.
    #[inline(always)]
    fn four(&mut self, simd: S, j: usize) {
        let pairs = self.height - self.height % 2;
        for i in (0..pairs).step_by(2) {
            self.block::<4, 2, 1>(simd, j, i);
        }
        for i in pairs..self.height {
            self.block::<4, 1, 1>(simd, j, i);
        }
    }

    /// Column j of the sums. With few vectors the latency of every addition would show, so terms go to several
    /// partial sums in turn, except for a single vector, where combining the partial sums costs more.
    #[inline(always)]
    fn one(&mut self, simd: S, j: usize) {
        let mut i = 0;
        while i < self.height {
            match self.height - i {
                1 => self.block::<1, 1, 1>(simd, j, i),
                2 => self.block::<1, 2, 4>(simd, j, i),
                3 => self.block::<1, 3, 2>(simd, j, i),
                _ => self.block::<1, 4, 2>(simd, j, i),
            }
            i += 4;
        }
    }

    /// Vectors i … i + V − 1 of columns j … j + J − 1 of the sums, with terms going to P partial sums in turn.
    #[inline(always)]
    fn block<const J: usize, const V: usize, const P: usize>(
        &mut self,
        simd: S,
        j: usize,
        i: usize,
    ) {
        let mut sums = [[[simd.splat_f64s(0.0); V]; J]; P];
        let turns = self.x.chunks_exact(P * self.height);
        let rest = turns.remainder().chunks_exact(self.height);
        let mut k = 0;
        for columns in turns {
            for (x, sums) in columns.chunks_exact(self.height).zip(&mut sums) {
                self.coefficients.add(simd, (k, j), &x[i..i + V], sums);
                k += 1;
            }
        }
        for (x, sums) in rest.zip(&mut sums) {
            self.coefficients.add(simd, (k, j), &x[i..i + V], sums);
            k += 1;
        }
        for a in 0..J {
            let out = &mut self.out[(j + a) * self.height + i..][..V];
            for (b, out) in out.iter_mut().enumerate() {
                let mut total = sums[0][a][b];
                for part in &sums[1..] {
                    total = simd.add_f64s(total, part[a][b]);
                }
                *out = if self.add {
                    simd.add_f64s(*out, total)
                } else {
                    total
                };
            }
        }
    }
}

impl Coefficients<'_> {
    /// Adds V vectors of `x_k` to J sums from the j-th on.
    // A function, not a closure: closures are not compiled for the chosen instruction set.
    #[inline(always)]
    fn add<S: Simd, const J: usize, const V: usize>(
        self,
        simd: S,
        (k, j): (usize, usize),
        x: &[S::f64s],
        sums: &mut [[S::f64s; V]; J],
    ) {
        for (a, sums) in sums.iter_mut().enumerate() {
            let c = simd.splat_f64s(self.entries[k * self.term + (j + a) * self.sum]);
            for (sum, x) in sums.iter_mut().zip(x) {
                *sum = simd.mul_add_e_f64s(c, *x, *sum);
            }
        }
    }
}

/// `Σ_i x_i y_i`
#[inline(always)]
pub(crate) fn dot<S: Simd>(simd: S, x: &[f64], y: &[f64]) -> f64 {
    let (x, y) = (S::as_simd_f64s(x).0, S::as_simd_f64s(y).0);
    let mut sum = simd.splat_f64s(0.0);
    for (x, y) in x.iter().zip(y) {
        sum = simd.mul_add_e_f64s(*x, *y, sum);
    }
    simd.reduce_sum_f64s(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::standard_normals;
    use pulp::{Arch, WithSimd};

    fn gaussian(rows: usize, columns: usize, seed: u64) -> DMatrix<f64> {
        let draws = standard_normals("columns", seed).take(rows * columns);
        DMatrix::from_iterator(rows, columns, draws)
    }

    struct Combine<'a>(&'a mut Columns, &'a Columns, Coefficients<'a>, bool);

    impl WithSimd for Combine<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            combine(simd, self.0, self.1, self.2, self.3);
        }
    }

    #[test]
    fn products_are_those_of_matrices_whatever_the_shape() {
        for (rows, terms, sums) in [(1, 1, 1), (8, 3, 4), (9, 5, 6), (30, 20, 13), (17, 8, 3)] {
            let (x, c) = (gaussian(rows, terms, 1), gaussian(terms, sums, 2));
            let start = gaussian(rows, sums, 3);
            let product = &x * &c;
            let padded = Columns::new(&x);
            let (right, turned) = (Columns::new(&c), Columns::new(&c.transpose()));
            for coefficients in [right.right(), turned.right_transposed()] {
                for add in [false, true] {
                    let mut out = Columns::new(&start);
                    Arch::new().dispatch(Combine(&mut out, &padded, coefficients, add));
                    let mut dense = DMatrix::zeros(rows, sums);
                    out.write(dense.as_mut_slice());
                    let expected = if add {
                        &start + &product
                    } else {
                        product.clone()
                    };
                    let error = (dense - &expected).norm();
                    assert!(error < 1e-14 * expected.norm(), "{rows} {terms} {sums}");
                    let inside = out.columns().map(|c| &c[..rows]);
                    assert_eq!(
                        out.columns().flatten().filter(|x| **x != 0.0).count(),
                        inside.flatten().count()
                    );
                }
            }
            let mut transposed = Columns::zeros(terms, rows);
            transposed.transpose_from(&padded);
            assert_eq!(transposed.entries(), Columns::new(&x.transpose()).entries());
        }
    }
}
