//! Finite steps compared with the flow: the run of step size η at step k against the flow at the same time t_k.
//!
//! The distance is of first order in η. It is measured at every record, for all weights and for the learned
//! direction; the *observed order* is the slope of `ln ‖θ_k − θ(t_k)‖` against ln η between the two smallest step
//! sizes, at the same ηk: the end of the shortest run. Larger sizes need not be in the asymptotic regime.

use super::{Descent, StepOptions};
use crate::control::Control;
use crate::diagnostics::{Diagnostics, diagnose};
use crate::error::Result;
use crate::flow::{FlowOptions, SaveAt, integrate_under};
use crate::limit::{Limit, angle};
use crate::problem::Problem;
use crate::trajectory::Trajectory;

/// A run of finite steps with everything measured on it; vectors have one entry per record.
#[derive(Debug, Clone)]
pub struct Beside {
    pub descent: Descent,
    pub diagnostics: Diagnostics,
    /// `‖θ_k − θ(t_k)‖/‖θ(t_k)‖`; `None` where the flow did not reach t_k.
    pub relative_distance: Vec<Option<f64>>,
    /// Angle between β_k and β(t_k), radians (for ReLU networks: between the outputs on the N samples); `None` where
    /// one of the two is zero, or the flow did not reach t_k.
    pub angle_to_flow: Vec<Option<f64>>,
}

impl Beside {
    /// The largest relative distance of the run; `None` if it was never measured after the start.
    pub fn max_relative_distance(&self) -> Option<f64> {
        let after_start = self.relative_distance.iter().skip(1).flatten();
        after_start.copied().reduce(f64::max)
    }

    /// The last angle to the flow.
    pub fn final_angle_to_flow(&self) -> Option<f64> {
        self.angle_to_flow.last().copied().flatten()
    }

    /// Steps taken until the last record.
    pub fn last_step(&self) -> u64 {
        self.descent.steps[self.descent.steps.len() - 1]
    }
}

/// How the distance from the flow shrinks with the step size.
#[derive(Debug, Clone)]
pub struct Order {
    /// Slope of ln(relative distance) against ln η between the two smallest sizes.
    pub observed: f64,
    /// ηk at which the runs are compared.
    pub at: f64,
    /// (η, relative distance there) of every size, increasing.
    pub distances: Vec<(f64, f64)>,
}

/// All runs of a scenario, compared with the flow.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// In the order of the scenario's sizes.
    pub runs: Vec<Beside>,
    /// The flow at every time that some run recorded.
    pub flow: Diagnostics,
    /// `None` if fewer than two sizes were compared at the same ηk.
    pub order: Option<Order>,
}

/// The flow, saved at every time that some run recorded.
///
/// # Errors
/// As [`integrate_under`]; its checkpoint is called `beside`.
pub fn flow_beside(
    problem: &Problem,
    options: &FlowOptions,
    descents: &[Descent],
    control: &Control<'_>,
) -> Result<Trajectory> {
    let times = times(descents);
    let options = FlowOptions {
        until: times.last().copied().unwrap_or(options.until),
        saves: SaveAt::Times(times),
        ..options.clone()
    };
    integrate_under(problem, &options, "beside", control)
}

/// Smallest s at which the flow is evaluated: below it, steps of the integrator have no significant digits.
const RESOLVED: f64 = 1e-13;

/// Every s that some run recorded and at which the flow can be evaluated, increasing.
fn times(descents: &[Descent]) -> Vec<f64> {
    let mut times: Vec<f64> = descents
        .iter()
        .flat_map(|d| &d.trajectory.log_log_time)
        .copied()
        .filter(|s| *s > RESOLVED)
        .collect();
    times.sort_by(f64::total_cmp);
    times.dedup();
    times
}

/// Measures runs against `flow`, as returned by [`flow_beside`], with the measurements `measured`.
pub fn compare(
    problem: &Problem,
    limit: Option<&Limit>,
    options: &StepOptions,
    descents: Vec<Descent>,
    (flow, measured): (&Trajectory, Diagnostics),
) -> Comparison {
    let runs: Vec<Beside> = descents
        .into_iter()
        .map(|descent| beside(problem, limit, descent, flow))
        .collect();
    let order = order(options, &runs);
    Comparison {
        runs,
        flow: measured,
        order,
    }
}

fn beside(problem: &Problem, limit: Option<&Limit>, descent: Descent, flow: &Trajectory) -> Beside {
    let trajectory = &descent.trajectory;
    let matched: Vec<Option<usize>> = (trajectory.log_log_time.iter())
        .map(|s| {
            (flow.log_log_time)
                .binary_search_by(|saved| saved.total_cmp(s))
                .ok()
        })
        .collect();
    let relative_distance = (matched.iter().enumerate())
        .map(|(k, at)| {
            let there = flow.theta.column((*at)?);
            let distance = (trajectory.theta.column(k) - there).norm();
            Some(if distance == 0.0 {
                0.0
            } else {
                distance / there.norm()
            })
        })
        .collect();
    let angle_to_flow = (matched.iter().enumerate())
        .map(|(k, at)| {
            let here = learned(problem, trajectory.theta.column(k).as_slice());
            let there = learned(problem, flow.theta.column((*at)?).as_slice());
            let defined = |x: &[f64]| x.iter().any(|x| *x != 0.0);
            (defined(&here) && defined(&there)).then(|| angle(&here, &there))
        })
        .collect();
    Beside {
        diagnostics: diagnose(problem, trajectory, limit),
        relative_distance,
        angle_to_flow,
        descent,
    }
}

/// What was learned: the predictor, or for ReLU networks the outputs `f(x_n)`.
fn learned(problem: &Problem, theta: &[f64]) -> Vec<f64> {
    let vector = problem.network().predictor(theta).unwrap_or_else(|| {
        let margins = problem.network().margins(theta, problem.dataset());
        margins.component_mul(problem.dataset().labels())
    });
    vector.as_slice().to_vec()
}

fn order(options: &StepOptions, runs: &[Beside]) -> Option<Order> {
    let mut distances: Vec<(f64, f64)> = runs
        .iter()
        .filter_map(|run| {
            let size = run.descent.size;
            let step = options.common_step(size);
            let at = run.descent.steps.binary_search(&step).ok()?;
            Some((size, run.relative_distance[at]?))
        })
        .filter(|(_, distance)| *distance > 0.0)
        .collect();
    distances.sort_by(|x, y| x.0.total_cmp(&y.0));
    distances.dedup_by_key(|(size, _)| *size);
    let [(fine, near), (coarse, far), ..] = distances[..] else {
        return None;
    };
    let smallest = options.sizes.iter().copied().fold(f64::INFINITY, f64::min);
    Some(Order {
        observed: (far / near).ln() / (coarse / fine).ln(),
        at: smallest * options.count as f64,
        distances,
    })
}
