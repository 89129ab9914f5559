//! Certificates of limits, made and checked.

use super::check::{Norm, Proof};
use super::*;
use crate::dataset::{Dataset, gaussian_teacher};
use crate::limit::{Limit, Separability, angle, max_margin, minimise};
use crate::loss::Loss;
use crate::network::Network;
use crate::problem::Problem;
use crate::rule::Rule;
use crate::theory;
use nalgebra::{DMatrix, DVector, dmatrix, dvector};

const LABEL: (&str, &str) = ("test", "");

fn wave(dimension: usize, seed: usize) -> DVector<f64> {
    DVector::from_fn(dimension, |j, _| ((j * j + (2 + seed) * j + seed) as f64 * 0.7).sin() + 0.3)
}

fn problem(network: Network, rule: Rule, data: Dataset) -> Problem {
    let parameters = network.parameters();
    Problem::new(data, network, rule, Loss::Exponential, DVector::zeros(parameters)).unwrap()
}

/// Under feedback on every hidden layer, of a network with layers of D weights.
fn feedback(network: Network, data: Dataset) -> Problem {
    let (depth, dimension) = (network.depth(), data.dimension());
    let rule = Rule::direct_feedback_alignment((1..depth).map(|l| wave(dimension, l)).collect());
    problem(network, rule, data)
}

fn limit_of(problem: &Problem) -> Limit {
    let theory = theory::of(problem);
    let Separability::Separable(limit) =
        minimise(problem.dataset().signed_samples(), theory.potential().unwrap())
    else {
        panic!("separable")
    };
    limit
}

/// Limits of every kind of linear network that certificates know.
pub(super) fn linear_problems() -> Vec<Problem> {
    let data = |seed| gaussian_teacher(8, 6, seed);
    let mut list = vec![
        problem(Network::fully_connected(8, &[8]), Rule::gradient_descent(), data(1)),
        problem(Network::convolutional(8, 2), Rule::gradient_descent(), data(2)),
        problem(Network::convolutional(7, 2), Rule::gradient_descent(), gaussian_teacher(7, 5, 3)),
        problem(Network::diagonal(8, 2), Rule::gradient_descent(), data(4)),
    ];
    for depth in 2..=4 {
        list.push(feedback(Network::diagonal(8, depth), data(5)));
        list.push(feedback(Network::convolutional(8, depth), data(6)));
        list.push(feedback(Network::convolutional(7, depth), gaussian_teacher(7, 5, 7)));
    }
    list
}

fn certified(problem: &Problem, limit: &Limit) -> Certificate {
    let found = Found { limit: Some(limit), ..Found::default() };
    certify(problem, found, LABEL).expect("a certificate")
}

#[test]
fn limits_of_linear_networks_are_proved() {
    for problem in linear_problems() {
        let limit = limit_of(&problem);
        let certificate = certified(&problem, &limit);
        let Proof::LeastNorm(proof) = &certificate.statements[0].proof else { panic!() };
        let verdicts = check(&certificate).unwrap();
        println!("{} {} {:?}: {:?}", problem.network().key(), problem.network().depth(), proof.norm, verdicts[0]);
        let gap = |gap: &Option<Dyadic>| gap.as_ref().expect("a gap").to_f64();
        let stored = &proof.directions[0];
        match proof.norm {
            Norm::EntriesSum | Norm::FrequenciesSum => assert!(gap(&stored.gap) < 1e-12),
            _ => {
                assert!(gap(&proof.gap) < 1e-30 && gap(&stored.gap) < 1e-13);
                assert!(proof.angle.as_ref().expect("an angle").to_f64() < 1e-13);
                assert!(stored.angle.as_ref().expect("an angle").to_f64() < 1e-13);
            }
        }
    }
}
