//! A segment of a run by this method: saves, budgets and guards around the steps.

use super::super::FlowOptions;
use super::super::accumulated::Accumulated;
use super::super::checkpoint::Mark;
use super::super::clock::expand;
use super::super::ending::STRONG;
use super::super::run::Run;
use super::super::segment::{Good, Outcome, Progress, all_finite};
use super::super::system::System;
use super::{Stepper, Tolerances};
use crate::error::{Result, SolverError};
use crate::storage::checkpoint::Words;
use crate::trajectory::Status;

/// Share of the run's relative tolerance that one step may use of the weights', and of the log-multipliers'.
const LOCAL_SHARE: f64 = 0.01;

/// See [`LOCAL_SHARE`].
const LOCAL_SHARE_OF_MULTIPLIERS: f64 = 0.0003;

/// Weights that move by less than this of themselves per unit of s while multipliers are [`STRONG`] are left to the fully
/// implicit method. On the way to infinity weights move by 1/(Ls), more than 3e-4. Near a minimum they are stiff, and steps at
/// the border of stability keep up a noise of the tolerance's size: waiting for 1e-8, where weights rest, left them 2e-5 off.
const RESTING: f64 = 1e-4;

/// Why this method takes no further step.
enum End {
    Ended(Status),
    /// The fully implicit method is to go on.
    HandOver,
}

impl Run<'_> {
    fn step_tolerances(&self) -> Tolerances {
        let FlowOptions { rtol, atol, .. } = *self.options;
        let relative = (rtol * LOCAL_SHARE).max(1e-13);
        Tolerances {
            relative,
            weights: self.absolute_tolerances(),
            relative_multipliers: (rtol * LOCAL_SHARE_OF_MULTIPLIERS).max(1e-13),
            multipliers: 100.0 * atol * LOCAL_SHARE_OF_MULTIPLIERS,
            newton: 0.1 * relative,
        }
    }

    /// Integrates from the state `y` at the base of `system`'s clock.
    ///
    /// # Errors
    /// [`Error::Interrupted`](crate::error::Error::Interrupted), [`Error::Io`](crate::error::Error::Io): see [`Keeper`](super::super::checkpoint::Keeper).
    pub fn leg(
        &mut self,
        system: &System,
        y: &[f64],
        accumulated: &mut Accumulated,
        observer: &mut dyn FnMut(Progress),
    ) -> Result<Outcome> {
        let (theta, v) = y.split_at(self.parameters);
        let mut stepper = Stepper::new(
            system.kernel(),
            system.loss(),
            system.log_counts(),
            system.clock(0.0),
            (theta, v),
            accumulated.totals().to_vec(),
            self.step_tolerances(),
        );
        if let Some(state) = self.past.take() {
            stepper.restore(&mut Words::of(&state)).ok_or_else(|| {
                self.keeper.discard();
                SolverError::ForeignState
            })?;
        }
        let end = self.steps(&mut stepper, system, observer)?;
        self.solver.rejected_steps += stepper.rejected;
        self.solver.newton_failures += stepper.failures;
        self.solver.rhs_evaluations += stepper.evaluations;
        self.solver.jacobian_evaluations += stepper.jacobian_evaluations();
        let s = match end {
            End::Ended(Status::Completed) => self.options.until,
            _ => stepper.clock(),
        };
        let mut y = stepper.theta().to_vec();
        y.extend_from_slice(stepper.log_multipliers());
        accumulated.set(stepper.accumulated());
        let good = Good { s, y };
        Ok(match end {
            End::Ended(status) => Outcome::Ended(status, good),
            End::HandOver => Outcome::HandOver(good),
        })
    }

    fn steps(
        &mut self,
        stepper: &mut Stepper<'_>,
        system: &System,
        observer: &mut dyn FnMut(Progress),
    ) -> Result<End> {
        let mut theta = vec![0.0; self.parameters];
        let mut v = stepper.log_multipliers().to_vec();
        let mut accumulated = v.clone();
        loop {
            let base = stepper.base();
            let end = self.options.until - base;
            if stepper.step(end).is_err() {
                return Ok(End::HandOver);
            }
            self.solver.steps += 1;
            let t = stepper.local_time();
            let stopped = t >= end;
            let s = if stopped {
                self.options.until
            } else {
                stepper.clock()
            };
            if !all_finite(stepper.log_multipliers()) || !all_finite(stepper.accumulated()) {
                return Ok(End::Ended(Status::NonFinite));
            }
            while let Some(due) = self.saves.due().filter(|due| *due < s) {
                stepper.interpolate(due - base, &mut theta, &mut v, &mut accumulated);
                self.saves.push_parts(due, &theta, &v, &accumulated);
            }
            if self.saves.due() == Some(s) {
                let v = stepper.log_multipliers();
                self.saves
                    .push_parts(s, stepper.theta(), v, stepper.accumulated());
            }
            observer(Progress {
                log_log_time: s,
                steps: self.solver.steps,
            });
            if stopped {
                let finite = all_finite(stepper.theta());
                return Ok(End::Ended(if finite {
                    Status::Completed
                } else {
                    Status::NonFinite
                }));
            }
            if self.beyond(stepper, s) || system.has_dependents(stepper.log_multipliers(), t) {
                return Ok(End::HandOver);
            }
            if self.watch.lingers(s) {
                if self.rounding_has_grown(stepper.theta()) {
                    stepper.tolerances_mut().weights = self.absolute_tolerances();
                } else {
                    return Ok(End::HandOver);
                }
            }
            if stepper.step_size() < 1e-12 * t {
                stepper.rebase();
            }
            // last: a run that is taken up from here goes on with the next step
            let budget = self.out_of_budget();
            if budget.is_some() || self.keeper.is_due() {
                let mark = self.mark(stepper, system);
                self.keeper.keep(mark, &self.saves)?;
            }
            self.keeper.check(&self.saves)?;
            if let Some(status) = budget {
                return Ok(End::Ended(status));
            }
        }
    }

    /// Where the run is after a step.
    fn mark(&self, stepper: &Stepper<'_>, system: &System) -> Mark {
        let mut y = stepper.theta().to_vec();
        y.extend_from_slice(stepper.log_multipliers());
        let mut mark = self.mark_at(stepper.base(), &y, system.kernel(), stepper.accumulated());
        mark.solver.rejected_steps += stepper.rejected;
        mark.solver.newton_failures += stepper.failures;
        mark.solver.rhs_evaluations += stepper.evaluations;
        mark.solver.jacobian_evaluations += stepper.jacobian_evaluations();
        mark.reached = stepper.clock();
        mark.past = stepper.state();
        mark
    }

    /// Whether the weights have come to rest, or multipliers outgrow what separable data show: for the fully implicit
    /// method, whose checks these are, to judge.
    fn beyond(&self, stepper: &mut Stepper<'_>, s: f64) -> bool {
        let largest = stepper.log_multipliers().iter().copied();
        let strongest = s + expand(largest.fold(f64::NEG_INFINITY, f64::max));
        strongest > STRONG
            && (strongest > 2.0 * s + 36.0 + self.strongest_at_start.max(0.0)
                || stepper.speed(RESTING) <= 1.0)
    }
}
