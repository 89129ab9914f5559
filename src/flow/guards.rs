//! What is checked after every step: rest, overflow, and whether the run still makes progress.

use super::clock::Epoch;
use super::drive::{Drive, Why};
use super::ending::{
    Beyond, DRIVEN_IN_ROUNDING, NO_SEPARATOR, NOT_FITTED, Rest, STRONG, UNSEEN, UNSEEN_IN_ROUNDING,
    beyond_separability, is_fast, partial_plateau,
};
use super::held::{self, Held, STIFF};
use super::integrator::Kind;
use super::magnified::outgrown;
use super::system::{NewtonSolver, System};
use super::watch::{CRAWL, CRAWL_STEPS};
use crate::network::Kernel;
use crate::trajectory::Status;

/// Failures of Newton's method in the two hundred steps of a [drag](super::watch::Watch::drags) that are not to be put
/// up with.
const MANY_FAILURES: usize = 20;

/// Log-multiplier above which samples that contradict each other may be held: what they give up to the others' pull is
/// then about e^−12 of their own.
const CONTRADICTED: f64 = 12.0;

/// ln t up to which quantities that grow like t are numbers.
const RANGE: f64 = 600.0;

/// Weights grow like t if they do so by more than this share of themselves while ln t grows by one.
const DRIVEN: f64 = 0.5;

/// A power of t beyond this is none that a balance leads to: something happens in less than the time t.
const MOST_DRIVEN: f64 = 4.0;

impl Drive<'_, '_> {
    /// Why the state at the end of the last step, at log-log-time s, ends the leg, if it does.
    pub(super) fn guard(&mut self, s: f64) -> Option<Why> {
        if self.run.contradiction.is_none()
            && self.run.epoch == Epoch::FIRST
            && self.run.watch.looks(s)
            && self.system.kernel().signed_samples().is_some()
            && self.strongest(s) > CONTRADICTED
        {
            return Some(Why::Contradiction);
        }
        if (self.system).wants_coordinates(self.integrator.states(), s) {
            return Some(Why::Coordinates);
        }
        if self.system.coordinates().is_none()
            && outgrown(
                self.system.kernel(),
                self.integrator.weights(),
                self.run.epoch,
            )
        {
            return Some(Why::NewUnit);
        }
        if self.run.log_time(s) > RANGE && moves_unseen(self.system.kernel()) {
            return Some(self.ends(UNSEEN));
        }
        match self.integrator.kind() {
            Kind::Partitioned => self.leaves_to_others(s),
            Kind::Explicit => self.rests_or_overflows(s),
            Kind::Implicit => (self.rests_or_overflows(s))
                .or_else(|| self.balance(s))
                .or_else(|| self.gets_nowhere(s)),
        }
    }

    /// A partitioned method hands weights that have become stiff over to the fully implicit one, to which the other
    /// guards apply.
    fn leaves_to_others(&mut self, s: f64) -> Option<Why> {
        if self.is_fast(s) {
            return Some(Why::NewEpoch);
        }
        let (strongest, at_start) = (self.strongest(s), self.run.strongest_at_start);
        if !self.run.epoch.is_magnified()
            && self.integrator.hands_over(s, strongest, at_start)
            && !self.nears_a_saddle()
        {
            return Some(Why::HandOver);
        }
        if self.run.watch.drags(s) && self.may_change_coordinates(s) {
            return Some(Why::Coordinates);
        }
        let bent = self.system.kernel().pieces().is_some();
        if bent && self.run.watch.struggles(self.setbacks(), s) {
            if self.is_driven_unseen(s) {
                return Some(self.ends(UNSEEN_IN_ROUNDING));
            }
            return Some(Why::HandOver);
        }
        if !self.run.watch.lingers(s) {
            return None;
        }
        if (self.run).rounding_has_grown(self.integrator.weights(), f64::NEG_INFINITY) {
            self.with_new_tolerances()
        } else if self.is_driven_unseen(s) {
            Some(self.ends(UNSEEN_IN_ROUNDING))
        } else {
            Some(Why::HandOver)
        }
    }

    /// Whether (other) coordinates might help at the end of the last step.
    pub(super) fn may_change_coordinates(&self, s: f64) -> bool {
        (self.system).may_change_coordinates(self.integrator.states(), s)
    }

    /// Whether samples that no unit of a later layer sees drive the weights like t. Whatever weights the others are
    /// learned with is then a small difference of numbers that grow like t, and soon one of their rounding: no method
    /// follows it.
    fn is_driven_unseen(&self, s: f64) -> bool {
        let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
        moves_unseen(self.system.kernel())
            && norm(&self.velocity()) > DRIVEN * s.exp() * norm(self.integrator.weights())
    }

    /// Ends a run for a reason.
    fn ends(&mut self, why: &str) -> Why {
        self.run.failure = Some(why.into());
        Why::Ended(Status::NonlinearFailure)
    }

    fn rests_or_overflows(&mut self, s: f64) -> Option<Why> {
        let theta = self.integrator.weights();
        let strongest = self.strongest(s);
        let at_start = self.run.strongest_at_start;
        let beyond = match self.integrator.velocity() {
            Some(velocity) => beyond_separability(s, strongest, at_start, theta, velocity),
            // evaluated only where it is needed
            None if s + strongest > STRONG => {
                let velocity = self.velocity();
                beyond_separability(s, strongest, at_start, theta, &velocity)
            }
            None => None,
        };
        let cancelled = beyond.and_then(|beyond| {
            let y = self.state();
            Some((beyond, self.system.updates_cancel(&y, self.time())?))
        });
        let Some((cancelled, rest)) = cancelled else {
            return self.is_fast(s).then_some(Why::NewEpoch);
        };
        if let Rest::Plateau { log_time } = rest {
            self.run.failure = Some(partial_plateau(log_time));
            return Some(Why::Ended(Status::NonlinearFailure));
        }
        match cancelled {
            Beyond::Rest => {
                let y = self.system.in_samples(&self.state(), s);
                let totals = self.accumulated.totals();
                self.run.repeat_until_the_horizon((s, rest), &y, totals);
                Some(Why::Ended(Status::Completed))
            }
            Beyond::Overflow => {
                self.run.failure = Some(cannot_follow(self.system).into());
                Some(Why::Ended(Status::NonlinearFailure))
            }
        }
    }

    /// Whether multipliers are large because weights that are held away from zero come near it, and not because forces
    /// balance.
    fn nears_a_saddle(&self) -> bool {
        !self.run.resolved.is_empty()
            && (self.system.updates_cancel(&self.state(), self.time())).is_none()
    }

    /// Whether what happens next is too fast for the clock in use. (Coordinates are of later times.)
    fn is_fast(&self, s: f64) -> bool {
        if self.system.coordinates().is_some() || self.run.epoch.is_magnified() {
            return false;
        }
        let v = self.integrator.states();
        let kernel = self.system.kernel();
        let loss = (self.system.loss(), self.system.rows());
        is_fast(kernel, loss, v, self.run.log_time(s))
    }

    /// Holds samples that cannot be fitted once they rest, and releases them once they do not. Networks that are
    /// linear in their input have coordinates and certificates instead.
    fn balance(&mut self, s: f64) -> Option<Why> {
        let held = self.system.held();
        let pull = s + self.strongest(s);
        if self.system.kernel().signed_samples().is_some() || held.is_none() && pull < STIFF {
            return None;
        }
        if held.is_some() && (self.run).rounding_has_grown(self.integrator.weights(), pull) {
            return self.with_new_tolerances();
        }
        let (y, t) = (self.state(), self.time());
        let seen = self.system.observe(&y, t);
        let idle = self.system.kernel().idle();
        let changes = match held {
            None => Held::at(&seen, idle, |n| self.system.answers(&y, t, n)).is_some(),
            Some(held) => held.gives_way(&seen),
        };
        changes.then_some(Why::Balance)
    }

    fn gets_nowhere(&mut self, s: f64) -> Option<Why> {
        if self.run.watch.crawls(s) {
            let why = if self.strongest(s) > STRONG {
                cannot_follow(self.system)
            } else {
                "nearly equal support vectors do this far out, and so do tolerances near rounding"
            };
            self.run.failure = Some(format!(
                "the last {CRAWL_STEPS} steps advanced log-log-time by less than {CRAWL}; {why}"
            ));
            return Some(Why::Ended(Status::StepTooSmall));
        }
        if self.run.watch.drags(s) {
            let linear = self.system.kernel().signed_samples().is_some();
            let pull = match linear {
                true => f64::NEG_INFINITY,
                false => (s + self.strongest(s)).min(STIFF),
            };
            if (self.run).rounding_has_grown(self.integrator.weights(), pull) {
                return self.with_new_tolerances();
            }
            if self.newton_fails() {
                if !linear && self.is_driven_in_rounding() {
                    return Some(self.ends(DRIVEN_IN_ROUNDING));
                }
                self.run.solve_densely(s);
                return Some(Why::Restart);
            }
        }
        self.run.solve_as_before(s).then_some(Why::Restart)
    }

    /// Whether samples that pull against each other drive the weights by what is left of their balance, like a power of
    /// t, while rounding of the balance moves them by more than the tolerance in a unit of s.
    fn is_driven_in_rounding(&self) -> bool {
        // with the exact matrix, nothing but rounding keeps an iteration from converging
        if self.run.newton() != NewtonSolver::Dense || self.system.held().is_some() {
            return false;
        }
        let (y, t) = (self.state(), self.time());
        let idle = self.system.kernel().idle();
        let pulls = self.system.multipliers(&y, t).into_iter().enumerate();
        let moving = pulls.filter(|(n, _)| !idle.contains(n));
        let rounding = f64::EPSILON * moving.map(|(_, e)| e).fold(0.0, f64::max);
        let seen = self.system.observe(&y, t);
        let like_a_power = held::DRIVEN..MOST_DRIVEN * seen.s.exp();
        rounding > self.run.options.rtol && like_a_power.contains(&seen.pace)
    }

    /// Attempts at steps that have failed in this run.
    fn setbacks(&self) -> usize {
        let (here, before) = (self.integrator.statistics(), &self.run.solver);
        let failed = here.rejected_steps + here.newton_failures;
        failed + before.rejected_steps + before.newton_failures
    }

    /// Whether many iterations of Newton's method have failed since this was last asked.
    fn newton_fails(&mut self) -> bool {
        let failures = self.integrator.statistics().newton_failures;
        let since = failures - self.failures;
        self.failures = failures;
        since >= MANY_FAILURES
    }

    /// Rounding of the weights has grown beyond the tolerances in use.
    fn with_new_tolerances(&mut self) -> Option<Why> {
        let weights = self.run.absolute_tolerances();
        let taken = self.integrator.set_tolerances(&weights);
        (!taken).then_some(Why::Restart)
    }

    /// The largest `p_n` at log-log-time s.
    fn strongest(&self, s: f64) -> f64 {
        self.system.strongest(self.integrator.states(), s)
    }

    /// dθ/ds from the field.
    fn velocity(&self) -> Vec<f64> {
        let mut derivative = vec![0.0; self.system.unknowns()];
        (self.system).rhs(&self.state(), self.time(), &mut derivative);
        derivative.truncate(self.run.parameters);
        derivative
    }
}

/// Whether some dead sample moves weights.
pub(super) fn moves_unseen(kernel: &dyn Kernel) -> bool {
    kernel.dead().iter().any(|n| !kernel.idle().contains(n))
}

/// Why a run whose margins no longer grow cannot go on.
fn cannot_follow(system: &System) -> &'static str {
    match system.kernel().signed_samples() {
        Some(_) => NO_SEPARATOR,
        None => NOT_FITTED,
    }
}
