//! States saved along a run, on a grid of s.

use super::clock::expand;
use super::{FlowOptions, SaveAt};

/// States of at most this many bytes are saved by default.
const SAVED_BYTES: usize = 20 << 20;

/// How many states of `numbers` doubles a run saves by default.
pub fn affordable(numbers: usize) -> usize {
    (SAVED_BYTES / 8 / numbers).clamp(25, 201)
}

/// The grid, and what has been saved on it.
pub struct Saves {
    grid: Vec<f64>,
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
    pub fn new(options: &FlowOptions, parameters: usize, samples: usize) -> Self {
        let count = match &options.saves {
            SaveAt::Default => affordable(parameters + samples),
            SaveAt::Uniform(count) => *count,
            SaveAt::Times(times) => return Self::on([0.0].iter().chain(times).copied().collect()),
        };
        let last = count.max(2) - 1;
        // The last time is the horizon itself, not a rounding of it.
        Self::on(
            (0..last)
                .map(|k| options.until * k as f64 / last as f64)
                .chain([options.until])
                .collect(),
        )
    }

    fn on(grid: Vec<f64>) -> Self {
        Self {
            grid,
            times: Vec::new(),
            theta: Vec::new(),
            log_multipliers: Vec::new(),
            accumulated: Vec::new(),
        }
    }

    /// Appends a state and the accumulated multipliers there.
    pub fn push(&mut self, s: f64, y: &[f64], parameters: usize, accumulated: &[f64]) {
        let (theta, v) = y.split_at(parameters);
        self.push_parts(s, theta, v, accumulated);
    }

    /// Appends weights, compressed log-multipliers and accumulated multipliers.
    pub fn push_parts(&mut self, s: f64, theta: &[f64], v: &[f64], accumulated: &[f64]) {
        self.accumulated.extend_from_slice(accumulated);
        self.times.push(s);
        self.theta.extend_from_slice(theta);
        self.log_multipliers.extend(v.iter().map(|v| expand(*v)));
    }

    /// The next grid time not yet saved.
    pub fn due(&self) -> Option<f64> {
        self.grid.get(self.times.len()).copied()
    }

    /// The last time saved.
    pub fn last(&self) -> f64 {
        self.times[self.times.len() - 1]
    }
}
