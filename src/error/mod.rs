//! Every way a command can fail, and the exit code it ends with.
//!
//! An [`Error`] has a variant for each way, which holds the details and renders them for the user: what, where, what to
//! do. [`exit`] is the table of exit codes.

pub mod exit;
#[cfg(feature = "scenarios")]
mod scenario;
mod separability;
mod solver;
mod usage;

#[cfg(feature = "scenarios")]
pub use scenario::{Mistake, ScenarioError};
pub use separability::NotSeparable;
pub use solver::SolverError;
pub use usage::{AssignmentError, UsageError};

use std::fmt::Write;
use std::path::PathBuf;

/// What went wrong, as told to the user.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line itself is wrong.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// A scenario that cannot be used.
    #[cfg(feature = "scenarios")]
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A data or weight file that cannot be used. `row` and `column` count from 1.
    #[error("{}{}: {message}", path.display(), position(*row, *column))]
    Data {
        path: PathBuf,
        row: Option<usize>,
        column: Option<usize>,
        message: String,
    },
    /// The data have no separating hyperplane through the origin, or none could be decided.
    #[error(transparent)]
    NotSeparable(#[from] NotSeparable),
    /// Cases of a sweep or study are missing.
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
    /// The integrator could not start or gave up.
    #[error(transparent)]
    Solver(#[from] SolverError),
    /// A signal ended the command.
    #[error("interrupted{}", if *resumable { "; the same command goes on from there" } else { "" })]
    Interrupted {
        /// The signal's number.
        signal: usize,
        /// Whether a checkpoint was written.
        resumable: bool,
    },
    /// Reading or writing failed.
    #[error("{}: {source}", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
}

/// Cases of a sweep or study that are missing or damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Incomplete {
    /// This many cases of a sweep or study that was run as a whole.
    #[error("{0} cases are missing")]
    Cases(usize),
    /// These cases of a sweep or study that is run in shards.
    #[error(
        "{} of {total} cases are missing or damaged; `marginflow {verb} run --out {}` does them:{}",
        missing.len(),
        folder.display(),
        listed(missing)
    )]
    Batch {
        /// The verb that does them.
        verb: &'static str,
        /// Number and name of each missing case.
        missing: Vec<(usize, String)>,
        /// Number of cases in all.
        total: usize,
        folder: PathBuf,
    },
}

fn listed(missing: &[(usize, String)]) -> String {
    let mut text = String::new();
    for (id, name) in missing {
        let _ = write!(text, "\n  {id} {name}");
    }
    text
}

fn position(row: Option<usize>, column: Option<usize>) -> String {
    match (row, column) {
        (Some(r), Some(c)) => format!(", row {r}, column {c}"),
        (Some(r), None) => format!(", row {r}"),
        (None, Some(c)) => format!(", column {c}"),
        (None, None) => String::new(),
    }
}

impl Error {
    /// An I/O error that names the path at which it happened.
    pub fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io {
            path: path.into(),
            source,
        }
    }

    /// An error in a data or weight file; [`Self::at_row`] and [`Self::at_column`] say where.
    pub fn data(path: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self::Data {
            path: path.into(),
            row: None,
            column: None,
            message: message.into(),
        }
    }

    /// The same data error, at a row (from 1: the line of a CSV file). Other errors are unchanged.
    pub fn at_row(mut self, at: usize) -> Self {
        if let Self::Data { row, .. } = &mut self {
            *row = Some(at);
        }
        self
    }

    /// The same data error, at a column (from 1). Other errors are unchanged.
    pub fn at_column(mut self, at: usize) -> Self {
        if let Self::Data { column, .. } = &mut self {
            *column = Some(at);
        }
        self
    }

    /// The exit code of a command that ends with this error.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => exit::USAGE,
            Self::Incomplete(_) => exit::INCOMPLETE,
            Self::Solver(_) => exit::SOLVER,
            #[cfg(feature = "scenarios")]
            Self::Scenario(_) => exit::DATA,
            Self::Data { .. } | Self::NotSeparable(_) => exit::DATA,
            Self::Io { .. } => exit::IO,
            Self::Interrupted { signal, .. } => exit::of_signal(*signal),
        }
    }
}

/// The result of whatever can fail in one of these ways.
pub type Result<T> = std::result::Result<T, Error>;
