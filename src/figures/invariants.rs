//! Drift of what the flow conserves exactly, which measures the integrator's error.

use super::{Drawn, Figure, Scale, Style, build};

pub(crate) const ID: &str = "invariants";

/// Always applies: the drift of the multipliers is known for every run.
pub(crate) fn build(run: &Drawn) -> Option<Figure> {
    let floored = |drift: &[f64]| run.over_time(drift.iter().map(|&d| build::floored(d.abs())));
    let mut series: Vec<_> = run
        .diagnostics
        .invariants
        .iter()
        .enumerate()
        .map(|(k, invariant)| {
            let mut line = build::line(&invariant.formula, k % 6, floored(&invariant.drift));
            // Drifts of related quantities often coincide: dashes let the curve below show through. The palette has
            // seven colours, and the last is taken by the multipliers.
            if k % 2 == 1 || k >= 6 {
                line.style = Style::Dashed;
            }
            line
        })
        .collect();
    series.push(build::line(
        "log-multipliers, |p − (τ − m)| / (1+τ)",
        6,
        floored(&run.diagnostics.multiplier_drift),
    ));
    let panel = build::panel("", build::axis("relative drift", Scale::Log10), series);
    let caption = "How far every quantity the exact flow conserves has drifted from its initial value, relative to its \
                   size, and how far the integrated log-multipliers p have drifted from τ − m, the value the weights \
                   imply (largest over the samples). All of it is error of the integrator. Exact zeros are drawn at \
                   10⁻¹⁷.";
    Some(run.figure(
        ID,
        "Conserved quantities: drift along the run",
        caption.into(),
        vec![panel],
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::synthetic;

    #[test]
    fn every_invariant_and_the_multipliers_have_a_curve_that_can_be_seen() {
        let case = synthetic::dfa(3);
        let figure = build(&case.run()).unwrap();
        let series = &figure.panels[0].series;
        assert_eq!(series.len(), case.diagnostics.invariants.len() + 1);
        assert!(
            series
                .iter()
                .flat_map(|s| &s.points)
                .all(|p| p.1 >= build::FLOOR)
        );
        assert_eq!(
            series[0].label.as_deref(),
            Some(case.diagnostics.invariants[0].formula.as_str())
        );
        assert_eq!(
            series[0].points.last().unwrap().1,
            *case.diagnostics.invariants[0].drift.last().unwrap()
        );
    }
}
