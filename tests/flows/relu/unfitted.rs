//! Data that the network cannot fit in part: what pulls against each other comes to rest, and the rest is learned on.

use super::completed;
use marginflow::dataset::Dataset;
use marginflow::flow::FlowOptions;
use marginflow::loss::Loss;
use marginflow::network::{Network, Relu};
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use nalgebra::{DVector, dmatrix, dvector};

/// The sample (1, 0.2) with two labels of one sign and one of the other: its output rests at ½ ln 2. The sample
/// (−0.3, 1) is learned.
fn problem(rule: Rule, smoothing: f64) -> Problem {
    let x = dmatrix![1.0, 0.2; 1.0, 0.2; 1.0, 0.2; -0.3, 1.0];
    let data = Dataset::new(x, dvector![1.0, 1.0, -1.0, 1.0]);
    let w = [0.5, 0.4, -0.2, 0.6, 0.7, -0.3];
    let output = [0.4, 0.5, -0.3];
    Problem::new(
        data,
        Network::new(Relu::new(2, &[3], smoothing)),
        rule,
        Loss::Exponential,
        DVector::from_iterator(9, w.into_iter().chain(output)),
    )
    .unwrap()
}

#[test]
fn samples_that_contradict_each_other_rest_while_others_are_learned() {
    let direct = || Rule::direct_feedback_alignment(vec![dvector![0.8, 1.1, -0.7]]);
    for (rule, smoothing) in [
        (Rule::gradient_descent(), 0.0),
        (direct(), 0.0),
        (direct(), 0.03),
    ] {
        let problem = problem(rule, smoothing);
        let options = FlowOptions {
            max_steps: 10_000,
            ..FlowOptions::to(12.0)
        };
        let run = completed(&problem, &options);
        let message = run.message.clone().unwrap_or_default();
        assert!(message.contains("does not fit all"), "{message}");
        let last = run.theta.ncols() - 1;
        let outputs = super::outputs(&problem, &run, last);
        let balance = 0.5 * 2.0_f64.ln();
        assert!((outputs[0] - balance).abs() < 1e-2, "{outputs}");
        let log_time = 12.0_f64.exp_m1();
        assert!(outputs[3] > 0.95 * log_time, "{outputs}");
        for n in [0, 3] {
            let p = log_time - outputs[n];
            let drift = (run.log_multipliers[(n, last)] - p).abs();
            assert!(drift < 1e-5 * log_time, "{n} {drift}");
        }
    }
}
