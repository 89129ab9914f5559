//! The driver: steps any [`Integrator`] through one leg of a run.
//!
//! A *leg* lasts until the integrator is restarted or replaced (at a border between pieces of the field, at a fixed
//! point, where the clock is shifted, at a hand-over) or until the run ends. After every step, in this order: saves,
//! progress, guards ([`guards`](super::guards)), clock, checkpoint, signal, budget. The checkpoint comes after
//! everything that a step changes, so that a run resumed from it continues with the next step.

use super::accumulated::Accumulated;
use super::borders;
use super::checkpoint::Mark;
use super::ending::CROSSED;
use super::error::FlowError;
use super::integrator::{Effort, Failure, Integrator, Kind, Start, Step};
use super::past::Past;
use super::run::FlowRun;
use super::system::System;
use super::watch::MOST_STALLED_RESTARTS;
use crate::error::Result;
use crate::trajectory::Status;
use std::sync::Arc;

pub use crate::control::FlowProgress as Progress;

/// Why a leg ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The clock is counted from here, or tolerances have changed.
    Restart,
    /// The integrator restarts, and the run is marked.
    FixedPoint,
    /// The fully implicit method takes over.
    HandOver,
    /// The states are to be (other) coordinates of the log-multipliers.
    Coordinates,
    /// Samples may have come to contradict each other, and nothing but that.
    Contradiction,
    /// The state stands on a border of its piece.
    Border,
    /// Samples are to be held, or released.
    Balance,
    /// Multipliers have become so large that the clock has to be begun anew.
    NewEpoch,
    /// Weights near zero have outgrown the unit in use.
    NewUnit,
    /// What the clock was begun anew for is over: back to the run's own.
    FirstEpoch,
    Ended(Status),
}

/// The end of a leg.
pub(super) struct LegEnd {
    pub why: Why,
    /// In the clock of the run's epoch.
    pub s: f64,
    /// (θ, v)
    pub y: Vec<f64>,
    /// Base of the integrator's clock.
    pub base: f64,
    /// What the integrator leaves behind where it can be marked.
    pub past: Option<Past>,
}

/// Steps shorter than this fraction of the local time are near the spacing of doubles.
const SHORTEST: f64 = 1e-12;

impl FlowRun<'_> {
    /// Integrates one leg from the state `y` at the base of `system`'s clock.
    ///
    /// # Errors
    /// [`Error::Interrupted`] once a signal has come, [`Error::Io`] if a checkpoint cannot be written,
    /// [`Error::Solver`] if the integrator cannot start.
    ///
    /// [`Error::Interrupted`]: crate::error::Error::Interrupted
    /// [`Error::Io`]: crate::error::Error::Io
    /// [`Error::Solver`]: crate::error::Error::Solver
    pub(super) fn leg(
        &mut self,
        system: &Arc<System>,
        y: &[f64],
        accumulated: &mut Accumulated,
        observer: &mut dyn FnMut(Progress),
    ) -> Result<LegEnd> {
        let totals = accumulated.totals().to_vec();
        let linear = system.kernel().signed_samples().is_some();
        let weights = self.absolute_tolerances();
        let start = Start {
            system,
            y,
            accumulated: &totals,
            rtol: self.options.rtol,
            atol: self.options.atol,
            weights: &weights,
            pace: self.pace.take(),
        };
        let begin = self.method.constructor();
        begin(&start, &mut |integrator| {
            self.restore_past(integrator)?;
            let mut drive = Drive {
                end: self.leg_end(linear),
                base: system.clock(0.0),
                shift: 0.0,
                failures: 0,
                markable: integrator.mark().is_some(),
                y: y.to_vec(),
                totals: totals.clone(),
                run: self,
                system,
                integrator,
                accumulated,
                observer,
            };
            drive.until_it_ends()
        })
    }

    /// Restores the history of a marked integrator, if this leg begins at a mark.
    fn restore_past(&mut self, integrator: &mut dyn Integrator) -> Result<()> {
        let Some(past) = self.past.take() else {
            return Ok(());
        };
        integrator.restore(&past).map_err(|_| {
            self.keeper.discard();
            FlowError::ForeignPast.into()
        })
    }

    /// Adds the work an integrator did to the statistics.
    fn count(&mut self, effort: Effort) {
        add(&mut self.solver, effort);
    }
}

fn add(solver: &mut crate::trajectory::SolverStatistics, effort: Effort) {
    solver.rejected_steps += effort.rejected_steps;
    solver.newton_failures += effort.newton_failures;
    solver.rhs_evaluations += effort.rhs_evaluations;
    solver.jacobian_evaluations += effort.jacobian_evaluations;
}

/// One leg in progress.
pub(super) struct Drive<'d, 'r> {
    pub run: &'d mut FlowRun<'r>,
    pub system: &'d System,
    pub integrator: &'d mut dyn Integrator,
    pub accumulated: &'d mut Accumulated,
    observer: &'d mut dyn FnMut(Progress),
    /// The horizon, or where the run's own clock takes over, in the clock of the epoch.
    end: f64,
    /// `s = base + t`, in the clock of the epoch.
    base: f64,
    /// How much later this base is than that of `system`'s clock.
    shift: f64,
    /// Iterations of Newton's method that had failed when it was last looked at.
    pub failures: usize,
    /// Whether the run can be marked after any step.
    markable: bool,
    /// (θ, v) within a step.
    y: Vec<f64>,
    /// `∫ E ds` there.
    totals: Vec<f64>,
}

impl Drive<'_, '_> {
    fn until_it_ends(&mut self) -> Result<LegEnd> {
        let (why, s) = loop {
            if let Some(end) = self.step()? {
                break end;
            }
        };
        self.run.count(self.integrator.statistics());
        self.run.pace = match why {
            Why::Border => self.integrator.pace(),
            _ => None,
        };
        let y = match why {
            Why::Border => self.y.clone(),
            _ => self.state(),
        };
        let past = match why {
            Why::Coordinates => self.integrator.mark(),
            _ => None,
        };
        Ok(LegEnd {
            why,
            s,
            y,
            base: self.base,
            past,
        })
    }

    /// (θ, v) at the end of the last step.
    pub(super) fn state(&self) -> Vec<f64> {
        let mut y = [self.integrator.weights(), self.integrator.states()].concat();
        self.system.complete(&mut y, self.time());
        y
    }

    /// The end of the last step in the clock of `system`.
    pub(super) fn time(&self) -> f64 {
        self.shift + self.integrator.time()
    }

    /// One step and everything that follows it; returns why and where the leg ends, if it does.
    fn step(&mut self) -> Result<Option<(Why, f64)>> {
        let from = self.integrator.time();
        let step = match self.integrator.step(self.end - self.base) {
            Ok(step) => step,
            Err(failure) => {
                let s = self.base + from;
                return Ok(self.failed(failure)?.map(|why| (why, s)));
            }
        };
        self.run.solver.steps += 1;
        let to = self.integrator.time();
        // a border at the horizon itself is none
        let border = self.border(from, to).filter(|b| self.base + b < self.end);
        let t = border.unwrap_or(to);
        let arrived = step.arrived && border.is_none();
        let at_horizon = arrived && self.end == self.run.epoch.local(self.run.options.until);
        let s = if arrived { self.end } else { self.base + t };
        let global = match at_horizon {
            true => self.run.options.until,
            false => self.run.epoch.global(s),
        };
        self.save(from, t, global, border.is_some())?;
        self.see_loss(global, border.is_some());
        (self.observer)(Progress {
            log_log_time: global,
            steps: self.run.solver.steps,
        });
        if self.run.has_crossed_zero(self.integrator.weights()) {
            self.run.failure = Some(CROSSED.into());
            return Ok(Some((Why::Ended(Status::Inaccurate), s)));
        }
        if arrived && !at_horizon {
            return Ok(Some((Why::FirstEpoch, s)));
        }
        if arrived {
            let status = match all_finite(self.integrator.weights()) {
                true => Status::Completed,
                false => Status::NonFinite,
            };
            return Ok(Some((Why::Ended(status), s)));
        }
        let why = match border {
            Some(_) => Some(Why::Border),
            None => self.judge(&step, s),
        };
        if let Some(
            end @ (Why::Ended(_) | Why::HandOver | Why::NewEpoch | Why::FirstEpoch | Why::NewUnit),
        ) = why
        {
            return Ok(Some((end, s)));
        }
        let out_of_budget = self.keep(why)?;
        Ok(out_of_budget.map(Why::Ended).or(why).map(|why| (why, s)))
    }

    fn failed(&mut self, failure: Failure) -> Result<Option<Why>> {
        if let Some(status) = self.run.is_given_up()? {
            return Ok(Some(Why::Ended(status)));
        }
        let why = failure.to_string();
        let t = self.integrator.time();
        let status = match failure {
            Failure::Stalled if self.integrator.kind() == Kind::Partitioned => {
                // steps shorter than the spacing of doubles in this clock may do
                if t > 0.0 && self.integrator.rebase() {
                    self.base += t;
                    self.shift += t;
                    return Ok(None);
                }
                return Ok(Some(match self.may_change_coordinates(self.base + t) {
                    true => Why::Coordinates,
                    false => Why::HandOver,
                }));
            }
            Failure::NotFinite => {
                // the step counts even if it led nowhere
                self.run.solver.steps += 1;
                return Ok(Some(Why::Ended(Status::NonFinite)));
            }
            Failure::Stalled | Failure::StepTooSmall(_) => Status::StepTooSmall,
            Failure::Nonlinear(_) => Status::NonlinearFailure,
        };
        self.run.failure = Some(why);
        Ok(Some(Why::Ended(status)))
    }

    /// The local time in the last step at which the state leaves its piece of the field, if it does.
    fn border(&mut self, from: f64, to: f64) -> Option<f64> {
        let pieces = self.system.kernel().pieces()?;
        let Self {
            integrator,
            y,
            system,
            shift,
            ..
        } = self;
        borders::first_border(from, to, |t| {
            if integrator.interpolate(t, y).is_err() {
                return f64::NAN;
            }
            let multipliers = system.multipliers(y, *shift + t);
            pieces.clearance(&y[..system.parameters()], &multipliers)
        })
    }

    /// Saves what is due up to the local time t at the end of the step (log-log-time s of the run), and accumulates
    /// multipliers up to there. With `cut`, t lies within the step, and `self.y` is the state there afterwards.
    fn save(&mut self, from: f64, t: f64, s: f64, cut: bool) -> Result<()> {
        while let Some(due) = self.run.saves.due().filter(|due| *due < s) {
            let t = (self.run.epoch.local(due) - self.base).clamp(from, t);
            if self.integrator.accumulated(t, &mut self.totals) {
                self.interpolate(t)?;
            } else {
                let middle = self.multipliers_at(0.5 * (from + t))?;
                let end = self.multipliers_at(t)?;
                self.totals = self.accumulated.after(t - from, &middle, &end);
            }
            let (theta, v) = self.y.split_at(self.run.parameters);
            let epoch = self.run.epoch;
            let v = self.system.compressed(v, epoch.local(due));
            self.run.saves.push(due, epoch, (theta, &v), &self.totals);
        }
        if self.integrator.accumulated(t, &mut self.totals) {
            self.accumulated.set(&self.totals);
            if cut {
                self.interpolate(t)?;
            }
        } else {
            let middle = self.multipliers_at(0.5 * (from + t))?;
            if cut {
                self.interpolate(t)?;
            } else {
                self.copy_state();
            }
            let end = self.system.multipliers(&self.y, self.shift + t);
            self.accumulated.advance(t - from, &middle, end);
        }
        if self.run.saves.due() == Some(s) {
            if !cut {
                self.copy_state();
            }
            let (theta, v) = self.y.split_at(self.run.parameters);
            let epoch = self.run.epoch;
            let v = self.system.compressed(v, epoch.local(s));
            let totals = self.accumulated.totals();
            self.run.saves.push(s, epoch, (theta, &v), totals);
        }
        Ok(())
    }

    /// Records the loss at the end of a step. With `cut`, the state there is in `self.y`.
    fn see_loss(&mut self, s: f64, cut: bool) {
        let theta = if cut {
            &self.y[..self.run.parameters]
        } else {
            self.integrator.weights()
        };
        let log_loss = self.system.log_loss(theta);
        self.run.loss_rise.see(s, log_loss);
    }

    fn copy_state(&mut self) {
        let (theta, v) = self.y.split_at_mut(self.run.parameters);
        theta.copy_from_slice(self.integrator.weights());
        v.copy_from_slice(self.integrator.states());
        let t = self.time();
        self.system.complete(&mut self.y, t);
    }

    /// (θ, v) at a local time within the last step, into `self.y`.
    fn interpolate(&mut self, t: f64) -> std::result::Result<(), FlowError> {
        let lost = |cause| FlowError::StateLost {
            s: self.run.epoch.global(self.base + t),
            cause,
        };
        self.integrator.interpolate(t, &mut self.y).map_err(lost)?;
        self.system.complete(&mut self.y, self.shift + t);
        Ok(())
    }

    /// E there.
    fn multipliers_at(&mut self, t: f64) -> std::result::Result<Vec<f64>, FlowError> {
        self.interpolate(t)?;
        Ok(self.system.multipliers(&self.y, self.shift + t))
    }

    /// Whether, and why, the leg has to end after a step that reached log-log-time s.
    fn judge(&mut self, step: &Step, s: f64) -> Option<Why> {
        let why = self.guard(s);
        if why.is_some() {
            return why;
        }
        if !self.markable && self.run.fixed_point_due() {
            return Some(Why::FixedPoint);
        }
        self.shift_clock(step, s)
    }

    /// Once steps have shrunk to the spacing of doubles in the clock, restarts the clock from here.
    fn shift_clock(&mut self, step: &Step, s: f64) -> Option<Why> {
        let t = self.integrator.time();
        if step.next.abs() >= SHORTEST * t {
            return None;
        }
        if self.integrator.rebase() {
            self.base += t;
            self.shift += t;
            return None;
        }
        if self.run.watch.restart_stalls(s) {
            self.run.failure = Some(format!(
                "{MOST_STALLED_RESTARTS} restarts in a row got nowhere"
            ));
            return Some(Why::Ended(Status::StepTooSmall));
        }
        Some(Why::Restart)
    }

    /// Marks the run if it continues and a mark is due; obeys signals. Returns a status if a budget is spent.
    fn keep(&mut self, why: Option<Why>) -> Result<Option<Status>> {
        let budget = self.run.out_of_budget();
        let due = budget.is_some() || self.run.keeper.is_due();
        if self.markable && why.is_none() && due {
            let mark = self.mark();
            self.run.keeper.keep(mark, &self.run.saves)?;
        }
        self.run.keeper.check(&self.run.saves)?;
        Ok(budget)
    }

    /// The mark of the run after a step.
    fn mark(&self) -> Mark {
        let totals = self.accumulated.totals();
        let state = self.state();
        let mut mark = self.run.mark_at(self.base, &state, self.system, totals);
        add(&mut mark.solver, self.integrator.statistics());
        mark.reached = self.run.epoch.global(self.base + self.integrator.time());
        mark.past = self.integrator.mark();
        mark
    }
}

pub(super) fn all_finite(x: &[f64]) -> bool {
    x.iter().all(|x| x.is_finite())
}
