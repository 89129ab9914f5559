//! Drift of the conserved quantities along a run, relative to the size of their terms; weights below the run's
//! [floor](crate::trajectory::SolverStatistics::floor) count as long as that.

use crate::theory::{Conserved, Measured, drift};

/// A conserved quantity, as relative drift along the run.
#[derive(Debug, Clone)]
pub struct Invariant {
    /// See [`Conserved::name`].
    pub name: String,
    /// The conserved quantity as a formula, for legends.
    pub formula: String,
    /// Relative drift at each save, length T.
    pub drift: Vec<f64>,
}

impl Invariant {
    /// Largest drift over the run.
    pub fn worst(&self) -> f64 {
        self.drift.iter().copied().fold(0.0, super::worse)
    }
}

pub(super) struct Tracker<'a> {
    conserved: &'a [Conserved],
    /// Values at the first save: units with exact kinks jump off zero weights, which is no integration error.
    start: Vec<Measured>,
    drifts: Vec<Vec<f64>>,
    floor: f64,
}

impl<'a> Tracker<'a> {
    pub(super) fn new(conserved: &'a [Conserved], floor: f64) -> Self {
        Self {
            conserved,
            start: Vec::new(),
            drifts: vec![Vec::new(); conserved.len()],
            floor,
        }
    }

    pub(super) fn record(&mut self, state: &[f64]) {
        let now: Vec<Measured> = self.conserved.iter().map(|c| c.measure(state)).collect();
        if self.start.is_empty() {
            self.start.clone_from(&now);
        }
        for ((drifts, start), now) in self.drifts.iter_mut().zip(&self.start).zip(&now) {
            drifts.push(drift(start, now, self.floor));
        }
    }

    pub(super) fn finish(self) -> Vec<Invariant> {
        let pairs = self.conserved.iter().zip(self.drifts);
        pairs
            .map(|(conserved, drift)| Invariant {
                name: conserved.name.clone(),
                formula: conserved.formula.clone(),
                drift,
            })
            .collect()
    }
}
