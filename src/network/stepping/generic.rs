//! Finite steps of any [`Kernel`], one lane after the other: available for every network, and the slow twin of every
//! fast stepper.

use super::pace::Pace;
use super::{Lane, Stepper, Training};
use crate::network::Kernel;
use std::sync::Arc;

/// Steps by the vector field the flow is integrated with.
pub struct GenericStepper {
    kernel: Arc<dyn Kernel>,
    runs: Vec<Run>,
    velocity: Vec<f64>,
    weights: Vec<f64>,
    rates: Vec<f64>,
}

struct Run {
    pace: Pace,
    theta: Vec<f64>,
}

impl GenericStepper {
    /// Runs along the field `kernel`, with the loss and the schedule of `training`.
    pub fn new(kernel: Arc<dyn Kernel>, training: &Training<'_>, lanes: &[Lane]) -> Self {
        let (parameters, samples) = (kernel.parameters(), kernel.samples());
        Self {
            kernel,
            runs: lanes
                .iter()
                .map(|lane| Run {
                    pace: Pace::new(training.loss, training.schedule, lane.size)
                        .with_rows(training.data.groups().size()),
                    theta: lane.theta.as_slice().to_vec(),
                })
                .collect(),
            velocity: vec![0.0; parameters],
            weights: vec![0.0; samples],
            rates: vec![0.0; samples],
        }
    }
}

impl Stepper for GenericStepper {
    fn lanes(&self) -> usize {
        self.runs.len()
    }

    fn advance(&mut self, steps: u64) {
        for run in &mut self.runs {
            for _ in 0..steps {
                self.kernel.margins(&run.theta, &mut self.weights);
                run.pace.weigh(&mut self.weights);
                self.kernel.velocity(
                    &run.theta,
                    &self.weights,
                    &mut self.velocity,
                    &mut self.rates,
                );
                for (theta, step) in run.theta.iter_mut().zip(&self.velocity) {
                    *theta += step;
                }
            }
        }
    }

    fn theta(&self, lane: usize, theta: &mut [f64]) {
        // a rule may have state besides the weights, which come first
        theta.copy_from_slice(&self.runs[lane].theta[..theta.len()]);
    }

    fn log_time(&self, lane: usize) -> f64 {
        self.runs[lane].pace.log_time()
    }

    fn state(&self) -> Vec<f64> {
        let mut state = Vec::new();
        for run in &self.runs {
            state.extend(run.pace.state());
            state.extend(&run.theta);
        }
        state
    }

    fn restore(&mut self, state: &[f64]) {
        let length = Pace::STATE + self.velocity.len();
        assert_eq!(state.len(), length * self.runs.len(), "length of the state");
        for (run, state) in self.runs.iter_mut().zip(state.chunks_exact(length)) {
            let (pace, theta) = state.split_at(Pace::STATE);
            run.pace.restore(pace);
            run.theta.copy_from_slice(theta);
        }
    }
}
