//! Random ReLU networks of two and three layers: how many runs complete, by rule, depth and kinks.
//!
//! One of each kind is run in the suite, for a short time. `MARGINFLOW_RELU_RUNS=200`, in
//! `cargo test --release --test reliability relu -- --nocapture`, runs so many of each kind to s = 20, and prints what
//! became of them.

use marginflow::dataset::{Dataset, gaussian_random_labels, gaussian_teacher, standard_normals};
use marginflow::flow::{FlowOptions, integrate};
use marginflow::loss::Loss;
use marginflow::network::{Network, Relu};
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use marginflow::trajectory::{Status, Trajectory};
use nalgebra::{DMatrix, DVector};
use std::collections::BTreeMap;

const RULES: [&str; 3] = [
    "gradient descent",
    "direct feedback alignment",
    "feedback alignment",
];

/// A kind of run, and which of it.
struct Draw {
    layers: usize,
    rule: &'static str,
    smoothed: bool,
    seed: u64,
}

/// N ≤ 12, D ≤ 6, widths ≤ 15, weights of scale 0.1 to 1, either loss, labels of a teacher or of nobody.
fn problem(draw: &Draw) -> Option<Problem> {
    let mut uniform = standard_normals("relu battery", draw.seed);
    let mut below = move |most: usize| {
        let share = uniform.next().expect("draws do not end").abs() * 1000.0;
        share as usize % most
    };
    let (samples, dimension) = (2 + below(11), 2 + below(5));
    let hidden: Vec<usize> = (1..draw.layers).map(|_| 2 + below(14)).collect();
    let scale = [0.1, 0.3, 0.3, 1.0][below(4)];
    let smoothing = [0.1, 0.03, 0.01, 0.001][below(4)];
    let loss = [Loss::Exponential, Loss::Logistic][below(3) / 2];
    let data: Dataset = match below(3) {
        0 => gaussian_teacher(dimension, samples, draw.seed),
        _ => gaussian_random_labels(dimension, samples, draw.seed),
    };
    let relu = Relu::new(
        dimension,
        &hidden,
        if draw.smoothed { smoothing } else { 0.0 },
    );
    let shapes = relu.shapes().to_vec();
    let network = Network::new(relu);
    let normals = standard_normals("relu battery weights", draw.seed);
    let theta0 = DVector::from_iterator(network.parameters(), normals.take(network.parameters()));
    let mut normals = standard_normals("relu battery feedback", draw.seed);
    let mut matrix = |(rows, columns): (usize, usize)| {
        DMatrix::from_fn(rows, columns, |_, _| {
            normals.next().expect("draws do not end")
        })
    };
    let rule = match draw.rule {
        "gradient descent" => Rule::gradient_descent(),
        "feedback alignment" => {
            Rule::feedback_alignment(shapes[1..].iter().copied().map(matrix).collect())
        }
        _ => {
            let vectors = hidden
                .iter()
                .map(|width| matrix((*width, 1)).column(0).into_owned());
            Rule::direct_feedback_alignment(vectors.collect())
        }
    };
    Problem::new(data, network, rule, loss, theta0 * scale).ok()
}

/// What became of a run, in a few words.
fn outcome(run: &Trajectory) -> String {
    match run.status {
        Status::Completed => "completed".to_owned(),
        status => format!("{status:?}: {}", run.message.as_deref().unwrap_or_default()),
    }
}

/// Runs `count` problems of every kind, for at most `wall` seconds each; how many completed of how many, by layers,
/// rule and kinks.
fn battery(count: u64, until: f64, wall: f64) -> BTreeMap<String, (usize, usize)> {
    let mut map = BTreeMap::new();
    for layers in [2, 3] {
        for rule in RULES {
            for smoothed in [false, true] {
                for seed in 0..count {
                    let Some(problem) = problem(&Draw {
                        layers,
                        rule,
                        smoothed,
                        seed,
                    }) else {
                        continue;
                    };
                    let options = FlowOptions {
                        max_steps: 60_000,
                        max_wall_seconds: wall,
                        ..FlowOptions::to(until)
                    };
                    let outcome = integrate(&problem, &options, &mut |_| {})
                        .map_or_else(|why| why.to_string(), |run| outcome(&run));
                    let kinks = if smoothed { "smoothed" } else { "exact" };
                    let kind = format!("{layers} layers, {rule}, {kinks}");
                    let (completed, all): &mut (usize, usize) =
                        map.entry(kind.clone()).or_default();
                    *all += 1;
                    if outcome == "completed" {
                        *completed += 1;
                    } else {
                        eprintln!("{kind}, seed {seed}: {outcome}");
                    }
                }
            }
        }
    }
    map
}

#[test]
fn random_relu_networks_complete() {
    let asked = std::env::var("MARGINFLOW_RELU_RUNS").ok();
    let count: Option<u64> = asked.and_then(|runs| runs.parse().ok());
    let map = match count {
        Some(count) => battery(count, 20.0, 120.0),
        None => battery(1, 1.0, 5.0),
    };
    let (mut completed, mut all) = (0, 0);
    for (kind, (of_kind, runs)) in &map {
        eprintln!("{kind}: {of_kind} of {runs} complete");
        completed += of_kind;
        all += runs;
    }
    assert!(10 * completed >= 9 * all, "{completed} of {all}");
}
