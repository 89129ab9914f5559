//! Theorem 4: the limit of the first layer of two-layer ReLU networks under fixed feedback.

use super::direction::Approach;
use super::relu::{self, Turning};
use super::{Claim, Evidence, Outcome, Subject, Verdict, dfa_margin, direction};
use nalgebra::DVector;

pub(super) const THM_4: Claim = Claim {
    id: "thm-4",
    printed: "Under direct feedback alignment, if the loss of a two-layer ReLU network tends to zero, its weights \
              converge in direction, and \
              w_2 to the hard-margin SVM of the features of the first layer.",
    corrected: "Convergence in direction is seen, not proved (the bound A.10 is not integrable). The angle of w_2 to \
                the feature SVM \
                falls like (log t)^{−1/3}. The loss need not tend to zero: from zero weights all units with feedback \
                of one sign stay \
                parallel, two effective units, which cannot fit data like exclusive or. That it does is one observable \
                event (dfa-margin).",
    check: "Residual: the final angle between w_2 and the SVM of the features of the same save. Tolerance: 0.01 rad, \
            and it must still fall, at a quarter of (log t)^{−1/3} or faster, or be below 1e-6 rad. Inconclusive \
            otherwise, and where the layers turn no less over the last third of the run than over the middle one (and \
            by more than 0.01 rad): directions have changed late after standing still for long, so no run proves that \
            they do not converge. Hypotheses: two-layer ReLU, fixed feedback, and a loss that tends to zero, which is \
            decided by one event: from the save on where it is below that of one sample with margin zero it can do \
            nothing else, and margins per length of the layers stay away from zero (dfa-margin). Where units start \
            below the level set all margins must be positive besides, and the smallest growing over the last third.",
    subject: Subject::Flow,
    judge: |e| theorem(e).unwrap_or_else(|verdict| verdict),
};

pub(super) const FIRST_LAYER: Claim = Claim {
    id: "thm-4-first-layer",
    printed: "(Ours; the report leaves the first layer open.) Under fixed feedback the first layer of a two-layer ReLU \
              network converges in \
              direction to a KKT point of min Σ_j ‖w_j‖⁴/b_j² subject to y_n f(x_n) ≥ 1, f with its output weights on \
              the \
              level set w_{2,j} = ‖w_j‖²/(2b_j).",
    corrected: "Derived where the weights converge in direction: on the level set the flow is a mirror flow of that f \
                with potential \
                Σ_j ‖w_j‖⁴/(8b_j²). From other initial weights the level set is reached in direction. The residual \
                falls like (log t)^{−1/3} with exact kinks; rounded ones have slower modes, of powers that are not \
                known ((log t)^{−0.13} has been seen).",
    check: "Residual: the final relative KKT residual, over the samples within one percent of the smallest margin, \
            gates at kinks free in [0, 1], with the relative distance of w_2 from the level set in quadrature. \
            Tolerance: 0.01, and it must still fall, at a quarter of (log t)^{−1/3} or faster (rounded kinks: of (log \
            t)^{−1/10}), or be below 1e-6; else inconclusive. The residual of min ½‖θ‖² subject to the same \
            constraints, where gradient descent would lead, is given as a control: it should stay large. Hypotheses \
            as for thm-4.",
    subject: Subject::Flow,
    judge: |e| first_layer(e).unwrap_or_else(|verdict| verdict),
};

/// The power of log t with which both residuals fall; that of the first layer with exact kinks only.
const LAW: f64 = -1.0 / 3.0;

fn theorem(e: &Evidence<'_>) -> Result<Verdict, Verdict> {
    let (h, _) = relu::two_layers_with_feedback(e)?;
    let event = dfa_margin::loss_tends_to_zero(e)?;
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
        return Ok(Verdict::new(
            Outcome::Inconclusive,
            turning.last,
            direction::TOLERANCE,
            format!("directions still change, extend {}: {turns}", e.extend),
        ));
    }
    Ok(judge(
        e,
        ("angle to the feature SVM", " rad"),
        &h.feature_angle,
        Some(LAW),
        format!("; {event}; {turns}"),
    ))
}

/// Judges a measure that falls with the power `expected` of log t.
fn judge(
    e: &Evidence<'_>,
    named: (&str, &str),
    distance: &[Option<f64>],
    expected: Option<f64>,
    more: String,
) -> Verdict {
    let approach = Approach {
        named,
        distance,
        expected,
        certified: false,
        contradiction: None,
        more,
    };
    direction::judge(e, &approach)
}

fn first_layer(e: &Evidence<'_>) -> Result<Verdict, Verdict> {
    let (h, _) = relu::two_layers_with_feedback(e)?;
    dfa_margin::loss_tends_to_zero(e)?;
    let control = match h.gradient_kkt.last().copied().flatten() {
        Some(residual) => format!("; that of min ½‖θ‖² is {residual:.3e}"),
        None => String::new(),
    };
    Ok(judge(
        e,
        ("KKT residual of min Σ_j ‖w_j‖⁴/b_j²", ""),
        &h.feedback_kkt,
        (h.smoothing == 0.0).then_some(LAW),
        control,
    ))
}
