//! How runs end: detection on data that are not separable, and the messages.

use super::FlowOptions;
use super::clock::log_time;
use crate::trajectory::{SolverStatistics, Status};

/// What can happen on data that are not separable.
pub enum Beyond {
    /// The weights no longer move.
    Rest,
    /// Multipliers amplify rounding beyond use while the weights still move.
    Overflow,
}

/// Message of a run on data without a separator that cannot continue.
pub const NO_SEPARATOR: &str = "margins have stopped growing with log t while the weights still \
     move: no hyperplane that the network can learn separates all of the data, or fixed \
     feedback drives the loss up, and double precision cannot follow further";

/// The same for networks that are not linear in their input.
pub const NOT_FITTED: &str = "margins have stopped growing with log t while the weights still \
     move: from these weights the network does not fit all of the data (samples pull \
     against each other), and double precision cannot follow further";

/// Log-multipliers p beyond this do not occur on separable data, where they become negative in the end.
pub const STRONG: f64 = 12.0;

/// On separable data margins grow with log t and `p_n = τ − m_n` stays small. Where it does not, the flow comes to
/// rest at a minimum of the loss (weights that move by less than 1e-8 of themselves per unit of s although multipliers
/// per unit of s exceed e^12: stationary to rounding), or some samples contradict each other while others are still
/// being learned (both only if their updates cancel, see `System::updates_cancel`: on tiny data multipliers grow
/// merely because nothing has moved yet). In the second case, once multipliers exceed those of the start, `E_n`
/// amplifies the rounding of `p_n` until the implicit equations have no solution in doubles.
pub fn beyond_separability(
    s: f64,
    strongest: f64,
    at_start: f64,
    theta: &[f64],
    velocity: &[f64],
) -> Option<Beyond> {
    let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
    if s + strongest <= STRONG {
        None
    } else if norm(velocity) <= 1e-8 * norm(theta) {
        Some(Beyond::Rest)
    } else if overflows(s, strongest, at_start) {
        Some(Beyond::Overflow)
    } else {
        None
    }
}

/// Whether the largest `p_n` lets `E_n` amplify rounding beyond use; at s = 0 it was `at_start`.
pub fn overflows(s: f64, strongest: f64, at_start: f64) -> bool {
    s + strongest > 2.0 * s + 36.0 + at_start.max(0.0)
}

/// Where and how a run ended.
pub struct Ending<'a> {
    pub s: f64,
    pub solver: &'a SolverStatistics,
    pub options: &'a FlowOptions,
    pub failure: Option<&'a str>,
    /// s at which the weights came to rest.
    pub rest: Option<f64>,
}

/// What happened, where, and what to try, in a sentence; `None` for a run that simply completed.
pub fn message(status: Status, ending: &Ending<'_>) -> Option<String> {
    let at = format!(
        "at log-log-time {:.6} (log-time {:.6e}), step {}, method {}",
        ending.s,
        log_time(ending.s),
        ending.solver.steps,
        ending.solver.method
    );
    let detail = ending
        .failure
        .map(|f| format!(" ({f})"))
        .unwrap_or_default();
    match status {
        Status::Completed => ending.rest.map(|s| {
            format!(
                "the weights came to rest at log-log-time {s:.3}, a minimum of the loss; later saves repeat them"
            )
        }),
        // whatever flags a run as inaccurate gives the reason
        Status::Inaccurate => None,
        Status::BudgetSteps => Some(format!(
            "the budget of {} steps ran out {at}; raise flow.max-steps",
            ending.options.max_steps
        )),
        Status::BudgetWall => Some(format!(
            "the budget of {:?} seconds ran out {at}; raise flow.max-wall-seconds",
            ending.options.max_wall_seconds
        )),
        Status::StepTooSmall => Some(format!(
            "the step size vanished {at}{detail}; try another flow.rtol, or flow.method = \"esdirk34\""
        )),
        Status::NonlinearFailure => Some(format!(
            "the implicit equations could not be solved {at}{detail}; try a smaller flow.rtol or flow.method = \
             \"esdirk34\""
        )),
        Status::NonFinite => Some(format!(
            "the state ceased to be finite {at}{detail}; an explicit method beyond its stability limit does this: use \
             flow.method = \"bdf\" or a smaller flow.rtol"
        )),
    }
}
