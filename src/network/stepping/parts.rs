//! Runs distributed to steppers: several to a vector, or one alone.

use super::vector::Vectors;
use super::{Lane, Stepper};
use pulp::Arch;

/// Runs in parts, each with a stepper of its own. The division depends only on the number of runs and on the
/// machine's vectors.
pub(crate) struct Parts {
    parts: Vec<Box<dyn Stepper>>,
}

impl Parts {
    /// Combines runs, `batch(vectors, runs)`, while they fill more than two thirds of a vector (the widest available,
    /// or one of four doubles); the rest run one by one.
    ///
    /// A single run spreads its own numbers over the lanes of a vector, which is as fast for large problems; a vector
    /// of runs wastes no lanes on small problems, and does not wait for sums over lanes. Measured: a batch of eight
    /// takes as long as 1.5 (D = 8, N = 5) to 6.9 (D = 64, N = 40) single runs.
    pub(crate) fn of(
        lanes: &[Lane],
        mut batch: impl FnMut(Vectors, &[Lane]) -> Box<dyn Stepper>,
        mut single: impl FnMut(&Lane) -> Box<dyn Stepper>,
    ) -> Self {
        let vectors = [Vectors::Whole(Arch::new()), Vectors::narrow()];
        let mut parts = Vec::new();
        let mut rest = lanes;
        while let Some(first) = rest.first() {
            let filled = vectors
                .into_iter()
                .find(|v| v.width() > 1 && 3 * rest.len() > 2 * v.width());
            let taken = filled.map_or(1, |v| v.width().min(rest.len()));
            parts.push(match filled {
                Some(vectors) => batch(vectors, &rest[..taken]),
                None => single(first),
            });
            rest = &rest[taken..];
        }
        Self { parts }
    }

    /// The part that advances a run, and the run's lane in it.
    fn find(&self, mut lane: usize) -> (&dyn Stepper, usize) {
        for part in &self.parts {
            if lane < part.lanes() {
                return (part.as_ref(), lane);
            }
            lane -= part.lanes();
        }
        panic!("there is no such lane")
    }
}

impl Stepper for Parts {
    fn lanes(&self) -> usize {
        self.parts.iter().map(|part| part.lanes()).sum()
    }

    fn advance(&mut self, steps: u64) {
        for part in &mut self.parts {
            part.advance(steps);
        }
    }

    fn theta(&self, lane: usize, theta: &mut [f64]) {
        let (part, lane) = self.find(lane);
        part.theta(lane, theta);
    }

    fn log_time(&self, lane: usize) -> f64 {
        let (part, lane) = self.find(lane);
        part.log_time(lane)
    }

    fn state(&self) -> Vec<f64> {
        self.parts.iter().flat_map(|part| part.state()).collect()
    }

    fn restore(&mut self, state: &[f64]) {
        let lanes = self.lanes();
        assert_eq!(state.len() % lanes, 0, "length of the state");
        let mut rest = state;
        for part in &mut self.parts {
            let (state, tail) = rest.split_at(rest.len().min(part.lanes() * (state.len() / lanes)));
            part.restore(state);
            rest = tail;
        }
    }
}
