//! Curves of many runs over log time: medians with bands, fitted slopes, and the predicted ones dashed beside them.

use super::super::{Merged, Row, mean_interval, quantiles};
use super::{Missing, colour, panels, split};
use crate::diagnostics::Curve;
use crate::figures::{Panel, Scale, Series, Style, build};
use crate::scenario::FigureRequest;

/// Runs that share a colour.
pub(in crate::study) struct Group<'a> {
    /// For the legend; empty for none.
    pub label: String,
    pub colour: usize,
    /// The curve of every run on the grid; empty for runs without.
    pub rows: Vec<&'a [Option<f64>]>,
    /// Slopes of ln(curve) against s of the runs.
    pub slopes: Vec<f64>,
    /// What theory predicts for them.
    pub predicted: Vec<f64>,
}

/// A predicted slope is drawn above the curve by this factor, so that both can be seen.
const BESIDE: f64 = 2.0;

/// Distances below this are rounding: predicted slopes end here, as fits do.
const FLOOR: f64 = 1e-10;

/// Predictions closer than this are one prediction.
const SAME: f64 = 1e-9;

/// A figure of a study, panel by panel: title, caption, panels.
pub(super) fn of_study(
    merged: &Merged,
    request: &FigureRequest,
    curve: &Curve,
) -> Result<(String, String, Vec<Panel>), Missing> {
    let rows = merged
        .curves
        .rows(curve.name)
        .ok_or("no completed run has this curve")?;
    let (slope, predicted) = match curve.name {
        "angle_to_limit" => ("rate.observed".to_owned(), Some("rate.predicted")),
        name => (format!("slope.{name}"), None),
    };
    let by = colour(merged, request, &[request.panel]);
    let numbers = |rows: &[&Row], name: &str| -> Vec<f64> {
        rows.iter().filter_map(|row| row.measured(name)).collect()
    };
    let panels: Vec<Panel> = (panels(merged, request.panel).into_iter())
        .map(|(title, of_panel)| {
            let groups: Vec<Group> = (split(merged, &of_panel, by).into_iter().enumerate())
                .map(|(colour, (label, of_group))| Group {
                    label,
                    colour,
                    rows: of_group.iter().map(|row| &rows[row.case.id][..]).collect(),
                    slopes: numbers(&of_group, &slope),
                    predicted: predicted.map_or_else(Vec::new, |name| numbers(&of_group, name)),
                })
                .collect();
            panel(title, curve, &merged.curves.log_log_time, &groups)
        })
        .collect();
    if panels.iter().all(|panel| panel.series.is_empty()) {
        return Err("no completed run has this curve".into());
    }
    let bands = pooled(merged, &[by, request.panel]).map_or_else(String::new, |over| {
        format!(" Lines are medians over {over}, bands reach from the 10 % to the 90 % quantile.")
    });
    Ok((title(curve), caption(curve, &panels, &bands), panels))
}

/// Over what a figure takes medians or means: seeds, and the axes that it does not tell apart; nothing if one run is
/// all there is.
pub(super) fn pooled(merged: &Merged, told: &[Option<usize>]) -> Option<String> {
    let others = merged.plan.options.others(told);
    let rest: Vec<&str> = others.iter().map(|axis| axis.short()).collect();
    let values = format!("all values of {}", rest.join(" and "));
    match (merged.plan.seeds(), rest.is_empty()) {
        (1, true) => None,
        (1, false) => Some(values),
        (seeds, true) => Some(format!("{seeds} seeds")),
        (seeds, false) => Some(format!("{seeds} seeds and {values}")),
    }
}

pub(in crate::study) fn title(curve: &Curve) -> String {
    format!(
        "{} along the flow",
        capitalised(curve.label.split(" (").next().unwrap_or_default())
    )
}

/// With a capital at its beginning, except where that is a formula.
pub(super) fn capitalised(label: &str) -> String {
    let mut letters = label.chars();
    match letters.next() {
        Some(first) if !label.starts_with("ln(") => first.to_uppercase().chain(letters).collect(),
        _ => label.to_owned(),
    }
}

pub(in crate::study) fn caption(curve: &Curve, panels: &[Panel], bands: &str) -> String {
    let guides = panels
        .iter()
        .flat_map(|panel| &panel.series)
        .any(|s| s.style == Style::Dashed);
    let guides = match guides {
        true => " Dashed, above each curve: the slope that theory predicts.",
        false => "",
    };
    let law = match curve.logarithmic {
        true => " Both axes are logarithmic: a power of ln t is a straight line.",
        false => "",
    };
    let label = capitalised(curve.label);
    format!("{label} against log time.{law}{bands}{guides}")
}

/// One panel with the curves of its groups.
pub(in crate::study) fn panel(title: String, curve: &Curve, s: &[f64], groups: &[Group]) -> Panel {
    let scale = match curve.logarithmic {
        true => Scale::Log10,
        false => Scale::Linear,
    };
    let (mut bands, mut lines, mut guides) = (Vec::new(), Vec::new(), Vec::new());
    for group in groups {
        let summary = Summary::of(curve, s, &group.rows);
        if summary.median.is_empty() {
            continue;
        }
        bands.extend(summary.bands.iter().map(|outline| Series {
            label: None,
            style: Style::Band,
            ..build::line("", group.colour, outline.clone())
        }));
        let agreed = agreed(&group.predicted).filter(|_| curve.logarithmic);
        let label = legend(group, agreed);
        lines.push(Series {
            label: Some(label).filter(|label| !label.is_empty()),
            ..build::line("", group.colour, summary.median.clone())
        });
        if let Some(slope) = agreed {
            guides.push(Series {
                label: None,
                style: Style::Dashed,
                ..build::line("", group.colour, guide(&summary.median, slope))
            });
        }
    }
    let mut series = bands;
    series.extend(lines);
    let mut y = build::axis(curve.label, scale);
    if curve.logarithmic {
        y.range = build::settled_range(&series);
    }
    series.extend(guides);
    build::panel(title, y, series)
}

/// What all runs of a group are predicted to do, if it is the same.
fn agreed(predicted: &[f64]) -> Option<f64> {
    let first = *predicted.first()?;
    predicted
        .iter()
        .all(|x| (x - first).abs() < SAME)
        .then_some(first)
}

/// The name of a group with its slope: mean, half the 95 % interval, and the prediction.
fn legend(group: &Group, predicted: Option<f64>) -> String {
    let mut parts: Vec<String> = Vec::new();
    if !group.label.is_empty() {
        parts.push(group.label.clone());
    }
    // slopes of curves without a law of their own would only fill the legend
    if let (Some(mean), Some(predicted)) = (mean_interval(&group.slopes), predicted) {
        let half = mean.ends().map(|(low, high)| (high - low) / 2.0);
        let half = half
            .filter(|half| *half > 0.0)
            .map(|half| format!(" ± {}", build::short(half)));
        let (mean, half) = (build::plain(mean.mean, 4), half.unwrap_or_default());
        let predicted = build::plain(predicted, 4);
        parts.push(format!("slope {mean}{half}, predicted {predicted}"));
    }
    parts.join(": ")
}

/// A line of this slope against s = ln(1 + τ), beside the last third of a curve that is above rounding.
fn guide(median: &[(f64, f64)], slope: f64) -> Vec<(f64, f64)> {
    let above: Vec<(f64, f64)> = (median.iter().copied())
        .take_while(|(_, y)| *y > FLOOR)
        .map(|(tau, y)| (tau.ln_1p(), y))
        .collect();
    let Some((end, _)) = above.last().copied() else {
        return Vec::new();
    };
    let middle = end * 5.0 / 6.0;
    let after = above.partition_point(|(s, _)| *s < middle);
    let Some((at, height)) = above.get(after).copied() else {
        return Vec::new();
    };
    (0..=40)
        .map(|k| end * (0.5 + 0.5 * f64::from(k) / 40.0))
        .map(|s| (s.exp_m1(), BESIDE * height * (slope * (s - at)).exp()))
        .collect()
}

/// What is drawn of many curves.
struct Summary {
    median: Vec<(f64, f64)>,
    /// Outlines of the bands, one for each stretch of the grid on which there is one.
    bands: Vec<Vec<(f64, f64)>>,
}

impl Summary {
    /// Where at least half the runs that have the curve are defined, and positive on a logarithmic axis.
    fn of(curve: &Curve, s: &[f64], rows: &[&[Option<f64>]]) -> Self {
        let rows: Vec<&[Option<f64>]> =
            rows.iter().copied().filter(|row| !row.is_empty()).collect();
        let mut found = Self {
            median: Vec::new(),
            bands: Vec::new(),
        };
        let (mut lower, mut upper) = (Vec::new(), Vec::new());
        let mut close = |lower: &mut Vec<(f64, f64)>, upper: &mut Vec<(f64, f64)>| {
            let mut outline = std::mem::take(upper);
            outline.extend(std::mem::take(lower).into_iter().rev());
            if outline.len() > 2 && rows.len() > 1 {
                found.bands.push(outline);
            }
        };
        for (k, s) in s.iter().enumerate() {
            let tau = s.exp_m1();
            let values: Vec<f64> = (rows.iter())
                .filter_map(|row| Some(curve.sign * row[k]?))
                .filter(|x| !curve.logarithmic || *x > 0.0)
                .collect();
            match quantiles(&values).filter(|_| 2 * values.len() >= rows.len()) {
                Some(q) => {
                    found.median.push((tau, q.median));
                    lower.push((tau, q.low));
                    upper.push((tau, q.high));
                }
                None => {
                    close(&mut lower, &mut upper);
                    if !found.median.is_empty() {
                        // breaks the line
                        found.median.push((tau, f64::NAN));
                    }
                }
            }
        }
        close(&mut lower, &mut upper);
        while found.median.last().is_some_and(|(_, y)| y.is_nan()) {
            found.median.pop();
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn angle() -> &'static Curve {
        Curve::named("angle_to_limit").unwrap()
    }

    #[test]
    fn medians_bands_and_predictions_of_twenty_power_laws() {
        let s: Vec<f64> = (0..=100).map(|k| 0.3 * f64::from(k)).collect();
        let rows: Vec<Vec<Option<f64>>> = (1..=20)
            .map(|seed| {
                let of = |s: &f64| f64::from(seed) * (-s / 3.0).exp();
                s.iter().map(|s| Some(of(s))).collect()
            })
            .collect();
        let group = Group {
            label: "depth = 3".into(),
            colour: 2,
            rows: rows.iter().map(Vec::as_slice).collect(),
            slopes: vec![-0.333, -0.334, -0.332],
            predicted: vec![-1.0 / 3.0; 20],
        };
        let panel = panel(String::new(), angle(), &s, &[group]);
        let [band, line, guide] = &panel.series[..] else {
            panic!("{:?}", panel.series)
        };
        assert_eq!((band.style, band.points.len()), (Style::Band, 202));
        let (tau, median) = line.points[50];
        assert!((median / (10.5 * (1.0 + tau).powf(-1.0 / 3.0)) - 1.0).abs() < 1e-12);
        let label = line.label.as_deref().unwrap();
        assert!(
            label.starts_with("depth = 3: slope −0.333") && label.contains("predicted −0.3333"),
            "{label}"
        );
        assert_eq!(guide.style, Style::Dashed);
        for (a, b) in guide.points.iter().zip(&guide.points[1..]) {
            let slope = (b.1 / a.1).ln() / (b.0.ln_1p() - a.0.ln_1p());
            assert!((slope + 1.0 / 3.0).abs() < 1e-9);
        }
        // beside the curve, not on it
        let (tau, beside) = guide.points[30];
        let on = 10.5 * (1.0 + tau).powf(-1.0 / 3.0);
        assert!((beside / on / BESIDE - 1.0).abs() < 0.1, "{}", beside / on);
    }

    #[test]
    fn what_few_runs_reach_is_not_drawn_and_different_predictions_are_none() {
        let s = [0.0, 1.0, 2.0, 3.0];
        let rows = [
            [Some(0.5), Some(0.4), None, None],
            [Some(0.5), Some(0.2), Some(0.1), None],
            [Some(0.5), Some(0.3), None, None],
        ];
        let rows: Vec<&[Option<f64>]> = rows.iter().map(<[_; 4]>::as_slice).collect();
        let summary = Summary::of(angle(), &s, &rows);
        assert_eq!(summary.median, [(0.0, 0.5), (1.0_f64.exp_m1(), 0.3)]);
        assert_eq!(agreed(&[-0.5, -0.25]), None);
        assert_eq!(agreed(&[]), None);
    }
}
