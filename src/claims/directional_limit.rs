//! Theorem 1 and its gradient-descent counterpart: the predictor converges in direction to the hard-margin SVM.

use super::{Claim, Evidence, Outcome, Verdict, limit_of_completed_run};
use crate::diagnostics::Rate;
use crate::network::Network;
use crate::rule::Rule;

pub const THM_1: Claim = Claim {
    id: "thm-1",
    printed: "Under direct feedback alignment flow a fully connected linear network converges in direction to the \
              hard-margin SVM, the same limit as under gradient descent.",
    corrected: "True, from any initial weights; the angle falls like (log t)^{−1/(2^L−1)}, exponentially slower in \
                depth than under gradient descent.",
    check: CHECK,
    judge: |e| match e.problem.rule {
        Rule::DirectFeedbackAlignment(_) | Rule::FeedbackAlignment(_) => judge(e),
        Rule::GradientDescent => not_this_rule("direct feedback alignment"),
    },
};

pub const GD_FC: Claim = Claim {
    id: "gd-fc",
    printed: "Under gradient descent flow a fully connected linear network converges in direction to the hard-margin \
              SVM.",
    corrected: "True (Soudry et al. 2018; Gunasekar et al. 2018; Ji and Telgarsky 2020); the angle falls like \
                (log t)^{−1/L}.",
    check: CHECK,
    judge: |e| match e.problem.rule {
        Rule::GradientDescent => judge(e),
        Rule::DirectFeedbackAlignment(_) | Rule::FeedbackAlignment(_) => {
            not_this_rule("gradient descent")
        }
    },
};

const CHECK: &str = "Residual: the final angle between the predictor and the SVM direction. Tolerance: 0.01 rad, and the \
                     angle must still fall (at a quarter of the predicted rate or faster) unless it is below 1e-6 rad. \
                     Above the tolerance: inconclusive while it falls, violated once it has stalled (log-log-time 5 \
                     or later). Hypotheses: fully connected linear, separable data.";

/// Radians.
const TOLERANCE: f64 = 0.01;

/// An angle below this is at the limit, falling or not (radians).
const ARRIVED: f64 = 1e-6;

/// What counts as the predicted rate where theory has none: such angles fall like small powers of log t.
const SLOW: f64 = -0.1;

/// Log-log-time before which a stall says nothing.
const EARLY: f64 = 5.0;

fn not_this_rule(rule: &str) -> Verdict {
    Verdict::without_measurement(Outcome::NotApplicable, format!("the rule is not {rule}"))
}

fn judge(e: &Evidence<'_>) -> Verdict {
    let Network::FullyConnectedLinear(_) = &e.problem.network else {
        return super::not_this_network("fully connected linear");
    };
    if let Err(verdict) = limit_of_completed_run(e) {
        return verdict;
    }
    let d = e.diagnostics;
    let Some(angle) = d.final_angle() else {
        return Verdict::without_measurement(Outcome::Inconclusive, "no angle was measured");
    };
    let gap = match d.duality_gap.last().copied().flatten() {
        Some(gap) => format!("the run's own duality gap is {gap:.1e}"),
        None => "some margin is not positive".to_owned(),
    };
    let end = d.log_log_time[d.log_log_time.len() - 1];
    let falls = d
        .rate
        .as_ref()
        .is_some_and(|r: &Rate| r.observed <= 0.25 * r.predicted.unwrap_or(SLOW));
    let slope = d.rate.as_ref().map_or_else(String::new, |r| {
        format!(
            ", slope {:+.4} against log-log-time ({})",
            r.observed,
            r.prediction()
        )
    });
    let measured = format!("angle {angle:.3e} rad at the end{slope}; {gap}");
    let outcome = if angle <= ARRIVED || (angle <= TOLERANCE && falls) {
        Outcome::Holds
    } else if falls || end < EARLY || d.rate.is_none() {
        Outcome::Inconclusive
    } else {
        Outcome::Violated
    };
    let evidence = match outcome {
        Outcome::Inconclusive => {
            format!("not yet in the asymptotic regime, extend flow.until: {measured}")
        }
        Outcome::Violated => format!("the angle has stalled: {measured}"),
        _ => measured,
    };
    Verdict::new(outcome, angle, TOLERANCE, evidence)
}
