use super::*;
use crate::dataset::{Dataset, gaussian_teacher, standard_normals};
use crate::network::Network;
use crate::network::stepping::GenericStepper;
use crate::network::stepping::Stepper;
use crate::network::stepping::vector::{Vectors, instruction_sets, width};
use crate::problem::Problem;
use crate::rule::Rule;
use nalgebra::DMatrix;

fn network_of(problem: &Problem) -> &SpectralLinear {
    problem.network().spectrum().unwrap()
}

/// A rule on `network`, by its key in a scenario.
fn rule(network: &Network, name: &str) -> Rule {
    let mut draws = standard_normals("feedback", 7).map(|x| 0.6 * x);
    let vectors = network
        .feedback_shapes()
        .iter()
        .map(|&(d, _)| DVector::from_iterator(d, draws.by_ref().take(d)));
    match name {
        "gradient-descent" => Rule::gradient_descent(),
        "direct-feedback-alignment" => Rule::direct_feedback_alignment(vectors.collect()),
        "feedback-alignment" => Rule::feedback_alignment(
            vectors
                .map(|v| DMatrix::from_column_slice(v.len(), 1, v.as_slice()))
                .collect(),
        ),
        other => panic!("{other}"),
    }
}

fn problem(network: Network, rule_name: &str, samples: usize, loss: Loss) -> Problem {
    let d = network.spectrum().unwrap().dimension();
    let theta0 = DVector::zeros(network.parameters());
    let rule = rule(&network, rule_name);
    Problem::new(gaussian_teacher(d, samples, 5), network, rule, loss, theta0).unwrap()
}

/// Runs of different step sizes, the first the longest, from different weights.
fn lanes(problem: &Problem, size: f64, count: usize) -> Vec<Lane> {
    let mut draws = standard_normals("initial", 3);
    let parameters = problem.network().parameters();
    let (dimension, depth) = (problem.network().shapes()[0].0, problem.network().depth());
    // ‖β‖ of order one
    let scale = 0.6 * (dimension as f64).powf(-0.5 / depth as f64);
    (0..count)
        .map(|lane| Lane {
            size: size / (1.0 + 0.3 * lane as f64),
            theta: DVector::from_iterator(
                parameters,
                draws.by_ref().take(parameters).map(|x| scale * x),
            ),
        })
        .collect()
}

fn theta(stepper: &dyn Stepper, lane: usize, parameters: usize) -> DVector<f64> {
    let mut theta = DVector::zeros(parameters);
    stepper.theta(lane, theta.as_mut_slice());
    theta
}

/// After the same steps the weights of all lanes equal those of the slow twin, and so do the clocks.
fn assert_twin(problem: &Problem, twin: &GenericStepper, fast: &dyn Stepper, what: &str) {
    let parameters = problem.network().parameters();
    assert!(fast.lanes() <= twin.lanes());
    for lane in 0..fast.lanes() {
        let expected = theta(twin, lane, parameters);
        assert!(expected.norm().is_finite(), "{what}: the twin overflows");
        let distance = (theta(fast, lane, parameters) - &expected).norm() / expected.norm();
        assert!(distance <= 1e-12, "{what}, lane {lane}: {distance:e}");
        let (clock, expected) = (fast.log_time(lane), twin.log_time(lane));
        if expected.is_finite() {
            let distance = (clock - expected).abs() / expected.abs().max(1.0);
            assert!(distance <= 1e-12, "{what}, lane {lane}: {clock} {expected}");
        }
    }
}

/// Compares single and batched runs, on every instruction set, with the slow twin.
fn is_its_slow_twin(problem: &Problem, schedule: Schedule, (size, steps): (f64, u64), what: &str) {
    let count = width(Arch::new());
    let lanes = lanes(problem, size, count);
    let mut twin = GenericStepper::new(problem.kernel(), &problem.training(schedule), &lanes);
    twin.advance(steps);
    let model = Arc::new(Model::new(network_of(problem), &problem.training(schedule)));
    let numbers = Arc::new(Numbers::new(model.clone()));
    for set in instruction_sets() {
        let data = Arc::new(PairVectors::new(model.clone(), set));
        let mut single = Single::new(data, &lanes[0]);
        single.advance(steps);
        assert_twin(problem, &twin, &single, &format!("{what}, {set:?}, alone"));
    }
    let whole = instruction_sets().map(Vectors::Whole);
    for vectors in whole.into_iter().chain([Vectors::narrow()]) {
        // a vector that is full, and one that is not
        for runs in [vectors.width(), vectors.width().div_ceil(2)] {
            let mut batch = Batch::new(numbers.clone(), vectors, &lanes[..runs]);
            batch.advance(steps);
            let what = format!("{what}, {vectors:?}, {runs} runs");
            assert_twin(problem, &twin, &batch, &what);
        }
    }
}

/// Depths and dimensions for which parts, vectors and blocks are full, partly full, or single: D = 1 and 2 have no
/// complex frequency, odd D no D/2.
#[test]
fn steps_are_those_of_the_slow_twin() {
    let shapes = [
        (1, 1),
        (2, 3),
        (3, 2),
        (7, 5),
        (8, 16),
        (15, 9),
        (18, 7),
        (33, 17),
    ];
    let rules = [
        "gradient-descent",
        "direct-feedback-alignment",
        "feedback-alignment",
    ];
    for (case, (dimension, samples)) in shapes.into_iter().enumerate() {
        for depth in 1..=4 {
            let rule = rules[(case + depth) % 3];
            for network in [
                Network::convolutional(dimension, depth),
                Network::diagonal(dimension, depth),
            ] {
                let what = format!("{} D = {dimension}, L = {depth}, {rule}", network.key());
                let problem = problem(network, rule, samples, Loss::Exponential);
                is_its_slow_twin(&problem, Schedule::Constant, (0.002, 300), &what);
            }
        }
    }
}

#[test]
fn thousands_of_steps_under_every_loss_and_schedule_are_those_of_the_slow_twin() {
    for rule in ["gradient-descent", "direct-feedback-alignment"] {
        for loss in [Loss::Exponential, Loss::Logistic] {
            for schedule in [Schedule::Constant, Schedule::LossNormalised] {
                // With loss-normalised steps weights grow like e^k at depth 2, and overflow at larger depths.
                let (depth, size) = match schedule {
                    Schedule::Constant => (3, 0.01),
                    Schedule::LossNormalised => (2, 0.001),
                };
                let problem = problem(Network::convolutional(9, depth), rule, 6, loss);
                let what = format!("{rule}, {loss:?}, {schedule:?}");
                is_its_slow_twin(&problem, schedule, (size, 3000), &what);
            }
        }
    }
}

/// From zero weights frequencies grow in proportion to the feedback; one that it hardly reaches keeps all its digits
/// next to the others, whether it is complex or one of two real ones that share a pair.
#[test]
fn slow_frequencies_keep_their_digits() {
    let network = Network::convolutional(8, 2);
    let spectral = network.spectrum().unwrap().clone();
    let mut coordinates = DVector::from_element(8, 1.0);
    coordinates[3] = 1e-9; // d = 2
    coordinates[4] = 1e-9;
    coordinates[7] = 1e-9; // d = 4, in a pair with d = 0
    let problem = problem(network, "gradient-descent", 5, Loss::Exponential);
    let feedback = spectral.basis().original(&coordinates);
    let rule = Rule::direct_feedback_alignment(vec![feedback]);
    let problem = problem.with_rule(rule).unwrap();
    let start = Lane {
        size: 0.01,
        theta: DVector::zeros(16),
    };
    let runs = vec![start; width(Arch::new())];
    let mut twin = GenericStepper::new(
        problem.kernel(),
        &problem.training(Schedule::Constant),
        &runs[..1],
    );
    let mut fast = stepper(&spectral, &problem.training(Schedule::Constant), &runs);
    let mut alone = stepper(&spectral, &problem.training(Schedule::Constant), &runs[..1]);
    twin.advance(1000);
    fast.advance(1000);
    alone.advance(1000);
    let expected = theta(&twin, 0, 16);
    for (fast, lane) in [(&fast, runs.len() - 1), (&alone, 0)] {
        let found = theta(fast, lane, 16);
        for i in 0..16 {
            // The feedback's own transform has rounding of 1e-16 of its largest entry.
            assert!(
                (found[i] / expected[i] - 1.0).abs() <= 1e-12,
                "coordinate {i}"
            );
        }
        assert!(found[7].abs() < 1e-7 && found[0].abs() > 1e-2);
    }
}

/// 11 runs: full vectors, a partly filled one, and single runs.
#[test]
fn a_restored_stepper_goes_on_bit_for_bit() {
    for schedule in [Schedule::Constant, Schedule::LossNormalised] {
        for count in [1, 2, 3, 11, 13] {
            let problem = problem(
                Network::convolutional(9, 2),
                "gradient-descent",
                6,
                Loss::Exponential,
            );
            let spectral = network_of(&problem);
            let lanes = lanes(&problem, 0.001, count);
            let mut straight = stepper(spectral, &problem.training(schedule), &lanes);
            assert_eq!(straight.lanes(), count);
            let mut interrupted = stepper(spectral, &problem.training(schedule), &lanes);
            straight.advance(1000);
            interrupted.advance(333);
            let state = interrupted.state();
            let mut resumed = stepper(spectral, &problem.training(schedule), &lanes);
            resumed.advance(5);
            resumed.restore(&state);
            assert_eq!(resumed.state(), state);
            resumed.advance(667);
            assert!(straight.state().iter().all(|x| x.is_finite()));
            assert_eq!(resumed.state(), straight.state());
            let log_times = |s: &Parts| -> Vec<f64> { (0..count).map(|l| s.log_time(l)).collect() };
            assert_eq!(log_times(&resumed), log_times(&straight));
        }
    }
}

#[test]
#[should_panic(expected = "length of the state")]
fn a_state_of_another_length_is_refused() {
    let problem = problem(
        Network::diagonal(3, 2),
        "gradient-descent",
        2,
        Loss::Exponential,
    );
    let lanes = lanes(&problem, 0.01, 3);
    let mut stepper = stepper(
        network_of(&problem),
        &problem.training(Schedule::Constant),
        &lanes,
    );
    let mut state = stepper.state();
    state.pop();
    stepper.restore(&state);
}

#[test]
fn a_run_that_overflows_disturbs_no_other() {
    for schedule in [Schedule::Constant, Schedule::LossNormalised] {
        let problem = problem(
            Network::convolutional(9, 2),
            "gradient-descent",
            5,
            Loss::Exponential,
        );
        let spectral = network_of(&problem);
        let calm = lanes(&problem, 0.001, width(Arch::new()));
        let wild = calm.len() / 2;
        let mut mixed = calm.clone();
        mixed[wild].size = 1e6;
        let mut calm = stepper(spectral, &problem.training(schedule), &calm);
        let mut mixed = stepper(spectral, &problem.training(schedule), &mixed);
        calm.advance(400);
        mixed.advance(400);
        for lane in 0..calm.lanes() {
            let (calm, mixed) = (theta(&calm, lane, 18), theta(&mixed, lane, 18));
            assert!(calm.norm().is_finite());
            if lane == wild {
                assert!(!mixed.norm().is_finite());
            } else {
                assert_eq!(mixed, calm, "lane {lane}");
            }
        }
    }
}

#[test]
fn every_coordinate_is_in_one_pair() {
    for dimension in 1..=9 {
        for network in [
            Network::convolutional(dimension, 1),
            Network::diagonal(dimension, 1),
        ] {
            let spectral = network.spectrum().unwrap();
            let pairs = Pairs::of(spectral);
            assert_eq!(pairs.len(), dimension.div_ceil(2));
            let mut all: Vec<usize> = pairs
                .coordinates()
                .iter()
                .flatten()
                .flatten()
                .copied()
                .collect();
            all.sort_unstable();
            assert_eq!(all, (0..dimension).collect::<Vec<_>>());
            let complex: Vec<_> = spectral
                .frequencies()
                .into_iter()
                .filter(|f| f.len == 2)
                .map(|f| [Some(f.start), Some(f.start + 1)])
                .collect();
            assert_eq!(pairs.coordinates()[..pairs.complex()], complex);
        }
    }
}

/// One step by hand on D = 3, L = 2, from the formulas on the half spectrum.
#[test]
fn the_first_step_is_the_formula() {
    let dataset = Dataset::new(
        DMatrix::from_row_slice(1, 3, &[1.0, -0.5, 2.0]),
        DVector::from_element(1, 1.0),
    );
    let network = Network::convolutional(3, 2);
    let spectral = network.spectrum().unwrap().clone();
    let b = DVector::from_vec(vec![0.3, 0.9, -0.4]);
    let weights = DVector::from_vec(vec![0.2, -0.1, 0.5, 0.4, 0.3, -0.6]);
    let theta0 = network.theta(weights);
    let problem = Problem::new(
        dataset,
        network,
        Rule::direct_feedback_alignment(vec![b.clone()]),
        Loss::Exponential,
        theta0,
    )
    .unwrap();
    let lane = Lane {
        size: 0.1,
        theta: problem.theta0().clone(),
    };
    let mut fast = stepper(&spectral, &problem.training(Schedule::Constant), &[lane]);
    fast.advance(1);
    let w = spectral.transforms(problem.theta0().as_slice());
    let after = spectral.transforms(theta(&fast, 0, 6).as_slice());
    let g = problem.dataset().signed_samples().row(0).transpose();
    let margin = spectral.product(problem.theta0().as_slice()).dot(&g);
    let z = spectral.transform(&(g * (0.1 * (-margin).exp())));
    let b = spectral.transform(&b);
    for d in 0..2 {
        let first = w[(d, 0)] + b[d].conj() * z[d];
        let second = w[(d, 1)] + w[(d, 0)].conj() * z[d];
        assert!((after[(d, 0)] - first).norm() < 1e-15);
        assert!((after[(d, 1)] - second).norm() < 1e-15);
    }
}
