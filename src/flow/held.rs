//! Samples that cannot be fitted, held where their margins have come to rest while others are still being learned.
//!
//! Let some samples contradict each other at finite margins. Their updates balance, and relax to that balance at rates
//! of the order of t, while the weights go on along it, slower and slower, for the samples that are still learned. The
//! motion along the balance does not depend on how strong the forces are that keep it, as long as they are strong
//! (Fenichel's slow manifold, to first order in their strength); but at t = e³⁶ the rounding of these forces is larger
//! than everything that still moves. So once the margins of such samples rest, their multipliers stop growing with t:
//! in place of `p_n = τ − m_n` the state is what it was then, changed by the margin alone, and `E_n = exp(s + p_n)` is
//! a strong force of constant strength.
//!
//! That is right only while what they pull at is balanced. It is not where their forces drive the weights themselves
//! (like a power of t), so no sample is held then. Nor are any where one of them hardly moves its own margin (all that
//! sees it is what rounded kinks leak, or its multiplier has saturated): weakened, it would give way to all that is
//! learned, while its real pull, which grows like t, would not. And if a held margin moves on, because kinks have
//! changed the balance, all are released with the log-multipliers they really have.

use super::clock::{compress, expand, log_time};
use serde::{Deserialize, Serialize};

/// Samples are held once the largest `s + p_n` exceeds this: by then what relaxes at rates above e^{−16} has done so.
pub(super) const STIFF: f64 = 16.0;

/// What it is set to: what is left of the balance moves along with the weights by e^{−13} of what moves them, and
/// rounding of the forces, ε e^{13}, is below the tolerance of steps.
const STRENGTH: f64 = 13.0;

/// Samples whose `s + p_n` exceeds this pull, and have to rest. Those that are learned have `s + p_n` of order one.
const PULLING: f64 = 6.0;

/// ln of how much faster than the clock held margins have to answer.
const ANSWER: f64 = 6.0;

/// Margins rest if they grow by less than this share of log t.
const AT_REST: f64 = 1e-2;

/// Weights that grow by more than this share of themselves in a unit of s do not do it for the samples that are being
/// learned: margins grow like log t at most, and weights like its root of order L.
pub(super) const DRIVEN: f64 = 1.5;

/// A held margin that has moved by this much, and moves on, is released.
const MOVED: f64 = 1.0;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Held {
    /// In order.
    samples: Vec<usize>,
    /// Their margins when they were held, beside the clock of the first of them: `s + p_n`.
    at: Vec<f64>,
    /// By how much the states were lowered then.
    lead: f64,
    /// s at that time.
    pub since: f64,
}

/// What is known of a state at s: its log-multipliers `p_n`, the rates `m_n'` of its margins, and `‖θ'‖/‖θ‖`.
pub(super) struct Observed {
    pub s: f64,
    pub p: Vec<f64>,
    pub margin_rates: Vec<f64>,
    pub pace: f64,
}

impl Held {
    /// The samples that pull at a state, if what they pull at is balanced; `idle` ones move nothing.
    pub(super) fn at_rest(seen: &Observed, idle: &[usize]) -> Option<Vec<usize>> {
        let samples: Vec<usize> = (0..seen.p.len())
            .filter(|n| seen.s + seen.p[*n] > PULLING && !idle.contains(n))
            .collect();
        let rests = |n: &usize| seen.margin_rates[*n].abs() <= AT_REST * seen.s.exp();
        let balanced = seen.pace <= DRIVEN && samples.iter().all(rests);
        (balanced && !samples.is_empty()).then_some(samples)
    }

    /// The samples to be held at a state. `answers` gives, for some samples, ln of the rate at which the margin of each
    /// answers to its own multiplier, at `s + p_n = 0`.
    pub(super) fn at(
        seen: &Observed,
        idle: &[usize],
        answers: impl FnOnce(&[usize]) -> Vec<f64>,
    ) -> Option<Self> {
        let samples = Self::at_rest(seen, idle)?;
        let least = seen.s + ANSWER - STRENGTH;
        if !answers(&samples).iter().all(|answer| *answer >= least) {
            return None;
        }
        let pulls: Vec<f64> = samples.iter().map(|n| seen.s + seen.p[*n]).collect();
        let strongest = pulls.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let lead = (strongest - STRENGTH).max(0.0);
        Some(Self {
            at: pulls.iter().map(|pull| pull - lead).collect(),
            samples,
            lead,
            since: seen.s,
        })
    }

    pub(super) fn samples(&self) -> &[usize] {
        &self.samples
    }

    /// Whether a held margin has left its rest, at a state whose p are those that are carried.
    pub(super) fn gives_way(&self, seen: &Observed) -> bool {
        self.samples.iter().zip(&self.at).any(|(&n, at)| {
            let moved = (seen.s + seen.p[n] - at).abs();
            moved > MOVED && seen.margin_rates[n].abs() > AT_REST * seen.s.exp()
        })
    }

    /// `p_n = τ − m_n` of the held samples at s, less what is carried in its place.
    fn ahead(&self, s: f64) -> f64 {
        self.lead + (log_time(s) - log_time(self.since)) + (s - self.since)
    }

    /// From compressed log-multipliers to the states carried, at the time of holding.
    pub(super) fn hold(&self, v: &mut [f64]) {
        for n in &self.samples {
            v[*n] = compress(expand(v[*n]) - self.lead);
        }
    }

    /// From the states carried at s to compressed log-multipliers.
    pub(super) fn release(&self, v: &mut [f64], s: f64) {
        for n in &self.samples {
            v[*n] = compress(expand(v[*n]) + self.ahead(s));
        }
    }

    /// From `p_n' = e^s − m_n'` to the rates of what is carried, `−1 − m_n'`.
    pub(super) fn slow(&self, rates: &mut [f64], growth: f64) {
        for n in &self.samples {
            rates[*n] -= growth + 1.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(s: f64, p: Vec<f64>, margin_rates: Vec<f64>, pace: f64) -> Observed {
        Observed {
            s,
            p,
            margin_rates,
            pace,
        }
    }

    fn strong(samples: &[usize]) -> Vec<f64> {
        vec![0.0; samples.len()]
    }

    #[test]
    fn what_cannot_hold_anything_is_not_held() {
        let seen = seen(3.0, vec![14.0, 25.0, 4.0], vec![0.0; 3], 0.5);
        // rounded kinks leak squares of their width
        assert!(Held::at(&seen, &[], |_| vec![0.0, 0.0, f64::ln(1e-9)]).is_none());
        assert!(Held::at(&seen, &[], strong).is_some());
    }

    #[test]
    fn only_what_pulls_and_rests_is_held() {
        let (s, p) = (3.0, vec![14.0, -2.0, 13.5]);
        let held = Held::at(&seen(s, p.clone(), vec![1e-3, 20.0, 0.0], 0.5), &[], strong).unwrap();
        assert_eq!(held.samples(), [0, 2]);
        // one that still moves, and weights that the forces drive themselves
        assert!(Held::at(&seen(s, p.clone(), vec![5.0, 20.0, 0.0], 0.5), &[], strong).is_none());
        assert!(Held::at(&seen(s, p, vec![1e-3, 20.0, 0.0], 6.0), &[], strong).is_none());
    }

    #[test]
    fn held_samples_are_released_with_what_they_really_have() {
        let (s, p) = (3.0, vec![14.0, -2.0]);
        let held = Held::at(&seen(s, p.clone(), vec![0.0; 2], 0.5), &[], strong).unwrap();
        let mut v: Vec<f64> = p.iter().map(|p| compress(*p)).collect();
        held.hold(&mut v);
        assert!((s + expand(v[0]) - STRENGTH).abs() < 1e-12 && expand(v[1]) + 2.0 < 1e-12);
        let margin = log_time(s) - p[0];
        // the margin stays: what is carried falls like −s
        let later = 9.0;
        let carried = expand(v[0]) - (later - s);
        let rests = seen(later, vec![carried, -8.0], vec![1e-3, 8e3], 0.5);
        assert!(!held.gives_way(&rests));
        let moves = seen(later, vec![carried - 2.0, -8.0], vec![2e3, 8e3], 0.5);
        assert!(held.gives_way(&moves));
        let mut v = [compress(carried), compress(-8.0)];
        held.release(&mut v, later);
        assert!((expand(v[0]) - (log_time(later) - margin)).abs() < 1e-9);
        assert!((expand(v[1]) + 8.0).abs() < 1e-12);
    }

    #[test]
    fn rates_are_those_of_what_is_carried() {
        let held = Held::at(&seen(3.0, vec![14.0, -2.0], vec![0.0; 2], 0.5), &[], strong).unwrap();
        let growth = 1e3;
        let mut rates = [growth - 2.0, growth - 999.0];
        held.slow(&mut rates, growth);
        assert_eq!(rates, [-3.0, 1.0]);
    }
}
