//! Convolutional and diagonal networks with several outputs: the limit of gradient descent against its optimality
//! conditions, written out with a plain transform.

use crate::judged::judged;
use marginflow::claims::Outcome;
use marginflow::dataset::{
    ClassMeans, Dataset, class_means, gaussian_class_teacher, standard_normals,
};
use marginflow::flow::FlowOptions;
use marginflow::limit::Limit;
use marginflow::loss::Loss;
use marginflow::network::Network;
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use marginflow::run::{Reference, reference_limit};

use marginflow::trajectory::Status;
use nalgebra::{DMatrix, DVector};
use num_complex::Complex64;

const OUTPUTS: usize = 3;

fn problem(network: Network, data: &Dataset, rule: Rule, seed: u64) -> Problem {
    let theta = standard_normals("frequencies", seed).take(network.parameters());
    let theta = DVector::from_iterator(network.parameters(), theta) * 0.1;
    Problem::new(data.clone(), network, rule, Loss::Exponential, theta).unwrap()
}

fn minimiser(problem: &Problem) -> Limit {
    match reference_limit(problem, false).unwrap() {
        Reference::Global(limit) => *limit,
        other => panic!("no certified minimiser: {other:?}"),
    }
}

/// `‖β̂[d]‖` over the outputs, for all D frequencies.
fn group_norms(beta: &DVector<f64>, fourier: bool) -> Vec<f64> {
    let d = beta.len() / OUTPUTS;
    let entry = |c: usize, k: usize| -> Complex64 {
        if !fourier {
            return beta[c * d + k].into();
        }
        let terms = (0..d).map(|j| {
            let turn = -std::f64::consts::TAU * ((j * k) % d) as f64 / d as f64;
            Complex64::from_polar(beta[c * d + j], turn)
        });
        terms.sum::<Complex64>() / (d as f64).sqrt()
    };
    let norm = |k| {
        (0..OUTPUTS)
            .map(|c| entry(c, k).norm_sqr())
            .sum::<f64>()
            .sqrt()
    };
    (0..d).map(norm).collect()
}

fn two_layers(d: usize, fourier: bool) -> Network {
    match fourier {
        true => Network::convolutional_with_outputs(d, 2, OUTPUTS),
        false => Network::diagonal_with_outputs(d, 2, OUTPUTS),
    }
}

/// Hölder: Σ‖β̂‖ · max‖Ẑ‖ ≥ ⟨β, Z⟩ ≥ γ 1ᵀa, with equality at the minimiser alone.
fn gap(data: &Dataset, limit: &Limit, fourier: bool) -> f64 {
    let margins = data.signed_samples() * &limit.beta;
    let z = data.signed_samples().tr_mul(&limit.multipliers);
    let norm: f64 = group_norms(&limit.beta, fourier).iter().sum();
    let dual = group_norms(&z, fourier).into_iter().fold(0.0, f64::max);
    norm / margins.min() * dual / limit.multipliers.sum() - 1.0
}

#[test]
fn limits_give_all_outputs_the_same_few_frequencies() {
    for (seed, fourier) in [(1, true), (2, true), (3, false), (4, false)] {
        let options = ClassMeans {
            dimension: 10,
            classes: OUTPUTS,
            samples: 6,
            spread: 0.5,
            seed,
        };
        let data = class_means(&options);
        let rule = Rule::gradient_descent();
        let limit = minimiser(&problem(two_layers(10, fourier), &data, rule, seed));
        let gap = gap(&data, &limit, fourier);
        assert!(gap.abs() < 1e-10, "seed {seed}: gap {gap:e}");
        let norms = group_norms(&limit.beta, fourier);
        let largest = norms.iter().copied().fold(0.0, f64::max);
        let used = norms.iter().filter(|x| **x > 1e-9 * largest).count();
        assert!((1..10).contains(&used), "seed {seed}: {norms:?}");
    }
}

#[test]
fn gradient_descent_of_two_layers_tends_there_at_the_predicted_rate() {
    for (seed, fourier) in [(1, true), (2, true), (5, false), (6, false)] {
        let data = gaussian_class_teacher(8, 8, OUTPUTS, seed).unwrap();
        let rule = Rule::gradient_descent();
        let problem = problem(two_layers(8, fourier), &data, rule, seed);
        let gap = gap(&data, &minimiser(&problem), fourier);
        assert!(gap.abs() < 1e-10, "seed {seed}: gap {gap:e}");
        let judged = judged(&problem, &FlowOptions::to(60.0), false).unwrap();
        assert_eq!(judged.status, Status::Completed, "{:?}", judged.message);
        for id in ["gd-conv-vector", "rate-bp", "thm-3"] {
            let verdict = judged.verdicts.iter().find(|v| v.id == id).unwrap();
            let why = &verdict.evidence;
            assert_eq!(verdict.outcome, Outcome::Holds, "seed {seed}, {id}: {why}");
        }
        let angle = judged.diagnostics.final_angle().unwrap();
        assert!(angle < 1e-4, "seed {seed}: {angle:e}");
        assert!(judged.diagnostics.worst_invariant() < 1e-6);
        for other in &judged.diagnostics.candidates {
            let away = other.angle.last().unwrap();
            assert!(*away > 0.01, "seed {seed}: {} {away:e}", other.id);
        }
    }
}

#[test]
fn deeper_ones_end_at_stationary_points_and_fixed_feedback_keeps_its_quantity() {
    let data = gaussian_class_teacher(8, 8, OUTPUTS, 5).unwrap();
    let network = Network::convolutional_with_outputs(8, 3, OUTPUTS);
    let descent = problem(network.clone(), &data, Rule::gradient_descent(), 2);
    let judged_of =
        |problem: &Problem, s: f64| judged(problem, &FlowOptions::to(s), false).unwrap();
    let run = judged_of(&descent, 60.0);
    assert_eq!(run.status, Status::Completed, "{:?}", run.message);
    let verdict = run
        .verdicts
        .iter()
        .find(|v| v.id == "gd-conv-vector")
        .unwrap();
    assert_eq!(verdict.outcome, Outcome::Holds, "{}", verdict.evidence);
    assert!(run.diagnostics.worst_invariant() < 1e-6);

    let feedback = |seed: u64| {
        let draws = standard_normals("feedback of frequencies", seed).take(8 * OUTPUTS);
        DMatrix::from_iterator(8, OUTPUTS, draws)
    };
    let rule = Rule::direct_feedback_matrices(vec![feedback(1), feedback(2)]);
    let fixed = problem(network, &data, rule, 3);
    let run = judged_of(&fixed, 30.0);
    assert_eq!(run.status, Status::Completed, "{:?}", run.message);
    assert_eq!(run.diagnostics.invariants.len(), 1);
    assert!(run.diagnostics.worst_invariant() < 1e-6);
    let features = run.verdicts.iter().find(|v| v.id == "thm-3").unwrap();
    assert_ne!(features.outcome, Outcome::Violated, "{}", features.evidence);
    let verdict = run
        .verdicts
        .iter()
        .find(|v| v.id == "gd-conv-vector")
        .unwrap();
    assert_eq!(verdict.outcome, Outcome::NotApplicable);
}
