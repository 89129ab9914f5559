//! Phases of the alignment coefficients, `arg φ_l` per frequency: not zero, as Proposition 2 claims, but always inside
//! (−π/2, π/2), and vanishing in the limit.
//!
//! # How fast
//! What was learned off the support shifts `Ẑ ∝ τ^e`, `e = 1/(2^L−1)`, by a constant, hence phases `∝ τ^{−e}`. But
//! phases also feed back. If that of `Ẑ_d` is `θ τ^{−r}`, the area it sweeps gives φ_2 the phase `−2r/(2e−r) θ τ^{−r}`,
//! and φ_{l+1} `−2r/(2^l e−r)` times that of φ_l. So a radial change of `Ẑ_d` changes `β̂_d` relatively by `2^L − 1`
//! times as much, and a tangential one by `c(r) = 1 − 2r/(2e−r) (1 − 2r/(4e−r) (1 − …))` times (`Σ_l arg φ_l` with
//! `φ_1 = Ẑ`). Let `K_0 + c(r) K_1` be the resulting change of the margins of the support, as a quadratic form in its
//! multipliers (`K_0 > 0` from radial changes, `K_1 ≥ 0` from tangential ones); modes with `det(K_0 + c(r) K_1) = 0`
//! decay freely. At L = 2, `c = −λ` gives `r = ⅔(1+λ)/(3+λ)`: with λ < 1 slower than τ^{−1/3}, and never as slow as
//! τ^{−2/9}. At L = 3 these modes have complex r, with real part at least e: the local slope oscillates.

use std::f64::consts::{FRAC_PI_2, PI};

use super::{
    Drawn, Figure, Panel, Scale, Series, Style, build,
    frequencies::{Shown, argument, shown},
    ticks::subscript,
};
use crate::diagnostics::Phases;
use crate::theory;

pub(crate) const ID: &str = "phases";

/// At most this many layers have a panel of their own.
const LAYERS: usize = 5;
/// Palette index: black rings show on lines of any colour.
const RING: usize = 6;
/// Phases below this, in radians, cannot be distinguished from zero on a linear axis.
const VISIBLE: f64 = 0.02;
/// The linear panels run at least to this log time.
const SHORTEST: f64 = 100.0;

/// Applies to fixed feedback on networks with complex entries, that is, convolutional ones with D > 2.
pub(crate) fn build(run: &Drawn) -> Option<Figure> {
    let phases = run.diagnostics.phases.as_ref()?;
    let shown = shown(run, phases);
    if shown.is_empty() {
        return None;
    }
    let range = visible(run, phases, &shown);
    let mut panels: Vec<Panel> = (0..phases.phi.len().min(LAYERS))
        .map(|row| layer(run, phases, row, &shown, range))
        .collect();
    panels.push(decay(run, phases));
    let dropped = if phases.phi.len() > LAYERS {
        format!(
            " Of {} layers the first {LAYERS} with a coefficient have a panel.",
            phases.phi.len() + 1
        )
    } else {
        String::new()
    };
    let law = if run.depth() == 2 {
        "a power of ln t between −2/9 and −1/3 that depends on the data"
    } else {
        "(ln t)^(−1/(2^L−1)), though the local slope may swing for long"
    };
    let caption = format!(
        "The coefficient φₗ of layer l along its feedback, ŵₗ = φₗ b̂ₗ₋₁ b̂ₗ*, is a complex number for every frequency \
         d. Proposition 2 as printed says that it is positive, that is, all phases zero: at finite times they are not \
         (the largest of each layer is ringed). From zero weights they stay inside ±π/2 (dashed). Last panel: they \
         vanish in the end, like {law} (dashed, drawn a little above). The panels of the layers stop where phases can \
         no longer be told from zero; entries that are real (d = 0, and d = D/2 for even D) have none.{dropped}"
    );
    Some(run.figure(
        ID,
        "Phases of the alignment: not zero, but vanishing",
        caption,
        panels,
    ))
}

/// The log times from the first positive one until all phases are indistinguishable from zero.
fn visible(run: &Drawn, phases: &Phases, shown: &[Shown]) -> Option<(f64, f64)> {
    let times = &run.diagnostics.log_time;
    let first = times.iter().copied().find(|t| *t > 0.0)?;
    let seen = |k: usize| {
        let phi = phases.phi.iter();
        phi.flat_map(|phi| shown.iter().map(move |s| phi[(s.row, k)]))
            .any(|phi| argument(phi).abs() >= VISIBLE)
    };
    let last = (0..times.len()).rfind(|&k| seen(k));
    let settled = last.map_or(0.0, |k| times[k]);
    let end = times.last()?.min((3.0 * settled).max(SHORTEST));
    Some((first, end))
}

/// `arg φ_l` of the layer l = `row` + 2.
fn layer(
    run: &Drawn,
    phases: &Phases,
    row: usize,
    shown: &[Shown],
    range: Option<(f64, f64)>,
) -> Panel {
    let name = format!("φ{}", subscript(row + 2));
    let phi = &phases.phi[row];
    let curve = |s: &Shown| run.over_time(phi.row(s.row).iter().map(|&phi| argument(phi)));
    let mut series: Vec<Series> = shown.iter().map(|s| s.line(curve(s))).collect();

    let largest = shown
        .iter()
        .flat_map(|s| curve(s).into_iter().map(|p| (p, s.row)))
        .filter(|(p, _)| p.0 > 0.0 && !p.1.is_nan())
        .max_by(|(a, _), (b, _)| a.1.abs().total_cmp(&b.1.abs()));
    if let Some((point, row)) = largest {
        let label = format!(
            "largest: {} at d = {}",
            build::slope(point.1),
            phases.frequencies[row]
        );
        series.push(Series {
            style: Style::Points,
            ..build::line(label, RING, vec![point])
        });
    }

    for (k, bound) in [FRAC_PI_2, -FRAC_PI_2].into_iter().enumerate() {
        series.push(build::reference(
            (k == 0).then(|| "±π/2".into()),
            range.map_or_else(Vec::new, |(a, b)| vec![(a, bound), (b, bound)]),
        ));
    }

    let mut y = build::axis(format!("arg {name} (radians)"), Scale::Linear);
    // From non-zero weights phases may start anywhere.
    let inside = largest.is_none_or(|(point, _)| point.1.abs() <= FRAC_PI_2);
    let bound = if inside { 1.12 * FRAC_PI_2 } else { 1.06 * PI };
    y.range = Some((-bound, bound));
    let mut panel = build::panel(format!("Layer {}", row + 2), y, series);
    panel.x.range = range;
    panel
}

/// The exponents of ln t that theory predicts for the phases, with their legend entries: that of the angle to the
/// limit, or, where none is known for the run, its bounds.
fn slopes(run: &Drawn) -> Vec<(f64, String)> {
    if let Some(predicted) = run.diagnostics.rate.as_ref().and_then(|r| r.predicted) {
        let label = format!("predicted slope {}", build::slope(predicted));
        return vec![(predicted, label)];
    }
    let power = theory::predictor_degree(run.depth());
    let mut slopes = vec![(-1.0 / power, format!("slope −1/{power}"))];
    if run.depth() == 2 {
        slopes.push((-2.0 / 9.0, "slope −2/9".into()));
    }
    slopes
}

/// The largest |arg φ_l| of every layer, and the predicted slopes.
fn decay(run: &Drawn, phases: &Phases) -> Panel {
    let mut series: Vec<Series> = phases
        .argument
        .row_iter()
        .enumerate()
        .map(|(row, argument)| {
            let label = format!("layer {}", row + 2);
            build::line(label, row, run.over_time(argument.iter().copied()))
        })
        .collect();
    let last = phases.argument.column_iter().next_back();
    if let (Some(&end), Some(last)) = (run.diagnostics.log_time.last(), last) {
        let (start, size) = (end.max(1.0).sqrt(), last.max());
        series.extend(slopes(run).into_iter().map(|(slope, label)| {
            let rise = (start / end).powf(slope);
            let guide = [(start, size * rise), (end, size)];
            let shown = phases.argument.iter().copied().filter(|a| *a >= size);
            build::reference(Some(label), build::beside(&guide, shown))
        }));
    }
    let mut y = build::axis("max over d of |arg φₗ| (radians)", Scale::Log10);
    y.range = build::settled_range(&series);
    build::panel("Largest phase over the frequencies", y, series)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::synthetic;
    use num_complex::Complex64;

    #[test]
    fn one_panel_per_layer_and_one_for_the_decay() {
        let case = synthetic::convolutional(8, 3);
        let figure = build(&case.run()).unwrap();
        assert_eq!(figure.panels.len(), 3);
        for (panel, symbol) in figure.panels.iter().zip(["φ₂", "φ₃"]) {
            assert!(panel.y.label.contains(symbol));
            let (low, high) = panel.y.range.unwrap();
            assert!(low < -FRAC_PI_2 && FRAC_PI_2 < high);
            let bounds: Vec<f64> = panel
                .series
                .iter()
                .filter(|s| s.style == Style::Reference)
                .map(|s| s.points[0].1)
                .collect();
            assert_eq!(bounds, [FRAC_PI_2, -FRAC_PI_2]);
            assert_eq!(panel.x.range, figure.panels[0].x.range);
        }
        assert_eq!(
            build(&synthetic::convolutional(8, 8).run())
                .unwrap()
                .panels
                .len(),
            LAYERS + 1
        );
    }

    #[test]
    fn the_ring_marks_the_largest_phase_of_the_layer() {
        let case = synthetic::convolutional(8, 3);
        let figure = build(&case.run()).unwrap();
        let phases = case.diagnostics.phases.as_ref().unwrap();
        for (row, panel) in figure.panels[..2].iter().enumerate() {
            let ring = panel
                .series
                .iter()
                .find(|s| s.style == Style::Points)
                .unwrap();
            assert_eq!(ring.points[0].1.abs(), phases.argument.row(row).max());
            let on = |s: &&Series| s.style == Style::Line && s.points.contains(&ring.points[0]);
            assert_eq!(panel.series.iter().filter(on).count(), 1);
            assert!(panel.x.range.unwrap().1 > ring.points[0].0);
        }
    }

    #[test]
    fn the_guide_has_the_predicted_slope_and_ends_above_the_largest_phase() {
        let case = synthetic::convolutional(8, 3);
        let figure = build(&case.run()).unwrap();
        let series = &figure.panels[2].series;
        assert_eq!(series.len(), 3);
        let [a, b] = series[2].points[..] else {
            panic!("a line")
        };
        assert!(((b.1 / a.1).ln() / (b.0 / a.0).ln() + 1.0 / 7.0).abs() < 1e-12);
        let ends = series[..2].iter().map(|s| s.points.last().unwrap().1);
        let up = b.1 / ends.fold(0.0, f64::max);
        assert!((1.02..1.5).contains(&up), "{up}");
        // The synthetic phases obey the law.
        let near = series[1].points.iter().rfind(|p| p.0 <= a.0).unwrap();
        assert!((up * near.1 / a.1).ln().abs() < 0.3, "{near:?} {a:?}");
    }

    #[test]
    fn without_a_predicted_rate_two_layers_have_a_fastest_and_a_slowest_slope() {
        let mut case = synthetic::convolutional(8, 2);
        case.diagnostics.rate = None;
        let figure = build(&case.run()).unwrap();
        let guides: Vec<&str> = figure.panels[1]
            .series
            .iter()
            .filter(|s| s.style == Style::Reference)
            .filter_map(|s| s.label.as_deref())
            .collect();
        assert_eq!(guides, ["slope −1/3", "slope −2/9"]);
    }

    #[test]
    fn phases_beyond_a_right_angle_widen_the_axis() {
        let mut case = synthetic::convolutional(8, 2);
        let phases = case.diagnostics.phases.as_mut().unwrap();
        phases.phi[0][(1, 3)] = Complex64::new(-1.0, 0.5);
        let figure = build(&case.run()).unwrap();
        assert!(figure.panels[0].y.range.unwrap().1 > PI);
    }

    #[test]
    fn real_networks_and_gradient_descent_have_no_phases() {
        assert!(build(&synthetic::diagonal(2).run()).is_none());
        assert!(build(&synthetic::convolutional_gradient_descent(8, 2).run()).is_none());
        assert!(build(&synthetic::dfa(2).run()).is_none());
    }
}
