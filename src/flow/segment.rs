//! Stepping through one segment: budgets, guards after every step, saves on a grid, borders, restarts with a local clock.

use super::Method;
use super::accumulated::Accumulated;
use super::borders;
use super::ending::{Beyond, NO_SEPARATOR, NOT_FITTED, STRONG, beyond_separability, strongest};
use super::operator::{Equations, NewtonLinearSolver, NewtonMatrix, State, values};
use super::run::Run;
use super::system::System;
use super::watch::{CRAWL, CRAWL_STEPS, MOST_STALLED_RESTARTS};
pub use crate::control::FlowProgress as Progress;
use crate::error::{Error, Result, SolverError};
use crate::trajectory::Status;
use diffsol::error::OdeSolverError;
use diffsol::{
    DiffsolError, OdeBuilder, OdeSolverMethod, OdeSolverProblem, OdeSolverStopReason, Vector,
};
use std::sync::Arc;

/// The last good state.
pub(super) struct Good {
    pub s: f64,
    pub y: Vec<f64>,
}

impl Good {
    fn ended(self, status: Status) -> Outcome {
        Outcome::Ended(status, self)
    }
}

/// How a segment between restarts ended.
pub(super) enum Outcome {
    Restart(Good),
    /// A fixed point: the integrator begins anew.
    FixedPoint(Good),
    /// The fully implicit method is to go on.
    HandOver(Good),
    /// The state stands on a border of its piece.
    Border(Good),
    Ended(Status, Good),
}

/// The error allowed to one step, as a share of the run's tolerance: errors of the order of a thousand steps add up, and
/// a margin is a product of L layers. Measured (docs/design.md): with it the drift of every conserved quantity stays
/// below rtol; ten times shorter steps than rtol alone would give need fewer Newton iterations each, and cost the same.
const LOCAL_SHARE: f64 = 0.001;

impl Run<'_> {
    /// Integrates from the state `start` at the base of `system`'s clock.
    pub fn segment(
        &mut self,
        system: &Arc<System>,
        start: Vec<f64>,
        accumulated: &mut Accumulated,
        observer: &mut dyn FnMut(Progress),
    ) -> Result<Outcome> {
        let problem = self
            .diffsol_problem(system, start)
            .map_err(|e| cannot_start(&e))?;
        match self.method {
            Method::AdamsBdf | Method::Bdf => {
                let solver = problem
                    .bdf::<NewtonLinearSolver>()
                    .map_err(|e| cannot_start(&e))?;
                self.drive(system, solver, accumulated, observer)
            }
            Method::Esdirk34 => {
                let solver = problem
                    .esdirk34::<NewtonLinearSolver>()
                    .map_err(|e| cannot_start(&e))?;
                self.drive(system, solver, accumulated, observer)
            }
            Method::TrBdf2 => {
                let solver = problem
                    .tr_bdf2::<NewtonLinearSolver>()
                    .map_err(|e| cannot_start(&e))?;
                self.drive(system, solver, accumulated, observer)
            }
            Method::Tsit45 => {
                let solver = problem.tsit45().map_err(|e| cannot_start(&e))?;
                self.drive(system, solver, accumulated, observer)
            }
        }
    }

    /// The settings measured in docs/design.md: a fresh Jacobian at every step, since the stiff block scales like e^s,
    /// and a Newton tolerance that keeps its product with the relative tolerance at 1e-12, since it, not the tolerance
    /// of the steps, sets the accuracy of directions.
    fn diffsol_problem(
        &self,
        system: &Arc<System>,
        start: Vec<f64>,
    ) -> std::result::Result<OdeSolverProblem<Equations>, DiffsolError> {
        // below 1e-13 steps would chase rounding
        let rtol = (self.options.rtol * LOCAL_SHARE).max(1e-13);
        let atol_multipliers = 100.0 * self.options.atol * LOCAL_SHARE;
        let per_layer = self.layers.iter().zip(self.absolute_tolerances());
        let weights = per_layer.flat_map(|(&len, atol)| std::iter::repeat_n(atol, len));
        let tolerances = weights.chain(std::iter::repeat_n(atol_multipliers, self.samples));
        let mut problem = OdeBuilder::<NewtonMatrix>::new()
            .rtol(rtol)
            .atol(tolerances)
            .build_from_eqn(Equations::new(Arc::clone(system), start))?;
        let options = &mut problem.ode_options;
        options.nonlinear_solver_tolerance = (1e-12 / rtol).clamp(1e-9, 0.1);
        options.max_nonlinear_solver_failures = usize::MAX;
        options.update_jacobian_after_steps = 1;
        options.update_rhs_jacobian_after_steps = 1;
        options.min_timestep_growth = Some(1.2);
        // Positive, so that a field that is never finite ends in an error instead of a loop at step zero.
        options.min_timestep = 1e-305;
        Ok(problem)
    }

    fn drive<'s, S: OdeSolverMethod<'s, Equations>>(
        &mut self,
        system: &Arc<System>,
        mut solver: S,
        accumulated: &mut Accumulated,
        observer: &mut dyn FnMut(Progress),
    ) -> Result<Outcome> {
        let base = system.clock(0.0);
        let end = self.options.until - base;
        let mut approaching = false;
        // The start of the next step in local time: s itself is too coarse far out.
        let mut from = 0.0;
        let mut buffer = State::zeros(system.unknowns(), Default::default());
        let mut good = Good {
            s: base,
            y: values(solver.state().y).to_vec(),
        };
        let outcome = loop {
            // Not before the step that passes the end: told earlier, diffsol shortens the *next* step as soon as one is
            // done, and rescales what that one is interpolated from by as much, which loses every digit if little is left.
            let state = solver.state();
            let shortened = if !approaching && state.t + state.h > end {
                approaching = true;
                solver.set_stop_time(end)
            } else {
                Ok(())
            };
            let reason = match shortened.and_then(|()| solver.step()) {
                Ok(reason) => reason,
                Err(e) => {
                    let status = self.classify(&e);
                    break good.ended(status);
                }
            };
            let state = solver.state();
            let (t, h) = (state.t, state.h);
            let stopped = matches!(reason, OdeSolverStopReason::TstopReached)
                || (end - t).abs() <= 100.0 * f64::EPSILON * (t + h);
            self.solver.steps += 1;
            if !all_finite(values(state.y)) || !all_finite(values(state.dy)) {
                break good.ended(Status::NonFinite);
            }
            let border = system.kernel().pieces().and_then(|pieces| {
                borders::first_border(from, t, |t| {
                    if solver.interpolate_inplace(t, &mut buffer).is_err() {
                        return f64::NAN;
                    }
                    let y = values(&buffer);
                    pieces.clearance(&y[..self.parameters], &system.multipliers(y, t))
                })
            });
            // a border at the horizon itself is none
            let border = border.filter(|b| base + b < self.options.until);
            let (t, stopped) = border.map_or((t, stopped), |b| (b, false));
            let s = if stopped {
                self.options.until
            } else {
                base + t
            };
            let multipliers_at = |t: f64, buffer: &mut State| -> Result<Vec<f64>> {
                solver
                    .interpolate_inplace(t, buffer)
                    .map_err(|e| interpolation_failed(base + t, &e))?;
                Ok(system.multipliers(values(buffer), t))
            };
            while let Some(due) = self.saves.due().filter(|due| *due < s) {
                let t = (due - base).clamp(from, t);
                let middle = multipliers_at(0.5 * (from + t), &mut buffer)?;
                let end = multipliers_at(t, &mut buffer)?;
                let totals = accumulated.after(t - from, &middle, &end);
                self.saves
                    .push(due, values(&buffer), self.parameters, &totals);
            }
            let middle = multipliers_at(0.5 * (from + t), &mut buffer)?;
            if border.is_some() {
                multipliers_at(t, &mut buffer)?;
                good.y.copy_from_slice(values(&buffer));
            } else {
                good.y.copy_from_slice(values(solver.state().y));
            }
            good.s = s;
            accumulated.advance(t - from, &middle, system.multipliers(&good.y, t));
            from = t;
            if self.saves.due() == Some(s) {
                self.saves
                    .push(s, &good.y, self.parameters, accumulated.totals());
            }
            observer(Progress {
                log_log_time: s,
                steps: self.solver.steps,
            });
            self.keeper.check(&self.saves)?;
            if stopped {
                break good.ended(Status::Completed);
            }
            if let Some(status) = self.out_of_budget() {
                break good.ended(status);
            }
            if border.is_some() {
                break Outcome::Border(good);
            }
            let state = solver.state();
            let (theta, v) = values(state.y).split_at(self.parameters);
            let strongest = strongest(v, system.kernel().idle());
            let velocity = &values(state.dy)[..self.parameters];
            let beyond =
                beyond_separability(s, strongest, self.strongest_at_start, theta, velocity);
            match beyond.filter(|_| system.updates_cancel(values(state.y), state.t)) {
                None => {}
                Some(Beyond::Rest) => {
                    self.repeat_until_the_horizon(s, &good.y, accumulated.totals());
                    good.s = self.options.until;
                    break good.ended(Status::Completed);
                }
                Some(Beyond::Overflow) => {
                    self.failure = Some(cannot_follow(system).into());
                    break good.ended(Status::NonlinearFailure);
                }
            }
            if self.method != Method::Tsit45 && self.watch.crawls(s) {
                let why = if strongest > STRONG {
                    cannot_follow(system).into()
                } else if let Some(obstacle) = system.kernel().obstacle(theta) {
                    obstacle
                } else {
                    "support vectors that are linearly dependent, or nearly equal, do this far out, and so do tolerances \
                     near rounding"
                        .into()
                };
                self.failure = Some(format!(
                    "the last {CRAWL_STEPS} steps advanced log-log-time by less than {CRAWL}; {why}"
                ));
                break good.ended(Status::StepTooSmall);
            }
            if self.method != Method::Tsit45
                && self.watch.drags(s)
                && self.rounding_has_grown(&good.y)
            {
                break Outcome::Restart(good);
            }
            if self.fixed_point_due() {
                break Outcome::FixedPoint(good);
            }
            // The step has fallen to the spacing of the clock: go on with a clock counted from here.
            if h.abs() < 1e-12 * t {
                if self.watch.restart_stalls(s) {
                    self.failure = Some(format!(
                        "{MOST_STALLED_RESTARTS} restarts in a row got nowhere"
                    ));
                    break good.ended(Status::StepTooSmall);
                }
                break Outcome::Restart(good);
            }
        };
        let statistics = solver.get_statistics();
        self.solver.rejected_steps += statistics.number_of_error_test_failures;
        self.solver.newton_failures += statistics.number_of_nonlinear_solver_fails;
        Ok(outcome)
    }

    fn classify(&mut self, e: &DiffsolError) -> Status {
        self.failure = Some(e.to_string());
        match e {
            DiffsolError::OdeSolverError(
                OdeSolverError::StepSizeTooSmall { .. }
                | OdeSolverError::TooManyErrorTestFailures { .. },
            ) => Status::StepTooSmall,
            _ => Status::NonlinearFailure,
        }
    }
}

/// Why a run whose margins no longer grow cannot go on.
fn cannot_follow(system: &System) -> &'static str {
    match system.kernel().signed_samples() {
        Some(_) => NO_SEPARATOR,
        None => NOT_FITTED,
    }
}

pub(super) fn all_finite(x: &[f64]) -> bool {
    x.iter().all(|x| x.is_finite())
}

fn interpolation_failed(s: f64, e: &DiffsolError) -> Error {
    SolverError::StateLost {
        log_log_time: s,
        cause: e.to_string(),
    }
    .into()
}

fn cannot_start(e: &DiffsolError) -> Error {
    SolverError::CannotStart(e.to_string()).into()
}
