//! States saved along a run, on a grid of s.

use super::checkpoint::States;
use super::clock::{Epoch, expand};
use super::{FlowOptions, SaveAt};

/// States of at most this many bytes are saved by default.
const SAVED_BYTES: usize = 20 << 20;

/// Accumulated multipliers that have become this large are not counted on: plateaus may last longer than any number.
/// A run that has met one does not report them.
pub(super) const BEYOND_COUNTING: f64 = 1e300;

/// How many states of `numbers` doubles a run saves by default.
pub(crate) fn affordable(numbers: usize) -> usize {
    (SAVED_BYTES / 8 / numbers).clamp(25, 201)
}

/// The save grid, and what has been saved on it so far.
pub(super) struct Saves {
    grid: Vec<f64>,
    parameters: usize,
    samples: usize,
    pub times: Vec<f64>,
    /// Column after column.
    pub theta: Vec<f64>,
    /// Column after column.
    pub log_multipliers: Vec<f64>,
    /// Column after column.
    pub accumulated: Vec<f64>,
}

impl Saves {
    /// The grid the options ask for.
    pub(super) fn new(options: &FlowOptions, parameters: usize, samples: usize) -> Self {
        let uniform = |count: usize| {
            let last = count.max(2) - 1;
            // The last time is the horizon itself, not a rounding of it.
            (0..last)
                .map(|k| options.until * k as f64 / last as f64)
                .chain([options.until])
                .collect()
        };
        let grid = match &options.saves {
            SaveAt::Default => uniform(affordable(parameters + samples)),
            SaveAt::Uniform(count) => uniform(*count),
            SaveAt::Times(times) => [0.0].iter().chain(times).copied().collect(),
        };
        Self {
            grid,
            parameters,
            samples,
            times: Vec::new(),
            theta: Vec::new(),
            log_multipliers: Vec::new(),
            accumulated: Vec::new(),
        }
    }

    /// Appends weights in the unit of the clock `epoch`, compressed log-multipliers and accumulated multipliers of
    /// that clock at the log-log-time s of the run.
    pub(super) fn push(
        &mut self,
        s: f64,
        epoch: Epoch,
        (theta, v): (&[f64], &[f64]),
        totals: &[f64],
    ) {
        let offset = epoch.offset(s);
        let log_unit = epoch.log_accumulated();
        let in_time = |a: &f64| match *a == 0.0 {
            true => 0.0,
            false => (a.ln() + log_unit).exp().min(BEYOND_COUNTING),
        };
        match log_unit == 0.0 {
            true => self.accumulated.extend_from_slice(totals),
            false => self.accumulated.extend(totals.iter().map(in_time)),
        }
        self.times.push(s);
        self.theta.extend(theta.iter().map(|w| epoch.enlarged(*w)));
        self.log_multipliers
            .extend(v.iter().map(|v| expand(*v) + offset));
    }

    /// The accumulated multipliers, if all of them have been counted.
    pub(super) fn counted(accumulated: Vec<f64>) -> Option<Vec<f64>> {
        let counted = accumulated.iter().all(|a| *a < 0.1 * BEYOND_COUNTING);
        counted.then_some(accumulated)
    }

    /// N
    pub(super) fn samples(&self) -> usize {
        self.samples
    }

    /// P + N
    pub(super) fn unknowns(&self) -> usize {
        self.parameters + self.samples
    }

    /// The first `count` saves.
    pub(super) fn up_to(&self, count: usize) -> [&[f64]; 4] {
        [
            &self.times[..count],
            &self.theta[..count * self.parameters],
            &self.log_multipliers[..count * self.samples],
            &self.accumulated[..count * self.samples],
        ]
    }

    /// Whether `states` could be the first saves of this run.
    pub(super) fn fits(&self, states: &States) -> bool {
        let [times, theta, log_multipliers, accumulated] = states;
        let count = times.len();
        (1..=self.grid.len()).contains(&count)
            && theta.len() == count * self.parameters
            && log_multipliers.len() == count * self.samples
            && accumulated.len() == count * self.samples
    }

    /// Takes over the saves of a run that this one resumes.
    pub(super) fn restore(&mut self, states: States) {
        [
            self.times,
            self.theta,
            self.log_multipliers,
            self.accumulated,
        ] = states;
    }

    /// The next grid time not yet saved.
    pub(super) fn due(&self) -> Option<f64> {
        self.grid.get(self.times.len()).copied()
    }

    /// The last time saved.
    pub(super) fn last(&self) -> f64 {
        self.times[self.times.len() - 1]
    }
}
