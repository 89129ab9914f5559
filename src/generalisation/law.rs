//! The distribution of the weights ω that fixed feedback gives to blocks.
//!
//! Under feedback alignment at depth L the potential is `Σ_d ω_d |β̂_d|^p` with `p = 2^L/(2^L − 1)` and
//! `ω = ∏_{l<L} |b̂_l|^{−2^{L−l}/(2^L−1)}`. Gaussian feedback has independent Gaussian b̂_l[d]: complex of
//! `E|b̂|² = 1`, or real. Then `−(2^L − 1) ln ω = Σ_l 2^{L−l} ln|b̂_l|` is a sum of independent terms, each a whole
//! multiple of the logarithm of one variable. The trapezoidal rule in that logarithm converges exponentially, all its
//! points lie on one lattice, and the law of the sum is a convolution on it: the error of an expectation is below
//! 1e-12.

use super::potential::BlockSize;
use crate::theory::predictor_degree;

/// How feedback entries are distributed, up to scale (which does not matter).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feedback {
    /// Real or circular complex Gaussian.
    Gaussian,
    /// Of modulus one.
    UnitModulus,
}

/// A discrete law of ω: values and their probabilities.
#[derive(Debug, Clone, PartialEq)]
pub struct Law(Vec<(f64, f64)>);

/// Spacing of the lattice of `ln |b̂|²`.
const SPACING: f64 = 0.25;
/// Where the density of `ln |b̂|²` is cut; below it lies probability `e^{−30}` (complex), `e^{−15}` (real, hence the
/// longer tail there).
const CUT: [f64; 2] = [60.0, 30.0];
/// Upper cut; above it lies probability `exp(−e^4/2)`.
const TOP: f64 = 4.5;

impl Law {
    /// ω = 1.
    pub fn constant() -> Self {
        Self(vec![(1.0, 1.0)])
    }

    /// The law at depth L.
    pub fn of_feedback(feedback: Feedback, block: BlockSize, depth: u32) -> Self {
        if feedback == Feedback::UnitModulus || depth < 2 {
            return Self::constant();
        }
        let (lowest, single) = logarithm(block);
        // Σ_l 2^{L−l−1} ln|b̂_l|², in lattice spacings from `least`.
        let (mut least, mut sum) = (0i64, vec![1.0]);
        for layer in 1..depth {
            let factor = 1usize << (depth - layer - 1);
            least += lowest * factor as i64;
            let mut next = vec![0.0; sum.len() + factor * (single.len() - 1)];
            for (i, p) in sum.iter().enumerate() {
                for (j, q) in single.iter().enumerate() {
                    next[i + factor * j] += p * q;
                }
            }
            sum = next;
        }
        let power = -1.0 / predictor_degree(depth as usize);
        let points = sum.iter().enumerate().filter(|(_, p)| **p > 1e-17);
        Self(
            points
                .map(|(i, p)| ((power * SPACING * (least + i as i64) as f64).exp(), *p))
                .collect(),
        )
    }

    pub(crate) fn is_constant(&self) -> bool {
        self.0.len() == 1
    }

    /// (ω, probability)
    pub(crate) fn points(&self) -> &[(f64, f64)] {
        &self.0
    }
}

/// `v = ln |b̂|²` on the lattice: index of the first point, probabilities. Density of v: `e^{v − e^v}` where b̂ is
/// complex (|b̂|² exponential), `√(e^v/2π) e^{−e^v/2}` where it is real.
fn logarithm(block: BlockSize) -> (i64, Vec<f64>) {
    let lowest = -(CUT[block.size() - 1] / SPACING) as i64;
    let highest = (TOP / SPACING) as i64;
    let density = |v: f64| match block {
        BlockSize::Pair => (v - v.exp()).exp(),
        BlockSize::Single => (0.5 * v - 0.5 * v.exp()).exp(),
    };
    let mut weights: Vec<f64> = (lowest..=highest)
        .map(|i| density(SPACING * i as f64))
        .collect();
    let total: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|w| *w /= total);
    (lowest, weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// E ω^k = ∏_l E|b̂_l|^{−k 2^{L−l}/(2^L−1)}: `E|b̂|^r = Γ(1 + r/2)` (complex), `2^{r/2} Γ((1 + r)/2)/√π` (real).
    #[test]
    fn moments_are_those_of_gaussians() {
        for block in [BlockSize::Single, BlockSize::Pair] {
            for depth in 2..=4 {
                let law = Law::of_feedback(Feedback::Gaussian, block, depth);
                let total: f64 = law.points().iter().map(|p| p.1).sum();
                assert!((total - 1.0).abs() < 1e-12);
                for power in [-2.0, -0.5, 0.5] {
                    let sum: f64 = (law.points().iter()).map(|(w, p)| p * w.powf(power)).sum();
                    let exact: f64 = (1..depth)
                        .map(|l| {
                            let r = -power * 2f64.powi((depth - l) as i32)
                                / (2f64.powi(depth as i32) - 1.0);
                            match block {
                                BlockSize::Pair => libm::tgamma(1.0 + r / 2.0),
                                BlockSize::Single => {
                                    // The scale of real entries is free; that of the lattice is 1.
                                    2f64.powf(r / 2.0) * libm::tgamma((1.0 + r) / 2.0)
                                        / std::f64::consts::PI.sqrt()
                                }
                            }
                        })
                        .product();
                    assert!(
                        (sum / exact - 1.0).abs() < 1e-6,
                        "{block:?}, L = {depth}, power {power}: {sum} and {exact}"
                    );
                }
            }
        }
    }
}
