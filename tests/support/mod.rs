//! Problems the integration tests share, drawn from the streams scenarios draw from.

#![allow(dead_code, reason = "no binary of tests needs all of it")]

use marginflow::dataset::{Dataset, standard_normals};
use marginflow::diagnostics::{Diagnostics, diagnose};
use marginflow::flow::{FlowOptions, integrate};
use marginflow::limit::{Limit, Separability, max_margin};
use marginflow::loss::Loss;
use marginflow::network::{FullyConnectedLinear, Network};
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use marginflow::trajectory::Trajectory;
use nalgebra::DVector;

/// DFA (feedback seed 7) on a fully connected network of width D, exponential loss, initial weights of size `scale`
/// (seed 3; zero allowed).
pub fn dfa(dataset: Dataset, depth: usize, scale: f64) -> Problem {
    let network = fully_connected(&dataset, depth);
    feedback(dataset, network, scale, 7)
}

/// Gradient descent from weights of size 0.1, otherwise as [`dfa`].
pub fn bp(dataset: Dataset, depth: usize) -> Problem {
    let network = fully_connected(&dataset, depth);
    gradient_descent(dataset, network)
}

fn fully_connected(dataset: &Dataset, depth: usize) -> Network {
    let d = dataset.dimension();
    Network::new(FullyConnectedLinear::new(d, &vec![d; depth - 1]))
}

/// DFA on any network whose layers have width D, exponential loss, weights of size `scale` (seed 3; zero allowed).
pub fn feedback(dataset: Dataset, network: Network, scale: f64, seed: u64) -> Problem {
    let d = dataset.dimension();
    let mut draws = standard_normals("feedback", seed);
    let signals = (1..network.depth())
        .map(|_| DVector::from_iterator(d, draws.by_ref().take(d)))
        .collect();
    problem(
        dataset,
        network,
        scale,
        Rule::direct_feedback_alignment(signals),
    )
}

/// Gradient descent from weights of size 0.1 (seed 3), exponential loss.
pub fn gradient_descent(dataset: Dataset, network: Network) -> Problem {
    problem(dataset, network, 0.1, Rule::gradient_descent())
}

fn problem(dataset: Dataset, network: Network, scale: f64, rule: Rule) -> Problem {
    let parameters = network.parameters();
    let weights = standard_normals("initial", 3)
        .take(parameters)
        .map(|x| scale * x);
    Problem::new(
        dataset,
        network.clone(),
        rule,
        Loss::Exponential,
        network.theta(DVector::from_iterator(parameters, weights)),
    )
    .unwrap()
}

/// The hard-margin direction of separable data.
pub fn svm(dataset: &Dataset) -> Limit {
    match max_margin(dataset.signed_samples()) {
        Separability::Separable(limit) => limit,
        other => panic!("{other:?}"),
    }
}

/// A run and what is measured on it.
pub fn run(problem: &Problem, options: &FlowOptions) -> (Trajectory, Diagnostics) {
    let trajectory = integrate(problem, options, &mut |_| {}).expect("the flow starts");
    let limit = svm(problem.dataset());
    let diagnostics = diagnose(problem, &trajectory, Some(&limit));
    (trajectory, diagnostics)
}
