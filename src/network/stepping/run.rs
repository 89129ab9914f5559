//! One of the runs that a stepper advances one after the other.

use super::columns::Columns;
use super::weights::Weights;
use super::{Lane, Training};

/// A clock, and the matrices that steps update.
pub(crate) struct Run {
    pub pace: Weights,
    pub moved: Vec<Columns>,
}

impl Run {
    /// A run with samples in vectors of `width` numbers.
    pub(crate) fn new(
        training: &Training<'_>,
        lane: &Lane,
        width: usize,
        moved: Vec<Columns>,
    ) -> Self {
        Self {
            pace: Weights::of_samples(training.loss, training.schedule, lane.size, width),
            moved,
        }
    }

    /// Writes the matrices one after the other, without padding.
    pub(crate) fn write(&self, flat: &mut [f64]) {
        let mut rest = flat;
        for matrix in &self.moved {
            let (head, tail) = rest.split_at_mut(matrix.rows() * matrix.count());
            matrix.write(head);
            rest = tail;
        }
    }

    fn read(&mut self, flat: &[f64]) {
        let mut rest = flat;
        for matrix in &mut self.moved {
            let (head, tail) = rest.split_at(matrix.rows() * matrix.count());
            matrix.read(head);
            rest = tail;
        }
    }

    /// How many numbers a state has.
    fn length(&self) -> usize {
        let entries = self.moved.iter().map(|m| m.rows() * m.count());
        Weights::STATE + entries.sum::<usize>()
    }
}

/// What the next steps of all runs depend on.
pub(crate) fn state<'a>(runs: impl IntoIterator<Item = &'a Run>) -> Vec<f64> {
    let mut state = Vec::new();
    for run in runs {
        state.extend(run.pace.state(0));
        let start = state.len();
        state.resize(start + run.length() - Weights::STATE, 0.0);
        run.write(&mut state[start..]);
    }
    state
}

/// Takes over a [`state`].
///
/// # Panics
/// If its length differs.
pub(crate) fn restore<'a>(runs: impl IntoIterator<Item = &'a mut Run>, state: &[f64]) {
    let runs: Vec<&mut Run> = runs.into_iter().collect();
    let length: usize = runs.iter().map(|run| run.length()).sum();
    assert_eq!(state.len(), length, "length of the state");
    let mut rest = state;
    for run in runs {
        let (own, tail) = rest.split_at(run.length());
        let (pace, flat) = own.split_at(Weights::STATE);
        run.pace.restore(0, pace);
        run.read(flat);
        rest = tail;
    }
}
