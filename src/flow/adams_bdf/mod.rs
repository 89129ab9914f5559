//! Adams formulas for the weights, backward differences for the log-multipliers.
//!
//! Only the N log-multipliers are stiff: at fixed weights `v_n' = (e^s − (K E)_n)/C_n` relaxes at rates `K_nn E_n ~ e^s` to where all
//! margins being learned grow alike, and the weights follow at rates of order one in the clock s. So each part gets the formula
//! that suits it, on the same nodes `t_{n+1} > t_n > …` at whatever distances:
//!
//! - v: backward differences of order q ≤ 5, `Σ_j α_j v_{n+1−j} = v'_{n+1}`, solved by Newton's method in N unknowns (see
//!   [`corrector`]) with the tangent kernel of an earlier step;
//! - θ: `θ_{n+1} = θ_n + Σ_j β_j f_{n+1−j}`, the integral of the polynomial through the velocities f at the nodes (Adams–Moulton),
//!   with `f_{n+1}` taken from the same iteration.
//!
//! What it buys: no matrix that knows of P, and no copy of θ. Past states do not enter, only past velocities, which a network
//! may keep in factored form ([`WeightPath`]). The question whether an explicit method would be cheaper at early times, when nothing is
//! stiff, does not arise: then no sample takes part in the linear system, and what remains *is* an Adams predictor–corrector.
//!
//! Orders of the two parts are chosen independently, the step is the smaller of what both can take. Errors are estimated from
//! the divided difference that the next higher order would use; weights advance with that order (local extrapolation).
//!
//! θ must not be stiff by itself. It is where the flow comes to rest at a finite minimum (data that cannot be separated) or starts from
//! enormous margins; and samples that are affine combinations of others need the care of `super::dependence`. There the
//! run is handed to the fully implicit method.

mod attempt;
mod corrector;
mod drive;
mod elimination;
mod multipliers;
mod order;
mod tolerances;
mod weights;

use crate::loss::Loss;
use crate::network::{FullPath, Kernel, WeightPath};
use crate::storage::checkpoint::{Words, Writer};
use attempt::{Attempt, Trial};
use corrector::Corrector;
use order::Order;
pub use tolerances::Tolerances;

/// Highest order of the backward differences.
const MOST_BACKWARD: usize = 5;

/// Highest order of the Adams formulas (before extrapolation).
const MOST_ADAMS: usize = 8;

/// Nodes remembered: enough to judge one order more.
const HISTORY: usize = MOST_ADAMS + 1;

/// Why no step can be taken.
#[derive(Debug)]
pub struct Stalled;

/// The state, its past, and what comes next.
pub struct Stepper<'k> {
    path: Box<dyn WeightPath + 'k>,
    loss: Loss,
    log_counts: Vec<f64>,
    /// `s = base + t`
    base: f64,
    tolerances: Tolerances,
    /// Local times of the nodes, newest first.
    times: Vec<f64>,
    /// v there.
    v: Vec<Vec<f64>>,
    /// E there.
    multipliers: Vec<Vec<f64>>,
    /// Slots of the velocities there; the last one is free.
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
    pub rejected: usize,
    pub failures: usize,
    pub evaluations: usize,
}

impl<'k> Stepper<'k> {
    /// At the state (θ, v) of log-log-time `base`.
    pub fn new(
        kernel: &'k dyn Kernel,
        loss: Loss,
        log_counts: &[f64],
        base: f64,
        (theta, v): (&[f64], &[f64]),
        accumulated: Vec<f64>,
        tolerances: Tolerances,
    ) -> Self {
        let slots = HISTORY + 1;
        let path = kernel
            .path(theta, slots)
            .unwrap_or_else(|| Box::new(FullPath::new(kernel, theta, slots)));
        let mut stepper = Self {
            path,
            loss,
            log_counts: log_counts.to_vec(),
            base,
            tolerances,
            times: vec![0.0],
            v: vec![v.to_vec()],
            multipliers: Vec::new(),
            slots: (0..slots).collect(),
            known: 1,
            accumulated,
            h: 0.0,
            backward: Order { now: 1, age: 0 },
            adams: Order { now: 1, age: 0 },
            corrector: Corrector::default(),
            trial: Trial::new(v, slots),
            rejected: 0,
            failures: 0,
            evaluations: 0,
        };
        stepper.start();
        stepper
    }

    /// The velocity at the start, a first step, and a node before it on the tangent of v.
    fn start(&mut self) {
        self.trial.at.fill(0.0);
        self.trial
            .multipliers
            .set(&self.v[0], self.base, self.loss, &self.log_counts);
        let slot = self.slots[0];
        self.evaluate(slot);
        let slope = self.slopes(0.0);
        self.multipliers = vec![self.trial.multipliers.values.clone()];
        let fastest = self.size_of_multipliers(&slope, &self.v[0]);
        self.h = FIRST_STEP.min(0.1 / fastest.max(1e-300).sqrt());
        let before = self.v[0].iter().zip(&slope).map(|(v, d)| v - self.h * d);
        let before: Vec<f64> = before.collect();
        self.v.push(before);
        self.times.push(-self.h);
    }

    /// Everything the next step depends on beside the state (θ, v), as words to be stored; see [`Self::restore`].
    pub fn state(&self) -> Vec<u64> {
        let mut words = Writer::default();
        words.numbers(&self.times);
        for history in [&self.v, &self.multipliers] {
            words.word(history.len() as u64);
            history.iter().for_each(|x| words.numbers(x));
        }
        for order in [&self.backward, &self.adams] {
            words.word(order.now as u64);
            words.word(order.age as u64);
        }
        words.number(self.h);
        words.word(self.known as u64);
        let slots: Vec<u64> = self.slots.iter().map(|slot| *slot as u64).collect();
        words.words(&slots);
        words.numbers(&self.path.velocities());
        self.corrector.write(&mut words);
        words.into_words()
    }

    /// Takes over a [`state`](Self::state) of a stepper of the same problem with the same base and state (θ, v); it goes on bit for bit as
    /// that one. `None`, and a stepper that cannot be used, if there is no such state.
    pub fn restore(&mut self, words: &mut Words<'_>) -> Option<()> {
        let samples = self.v[0].len();
        let fits = |x: &Vec<f64>| x.len() == samples;
        self.times = words.numbers()?;
        for history in [&mut self.v, &mut self.multipliers] {
            *history = (0..words.length()?)
                .map(|_| words.numbers().filter(fits))
                .collect::<Option<_>>()?;
        }
        for order in [&mut self.backward, &mut self.adams] {
            order.now = words.count()?;
            order.age = words.count()?;
        }
        self.h = words.number()?;
        self.known = words.count()?;
        self.slots = (words.words()?.iter())
            .map(|slot| usize::try_from(*slot).ok())
            .collect::<Option<_>>()?;
        self.path.restore(&words.numbers()?)?;
        self.corrector.read(words)?;
        // what it took to make the stepper that becomes this one
        self.evaluations = 0;
        let mut slots = self.slots.clone();
        slots.sort_unstable();
        let nodes = self.times.len();
        let whole = (2..=HISTORY).contains(&nodes)
            && self.v.len() == nodes
            && (1..=HISTORY).contains(&self.known)
            && self.multipliers.len() >= self.known
            && (1..=MOST_BACKWARD).contains(&self.backward.now)
            && (1..=MOST_ADAMS).contains(&self.adams.now)
            && slots.iter().copied().eq(0..=HISTORY);
        (whole && words.is_empty()).then_some(())
    }

    /// s at the local time zero.
    pub fn base(&self) -> f64 {
        self.base
    }

    /// s of the newest node.
    pub fn clock(&self) -> f64 {
        self.base + self.times[0]
    }

    pub fn local_time(&self) -> f64 {
        self.times[0]
    }

    pub fn step_size(&self) -> f64 {
        self.h
    }

    pub fn jacobian_evaluations(&self) -> usize {
        self.corrector.evaluations
    }

    /// Counts local time from the newest node.
    pub fn rebase(&mut self) {
        let t = self.times[0];
        self.base += t;
        for node in &mut self.times {
            *node -= t;
        }
    }

    /// v at the newest node.
    pub fn log_multipliers(&self) -> &[f64] {
        &self.v[0]
    }

    pub fn accumulated(&self) -> &[f64] {
        &self.accumulated
    }

    pub fn theta(&self) -> &[f64] {
        self.path.theta()
    }

    /// Size of the velocity in units of `relative` times the weights.
    pub fn speed(&mut self, relative: f64) -> f64 {
        self.trial.at.fill(0.0);
        self.trial.at[self.slots[0]] = 1.0;
        let none = vec![0.0; self.tolerances.weights.len()];
        self.path.size(&self.trial.at, relative, &none)
    }

    pub fn tolerances_mut(&mut self) -> &mut Tolerances {
        &mut self.tolerances
    }

    /// θ, v and accumulated multipliers at a local time within the last step.
    pub fn interpolate(&self, t: f64, theta: &mut [f64], v: &mut [f64], accumulated: &mut [f64]) {
        let nodes = &self.times[..=self.backward.now.min(self.times.len() - 1)];
        combine(&weights::value(nodes, t), &self.v, v);
        let nodes = &self.times[..(self.adams.now + 1).min(self.known)];
        let back = weights::integral(nodes, self.times[0], t);
        let mut at = vec![0.0; self.slots.len()];
        for (slot, w) in self.slots.iter().zip(&back) {
            at[*slot] = *w;
        }
        self.path.write(&at, theta);
        accumulated.copy_from_slice(&self.accumulated);
        for (w, e) in back.iter().zip(&self.multipliers) {
            for (a, e) in accumulated.iter_mut().zip(e) {
                *a += w * e;
            }
        }
    }

    /// One step, not beyond the local time `end`.
    pub fn step(&mut self, end: f64) -> Result<(), Stalled> {
        let mut setbacks = 0;
        loop {
            let t = self.times[0];
            // the last step is the rest of the way, with no crumb left over
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
                // what lies behind says nothing about what comes
                self.backward = Order { now: 1, age: 0 };
                self.adams = Order { now: 1, age: 0 };
                self.h *= 0.5;
            }
        }
    }
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

/// Setbacks in one step after which it is given up.
const MOST_SETBACKS: usize = 60;
