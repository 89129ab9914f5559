//! The part of the stepper that a mark keeps.

use super::corrector::Learned;
use super::order::Order;
use super::{HISTORY, MOST_ADAMS, MOST_BACKWARD, Stepper};
use serde::{Deserialize, Serialize};

/// Everything the next step depends on besides the clock's base, the state (θ, v) and the accumulated multipliers.
/// The fields are those of [`Stepper`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct History {
    times: Vec<f64>,
    v: Vec<Vec<f64>>,
    multipliers: Vec<Vec<f64>>,
    backward: Order,
    adams: Order,
    h: f64,
    known: usize,
    slots: Vec<usize>,
    /// [`WeightPath::velocities`](crate::network::WeightPath::velocities).
    velocities: Vec<f64>,
    corrector: Learned,
}

impl History {
    /// The history of a stepper after its last step.
    pub(super) fn of(stepper: &Stepper<'_>) -> Self {
        Self {
            times: stepper.times.clone(),
            v: stepper.v.clone(),
            multipliers: stepper.multipliers.clone(),
            backward: stepper.backward,
            adams: stepper.adams,
            h: stepper.h,
            known: stepper.known,
            slots: stepper.slots.clone(),
            velocities: stepper.path.velocities(),
            corrector: stepper.corrector.learned().clone(),
        }
    }

    /// Hands it to a stepper of the same problem with the same base, state (θ, v) and accumulated multipliers, which
    /// then continues bit for bit like the original. `None`, and a stepper that cannot be used, if it belongs to
    /// another problem.
    pub(super) fn restore(self, stepper: &mut Stepper<'_>) -> Option<()> {
        if !self.is_whole(stepper.v[0].len(), stepper.accumulated.len()) {
            return None;
        }
        stepper.path.restore(&self.velocities)?;
        stepper.corrector.recall(self.corrector)?;
        stepper.times = self.times;
        stepper.v = self.v;
        stepper.multipliers = self.multipliers;
        stepper.backward = self.backward;
        stepper.adams = self.adams;
        stepper.h = self.h;
        stepper.known = self.known;
        stepper.slots = self.slots;
        // do not count the evaluations of the stepper's own construction
        stepper.evaluations = 0;
        Some(())
    }

    /// The same past in other states: `map` takes those of a local time to them.
    pub(super) fn in_other_states(mut self, map: &dyn Fn(&[f64], f64) -> Vec<f64>) -> Self {
        for (v, t) in self.v.iter_mut().zip(&self.times) {
            *v = map(v, *t);
        }
        self.corrector = self.corrector.without_kernel();
        self
    }

    fn is_whole(&self, states: usize, samples: usize) -> bool {
        let mut slots = self.slots.clone();
        slots.sort_unstable();
        let nodes = self.times.len();
        (2..=HISTORY).contains(&nodes)
            && self.v.len() == nodes
            && self.v.iter().all(|x| x.len() == states)
            && self.multipliers.iter().all(|x| x.len() == samples)
            && (1..=HISTORY).contains(&self.known)
            && self.multipliers.len() >= self.known
            && (1..=MOST_BACKWARD).contains(&self.backward.now)
            && (1..=MOST_ADAMS).contains(&self.adams.now)
            && slots.into_iter().eq(0..=HISTORY)
    }
}
