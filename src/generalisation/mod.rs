//! How well the implicit bias generalises: the angle between a limit and the teacher that labelled the data, in high
//! dimension.
//!
//! Samples `x_n ~ N(0, I_D)`, labels `y_n = sign(x_n·w*)`, `α = N/D` fixed, `D → ∞`. The minimiser of a potential `ψ`
//! subject to `Gβ ≥ 1` then makes a definite angle `θ` with the teacher w*; a new sample is misclassified with
//! probability `θ/π`. The margins depend on β only through two numbers, whatever ψ is: `c = cos θ` and the margin κ
//! at unit norm per coordinate, and
//!
//! ```text
//! z = c |u| + s̄ h,   s̄ = √(1 − c²),   u, h ~ N(0, 1)                                    the margins before training
//! P = Pr(z < κ)      t² = E (κ − z)₊²
//! c = α √(2/π) [κ Φ(κ/s̄) + s̄ φ(κ/s̄)]                                                   (1)
//! ```
//!
//! (1) gives c as a function of κ alone ([`Margins::at`]). It remains to find κ, from ψ. With `S² = α t² + c²` and
//! `q = αP`, the component x of a coordinate (or block) of the minimiser along its own field, of length R, satisfies
//!
//! ```text
//! ω λ x^{p−1} + q x = S R          R = |N(0, 1)|, or the length of a pair of them
//! E x² = 1                                                                              (2), fixes λ
//! E R x = S                                                                             (3), fixes κ
//! ```
//!
//! for `ψ = Σ_b ω_b ‖β_b‖^p`, with expectations per real dimension and over the law of ω ([`Law`]). For p = 2 these
//! are `x = R`, `S = 1`: the equations of Gardner and of Opper and Kinzel. `docs/generalisation.md` derives all this.

mod law;
mod margins;
mod moments;
mod numerics;
mod potential;

pub use law::{Feedback, Law};
pub use margins::Margins;
pub use potential::{BlockSize, Blocks, Prediction};

use numerics::root;

/// Ratios α for which the curves have been checked; outside this range the equations lose digits by cancellation.
pub const RATIOS: std::ops::RangeInclusive<f64> = 1e-3..=1e3;

/// Why there is no angle at a ratio.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum NoPrediction {
    #[error("theory curves are for {} <= n/D <= {}, not {_0}", RATIOS.start(), RATIOS.end())]
    OutOfRange(f64),
    /// The potential is not convex: training ends at one of many stationary points.
    #[error("there is no one limit to predict: the potential is not convex")]
    ManyLimits,
    /// The equations have no solution in the bracket where theory has one.
    #[error("the equations for the angle at n/D = {_0} have no solution in their bracket")]
    Unsolved(f64),
}

/// Angle to the teacher of the hard-margin SVM, `S = 1`: fully connected linear networks under every rule.
///
/// # Errors
/// [`NoPrediction`], if α is not within [`RATIOS`].
///
/// ```
/// let prediction = marginflow::generalisation::euclidean(1.0).unwrap();
/// assert!((prediction.angle.to_degrees() - 47.83).abs() < 0.01);
/// ```
pub fn euclidean(ratio: f64) -> Result<Prediction, NoPrediction> {
    check(ratio)?;
    let short = |kappa: f64| 1.0 - Margins::at(ratio, kappa).length();
    let most = Margins::largest_kappa(ratio);
    let kappa = root(short, 0.0, most).ok_or(NoPrediction::Unsolved(ratio))?;
    Ok(Prediction::of(&Margins::at(ratio, kappa)))
}

/// Angle to the teacher of the minimiser of `ψ = Σ_b ω_b ‖β_b‖^p`.
///
/// # Errors
/// [`NoPrediction`], if α is not within [`RATIOS`].
///
/// ```
/// use marginflow::generalisation::{BlockSize, Blocks, Law, separable};
/// // The Fourier ℓ1 norm: gradient descent on a convolutional network of depth two.
/// let fourier = Blocks { block: BlockSize::Pair, exponent: 1.0, law: Law::constant() };
/// let prediction = separable(1.0, &fourier).unwrap();
/// assert!((prediction.angle.to_degrees() - 51.37).abs() < 0.01);
/// ```
pub fn separable(ratio: f64, blocks: &Blocks) -> Result<Prediction, NoPrediction> {
    check(ratio)?;
    if blocks.exponent == 2.0 && blocks.law.is_constant() {
        return euclidean(ratio);
    }
    // At κ = 0, E Rx > S. No minimiser has a larger margin per norm than the hard-margin SVM, where S = 1 ≥ E Rx;
    // just beyond, where S > 1, the sign is safe from rounding. Where S < q there is no λ ≥ 0, which happens only on
    // that side.
    let machine = euclidean(ratio)?.kappa;
    let most = machine + 0.01 * (Margins::largest_kappa(ratio) - machine);
    let excess = |kappa: f64| {
        let margins = Margins::at(ratio, kappa);
        blocks
            .normalised(&margins)
            .map_or(-1.0, |(_, moments)| moments.along - margins.length())
    };
    let kappa = root(excess, 0.0, most).ok_or(NoPrediction::Unsolved(ratio))?;
    Ok(Prediction::of(&Margins::at(ratio, kappa)))
}

fn check(ratio: f64) -> Result<(), NoPrediction> {
    if RATIOS.contains(&ratio) {
        Ok(())
    } else {
        Err(NoPrediction::OutOfRange(ratio))
    }
}

#[cfg(test)]
mod tests;
