//! How fast the direction of β approaches its limit: `angle ∝ (ln t)^r`, a straight line of slope r here. On ReLU
//! networks, which have no β, how fast the output weights approach the hard-margin SVM of their features.

use super::{Axis, Drawn, Figure, Panel, Scale, Series, Window, build};
use crate::diagnostics::Rate;

pub(crate) const ID: &str = "angle-to-limit";

/// Feature margins smaller than the last one by more than this factor are below the frame.
const DEEPEST: f64 = 100.0;

/// Applies where there is a limit to measure the angle to.
pub(crate) fn build(run: &Drawn) -> Option<Figure> {
    let words = Wording::of(run);
    let angles = angles(run)?;
    let y = build::axis(words.axis, Scale::Log10);
    let curve = run.over_time(angles.iter().copied());
    let mut panels = Vec::new();
    let fitted = match &run.diagnostics.rate {
        None => {
            let mut series = vec![build::line(words.curve, 0, curve)];
            series.extend(law_of_two_layers(run, &angles));
            panels.push(build::panel("", y, series));
            " No rate was fitted to this run.".to_owned()
        }
        Some(rate) => {
            panels.push(fit(run, &words, (y, curve), &angles, rate));
            format!(
                " Over the shaded window the run's slope is {}{}.",
                build::slope(rate.observed),
                rate.predicted.map_or_else(String::new, |predicted| format!(
                    ", the predicted one {} (dashed, drawn a little above)",
                    build::slope(predicted)
                ))
            )
        }
    };
    let mut caption = format!(
        "{}, against log time, both logarithmic: a power law (ln t)^r is a straight line of slope r.{fitted}",
        words.measured
    );
    if let Some(homogeneous) = &run.diagnostics.homogeneous {
        panels[0].title = "Angle to the SVM of the features".into();
        panels.push(feature_margin(run, &homogeneous.feature_margin));
        caption.push_str(
            " Right: the margin of that machine on features scaled to a mean square of one; that it stays away from \
             zero is a hypothesis of the theorem.",
        );
    }
    Some(run.figure(ID, words.title, caption, panels))
}

/// Texts that describe what is measured.
struct Wording {
    title: &'static str,
    axis: &'static str,
    curve: &'static str,
    measured: &'static str,
}

impl Wording {
    fn of(run: &Drawn) -> Self {
        if run.diagnostics.homogeneous.is_some() {
            Self {
                title: "Angle between the output weights and the SVM of their features",
                axis: "angle to the feature SVM (radians)",
                curve: "angle to feature SVM",
                measured: "Left: angle between the output weights and the hard-margin support vector machine (SVM) of \
                           the features that the hidden layers make of the samples at the same time",
            }
        } else {
            Self {
                title: "Angle between the weights and their predicted limit",
                axis: "angle to the limit direction (radians)",
                curve: "angle(β, limit)",
                measured: "Angle between the learned direction β and the limit the theory predicts",
            }
        }
    }
}

/// The angles over the saves; NaN where there is none.
fn angles(run: &Drawn) -> Option<Vec<f64>> {
    if let Some(angles) = &run.diagnostics.angle_to_limit {
        return Some(angles.clone());
    }
    let angles = &run.diagnostics.homogeneous.as_ref()?.feature_angle;
    let known = angles.iter().any(Option::is_some);
    known.then(|| angles.iter().map(|a| a.unwrap_or(f64::NAN)).collect())
}

/// The law of two layers with fixed feedback, for runs without a fitted rate: slope −1/3, anchored at the end.
fn law_of_two_layers(run: &Drawn, angles: &[f64]) -> Option<Series> {
    let law = run.theory().rate.as_ref();
    let applies = law.is_some_and(|law| law.of_features);
    let (end, size) = (*run.diagnostics.log_time.last()?, *angles.last()?);
    let start = end.max(1.0).sqrt();
    (applies && size > 0.0 && start < end).then(|| {
        let rise = (end / start).cbrt();
        let guide = [(start, size * rise), (end, size)];
        let guide = build::beside(&guide, angles.iter().copied());
        build::reference(Some("slope −1/3".into()), guide)
    })
}

/// The margin of the SVM of the features, framed for its final values: earlier, features may be almost inseparable.
fn feature_margin(run: &Drawn, margins: &[Option<f64>]) -> Panel {
    let known = || margins.iter().flatten().copied().filter(|m| *m > 0.0);
    let (low, high) = known().fold((f64::INFINITY, 0.0f64), |(a, b), m| (a.min(m), b.max(m)));
    let mut y = build::axis("feature margin (mean square feature: 1)", Scale::Log10);
    y.range = margins
        .iter()
        .rev()
        .flatten()
        .find(|m| **m > 0.0)
        .map(|end| (low.max(end / DEEPEST) / 1.2, 1.2 * high));
    let label = "largest margin of unit output weights";
    let curve = build::line(label, 2, run.over_time_where_defined(margins));
    build::panel("Margin of that SVM", y, vec![curve])
}

/// The curve with its fitted slope and the predicted one.
fn fit(
    run: &Drawn,
    words: &Wording,
    (y, curve): (Axis, Vec<(f64, f64)>),
    angles: &[f64],
    rate: &Rate,
) -> Panel {
    let [from, to] = rate.window;
    let middle = (from + to) / 2.0;
    let observed = format!(
        "{}, slope {} in the fit window",
        words.curve,
        build::slope(rate.observed)
    );
    let mut series = vec![build::line(observed, 0, curve)];
    if let (Some(predicted), Some(anchor)) = (
        rate.predicted,
        at(&run.diagnostics.log_log_time, angles, middle),
    ) {
        // ln(angle) is linear in s = ln(1+τ): the guide bends a little where τ is not yet large. It spans the window
        // and half its length on either side.
        let reach = to - from;
        let guide: Vec<(f64, f64)> = (0..=60)
            .map(|k| middle - reach + 2.0 * reach * f64::from(k) / 60.0)
            .filter(|&s| s > 0.0 && Some(&s) <= run.diagnostics.log_log_time.last())
            .map(|s| (s.exp_m1(), anchor * (predicted * (s - middle)).exp()))
            .collect();
        series.push(build::reference(
            Some(format!("predicted slope {}", build::slope(predicted))),
            build::beside(&guide, angles.iter().copied()),
        ));
    }
    let mut panel = build::panel("", y, series);
    panel.window = Some(Window {
        label: "fit window".into(),
        range: (from.exp_m1(), to.exp_m1()),
    });
    panel
}

/// The angle at `s`, interpolated in its logarithm between the nearest saves.
fn at(log_log_time: &[f64], angles: &[f64], s: f64) -> Option<f64> {
    let after = log_log_time.partition_point(|&t| t < s);
    if after == 0 || after >= log_log_time.len() {
        return None;
    }
    let (s0, s1) = (log_log_time[after - 1], log_log_time[after]);
    let (a0, a1) = (angles.get(after - 1)?, angles.get(after)?);
    let angle = (a0.ln() + (s - s0) / (s1 - s0) * (a1.ln() - a0.ln())).exp();
    (angle.is_finite() && angle > 0.0).then_some(angle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Style, synthetic, synthetic_relu};

    #[test]
    fn the_guide_has_the_predicted_slope_and_lies_beside_the_curve_in_the_window() {
        let mut case = synthetic::dfa(3);
        case.diagnostics.rate.as_mut().unwrap().predicted = Some(-0.25);
        let figure = build(&case.run()).unwrap();
        let panel = &figure.panels[0];
        let guide = &panel.series[1];
        assert_eq!(guide.style, Style::Reference);
        for pair in guide.points.windows(2) {
            let slope = (pair[1].1 / pair[0].1).ln() / (pair[1].0.ln_1p() - pair[0].0.ln_1p());
            assert!((slope + 0.25).abs() < 1e-9, "{slope}");
        }
        let middle = guide.points[30];
        let curve = panel.series[0]
            .points
            .iter()
            .find(|p| p.0 >= middle.0)
            .unwrap();
        // Of a curve that spans some decades, a few per cent of the axis above it.
        let (first, last) = (panel.series[0].points[0], panel.series[0].points[300]);
        let above = (middle.1 / curve.1).ln() / (first.1 / last.1).ln();
        assert!((0.01..0.06).contains(&above), "{above}");
        let window = panel.window.as_ref().unwrap();
        assert!(window.range.0 < middle.0 && middle.0 < window.range.1);
    }

    #[test]
    fn the_legend_gives_both_slopes_to_three_digits() {
        let case = synthetic::dfa(3);
        let figure = build(&case.run()).unwrap();
        let labels: Vec<&str> = figure.panels[0]
            .series
            .iter()
            .filter_map(|s| s.label.as_deref())
            .collect();
        assert!(labels[0].contains("−0.143"), "{labels:?}");
        assert_eq!(labels[1], "predicted slope −0.143");
    }

    #[test]
    fn without_a_limit_there_is_no_figure_and_without_a_rate_no_guide() {
        let mut case = synthetic::dfa(2);
        case.diagnostics.rate = None;
        let figure = build(&case.run()).unwrap();
        assert_eq!(figure.panels[0].series.len(), 1);
        assert!(figure.panels[0].window.is_none());
        case.diagnostics.angle_to_limit = None;
        assert!(build(&case.run()).is_none());
    }

    #[test]
    fn relu_networks_have_the_angle_to_the_svm_of_their_features_and_its_margin() {
        let mut case = synthetic_relu::relu(5, &[12], true);
        let figure = build(&case.run()).unwrap();
        assert_eq!(figure.panels.len(), 2);
        assert!(figure.panels[0].y.label.contains("feature SVM"));
        assert!(!figure.caption.contains('β'));
        let guide = &figure.panels[0].series[1];
        assert_eq!(guide.label.as_deref(), Some("predicted slope −0.333"));

        // Without a fitted rate the law of two layers is used instead.
        case.diagnostics.rate = None;
        case.diagnostics.angle_to_limit = None;
        let figure = build(&case.run()).unwrap();
        let [curve, guide] = &figure.panels[0].series[..] else {
            panic!("a curve and a guide")
        };
        let [a, b] = guide.points[..] else {
            panic!("a line")
        };
        assert!(((b.1 / a.1).ln() / (b.0 / a.0).ln() + 1.0 / 3.0).abs() < 1e-12);
        let end = curve.points.last().unwrap();
        assert!(end.0 == b.0 && end.1 < b.1);
    }

    #[test]
    fn the_law_of_two_layers_is_for_two_layers_with_feedback() {
        for mut case in [
            synthetic_relu::relu(5, &[12], false),
            synthetic_relu::relu(5, &[12, 6], true),
        ] {
            case.diagnostics.rate = None;
            let figure = build(&case.run()).unwrap();
            assert_eq!(figure.panels[0].series.len(), 1);
        }
    }
}
