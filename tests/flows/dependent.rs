//! Samples that are linearly dependent, or nearly so: duplicates, three support vectors on a line, ±1 features, …

use super::runs::{assert_sound, signed};
use super::support::{bp, dfa, feedback, gradient_descent, run};
use marginflow::dataset::{Dataset, gaussian_teacher};
use marginflow::flow::FlowOptions;
use marginflow::network::Network;
use marginflow::problem::Problem;
use nalgebra::dmatrix;

/// More active samples than independent ones: their common multiplier alone is determined, and must not stall the run.
fn assert_dependent_support_is_followed(name: &str, data: &Dataset) {
    for depth in [2, 3] {
        for problem in [
            dfa(data.clone(), depth, 0.0),
            dfa(data.clone(), depth, 0.1),
            bp(data.clone(), depth),
        ] {
            let options = FlowOptions {
                max_steps: 20_000,
                ..FlowOptions::to(60.0)
            };
            let run = run(&problem, &options);
            let name = format!("{name}, {}, L = {depth}", problem.rule().key());
            assert_sound(&name, &run, 5000);
            let bound = if depth == 2 { 1e-7 } else { 1e-2 };
            assert!(run.1.final_angle().unwrap() <= bound, "{name}");
        }
    }
}

#[test]
fn duplicated_samples_do_not_stall() {
    let once = gaussian_teacher(3, 4, 3);
    for order in [&[0, 1, 2, 3, 0][..], &[0, 1, 2, 3, 0, 1, 2, 3]] {
        let g = once.signed_samples().select_rows(order);
        assert_dependent_support_is_followed("duplicates", &signed(g));
    }
}

#[test]
fn dependent_support_vectors_are_followed() {
    for (name, g) in [
        ("three on a line", dmatrix![1.0, 1.0; 1.0, -1.0; 1.0, 0.3]),
        (
            "a square",
            dmatrix![1.0, 1.0, 1.0; 1.0, -1.0, 1.0; 1.0, 1.0, -1.0; 1.0, -1.0, -1.0; 2.0, 1.0, 0.5],
        ),
        (
            "nearly equal",
            dmatrix![1.0, 0.5, 0.2; 1.0, 0.5 + 1e-9, 0.2; -0.3, 1.0, 0.4; 0.2, -0.1, 1.0],
        ),
    ] {
        assert_dependent_support_is_followed(name, &signed(g));
    }
}

/// Duplicates change the way, not the limit.
#[test]
fn duplicated_samples_share_the_limit() {
    let once = gaussian_teacher(4, 9, 8);
    let twice = signed(
        once.signed_samples()
            .select_rows(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8]),
    );
    for depth in [2, 3] {
        for [a, b] in [
            [&once, &twice].map(|g| dfa(g.clone(), depth, 0.0)),
            [&once, &twice].map(|g| bp(g.clone(), depth)),
        ] {
            let [a, b] = [a, b].map(|p| run(&p, &FlowOptions::to(30.0)));
            assert_sound("once", &a, 4000);
            assert_sound("twice", &b, 4000);
            let p = b.0.log_multipliers.column(b.0.len() - 1).into_owned();
            for n in 0..9 {
                assert!((p[n] - p[n + 9]).abs() <= 1e-6 * (1.0 + p[n].abs()), "{n}");
            }
            let [x, y] = [&a, &b].map(|r| r.1.final_angle().unwrap());
            assert!(x <= 0.05 && y <= 0.05, "{x} {y}");
        }
    }
}

/// Depths two and three, and how far they are followed.
pub fn problems(data: &Dataset, seed: u64) -> Vec<(Problem, f64)> {
    let d = data.dimension();
    let mut problems = Vec::new();
    for (depth, until) in [(2, 60.0), (3, 140.0)] {
        for network in [
            Network::fully_connected(d, &vec![d; depth - 1]),
            Network::convolutional(d, depth),
            Network::diagonal(d, depth),
        ] {
            let fixed = feedback(data.clone(), network.clone(), 0.0, seed);
            problems.push((fixed, until));
            problems.push((gradient_descent(data.clone(), network), until));
        }
    }
    problems
}
