//! Gaussian samples with labels drawn independently of them: from N > 2D on, rarely separable (Cover 1965: by a
//! hyperplane through the origin with probability `2^{1−N} Σ_{k<D} C(N−1, k)`, a half at N = 2D).

use super::{Dataset, standard_normals};
use nalgebra::{DMatrix, DVector};

/// `x_n ~ N(0, I_D)`, `y_n = ±1` with equal probability, all independent.
///
/// The samples are those of [`gaussian_teacher`](super::gaussian_teacher) for the same seed (its stream, skipping the D
/// entries of the teacher); the label `y_n` is the sign of the n-th draw of the stream `random-labels`. So a larger N
/// adds samples without changing the others.
///
/// # Panics
/// If `dimension` or `samples` is zero.
///
/// ```
/// use marginflow::dataset::{gaussian_random_labels, gaussian_teacher};
/// let (random, taught) = (gaussian_random_labels(8, 5, 1), gaussian_teacher(8, 5, 1));
/// assert_eq!(random.samples(), taught.samples());
/// ```
pub fn gaussian_random_labels(dimension: usize, samples: usize, seed: u64) -> Dataset {
    assert!(dimension > 0 && samples > 0, "empty data set");
    let entries = standard_normals("gaussian-teacher", seed)
        .skip(dimension)
        .take(samples * dimension);
    let x = DMatrix::from_row_iterator(samples, dimension, entries);
    let coins = standard_normals("random-labels", seed)
        .take(samples)
        .map(|draw| if draw < 0.0 { -1.0 } else { 1.0 });
    Dataset::new(x, DVector::from_iterator(samples, coins))
}

#[cfg(test)]
mod tests {
    use super::super::gaussian_teacher;
    use super::*;
    use crate::limit::{Separability, max_margin};

    #[test]
    fn more_samples_keep_the_first_ones() {
        let small = gaussian_random_labels(6, 3, 9);
        let large = gaussian_random_labels(6, 10, 9);
        assert_eq!(large.samples().rows(0, 3), small.samples().rows(0, 3));
        assert_eq!(large.labels().rows(0, 3), small.labels().rows(0, 3));
    }

    /// Scenarios depend on these numbers: a change here changes the result of every published scenario.
    #[test]
    fn draws_stay_what_they_are() {
        let data = gaussian_random_labels(3, 8, 1);
        let taught = gaussian_teacher(3, 8, 1);
        assert_eq!(data.samples(), taught.samples());
        assert_eq!(data.samples()[(0, 0)], -1.9693426176655042);
        let labels = [-1.0, 1.0, -1.0, -1.0, 1.0, 1.0, -1.0, 1.0];
        assert_eq!(data.labels().as_slice(), labels);
    }

    #[test]
    fn coins_are_fair_and_know_nothing_of_the_samples() {
        let n = 10_000;
        let data = gaussian_random_labels(2, n, 5);
        // Five standard errors of a mean of n numbers of variance one.
        let error = 5.0 / (n as f64).sqrt();
        assert!(data.labels().mean().abs() < error);
        let correlations = data.signed_samples().row_mean();
        assert!(
            correlations.iter().all(|c| c.abs() < error),
            "{correlations}"
        );
    }

    /// Cover's count: with N = 2D half of all labellings are separable.
    #[test]
    fn half_of_all_labellings_are_separable_at_twice_the_dimension() {
        let seeds = 400;
        let separable = (0..seeds)
            .map(|seed| gaussian_random_labels(3, 6, seed))
            .filter(|data| {
                matches!(
                    max_margin(data.signed_samples()),
                    Separability::Separable(_)
                )
            })
            .count();
        // Five standard errors, √(seeds)/2 each.
        let expected = seeds as f64 / 2.0;
        let error = 2.5 * (seeds as f64).sqrt();
        assert!(
            (separable as f64 - expected).abs() < error,
            "{separable} of {seeds}"
        );
    }
}
