//! Steps of ReLU networks against the vector field they follow.

use super::*;
use crate::activation::examples;
use crate::dataset::{Dataset, gaussian_teacher, standard_normals};
use crate::loss::Loss;
use crate::network::Network;
use crate::network::stepping::GenericStepper;
use crate::network::stepping::Schedule;
use crate::problem::Problem;
use crate::rule::Rule;
use nalgebra::{DMatrix, DVector};

const SCHEDULES: [Schedule; 2] = [Schedule::Constant, Schedule::LossNormalised];

fn gaussian(seed: u64, n: usize) -> Vec<f64> {
    standard_normals("relu stepper tests", seed)
        .take(n)
        .collect()
}

fn rules(network: &Network) -> [Rule; 3] {
    let shapes = network.feedback_shapes().iter().enumerate();
    let through = |(l, &(r, c)): (usize, &(usize, usize))| {
        DMatrix::from_vec(r, c, gaussian(30 + l as u64, r * c))
    };
    let direct =
        |(l, &(r, _)): (usize, &(usize, usize))| DVector::from_vec(gaussian(20 + l as u64, r));
    [
        Rule::gradient_descent(),
        Rule::feedback_alignment(shapes.clone().map(through).collect()),
        Rule::direct_feedback_alignment(shapes.map(direct).collect()),
    ]
}

fn problem(network: Network, rule: Rule, loss: Loss, dataset: Dataset) -> Problem {
    let theta0 = DVector::from_vec(gaussian(1, network.parameters())) * 0.4;
    Problem::new(dataset, network, rule, loss, theta0).unwrap()
}

fn both(problem: &Problem, schedule: Schedule, lanes: &[Lane]) -> [Box<dyn Stepper>; 2] {
    let Some(network) = problem.network().units() else {
        panic!("a ReLU network");
    };
    [
        Box::new(ReluStepper::new(
            network,
            &problem.training(schedule),
            lanes,
        )),
        Box::new(GenericStepper::new(
            problem.kernel(),
            &problem.training(schedule),
            lanes,
        )),
    ]
}

fn theta(stepper: &dyn Stepper, lane: usize, parameters: usize) -> DVector<f64> {
    let mut theta = DVector::zeros(parameters);
    stepper.theta(lane, theta.as_mut_slice());
    theta
}

/// Every rule, loss, schedule, activation and depth; widths and samples that fill whole vectors or do not.
#[test]
fn a_thousand_steps_are_those_of_the_vector_field() {
    let hidden: [&[usize]; 5] = [&[], &[9], &[8], &[5, 6], &[4, 3, 5]];
    for (hidden, samples) in hidden.into_iter().zip([7, 8, 5, 17, 9]) {
        for activation in examples() {
            let network = Network::new(Relu::with(4, hidden, activation));
            for rule in rules(&network) {
                for loss in [Loss::Exponential, Loss::Logistic] {
                    let dataset = gaussian_teacher(4, samples, 3);
                    let problem = problem(network.clone(), rule.clone(), loss, dataset);
                    for schedule in SCHEDULES {
                        // Loss-normalised steps of a fixed size become unstable as the weights grow, and then no two
                        // computations agree, so they are smaller here.
                        let sizes = match schedule {
                            Schedule::Constant => [0.003, 0.01],
                            Schedule::LossNormalised => [0.0003, 0.001],
                        };
                        let lanes = sizes.map(|size| Lane {
                            size,
                            theta: problem.theta0().clone(),
                        });
                        let mut steppers = both(&problem, schedule, &lanes);
                        steppers.iter_mut().for_each(|s| s.advance(1000));
                        for lane in 0..2 {
                            let [fast, slow] =
                                [0, 1].map(|i| theta(&*steppers[i], lane, network.parameters()));
                            let error = (&fast - &slow).norm() / slow.norm();
                            let case = (hidden, activation, rule.key(), loss, schedule, lane);
                            assert!(error < 1e-12, "{case:?}: {error:e}");
                            assert!((slow - problem.theta0()).norm() > 0.01, "{case:?} moves");
                            if schedule == Schedule::LossNormalised {
                                let [fast, slow] = [0, 1].map(|i| steppers[i].log_time(lane));
                                assert!((fast - slow).abs() < 1e-11, "{case:?}: {fast} {slow}");
                            }
                        }
                    }
                }
            }
        }
    }
}

/// From zero weights every preactivation is on its kink, where exact and smoothed gates are one.
#[test]
fn gates_are_one_at_zero() {
    for activation in examples() {
        let network = Network::new(Relu::with(4, &[5, 3], activation));
        let [_, layerwise, direct] = rules(&network);
        for rule in [layerwise, direct] {
            let dataset = gaussian_teacher(4, 6, 3);
            let problem = problem(network.clone(), rule, Loss::Exponential, dataset);
            let zero = problem.theta0() * 0.0;
            let problem = problem.with_start(zero).unwrap();
            let lanes = [Lane {
                size: 0.01,
                theta: problem.theta0().clone(),
            }];
            let mut steppers = both(&problem, Schedule::Constant, &lanes);
            for steps in [1, 1, 98] {
                steppers.iter_mut().for_each(|s| s.advance(steps));
                let [fast, slow] = [0, 1].map(|i| theta(&*steppers[i], 0, network.parameters()));
                let error = (&fast - &slow).norm() / slow.norm();
                assert!(
                    error < 1e-12,
                    "{activation:?} {}: {error:e}",
                    problem.rule().key()
                );
            }
        }
    }
}

#[test]
fn a_restored_stepper_goes_on_bit_for_bit() {
    let network = Network::new(Relu::new(4, &[5, 3], 0.1));
    let [rule, ..] = rules(&network);
    let problem = problem(network, rule, Loss::Logistic, gaussian_teacher(4, 6, 3));
    for schedule in SCHEDULES {
        let lanes = [0.01, 0.02].map(|size| Lane {
            size,
            theta: problem.theta0().clone(),
        });
        let [mut straight, _] = both(&problem, schedule, &lanes);
        straight.advance(70);
        let kept = straight.state();
        straight.advance(30);
        let [mut resumed, _] = both(&problem, schedule, &lanes);
        resumed.advance(3);
        resumed.restore(&kept);
        assert_eq!(resumed.state(), kept);
        resumed.advance(30);
        assert_eq!(resumed.state(), straight.state());
        assert_ne!(resumed.state(), kept);
    }
}

/// A run that overflows continues with non-finite weights.
#[test]
fn overflow_stays_visible() {
    for activation in examples() {
        let network = Network::new(Relu::with(4, &[5], activation));
        let [rule, ..] = rules(&network);
        let problem = problem(network, rule, Loss::Exponential, gaussian_teacher(4, 6, 3));
        let lanes = [1e300, 0.01].map(|size| Lane {
            size,
            theta: problem.theta0().clone(),
        });
        let [mut stepper, _] = both(&problem, Schedule::Constant, &lanes);
        stepper.advance(50);
        let finite = [0, 1].map(|lane| {
            theta(&*stepper, lane, problem.network().parameters())
                .iter()
                .all(|w| w.is_finite())
        });
        assert_eq!(finite, [false, true]);
    }
}
