//! Bounds from both sides on what the first layer learns under fixed feedback.
//!
//! Let `a = 1ᵀA` be all multipliers accumulated so far, ψ the potential whose minimum Ψ subject to `Gβ ≥ 1` is the
//! limit (`limit`), ψ* its dual, `q = 2^L`, and R the radius at which the closed form with real entries would give an
//! output layer as long as the run's, `½‖w_L‖² = (c/q) R^q`. Then at all times
//!
//! ```text
//! a/Ψ ≤ ψ*(Z) ≤ R ≤ a/Ψ + C,      C = (π/n)/sin(π/n) · (Ψ H/c)^{1/n},   n = q − 1
//! ```
//!
//! with H = ln N for the exponential loss and ln 2N for the logistic one. As a → ∞, Z/a tends to the point of the
//! convex hull of the `g_n` where ψ* is least, and with it β to its limit, whatever the phases do along the way:
//! Theorem 2 (corrected) without assumptions. That is from zero weights. The same holds for fully connected networks,
//! `c` then holding the lengths of the feedback and ψ being ‖·‖₂; from other weights, which only they may have, R
//! bounds ‖Z‖ up to a constant and lower orders, and C is another one ([`OffZero`]). docs/theory.md, section 5, has the
//! proofs. With C outputs it holds for Schatten norms (section 12): singular values take the place of moduli, Fan
//! and Hoffman's inequality that of `Re φ ≤ |φ|`, and H = ln N(C − 1).

use super::growth::{potential_degree, predictor_degree};
use super::{Alignment, OffZero, Theory};
use crate::loss::Loss;
use crate::problem::Problem;
use std::f64::consts::PI;

/// What the bounds are made of, apart from the limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Sandwich {
    /// `q = 2^L`.
    pub degree: f64,
    /// `ln c` of `½‖w_L‖² = (c/q) R^q`.
    pub log_constant: f64,
    /// H, in nats.
    pub entropy: f64,
    /// What the weights start with, unless that is zero.
    pub off_zero: Option<OffZero>,
}

impl Sandwich {
    /// R of an output layer of this length.
    pub fn radius(&self, output_norm: f64) -> f64 {
        let log_energy = 2.0 * output_norm.ln() - 2f64.ln();
        ((log_energy + self.degree.ln() - self.log_constant) / self.degree).exp()
    }

    /// An upper bound of ψ*(Z) at radius R: R itself from zero weights.
    pub fn largest_dual(&self, radius: f64) -> f64 {
        let off_zero = self.off_zero.as_ref();
        off_zero.map_or(radius, |start| start.largest_z(radius))
    }

    /// C, if the least value of ψ on `Gβ ≥ 1` is `least`.
    pub fn constant(&self, least: f64) -> f64 {
        if let Some(start) = &self.off_zero {
            let law = (self.log_constant, self.degree);
            return start.constant(|norm| self.radius(norm), law, least * self.entropy);
        }
        let n = self.degree - 1.0;
        let log_scale = (least * self.entropy).ln() - self.log_constant;
        (PI / n) / (PI / n).sin() * (log_scale / n).exp()
    }
}

/// `ln c₀`, `c₀ = 2^{−(2^L−L−1)}`: the constant of the closed form with feedback of length one.
fn log_constant(depth: usize) -> f64 {
    -(predictor_degree(depth) - depth as f64) * 2f64.ln()
}

/// The bounds for a problem, given what else theory says of it.
pub(super) fn of(problem: &Problem, theory: &Theory) -> Option<Sandwich> {
    if !theory.errors.are_fixed() {
        return None;
    }
    let samples = problem.dataset().rows() as f64;
    let entropy = match problem.loss() {
        loss if loss == Loss::Exponential => samples.ln(),
        loss if loss == Loss::Logistic => (2.0 * samples).ln(),
        _ => return None,
    };
    let depth = problem.network().depth();
    let from_zero = problem.theta0().amax() == 0.0;
    let power = |l: usize| potential_degree(depth - l);
    let lengths = match (&theory.alignment, &theory.class_alignment) {
        (Some(Alignment::OuterProducts(law)), _) => {
            let hidden = law.feedback[..depth - 1].iter().zip(1..);
            hidden.map(|(b, l)| power(l) * b.norm().ln()).sum()
        }
        // here the lengths are the weights of ψ
        (Some(Alignment::Frequencies(_)), _) if from_zero => 0.0,
        // only where feedback is isotropic is there a potential
        (None, Some(law)) if theory.potential().is_some() => {
            let hidden = law.lengths().into_iter().zip(1..);
            hidden.map(|(length, l)| power(l) * length.ln()).sum()
        }
        _ => return None,
    };
    let log_constant = log_constant(depth) + lengths;
    let off_zero = match &theory.alignment {
        Some(Alignment::OuterProducts(law)) if !from_zero => {
            let weights = problem.network().weights(problem.theta0().as_slice());
            Some(OffZero::of(&weights, law))
        }
        _ => None,
    };
    log_constant.is_finite().then_some(Sandwich {
        degree: potential_degree(depth),
        log_constant,
        entropy,
        off_zero,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sandwich(depth: usize, entropy: f64) -> Sandwich {
        Sandwich {
            degree: potential_degree(depth),
            log_constant: log_constant(depth),
            entropy,
            off_zero: None,
        }
    }

    /// φ_{L+1} at radius r by the recursion φ_2 = ½r², φ_{l+1} = ½φ_l² is `½w_L²` of one entry with b = 1.
    #[test]
    fn the_radius_inverts_the_recursion() {
        for depth in 2..=5 {
            let mut phi: f64 = 0.5 * 1.7 * 1.7;
            for _ in 2..depth {
                phi = 0.5 * phi * phi;
            }
            let radius = sandwich(depth, 1.0).radius(phi);
            assert!((radius - 1.7).abs() < 1e-14, "{depth}: {radius}");
        }
    }

    /// The worst that the bound on R' allows: dR/dx = 1 + K/R^n from R = 0, whose excess over x tends to C.
    #[test]
    fn the_constant_is_what_the_differential_inequality_adds_up_to() {
        for (depth, least, entropy) in [(2, 0.7, 1.6), (3, 2.5, 0.7), (4, 0.3, 3.0)] {
            let law = sandwich(depth, entropy);
            let n = law.degree - 1.0;
            let k = least * entropy / law.log_constant.exp();
            // excess = ∫ K/(ρ^n + K) dρ; the substitution ρ = u/(1−u) makes the range finite
            let count = 200_000;
            let excess: f64 = (0..count)
                .map(|i| {
                    let u = (f64::from(i) + 0.5) / f64::from(count);
                    let rho = u / (1.0 - u);
                    k / (rho.powf(n) + k) / (1.0 - u).powi(2) / f64::from(count)
                })
                .sum();
            let constant = law.constant(least);
            assert!(
                (excess / constant - 1.0).abs() < 1e-6,
                "{depth}: {excess} {constant}"
            );
        }
    }
}
