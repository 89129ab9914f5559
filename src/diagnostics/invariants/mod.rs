//! Conserved quantities, as the integrator's own error bar.
//!
//! Each kind of network has its own (`matrices`: fully connected; `spectral`: convolutional and diagonal; `units`:
//! ReLU); here their
//! drift along a run is recorded, relative to the size of the terms they are made of.

mod matrices;
mod spectral;
mod units;

use crate::network::Network;
use crate::problem::Problem;

/// A conserved quantity, as relative drift along the run.
#[derive(Debug, Clone)]
pub struct Invariant {
    /// Key in reports, with the layer l: `feedback-matrix-l`, `feedback-scalar-l`, `feedback-direction-l`,
    /// `feedback-unit-l`, `balance-l`.
    pub name: String,
    /// The conserved quantity as a formula, for legends.
    pub formula: String,
    /// Relative drift at each save, length T.
    pub drift: Vec<f64>,
}

impl Invariant {
    fn new(name: &str, layer: usize, formula: String) -> Self {
        Self {
            name: format!("{name}-{layer}"),
            formula,
            drift: Vec::new(),
        }
    }

    /// Largest drift over the run.
    pub fn worst(&self) -> f64 {
        self.drift.iter().copied().fold(0.0, super::worse)
    }
}

/// A quantity at one time, and the size of the terms it is a difference of.
struct Measured {
    value: Vec<f64>,
    size: f64,
}

/// `‖now − start‖ / (size now + size at the start)`.
fn drift(start: &Measured, now: &Measured) -> f64 {
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

/// Evaluates every conserved quantity of a problem at given θ, in the order of their names.
type Measure = Box<dyn Fn(&[f64]) -> Vec<Measured>>;

pub(super) struct Tracker {
    measure: Measure,
    /// At the first save: units with exact kinks leave zero weights by a step, which is not the integrator's error.
    start: Option<Vec<Measured>>,
    invariants: Vec<Invariant>,
}

impl Tracker {
    pub fn new(problem: &Problem) -> Self {
        let (invariants, measure) = match &problem.network {
            Network::FullyConnectedLinear(_) => matrices::conserved(problem),
            Network::ConvolutionalLinear(n) | Network::DiagonalLinear(n) => {
                spectral::conserved(problem, n)
            }
            Network::Relu(_) => units::conserved(problem),
        };
        Self {
            start: None,
            measure,
            invariants,
        }
    }

    pub fn record(&mut self, theta: &[f64]) {
        let now = (self.measure)(theta);
        let start = self.start.get_or_insert_with(|| (self.measure)(theta));
        for ((invariant, start), now) in self.invariants.iter_mut().zip(start).zip(&now) {
            invariant.drift.push(drift(start, now));
        }
    }

    pub fn finish(self) -> Vec<Invariant> {
        self.invariants
    }
}

/// l as a subscript.
fn subscript(l: usize) -> String {
    l.to_string()
        .chars()
        .filter_map(|c| char::from_u32('₀' as u32 + c.to_digit(10)?))
        .collect()
}
