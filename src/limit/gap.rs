//! The duality gap as a sum of non-negative terms.
//!
//! In unit coordinates (`blocks`), with `z = Gᵀa`, `u_b = ‖x_b‖/ψ`, `w_b = ‖z_b‖/ψ*` (so `Σ u^p = Σ w^q = 1`),
//!
//! ```text
//! γ 1ᵀa · gap = ψψ* − γ 1ᵀa = (ψψ* − x·z) + Σ_n a_n (m_n − γ)
//! ψψ* − x·z = ψψ* Σ_b [ (u_b^p/p + w_b^q/q − u_b w_b)  +  ½ u_b w_b ‖x_b/‖x_b‖ − z_b/‖z_b‖‖² ]
//! ```
//!
//! Both parts of the bracket are non-negative: one by Young's inequality, the other as a square. Near the optimum
//! Young's deficit is a difference of nearly equal numbers, so it is computed from `r = ln(u^p/w^q)` as `w^q f(r)`,
//! `f(r) = e^r/p + 1/q − e^{r/p}` `= Σ_{k≥2} (1/p − 1/p^k) r^k/k!`. A rounding error η of the normalisations enters as
//! η·gap + η², because `Σ u^p − Σ u w` is itself the deficit, so gaps far below 1e-16 keep their digits. For p = 1,
//! `w_b = ‖z_b‖/max_c ‖z_c‖` and the bracket's first part is `u_b (1 − w_b)`.

use super::blocks::{UnitBlocks, length};
use super::doubled::{Doubled, DoubledVector};
use nalgebra::{DMatrix, DVector};

/// The gap for columns `g_n` in unit coordinates and x, a in doubled arithmetic; `None` if `γ ≤ 0` or `Gᵀa = 0`.
pub(super) fn gap(
    blocks: &UnitBlocks,
    columns: &DMatrix<f64>,
    x: &DoubledVector,
    multipliers: &DoubledVector,
) -> Option<f64> {
    let margins: Vec<Doubled> = columns.column_iter().map(|g| x.dot(g.as_slice())).collect();
    let smallest = margins
        .iter()
        .copied()
        .min_by(|a, b| a.minus(*b).total_cmp(&0.0))?;
    if smallest.value() <= 0.0 {
        return None;
    }
    let mut z = DoubledVector::zeros(columns.nrows());
    let (mut excess, mut total) = (0.0, 0.0);
    for (n, g) in columns.column_iter().enumerate() {
        let a = multipliers.get(n);
        if a.hi != 0.0 {
            z.add_scaled(a, g.as_slice());
            excess += a.hi * margins[n].minus(smallest);
            total += a.hi;
        }
    }
    let gap = (deficit(blocks, &x.hi, &z.hi) + excess) / (smallest.value() * total);
    gap.is_finite().then_some(gap)
}

/// `ψ(x)ψ*(z) − x·z ≥ 0`.
pub(super) fn deficit(blocks: &UnitBlocks, x: &DVector<f64>, z: &DVector<f64>) -> f64 {
    let (p, q) = (blocks.exponent, blocks.conjugate());
    let (x_norms, z_norms) = (blocks.norms(x), blocks.norms(z));
    let (psi, dual) = (length(&x_norms, p), length(&z_norms, q));
    if psi == 0.0 || dual == 0.0 {
        return 0.0;
    }
    let (x_unit, z_unit) = (blocks.directions(x), blocks.directions(z));
    let mut sum = 0.0;
    for (span, (u, w)) in blocks.spans.iter().zip(x_norms.iter().zip(&z_norms)) {
        let (u, w) = (u / psi, w / dual);
        sum += if q.is_infinite() {
            u * (1.0 - w)
        } else {
            young(u, w, p)
        };
        let turn = x_unit.rows(span.start, span.len) - z_unit.rows(span.start, span.len);
        sum += 0.5 * u * w * turn.norm_squared();
    }
    psi * dual * sum
}

/// `u^p/p + w^q/q − u w ≥ 0` for u, w ≥ 0 and p > 1, without cancellation.
fn young(u: f64, w: f64, p: f64) -> f64 {
    let q = p / (p - 1.0);
    if u == 0.0 || w == 0.0 {
        return u.powf(p) / p + w.powf(q) / q;
    }
    let r = p * u.ln() - q * w.ln();
    // Factor out the larger of the two powers, so that the exponential cannot overflow.
    if r <= 0.0 {
        w.powf(q) * convexity(r, p)
    } else {
        u.powf(p) * convexity(-r, q)
    }
}

/// `e^r/p + 1/q − e^{r/p}` for r ≤ 0.
fn convexity(r: f64, p: f64) -> f64 {
    if r < -0.5 {
        return r.exp_m1() / p - (r / p).exp_m1();
    }
    let mut term = r;
    let mut power = 1.0 / p;
    let mut sum = 0.0;
    for k in 2..18 {
        term *= r / f64::from(k);
        power /= p;
        sum += (1.0 / p - power) * term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Potential;
    use crate::spectrum::Basis;

    #[test]
    fn youngs_deficit_keeps_its_digits() {
        for p in [16.0 / 15.0, 4.0 / 3.0, 2.0, 3.0, 9.0] {
            let q = p / (p - 1.0);
            // Where nothing cancels the plain formula is exact.
            for (u, w) in [(0.9, 0.1), (0.2, 1.3), (1.0, 0.0), (0.0, 0.7)] {
                let plain = f64::powf(u, p) / p + f64::powf(w, q) / q - u * w;
                assert!(
                    (young(u, w, p) / plain - 1.0).abs() < 1e-11,
                    "p = {p}, {u} {w}"
                );
            }
            // Near u^p = w^q it is r²/(2pq) to first order, of either sign.
            for r in [1e-9, -1e-9, 1e-13] {
                let u = f64::powf(0.3, 1.0 / p) * f64::exp(r / p);
                let w = f64::powf(0.3, 1.0 / q);
                let expected = 0.3 * r * r / (2.0 * p * q);
                let error = 40.0 * (p + q) * f64::EPSILON / r.abs();
                assert!(
                    (young(u, w, p) / expected - 1.0).abs() < error,
                    "p = {p}, r = {r}"
                );
            }
            // The series and the closed form meet.
            let (a, b) = (convexity(-0.5, p), convexity(-0.5 - 1e-12, p));
            assert!((a / b - 1.0).abs() < 1e-10, "p = {p}: {a} {b}");
        }
    }

    #[test]
    fn the_deficit_is_the_holder_difference() {
        let x = DVector::from_vec(vec![0.3, -1.2, 0.7, 0.4, 2.0]);
        let z = DVector::from_vec(vec![0.5, -0.1, 0.9, -0.4, 1.0]);
        for p in [1.0, 8.0 / 7.0, 2.0, 5.0] {
            let potential = Potential::spectral(Basis::Fourier, 5, p, &[0.5, 1.0, 3.0]);
            let blocks = UnitBlocks::new(&potential);
            let plain = length(&blocks.norms(&x), p)
                * length(&blocks.norms(&z), blocks.conjugate())
                - x.dot(&z);
            let sum = deficit(&blocks, &x, &z);
            assert!((sum / plain - 1.0).abs() < 1e-13, "p = {p}: {sum} {plain}");
            // Zero at a gradient pair, and of second order next to it.
            if p > 1.0 {
                let z = blocks.gradient(&x, p);
                assert!(deficit(&blocks, &x, &z) < 1e-29);
                let tilt = |h: f64| {
                    let mut moved = x.clone();
                    moved[2] += h;
                    deficit(&blocks, &moved, &z)
                };
                let ratio = tilt(1e-8) / tilt(1e-9);
                assert!((ratio - 100.0).abs() < 1e-3, "p = {p}: {ratio}");
            }
        }
    }
}
