//! Figures of a sweep: angles to the teacher against n/D, next to theory; differences to the fully connected network;
//! limit, flow and steps together.

use super::{Difference, Kind, Merged, NetworkCase, PredictedAngle, Summary};
use crate::figures::{Axis, Figure, Labels, Panel, Scale, Series, Style, build};
use crate::flow::clock;
use crate::study::Interval;

/// The figures of a merged sweep, with the `curves` of its theory.
pub(super) fn figures(merged: &Merged, curves: &[PredictedAngle]) -> Vec<Figure> {
    let (summaries, differences) = (merged.summaries(), merged.differences());
    [
        angles(merged, &summaries, curves),
        gaps(merged, &differences, curves),
        kinds(merged, &summaries, curves),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn panel(merged: &Merged, title: impl Into<String>, label: &str, series: Vec<Series>) -> Panel {
    let mut panel = build::panel(title, build::axis(label, Scale::Linear), series);
    panel.x = Axis {
        labels: Labels::At(merged.plan.options.ratios.clone()),
        ..build::axis("samples per dimension, n/D", Scale::Log10)
    };
    panel
}

/// What lines and rings are: in grey, since curves of all colours have both.
fn keys(with_theory: bool) -> Vec<Series> {
    let theory = with_theory.then(|| build::key("theory", Style::Line));
    let measured = build::key("measured, mean over seeds", Style::Points);
    theory.into_iter().chain([measured]).collect()
}

fn subtitle(merged: &Merged) -> String {
    format!(
        "Gaussian samples, D = {}, labels of a linear teacher · {} seeds",
        merged.plan.dimension, merged.plan.options.seeds
    )
}

/// Means as rings with bars of one standard error, in the colour of the network.
fn bars(colour: usize, label: Option<String>, means: &[(f64, Interval)]) -> Vec<Series> {
    let mut series: Vec<Series> = means
        .iter()
        .filter_map(|(ratio, mean)| {
            let error = mean.standard_error?;
            let ends = vec![(*ratio, mean.mean - error), (*ratio, mean.mean + error)];
            Some(Series {
                label: None,
                ..build::line("", colour, ends)
            })
        })
        .collect();
    series.push(Series {
        label,
        style: Style::Points,
        ..build::line(
            "",
            colour,
            means.iter().map(|(r, m)| (*r, m.mean)).collect(),
        )
    });
    series
}

/// The curve of a network, if theory has one.
fn curve(network: &NetworkCase, curves: &[PredictedAngle]) -> Vec<(f64, f64)> {
    let of = curves.iter().filter(|p| p.network == *network);
    of.map(|p| (p.ratio, p.angle_degrees)).collect()
}

/// The means of a network and kind.
fn means(summaries: &[Summary], network: &NetworkCase, kind: Kind) -> Vec<(f64, Interval)> {
    let of = (summaries.iter()).filter(|s| s.network == *network && s.kind == kind);
    of.map(|s| (s.ratio, s.angle)).collect()
}

const ANGLE: &str = "angle to the teacher (degrees)";

/// Angles of the limits.
fn angles(merged: &Merged, summaries: &[Summary], curves: &[PredictedAngle]) -> Option<Figure> {
    let mut series = Vec::new();
    for (colour, network) in merged.plan.options.cases.iter().enumerate() {
        let means = means(summaries, network, Kind::Limit);
        if means.is_empty() {
            continue;
        }
        let theory = curve(network, curves);
        // The legend names the network at its curve, or at its points if there is no curve.
        let named = Some(network.label());
        let at_points = named.clone().filter(|_| theory.is_empty());
        if !theory.is_empty() {
            series.push(Series {
                label: named,
                ..build::line("", colour, theory)
            });
        }
        series.extend(bars(colour, at_points, &means));
    }
    if series.is_empty() {
        return None;
    }
    series.extend(keys(!curves.is_empty()));
    Some(Figure {
        id: "generalisation".into(),
        title: "Angle of the limits to the teacher".into(),
        subtitle: subtitle(merged),
        caption: "Rings: means over seeds of the angle between the certified limit and the teacher; bars: one standard \
                  error. Lines: theory in high dimension, without a fitted number. A new sample is misclassified with \
                  probability angle/180."
            .into(),
        panels: vec![panel(merged, "", ANGLE, series)],
    })
}

/// Paired differences to the fully connected network, one panel for each kind.
fn gaps(merged: &Merged, differences: &[Difference], curves: &[PredictedAngle]) -> Option<Figure> {
    let kinds = &merged.plan.options.kinds;
    let panels: Vec<Panel> = (kinds.iter())
        .filter_map(|kind| gap_panel(merged, differences, curves, *kind))
        .collect();
    let beside = "The same rule and depth where there is one. Rings: means over seeds; bands: 95 % confidence of the \
                  paired mean";
    let (of_what, lines) = match kinds[..] {
        [Kind::Limit] => ("limits only; ", "; lines: theory"),
        _ if kinds.contains(&Kind::Limit) => ("", "; lines: theory, of limits"),
        _ => ("", ""),
    };
    (!panels.is_empty()).then(|| Figure {
        id: "generalisation-difference".into(),
        title: "Fully connected against other networks, on the same data".into(),
        subtitle: subtitle(merged),
        caption: format!(
            "Angle of the fully connected network to the teacher less that of another network on the same data, \
             {of_what}below zero the fully connected network is better. {beside}{lines}."
        ),
        panels,
    })
}

/// The panel of a kind; `None` without a pair.
fn gap_panel(
    merged: &Merged,
    differences: &[Difference],
    curves: &[PredictedAngle],
    kind: Kind,
) -> Option<Panel> {
    let mut series = Vec::new();
    for (colour, network) in merged.plan.options.cases.iter().enumerate() {
        let of: Vec<&Difference> = (differences.iter())
            .filter(|d| d.network == *network && d.kind == kind)
            .collect();
        let Some(beside) = of.first().map(|d| &d.beside) else {
            continue;
        };
        let outline = band(&of);
        let means = sorted(of.iter().map(|d| (d.ratio, d.difference.mean)).collect());
        series.push(Series {
            label: None,
            style: Style::Band,
            ..build::line("", colour, outline)
        });
        if kind == Kind::Limit {
            series.push(Series {
                label: None,
                style: Style::Points,
                ..build::line("", colour, means)
            });
            let base = curve(beside, curves);
            let theory: Vec<(f64, f64)> = (base.iter().zip(curve(network, curves)))
                .map(|(fc, of)| (fc.0, fc.1 - of.1))
                .collect();
            series.push(build::line(network.label(), colour, theory));
        } else {
            series.push(Series {
                label: None,
                style: Style::Dashed,
                ..build::line("", colour, means.clone())
            });
            series.push(Series {
                style: Style::Points,
                ..build::line(network.label(), colour, means)
            });
        }
    }
    if series.is_empty() {
        return None;
    }
    series.extend(keys(kind == Kind::Limit && !curves.is_empty()));
    series.push(build::key("95 % confidence", Style::Band));
    let ratios = &merged.plan.options.ratios;
    let low = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let high = ratios.iter().copied().fold(0.0, f64::max);
    series.push(build::reference(None, vec![(low, 0.0), (high, 0.0)]));
    let title = match kind {
        Kind::Limit if merged.plan.options.kinds.len() == 1 => String::new(),
        Kind::Limit => "Limits".into(),
        Kind::Flow => capital(&flow_label(merged)),
        Kind::Steps => steps_label(merged),
    };
    Some(panel(
        merged,
        title,
        "difference of angles, FC − other (degrees)",
        series,
    ))
}

/// The outline of the 95 % confidence intervals of differences: along their lower ends, and back along the upper ones.
fn band(of: &[&Difference]) -> Vec<(f64, f64)> {
    let edge = |side: fn((f64, f64)) -> f64| {
        let ends = of
            .iter()
            .filter_map(|d| Some((d.ratio, side(d.difference.ends()?))));
        sorted(ends.collect())
    };
    let mut outline = edge(|ends| ends.0);
    outline.extend(edge(|ends| ends.1).into_iter().rev());
    outline
}

fn sorted(mut points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points
}

/// Limit, flow and steps of each network; only if more than one kind has been measured.
fn kinds(merged: &Merged, summaries: &[Summary], curves: &[PredictedAngle]) -> Option<Figure> {
    let options = &merged.plan.options;
    if options.kinds.len() < 2 {
        return None;
    }
    let mut panels: Vec<Panel> = (options.cases.iter())
        .map(|network| {
            let mut series = Vec::new();
            for kind in &options.kinds {
                let (colour, label) = match kind {
                    Kind::Limit => (0, "limit".to_owned()),
                    Kind::Flow => (1, flow_label(merged)),
                    Kind::Steps => (2, steps_label(merged)),
                };
                let means = means(summaries, network, *kind);
                let line = sorted(means.iter().map(|(r, m)| (*r, m.mean)).collect());
                if *kind == Kind::Limit {
                    let theory = curve(network, curves);
                    if !theory.is_empty() {
                        series.push(build::line("limit, theory", colour, theory));
                    }
                } else {
                    series.push(Series {
                        label: None,
                        style: Style::Dashed,
                        ..build::line("", colour, line)
                    });
                }
                series.extend(bars(colour, Some(format!("{label}, measured")), &means));
            }
            panel(merged, network.label(), ANGLE, series)
        })
        .collect();
    alike(&mut panels);
    let (title, caption) = if options.kinds.contains(&Kind::Limit) {
        (
            "Limits, and what is reached on the way to them",
            "Mean angle to the teacher (bars: one standard error) of the limit, of the flow at a time that training \
             can reach, and of finite steps, on the same data; dashed lines only join the means. Depth slows direct \
             feedback alignment: a deep network is read far from its limit.",
        )
    } else {
        (
            "Trained networks: flows and finite steps",
            "Mean angle to the teacher (bars: one standard error) of the flow at a time that training can reach and of \
             finite steps, on the same data; dashed lines only join the means.",
        )
    };
    Some(Figure {
        id: "generalisation-times".into(),
        title: title.into(),
        subtitle: subtitle(merged),
        caption: caption.into(),
        panels,
    })
}

/// Makes panels that show the same quantities comparable: one range for all, and one legend, in the first that has
/// entries.
fn alike(panels: &mut [Panel]) {
    let values = (panels.iter().flat_map(|p| &p.series))
        .flat_map(|s| &s.points)
        .map(|p| p.1)
        .filter(|y| y.is_finite());
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), y| {
        (a.min(y), b.max(y))
    });
    let air = 0.05 * (high - low);
    let mut named: Vec<String> = Vec::new();
    for panel in panels {
        panel.y.range = (low < high).then_some((low - air, high + air));
        for series in &mut panel.series {
            if let Some(name) = series.label.take()
                && !named.contains(&name)
            {
                named.push(name.clone());
                series.label = Some(name);
            }
        }
    }
}

/// With a capital at its start.
fn capital(words: &str) -> String {
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

fn flow_label(merged: &Merged) -> String {
    let tau = clock::log_time(merged.plan.scenario.flow.until);
    format!("flow, ln(1+t) = {}", build::plain(tau, 1))
}

fn steps_label(merged: &Merged) -> String {
    match &merged.plan.scenario.steps {
        Some(steps) => format!("{} steps, η = {}", steps.count, steps.sizes[0]),
        None => "steps".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::mean_interval;

    #[test]
    fn panels_of_the_same_quantities_share_their_range_and_one_legend() {
        let of = |low: f64, high: f64| {
            let series = vec![
                build::line("limit, theory", 0, vec![(1.0, low), (2.0, high)]),
                Series {
                    style: Style::Points,
                    ..build::line("limit, measured", 0, vec![(1.0, low)])
                },
            ];
            build::panel("", build::axis(ANGLE, Scale::Linear), series)
        };
        let mut panels = [of(30.0, 70.0), of(40.0, 80.0)];
        alike(&mut panels);
        assert_eq!(panels[0].y.range, Some((27.5, 82.5)));
        assert_eq!(panels[0].y.range, panels[1].y.range);
        let named = |p: &Panel| p.series.iter().filter(|s| s.label.is_some()).count();
        assert_eq!((named(&panels[0]), named(&panels[1])), (2, 0));
        assert_eq!(capital("flow, ln"), "Flow, ln");
    }

    /// With three seeds the interval is 4.303 standard errors to either side, not 1.96.
    #[test]
    fn bands_are_student_s_intervals() {
        let case = |name: &str| NetworkCase::try_from(name.to_owned()).unwrap();
        let difference = |ratio, values: &[f64]| Difference {
            network: case("conv-dfa-2"),
            beside: case("fc"),
            ratio,
            kind: Kind::Limit,
            difference: mean_interval(values).unwrap(),
            theory: None,
        };
        let far = difference(2.0, &[1.0, 2.0, 3.0]);
        let near = difference(0.5, &[-1.0, 0.0, 1.0]);
        let outline = band(&[&far, &near]);
        let half = 4.30265 / 3.0_f64.sqrt();
        let expected = [
            (0.5, -half),
            (2.0, 2.0 - half),
            (2.0, 2.0 + half),
            (0.5, half),
        ];
        for (found, expected) in outline.iter().zip(expected) {
            assert!(
                found.0 == expected.0 && (found.1 - expected.1).abs() < 1e-4,
                "{outline:?}"
            );
        }
        assert_eq!(outline.len(), 4);
        // a single pair has no interval
        assert!(band(&[&difference(1.0, &[3.0])]).is_empty());
    }
}
