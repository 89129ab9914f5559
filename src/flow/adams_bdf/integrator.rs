//! This method as an integrator: tolerances, hand-over, marks.

use super::super::drive::{LegEnd, all_finite};
use super::super::ending::{STRONG, overflows};
use super::super::error::Cause;
use super::super::held::Held;
use super::super::integrator::{
    Driver, Effort, Failure, ForeignPast, Integrator, Kind, Pace, Start, Step,
};
use super::super::past::Past;
use super::super::system::System;
use super::history::History;
use super::{Stepper, Tolerances};
use crate::error::Result;

/// Share of the run's relative tolerance that one step may use, for the weights and for the log-multipliers.
const LOCAL_SHARE: f64 = 0.01;

/// See [`LOCAL_SHARE`].
const LOCAL_SHARE_OF_MULTIPLIERS: f64 = 0.0003;

/// Weights that move by less than this of themselves per unit of s while multipliers are [`STRONG`] are handed over
/// to the fully implicit method. On the way to infinity weights move by 1/(Ls), more than 3e-4. Near a minimum they
/// are stiff, and steps at the limit of stability sustain noise of the size of the tolerance: waiting for 1e-8, where
/// weights rest, left them 2e-5 off.
const RESTING: f64 = 1e-4;

/// [`Method::AdamsBdf`](super::super::Method::AdamsBdf).
///
/// # Errors
/// The driver's errors.
pub(crate) fn begin(start: &Start<'_>, drive: &mut Driver<'_>) -> Result<LegEnd> {
    drive(&mut AdamsBdf {
        stepper: Stepper::new(start, tolerances(start)),
        system: start.system,
    })
}

fn tolerances(start: &Start<'_>) -> Tolerances {
    let relative = (start.rtol * LOCAL_SHARE).max(1e-13);
    let looser = start.system.choice().map_or(1.0, |choice| choice.looser);
    Tolerances {
        relative,
        weights: start.weights.to_vec(),
        relative_multipliers: looser * (start.rtol * LOCAL_SHARE_OF_MULTIPLIERS).max(1e-13),
        multipliers: looser * 100.0 * start.atol * LOCAL_SHARE_OF_MULTIPLIERS,
        newton: 0.1 * relative,
    }
}

/// Log-multipliers, in the clock s, above which samples of other than linear networks are looked at: where they pull
/// against each other, weights relax at such rates.
const PULLING: f64 = 8.0;

/// The same between exact kinks: gates do not bend there, and only the multipliers themselves are stiff. (With 14,
/// rounding of the pull crossed kinks hundreds of times on two-layer networks that do not fit their data.)
const PULLING_BETWEEN_KINKS: f64 = 12.0;

/// The stepper and its field.
struct AdamsBdf<'k> {
    stepper: Stepper<'k>,
    system: &'k System,
}

impl AdamsBdf<'_> {
    /// Whether the samples that pull most have come to rest against each other, on networks that are not linear.
    fn pulls_rest(&self) -> bool {
        let y = [self.weights(), self.states()].concat();
        let seen = self.system.observe(&y, self.stepper.since_start());
        Held::at_rest(&seen, self.system.kernel().idle()).is_some()
    }
}

impl Integrator for AdamsBdf<'_> {
    fn kind(&self) -> Kind {
        Kind::Partitioned
    }

    fn time(&self) -> f64 {
        self.stepper.times[0]
    }

    fn step(&mut self, end: f64) -> std::result::Result<Step, Failure> {
        let stepper = &mut self.stepper;
        stepper.take_step(end).map_err(|_| Failure::Stalled)?;
        if !all_finite(&stepper.v[0]) || !all_finite(&stepper.accumulated) {
            return Err(Failure::NotFinite);
        }
        Ok(Step {
            arrived: stepper.times[0] >= end,
            next: stepper.h,
        })
    }

    fn weights(&self) -> &[f64] {
        self.stepper.path.theta()
    }

    fn states(&self) -> &[f64] {
        &self.stepper.v[0]
    }

    fn interpolate(&mut self, t: f64, y: &mut [f64]) -> std::result::Result<(), Cause> {
        let (theta, v) = y.split_at_mut(self.system.parameters());
        self.stepper.interpolate(t, theta, v);
        Ok(())
    }

    fn statistics(&self) -> Effort {
        Effort {
            rejected_steps: self.stepper.rejected,
            newton_failures: self.stepper.failures,
            rhs_evaluations: self.stepper.evaluations,
            jacobian_evaluations: self.stepper.corrector.evaluations,
        }
    }

    fn accumulated(&self, t: f64, totals: &mut [f64]) -> bool {
        self.stepper.accumulate(t, totals);
        true
    }

    /// Where the weights come to rest, or multipliers outgrow those of separable data: the fully implicit method's to
    /// judge.
    fn hands_over(&mut self, s: f64, strongest: f64, strongest_at_start: f64) -> bool {
        let pulling = (self.system.kernel().pieces()).map(|pieces| match pieces.has_kinks() {
            true => PULLING_BETWEEN_KINKS,
            false => PULLING,
        });
        if pulling.is_some_and(|most| s + strongest > most) && self.pulls_rest() {
            return true;
        }
        s + strongest > STRONG
            && (overflows(s, strongest, strongest_at_start) || self.stepper.speed(RESTING) <= 1.0)
    }

    fn pace(&self) -> Option<Pace> {
        let step = self.stepper.h;
        Some(Pace { step })
    }

    fn set_tolerances(&mut self, weights: &[f64]) -> bool {
        self.stepper.tolerances.weights = weights.to_vec();
        true
    }

    fn rebase(&mut self) -> bool {
        self.stepper.count_from_here();
        true
    }

    fn mark(&self) -> Option<Past> {
        Past::of(&History::of(&self.stepper))
    }

    fn restore(&mut self, past: &Past) -> std::result::Result<(), ForeignPast> {
        let history = past.read::<History>();
        let restored = history.and_then(|history| history.restore(&mut self.stepper));
        restored.ok_or(ForeignPast)
    }
}
