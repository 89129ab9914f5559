//! Changes of the unit of weights and of the clock along a run.

use super::accumulated::Accumulated;
use super::clock::{Epoch, compress, expand, log_time};
use super::ending::{Escape, Rest};
use super::integrate::{Field, LegStart};
use super::magnified::{MOST_SHRINKS, Unit, expected_escape};
use super::run::FlowRun;
use super::saves::BEYOND_COUNTING;
use super::system::System;
use std::sync::Arc;

impl Field<'_> {
    /// Takes weights near zero in another unit, or no longer in one.
    pub(super) fn change_unit(&self, run: &mut FlowRun<'_>, at: &mut LegStart, system: &System) {
        let s = run.epoch.global(at.base);
        let before = run.epoch;
        let (theta, v) = at.y.split_at(run.parameters);
        let alpha = self.multipliers(&before, v, at.base);
        let seen = (system.kernel(), theta);
        let unit = Unit::of(self.kernel, seen, (before, s), &alpha);
        run.change_unit(unit.epoch);
        let factor = before.log_accumulated() - unit.epoch.log_accumulated();
        let totals: Vec<f64> = (at.accumulated.totals().iter())
            .map(|a| bounded(*a, factor))
            .collect();
        let mut margins = vec![0.0; run.samples];
        unit.kernel.margins(&unit.theta, &mut margins);
        at.y = unit.theta;
        let share = run.log_time(0.0);
        at.y.extend(margins.iter().map(|m| compress(share - m)));
        (at.base, at.kernel) = (0.0, unit.kernel);
        let system = self.system(at, run);
        at.accumulated = Accumulated::continued(totals, &system, &at.y, 0.0);
    }

    /// What is to be expected of a run that ends near zero weights.
    pub(super) fn escape(
        &self,
        system: &System,
        y: &[f64],
        s: f64,
        run: &FlowRun<'_>,
    ) -> Option<Escape> {
        if !run.epoch.is_magnified() {
            return None;
        }
        let multipliers = system.multipliers(y, s - system.clock(0.0));
        let theta = &y[..run.parameters];
        let expected = expected_escape(system.kernel(), theta, &multipliers, (run.epoch, s));
        Some(expected.map_or(Escape::Unknown, Escape::At))
    }

    /// α of the states v at the log-log-time s of an epoch.
    fn multipliers(&self, epoch: &Epoch, v: &[f64], s: f64) -> Vec<f64> {
        let log_time = log_time(s) + epoch.log_share();
        let margins: Vec<f64> = v.iter().map(|v| log_time - expand(*v)).collect();
        let (mut corrections, mut slopes) = (vec![0.0; v.len()], vec![0.0; v.len()]);
        self.loss
            .corrections(self.rows, &margins, &mut corrections, &mut slopes);
        let of = |(n, (margin, correction)): (usize, (&f64, &f64))| {
            let count = self.counts.get(n).map_or(1.0, |count| *count as f64);
            count * (correction - margin).exp()
        };
        margins
            .iter()
            .zip(&corrections)
            .enumerate()
            .map(of)
            .collect()
    }

    /// Goes back to the run's own clock. The log-multipliers are those of the weights: the margins have come a way that
    /// was long beside what they are now, and errors relative to it would stay in the log-multipliers for good.
    pub(super) fn return_to_first_epoch(&self, run: &mut FlowRun<'_>, at: &mut LegStart) {
        let s = run.epoch.global(at.base);
        run.return_to_first_epoch();
        (at.kernel, at.coordinates, at.samples_only) = (Arc::clone(self.kernel), None, false);
        let theta = &at.y[..run.parameters];
        let mut margins = vec![0.0; run.samples];
        at.kernel.margins(theta, &mut margins);
        let tau = run.log_time(s);
        at.y = theta.to_vec();
        at.y.extend(margins.iter().map(|m| compress(tau - m)));
        at.base = s;
    }
}

/// Whether weights have come nearer to zero for so long that nothing will turn them round; then they are repeated.
pub(super) fn rests_at_saddle(run: &mut FlowRun<'_>, at: &LegStart) -> bool {
    let rests = run.epoch.shrinks() > MOST_SHRINKS;
    if rests {
        let totals = at.accumulated.totals();
        run.repeat_until_the_horizon((at.base, Rest::Saddle), &at.y, totals);
    }
    rests
}

/// A total in another unit, within bounds.
fn bounded(total: f64, log_factor: f64) -> f64 {
    match total == 0.0 || log_factor == 0.0 {
        true => total,
        false => (total.ln() + log_factor).exp().min(BEYOND_COUNTING),
    }
}
