//! How near its limit the run can prove itself to be, with no reference solution: KKT residual and duality gap.

use super::{Figure, Run, Scale, build};

pub const ID: &str = "certificate";

/// Applies to linear networks once all samples have been classified correctly at some save.
pub fn build(run: &Run) -> Option<Figure> {
    let diagnostics = run.diagnostics;
    if run.problem.network.relu().is_some() {
        return None;
    }
    if diagnostics
        .kkt_residual
        .iter()
        .chain(&diagnostics.duality_gap)
        .all(Option::is_none)
    {
        return None;
    }
    // Gaps need a convex potential: where there is none, none is drawn.
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
    .filter(|(_, (_, values))| values.iter().any(Option::is_some))
    .map(|(k, (label, values))| build::line(label, k, run.over_time_where_defined(values)))
    .collect();
    let panel = build::panel(
        "",
        build::axis("residual, relative gap", Scale::Log10),
        series,
    );
    let (gradient, gap, least) = if run.problem.network.spectral().is_some() {
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
         Duality gap: {gap} − 1 with γ the margin of β and a ≥ 0 from the run itself, either fitted to its β or A = ∫α dt, accumulated along \
         the way; it bounds from above how far {least}. Both vanish only at the limit and need no reference solution. They start once every sample is on its \
         right side; zeros are drawn at 10⁻¹⁷."
    );
    Some(run.figure(
        ID,
        "The run certifies itself: KKT residual and duality gap",
        caption,
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
    fn networks_without_a_predictor_certify_nothing() {
        let mut case = synthetic_relu::relu(5, &[12], true);
        case.diagnostics.kkt_residual.fill(Some(0.1));
        assert!(build(&case.run()).is_none());
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
