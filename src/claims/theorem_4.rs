//! Theorem 4: the limit of the first layer of two-layer ReLU networks under fixed feedback.

use super::relu::{self, Turning};
use super::{Claim, Evidence, Outcome, Subject, Verdict, direction};
use nalgebra::DVector;

pub const THM_4: Claim = Claim {
    id: "thm-4",
    printed: "Under direct feedback alignment, if the loss of a two-layer ReLU network tends to zero, its weights \
              converge in direction, and \
              w_2 to the hard-margin SVM of the features of the first layer.",
    corrected: "Convergence in direction is seen, not proved (the bound A.10 is not integrable). The angle of w_2 to \
                the feature SVM \
                falls like (log t)^{−1/3}. The loss need not tend to zero: from zero weights all units with feedback \
                of one sign stay \
                parallel, two effective units, which cannot fit data like exclusive or.",
    check: "Residual: the final angle between w_2 and the SVM of the features of the same save. Tolerance: 0.01 rad, \
            and it must still \
            fall, at a quarter of (log t)^{−1/3} or faster, or be below 1e-6 rad. Above: inconclusive while it falls, \
            or while the layers turn by more than it over the last third of the \
            run, violated once it has stalled. Where the layers turn no less over the last third of the run \
            than over the middle one (and by more than 0.01 rad): violated if from log-log-time 24 on they turn in \
            every quarter of its last half, \
            and no less in the last two than in the two before; else, after one late change, inconclusive. Hypotheses: \
            two-layer ReLU, fixed feedback, all \
            margins positive and the smallest growing over the last third of the run.",
    subject: Subject::Flow,
    judge: |e| theorem(e).unwrap_or_else(|verdict| verdict),
};

pub const FIRST_LAYER: Claim = Claim {
    id: "thm-4-first-layer",
    printed: "(Ours; the report leaves the first layer open.) Under fixed feedback the first layer of a two-layer ReLU \
              network converges in \
              direction to a KKT point of min Σ_j ‖w_j‖⁴/b_j² subject to y_n f(x_n) ≥ 1, f with its output weights on \
              the \
              level set w_{2,j} = ‖w_j‖²/(2b_j).",
    corrected: "Derived where the weights converge in direction: on the level set the flow is a mirror flow of that f \
                with potential \
                Σ_j ‖w_j‖⁴/(8b_j²). From other initial weights the level set is reached in direction. The residual \
                falls like (log t)^{−1/3}.",
    check: "Residual: the final relative KKT residual, over the samples within one percent of the smallest margin, \
            gates at kinks \
            free in [0, 1], with the relative distance of w_2 from the level set in quadrature. Tolerance: 0.01, and \
            it must still fall, at a \
            quarter of (log t)^{−1/3} or faster, or be below 1e-6. Above: inconclusive while it falls, violated once \
            it has \
            stalled. The residual of min ½‖θ‖² subject to the same constraints, where gradient descent would lead, is \
            given as \
            a control: it should stay large. Hypotheses as for thm-4.",
    subject: Subject::Flow,
    judge: |e| first_layer(e).unwrap_or_else(|verdict| verdict),
};

/// The power of log t with which both residuals fall.
const LAW: f64 = -1.0 / 3.0;

/// Log-log-time before which turning may still accelerate: units change their positions as late as s = 20.
const EARLY: f64 = 24.0;

fn theorem(e: &Evidence<'_>) -> Result<Verdict, Verdict> {
    let (h, _) = relu::two_layers_with_feedback(e)?;
    relu::fits(e)?;
    let turning = Turning::of(e, |k| {
        let weights = e
            .problem
            .network()
            .weights(e.trajectory.theta.column(k).as_slice());
        let flat = weights
            .iter()
            .map(|w| DVector::from_column_slice(w.as_slice()));
        flat.collect()
    });
    let turns = format!(
        "the layers turn by {:.1e} rad over the last third of the run, {:.1e} rad over the middle one",
        turning.last, turning.middle
    );
    if !turning.settles() {
        let late = e
            .diagnostics
            .log_log_time
            .last()
            .is_some_and(|s| *s >= EARLY);
        let (outcome, why) = if late && turning.steady {
            (Outcome::Violated, "no convergence in direction")
        } else if late {
            (
                Outcome::Inconclusive,
                "a late change of direction, extend flow.until",
            )
        } else {
            (Outcome::Inconclusive, "too early, extend flow.until")
        };
        return Ok(Verdict::new(
            outcome,
            turning.last,
            direction::TOLERANCE,
            format!("{why}: {turns}"),
        ));
    }
    let verdict = direction::judge(
        e,
        ("angle to the feature SVM", " rad"),
        &h.feature_angle,
        Some(LAW),
        &format!("; {turns}"),
    );
    Ok(relu::unless_features_lead(e, turning, verdict))
}

fn first_layer(e: &Evidence<'_>) -> Result<Verdict, Verdict> {
    let (h, _) = relu::two_layers_with_feedback(e)?;
    relu::fits(e)?;
    let control = match h.gradient_kkt.last().copied().flatten() {
        Some(residual) => format!("; that of min ½‖θ‖² is {residual:.3e}"),
        None => String::new(),
    };
    Ok(direction::judge(
        e,
        ("KKT residual of min Σ_j ‖w_j‖⁴/b_j²", ""),
        &h.feedback_kkt,
        Some(LAW),
        &control,
    ))
}
