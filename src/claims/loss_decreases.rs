//! Does the loss fall at all times? Under fixed feedback the flow is not a gradient flow, and the loss need not fall.

use super::{Claim, Evidence, Outcome, Subject, Verdict, unfinished};
use crate::theory::Monotone;
use crate::trajectory::LossRise;

pub(super) const CLAIM: Claim = Claim {
    id: "loss-decreases",
    printed: "(Ours; the report has it for fully connected networks from zero weights.) The loss never rises along the \
         flow.",
    corrected: "True under gradient descent; under fixed feedback from zero weights for fully connected and diagonal \
                networks of any depth, for convolutional ones of depth 2 at most, and for ReLU networks of two layers, \
                also from all \
                weights with b_j w_{2,j} ≥ ½‖w_{1,j}‖² (prop-3). False for convolutional networks of \
                depth 3 and more (rare: docs/loss-monotonicity.md has the smallest example), and from other weights \
                for \
                any network with a hidden layer. Open for deeper ReLU networks.",
    check: "Residual: the largest climb of ln 𝓛 above its least value before, over all steps of the integrator and all \
            saves, relative to max(1, |ln 𝓛|) where it begins; 0 if there is none. Tolerance: rtol, at most 0.01. \
            Violated from four times that on, inconclusive between the two. Where theory does not exclude it, the loss \
            might still rise later: inconclusive unless −ln 𝓛/ln t is within a tenth of one at the end.",
    subject: Subject::Flow,
    judge,
};

/// Upper bound of the tolerance, however loosely a run is integrated.
const LARGEST_TOLERANCE: f64 = 0.01;

/// A rise of this many times the tolerance is none of the errors of steps.
const BEYOND_ERRORS: f64 = 4.0;

/// Within this of one, `−ln 𝓛/ln t` is that of a loss on its way to zero like 1/t.
const LIKE_ONE_OVER_T: f64 = 0.1;

/// The largest climb of the loss, over the steps of the integrator and the saves.
pub(super) fn largest_rise(e: &Evidence<'_>) -> LossRise {
    let d = e.diagnostics;
    let saves = d
        .log_log_time
        .iter()
        .copied()
        .zip(d.log_loss.iter().copied());
    let saves = LossRise::of(saves);
    match &e.trajectory.loss_rise {
        Some(steps) if steps.largest >= saves.largest => steps.clone(),
        _ => saves,
    }
}

fn judge(e: &Evidence<'_>) -> Verdict {
    if let Some(verdict) = unfinished(e) {
        return verdict;
    }
    let d = e.diagnostics;
    let tolerance = e.options.rtol.min(LARGEST_TOLERANCE);
    let rise = largest_rise(e);
    let risen = format!(
        "the loss rises by {:.4e} in ln 𝓛 from log-log-time {:.4} to {:.4}",
        rise.nats, rise.from, rise.to
    );
    let verdict = |outcome, evidence| Verdict::new(outcome, rise.largest, tolerance, evidence);
    if rise.largest > BEYOND_ERRORS * tolerance {
        return verdict(Outcome::Violated, risen);
    }
    if rise.largest > tolerance {
        let why = format!("too little to tell from the errors of steps, lower flow.rtol: {risen}");
        return verdict(Outcome::Inconclusive, why);
    }
    let none = format!(
        "the loss rises at none of {} steps",
        e.trajectory.solver.steps
    );
    let last = d.log_loss.len() - 1;
    let decay = -d.log_loss[last] / d.log_time[last];
    if !d.theory.monotone.contains(&Monotone::Loss) && (decay - 1.0).abs() > LIKE_ONE_OVER_T {
        let why = format!(
            "{none}, but it may still (−ln 𝓛/ln t = {decay:.4} at the end), extend {}",
            e.extend
        );
        return verdict(Outcome::Inconclusive, why);
    }
    verdict(Outcome::Holds, none)
}
