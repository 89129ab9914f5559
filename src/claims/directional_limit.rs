//! Theorem 1 and its gradient-descent counterpart: the predictor converges in direction to the hard-margin SVM.

use super::{Claim, Evidence, Subject, Verdict, direction, limit_of_completed_run};

pub const THM_1: Claim = Claim {
    id: "thm-1",
    printed: "Under direct feedback alignment flow a fully connected linear network converges in direction to the \
              hard-margin SVM, the same limit as under gradient descent.",
    corrected: "True, from any initial weights, and for feedback alignment, which on linear networks is direct \
                feedback \
                alignment with b_l = F_l⋯F_{L−1}; the angle falls like (log t)^{−1/(2^L−1)}, exponentially slower in \
                depth than under gradient descent.",
    check: CHECK,
    subject: Subject::Flow,
    judge: |e| judge(e, "thm-1", true),
};

pub const GD_FC: Claim = Claim {
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
                     the \
                     angle must still fall (at a quarter of the predicted rate or faster) unless it is below 1e-6 rad. \
                     Above the tolerance: inconclusive while it falls, violated once it has stalled (in a run long \
                     enough for the \
                     predicted fall over its last third to be twofold). Hypotheses: fully connected linear, separable \
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
pub fn angle_to_limit(e: &Evidence<'_>) -> Verdict {
    let d = e.diagnostics;
    let angles: Vec<Option<f64>> = match &d.angle_to_limit {
        Some(angles) => angles.iter().copied().map(Some).collect(),
        None => Vec::new(),
    };
    let gap = match d.duality_gap.last().copied().flatten() {
        Some(gap) => format!("; the run's own duality gap is {gap:.1e}"),
        None => String::new(),
    };
    let expected = d.rate.as_ref().and_then(|rate| rate.predicted);
    direction::judge(e, direction::ANGLE, &angles, expected, &gap)
}
