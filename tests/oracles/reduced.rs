//! Flows in the reduced state against the same flows of all weights.

use super::*;
use marginflow::dataset::{gaussian_random_labels, standard_normals};
use marginflow::flow::{State, integrate};
use marginflow::network::{FullyConnectedLinear, Network};

fn draws(purpose: &str, seed: u64, n: usize) -> impl Iterator<Item = f64> {
    standard_normals(purpose, seed).take(n)
}

/// A fully connected network of these widths, weights of size `scale`, under FA or DFA.
fn problem(dataset: Dataset, hidden: &[usize], scale: f64, products: bool, loss: Loss) -> Problem {
    let network = Network::new(FullyConnectedLinear::new(dataset.dimension(), hidden));
    let parameters = network.parameters();
    let rule = if products {
        let shapes = network.feedback_shapes().iter().zip(20..);
        let draw =
            |(&(r, c), seed)| DMatrix::from_iterator(r, c, draws("reduced tests", seed, r * c));
        Rule::feedback_alignment(shapes.map(draw).collect())
    } else {
        let units = hidden.iter().zip(20..);
        let draw = |(&n, seed)| DVector::from_iterator(n, draws("reduced tests", seed, n));
        Rule::direct_feedback_alignment(units.map(draw).collect())
    };
    let weights = draws("reduced tests", 3, parameters).map(|x| scale * x);
    Problem::new(
        dataset,
        network,
        rule,
        loss,
        DVector::from_iterator(parameters, weights),
    )
    .unwrap()
}

fn reduced(options: &FlowOptions) -> FlowOptions {
    FlowOptions {
        state: State::Reduced,
        ..options.clone()
    }
}

/// The largest difference of the two runs' weights at any save, relative to the weights there.
fn apart(a: &Trajectory, b: &Trajectory) -> f64 {
    assert_eq!(a.log_log_time, b.log_log_time);
    let pairs = a.theta.column_iter().zip(b.theta.column_iter());
    pairs
        .filter(|(_, b)| b.norm() > 0.0)
        .map(|(a, b)| (a - b).norm() / b.norm())
        .fold(0.0, f64::max)
}

/// `‖w_1(t) − w_1(0) − GᵀA b_1ᵀ‖` relative to w_1, at the end: A is summed beside the run, by Simpson's rule.
fn off_accumulated(problem: &Problem, run: &Trajectory) -> f64 {
    let last = run.len() - 1;
    let a = run.accumulated.as_ref().expect("a flow").column(last);
    let z = problem.dataset().signed_samples().tr_mul(&a);
    let b = problem.feedback().expect("fixed feedback");
    let end = problem.network().weights(run.theta.column(last).as_slice());
    let start = problem.network().weights(problem.theta0().as_slice());
    (&end[0] - &start[0] - z * b[0].transpose()).norm() / end[0].norm()
}

#[test]
fn reduced_flows_are_the_flows_of_all_weights() {
    let hidden: [&[usize]; 3] = [&[4], &[7, 5], &[5, 8, 4]];
    let mut least = 1.0_f64;
    for hidden in hidden {
        for scale in [0.0, 0.3] {
            for (samples, products, loss) in [
                (4, false, Loss::Exponential),
                (9, true, Loss::Exponential),
                (4, true, Loss::Logistic),
                (9, false, Loss::Logistic),
            ] {
                let data = gaussian_teacher(6, samples, 4);
                let problem = problem(data, hidden, scale, products, loss);
                let options = FlowOptions::to(20.0);
                let (full, slow) = run(&problem, &options);
                let (small, fast) = run(&problem, &reduced(&options));
                for trajectory in [&full, &small] {
                    assert_eq!(trajectory.status, Status::Completed);
                }
                let case = format!("{hidden:?} from {scale}, N = {samples}, {}", loss.name());
                let differ = apart(&small, &full);
                let integral = off_accumulated(&problem, &small);
                let p = (&small.log_multipliers - &full.log_multipliers).amax();
                println!(
                    "{case}: theta {differ:.1e}, p {p:.1e}, accumulated {integral:.1e}; drifts {:.1e} and {:.1e}, of \
                     all weights {:.1e} and {:.1e}; steps {} and {}",
                    fast.worst_multiplier_drift(),
                    fast.worst_invariant(),
                    slow.worst_multiplier_drift(),
                    slow.worst_invariant(),
                    small.solver.steps,
                    full.solver.steps,
                );
                assert_eq!(small.solver.unknowns, samples.min(6) + samples);
                assert!(differ <= 1e-6, "{case}: {differ:e}");
                assert!(integral <= 1e-6, "{case}: {integral:e}");
                assert!(fast.worst_multiplier_drift() <= 1e-6, "{case}");
                // by construction
                assert!(fast.worst_invariant() <= 1e-12, "{case}");
                least = least.min(differ);
            }
        }
    }
    assert!(least > 0.0, "two different computations");
}

#[test]
fn reduced_flows_reach_the_limit_of_the_closed_form() {
    let problem = dfa(gaussian_teacher(8, 5, SEED), 3, 0.0);
    let options = FlowOptions::to(60.0);
    let beta = closed_form(&problem, &options);
    let found = completed(run(&problem, &reduced(&options)));
    let limit = svm(problem.dataset());
    let expected = angle(beta.as_slice(), limit.beta.as_slice());
    let difference = relative(&found.final_beta(), &beta);
    println!("beta {difference:.1e}, angle {expected:.6e}");
    assert!(difference <= 1e-6);
    assert!((found.final_angle().unwrap() / expected - 1.0).abs() <= 1e-4);
}

/// Fewer samples than inputs that contradict each other, and more: multipliers grow without end while Z rests.
#[test]
fn without_a_separator_reduced_flows_come_to_rest_as_well() {
    let two = Dataset::new(
        dmatrix![1.0, 0.5, 0.0; 2.0, 1.0, 0.0],
        DVector::from_vec(vec![1.0, -1.0]),
    );
    for data in [two, gaussian_random_labels(3, 20, 1)] {
        let problem = problem(data, &[4, 3], 0.3, false, Loss::Exponential);
        let options = FlowOptions::to(10.0);
        let run = |options| integrate(&problem, &options, &mut |_| {}).expect("it starts");
        let [full, small] = [run(options.clone()), run(reduced(&options))];
        for trajectory in [&full, &small] {
            assert_eq!(trajectory.status, Status::Completed);
            let message = trajectory.message.as_deref().unwrap_or_default();
            assert!(message.contains("came to rest"), "{message}");
        }
        let difference = apart(&small, &full);
        println!("at rest: {difference:.1e}");
        assert!(difference <= 1e-6);
    }
}

#[test]
fn other_problems_have_no_reduced_state() {
    let data = gaussian_teacher(4, 3, 1);
    let options = reduced(&FlowOptions::to(2.0));
    let refusal = |problem: &Problem| {
        let error = integrate(problem, &options, &mut |_| {}).expect_err("no reduced state");
        assert_eq!(error.exit_code(), 4);
        error.to_string()
    };
    assert!(refusal(&bp(data.clone(), 2)).contains("gradient-descent"));
    let convolutional = support::feedback(data, Network::convolutional(4, 2), 0.1, 7);
    assert!(refusal(&convolutional).contains("convolutional-linear"));
}
