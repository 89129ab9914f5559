//! The keys of a scenario, as serde reads them: externally tagged enums, unknown keys refused everywhere.

use super::numbers::{AtLeast, Depth, Fraction, Positive, Scale, Seed, Smoothing};
use super::source::did_you_mean;
use crate::claims::{self, Outcome};
use crate::flow::clock;
use crate::sweep::{Kind, NetworkCase};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use toml::Spanned;

/// A path relative to the scenario, and where it is written.
pub(super) type FilePath = Spanned<PathBuf>;

/// A whole scenario file.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Document {
    pub title: Option<String>,
    #[serde(default)]
    pub loss: LossName,
    pub dataset: DatasetSource,
    pub network: Architecture,
    pub rule: LearningRule,
    pub initial: Spanned<Initial>,
    pub flow: Flow,
    pub steps: Option<Steps>,
    pub sweep: Option<Spanned<Sweep>>,
    #[serde(default)]
    pub expect: BTreeMap<ClaimId, Outcome>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum LossName {
    #[default]
    Exponential,
    Logistic,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    deny_unknown_fields
)]
pub(super) enum DatasetSource {
    GaussianTeacher {
        dimension: Spanned<AtLeast<1>>,
        samples: AtLeast<1>,
        seed: Seed,
    },
    GaussianRandomLabels {
        dimension: Spanned<AtLeast<1>>,
        samples: AtLeast<1>,
        seed: Seed,
    },
    Files {
        samples: FilePath,
        labels: FilePath,
    },
    Table {
        path: FilePath,
        label: String,
        positive: Spanned<Vec<String>>,
        negative: Option<Spanned<Vec<String>>>,
        #[serde(default)]
        standardise: bool,
        #[serde(default)]
        constant_feature: bool,
    },
}

#[derive(Debug, Clone, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    deny_unknown_fields
)]
pub(super) enum Architecture {
    #[serde(rename = "fully-connected-linear")]
    FullyConnected {
        depth: Spanned<Depth>,
        /// Widths of layers 1 … L−1; every one D if absent.
        hidden: Option<Spanned<Vec<AtLeast<1>>>>,
    },
    #[serde(rename = "convolutional-linear")]
    Convolutional { depth: Spanned<Depth> },
    #[serde(rename = "diagonal-linear")]
    Diagonal { depth: Spanned<Depth> },
    Relu {
        /// Widths of layers 1 … L−1.
        hidden: Spanned<Vec<AtLeast<1>>>,
        /// ε; exact kinks if absent.
        #[serde(default)]
        smoothing: Smoothing,
    },
}

#[derive(Debug, Clone, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    deny_unknown_fields
)]
pub(super) enum LearningRule {
    GradientDescent,
    FeedbackAlignment { feedback: Feedback },
    DirectFeedbackAlignment { feedback: Feedback },
}

#[derive(Debug, Clone, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    deny_unknown_fields
)]
pub(super) enum Feedback {
    Gaussian {
        seed: Seed,
        scale: Option<Scale>,
    },
    /// Every entry the layer acts with has modulus one.
    UnitModulus {
        seed: Seed,
    },
    Files(Spanned<Vec<FilePath>>),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    deny_unknown_fields
)]
pub(super) enum Initial {
    Zero,
    Gaussian {
        scale: Scale,
        seed: Seed,
        /// Whether the output weights are put on the conserved level; not if absent.
        level_set: Option<Spanned<bool>>,
    },
    Files(Vec<FilePath>),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Flow {
    pub until: Spanned<Until>,
    pub rtol: Option<Fraction>,
    pub atol: Option<Positive>,
    #[serde(default)]
    pub method: MethodName,
    /// What is integrated; all weights if absent.
    pub state: Option<Spanned<StateName>>,
    pub saves: Option<AtLeast<2>>,
    pub max_steps: Option<AtLeast<1>>,
    pub max_wall_seconds: Option<Positive>,
}

/// Finite-step runs beside the flow.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Steps {
    /// η, one run each.
    pub sizes: Spanned<Vec<Positive>>,
    pub count: AtLeast<1>,
    #[serde(default)]
    pub schedule: ScheduleName,
    /// What is stepped; all weights if absent.
    pub state: Option<Spanned<StateName>>,
}

/// A sweep over networks, ratios n/D and seeds.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Sweep {
    pub cases: Spanned<Vec<NetworkCase>>,
    /// n/D
    pub ratios: Spanned<Vec<Positive>>,
    pub seeds: Spanned<AtLeast<1>>,
    /// What is measured; the limit if absent.
    pub kinds: Option<Spanned<Vec<Kind>>>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ScheduleName {
    #[default]
    Constant,
    LossNormalised,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum StateName {
    Full,
    Reduced,
}

/// The horizon, in one of three clocks.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Until {
    LogLogTime(Positive),
    LogTime(Positive),
    Time(Positive),
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

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum MethodName {
    #[default]
    AdamsBdf,
    Bdf,
    Esdirk34,
    TrBdf2,
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
