//! How directions approach their limit where layers act entry by entry with complex entries.
//!
//! From zero weights `β̂ = W-scaled Ẑ φ_2 ⋯ φ_L` per frequency (see `phases`). Near the limit write
//! `Ẑ = r(ẑ* + ε r^{−a})` with r growing like `(log t)^{1/(2^L−1)}`. A relative change x + iy of Ẑ changes the modulus of β̂ by
//! `(2^L − 1)x`, exactly as for real entries. Its phase is another matter: `Re φ_{l+1} ∝ |φ_l|²` and
//! `Im φ_{l+1} ∝ Im ∫ φ_l^* dφ_l` give, with `|φ_l| ∝ r^{2^{l−1}}`,
//!
//! ```text
//! phase of φ_{l+1} = −2a/(2^l − a) · (phase of φ_l),  "phase of φ_1" = y,   so  phase of β̂ = T_L(a) y,
//! T_L(a) = 1 + Σ_{l=2}^{L} ∏_{j=2}^{l} (−2a/(2^{j−1} − a))
//! ```
//!
//! The margins of the support must not feel the change: `G_S M_a ε = 0`, where `M_a` multiplies the radial part of
//! each entry by `(2^L − 1)|β̂*/ẑ*|` and the tangential part by `T_L(a)|β̂*/ẑ*|`. What was learned off the span of the support
//! forces ε with a = 1, the law `(log t)^{−1/(2^L−1)}`. But ε in the span, `ε = G_Sᵀ c`, goes free where
//! `K(a) = G_S M_a G_Sᵀ` is singular. K(0) is positive definite; the first a > 0 at which K is not is the slowest mode. For real
//! entries there is none. `T_2 = (2 − 3a)/(2 − a)` turns negative at a = 2/3, so at L = 2 the slope may be anything in
//! (−1/3, −2/9); `T_3 > 0` on [0, 1], so at L = 3 the law holds; `T_4` is negative from a = 0.96.

use crate::limit::Limit;
use crate::network::SpectralLinear;
use nalgebra::{DMatrix, DVector};

/// Points of the scan for the first zero.
const SCAN: usize = 100;

/// `T_L(a)`
fn phase_factor(depth: usize, a: f64) -> f64 {
    let mut product = 1.0;
    let mut sum = 1.0;
    for l in 2..=depth {
        product *= -2.0 * a / (2f64.powi(l as i32 - 1) - a);
        sum += product;
    }
    sum
}

/// The smallest a in (0, `up_to`] at which `K(a)` ceases to be positive definite; `None` if there is none. `up_to` must be below 2,
/// the first pole of T.
pub fn slowest_mode(
    network: &SpectralLinear,
    signed_samples: &DMatrix<f64>,
    limit: &Limit,
    up_to: f64,
) -> Option<f64> {
    let basis = network.basis();
    let depth = network.shapes().len();
    let support = basis.rows(&signed_samples.select_rows(&limit.support));
    let dual = basis.coordinates(&signed_samples.tr_mul(&limit.multipliers));
    let beta = basis.coordinates(&limit.beta);
    let radial = 2f64.powi(depth as i32) - 1.0;
    // G_S times the square roots of the radial and tangential weights
    let (mut along, mut across) = (Vec::new(), Vec::new());
    for f in network.frequencies() {
        let (z, b) = (dual.rows(f.start, f.len), beta.rows(f.start, f.len));
        if z.norm() == 0.0 {
            continue;
        }
        let weight = (b.norm() / z.norm()).sqrt();
        let direction: DVector<f64> = z / z.norm();
        let columns = support.columns(f.start, f.len);
        along.push(columns * &direction * (weight * radial.sqrt()));
        if f.len == 2 {
            let turned = DVector::from_vec(vec![-direction[1], direction[0]]);
            across.push(columns * turned * weight);
        }
    }
    if across.is_empty() {
        return None;
    }
    let along = DMatrix::from_columns(&along);
    let across = DMatrix::from_columns(&across);
    let (kept, shifted) = (&along * along.transpose(), &across * across.transpose());
    let definite = |a: f64| {
        (&kept + &shifted * phase_factor(depth, a))
            .cholesky()
            .is_some()
    };
    let first = (1..=SCAN)
        .map(|k| up_to * k as f64 / SCAN as f64)
        .find(|&a| !definite(a))?;
    let (mut low, mut high) = (first - up_to / SCAN as f64, first);
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if definite(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T against the recursion integrated numerically: φ_1 = r e^{i y r^{−a}} and `φ_{l+1}' = φ_l^* φ_l'`.
    #[test]
    fn phase_factor_is_what_the_recursion_does() {
        use num_complex::Complex64;
        for (depth, a) in [(2, 0.3), (2, 0.9), (3, 0.7), (4, 0.95)] {
            let y: f64 = 1e-4;
            // from r = e^{−40} with exact starting phases, in ln r
            let steps = 400_000;
            let at = |k: usize| (-20.0 + 40.0 * k as f64 / f64::from(steps)).exp();
            let first = |r: f64| Complex64::from_polar(r, y * r.powf(-a) * at(0).powf(a));
            let mut layers: Vec<Complex64> = Vec::new();
            let mut factor = 1.0;
            for l in 2..=depth {
                factor *= -2.0 * a / (2f64.powi(l - 1) - a);
                let modulus = 2.0 * (at(0) / 2.0).powi(1 << (l - 1));
                layers.push(Complex64::from_polar(modulus, y * factor));
            }
            let mut before = first(at(0));
            for k in 1..=steps as usize {
                let now = first(at(k));
                let (mut old, mut new) = (before, now);
                for layer in &mut layers {
                    let change = (0.5 * (old + new)).conj() * (new - old);
                    let kept = *layer;
                    *layer += change;
                    (old, new) = (kept, *layer);
                }
                before = now;
            }
            let phase = before.arg() + layers.iter().map(|l| l.arg()).sum::<f64>();
            let expected = phase_factor(depth as usize, a) * before.arg();
            let size = before.arg().abs();
            assert!(
                (phase - expected).abs() < 1e-3 * size,
                "{depth} {a}: {phase} {expected}"
            );
        }
    }

    #[test]
    fn phase_factors_change_sign_where_they_should() {
        assert!((phase_factor(2, 2.0 / 3.0)).abs() < 1e-15);
        assert!((1..=100).all(|k| phase_factor(3, f64::from(k) / 100.0) > 0.3));
        assert!(phase_factor(4, 0.95) > 0.0 && phase_factor(4, 0.97) < 0.0);
        assert_eq!(phase_factor(1, 0.5), 1.0);
    }
}
