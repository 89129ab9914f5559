//! Why a flow cannot be integrated.

use crate::error::{Error, SolverError};
use crate::trajectory::Status;

/// An error of whichever solver is underneath.
pub(super) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why there is no trajectory at all. (A run that fails midway has one, with a status and a message.)
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    #[error(
        "the flow is not finite at t = 0: margins of the initial weights overflow; scale the data or the initial \
         weights down"
    )]
    NotFiniteAtStart,
    #[error("the integrator could not start: {0}")]
    CannotStart(#[source] Cause),
    #[error("the state at log-log-time {s} was lost: {cause}")]
    StateLost {
        s: f64,
        #[source]
        cause: Cause,
    },
    #[error(
        "the checkpoint does not hold a state of this integrator; it has been removed, give the command again"
    )]
    ForeignPast,
    #[error(transparent)]
    Piece(#[from] PieceError),
}

/// Why a run cannot pass from one piece of its field into the next.
#[derive(Debug, thiserror::Error)]
pub enum PieceError {
    #[error("weights or multipliers on a border are no longer finite")]
    NotFinite,
    /// As the field says it.
    #[error("{0}")]
    NoneEntered(String),
    #[error("{0} kinks were crossed in a row without progress")]
    Stalled(usize),
}

impl PieceError {
    /// How a run ends by it.
    pub fn status(&self) -> Status {
        match self {
            Self::NotFinite => Status::NonFinite,
            Self::NoneEntered(_) | Self::Stalled(_) => Status::StepTooSmall,
        }
    }
}

impl From<FlowError> for Error {
    fn from(e: FlowError) -> Self {
        match e {
            FlowError::NotFiniteAtStart => SolverError::FlowOverflows,
            FlowError::CannotStart(cause) => SolverError::CannotStart(cause.to_string()),
            FlowError::StateLost { s, cause } => SolverError::StateLost {
                log_log_time: s,
                cause: cause.to_string(),
            },
            FlowError::ForeignPast => SolverError::ForeignState,
            FlowError::Piece(why) => SolverError::NoPiece(why.to_string()),
        }
        .into()
    }
}
