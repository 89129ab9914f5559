//! Adams formulas for the weights, backward differences for the log-multipliers.
//!
//! Only the N log-multipliers are stiff: at fixed weights `v_n' = (e^s − (K E)_n)/C_n` relaxes at rates
//! `K_nn E_n ~ e^s` to where all margins being learned grow alike, and the weights follow at rates of order one in the
//! clock s. So each part gets the formula that suits it, on the same, arbitrarily spaced nodes `t_{n+1} > t_n > …`:
//!
//! - v: backward differences of order q ≤ 5, `Σ_j α_j v_{n+1−j} = v'_{n+1}`, solved by Newton's method in N unknowns
//!   (see [`corrector`]) with the tangent kernel of an earlier step;
//! - θ: `θ_{n+1} = θ_n + Σ_j β_j f_{n+1−j}`, the integral of the polynomial through the velocities f at the nodes
//!   (Adams–Moulton), with `f_{n+1}` taken from the same iteration.
//!
//! The benefit: no matrix whose size depends on P, and no copy of θ. Past states do not enter, only past velocities,
//! which a network may keep in factored form ([`WeightPath`]). Switching to an explicit method at early times, when
//! nothing is stiff, would gain nothing: then no sample takes part in the linear system, and what remains *is* an
//! Adams predictor–corrector.
//!
//! The orders of the two parts are chosen independently; the step is the smaller of the two that they allow. Errors
//! are estimated from the divided difference that the next higher order would use; weights advance with that order
//! (local extrapolation).
//!
//! θ must not be stiff by itself. It is where the flow comes to rest at a finite minimum (data that cannot be
//! separated) or starts from enormous margins. There the run is handed to the fully implicit method.

mod attempt;
mod corrector;
mod elimination;
mod history;
mod integrator;
mod multipliers;
mod order;
mod pace;
mod tolerances;
mod weights;

use super::integrator::Start;
use super::past::Past;
use super::system::System;
use crate::loss::Loss;
use crate::network::{FullPath, WeightPath};
use attempt::{Attempt, Trial};
use corrector::Corrector;
use history::History;
pub(super) use integrator::begin;
use multipliers::Multipliers;
use order::Order;
use tolerances::{Rounding, Tolerances};

/// Highest order of the backward differences.
const MOST_BACKWARD: usize = 5;

/// Highest order of the Adams formulas (before extrapolation).
const MOST_ADAMS: usize = 8;

/// Nodes remembered: enough to estimate the error at one order more.
const HISTORY: usize = MOST_ADAMS + 1;

/// Why no step can be taken.
#[derive(Debug)]
pub(super) struct Stalled;

/// The state, its past, and what comes next.
pub(super) struct Stepper<'k> {
    path: Box<dyn WeightPath + 'k>,
    loss: Loss,
    log_counts: Vec<f64>,
    /// Share of e^s in the rate of each state.
    offsets: Vec<f64>,
    /// `s = base + t`
    base: f64,
    /// How much later this base is than that of the system's clock.
    shift: f64,
    tolerances: Tolerances,
    /// Local times of the nodes, newest first.
    times: Vec<f64>,
    /// v at the nodes.
    v: Vec<Vec<f64>>,
    /// E at the nodes.
    multipliers: Vec<Vec<f64>>,
    /// Slots of the velocities at the nodes; the last one is free.
    slots: Vec<usize>,
    /// How many of the velocities are known.
    known: usize,
    /// `∫ E ds` up to the newest node.
    accumulated: Vec<f64>,
    h: f64,
    backward: Order,
    adams: Order,
    corrector: Corrector,
    trial: Trial,
    rejected: usize,
    failures: usize,
    evaluations: usize,
}

impl<'k> Stepper<'k> {
    /// A stepper at the state (θ, v) at the base of a clock.
    fn new(start: &Start<'k>, tolerances: Tolerances) -> Self {
        let system: &'k System = start.system;
        let kernel = system.kernel();
        let (theta, v) = start.y.split_at(system.parameters());
        let slots = HISTORY + 1;
        // parts of θ are taken apart by the path that keeps all weights
        let own = match system.resolved() {
            [] => kernel.path(theta, slots),
            _ => None,
        };
        let mut path = own.unwrap_or_else(|| Box::new(FullPath::new(kernel, theta, slots)));
        path.resolve(system.resolved());
        let mut stepper = Self {
            path,
            loss: system.loss(),
            log_counts: system.log_counts().to_vec(),
            offsets: system.offsets(),
            base: system.clock(0.0),
            shift: 0.0,
            tolerances,
            times: vec![0.0],
            v: vec![v.to_vec()],
            multipliers: Vec::new(),
            slots: (0..slots).collect(),
            known: 1,
            accumulated: start.accumulated.to_vec(),
            h: 0.0,
            backward: Order { now: 1, age: 0 },
            adams: Order { now: 1, age: 0 },
            corrector: Corrector::default(),
            trial: Trial::new(v, slots, Multipliers::of(system)),
            rejected: 0,
            failures: 0,
            evaluations: 0,
        };
        stepper.start();
        if let Some(pace) = start.pace {
            stepper.start_at(pace);
        }
        stepper
    }

    /// Computes the velocity at the start, the size of a first step, and an earlier node on the tangent of v.
    fn start(&mut self) {
        self.trial.at.fill(0.0);
        self.trial
            .multipliers
            .set(&self.v[0], self.base, self.loss, &self.log_counts);
        let slot = self.slots[0];
        self.evaluate(slot);
        self.allow(Rounding::default());
        let slope = self.slopes(self.base);
        self.multipliers = vec![self.trial.multipliers.values.clone()];
        let fastest = self.size_of_multipliers(&slope);
        self.h = FIRST_STEP.min(0.1 / fastest.max(1e-300).sqrt());
        let before = self.v[0].iter().zip(&slope).map(|(v, d)| v - self.h * d);
        let before: Vec<f64> = before.collect();
        self.v.push(before);
        self.times.push(-self.h);
    }

    /// Time since the base of the system's clock.
    fn since_start(&self) -> f64 {
        self.shift + self.times[0]
    }

    /// Resets local time to zero at the newest node.
    fn count_from_here(&mut self) {
        let t = self.times[0];
        self.base += t;
        self.shift += t;
        for node in &mut self.times {
            *node -= t;
        }
    }

    /// Size of the velocity in units of `relative` times the weights.
    fn speed(&mut self, relative: f64) -> f64 {
        self.trial.at.fill(0.0);
        self.trial.at[self.slots[0]] = 1.0;
        let none = vec![0.0; self.tolerances.weights.len()];
        self.path.size(&self.trial.at, relative, &none)
    }

    /// θ and v at a local time within the last step.
    fn interpolate(&self, t: f64, theta: &mut [f64], v: &mut [f64]) {
        let nodes = &self.times[..=self.backward.now.min(self.times.len() - 1)];
        combine(&weights::value(nodes, t), &self.v, v);
        let mut at = vec![0.0; self.slots.len()];
        for (slot, w) in self.slots.iter().zip(&self.back_to(t)) {
            at[*slot] = *w;
        }
        self.path.write(&at, theta);
    }

    /// `∫ E ds` up to a local time within the last step.
    fn accumulate(&self, t: f64, totals: &mut [f64]) {
        totals.copy_from_slice(&self.accumulated);
        if t == self.times[0] {
            return;
        }
        for (w, e) in self.back_to(t).iter().zip(&self.multipliers) {
            for (a, e) in totals.iter_mut().zip(e) {
                *a += w * e;
            }
        }
    }

    /// Weights of the values at the nodes in an integral from the newest node back to t.
    fn back_to(&self, t: f64) -> Vec<f64> {
        let nodes = &self.times[..(self.adams.now + 1).min(self.known)];
        weights::integral(nodes, self.times[0], t)
    }

    /// One step, not beyond the local time `end`.
    fn take_step(&mut self, end: f64) -> Result<(), Stalled> {
        let mut setbacks = 0;
        loop {
            let t = self.times[0];
            // the last step covers whatever distance is left
            let last = t + 1.001 * self.h >= end;
            let next = if last { end } else { t + self.h };
            let h = next - t;
            if h <= 0.0 || (h < 1e-15 * t && !last) || setbacks > MOST_SETBACKS {
                return Err(Stalled);
            }
            match self.attempt(next) {
                Attempt::Done => return Ok(()),
                Attempt::TooLarge(error, order) => {
                    self.rejected += 1;
                    let factor = 0.9 * error.powf(-1.0 / (order as f64 + 1.0));
                    self.h = h * if factor.is_finite() {
                        factor.clamp(0.2, 0.9)
                    } else {
                        0.2
                    };
                }
                Attempt::Diverged => {
                    self.failures += 1;
                    if self.corrector.is_fresh() {
                        self.h = 0.25 * h;
                    }
                    self.corrector.forget();
                }
            }
            setbacks += 1;
            if setbacks % 3 == 0 {
                // the past says nothing about what comes
                self.backward = Order { now: 1, age: 0 };
                self.adams = Order { now: 1, age: 0 };
                self.h *= 0.5;
            }
        }
    }
}

/// What a stepper leaves behind, for one whose states are others: `map` takes those of a local time to them.
pub(super) fn in_other_states(past: &Past, map: &dyn Fn(&[f64], f64) -> Vec<f64>) -> Option<Past> {
    let history: History = past.read()?;
    Past::of(&history.in_other_states(map))
}

/// `out = Σ_j w_j x_j`
fn combine(weights: &[f64], x: &[Vec<f64>], out: &mut [f64]) {
    out.fill(0.0);
    for (w, x) in weights.iter().zip(x) {
        for (o, x) in out.iter_mut().zip(x) {
            *o += w * x;
        }
    }
}

/// s of a first step where nothing is fast.
const FIRST_STEP: f64 = 1e-5;

/// Failed attempts at one step after which it is abandoned.
const MOST_SETBACKS: usize = 60;
