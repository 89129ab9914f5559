//! Gaps, best multipliers and KKT residuals of any β before a Schatten potential.
//!
//! As for blocks, multipliers are fitted in the norm of the inverse Hessian of `Φ = Σ σ^p/p`, up to the factor
//! `1/(p − 1)`: in the singular bases of β the weight of singular values i and j is `(σ_i + σ_j)/(f_i + f_j)`,
//! `f = σ^{p−1}`. What vanishes for p = 1 where both do is what subgradients leave free there.

use super::super::certificate::{KKT_ACTIVE, KktResidual};
use super::super::potential::Potential;
use super::super::projection::{Precision, Projection};
use super::super::scaling::{largest, power_of_two};
use super::newton::gap;
use super::spectrum::{Frame, Spectrum, norm};
use nalgebra::{DMatrix, DVector};

/// Certifies many β on the same rows.
#[derive(Clone)]
pub(in crate::limit) struct MatrixCertifier {
    shape: (usize, usize),
    exponent: f64,
    /// Rows of G as columns, divided by `unit`.
    columns: DMatrix<f64>,
    unit: f64,
    frame: std::sync::Arc<Frame>,
    /// The same columns in the frame.
    framed: DMatrix<f64>,
    members: Vec<usize>,
    last: Option<(DVector<f64>, Fit)>,
}

/// Multipliers fitted for one β.
#[derive(Debug, Clone)]
struct Fit {
    /// With `Σ λ_n g_n ≈ ∇Φ(x)` of the scaled x.
    multipliers: DVector<f64>,
    stationarity: f64,
}

/// β in the frame, scaled, with its margins.
struct Scaled {
    x: DVector<f64>,
    size: f64,
    margins: DVector<f64>,
    smallest: f64,
}

impl std::fmt::Debug for MatrixCertifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "MatrixCertifier({:?}, p = {})",
            self.shape, self.exponent
        )
    }
}

impl MatrixCertifier {
    pub(in crate::limit) fn new(signed_samples: &DMatrix<f64>, potential: &Potential) -> Self {
        let shape = potential.matrix.unwrap_or((signed_samples.ncols(), 1));
        let unit = power_of_two(largest(signed_samples.iter()));
        let scaled = signed_samples / unit;
        let frame = Frame::of(&scaled, shape);
        Self {
            shape,
            exponent: potential.exponent,
            framed: frame.columns(&scaled),
            frame: std::sync::Arc::new(frame),
            columns: scaled.transpose(),
            unit,
            members: Vec::new(),
            last: None,
        }
    }

    /// See [`Certifier::duality_gap`](super::super::Certifier::duality_gap).
    pub(in crate::limit) fn duality_gap(
        &self,
        beta: &DVector<f64>,
        multipliers: &DVector<f64>,
    ) -> Option<f64> {
        gap_in_data_units(
            &self.columns,
            self.shape,
            self.exponent,
            (beta, multipliers),
        )
    }

    /// See [`Certifier::best_multipliers`](super::super::Certifier::best_multipliers).
    pub(in crate::limit) fn best_multipliers(&mut self, beta: &DVector<f64>) -> DVector<f64> {
        let Some(scaled) = self.scaled(beta) else {
            return DVector::zeros(self.columns.ncols());
        };
        let factor = self.gradient_scale(&scaled) * (scaled.size / self.unit);
        self.fit(beta, &scaled).multipliers * factor
    }

    /// See [`Certifier::kkt_residual`](super::super::Certifier::kkt_residual).
    pub(in crate::limit) fn kkt_residual(&mut self, beta: &DVector<f64>) -> Option<KktResidual> {
        let scaled = self.scaled(beta)?;
        let active = scaled.active();
        let fit = self.fit(beta, &scaled);
        let total = fit.multipliers.sum();
        let excess: f64 = (fit.multipliers.iter().zip(scaled.margins.iter()))
            .map(|(a, m)| a * (m / scaled.smallest - 1.0))
            .sum();
        Some(KktResidual {
            stationarity: fit.stationarity,
            complementarity: if total > 0.0 { excess / total } else { 0.0 },
            multipliers: fit.multipliers * self.gradient_scale(&scaled)
                / scaled.smallest
                / self.unit
                / self.unit,
            active: (0..active.len()).filter(|n| active[*n]).collect(),
        })
    }

    fn scaled(&self, beta: &DVector<f64>) -> Option<Scaled> {
        let size = largest(beta.iter());
        if !size.is_finite() || size == 0.0 {
            return None;
        }
        let size = power_of_two(size);
        let margins = self.columns.tr_mul(&(beta / size));
        let smallest = margins.min();
        (smallest > 0.0).then(|| Scaled {
            x: self.frame.point(&(beta / size)),
            size,
            margins,
            smallest,
        })
    }

    /// `∇(½ψ²) = ψ^{2−p} ∇Φ`.
    fn gradient_scale(&self, scaled: &Scaled) -> f64 {
        let sigma = Spectrum::of(&scaled.x, self.frame.shape()).sigma;
        norm(&sigma, self.exponent).powf(2.0 - self.exponent)
    }

    fn fit(&mut self, beta: &DVector<f64>, scaled: &Scaled) -> Fit {
        if let Some((last, fit)) = &self.last
            && last == beta
        {
            return fit.clone();
        }
        let p = self.exponent;
        let spectrum = Spectrum::of(&scaled.x, self.frame.shape());
        let sigma = spectrum.sigma.clone();
        let rank = spectrum.rank();
        let slope = |i: usize| {
            if i < rank {
                sigma[i].powf(p - 1.0)
            } else {
                0.0
            }
        };
        let weight = |i: usize, j: Option<usize>| {
            let (s, f) = (
                sigma[i] + j.map_or(0.0, |j| sigma[j]),
                slope(i) + j.map_or(0.0, slope),
            );
            if f > 0.0 { (s / f).sqrt() } else { 0.0 }
        };
        let half = spectrum.weights(|i, j| weight(i, Some(j)), weight);
        let gradient = spectrum.with_values(|s| s.powf(p - 1.0));
        let target = spectrum.apply(&half, gradient.as_slice());
        let active = scaled.active();
        let mut weighted = DMatrix::zeros(self.framed.nrows(), self.framed.ncols());
        for (n, g) in self.framed.column_iter().enumerate() {
            if active[n] {
                weighted.set_column(n, &spectrum.apply(&half, g.as_slice()));
            }
        }
        let mut cone = Projection::new(weighted, -&target, 0.0);
        cone.allow(active);
        cone.start_from(&self.members);
        cone.run(Precision::Working);
        self.members = cone.members().to_vec();
        let fit = Fit {
            multipliers: cone.multipliers().hi,
            stationarity: cone.point().hi.norm() / target.norm(),
        };
        self.last = Some((beta.clone(), fit.clone()));
        fit
    }
}

/// The gap of β and multipliers of any size before rows of G as columns, DC × N, in units that make them of order one;
/// `None` for p < 1, multipliers that are negative or zero, and what is not finite.
pub(super) fn gap_in_data_units(
    columns: &DMatrix<f64>,
    shape: (usize, usize),
    exponent: f64,
    (beta, multipliers): (&DVector<f64>, &DVector<f64>),
) -> Option<f64> {
    let (beta_size, size) = (largest(beta.iter()), largest(multipliers.iter()));
    let refused = exponent < 1.0
        || !beta_size.is_finite()
        || !size.is_finite()
        || size == 0.0
        || multipliers.iter().any(|a| *a < 0.0);
    if refused {
        return None;
    }
    let x = beta / power_of_two(beta_size);
    let a = multipliers / power_of_two(size);
    let gap = gap(columns, shape, exponent, (&x, &a));
    gap.is_finite().then_some(gap)
}

impl Scaled {
    /// `g_n·β ≤ (1 + δ) γ`.
    fn active(&self) -> Vec<bool> {
        let bound = self.smallest * (1.0 + KKT_ACTIVE);
        self.margins.iter().map(|m| *m <= bound).collect()
    }
}
