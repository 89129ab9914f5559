//! Finite steps against a plain NumPy loop in the original space (`numpy_loop.py`, which wrote `instances/`).

use marginflow::dataset::Dataset;
use marginflow::descent::{Lane, Schedule, Stepper, stepper};
use marginflow::loss::Loss;
use marginflow::network::{FullyConnectedLinear, Network};
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use nalgebra::{DMatrix, DVector};
use serde::Deserialize;
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Instance {
    network: String,
    rule: String,
    loss: String,
    schedule: String,
    steps: u64,
    /// Of `h_0 … h_{L−1}`.
    widths: Vec<usize>,
    samples: Vec<Vec<f64>>,
    labels: Vec<f64>,
    /// Each layer column by column.
    weights: Vec<Vec<f64>>,
    /// `b_l` or `F_l`, column by column.
    feedback: Vec<Vec<f64>>,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    size: f64,
    /// On the weights, at the start.
    factor: f64,
    /// What the NumPy loop ended with.
    beta: Vec<f64>,
}

impl Instance {
    fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/steps/instances")
            .join(name)
            .with_extension("toml");
        toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn network(&self) -> Network {
        let (dimension, depth) = (self.widths[0], self.widths.len());
        match self.network.as_str() {
            "fully-connected-linear" => {
                Network::new(FullyConnectedLinear::new(dimension, &self.widths[1..]))
            }
            "convolutional-linear" => Network::convolutional(dimension, depth),
            "diagonal-linear" => Network::diagonal(dimension, depth),
            other => panic!("{other}"),
        }
    }

    fn rule(&self, network: &Network) -> Rule {
        let vectors = self.feedback.iter().cloned();
        match self.rule.as_str() {
            "gradient-descent" => Rule::gradient_descent(),
            "direct-feedback-alignment" => {
                Rule::direct_feedback_alignment(vectors.map(DVector::from_vec).collect())
            }
            "feedback-alignment" => Rule::feedback_alignment(
                vectors
                    .zip(network.feedback_shapes())
                    .map(|(f, &(inputs, units))| DMatrix::from_vec(inputs, units, f))
                    .collect(),
            ),
            other => panic!("{other}"),
        }
    }

    fn problem(&self) -> Problem {
        let network = self.network();
        let samples = DMatrix::from_row_iterator(
            self.samples.len(),
            self.widths[0],
            self.samples.iter().flatten().copied(),
        );
        Problem::new(
            Dataset::new(samples, DVector::from_vec(self.labels.clone())),
            network.clone(),
            self.rule(&network),
            match self.loss.as_str() {
                "exponential" => Loss::Exponential,
                "logistic" => Loss::Logistic,
                other => panic!("{other}"),
            },
            network.theta(DVector::from_vec(self.weights.concat())),
        )
        .unwrap()
    }

    fn schedule(&self) -> Schedule {
        [Schedule::Constant, Schedule::LossNormalised]
            .into_iter()
            .find(|schedule| schedule.name() == self.schedule)
            .unwrap()
    }

    fn lanes(&self, problem: &Problem) -> Vec<Lane> {
        self.runs
            .iter()
            .map(|run| Lane {
                size: run.size,
                theta: problem.theta0() * run.factor,
            })
            .collect()
    }
}

/// The largest relative distance of the lanes' predictors from those of `runs`.
fn distance(problem: &Problem, stepper: &dyn Stepper, runs: &[Run]) -> f64 {
    let mut theta = vec![0.0; problem.network().parameters()];
    let distances = runs.iter().enumerate().map(|(lane, run)| {
        stepper.theta(lane, &mut theta);
        let beta = problem.network().predictor(&theta).unwrap();
        let expected = DVector::from_column_slice(&run.beta);
        (beta - &expected).norm() / expected.norm()
    });
    distances.fold(
        0.0,
        |worst, d| if d > worst || d.is_nan() { d } else { worst },
    )
}

/// All eight runs together, then the first and the last of them alone.
fn is_the_numpy_loop(name: &str) {
    let instance = Instance::read(name);
    assert_eq!((instance.steps, instance.runs.len()), (5_000, 8));
    let problem = instance.problem();
    let lanes = instance.lanes(&problem);
    for part in [0..8, 0..1, 7..8] {
        let (runs, lanes) = (&instance.runs[part.clone()], &lanes[part]);
        let mut stepper = stepper(&problem, instance.schedule(), lanes);
        stepper.advance(instance.steps);
        let distance = distance(&problem, stepper.as_ref(), runs);
        println!("{name}, {} lanes: {distance:.1e}", lanes.len());
        assert!(
            distance <= 1e-12,
            "{name}, {} lanes: {distance:e}",
            lanes.len()
        );
    }
}

#[test]
fn fully_connected_feedback() {
    is_the_numpy_loop("fully-connected-dfa-2");
    is_the_numpy_loop("fully-connected-dfa-3");
    is_the_numpy_loop("fully-connected-fa-3");
}

#[test]
fn fully_connected_gradient_descent() {
    is_the_numpy_loop("fully-connected-bp-2");
    is_the_numpy_loop("fully-connected-bp-3");
}

#[test]
fn convolutional_feedback() {
    is_the_numpy_loop("convolutional-dfa-2");
    is_the_numpy_loop("convolutional-dfa-3");
    is_the_numpy_loop("convolutional-fa-3");
}

#[test]
fn convolutional_gradient_descent() {
    is_the_numpy_loop("convolutional-bp-2");
    is_the_numpy_loop("convolutional-bp-3");
    is_the_numpy_loop("convolutional-bp-3-logistic");
}

#[test]
fn diagonal() {
    is_the_numpy_loop("diagonal-dfa-2");
    is_the_numpy_loop("diagonal-dfa-3");
    is_the_numpy_loop("diagonal-bp-3");
}

#[test]
fn loss_normalised() {
    is_the_numpy_loop("fully-connected-dfa-3-normalised");
    is_the_numpy_loop("convolutional-dfa-2-normalised");
}
