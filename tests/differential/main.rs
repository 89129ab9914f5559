//! Twenty random flows against SciPy, which integrated them from the plain equations (`flows.py`, which wrote
//! `flows.json`).

use marginflow::dataset::Dataset;
use marginflow::flow::{FlowOptions, Method, SaveAt, integrate};
use marginflow::loss::Loss;
use marginflow::network::{FullyConnectedLinear, Network, Relu};
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use marginflow::trajectory::Status;
use nalgebra::{DMatrix, DVector};
use serde::Deserialize;
use std::collections::BTreeSet;

/// A matrix row by row; vectors are single columns.
type Rows = Vec<Vec<f64>>;

/// One problem of `flows.json`, and where SciPy found its flow at the horizon.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Flow {
    network: String,
    /// ε of a ReLU network, else 0.
    smoothing: f64,
    rule: String,
    loss: String,
    /// The horizon s.
    log_log_time: f64,
    samples: Rows,
    labels: Vec<f64>,
    /// `w_1 … w_L` at s = 0, original space.
    weights: Vec<Rows>,
    /// `b_l` or `F_l`.
    feedback: Vec<Rows>,
    /// The first method gave `end`, the second checked it.
    methods: [String; 2],
    #[serde(rename = "final")]
    end: End,
    /// By what the two methods differ.
    error: Differences,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    weights: Vec<Rows>,
    margins: Vec<f64>,
    /// `p_n = ln(1+t) − m_n`
    log_multipliers: Vec<f64>,
    /// None of ReLU networks.
    beta: Option<Vec<f64>>,
}

/// How far two answers are apart. Layers and predictors: relative, in the Euclidean norm, the largest. Margins and
/// log-multipliers: per 1 + |value|, the largest.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Differences {
    weights: f64,
    #[serde(default)]
    beta: f64,
    margins: f64,
    log_multipliers: f64,
}

impl Differences {
    fn parts(&self) -> [(&'static str, f64); 4] {
        [
            ("weights", self.weights),
            ("predictors", self.beta),
            ("margins", self.margins),
            ("log-multipliers", self.log_multipliers),
        ]
    }

    fn largest(&self) -> f64 {
        largest(self.parts().into_iter().map(|(_, difference)| difference))
    }
}

fn matrix(rows: &Rows) -> DMatrix<f64> {
    DMatrix::from_row_iterator(rows.len(), rows[0].len(), rows.iter().flatten().copied())
}

fn of_vectors(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let expected = DVector::from_column_slice(expected);
    (DVector::from_column_slice(found) - &expected).norm() / expected.norm()
}

fn of_entries(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let pairs = found.iter().zip(expected);
    largest(pairs.map(|(a, b)| (a - b).abs() / (1.0 + b.abs())))
}

/// NaN if one is.
fn largest(numbers: impl Iterator<Item = f64>) -> f64 {
    numbers.fold(0.0, |a, b| if b > a || b.is_nan() { b } else { a })
}

fn flows() -> Vec<Flow> {
    serde_json::from_str(include_str!("flows.json")).expect("written by flows.py")
}

impl Flow {
    fn name(&self) -> String {
        let Self {
            network,
            rule,
            loss,
            log_log_time,
            ..
        } = self;
        let depth = self.weights.len();
        format!("{network}, L = {depth}, {rule}, {loss}, to s = {log_log_time:.2}")
    }

    fn network(&self) -> Network {
        let (dimension, depth) = (self.samples[0].len(), self.weights.len());
        let hidden: Vec<usize> = self.weights[1..].iter().map(Vec::len).collect();
        match self.network.as_str() {
            "fully-connected-linear" => Network::new(FullyConnectedLinear::new(dimension, &hidden)),
            "convolutional-linear" => Network::convolutional(dimension, depth),
            "diagonal-linear" => Network::diagonal(dimension, depth),
            "relu" => Network::new(Relu::new(dimension, &hidden, self.smoothing)),
            other => panic!("{other}"),
        }
    }

    fn rule(&self) -> Rule {
        let feedback = self.feedback.iter().map(matrix);
        match self.rule.as_str() {
            "gradient-descent" => Rule::gradient_descent(),
            "feedback-alignment" => Rule::feedback_alignment(feedback.collect()),
            "direct-feedback-alignment" => Rule::direct_feedback_alignment(
                feedback.map(|b| b.column(0).into_owned()).collect(),
            ),
            other => panic!("{other}"),
        }
    }

    fn loss(&self) -> Loss {
        [Loss::Exponential, Loss::Logistic]
            .into_iter()
            .find(|loss| loss.name() == self.loss)
            .expect("a loss of the library")
    }

    fn problem(&self) -> Problem {
        let network = self.network();
        let start: Vec<f64> = self
            .weights
            .iter()
            .flat_map(|w| matrix(w).as_slice().to_vec())
            .collect();
        Problem::new(
            Dataset::new(
                matrix(&self.samples),
                DVector::from_column_slice(&self.labels),
            ),
            network.clone(),
            self.rule(),
            self.loss(),
            network.theta(DVector::from_vec(start)),
        )
        .unwrap()
    }

    /// What a run to the horizon differs by from SciPy.
    fn differences(&self, options: &FlowOptions) -> Differences {
        let problem = self.problem();
        let options = FlowOptions {
            saves: SaveAt::Uniform(2),
            ..options.clone()
        };
        let run = integrate(&problem, &options, &mut |_| {}).expect("the flow starts");
        assert_eq!(run.status, Status::Completed, "{:?}", run.message);
        let theta = run.theta.column(1);
        let weights = problem.network().weights(theta.as_slice());
        let layers = weights.iter().zip(&self.end.weights);
        let beta = problem.network().predictor(theta.as_slice());
        assert_eq!(beta.is_some(), self.end.beta.is_some());
        let predictors = beta.iter().zip(&self.end.beta);
        let margins = problem
            .network()
            .margins(theta.as_slice(), problem.dataset());
        Differences {
            weights: largest(layers.map(|(w, e)| of_vectors(w.as_slice(), matrix(e).as_slice()))),
            beta: largest(predictors.map(|(b, e)| of_vectors(b.as_slice(), e))),
            margins: of_entries(margins.as_slice(), &self.end.margins),
            log_multipliers: of_entries(
                run.log_multipliers.column(1).as_slice(),
                &self.end.log_multipliers,
            ),
        }
    }
}

/// SciPy's error is known from two answers only: this many times their distance is granted to it.
const OF_SCIPY: f64 = 10.0;

/// Every flow on `network`, by the default method and by backward differences in all unknowns, at the default tolerance
/// and at a hundredth of it: each number within the tolerance both times, and all of them nearer the second time.
fn are_those_of_scipy(network: &str) {
    for flow in flows().iter().filter(|flow| flow.network == network) {
        let default = FlowOptions::to(flow.log_log_time);
        let mut runs = vec![default.clone()];
        // the default of ReLU networks
        if network != "relu" {
            runs.push(FlowOptions {
                method: Method::Bdf,
                ..default
            });
        }
        for options in runs {
            let name = format!("{}, {}", flow.name(), options.method.name());
            let [loose, tight] = [options.clone(), options.tightened()].map(|options| {
                let found = flow.differences(&options);
                println!("{name}, rtol {:e}: {found:?}", options.rtol);
                for ((what, found), (_, scipy)) in found.parts().into_iter().zip(flow.error.parts()) {
                    assert!(
                        found <= options.rtol + OF_SCIPY * scipy,
                        "{name}, rtol {:e}: {what} differ by {found:e}, SciPy's two methods by {scipy:e}",
                        options.rtol
                    );
                }
                found.largest()
            });
            // one kind of number alone may have been hit by chance at the first attempt
            assert!(
                tight <= 0.1 * loose + OF_SCIPY * flow.error.largest(),
                "{name}: numbers differ by {loose:e}, and still by {tight:e} at a hundredth of the tolerance"
            );
        }
    }
}

#[test]
fn fully_connected_flows_are_those_of_scipy() {
    are_those_of_scipy("fully-connected-linear");
}

#[test]
fn convolutional_flows_are_those_of_scipy() {
    are_those_of_scipy("convolutional-linear");
}

#[test]
fn diagonal_flows_are_those_of_scipy() {
    are_those_of_scipy("diagonal-linear");
}

#[test]
fn relu_flows_are_those_of_scipy() {
    are_those_of_scipy("relu");
}

#[test]
fn the_twenty_cover_networks_rules_and_losses() {
    let flows = flows();
    assert_eq!(flows.len(), 20);
    let pairs: BTreeSet<(&str, &str)> = flows.iter().map(|f| (&*f.network, &*f.rule)).collect();
    assert_eq!(pairs.len(), 4 * 3, "every rule on every network: {pairs:?}");
    let pairs: BTreeSet<(&str, &str)> = flows.iter().map(|f| (&*f.network, &*f.loss)).collect();
    assert_eq!(
        pairs.len(),
        4 * 2,
        "both losses on every network: {pairs:?}"
    );
    let pairs: BTreeSet<(&str, bool)> = flows
        .iter()
        .map(|f| (&*f.network, f.log_log_time >= 10.0))
        .collect();
    assert_eq!(pairs.len(), 4 * 2, "near and far on every network");

    let depths = |network: &str| -> BTreeSet<usize> {
        let of_network = flows.iter().filter(|f| f.network == network);
        of_network.map(|f| f.weights.len()).collect()
    };
    for network in [
        "fully-connected-linear",
        "convolutional-linear",
        "diagonal-linear",
    ] {
        assert_eq!(depths(network), BTreeSet::from([2, 3, 4]), "{network}");
    }
    assert_eq!(depths("relu"), BTreeSet::from([2, 3]));
    let parities: BTreeSet<usize> = flows
        .iter()
        .filter(|f| f.network == "convolutional-linear")
        .map(|f| f.samples[0].len() % 2)
        .collect();
    assert_eq!(parities.len(), 2, "convolutions of odd and of even length");
    assert!(
        flows.iter().any(|f| f.network == "fully-connected-linear"
            && f.weights[1..].windows(2).any(|w| w[0].len() != w[1].len())),
        "hidden layers of different widths"
    );
    let zero = |f: &&Flow| f.weights.iter().flatten().flatten().all(|w| *w == 0.0);
    let from_zero = flows.iter().filter(zero).count();
    assert!(
        (3..=10).contains(&from_zero),
        "{from_zero} from zero weights"
    );

    for flow in &flows {
        let (samples, dimension) = (flow.samples.len(), flow.samples[0].len());
        assert!((2..=10).contains(&samples) && (2..=8).contains(&dimension));
        assert!(flow.log_log_time > 0.5 && flow.log_log_time < 40.0);
        assert_eq!(flow.smoothing > 0.0, flow.network == "relu");
        assert_ne!(flow.methods[0], flow.methods[1]);
        // without digits of its own to rely on, a flow would check nothing
        let worst = flow.error.largest();
        assert!(worst <= 1e-10, "{}: {worst:e}", flow.name());
    }
}
