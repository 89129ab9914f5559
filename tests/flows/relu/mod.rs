//! Flows of ReLU networks: exact kinks without a stall, against finite steps, smoothed kinks and another integrator.

mod dead;
mod leaky;
mod limits;
mod seeds;
mod unfitted;
mod unseen;

use marginflow::dataset::{Dataset, standard_normals};
use marginflow::flow::{FlowOptions, integrate};
use marginflow::loss::Loss;
use marginflow::network::{Network, Relu};
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use marginflow::trajectory::{Status, Trajectory};
use nalgebra::{DMatrix, DVector};

/// Gaussian samples with random labels.
pub fn data(seed: u64, samples: usize, dimension: usize) -> Dataset {
    let mut draws = standard_normals("relu data", seed);
    let x = DMatrix::from_fn(samples, dimension, |_, _| draws.next().unwrap());
    let y = DVector::from_fn(samples, |_, _| draws.next().unwrap().signum());
    Dataset::new(x, y)
}

/// DFA on two layers of `width` units from random weights on the level `b_j w_2j = ½‖w_1j‖²`.
pub fn on_level_set(seed: u64, samples: usize, dimension: usize, width: usize) -> Problem {
    let mut draws = standard_normals("relu weights", seed);
    let w = DMatrix::from_fn(dimension, width, |_, _| 0.3 * draws.next().unwrap());
    let b = DVector::from_fn(width, |_, _| draws.next().unwrap());
    let output = DVector::from_fn(width, |j, _| 0.5 * w.column(j).norm_squared() / b[j]);
    Problem::new(
        data(seed, samples, dimension),
        Network::new(Relu::new(dimension, &[width], 0.0)),
        Rule::direct_feedback_alignment(vec![b]),
        Loss::Exponential,
        DVector::from_iterator(w.len() + width, w.iter().chain(&output).copied()),
    )
    .unwrap()
}

/// The same with smoothed kinks.
pub fn smoothed(problem: &Problem, epsilon: f64) -> Problem {
    let relu = problem.network().units().unwrap();
    let hidden: Vec<usize> = relu.shapes()[1..].iter().map(|s| s.0).collect();
    problem
        .clone()
        .with_network(Network::new(Relu::new(
            relu.shapes()[0].0,
            &hidden,
            epsilon,
        )))
        .unwrap()
}

pub fn completed(problem: &Problem, options: &FlowOptions) -> Trajectory {
    let run = integrate(problem, options, &mut |_| {}).unwrap();
    assert_eq!(run.status, Status::Completed, "{:?}", run.message);
    run
}

/// Outputs f(x_n) at a save.
pub fn outputs(problem: &Problem, run: &Trajectory, save: usize) -> DVector<f64> {
    let theta = run.theta.column(save);
    let relu = problem.network().units().unwrap();
    relu.outputs(theta.as_slice(), problem.dataset().samples())
}
