//! How runs behave: budgets and failures by name, saves, late changes of the support, every seed to its horizon.

use super::support::{bp, dfa, run, svm};
use marginflow::dataset::{Dataset, gaussian_teacher, standard_normals};
use marginflow::diagnostics::{Diagnostics, diagnose};
use marginflow::error::Error;
use marginflow::flow::{FlowOptions, Method, SaveAt, integrate};
use marginflow::limit::{Separability, minimise};
use marginflow::loss::Loss;
use marginflow::network::Network;
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use marginflow::theory;
use marginflow::trajectory::{Status, Trajectory};
use nalgebra::{DMatrix, DVector, dmatrix};

fn small() -> Problem {
    dfa(gaussian_teacher(8, 5, 5), 2, 0.1)
}

pub fn signed(g: DMatrix<f64>) -> Dataset {
    let labels = DVector::from_element(g.nrows(), 1.0);
    Dataset::new(g, labels)
}

fn finite(t: &Trajectory) -> bool {
    t.theta.iter().all(|x| x.is_finite()) && t.log_multipliers.iter().all(|x| x.is_finite())
}

#[test]
fn step_budget_ends_a_run_at_its_last_state() {
    let options = FlowOptions {
        max_steps: 50,
        ..FlowOptions::to(60.0)
    };
    let mut seen = Vec::new();
    let t = integrate(&small(), &options, &mut |p| {
        seen.push((p.log_log_time, p.steps));
    })
    .unwrap();
    assert_eq!(t.status, Status::BudgetSteps);
    assert_eq!(t.solver.steps, 50);
    let message = t.message.as_deref().unwrap();
    assert!(
        message.contains("50 steps") && message.contains("max-steps"),
        "{message}"
    );
    // the observer heard of every step, and the last state it heard of is saved
    assert_eq!(seen.len(), 50);
    assert!(
        seen.windows(2)
            .all(|p| p[0].0 < p[1].0 && p[0].1 + 1 == p[1].1)
    );
    assert_eq!(*t.log_log_time.last().unwrap(), seen[49].0);
    assert!(seen[49].0 > 0.0 && seen[49].0 < 60.0);
    assert_eq!(
        (t.theta.ncols(), t.log_multipliers.ncols()),
        (t.len(), t.len())
    );
    // it is the state of a longer run at that time
    let full = FlowOptions {
        saves: SaveAt::Uniform(2),
        ..FlowOptions::to(seen[49].0)
    };
    let reference = integrate(&small(), &full, &mut |_| {}).unwrap();
    let difference = t.theta.column(t.len() - 1) - reference.theta.column(1);
    assert!(difference.norm() <= 1e-6 * reference.theta.column(1).norm());
}

#[test]
fn wall_budget_ends_a_run() {
    let options = FlowOptions {
        max_wall_seconds: 0.0,
        ..FlowOptions::to(60.0)
    };
    let t = integrate(&small(), &options, &mut |_| {}).unwrap();
    assert_eq!((t.status, t.solver.steps), (Status::BudgetWall, 1));
    assert!(t.message.unwrap().contains("max-wall-seconds"));
    assert_eq!(t.log_log_time.len(), 2);
}

#[test]
fn saves_lie_on_the_grid() {
    let options = FlowOptions {
        saves: SaveAt::Uniform(41),
        ..FlowOptions::to(20.0)
    };
    let t = integrate(&small(), &options, &mut |_| {}).unwrap();
    assert_eq!((t.status, t.message.as_deref()), (Status::Completed, None));
    let expected: Vec<f64> = (0..=40).map(|k| 0.5 * f64::from(k)).collect();
    assert_eq!(t.log_log_time, expected);
    assert_eq!(t.theta.column(0), small().theta0().column(0));
    // interpolated saves are as good as the end of a run that stops there
    for k in [1, 7, 23] {
        let stopped = FlowOptions {
            saves: SaveAt::Uniform(2),
            ..FlowOptions::to(expected[k])
        };
        let reference = integrate(&small(), &stopped, &mut |_| {}).unwrap();
        let difference = (t.theta.column(k) - reference.theta.column(1)).norm();
        assert!(
            difference <= 1e-6 * reference.theta.column(1).norm(),
            "{difference} at {k}"
        );
    }
}

/// However little is left to the horizon after the last full step, the saves inside that step keep their digits.
#[test]
fn saves_just_before_the_horizon_are_as_good_as_any() {
    let mut ends_of_steps = Vec::new();
    integrate(&small(), &FlowOptions::to(6.0), &mut |p| {
        ends_of_steps.push(p.log_log_time);
    })
    .unwrap();
    let late = ends_of_steps.iter().filter(|s| **s > 5.0 && **s < 5.9);
    for (end, left) in late.zip([1e-3, 1e-5, 1e-7, 1e-9, 1e-11].iter().cycle()) {
        let options = FlowOptions {
            saves: SaveAt::Uniform(1201),
            ..FlowOptions::to(end + left)
        };
        let (t, d) = run(&small(), &options);
        assert_eq!(t.status, Status::Completed);
        assert_eq!(t.log_log_time.last(), Some(&options.until));
        let drift = d.worst_multiplier_drift();
        assert!(drift <= 1e-6, "{left} after {end}: {drift:.1e}");
    }
}

/// Without a wish 201 saves, fewer (but enough for a rate) where the states would take too much memory.
#[test]
fn default_saves_are_capped_by_memory() {
    let t = integrate(&small(), &FlowOptions::to(1.0), &mut |_| {}).unwrap();
    assert_eq!(t.len(), 201);
    let large = dfa(gaussian_teacher(300, 2, 1), 2, 0.0);
    let t = integrate(&large, &FlowOptions::to(0.1), &mut |_| {}).unwrap();
    let bytes = 8 * (t.theta.len() + t.log_multipliers.len());
    assert_eq!(t.status, Status::Completed);
    assert!((25..201).contains(&t.len()), "{} saves", t.len());
    assert!(bytes <= 32 << 20, "{bytes} bytes");
    assert_eq!(*t.log_log_time.last().unwrap(), 0.1);
}

/// An explicit method needs O(e^s) steps: on a long horizon it must end by name, never in numbers that are not finite.
#[test]
fn explicit_method_gives_up_by_name() {
    for problem in [small(), bp(gaussian_teacher(4, 9, 1), 3)] {
        let options = FlowOptions {
            method: Method::Tsit45,
            max_steps: 3000,
            ..FlowOptions::to(40.0)
        };
        let t = integrate(&problem, &options, &mut |_| {}).unwrap();
        assert_ne!(t.status, Status::Completed);
        assert!(t.message.as_deref().is_some_and(|m| m.contains("tsit45")));
        assert!(finite(&t));
        let reached = *t.log_log_time.last().unwrap();
        assert!(reached > 3.0 && reached < 20.0, "{reached}");
    }
}

#[test]
fn overflowing_weights_cannot_start() {
    let problem = small();
    let huge = problem.theta0() * 1e200;
    let problem = problem.with_start(huge).unwrap();
    match integrate(&problem, &FlowOptions::to(5.0), &mut |_| {}) {
        Err(e @ Error::Solver(_)) => assert!(e.to_string().contains("not finite"), "{e}"),
        other => panic!("{:?}", other.map(|t| t.status)),
    }
}

/// Completed, accurate and within a sane number of steps.
pub fn assert_sound(name: &str, (t, d): &(Trajectory, Diagnostics), steps: usize) {
    assert_eq!(t.status, Status::Completed, "{name}: {:?}", t.message);
    assert!(finite(t), "{name}");
    assert!(t.solver.steps <= steps, "{name}: {} steps", t.solver.steps);
    assert!(
        d.worst_invariant() <= 1e-6,
        "{name}: {}",
        d.worst_invariant()
    );
    assert!(
        d.worst_multiplier_drift() <= 1e-6,
        "{name}: {}",
        d.worst_multiplier_drift()
    );
}

/// g_2 falls short of the margin of g_1 by ε only, and what g_3 taught early keeps it above until `(log t)^r ~ 1/ε`;
/// then it becomes a support vector, within a width of e^{−s}.
#[test]
fn late_changes_of_the_support_are_followed() {
    for epsilon in [1e-4, 1e-6] {
        let data = signed(dmatrix![1.0, 0.0; 1.0 - epsilon, 0.5; 1.5, 1.0]);
        assert_eq!(svm(&data).support, [0, 1]);
        for (problem, rate) in [
            (dfa(data.clone(), 2, 0.0), 1.0 / 3.0),
            (dfa(data.clone(), 2, 0.1), 1.0 / 3.0),
            (bp(data.clone(), 2), 1.0 / 2.0),
            (dfa(data.clone(), 3, 0.0), 1.0 / 7.0),
        ] {
            let name = format!(
                "epsilon {epsilon}, {}, L = {}",
                problem.rule().key(),
                problem.network().depth()
            );
            let until = -f64::ln(epsilon) / rate + 20.0;
            let run = run(&problem, &FlowOptions::to(until));
            assert_sound(&name, &run, 15_000);
            let (t, d) = &run;
            // p_2 runs off, and comes back
            let p = t.log_multipliers.row(1).transpose();
            let lowest = p.imin();
            let entry = t.log_log_time[lowest];
            println!(
                "{name}: lowest p_2 {:.1e} at s = {entry:.1}, {} steps, {} restarts, final angle {:.1e}",
                p[lowest],
                t.solver.steps,
                t.solver.restarts,
                d.final_angle().unwrap()
            );
            assert!(p[lowest] < -100.0, "{name}");
            assert!(entry > 10.0, "{name}: {entry}");
            assert!(p[t.len() - 1] > -2.0 * until, "{name}: {}", p[t.len() - 1]);
            assert!(d.final_angle().unwrap() <= 1e-6 * epsilon, "{name}");
            let before = d.angle_to_limit.as_ref().unwrap()[lowest];
            assert!(before > 0.1 * epsilon, "{name}: {before}");
        }
    }
}

/// Samples whose answers to single multipliers are three hundred times those to all together: what looks mild from the
/// sum is stiff, and the stepper must find out, not crawl.
#[test]
fn samples_that_pull_against_each_other_are_stiff_early() {
    for (network, seed) in [
        (Network::diagonal(5, 3), 1),
        (Network::convolutional(5, 3), 1),
    ] {
        let draws: Vec<f64> = standard_normals("pulls", seed)
            .take(network.parameters())
            .collect();
        let problem = Problem::new(
            gaussian_teacher(5, 20, seed),
            network,
            Rule::gradient_descent(),
            Loss::Exponential,
            0.1 * DVector::from_vec(draws),
        )
        .unwrap();
        let (t, d) = run(&problem, &FlowOptions::to(40.0));
        assert_sound("pulls", &(t.clone(), d), 3000);
        assert_eq!(t.solver.method, "adams-bdf");
        assert!(
            t.solver.newton_failures < 100,
            "{}",
            t.solver.newton_failures
        );
    }
}

/// Looser tolerances cost accuracy, never the direction: margins of W2 (docs/performance.md), where other programs
/// report success with wrong angles.
#[test]
fn no_tolerance_ends_with_a_wrong_angle() {
    for seed in 102..104 {
        let network = Network::convolutional(32, 2);
        let signals: Vec<f64> = (0..32).map(|d| 1.0 + 0.5 * f64::sin(d as f64)).collect();
        let problem = Problem::new(
            gaussian_teacher(32, 40, seed),
            network.clone(),
            Rule::direct_feedback_alignment(vec![DVector::from_vec(signals)]),
            Loss::Exponential,
            DVector::zeros(network.parameters()),
        )
        .unwrap();
        let g = problem.dataset().signed_samples();
        let Separability::Separable(limit) = minimise(g, theory::of(&problem).potential().unwrap())
        else {
            panic!("a teacher separates");
        };
        let at = |rtol: f64, atol: f64| {
            let options = FlowOptions {
                rtol,
                atol,
                ..FlowOptions::to(60.0)
            };
            let t = integrate(&problem, &options, &mut |_| {}).unwrap();
            assert_eq!(t.status, Status::Completed, "{rtol}: {:?}", t.message);
            let d = diagnose(&problem, &t, Some(&limit));
            d.final_angle().unwrap()
        };
        let reference = at(1e-9, 1e-11);
        for rtol in [1e-1, 1e-2, 1e-3, 1e-4, 1e-6] {
            for atol in [0.01 * rtol, rtol] {
                let error = at(rtol, atol) / reference - 1.0;
                println!("seed {seed}, rtol {rtol:.0e}, atol {atol:.0e}: {error:.1e}");
                assert!(error.abs() <= 0.01, "{seed} {rtol} {atol}: {error}");
            }
        }
    }
}

#[test]
fn every_seed_reaches_its_horizon() {
    let counts = [5, 8, 12, 20, 5, 10, 15, 20, 7, 18];
    let (mut most, mut drift) = (0, 0f64);
    for (seed, &samples) in (1..).zip(&counts) {
        let data = gaussian_teacher(8, samples, seed);
        for depth in [2, 3] {
            for (rule, problem) in [
                ("dfa zero", dfa(data.clone(), depth, 0.0)),
                ("dfa random", dfa(data.clone(), depth, 0.1)),
                ("bp", bp(data.clone(), depth)),
            ] {
                let run = run(&problem, &FlowOptions::to(60.0));
                let name = format!("seed {seed}, N = {samples}, {rule}, L = {depth}");
                assert_sound(&name, &run, 4000);
                let angle = run.1.final_angle().unwrap();
                let bound = if depth == 2 { 1e-8 } else { 1e-3 };
                assert!(angle <= bound, "{name}: {angle}");
                most = most.max(run.0.solver.steps);
                drift = drift.max(run.1.worst_multiplier_drift());
            }
        }
    }
    println!("60 runs: at most {most} steps, multiplier drift at most {drift:.1e}");
}

#[test]
fn thousands_of_weights_by_elimination() {
    let data = gaussian_teacher(30, 40, 2);
    for problem in [dfa(data.clone(), 3, 0.1), bp(data.clone(), 3)] {
        let run = run(&problem, &FlowOptions::to(40.0));
        assert_sound(problem.rule().key(), &run, 4000);
        println!(
            "{}: {} unknowns, {} steps, {:.2} s",
            problem.rule().key(),
            run.0.solver.unknowns,
            run.0.solver.steps,
            run.0.solver.wall_seconds
        );
        assert_eq!(run.0.solver.unknowns, 1870);
    }
}
