//! Whether a state rests, and where.

use super::System;
use crate::flow::clock::expand;
use crate::flow::ending::Rest;
use crate::flow::held::Observed;

/// Share of the updates of a weight near zero that is left when they do not cancel.
const UNBALANCED: f64 = 1e-3;

/// Weights below this are near zero, where forces on the others balance.
const NEAR_ZERO: f64 = 1e-2;

/// Updates of this size, relative to the largest of any weight, are rounding.
const ROUNDED_UPDATES: f64 = 1e-13;

/// See [`System::updates_cancel`].
const CANCELLED: f64 = 1e-8;

impl System {
    /// Whether the updates of the samples cancel in every weight, `|Σ_n E_n y_n 𝒢_n| ≤ 1e-8 Σ_n |E_n y_n 𝒢_n|`, entry
    /// by entry. This distinguishes resting weights and samples that contradict each other from updates that are
    /// small because the data are. Where they do, whether there are any.
    pub(in crate::flow) fn updates_cancel(&self, y: &[f64], t: f64) -> Option<Rest> {
        let theta = &y[..self.kernel.parameters()];
        let multipliers = self.multipliers(y, t);
        let mut sum = vec![0.0; theta.len()];
        let mut size = vec![0.0; theta.len()];
        let mut update = vec![0.0; theta.len()];
        let mut rates = vec![0.0; self.kernel.samples()];
        let mut alone = vec![0.0; multipliers.len()];
        for (n, &multiplier) in multipliers.iter().enumerate() {
            alone[n] = multiplier;
            let pull = self.pull(&alone);
            self.kernel.velocity(theta, &pull, &mut update, &mut rates);
            alone[n] = 0.0;
            for ((sum, size), update) in sum.iter_mut().zip(&mut size).zip(&update) {
                *sum += update;
                *size += update.abs();
            }
        }
        // where units slide, what is left of their updates is rounding
        let rounding = ROUNDED_UPDATES * size.iter().copied().fold(0.0, f64::max);
        let cancel =
            (sum.iter().zip(&size)).all(|(sum, size)| sum.abs() <= CANCELLED * size + rounding);
        if !cancel {
            return None;
        }
        let Some(degree) = self.kernel.degree() else {
            return Some(Rest::Minimum);
        };
        // products of layers that vanish are no balance of forces
        if size.iter().all(|size| *size == 0.0) {
            return Some(Rest::Saddle);
        }
        // weights near zero may be moved by forces that are nothing beside those that balance
        let pulled = sum.iter().zip(&size).zip(theta).filter(|((sum, size), w)| {
            sum.abs() > UNBALANCED * **size && **w != 0.0 && w.abs() < NEAR_ZERO
        });
        let rates = pulled.map(|((sum, _), w)| sum / w);
        let s = self.clock(t);
        let rate = rates.fold(f64::NEG_INFINITY, f64::max) * (-s - self.log_time(s)).exp();
        Some(match rate {
            f64::NEG_INFINITY => Rest::Minimum,
            rate if rate > 0.0 => Rest::Plateau {
                log_time: Some(plateau_end(self.log_time(s), rate, degree)),
            },
            _ => Rest::Plateau { log_time: None },
        })
    }

    /// ln of the rates at which the margins of some samples answer to their own multipliers, at the state `y` of the
    /// local time t, if all had `s + p_n = 0`. Between exact kinks a sample is seen or it is not, and margins of units
    /// that slide do not answer at all: nothing is asked of them.
    pub(in crate::flow) fn answers(&self, y: &[f64], t: f64, samples: &[usize]) -> Vec<f64> {
        if (self.kernel.pieces()).is_some_and(|pieces| pieces.has_kinks()) {
            return vec![f64::INFINITY; samples.len()];
        }
        let parameters = self.kernel.parameters();
        let factors = self.factors(y, t);
        let responses = self.kernel.tangent_kernel(&y[..parameters], samples);
        let answer = |(j, n): (usize, &usize)| {
            let strength = factors.multipliers[*n].ln() - self.clock(t) - expand(y[parameters + n]);
            let answering = responses[(*n, j)].abs() * (1.0 - factors.slope[*n].abs());
            strength + answering.ln()
        };
        samples.iter().enumerate().map(answer).collect()
    }

    /// What holding samples depends on, at the state `y` of the local time t.
    pub(in crate::flow) fn observe(&self, y: &[f64], t: f64) -> Observed {
        let parameters = self.kernel.parameters();
        let factors = self.factors(y, t);
        let mut velocity = vec![0.0; parameters];
        let mut margin_rates = vec![0.0; self.kernel.samples()];
        self.kernel.velocity(
            &y[..parameters],
            factors.pull(),
            &mut velocity,
            &mut margin_rates,
        );
        let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
        Observed {
            s: self.clock(t),
            p: y[parameters..].iter().map(|v| expand(*v)).collect(),
            margin_rates,
            pace: norm(&velocity) / norm(&y[..parameters]),
        }
    }
}

/// ln t at which a weight that grows at this rate (per unit of time) is no longer near zero.
fn plateau_end(log_time: f64, rate: f64, degree: i32) -> f64 {
    let left = -(rate * f64::from((degree - 2).max(1))).ln();
    log_time.max(left) + (-(log_time - left).abs()).exp().ln_1p()
}
