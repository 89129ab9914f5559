//! The bounds of what is learned from zero weights: controls, refinement, and a battery of random runs.
//!
//! `MARGINFLOW_SANDWICH=100 cargo test --test claims sandwich` judges a hundred of them.

use super::*;
use marginflow::scenario;
use std::path::Path;

const ID: &str = "thm-2-unconditional";

fn loss_rises() -> Problem {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/conv-dfa-3-loss-rises.toml");
    scenario::load(&path, &[]).unwrap().build().unwrap()
}

fn tight(until: f64) -> FlowOptions {
    FlowOptions {
        rtol: 1e-8,
        atol: 1e-10,
        ..FlowOptions::to(until)
    }
}

/// RΨ/a − 1 at the end.
fn excess(case: &Case) -> f64 {
    let measured = case.diagnose().sandwich.unwrap();
    measured.radius_excess(case.trajectory.len() - 1).unwrap()
}

/// Far out nothing is left between the bounds.
#[test]
fn the_bounds_close_at_every_depth() {
    for (depth, horizon) in [(2, 70.0), (3, 140.0), (4, 330.0)] {
        for network in spectral(depth) {
            let case = Case::run(direct(telling(), network, 7), tight(horizon));
            let v = case.expect(ID, Outcome::Holds, "ψ*(Z)Ψ/a − 1");
            assert!(v.residual.unwrap() < 1e-7, "{v:?}");
            let excess = excess(&case);
            assert!(excess.abs() <= 1e-8, "depth {depth}: {excess:e}");
        }
    }
}

#[test]
fn it_holds_for_either_loss_and_where_the_loss_rises() {
    let logistic = conv(3).with_loss(Loss::Logistic);
    let single = direct(gaussian_teacher(8, 1, 1), Network::convolutional(8, 2), 7);
    for (problem, horizon) in [(logistic, 80.0), (single, 40.0), (loss_rises(), 70.0)] {
        Case::to(problem, horizon).expect(ID, Outcome::Holds, "");
    }
}

/// Each inequality notices what breaks it: multipliers that are not those of the run, a last layer that is too short,
/// and one that is too long.
#[test]
fn every_inequality_can_fail() {
    let case = Case::to(conv(3), 100.0);
    let mut more = case.clone();
    let accumulated = more.trajectory.accumulated.as_mut().unwrap();
    *accumulated *= 1.01;
    more.expect(ID, Outcome::Violated, "fail by 9.9e-3, 0.0e0");
    let last = entries_of_layer(&case.problem, 3);
    for (factor, position) in [(0.9, "fail by 0.0e0, 1"), (1.5, "fail by 0.0e0, 0.0e0, ")] {
        let mut other = case.clone();
        other
            .trajectory
            .theta
            .rows_mut(last.start, last.len())
            .scale_mut(factor);
        let v = other.judge(ID);
        assert_eq!(v.outcome, Outcome::Violated, "{v:?}");
        assert!(v.evidence.contains(position) || factor < 1.0, "{v:?}");
    }
    // The same run under other feedback, or given out as another network's.
    let other = case.given_out_as(direct(telling(), case.problem.network().clone(), 8));
    other.expect(ID, Outcome::Violated, "");
    let diagonal = case.given_out_as(direct(telling(), Network::diagonal(8, 3), 7));
    diagonal.expect(ID, Outcome::Violated, "");
}

#[test]
fn hypotheses_are_named() {
    let random = Case::to(from_random_weights(conv(2)), 30.0);
    random.expect(ID, Outcome::NotApplicable, "initial weights are not zero");
    let single = Case::to(conv(1), 30.0);
    single.expect(ID, Outcome::NotApplicable, "depth 1");
    let early = Case::to(conv(2), 3.0);
    early.expect(
        ID,
        Outcome::Inconclusive,
        "not close yet, extend flow.until",
    );
    let mut unknown = Case::to(conv(2), 30.0);
    unknown.trajectory.accumulated = None;
    unknown.expect(ID, Outcome::Inconclusive, "not accumulated");
}

/// The inequalities are held against what the tolerances promise, and the excess falls like 1/a ∝ (log t)^{−1/(2^L−1)}
/// with the horizon, from above, below its bound.
#[test]
fn refinement() {
    for (problem, horizons) in [
        (conv(2), [20.0, 40.0]),
        (theorem_2::diagonal(3), [40.0, 80.0]),
    ] {
        let degree = 2f64.powi(problem.network().depth() as i32) - 1.0;
        let excesses = horizons.map(|until| {
            let case = Case::run(problem.clone(), tight(until));
            let measured = case.diagnose().sandwich.unwrap();
            let (excess, last) = (excess(&case), case.trajectory.len() - 1);
            assert!(excess > 0.0 && excess < measured.bound(last).unwrap());
            excess.ln()
        });
        let slope = (excesses[1] - excesses[0]) / (horizons[1] - horizons[0]);
        assert!((slope + 1.0 / degree).abs() < 0.02, "{slope}");
    }
    let failing = [1e-4, 1e-6, 1e-8].map(|rtol| {
        let options = FlowOptions {
            rtol,
            atol: rtol / 100.0,
            ..FlowOptions::to(90.0)
        };
        let v = Case::run(conv(2), options).expect(ID, Outcome::Holds, "");
        assert!((v.tolerance.unwrap() / rtol - 100.0).abs() < 1e-9);
        v.residual.unwrap()
    });
    assert!(failing[2] < 1e-3 * failing[0].max(1e-5), "{failing:?}");
}

/// Depths 2 to 4, convolutional and diagonal, of many shapes.
fn drawn(seed: u64) -> Problem {
    let mut numbers = standard_normals("sandwich", seed).map(|x| (1e6 * x.abs()) as usize);
    let mut from = |low: usize, high: usize| low + numbers.next().unwrap() % (high - low + 1);
    let (depth, dimension, samples) = (2 + seed as usize % 3, from(3, 12), from(1, 12));
    let network = match from(0, 1) {
        0 => Network::convolutional(dimension, depth),
        _ => Network::diagonal(dimension, depth),
    };
    let data = gaussian_teacher(dimension, samples, seed);
    let problem = direct(data, network, seed);
    match from(0, 3) {
        0 => problem.with_loss(Loss::Logistic),
        _ => problem,
    }
}

#[test]
fn random_runs_stay_in_the_sandwich() {
    let runs = std::env::var("MARGINFLOW_SANDWICH").map_or(12, |n| n.parse().unwrap());
    let mut worst: (f64, u64) = (0.0, 0);
    for seed in 1..=runs {
        let problem = drawn(seed);
        let degree = 2f64.powi(problem.network().depth() as i32) - 1.0;
        let case = Case::run(problem, FlowOptions::to(15.0 * degree));
        if case.limit.is_none() || case.trajectory.status != Status::Completed {
            println!(
                "{seed}: {:?} {:?}",
                case.trajectory.status, case.trajectory.message
            );
            continue;
        }
        let v = case.judge(ID);
        println!("{seed}: {v:?}");
        assert_eq!(v.outcome, Outcome::Holds, "{seed}: {v:?}");
        if v.residual.unwrap() > worst.0 {
            worst = (v.residual.unwrap(), seed);
        }
    }
    println!("worst of {runs}: {worst:?}");
    let case = Case::run(loss_rises(), tight(100.0));
    let v = case.expect(ID, Outcome::Holds, "");
    assert!(v.residual.unwrap() < 1e-7, "{v:?}");
}
