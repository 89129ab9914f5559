//! How runs end: detection on data that are not separable, and the messages.

use super::FlowOptions;
use super::clock::{expand, log_log_time_of_log_time, log_time};
use crate::loss::Loss;
use crate::network::Kernel;
use crate::trajectory::{SolverStatistics, Status};

/// What can happen on data that are not separable.
pub(super) enum Beyond {
    /// The weights no longer move.
    Rest,
    /// Multipliers amplify rounding beyond use while the weights still move.
    Overflow,
}

/// Where weights no longer move.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rest {
    /// The forces of the samples balance.
    Minimum,
    /// The forces on most weights balance, and others are still near zero. ln t at which these are expected to have
    /// grown, if they grow.
    Plateau { log_time: Option<f64> },
    /// No sample moves anything, or weights come nearer and nearer to where none does.
    Saddle,
}

/// What is expected of a run whose weights are still near zero at its horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Escape {
    /// They grow, and will have left it at this ln t.
    At(f64),
    /// They do not grow.
    Unknown,
}

/// Message of a run on data without a separator that cannot continue.
pub(super) const NO_SEPARATOR: &str = "margins have stopped growing with log t while the weights still \
     move: no hyperplane that the network can learn separates all of the data, or fixed \
     feedback drives the loss up, and double precision cannot follow further";

/// The same for networks that are not linear in their input.
pub(super) const NOT_FITTED: &str = "margins have stopped growing with log t while the weights still \
     move: from these weights the network does not fit all of the data (samples pull \
     against each other), and double precision cannot follow further";

/// What a run says that has gone where the flow cannot go.
pub(super) const CROSSED: &str = "a weight has changed its sign, though from these initial weights the flow never lets \
     it: layers that start balanced come as near to zero as one likes and do not cross it";

/// What a run says whose weights grow like t.
pub(super) const UNSEEN: &str = "a sample that no unit of a later layer sees still moves the layers before it, by \
     fixed feedback that does not ask what is seen: their weights grow like t, beyond the range of numbers; use other \
     initial weights or wider layers";

/// The same of a run that has to be given up before they leave that range.
pub(super) const UNSEEN_IN_ROUNDING: &str = "a sample that no unit of a later layer sees still moves the layers before \
     it, by fixed feedback that does not ask what is seen: their weights grow like t, and what the other samples are \
     learned with is lost in the rounding of theirs; use other initial weights or wider layers";

/// What a run says whose samples rest against each other, but not quite.
pub(super) const DRIVEN_IN_ROUNDING: &str = "samples that the network does not fit pull against each other, and what \
     is left of their balance drives the weights like a power of t, towards no minimum; by now it is lost in the \
     rounding of the balance; use other initial weights, or another network.relu.smoothing";

/// Log-multipliers p beyond this do not occur on separable data, where they end negative.
pub(super) const STRONG: f64 = 12.0;

/// Log-multipliers p beyond this happen too fast for the clock in use: multipliers leave the range of numbers, or their
/// squares do.
const FAST: f64 = 150.0;

/// ln of the largest multiplier under a loss on samples of so many rows (relative to the clock τ, as p) of samples that
/// are neither dead nor idle.
pub(super) fn fastest(
    kernel: &dyn Kernel,
    (loss, rows): (Loss, usize),
    v: &[f64],
    log_time: f64,
) -> f64 {
    let p: Vec<f64> = v.iter().map(|v| expand(*v)).collect();
    let margins: Vec<f64> = p.iter().map(|p| log_time - p).collect();
    let (mut corrections, mut slopes) = (vec![0.0; p.len()], vec![0.0; p.len()]);
    loss.corrections(rows, &margins, &mut corrections, &mut slopes);
    (p.iter().zip(&corrections).enumerate())
        .filter(|(n, _)| !kernel.dead().contains(n) && !kernel.idle().contains(n))
        .map(|(_, (p, correction))| p + correction)
        .fold(f64::NEG_INFINITY, f64::max)
}

/// Whether the clock is to be begun anew at compressed log-multipliers v: because of a sample that was dead and no
/// longer is, of margins far below zero, or of one that feedback drives down faster and faster.
pub(super) fn is_fast(kernel: &dyn Kernel, loss: (Loss, usize), v: &[f64], log_time: f64) -> bool {
    strongest(v, kernel.dead()) > FAST && fastest(kernel, loss, v, log_time) > FAST
}

/// Whether margins of a linear network start so far from zero that errors relative to them would be none of what they
/// will be, for the compressed log-multipliers v of s = 0.
pub(super) fn starts_far(kernel: &dyn Kernel, v: &[f64]) -> bool {
    kernel.signed_samples().is_some() && v.iter().any(|v| expand(*v).abs() > FAST)
}

/// The largest `p_n` of compressed log-multipliers v, without those of idle samples.
pub(super) fn strongest(v: &[f64], idle: &[usize]) -> f64 {
    v.iter()
        .enumerate()
        .filter(|(n, _)| !idle.contains(n))
        .map(|(_, v)| expand(*v))
        .fold(f64::NEG_INFINITY, f64::max)
}

/// The most that the log-multiplier of an idle sample counts as, at log-multipliers p. It moves nothing, but holds the
/// pairs that slide on its boundary, and for that it has to be stronger than all that pulls at them; its own, which
/// grows like t, is soon no number.
pub(super) fn holding(p: &[f64], idle: &[usize]) -> f64 {
    let pull = (p.iter().enumerate()).filter(|(n, _)| !idle.contains(n));
    STRONG + pull.map(|(_, p)| *p).fold(0.0, f64::max)
}

/// On separable data margins grow with log t and `p_n = τ − m_n` stays small. Where it does not, the flow comes to
/// rest at a minimum of the loss (weights that move by less than 1e-8 of themselves per unit of s although multipliers
/// per unit of s exceed e^12: stationary to rounding), or some samples contradict each other while others are still
/// being learned (both only if their updates cancel, see `System::updates_cancel`: on tiny data multipliers grow
/// merely because nothing has moved yet). In the second case, once multipliers exceed those of the start, `E_n`
/// amplifies the rounding of `p_n` until the implicit equations have no solution in doubles.
pub(super) fn beyond_separability(
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
pub(super) fn overflows(s: f64, strongest: f64, at_start: f64) -> bool {
    s + strongest > 2.0 * s + 36.0 + at_start.max(0.0)
}

/// Where and how a run ended.
pub(super) struct Ending<'a> {
    pub s: f64,
    pub solver: &'a SolverStatistics,
    pub options: &'a FlowOptions,
    pub failure: Option<&'a str>,
    /// s at which the weights came to rest, and where.
    pub rest: Option<(f64, Rest)>,
    /// Of a run that ended near zero weights.
    pub escape: Option<Escape>,
    /// s from which samples that contradict each other are held, how many of how many those are.
    pub contradicted: Option<(f64, usize, usize)>,
    /// Since when samples are held that a network that is not linear in its input does not fit, and how many.
    pub held: Option<(f64, usize)>,
}

/// What a completed run says whose weights rest from log-log-time s on.
fn rested((s, rest): (f64, Rest)) -> String {
    match rest {
        Rest::Minimum => format!(
            "the weights came to rest at log-log-time {s:.3}, a minimum of the loss; later saves repeat them"
        ),
        Rest::Saddle => format!(
            "the weights stay at a saddle of the loss, which is no minimum: as far as double precision can tell they \
             start on the manifold that leads into it, and from log-log-time {s:.3} on nothing moves; later saves \
             repeat them"
        ),
        Rest::Plateau { .. } => format!(
            "the weights came to rest at log-log-time {s:.3}, on a plateau of the loss; later saves repeat them"
        ),
    }
}

/// What a completed run says some of whose samples contradict each other.
fn contradicted((s, held, samples): (f64, usize, usize)) -> String {
    format!(
        "{held} of {samples} distinct samples pull against each other (a combination of them with positive weights \
         vanishes): from log-log-time {s:.3} on their margins stay where the loss is least, and the others' grow"
    )
}

/// What a completed run says some of whose samples are not fitted.
fn not_fitted((s, count): (f64, usize)) -> String {
    format!(
        "from these weights the network does not fit all of the data: the margins of {count} samples have come to rest \
         by log-log-time {s:.3}, where they pull against each other, and the weights go on along this balance for the \
         others"
    )
}

/// What is said of weights near zero at the horizon.
fn plateau(escape: Escape) -> String {
    let when = match escape {
        Escape::At(log_time) => format!(
            "by their present rate of growth they leave it at about log-log-time {:.3} (log-time {log_time:.3e})",
            log_log_time_of_log_time(log_time)
        ),
        Escape::Unknown => "at the horizon they do not grow".to_owned(),
    };
    format!(
        "the weights are still on the plateau of the loss near zero, where products of layers vanish: {when}; extend \
         flow.until, or take larger initial weights"
    )
}

/// What is said of a run that cannot be followed over a plateau on which some samples are learned and others wait.
pub(super) fn partial_plateau(log_time: Option<f64>) -> String {
    let when = match log_time {
        Some(log_time) => format!(
            "at their present rate they have grown at about log-log-time {:.3} (log-time {log_time:.3e})",
            log_log_time_of_log_time(log_time)
        ),
        None => "at present they do not grow".to_owned(),
    };
    format!(
        "a plateau of the loss, no minimum: the forces of the samples on the larger weights balance, and weights that \
         are still near zero wait to be learned; {when}. Double precision cannot follow, since multipliers amplify \
         the rounding of the balance; take larger initial weights"
    )
}

/// What happened, where, and what to try, in a sentence; `None` for a run that simply completed.
pub(super) fn message(status: Status, ending: &Ending<'_>) -> Option<String> {
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
        Status::Completed => (ending.rest.map(rested))
            .or(ending.escape.map(plateau))
            .or(ending.contradicted.map(contradicted))
            .or(ending.held.map(not_fitted)),
        // whatever else flags a run as inaccurate gives the reason
        Status::Inaccurate => ending.failure.map(|why| {
            format!(
                "{why} ({at}); use flow.method = \"adams-bdf\", or lower flow.rtol (now {:e}) and flow.atol (now {:e})",
                ending.options.rtol, ending.options.atol
            )
        }),
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
