//! Bounds on fully connected networks under fixed feedback from any weights: the constant of Theorem 1.
//!
//! With `v_l = w_l b_l/‖b_l‖²` (`b_L = 1`, so that `v_L = w_L`) the rule conserves
//! `c_l = b_lᵀ v_{l+1} − ½‖b_l‖²‖v_l‖²`, and the part of w_l across b_l never moves:
//! `P_l = w_l(0)(1 − b_l b_lᵀ/‖b_l‖²)`. So the length x of the output layer bounds everything below it: `‖v_L‖ = x`,
//!
//! ```text
//! ½‖b_l‖²‖v_l‖² ≤ ‖b_l‖‖v_{l+1}‖ − c_l          ‖w_l‖² ≤ ‖P_l‖² + ‖b_l‖²‖v_l‖²          ‖β‖ ≤ x ∏_{l<L} ‖w_l‖ =: B(x)
//! ```
//!
//! `Z = v_1 − v_1(0)`, hence `‖Z‖ ≤ ρ + ‖v_1(0)‖` with ρ the bound on v_1. With `E = ½x² = (c/q)R^q` and
//! `E' = Σα_n m_n ≤ a'(B/Ψ + H)` ([`Sandwich`](super::Sandwich)) R obeys
//!
//! ```text
//! dR/da ≤ (B/Ψ + H)/(c R^n),  n = q − 1        R ≤ a/Ψ + C,  C = R(0) + ∫_{R(0)}^∞ (δ/(1 + δ))₊ dR,  1 + δ = (B + ΨH)/(c R^n)
//! ```
//!
//! From zero weights `B = c R^n` and `ρ = R`; from others they differ by relative terms of order `R^{−2}`, so that the
//! integral converges. docs/theory.md, section 5.

use super::OuterProducts;
use nalgebra::DMatrix;

/// What a network starts with that zero weights do not have; lists are of the layers l = 1 … L−1.
#[derive(Debug, Clone, PartialEq)]
pub struct OffZero {
    /// ‖b_l‖
    lengths: Vec<f64>,
    /// c_l
    conserved: Vec<f64>,
    /// ‖P_l‖
    across: Vec<f64>,
    /// ‖v_1(0)‖
    first: f64,
    /// ‖w_L(0)‖
    output: f64,
}

/// Step of the integral in ln R: the integrand is smooth there and vanishes exponentially on both sides.
const STEP: f64 = 0.01;

/// In ln R, how far beyond the scales of the problem the integral is followed: 1e-17 is left.
const TAIL: f64 = 40.0;

impl OffZero {
    /// Of weights `w_1 … w_L`.
    pub(super) fn of(weights: &[DMatrix<f64>], law: &OuterProducts) -> Self {
        let along = |l: usize| &weights[l] * &law.feedback[l] / law.feedback[l].norm_squared();
        let hidden = 0..weights.len() - 1;
        let conserved = |l: usize| {
            let b = &law.feedback[l];
            b.dot(&along(l + 1)) - 0.5 * b.norm_squared() * along(l).norm_squared()
        };
        let across = |l: usize| (&weights[l] - along(l) * law.feedback[l].transpose()).norm();
        Self {
            lengths: hidden.clone().map(|l| law.feedback[l].norm()).collect(),
            conserved: hidden.clone().map(conserved).collect(),
            across: hidden.map(across).collect(),
            first: along(0).norm(),
            output: weights[weights.len() - 1].norm(),
        }
    }

    /// An upper bound of ‖Z‖ at radius R.
    pub fn largest_z(&self, radius: f64) -> f64 {
        let ratio = self.at(radius).0;
        if ratio.is_finite() {
            return ratio * radius + self.first;
        }
        // where the closed form underflows: ½‖b_l‖²v_l² ≤ ‖b_l‖v_{l+1} − c_l from the output layer down, without it
        let mut closed = radius;
        for b in &self.lengths {
            closed = 0.5 * b * closed * closed;
        }
        let layers = self.lengths.iter().zip(&self.conserved).rev();
        let bound = layers.fold(closed, |v, (b, c)| (2.0 * (v - c / b) / b).max(0.0).sqrt());
        bound + self.first
    }

    /// Of the bounds at radius R: ρ/R, and `B/(cR^n) − 1`.
    fn at(&self, radius: f64) -> (f64, f64) {
        // the closed form from zero weights: V_1 = R, V_{l+1} = ½‖b_l‖V_l²
        let mut closed = vec![radius];
        for b in &self.lengths {
            let below = closed[closed.len() - 1];
            closed.push(0.5 * b * below * below);
        }
        // V_l = V_l(closed)(1 + t)
        let (mut t, mut log_excess) = (0.0f64, 0.0);
        for l in (0..self.lengths.len()).rev() {
            let b = self.lengths[l];
            // where there is nothing, also beside what underflows
            let over = |x: f64, closed: f64| if x == 0.0 { 0.0 } else { x / (b * closed) };
            let square = (t - over(self.conserved[l], closed[l + 1])).max(-1.0);
            log_excess += 0.5 * (square + over(self.across[l], closed[l]).powi(2)).ln_1p();
            t = square / (1.0 + (1.0 + square).sqrt());
        }
        (1.0 + t, log_excess.exp_m1())
    }

    /// Radii at which something that zero weights do not have is as large as what they have.
    fn scales(&self) -> Vec<f64> {
        let radius_of = |l: usize, length: f64| {
            let below = self.lengths[..l].iter().rev();
            below.fold(length, |v, b| (2.0 * v / b).sqrt())
        };
        let hidden = 0..self.lengths.len();
        let layers = hidden.flat_map(|l| {
            let b = self.lengths[l];
            [
                radius_of(l, self.across[l] / b),
                radius_of(l + 1, self.conserved[l].abs() / b),
            ]
        });
        layers.collect()
    }

    /// C, if `radius` is R of an output layer of a given length, `ln c` is `log_constant`, and `barrier` is ΨH.
    pub(super) fn constant(
        &self,
        radius: impl Fn(f64) -> f64,
        (log_constant, degree): (f64, f64),
        barrier: f64,
    ) -> f64 {
        let power = degree - 1.0;
        let start = if self.output > 0.0 {
            radius(self.output)
        } else {
            0.0
        };
        let mut scales = self.scales();
        scales.push(((barrier.ln() - log_constant) / power).exp());
        scales.push(start);
        let logs = scales.iter().filter(|r| **r > 0.0).map(|r| r.ln());
        let (low, high) = logs.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), y| {
            (a.min(y), b.max(y))
        });
        if low > high {
            return start;
        }
        let from = if start > 0.0 { start.ln() } else { low - TAIL };
        let count = ((high + TAIL - from) / STEP).ceil() as usize;
        let integrand = |y: f64| {
            let hull = (barrier.ln() - log_constant - power * y).exp();
            let excess = self.at(y.exp()).1 + hull;
            // the whole of it where the bound on β is infinitely larger
            let share = if excess.is_finite() {
                excess / (1.0 + excess)
            } else {
                1.0
            };
            share.max(0.0) * y.exp()
        };
        let sum: f64 = (0..=count)
            .map(|i| {
                let weight = if i == 0 || i == count { 0.5 } else { 1.0 };
                weight * integrand(from + STEP * i as f64)
            })
            .sum();
        start + STEP * sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{DVector, dmatrix, dvector};

    fn law() -> OuterProducts {
        OuterProducts {
            feedback: vec![dvector![0.6, -1.1], dvector![0.4, 0.9, -0.2], dvector![1.0]],
        }
    }

    fn zero() -> OffZero {
        let weights = [
            DMatrix::zeros(4, 2),
            DMatrix::zeros(2, 3),
            DMatrix::zeros(3, 1),
        ];
        OffZero::of(&weights, &law())
    }

    /// Without anything at the start B = cR^n, ρ = R, and C is that of the closed form.
    #[test]
    fn zero_weights_have_the_closed_form() {
        let start = zero();
        let (ratio, excess) = start.at(1.7);
        assert_eq!((ratio, excess), (1.0, 0.0));
        assert_eq!(start.largest_z(1.7), 1.7);
        let barrier = 0.9f64;
        let log_constant = 0.3;
        let found = start.constant(|_| unreachable!("R(0) = 0"), (log_constant, 8.0), barrier);
        let n = 7.0;
        let angle = std::f64::consts::PI / n;
        let expected = angle / angle.sin() * ((barrier.ln() - log_constant) / n).exp();
        assert!((found / expected - 1.0).abs() < 1e-12, "{found} {expected}");
    }

    /// All weights of a start are within the bounds that its own output layer sets.
    #[test]
    fn bounds_hold_at_the_start() {
        let weights = [
            dmatrix![0.3, -0.2; 1.0, 0.4; -0.6, 0.1; 0.2, 0.8],
            dmatrix![0.5, -0.3, 0.2; 0.1, 0.9, -0.7],
            dmatrix![0.8; -0.5; 1.3],
        ];
        let law = law();
        let start = OffZero::of(&weights, &law);
        let x = weights[2].norm();
        let lengths: Vec<f64> = law.feedback[..2].iter().map(DVector::norm).collect();
        // R from V_3 = x downwards
        let radius = lengths.iter().rev().fold(x, |v, b| (2.0 * v / b).sqrt());
        let (ratio, excess) = start.at(radius);
        let v_1 = (&weights[0] * &law.feedback[0] / law.feedback[0].norm_squared()).norm();
        assert!(
            v_1 <= ratio * radius * (1.0 + 1e-12),
            "{v_1} {}",
            ratio * radius
        );
        let beta = (&weights[0] * &weights[1] * &weights[2]).norm();
        // cR^n is x times the lengths of aligned layers
        let closed_2 = 0.5 * lengths[0] * radius * radius;
        let bound = (1.0 + excess) * x * lengths[0] * radius * lengths[1] * closed_2;
        assert!(beta <= bound, "{beta} {bound}");
        assert!(bound < 20.0 * beta, "and not useless: {beta} {bound}");
    }
}
