//! Theorem 2: which norm convolutional (and diagonal) linear networks minimise under fixed feedback.
//!
//! The report prints three exponents, all of them misprints of the one derived in docs/theory.md. Two come with a norm,
//! which is taken to the letter: its constrained minimiser is computed and certified, and the run's angle to it is
//! measured. The third, `α = 1/(2^{L−1}+1)` for the power of `|β̂_d|` in the gradient, has no weights to go with it.

use super::direction::Approach;
use super::directional_limit::angle_to_limit;
use super::{
    Claim, Evidence, Outcome, Subject, Verdict, certificate, direction, limit_of_completed_run,
};

pub(super) const MAIN_TEXT: Claim = Claim {
    id: "thm-2-main-text",
    printed: "Under direct feedback alignment flow a convolutional linear network converges in direction to the \
              minimiser \
              of Σ_d |β̂_d|^p / ∏_l |b̂_{L−l}[d]|^{2^l} subject to Gβ ≥ 1, with p = 2^{L−1} + 1 (so with weights \
              1/W_d).",
    corrected: "False: the exponent is misprinted, and the weights lack the power 1/(2^L−1) (see thm-2-corrected).",
    check: CHECK,
    subject: Subject::Flow,
    judge: |e| printed(e, "main-text"),
};

pub(super) const APPENDIX: Claim = Claim {
    id: "thm-2-appendix",
    printed: "The same with p = 1 + 1/2^{L−1} and weights 1/∏_l |b̂_{L−l}[d]|^{2^{l−1}} (which is W_d^{−1/2}): the \
              norm whose gradient the report's appendix prints. (A third place has α = 1/(2^{L−1}+1) for the power of \
              |β̂_d| in the gradient, without weights; it is right at L = 2 only.)",
    corrected: "False: the power 2^l/(2^L−1) of |b̂_{L−l}| and the exponent 1 + 1/(2^L−1) are right (see \
                thm-2-corrected).",
    check: CHECK,
    subject: Subject::Flow,
    judge: |e| printed(e, "appendix"),
};

pub(super) const CORRECTED: Claim = Claim {
    id: "thm-2-corrected",
    printed: "(Not in the report; its Theorem 2 corrected.) Under direct feedback alignment flow a convolutional \
              linear \
              network converges in direction to the minimiser of Σ_d W_d^{−1/(2^L−1)} |β̂_d|^p subject to Gβ ≥ 1, with \
              p = 2^L/(2^L−1) and W_d = ∏_{l<L} |b̂_l[d]|^{2^{L−l}}.",
    corrected: "True from zero weights without any assumption (thm-2-unconditional), from other weights if Z converges \
                in direction; likewise for diagonal networks (without the transform) and feedback alignment. The angle \
                falls like (log t)^{−1/(2^L−1)}.",
    check: "Residual: the final angle between the predictor and the minimiser. Tolerance: 0.01 rad, and the angle must \
            still fall (at a quarter of the predicted rate or faster), have stayed within it all through the last \
            third of the run, or be below 1e-6 rad. Violated only where the run's own duality gap proves that it \
            passes by the minimiser; inconclusive otherwise. Hypotheses: convolutional or diagonal linear, fixed \
            feedback, data separable through the frequencies the feedback reaches.",
    subject: Subject::Flow,
    judge: corrected,
};

const CHECK: &str = "Residual: the final angle between the predictor and the printed norm's minimiser. Violated where \
                     the run's own certificate excludes that it tends there: within 0.01 rad of the corrected \
                     minimiser all through the last third of the run, and with a duality gap (before the corrected \
                     potential) of less than a tenth of what the printed minimiser has under the same multipliers. \
                     Holds within 0.01 rad, falling, if the run's gap before the printed potential is less than a \
                     tenth of the corrected minimiser's. Inconclusive otherwise, and where the printed and the \
                     corrected minimiser are less than 0.05 rad apart, so that no run could tell them apart. \
                     Hypotheses: convolutional or diagonal linear, fixed feedback, separable data.";

/// Minimisers at a smaller angle than this are not distinguished (radians).
const DISCRIMINATING: f64 = 0.05;

/// The verdict to return where the theorem does not apply.
pub(super) fn hypotheses(e: &Evidence<'_>) -> Option<Verdict> {
    super::other_rule(e, true).or_else(|| {
        let why = "the network is neither convolutional nor diagonal linear";
        super::other_limit(e, "thm-2-corrected", why).or_else(|| limit_of_completed_run(e).err())
    })
}

fn corrected(e: &Evidence<'_>) -> Verdict {
    hypotheses(e).unwrap_or_else(|| angle_to_limit(e))
}

fn printed(e: &Evidence<'_>, id: &str) -> Verdict {
    if let Some(verdict) = hypotheses(e) {
        return verdict;
    }
    let candidates = &e.diagnostics.candidates;
    let (Some(candidate), Some(limit)) = (candidates.iter().find(|c| c.id == id), e.limit) else {
        return Verdict::without_measurement(
            Outcome::Inconclusive,
            "the minimiser of the printed norm could not be certified",
        );
    };
    let apart = crate::limit::angle(candidate.beta.as_slice(), limit.beta.as_slice());
    if apart < DISCRIMINATING {
        return Verdict::without_measurement(
            Outcome::Inconclusive,
            format!(
                "on these data the printed minimiser is only {apart:.1e} rad from the corrected one; no run can tell \
                 them \
                 apart (another data set or feedback seed does)"
            ),
        );
    }
    let angles: Vec<Option<f64>> = candidate.angle.iter().copied().map(Some).collect();
    let approach = Approach {
        named: ("angle to the printed minimiser", " rad"),
        distance: &angles,
        expected: e.diagnostics.rate.as_ref().and_then(|rate| rate.predicted),
        certified: false,
        contradiction: certificate::against_the_candidate(e, candidate),
        more: format!("; the corrected minimiser is {apart:.3} rad away from the printed one"),
    };
    let verdict = direction::judge(e, &approach);
    match verdict.outcome {
        Outcome::Holds if !certificate::arrives_at(e, candidate) => Verdict {
            outcome: Outcome::Inconclusive,
            evidence: format!(
                "near the printed minimiser, with no certificate that it tends there, extend {}: {}",
                e.extend, verdict.evidence
            ),
            ..verdict
        },
        _ => verdict,
    }
}
