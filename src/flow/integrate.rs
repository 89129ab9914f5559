//! The flow of a problem from its start to its horizon: segments between restarts and borders, one after the other.

use super::accumulated::Accumulated;
use super::ending::strongest;
use super::reduced::Reduced;
use super::segment::{Good, Outcome, Progress, Run, all_finite};
use super::system::{NewtonSolver, System};
use super::{FlowOptions, Method, State};
use crate::error::{Error, Result};
use crate::loss::Loss;
use crate::network::Kernel;
use crate::problem::Problem;
use crate::trajectory::{Status, Trajectory};
use nalgebra::DVector;
use std::sync::Arc;

/// Integrates the flow of `problem` from s = 0 to `options.until`.
///
/// The saves lie on a uniform grid of s, the first at 0 and the last at the horizon; a run that ends early is saved
/// up to, and at, its last good state, with a status and a message that say why.
///
/// # Errors
/// [`Error::Solver`] if the integrator cannot start (weights or data whose flow is not finite at s = 0), or if the problem
/// has no reduced state and it was asked for.
pub fn integrate(
    problem: &Problem,
    options: &FlowOptions,
    observer: &mut dyn FnMut(Progress),
) -> Result<Trajectory> {
    // Equal samples have equal margins at all times; as separate states their difference would drown in rounding far out.
    let (dataset, stands_for) = match problem.network.relu() {
        None => problem.dataset.distinct(),
        Some(_) => problem.dataset.distinct_pairs(),
    };
    let mut counts = vec![0; dataset.len()];
    for &n in &stands_for {
        counts[n] += 1;
    }
    let reduced = match options.state {
        State::Full => None,
        State::Reduced => Some(Reduced::new(problem, &dataset, options)?),
    };
    let (kernel, start) = match &reduced {
        None => {
            let kernel = problem.network.kernel(&problem.rule, &dataset);
            (kernel, problem.theta0.clone())
        }
        Some(reduced) => reduced.start(),
    };
    let mut trajectory = integrate_counted(
        &kernel,
        &counts,
        problem.loss,
        &start,
        reduced.as_ref().map_or(options, |r| &r.options),
        NewtonSolver::Structured,
        observer,
    )?;
    if let Some(reduced) = &reduced {
        reduced.expand(&mut trajectory, options);
    }
    if dataset.len() < stands_for.len() {
        trajectory.log_multipliers = trajectory.log_multipliers.select_rows(&stands_for);
        trajectory.accumulated = trajectory.accumulated.map(|mut accumulated| {
            for (mut row, count) in accumulated.row_iter_mut().zip(&counts) {
                row /= *count as f64;
            }
            accumulated.select_rows(&stands_for)
        });
        // pairs are named by the first of equal samples
        for pair in trajectory.kinks.iter_mut().flat_map(|k| &mut k.sliding) {
            let first = stands_for.iter().position(|n| *n == pair.sample);
            pair.sample = first.unwrap_or(pair.sample);
        }
    }
    Ok(trajectory)
}

/// [`integrate`] for any [`Kernel`] (a network or rule of one's own), with a choice of Newton solver.
///
/// # Errors
/// As [`integrate`].
pub fn integrate_kernel(
    kernel: &Arc<dyn Kernel>,
    loss: Loss,
    theta0: &DVector<f64>,
    options: &FlowOptions,
    newton: NewtonSolver,
    observer: &mut dyn FnMut(Progress),
) -> Result<Trajectory> {
    integrate_counted(kernel, &[], loss, theta0, options, newton, observer)
}

/// [`integrate_kernel`] with sample n standing for `counts[n]` equal ones (empty: one each).
fn integrate_counted(
    kernel: &Arc<dyn Kernel>,
    counts: &[usize],
    loss: Loss,
    theta0: &DVector<f64>,
    options: &FlowOptions,
    newton: NewtonSolver,
    observer: &mut dyn FnMut(Progress),
) -> Result<Trajectory> {
    let mut run = Run::new(&**kernel, options, newton);
    let mut kernel = Arc::clone(kernel);
    let system = |kernel: &Arc<dyn Kernel>, base| {
        Arc::new(System::new(Arc::clone(kernel), loss, newton, base).with_counts(counts))
    };
    let mut base = 0.0;
    let at_zero = system(&kernel, base);
    let mut start = at_zero.initial_state(theta0);
    if all_finite(&start) {
        run.cross(&mut kernel, &at_zero, &mut start, 0.0)
            .map_err(Error::Solver)?;
        start = at_zero.initial_state(&DVector::from_column_slice(&start[..run.parameters]));
    }
    let mut derivative = vec![0.0; start.len()];
    system(&kernel, base).rhs(&start, 0.0, &mut derivative);
    if !all_finite(&start) || !all_finite(&derivative) {
        return Err(Error::Solver(
            "the flow is not finite at t = 0: margins of the initial weights overflow; scale the data or the initial \
             weights down"
                .into(),
        ));
    }
    run.strongest_at_start = strongest(&start[run.parameters..], kernel.idle());
    let mut accumulated = Accumulated::new(&at_zero, &start, 0.0);
    run.saves
        .push(0.0, &start, run.parameters, accumulated.totals());
    if run.method == Method::AdamsBdf {
        let leg = run.leg(&system(&kernel, base), &start, observer);
        let Good { s, y } = leg.last;
        if let Some(status) = leg.status {
            if status != Status::Completed && s > run.saves.last() {
                run.saves.push(s, &y, run.parameters, &leg.accumulated);
            }
            return Ok(run.finish(status, s));
        }
        run.hand_over(s);
        base = s;
        start = y;
        accumulated = Accumulated::continued(leg.accumulated, &system(&kernel, base), &start, 0.0);
    }
    loop {
        let system = system(&kernel, base);
        let outcome = run.segment(&system, start, &mut accumulated, observer)?;
        let (rhs, jacobians) = system.evaluations();
        run.solver.rhs_evaluations += rhs;
        run.solver.jacobian_evaluations += jacobians;
        match outcome {
            Outcome::Restart(Good { s, y }) => {
                run.solver.restarts += 1;
                base = s;
                start = y;
            }
            Outcome::Border(Good { s, mut y }) => {
                let crossed = run.cross(&mut kernel, &system, &mut y, s - base);
                run.release(&y, system.kernel().idle(), kernel.idle());
                base = s;
                start = y;
                if let Err(why) = crossed.and_then(|()| run.watch.border(s)) {
                    run.failure = Some(why);
                    run.saves
                        .push(s, &start, run.parameters, accumulated.totals());
                    return Ok(run.finish(Status::StepTooSmall, s));
                }
            }
            Outcome::Ended(status, Good { s, y }) => {
                if status != Status::Completed && s > run.saves.last() {
                    run.saves.push(s, &y, run.parameters, accumulated.totals());
                }
                return Ok(run.finish(status, s));
            }
        }
    }
}
