//! What a direction can prove about itself: duality gap, best multipliers, KKT residual, angle.

use super::doubled::{Doubled, DoubledVector};
use super::projection::{Precision, Projection};
use super::scaling::{ScaledSamples, largest, power_of_two};
use nalgebra::{DMatrix, DVector};

/// Samples with `g_n·β ≤ (1 + δ) γ` count as active in the KKT residual, δ = 0.01.
///
/// Along a run the normalised margins of support vectors agree like `e^{−s}` (`m_n = τ − p_n`, where the `p_n` of the
/// support differ by constants and `τ = e^s − 1`), so from s ≈ 7 on all of them are counted; earlier the residual is large because some are missing. A
/// sample outside the support is counted only if its margin in the limit is within one percent of the smallest, and
/// what it contributes then shows in [`KktResidual::complementarity`]. δ is fixed so that residuals of different runs
/// and times compare; a δ that shrank with s could not show a run that fails to equalise its margins.
pub const KKT_ACTIVE: f64 = 0.01;

/// How far β is from satisfying the optimality conditions of `min ½‖β‖² s.t. Gβ ≥ 1`.
#[derive(Debug, Clone)]
pub struct KktResidual {
    /// `min_λ ‖β/γ − Σ λ_n g_n‖ / ‖β/γ‖` over λ ≥ 0 on the active samples, in [0, 1].
    pub stationarity: f64,
    /// `Σ λ_n (g_n·β/γ − 1) / Σ λ_n`, in [0, δ] (zero if λ = 0): the mean excess margin of the samples used.
    pub complementarity: f64,
    /// The minimising λ, length N.
    pub multipliers: DVector<f64>,
    /// Indices of the active samples, increasing, from 0.
    pub active: Vec<usize>,
}

/// Certifies many directions on the same signed samples.
///
/// It remembers the active set (and its QR factors) of the last call, so that a sequence of nearby β, such as the saves of
/// a trajectory, costs little more than one product with `G` each. The free functions of this module are one-shot forms.
#[derive(Debug, Clone)]
pub struct Certifier {
    samples: ScaledSamples,
    cone: Projection,
}

/// β in scaled units with its margins.
struct Scaled {
    target: DVector<f64>,
    size: f64,
    margins: DVector<f64>,
    smallest: f64,
}

impl Certifier {
    /// For signed samples `G`, N × D.
    ///
    /// # Panics
    /// If an entry is not finite (readers and generators of data sets refuse those).
    pub fn new(signed_samples: &DMatrix<f64>) -> Self {
        let samples = ScaledSamples::new(signed_samples).expect("finite samples");
        let anchor = DVector::zeros(samples.columns.nrows());
        let cone = Projection::new(samples.columns.clone(), anchor, 0.0);
        Self { samples, cone }
    }

    /// As [`best_multipliers`].
    pub fn best_multipliers(&mut self, beta: &DVector<f64>) -> DVector<f64> {
        match self.scaled(beta) {
            Some(scaled) => {
                let fitted = self.fit(&scaled.target, scaled.active());
                fitted * (scaled.size / self.samples.unit)
            }
            None => DVector::zeros(self.samples.columns.ncols()),
        }
    }

    /// As [`duality_gap`].
    pub fn duality_gap(&self, beta: &DVector<f64>, multipliers: &DVector<f64>) -> Option<f64> {
        let (beta_size, multiplier_size) = (largest(beta), largest(multipliers));
        if !beta_size.is_finite()
            || !multiplier_size.is_finite()
            || multipliers.iter().any(|&a| a < 0.0)
            || multiplier_size == 0.0
        {
            return None;
        }
        let beta = beta / power_of_two(beta_size);
        let multipliers = multipliers / power_of_two(multiplier_size);
        gap(&self.samples.columns, &beta.into(), &multipliers.into())
    }

    /// As [`kkt_residual`].
    pub fn kkt_residual(&mut self, beta: &DVector<f64>) -> Option<KktResidual> {
        let scaled = self.scaled(beta)?;
        let allowed = scaled.active();
        let active = (0..allowed.len()).filter(|&n| allowed[n]).collect();
        let fitted = self.fit(&scaled.target, allowed);
        let total = fitted.sum();
        let excess = fitted
            .iter()
            .zip(scaled.margins.iter())
            .map(|(a, m)| a * (m / scaled.smallest - 1.0));
        Some(KktResidual {
            stationarity: self.cone.point().hi.norm() / scaled.target.norm(),
            complementarity: if total > 0.0 {
                excess.sum::<f64>() / total
            } else {
                0.0
            },
            multipliers: fitted / scaled.smallest / self.samples.unit / self.samples.unit,
            active,
        })
    }

    /// `None` unless β is finite and γ > 0.
    fn scaled(&self, beta: &DVector<f64>) -> Option<Scaled> {
        if !largest(beta).is_finite() {
            return None;
        }
        let size = scale(beta);
        let target = beta / size;
        let margins = self.samples.columns.tr_mul(&target);
        let smallest = margins.iter().copied().fold(f64::INFINITY, f64::min);
        (smallest > 0.0).then_some(Scaled {
            target,
            size,
            margins,
            smallest,
        })
    }

    /// `argmin_λ ‖target − Σ λ_n g_n‖` over λ ≥ 0 on the allowed samples, all in scaled units.
    fn fit(&mut self, target: &DVector<f64>, allowed: Vec<bool>) -> DVector<f64> {
        self.cone.allow(allowed);
        self.cone.set_anchor(-target);
        self.cone.run(Precision::Working);
        self.cone.multipliers().hi
    }
}

impl Scaled {
    /// `g_n·β ≤ (1 + δ) γ`.
    fn active(&self) -> Vec<bool> {
        let bound = self.smallest * (1.0 + KKT_ACTIVE);
        self.margins.iter().map(|&m| m <= bound).collect()
    }
}

/// Duality gap `(‖β‖/γ)(‖Gᵀa‖/1ᵀa) − 1` of any β with `γ = min_n g_n·β > 0` and any `a ≥ 0`, `a ≠ 0`: an upper bound on how
/// much larger the best margin is, relatively. `None` if γ ≤ 0, if some `a_n < 0`, if a = 0, or if an entry is not finite.
///
/// With `Z = Gᵀa` the gap is written as a sum of non-negative terms,
/// `[½‖β‖‖Z‖ ‖β/‖β‖ − Z/‖Z‖‖² + Σ a_n (g_n·β − γ)] / (γ 1ᵀa)`, margins and Z in doubled arithmetic: nothing cancels, nothing
/// is clamped, and gaps far below 1e-16 keep their digits.
pub fn duality_gap(
    signed_samples: &DMatrix<f64>,
    beta: &DVector<f64>,
    multipliers: &DVector<f64>,
) -> Option<f64> {
    Certifier::new(signed_samples).duality_gap(beta, multipliers)
}

/// The a ≥ 0 (length N), zero off the active samples (see [`KKT_ACTIVE`]), that minimises `‖Gᵀa − β‖`: multipliers with
/// which β certifies itself, with no solver involved. Zero if `γ = min g_n·β ≤ 0` (or β is not finite), when nothing can be
/// certified.
///
/// The restriction matters. With more samples than dimensions, β lies in the interior of the cone of *all* samples and is
/// reproduced exactly by many `a`, most of them on samples with large margins, where `Σ a_n (g_n·β − γ)` keeps the gap
/// near one however close β is to the limit. On the active samples that sum is at most `δ γ 1ᵀa`. (The multipliers with the
/// smallest gap are those of the limit itself, whatever β is.)
pub fn best_multipliers(signed_samples: &DMatrix<f64>, beta: &DVector<f64>) -> DVector<f64> {
    Certifier::new(signed_samples).best_multipliers(beta)
}

/// Relative distance of `β/γ` from the cone of the active samples (see [`KKT_ACTIVE`]); `None` if `γ = min g_n·β ≤ 0`.
pub fn kkt_residual(signed_samples: &DMatrix<f64>, beta: &DVector<f64>) -> Option<KktResidual> {
    Certifier::new(signed_samples).kkt_residual(beta)
}

/// Angle between two vectors in radians, `2 atan2(‖û − v̂‖, ‖û + v̂‖)` (Kahan): as accurate near 0 and π as elsewhere, where
/// the arc cosine of a product loses half the digits. A zero vector has no direction; its angle to anything is π/2.
///
/// # Panics
/// If the lengths differ.
pub fn angle(u: &[f64], v: &[f64]) -> f64 {
    assert_eq!(u.len(), v.len(), "vectors of one space");
    let (u, v) = (unit(u), unit(v));
    2.0 * norm(&(&u - &v)).atan2(norm(&(&u + &v)))
}

/// ‖v‖ without over- or underflow of the squares.
fn norm(v: &DVector<f64>) -> f64 {
    let scale = scale(v);
    scale * (v / scale).norm()
}

/// `v/‖v‖`; zero stays zero.
fn unit(v: &[f64]) -> DVector<f64> {
    let v = DVector::from_column_slice(v);
    let v = &v / scale(&v);
    let norm = v.norm();
    if norm == 0.0 { v } else { v / norm }
}

/// A power of two near the largest entry.
fn scale(v: &DVector<f64>) -> f64 {
    power_of_two(largest(v))
}

/// The gap of [`duality_gap`] for columns `g_n` (D × N) and β, a in doubled arithmetic; `None` if γ ≤ 0.
pub(super) fn gap(
    columns: &DMatrix<f64>,
    beta: &DoubledVector,
    multipliers: &DoubledVector,
) -> Option<f64> {
    let margins: Vec<Doubled> = columns
        .column_iter()
        .map(|g| beta.dot(g.as_slice()))
        .collect();
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
        z.add_scaled(a, g.as_slice());
        excess += a.hi * margins[n].minus(smallest);
        total += a.hi;
    }
    let product = beta.hi.norm() * z.hi.norm();
    let misfit = (unit(beta.hi.as_slice()) - unit(z.hi.as_slice())).norm_squared();
    Some((0.5 * product * misfit + excess) / (smallest.value() * total))
}

#[cfg(test)]
mod tests {
    use super::super::{Separability, max_margin};
    use super::*;
    use std::f64::consts::{FRAC_PI_2, PI};

    /// A fixed N × D matrix in general position, with a positive first column.
    fn samples(n: usize, d: usize) -> DMatrix<f64> {
        DMatrix::from_fn(n, d, |i, j| {
            let wave = ((i * i + 3 * i * j + 7 * j) as f64 * 0.7).sin();
            if j == 0 { 1.5 + wave } else { wave }
        })
    }

    #[test]
    fn gap_of_a_known_pair() {
        // G = identity, β = (1, 2), a = (1, 1): γ = 1, gap = √5 · √2 / 2 − 1.
        let g = DMatrix::identity(2, 2);
        let (beta, a) = (
            DVector::from_vec(vec![1.0, 2.0]),
            DVector::from_vec(vec![1.0, 1.0]),
        );
        let gap = duality_gap(&g, &beta, &a).unwrap();
        assert!((gap - (10f64.sqrt() / 2.0 - 1.0)).abs() < 1e-15);
        let huge = duality_gap(&(g * 1e-300), &(beta * 1e250), &(a * 1e200)).unwrap();
        assert!((gap - huge).abs() < 1e-15);
    }

    #[test]
    fn gap_near_zero_keeps_its_digits() {
        // β = (1, 1 + h): γ = 1, a = (1, 1): gap = √(1 + (1+h)²)/√2 − 1 = h/2 + h²/8 + …; with a = β the angle vanishes:
        // gap = (1 + (1+h)²)/(2 + h) − 1 = h(1+h)/(2+h).
        let g = DMatrix::identity(2, 2);
        let h = 2f64.powi(-45);
        let beta = DVector::from_vec(vec![1.0, 1.0 + h]);
        let even = duality_gap(&g, &beta, &DVector::from_element(2, 1.0)).unwrap();
        assert!((even / (h / 2.0) - 1.0).abs() < 1e-3, "{even:e}");
        let own = duality_gap(&g, &beta, &beta).unwrap();
        assert!((own / (h / 2.0) - 1.0).abs() < 1e-12, "{own:e}");
        let exact = DVector::from_element(2, 0.3);
        assert!(duality_gap(&g, &exact, &exact).unwrap() < 1e-30);
    }

    #[test]
    fn gap_needs_a_positive_margin_and_non_negative_multipliers() {
        let g = DMatrix::identity(2, 2);
        let one = DVector::from_element(2, 1.0);
        assert!(duality_gap(&g, &DVector::from_vec(vec![1.0, 0.0]), &one).is_none());
        assert!(duality_gap(&g, &one, &DVector::from_vec(vec![1.0, -1e-9])).is_none());
        assert!(duality_gap(&g, &one, &DVector::zeros(2)).is_none());
        assert!(duality_gap(&g, &(&one * f64::NAN), &one).is_none());
    }

    /// `w = β − Gᵀa` must satisfy `G w ≤ 0`, `a·Gw = 0`, `a ≥ 0`.
    fn assert_least_squares(g: &DMatrix<f64>, beta: &DVector<f64>, a: &DVector<f64>) {
        let rest = beta - g.tr_mul(a);
        let slope = g * &rest;
        let size = beta.norm() * g.norm();
        assert!(a.min() >= 0.0);
        assert!(slope.max() <= 1e-14 * size, "{:e}", slope.max() / size);
        for (a, slope) in a.iter().zip(slope.iter()) {
            assert!(*a == 0.0 || slope.abs() <= 1e-14 * size);
        }
    }

    fn fit_all(g: &DMatrix<f64>, beta: &DVector<f64>) -> DVector<f64> {
        let mut certifier = Certifier::new(g);
        certifier.fit(beta, vec![true; g.nrows()]) / certifier.samples.unit
    }

    #[test]
    fn the_fit_solves_the_least_squares_problem() {
        for (n, d) in [(1, 1), (3, 8), (8, 3), (40, 12), (30, 30)] {
            let g = samples(n, d);
            let beta = DVector::from_fn(d, |i, _| ((5 * i + n) as f64).cos() + 0.3);
            let a = fit_all(&g, &beta);
            assert_least_squares(&g, &beta, &a);
            let columns = ndarray::Array2::from_shape_fn((d, n), |(i, j)| g[(j, i)]);
            let target = ndarray::Array1::from_iter(beta.iter().copied());
            let (_, distance) = nnls::nnls(columns.view(), target.view());
            let ours = (&beta - g.tr_mul(&a)).norm();
            assert!(
                (ours - distance).abs() < 1e-12 * beta.norm(),
                "{ours} {distance}"
            );
            // A vector made of the samples is reproduced.
            let weights = DVector::from_fn(n, |i, _| (i % 3) as f64);
            let inside = g.tr_mul(&weights);
            let a = fit_all(&g, &inside);
            assert!((g.tr_mul(&a) - &inside).norm() <= 1e-14 * inside.norm());
        }
        let g = samples(6, 4);
        let outside = DVector::from_vec(vec![-100.0, 0.0, 0.0, 0.0]);
        assert_eq!(fit_all(&g, &outside), DVector::zeros(6));
        assert_eq!(fit_all(&g, &DVector::zeros(4)), DVector::zeros(6));
    }

    #[test]
    fn a_run_certifies_itself_with_more_samples_than_dimensions() {
        let g = samples(60, 4);
        let Separability::Separable(limit) = max_margin(&g) else {
            panic!("the first feature separates")
        };
        let mut certifier = Certifier::new(&g);
        for exponent in [3, 6, 9] {
            let h = 10f64.powi(-exponent);
            let beta = DVector::from_fn(4, |i, _| limit.beta[i] + h * (i as f64).cos()) * 1e20;
            let a = certifier.best_multipliers(&beta);
            let gap = certifier.duality_gap(&beta, &a).unwrap();
            assert!(gap < 30.0 * h, "{h:e}: {gap:e}");
            // Fitting all samples instead reproduces β just as well, and certifies nothing.
            let all = fit_all(&g, &(&beta / 1e20));
            assert!(certifier.duality_gap(&beta, &all).unwrap() > 0.1);
        }
        let backwards = -&limit.beta;
        assert_eq!(certifier.best_multipliers(&backwards), DVector::zeros(60));
    }

    #[test]
    fn a_warm_certifier_agrees_with_one_shot_calls() {
        let g = samples(40, 12);
        let mut certifier = Certifier::new(&g);
        let mut compared = 0;
        for step in 0..30 {
            let phase = 0.1 * f64::from(step);
            let wave = |i: usize| {
                if i == 0 {
                    40.0
                } else {
                    (phase + i as f64).sin()
                }
            };
            let beta = DVector::from_fn(12, |i, _| wave(i));
            let warm = certifier.fit(&beta, vec![true; 40]) / certifier.samples.unit;
            assert_least_squares(&g, &beta, &warm);
            let fits = [warm, fit_all(&g, &beta)].map(|a| g.tr_mul(&a));
            assert!((&fits[0] - &fits[1]).norm() <= 1e-13 * beta.norm());
            let beta = beta * 10f64.powi(step);
            if let Some(cold) = kkt_residual(&g, &beta) {
                let warm = certifier.kkt_residual(&beta).unwrap();
                assert!((warm.stationarity - cold.stationarity).abs() < 1e-13);
                assert_eq!(warm.active, cold.active);
                compared += 1;
            }
        }
        assert!(compared > 10, "{compared}");
    }

    #[test]
    fn kkt_residual_of_known_directions() {
        // Samples (1, ±1): optimum (1, 0). At angle φ only (1, −1) is active (φ > 0), at distance sin(π/4 + φ).
        let g = DMatrix::from_row_slice(2, 2, &[1.0, 1.0, 1.0, -1.0]);
        let best = kkt_residual(&g, &DVector::from_vec(vec![7.0, 0.0])).unwrap();
        assert!(best.stationarity < 1e-15 && best.complementarity == 0.0);
        assert_eq!(best.active, [0, 1]);
        assert!((best.multipliers - DVector::from_element(2, 0.5)).norm() < 1e-15);
        let phi: f64 = 0.2;
        let tilted = kkt_residual(&g, &DVector::from_vec(vec![phi.cos(), phi.sin()])).unwrap();
        assert_eq!(tilted.active, [1]);
        assert!((tilted.stationarity - (PI / 4.0 + phi).sin()).abs() < 1e-15);
        // Within δ both count; the second is used, and its excess margin shows.
        let phi: f64 = 1e-3;
        let near = kkt_residual(&g, &DVector::from_vec(vec![phi.cos(), phi.sin()])).unwrap();
        assert!(near.stationarity < 1e-15 && near.active.len() == 2);
        let excess = (1.0 + phi.tan()) / (1.0 - phi.tan()) - 1.0;
        assert!((near.complementarity - excess * 0.5 * (1.0 + phi.tan())).abs() < 1e-12);
        assert!(kkt_residual(&g, &DVector::from_vec(vec![1.0, 1.0])).is_none());
        assert!(kkt_residual(&g, &DVector::from_vec(vec![f64::INFINITY, 1.0])).is_none());
    }

    #[test]
    fn angles_from_tiny_to_opposite() {
        for phi in [1e-300, 1e-12, 1e-3, 1.0, 3.0] {
            let measured = angle(&[2.0, 0.0], &[5.0 * f64::cos(phi), 5.0 * f64::sin(phi)]);
            assert!((measured / phi - 1.0).abs() < 1e-14, "{phi} {measured}");
        }
        assert!(angle(&[1e300, 1e300], &[1e-300, 1e-300]) < 3e-16);
        assert_eq!(angle(&[1.0, 2.0], &[-1.0, -2.0]), PI);
        assert!((angle(&[0.0, 0.0], &[1.0, 0.0]) - FRAC_PI_2).abs() < 1e-15);
    }
}
