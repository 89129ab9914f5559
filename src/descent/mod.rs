//! Finite steps of a learning rule: `θ_{k+1} = θ_k + η_k Σ_n α_n y_n 𝒢_n(θ_k)`, at time `t_k = Σ_{j<k} η_j`.
//!
//! A [`Stepper`] advances one or several runs (*lanes*: the same problem with other step sizes or initial weights) and knows
//! nothing of records, files or clocks on the wall.

mod fully_connected;
mod generic;
mod pace;
mod parts;
mod spectral;
mod vector;
mod weights;

use crate::network::Network;
use crate::problem::Problem;
use nalgebra::DVector;

pub use pace::Schedule;

/// One run among the lanes of a [`Stepper`].
#[derive(Debug, Clone)]
pub struct Lane {
    /// η > 0, the step size.
    pub size: f64,
    /// θ_0 as [`Network::theta`](crate::network::Network::theta) flattens it, length P.
    pub theta: DVector<f64>,
}

/// Runs of finite steps of one rule on one network and data set, advanced together. One step allocates nothing.
pub trait Stepper: Send {
    /// Number of runs.
    fn lanes(&self) -> usize;

    /// Takes `steps` steps in every lane. A run that overflows goes on with non-finite weights.
    fn advance(&mut self, steps: u64);

    /// Writes θ_k of one lane, length P.
    fn theta(&self, lane: usize, theta: &mut [f64]);

    /// ln t_k of one lane, `t_k = Σ_{j<k} η_j`; −∞ before the first step. Only asked of schedules whose steps vary.
    fn log_time(&self, lane: usize) -> f64;

    /// Everything the next step depends on, as numbers to be stored; a stepper of the same problem that restores them goes
    /// on bit for bit as this one.
    fn state(&self) -> Vec<f64>;

    /// Takes over a [`state`](Self::state) of a stepper of the same problem and lanes.
    ///
    /// # Panics
    /// If its length is another.
    fn restore(&mut self, state: &[f64]);
}

/// The stepper of a problem.
pub fn stepper(problem: &Problem, schedule: Schedule, lanes: &[Lane]) -> Box<dyn Stepper> {
    match &problem.network {
        Network::ConvolutionalLinear(network) | Network::DiagonalLinear(network) => {
            Box::new(spectral::stepper(problem, network, schedule, lanes))
        }
        Network::FullyConnectedLinear(_) | Network::Relu(_) => {
            Box::new(generic::GenericStepper::new(problem, schedule, lanes))
        }
    }
}
