//! How near its limit the run can prove itself to be, without a reference solution: KKT residual and duality gap.

use super::{Drawn, Figure, Scale, Series, build};

pub(crate) const ID: &str = "certificate";

/// Applies once all samples have been classified correctly at some save.
pub(crate) fn build(run: &Drawn) -> Option<Figure> {
    let diagnostics = run.diagnostics;
    // without a predicted limit a residual stands for nothing that a gap could be drawn beside
    if run.theory().limit.is_none()
        || diagnostics
            .kkt_residual
            .iter()
            .chain(&diagnostics.duality_gap)
            .all(Option::is_none)
    {
        return None;
    }
    // Gaps need a convex potential: without one, nothing is drawn. The KKT residuals of ReLU networks, whose
    // margin problems are not convex, have a figure of their own (`kkt`).
    let relu = diagnostics.homogeneous.is_some();
    let series = [
        ("KKT residual", &diagnostics.kkt_residual),
        ("duality gap, best multipliers", &diagnostics.duality_gap),
        (
            "duality gap, accumulated multipliers",
            &diagnostics.accumulated_gap,
        ),
    ]
    .into_iter()
    .enumerate()
    .filter(|(k, (_, values))| !(relu && *k == 0) && values.iter().any(Option::is_some))
    .map(|(k, (label, values))| build::line(label, k, run.over_time_where_defined(values)))
    .collect::<Vec<_>>();
    if relu {
        return features(run, series);
    }
    let panel = build::panel(
        "",
        build::axis("residual, relative gap", Scale::Log10),
        series,
    );
    let (gradient, gap, least) = if run
        .theory()
        .limit
        .as_ref()
        .and_then(|law| law.potential())
        .is_some_and(|potential| !potential.is_euclidean())
    {
        (
            "of the gradient of ψ, the potential the flow minimises, at β",
            "(ψ(β)/γ)(ψ*(Gᵀa)/1ᵀa)",
            "ψ(β/γ) is from its minimum",
        )
    } else {
        ("of β", "(‖β‖/γ)(‖Gᵀa‖/1ᵀa)", "β/γ is from the least norm")
    };
    let caption = format!(
        "KKT residual: relative distance {gradient}, scaled to margin one, from the cone of the samples on the margin. \
         Duality gap: {gap} − 1 with γ the margin of β and a ≥ 0 from the run itself, either fitted to its β or A = ∫α \
         dt, accumulated along the way; it bounds from above how far {least}. Both vanish only at the limit and need \
         no reference solution. They start once every sample is on its right side; zeros are drawn at 10⁻¹⁷."
    );
    Some(run.figure(
        ID,
        "The run certifies itself: KKT residual and duality gap",
        caption,
        vec![panel],
    ))
}

/// What the output weights of a ReLU network certify on the features of each save.
fn features(run: &Drawn, series: Vec<Series>) -> Option<Figure> {
    if series.is_empty() {
        return None;
    }
    let panel = build::panel("", build::axis("relative gap", Scale::Log10), series);
    let caption = "Duality gap of the output weights w on the signed features φₙ that the hidden layers make of the \
                   samples at the same time: (‖w‖/γ)(‖Σ aₙφₙ‖/1ᵀa) − 1 with γ the smallest margin and a ≥ 0 fitted to \
                   w. It bounds from above how far w/γ is from the least norm, and vanishes only at the hard-margin \
                   SVM of the features. It starts once every sample is on its right side; zeros are drawn at 10⁻¹⁷.";
    Some(run.figure(
        ID,
        "Duality gap of the output weights on their features",
        caption.into(),
        vec![panel],
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{synthetic, synthetic_relu};

    #[test]
    fn undefined_saves_are_gaps_and_negative_gaps_are_floored() {
        let mut case = synthetic::dfa(2);
        let last = case.diagnostics.duality_gap.len() - 1;
        case.diagnostics.duality_gap[last] = Some(-1e-16);
        let figure = build(&case.run()).unwrap();
        let gap = &figure.panels[0].series[1];
        assert_eq!(gap.points[last].1, build::FLOOR);
        assert!(case.diagnostics.duality_gap[0].is_none() && gap.points[0].1.is_nan());

        case.diagnostics.duality_gap.fill(None);
        case.diagnostics.accumulated_gap.fill(None);
        case.diagnostics.kkt_residual.fill(None);
        assert!(build(&case.run()).is_none());
    }

    #[test]
    fn relu_networks_certify_their_output_weights_only() {
        let mut case = synthetic_relu::relu(5, &[12], true);
        case.diagnostics.kkt_residual.fill(Some(0.1));
        assert!(build(&case.run()).is_none());
        case.diagnostics.duality_gap.fill(Some(1e-3));
        let figure = build(&case.run()).unwrap();
        assert_eq!(figure.panels[0].series.len(), 1);
        assert!(figure.caption.contains("features") && !figure.caption.contains('β'));
    }

    #[test]
    fn without_a_gap_the_residual_stands_alone() {
        let mut case = synthetic::convolutional_gradient_descent(8, 3);
        case.diagnostics.duality_gap.fill(None);
        case.diagnostics.accumulated_gap.fill(None);
        let figure = build(&case.run()).unwrap();
        let labels: Vec<_> = figure.panels[0]
            .series
            .iter()
            .map(|s| s.label.as_deref())
            .collect();
        assert_eq!(labels, [Some("KKT residual")]);
    }
}
