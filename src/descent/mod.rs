//! Runs of finite steps of a learning rule: `θ_{k+1} = θ_k + η_k Σ_n α_n y_n 𝒢_n(θ_k)`, at time `t_k = Σ_{j<k} η_j`.
//!
//! [`descend`] makes the runs requested by a scenario with the [`Stepper`]s of its network, keeps log-spaced records
//! and checkpoints, and returns a [`Descent`] per step size, with a [`Trajectory`](crate::trajectory::Trajectory) like
//! that of a flow.

mod beside;
mod checkpoint;
mod critical;
mod lasting;
mod records;
mod run;
mod runaway;

use crate::network::RankOneStepper;
use crate::problem::{NoReducedState, Problem};

pub use crate::network::stepping::{Lane, Schedule, Stepper, exponentials};
pub use crate::problem::State;
pub use beside::{Beside, Comparison, Order, compare, flow_beside};
pub use critical::{
    Critical, CriticalOptions, Demand, DiscreteAlignment, Ending, Least, Trial, critical_step,
    critical_steps, discrete_alignment,
};
pub use lasting::{LastingFall, lasting_fall};
#[cfg(feature = "scenarios")]
pub(crate) use records::records_at_most;
pub use run::{Descent, Progress, descend};
pub use runaway::{Runaway, runaway};

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
    /// The step at which a run of size η has the same ηk as the shortest run at its end.
    pub fn common_step(&self, size: f64) -> u64 {
        let smallest = self.sizes.iter().copied().fold(size, f64::min);
        ((smallest / size * self.count as f64).round() as u64).max(1)
    }
}

/// The stepper of a problem; lanes start from weights θ.
pub fn stepper(problem: &Problem, schedule: Schedule, lanes: &[Lane]) -> Box<dyn Stepper> {
    let started = |lane: &Lane| Lane {
        size: lane.size,
        theta: problem.state_of(&lane.theta),
    };
    let lanes: Vec<Lane> = lanes.iter().map(started).collect();
    problem.steps(schedule, &lanes)
}

/// The stepper of a fully connected linear network under fixed feedback that steps the vectors u_l of
/// `w_l = w_l(0) + u_l b_lᵀ` (exact, also for finite steps) instead of all weights: Σ_l inputs_l unknowns.
///
/// # Errors
/// [`NoReducedState`], if the changes of this problem's layers are not of rank one: other networks, or gradient
/// descent.
pub fn reduced_stepper(
    problem: &Problem,
    schedule: Schedule,
    lanes: &[Lane],
) -> Result<Box<dyn Stepper>, NoReducedState> {
    let (network, _) = problem.rank_one()?;
    let stepper = RankOneStepper::new(network, &problem.training(schedule), lanes);
    let stepper = stepper.ok_or(NoReducedState::Rule(problem.rule().key()))?;
    Ok(Box::new(stepper))
}
