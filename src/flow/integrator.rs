//! What an integrator is: the trait that the driver ([`drive`](super::drive)) steps through a run.
//!
//! A new method is one file with an `impl Integrator` and a [`Constructor`], and one line in the registry
//! ([`method`](super::method)). Everything around the steps is the driver's: budgets, saves, borders between pieces of
//! a field, the guards against rest, overflow and stalling, rounding floors, fixed points, checkpoints, signals and
//! progress. The smallest example is `backward_euler` in the tests.

use super::drive::LegEnd;
use super::error::Cause;
use super::past::Past;
use super::system::System;
use crate::error::Result;

/// Steps one run from a state (θ, v) onward.
///
/// Time is local: t = 0 at the start, and `s = base + t` with the base of the system's clock. The state has P weights
/// θ and r states v, compressed log-multipliers or coordinates of them; vectors `y` of length P + r hold θ first. The
/// field is [`System::rhs`](super::System::rhs), the linearised implicit step
/// [`System::linearise`](super::System::linearise), both in local time.
///
/// A method needs `kind`, `time`, `step`, `weights`, `states`, `interpolate` and `statistics`; all others are
/// offers with a default that is always right. Given the same [`Start`], or the same mark, an integrator takes the
/// same steps to the last bit: that is what a resumed run stands on.
pub(super) trait Integrator {
    /// What slow progress of this method means.
    fn kind(&self) -> Kind;

    /// Local time at the end of the last step; 0 before the first, that of the mark after [`Self::restore`].
    fn time(&self) -> f64;

    /// Takes one accepted step, of a length of the integrator's choice but not beyond the local time `end` (the same
    /// in every call until [`Self::rebase`]). How it handles rejected attempts is its own business.
    ///
    /// # Errors
    /// Why there is no step. The state is then still the one before the call.
    fn step(&mut self, end: f64) -> std::result::Result<Step, Failure>;

    /// θ at the end of the last step, length P.
    fn weights(&self) -> &[f64];

    /// The states v there, length r.
    fn states(&self) -> &[f64];

    /// Writes (θ, v) at a local time within the last step, its ends included: continuous, and as accurate as the steps.
    /// Saves, borders and accumulated multipliers are computed from it. Only called after a step.
    ///
    /// # Errors
    /// If the state cannot be computed, which ends the run.
    fn interpolate(&mut self, t: f64, y: &mut [f64]) -> std::result::Result<(), Cause>;

    /// Work done since the start, or since [`Self::restore`].
    fn statistics(&self) -> Effort;

    /// Writes the accumulated multipliers `∫ E ds` (length N) up to a local time within the last step, if the method
    /// has formulas of its own for them. Otherwise returns false, and the driver uses Simpson's rule on
    /// [`Self::interpolate`].
    fn accumulated(&self, _t: f64, _totals: &mut [f64]) -> bool {
        false
    }

    /// dθ/ds at the end of the last step, length P, if it is known; the driver evaluates the field otherwise.
    fn velocity(&self) -> Option<&[f64]> {
        None
    }

    /// Whether the state, at the log-log-time s, is one that a [`Kind::Partitioned`] method leaves to the fully
    /// implicit one. `strongest` is the largest `p_n`, `strongest_at_start` that at s = 0.
    fn hands_over(&mut self, _s: f64, _strongest: f64, _strongest_at_start: f64) -> bool {
        false
    }

    /// How the run comes along, if a method of its kind makes use of it to start anew beyond a border.
    fn pace(&self) -> Option<Pace> {
        None
    }

    /// Changes the absolute tolerances of the weights from the next step on, one per layer. False if it cannot: it is
    /// then restarted with them.
    fn set_tolerances(&mut self, _weights: &[f64]) -> bool {
        false
    }

    /// Resets local time to zero at the end of the last step, once steps have come near the spacing of doubles. False
    /// if it cannot: it is then restarted there.
    fn rebase(&mut self) -> bool {
        false
    }

    /// Everything the next step depends on besides the clock's base, θ, v and the accumulated multipliers, so that a
    /// run can be resumed after any step. `None` if the method does not expose it: the driver then restarts it every
    /// so many steps, and marks the run there. Either always or never `None`.
    fn mark(&self) -> Option<Past> {
        None
    }

    /// Takes over a [`mark`](Self::mark) of the same problem. The integrator has been constructed from the base, (θ,
    /// v) and accumulated multipliers of that time, and continues bit for bit like the marked one.
    ///
    /// # Errors
    /// If it is not one of this method's marks; the integrator must not be used afterwards.
    fn restore(&mut self, _past: &Past) -> std::result::Result<(), ForeignPast> {
        Err(ForeignPast)
    }
}

/// What it means when steps of a method hardly advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing: steps are held short by stability, and budgets end the run.
    Explicit,
    /// Rounding, or that the flow has come to an end: no other method would get further.
    Implicit,
    /// Implicit only in the log-multipliers, so weights may have become stiff: the fully implicit method takes over.
    Partitioned,
}

/// An accepted step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// Whether it ends at `end`, to rounding.
    pub arrived: bool,
    /// Length of the next step.
    pub next: f64,
}

/// Why there is no step.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Of a [`Kind::Partitioned`] method: the fully implicit one takes over.
    #[error("no step is short enough")]
    Stalled,
    #[error("the end of the step is not finite")]
    NotFinite,
    #[error("{0}")]
    StepTooSmall(#[source] Cause),
    #[error("{0}")]
    Nonlinear(#[source] Cause),
}

/// A mark that is not one of the integrator's own.
#[derive(Debug, thiserror::Error)]
#[error("no state of this integrator")]
pub(super) struct ForeignPast;

/// Work done for the steps of one integrator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Effort {
    pub rejected_steps: usize,
    /// Iterations of Newton's method that failed.
    pub newton_failures: usize,
    pub rhs_evaluations: usize,
    pub jacobian_evaluations: usize,
}

/// Where an integrator starts, and the tolerances it must meet.
pub(super) struct Start<'a> {
    /// The field, with its clock.
    pub system: &'a std::sync::Arc<System>,
    /// (θ, v) at the base of the clock.
    pub y: &'a [f64],
    /// `∫ E ds` up to there, length N.
    pub accumulated: &'a [f64],
    /// Requested relative accuracy of the whole run; the method chooses what share of it a step may use.
    pub rtol: f64,
    /// Requested absolute accuracy of the whole run.
    pub atol: f64,
    /// Absolute tolerances of the weights for one step, one per layer: a share of `atol`, or the rounding of the
    /// layer's velocity.
    pub weights: &'a [f64],
    /// How the run comes along, where it only crosses a border.
    pub pace: Option<Pace>,
}

/// How a run comes along.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// The length of its steps.
    pub step: f64,
}

/// Makes an integrator, and passes it to the driver, which returns once the leg is over. (Not returned itself, so that
/// it may borrow from what lives on the constructor's stack.)
pub(super) type Constructor = fn(&Start<'_>, &mut Driver<'_>) -> Result<LegEnd>;

/// Drives an integrator through one leg.
pub(super) type Driver<'a> = dyn FnMut(&mut dyn Integrator) -> Result<LegEnd> + 'a;
