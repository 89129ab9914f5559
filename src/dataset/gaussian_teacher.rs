//! Gaussian samples labelled by a linear teacher: separable by construction.

use super::{DataError, Dataset, standard_normals};
use nalgebra::{DMatrix, DVector};

/// `x_n ~ N(0, I_D)`, teacher `w* ~ N(0, I_D)`, `y_n = sign(x_n·w*)` (`+1` at zero).
///
/// The stream `gaussian-teacher` of `seed` is read in this order: the D entries of `w*`, then `x_1`, `x_2`, …, each
/// entry by entry. So a larger N adds samples without changing the others.
///
/// # Panics
/// If `dimension` or `samples` is zero.
///
/// ```
/// let data = marginflow::dataset::gaussian_teacher(8, 5, 1);
/// assert_eq!((data.len(), data.dimension()), (5, 8));
/// ```
pub fn gaussian_teacher(dimension: usize, samples: usize, seed: u64) -> Dataset {
    assert!(dimension > 0 && samples > 0, "empty data set");
    let teacher = gaussian_teacher_vector(dimension, seed);
    let stream = standard_normals("gaussian-teacher", seed).skip(dimension);
    let x = DMatrix::from_row_iterator(samples, dimension, stream.take(samples * dimension));
    let y = (&x * teacher).map(|score| if score < 0.0 { -1.0 } else { 1.0 });
    Dataset::new(x, y)
}

/// `x_n ~ N(0, I_D)`, teacher `W* ~ N(0, 1)` entry by entry (D × C), class `c_n = argmax_c (W*ᵀx_n)_c`: classes that a
/// linear predictor tells apart.
///
/// The stream `gaussian-teacher` of `seed` is read in this order: W* column by column, then `x_1`, `x_2`, …
///
/// # Errors
/// [`DataError`] if some class gets no sample, or there are fewer than two classes.
pub fn gaussian_class_teacher(
    dimension: usize,
    samples: usize,
    classes: usize,
    seed: u64,
) -> Result<Dataset, DataError> {
    let mut stream = standard_normals("gaussian-teacher", seed);
    let teacher: Vec<f64> = stream.by_ref().take(dimension * classes).collect();
    let teacher = DMatrix::from_vec(dimension, classes, teacher);
    let x = DMatrix::from_row_iterator(samples, dimension, stream.take(samples * dimension));
    let scores = &x * teacher;
    let labels: Vec<usize> = (scores.row_iter())
        .map(|scores| scores.transpose().argmax().0)
        .collect();
    Dataset::of_classes(x, &labels, classes)
}

/// The teacher w* that [`gaussian_teacher`] uses for this dimension and seed.
pub fn gaussian_teacher_vector(dimension: usize, seed: u64) -> DVector<f64> {
    let stream = standard_normals("gaussian-teacher", seed);
    DVector::from_iterator(dimension, stream.take(dimension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_samples_keep_the_first_ones() {
        let small = gaussian_teacher(6, 3, 9);
        let large = gaussian_teacher(6, 10, 9);
        assert_eq!(large.samples().rows(0, 3), small.samples().rows(0, 3));
        assert_eq!(large.labels().rows(0, 3), small.labels().rows(0, 3));
    }

    /// Scenarios depend on these numbers: a change here changes the result of every published scenario.
    #[test]
    fn draws_stay_what_they_are() {
        let data = gaussian_teacher(3, 2, 1);
        let expected = DMatrix::from_row_slice(
            2,
            3,
            &[
                -1.9693426176655042,
                -1.5913956842774115,
                -0.28525528080626866,
                1.0891569952052604,
                -0.940788346428434,
                0.6513977635525313,
            ],
        );
        assert_eq!(data.samples(), &expected);
        assert_eq!(data.labels().as_slice(), [-1.0, -1.0]);
    }

    #[test]
    fn the_teacher_tells_classes_apart() {
        let data = gaussian_class_teacher(6, 60, 3, 2).unwrap();
        let teacher = standard_normals("gaussian-teacher", 2).take(18).collect();
        let margins = data.signed_samples() * DVector::from_vec(teacher);
        assert_eq!(margins.len(), 120);
        assert!(margins.min() > 0.0);
        let refused = gaussian_class_teacher(6, 2, 3, 2).unwrap_err();
        assert!(
            matches!(refused, DataError::NoSample { count: 3, .. }),
            "{refused}"
        );
    }

    #[test]
    fn the_teacher_separates_the_samples() {
        let data = gaussian_teacher(7, 50, 4);
        let margins = data.signed_samples() * gaussian_teacher_vector(7, 4);
        assert!(margins.min() > 0.0);
        let positives = data.labels().iter().filter(|&&y| y == 1.0).count();
        assert!((10..40).contains(&positives), "{positives} of 50");
    }
}
