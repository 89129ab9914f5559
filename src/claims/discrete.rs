//! Theorems 1, 2 and 3 for finite steps: the same limits, and a step size that must not be too large.
//!
//! Every size of `[steps]` is judged separately, then all together: one size that fails is a violation, and the
//! evidence says which sizes hold and which fail. The theorems are about the loss and the direction, and so are the
//! verdicts. From zero weights a loss that stays bounded is all they need (docs/theory.md, section 9), so that what
//! can fail is a loss that does not stay bounded, which takes a proof ([`runaway`]), and a direction that the run's own
//! certificate excludes. Alignments that are negative for a while fail nothing. That the loss stays bounded can be
//! proved too, from where a run has got to ([`lasting_fall`]).
//!
//! At the times that finite steps can reach, directions are still far from their limits (the angle falls like a small
//! power of ln t); a run that has not arrived is judged by what the theorem implies at such times: the loss tends to
//! zero, the angle to the limit falls, and the run follows the flow, which has that limit.

use super::{
    Claim, Evidence, Outcome, Subject, Verdict, direction, directional_limit, not_applicable, relu,
    theorem_2, theorem_3,
};
use crate::descent::{Beside, LastingFall, Schedule, lasting_fall, runaway};
use crate::diagnostics::{Diagnostics, FeatureMachine, Fit};
use crate::trajectory::Status;

const CHECK: &str = "Every size of [steps] is judged. Residual: of the size that decides, the final angle to the limit \
                     or, if smaller, to the flow at the same time (tolerance 0.01 rad), or what the slope of the angle \
                     to the limit lacks of the predicted one, as a share (tolerance 0.5). A size fails where the loss \
                     provably tends to infinity: the weights overflow, one sample's multiplier outweighs all others \
                     and all weights, and then samples take turns to do so for ever (constant steps, exponential loss, \
                     linear network, fixed feedback); or where the run's own certificate excludes the limit as in the \
                     claim on the flow. Weights that overflow in any other way prove nothing. It holds if the loss has \
                     not risen (to above that at the start, or over the last third of the run in log-log-time), and \
                     the angle has arrived as the claim on the flow asks, or, once the loss is below that of a single \
                     sample of margin zero, falls over the last third of the run while the run follows the flow to \
                     0.01 rad, or falls there at half the predicted rate or faster; or, on fully connected networks \
                     from zero weights, if from some record on the loss provably falls for ever (docs/theory.md, \
                     section 9; residual: the larger of the two conditions' left sides, tolerance 1). Alignments may \
                     be negative meanwhile. Violated if a size fails; inconclusive if none fails and one is undecided. \
                     Hypotheses: [steps] in the scenario, and those of the claim on the flow (for Theorem 3 at each \
                     size by itself).";

pub(super) const THM_1: Claim = Claim {
    id: "thm-1-discrete",
    printed: "Theorem 1 holds for direct feedback alignment with small finite steps.",
    corrected: "True for every run whose loss stays bounded (from zero weights, exponential loss; docs/theory.md), so \
                below a critical step size. Two sizes are told apart, and `compare --critical` measures both. After \
                finite steps the alignments are φ_2 = ½(‖Σηz‖² − Σ‖ηz‖²) and, layer by layer, less than the flow's by \
                half the squares of the steps: from the first size on one of them, that of the last layer, is negative \
                for a while, which the proof for the flow excludes and the theorem survives. From the second, larger \
                by a per cent or so, the loss runs away. (From zero weights there is no such size where Σ g_n \
                itself separates the data.)",
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
    corrected: "True with the norm of thm-2-corrected for every run whose loss stays bounded (from zero weights, \
                exponential loss; docs/theory.md): below a critical step size.",
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
            is_about: Some(|e| theorem_3::measured(e).is_ok()),
            bounded_loss_suffices: false,
            distance: |d| (d.feature_machine.as_ref()).map_or_else(Vec::new, |m| m.angle.clone()),
            expected: theorem_3::expected,
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
    /// Whether from zero weights a loss that stays bounded implies it.
    bounded_loss_suffices: bool,
    /// The angle to the limit at every record.
    distance: fn(&Diagnostics) -> Vec<Option<f64>>,
    /// Its predicted slope, where there is one.
    expected: fn(&Evidence<'_>) -> Option<f64>,
}

impl Theorem {
    /// A claim whose hypotheses are all on the problem.
    fn of_problems(of_the_flow: fn(&Evidence<'_>) -> Verdict) -> Self {
        Self {
            of_the_flow,
            is_about: None,
            bounded_loss_suffices: true,
            distance: |d| match &d.angle_to_limit {
                Some(angles) => angles.iter().copied().map(Some).collect(),
                None => Vec::new(),
            },
            expected: |e| e.diagnostics.rate.as_ref().and_then(|rate| rate.predicted),
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
    if let Some(first) = findings.first()
        && findings.iter().all(|f| f.outcome == Outcome::NotApplicable)
    {
        return not_applicable(first.why.clone());
    }
    let of = |outcome| findings.iter().filter(move |f| f.outcome == outcome);
    let outcome = [Outcome::Violated, Outcome::Inconclusive]
        .into_iter()
        .find(|outcome| of(*outcome).next().is_some())
        .unwrap_or(Outcome::Holds);
    if let Some(verdict) = super::unfinished(e).filter(|_| outcome == Outcome::Holds) {
        return verdict;
    }
    let order = [
        Outcome::Holds,
        Outcome::Violated,
        Outcome::Inconclusive,
        Outcome::NotApplicable,
    ];
    let evidence: Vec<String> = (order.into_iter())
        .filter(|outcome| of(*outcome).next().is_some())
        .map(|outcome| {
            let sizes: Vec<String> = of(outcome)
                .map(|f| format!("η = {:e} ({})", f.size, f.why))
                .collect();
            let verb = match outcome {
                Outcome::Holds => "holds at",
                Outcome::Violated => "fails at",
                Outcome::Inconclusive => "undecided at",
                Outcome::NotApplicable => "does not apply at",
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
    let as_a_flow = Evidence {
        trajectory: &run.descent.trajectory,
        // whether the claim applies does not depend on how the run ended
        status: Status::Completed,
        diagnostics: d,
        extend: "steps.count",
        steps: None,
        ..*e
    };
    let verdict = (theorem.of_the_flow)(&as_a_flow);
    let concerned = concerns(
        theorem,
        &as_a_flow,
        verdict.outcome != Outcome::NotApplicable,
    );
    if run.descent.trajectory.status != Status::Completed {
        return if concerned {
            overflown(e, run, theorem)
        } else {
            finding(Outcome::NotApplicable, None, verdict.evidence)
        };
    }
    let lasting = (theorem.bounded_loss_suffices)
        .then(|| lasting_fall(e.problem, &run.descent))
        .flatten();
    let rises = not_to_zero(e, d).filter(|_| concerned && lasting.is_none());
    if let Some(why) = rises {
        // what rises may still fall: steps too large for the start are not too large for what comes later
        let why = format!("{why}, extend steps.count");
        return finding(Outcome::Inconclusive, nearest(run, theorem), why);
    }
    let judged = match verdict.outcome {
        Outcome::NotApplicable => finding(Outcome::NotApplicable, None, verdict.evidence),
        Outcome::Violated | Outcome::Holds => {
            finding(verdict.outcome, verdict.residual, verdict.evidence)
        }
        Outcome::Inconclusive => on_its_way(e, run, theorem, verdict.evidence),
    };
    let judged = match lasting {
        Some(proof) if judged.outcome == Outcome::Inconclusive => proved(run, theorem, proof),
        _ => judged,
    };
    let remark = negative_alignments(e, d).filter(|_| judged.outcome != Outcome::NotApplicable);
    Finding {
        why: [Some(judged.why), remark]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("; "),
        ..judged
    }
}

/// A run that has not arrived, but provably will: from some record on its loss falls for ever.
fn proved(run: &Beside, theorem: Theorem, proof: LastingFall) -> Finding {
    let angle = (theorem.distance)(&run.diagnostics)
        .last()
        .copied()
        .flatten();
    let still = angle.map_or_else(String::new, |angle| {
        format!("; the direction is still {angle:.3} rad from it, and needs many more steps")
    });
    let why = format!(
        "from step {} on the loss provably falls for ever (the conditions are met with {:.1e} and {:.1e} of 1, ln loss \
         {:.2}), which from zero weights takes the direction to the limit{still}",
        proof.step, proof.growth, proof.step_size, proof.log_loss,
    );
    Finding {
        tolerance: 1.0,
        ..Finding::of(
            run,
            Outcome::Holds,
            Some(proof.growth.max(proof.step_size)),
            why,
        )
    }
}

/// A run whose weights overflow: whether that proves anything.
fn overflown(e: &Evidence<'_>, run: &Beside, theorem: Theorem) -> Finding {
    let finding = |outcome, why| Finding::of(run, outcome, None, why);
    let why = format!("the weights overflow after step {}", run.last_step());
    if run.descent.schedule == Schedule::LossNormalised {
        return finding(
            Outcome::Inconclusive,
            format!(
                "{why}: steps divided by the loss are stable only while η times the tangent kernel stays below about \
                 2, take fewer or smaller ones"
            ),
        );
    }
    if theorem.is_about.is_some() {
        let why =
            format!("{why}: the loss is not seen to tend to zero, which the theorem supposes");
        return finding(Outcome::NotApplicable, why);
    }
    let Some(proof) = runaway(e.problem, &run.descent) else {
        let why = format!("{why}, which does not prove that the loss would not tend to zero");
        return finding(Outcome::Inconclusive, why);
    };
    let turns: Vec<String> = proof.turns.iter().map(usize::to_string).collect();
    let why = format!(
        "the loss tends to infinity: after step {} the least margin is {:.1e}, its sample outweighs all others and all \
         weights, and {} {} for ever (docs/theory.md, section 9)",
        proof.step,
        proof.min_margin,
        if turns.len() == 1 {
            "sample"
        } else {
            "samples"
        },
        if turns.len() == 1 {
            format!("{} does so", turns[0])
        } else {
            format!("{} take turns", turns.join(", "))
        }
    );
    finding(Outcome::Violated, why)
}

/// Whether a run whose loss does not tend to zero is one that the theorem is about.
fn concerns(theorem: Theorem, as_a_flow: &Evidence<'_>, applies: bool) -> bool {
    let is_about = theorem.is_about;
    is_about.map_or(applies, |is_about| is_about(as_a_flow))
}

/// A run that the claim on the flow cannot decide: it holds where the direction follows the flow, or the predicted
/// slope.
fn on_its_way(e: &Evidence<'_>, run: &Beside, theorem: Theorem, undecided: String) -> Finding {
    let d = &run.diagnostics;
    let angles = (theorem.distance)(d);
    let finding = |outcome, residual, why| Finding::of(run, outcome, residual, why);
    let residual = nearest(run, theorem);
    let last = d.log_log_time.len() - 1;
    let late = d.log_loss[last] < e.problem.loss().log_loss(std::iter::once(0.0));
    let third = relu::since(d, 2.0 / 3.0);
    let at = |k: usize| {
        angles
            .get(..=k)
            .and_then(|_| FeatureMachine::at(&angles, k))
    };
    let falls = at(last)
        .zip(at(third))
        .is_some_and(|(now, before)| now < before);
    // Once the loss is below that of one sample of margin zero every margin is positive.
    let (Some(to_limit), true, true) = (at(last), falls, late) else {
        return finding(Outcome::Inconclusive, residual, undecided);
    };
    let where_it_is = format!(
        "{to_limit:.3} rad from the limit and falling, ln loss {:.2}",
        d.log_loss[last]
    );
    if let Some(to_flow) = run.final_angle_to_flow()
        && to_flow <= direction::TOLERANCE
    {
        let why = format!("follows the flow to {to_flow:.1e} rad, {where_it_is}");
        return finding(Outcome::Holds, Some(to_flow.min(to_limit)), why);
    }
    let s = &d.log_log_time;
    let fit = Fit::of(2.0 / 3.0, s, &angles);
    let of_the_run = Evidence {
        diagnostics: d,
        ..*e
    };
    match (fit, (theorem.expected)(&of_the_run)) {
        (Some(fit), Some(predicted)) if fit.slope <= (1.0 - SHORTFALL) * predicted => Finding {
            tolerance: SHORTFALL,
            ..finding(
                Outcome::Holds,
                Some((1.0 - fit.slope / predicted).max(0.0)),
                format!("{where_it_is}, {fit} where {predicted:+.4} is predicted"),
            )
        },
        _ => finding(Outcome::Inconclusive, residual, undecided),
    }
}

/// The final angle to the flow or to the limit, whichever is smaller.
fn nearest(run: &Beside, theorem: Theorem) -> Option<f64> {
    let to_limit = (theorem.distance)(&run.diagnostics)
        .last()
        .copied()
        .flatten();
    match (run.final_angle_to_flow(), to_limit) {
        (Some(x), Some(y)) => Some(x.min(y)),
        (x, y) => x.or(y),
    }
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

/// What to say of negative alignments, if a run from zero weights has met some: theorems on limits do not exclude them.
fn negative_alignments(e: &Evidence<'_>, d: &Diagnostics) -> Option<String> {
    let alignment = (d.alignment.as_ref()).filter(|_| e.problem.theta0().amax() == 0.0)?;
    let columns = || alignment.phi.column_iter();
    let met = columns().filter(|phi| phi.min() < 0.0).count();
    let (l, least) = columns().next_back()?.argmin();
    (met > 0).then(|| {
        let end = if least < 0.0 {
            format!("φ_{} = {least:.1e} at the end", l + 2)
        } else {
            "none at the end".to_owned()
        };
        format!(
            "alignments are negative at {met} of {} records ({end}), which decides nothing: from zero weights it \
             suffices that the loss stays bounded",
            alignment.phi.ncols()
        )
    })
}
