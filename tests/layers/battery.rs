//! Random networks of layers with exact kinks: how many runs complete, by rule.
//!
//! `MARGINFLOW_LAYER_RUNS=50 cargo test --test layers battery -- --nocapture` runs so many per rule to s = 12, and
//! prints what became of those that do not complete; the suite runs a few, for a short time.

use super::{named, normals, rule};
use marginflow::activation::Identity;
use marginflow::dataset::{ClassMeans, class_means, gaussian_random_labels, gaussian_teacher};
use marginflow::flow::{FlowOptions, integrate};
use marginflow::loss::Loss;
use marginflow::network::{LayerSpec, Layered, Network};
use marginflow::problem::Problem;
use marginflow::trajectory::Status;
use nalgebra::DVector;

const RULES: [&str; 3] = [
    "gradient descent",
    "direct feedback alignment",
    "feedback alignment",
];

/// N ≤ 12, D = 6, one to three hidden layers of all kinds, one output or three, weights of scale 0.1 to 1.
fn problem(kind: usize, seed: u64) -> Option<Problem> {
    let mut draws = normals(900 + seed, 24).into_iter();
    let mut below = |most: usize| (draws.next().expect("draws").abs() * 1000.0) as usize % most;
    let (samples, scale) = (4 + below(9), [0.1, 0.3, 0.3, 1.0][below(4)]);
    let mut hidden = Vec::new();
    for l in 0..1 + below(3) {
        let activation = match below(4) {
            0 => named("leaky-relu", 0.2),
            1 if l > 0 => Identity.into(),
            _ => named("relu", 0.0),
        };
        let mut layer = match below(2) {
            0 => LayerSpec::convolution(2 + below(2), 1 + below(3), activation),
            _ => LayerSpec::dense(3 + below(8), activation),
        };
        layer.bias = below(4) == 0;
        hidden.push(layer);
    }
    let data = match below(3) {
        0 => gaussian_teacher(6, samples, seed),
        1 => gaussian_random_labels(6, samples, seed),
        _ => class_means(&ClassMeans {
            dimension: 6,
            classes: 3,
            samples,
            spread: 0.3,
            seed,
        }),
    };
    let network = Network::new(Layered::new(6, &hidden, data.outputs()).ok()?);
    let theta = DVector::from_vec(normals(seed, network.parameters())) * scale;
    let rule = rule(kind, &network);
    Problem::new(data, network, rule, Loss::Exponential, theta).ok()
}

#[test]
fn random_layers_with_exact_kinks_complete() {
    let asked = std::env::var("MARGINFLOW_LAYER_RUNS").ok();
    let asked: Option<u64> = asked.and_then(|runs| runs.parse().ok());
    let (runs, until, wall) = asked.map_or((3, 1.0, 10.0), |runs| (runs, 12.0, 60.0));
    let (mut all, mut completed) = (0, 0);
    for (kind, name) in RULES.iter().enumerate() {
        let (mut of_rule, mut complete) = (0, 0);
        for problem in (0..runs).filter_map(|seed| problem(kind, seed).map(|p| (seed, p))) {
            let options = FlowOptions {
                max_steps: 60_000,
                max_wall_seconds: wall,
                ..FlowOptions::to(until)
            };
            of_rule += 1;
            match integrate(&problem.1, &options, &mut |_| {}) {
                Ok(run) if run.status == Status::Completed => complete += 1,
                Ok(run) => {
                    let why = run.message.unwrap_or_default();
                    eprintln!("{name}, seed {}: {:?}: {why}", problem.0, run.status);
                }
                Err(why) => eprintln!("{name}, seed {}: {why}", problem.0),
            }
        }
        eprintln!("{name}: {complete} of {of_rule} complete");
        all += of_rule;
        completed += complete;
    }
    assert!(10 * completed >= 9 * all, "{completed} of {all}");
}
