//! The numbers of every figure, for `report.json`: with `trajectory.npz` they are all that is needed to draw it again.

use crate::figures::{Axis, Figure, GREY, Labels, Panel, Scale, Series, Style};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

/// Abscissae that are an array of `trajectory.npz` are named instead of repeated.
pub(super) type Known<'a> = [(&'static str, &'a [f64])];

#[derive(Serialize)]
pub(super) struct DrawnFigure<'a> {
    id: &'a str,
    title: &'a str,
    subtitle: &'a str,
    caption: &'a str,
    panels: Vec<DrawnPanel<'a>>,
}

#[derive(Serialize)]
struct DrawnPanel<'a> {
    title: &'a str,
    x: DrawnAxis<'a>,
    y: DrawnAxis<'a>,
    /// A shaded interval of x.
    window: Option<DrawnWindow<'a>>,
    /// Whether units are equally long on both axes.
    equal_units: bool,
    series: Vec<DrawnSeries<'a>>,
}

#[derive(Serialize)]
struct DrawnAxis<'a> {
    label: &'a str,
    /// `linear`, `whole` (ticks at whole numbers) or `log10`.
    scale: &'static str,
    range: Option<(f64, f64)>,
    ticks: Ticks<'a>,
}

/// Which values are labelled: null for round ones, a list, `degrees`, or `{ "zero": x }` where zero is drawn at x on a
/// logarithmic axis.
#[derive(Serialize)]
#[serde(untagged)]
enum Ticks<'a> {
    Round(Option<()>),
    At(&'a [f64]),
    Named(&'static str),
    AndZero { zero: f64 },
}

#[derive(Serialize)]
struct DrawnWindow<'a> {
    label: &'a str,
    range: (f64, f64),
}

#[derive(Serialize)]
struct DrawnSeries<'a> {
    label: Option<&'a str>,
    /// `line`, `dashed`, `points`, `band` or `reference`.
    style: &'static str,
    /// Index into the palette; null for the grey of bundles.
    colour: Option<usize>,
    opacity: f64,
    /// The name of an array of `trajectory.npz`, or the numbers.
    x: Abscissae,
    /// Null where the curve is broken.
    y: Box<RawValue>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Abscissae {
    Named(&'static str),
    Numbers(Box<RawValue>),
}

/// On one line, however pretty the rest is.
fn compact(numbers: &[f64]) -> Box<RawValue> {
    to_raw_value(numbers).expect("numbers, and null for those that are not finite")
}

impl<'a> DrawnFigure<'a> {
    pub(super) fn of(figure: &'a Figure, known: &Known<'_>) -> Self {
        Self {
            id: &figure.id,
            title: &figure.title,
            subtitle: &figure.subtitle,
            caption: &figure.caption,
            panels: figure.panels.iter().map(|p| panel(p, known)).collect(),
        }
    }
}

fn panel<'a>(panel: &'a Panel, known: &Known<'_>) -> DrawnPanel<'a> {
    DrawnPanel {
        title: &panel.title,
        x: axis(&panel.x),
        y: axis(&panel.y),
        window: panel.window.as_ref().map(|w| DrawnWindow {
            label: &w.label,
            range: w.range,
        }),
        equal_units: panel.equal_units,
        series: panel.series.iter().map(|s| series(s, known)).collect(),
    }
}

fn axis(axis: &Axis) -> DrawnAxis<'_> {
    DrawnAxis {
        label: &axis.label,
        scale: match axis.scale {
            Scale::Linear => "linear",
            Scale::Whole => "whole",
            Scale::Log10 => "log10",
        },
        range: axis.range,
        ticks: match &axis.labels {
            Labels::Round => Ticks::Round(None),
            Labels::At(values) => Ticks::At(values),
            Labels::Degrees => Ticks::Named("degrees"),
            Labels::AndZero(zero) => Ticks::AndZero { zero: *zero },
        },
    }
}

fn series<'a>(series: &'a Series, known: &Known<'_>) -> DrawnSeries<'a> {
    let (x, y): (Vec<f64>, Vec<f64>) = series.points.iter().copied().unzip();
    let named = known.iter().find(|(_, array)| *array == x);
    DrawnSeries {
        label: series.label.as_deref(),
        style: match series.style {
            Style::Line => "line",
            Style::Dashed => "dashed",
            Style::Points => "points",
            Style::Band => "band",
            Style::Cell => "cell",
            Style::Reference => "reference",
        },
        colour: (series.colour != GREY).then_some(series.colour),
        opacity: series.opacity,
        x: named.map_or_else(
            || Abscissae::Numbers(compact(&x)),
            |(name, _)| Abscissae::Named(name),
        ),
        y: compact(&y),
    }
}
