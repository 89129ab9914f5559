//! Finite steps compared with the flow: the same quantities against the same time.

use super::{Axis, Drawn, Figure, Scale, Series, Style, build, labels::shortest};
use crate::descent::Beside;
use crate::diagnostics::Diagnostics;

pub(crate) const ID: &str = "finite-steps";

/// Colour of the flow's curve.
const FLOW: usize = 0;

/// Applies to runs with finite steps.
pub(crate) fn build(run: &Drawn) -> Option<Figure> {
    let steps = run.steps?;
    let flow = &steps.flow;
    let beside = |of: &dyn Fn(&Beside) -> Vec<f64>| -> Vec<Series> {
        steps
            .runs
            .iter()
            .enumerate()
            .map(|(i, run)| {
                let points = after_the_start(&run.diagnostics.log_time, &of(run));
                let label = format!("steps, η = {}", shortest(run.descent.size));
                build::line(label, i + 1, points)
            })
            // Of a run that overflowed at once there is nothing to be seen, in the legend either.
            .filter(|s| s.points.iter().any(|p| p.1 > 0.0 && p.1.is_finite()))
            .collect()
    };
    let with_flow = |values: Vec<f64>, of: &dyn Fn(&Beside) -> Vec<f64>| {
        let points = after_the_start(&flow.log_time, &values);
        // On top and dashed, since otherwise it would be hidden where the steps follow it.
        let mut series = beside(of);
        series.push(Series {
            style: Style::Dashed,
            ..build::line("flow", FLOW, points)
        });
        series
    };
    let optional = |values: &[Option<f64>]| -> Vec<f64> {
        let value = |v: &Option<f64>| v.map_or(f64::NAN, build::floored);
        values.iter().map(value).collect()
    };
    // A predictor that is still zero has no direction.
    let directions = |d: &Diagnostics| -> Vec<f64> {
        let angles = d.angle_to_limit.iter().flatten();
        let still = |k: usize| d.beta.nrows() > 0 && d.beta.column(k).amax() == 0.0;
        angles
            .enumerate()
            .map(|(k, angle)| if still(k) { f64::NAN } else { *angle })
            .collect()
    };
    let time = time_axis(run);
    let mut panels = vec![build::panel(
        "Fall of the loss",
        build::axis("−ln(loss / loss at the start)", Scale::Log10),
        with_flow(decay(&flow.log_loss), &|b| decay(&b.diagnostics.log_loss)),
    )];
    if flow.angle_to_limit.is_some() {
        panels.push(build::panel(
            "Angle of the direction to its limit",
            build::axis("angle to the limit (radians)", Scale::Log10),
            with_flow(directions(flow), &|b| directions(&b.diagnostics)),
        ));
    }
    panels.push(build::panel(
        "Distance of all weights from the flow",
        build::axis("‖θₖ − θ(tₖ)‖ / ‖θ(tₖ)‖", Scale::Log10),
        beside(&|b| optional(&b.relative_distance)),
    ));
    panels.push(build::panel(
        "Angle of the direction to the flow's",
        build::axis("angle to the flow (radians)", Scale::Log10),
        beside(&|b| optional(&b.angle_to_flow)),
    ));
    for panel in &mut panels {
        panel.x = time.clone();
        panel.y.range = None;
    }
    let schedule = steps.runs.first().map(|run| run.descent.schedule.name())?;
    let caption = format!(
        "Training by {schedule} steps of size η beside the flow at the same time, t = Σ ηₖ. The loss falls like 1/t in \
         both (a line of slope one from ln t of about one on), and both turn towards the limit (the flow is dashed). \
         Below, the distance between them, in all weights and as an angle between the predictors (ReLU networks: \
         between the outputs on the samples): proportional to η while η is small. Curves begin at the first step that \
         is recorded, and end where a run overflowed."
    );
    Some(run.figure(ID, "Finite steps beside the flow", caption, panels))
}

/// How far the logarithm of the loss has fallen.
fn decay(log_loss: &[f64]) -> Vec<f64> {
    let start = log_loss.first().copied().unwrap_or(0.0);
    log_loss.iter().map(|l| start - l).collect()
}

/// Pairs (τ, value) with τ > 0.
fn after_the_start(log_time: &[f64], values: &[f64]) -> Vec<(f64, f64)> {
    let pairs = log_time.iter().copied().zip(values.iter().copied());
    pairs.filter(|(tau, _)| *tau > 0.0).collect()
}

/// Space left of the first save and right of the last, as a factor.
const AIR: f64 = 1.1;

/// ln(1+t) over the times the steps recorded.
fn time_axis(run: &Drawn) -> Axis {
    let times = (run.steps.iter().flat_map(|s| &s.runs))
        .flat_map(|b| &b.diagnostics.log_time)
        .filter(|tau| **tau > 0.0);
    let (low, high) = times.fold((f64::INFINITY, 0.0f64), |(low, high), tau| {
        (low.min(*tau), high.max(*tau))
    });
    Axis {
        range: (low < high).then_some((low / AIR, high * AIR)),
        ..build::time_axis()
    }
}
