//! Named streams of standard normal numbers: the only source of randomness.
//!
//! A stream is a `Pcg64` (XSL-RR 128/64) whose 256-bit seed is SHA-256 of the ASCII text `marginflow/1 PURPOSE SEED`
//! with the seed in decimal, read by the ziggurat of `rand_distr::StandardNormal`. Hashing the purpose in means that
//! data, feedback and initial weights drawn with the same small seed are independent; with one generator per seed,
//! teacher and feedback vector would be the same numbers. The draws are part of what a scenario means, so golden
//! tests pin them.

use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;
use sha2::{Digest, Sha256};

/// Endless independent draws from `N(0, 1)`, a function of `purpose` and `seed` alone.
///
/// ```
/// use marginflow::dataset::standard_normals;
/// let first: Vec<f64> = standard_normals("feedback", 7).take(3).collect();
/// assert_eq!(first, standard_normals("feedback", 7).take(3).collect::<Vec<_>>());
/// assert_ne!(first, standard_normals("initial", 7).take(3).collect::<Vec<_>>());
/// ```
pub fn standard_normals(purpose: &str, seed: u64) -> impl Iterator<Item = f64> {
    let digest = Sha256::digest(format!("marginflow/1 {purpose} {seed}"));
    let mut generator = Pcg64::from_seed(digest.into());
    std::iter::repeat_with(move || generator.sample(StandardNormal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_standard_normal() {
        let n = 200_000;
        let draws: Vec<f64> = standard_normals("test", 1).take(n).collect();
        let moment = |k: i32| draws.iter().map(|x| x.powi(k)).sum::<f64>() / n as f64;
        // Five standard errors of each sample moment.
        let error = |variance: f64| 5.0 * (variance / n as f64).sqrt();
        assert!(moment(1).abs() < error(1.0));
        assert!((moment(2) - 1.0).abs() < error(2.0));
        assert!((moment(4) - 3.0).abs() < error(96.0));
    }

    #[test]
    fn draws_stay_what_they_are() {
        let draws: Vec<f64> = standard_normals("feedback", 7).take(3).collect();
        assert_eq!(
            draws,
            [1.9732306168609821, 1.1822508666848104, 0.24846244740983872]
        );
    }

    #[test]
    fn purposes_and_seeds_give_uncorrelated_streams() {
        let n = 50_000;
        let pairs = [
            (("feedback", 1), ("initial", 1)),
            (("feedback", 1), ("feedback", 2)),
            (("feedback", 11), ("feedback", 1)),
        ];
        for ((p, a), (q, b)) in pairs {
            let correlation = standard_normals(p, a)
                .zip(standard_normals(q, b))
                .take(n)
                .map(|(x, y)| x * y)
                .sum::<f64>()
                / n as f64;
            assert!(
                correlation.abs() < 5.0 / (n as f64).sqrt(),
                "{p} {a} {q} {b}"
            );
        }
    }
}
