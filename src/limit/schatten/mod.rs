//! Schatten norms: `ψ(β) = (Σ_i σ_i(β)^p)^{1/p}` of a D × C matrix β, over its singular values.
//!
//! Where networks have C outputs the limits of fully connected ones are minimisers of these: p = 2 is the multi-class
//! SVM, p = 2^L/(2^L − 1) belongs to fixed feedback, p = 1 (the nuclear norm) to gradient descent with two layers, and
//! p = 2/L < 1 to deeper ones, whose limits are stationary points. The dual of `‖·‖_p` is `‖·‖_q`, `1/p + 1/q = 1`
//! (Hölder's inequality for singular values, von Neumann 1937), so primal, dual and gap read as in the
//! [module above](super):
//!
//! ```text
//! gap = (‖β‖_p/γ) (‖Z‖_q/1ᵀa) − 1 ≥ 0,        Z = mat(Gᵀa)
//! ```
//!
//! Layout: `spectrum` has singular bases and the metric of a potential in them, `newton` solves p > 1, `nuclear` p = 1,
//! and `certifier` measures any β, for p < 1 by its stationarity alone.

pub(super) mod certifier;
mod newton;
mod nuclear;
mod spectrum;
#[cfg(test)]
mod tests;

pub(super) use certifier::MatrixCertifier;
use certifier::gap_in_data_units;

use super::max_margin::{hard_margin, max_margin};
use super::scaling::{largest, power_of_two};
use super::separability::{Proof, Separability};
use super::undecided::{Undecided, Unrepresentable};
use super::{GAP_TOLERANCE, Limit, LimitKind, Potential};
use nalgebra::{DMatrix, DVector};
use spectrum::{Frame, Spectrum, norm};

/// Largest gap of an accepted minimiser of the nuclear norm, whose multipliers need not be unique.
pub const NUCLEAR_TOLERANCE: f64 = 1e-10;

/// A pair of primal and dual points in the frame of the data.
struct Pair {
    x: DVector<f64>,
    multipliers: DVector<f64>,
    gap: f64,
}

/// `min ‖β‖_p s.t. Gβ ≥ 1` over D × C matrices β (column by column), p ≥ 1, for a Schatten potential.
pub(super) fn minimise(signed_samples: &DMatrix<f64>, potential: &Potential) -> Separability {
    let p = potential.exponent;
    let Some(shape) = potential.matrix else {
        return Separability::Undecided(Undecided::NotConvex(p));
    };
    let size = largest(signed_samples.iter());
    if signed_samples.is_empty() || !size.is_finite() || size == 0.0 {
        return max_margin(signed_samples);
    }
    if !(p >= 1.0 && p.is_finite()) {
        return Separability::Undecided(Undecided::NotConvex(p));
    }
    let scaled = signed_samples / power_of_two(size);
    let frame = Frame::of(&scaled, shape);
    let columns = frame.columns(&scaled);
    let start = match hard_margin(&columns.transpose(), &[], Proof::ToRounding) {
        Separability::Separable(limit) => limit,
        _ => return undecided_in_the_frame(signed_samples),
    };
    let found = newton::minimise(&columns, frame.shape(), p, &start.multipliers);
    let found = match (found, p == 1.0) {
        (Some(pair), true) => Some(nuclear::polish(&columns, frame.shape(), pair)),
        (found, _) => found,
    };
    let Some(pair) = found.filter(|pair| pair.gap.is_finite()) else {
        return Separability::Undecided(Undecided::NoPositiveMargins);
    };
    match in_data_units(
        signed_samples,
        potential,
        &frame.original(&pair.x),
        &pair.multipliers,
    ) {
        Ok((_, gap)) if gap > tolerance(p) => {
            Separability::Undecided(Undecided::Gap { exponent: p, gap })
        }
        Ok((limit, _)) => Separability::Separable(limit),
        Err(why) => Separability::Undecided(why.into()),
    }
}

/// What is true of data that could not be separated in the frame, which has the rounding of its bases: the samples
/// themselves decide whether they are separable, but their own minimiser is that of the Euclidean norm, not of this
/// one.
fn undecided_in_the_frame(signed_samples: &DMatrix<f64>) -> Separability {
    match max_margin(signed_samples) {
        Separability::Separable(_) => Separability::Undecided(Undecided::UnitCoordinates),
        other => other,
    }
}

/// The largest gap of an accepted minimiser.
pub(super) fn tolerance(p: f64) -> f64 {
    if p == 1.0 {
        NUCLEAR_TOLERANCE
    } else {
        GAP_TOLERANCE
    }
}

/// β with smallest margin one, multipliers a with `Gᵀa ≈ ∇(½ψ²)(β)`, and the gap of the two as they are stored.
fn in_data_units(
    signed_samples: &DMatrix<f64>,
    potential: &Potential,
    beta: &DVector<f64>,
    multipliers: &DVector<f64>,
) -> Result<(Limit, f64), Unrepresentable> {
    let beta = beta / power_of_two(largest(beta.iter()));
    let margins = signed_samples * &beta;
    let smallest = margins.min();
    if smallest <= 0.0 {
        let longest = signed_samples
            .row_iter()
            .map(|g| g.norm())
            .fold(0.0, f64::max);
        return Err(Unrepresentable::Margins {
            relative: smallest / (longest * beta.norm()),
            margin: None,
        });
    }
    let beta = beta / smallest;
    let psi = potential.value(&beta);
    let multipliers = multipliers * (psi / multipliers.sum()) * psi;
    if !largest(&beta).is_normal() || !largest(&multipliers).is_normal() {
        return Err(Unrepresentable::Range);
    }
    let columns = (signed_samples / power_of_two(largest(signed_samples.iter()))).transpose();
    let shape = potential.matrix.unwrap_or((signed_samples.ncols(), 1));
    let gap = gap_in_data_units(&columns, shape, potential.exponent, (&beta, &multipliers))
        .unwrap_or(f64::INFINITY);
    let support = (0..multipliers.len()).filter(|n| multipliers[*n] > 0.0);
    let limit = Limit {
        kind: LimitKind::of(potential),
        potential: potential.clone(),
        beta,
        support: support.collect(),
        multipliers,
        duality_gap: Some(gap),
        stationarity: None,
        unique: potential.exponent > 1.0,
    };
    Ok((limit, gap))
}

/// `ψ(β)`.
pub(super) fn value(beta: &DVector<f64>, shape: (usize, usize), p: f64) -> f64 {
    let size = power_of_two(largest(beta.iter()));
    size * norm(&Spectrum::of(&(beta / size), shape).sigma, p)
}

/// `∇(½ψ²)(β) = ψ^{2−p} U diag(σ^{p−1}) Vᵀ`, zero along singular values that are rounding.
pub(super) fn half_square_gradient(
    beta: &DVector<f64>,
    shape: (usize, usize),
    p: f64,
) -> DVector<f64> {
    let size = power_of_two(largest(beta.iter()));
    let spectrum = Spectrum::of(&(beta / size), shape);
    let psi = norm(&spectrum.sigma, p);
    if psi == 0.0 {
        return beta.clone();
    }
    let gradient = |sigma: f64| (sigma / psi).powf(p - 1.0) * psi;
    spectrum.with_values(gradient) * size
}
