//! The rates of directional convergence (ours): `angle ∝ (log t)^{−1/(2^L−1)}` under DFA, `(log t)^{−1/L}` under BP.

use super::{
    Claim, Evidence, Outcome, Subject, Verdict, direction, limit_of_completed_run, not_applicable,
    relu,
};
use crate::diagnostics::Rate;
use crate::theory::{LimitForm, RateLaw};

pub const RATE_DFA: Claim = Claim {
    id: "rate-dfa",
    printed: "(Not in the report.) Under DFA the angle to the limit falls like (log t)^{−1/(2^L−1)}.",
    corrected: "Derived and measured here: what was learned outside the span of the support vectors stays in Z while \
                ‖Z‖ \
                grows like (log t)^{1/(2^L−1)}. Convolutional networks can be slower, (log t)^{−a/(2^L−1)} with a ≤ 1 \
                from the limit itself (docs/theory.md): the phases of the layers lag. At L = 2, 2/3 < a ≤ 1; at \
                L = 3, a = 1, with modes beside it that swing. Two-layer ReLU networks: the angle between w_2 and the \
                SVM of the \
                features falls like (log t)^{−1/3}; beyond that no prediction.",
    check: CHECK,
    subject: Subject::Flow,
    judge: |e| judge(e, true),
};

pub const RATE_BP: Claim = Claim {
    id: "rate-bp",
    printed: "(Not in the report.) Under gradient descent the angle to the limit falls like (log t)^{−1/L}.",
    corrected: "Measured here for fully connected networks: all layers grow like (log t)^{1/L}, and what was learned \
                or \
                initialised outside the span of the support vectors does not. Derived and measured here for \
                convolutional and diagonal networks of depth 2: (log t)^{−r} with r from the limit itself, the smaller \
                of 1 − κ for the largest dual entry κ off its support and of the rates at which phases on it relax \
                (docs/theory.md). No prediction beyond depth 2, and none for ReLU networks.",
    check: CHECK,
    subject: Subject::Flow,
    judge: |e| judge(e, false),
};

const CHECK: &str = "Residual: |fitted − predicted slope| of ln angle against s = ln(1 + ln(1+t)), over the last third \
                     of the run (angles above 1e-10 rad). Tolerance: 0.005. Inconclusive while the slopes of the two \
                     halves of the window differ by more than that, while they still approach the prediction, or \
                     before s = 8 (15 on ReLU networks); \
                     and on convolutional and diagonal networks, where several modes decay side by side, while the \
                     slope \
                     is steeper than predicted and no steeper than the fastest of them (or, at depth 3 and more, the \
                     window shorter than a swing). On ReLU networks inconclusive while the slope is steeper than \
                     predicted. Hypotheses: linear network, separable data (or two-layer ReLU, fixed feedback, data \
                     that are \
                     fitted), and (but for \
                     gradient descent on convolutional or diagonal networks) something outside the span of the \
                     support vectors was learned (some sample is not in that span) or initialised (w_1(0) under \
                     gradient \
                     descent, w_1(0) b_1 or ŵ_1(0)/b̂_1^* under fixed feedback).";

const TOLERANCE: f64 = 0.005;

/// The longest observed period of modes with complex exponents (depth 3, docs/theory.md).
const LONGEST_SWING: f64 = 116.0;

fn judge(e: &Evidence<'_>, feedback: bool) -> Verdict {
    if let Some(verdict) = super::other_rule(e, feedback) {
        return verdict;
    }
    let Some(law) = &e.diagnostics.theory.rate else {
        return not_applicable(no_law(e));
    };
    if law.of_features
        && let Err(verdict) = relu::fits(e)
    {
        return verdict;
    }
    let limit = match limit_of_completed_run(e) {
        Ok(limit) => limit,
        Err(verdict) => return verdict,
    };
    if law.has_nothing_to_act_on(limit) {
        let measured = e.diagnostics.rate.as_ref().map_or_else(String::new, |r| {
            format!(" (measured slope {:+.4})", r.observed)
        });
        return Verdict::without_measurement(
            Outcome::NotApplicable,
            format!(
                "nothing outside the span of the support vectors was learned or kept, so the law has nothing to act \
                 on{measured}"
            ),
        );
    }
    let d = e.diagnostics;
    let exact = |angles: &Vec<f64>| angles.iter().skip(1).all(|angle| *angle <= 1e-10);
    if d.angle_to_limit.as_ref().is_some_and(exact) {
        return not_applicable("the direction is exact from the start");
    }
    let Some(rate) = &d.rate else {
        return Verdict::without_measurement(
            Outcome::Inconclusive,
            "too few saves with an angle above 1e-10 rad to fit a slope (flow.saves, flow.until)",
        );
    };
    let Some(predicted) = rate.predicted else {
        return not_applicable("theory predicts no rate towards this limit");
    };
    let residual = (rate.observed - predicted).abs();
    let [first, second] = rate.halves;
    let along = |slope: f64| (slope + 1.0).abs() <= TOLERANCE;
    if law.of_features && along(rate.observed) && rate.halves.iter().all(|slope| along(*slope)) {
        return Verdict::without_measurement(
            Outcome::NotApplicable,
            format!(
                "the angle falls like 1/log t (measured slope {:+.4}): nothing off the span of the support's features \
                 was \
                 kept, so the law has nothing to act on",
                rate.observed
            ),
        );
    }
    let measured = format!(
        "slope {:+.4} over log-log-time {:.1} to {:.1} (halves {first:+.4}, {second:+.4}), predicted {:+.4}",
        rate.observed, rate.window[0], rate.window[1], predicted
    );
    // Corrections to a power law decay slowly if exponents are small.
    let approaches = (first - predicted).abs() > 1.05 * (second - predicted).abs();
    let moving = (first - second).abs() > TOLERANCE || (residual > TOLERANCE && approaches);
    let (outcome, evidence) = if let Some(why) = several_modes(e, law, rate, predicted) {
        (Outcome::Inconclusive, format!("{why}: {measured}"))
    } else if law.of_features && rate.observed < predicted - TOLERANCE {
        (
            Outcome::Inconclusive,
            format!("what falls faster still leads, extend flow.until: {measured}"),
        )
    } else if rate.window[0] < law.early || moving {
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

/// Why theory has no law for the rate.
fn no_law(e: &Evidence<'_>) -> &'static str {
    match e.diagnostics.theory.limit.as_ref().map(|law| &law.form) {
        Some(LimitForm::FeatureMachine) => {
            "on ReLU networks a rate is predicted for two layers with fixed feedback only"
        }
        Some(LimitForm::Stationary(_)) => {
            "no rate is predicted for gradient descent on such networks beyond depth 2"
        }
        Some(LimitForm::Minimiser(_)) | None => {
            "theory predicts no rate for this network under this rule"
        }
    }
}

/// Where layers act entrywise several modes decay together, and the slowest need not be the largest yet. If so, returns
/// why a slope other than the predicted one is inconclusive.
fn several_modes(e: &Evidence<'_>, law: &RateLaw, rate: &Rate, predicted: f64) -> Option<String> {
    let modes = law.modes?;
    if (rate.observed - predicted).abs() <= TOLERANCE {
        return None;
    }
    if e.diagnostics.final_angle()? > direction::TOLERANCE {
        return Some("the direction is still far from its limit, extend flow.until".into());
    }
    let s = &e.diagnostics.log_log_time;
    let below_floor = rate.window[1] < s[s.len() - 1];
    if (modes.fastest - TOLERANCE..predicted).contains(&rate.observed) {
        let advice = if below_floor {
            "when the angle falls below 1e-10 rad"
        } else {
            "extend flow.until"
        };
        return Some(format!("a faster mode still leads, {advice}"));
    }
    if below_floor {
        return Some("the angle falls below 1e-10 rad before its slope settles".into());
    }
    (modes.swing && rate.window[1] - rate.window[0] < LONGEST_SWING).then(|| {
        format!(
            "modes of complex exponents swing with periods up to about {LONGEST_SWING} in log-log-time, extend \
             flow.until"
        )
    })
}
