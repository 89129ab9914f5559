//! Conserved quantities, whose drift measures the integrator's error.
//!
//! Each kind of network has its own (`matrices`: fully connected; `classes`: the same with several outputs;
//! `frequencies` and `frequency_classes`: convolutional and diagonal; `units`: gated networks; `layers`: any layers),
//! and a rule may add to them.

mod classes;
mod frequencies;
mod frequency_classes;
mod layers;
mod matrices;
mod units;

use super::errors;
use crate::network::Known;
use crate::problem::Problem;
use crate::rule::{Conserved, Measured};

/// `a − b` of every pair, whose terms have size `|a| + |b|`, and their reach.
fn differences(pairs: impl Iterator<Item = (f64, f64, f64)>) -> Measured {
    let mut measured = Measured {
        value: Vec::new(),
        size: 0.0,
        reach: 0.0,
    };
    for (a, b, reach) in pairs {
        measured.value.push(a - b);
        measured.size = measured.size.hypot(a.abs() + b.abs());
        measured.reach = measured.reach.hypot(reach);
    }
    measured
}

/// `‖now − start‖ / (size now + size at the start)`, where sizes are not less than what an error of `floor` in every
/// weight does to them.
pub fn drift(start: &Measured, now: &Measured, floor: f64) -> f64 {
    let change = start
        .value
        .iter()
        .zip(&now.value)
        .map(|(x, y)| (x - y).powi(2));
    match change.sum::<f64>().sqrt() {
        0.0 => 0.0,
        change => change / (start.size + now.size + floor * (start.reach + now.reach)),
    }
}

/// What a network conserves under signals that never change, or under gradient descent.
pub(super) fn of_network(problem: &Problem) -> Vec<Conserved> {
    let errors = errors(problem);
    match problem.network().known() {
        Known::Nothing => Vec::new(),
        Known::FullyConnected(network) => matrices::conserved(problem, network, &errors),
        Known::FullyConnectedClasses(network) => classes::conserved(problem, network, &errors),
        Known::EntryByEntry(network) => frequencies::conserved(problem, network, &errors),
        Known::EntryByEntryClasses(network) => {
            frequency_classes::conserved(problem, network, &errors)
        }
        Known::Gated(network) => units::conserved(network, &errors),
        Known::Layered(network) => layers::conserved(problem, network, &errors),
    }
}

/// l as a subscript.
fn subscript(l: usize) -> String {
    l.to_string()
        .chars()
        .filter_map(|c| char::from_u32('₀' as u32 + c.to_digit(10)?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_floor_in_short_weights_is_no_drift() {
        // ½w² − v of a weight w that is 1e-9 long: v should be 5e-19, and is 1e-13
        let at = |w: f64, v: f64, reach: f64| differences([(0.5 * w * w, v, reach)].into_iter());
        let (start, now) = (at(0.0, 0.0, 1.0), at(1e-9, 1e-13, 1.0));
        assert!(drift(&start, &now, 0.0) > 0.9);
        assert!(drift(&start, &now, 5e-7) < 1e-6);
        // a long weight is known by its own size, and so are all where errors are amplified
        let (start, now) = (at(1.0, 0.5, 1.0), at(2.0, 2.2, 1.0));
        assert!((drift(&start, &now, 5e-7) - 0.2 / 5.2).abs() < 1e-6);
        let (start, now) = (at(0.0, 0.0, 0.0), at(1e-9, 1e-13, 0.0));
        assert!(drift(&start, &now, 5e-7) > 0.9);
    }
}
