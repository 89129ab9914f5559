//! How far finite steps are from the flow, against their size.

use super::{Axis, Drawn, Figure, Labels, Scale, Style, build, labels::shortest};

pub(crate) const ID: &str = "step-sizes";

/// Applies to runs with at least two step sizes that reach the same ηk.
pub(crate) fn build(run: &Drawn) -> Option<Figure> {
    let steps = run.steps?;
    let order = steps.order.as_ref()?;
    let size_axis = || Axis {
        label: "step size η".into(),
        scale: Scale::Log10,
        range: None,
        labels: Labels::At(steps.runs.iter().map(|run| run.descent.size).collect()),
    };
    let &(smallest, nearest) = order.distances.first()?;
    let &(largest, _) = order.distances.last()?;
    let mut measured = build::line("measured", 1, order.distances.clone());
    measured.style = Style::Points;
    let first_order = build::reference(
        Some("proportional to η".into()),
        [smallest, largest]
            .map(|size| (size, nearest * size / smallest))
            .to_vec(),
    );
    let mut panels = vec![build::panel(
        format!("Distance from the flow at ηk = {}", shortest(order.at)),
        build::axis("relative distance ‖θₖ − θ(tₖ)‖ / ‖θ(tₖ)‖", Scale::Log10),
        vec![measured, first_order],
    )];
    let ends = |value: &dyn Fn(&crate::descent::Beside) -> Option<f64>| -> Vec<(f64, f64)> {
        let mut ends: Vec<(f64, f64)> = (steps.runs.iter())
            .filter_map(|run| Some((run.descent.size, build::floored(value(run)?))))
            .collect();
        ends.sort_by(|x, y| x.0.total_cmp(&y.0));
        ends
    };
    let to_flow = ends(&|b| b.final_angle_to_flow());
    let to_limit = ends(&|b| b.diagnostics.final_angle());
    let angles: Vec<_> = [("to the limit", 0, to_limit), ("to the flow", 1, to_flow)]
        .into_iter()
        .filter(|(_, _, points)| !points.is_empty())
        .map(|(label, colour, points)| {
            let mut series = build::line(label, colour, points);
            series.style = Style::Points;
            series
        })
        .collect();
    if !angles.is_empty() {
        panels.push(build::panel(
            "Angles at the end of each run",
            build::axis("angle (radians)", Scale::Log10),
            angles,
        ));
    }
    for panel in &mut panels {
        panel.x = size_axis();
    }
    let caption = format!(
        "Left: relative distance of all weights from the flow at the same ηk, against the step size; the line is first \
         order through the smallest size, and the observed order between the two smallest sizes is {:.3}. Right: where \
         each run ends, after as many steps as all others, so that larger steps go further: its angle to the limit, \
         and to the flow at its own time.",
        order.observed
    );
    let title = format!(
        "Distance of finite steps from the flow: of order {} in their size",
        build::plain(order.observed, 2)
    );
    Some(run.figure(ID, &title, caption, panels))
}
