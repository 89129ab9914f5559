//! Separable potentials as this theory describes them, and what it predicts.

use super::law::Law;
use super::margins::Margins;
use super::moments::{Moments, Response};
use super::numerics::root;

/// The coordinates under one absolute value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockSize {
    /// An entry.
    Single,
    /// Real and imaginary part of a Fourier coefficient. The two real coefficients of a real vector are negligible in
    /// high dimension.
    Pair,
}

impl BlockSize {
    /// Real dimensions.
    pub fn size(self) -> usize {
        match self {
            Self::Single => 1,
            Self::Pair => 2,
        }
    }
}

/// `ψ = Σ_b ω_b ‖β_b‖^p`, 1 ≤ p ≤ 2, ω_b drawn from a law.
#[derive(Debug, Clone, PartialEq)]
pub struct Blocks {
    pub block: BlockSize,
    /// p
    pub exponent: f64,
    pub law: Law,
}

impl Blocks {
    /// λ with `E x² = 1`, equation (2), and the moments there. `None` if there is no such λ ≥ 0.
    pub(super) fn normalised(&self, margins: &Margins) -> Option<(f64, Moments)> {
        let excess = |log_lambda: f64| self.moments(margins, log_lambda.exp()).square - 1.0;
        // E x² falls from S²/q² ≥ 1 at λ = 0 to 0.
        let (mut low, mut high) = (-1.0, 1.0);
        while excess(low) < 0.0 {
            if low < -60.0 {
                // no pull at all: the bias is that of the Euclidean norm
                return Some((0.0, self.moments(margins, 0.0)));
            }
            low *= 2.0;
        }
        while excess(high) > 0.0 {
            high *= 2.0;
            if high > 600.0 {
                return None;
            }
        }
        let lambda = root(excess, low, high)?.exp();
        Some((lambda, self.moments(margins, lambda)))
    }

    fn moments(&self, margins: &Margins, lambda: f64) -> Moments {
        let mut total = Moments::default();
        for (omega, probability) in self.law.points() {
            let response = Response {
                block: self.block,
                exponent: self.exponent,
                pull: omega * lambda,
                curvature: margins.curvature(),
                length: margins.length(),
            };
            let moments = response.moments();
            total.square += probability * moments.square;
            total.along += probability * moments.along;
        }
        total
    }
}

/// What the theory predicts for a minimiser.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// θ, the angle to the teacher, radians.
    pub angle: f64,
    /// κ: smallest margin of β at unit norm, over samples of variance 1 per coordinate.
    pub kappa: f64,
    /// The fraction of the samples that are support vectors.
    pub support: f64,
}

impl Prediction {
    pub(super) fn of(margins: &Margins) -> Self {
        Self {
            angle: margins.angle,
            kappa: margins.kappa,
            support: margins.support,
        }
    }

    /// Probability of error on a new sample, θ/π.
    pub fn error(&self) -> f64 {
        self.angle / std::f64::consts::PI
    }
}
