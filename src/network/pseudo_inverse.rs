//! The pseudo-inverse of matrices that may be anything.

use nalgebra::{DMatrix, SVD};

/// Rounds of the iteration for singular values, per row and column: it takes two or three.
const MOST_ROUNDS: usize = 100;

/// The pseudo-inverse without singular values up to `cut(σ)` ≥ 0, σ the largest; `None` for matrices that are not
/// finite, on which the iteration for singular values would never end, and where it does not converge.
pub(crate) fn pseudo_inverse(
    matrix: DMatrix<f64>,
    cut: impl FnOnce(f64) -> f64,
) -> Option<DMatrix<f64>> {
    if !matrix.iter().all(|x| x.is_finite()) {
        return None;
    }
    let rounds = MOST_ROUNDS * (matrix.nrows() + matrix.ncols());
    let decomposition = SVD::try_new(matrix, true, true, 5.0 * f64::EPSILON, rounds)?;
    let cut = cut(decomposition.singular_values.max());
    decomposition.pseudo_inverse(cut).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::dmatrix;

    #[test]
    fn what_is_not_finite_has_none() {
        for x in [f64::NAN, f64::INFINITY] {
            assert!(pseudo_inverse(dmatrix![1.0, x; 0.0, 1.0], |_| 1e-12).is_none());
        }
        let inverse =
            pseudo_inverse(dmatrix![2.0, 0.0; 0.0, 1e-15], |largest| 1e-12 * largest).unwrap();
        assert!((inverse - dmatrix![0.5, 0.0; 0.0, 0.0]).amax() < 1e-15);
    }
}
