//! Samples that go out of sight: of the first layer for a while, or of a layer of a deep network.

use super::completed;
use marginflow::dataset::{gaussian_random_labels, standard_normals};
use marginflow::diagnostics::diagnose;
use marginflow::flow::FlowOptions;
use marginflow::loss::Loss;
use marginflow::network::{Network, Relu};
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use nalgebra::DVector;

/// Five random labels in three dimensions, weights of scale 0.3.
fn problem(seed: u64, hidden: &[usize], feedback: bool) -> Problem {
    let relu = Relu::new(3, hidden, 0.0);
    let shapes = relu.shapes().to_vec();
    let network = Network::new(relu);
    let draws = standard_normals("initial", 3).take(network.parameters());
    let mut theta0 = DVector::from_iterator(network.parameters(), draws) * 0.3;
    let rule = if feedback {
        let b = DVector::from_iterator(hidden[0], standard_normals("feedback", 7).take(hidden[0]));
        let outputs = shapes[0].0 * shapes[0].1;
        for j in 0..hidden[0] {
            theta0[outputs + j] = 0.5 * theta0.rows(3 * j, 3).norm_squared() / b[j];
        }
        Rule::direct_feedback_alignment(vec![b])
    } else {
        Rule::gradient_descent()
    };
    Problem::new(
        gaussian_random_labels(3, 5, seed),
        network,
        rule,
        Loss::Exponential,
        theta0,
    )
    .unwrap()
}

/// A sample that no unit saw for long is seen again with a multiplier of e^90, and then fitted.
#[test]
fn a_sample_seen_again_is_fitted() {
    let problem = problem(2, &[6], true);
    let run = completed(&problem, &FlowOptions::to(12.0));
    let d = diagnose(&problem, &run, None);
    let zero = |k: usize| d.min_margin[k].abs() < 1e-9;
    assert!(
        (0..run.len()).any(|k| zero(k) && d.log_time[k] > 20.0),
        "out of sight"
    );
    assert!(d.min_margin[run.len() - 1] > 0.99 * d.log_time[run.len() - 1]);
    assert!(d.worst_invariant() < 1e-6 && d.worst_multiplier_drift() < 1e-6);
}

/// Where the last unit that sees a sample turns away from it, preactivations above vanish without a sign; no weight may
/// be moved on their account.
#[test]
fn layers_that_no_longer_see_a_sample_are_left_alone() {
    let problem = problem(1, &[8, 6], false);
    let run = completed(&problem, &FlowOptions::to(15.0));
    let d = diagnose(&problem, &run, None);
    assert!(d.worst_invariant() < 1e-6, "{}", d.worst_invariant());
    assert!(
        d.worst_multiplier_drift() < 1e-6,
        "{}",
        d.worst_multiplier_drift()
    );
}
