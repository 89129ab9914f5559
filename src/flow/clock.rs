//! Clocks and compressed log-multipliers.
//!
//! Three clocks name the same instant: time t, log-time `τ = ln(1+t)` and log-log-time `s = ln(1+τ)`. The flow is
//! integrated in s, where directions move like `e^{−rs}` and everything of interest is slow.
//!
//! The log-multiplier `p_n = τ − m_n` (so that `α_n (1+t) = e^{p_n}`) of a sample far from active diverges like `−e^s`;
//! [`compress`] keeps it bounded by a multiple of s without touching the range that matters.

use serde::{Deserialize, Serialize};

/// Scale P of the compression: `v = P asinh(p/P)` is linear for `|p| ≪ P` and logarithmic beyond.
pub const COMPRESSION: f64 = 100.0;

/// Largest s a run may reach: τ = e^s − 1 must stay a finite double.
pub const MAX_LOG_LOG_TIME: f64 = 700.0;

/// `s = ln(1+τ)`.
pub fn log_log_time_of_log_time(log_time: f64) -> f64 {
    log_time.ln_1p()
}

/// `s = ln(1 + ln(1+t))`.
pub fn log_log_time_of_time(time: f64) -> f64 {
    time.ln_1p().ln_1p()
}

/// `τ = e^s − 1`.
pub fn log_time(log_log_time: f64) -> f64 {
    log_log_time.exp_m1()
}

/// `v = P asinh(p/P)`.
pub fn compress(p: f64) -> f64 {
    COMPRESSION * (p / COMPRESSION).asinh()
}

/// `p = P sinh(v/P)`.
pub fn expand(v: f64) -> f64 {
    COMPRESSION * (v / COMPRESSION).sinh()
}

/// A clock begun anew at some time t_0 of the run, in a unit u of its own: local time t' with `t = t_0 + u t'`.
///
/// Flows do not depend on time as such, so the local log-log-time s' = ln(1+ln(1+t')) serves as s does, with
/// log-multipliers `p' = τ' + ln u − m`: `α_n dt = exp(s' + p'_n) ds'`. What is about to happen fast is slow in it: a
/// sample that no unit saw until t_0 is learned at times of order one after t_0, which is nothing in s, and margins of
/// −400 at the start change within times of e^{−400}.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// τ_0 = ln(1 + t_0)
    start: f64,
    /// ln u
    log_unit: f64,
    /// What log-multipliers and margins add up to beyond τ': ln u, or ln c where weights have a unit of their own.
    log_share: f64,
    /// The unit of weights, if they have one.
    weights: Option<Scale>,
}

/// A unit of weights, see [`magnified`](super::magnified).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Scale {
    /// ln σ
    log: f64,
    /// How many units in a row have been smaller than the one before.
    shrinks: u32,
}

impl Epoch {
    /// The clock of the run itself.
    pub const FIRST: Self = Self {
        start: 0.0,
        log_unit: 0.0,
        log_share: 0.0,
        weights: None,
    };

    /// Begun at the log-log-time s, in a unit of this logarithm.
    pub fn begun_at(s: f64, log_unit: f64) -> Self {
        Self {
            start: log_time(s),
            log_unit,
            log_share: log_unit,
            weights: None,
        }
    }

    /// Begun at the log-log-time s with weights in a unit σ (its logarithm, and their degree L), ln c given: time in
    /// the unit `c σ^{−(L−2)}`.
    pub(super) fn magnified(self, s: f64, (log, degree): (f64, i32), log_share: f64) -> Self {
        let shrinks = match self.weights {
            Some(before) if log < before.log => before.shrinks + 1,
            None if log < 0.0 && s > 0.0 => 1,
            _ => 0,
        };
        Self {
            start: log_time(s),
            log_unit: log_share - f64::from(degree - 2) * log,
            log_share,
            weights: Some(Scale { log, shrinks }),
        }
    }

    /// Whether weights have a unit of their own.
    pub(super) fn is_magnified(self) -> bool {
        self.weights.is_some()
    }

    /// ln σ
    pub(super) fn log_scale(self) -> f64 {
        self.weights.map_or(0.0, |scale| scale.log)
    }

    /// How many units in a row have been smaller than the one before.
    pub(super) fn shrinks(self) -> u32 {
        self.weights.map_or(0, |scale| scale.shrinks)
    }

    /// σw
    pub(super) fn enlarged(self, w: f64) -> f64 {
        match self.weights {
            None => w,
            // in two steps: σ may be no number where σw is one
            Some(Scale { log, .. }) => w * (0.5 * log).exp() * (0.5 * log).exp(),
        }
    }

    /// What multipliers accumulated in this clock are in time: ln(dt/dt') without what is in E.
    pub(super) fn log_accumulated(self) -> f64 {
        self.log_unit - self.log_share
    }

    /// Whether it was begun at t = 0, in a unit of its own.
    pub fn is_of_a_start(self) -> bool {
        self != Self::FIRST && self.start == 0.0 && !self.is_magnified()
    }

    /// What log-multipliers and margins add up to beyond τ'.
    pub(super) fn log_share(self) -> f64 {
        self.log_share
    }

    /// ln u
    pub fn log_unit(self) -> f64 {
        self.log_unit
    }

    /// s' at s.
    pub fn local(self, s: f64) -> f64 {
        if self == Self::FIRST {
            return s;
        }
        let log_elapsed = self.start + ln_exp_m1((log_time(s) - self.start).max(0.0));
        log_log_time_of_log_time(softplus(log_elapsed - self.log_unit))
    }

    /// s at s'.
    pub fn global(self, local: f64) -> f64 {
        if self == Self::FIRST {
            return local;
        }
        let log_elapsed = self.log_unit + ln_exp_m1(log_time(local));
        let larger = self.start.max(log_elapsed);
        let smaller = self.start.min(log_elapsed);
        log_log_time_of_log_time(larger + (smaller - larger).exp().ln_1p())
    }

    /// p − p' at s.
    pub fn offset(self, s: f64) -> f64 {
        if self == Self::FIRST {
            return 0.0;
        }
        log_time(s) - log_time(self.local(s)) - self.log_share
    }
}

/// ln(eˣ − 1) for x ≥ 0.
fn ln_exp_m1(x: f64) -> f64 {
    if x > 1.0 {
        x + (-(-x).exp()).ln_1p()
    } else {
        x.exp_m1().ln()
    }
}

/// ln(1 + eˣ)
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_agree_and_keep_small_times() {
        for t in [1e-12, 1e-3, 1.0, 1e10, 1e300] {
            let s = log_log_time_of_time(t);
            assert!((log_time(s) - t.ln_1p()).abs() <= 4e-16 * t.ln_1p() * (1.0 + s));
            assert_eq!(log_log_time_of_log_time(t.ln_1p()), s);
        }
        assert!((log_log_time_of_time(1e-12) - 1e-12).abs() < 1e-23);
    }

    #[test]
    fn epochs_tell_the_same_times() {
        let first = Epoch::FIRST;
        assert_eq!(
            (first.local(3.7), first.global(3.7), first.offset(3.7)),
            (3.7, 3.7, 0.0)
        );
        for (start, log_unit) in [(0.0, -400.0), (2.5, 0.0), (16.0, 0.0), (5.0, -30.0)] {
            let epoch = Epoch::begun_at(start, log_unit);
            assert_eq!(epoch.local(start), 0.0);
            assert!((epoch.global(0.0) - start).abs() < 1e-15);
            for later in [1e-3, 0.1, 1.0, 20.0] {
                let s = start + later;
                let local = epoch.local(s);
                assert!((epoch.global(local) - s).abs() < 1e-9, "{start} {s}");
                // p' = τ' + ln u − m beside p = τ − m
                let offset = log_time(s) - log_time(local) - log_unit;
                assert!((epoch.offset(s) - offset).abs() <= 1e-12 * log_time(s));
            }
        }
    }

    #[test]
    fn compression_inverts_and_is_linear_where_multipliers_matter() {
        for p in [-1e200, -1e10, -123.0, -1.0, 0.0, 2.5, 700.0] {
            let back = expand(compress(p));
            assert!(
                (back - p).abs() <= 1e-13 * p.abs() * (1.0 + compress(p).abs()),
                "{p} {back}"
            );
        }
        assert!((compress(-1.0) + 1.0).abs() < 2e-5);
        assert!(compress(-1e140) > -40_000.0);
    }
}
