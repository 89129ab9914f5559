//! Samples that contradict each other beside others that are separable: the first come to rest, the others go on.

use crate::dependent::problems;
use crate::runs::signed;
use crate::support::gradient_descent;
use marginflow::dataset::{Dataset, standard_normals};
use marginflow::diagnostics::diagnose;
use marginflow::flow::{FlowOptions, integrate};
use marginflow::limit::{Separability, angle, max_margin};
use marginflow::loss::Loss;
use marginflow::network::Network;
use marginflow::problem::Problem;
use marginflow::trajectory::Status;
use nalgebra::{DMatrix, DVector, dmatrix};

/// Where the three samples on the line come from.
const ON_LINE: [f64; 3] = [1.0, 0.4, -1.3];

/// Samples on a line that pull against each other, and others with something of their own, in D dimensions.
fn line_and_others(seed: u64, dimension: usize) -> (Dataset, DVector<f64>) {
    let mut normals = standard_normals("contradictory", seed);
    let mut next = || normals.next().unwrap();
    let line = DVector::from_fn(dimension, |_, _| next()).normalize();
    let teacher = DVector::from_fn(dimension, |_, _| next());
    let teacher = (&teacher - &line * line.dot(&teacher)).normalize();
    let mut rows: Vec<DVector<f64>> = ON_LINE.map(|x| &line * x).to_vec();
    while rows.len() < 7 {
        let row = DVector::from_fn(dimension, |_, _| next());
        let margin = row.dot(&teacher);
        if margin.abs() > 0.2 {
            rows.push(row * margin.signum());
        }
    }
    let g = DMatrix::from_fn(rows.len(), dimension, |n, d| rows[n][d]);
    (signed(g), line)
}

/// The margins at which `Σ exp(−m)` is least on the line.
fn at_rest() -> [f64; 3] {
    let slope = |b: f64| ON_LINE.map(|x| x * (-x * b).exp()).iter().sum::<f64>();
    let (mut low, mut high) = (-5.0, 5.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if slope(middle) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    ON_LINE.map(|x| x * low)
}

#[test]
fn the_rest_of_the_data_goes_on_as_if_it_were_alone() {
    for seed in 0..3 {
        let (data, line) = line_and_others(seed, 5);
        let g = data.signed_samples();
        let others = g.rows(3, 4) - g.rows(3, 4) * &line * line.transpose();
        let Separability::Separable(limit) = max_margin(&others) else {
            panic!("seed {seed}");
        };
        let expected = at_rest();
        let log_loss = expected.map(|m| (-m).exp()).iter().sum::<f64>().ln();
        for (problem, until) in problems(&data, seed) {
            let (network, rule) = (problem.network().key(), problem.rule().key());
            let name = format!("seed {seed}, {network}, {rule}, s = {until}");
            let run = integrate(&problem, &FlowOptions::to(until), &mut |_| {}).unwrap();
            assert_eq!(run.status, Status::Completed, "{name}: {:?}", run.message);
            let message = run.message.as_deref().unwrap();
            assert!(message.starts_with("3 of 7 distinct samples"), "{message}");
            let seen = diagnose(&problem, &run, None);
            let last = run.len() - 1;
            for (n, m) in expected.into_iter().enumerate() {
                let held = seen.margins[(n, last)];
                assert!((held - m).abs() < 1e-12, "{name}: {held} for {m}");
            }
            let end = seen.log_loss[last];
            assert!((end - log_loss).abs() < 1e-12, "{name}: {end}");
            assert!(seen.worst_multiplier_drift() < 2e-5, "{name}");
            if network == "fully-connected-linear" {
                let theta = run.theta.column(last);
                let beta = problem.network().predictor(theta.as_slice()).unwrap();
                let off = angle(beta.as_slice(), limit.beta.as_slice());
                assert!(off < 1e-6, "{name}: {off}");
            }
        }
    }
}

#[test]
fn separable_data_are_not_held_however_long_nothing_is_learned() {
    let g = DMatrix::from_row_slice(3, 3, &[1.0, 0.5, 0.0, -0.4, 1.0, 0.2, 0.3, -0.2, 1.0]);
    let network = Network::fully_connected(3, &[3, 3]);
    let problem = gradient_descent(signed(g), network);
    let theta = problem.theta0() * 1e-6;
    let (data, network) = (problem.dataset().clone(), problem.network().clone());
    let rule = problem.rule().clone();
    let problem = Problem::new(data, network, rule, Loss::Exponential, theta).unwrap();
    let run = integrate(&problem, &FlowOptions::to(40.0), &mut |_| {}).unwrap();
    assert_eq!(run.status, Status::Completed, "{:?}", run.message);
    assert_eq!(run.held, None);
    assert_eq!(run.message, None);
}

/// Samples of which nothing is left pull at nothing; the others go on.
#[test]
fn samples_that_are_zero_are_no_contradiction() {
    let g = dmatrix![0.0, 0.0, 0.0; 1.0, -2.0, 1.0; 2.0, 1.0, 0.0; 1.0, 0.0, 3.0];
    for (problem, until) in problems(&signed(g), 1) {
        let (network, rule) = (problem.network().key(), problem.rule().key());
        let run = integrate(&problem, &FlowOptions::to(until), &mut |_| {}).unwrap();
        let name = format!("{network}, {rule}, s = {until}: {:?}", run.message);
        assert_eq!(run.status, Status::Completed, "{name}");
        let seen = diagnose(&problem, &run, None);
        assert!(seen.worst_multiplier_drift() < 2e-5, "{name}");
        assert_eq!(seen.margins[(0, run.len() - 1)], 0.0, "{name}");
    }
}
