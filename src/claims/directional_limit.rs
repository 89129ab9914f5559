//! Theorem 1 and its gradient-descent counterpart: the predictor converges in direction to the hard-margin SVM.

use super::direction::{Approach, TOLERANCE};
use super::{
    Claim, Evidence, Outcome, Subject, Verdict, certificate, direction, limit_of_completed_run,
};

pub(super) const THM_1: Claim = Claim {
    id: "thm-1",
    printed: "Under direct feedback alignment flow a fully connected linear network converges in direction to the \
              hard-margin SVM, the same limit as under gradient descent.",
    corrected: "True, from any initial weights and whatever the loss does on the way (‖Z‖‖β*‖/a → 1 with a = Σ_n ∫α_n, \
                between bounds whose constant the start determines, which leaves Z/a one point to go to), and for \
                feedback alignment, which on linear networks is direct \
                feedback \
                alignment with b_l = F_l⋯F_{L−1}; the angle falls like (log t)^{−1/(2^L−1)}, exponentially slower in \
                depth than under gradient descent.",
    check: CHECK,
    subject: Subject::Flow,
    judge: |e| judge(e, "thm-1", true),
};

pub(super) const GD_FC: Claim = Claim {
    id: "gd-fc",
    printed: "Under gradient descent flow a fully connected linear network converges in direction to the hard-margin \
              SVM.",
    corrected: "True (Soudry et al. 2018; Gunasekar et al. 2018; Ji and Telgarsky 2020); the angle falls like \
                (log t)^{−1/L}.",
    check: CHECK,
    subject: Subject::Flow,
    judge: |e| judge(e, "gd-fc", false),
};

const CHECK: &str = "Residual: the final angle between the predictor and the SVM direction. Tolerance: 0.01 rad, and \
                     the angle must still fall (at a quarter of the predicted rate or faster), have stayed within it \
                     all through the last third of the run, or be below 1e-6 rad. Violated only where the run's own \
                     duality gap proves that it passes by the limit (its gap is less than a tenth of the limit's under \
                     the same multipliers); inconclusive otherwise. Hypotheses: fully connected linear, separable \
                     data.";

fn judge(e: &Evidence<'_>, id: &str, feedback: bool) -> Verdict {
    if let Some(verdict) = super::other_rule(e, feedback) {
        return verdict;
    }
    if let Some(verdict) = super::other_limit(e, id, "the network is not fully connected linear") {
        return verdict;
    }
    if let Err(verdict) = limit_of_completed_run(e) {
        return verdict;
    }
    angle_to_limit(e)
}

/// Judges the angle to the run's limit; the evidence includes the run's own certificate.
pub(super) fn angle_to_limit(e: &Evidence<'_>) -> Verdict {
    let d = e.diagnostics;
    let angles: Vec<Option<f64>> = match &d.angle_to_limit {
        Some(angles) => angles.iter().copied().map(Some).collect(),
        None => Vec::new(),
    };
    let own_gap = d.duality_gap.last().copied().flatten();
    let approach = Approach {
        named: ("angle", " rad"),
        distance: &angles,
        expected: d.rate.as_ref().and_then(|rate| rate.predicted),
        certified: own_gap.is_some(),
        contradiction: certificate::against_the_limit(e),
        more: own_gap.map_or_else(String::new, |gap| {
            format!("; the run's own duality gap is {gap:.1e}")
        }) + &accumulated(e),
    };
    let verdict = direction::judge(e, &approach);
    match verdict.outcome {
        Outcome::Inconclusive => one_of_many(e).unwrap_or(verdict),
        _ => verdict,
    }
}

/// How near the accumulated signal is to the point of the hull that it tends to, where theory says so.
fn accumulated(e: &Evidence<'_>) -> String {
    let sandwich = e.diagnostics.sandwich.as_ref();
    let excess = sandwich.and_then(|s| s.dual_excess(s.accumulated.len() - 1));
    let symbol = match e.limit.is_some_and(|limit| limit.potential.is_euclidean()) {
        true => "‖Z‖‖β*‖",
        false => "ψ*(Z)Ψ",
    };
    excess.map_or_else(String::new, |excess| {
        format!(", {symbol}/a − 1 = {excess:.1e}")
    })
}

/// What an angle of [`TOLERANCE`] costs before the Euclidean norm: excess over the least value of a potential.
const LARGEST_EXCESS: f64 = 0.5 * TOLERANCE * TOLERANCE;

/// For p = 1 potentials have many minimisers, or nearly minimal directions at all angles from the only one: a run whose
/// own duality gap has come to nothing is at one of them.
fn one_of_many(e: &Evidence<'_>) -> Option<Verdict> {
    let limit = e.limit.filter(|limit| limit.potential.exponent == 1.0)?;
    let (d, gaps) = (e.diagnostics, &e.diagnostics.duality_gap);
    let gap = gaps.last().copied().flatten()?;
    let s = &d.log_log_time;
    let since = s[s.len() - 1] * 2.0 / 3.0;
    direction::stays_within(LARGEST_EXCESS, since, s, gaps).then(|| {
        let which = if limit.unique {
            "nearly minimal directions lie at all angles from the minimiser"
        } else {
            "there are many minimisers"
        };
        let angle = d.final_angle().unwrap_or(0.0);
        let evidence = format!(
            "the run's own duality gap is {gap:.1e}: it is at a minimiser ({which}; {angle:.1e} rad from the one that \
             was computed)"
        );
        Verdict::new(Outcome::Holds, gap, LARGEST_EXCESS, evidence)
    })
}
