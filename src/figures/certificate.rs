//! How near its limit the run can prove itself to be, with no reference solution: KKT residual and duality gap.

use super::{Figure, Run, Scale, build};

pub const ID: &str = "certificate";

/// Applies once all samples have been classified correctly at some save.
pub fn build(run: &Run) -> Option<Figure> {
    let diagnostics = run.diagnostics;
    if diagnostics
        .kkt_residual
        .iter()
        .chain(&diagnostics.duality_gap)
        .all(Option::is_none)
    {
        return None;
    }
    let series = vec![
        build::line(
            "KKT residual",
            0,
            run.over_time_where_defined(&diagnostics.kkt_residual),
        ),
        build::line(
            "duality gap",
            1,
            run.over_time_where_defined(&diagnostics.duality_gap),
        ),
    ];
    let panel = build::panel(
        "",
        build::axis("residual, relative gap", Scale::Log10),
        series,
    );
    let caption = "KKT residual: relative distance of β, scaled to margin one, from the cone of the samples on the \
                   margin. Duality gap: (‖β‖/γ)(‖Gᵀa‖/1ᵀa) − 1 with γ the margin of β and a ≥ 0 taken from the run \
                   itself; it bounds from above how far β/γ is from the least norm. Both vanish only at the limit and \
                   need no reference solution. They start once every sample is on its right side; zeros are drawn at \
                   10⁻¹⁷.";
    Some(run.figure(
        ID,
        "The run certifies itself: KKT residual and duality gap",
        caption.into(),
        vec![panel],
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::synthetic;

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
        case.diagnostics.kkt_residual.fill(None);
        assert!(build(&case.run()).is_none());
    }
}
