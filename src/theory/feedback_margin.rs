//! The margin that direct feedback alignment never lowers: two layers, fixed feedback b.
//!
//! With `S_j = Σ α_n y_n d_{jn}` (d: derivative of a unit's output in its weights, `w_j·d_{jn} = h_{jn}`) the flow is
//! `w_j' = b_j S_j`, `w_{2,j}' = w_j·S_j`. Let `E = ½‖w_2‖²` and `c_j = b_j w_{2,j} − ½‖w_j‖²`, which does not change.
//! Then `E' = Σ α_n m_n`, and where no output weight has the sign against its feedback
//!
//! ```text
//! −𝓛' = Σ_j ((w_{2,j}')² + b_j w_{2,j} ‖S_j‖²) ≥ Σ_j k_j (w_{2,j}')²,    k_j = 1 + b_j w_{2,j}/‖w_j‖² = 3/2 +
//! c_j/‖w_j‖² ```
//!
//! by Cauchy and Schwarz, `(w_{2,j}')² ≤ ‖w_j‖²‖S_j‖²`, and again, `E'² ≤ Σ k_j (w_{2,j}')² · Q` with
//! `Q = Σ_j w_{2,j}²/k_j ≤ (4/3)(√E + σ)²`, `σ = (Σ_{c_j<0} c_j²/b_j²)^{1/2}/(4√2)`. Once 𝓛 is below the loss of one
//! sample with margin zero, `E' ≥ |ℓ'(γ)| γ` for `γ = ℓ⁻¹(𝓛)`, so `(ln γ)' = −𝓛'/(|ℓ'(γ)|γ) ≥ E'/Q`, and
//!
//! ```text
//! ln γ̃ = ln ℓ⁻¹(𝓛) − (3/2) (ln(√E + σ) + σ/(√E + σ))
//! ```
//!
//! never falls. On the level set `c_j = 0`, and wherever no `c_j` is negative, σ = 0 and `γ̃ = ℓ⁻¹(𝓛)/E^{3/4}`; on the
//! level set `E = Φ = Σ_j ‖w_j‖⁴/(8b_j²)`, the potential of the mirror flow. docs/theory.md, section 8, has the steps
//! left out here.

use super::{MarginProblem, Theory};
use crate::loss::Loss;
use crate::problem::Problem;
use nalgebra::{DMatrix, DVector};
use std::f64::consts::SQRT_2;

/// What γ̃ is made of, apart from the weights.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedbackMargin {
    /// b, no entry zero.
    feedback: DVector<f64>,
    /// σ.
    pub offset: f64,
}

/// Constants `c_j` that are negative by less than this fraction of their terms are rounding of initial weights.
const ROUNDING: f64 = 1e-9;

impl FeedbackMargin {
    /// Of feedback b, starting from these layers (inputs × units; units × 1).
    ///
    /// # Panics
    /// If their numbers of units differ.
    pub fn new(feedback: DVector<f64>, first: &DMatrix<f64>, output: &DMatrix<f64>) -> Self {
        assert_eq!(
            feedback.len(),
            first.ncols(),
            "one feedback weight per unit"
        );
        let offsets = first.column_iter().zip(output.iter()).zip(&feedback);
        let squares = offsets.map(|((w, output), b)| {
            let (aligned, kinetic) = (b * output, 0.5 * w.norm_squared());
            let below = kinetic - aligned > ROUNDING * (kinetic + aligned.abs());
            if below {
                ((aligned - kinetic) / b).powi(2)
            } else {
                0.0
            }
        });
        Self {
            offset: squares.sum::<f64>().sqrt() / (4.0 * SQRT_2),
            feedback,
        }
    }

    /// The length of the part of `w_2` that has signs against the feedback, relative to all of it.
    pub fn against(&self, output: &DVector<f64>) -> f64 {
        let pairs = output.iter().zip(&self.feedback);
        let wrong = pairs.filter(|(w, b)| *w * b.signum() < 0.0);
        let (size, wrong) = (output.norm(), wrong.map(|(w, _)| w * w).sum::<f64>().sqrt());
        if wrong > 0.0 { wrong / size } else { 0.0 }
    }

    /// ln γ̃ of output weights and `γ = ℓ⁻¹(𝓛)`; `None` unless γ > 0 and the weights are not zero.
    pub fn log(&self, gamma: f64, output: &DVector<f64>) -> Option<f64> {
        let size = output.norm() / SQRT_2 + self.offset;
        let log_size = size.ln() + self.offset / size;
        (gamma > 0.0 && size > 0.0).then(|| gamma.ln() - 1.5 * log_size)
    }
}

/// The margin that the flow of `problem` never lowers, given what else theory says of it.
pub(super) fn of(problem: &Problem, theory: &Theory) -> Option<FeedbackMargin> {
    let Some(MarginProblem::LeastFeedbackPotential(b)) = &theory.margin_problem else {
        return None;
    };
    // of other losses it is not known that α m/ℓ rises with m
    let covered = Loss::ALL.contains(&problem.loss()) && b.iter().all(|b| *b != 0.0);
    covered.then(|| {
        let start = problem.network().weights(problem.theta0().as_slice());
        FeedbackMargin::new(b.clone(), &start[0], &start[1])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{dmatrix, dvector};

    /// On the level set `E = Φ`.
    #[test]
    fn on_the_level_set_it_is_that_of_the_mirror_flow() {
        let (b, first) = (
            dvector![0.7, -1.3],
            dmatrix![1.0, -0.4; 0.5, 2.0; -0.2, 0.1],
        );
        let squares = DVector::from_iterator(2, first.column_iter().map(|w| w.norm_squared()));
        let output = squares.component_div(&(&b * 2.0));
        let margin = FeedbackMargin::new(
            b.clone(),
            &first,
            &DMatrix::from_columns(std::slice::from_ref(&output)),
        );
        let potential: f64 = squares
            .iter()
            .zip(&b)
            .map(|(s, b)| s * s / (8.0 * b * b))
            .sum();
        assert_eq!((margin.offset, margin.against(&output)), (0.0, 0.0));
        let log = margin.log(2.5, &output).unwrap();
        assert!((log - (2.5 / potential.powf(0.75)).ln()).abs() < 1e-14);
        assert!(margin.log(0.0, &output).is_none());
    }

    /// What the rounding of a start leaves below the level set is not below it, and nothing above it counts.
    #[test]
    fn only_units_below_the_level_set_count() {
        let first = dmatrix![2.0, 2.0, 2.0];
        let output = dmatrix![2.0 - 1e-12; 5.0; 1.0];
        let margin = FeedbackMargin::new(dvector![1.0, 1.0, 1.0], &first, &output);
        assert_eq!(margin.offset, 1.0 / (4.0 * SQRT_2));
        assert_eq!(margin.against(&dvector![3.0, -4.0, 0.0]), 0.8);
    }

    /// `Q ≤ (4/3)(√E + σ)²` and the sizes that go with it, on random units with signs along the feedback.
    #[test]
    fn the_bound_behind_the_offset() {
        let wave = |i: usize| (1.7 * i as f64).sin();
        for case in 0..200 {
            let units: Vec<(f64, f64, f64)> = (0..6)
                .map(|j| {
                    let i = 40 * case + 5 * j;
                    let (b, aligned) = (1.5 * wave(i) + 1.6, 3.0 * wave(i + 1).powi(4));
                    let kinetic = aligned * (2.0 * wave(i + 2)).exp();
                    (b, aligned, kinetic)
                })
                .collect();
            let energy: f64 = units.iter().map(|(b, a, _)| 0.5 * (a / b).powi(2)).sum();
            let q: f64 = units
                .iter()
                .map(|(b, a, kinetic)| (a / b).powi(2) / (1.0 + a / (2.0 * kinetic)))
                .sum();
            let below = units.iter().filter(|(_, a, kinetic)| kinetic > a);
            let squares: f64 = below
                .map(|(b, a, kinetic)| ((a - kinetic) / b).powi(2))
                .sum();
            let sigma = squares.sqrt() / (4.0 * SQRT_2);
            let bound = 4.0 / 3.0 * (energy.sqrt() + sigma).powi(2);
            assert!(q <= bound * (1.0 + 1e-12), "{case}: {q} {bound}");
        }
    }
}
