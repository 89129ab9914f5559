//! Theorems 1, 2 and 3 for finite steps: the same limits, and a step size that must not be too large.
//!
//! Every size of `[steps]` is judged separately, then all together: one size that fails is a violation, and the
//! evidence says which sizes hold and which fail. At the times that finite steps can reach, directions are still far
//! from their limits (the angle falls like a small power of ln t); a run that has not arrived is judged by what the
//! theorem implies at such times: the loss tends to zero, the alignments are positive, the angle to the limit falls,
//! and the run follows the flow, which has that limit.

use super::{
    Claim, Evidence, Outcome, Subject, Verdict, direction, directional_limit, not_applicable, relu,
    theorem_2, theorem_3,
};
use crate::descent::{Beside, Schedule};
use crate::diagnostics::Diagnostics;
use crate::trajectory::Status;
use std::f64::consts::FRAC_PI_2;

const CHECK: &str = "Every size of [steps] is judged. Residual: of the size that decides, the final angle to the limit \
                     or, if smaller, to the flow at the same time (tolerance 0.01 rad), or what the slope of the angle \
                     to the limit lacks of the predicted one, as a share (tolerance 0.5). A size fails if the weights \
                     overflow (of loss-normalised steps that is inconclusive), or if the run's own certificate \
                     excludes the limit as in the claim on the flow. It holds if the loss has not risen (to above that \
                     at the start, or over the last third of the run in log-log-time), no alignment is negative at the \
                     end of a run from zero weights (convolutional and diagonal: in its real part, at every record of \
                     the last third), and the angle has arrived as the claim on the flow asks, or, once the loss is \
                     below that of a single sample of margin zero, falls over the last third of the run while the run \
                     follows the flow to 0.01 rad, or falls there at half the predicted rate or faster. Violated if a \
                     size fails; inconclusive if none fails and one is undecided. Hypotheses: [steps] in the scenario, \
                     and those of the claim on the flow.";

pub(super) const THM_1: Claim = Claim {
    id: "thm-1-discrete",
    printed: "Theorem 1 holds for direct feedback alignment with small finite steps.",
    corrected: "True below a critical step size η*: after finite steps the alignments are φ_2 = ½(‖Σηz‖² − Σ‖ηz‖²) \
                and, layer by layer, less than the \
                flow's by half the squares of the steps. Just below η* the last one turns negative, above it the \
                weights overflow. (From zero weights there is no \
                such size where Σ g_n itself separates the data.) `compare --critical` measures η*.",
    check: CHECK,
    subject: Subject::Steps,
    judge: |e| {
        judge(
            e,
            Theorem::of_problems(|e| directional_limit::THM_1.judge(e)),
        )
    },
};

pub(super) const THM_2: Claim = Claim {
    id: "thm-2-discrete",
    printed: "Theorem 2 holds for direct feedback alignment with finite steps.",
    corrected: "True with the norm of thm-2-corrected, given that the loss tends to zero: below a critical step size.",
    check: CHECK,
    subject: Subject::Steps,
    judge: |e| judge(e, Theorem::of_problems(|e| theorem_2::CORRECTED.judge(e))),
};

pub(super) const THM_3: Claim = Claim {
    id: "thm-3-discrete",
    printed: "Theorem 3 holds for finite steps of any learning rule that gives the output layer its gradient.",
    corrected: "True under the hypotheses of thm-3, which each run is checked for.",
    check: CHECK,
    subject: Subject::Steps,
    judge: |e| {
        let theorem = Theorem {
            of_the_flow: |e| theorem_3::CLAIM.judge(e),
            is_about: Some(|e| relu::measured(e).is_ok()),
        };
        judge(e, theorem)
    },
};

/// A claim on the flow, to be judged on finite steps.
#[derive(Clone, Copy)]
struct Theorem {
    of_the_flow: fn(&Evidence<'_>) -> Verdict,
    /// Whether the hypotheses on the problem hold, for claims that also have hypotheses on the end of the run: the
    /// latter are moot if the loss does not tend to zero.
    is_about: Option<fn(&Evidence<'_>) -> bool>,
}

impl Theorem {
    /// A claim whose hypotheses are all on the problem.
    fn of_problems(of_the_flow: fn(&Evidence<'_>) -> Verdict) -> Self {
        Self {
            of_the_flow,
            is_about: None,
        }
    }
}

/// The result for one size.
struct Finding {
    size: f64,
    outcome: Outcome,
    residual: Option<f64>,
    /// What the residual is compared with.
    tolerance: f64,
    why: String,
}

impl Finding {
    fn of(run: &Beside, outcome: Outcome, residual: Option<f64>, why: String) -> Self {
        Self {
            size: run.descent.size,
            outcome,
            residual,
            tolerance: direction::TOLERANCE,
            why,
        }
    }
}

/// A slope that falls short of the predicted one by less than this fraction counts as still approaching it.
const SHORTFALL: f64 = 0.5;

fn judge(e: &Evidence<'_>, theorem: Theorem) -> Verdict {
    let Some(steps) = e.steps else {
        return not_applicable("the scenario has no [steps]");
    };
    let findings: Vec<Finding> = (steps.runs.iter())
        .map(|run| one_size(e, run, theorem))
        .collect();
    if let Some(finding) = findings
        .iter()
        .find(|f| f.outcome == Outcome::NotApplicable)
    {
        return not_applicable(finding.why.clone());
    }
    let of = |outcome| findings.iter().filter(move |f| f.outcome == outcome);
    let outcome = [Outcome::Violated, Outcome::Inconclusive]
        .into_iter()
        .find(|outcome| of(*outcome).next().is_some())
        .unwrap_or(Outcome::Holds);
    if let Some(verdict) = super::unfinished(e).filter(|_| outcome == Outcome::Holds) {
        return verdict;
    }
    let evidence: Vec<String> = [Outcome::Holds, Outcome::Violated, Outcome::Inconclusive]
        .into_iter()
        .filter(|outcome| of(*outcome).next().is_some())
        .map(|outcome| {
            let sizes: Vec<String> = of(outcome)
                .map(|f| format!("η = {:e} ({})", f.size, f.why))
                .collect();
            let verb = match outcome {
                Outcome::Holds => "holds at",
                Outcome::Violated => "fails at",
                Outcome::Inconclusive | Outcome::NotApplicable => "undecided at",
            };
            format!("{verb} {}", sizes.join(", "))
        })
        .collect();
    let evidence = evidence.join("; ");
    let measured = of(outcome).filter_map(|f| Some((f.residual?, f.tolerance)));
    match measured.max_by(|x, y| (x.0 / x.1).total_cmp(&(y.0 / y.1))) {
        Some((residual, tolerance)) => Verdict::new(outcome, residual, tolerance, evidence),
        None => Verdict::without_measurement(outcome, evidence),
    }
}

fn one_size(e: &Evidence<'_>, run: &Beside, theorem: Theorem) -> Finding {
    let d = &run.diagnostics;
    let finding = |outcome, residual, why| Finding::of(run, outcome, residual, why);
    let trajectory = &run.descent.trajectory;
    let as_a_flow = Evidence {
        trajectory,
        // whether the claim applies does not depend on how the run ended
        status: Status::Completed,
        diagnostics: d,
        extend: "steps.count",
        steps: None,
        ..*e
    };
    let verdict = (theorem.of_the_flow)(&as_a_flow);
    let applies = verdict.outcome != Outcome::NotApplicable;
    let residual = nearest(run);
    let from_zero = e.problem.theta0().amax() == 0.0;
    let alignment = negative_alignment(d).filter(|_| from_zero);
    let with_alignment = |why: String| match &alignment {
        Some(alignment) => format!("{alignment}; {why}"),
        None => why,
    };
    let moot = not_to_zero(e, d);
    if let Some(why) = overflow(run) {
        return if applies && run.descent.schedule == Schedule::LossNormalised {
            let why = format!(
                "{why}: steps divided by the loss are stable only while η times the tangent kernel stays below about \
                 2, take fewer or smaller ones"
            );
            finding(Outcome::Inconclusive, None, why)
        } else if concerns(theorem, &as_a_flow, applies) {
            finding(Outcome::Violated, residual, with_alignment(why))
        } else {
            finding(Outcome::NotApplicable, None, verdict.evidence)
        };
    }
    if let Some(why) = moot.filter(|_| concerns(theorem, &as_a_flow, applies)) {
        // what rises may still fall: steps too large for the start are not too large for what comes later
        let why = format!("{}, extend steps.count", with_alignment(why));
        return finding(Outcome::Inconclusive, residual, why);
    }
    match verdict.outcome {
        Outcome::NotApplicable => finding(Outcome::NotApplicable, None, verdict.evidence),
        Outcome::Violated => finding(Outcome::Violated, verdict.residual, verdict.evidence),
        Outcome::Holds | Outcome::Inconclusive => match (alignment, verdict.outcome) {
            (Some(why), _) => {
                let why = format!("{why}, extend steps.count");
                finding(Outcome::Inconclusive, residual, why)
            }
            (None, Outcome::Holds) => finding(Outcome::Holds, residual, verdict.evidence),
            (None, _) => on_its_way(e, run, verdict.evidence),
        },
    }
}

/// Whether a run whose loss does not tend to zero is one that the theorem is about.
fn concerns(theorem: Theorem, as_a_flow: &Evidence<'_>, applies: bool) -> bool {
    let is_about = theorem.is_about;
    is_about.map_or(applies, |is_about| is_about(as_a_flow))
}

/// A run that the claim on the flow cannot decide: it holds where the direction follows the flow, or the predicted
/// slope.
fn on_its_way(e: &Evidence<'_>, run: &Beside, undecided: String) -> Finding {
    let d = &run.diagnostics;
    let (to_flow, to_limit) = (run.final_angle_to_flow(), d.final_angle());
    let finding = |outcome, residual, why| Finding::of(run, outcome, residual, why);
    let residual = nearest(run);
    let last = d.log_log_time.len() - 1;
    let late = d.log_loss[last] < e.problem.loss().log_loss(std::iter::once(0.0));
    let third = relu::since(d, 2.0 / 3.0);
    let angles = d.angle_to_limit.as_deref().unwrap_or_default();
    let falls = angles.len() > last && angles[last] < angles[third];
    // Once the loss is below that of one sample of margin zero every margin is positive.
    let (Some(to_limit), true, true) = (to_limit, falls, late) else {
        return finding(Outcome::Inconclusive, residual, undecided);
    };
    let where_it_is = format!(
        "{to_limit:.3} rad from the limit and falling, ln loss {:.2}",
        d.log_loss[last]
    );
    if let Some(to_flow) = to_flow
        && to_flow <= direction::TOLERANCE
    {
        let why = format!("follows the flow to {to_flow:.1e} rad, {where_it_is}");
        return finding(Outcome::Holds, residual, why);
    }
    let s = &d.log_log_time;
    let distances: Vec<Option<f64>> = angles.iter().copied().map(Some).collect();
    let slope = direction::slope_since(s[last] * 2.0 / 3.0, s, &distances);
    let predicted = d.rate.as_ref().and_then(|rate| rate.predicted);
    match (slope, predicted) {
        (Some(slope), Some(predicted)) if slope <= (1.0 - SHORTFALL) * predicted => Finding {
            tolerance: SHORTFALL,
            ..finding(
                Outcome::Holds,
                Some((1.0 - slope / predicted).max(0.0)),
                format!("{where_it_is}, slope {slope:+.3} where {predicted:+.3} is predicted"),
            )
        },
        _ => finding(Outcome::Inconclusive, residual, undecided),
    }
}

/// The final angle to the flow or to the limit, whichever is smaller.
fn nearest(run: &Beside) -> Option<f64> {
    match (run.final_angle_to_flow(), run.diagnostics.final_angle()) {
        (Some(x), Some(y)) => Some(x.min(y)),
        (x, y) => x.or(y),
    }
}

fn overflow(run: &Beside) -> Option<String> {
    (run.descent.trajectory.status != Status::Completed)
        .then(|| format!("the weights overflow after step {}", run.last_step()))
}

/// Why the loss does not tend to zero, as far as the run shows.
fn not_to_zero(e: &Evidence<'_>, d: &Diagnostics) -> Option<String> {
    let last = d.log_loss.len() - 1;
    let third = relu::since(d, 2.0 / 3.0);
    let (start, end) = (d.log_loss[0], d.log_loss[last]);
    if last == 0 {
        return None;
    }
    // rounding of a constant loss does not count as a rise
    let rounding = 1e-9 * e.problem.dataset().len() as f64;
    if end > start + rounding {
        return Some(format!(
            "the loss does not tend to zero: ln loss {end:.2} at the end, {start:.2} at the start"
        ));
    }
    let rises = third < last && end > d.log_loss[third];
    (rises && end - d.log_loss[third] > rounding).then(|| {
        format!(
            "the loss rises again: ln loss {end:.2} at the end, {:.2} at two thirds of the run",
            d.log_loss[third]
        )
    })
}

/// The alignment that is negative, if one is: at the end, or for convolutional and diagonal networks throughout the
/// last third of the run. From other than zero weights they may start so, whatever the size of the steps.
fn negative_alignment(d: &Diagnostics) -> Option<String> {
    let last = d.log_log_time.len() - 1;
    if let Some(alignment) = &d.alignment {
        let column = alignment.phi.column(last);
        let l = column.iter().position(|phi| *phi < 0.0)?;
        return Some(format!("φ_{} = {:.2e} is negative", l + 2, column[l]));
    }
    // Where Ẑ is real it may change sign, and Re φ_2 is then negative for a while however small η is.
    let phases = d.phases.as_ref()?;
    let since = relu::since(d, 2.0 / 3.0);
    phases.phi.iter().enumerate().find_map(|(l, phi)| {
        // entries below the run's resolution have no sign
        let seen = (since..=last).all(|k| phases.argument[(l, k)] > FRAC_PI_2);
        let negative = |d: &usize| (since..=last).all(|k| phi[(*d, k)].re < 0.0);
        let d = (0..phi.nrows()).find(negative).filter(|_| seen)?;
        Some(format!(
            "Re φ_{}[{}] = {:.2e} is negative",
            l + 2,
            phases.frequencies[d],
            phi[(d, last)].re
        ))
    })
}
