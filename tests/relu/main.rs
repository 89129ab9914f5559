//! Flows of ReLU networks with exact kinks.

use marginflow::dataset::{Dataset, standard_normals};

use marginflow::flow::{FlowOptions, integrate};
use marginflow::loss::Loss;
use marginflow::network::{Network, Relu};
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use nalgebra::{DMatrix, DVector};

/// Random labels, as hard as N = 2D is.
fn data(seed: u64, samples: usize, dimension: usize) -> Dataset {
    let mut draws = standard_normals("relu data", seed);
    let x = DMatrix::from_fn(samples, dimension, |_, _| draws.next().unwrap());
    let y = DVector::from_fn(samples, |_, _| draws.next().unwrap().signum());
    Dataset::new(x, y)
}

fn on_level_set(seed: u64, samples: usize, dimension: usize, width: usize, eps: f64) -> Problem {
    let mut draws = standard_normals("relu weights", seed);
    let w = DMatrix::from_fn(dimension, width, |_, _| 0.3 * draws.next().unwrap());
    let b = DVector::from_fn(width, |_, _| draws.next().unwrap());
    let output = DVector::from_fn(width, |j, _| 0.5 * w.column(j).norm_squared() / b[j]);
    let theta0 = DVector::from_iterator(
        (dimension + 1) * width,
        w.iter().chain(output.iter()).copied(),
    );
    Problem {
        dataset: data(seed, samples, dimension),
        network: Network::Relu(Relu::new(dimension, &[width], eps)),
        rule: Rule::DirectFeedbackAlignment(vec![b]),
        loss: Loss::Exponential,
        theta0,
    }
}

#[test]
fn explore() {
    let until: f64 = std::env::var("S").map_or(12.0, |s| s.parse().unwrap());
    let eps: f64 = std::env::var("EPS").map_or(0.0, |s| s.parse().unwrap());
    for seed in 1..=20 {
        let problem = on_level_set(seed, 10, 5, 12, eps);
        let run = integrate(&problem, &FlowOptions::to(until), &mut |_| {}).unwrap();
        let end = run.theta.column(run.len() - 1);
        let m = problem.network.margins(end.as_slice(), &problem.dataset);

        let k = run.kinks.clone().unwrap_or_default();
        println!(
            "{seed} {:?} s={:.3} min m/tau {:.5} steps {} rej {} nf {} rhs {} jac {} wall {:.3} kinks {} {} {} {} sl {} drift {:.1e} {}",
            run.status,
            run.log_log_time[run.len() - 1],
            m.min() / run.log_time(run.len() - 1),
            run.solver.steps,
            run.solver.rejected_steps,
            run.solver.newton_failures,
            run.solver.rhs_evaluations,
            run.solver.jacobian_evaluations,
            run.solver.wall_seconds,
            k.crossings,
            k.slides,
            k.releases,
            k.departures,
            k.sliding.len(),
            drift(&problem, &run),
            run.message.unwrap_or_default(),
        );
    }
}

fn drift(problem: &Problem, run: &marginflow::trajectory::Trajectory) -> f64 {
    let mut worst = 0.0_f64;
    for k in 0..run.len() {
        let m = problem
            .network
            .margins(run.theta.column(k).as_slice(), &problem.dataset);
        let tau = run.log_time(k);
        for n in 0..m.len() {
            worst = worst.max((run.log_multipliers[(n, k)] - (tau - m[n])).abs() / (1.0 + tau));
        }
    }
    worst
}
