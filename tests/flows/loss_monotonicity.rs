//! The loss can rise under convolutional DFA of depth 3 from zero weights, and cannot at depth 2 or in diagonal
//! networks (docs/loss-monotonicity.md).

use marginflow::dataset::{Dataset, gaussian_teacher, standard_normals};
use marginflow::diagnostics::loss_rate;
use marginflow::flow::{FlowOptions, SaveAt, integrate};
use marginflow::loss::Loss;
use marginflow::network::Network;
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use marginflow::scenario;
use marginflow::trajectory::{Status, Trajectory};
use nalgebra::{DMatrix, DVector};
use std::ops::AddAssign;
use std::path::Path;

/// The rise of ln 𝓛 in the scenario: SciPy's DOP853 (rtol 1e-8 and 1e-11) and Radau (1e-9) on the plain equations
/// agree on these digits.
const RISE: f64 = 0.405_239_73;

fn rising() -> (Problem, FlowOptions) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/conv-dfa-3-loss-rises.toml");
    let scenario = scenario::load(&path, &[]).unwrap();
    (scenario.build().unwrap(), scenario.flow)
}

fn completed(problem: &Problem, options: &FlowOptions) -> Trajectory {
    let run = integrate(problem, options, &mut |_| {}).unwrap();
    assert_eq!(run.status, Status::Completed, "{:?}", run.message);
    run
}

fn log_loss(problem: &Problem, theta: &[f64]) -> f64 {
    let margins = problem.network().margins(theta, problem.dataset());
    problem.loss().log_loss(margins.iter().copied())
}

/// Largest increase of a sequence from one entry to a later one.
fn largest_rise(sequence: impl Iterator<Item = f64>) -> f64 {
    let mut lowest = f64::INFINITY;
    sequence
        .map(|x| {
            lowest = lowest.min(x);
            x - lowest
        })
        .fold(0.0, f64::max)
}

fn steepest(problem: &Problem, run: &Trajectory) -> f64 {
    loss_rate(problem, run)
        .into_iter()
        .fold(f64::NEG_INFINITY, f64::max)
}

#[test]
fn the_loss_rises_in_the_scenario_at_any_tolerance() {
    let (problem, options) = rising();
    let dense = FlowOptions {
        until: 1.0,
        saves: SaveAt::Uniform(20_001),
        ..options.clone()
    };
    let mut rates = Vec::new();
    for options in [dense.clone(), dense.tightened()] {
        let run = completed(&problem, &options);
        let rise = largest_rise(
            run.theta
                .column_iter()
                .map(|theta| log_loss(&problem, theta.as_slice())),
        );
        assert!((rise - RISE).abs() < 1e-5, "{rise}");
        rates.push(steepest(&problem, &run));
    }
    assert!(rates[0] > 10.0, "{rates:?}");
    assert!((rates[0] / rates[1] - 1.0).abs() < 1e-4, "{rates:?}");
    // the saves of the scenario itself show nearly all of it, and it happens once: at the end the loss falls like 1/t
    let run = completed(&problem, &options);
    let rise = largest_rise(
        run.theta
            .column_iter()
            .map(|theta| log_loss(&problem, theta.as_slice())),
    );
    assert!(rise > 0.9 * RISE && rise < RISE + 1e-5, "{rise}");
    let rates = loss_rate(&problem, &run);
    assert!((rates[rates.len() - 1] + 1.0).abs() < 1e-2);
}

/// The plain equations in the original space: `h_l = D^{−1/2} Σ_k w_l(k) h_{l−1}(· + k)`, `f = w_3·h_2`, filters
/// updated with the error signals `b_l`.
struct Plain<'a> {
    signed_samples: &'a DMatrix<f64>,
    feedback: Vec<DVector<f64>>,
}

impl Plain<'_> {
    fn convolve(w: &[f64], h: &DVector<f64>) -> DVector<f64> {
        let d = h.len();
        DVector::from_fn(d, |j, _| {
            (0..d).map(|k| w[k] * h[(j + k) % d]).sum::<f64>() / (d as f64).sqrt()
        })
    }

    /// Hidden layers `h_0, h_1, h_2` of every signed sample and its margin.
    fn forward(&self, theta: &DVector<f64>) -> Vec<(Vec<DVector<f64>>, f64)> {
        let d = self.signed_samples.ncols();
        self.signed_samples
            .row_iter()
            .map(|g| {
                let mut h = vec![g.transpose()];
                for w in theta.as_slice().chunks(d).take(self.feedback.len()) {
                    h.push(Self::convolve(w, &h[h.len() - 1]));
                }
                let margin = h[h.len() - 1].dot(&theta.rows(theta.len() - d, d));
                (h, margin)
            })
            .collect()
    }

    fn velocity(&self, theta: &DVector<f64>) -> DVector<f64> {
        let d = self.signed_samples.ncols();
        let mut velocity = DVector::zeros(theta.len());
        for (h, margin) in self.forward(theta) {
            let alpha = (-margin).exp();
            for (l, b) in self.feedback.iter().enumerate() {
                // the gradient in w of b·(w * h) is h convolved with b
                let update = Self::convolve(b.as_slice(), &h[l]) * alpha;
                velocity.rows_mut(l * d, d).add_assign(&update);
            }
            let last = self.feedback.len();
            velocity
                .rows_mut(last * d, d)
                .add_assign(&(&h[last] * alpha));
        }
        velocity
    }

    fn log_loss(&self, theta: &DVector<f64>) -> f64 {
        self.forward(theta)
            .iter()
            .map(|(_, m)| (-m).exp())
            .sum::<f64>()
            .ln()
    }
}

/// Runge–Kutta of order 4 in t: nothing of the clocks, the transforms or the integrator under test.
#[test]
fn the_plain_equations_rise_too() {
    let (problem, _) = rising();
    let plain = Plain {
        signed_samples: problem.dataset().signed_samples(),
        feedback: problem.feedback().unwrap(),
    };
    let step = 1e-3;
    let mut theta = DVector::zeros(9);
    let mut losses = vec![plain.log_loss(&theta)];
    for _ in 0..4000 {
        let k1 = plain.velocity(&theta);
        let k2 = plain.velocity(&(&theta + &k1 * (step / 2.0)));
        let k3 = plain.velocity(&(&theta + &k2 * (step / 2.0)));
        let k4 = plain.velocity(&(&theta + &k3 * step));
        theta += (k1 + (k2 + k3) * 2.0 + k4) * (step / 6.0);
        losses.push(plain.log_loss(&theta));
    }
    let rise = largest_rise(losses.into_iter());
    assert!((rise - RISE).abs() < 1e-3, "{rise}");
}

/// Two samples of opposite label that nearly cancel: the data on which deep networks let the loss rise most often.
fn rivals(dimension: usize, seed: u64) -> Dataset {
    let mut normals = standard_normals("rivals", seed);
    let mut draw = || DVector::from_iterator(dimension, normals.by_ref().take(dimension));
    let first = draw();
    let second = &first * (2.0 + 0.2 * seed as f64) + draw() * 0.1;
    let x = DMatrix::from_rows(&[first.transpose(), second.transpose()]);
    Dataset::new(x, DVector::from_vec(vec![1.0, -1.0]))
}

/// DFA from zero weights.
fn dfa(dataset: Dataset, network: Network, seed: u64) -> Problem {
    let mut normals = standard_normals("feedback", seed);
    let signals = (1..network.depth())
        .map(|_| {
            let d = dataset.dimension();
            DVector::from_iterator(d, normals.by_ref().take(d))
        })
        .collect();
    Problem::new(
        dataset,
        network.clone(),
        Rule::direct_feedback_alignment(signals),
        Loss::Exponential,
        DVector::zeros(network.parameters()),
    )
    .unwrap()
}

/// `Re c_d ≥ 0` is a theorem at depth 2, and where everything is real.
#[test]
fn the_loss_never_rises_at_depth_two_or_in_diagonal_networks() {
    let options = FlowOptions {
        saves: SaveAt::Uniform(1201),
        ..FlowOptions::to(6.0)
    };
    let (rising, _) = rising();
    let mut problems = vec![
        dfa(rising.dataset().clone(), Network::convolutional(3, 2), 1),
        dfa(rising.dataset().clone(), Network::diagonal(3, 4), 1),
    ];
    for seed in 1..=20 {
        let dimension = 3 + (seed % 5) as usize;
        for data in [
            rivals(dimension, seed),
            gaussian_teacher(dimension, 6, seed),
        ] {
            problems.push(dfa(
                data.clone(),
                Network::convolutional(dimension, 2),
                seed,
            ));
            problems.push(dfa(data, Network::diagonal(dimension, 3), seed));
        }
    }
    for (index, problem) in problems.iter().enumerate() {
        let rate = steepest(problem, &completed(problem, &options));
        assert!(rate <= 1e-12, "problem {index}: {rate:.1e}");
    }
}
