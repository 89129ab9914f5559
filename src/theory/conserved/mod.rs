//! Conserved quantities, as the integrator's own error bar.
//!
//! Each kind of network has its own (`matrices`: fully connected; `frequencies`: convolutional and diagonal; `units`:
//! gated networks), and a rule may add to them.

mod frequencies;
mod matrices;
mod units;

use super::errors;
use crate::network::Known;
use crate::problem::Problem;
use crate::rule;
use std::fmt;
use std::sync::Arc;

/// A conserved quantity.
#[derive(Clone)]
pub struct Conserved {
    /// Key in reports, with the layer l: `feedback-matrix-l`, `feedback-scalar-l`, `feedback-direction-l`,
    /// `feedback-unit-l`, `balance-l`.
    pub name: String,
    /// The quantity as a formula, for legends.
    pub formula: String,
    measure: Arc<Measure>,
}

type Measure = dyn Fn(&[f64]) -> Measured + Send + Sync;

/// A quantity at one time, and the size of the terms it is a difference of.
pub struct Measured {
    pub value: Vec<f64>,
    pub size: f64,
}

impl fmt::Debug for Conserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.formula)
    }
}

impl Conserved {
    fn new(
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

    pub(super) fn of_rule(found: rule::Conserved) -> Self {
        let measure = found.measure;
        Self {
            name: found.name,
            formula: found.formula,
            measure: Arc::new(move |state| {
                let (value, size) = measure(state);
                Measured { value, size }
            }),
        }
    }

    /// Its value at a state (θ, and what the rule moves beside it).
    pub fn measure(&self, state: &[f64]) -> Measured {
        (self.measure)(state)
    }
}

/// `a − b` of every pair, whose terms have size `|a| + |b|`.
fn differences(pairs: impl Iterator<Item = (f64, f64)>) -> Measured {
    let mut measured = Measured {
        value: Vec::new(),
        size: 0.0,
    };
    for (a, b) in pairs {
        measured.value.push(a - b);
        measured.size = measured.size.hypot(a.abs() + b.abs());
    }
    measured
}

/// `‖now − start‖ / (size now + size at the start)`.
pub fn drift(start: &Measured, now: &Measured) -> f64 {
    let change = start
        .value
        .iter()
        .zip(&now.value)
        .map(|(x, y)| (x - y).powi(2));
    match change.sum::<f64>().sqrt() {
        0.0 => 0.0,
        change => change / (start.size + now.size),
    }
}

/// What a network conserves under signals that never change, or under gradient descent.
pub(super) fn of_network(problem: &Problem) -> Vec<Conserved> {
    let errors = errors(problem);
    match problem.network().known() {
        Known::Nothing => Vec::new(),
        Known::FullyConnected(network) => matrices::conserved(problem, network, &errors),
        Known::EntryByEntry(network) => frequencies::conserved(problem, network, &errors),
        Known::Gated(network) => units::conserved(network, &errors),
    }
}

/// l as a subscript.
fn subscript(l: usize) -> String {
    l.to_string()
        .chars()
        .filter_map(|c| char::from_u32('₀' as u32 + c.to_digit(10)?))
        .collect()
}
