//! Choice of order.

use serde::{Deserialize, Serialize};

/// The order of one of the two formulas.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Order {
    pub now: usize,
    /// Steps since it changed.
    pub age: usize,
}

impl Order {
    /// Chooses the order that allows the longest step, and returns by what factor the step may grow; `most(order)` is
    /// an upper bound of that factor.
    pub(super) fn choose(
        &mut self,
        lower: Option<f64>,
        error: f64,
        higher: Option<f64>,
        most: impl Fn(usize) -> f64,
    ) -> f64 {
        let growth = |error: f64, order: usize| {
            let accurate = error.max(1e-12).powf(-1.0 / (order as f64 + 1.0));
            accurate.min(most(order))
        };
        let mut best = (growth(error, self.now), self.now);
        for (error, order) in [(lower, self.now - 1), (higher, self.now + 1)] {
            if let Some(error) = error {
                let longer = growth(error, order);
                if longer > 1.05 * best.0 {
                    best = (longer, order);
                }
            }
        }
        if best.1 != self.now {
            *self = Self {
                now: best.1,
                age: 0,
            };
        }
        best.0
    }
}
