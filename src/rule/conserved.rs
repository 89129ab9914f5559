//! Quantities conserved along a flow: by a rule itself, or by a network under it.

use std::fmt;
use std::sync::Arc;

/// A conserved quantity.
#[derive(Clone)]
pub struct Conserved {
    /// Key in reports, with the layer l: `feedback-matrix-l`, `feedback-scalar-l`, `feedback-direction-l`,
    /// `feedback-unit-l`, `feedback-difference-l`, `balance-l`.
    pub name: String,
    /// The quantity as a formula, for legends.
    pub formula: String,
    measure: Arc<Measure>,
}

type Measure = dyn Fn(&[f64]) -> Measured + Send + Sync;

/// A quantity at one time, and the size of the terms of which it is a difference.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    pub value: Vec<f64>,
    pub size: f64,
    /// How much the quantity changes, to first order, if every weight changes by one: errors that weights have however
    /// short they are need not matter. Zero where they do: what amplifies short weights, as gradient descent does near
    /// a saddle, amplifies their errors.
    pub reach: f64,
}

impl fmt::Debug for Conserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.formula)
    }
}

impl Conserved {
    /// The quantity of layer l (from 1), named `name-l`; `measure` takes a state (θ, then the rule's own state).
    pub fn new(
        name: &str,
        layer: usize,
        formula: String,
        measure: impl Fn(&[f64]) -> Measured + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: format!("{name}-{layer}"),
            formula,
            measure: Arc::new(measure),
        }
    }

    /// Its value at a state.
    pub fn measure(&self, state: &[f64]) -> Measured {
        (self.measure)(state)
    }
}
