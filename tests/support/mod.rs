//! Problems the integration tests share, drawn from the streams scenarios draw from.

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

/// DFA (feedback seed 7) on a network of width D, exponential loss, initial weights of size `scale` (seed 3; zero allowed).
pub fn dfa(dataset: Dataset, depth: usize, scale: f64) -> Problem {
    let d = dataset.dimension();
    let mut draws = standard_normals("feedback", 7);
    let feedback = (1..depth)
        .map(|_| DVector::from_iterator(d, draws.by_ref().take(d)))
        .collect();
    problem(
        dataset,
        depth,
        scale,
        Rule::DirectFeedbackAlignment(feedback),
    )
}

/// Gradient descent from weights of size 0.1, otherwise as [`dfa`].
pub fn bp(dataset: Dataset, depth: usize) -> Problem {
    problem(dataset, depth, 0.1, Rule::GradientDescent)
}

fn problem(dataset: Dataset, depth: usize, scale: f64, rule: Rule) -> Problem {
    let d = dataset.dimension();
    let network = Network::FullyConnectedLinear(FullyConnectedLinear::new(d, &vec![d; depth - 1]));
    let parameters = network.parameters();
    let theta0 = DVector::from_iterator(
        parameters,
        standard_normals("initial", 3)
            .take(parameters)
            .map(|x| scale * x),
    );
    Problem {
        dataset,
        network,
        rule,
        loss: Loss::Exponential,
        theta0,
    }
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
    let limit = svm(&problem.dataset);
    let diagnostics = diagnose(problem, &trajectory, Some(&limit));
    (trajectory, diagnostics)
}
