//! Classes of Gaussian samples around means of their own.

use super::{Dataset, standard_normals};
use nalgebra::DMatrix;

/// How samples of classes are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassMeans {
    /// D.
    pub dimension: usize,
    /// C ≥ 2.
    pub classes: usize,
    /// N ≥ C.
    pub samples: usize,
    /// Standard deviation σ of the samples around their mean, whose entries have standard deviation 1.
    pub spread: f64,
    /// Which draw.
    pub seed: u64,
}

/// `x_n = μ_{c_n} + σ ξ_n` with `μ_c, ξ_n ~ N(0, I_D)` and `c_n = n mod C`.
///
/// The stream `class-means` of the seed is read in this order: μ_0, μ_1, …, then ξ_0, ξ_1, …, each entry by entry. So a
/// larger N adds samples without changing the others.
///
/// # Panics
/// If there are fewer than two classes, fewer samples than classes, no dimension, or a spread that is not finite.
pub fn class_means(options: &ClassMeans) -> Dataset {
    let ClassMeans {
        dimension,
        classes,
        samples,
        spread,
        seed,
    } = *options;
    let mut stream = standard_normals("class-means", seed);
    let mut draw = |rows: usize| {
        DMatrix::from_row_iterator(
            rows,
            dimension,
            stream.by_ref().take(rows * dimension).collect::<Vec<f64>>(),
        )
    };
    let means = draw(classes);
    let mut x = draw(samples) * spread;
    let labels: Vec<usize> = (0..samples).map(|n| n % classes).collect();
    for (mut row, class) in x.row_iter_mut().zip(&labels) {
        row += means.row(*class);
    }
    Dataset::of_classes(x, &labels, classes)
        .expect("options of at least two classes, each with a sample")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_lie_around_the_mean_of_their_class() {
        let options = ClassMeans {
            dimension: 5,
            classes: 3,
            samples: 3000,
            spread: 0.5,
            seed: 4,
        };
        let data = class_means(&options);
        assert_eq!(data.samples_by_class(), Some(vec![1000; 3]));
        let means = class_means(&ClassMeans {
            samples: 3,
            spread: 0.0,
            ..options
        });
        for (n, x) in data.samples().row_iter().enumerate() {
            assert_eq!(data.class_of(n), n % 3);
            let distance = (x - means.samples().row(n % 3)).norm();
            assert!(distance < 0.5 * 5.0, "{distance}");
        }
        let mean = |class: usize| {
            let own: Vec<usize> = (0..3000).filter(|n| n % 3 == class).collect();
            data.samples().select_rows(&own).row_mean()
        };
        let apart = (mean(1) - means.samples().row(1)).norm();
        assert!(apart < 0.1, "{apart}");
        let more = class_means(&ClassMeans {
            samples: 4,
            ..options
        });
        assert_eq!(more.samples().row(3), data.samples().row(3));
    }
}
