//! Proposition 3: under fixed feedback the output weights of a two-layer ReLU network take the signs of the feedback.
//!
//! `c_j = b_j w_{2,j} − ½‖w_j‖²` does not change (`diagnostics::invariants`), so `b_j w_{2,j} = c_j + ½‖w_j‖² ≥ 0` at
//! all times wherever `c_j ≥ 0`. With `S_j = Σ α_n y_n d_{jn}` (d: derivative of a unit's output in its weights,
//! `w_j·d_{jn} = h_{jn}`) the flow is `w_j' = b_j S_j`, `w_{2,j}' = w_j·S_j`, and
//!
//! ```text
//! 𝓛' = −Σ_j ((w_j·S_j)² + b_j w_{2,j} ‖S_j‖²) ≤ 0
//! ```

use super::loss_decreases::largest_rise;
use super::{
    Claim, Evidence, Outcome, Subject, Verdict, beyond_resolution, not_applicable, relu, unfinished,
};
use nalgebra::DVector;

pub(super) const CLAIM: Claim = Claim {
    id: "prop-3",
    printed: "Under direct feedback alignment from zero weights, the output weights of a two-layer ReLU network take \
              the signs of the \
              feedback, and the loss decreases.",
    corrected: "True and exact, by the conservation of c_j = b_j w_{2,j} − ½‖w_{1,j}‖², not only from zero weights but \
                wherever \
                no c_j is negative: then b_j w_{2,j} = c_j + ½‖w_{1,j}‖² ≥ 0, and 𝓛' = −Σ_j ((w_{1,j}·S_j)² + b_j \
                w_{2,j}‖S_j‖²) ≤ 0 \
                with S_j the update of unit j before the feedback.",
    check: "Residual: the largest of the drift of the conserved quantity, of −b_j w_{2,j}/(|b_j|‖w_2‖) over units and \
            saves (of output weights as short as atol only what exceeds it), and of the climb of ln 𝓛 over the steps \
            of the integrator, relative to max(1, |ln 𝓛|). Tolerance: 100 times the larger of rtol and atol, at most \
            0.01. Violated where a sign is wrong or the loss rises beyond it; inconclusive where only the conserved \
            quantity drifts, which says how far the run can be trusted. Hypotheses: two-layer ReLU, fixed feedback \
            without zeros, b_j w_{2,j}(0) ≥ ½‖w_{1,j}(0)‖² (to rounding).",
    subject: Subject::Flow,
    judge,
};

/// Upper bound of the tolerance, however loosely a run is integrated.
const LARGEST_TOLERANCE: f64 = 0.01;

/// Negative c_j below this fraction of their terms count as rounding of the initial weights.
const ROUNDING: f64 = 1e-9;

fn judge(e: &Evidence<'_>) -> Verdict {
    verdict(e).unwrap_or_else(|verdict| verdict)
}

fn verdict(e: &Evidence<'_>) -> Result<Verdict, Verdict> {
    let (h, b) = relu::two_layers_with_feedback(e)?;
    if let Some(j) = b.iter().position(|b| *b == 0.0) {
        return Err(not_applicable(format!(
            "unit {j} (from 0) has no feedback, so no sign to take"
        )));
    }
    if let Some((j, c)) = below_the_level(e, &b) {
        return Err(not_applicable(format!(
            "unit {j} (from 0) starts with b_j w_2j − ½‖w_1j‖² = {c:.3e} < 0, off the level set on the side where its \
             output \
             weight has the other sign while it is short"
        )));
    }
    if let Some(verdict) = unfinished(e) {
        return Err(verdict);
    }
    let tolerance = (100.0 * e.options.rtol.max(e.options.atol)).min(LARGEST_TOLERANCE);
    let shares = h.output_weights.column_iter().flat_map(|w| {
        let size = w.norm();
        let share = |(w, b): (&f64, &f64)| match size {
            0.0 => 0.0,
            _ => -b.signum() * w / size,
        };
        let shares: Vec<(f64, f64)> = w.iter().zip(&b).map(|pair| (share(pair), size)).collect();
        shares
    });
    let wrong_sign = beyond_resolution(e, tolerance, shares);
    let drift = e.diagnostics.worst_invariant();
    let rise = largest_rise(e);
    let residual = drift.max(wrong_sign).max(rise.largest);
    let saves = h.output_weights.ncols();
    let evidence = format!(
        "over {saves} saves: drift of b_j w_2j − ½‖w_1j‖² {drift:.1e}, largest output weight of the wrong sign \
         {wrong_sign:.1e} of their norm, largest rise of ln 𝓛 {:.1e}",
        rise.nats
    );
    let outcome = if wrong_sign.max(rise.largest) > tolerance {
        Outcome::Violated
    } else if residual > tolerance {
        Outcome::Inconclusive
    } else {
        Outcome::Holds
    };
    Ok(Verdict::new(outcome, residual, tolerance, evidence))
}

/// The unit with the most negative `c_j`, relative to its terms.
fn below_the_level(e: &Evidence<'_>, b: &DVector<f64>) -> Option<(usize, f64)> {
    let weights = e.problem.network().weights(e.problem.theta0().as_slice());
    let terms = weights[0]
        .column_iter()
        .zip(weights[1].iter())
        .zip(b.iter());
    terms
        .enumerate()
        .map(|(j, ((w, output), b))| (j, b * output, 0.5 * w.norm_squared()))
        .filter(|(_, aligned, kinetic)| kinetic - aligned > ROUNDING * (kinetic + aligned.abs()))
        .map(|(j, aligned, kinetic)| (j, aligned - kinetic))
        .min_by(|x, y| x.1.total_cmp(&y.1))
}
