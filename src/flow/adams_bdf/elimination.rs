//! Gaussian elimination with partial pivoting, in vector instructions chosen at run time.
//!
//! One small dense system is factorised in every step; with 5 unknowns the call of a general library costs more than
//! the arithmetic, and with 100 the arithmetic dominates the cost of the step. Columns are eliminated one by one from
//! those to their right, each update adding a multiple of one column to another; of larger matrices in blocks, whose
//! effect on what is to their right is one product of matrices.

use nalgebra::{DMatrixView, DMatrixViewMut};
use pulp::{Arch, Simd, WithSimd};
use std::ops::Range;

/// A matrix, its factors in place, and the scratch of both; reused from step to step.
#[derive(Default)]
pub(super) struct Elimination {
    size: usize,
    /// Column after column.
    entries: Vec<f64>,
    /// Row exchanged with row k in step k.
    exchanged: Vec<usize>,
    /// The rows of a block of columns, to the right of it.
    across: Vec<f64>,
}

/// Columns that are eliminated together, from those to their right by one product of matrices.
const BLOCK: usize = 32;

impl Elimination {
    /// The entries of a matrix of this size, column after column, for the caller to fill in.
    pub(super) fn begin(&mut self, size: usize) -> &mut [f64] {
        self.size = size;
        self.entries.clear();
        self.entries.resize(size * size, 0.0);
        &mut self.entries
    }

    pub(super) fn factorise(&mut self) {
        self.exchanged.clear();
        let blocks = match self.size {
            size if size < 2 * BLOCK => size.max(1),
            _ => BLOCK,
        };
        for from in (0..self.size).step_by(blocks) {
            let to = (from + blocks).min(self.size);
            let columns = from..to;
            let matrix = &mut *self;
            Arch::new().dispatch(Factorise { matrix, columns });
            if to < self.size {
                self.eliminate(from, to);
            }
        }
    }

    /// Eliminates the columns `from..to`, which have been factorised, from those to their right.
    fn eliminate(&mut self, from: usize, to: usize) {
        let (size, block) = (self.size, to - from);
        let (left, right) = self.entries.split_at_mut(to * size);
        let lower = |k: usize| &left[(from + k) * size..(from + k + 1) * size];
        self.across.clear();
        for column in right.chunks_exact_mut(size) {
            let rows = &mut column[from..to];
            for k in 0..block {
                let (above, below) = rows.split_at_mut(k + 1);
                for (x, l) in below.iter_mut().zip(&lower(k)[from + k + 1..to]) {
                    *x -= l * above[k];
                }
            }
            self.across.extend_from_slice(rows);
        }
        let (rows, count) = (size - to, size - to);
        let factors =
            DMatrixView::from_slice_with_strides(&left[from * size + to..], rows, block, 1, size);
        let across = DMatrixView::from_slice(&self.across, block, count);
        let mut rest =
            DMatrixViewMut::from_slice_with_strides_mut(&mut right[to..], rows, count, 1, size);
        rest.gemm(-1.0, &factors, &across, 1.0);
    }

    /// Overwrites b with the solution; false if the matrix was singular or not finite.
    pub(super) fn solve(&self, b: &mut [f64]) -> bool {
        let columns = || self.entries.chunks_exact(self.size.max(1));
        for (k, other) in self.exchanged.iter().enumerate() {
            b.swap(k, *other);
        }
        for (k, column) in columns().enumerate() {
            let (pivot, below) = b[k..].split_at_mut(1);
            for (x, l) in below.iter_mut().zip(&column[k + 1..]) {
                *x -= l * pivot[0];
            }
        }
        for (k, column) in columns().enumerate().rev() {
            b[k] /= column[k];
            let (above, pivot) = b[..=k].split_at_mut(k);
            for (x, u) in above.iter_mut().zip(column) {
                *x -= u * pivot[0];
            }
        }
        b.iter().all(|x| x.is_finite())
    }
}

/// The factors of the rows below these columns, with what is above them eliminated.
struct Factorise<'a> {
    matrix: &'a mut Elimination,
    columns: Range<usize>,
}

impl WithSimd for Factorise<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Elimination {
            size,
            entries,
            exchanged,
            ..
        } = self.matrix;
        let size = *size;
        let end = self.columns.end;
        for k in self.columns {
            let column = &entries[k * size..(k + 1) * size];
            let mut largest = k;
            for i in k + 1..size {
                if column[i].abs() > column[largest].abs() {
                    largest = i;
                }
            }
            exchanged.push(largest);
            if largest != k {
                for column in entries.chunks_exact_mut(size) {
                    column.swap(k, largest);
                }
            }
            let (left, right) = entries.split_at_mut((k + 1) * size);
            let column = &mut left[k * size..];
            let inverse = column[k].recip();
            for x in &mut column[k + 1..] {
                *x *= inverse;
            }
            let lower = &column[k + 1..];
            let (lower, lower_rest) = S::as_simd_f64s(lower);
            for column in right.chunks_exact_mut(size).take(end - k - 1) {
                let (above, below) = column.split_at_mut(k + 1);
                let factor = -above[k];
                let splat = simd.splat_f64s(factor);
                let (x, x_rest) = S::as_mut_simd_f64s(below);
                for (x, l) in x.iter_mut().zip(lower) {
                    *x = simd.mul_add_f64s(*l, splat, *x);
                }
                for (x, l) in x_rest.iter_mut().zip(lower_rest) {
                    *x += l * factor;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::standard_normals;
    use nalgebra::{DMatrix, DVector};

    #[test]
    fn solutions_solve() {
        let mut elimination = Elimination::default();
        for size in [1, 2, 5, 16, 37, 64, 65, 150] {
            let mut draws = standard_normals("matrix", size as u64);
            let matrix = DMatrix::from_fn(size, size, |_, _| draws.next().unwrap());
            let x = DVector::from_fn(size, |_, _| draws.next().unwrap());
            let mut b = (&matrix * &x).as_slice().to_vec();
            elimination.begin(size).copy_from_slice(matrix.as_slice());
            elimination.factorise();
            assert!(elimination.solve(&mut b));
            assert!((DVector::from_vec(b) - x).amax() < 1e-10, "{size}");
        }
    }

    #[test]
    fn singular_matrices_are_told_and_rows_are_exchanged() {
        let mut elimination = Elimination::default();
        elimination.begin(2).copy_from_slice(&[0.0, 1.0, 2.0, 0.0]);
        elimination.factorise();
        let mut b = [4.0, 3.0];
        assert!(elimination.solve(&mut b));
        assert_eq!(b, [3.0, 2.0]);
        elimination.begin(2).copy_from_slice(&[1.0, 1.0, 1.0, 1.0]);
        elimination.factorise();
        assert!(!elimination.solve(&mut [1.0, 0.0]));
        elimination.begin(0);
        elimination.factorise();
        assert!(elimination.solve(&mut []));
    }
}
