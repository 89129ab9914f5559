//! Equations of the margins: (1), and the moments of `z = c|u| + s̄h` below κ.
//!
//! z has the skew normal density `2 φ(z) Φ(cz/s̄)`. Below κ,
//!
//! ```text
//! P  = Pr(z < κ)   = Φ(κ) − 2 T(κ, cot θ) = Φ(κ cot θ) (2Φ(κ) − 1) + 2 T(κ cot θ, tan θ)
//! m  = E (κ − z)₊  = κ P + 2 φ(κ) Φ(cκ/s̄) − c √(2/π) Φ(κ/s̄)
//! t² = E (κ − z)₊² = κ m − c a + s̄² P,     a = E (κ − z)₊|u| = √(2/π) [κ Φ(κ/s̄) + s̄ φ(κ/s̄)] − c P
//! ```
//!
//! with Owen's function `T(h, tan ψ) = (1/2π) ∫_0^ψ exp(−h²/(2 cos²ϕ)) dϕ`, and integration by parts (Stein's identity
//! in h; in |u| with its boundary term). (1) is `c = α (P c + a)`.

use super::numerics::{density, distribution, gauss_legendre, root};
use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, TAU};
use std::sync::LazyLock;

/// √(2/π) = E|u|
const MEAN: f64 = 0.797_884_560_802_865_4;

static RULE: LazyLock<Vec<(f64, f64)>> = LazyLock::new(|| gauss_legendre(64));

/// The margins at one κ, with the c of (1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margins {
    /// α = N/D
    pub ratio: f64,
    /// Margin at unit norm per coordinate: that of β with ‖β‖² = D and samples of length about √D, divided by √D.
    pub kappa: f64,
    /// θ, radians; `c = cos θ`.
    pub angle: f64,
    /// P: the fraction of the samples that become support vectors.
    pub support: f64,
    /// t²
    pub square: f64,
}

impl Margins {
    /// The largest κ at which (1) has a solution: there c = 1.
    pub(crate) fn largest_kappa(ratio: f64) -> f64 {
        1.0 / (MEAN * ratio)
    }

    /// The margins at κ from 0 to the largest at which (1) has a solution.
    pub fn at(ratio: f64, kappa: f64) -> Self {
        let pull = |angle: f64| MEAN * mean_shortfall(kappa, angle.sin());
        // The left side of (1) falls and the right side rises with θ: one solution.
        let angle = root(|angle| angle.cos() - ratio * pull(angle), 0.0, FRAC_PI_2).unwrap_or(0.0);
        let (s, c) = angle.sin_cos();
        let support = below(kappa, angle);
        // Where s̄ = 0, the quotient κ/s̄ is infinite (κ > 0), as it should be.
        let over = kappa / s;
        let shortfall = kappa * support + 2.0 * density(kappa) * distribution(c * over)
            - c * MEAN * distribution(over);
        let weighted = pull(angle) - c * support;
        Self {
            ratio,
            kappa,
            angle,
            support,
            square: kappa * shortfall - c * weighted + s * s * support,
        }
    }

    /// `S = √(αt² + c²)`
    pub(crate) fn length(&self) -> f64 {
        (self.ratio * self.square + self.angle.cos().powi(2)).sqrt()
    }

    /// `q = αP`
    pub(crate) fn curvature(&self) -> f64 {
        self.ratio * self.support
    }
}

/// `E (κ − s̄h)₊`
fn mean_shortfall(kappa: f64, s: f64) -> f64 {
    let over = kappa / s;
    if over.is_finite() {
        kappa * distribution(over) + s * density(over)
    } else {
        kappa.max(0.0)
    }
}

/// P, on either side of 45° by the form whose integrand is smooth.
fn below(kappa: f64, angle: f64) -> f64 {
    if angle > FRAC_PI_4 {
        return distribution(kappa) - 2.0 * owen(kappa, FRAC_PI_2 - angle);
    }
    let far = kappa / angle.tan();
    if !far.is_finite() {
        return 2.0 * distribution(kappa) - 1.0;
    }
    distribution(far) * (2.0 * distribution(kappa) - 1.0) + 2.0 * owen(far, angle)
}

/// Owen's function T(h, tan ψ), 0 ≤ ψ ≤ π/4.
fn owen(h: f64, angle: f64) -> f64 {
    let integral: f64 = (RULE.iter())
        .map(|(x, w)| w * (-0.5 * (h / (x * angle).cos()).powi(2)).exp())
        .sum();
    angle * integral / TAU
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Moments by plain integration of the skew normal density.
    fn plain(kappa: f64, angle: f64) -> [f64; 3] {
        let (s, c) = angle.sin_cos();
        let rule = gauss_legendre(400);
        let from = -12.0;
        let mut moments = [0.0; 3];
        for (x, w) in rule {
            let z = from + (kappa - from) * x;
            let weight = w * (kappa - from) * 2.0 * density(z) * distribution(c / s * z);
            for (power, moment) in moments.iter_mut().enumerate() {
                *moment += weight * (kappa - z).powi(power as i32);
            }
        }
        moments
    }

    #[test]
    fn closed_forms_are_the_integrals() {
        for (ratio, kappa) in [
            (0.25, 0.0),
            (0.25, 2.1),
            (1.0, 0.6),
            (2.0, 0.4),
            (8.0, 0.1),
            (100.0, 0.01),
        ] {
            let margins = Margins::at(ratio, kappa);
            let [p, _, square] = plain(kappa, margins.angle);
            assert!((margins.support - p).abs() < 1e-12, "{margins:?}");
            assert!((margins.square - square).abs() < 1e-12, "{margins:?}");
        }
    }

    /// (1) as E[(κ − z)₊|u|] and P, in two dimensions.
    #[test]
    fn the_angle_meets_its_equation() {
        let (ratio, kappa) = (1.5, 0.5);
        let margins = Margins::at(ratio, kappa);
        let (s, c) = margins.angle.sin_cos();
        let rule = gauss_legendre(200);
        let (mut p, mut a) = (0.0, 0.0);
        for (x, w) in &rule {
            let u = 10.0 * x;
            let weight = w * 10.0 * 2.0 * density(u);
            // over h: Φ and its integral
            let edge = (kappa - c * u) / s;
            p += weight * distribution(edge);
            a += weight * u * s * (edge * distribution(edge) + density(edge));
        }
        assert!((c - ratio * (p * c + a)).abs() < 1e-12);
    }
}
