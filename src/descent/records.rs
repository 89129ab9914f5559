//! Which steps of a run are recorded, and what is recorded.

use super::{Schedule, Stepper};
use crate::problem::Problem;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// Most numbers one run keeps: 20 MiB of weights, as for a flow.
const KEPT: usize = (20 << 20) / 8;

/// How many steps a run records, not counting the start and those at which runs are compared.
fn spaced_records(parameters: usize) -> usize {
    (KEPT / parameters.max(1)).clamp(25, 200)
}

/// An upper bound on the records of one run.
#[cfg(feature = "scenarios")]
pub(crate) fn records_at_most(options: &super::StepOptions, parameters: usize) -> u64 {
    let others = 2 + options.sizes.len() as u64;
    (spaced_records(parameters) as u64 + others).min(options.count.saturating_add(1))
}

/// The steps to record, increasing: 0, the last one, about as many log-spaced ones between as the size of the weights
/// allows (25 to 200), and those of `also` that are in range.
pub(super) fn recorded_steps(count: u64, parameters: usize, also: &[u64]) -> Vec<u64> {
    let most = spaced_records(parameters);
    let ratio = (count as f64).ln() / (most - 1) as f64;
    let spaced = (0..most).map(|j| ((ratio * j as f64).exp().round() as u64).clamp(1, count));
    let mut steps: Vec<u64> = std::iter::once(0)
        .chain(spaced)
        .chain(also.iter().copied().filter(|k| (1..=count).contains(k)))
        .chain([count])
        .collect();
    steps.sort_unstable();
    steps.dedup();
    steps
}

/// States of one run at the steps recorded so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Records {
    /// `τ_k = ln(1 + t_k)`.
    pub log_time: Vec<f64>,
    /// θ_k, one after the other.
    pub theta: Vec<f64>,
    /// Whether the run has overflown; nothing is recorded from then on.
    pub overflown: bool,
}

impl Records {
    /// Appends the state of `lane` after `k` steps of the size `size`, unless weights, margins or loss are no longer
    /// finite.
    pub(super) fn push(
        &mut self,
        problem: &Problem,
        schedule: Schedule,
        stepper: &dyn Stepper,
        (lane, size): (usize, f64),
        k: u64,
    ) {
        if self.overflown {
            return;
        }
        let mut theta = DVector::zeros(problem.unknowns());
        stepper.theta(lane, theta.as_mut_slice());
        let log_time = match schedule {
            Schedule::Constant => (size * k as f64).ln_1p(),
            Schedule::LossNormalised => softplus(stepper.log_time(lane)),
        };
        let margins = problem
            .network()
            .margins(theta.as_slice(), problem.dataset());
        let log_loss = problem
            .loss()
            .log_loss_of(problem.dataset().groups(), margins.as_slice());
        if theta.iter().all(|w| w.is_finite()) && log_loss.is_finite() && log_time.is_finite() {
            self.log_time.push(log_time);
            self.theta.extend_from_slice(theta.as_slice());
        } else {
            self.overflown = true;
        }
    }

    /// The weights as columns, P × T.
    pub(super) fn weights(&self) -> DMatrix<f64> {
        let saves = self.log_time.len();
        DMatrix::from_column_slice(self.theta.len() / saves, saves, &self.theta)
    }
}

/// `ln(1+e^x)`.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_steps_are_log_spaced_with_both_ends_and_those_asked_for() {
        let steps = recorded_steps(1_000_000, 20, &[777_777, 2_000_000, 0]);
        assert_eq!(
            (steps[0], steps[1], steps[steps.len() - 1]),
            (0, 1, 1_000_000)
        );
        assert!(steps.contains(&777_777) && !steps.contains(&2_000_000));
        assert!(steps.windows(2).all(|w| w[0] < w[1]));
        let late: Vec<f64> = steps
            .iter()
            .filter(|k| **k > 1000)
            .map(|k| *k as f64)
            .collect();
        assert!(late.windows(2).all(|w| w[1] / w[0] < 1.08), "{late:?}");
        assert_eq!(recorded_steps(1, 5, &[]), [0, 1]);
        assert_eq!(recorded_steps(3, 5, &[]), [0, 1, 2, 3]);
        assert!(recorded_steps(1_000_000_000, 1_000_000, &[]).len() <= 27);
    }
}
