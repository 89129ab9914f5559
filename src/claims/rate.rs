//! The rates of directional convergence (ours): `angle ∝ (log t)^{−1/(2^L−1)}` under DFA, `(log t)^{−1/L}` under BP.

use super::{Claim, Evidence, Outcome, Verdict, limit_of_completed_run, not_applicable};
use crate::diagnostics::learned_in_span;

pub const RATE_DFA: Claim = Claim {
    id: "rate-dfa",
    printed: "(Not in the report.) Under DFA the angle to the limit falls like (log t)^{−1/(2^L−1)}.",
    corrected: "Derived and measured here: what was learned outside the span of the support vectors stays in Z while ‖Z‖ \
                grows like (log t)^{1/(2^L−1)}. Convolutional networks can be slower, (log t)^{−a/(2^L−1)} with a ≤ 1 \
                from the limit itself (docs/theory.md): the phases of the layers lag. At L = 2, 2/3 < a ≤ 1; at L = 3, a = 1.",
    check: CHECK,
    judge: |e| judge(e, true),
};

pub const RATE_BP: Claim = Claim {
    id: "rate-bp",
    printed: "(Not in the report.) Under gradient descent the angle to the limit falls like (log t)^{−1/L}.",
    corrected: "Measured here for fully connected networks: all layers grow like (log t)^{1/L}, and what was learned or \
                initialised outside the span of the support vectors does not. Derived and measured here for \
                convolutional and diagonal networks of depth 2: (log t)^{−r} with r from the limit itself, the smaller \
                of 1 − κ for the largest dual entry κ off its support and of the rates at which phases on it relax \
                (docs/theory.md). No prediction beyond depth 2.",
    check: CHECK,
    judge: |e| judge(e, false),
};

const CHECK: &str = "Residual: |fitted − predicted slope| of ln angle against s = ln(1 + ln(1+t)), over the last third \
                     of the run (angles above 1e-10 rad). Tolerance: 0.005. Inconclusive while the slopes of the two \
                     halves of the window differ by more than that, while they still approach the prediction or lie between it and −1/(2^L − 1), or before s = 8. Hypotheses: linear network, separable data, and (but for \
                     gradient descent on convolutional or diagonal networks) something outside the span of the \
                     support vectors was learned (some sample is not in that span) or initialised (w_1(0) under gradient \
                     descent, w_1(0) b_1 or ŵ_1(0)/b̂_1^* under fixed feedback).";

const TOLERANCE: f64 = 0.005;

/// Log-log-time before which corrections to the power law still show.
const EARLY: f64 = 8.0;

fn judge(e: &Evidence<'_>, feedback: bool) -> Verdict {
    if let Some(verdict) = super::other_rule(e, feedback) {
        return verdict;
    }
    let depth = e.problem.network.depth();
    let sparse = !feedback && e.problem.network.spectral().is_some() && depth > 1;
    if sparse && depth > 2 {
        return not_applicable(
            "no rate is predicted for gradient descent on such networks beyond depth 2",
        );
    }
    let limit = match limit_of_completed_run(e) {
        Ok(limit) => limit,
        Err(verdict) => return verdict,
    };
    if !sparse && learned_in_span(e.problem, limit) {
        let measured = e.diagnostics.rate.as_ref().map_or_else(String::new, |r| {
            format!(" (measured slope {:+.4})", r.observed)
        });
        return Verdict::without_measurement(
            Outcome::NotApplicable,
            format!(
                "nothing outside the span of the support vectors was learned or kept, so the angle falls faster than the \
                 law{measured}"
            ),
        );
    }
    let d = e.diagnostics;
    let Some(rate) = &d.rate else {
        return Verdict::without_measurement(
            Outcome::Inconclusive,
            "too few saves with an angle above 1e-10 rad to fit a slope (flow.saves, flow.until)",
        );
    };
    let Some(predicted) = rate.predicted else {
        return not_applicable("theory predicts no rate for this network and rule");
    };
    let residual = (rate.observed - predicted).abs();
    let [first, second] = rate.halves;
    let measured = format!(
        "slope {:+.4} over log-log-time {:.1} to {:.1} (halves {first:+.4}, {second:+.4}), predicted {:+.4}",
        rate.observed, rate.window[0], rate.window[1], predicted
    );
    // Corrections to a power law die out slowly where exponents are small.
    let approaches = (first - predicted).abs() > 1.05 * (second - predicted).abs();
    let moving = (first - second).abs() > TOLERANCE || (residual > TOLERANCE && approaches);
    // Modes faster than the slowest end at the law of real entries: a slope between the two is a mixture.
    let law = -1.0 / (2f64.powi(depth as i32) - 1.0);
    let mixed = feedback && residual > TOLERANCE && (law..predicted).contains(&rate.observed);
    let (outcome, evidence) = if mixed {
        (
            Outcome::Inconclusive,
            format!(
                "faster modes, up to {law:+.4}, still contribute; extend flow.until: {measured}"
            ),
        )
    } else if rate.window[0] < EARLY || moving {
        (
            Outcome::Inconclusive,
            format!("not yet in the asymptotic regime, extend flow.until: {measured}"),
        )
    } else if residual <= TOLERANCE {
        (Outcome::Holds, measured)
    } else {
        (Outcome::Violated, measured)
    };
    Verdict::new(outcome, residual, TOLERANCE, evidence)
}
