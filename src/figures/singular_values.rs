//! Predictors with several outputs: their singular values beside those of the limits, and the areas that layers sweep.

use super::candidates::claimed;
use super::{Drawn, Figure, Scale, Series, Style, build, ticks::subscript};
use crate::singular::Singular;
use nalgebra::DMatrix;

pub(crate) const ID: &str = "singular-values";

/// Singular values of a limit relative to the largest that are drawn.
const LEAST: f64 = 1e-6;

/// Applies to linear networks with several outputs.
pub(crate) fn build(run: &Drawn) -> Option<Figure> {
    let classes = run.diagnostics.classes.as_ref()?;
    let mut panels = vec![ratios(run, &classes.singular_values)];
    if let Some(areas) = &classes.areas {
        let series = (areas.swept.row_iter().enumerate())
            .map(|(row, areas)| {
                let areas = areas.iter().map(|&area| build::floored(area));
                build::line(format!("layer {}", row + 2), row + 1, run.over_time(areas))
            })
            .collect();
        panels.push(build::panel(
            "Areas fall behind",
            build::axis("‖anti Cₗ‖ / ‖sym Cₗ‖", Scale::Log10),
            series,
        ));
    }
    let caption = "Left: the singular values of β (D × C) relative to the largest, along the run (lines), and those of \
                   the limits in question (dashed, one colour each). Right, for fixed feedback from zero weights: the \
                   antisymmetric part of Cₗ in wₗ = Fₗ₋₁CₗFₗᵀ relative to the symmetric one, the area that the \
                   accumulated signal sweeps on its way; the limit is the Schatten norm's as far as it falls behind.";
    Some(run.figure(
        ID,
        "Singular values of the predictor beside those of the limits",
        caption.into(),
        panels,
    ))
}

/// `σ_i/σ_1` for i ≥ 2, and the levels of every limit.
fn ratios(run: &Drawn, values: &DMatrix<f64>) -> super::Panel {
    let mut series: Vec<Series> = Vec::new();
    for row in 1..values.nrows() {
        let ratios = (0..values.ncols()).map(|k| match values[(0, k)] {
            0.0 => f64::NAN,
            largest => values[(row, k)] / largest,
        });
        let drawn: Vec<(f64, f64)> = (run.over_time(ratios).into_iter())
            .filter(|(_, ratio)| *ratio > LEAST)
            .collect();
        if !drawn.is_empty() {
            let name = format!("σ{}/σ₁ of the run", subscript(row + 1));
            series.push(build::line(name, 6, drawn));
        }
    }
    let outputs = run.problem.network().outputs();
    let times = run.over_time(run.diagnostics.log_time.iter().copied());
    let span = (times.iter().find(|t| t.0 > 0.0)).zip(times.last());
    for limit in claimed(run) {
        let inputs = limit.beta.len() / outputs;
        let beta = DMatrix::from_column_slice(inputs, outputs, limit.beta.as_slice());
        let sigma = Singular::of(&beta).values;
        let levels = sigma[1..].iter().map(|s| s / sigma[0]);
        for (i, level) in levels.filter(|level| *level > LEAST).enumerate() {
            let Some((first, last)) = span else { continue };
            series.push(Series {
                label: (i == 0).then(|| limit.label.to_owned()),
                points: vec![(first.0, level), (last.0, level)],
                style: Style::Dashed,
                colour: limit.colour,
                opacity: 1.0,
            });
        }
    }
    build::panel(
        "Singular values",
        build::axis("σᵢ/σ₁", Scale::Linear),
        series,
    )
}
