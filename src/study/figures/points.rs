//! Numbers of the table against a key: means over seeds with their confidence intervals, and paired differences.

use super::super::{Interval, Merged, mean_interval};
use super::overlay::{capitalised, pooled};
use super::{Missing, colour, panels, split, spreads};
use crate::figures::{Axis, Panel, Scale, Series, Style, build};
use crate::scenario::FigureRequest;

/// What numbers of the table are called in figures; others by their dotted name.
const NAMES: [(&str, &str); 5] = [
    ("fits", "share of runs that fit all samples"),
    (
        "final.homogeneous.dead_samples.count",
        "samples that no unit sees",
    ),
    (
        "final.angle_to_limit",
        "angle to the limit at the end (radians)",
    ),
    ("final.log_loss", "ln(loss) at the end"),
    ("rate.observed", "slope of ln(angle) against ln(log time)"),
];

/// The name of a number in figures.
pub(super) fn named(number: &str) -> &str {
    NAMES
        .iter()
        .find(|(name, _)| *name == number)
        .map_or(number, |(_, words)| words)
}

/// Share of the axis between the points of two colours, so that their bars do not cover each other.
const APART: f64 = 0.012;

/// Mean over seeds at a value of the horizontal axis.
type Mean = (f64, Interval);

/// Title, caption and panels of a number against the key of axis `x`.
pub(super) fn points(
    merged: &Merged,
    request: &FigureRequest,
    number: &str,
    x: usize,
) -> Result<(String, String, Vec<Panel>), Missing> {
    known(merged, number)?;
    let axis = &merged.plan.options.axes[x];
    let places = axis
        .numbers()
        .ok_or("the values of its key are no numbers")?;
    let by = colour(merged, request, &[request.panel, Some(x)]);
    let shares = is_share(merged, number);
    let all = merged.rows.iter().filter_map(|row| row.measured(number));
    let scale = match spreads(all) {
        true => Scale::Log10,
        false => Scale::Linear,
    };
    let panels = (panels(merged, request.panel).into_iter())
        .map(|(title, rows)| {
            let mut series = Vec::new();
            let groups = split(merged, &rows, by);
            let middle = (groups.len() - 1) as f64 / 2.0;
            for (colour, (label, group)) in groups.into_iter().enumerate() {
                let at = |(place, (_, rows)): (&f64, (String, Vec<_>))| {
                    let rows: Vec<&super::super::Row> = rows;
                    let values: Vec<f64> = rows.iter().filter_map(|r| r.measured(number)).collect();
                    Some((*place, mean_interval(&values)?))
                };
                let split = split(merged, &group, Some(x));
                let mut means: Vec<Mean> = places.iter().zip(split).filter_map(at).collect();
                shift(&mut means, &places, colour as f64 - middle);
                let ends = |ends: (f64, f64)| match shares {
                    // a share is between none and all
                    true => (ends.0.max(0.0), ends.1.min(1.0)),
                    false => ends,
                };
                series.extend(bars(colour, &label, means, &ends));
            }
            let mut y = build::axis(named(number), scale);
            if shares {
                y.range = Some((-0.04, 1.04));
            }
            panel(title, y, horizontal(axis.name.clone(), &places), series)
        })
        .collect();
    let words = capitalised(named(number));
    let means = pooled(merged, &[request.panel, Some(x), by]).map_or_else(String::new, |over| {
        format!(": means over {over}; bars are 95 % confidence intervals")
    });
    let caption = format!(
        "{words} ({number} in table.csv) against {}{means}.",
        axis.name
    );
    let words = words.split(" (").next().unwrap_or_default();
    Ok((format!("{words} against {}", axis.short()), caption, panels))
}

/// Title, caption and panels of the paired differences of a number, against the key of axis `x` or, without one, point
/// by point.
pub(super) fn differences(
    merged: &Merged,
    number: &str,
    x: Option<usize>,
) -> Result<(String, String, Vec<Panel>), Missing> {
    known(merged, number)?;
    let options = &merged.plan.options;
    let pair = options.pair.ok_or("the study has no pairs")?;
    let found = merged.differences(number);
    if found.is_empty() {
        return Err("there are no pairs".into());
    }
    let places = x.and_then(|x| options.axes[x].numbers());
    let (axis, first) = (&options.axes[pair], &options.axes[pair].values[0]);
    let mut series = Vec::new();
    let mut ends: Vec<f64> = Vec::new();
    let logarithmic = spreads(found.iter().map(|d| d.interval.mean));
    for (at, value) in axis.values.iter().enumerate().skip(1) {
        let of = found
            .iter()
            .filter(|d| options.indices(d.point)[pair] == at);
        let means: Vec<Mean> = (of.enumerate())
            .map(|(k, d)| {
                let place = match (x, &places) {
                    (Some(x), Some(places)) => places[options.indices(d.point)[x]],
                    _ => (k + 1) as f64,
                };
                (place, d.interval)
            })
            .collect();
        ends.extend(means.iter().map(|(place, _)| *place));
        let label = format!("{} less {}", axis.named(value), first.label);
        series.extend(bars(at - 1, &label, means, &|ends| ends));
    }
    let low = ends.iter().copied().fold(f64::INFINITY, f64::min);
    let high = ends.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !logarithmic {
        series.push(build::reference(None, vec![(low, 0.0), (high, 0.0)]));
    }
    let along = match x {
        Some(x) => horizontal(options.axes[x].name.clone(), &ends),
        None => build::axis("point of the study", Scale::Whole),
    };
    let scale = match logarithmic {
        true => Scale::Log10,
        false => Scale::Linear,
    };
    let y = build::axis(format!("difference of {}", named(number)), scale);
    let panel = panel(String::new(), y, along, series);
    let caption = format!(
        "Differences of {number} to {}, seed by seed and with all other keys the same: means and 95 % confidence \
         intervals.",
        axis.named(first)
    );
    let title = format!("{}: paired differences", capitalised(named(number)));
    Ok((title, caption, vec![panel]))
}

fn panel(title: String, y: Axis, x: Axis, series: Vec<Series>) -> Panel {
    let mut panel = build::panel(title, y, series);
    panel.x = x;
    if panel.y.scale == Scale::Log10 {
        reach_down(&mut panel);
    }
    panel
}

/// Intervals that reach zero, which a logarithmic axis does not show, begin at the lower end of the axis: it covers
/// what is positive.
fn reach_down(panel: &mut Panel) {
    let values = || panel.series.iter().flat_map(|s| &s.points).map(|p| p.1);
    if !values().any(|y| y <= 0.0) {
        return;
    }
    let Some((low, high)) = build::positive_range(values()) else {
        return;
    };
    panel.y.range = Some((low, high));
    for (_, y) in panel.series.iter_mut().flat_map(|s| &mut s.points) {
        // not max, which would make a number of what is none
        if *y < low {
            *y = low;
        }
    }
}

/// The horizontal axis of a key with these values.
pub(super) fn horizontal(label: String, places: &[f64]) -> Axis {
    let scale = if is_logarithmic(places) {
        Scale::Log10
    } else if places.iter().all(|x| x.fract() == 0.0) {
        Scale::Whole
    } else {
        Scale::Linear
    };
    build::axis(label, scale)
}

fn is_logarithmic(places: &[f64]) -> bool {
    spreads(places.iter().copied()) || doubles(places)
}

/// Moves means by `by` times [`APART`] of their axis.
fn shift(means: &mut [Mean], places: &[f64], by: f64) {
    let low = places.iter().copied().fold(f64::INFINITY, f64::min);
    let high = places.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for (x, _) in means {
        *x = match is_logarithmic(places) {
            true => *x * (high / low).powf(by * APART),
            false => *x + (high - low) * by * APART,
        };
    }
}

/// Whether values grow like powers, as 1, 2, 4, 8 do: from four on, with steps that grow more than twofold.
fn doubles(places: &[f64]) -> bool {
    let mut sorted = places.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.dedup();
    let steps: Vec<f64> = sorted.windows(2).map(|pair| pair[1] - pair[0]).collect();
    sorted.len() >= 4 && sorted[0] > 0.0 && steps[steps.len() - 1] > 2.0 * steps[0]
}

/// Means as rings joined by a line, with bars.
fn bars(
    colour: usize,
    label: &str,
    mut means: Vec<Mean>,
    ends: &dyn Fn((f64, f64)) -> (f64, f64),
) -> Vec<Series> {
    means.sort_by(|a, b| a.0.total_cmp(&b.0));
    let line = |style, points| Series {
        label: None,
        style,
        ..build::line("", colour, points)
    };
    let at: Vec<(f64, f64)> = means.iter().map(|(x, mean)| (*x, mean.mean)).collect();
    let mut series: Vec<Series> = (means.iter())
        .filter_map(|(x, mean)| {
            let (low, high) = ends(mean.ends()?);
            Some(line(Style::Line, vec![(*x, low), (*x, high)]))
        })
        .collect();
    series.push(line(Style::Line, at.clone()));
    series.push(Series {
        label: Some(label.to_owned()).filter(|label| !label.is_empty()),
        ..line(Style::Points, at)
    });
    series
}

/// Whether a number is 0 or 1 in every completed run.
fn is_share(merged: &Merged, number: &str) -> bool {
    let mut values = merged.rows.iter().filter_map(|row| row.measured(number));
    values.all(|x| x == 0.0 || x == 1.0)
}

/// That some completed run has the number, or what it may be called.
pub(super) fn known(merged: &Merged, number: &str) -> Result<(), Missing> {
    if merged.rows.iter().any(|row| row.measured(number).is_some()) {
        return Ok(());
    }
    let last = number.rsplit('.').next().unwrap_or_default();
    let near: Vec<&str> = (merged.names().into_iter())
        .filter(|name| name.contains(last))
        .take(5)
        .collect();
    let guess = match near.is_empty() {
        true => "table.csv has the names of all".to_owned(),
        false => format!("did you mean {}?", near.join(", ")),
    };
    Err(format!("no completed run has a number `{number}`; {guess}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(scale: Scale) -> Panel {
        let means = vec![
            (1.0, mean_interval(&[0.01, 0.03]).unwrap()),
            (2.0, mean_interval(&[1.9, 2.1, 2.0]).unwrap()),
        ];
        let (low, _) = means[0].1.ends().unwrap();
        assert!(low < 0.0);
        let series = bars(0, "a", means, &|ends| ends);
        let x = build::axis("depth", Scale::Whole);
        panel(String::new(), build::axis("angle", scale), x, series)
    }

    #[test]
    fn intervals_that_reach_zero_begin_where_a_logarithmic_axis_does() {
        let panel = drawn(Scale::Log10);
        let (low, high) = panel.y.range.unwrap();
        assert!(0.0 < low && low < 0.02 && high > 2.0, "{low} {high}");
        let interval = &panel.series[0].points;
        assert_eq!(interval[0], (1.0, low));
        assert!(interval[1].1 > 0.03 && interval[1].1 < high);
        // the other one is as it was
        assert!(panel.series[1].points[0].1 > 1.7);
    }

    #[test]
    fn a_linear_axis_shows_them_as_they_are() {
        let panel = drawn(Scale::Linear);
        assert_eq!(panel.y.range, None);
        assert!(panel.series[0].points[0].1 < 0.0);
    }
}
