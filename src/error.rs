//! Every way a command can fail, and the exit code it ends with.

use std::path::PathBuf;

/// What went wrong, said to the user: what, where, what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line itself is wrong (exit 2).
    #[error("{0}")]
    Usage(String),
    /// A scenario file that cannot be used; the text is a rendered snippet with file, line and caret (exit 65).
    #[error("{0}")]
    Scenario(String),
    /// A data or weight file that cannot be used (exit 65). `row` and `column` count from 1.
    #[error("{}{}: {message}", path.display(), position(*row, *column))]
    Data {
        path: PathBuf,
        row: Option<usize>,
        column: Option<usize>,
        message: String,
    },
    /// The data have no separating hyperplane through the origin, or none could be decided (exit 65).
    #[error("{0}")]
    NotSeparable(String),
    /// Cases of a sweep are missing; the text lists them (exit 3).
    #[error("{0}")]
    Incomplete(String),
    /// The integrator could not start or gave up (exit 4).
    #[error("{0}")]
    Solver(String),
    /// A signal ended the command (exit 128 + its number: 130, 143).
    #[error("interrupted{}", if *resumable { "; the same command goes on from there" } else { "" })]
    Interrupted {
        /// The signal's number.
        signal: usize,
        /// Whether a checkpoint was written.
        resumable: bool,
    },
    /// Reading or writing failed (exit 74).
    #[error("{}: {source}", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
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
    /// An I/O error that names the path it happened at.
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

    /// The same data error, at a row (from 1: the line of a CSV file). Other errors stay as they are.
    pub fn at_row(mut self, at: usize) -> Self {
        if let Self::Data { row, .. } = &mut self {
            *row = Some(at);
        }
        self
    }

    /// The same data error, at a column (from 1). Other errors stay as they are.
    pub fn at_column(mut self, at: usize) -> Self {
        if let Self::Data { column, .. } = &mut self {
            *column = Some(at);
        }
        self
    }

    /// The process exit code of this error (DESIGN: 2 usage, 3 sweep incomplete, 4 solver, 65 scenario or data, 74 I/O, 130 and 143 interrupted).
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Incomplete(_) => 3,
            Self::Solver(_) => 4,
            Self::Scenario(_) | Self::Data { .. } | Self::NotSeparable(_) => 65,
            Self::Io { .. } => 74,
            Self::Interrupted { signal, .. } => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        }
    }
}

pub type Result<T> = std::result::Result<T, Error>;
