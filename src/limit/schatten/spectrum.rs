//! Singular bases of a matrix, and the metric of `Φ = Σ σ^s/s` in them.

use crate::singular::Singular;
use nalgebra::{DMatrix, DVector};

/// Singular values below this share of the largest are rounding.
const ROUNDING: f64 = 64.0 * f64::EPSILON;

/// `(Σ σ^s)^{1/s}` without over- or underflow; the maximum for s = ∞.
pub(super) fn norm(sigma: &[f64], s: f64) -> f64 {
    let largest = sigma.iter().copied().fold(0.0, f64::max);
    if largest == 0.0 || s.is_infinite() {
        return largest;
    }
    let sum: f64 = sigma.iter().map(|x| (x / largest).powf(s)).sum();
    largest * sum.powf(1.0 / s)
}

/// The spaces that the rows and columns of the samples' matrices span, in which everything happens: with classes the
/// columns of every `x (e_c − e_k)ᵀ` add up to zero, and fewer samples than features span less than all of them.
pub(super) struct Frame {
    /// Orthonormal, D × D'.
    left: DMatrix<f64>,
    /// Orthonormal, C × C'.
    right: DMatrix<f64>,
}

impl Frame {
    /// Of the rows of G (N × DC), each a D × C matrix column by column.
    pub(super) fn of(signed_samples: &DMatrix<f64>, (d, c): (usize, usize)) -> Self {
        let count = signed_samples.nrows();
        // every column of every sample as a row, then every row as a row
        let of_columns = DMatrix::from_fn(count * c, d, |i, j| {
            signed_samples[(i / c, (i % c) * d + j)]
        });
        let of_rows = DMatrix::from_fn(count * d, c, |i, j| signed_samples[(i / d, j * d + i % d)]);
        Self {
            left: row_space(of_columns),
            right: row_space(of_rows),
        }
    }

    /// D' and C'.
    pub(super) fn shape(&self) -> (usize, usize) {
        (self.left.ncols(), self.right.ncols())
    }

    /// The rows of G in the frame, as columns: D'C' × N.
    pub(super) fn columns(&self, signed_samples: &DMatrix<f64>) -> DMatrix<f64> {
        let (d, c) = (self.left.nrows(), self.right.nrows());
        let (d_here, c_here) = self.shape();
        let mut columns = DMatrix::zeros(d_here * c_here, signed_samples.nrows());
        for (row, mut column) in signed_samples.row_iter().zip(columns.column_iter_mut()) {
            let g = DMatrix::from_iterator(d, c, row.iter().copied());
            let here = self.left.tr_mul(&g) * &self.right;
            column.copy_from_slice(here.as_slice());
        }
        columns
    }

    /// A point of the frame as a D × C matrix, column by column.
    pub(super) fn original(&self, x: &DVector<f64>) -> DVector<f64> {
        let (d, c) = self.shape();
        let x = DMatrix::from_column_slice(d, c, x.as_slice());
        let original = &self.left * x * self.right.transpose();
        DVector::from_column_slice(original.as_slice())
    }

    /// A D × C matrix in the frame.
    pub(super) fn point(&self, beta: &DVector<f64>) -> DVector<f64> {
        let beta =
            DMatrix::from_column_slice(self.left.nrows(), self.right.nrows(), beta.as_slice());
        let here = self.left.tr_mul(&beta) * &self.right;
        DVector::from_column_slice(here.as_slice())
    }
}

/// An orthonormal basis of the rows of a matrix, as columns.
fn row_space(rows: DMatrix<f64>) -> DMatrix<f64> {
    let dimension = rows.ncols();
    let square = if rows.nrows() > dimension {
        rows.qr().r()
    } else {
        rows
    };
    let found = Singular::of(&square);
    let rank = found.rank(ROUNDING * dimension as f64);
    found.v.columns(0, rank).into_owned()
}

/// `X = U diag(σ) Vᵀ` of a matrix given column by column, with U and V of as many columns as the shorter side.
pub(super) struct Spectrum {
    shape: (usize, usize),
    /// Whether the matrix was transposed so that it is tall.
    turned: bool,
    /// Long side × short side; columns of singular values that are zero are zero.
    u: DMatrix<f64>,
    /// Short side × short side.
    v: DMatrix<f64>,
    /// Falling.
    pub(super) sigma: Vec<f64>,
}

/// How a metric acts on the parts of a matrix in singular bases.
pub(super) struct Weights {
    /// On the symmetric part of `UᵀMV`, i × j.
    symmetric: DMatrix<f64>,
    /// On its antisymmetric part.
    antisymmetric: DMatrix<f64>,
    /// On what is orthogonal to U, by column of V.
    outside: Vec<f64>,
}

impl Spectrum {
    pub(super) fn of(x: &DVector<f64>, (d, c): (usize, usize)) -> Self {
        let x = DMatrix::from_column_slice(d, c, x.as_slice());
        let turned = d < c;
        let tall = if turned { x.transpose() } else { x };
        let Singular { u, values, v } = Singular::of(&tall);
        Self {
            shape: (d, c),
            turned,
            u,
            v,
            sigma: values,
        }
    }

    /// How many singular values are more than rounding.
    pub(super) fn rank(&self) -> usize {
        let cut = ROUNDING * self.sigma.first().copied().unwrap_or(0.0);
        self.sigma.iter().filter(|sigma| **sigma > cut).count()
    }

    /// `U diag(f(σ)) Vᵀ`, with 0 in place of f where σ is rounding.
    pub(super) fn with_values(&self, f: impl Fn(f64) -> f64) -> DVector<f64> {
        let rank = self.rank();
        let values: Vec<f64> = (self.sigma.iter().enumerate())
            .map(|(i, sigma)| if i < rank { f(*sigma) } else { 0.0 })
            .collect();
        self.diagonal(&values)
    }

    /// `U diag(values) Vᵀ`.
    pub(super) fn diagonal(&self, values: &[f64]) -> DVector<f64> {
        let mut scaled = self.u.clone();
        for (mut column, value) in scaled.column_iter_mut().zip(values) {
            column *= *value;
        }
        self.flat(scaled * self.v.transpose())
    }

    /// The factors `U diag(σ)^{1/2}` and `V diag(σ)^{1/2}` of the largest `rank` singular values.
    pub(super) fn balanced_factors(&self, rank: usize) -> (DMatrix<f64>, DMatrix<f64>) {
        let scaled = |basis: &DMatrix<f64>| {
            let mut factor = basis.columns(0, rank).into_owned();
            for (mut column, sigma) in factor.column_iter_mut().zip(&self.sigma) {
                column *= sigma.sqrt();
            }
            factor
        };
        let (long, short) = (scaled(&self.u), scaled(&self.v));
        if self.turned {
            (short, long)
        } else {
            (long, short)
        }
    }

    fn flat(&self, tall: DMatrix<f64>) -> DVector<f64> {
        let matrix = if self.turned { tall.transpose() } else { tall };
        DVector::from_column_slice(matrix.as_slice())
    }

    /// The parts of the operator that is `apart(i, j)` on symmetric, `together(i, j)` on antisymmetric changes of
    /// singular values i and j, and `together(i, none)` outside of U.
    pub(super) fn weights(
        &self,
        apart: impl Fn(usize, usize) -> f64,
        together: impl Fn(usize, Option<usize>) -> f64,
    ) -> Weights {
        let k = self.sigma.len();
        Weights {
            symmetric: DMatrix::from_fn(k, k, &apart),
            antisymmetric: DMatrix::from_fn(k, k, |i, j| together(i, Some(j))),
            outside: (0..k).map(|i| together(i, None)).collect(),
        }
    }

    /// The operator applied to a matrix, given column by column.
    pub(super) fn apply(&self, weights: &Weights, m: &[f64]) -> DVector<f64> {
        let (d, c) = self.shape;
        let m = DMatrix::from_column_slice(d, c, m);
        let tall = if self.turned { m.transpose() } else { m };
        let right = &tall * &self.v;
        let inside = self.u.tr_mul(&right);
        let mut outside = right - &self.u * &inside;
        for (mut column, weight) in outside.column_iter_mut().zip(&weights.outside) {
            column *= *weight;
        }
        let turned = inside.transpose();
        let symmetric = (&inside + &turned).component_mul(&weights.symmetric) * 0.5;
        let antisymmetric = (inside - turned).component_mul(&weights.antisymmetric) * 0.5;
        self.flat((&self.u * (symmetric + antisymmetric) + outside) * self.v.transpose())
    }
}
