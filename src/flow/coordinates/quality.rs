//! How much cancels in coordinates, and whether others would do better.

use super::{Choice, Coordinates, Moment, TIE, TIER, near};
use crate::flow::clock::expand;

/// Beyond this, another order of elimination is looked for.
pub(in crate::flow) const PROMOTED: f64 = 10.0;

/// Relative difference between log-multipliers in two sets of coordinates that is rounding.
const AGREE: f64 = 1e-7;

/// Samples whose pull is this power of e below the strongest need not agree by more than rounding of the data.
const WEAK: f64 = 32.0;

/// Log-log-time after which a choice has held for long.
const HELD: f64 = 10.0;

/// By how much states may be less accurate each time that a method does not get on with a choice.
const LOOSER: f64 = 10.0;

/// See [`LOOSER`]: log-multipliers known to about 1e-4.
const LOOSEST: f64 = 1e4;

/// Log-log-time between choices at least.
const LEAST_APART: f64 = 0.1;

impl Coordinates {
    /// How much larger than the log-multiplier the largest term of its sum is, where that is most, with all
    /// `coordinates`; and what should be eliminated first instead: what was before the vector of this term, and then
    /// the sample. A sample far away may be a large multiple of a small difference of samples being learned.
    pub(in crate::flow) fn promoted(
        &self,
        coordinates: &[f64],
        p: &[f64],
        s: f64,
    ) -> (f64, Vec<usize>) {
        let mut worst = (0.0, Vec::new());
        for (n, p) in p.iter().enumerate() {
            let terms =
                (1..coordinates.len()).map(|i| (self.pivoted[(n, i)] * coordinates[i]).abs());
            let terms: Vec<f64> = terms.collect();
            let largest = terms.iter().copied().fold(0.0, f64::max);
            let ratio = largest / p.abs().max(-near(s));
            // the first of those that cancel is what makes the others large
            let i = 1 + terms.iter().position(|t| *t >= 0.5 * largest).unwrap_or(0);
            if ratio > worst.0 {
                worst = (ratio, [&self.choice.pivots[1..i], &[n]].concat());
            }
        }
        worst
    }

    /// Whether others are to be chosen at this time, since a log-multiplier is too small a difference by now.
    pub(in crate::flow) fn are_outdated(&self, coordinates: &[f64], p: &[f64], at: Moment) -> bool {
        self.cancellation(coordinates, p, at) > self.choice.cancelled
    }

    /// Whether the states v say the same as the log-multipliers `p`.
    pub(in crate::flow) fn agree(&self, v: &[f64], p: &[f64], at: Moment) -> bool {
        let coordinates: Vec<f64> = v.iter().map(|v| expand(*v)).collect();
        let mut here = vec![0.0; p.len()];
        self.expand(&coordinates, at.tau, &mut here);
        let strongest = p.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let pairs = here.into_iter().zip(p);
        pairs.into_iter().all(|(a, b)| {
            let rounding = match a.max(*b) < strongest - WEAK {
                true => TIE * at.s.exp(),
                false => 0.0,
            };
            (a - b).abs() <= (AGREE * b.abs().max(-near(at.s))).max(rounding)
        })
    }

    /// The same coordinates as a choice of this time.
    pub(in crate::flow) fn kept(&self, v: &[f64], p: &[f64], at: Moment) -> Self {
        let mut kept = self.clone();
        kept.choice.since = at.s;
        kept.accept(v, p, at);
        kept
    }

    /// Lets states be less accurate than those of the `last` choice if that has not held for long although it was as
    /// good as this one; more accurate if it has held.
    pub(in crate::flow) fn loosen(&mut self, last: Option<&Choice>, better: bool) {
        let Some(last) = last else {
            return;
        };
        let held = self.choice.since > last.since + HELD;
        let factor = match (held, better) {
            (true, _) => 1.0 / LOOSER,
            (false, true) => 1.0,
            (false, false) => LOOSER,
        };
        self.choice.looser = (last.looser * factor).clamp(1.0, LOOSEST);
    }

    /// Whether others in which a log-multiplier is at most `cancelled` times smaller than the terms of its sum are
    /// much better than these.
    pub(in crate::flow) fn are_improved(
        &self,
        coordinates: &[f64],
        p: &[f64],
        (at, cancelled): (Moment, f64),
    ) -> bool {
        self.cancellation(coordinates, p, at) > TIER * cancelled.max(1.0)
    }

    /// Whether there is reason to hope that others would do better: some time has passed, or a sample that has come
    /// near the margin since is a small difference of large terms.
    pub(in crate::flow) fn may_change(&self, coordinates: &[f64], p: &[f64], at: Moment) -> bool {
        at.s > self.choice.since + LEAST_APART
            || self.cancellation(coordinates, p, at) > TIER * self.choice.at_first.max(1.0)
    }

    /// Accepts that as little is left of the sums as there is at the states v, where they have been chosen: no choice
    /// does better.
    pub(in crate::flow) fn accept(&mut self, v: &[f64], p: &[f64], at: Moment) {
        let coordinates: Vec<f64> = v.iter().map(|v| expand(*v)).collect();
        self.choice.at_first = self.cancellation(&coordinates, p, at);
        self.choice.cancelled = self.choice.cancelled.max(TIER * self.choice.at_first);
    }

    /// The largest term of a sum over the log-multiplier that it is, where it is largest.
    fn cancellation(&self, coordinates: &[f64], p: &[f64], at: Moment) -> f64 {
        let Moment { s, tau } = at;
        let mut largest: Vec<f64> = self.clock.iter().map(|share| (share * tau).abs()).collect();
        for (column, c) in self.combine.column_iter().zip(coordinates) {
            for (l, t) in largest.iter_mut().zip(column.iter()) {
                *l = l.max((t * c).abs());
            }
        }
        let ratios = largest
            .iter()
            .zip(p)
            .map(|(l, p)| l / p.abs().max(-near(s)));
        ratios.fold(0.0, f64::max)
    }
}
