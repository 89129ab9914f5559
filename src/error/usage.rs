//! Errors in a command line.

use std::path::PathBuf;

/// A command line that asks for something that does not exist, or cannot be understood.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum UsageError {
    /// `--set` with something that is not an assignment to a key.
    #[error("{}", printable(&format!("--set {assignment}: {why}")))]
    Assignment {
        assignment: String,
        why: AssignmentError,
    },
    /// `--checkpoint-every` with something that is not a time.
    #[error("--checkpoint-every {0}: give a number of seconds >= 0")]
    CheckpointInterval(f64),
    /// Sizes of figures that cannot be drawn.
    #[error("{0}")]
    Figures(String),
    /// `limit --beside` with a scenario whose limit is not a direction in the same space.
    #[error("--beside {}: {why}", scenario.display())]
    Beside { scenario: PathBuf, why: String },
    #[error("there is no claim \"{id}\"; the claims are {}", known.join(", "))]
    UnknownClaim {
        id: String,
        known: Vec<&'static str>,
    },
    /// `reproduce --only` with an unknown name.
    #[error("\"{name}\" is neither a scenario here nor a claim; the claims are {}", claims.join(", "))]
    UnknownExperiment {
        name: String,
        claims: Vec<&'static str>,
    },
    /// `reproduce --only` with a claim about which no scenario has an expectation.
    #[error("no scenario here is expected to decide the claim \"{0}\"")]
    UndecidedClaim(String),
    /// A folder without scenarios, and why.
    #[error(
        "{}: {why}; give the folder of scenarios with --scenarios (the one that comes with marginflow is `scenarios` \
         in its repository)",
        folder.display()
    )]
    NoScenarios { folder: PathBuf, why: String },
    /// No sweep or study is planned in the folder.
    #[error(
        "{folder} holds no {verb}; make one with: marginflow {verb} plan SCENARIO --out {folder}",
        folder = folder.display()
    )]
    NoBatch { verb: &'static str, folder: PathBuf },
    /// A sweep or study is planned in the folder of another one.
    #[error(
        "{} holds another {verb} (scenario {scenario}, sha256 {}…, version {version}); give a folder of its own \
         with --out",
        folder.display(),
        sha256.get(..12).unwrap_or_default()
    )]
    AnotherBatch {
        verb: &'static str,
        folder: PathBuf,
        scenario: String,
        sha256: String,
        version: String,
    },
    /// A sweep or study that another version of this program planned.
    #[error(
        "the {verb} in {} was planned by version {version}, this is {}; results of two versions are not mixed, plan it \
         into another folder",
        folder.display(),
        env!("CARGO_PKG_VERSION")
    )]
    BatchOfAnotherVersion {
        verb: &'static str,
        folder: PathBuf,
        version: String,
    },
    #[error("{} is not valid UTF-8 and cannot be written into a script", _0.display())]
    PathNotText(PathBuf),
    #[error(
        "Slurm cannot write its logs to {}; use a folder without white space, quotes, backslashes and % in its path",
        _0.display()
    )]
    PathNotForSlurm(PathBuf),
}

/// Why `--set` cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssignmentError {
    #[error("expected key=value, e.g. --set flow.rtol=1e-8")]
    NoEqualsSign,
    #[error("the part before `=` is not a dotted key")]
    NotAKey,
    /// A plain value where the key needs a table.
    #[error("`{0}` is not a table")]
    NotATable(String),
}

/// A message with visible marks for control characters, so that quoted text cannot control the terminal.
pub(crate) fn printable(message: &str) -> String {
    let mark = |c: char| {
        if c.is_control() && c != '\n' {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    message.chars().map(mark).collect()
}
