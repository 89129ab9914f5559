//! Singular values and vectors, each to its own relative accuracy.
//!
//! One-sided Jacobi rotations (Hestenes 1958; Demmel and Veselić 1992) make the columns of a tall matrix orthogonal;
//! their lengths are the singular values. Powers of singular values, as potentials of matrices have them, need the
//! small ones as exactly as the large ones, and matrices here are often of deficient rank, where bidiagonalisation by
//! nalgebra 0.35 may lose all but four digits. They are small: columns are as many as classes.

use nalgebra::DMatrix;

/// Most sweeps over all pairs of columns; eight are usual.
const SWEEPS: usize = 60;

/// Cosines of angles between columns that count as orthogonal.
const ORTHOGONAL: f64 = 2.0 * f64::EPSILON;

/// `X = U diag(σ) Vᵀ`, with as many columns as the shorter side of X.
#[derive(Debug, Clone)]
pub struct Singular {
    /// Rows of X × k; columns of zero singular values are zero.
    pub u: DMatrix<f64>,
    /// Falling.
    pub values: Vec<f64>,
    /// Columns of X × k; columns of zero singular values are zero where X is wide.
    pub v: DMatrix<f64>,
}

impl Singular {
    /// The decomposition of a matrix of finite entries.
    ///
    /// ```
    /// use marginflow::singular::Singular;
    /// use nalgebra::dmatrix;
    /// let found = Singular::of(&dmatrix![3.0, 0.0; 0.0, 0.0; 4.0, 0.0]);
    /// assert_eq!(found.values, [5.0, 0.0]);
    /// ```
    pub fn of(x: &DMatrix<f64>) -> Self {
        if x.nrows() < x.ncols() {
            let Self { u, values, v } = Self::of(&x.transpose());
            return Self { u: v, values, v: u };
        }
        let size = x.amax();
        if size == 0.0 || !size.is_finite() {
            let k = x.ncols();
            return Self {
                u: DMatrix::zeros(x.nrows(), k),
                values: vec![size; k],
                v: DMatrix::identity(k, k),
            };
        }
        let mut columns = x / size;
        let mut v = DMatrix::identity(x.ncols(), x.ncols());
        for _ in 0..SWEEPS {
            if !sweep(&mut columns, &mut v) {
                break;
            }
        }
        sorted(&columns, &v, size)
    }

    /// How many singular values are more than this share of the largest.
    ///
    /// ```
    /// use marginflow::singular::Singular;
    /// use nalgebra::dmatrix;
    /// assert_eq!(Singular::of(&dmatrix![1.0, 2.0; 2.0, 4.0]).rank(1e-9), 1);
    /// ```
    pub fn rank(&self, share: f64) -> usize {
        let cut = share * self.values.first().copied().unwrap_or(0.0);
        self.values.iter().filter(|sigma| **sigma > cut).count()
    }

    /// `X⁺`, with singular values up to `cut` taken for zero.
    pub fn pseudo_inverse(&self, cut: f64) -> DMatrix<f64> {
        let rank = self.values.iter().filter(|sigma| **sigma > cut).count();
        let mut scaled = self.v.columns(0, rank).into_owned();
        for (mut column, sigma) in scaled.column_iter_mut().zip(&self.values) {
            column /= *sigma;
        }
        scaled * self.u.columns(0, rank).transpose()
    }
}

/// Rotates every pair of columns; whether any was not orthogonal.
fn sweep(columns: &mut DMatrix<f64>, v: &mut DMatrix<f64>) -> bool {
    let mut rotated = false;
    for i in 0..columns.ncols() {
        for j in i + 1..columns.ncols() {
            let (a, b) = (
                columns.column(i).norm_squared(),
                columns.column(j).norm_squared(),
            );
            let c = columns.column(i).dot(&columns.column(j));
            if c == 0.0 || c.abs() <= ORTHOGONAL * (a.sqrt() * b.sqrt()) {
                continue;
            }
            rotated = true;
            let zeta = (b - a) / (2.0 * c);
            let t = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
            let cosine = 1.0 / t.hypot(1.0);
            let sine = cosine * t;
            for matrix in [&mut *columns, &mut *v] {
                for row in 0..matrix.nrows() {
                    let (x, y) = (matrix[(row, i)], matrix[(row, j)]);
                    matrix[(row, i)] = cosine * x - sine * y;
                    matrix[(row, j)] = sine * x + cosine * y;
                }
            }
        }
    }
    rotated
}

/// Orthogonal columns as unit vectors times falling lengths.
fn sorted(columns: &DMatrix<f64>, v: &DMatrix<f64>, size: f64) -> Singular {
    let lengths: Vec<f64> = columns.column_iter().map(|x| x.norm()).collect();
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by(|i, j| lengths[*j].total_cmp(&lengths[*i]));
    let mut u = columns.select_columns(&order);
    for mut column in u.column_iter_mut() {
        let length = column.norm();
        if length > 0.0 {
            column /= length;
        }
    }
    Singular {
        u,
        values: order.iter().map(|i| lengths[*i] * size).collect(),
        v: v.select_columns(&order),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::standard_normals;

    fn orthonormal(seed: u64, rows: usize, columns: usize) -> DMatrix<f64> {
        let draws = standard_normals("singular tests", seed).take(rows * columns);
        DMatrix::from_iterator(rows, columns, draws).qr().q()
    }

    /// Spectra from 1 down to 1e-12, and exact zeros, in tall and wide matrices.
    #[test]
    fn known_spectra_are_found_again() {
        for seed in 0..200 {
            let sigma: [f64; 3] = match seed % 3 {
                0 => [1.0, 0.93, 0.0],
                1 => [1.0, 1e-6, 1e-12],
                _ => [2.0, 2.0, 2.0],
            };
            let (a, b) = (orthonormal(seed, 6, 3), orthonormal(seed + 1000, 4, 3));
            let x = &a * DMatrix::from_diagonal(&sigma.to_vec().into()) * b.transpose();
            for x in [x.clone(), x.transpose()] {
                let found = Singular::of(&x);
                for (found, sigma) in found.values.iter().zip(sigma) {
                    assert!((found - sigma).abs() < 1e-15 * 4.0, "{found:e} {sigma:e}");
                }
                let middle = DMatrix::from_diagonal(&found.values.clone().into());
                let back = &found.u * middle * found.v.transpose();
                assert!((back - &x).amax() < 4e-15);
                let inverse = found.pseudo_inverse(1e-9);
                let again = &x * &inverse * &x;
                let kept = sigma.into_iter().filter(|sigma| *sigma > 1e-9);
                let rounding = 1e-14 / kept.fold(1.0, f64::min);
                assert!((again - &x).amax() < rounding.max(2e-12));
            }
        }
    }

    /// Columns of very different sizes keep the relative accuracy of the small ones.
    #[test]
    fn graded_columns_keep_their_digits() {
        let q = orthonormal(3, 5, 3);
        let mut x = q.clone();
        for (mut column, size) in x.column_iter_mut().zip([1.0, 1e-20, 1e-40]) {
            column *= size;
        }
        let found = Singular::of(&x).values;
        for (found, size) in found.iter().zip([1.0, 1e-20, 1e-40]) {
            assert!((found / size - 1.0).abs() < 1e-14, "{found:e}");
        }
        assert_eq!(Singular::of(&DMatrix::zeros(3, 2)).values, [0.0, 0.0]);
    }
}
