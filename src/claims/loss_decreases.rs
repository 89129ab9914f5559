//! Does the loss fall at all times? Under fixed feedback the flow is not a gradient flow, and the loss need not fall.

use super::{Claim, Evidence, Outcome, Subject, Verdict, unfinished};

pub const CLAIM: Claim = Claim {
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
    check: "Residual: the largest rise (d𝓛/dτ)/Σα over the saves, from the vector field itself, 0 if there is none. \
            Tolerance: rtol, at most 0.01. Between saves nothing is seen (flow.saves). A run that ended early can only \
            come out violated.",
    subject: Subject::Flow,
    judge,
};

/// Upper bound of the tolerance, however loosely a run is integrated.
const LARGEST_TOLERANCE: f64 = 0.01;

fn judge(e: &Evidence<'_>) -> Verdict {
    let d = e.diagnostics;
    let tolerance = e.options.rtol.min(LARGEST_TOLERANCE);
    let (save, worst) =
        d.loss_rate
            .iter()
            .copied()
            .enumerate()
            .fold(
                (0, 0.0),
                |best, (k, rate)| if rate > best.1 { (k, rate) } else { best },
            );
    if worst > tolerance {
        let rising = d.loss_rate.iter().filter(|rate| **rate > tolerance).count();
        let evidence = format!(
            "the loss rises at {rising} of {} saves, fastest at ln t = {:.6e} (ln 𝓛 = {:.4})",
            d.loss_rate.len(),
            d.log_time[save],
            d.log_loss[save]
        );
        return Verdict::new(Outcome::Violated, worst, tolerance, evidence);
    }
    if let Some(verdict) = unfinished(e) {
        return verdict;
    }
    let evidence = format!("the loss rises at none of {} saves", d.loss_rate.len());
    Verdict::new(Outcome::Holds, worst, tolerance, evidence)
}
