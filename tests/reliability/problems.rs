//! Random problems of every kind that verdicts are given on, each from one number.

use marginflow::dataset::{Dataset, standard_normals};
use marginflow::loss::Loss;
use marginflow::network::{FullyConnectedLinear, Network, Relu};
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use nalgebra::{DMatrix, DVector};
use std::fmt;

/// Kinds of data.
pub const DATA: [&str; 8] = [
    "Gaussian",
    "±1",
    "integers",
    "one-hot",
    "duplicates",
    "near-duplicates",
    "lengths",
    "scaled",
];

/// Kinds of networks.
pub const NETWORKS: [&str; 4] = ["fully connected", "convolutional", "diagonal", "ReLU"];

/// Kinds of rules.
pub const RULES: [&str; 3] = ["BP", "DFA", "FA"];

/// Kinds of starts.
pub const STARTS: [&str; 4] = ["zero", "0.01", "0.3", "1"];

/// What is drawn, in words; the numbers follow from the seed.
#[derive(Debug, Clone)]
pub struct Drawn {
    pub seed: u64,
    pub network: &'static str,
    pub rule: &'static str,
    pub data: &'static str,
    pub start: &'static str,
    pub depth: usize,
    pub loss: Loss,
    /// The shortest of the horizons.
    pub until: f64,
    pub problem: Problem,
}

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = self.problem.dataset();
        write!(
            f,
            "seed {}: {} {} L = {}, {}, N = {}, D = {}, from {}, {}, s = {}",
            self.seed,
            self.rule,
            self.network,
            self.depth,
            self.data,
            data.len(),
            data.dimension(),
            self.start,
            self.loss.name(),
            self.until
        )
    }
}

/// A stream of random numbers.
pub struct Draws<I>(pub I);

impl<I: Iterator<Item = f64>> Draws<I> {
    pub fn normal(&mut self) -> f64 {
        self.0.next().expect("an endless stream")
    }

    /// 0 … count − 1.
    pub fn below(&mut self, count: usize) -> usize {
        // digits far behind the point of a normal number are as good as uniform
        ((self.normal().abs() * 1e6).fract() * count as f64) as usize
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub fn matrix(&mut self, (rows, columns): (usize, usize)) -> DMatrix<f64> {
        DMatrix::from_fn(rows, columns, |_, _| self.normal())
    }

    pub fn vector(&mut self, size: usize) -> DVector<f64> {
        DVector::from_fn(size, |_, _| self.normal())
    }
}

/// The problem of a seed.
pub fn drawn(seed: u64) -> Drawn {
    let mut draws = Draws(standard_normals("verdicts", seed));
    let network = draws.pick(&NETWORKS);
    let rule = draws.pick(&RULES);
    let data = draws.pick(&DATA);
    let mut start = draws.pick(&STARTS);
    if rule == "BP" && start == "zero" {
        start = "0.3";
    }
    let depth = match network {
        "ReLU" => 2,
        _ => 1 + draws.below(4),
    };
    let loss = draws.pick(&[Loss::Exponential, Loss::Logistic]);
    let until = draws.pick(match network {
        "ReLU" => &[3.0, 5.0, 8.0, 12.0],
        _ => &[3.0, 4.0, 6.0, 8.0, 12.0, 20.0, 30.0, 45.0],
    });
    let sizes = (2 + draws.below(7), 2 + draws.below(6));
    let dataset = dataset(data, sizes, network == "ReLU", &mut draws);
    let problem = problem(dataset, (network, depth), rule, (start, loss), &mut draws);
    Drawn {
        seed,
        network,
        rule,
        data,
        start,
        depth,
        loss,
        until,
        problem,
    }
}

/// N samples of dimension D of a kind, with a teacher's labels; those of Gaussian samples may be random (`any_labels`).
pub fn dataset(
    kind: &str,
    (samples, dimension): (usize, usize),
    any_labels: bool,
    draws: &mut Draws<impl Iterator<Item = f64>>,
) -> Dataset {
    let mut x = draws.matrix((samples, dimension));
    match kind {
        "±1" => x.apply(|x| *x = x.signum()),
        "integers" => x.apply(|x| *x = (1.5 * *x).round()),
        "one-hot" => {
            // two categorical columns, each written out
            let (first, second) = (dimension.div_ceil(2), dimension / 2);
            x.fill(0.0);
            for n in 0..samples {
                x[(n, draws.below(first))] = 1.0;
                x[(n, first + draws.below(second))] = 1.0;
            }
        }
        "duplicates" | "near-duplicates" => {
            let gap = match kind {
                "duplicates" => 0.0,
                _ => 10f64.powi(-3 - draws.below(10) as i32),
            };
            for n in 0..samples / 2 {
                let moved = x.row(n) + draws.matrix((1, dimension)) * gap;
                x.set_row(samples - 1 - n, &moved);
            }
            if draws.below(2) == 0 && dimension > 1 {
                let column = x.column(0) + draws.vector(samples) * gap;
                x.set_column(dimension - 1, &column);
            }
        }
        "lengths" => {
            for mut row in x.row_iter_mut() {
                row *= (1.5 * draws.normal()).exp();
            }
        }
        "scaled" => x *= 10f64.powi(draws.below(13) as i32 - 6),
        _ => {}
    }
    // a teacher's labels, so that a hyperplane separates them; a teacher in general position has no ties
    let teacher = draws.vector(dimension);
    let random = any_labels && kind == "Gaussian" && draws.below(2) == 0;
    let y = DVector::from_fn(samples, |n, _| {
        let m = x.row(n).transpose().dot(&teacher);
        let m = if random { draws.normal() } else { m };
        if m < 0.0 { -1.0 } else { 1.0 }
    });
    Dataset::new(x, y)
}

fn problem(
    dataset: Dataset,
    (kind, depth): (&str, usize),
    rule: &str,
    (start, loss): (&str, Loss),
    draws: &mut Draws<impl Iterator<Item = f64>>,
) -> Problem {
    let dimension = dataset.dimension();
    let network = match kind {
        "fully connected" => {
            let hidden: Vec<usize> = (1..depth).map(|_| 1 + draws.below(7)).collect();
            Network::new(FullyConnectedLinear::new(dimension, &hidden))
        }
        "convolutional" => Network::convolutional(dimension, depth),
        "diagonal" => Network::diagonal(dimension, depth),
        _ => {
            let smoothing = draws.pick(&[0.0, 0.01, 0.1]);
            Network::new(Relu::new(dimension, &[3 + draws.below(10)], smoothing))
        }
    };
    let rule = match rule {
        "BP" => Rule::gradient_descent(),
        "FA" => {
            let shapes = network.feedback_shapes().to_vec();
            Rule::feedback_alignment(shapes.into_iter().map(|s| draws.matrix(s)).collect())
        }
        _ => {
            let hidden = network.shapes()[..network.depth() - 1].to_vec();
            let spectral = network.spectrum().is_some();
            let sizes = hidden
                .into_iter()
                .map(|(inputs, units)| if spectral { inputs } else { units });
            Rule::direct_feedback_alignment(sizes.map(|size| draws.vector(size)).collect())
        }
    };
    let scale: f64 = match start {
        "zero" => 0.0,
        scale => scale.parse().expect("a number"),
    };
    let theta = network.theta(draws.vector(network.parameters()) * scale);
    Problem::new(dataset, network, rule, loss, theta).expect("parts that fit")
}
