//! Alarms: what must hold along every run, and by how much it may fail to hold.
//!
//! A solver that goes wrong rarely reports it: it reaches its horizon with a plausible direction. So a run is
//! `completed` only if everything that can be checked without another run holds to the tolerance, over all saves:
//!
//! - *conserved quantities* of the rule (relative drift, see [`Invariant`](crate::diagnostics::Invariant)): layers
//!   against each other;
//! - *log-multipliers*: `max_n |p_n − (τ − m_n(θ))|`, which are integrated alongside the weights and tied to them only
//!   by the equations: margins against the clock, relative to 1+τ and the largest that |m_n| has been. What is read
//!   off the weights is compared as well, relative to what it is: every margin, the least one, and ln 𝓛, whose
//!   counterpart is the integral of its own rate along the run;
//! - *accumulated multipliers*, for linear networks under fixed feedback: the first layer has learned
//!   `w_1(t) − w_1(0) = Z b_1ᵀ` with `Z = Gᵀ A(t)` (entrywise layers: `ŵ_1 − ŵ_1(0) = b̂_1^* ⊙ Ẑ`): weights against
//!   multipliers. (For all methods but `adams-bdf` A comes from a separate quadrature; there it is summed by the same
//!   formula as the weights, and the law holds to rounding.)
//! - the *closed form* of fully connected linear networks under fixed feedback from zero weights:
//!   `w_l = φ_l b_{l−1} b_lᵀ` with the recursion of φ_l;
//! - with `--verify`, the *same run at a hundredth of the tolerances* ([`verify`]): the angle between the two ends. (A
//!   tighter run that does not complete verifies nothing: the command fails, and the run keeps its own status.)
//!
//! The tolerance is [`tolerance`], but for what is read off the weights, which has a bar of its own at any tolerance.
//! The [`Conclusion`] on a run beyond it is [`Inaccurate`](Status::Inaccurate); it says by how much, where, and what to
//! tighten, and claims are not judged as if the run had arrived.

mod drifts;
mod verification;

pub use drifts::{Drift, drifts};
pub use verification::{Verification, verify};

use crate::diagnostics::{Diagnostics, worse};
use crate::flow::{FlowOptions, Method};
use crate::problem::Problem;
use crate::trajectory::{SolverStatistics, Status, Trajectory};

/// Errors of the steps accumulate: a run may drift by this many times its relative tolerance.
const STEPS_ADD_UP: f64 = 20.0;

/// However loose the tolerance, a run that drifts by more than this is wrong.
const LARGEST: f64 = 1e-3;

/// The smallest drift allowed, for tolerances near rounding.
const ROUNDING: f64 = 1e-8;

/// Below this rtol the drift allowed falls like its square root only: a flow that multiplies the errors of its steps by
/// some factor, whatever they are, passes once they are small enough.
const TIGHT: f64 = 1e-6;

/// Largest drift of a run that is as accurate as claimed: 20 rtol, but at most 1e-3; below rtol = 1e-6 it falls like
/// the square root of rtol, down to 1e-8.
pub fn tolerance(options: &FlowOptions) -> f64 {
    let rtol = options.rtol.max((options.rtol * TIGHT).sqrt());
    (STEPS_ADD_UP * rtol).clamp(ROUNDING, LARGEST)
}

/// How a run ended, once it has been measured: the status of its integration, unless that reached the horizon with
/// something amiss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conclusion {
    pub status: Status,
    /// One sentence for the user: why the run did not complete (what, where, what to try), or that it came to rest.
    pub message: Option<String>,
}

impl Conclusion {
    /// The run reached its horizon, but not as accurately as it should have.
    fn inaccurate(why: String) -> Self {
        Self {
            status: Status::Inaccurate,
            message: Some(why),
        }
    }

    /// Whether the run reached its horizon and nothing is wrong with it.
    pub fn completed(&self) -> bool {
        self.status == Status::Completed
    }

    /// A run that depends on another one takes over that one's conclusion, if that did not complete.
    #[must_use]
    pub fn standing_on(self, name: &str, other: &Self) -> Self {
        if !self.completed() || other.completed() {
            return self;
        }
        let why = other.message.as_deref().unwrap_or_default();
        Self {
            status: other.status,
            message: Some(format!("{name}: {why}")),
        }
    }

    /// A run that completed is inaccurate if the same run at a hundredth of its tolerances ends elsewhere.
    #[must_use]
    pub fn checked_against(
        self,
        tight: &Verification,
        options: &FlowOptions,
        solver: &SolverStatistics,
    ) -> Self {
        if tight.agrees || tight.status != Status::Completed || !self.completed() {
            return self;
        }
        Self::inaccurate(format!(
            "the same run at rtol = {:.1e} ends {:.1e} rad away, more than {:.1e} (step {}, method {}); {}",
            tight.rtol,
            tight.angle_between,
            tight.stated_accuracy,
            solver.steps,
            solver.method,
            advice(options)
        ))
    }
}

/// How a run ended: inaccurate if it reached its horizon but something drifted beyond the tolerance.
pub fn judge(
    problem: &Problem,
    options: &FlowOptions,
    trajectory: &Trajectory,
    measured: &Diagnostics,
) -> Conclusion {
    let as_integrated = Conclusion {
        status: trajectory.status,
        message: trajectory.message.clone(),
    };
    if !as_integrated.completed() {
        return as_integrated;
    }
    let beyond = drifts(problem, options, trajectory, measured)
        .into_iter()
        .filter(Drift::is_too_large)
        .reduce(|x, y| {
            let (first, second) = (x.worst / x.allowed, y.worst / y.allowed);
            if worse(first, second).to_bits() == first.to_bits() {
                x
            } else {
                y
            }
        });
    let Some(Drift {
        name,
        worst,
        allowed,
        log_log_time,
    }) = beyond
    else {
        return as_integrated;
    };
    let by = if worst.is_finite() {
        format!("drifted by {worst:.1e}")
    } else {
        "left the range of numbers".to_owned()
    };
    let solver = &trajectory.solver;
    Conclusion::inaccurate(format!(
        "the run is not as accurate as its tolerance: {name} {by} at log-log-time {log_log_time:.4}, more than \
         {allowed:.1e} (step {}, method {}); {}",
        solver.steps,
        solver.method,
        advice(options)
    ))
}

/// What to tighten.
fn advice(options: &FlowOptions) -> String {
    let mut advice = format!(
        "lower flow.rtol (now {:e}) and flow.atol (now {:e})",
        options.rtol, options.atol
    );
    if !matches!(options.method, Method::AdamsBdf | Method::Bdf) {
        advice += ", or leave flow.method to its default";
    }
    advice
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_falls_more_slowly_than_the_errors_do() {
        let at = |rtol: f64| {
            tolerance(&FlowOptions {
                rtol,
                ..FlowOptions::to(1.0)
            })
        };
        let bars = [0.1, 1e-3, 1e-5, 1e-6, 1e-8, 1e-10, 1e-14].map(at);
        let expected = [1e-3, 1e-3, 2e-4, 2e-5, 2e-6, 2e-7, 1e-8];
        for (bar, expected) in bars.into_iter().zip(expected) {
            assert!((bar / expected - 1.0).abs() < 1e-12, "{bars:?}");
        }
    }
}
