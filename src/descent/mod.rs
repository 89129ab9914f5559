//! Finite steps of a learning rule: `θ_{k+1} = θ_k + η_k Σ_n α_n y_n 𝒢_n(θ_k)`, at time `t_k = Σ_{j<k} η_j`.
//!
//! A [`Stepper`] advances one or several runs (*lanes*: the same problem with other step sizes or initial weights) and knows
//! nothing of records, files or clocks on the wall. [`descend`] makes the runs a scenario asks for, keeps log-spaced
//! records and checkpoints, and leaves a [`Descent`] per step size, with a [`Trajectory`](crate::trajectory::Trajectory) like that of a flow.

mod beside;
mod checkpoint;
mod columns;
mod critical;
mod fully_connected;
#[cfg(test)]
mod generic;
mod pace;
mod parts;
mod rank_one;
mod records;
mod relu;
mod run;
mod spectral;
mod vector;
mod weights;

use crate::network::Network;
use crate::problem::Problem;
use fully_connected::FullyConnectedStepper;
use nalgebra::DVector;

pub use crate::problem::State;
pub use beside::{Beside, Comparison, Order, compare, flow_beside};
pub use critical::{
    Critical, CriticalOptions, Demand, DiscreteAlignment, Ending, Least, Trial, critical_step,
    discrete_alignment,
};
pub use pace::Schedule;
pub(crate) use records::records_at_most;
pub use run::{Descent, Progress, descend};
pub use vector::exponentials;

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

    /// Takes `steps` steps in every lane. A run that overflows goes on with non-finite weights. How a number of steps is
    /// divided among calls does not change a bit of the result.
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

/// Which finite-step runs to make.
#[derive(Debug, Clone)]
pub struct StepOptions {
    /// η of each run, > 0.
    pub sizes: Vec<f64>,
    /// Number of steps of every run, ≥ 1.
    pub count: u64,
    pub schedule: Schedule,
    pub state: State,
}

impl StepOptions {
    /// The step at which a run of size η is as far, in ηk, as the shortest run at its end.
    pub fn common_step(&self, size: f64) -> u64 {
        let smallest = self.sizes.iter().copied().fold(size, f64::min);
        ((smallest / size * self.count as f64).round() as u64).max(1)
    }
}

/// The stepper of a problem.
pub fn stepper(problem: &Problem, schedule: Schedule, lanes: &[Lane]) -> Box<dyn Stepper> {
    match &problem.network {
        Network::Relu(network) => {
            Box::new(relu::ReluStepper::new(network, problem, schedule, lanes))
        }
        Network::FullyConnectedLinear(network) => Box::new(FullyConnectedStepper::new(
            network, problem, schedule, lanes,
        )),
        Network::ConvolutionalLinear(network) | Network::DiagonalLinear(network) => {
            Box::new(spectral::stepper(problem, network, schedule, lanes))
        }
    }
}

/// The stepper of a fully connected linear network under fixed feedback that carries the vectors u_l of
/// `w_l = w_l(0) + u_l b_lᵀ` (exact, also for finite steps) instead of all weights: Σ_l inputs_l unknowns.
///
/// # Errors
/// A sentence, if the layers of this problem do not move by rank one: other networks, or gradient descent.
pub fn reduced_stepper(
    problem: &Problem,
    schedule: Schedule,
    lanes: &[Lane],
) -> Result<Box<dyn Stepper>, String> {
    Ok(Box::new(rank_one::RankOneStepper::new(
        problem, schedule, lanes,
    )?))
}
