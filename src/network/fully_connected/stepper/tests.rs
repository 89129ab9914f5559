//! Steps of full weights against the vector field they follow.

use super::*;
use crate::dataset::{Dataset, standard_normals};
use crate::network::Network;
use crate::network::stepping::GenericStepper;
use crate::network::stepping::vector::instruction_sets;
use crate::problem::Problem;
use crate::rule::Rule;
use nalgebra::{DMatrix, DVector};

const SCHEDULES: [Schedule; 2] = [Schedule::Constant, Schedule::LossNormalised];
const LOSSES: [Loss; 2] = [Loss::Exponential, Loss::Logistic];

/// Instruction sets for single runs and for batches.
type Instructions = (Arch, Vectors);

fn best() -> Instructions {
    (Arch::new(), Vectors::narrow())
}

fn gaussian(seed: u64, n: usize) -> Vec<f64> {
    standard_normals("fully connected stepper tests", seed)
        .take(n)
        .collect()
}

/// Separable: every sample has its label's sign in the first coordinate.
fn separable(samples: usize, dimension: usize) -> Dataset {
    let x = gaussian(7, samples * dimension);
    let mut x = DMatrix::from_vec(samples, dimension, x);
    let labels = DVector::from_fn(samples, |n, _| if n % 2 == 0 { 1.0 } else { -1.0 });
    for n in 0..samples {
        x[(n, 0)] = labels[n] * (1.0 + x[(n, 0)].abs());
    }
    Dataset::new(x, labels)
}

fn rules(shapes: &[(usize, usize)]) -> [Rule; 3] {
    let through = shapes[1..].iter().enumerate().map(|(l, &(r, c))| {
        DMatrix::from_vec(r, c, gaussian(30 + l as u64, r * c)) / (r as f64).sqrt()
    });
    let direct = shapes[1..]
        .iter()
        .enumerate()
        .map(|(l, &(r, _))| DVector::from_vec(gaussian(20 + l as u64, r)) / (r as f64).sqrt());
    [
        Rule::gradient_descent(),
        Rule::feedback_alignment(through.collect()),
        Rule::direct_feedback_alignment(direct.collect()),
    ]
}

fn problem(samples: usize, dimension: usize, hidden: &[usize], rule: usize, loss: Loss) -> Problem {
    let network = FullyConnectedLinear::new(dimension, hidden);
    let shapes = network.layout().shapes();
    let rule = rules(shapes)[rule].clone();
    let theta0 = shapes
        .iter()
        .enumerate()
        .flat_map(|(l, (r, c))| {
            let scale = 0.7 / (*r as f64).sqrt();
            gaussian(l as u64, r * c)
                .into_iter()
                .map(move |w| w * scale)
        })
        .collect();
    Problem::new(
        separable(samples, dimension),
        Network::new(network),
        rule,
        loss,
        DVector::from_vec(theta0),
    )
    .unwrap()
}

/// Runs of other step sizes and other initial weights.
fn lanes(problem: &Problem, schedule: Schedule, count: usize) -> Vec<Lane> {
    // A loss-normalised step is stable as long as η‖w‖^{2L−2}‖x‖² is below about 2, and weights grow.
    let size = match schedule {
        Schedule::Constant => 2e-3,
        Schedule::LossNormalised => 2e-4,
    };
    (0..count)
        .map(|lane| Lane {
            size: size / (1.0 + lane as f64),
            theta: problem.theta0() * (1.0 + 0.05 * lane as f64),
        })
        .collect()
}

fn fast(
    problem: &Problem,
    schedule: Schedule,
    lanes: &[Lane],
    (arch, vectors): Instructions,
) -> FullyConnectedStepper {
    let network = problem.network().reducible();
    let network = network.expect("a fully connected linear network");
    FullyConnectedStepper::on(arch, vectors, network, &problem.training(schedule), lanes)
}

fn theta(stepper: &dyn Stepper, lane: usize, parameters: usize) -> DVector<f64> {
    let mut theta = DVector::zeros(parameters);
    stepper.theta(lane, theta.as_mut_slice());
    theta
}

fn assert_steps_agree(
    problem: &Problem,
    schedule: Schedule,
    instructions: Instructions,
    steps: u64,
) {
    // A full vector of runs and one more, which runs alone.
    let lanes = lanes(problem, schedule, instructions.1.width() + 1);
    let mut fast = fast(problem, schedule, &lanes, instructions);
    let mut slow = GenericStepper::new(problem.kernel(), &problem.training(schedule), &lanes);
    assert_eq!(fast.lanes(), lanes.len());
    fast.advance(steps / 3);
    fast.advance(steps - steps / 3);
    slow.advance(steps);
    for (lane, start) in lanes.iter().enumerate() {
        let [actual, expected] =
            [&fast as &dyn Stepper, &slow].map(|s| theta(s, lane, problem.theta0().len()));
        let what = || {
            let shapes = problem.network().shapes();
            let (rule, loss) = (problem.rule().key(), problem.loss());
            let width = instructions.1.width();
            format!("{shapes:?}, {rule}, {loss:?}, {schedule:?}, {width} wide, lane {lane}")
        };
        let error = (&actual - &expected).norm() / expected.norm();
        assert!(error < 1e-12, "{}: {error:e}", what());
        let moved = (&expected - &start.theta).norm();
        assert!(moved > 1e-3 * expected.norm(), "{}: {moved:e}", what());
        if schedule == Schedule::LossNormalised {
            let [actual, expected] = [fast.log_time(lane), slow.log_time(lane)];
            let error = (actual - expected).abs() / expected.abs();
            assert!(error < 1e-12, "{}: ln t off by {error:e}", what());
        }
    }
}

/// Samples, inputs, hidden widths: of every depth, some filling whole vectors and some not.
const NETWORKS: [(usize, usize, &[usize]); 5] = [
    (5, 8, &[]),
    (13, 6, &[9]),
    (9, 20, &[20, 20]),
    (24, 16, &[8, 11, 3]),
    (3, 50, &[57, 2]),
];

#[test]
fn steps_are_those_of_the_vector_field() {
    for (samples, dimension, hidden) in NETWORKS {
        for rule in 0..3 {
            for loss in LOSSES {
                let problem = problem(samples, dimension, hidden, rule, loss);
                for schedule in SCHEDULES {
                    assert_steps_agree(&problem, schedule, best(), 400);
                }
            }
        }
    }
}

#[test]
fn steps_do_not_depend_on_the_instructions() {
    for arch in instruction_sets() {
        for schedule in SCHEDULES {
            for rule in [0, 2] {
                let problem = problem(11, 10, &[7, 5], rule, Loss::Exponential);
                assert_steps_agree(&problem, schedule, (arch, Vectors::Whole(arch)), 500);
            }
        }
    }
}

#[test]
fn thousands_of_steps_stay_with_the_vector_field() {
    for rule in [0, 2] {
        for schedule in SCHEDULES {
            let problem = problem(30, 20, &[20, 20], rule, Loss::Exponential);
            assert_steps_agree(&problem, schedule, best(), 5_000);
        }
    }
}

#[test]
fn loss_normalised_steps_pass_the_smallest_double() {
    let schedule = Schedule::LossNormalised;
    let problem = problem(6, 4, &[4], 2, Loss::Exponential);
    let lanes: Vec<Lane> = lanes(&problem, schedule, Vectors::narrow().width() + 1)
        .into_iter()
        .map(|lane| Lane { size: 0.2, ..lane })
        .collect();
    let mut fast = fast(&problem, schedule, &lanes, best());
    fast.advance(20_000);
    for lane in 0..lanes.len() {
        let theta = theta(&fast, lane, problem.theta0().len());
        let margins = problem
            .network()
            .margins(theta.as_slice(), problem.dataset());
        assert!(margins.min() > 800.0 * std::f64::consts::LN_10, "{margins}");
        assert!(fast.log_time(lane) > 800.0, "{}", fast.log_time(lane));
    }
}

#[test]
fn a_restored_state_goes_on_bit_for_bit() {
    for rule in [0, 2] {
        for loss in LOSSES {
            for schedule in SCHEDULES {
                let problem = problem(9, 13, &[20, 6], rule, loss);
                let lanes = lanes(&problem, schedule, Vectors::narrow().width() + 2);
                let mut through = fast(&problem, schedule, &lanes, best());
                let mut stopped = fast(&problem, schedule, &lanes, best());
                through.advance(137);
                stopped.advance(60);
                let state = stopped.state();
                stopped.advance(5);
                stopped.restore(&state);
                stopped.advance(77);
                let mut elsewhere = fast(&problem, schedule, &lanes, best());
                elsewhere.restore(&state);
                elsewhere.advance(77);
                assert_eq!(through.state(), stopped.state(), "{loss:?}, {schedule:?}");
                assert_eq!(through.state(), elsewhere.state(), "{loss:?}, {schedule:?}");
            }
        }
    }
}

#[test]
fn a_run_that_overflows_disturbs_no_other() {
    let problem = problem(9, 13, &[10, 6], 2, Loss::Exponential);
    let width = Vectors::narrow().width();
    let calm = lanes(&problem, Schedule::Constant, width);
    let mut wild = calm.clone();
    wild[width - 1].size = 1e9;
    let mut with_calm = fast(&problem, Schedule::Constant, &calm, best());
    let mut with_wild = fast(&problem, Schedule::Constant, &wild, best());
    with_calm.advance(300);
    with_wild.advance(300);
    let parameters = problem.theta0().len();
    let overflown = theta(&with_wild, width - 1, parameters);
    assert!(overflown.iter().any(|w| !w.is_finite()));
    for lane in 0..width - 1 {
        let [expected, actual] = [&with_calm, &with_wild].map(|s| theta(s, lane, parameters));
        assert!(expected.iter().all(|w| w.is_finite()));
        assert_eq!(expected, actual, "lane {lane}");
    }
}
