//! How directions approach their limit where layers act entrywise.
//!
//! # Fixed feedback, complex entries
//! Near the limit write `Ẑ = r(ẑ* + ε r^{−a})`, r growing like `(log t)^{1/(2^L−1)}`. A relative change x + iy of `Ẑ_d`
//! changes the modulus of `β̂_d` by `(2^L − 1)x`, exactly as for real entries. Its phase behaves differently:
//! `Re φ_{l+1} ∝ |φ_l|²` and `Im φ_{l+1} ∝ Im ∫ φ_l^* dφ_l` (see `phases`) give, with `|φ_l| ∝ r^{2^{l−1}}` and Ẑ in
//! place of φ_1,
//!
//! ```text
//! arg φ_{l+1} = −2a/(2^l − a) · arg φ_l,      arg β̂ = T_L(a) y,      T_L(a) = 1 + Σ_{l=2}^{L} ∏_{j=2}^{l} (−2a/(2^{j−1} − a))
//! ```
//!
//! The change must not affect the margins of the support: `G_S M_a ε = 0`, where `M_a` multiplies the radial part of
//! each entry by `(2^L − 1)|β̂*/ẑ*|` and the tangential part by `T_L(a)|β̂*/ẑ*|`. What was learned outside the span of
//! the support forces ε with a = 1, the law `(log t)^{−1/(2^L−1)}`. But ε in the span, `ε = G_Sᵀ c`, is a free mode
//! where `K(a) = G_S M_a G_Sᵀ` is singular. K(0) is positive definite; the first a > 0 at which K is singular is the
//! slowest mode. (A mode that is tangential in every entry has `T_L(a) = 0` there and does not show in β.) For real
//! entries there is no free mode. `T_2 = (2 − 3a)/(2 − a)` turns negative at a = 2/3, so at L = 2 the slope may be
//! anything from −1/3 to −2/9; `T_3 > 0` on [0, 1], so at L = 3 the law holds; `T_4` is negative from a = 0.96.

use super::growth::predictor_degree;
use crate::limit::Limit;
use crate::network::{Architecture, SpectralLinear};
use crate::spectrum::Frequency;
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

/// How changes of the dual affect the margins of the support, as quadratic forms in its multipliers.
struct Forms {
    /// `Σ_d |β̂*_d/ẑ*_d| r_d r_dᵀ`, with `r_d` the samples' components along `ẑ*_d`.
    along: DMatrix<f64>,
    /// The same for the components across, where entries are complex.
    across: DMatrix<f64>,
}

/// Entries of β̂* below this fraction of the largest, and eigenvalues below it, count as zero.
const ZERO: f64 = 1e-9;

impl Forms {
    fn new(network: &SpectralLinear, signed_samples: &DMatrix<f64>, limit: &Limit) -> Self {
        let basis = network.basis();
        let support = basis.rows(&signed_samples.select_rows(&limit.support));
        let dual = basis.coordinates(&signed_samples.tr_mul(&limit.multipliers));
        let beta = basis.coordinates(&limit.beta);
        let frequencies = network.frequencies();
        let modulus = |x: &DVector<f64>, f: &Frequency| f.entry(x.as_slice()).norm();
        let moduli = frequencies.iter().map(|f| modulus(&beta, f));
        let largest_beta = moduli.fold(0.0, f64::max);
        let size = limit.support.len();
        let mut forms = Self {
            along: DMatrix::zeros(size, size),
            across: DMatrix::zeros(size, size),
        };
        for f in &frequencies {
            let (z, b) = (modulus(&dual, f), modulus(&beta, f));
            if b <= ZERO * largest_beta {
                continue;
            }
            let direction = dual.rows(f.start, f.len).normalize();
            let columns = support.columns(f.start, f.len);
            let along = columns * &direction;
            forms.along.ger(b / z, &along, &along, 1.0);
            if f.len == 2 {
                let across = columns * DVector::from_vec(vec![-direction[1], direction[0]]);
                forms.across.ger(b / z, &across, &across, 1.0);
            }
        }
        forms
    }
}

/// The smallest a in (0, `up_to`] of a mode that is visible in β; `None` if there is none. `up_to` must be below 2, the
/// first pole of T. `K(a) c = 0` where `T_L(a) = −k` for an eigenvalue k ≥ 0 of the pencil of the two forms. Modes with
/// k = 0 are tangential in every entry, and invisible in β since T = 0.
pub(super) fn slowest_mode(
    network: &SpectralLinear,
    signed_samples: &DMatrix<f64>,
    limit: &Limit,
    up_to: f64,
) -> Option<f64> {
    let depth = network.layout().depth();
    let forms = Forms::new(network, signed_samples, limit);
    let along = &forms.along * predictor_degree(depth);
    let k = pencil(&forms.across, &(&forms.across + &along))?
        .iter()
        .filter(|mu| **mu > ZERO)
        .map(|mu| (1.0 - mu) / mu)
        .filter(|k| *k > ZERO)
        .fold(f64::INFINITY, f64::min);
    let reached = |a: f64| phase_factor(depth, a) <= -k;
    let first = (1..=SCAN)
        .map(|i| up_to * i as f64 / SCAN as f64)
        .find(|&a| reached(a))?;
    let (mut low, mut high) = (first - up_to / SCAN as f64, first);
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if reached(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

/// Eigenvalues of `A x = μ B x` for symmetric A and positive definite B; `None` if B is not.
fn pencil(a: &DMatrix<f64>, b: &DMatrix<f64>) -> Option<DVector<f64>> {
    let lower = b.clone().cholesky()?.unpack();
    let half = lower.solve_lower_triangular(a)?;
    let whole = lower.solve_lower_triangular(&half.transpose())?;
    Some(whole.symmetric_eigenvalues())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T compared with the recursion integrated numerically: φ_1 = r e^{i y r^{−a}} and `φ_{l+1}' = φ_l^* φ_l'`.
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
