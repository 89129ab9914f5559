//! Theorem 3: the output layer of any network learns the support vector machine of its features.

use super::direction::Approach;
use super::relu::{self, Turning};
use super::{Claim, Evidence, Outcome, Subject, Verdict, direction, not_applicable};
use crate::diagnostics::FeatureMachine;
use nalgebra::DVector;

pub(super) const CLAIM: Claim = Claim {
    id: "thm-3",
    printed: "Under any learning rule that gives the output layer its gradient, if the loss tends to zero and the \
              other layers converge in \
              direction, the output weights converge in direction to the hard-margin SVM of the features of the last \
              hidden layer.",
    corrected: "True if besides the limits of the features have a positive margin and the output weights diverge; that \
                these then converge in direction follows. Without such a margin it is false (docs/theory.md, section \
                8). It holds for every network with a linear output layer, linear ones included. The hypotheses are \
                checked on the run, and named where they fail.",
    check: "Residual: the final angle between w_L and the SVM of the features of the same save. Tolerance: 0.01 rad, \
            and it must still fall (at a quarter of the predicted rate; like (log t)^{−1/40} where there is none) or \
            be below 1e-6 rad; else inconclusive: of features that the run itself learns no run proves what they come \
            to. Hypotheses: a hidden layer (ReLU, fully connected, convolutional or diagonal network); all margins \
            positive and the smallest still growing over \
            the last third of the run; ‖w_L‖ growing by a hundredth or more over it; a feature SVM at the end, whose \
            margin has not halved over the last third. Inconclusive while the features turn no less over the last \
            third than over the middle one, and by more than 0.01 rad.",
    subject: Subject::Flow,
    judge,
};

/// Norms that grow like powers of log t grow by more than this over the last third of a run.
const GROWING: f64 = 1.01;

fn judge(e: &Evidence<'_>) -> Verdict {
    verdict(e).unwrap_or_else(|verdict| verdict)
}

fn verdict(e: &Evidence<'_>) -> Result<Verdict, Verdict> {
    let d = e.diagnostics;
    let machine = measured(e)?;
    relu::fits(e)?;
    let (earlier, last) = (
        relu::since(e.diagnostics, 2.0 / 3.0),
        d.log_log_time.len() - 1,
    );
    let output = d.layer_norms.row(d.layer_norms.nrows() - 1);
    if output[last] <= GROWING * output[earlier] {
        return Err(not_applicable(format!(
            "the output weights do not diverge: their norm is {:.3e} at the end, {:.3e} at two thirds of the run",
            output[last], output[earlier]
        )));
    }
    let margins = [last, earlier].map(|k| FeatureMachine::at(&machine.margin, k));
    let margin = match margins.into() {
        (Some(now), Some(before)) if now > 0.5 * before => now,
        (Some(now), Some(before)) => {
            return Err(not_applicable(format!(
                "the features lose their margin: {now:.3e} at the end, {before:.3e} at two thirds of the run"
            )));
        }
        _ => {
            return Err(not_applicable(
                "no hyperplane separates the features of the output layer at the end of the run",
            ));
        }
    };
    let turning = Turning::of(e, |k| features(e, k));
    if !turning.settles() {
        return Err(Verdict::new(
            Outcome::Inconclusive,
            turning.last,
            direction::TOLERANCE,
            format!(
                "the features do not settle yet: they turn by {:.3e} rad over the last third of the run, after {:.3e} \
                 rad over the middle one, extend {}",
                turning.last, turning.middle, e.extend
            ),
        ));
    }
    let gap = match machine.gap[last] {
        Some(gap) => format!("; the output weights' own duality gap is {gap:.1e}"),
        None => String::new(),
    };
    let more = format!(
        "{gap}; feature margin {margin:.3e}, features turn by {:.1e} rad over the last third of the run",
        turning.last
    );
    let approach = Approach {
        named: ("angle to the feature SVM", " rad"),
        distance: &machine.angle,
        expected: expected(e),
        certified: false,
        contradiction: None,
        more,
    };
    Ok(direction::judge(e, &approach))
}

/// The output layer as it was measured.
///
/// # Errors
/// *not applicable* to networks without a hidden layer, or without a linear output layer that is known.
pub(super) fn measured<'a>(e: &Evidence<'a>) -> Result<&'a FeatureMachine, Verdict> {
    if e.problem.network().depth() < 2 {
        return Err(not_applicable("the network has no hidden layer"));
    }
    (e.diagnostics.feature_machine.as_ref())
        .ok_or_else(|| not_applicable("the network is not known to have a linear output layer"))
}

/// The predicted slope of the angle to the feature SVM, where theory has one.
pub(super) fn expected(e: &Evidence<'_>) -> Option<f64> {
    let law = e.diagnostics.theory.rate.as_ref()?;
    let rate = e.diagnostics.rate.as_ref().filter(|_| law.of_features)?;
    rate.predicted
}

/// All features at save k as one vector.
fn features(e: &Evidence<'_>, k: usize) -> Vec<DVector<f64>> {
    let (network, data) = (e.problem.network(), e.problem.dataset());
    let theta = e.trajectory.theta.column(k);
    let layer = network.output_layer(&theta.as_slice()[..network.parameters()], data);
    let features = layer.into_iter().map(|layer| layer.features);
    features
        .map(|features| DVector::from_column_slice(features.as_slice()))
        .collect()
}
