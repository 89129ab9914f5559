//! Why there is no run, or no limit.

use std::fmt::Write;

/// Why a solver could not start, or has no result.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SolverError {
    /// The time-stepping method refuses the start.
    #[error("the integrator could not start: {0}")]
    CannotStart(String),
    /// The method could not supply an intermediate state.
    #[error("the state at log-log-time {log_log_time} was lost: {cause}")]
    StateLost { log_log_time: f64, cause: String },
    /// The flow at the initial weights overflows.
    #[error(
        "the flow is not finite at t = 0: margins of the initial weights overflow; scale the data or the \
         initial weights down"
    )]
    FlowOverflows,
    /// Finite steps at the initial weights overflow.
    #[error(
        "margins of the initial weights overflow before the first step; scale the data or the initial weights down"
    )]
    StepsOverflow,
    /// The initial weights lie on a border of the field, and no piece of the field is entered from there.
    #[error("{0}")]
    NoPiece(String),
    /// A reduced state was requested, but the problem has none.
    #[error("{0}")]
    NoReducedState(String),
    /// A checkpoint whose checksum is correct but whose content is not.
    #[error(
        "the checkpoint does not hold a state of this integrator; it has been removed, give the command again"
    )]
    ForeignState,
    /// The flow on which a limit depends ended early; the reason as given by its trajectory.
    #[error("{0}")]
    Unfinished(String),
    #[error(
        "no stationary point was found next to the end of the run: it is not yet near its limit; extend flow.until"
    )]
    NoStationaryPoint,
    /// Cases of a sweep or study with their number, and why they failed.
    #[error("some results could not be had; the next run tries again:{}", cases(.0))]
    CasesFailed(Vec<(usize, String)>),
    /// A study all of whose cases failed: the first of them, and why.
    #[error("no case of the study was completed:{}", cases(.0))]
    NoCaseCompleted(Vec<(usize, String)>),
    /// What is missing from the tables of a sweep.
    #[error(
        "merged, but some angles could not be had and are left out of the tables:\n  {}",
        .0.join("\n  ")
    )]
    LeftOut(Vec<String>),
}

fn cases(failed: &[(usize, String)]) -> String {
    let mut text = String::new();
    for (id, why) in failed {
        let _ = write!(text, "\n  case {id} {why}");
    }
    text
}
