//! The flow of a problem from its start to its horizon: segments between restarts and borders, one after the other.

use super::accumulated::Accumulated;
use super::checkpoint::Keeper;
use super::ending::strongest;
use super::reduced::Reduced;
use super::run::Run;
use super::segment::{Good, Outcome, Progress, all_finite};
use super::system::{NewtonSolver, System};
use super::{FlowOptions, Method, State};
use crate::control::Control;
#[cfg(doc)]
use crate::error::Error;
use crate::error::{Result, SolverError};
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
    let control = Control::none();
    integrate_kept(problem, options, Keeper::none(&control), observer)
}

/// [`integrate`] under a control: watched, stopped by its signal, and kept in the checkpoint `name` of its folder, from which it goes on
/// if there is one. However often it is interrupted, the trajectory is the same to the bit (but for the seconds it took).
///
/// # Errors
/// As [`integrate`]; [`Error::Interrupted`] once the signal has come, after a checkpoint; [`Error::Io`] if a checkpoint cannot be read
/// or written.
pub fn integrate_under(
    problem: &Problem,
    options: &FlowOptions,
    name: &str,
    control: &Control<'_>,
) -> Result<Trajectory> {
    let keeper = Keeper::of(name, (problem, options), control);
    integrate_kept(problem, options, keeper, &mut |p| control.observer.flow(p))
}

fn integrate_kept(
    problem: &Problem,
    options: &FlowOptions,
    keeper: Keeper<'_>,
    observer: &mut dyn FnMut(Progress),
) -> Result<Trajectory> {
    // Equal samples have equal margins at all times; as separate states their difference would drown in rounding far out.
    let (dataset, stands_for) = if problem.network().is_linear() {
        problem.dataset().distinct()
    } else {
        problem.dataset().distinct_pairs()
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
        None => (problem.kernel_on(&dataset), problem.state0()),
        Some(reduced) => reduced.start(),
    };
    let mut trajectory = integrate_counted(
        &kernel,
        &counts,
        problem.loss(),
        &start,
        reduced.as_ref().map_or(options, |r| &r.options),
        NewtonSolver::Structured,
        keeper,
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
    let control = Control::none();
    let keeper = Keeper::none(&control);
    integrate_counted(kernel, &[], loss, theta0, options, newton, keeper, observer)
}

/// [`integrate_kernel`] with sample n standing for `counts[n]` equal ones (empty: one each).
#[expect(
    clippy::too_many_arguments,
    reason = "the one place where all of it meets"
)]
fn integrate_counted(
    kernel: &Arc<dyn Kernel>,
    counts: &[usize],
    loss: Loss,
    theta0: &DVector<f64>,
    options: &FlowOptions,
    newton: NewtonSolver,
    keeper: Keeper<'_>,
    observer: &mut dyn FnMut(Progress),
) -> Result<Trajectory> {
    let mut run = Run::new(&**kernel, options, newton, keeper);
    let system = |kernel: &Arc<dyn Kernel>, base| {
        Arc::new(System::new(Arc::clone(kernel), loss, newton, base).with_counts(counts))
    };
    let Position {
        mut kernel,
        mut base,
        mut y,
        mut accumulated,
    } = match run.keeper.find(options, &**kernel, &mut run.saves)? {
        None => start(&mut run, Arc::clone(kernel), theta0, &system)?,
        Some(mark) => {
            run.restore(&mark);
            if let Some(status) = run.out_of_budget() {
                return run.end(status, mark.reached, &mark.y, &mark.accumulated);
            }
            let kernel = match kernel.pieces() {
                None => Arc::clone(kernel),
                Some(pieces) => pieces
                    .restored(&mark.piece)
                    .expect("marks whose piece does not exist are refused"),
            };
            let at = system(&kernel, mark.s);
            Position {
                accumulated: Accumulated::continued(mark.accumulated, &at, &mark.y, 0.0),
                kernel,
                base: mark.s,
                y: mark.y,
            }
        }
    };
    loop {
        let system_here = system(&kernel, base);
        let outcome = match run.method {
            Method::AdamsBdf => run.leg(&system_here, &y, &mut accumulated, observer)?,
            _ => run.segment(&system_here, y, &mut accumulated, observer)?,
        };
        let (rhs, jacobians) = system_here.evaluations();
        run.solver.rhs_evaluations += rhs;
        run.solver.jacobian_evaluations += jacobians;
        let mut fixed_point = false;
        match outcome {
            Outcome::Restart(good) => {
                run.solver.restarts += 1;
                Good { s: base, y } = good;
            }
            Outcome::FixedPoint(good) => {
                fixed_point = true;
                Good { s: base, y } = good;
            }
            Outcome::HandOver(good) => {
                run.hand_over(good.s);
                fixed_point = true;
                Good { s: base, y } = good;
            }
            Outcome::Border(good) => {
                let from = base;
                Good { s: base, y } = good;
                let crossed = run.cross(&mut kernel, &system_here, &mut y, base - from);
                run.release(&y, system_here.kernel().idle(), kernel.idle());
                if let Err(why) = crossed.and_then(|()| run.watch.border(base)) {
                    run.failure = Some(why);
                    return run.end(Status::StepTooSmall, base, &y, accumulated.totals());
                }
                fixed_point = run.fixed_point_due();
            }
            Outcome::Ended(status, Good { s, y }) => {
                return run.end(status, s, &y, accumulated.totals());
            }
        }
        if fixed_point {
            // what a restored run begins with
            let totals = accumulated.totals().to_vec();
            run.fix(base, &y, &*kernel, &totals)?;
            accumulated = Accumulated::continued(totals, &system(&kernel, base), &y, 0.0);
        }
    }
}

/// Where the next segment begins: the state `y` at log-log-time `base`, in the piece of `kernel`.
struct Position {
    kernel: Arc<dyn Kernel>,
    base: f64,
    y: Vec<f64>,
    accumulated: Accumulated,
}

/// The start of a flow; the first fixed point.
fn start(
    run: &mut Run<'_>,
    mut kernel: Arc<dyn Kernel>,
    theta0: &DVector<f64>,
    system: &impl Fn(&Arc<dyn Kernel>, f64) -> Arc<System>,
) -> Result<Position> {
    let at_zero = system(&kernel, 0.0);
    let mut y = at_zero.initial_state(theta0);
    if all_finite(&y) {
        run.cross(&mut kernel, &at_zero, &mut y, 0.0)
            .map_err(SolverError::NoPiece)?;
        y = at_zero.initial_state(&DVector::from_column_slice(&y[..run.parameters]));
    }
    let mut derivative = vec![0.0; y.len()];
    system(&kernel, 0.0).rhs(&y, 0.0, &mut derivative);
    if !all_finite(&y) || !all_finite(&derivative) {
        return Err(SolverError::FlowOverflows.into());
    }
    run.strongest_at_start = strongest(&y[run.parameters..], kernel.idle());
    let accumulated = Accumulated::new(&at_zero, &y, 0.0);
    run.saves
        .push(0.0, &y, run.parameters, accumulated.totals());
    run.fix(0.0, &y, &*kernel, accumulated.totals())?;
    Ok(Position {
        kernel,
        base: 0.0,
        y,
        accumulated,
    })
}
