//! Conserved quantities, whose drift measures the integrator's error.
//!
//! Each kind of network has its own (`matrices`: fully connected; `frequencies`: convolutional and diagonal; `units`:
//! gated networks), and a rule may add to them.

mod frequencies;
mod matrices;
mod units;

use super::errors;
use crate::network::Known;
use crate::problem::Problem;
use crate::rule::{Conserved, Measured};

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
