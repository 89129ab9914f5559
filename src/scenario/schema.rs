//! The keys of a scenario, as serde reads them: externally tagged enums, unknown keys refused everywhere.

use super::layers::LayersTable;
use super::numbers::{AtLeast, Depth, Fraction, Horizon, Positive, Scale, Seed, StepCount};
use super::relu::ReluTable;
use super::rule::LearningRule;
use super::source::did_you_mean;
use super::study::keys::Study;
use super::{Kind, NetworkCase};
use crate::claims::{self, Outcome};
use crate::flow::clock;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use toml::Spanned;

/// A path relative to the scenario, and where it is written.
pub(super) type FilePath = Spanned<PathBuf>;

/// A scenario of marginflow: data, network, learning rule, start, horizon, and what is expected of the claims.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Document {
    /// One line for tables and pages; the file's name if absent.
    pub title: Option<String>,
    /// ℓ: the multiplier of a sample with margin m is exp(−m), or 1/(1 + exp(m)).
    #[serde(default)]
    pub loss: LossName,
    /// Samples x_n (length D) and labels: y_n = ±1, or classes.
    pub dataset: DatasetSource,
    /// What is trained.
    pub network: Architecture,
    /// How errors are sent back to the layers.
    pub rule: LearningRule,
    /// The weights at time 0.
    #[schemars(with = "Initial")]
    pub initial: Spanned<Initial>,
    /// The flow: how far, how exactly, by which method.
    pub flow: Flow,
    /// Training by finite steps beside the flow; none if absent.
    pub steps: Option<Steps>,
    /// Many networks, ratios n/D and seeds, for the verb `sweep`; none if absent.
    #[schemars(with = "Option<Sweep>")]
    pub sweep: Option<Spanned<Sweep>>,
    /// Many runs with some keys varied, for the verb `study`; none if absent.
    #[schemars(with = "Option<Study>")]
    pub study: Option<Spanned<Study>>,
    /// Claim = expected verdict; a run whose verdicts differ ends with exit code 1.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Outcome>", transform = super::describe::claims_as_keys)]
    pub expect: BTreeMap<ClaimId, Outcome>,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum LossName {
    /// exp(−m)
    #[default]
    Exponential,
    /// ln(1 + exp(−m))
    Logistic,
    /// ln(1 + Σ exp(−m)) over the margins of a sample: −ln softmax of its class; for labels ±1 the logistic loss
    CrossEntropy,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    deny_unknown_fields
)]
pub(super) enum DatasetSource {
    /// Standard normal samples, labelled by the sign of a standard normal teacher's output.
    GaussianTeacher {
        /// Number of features D.
        #[schemars(with = "AtLeast<1>")]
        dimension: Spanned<AtLeast<1>>,
        /// Number of samples N.
        samples: AtLeast<1>,
        /// Which draw.
        seed: Seed,
        /// Number of classes C: labels are then the largest of the outputs of a teacher with C of them; ±1 if absent.
        #[schemars(with = "Option<AtLeast<2>>")]
        classes: Option<Spanned<AtLeast<2>>>,
    },
    /// Classes of normal samples around means of their own, which are standard normal.
    ClassMeans {
        /// Number of features D.
        #[schemars(with = "AtLeast<1>")]
        dimension: Spanned<AtLeast<1>>,
        /// Number of classes C.
        #[schemars(with = "AtLeast<2>")]
        classes: Spanned<AtLeast<2>>,
        /// Number of samples N, in turn of every class.
        #[schemars(with = "AtLeast<2>")]
        samples: Spanned<AtLeast<2>>,
        /// Standard deviation of the samples around the mean of their class.
        spread: Positive,
        /// Which draw.
        seed: Seed,
    },
    /// Standard normal samples, labelled at random.
    GaussianRandomLabels {
        /// Number of features D.
        #[schemars(with = "AtLeast<1>")]
        dimension: Spanned<AtLeast<1>>,
        /// Number of samples N.
        samples: AtLeast<1>,
        /// Which draw.
        seed: Seed,
    },
    /// Matrices without header, CSV or npy.
    Files {
        /// One sample per row: N × D.
        #[schemars(with = "PathBuf")]
        samples: FilePath,
        /// N entries, each 1 or −1, or a class; must be absent if `format` is `svmlight`.
        #[schemars(with = "Option<PathBuf>")]
        labels: Option<FilePath>,
        /// Number of classes C: labels are then whole numbers 0 … C−1; ±1 if absent.
        #[schemars(with = "Option<AtLeast<2>>")]
        classes: Option<Spanned<AtLeast<2>>>,
        /// How the samples are written.
        #[serde(default)]
        format: Format,
    },
    /// One file with a label in every row.
    Table(Table),
}

/// A table and how it is read.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Table {
    /// The file, from the scenario's folder.
    #[schemars(with = "PathBuf")]
    pub path: FilePath,
    /// How it is written.
    #[serde(default)]
    pub format: Format,
    /// Name of the column of labels; may be absent if `format` is `svmlight`.
    pub label: Option<String>,
    /// Labels that count as 1; may be absent if `format` is `svmlight` and every label is 1 or −1.
    #[schemars(with = "Option<Vec<String>>")]
    pub positive: Option<Spanned<Vec<String>>>,
    /// Labels that count as −1; every other one if absent. Rows with neither are left out.
    #[schemars(with = "Option<Vec<String>>")]
    pub negative: Option<Spanned<Vec<String>>>,
    /// Labels that are classes, numbered from 0 in this order, in place of `positive` and `negative`. Rows with other
    /// labels are left out. Two kinds of labels, ±1, if absent.
    #[schemars(with = "Option<Vec<String>>")]
    pub classes: Option<Spanned<Vec<String>>>,
    /// Columns that are left out, such as ids of rows.
    #[serde(default)]
    pub drop: Vec<String>,
    /// Whether the first row holds the names of the columns; if not, they are named by their numbers, from 1.
    #[serde(default = "yes")]
    pub header: bool,
    /// What stands between fields; the one that the first row has if absent.
    pub separator: Option<SeparatorName>,
    /// Whether features are shifted and scaled to mean 0 and standard deviation 1.
    #[serde(default)]
    pub standardise: bool,
    /// Whether a feature that is 1 for every sample is added, so that separating planes need not pass through the
    /// origin. Its weight, the bias, is penalised: it counts in the norm and the margin like every other weight.
    #[serde(default)]
    pub constant_feature: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Format {
    /// Fields between separators, or npy where the file's name ends so.
    #[default]
    Csv,
    /// `label index:value …`, the sparse format of SVMlight and LIBSVM.
    Svmlight,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SeparatorName {
    /// ,
    Comma,
    /// ;
    Semicolon,
    /// The character of the tabulator key.
    Tab,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    deny_unknown_fields
)]
pub(super) enum Architecture {
    #[serde(rename = "fully-connected-linear")]
    /// Fully connected linear layers.
    FullyConnected {
        /// Number of layers L.
        #[schemars(with = "Depth")]
        depth: Spanned<Depth>,
        /// Widths of layers 1 … L−1; every one D if absent.
        #[schemars(with = "Option<Vec<AtLeast<1>>>")]
        hidden: Option<Spanned<Vec<AtLeast<1>>>>,
    },
    #[serde(rename = "convolutional-linear")]
    /// Linear layers of circular convolutions of full width, the last one a full filter.
    Convolutional {
        /// Number of layers L.
        #[schemars(with = "Depth")]
        depth: Spanned<Depth>,
    },
    #[serde(rename = "diagonal-linear")]
    /// Linear layers that scale every feature.
    Diagonal {
        /// Number of layers L.
        #[schemars(with = "Depth")]
        depth: Spanned<Depth>,
    },
    /// Fully connected layers with rectified units, without biases.
    Relu(ReluTable),
    /// Dense layers, convolutions and averages with any activations, to one output or several.
    Layers(LayersTable),
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    deny_unknown_fields
)]
pub(super) enum Feedback {
    /// Normal entries.
    Gaussian {
        /// Which draw.
        seed: Seed,
        /// Standard deviation; 1 if absent.
        scale: Option<Scale>,
    },
    /// Every entry the layer acts with has modulus one.
    UnitModulus {
        /// Which draw.
        seed: Seed,
    },
    /// Orthonormal columns: b_lᵀb_l = 1, for layers at least as wide as the number of columns.
    Orthonormal {
        /// Which draw.
        #[schemars(with = "Seed")]
        seed: Spanned<Seed>,
    },
    /// One file per hidden layer, CSV or npy. For direct feedback alignment b_l, a single column (one per class where
    /// labels are classes) with one entry per unit of layer l. For feedback alignment F_l in δ_l = F_l δ_(l+1): one row
    /// per unit of layer l, one column per unit of layer l+1, the shape of w_(l+1) (a single column for the last one,
    /// and for every one of convolutional and diagonal networks).
    Files(#[schemars(with = "Vec<PathBuf>")] Spanned<Vec<FilePath>>),
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    deny_unknown_fields
)]
pub(super) enum Initial {
    /// All weights 0; gradient descent cannot leave it.
    Zero,
    /// Normal weights.
    Gaussian {
        /// Standard deviation.
        scale: Scale,
        /// Which draw.
        seed: Seed,
        /// Whether the output weights of a two-layer ReLU network under fixed feedback are put on the conserved level
        /// b_j w_2j = ½‖w_1j‖²; not if absent.
        #[schemars(with = "Option<bool>")]
        level_set: Option<Spanned<bool>>,
        /// Whether the output weights are zero, so that the network starts from the predictor 0; not if absent.
        #[schemars(with = "Option<bool>")]
        zero_output: Option<Spanned<bool>>,
    },
    /// One file per layer, CSV or npy: inputs as rows, units as columns; the last layer (where labels are ±1), and
    /// every convolutional or diagonal one, a single column.
    Files(#[schemars(with = "Vec<PathBuf>")] Vec<FilePath>),
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Flow {
    /// The horizon.
    #[schemars(with = "Until")]
    pub until: Spanned<Until>,
    /// Relative tolerance of a step; 1e-6 if absent.
    pub rtol: Option<Fraction>,
    /// Absolute tolerance of weights; 1e-8 if absent.
    pub atol: Option<Positive>,
    /// The integrator. Where `adams-bdf` leaves a run to others (weights at rest, forces that balance), it takes `bdf`.
    #[serde(default)]
    pub method: MethodName,
    /// What is integrated; all weights if absent.
    #[schemars(with = "Option<StateName>")]
    pub state: Option<Spanned<StateName>>,
    /// Number of saved states, equally spaced in log-log-time; 201 if absent, fewer of large networks.
    pub saves: Option<AtLeast<2>>,
    /// Steps between the fixed points at which methods other than `adams-bdf` begin anew, so that a run that was killed
    /// can go on from there bit for bit; 200 to 10000 if absent, fewer for large problems.
    pub checkpoint_steps: Option<AtLeast<200>>,
    /// Budget of steps; a run that needs more ends with exit code 5. 1000000 if absent.
    pub max_steps: Option<AtLeast<1>>,
    /// Budget of time, seconds; as for steps. 3600 if absent.
    pub max_wall_seconds: Option<Positive>,
}

/// Finite-step runs beside the flow.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Steps {
    /// Step sizes η, one run each.
    #[schemars(with = "Vec<Positive>")]
    pub sizes: Spanned<Vec<Positive>>,
    /// Steps of every run.
    pub count: StepCount,
    /// What the k-th step is multiplied by.
    #[serde(default)]
    pub schedule: ScheduleName,
    /// What is stepped; all weights if absent.
    #[schemars(with = "Option<StateName>")]
    pub state: Option<Spanned<StateName>>,
}

/// A sweep over networks, ratios n/D and seeds.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Sweep {
    /// Networks and rules: `fc`, `fc-dfa-L`, `fc-bp-L`, `conv-dfa-L`, `conv-dfa-L-unit`, `conv-bp-L`, `diagonal-dfa-L`,
    /// `diagonal-dfa-L-unit`, `diagonal-bp-L`, with L the depth. Deeper than 2, `conv-bp-L` and `diagonal-bp-L` have no
    /// one limit to be measured.
    #[schemars(with = "Vec<String>")]
    pub cases: Spanned<Vec<NetworkCase>>,
    /// Samples per dimension, n/D.
    #[schemars(with = "Vec<Positive>")]
    pub ratios: Spanned<Vec<Positive>>,
    /// Number of draws of data and feedback per ratio.
    #[schemars(with = "AtLeast<1>")]
    pub seeds: Spanned<AtLeast<1>>,
    /// What is measured: `limit`, `flow`, `steps`; the limit alone if absent.
    #[schemars(with = "Option<Vec<Kind>>")]
    pub kinds: Option<Spanned<Vec<Kind>>>,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ScheduleName {
    /// The same for every step: 1.
    #[default]
    Constant,
    /// 1/𝓛, the reciprocal of the loss at that step, which reaches losses like exp(−10⁵).
    LossNormalised,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum StateName {
    /// Every weight.
    Full,
    /// The few numbers that a fully connected linear network under fixed feedback amounts to.
    Reduced,
}

/// The horizon, in one of three clocks.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Until {
    /// s = ln(1 + ln(1 + t)); below 700.
    LogLogTime(Horizon),
    /// τ = ln(1 + t)
    LogTime(Horizon),
    /// t itself.
    Time(Horizon),
}

impl Until {
    /// `s = ln(1 + ln(1 + t))`, with `τ = ln(1+t)` for a log-time.
    pub(super) fn log_log_time(self) -> f64 {
        match self {
            Self::LogLogTime(s) => s.get(),
            Self::LogTime(tau) => clock::log_log_time_of_log_time(tau.get()),
            Self::Time(t) => clock::log_log_time_of_time(t.get()),
        }
    }
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum MethodName {
    /// Adams formulas for the weights, backward differences for the multipliers.
    #[default]
    AdamsBdf,
    /// Backward differences, orders 1 to 5.
    Bdf,
    /// A singly diagonally implicit Runge–Kutta method of order 4.
    Esdirk34,
    /// Trapezoidal rule and backward differences, order 2.
    TrBdf2,
    /// An explicit Runge–Kutta method of order 5: early times only.
    Tsit45,
}

/// The id of a claim this version checks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct ClaimId(pub String);

impl TryFrom<String> for ClaimId {
    type Error = String;

    fn try_from(id: String) -> Result<Self, String> {
        if claims::ids().any(|known| known == id) {
            return Ok(Self(id));
        }
        let known: Vec<&str> = claims::ids().collect();
        let guess = did_you_mean(&id, &known).unwrap_or_default();
        Err(format!(
            "unknown claim `{id}`{guess}; the claims are {}",
            known.join(", ")
        ))
    }
}
