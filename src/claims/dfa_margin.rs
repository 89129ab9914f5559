//! Direct feedback alignment's own normalised margin, and the one event from which a loss tends to zero.
//!
//! With two layers and fixed feedback `γ̃ = ℓ⁻¹(𝓛)/(½‖w_2‖²)^{3/4}` never falls once the loss is below that of one
//! sample with margin zero ([`FeedbackMargin`](crate::theory::FeedbackMargin)). So `ℓ⁻¹(𝓛) ≥ γ̃(t_0) E^{3/4}` from any
//! such time t_0 on, and with `−𝓛' ≥ (3/4) E'²/E`, `E' ≥ |ℓ'(γ)|γ`, the loss tends to zero, and `m_n/(‖w_1‖‖w_2‖)`
//! stays away from it: both hypotheses of Theorem 4 follow from one event that a run can see.

use super::{Claim, Evidence, Outcome, Subject, Verdict, not_applicable, relu, unfinished};
use crate::diagnostics::Homogeneous;
use crate::theory::FeedbackMargin;

pub(super) const CLAIM: Claim = Claim {
    id: "dfa-margin",
    printed: "(Ours.) Under fixed feedback on a two-layer ReLU network γ̃ = ℓ⁻¹(𝓛)/(½‖w_2‖²)^{3/4}, which on the level \
              set is ln(1/𝓛)/Φ^{3/4} with Φ = Σ_j ‖w_j‖⁴/(8b_j²), never falls once 𝓛 is below the loss of one sample \
              with margin zero.",
    corrected: "True wherever no c_j = b_j w_{2,j} − ½‖w_j‖² is negative, as on the level set. With negative ones: \
                true of ln γ̃ = ln ℓ⁻¹(𝓛) − (3/2)(ln(√E + σ) + σ/(√E + σ)), E = ½‖w_2‖², σ = (Σ_{c_j<0} \
                c_j²/b_j²)^{1/2}/(4√2), while no output weight has the sign against its feedback; the two differ less \
                and less as the weights grow. So if no c_j is negative, 𝓛 below that loss at one time makes it tend to \
                zero, and keeps m_n/(‖w_1‖‖w_2‖) above a positive number. It is to fixed feedback what the smoothed \
                margin of Lyu and Li is to gradient descent.",
    check: "Residual: the largest fall of ln γ̃ below its greatest value before, over saves from the event on, times \
            ℓ⁻¹(𝓛) while that is less than one (as far as ln 𝓛 is known). The event is the first save with ℓ⁻¹(𝓛) \
            above the tolerance: 100 times the larger of rtol and atol, at most 0.01. Violated where a fall exceeds \
            it; inconclusive while the loss has not got there. Hypotheses: \
            two-layer ReLU, fixed feedback without zeros, exponential or logistic loss; not applicable where the loss \
            rests above.",
    subject: Subject::Flow,
    judge: |e| verdict(e).unwrap_or_else(|verdict| verdict),
};

/// Upper bound of the tolerance, however loosely a run is integrated.
const LARGEST_TOLERANCE: f64 = 0.01;

fn verdict(e: &Evidence<'_>) -> Result<Verdict, Verdict> {
    let (h, _) = relu::two_layers_with_feedback(e)?;
    let Some(law) = &e.diagnostics.theory.feedback_margin else {
        return Err(not_applicable(
            "some unit has no feedback, or the loss is neither exponential nor logistic",
        ));
    };
    let Some(event) = event(e) else {
        return Err(no_event(e));
    };
    let Some(event) = (event..h.feedback_margin.len()).find(|k| h.feedback_margin[*k].is_some())
    else {
        return Err(wrong_signs(e, event));
    };
    if let Some(verdict) = unfinished(e) {
        return Err(verdict);
    }
    let tolerance = tolerance(e);
    let (fall, at) = worst_fall(e, law, h);
    let d = e.diagnostics;
    let last = d.log_log_time.len() - 1;
    let value = |k: usize| h.feedback_margin[k].map_or("-".to_owned(), |x| format!("{x:.6e}"));
    let worst = match fall {
        0.0 => "it falls nowhere".to_owned(),
        _ => format!(
            "its largest fall is {fall:.1e}, before log-log-time {:.4}",
            d.log_log_time[at]
        ),
    };
    let offset = match law.offset {
        0.0 => String::new(),
        offset => format!(" (σ = {offset:.3e}: some units start below the level set)"),
    };
    let evidence = format!(
        "{}; γ̃ = {} there, {} at the end{offset}; {worst}",
        named(e, event),
        value(event),
        value(last),
    );
    let outcome = if fall > tolerance {
        Outcome::Violated
    } else {
        Outcome::Holds
    };
    Ok(Verdict::new(outcome, fall, tolerance, evidence))
}

/// The hypotheses of Theorem 4, that the loss tends to zero and margins per length of the layers stay away from it,
/// decided by one event where that is enough; in words.
///
/// # Errors
/// *not applicable* where the loss rests above that of one sample with margin zero, *inconclusive* where it may still
/// get there.
pub(super) fn loss_tends_to_zero(e: &Evidence<'_>) -> Result<String, Verdict> {
    let Some(law) = e.diagnostics.theory.feedback_margin.as_ref() else {
        return relu::fits(e).map(|()| "all margins grow".to_owned());
    };
    let Some(k) = event(e) else {
        return Err(no_event(e));
    };
    if law.offset == 0.0 {
        return match unfinished(e) {
            Some(verdict) => Err(verdict),
            None => Ok(format!("{}, so that it tends to zero", named(e, k))),
        };
    }
    // from below the level set signs may turn once more, and the loss with them
    relu::fits(e)?;
    Ok(format!("{}, and all margins grow", named(e, k)))
}

/// The loss is small enough, but γ̃ is nowhere defined from there on.
fn wrong_signs(e: &Evidence<'_>, event: usize) -> Verdict {
    let text = format!(
        "{}, but at every save from there on some output weight has the sign against its feedback (units that start \
         below the level set): nothing is claimed, extend {}",
        named(e, event),
        e.extend
    );
    unfinished(e).unwrap_or_else(|| Verdict::without_measurement(Outcome::Inconclusive, text))
}

/// The event: the first save with a loss that is small enough by more than the errors of the run.
fn event(e: &Evidence<'_>) -> Option<usize> {
    let losses = &e.diagnostics.log_loss;
    let gamma = |log_loss: &f64| e.problem.loss().inverse(*log_loss);
    losses.iter().position(|l| gamma(l) > tolerance(e))
}

fn tolerance(e: &Evidence<'_>) -> f64 {
    (100.0 * e.options.rtol.max(e.options.atol)).min(LARGEST_TOLERANCE)
}

/// The event in words.
fn named(e: &Evidence<'_>, save: usize) -> String {
    let d = e.diagnostics;
    let threshold = format!("{:.4}", loss_at_zero(e).exp());
    format!(
        "𝓛 < {} at s = {:.4} (ln 𝓛 = {:.3})",
        threshold.trim_end_matches('0').trim_end_matches('.'),
        d.log_log_time[save],
        d.log_loss[save],
    )
}

/// `ln ℓ(0)`.
fn loss_at_zero(e: &Evidence<'_>) -> f64 {
    e.problem.loss().log_loss(std::iter::once(0.0))
}

/// What is to be said where the event has not happened: the loss rests, or may still get there.
fn no_event(e: &Evidence<'_>) -> Verdict {
    let d = e.diagnostics;
    let last = d.log_loss.len() - 1;
    let least = d.log_loss.iter().copied().fold(f64::INFINITY, f64::min);
    match relu::fits(e) {
        Err(verdict) if verdict.outcome == Outcome::NotApplicable => not_applicable(format!(
            "{}; ln 𝓛 is never below {least:.6}, that of one sample with margin zero is {:.3}",
            verdict.evidence,
            loss_at_zero(e),
        )),
        Err(verdict) => verdict,
        Ok(()) => Verdict::without_measurement(
            Outcome::Inconclusive,
            format!(
                "the loss is not yet below that of one sample with margin zero (ln 𝓛 = {:.3} at the end), extend {}",
                d.log_loss[last], e.extend
            ),
        ),
    }
}

/// The largest fall of ln γ̃, as far as it is known where it was greatest, and the save where it ends. A loss that is
/// back above that of one sample with margin zero has lost all of it.
fn worst_fall(e: &Evidence<'_>, law: &FeedbackMargin, h: &Homogeneous) -> (f64, usize) {
    // the greatest ln γ̃ so far and ℓ⁻¹(𝓛) there
    let mut greatest: Option<(f64, f64)> = None;
    let mut worst = (0.0, 0);
    for (k, margin) in h.feedback_margin.iter().enumerate() {
        let gamma = e.problem.loss().inverse(e.diagnostics.log_loss[k]);
        let fall = match (margin, greatest) {
            (Some(margin), Some((before, gamma))) => (before - margin.ln()) * gamma.min(1.0),
            (None, Some((_, before))) if gamma <= 0.0 => before.min(1.0),
            _ => 0.0,
        };
        let output = h.output_weights.column(k).into_owned();
        if margin.is_none() && law.against(&output) > 0.0 {
            // nothing is claimed while signs are wrong, nor of what comes after beside what came before
            greatest = None;
            continue;
        }
        if fall > worst.0 {
            worst = (fall, k);
        }
        let rises = |log: f64| greatest.is_none_or(|(before, _)| log > before);
        if let Some(log) = margin.map(f64::ln).filter(|log| rises(*log)) {
            greatest = Some((log, gamma));
        }
    }
    worst
}
