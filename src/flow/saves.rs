//! States saved along a run, on a uniform grid of s.

use super::FlowOptions;
use super::clock::expand;

/// States of at most this many bytes are saved by default.
const SAVED_BYTES: usize = 20 << 20;

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
    /// A uniform grid from 0 to the horizon.
    pub fn new(options: &FlowOptions, parameters: usize, samples: usize) -> Self {
        let count = options
            .saves
            .unwrap_or_else(|| (SAVED_BYTES / 8 / (parameters + samples)).clamp(25, 201));
        let last = count.max(2) - 1;
        // The last time is the horizon itself, not a rounding of it.
        let grid = (0..last)
            .map(|k| options.until * k as f64 / last as f64)
            .chain([options.until])
            .collect();
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
