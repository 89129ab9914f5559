//! The rates of directional convergence (ours): `angle ∝ (log t)^{−1/(2^L−1)}` under DFA, `(log t)^{−1/L}` under BP.

use super::{
    Claim, Evidence, Outcome, Subject, Verdict, direction, limit_of_completed_run, not_applicable,
    relu,
};
use crate::diagnostics::Rate;
use crate::theory::{LimitForm, RateLaw};

pub(super) const RATE_DFA: Claim = Claim {
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

pub(super) const RATE_BP: Claim = Claim {
    id: "rate-bp",
    printed: "(Not in the report.) Under gradient descent the angle to the limit falls like (log t)^{−1/L}.",
    corrected: "Measured here for fully connected networks: all layers grow like (log t)^{1/L}, and what was learned \
                or \
                initialised outside the span of the support vectors does not. Derived and measured here for \
                convolutional and diagonal networks of depth 2: (log t)^{−r} with r from the limit itself, the smaller \
                of 1 − κ for the largest dual entry κ off its support and of the rates at which phases on it relax, \
                and, with several outputs, parts in which these turn against each other \
                (docs/theory.md). No prediction beyond depth 2, and none for ReLU networks.",
    check: CHECK,
    subject: Subject::Flow,
    judge: |e| judge(e, false),
};

const CHECK: &str = "Residual: |fitted − predicted slope| of ln angle against s = ln(1 + ln(1+t)), over the last third \
                     of the run (angles above 1e-10 rad). Tolerance: 0.005. Inconclusive while the slopes of the two \
                     halves of the window differ by more than that, while they still approach the prediction, or \
                     before s = 8 (15 on ReLU networks); while the slope is steeper than predicted, since what falls \
                     faster leads for as long as the law has little to act on; and while some sample has neither \
                     joined the support nor fallen behind it by 30 in its log-multiplier. Violated where the slope is \
                     less steep, if the run has long shed all transients: within 0.01 rad of the limit, a window that \
                     the predicted fall takes by a factor of ten, and before it another of twenty (inconclusive on \
                     convolutional and ReLU networks, whose phases and features have modes of their own). Hypotheses: \
                     linear network, separable data (or two-layer ReLU, fixed feedback, data that are \
                     fitted), and (but for gradient descent on convolutional or diagonal networks) something outside \
                     the span of the support vectors was learned (some sample is not in that span) or initialised \
                     (w_1(0) under gradient descent, w_1(0) b_1 or ŵ_1(0)/b̂_1^* under fixed feedback).";

const TOLERANCE: f64 = 0.005;

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
    if !limit.unique {
        return not_applicable("the limit that was computed is one of many minimisers");
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
    let undecided = |why: &str| (Outcome::Inconclusive, format!("{why}: {measured}"));
    let (outcome, evidence) = if let Some(why) = faster_mode(e, rate, predicted) {
        undecided(&why)
    } else if rate.window[0] < law.early || moving {
        undecided("not yet in the asymptotic regime, extend flow.until")
    } else if let Some(why) = unsettled(e, law, rate) {
        undecided(why)
    } else if residual <= TOLERANCE {
        (Outcome::Holds, measured)
    } else if let Some(why) = excuse(e, law, rate, predicted) {
        undecided(&why)
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

/// Several modes decay side by side, and the slowest need not be the largest yet: why a slope steeper than the
/// predicted one says nothing.
fn faster_mode(e: &Evidence<'_>, rate: &Rate, predicted: f64) -> Option<String> {
    let s = &e.diagnostics.log_log_time;
    let advice = if rate.window[1] < s[s.len() - 1] {
        "when the angle falls below 1e-10 rad"
    } else {
        "extend flow.until"
    };
    (rate.observed < predicted - TOLERANCE).then(|| format!("a faster mode still leads, {advice}"))
}

/// Why a slope less steep than the predicted one says nothing, if so.
fn excuse(e: &Evidence<'_>, law: &RateLaw, rate: &Rate, predicted: f64) -> Option<String> {
    if law.of_features {
        return Some("the features may still settle, extend flow.until".into());
    }
    if e.diagnostics.final_angle()? > direction::TOLERANCE {
        return Some("the direction is still far from its limit, extend flow.until".into());
    }
    if law.has_phases {
        return Some(
            "phases of complex entries approach in modes of their own, extend flow.until".into(),
        );
    }
    let window = rate.window[1] - rate.window[0];
    if -predicted * window < SEEN || -predicted * rate.window[0] < SHED {
        return Some(
            "the window is too short for transients to have died out, extend flow.until".into(),
        );
    }
    None
}

/// The predicted fall over the window (its logarithm) that shows a law.
const SEEN: f64 = std::f64::consts::LN_10;

/// The same from the start of the run to the window: what falls faster has gone by then.
const SHED: f64 = 3.0;

/// Samples with log-multipliers this far below the largest have no part in the flow.
const BEHIND: f64 = 30.0;

/// Whether some sample has neither joined the support of the limit nor fallen far behind it, all through the window, so
/// that the law may still change. Margins differ as log-multipliers do, `m_n − m_k = p_k − p_n`, and those keep their
/// digits.
fn unsettled(e: &Evidence<'_>, law: &RateLaw, rate: &Rate) -> Option<&'static str> {
    if law.of_features {
        return None;
    }
    let active = e.limit?.active(e.problem.dataset().signed_samples());
    let s = &e.diagnostics.log_log_time;
    let first = s.partition_point(|s| *s < rate.window[0]);
    let p = e.trajectory.log_multipliers.column(first);
    let largest = p.max();
    let settled = |(n, p): (usize, &f64)| active.contains(&n) || largest - p >= BEHIND;
    (!p.iter().enumerate().all(settled)).then_some(
        "some samples have neither joined the support nor fallen behind it for good, extend flow.until",
    )
}
