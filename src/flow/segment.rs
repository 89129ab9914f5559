//! Stepping through one segment: budgets, guards after every step, saves on a grid, borders, restarts with a local clock.

use super::accumulated::Accumulated;
use super::borders;
use super::clock::{compress, expand, log_time};
use super::ending::{
    Beyond, Ending, NO_SEPARATOR, NOT_FITTED, STRONG, beyond_separability, message, strongest,
};
use super::operator::{Equations, NewtonLinearSolver, NewtonMatrix, State, values};
use super::saves::Saves;
use super::system::{NewtonSolver, System};
use super::watch::{CRAWL, CRAWL_STEPS, MOST_STALLED_RESTARTS, Watch};
use super::{FlowOptions, Method};
use crate::error::{Error, Result};
use crate::network::Kernel;
use crate::trajectory::{Kinks, SolverStatistics, Status, Trajectory};
use diffsol::error::OdeSolverError;
use diffsol::{
    DiffsolError, OdeBuilder, OdeSolverMethod, OdeSolverProblem, OdeSolverStopReason, Vector,
};
use nalgebra::DMatrix;
use std::sync::Arc;
use std::time::Instant;

/// Where a run is, told after every step.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// s reached.
    pub log_log_time: f64,
    /// Accepted steps so far.
    pub steps: usize,
}

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
    /// The state stands on a border of its piece.
    Border(Good),
    Ended(Status, Good),
}

pub(super) struct Run<'a> {
    pub options: &'a FlowOptions,
    /// The method in use.
    pub method: Method,
    pub parameters: usize,
    samples: usize,
    pub saves: Saves,
    pub solver: SolverStatistics,
    clock: Instant,
    pub failure: Option<String>,
    /// s at which the weights came to rest.
    rest: Option<f64>,
    pub watch: Watch,
    /// Largest p at s = 0, or of an idle sample when it was released.
    pub strongest_at_start: f64,
    /// `None` for smooth fields.
    kinks: Option<Kinks>,
    /// Rounding of each layer: absolute tolerances are not tighter. Zero until a run is held up by it.
    rounding: Vec<f64>,
    layers: Vec<usize>,
}

/// Rounding of a layer's velocity over a unit of s, relative to its largest weight. A velocity is a sum of terms of that size;
/// where they cancel, a weight stays bounded while the layer grows, and steps held to its own size would chase the
/// rounding of the sum.
const ROUNDING: f64 = 64.0 * f64::EPSILON;

/// The error allowed to one step, as a share of the run's tolerance: errors of the order of a thousand steps add up, and
/// a margin is a product of L layers. Measured (docs/design.md): with it the drift of every conserved quantity stays
/// below rtol; ten times shorter steps than rtol alone would give need fewer Newton iterations each, and cost the same.
const LOCAL_SHARE: f64 = 0.001;

/// The same for the absolute tolerance of weights. From zero they start as powers of time (layer l like `t^{2^{l−1}}`), and
/// conserved quantities compare powers of them: early on they must be known to digits of their own.
const LOCAL_SHARE_OF_WEIGHTS: f64 = 1e-5;

impl<'a> Run<'a> {
    pub fn new(kernel: &dyn Kernel, options: &'a FlowOptions, newton: NewtonSolver) -> Self {
        let (parameters, samples) = (kernel.parameters(), kernel.samples());
        let layers = kernel.layers();
        let unknowns = parameters + samples;
        let linear = kernel.signed_samples().is_some();
        let method = match (options.method, newton) {
            (Method::AdamsBdf, _) if !linear => Method::Bdf,
            (Method::AdamsBdf, NewtonSolver::Dense) => Method::Bdf,
            (method, _) => method,
        };
        let suffix = match newton {
            NewtonSolver::Structured => "",
            NewtonSolver::Dense => " (dense Newton)",
        };
        Self {
            options,
            method,
            parameters,
            samples,
            saves: Saves::new(options, parameters, samples),
            solver: SolverStatistics {
                method: format!("{}{suffix}", method.name()),
                rtol: options.rtol,
                atol: options.atol,
                unknowns,
                ..Default::default()
            },
            clock: Instant::now(),
            failure: None,
            rest: None,
            watch: Watch::default(),
            strongest_at_start: 0.0,
            kinks: None,
            rounding: vec![0.0; layers.len()],
            layers,
        }
    }

    /// The fully implicit method goes on from log-log-time s.
    pub fn hand_over(&mut self, s: f64) {
        self.method = Method::Bdf;
        self.solver.method = format!("{}, from s = {s:.4} bdf", self.solver.method);
        self.solver.restarts += 1;
    }

    /// Absolute tolerances of one step, by layer.
    pub fn absolute_tolerances(&self) -> Vec<f64> {
        let atol = self.options.atol * LOCAL_SHARE_OF_WEIGHTS;
        self.rounding.iter().map(|floor| floor.max(atol)).collect()
    }

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
                    cannot_follow(system)
                } else {
                    "support vectors that are linearly dependent, or nearly equal, do this far out, and so do tolerances \
                     near rounding"
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

    /// Samples that were idle before a border and are not after it start with the multipliers they have by then.
    pub fn release(&mut self, y: &[f64], before: &[usize], after: &[usize]) {
        let released = before.iter().filter(|n| !after.contains(n));
        for p in released.map(|n| expand(y[self.parameters + n])) {
            self.strongest_at_start = self.strongest_at_start.max(p);
        }
    }

    pub fn out_of_budget(&self) -> Option<Status> {
        if self.solver.steps >= self.options.max_steps {
            Some(Status::BudgetSteps)
        } else if self.clock.elapsed().as_secs_f64() >= self.options.max_wall_seconds {
            Some(Status::BudgetWall)
        } else {
            None
        }
    }

    /// Into the piece that the state `y` at the base of the next segment enters; counts what happened at its kinks.
    pub fn cross(
        &mut self,
        kernel: &mut Arc<dyn Kernel>,
        system: &System,
        y: &mut [f64],
        t: f64,
    ) -> std::result::Result<(), String> {
        if let Some(here) = borders::enter(kernel, system, y, t)? {
            let so_far = self.kinks.take().unwrap_or_default();
            self.kinks = Some(so_far.followed_by(here));
        }
        Ok(())
    }

    /// Measures the rounding of every layer; true if some layer's has at least doubled, and exceeds its tolerance.
    pub fn rounding_has_grown(&mut self, y: &[f64]) -> bool {
        let mut grown = false;
        let mut rest = y;
        for (&len, rounding) in self.layers.iter().zip(&mut self.rounding) {
            let (layer, tail) = rest.split_at(len);
            let largest = layer.iter().fold(0.0_f64, |m, w| m.max(w.abs()));
            let now = ROUNDING * largest;
            if now > 2.0 * rounding.max(self.options.atol * LOCAL_SHARE_OF_WEIGHTS) {
                *rounding = now;
                grown = true;
            }
            rest = tail;
        }
        grown
    }

    /// Saves the resting weights at every remaining time; `p_n = τ − m_n` grows with τ.
    fn repeat_until_the_horizon(&mut self, s: f64, y: &[f64], accumulated: &[f64]) {
        while let Some(due) = self.saves.due() {
            let elapsed = log_time(due) - log_time(s);
            let mut y = y.to_vec();
            for v in &mut y[self.parameters..] {
                *v = compress(expand(*v) + elapsed);
            }
            self.saves.push(due, &y, self.parameters, accumulated);
        }
        self.rest = Some(s);
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

    pub fn finish(mut self, status: Status, s: f64) -> Trajectory {
        self.solver.wall_seconds = self.clock.elapsed().as_secs_f64();
        let message = message(
            status,
            &Ending {
                s,
                solver: &self.solver,
                options: self.options,
                failure: self.failure.as_deref(),
                rest: self.rest,
            },
        );
        let saves = self.saves.times.len();
        Trajectory {
            theta: DMatrix::from_vec(self.parameters, saves, self.saves.theta),
            log_multipliers: DMatrix::from_vec(self.samples, saves, self.saves.log_multipliers),
            accumulated: Some(DMatrix::from_vec(
                self.samples,
                saves,
                self.saves.accumulated,
            )),
            log_log_time: self.saves.times,
            kinks: self.kinks,
            status,
            message,
            solver: self.solver,
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
    Error::Solver(format!("the state at log-log-time {s} was lost: {e}"))
}

fn cannot_start(e: &DiffsolError) -> Error {
    Error::Solver(format!("the integrator could not start: {e}"))
}
