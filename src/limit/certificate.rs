//! Certificates computed from a direction alone: duality gap, best multipliers, KKT residual.
//!
//! Everything is computed in unit coordinates x (`blocks`), where `Φ = Σ_b ‖x_b‖^p/p`. Multipliers are fitted in the
//! norm
//!
//! ```text
//! ‖v‖_x² = Σ_b ‖x_b‖^{2−p} ‖v_b‖²  =  Σ_b κ_b⁻¹ ‖β_b‖^{2−p} ‖V_b‖²  (V in the coordinates of β),      ‖∇Φ(x)‖_x² = Σ_b ‖x_b‖^p = ψ^p
//! ```
//!
//! which is the norm of the inverse Hessian of Φ, up to the factor `1/(p − 1)` on radial errors: to second order,
//! `ψψ* − x·z ≤ ½ max(1, q − 1) ‖z − ∇Φ(x)‖_x²`, so a fit whose residual is of first order certifies a gap of second
//! order. At p = 2 it is the Euclidean norm. Where `x_b = 0` and p > 2 the weight would be infinite; `‖x_b‖` counts as
//! at least `min(1e-3, 1e-16^{1/(p−2)})` of the largest, since smaller blocks do not contribute to ψ.

use super::blocks::{UnitBlocks, length};
use super::gap::gap;
use super::potential::Potential;
use super::projection::{Precision, Projection};
use super::scaling::{ScaledSamples, largest, power_of_two};
use super::schatten::MatrixCertifier;
use super::stationary::support_blocks;
use nalgebra::{DMatrix, DVector};

/// Samples with `g_n·β ≤ (1 + δ) γ` count as active in the KKT residual, δ = 0.01.
///
/// Along a run the normalised margins of support vectors agree like `e^{−s}` (`m_n = τ − p_n`, where the `p_n` of the
/// support differ by constants and `τ = e^s − 1`), so from s ≈ 7 on all of them count as active; earlier the residual
/// is large because some are missing. A sample outside the support counts only if its margin in the limit is within
/// one percent of the smallest, and its contribution then shows in [`KktResidual::complementarity`]. δ is fixed so
/// that residuals of different runs and times are comparable; a δ that shrank with s would hide a run that fails to
/// equalise its margins.
pub const KKT_ACTIVE: f64 = 0.01;

/// How far β is from satisfying the optimality conditions of `min ψ(β) s.t. Gβ ≥ 1`.
#[derive(Debug, Clone)]
pub struct KktResidual {
    /// `min_λ ‖∇Φ − Gᵀλ‖_x / ‖∇Φ‖_x` over λ ≥ 0 on the active samples, in [0, 1], in the norm of the module. For p = 2
    /// it is `min_λ ‖β/γ − Σ λ_n g_n‖ / ‖β/γ‖`; for p < 1 only the blocks of the support are used (see
    /// [`stationary_residual`](super::stationary_residual())).
    pub stationarity: f64,
    /// `Σ λ_n (g_n·β/γ − 1) / Σ λ_n`, in [0, δ] (zero if λ = 0): the mean excess margin of the samples used.
    pub complementarity: f64,
    /// The minimising λ, length N, in the scale `Gᵀλ ≈ ∇(½ψ²)(β/γ)`.
    pub multipliers: DVector<f64>,
    /// Indices of the active samples, increasing, from 0.
    pub active: Vec<usize>,
}

/// Certifies many directions on the same signed samples.
///
/// It remembers the active set of the last call (for p = 2 with its QR factors), so that a sequence of nearby β, such
/// as the saves of a trajectory, costs little more than one product with `G` each; and the fit of the last β, which
/// multipliers and residual share. The free functions of this module are one-shot versions for the Euclidean case.
#[derive(Debug, Clone)]
pub struct Certifier(Kind);

/// What the potential's norm is made of.
#[derive(Debug, Clone)]
enum Kind {
    Blocks(Box<BlockCertifier>),
    /// Singular values.
    Matrix(Box<MatrixCertifier>),
}

/// The certifier of a potential of blocks.
#[derive(Debug, Clone)]
struct BlockCertifier {
    blocks: UnitBlocks,
    samples: ScaledSamples,
    cone: Projection,
    last: Option<(DVector<f64>, Fit)>,
}

/// β in scaled unit coordinates, with its margins.
struct Scaled {
    x: DVector<f64>,
    size: f64,
    margins: DVector<f64>,
    smallest: f64,
}

/// Multipliers fitted for one β.
#[derive(Debug, Clone)]
struct Fit {
    /// In scaled units: `Σ λ_n g_n ≈ ∇Φ(x)`.
    multipliers: DVector<f64>,
    stationarity: f64,
}

impl Certifier {
    /// For signed samples `G` (N × D, original coordinates) and any potential of `R^D`.
    ///
    /// # Panics
    /// If an entry is not finite (readers and generators of data sets refuse those), or the dimensions differ.
    pub fn new(signed_samples: &DMatrix<f64>, potential: &Potential) -> Self {
        assert_eq!(
            signed_samples.ncols(),
            potential.dimension(),
            "a potential of R^D"
        );
        Self(match potential.matrix {
            None => Kind::Blocks(Box::new(BlockCertifier::new(signed_samples, potential))),
            Some(_) => Kind::Matrix(Box::new(MatrixCertifier::new(signed_samples, potential))),
        })
    }

    /// The a ≥ 0 (length N), zero off the active samples (see [`KKT_ACTIVE`]), that minimises `‖Gᵀa − ∇Φ‖_x`, in the
    /// scale `Gᵀa ≈ ∇(½ψ²)(β)`: multipliers with which β certifies itself, without any solver. Zero if nothing can be
    /// certified: if `γ = min g_n·β ≤ 0`, or β is not finite or not confined to the usable blocks.
    ///
    /// The restriction to active samples matters. With more samples than dimensions, the gradient lies in the interior
    /// of the cone of *all* samples and is reproduced exactly by many `a`, most of them on samples with large margins,
    /// where `Σ a_n (g_n·β − γ)` keeps the gap near one however close β is to the limit. On the active samples that sum
    /// is at most `δ γ 1ᵀa`. (The multipliers with the smallest gap are those of the limit itself, whatever β is.)
    ///
    /// For p = 1 the blocks near zero only require `‖z_b‖ ≤ 1`, a constraint that the fit ignores; where more samples
    /// are active than the other blocks determine, it may violate that. Then the fit is repeated on the samples within
    /// `10⁻² δ, 10⁻⁴ δ, …` of γ, and the multipliers with the smallest gap are returned.
    pub fn best_multipliers(&mut self, beta: &DVector<f64>) -> DVector<f64> {
        match &mut self.0 {
            Kind::Blocks(certifier) => certifier.best_multipliers(beta),
            Kind::Matrix(certifier) => certifier.best_multipliers(beta),
        }
    }

    /// Duality gap `(ψ(β)/γ)(ψ*(Gᵀa)/1ᵀa) − 1` of any β with `γ = min_n g_n·β > 0` and any `a ≥ 0`, `a ≠ 0`: a
    /// relative upper bound on how much larger the best γ/ψ is. `None` if γ ≤ 0, if some `a_n < 0`, if a = 0, if an
    /// entry is not finite, if β has more than rounding in a block of infinite weight, and for p < 1.
    ///
    /// The gap is computed as a sum of non-negative terms, with margins and `Gᵀa` in doubled arithmetic (see module
    /// `gap`): nothing cancels, nothing is clamped, and gaps far below 1e-16 keep their digits. Before a Schatten norm
    /// it is the plain formula, to the rounding of singular values.
    pub fn duality_gap(&self, beta: &DVector<f64>, multipliers: &DVector<f64>) -> Option<f64> {
        match &self.0 {
            Kind::Blocks(certifier) => certifier.duality_gap(beta, multipliers),
            Kind::Matrix(certifier) => certifier.duality_gap(beta, multipliers),
        }
    }

    /// How far β is from stationarity; `None` unless `γ = min g_n·β > 0`, and β is finite and confined to the usable
    /// blocks. Independent of the length of β.
    pub fn kkt_residual(&mut self, beta: &DVector<f64>) -> Option<KktResidual> {
        match &mut self.0 {
            Kind::Blocks(certifier) => certifier.kkt_residual(beta),
            Kind::Matrix(certifier) => certifier.kkt_residual(beta),
        }
    }
}

impl BlockCertifier {
    fn new(signed_samples: &DMatrix<f64>, potential: &Potential) -> Self {
        let blocks = UnitBlocks::new(potential);
        let size = power_of_two(largest(signed_samples.iter()));
        let columns = blocks.columns(&(signed_samples / size));
        let mut samples = ScaledSamples::new(&columns.transpose()).expect("finite samples");
        samples.unit *= size;
        let anchor = DVector::zeros(blocks.len());
        let cone = Projection::new(samples.columns.clone(), anchor, 0.0);
        Self {
            blocks,
            samples,
            cone,
            last: None,
        }
    }

    fn best_multipliers(&mut self, beta: &DVector<f64>) -> DVector<f64> {
        let Some(scaled) = self.scaled(beta) else {
            return DVector::zeros(self.samples.columns.ncols());
        };
        let scale = self.gradient_scale(&scaled) * (scaled.size / self.samples.unit);
        let mut best = self.fit(beta, &scaled).multipliers;
        if self.blocks.exponent == 1.0 {
            let gap_of = |a: &DVector<f64>| {
                let (x, a) = (scaled.x.clone().into(), a.clone().into());
                gap(&self.blocks, &self.samples.columns, &x, &a).unwrap_or(f64::INFINITY)
            };
            let mut smallest = gap_of(&best);
            let mut active = scaled.active(KKT_ACTIVE);
            for exponent in 1..=6 {
                let fewer = scaled.active(KKT_ACTIVE * 100f64.powi(-exponent));
                if fewer == active {
                    continue;
                }
                let (_, mut cone) = self.cone_at(&scaled, &fewer);
                cone.run(Precision::Working);
                let multipliers = cone.multipliers().hi;
                let gap = gap_of(&multipliers);
                if gap < smallest {
                    (smallest, best) = (gap, multipliers);
                }
                active = fewer;
            }
        }
        best * scale
    }

    fn duality_gap(&self, beta: &DVector<f64>, multipliers: &DVector<f64>) -> Option<f64> {
        let (beta_size, multiplier_size) = (largest(beta), largest(multipliers));
        if self.blocks.exponent < 1.0
            || !beta_size.is_finite()
            || !multiplier_size.is_finite()
            || multipliers.iter().any(|&a| a < 0.0)
            || multiplier_size == 0.0
            || self.blocks.leaves_out(beta)
        {
            return None;
        }
        let x = self.blocks.point(&(beta / power_of_two(beta_size)));
        let x = &x / power_of_two(largest(&x));
        let multipliers = multipliers / power_of_two(multiplier_size);
        gap(
            &self.blocks,
            &self.samples.columns,
            &x.into(),
            &multipliers.into(),
        )
    }

    fn kkt_residual(&mut self, beta: &DVector<f64>) -> Option<KktResidual> {
        let scaled = self.scaled(beta)?;
        let allowed = scaled.active(KKT_ACTIVE);
        let active = (0..allowed.len()).filter(|&n| allowed[n]).collect();
        let fit = self.fit(beta, &scaled);
        let total = fit.multipliers.sum();
        let excess = fit
            .multipliers
            .iter()
            .zip(scaled.margins.iter())
            .map(|(a, m)| a * (m / scaled.smallest - 1.0));
        Some(KktResidual {
            stationarity: fit.stationarity,
            complementarity: if total > 0.0 {
                excess.sum::<f64>() / total
            } else {
                0.0
            },
            multipliers: fit.multipliers * self.gradient_scale(&scaled)
                / scaled.smallest
                / self.samples.unit
                / self.samples.unit,
            active,
        })
    }

    /// `None` unless β is finite and confined to the usable blocks, and γ > 0.
    fn scaled(&self, beta: &DVector<f64>) -> Option<Scaled> {
        let beta_size = largest(beta);
        if !beta_size.is_finite() || self.blocks.leaves_out(beta) {
            return None;
        }
        let beta_size = power_of_two(beta_size);
        let x = self.blocks.point(&(beta / beta_size));
        let size = power_of_two(largest(&x));
        let x = x / size;
        let margins = self.samples.columns.tr_mul(&x);
        let smallest = margins.iter().copied().fold(f64::INFINITY, f64::min);
        (smallest > 0.0).then_some(Scaled {
            x,
            size: size * beta_size,
            margins,
            smallest,
        })
    }

    /// `∇(½ψ²) = ψ^{2−p} ∇Φ`.
    fn gradient_scale(&self, scaled: &Scaled) -> f64 {
        let p = self.blocks.exponent;
        if p == 2.0 {
            return 1.0;
        }
        length(&self.blocks.norms(&scaled.x), p).powf(2.0 - p)
    }

    /// The fit for β, cached.
    fn fit(&mut self, beta: &DVector<f64>, scaled: &Scaled) -> Fit {
        if let Some((last, fit)) = &self.last
            && last == beta
        {
            return fit.clone();
        }
        let fit = if self.blocks.exponent == 2.0 {
            self.fit_target(&scaled.x, scaled.active(KKT_ACTIVE))
        } else {
            let active = scaled.active(KKT_ACTIVE);
            let (target, cone) = self.cone_at(scaled, &active);
            self.cone = cone;
            self.fit_target(&target, active)
        };
        self.last = Some((beta.clone(), fit.clone()));
        fit
    }

    /// The least-squares problem of x on some samples, with the active set of the last call, and its target.
    fn cone_at(&self, scaled: &Scaled, allowed: &[bool]) -> (DVector<f64>, Projection) {
        let (weights, target) = weighted_gradient(&self.blocks, &scaled.x);
        let mut columns = self.samples.columns.clone();
        for mut column in columns.column_iter_mut() {
            column.component_mul_assign(&weights);
        }
        let mut cone = Projection::new(columns, -&target, 0.0);
        cone.allow(allowed.to_vec());
        cone.start_from(self.cone.members());
        (target, cone)
    }

    /// `argmin_λ ‖target − Σ λ_n g_n‖` over λ ≥ 0 on the allowed samples, with the columns of the cone.
    fn fit_target(&mut self, target: &DVector<f64>, allowed: Vec<bool>) -> Fit {
        self.cone.allow(allowed);
        self.cone.set_anchor(-target);
        self.cone.run(Precision::Working);
        Fit {
            multipliers: self.cone.multipliers().hi,
            stationarity: self.cone.point().hi.norm() / target.norm(),
        }
    }
}

/// `‖x_b‖^{(2−p)/2}` for every coordinate, and `∇Φ(x)` times that: the least-squares problem in the norm of the module.
/// For p < 1 both are zero off the support.
fn weighted_gradient(blocks: &UnitBlocks, x: &DVector<f64>) -> (DVector<f64>, DVector<f64>) {
    let p = blocks.exponent;
    let norms = blocks.norms(x);
    let largest = norms.iter().copied().fold(0.0, f64::max);
    let floor = if p > 2.0 {
        largest * 1e-16f64.powf(1.0 / (p - 2.0)).min(1e-3)
    } else {
        0.0
    };
    let support = if p < 1.0 {
        support_blocks(&norms)
    } else {
        vec![true; norms.len()]
    };
    let mut weights = DVector::zeros(x.len());
    let mut target = blocks.gradient(x, p);
    for (b, span) in blocks.spans.iter().enumerate() {
        let weight = if support[b] {
            norms[b].max(floor).powf(0.5 * (2.0 - p))
        } else {
            0.0
        };
        weights.rows_mut(span.start, span.len).fill(weight);
        target.rows_mut(span.start, span.len).scale_mut(weight);
    }
    (weights, target)
}

impl Scaled {
    /// `g_n·β ≤ (1 + δ) γ`.
    fn active(&self, delta: f64) -> Vec<bool> {
        let bound = self.smallest * (1.0 + delta);
        self.margins.iter().map(|&m| m <= bound).collect()
    }
}

/// [`Certifier::duality_gap`] in the Euclidean case, where with `Z = Gᵀa` it is
/// `[½‖β‖‖Z‖ ‖β/‖β‖ − Z/‖Z‖‖² + Σ a_n (g_n·β − γ)] / (γ 1ᵀa)`.
pub fn duality_gap(
    signed_samples: &DMatrix<f64>,
    beta: &DVector<f64>,
    multipliers: &DVector<f64>,
) -> Option<f64> {
    euclidean(signed_samples).duality_gap(beta, multipliers)
}

/// [`Certifier::best_multipliers`] in the Euclidean case: they minimise `‖Gᵀa − β‖`.
pub fn best_multipliers(signed_samples: &DMatrix<f64>, beta: &DVector<f64>) -> DVector<f64> {
    euclidean(signed_samples).best_multipliers(beta)
}

/// [`Certifier::kkt_residual`] in the Euclidean case.
pub fn kkt_residual(signed_samples: &DMatrix<f64>, beta: &DVector<f64>) -> Option<KktResidual> {
    euclidean(signed_samples).kkt_residual(beta)
}

fn euclidean(signed_samples: &DMatrix<f64>) -> Certifier {
    Certifier::new(
        signed_samples,
        &Potential::euclidean(signed_samples.ncols()),
    )
}

#[cfg(test)]
mod tests;
