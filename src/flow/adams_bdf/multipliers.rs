//! Multipliers and what Newton's method needs of them, from the states alone.
//!
//! The multiplier in the clock s is `E_n = c_n exp(s + p_n + κ(m_n))` (c_n equal samples; κ = 0 for the exponential
//! loss). Here the margin in κ is `m_n = τ − p_n` (plus what it has from where others are held), what the
//! log-multiplier itself says, and not that of the weights:
//! the two differ by the drift of the run only, and E is a function of the states. These are the compressed
//! log-multipliers v_n themselves, or compressed [`Coordinates`] of them.

use super::super::clock::{COMPRESSION, compress, log_time};
use super::super::coordinates::Coordinates;
use super::super::ending::{STRONG, holding};
use super::super::guards::moves_unseen;
use super::super::system::System;
use super::tolerances::{Allowance, Rounding, Tolerances};
use crate::loss::Loss;
use nalgebra::DMatrix;
use std::sync::Arc;

/// All N samples, and what they are to the r states (the N samples, or r coordinates), at one instant.
#[derive(Default, Clone)]
pub(super) struct Multipliers {
    coordinates: Option<Arc<Coordinates>>,
    /// ln u of the clock.
    log_unit: f64,
    /// Rows per sample, which the loss may couple.
    rows: usize,
    /// What margins have besides that log-multipliers do not know; empty for nothing.
    shift: Vec<f64>,
    /// Samples whose margins stay zero: p = τ.
    dead: Vec<usize>,
    /// Samples that move nothing.
    idle: Vec<usize>,
    /// Whether all samples that move weights answer to their states.
    pub all_answer: bool,
    /// `E_n`, N.
    pub values: Vec<f64>,
    /// `p_n`, N.
    p: Vec<f64>,
    /// `∂E_n/∂p_n`, N, with coordinates; without them `∂κ/∂m_n`, of which `slopes` are made.
    by_p: Vec<f64>,
    /// Margins and κ of all samples, N; written where κ is not zero.
    margins: Vec<f64>,
    corrections: Vec<f64>,
    /// States without their compression, r.
    expanded: Vec<f64>,
    /// `C_i`, the derivative of the expanded by the compressed state, r.
    pub cosh: Vec<f64>,
    /// The tangent that belongs to it, r.
    pub tanh: Vec<f64>,
    /// What a state does to its own pull: `∂E_n/∂v_n`, or `M_ii C_i`; r.
    pub slopes: Vec<f64>,
    /// `a = TᵀE`; written with coordinates only.
    pull: Vec<f64>,
    /// How much a state moves its own pull, by the expanded state: E (zero of samples that move nothing, or do not
    /// answer), or `M_ii`; r.
    pub strengths: Vec<f64>,
}

impl Multipliers {
    /// Of the states of a system: coordinates, or samples.
    pub(super) fn of(system: &System) -> Self {
        Self {
            coordinates: system.coordinates().cloned(),
            log_unit: system.log_unit(),
            rows: system.rows(),
            shift: system.margin_shift().to_vec(),
            all_answer: !moves_unseen(system.kernel()),
            dead: system.kernel().dead().to_vec(),
            idle: system.kernel().idle().to_vec(),
            ..Self::default()
        }
    }

    /// At the states v and log-log-time s.
    pub(super) fn set(&mut self, v: &[f64], s: f64, loss: Loss, log_counts: &[f64]) {
        let states = v.len();
        for field in [
            &mut self.expanded,
            &mut self.slopes,
            &mut self.cosh,
            &mut self.tanh,
        ] {
            field.resize(states, 0.0);
        }
        for (i, v) in v.iter().enumerate() {
            // sinh from e^x − 1 keeps the digits of small x, and one exponential serves all three
            let less = (v.abs() / COMPRESSION).exp_m1();
            let sinh = (0.5 * (less + less / (1.0 + less))).copysign(*v);
            let cosh = sinh.hypot(1.0);
            self.expanded[i] = COMPRESSION * sinh;
            self.cosh[i] = cosh;
            self.tanh[i] = sinh / cosh;
        }
        match self.coordinates.clone() {
            None => self.set_samples(s, loss, log_counts),
            Some(coordinates) => self.set_coordinates(&coordinates, s, loss, log_counts),
        }
    }

    fn set_samples(&mut self, s: f64, loss: Loss, log_counts: &[f64]) {
        self.values.resize(self.expanded.len(), 0.0);
        let tau = log_time(s) + self.log_unit;
        let mut p = std::mem::take(&mut self.p);
        p.clone_from(&self.expanded);
        for &n in &self.dead {
            p[n] = tau;
            (self.cosh[n], self.tanh[n]) = (1.0, 0.0);
        }
        self.correct(&p, tau, loss);
        for (n, p) in p.iter().enumerate() {
            let e = (s + p + self.corrections[n] + log_count(log_counts, n)).exp();
            self.values[n] = e;
            self.slopes[n] = e * self.cosh[n] * (1.0 - self.by_p[n]);
        }
        let most = holding(&p, &self.idle);
        self.p = p;
        for &n in &self.idle {
            self.values[n] = self.values[n].min((s + most).exp());
        }
        self.strengths.clone_from(&self.values);
        for &n in self.dead.iter().chain(&self.idle) {
            (self.strengths[n], self.slopes[n]) = (0.0, 0.0);
        }
    }

    fn set_coordinates(&mut self, at: &Coordinates, s: f64, loss: Loss, log_counts: &[f64]) {
        let samples = at.samples();
        self.values.resize(samples, 0.0);
        self.p.resize(samples, 0.0);
        self.by_p.resize(samples, 0.0);
        self.pull.resize(at.len(), 0.0);
        self.strengths.resize(at.len(), 0.0);
        let tau = log_time(s) + self.log_unit;
        at.expand(&self.expanded, tau, &mut self.p);
        let p = std::mem::take(&mut self.p);
        self.correct(&p, tau, loss);
        self.p = p;
        let bounded = |(n, p): (usize, &f64)| if at.is_zero(n) { p.min(STRONG) } else { *p };
        let p: Vec<f64> = self.p.iter().enumerate().map(bounded).collect();
        for (n, x) in self.values.iter_mut().enumerate() {
            let e = (s + p[n] + self.corrections[n] + log_count(log_counts, n)).exp();
            *x = e;
            self.by_p[n] = e * (1.0 - self.by_p[n]);
        }
        at.pull(&self.values, &mut self.pull);
        at.diagonal(&self.by_p, &mut self.strengths);
        for (slope, (d, c)) in self
            .slopes
            .iter_mut()
            .zip(self.strengths.iter().zip(&self.cosh))
        {
            *slope = d * c;
        }
    }

    /// κ of all samples from their log-multipliers, and its slope `∂κ/∂m` in place of `∂E/∂p`, which is made of it.
    fn correct(&mut self, p: &[f64], tau: f64, loss: Loss) {
        self.by_p.resize(p.len(), 0.0);
        self.corrections.resize(p.len(), 0.0);
        if loss.log_correction_is_zero() {
            self.by_p.fill(0.0);
            return;
        }
        self.margins.clear();
        self.margins.extend(p.iter().map(|p| tau - p));
        for (margin, shift) in self.margins.iter_mut().zip(&self.shift) {
            *margin += shift;
        }
        let slopes = &mut self.by_p;
        loss.corrections(self.rows, &self.margins, &mut self.corrections, slopes);
    }

    /// The multipliers of the rows that the network sees: E, or `a = TᵀE`.
    pub(super) fn pull(&self) -> &[f64] {
        match &self.coordinates {
            None => &self.values,
            Some(_) => &self.pull,
        }
    }

    /// The multipliers of the samples that answer to their states, with their places.
    pub(super) fn answering(&self) -> impl Iterator<Item = (usize, f64)> {
        let all = self.values.iter().copied().enumerate();
        all.filter(|(n, _)| self.coordinates.is_some() || self.strengths[*n] > 0.0)
    }

    /// Takes the rates of states that are not integrated for zero.
    pub(super) fn rest(&self, rates: &mut [f64]) {
        for n in &self.dead {
            rates[*n] = 0.0;
        }
    }

    /// What a change of all multipliers by a common factor is, as changes of the states times their strengths.
    pub(super) fn common(&self, state: usize) -> f64 {
        match &self.coordinates {
            None => self.values[state],
            Some(_) if state == 0 => self.strengths[0],
            Some(_) => 0.0,
        }
    }

    /// The largest log-multiplier of a sample that answers.
    pub(super) fn strongest(&self) -> f64 {
        let p = match &self.coordinates {
            None => &self.expanded,
            Some(_) => &self.p,
        };
        let answering = self.answering().map(|(n, _)| p[n]);
        answering.fold(f64::NEG_INFINITY, f64::max)
    }

    /// How accurate each state has to be, so that no log-multiplier is less accurate than `tolerances` of it, or than
    /// rounding allows.
    pub(super) fn allowances(
        &self,
        tolerances: &Tolerances,
        rounding: Rounding,
        response: impl Fn(usize) -> Option<f64>,
    ) -> Vec<Allowance> {
        let rounding = match self.in_coordinates() {
            true => rounding.in_coordinates(),
            false => rounding,
        };
        let of_sample = |p: f64| {
            let of_state = tolerances.of_multiplier(compress(p));
            let error = of_state * (p / COMPRESSION).hypot(1.0);
            error.max(rounding.of_multiplier(p))
        };
        let Some(coordinates) = &self.coordinates else {
            let states = self.expanded.iter().zip(&self.cosh);
            let allowances = states.map(|(p, cosh)| Allowance {
                error: of_sample(*p) / cosh,
                idle: rounding.of_weak_rate(*p),
            });
            return allowances.collect();
        };
        // samples that are zero, or held, pull at no state
        let pulling = self.answering().filter(|(n, _)| !coordinates.is_zero(*n));
        let strongest = pulling.fold(f64::MIN_POSITIVE, |most, (_, e)| most.max(e));
        let share = |state: usize| {
            let answer = response(state).map_or(1.0, |k| rounding.answer(k * strongest));
            (answer, self.strengths[state] / strongest)
        };
        let of_samples: Vec<f64> = self.p.iter().map(|p| of_sample(*p)).collect();
        let columns = coordinates.combine().column_iter();
        let columns = columns.zip(self.expanded.iter().zip(&self.cosh));
        let allowances = columns.enumerate().map(|(i, (column, (p, cosh)))| {
            let needed = column.iter().zip(&of_samples).filter(|(t, _)| **t != 0.0);
            let error = needed.fold(f64::INFINITY, |least, (t, error)| {
                least.min(error / t.abs())
            });
            let (answer, pull) = share(i);
            let error = error.max(rounding.of_state(answer, pull));
            let linear = error / cosh;
            Allowance {
                // which may be more than the state itself, of one that passes zero
                error: match linear < 1.0 {
                    true => linear,
                    false => compress(p.abs() + error) - compress(p.abs()),
                },
                idle: rounding.of_rate(answer, pull),
            }
        });
        allowances.collect()
    }

    /// Whether states are coordinates.
    pub(super) fn in_coordinates(&self) -> bool {
        self.coordinates.is_some()
    }

    /// M, which says how pulls answer to all coordinates; none if each state moves its own only.
    pub(super) fn curvature(&self) -> Option<DMatrix<f64>> {
        let coordinates = self.coordinates.as_ref()?;
        Some(coordinates.curvature(&self.by_p))
    }

    /// dE for changes of the states.
    pub(super) fn changes(&self, dv: &[f64]) -> Vec<f64> {
        let Some(coordinates) = &self.coordinates else {
            return dv.iter().zip(&self.slopes).map(|(d, s)| d * s).collect();
        };
        let expanded: Vec<f64> = dv.iter().zip(&self.cosh).map(|(d, c)| d * c).collect();
        let mut changes = vec![0.0; self.values.len()];
        coordinates.expand(&expanded, 0.0, &mut changes);
        for (x, by_p) in changes.iter_mut().zip(&self.by_p) {
            *x *= by_p;
        }
        changes
    }
}

fn log_count(log_counts: &[f64], sample: usize) -> f64 {
    log_counts.get(sample).copied().unwrap_or(0.0)
}
