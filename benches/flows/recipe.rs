//! Problems to be measured: read from the peers' folder, or drawn.

use marginflow::dataset::{Dataset, gaussian_teacher, read_files, read_matrix, standard_normals};
use marginflow::loss::Loss;
use marginflow::network::{FullyConnectedLinear, Network};
use marginflow::problem::Problem;
use marginflow::rule::Rule;
use marginflow::scenario::load;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::path::{Path, PathBuf};

/// Where a problem comes from.
#[derive(Clone, Serialize, Deserialize)]
pub enum Recipe {
    /// A folder with `instance.json`, `X.csv`, `y.csv`, `b_l.csv` and, if there are any, `w_l.csv`.
    Instance(PathBuf),
    Random(Sizes),
    /// A scenario of the repository, with keys assigned anew.
    Scenario(String, Vec<String>),
    /// ReLU networks of this width on two classes that overlap.
    Wide(Wide),
}

/// Two hidden layers of smoothed units under BP, from small weights.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Wide {
    pub dimension: usize,
    pub width: usize,
    pub samples: usize,
    /// Distance of the class means from zero, in standard deviations of a class.
    pub separation: f64,
}

/// What a problem is like.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Sizes {
    /// Or fully connected.
    pub convolutional: bool,
    /// Direct feedback alignment, or BP.
    pub feedback: bool,
    pub dimension: usize,
    pub depth: usize,
    pub samples: usize,
    /// Standard deviation of the initial weights times √D.
    pub initial: f64,
}

/// `instance.json`.
#[derive(Deserialize)]
struct Description {
    kind: String,
    rule: String,
    #[serde(rename = "D")]
    dimension: usize,
    #[serde(rename = "L")]
    depth: usize,
    #[serde(rename = "N")]
    samples: usize,
}

impl Recipe {
    /// The peers' instance `name`, or without their folder a random one of these sizes.
    pub fn of(peers: Option<&Path>, name: &str, sizes: Sizes) -> Self {
        match peers {
            Some(peers) => Self::Instance(peers.join("instances").join(name)),
            None => Self::Random(sizes),
        }
    }

    /// The problem.
    ///
    /// # Errors
    /// If a file is missing, or not of the size `instance.json` says.
    pub fn problem(&self) -> Result<Problem, Box<dyn Error>> {
        match self {
            Self::Instance(folder) => instance(folder),
            Self::Random(sizes) => Ok(sizes.draw()),
            Self::Scenario(name, assignments) => {
                let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
                Ok(load(&folder.join(format!("{name}.toml")), assignments)?.build()?)
            }
            Self::Wide(wide) => Ok(wide.draw()?),
        }
    }

    /// The reference angle to the limit that comes with an instance, if any does.
    pub fn reference_angle(&self) -> Option<f64> {
        let Self::Instance(folder) = self else {
            return None;
        };
        let text = std::fs::read_to_string(folder.join("reference.json")).ok()?;
        let reference: serde_json::Value = serde_json::from_str(&text).ok()?;
        reference["angle"].as_f64()
    }
}

fn instance(folder: &Path) -> Result<Problem, Box<dyn Error>> {
    let text = std::fs::read_to_string(folder.join("instance.json"))
        .map_err(|why| format!("{}: {why}", folder.display()))?;
    let description: Description = serde_json::from_str(&text)?;
    let (dimension, depth) = (description.dimension, description.depth);
    let dataset = read_files(&folder.join("X.csv"), &folder.join("y.csv"))?;
    if (dataset.len(), dataset.dimension()) != (description.samples, dimension) {
        return Err(format!("{}: not of the size described", folder.display()).into());
    }
    // Instances of limits are named after them: psi is that of a convolutional network, svm of a fully connected one.
    let network = network(
        matches!(description.kind.as_str(), "conv" | "psi"),
        dimension,
        depth,
    );
    let vector = |name: String| -> Result<Vec<f64>, Box<dyn Error>> {
        let path = folder.join(name);
        Ok(read_matrix(&path)?.as_slice().to_vec())
    };
    let rule = match description.rule.as_str() {
        "bp" => Rule::gradient_descent(),
        _ => Rule::direct_feedback_alignment(
            (1..depth)
                .map(|l| vector(format!("b_{l}.csv")).map(DVector::from_vec))
                .collect::<Result<_, _>>()?,
        ),
    };
    let theta0 = if folder.join("w_1.csv").exists() {
        let mut weights = Vec::new();
        for l in 1..=depth {
            weights.extend(vector(format!("w_{l}.csv"))?);
        }
        if weights.len() != network.parameters() {
            return Err(format!("{}: weights of another size", folder.display()).into());
        }
        network.theta(DVector::from_vec(weights))
    } else {
        DVector::zeros(network.parameters())
    };
    Ok(Problem::new(dataset, network, rule, Loss::Exponential, theta0).unwrap())
}

fn network(convolutional: bool, dimension: usize, depth: usize) -> Network {
    if convolutional {
        Network::convolutional(dimension, depth)
    } else {
        Network::new(FullyConnectedLinear::new(
            dimension,
            &vec![dimension; depth - 1],
        ))
    }
}

/// Standard deviation of initial weights, in units of that which keeps the size of a signal.
const SMALL: f64 = 0.1;

/// Half width over which the kinks of wide networks are rounded.
const ROUNDED: f64 = 0.1;

impl Wide {
    /// Class means ±μ, `‖μ‖` the separation, and samples around them of standard deviation one in each direction, in
    /// units in which their length is about one.
    fn draw(self) -> Result<Problem, Box<dyn Error>> {
        let (d, n) = (self.dimension, self.samples);
        let labels = DVector::from_fn(n, |n, _| if n % 2 == 0 { 1.0 } else { -1.0 });
        let mean = DVector::from_iterator(d, standard_normals("bench mean", 1).take(d));
        let mean = mean.normalize() * self.separation;
        let noise = standard_normals("bench samples", 1).take(n * d);
        let mut samples = DMatrix::from_iterator(n, d, noise);
        for (mut sample, y) in samples.row_iter_mut().zip(labels.iter()) {
            sample += mean.transpose() * *y;
        }
        samples /= (d as f64).sqrt();
        let network = Network::relu(d, &[self.width, self.width], ROUNDED);
        let mut draws = standard_normals("bench weights", 2);
        let mut theta = DVector::zeros(network.parameters());
        let mut start = 0;
        for (inputs, units) in [(d, self.width), (self.width, self.width), (self.width, 1)] {
            let scale = SMALL * (2.0 / inputs as f64).sqrt();
            for w in theta.rows_mut(start, inputs * units).iter_mut() {
                *w = scale * draws.next().unwrap_or_default();
            }
            start += inputs * units;
        }
        let data = Dataset::new(samples, labels);
        let rule = Rule::gradient_descent();
        Ok(Problem::new(data, network, rule, Loss::Exponential, theta)?)
    }
}

impl Sizes {
    /// Samples of a teacher, feedback of norm about one (transforms of modulus about one, if convolutional), weights.
    pub fn draw(self) -> Problem {
        let network = network(self.convolutional, self.dimension, self.depth);
        let root = (self.dimension as f64).sqrt();
        let rule = if self.feedback {
            let scale = if self.convolutional { 1.0 } else { 1.0 / root };
            let feedback = (1..self.depth).map(|l| {
                let entries = standard_normals("bench feedback", l as u64).take(self.dimension);
                DVector::from_iterator(self.dimension, entries) * scale
            });
            Rule::direct_feedback_alignment(feedback.collect())
        } else {
            Rule::gradient_descent()
        };
        let parameters = network.parameters();
        let weights = standard_normals("bench weights", 1).take(parameters);
        let weights = DVector::from_iterator(parameters, weights) * (self.initial / root);
        Problem::new(
            gaussian_teacher(self.dimension, self.samples, 1),
            network.clone(),
            rule,
            Loss::Exponential,
            network.theta(weights),
        )
        .unwrap()
    }
}
