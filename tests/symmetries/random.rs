//! Small random problems, and matrices to transform them with.

use marginflow::dataset::{gaussian_teacher, standard_normals};
use marginflow::loss::Loss;
use marginflow::network::{FullyConnectedLinear, Network, Relu};
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;

/// What is drawn of a problem besides its architecture.
#[derive(Debug, Clone)]
pub struct Draw {
    dimension: usize,
    samples: usize,
    /// Widths of the hidden layers, where they can be chosen.
    hidden: Vec<usize>,
    rule: &'static str,
    loss: Loss,
    /// Size of the initial weights.
    scale: f64,
    /// The horizon, log-log-time.
    pub until: f64,
    pub seed: u64,
}

/// D = 2 … 5, N = 2 … 6, L = 2 or 3, every rule, both losses.
pub fn draws() -> impl Strategy<Value = Draw> {
    let rules = [
        "gradient-descent",
        "feedback-alignment",
        "direct-feedback-alignment",
    ];
    let losses = [Loss::Exponential, Loss::Logistic];
    (
        (
            2..=5_usize,
            2..=6_usize,
            prop::collection::vec(2..=4_usize, 1..=2),
        ),
        (
            prop::sample::select(rules.to_vec()),
            prop::sample::select(losses.to_vec()),
        ),
        (0.2..0.6_f64, 3.0..6.0_f64, 0..1000_u64),
    )
        .prop_map(
            |((dimension, samples, hidden), (rule, loss), (scale, until, seed))| Draw {
                dimension,
                samples,
                hidden,
                rule,
                loss,
                scale,
                until,
                seed,
            },
        )
}

impl Draw {
    /// Direct feedback alignment on three layers.
    pub fn example() -> Self {
        Self {
            dimension: 4,
            samples: 5,
            hidden: vec![3, 4],
            rule: "direct-feedback-alignment",
            loss: Loss::Exponential,
            scale: 0.4,
            until: 4.0,
            seed: 2,
        }
    }

    /// The same under this rule.
    pub fn under(self, rule: &'static str) -> Self {
        Self { rule, ..self }
    }

    pub fn fully_connected(&self) -> Problem {
        let network = FullyConnectedLinear::new(self.dimension, &self.hidden);
        self.problem(Network::new(network))
    }

    pub fn convolutional(&self) -> Problem {
        self.problem(Network::convolutional(self.dimension, self.depth()))
    }

    pub fn diagonal(&self) -> Problem {
        self.problem(Network::diagonal(self.dimension, self.depth()))
    }

    /// With exact kinks or smoothed ones, as the seed has it.
    pub fn relu(&self) -> Problem {
        let smoothing = if self.seed.is_multiple_of(2) {
            0.0
        } else {
            0.1
        };
        self.problem(Network::new(Relu::new(
            self.dimension,
            &self.hidden,
            smoothing,
        )))
    }

    /// One of every architecture.
    pub fn all(&self) -> [Problem; 4] {
        [
            self.fully_connected(),
            self.convolutional(),
            self.diagonal(),
            self.relu(),
        ]
    }

    fn depth(&self) -> usize {
        self.hidden.len() + 1
    }

    fn problem(&self, network: Network) -> Problem {
        let mut draws = standard_normals("symmetries", self.seed);
        let mut matrix =
            |&(r, c): &(usize, usize)| DMatrix::from_iterator(r, c, draws.by_ref().take(r * c));
        let through: Vec<_> = network.feedback_shapes().iter().map(&mut matrix).collect();
        // Where layers act entry by entry, as many signals as inputs; else as many as units.
        let hidden = &network.shapes()[..self.depth() - 1];
        let signals = hidden
            .iter()
            .map(|&(inputs, units)| match network.spectrum() {
                Some(_) => (inputs, 1),
                None => (units, 1),
            });
        let signals: Vec<DVector<f64>> = signals
            .map(|shape| matrix(&shape).column(0).into_owned())
            .collect();
        let weights = matrix(&(network.parameters(), 1)).column(0) * self.scale;
        Problem::new(
            gaussian_teacher(self.dimension, self.samples, self.seed),
            network.clone(),
            match self.rule {
                "gradient-descent" => Rule::gradient_descent(),
                "feedback-alignment" => Rule::feedback_alignment(through),
                _ => Rule::direct_feedback_alignment(signals),
            },
            self.loss,
            network.theta(weights),
        )
        .unwrap()
    }
}

/// A random order of 0 … n−1.
pub fn order(n: usize, seed: u64) -> Vec<usize> {
    let keys: Vec<f64> = standard_normals("order", seed).take(n).collect();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]));
    order
}

/// The matrix P with `(P x)_i = x_order[i]`.
pub fn permutation(n: usize, seed: u64) -> DMatrix<f64> {
    let order = order(n, seed);
    DMatrix::from_fn(n, n, |i, j| if order[i] == j { 1.0 } else { 0.0 })
}

/// A random orthogonal matrix.
pub fn rotation(n: usize, seed: u64) -> DMatrix<f64> {
    let entries = standard_normals("rotation", seed).take(n * n);
    DMatrix::from_iterator(n, n, entries).qr().q()
}
