//! The alignments of fully connected layers after finite steps from zero weights.
//!
//! With `Δz = ηz` and `Z = ΣΔz`, DFA keeps `w_1 = Z b_1ᵀ` and `w_l = φ_l b_{l−1} b_lᵀ` exactly, as the flow does, but
//! where the flow integrates, the steps form left Riemann sums: `Δφ_2 = Z·Δz`, `Δφ_{l+1} = ‖b_{l−1}‖² φ_l Δφ_l`.
//! Summed by parts,
//! ```text
//! φ_2 = ½(‖Z‖² − Σ‖Δz‖²),        φ_{l+1} = ½‖b_{l−1}‖² (φ_l² − Σ(Δφ_l)²):
//! ```
//! the flow's alignment minus half the squares of all steps. It is negative once steps have been large and Z has
//! returned close to zero.

use super::alignments::Alignments;
use crate::descent::{Lane, Schedule, stepper};
use crate::problem::Problem;
use nalgebra::DVector;

/// One alignment at the step where it is smallest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DiscreteAlignment {
    /// l
    pub layer: usize,
    /// k, at least l: φ_l is zero before that.
    pub step: u64,
    /// φ_l, read off w_l.
    pub measured: f64,
    /// The sums above, from the z of each step.
    pub summed: f64,
    /// Largest `|measured − summed|` over all steps, relative to the largest |φ_l| and squares summed so far.
    pub disagreement: f64,
}

/// φ_2 … φ_L at their smallest over `count` steps of size `size` from zero weights, measured and summed; fewer steps if
/// the run overflows. `None` unless the network is fully connected, linear and of two layers at least, with fixed
/// feedback, and starts from zero weights.
pub fn discrete_alignment(
    problem: &Problem,
    size: f64,
    count: u64,
) -> Option<Vec<DiscreteAlignment>> {
    let alignments = Alignments::new(problem).filter(Alignments::are_of_outer_products)?;
    let feedback = problem.feedback()?;
    if problem.theta0().iter().any(|w| *w != 0.0) {
        return None;
    }
    let lane = Lane {
        size,
        theta: problem.theta0().clone(),
    };
    let mut run = stepper(problem, Schedule::Constant, &[lane]);
    let mut theta = problem.theta0().clone();
    let mut z_sum = DVector::zeros(problem.dataset().dimension());
    let mut sums = vec![Sum::default(); feedback.len()];
    let mut least: Vec<DiscreteAlignment> = Vec::new();
    for k in 1..=count {
        let dz = column(problem, size, theta.as_slice());
        z_sum += &dz;
        let mut halved = (z_sum.norm_squared(), dz.norm_squared());
        for (sum, gain) in sums
            .iter_mut()
            .zip(std::iter::once(1.0).chain(feedback.iter().map(|b| b.norm_squared())))
        {
            let change = sum.add(gain, halved);
            halved = (sum.phi * sum.phi, change * change);
        }
        run.advance(1);
        run.theta(0, theta.as_mut_slice());
        let measured = alignments.phi(problem, theta.as_slice());
        if measured
            .iter()
            .chain(sums.iter().map(|s| &s.phi))
            .any(|phi| !phi.is_finite())
        {
            break;
        }
        for (i, (sum, measured)) in sums.iter_mut().zip(measured).enumerate() {
            sum.compare(measured);
            let layer = i + 2;
            let now = DiscreteAlignment {
                layer,
                step: k,
                measured,
                summed: sum.phi,
                disagreement: 0.0,
            };
            match least.get_mut(i) {
                Some(least)
                    if k >= layer as u64
                        && (now.summed < least.summed || least.step < layer as u64) =>
                {
                    *least = now;
                }
                Some(_) => {}
                None => least.push(now),
            }
        }
    }
    for (least, sum) in least.iter_mut().zip(&sums) {
        least.disagreement = sum.disagreement;
    }
    Some(least)
}

/// `ηz` at θ.
fn column(problem: &Problem, size: f64, theta: &[f64]) -> DVector<f64> {
    let margins = problem.network().margins(theta, problem.dataset());
    let weights = margins.map(|m| (size.ln() - m + problem.loss().log_correction(m)).exp());
    problem.dataset().signed_samples().tr_mul(&weights)
}

/// One φ_l by summation.
#[derive(Debug, Clone, Default)]
struct Sum {
    phi: f64,
    /// `Σ‖Δz‖²` or `Σ(Δφ_{l−1})²`
    squares: f64,
    /// Largest size of the terms of which φ_l is the difference.
    scale: f64,
    disagreement: f64,
}

impl Sum {
    /// Takes `‖Z‖²` and `‖Δz‖²` (or φ² and (Δφ)² of the layer below); returns Δφ_l.
    fn add(&mut self, gain: f64, (square, step): (f64, f64)) -> f64 {
        self.squares += step;
        let before = self.phi;
        self.phi = 0.5 * gain * (square - self.squares);
        self.scale = self.scale.max(0.5 * gain * square.max(self.squares));
        self.phi - before
    }

    fn compare(&mut self, measured: f64) {
        if self.scale > 0.0 {
            let difference = (measured - self.phi).abs() / self.scale;
            self.disagreement = self.disagreement.max(difference);
        }
    }
}
