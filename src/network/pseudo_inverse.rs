//! The pseudo-inverse of matrices that may be anything.

use crate::singular::Singular;
use nalgebra::DMatrix;

/// The pseudo-inverse without singular values up to `cut(σ)` ≥ 0, σ the largest; `None` for matrices that are not
/// finite.
pub(crate) fn pseudo_inverse(
    matrix: DMatrix<f64>,
    cut: impl FnOnce(f64) -> f64,
) -> Option<DMatrix<f64>> {
    if !matrix.iter().all(|x| x.is_finite()) {
        return None;
    }
    let decomposition = Singular::of(&matrix);
    let largest = decomposition.values.first().copied().unwrap_or(0.0);
    Some(decomposition.pseudo_inverse(cut(largest)))
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
