//! Diffsol's methods as integrators: backward differences, and Runge–Kutta formulas.

use super::drive::{LegEnd, all_finite};
use super::error::{Cause, FlowError};
use super::integrator::{Driver, Effort, Failure, Integrator, Kind, Start, Step};
use super::operator::{Equations, NewtonLinearSolver, NewtonMatrix, State, values};
use super::system::System;
use crate::error::Result;
use crate::network::SMALLEST;
use diffsol::error::OdeSolverError;
use diffsol::{
    DiffsolError, OdeBuilder, OdeSolverMethod, OdeSolverProblem, OdeSolverStopReason, Vector,
};
use std::sync::Arc;

/// The crate whose methods these are.
#[cfg(feature = "cli")]
pub(crate) const LIBRARY: &str = "diffsol";

/// The error allowed to one step, as a share of the run's tolerance: errors of the order of a thousand steps add up,
/// and a margin is a product of L layers. Measured (docs/design.md): with it the drift of every conserved quantity
/// stays below rtol; the steps are ten times shorter than with rtol alone, but need fewer Newton iterations each, so
/// the cost is the same.
const LOCAL_SHARE: f64 = 0.001;

/// Newton iterations of one leg that may fail: a leg has at most ten thousand steps, and few of them fail. Without this
/// bound diffsol does not come back from a step length that is not a number.
const MOST_FAILURES: usize = 20_000;

/// [`Method::Bdf`](super::Method::Bdf).
///
/// # Errors
/// As for all methods here: if the field is not finite at the start, and the driver's own errors.
pub(super) fn bdf(start: &Start<'_>, drive: &mut Driver<'_>) -> Result<LegEnd> {
    let problem = problem(start)?;
    let solver = problem.bdf::<NewtonLinearSolver>().map_err(cannot_start)?;
    drive(&mut Diffsol::new(start, solver, Kind::Implicit))
}

/// [`Method::Esdirk34`](super::Method::Esdirk34).
pub(super) fn esdirk34(start: &Start<'_>, drive: &mut Driver<'_>) -> Result<LegEnd> {
    let problem = problem(start)?;
    let solver = problem.esdirk34::<NewtonLinearSolver>();
    drive(&mut Diffsol::new(
        start,
        solver.map_err(cannot_start)?,
        Kind::Implicit,
    ))
}

/// [`Method::TrBdf2`](super::Method::TrBdf2).
pub(super) fn tr_bdf2(start: &Start<'_>, drive: &mut Driver<'_>) -> Result<LegEnd> {
    let problem = problem(start)?;
    let solver = problem.tr_bdf2::<NewtonLinearSolver>();
    drive(&mut Diffsol::new(
        start,
        solver.map_err(cannot_start)?,
        Kind::Implicit,
    ))
}

/// [`Method::Tsit45`](super::Method::Tsit45).
pub(super) fn tsit45(start: &Start<'_>, drive: &mut Driver<'_>) -> Result<LegEnd> {
    let problem = problem(start)?;
    let solver = problem.tsit45().map_err(cannot_start)?;
    drive(&mut Diffsol::new(start, solver, Kind::Explicit))
}

/// The settings measured in docs/design.md: a fresh Jacobian at every step, since the stiff block scales like e^s,
/// and a Newton tolerance that keeps its product with the relative tolerance at 1e-12, since it, not the tolerance
/// of the steps, sets the accuracy of directions.
fn problem(start: &Start<'_>) -> std::result::Result<OdeSolverProblem<Equations>, FlowError> {
    // below 1e-13 the step control would chase rounding
    let rtol = (start.rtol * LOCAL_SHARE).max(1e-13);
    let atol_multipliers = (100.0 * start.atol * LOCAL_SHARE).max(start.system.held_rounding());
    let kernel = start.system.kernel();
    let per_layer = kernel.layers().into_iter().zip(start.weights);
    let weights = per_layer.flat_map(|(len, atol)| std::iter::repeat_n(*atol, len));
    let mut weights: Vec<f64> = weights.collect();
    for part in start.system.resolved().iter().flatten() {
        weights[part.clone()].fill(SMALLEST);
    }
    let of_multipliers = std::iter::repeat_n(atol_multipliers, kernel.samples());
    let tolerances = weights.into_iter().chain(of_multipliers);
    let mut problem = OdeBuilder::<NewtonMatrix>::new()
        .rtol(rtol)
        .atol(tolerances)
        .build_from_eqn(Equations::new(Arc::clone(start.system), start.y.to_vec()))
        .map_err(cannot_start)?;
    let options = &mut problem.ode_options;
    let attainable = rounding(start).max(1e-12);
    options.nonlinear_solver_tolerance = (attainable / rtol).clamp(1e-9, 0.1);
    options.max_nonlinear_solver_failures = MOST_FAILURES;
    options.update_jacobian_after_steps = 1;
    options.update_rhs_jacobian_after_steps = 1;
    options.min_timestep_growth = Some(1.2);
    // Positive, so that a field that is never finite ends in an error instead of a loop at step zero.
    options.min_timestep = 1e-305;
    Ok(problem)
}

/// What the rounding of a velocity, a sum of updates that may cancel, leaves of a weight: more than tolerances where
/// samples that are not fitted have large multipliers. An iteration that is held to less does not converge.
fn rounding(start: &Start<'_>) -> f64 {
    let idle = start.system.kernel().idle();
    let multipliers = start.system.multipliers(start.y, 0.0);
    let moving = multipliers
        .iter()
        .enumerate()
        .filter(|(n, _)| !idle.contains(n));
    f64::EPSILON * moving.map(|(_, e)| *e).fold(0.0, f64::max)
}

fn cannot_start(e: DiffsolError) -> FlowError {
    FlowError::CannotStart(Box::new(e))
}

/// One of diffsol's solvers.
struct Diffsol<'a, S> {
    solver: S,
    kind: Kind,
    system: &'a System,
    /// Whether the solver has been told where to stop.
    approaching: bool,
    /// End of the last step whose state was finite.
    t: f64,
    /// (θ, v) there.
    y: Vec<f64>,
    /// Buffer for the solver's interpolation.
    buffer: State,
}

impl<'a, S> Diffsol<'a, S> {
    fn new(start: &Start<'a>, solver: S, kind: Kind) -> Self {
        Self {
            solver,
            kind,
            system: start.system,
            approaching: false,
            t: 0.0,
            y: start.y.to_vec(),
            buffer: State::zeros(start.y.len(), Default::default()),
        }
    }
}

impl<'s, S: OdeSolverMethod<'s, Equations>> Diffsol<'_, S> {
    /// Tells the solver where to stop, but only once a step would pass that point: told earlier, diffsol shortens the
    /// *next* step as soon as one is done, and rescales its interpolation data by the same factor, which loses every
    /// digit if little is left.
    fn approach(&mut self, end: f64) -> std::result::Result<(), DiffsolError> {
        let state = self.solver.state();
        if !self.approaching && state.t + state.h > end {
            self.approaching = true;
            return self.solver.set_stop_time(end);
        }
        Ok(())
    }
}

impl<'s, S: OdeSolverMethod<'s, Equations>> Integrator for Diffsol<'_, S> {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn time(&self) -> f64 {
        self.t
    }

    fn step(&mut self, end: f64) -> std::result::Result<Step, Failure> {
        let reason = self.approach(end).and_then(|()| self.solver.step());
        let reason = reason.map_err(failure)?;
        let state = self.solver.state();
        let (t, h) = (state.t, state.h);
        if !all_finite(values(state.y)) || !all_finite(values(state.dy)) {
            return Err(Failure::NotFinite);
        }
        self.y.copy_from_slice(values(state.y));
        self.t = t;
        let arrived = matches!(reason, OdeSolverStopReason::TstopReached)
            || (end - t).abs() <= 100.0 * f64::EPSILON * (t + h);
        Ok(Step { arrived, next: h })
    }

    fn weights(&self) -> &[f64] {
        &self.y[..self.system.parameters()]
    }

    fn states(&self) -> &[f64] {
        &self.y[self.system.parameters()..]
    }

    fn velocity(&self) -> Option<&[f64]> {
        Some(&values(self.solver.state().dy)[..self.system.parameters()])
    }

    fn interpolate(&mut self, t: f64, y: &mut [f64]) -> std::result::Result<(), Cause> {
        self.solver.interpolate_inplace(t, &mut self.buffer)?;
        y.copy_from_slice(values(&self.buffer));
        Ok(())
    }

    fn statistics(&self) -> Effort {
        let statistics = self.solver.get_statistics();
        let (rhs_evaluations, jacobian_evaluations) = self.system.evaluations();
        Effort {
            rejected_steps: statistics.number_of_error_test_failures,
            newton_failures: statistics.number_of_nonlinear_solver_fails,
            rhs_evaluations,
            jacobian_evaluations,
        }
    }
}

fn failure(e: DiffsolError) -> Failure {
    match e {
        DiffsolError::OdeSolverError(
            OdeSolverError::StepSizeTooSmall { .. }
            | OdeSolverError::TooManyErrorTestFailures { .. },
        ) => Failure::StepTooSmall(Box::new(e)),
        _ => Failure::Nonlinear(Box::new(e)),
    }
}
