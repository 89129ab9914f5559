//! Shared by the figure builders: the time axis, curves over it, the line that names the problem.

pub(crate) use super::ticks::plain;
#[cfg(feature = "cli")]
pub(crate) use super::ticks::power_of_ten;
use super::{Axis, Drawn, Figure, Labels, Panel, Scale, Series, Style};
use crate::activation::Formula;
use crate::network::{Layered, Network, Relu};
use crate::problem::Problem;
use crate::theory::Theory;

/// Where exact zeros and rounding below it are drawn on logarithmic axes; a tenth of the spacing of f64 at 1.
pub(crate) const FLOOR: f64 = 1e-17;

/// `τ = ln(1+t)`, logarithmic.
pub(crate) fn time_axis() -> Axis {
    Axis {
        label: "log time, ln(1+t)".into(),
        scale: Scale::Log10,
        range: None,
        labels: Labels::default(),
    }
}

pub(crate) fn axis(label: impl Into<String>, scale: Scale) -> Axis {
    Axis {
        label: label.into(),
        scale,
        range: None,
        labels: Labels::default(),
    }
}

/// A key: says in the legend what a style means, whatever the colour.
#[cfg(feature = "cli")]
pub(crate) fn key(label: &str, style: Style) -> Series {
    Series {
        style,
        ..line(label, super::GREY, Vec::new())
    }
}

/// A guide moved up by a small part of the logarithmic axis that shows these values: on the curve it would be hidden.
pub(crate) fn beside(guide: &[(f64, f64)], shown: impl Iterator<Item = f64>) -> Vec<(f64, f64)> {
    const PART: f64 = 0.035;
    let up = positive_range(shown).map_or(1.0, |(low, high)| (high / low).powf(PART));
    guide.iter().map(|(x, y)| (*x, y * up)).collect()
}

pub(crate) fn panel(title: impl Into<String>, y: Axis, series: Vec<Series>) -> Panel {
    Panel {
        title: title.into(),
        x: time_axis(),
        y,
        series,
        window: None,
        equal_units: false,
    }
}

pub(crate) fn line(label: impl Into<String>, colour: usize, points: Vec<(f64, f64)>) -> Series {
    Series {
        label: Some(label.into()),
        points,
        style: Style::Line,
        colour,
        opacity: 1.0,
    }
}

pub(crate) fn reference(label: Option<String>, points: Vec<(f64, f64)>) -> Series {
    Series {
        label,
        points,
        style: Style::Reference,
        colour: 0,
        opacity: 1.0,
    }
}

/// The range of a logarithmic axis that covers the curves from ln(1+t) = 1 on, with a little margin: before that,
/// values may be rounding or arbitrarily large. `None`, a range from all data, if nothing remains.
pub(crate) fn settled_range(series: &[Series]) -> Option<(f64, f64)> {
    let drawn = series.iter().filter(|s| s.style != Style::Reference);
    let settled = drawn.flat_map(|s| &s.points).filter(|p| p.0 >= 1.0);
    positive_range(settled.map(|p| p.1))
}

/// The range of a logarithmic axis that covers the positive ones of these values, with a little margin; `None` if
/// there are none.
pub(crate) fn positive_range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let (low, high) = values
        .filter(|y| *y > 0.0 && y.is_finite())
        .fold((f64::INFINITY, 0.0f64), |(a, b), y| (a.min(y), b.max(y)));
    let air = (high / low).powf(0.05).max(1.3);
    (low <= high).then(|| (low / air, high * air))
}

/// `value`, but never below [`FLOOR`], so that exact zeros stay visible on a logarithmic axis.
pub(crate) fn floored(value: f64) -> f64 {
    value.max(FLOOR)
}

/// A slope with three digits and a true minus sign.
pub(crate) fn slope(value: f64) -> String {
    plain(value, 3)
}

/// A number with one digit: 0.03, but 6·10⁻⁹.
#[cfg(feature = "cli")]
pub(crate) fn short(value: f64) -> String {
    let exponent = value.abs().log10().floor();
    if value == 0.0 || !exponent.is_finite() {
        return plain(value, 0);
    }
    if (-3.0..3.0).contains(&exponent) {
        return plain(value, (-exponent).max(0.0) as usize);
    }
    let digit = plain(value / 10f64.powf(exponent), 0);
    format!("{digit}·{}", power_of_ten(exponent as i64))
}

impl Drawn<'_> {
    /// Pairs `(τ, value)` over the saves.
    pub fn over_time(&self, values: impl IntoIterator<Item = f64>) -> Vec<(f64, f64)> {
        self.diagnostics
            .log_time
            .iter()
            .copied()
            .zip(values)
            .collect()
    }

    /// The time axis with a place for the start, left of all other saves.
    pub fn time_axis_from_start(&self) -> Axis {
        const PART: f64 = 0.09;
        let times = &self.diagnostics.log_time;
        let first = times.iter().copied().find(|t| *t > 0.0);
        let labels = match (first, times.last()) {
            (Some(first), Some(last)) if *last > first => {
                Labels::AndZero(first * (first / last).powf(PART))
            }
            _ => Labels::Round,
        };
        Axis {
            labels,
            ..time_axis()
        }
    }

    /// Pairs `(τ, value)` where there is a value; a gap breaks the line.
    pub fn over_time_where_defined(&self, values: &[Option<f64>]) -> Vec<(f64, f64)> {
        self.over_time(values.iter().map(|v| v.map_or(f64::NAN, floored)))
    }

    /// A figure with its title and the line that names the problem.
    pub fn figure(&self, id: &str, title: &str, caption: String, panels: Vec<Panel>) -> Figure {
        Figure {
            id: id.into(),
            title: title.into(),
            subtitle: setting(self.problem),
            caption,
            panels,
        }
    }

    /// Whether every sample is classified correctly at the end.
    pub fn fits(&self) -> bool {
        let end = self.diagnostics.min_margin.last();
        end.is_some_and(|margin| *margin > 0.0)
    }

    /// L.
    pub fn depth(&self) -> usize {
        self.problem.network().depth()
    }

    /// What theory says about the problem.
    pub fn theory(&self) -> &Theory {
        &self.diagnostics.theory
    }

    /// Whether error signals pass through fixed feedback (feedback alignment of either kind).
    pub fn has_feedback(&self) -> bool {
        self.theory().errors.are_fixed()
    }
}

/// One line that names a problem.
pub(crate) fn setting(problem: &Problem) -> String {
    format!(
        "{} · {}, L = {}{} · {}",
        words(problem.rule().key()),
        words(problem.network().key()),
        problem.network().depth(),
        layers(problem.network()),
        data(problem),
    )
}

/// Data and loss of a problem.
pub(crate) fn data(problem: &Problem) -> String {
    let classes = problem.dataset().classes();
    format!(
        "N = {}, D = {}{} · {} loss",
        problem.dataset().len(),
        problem.dataset().dimension(),
        classes.map_or_else(String::new, |count| format!(", C = {count}")),
        problem.loss().name(),
    )
}

/// A key of a scenario in words.
pub(crate) fn words(name: &str) -> String {
    match name {
        "relu" => "ReLU".to_owned(),
        _ => name.replace('-', " "),
    }
}

/// What distinguishes networks of one kind and depth from each other.
fn layers(network: &Network) -> String {
    let general = |layers: &Layered| format!(": {}", layers.description());
    (network.units().map(units))
        .or_else(|| network.general().map(general))
        .unwrap_or_default()
}

/// Hidden widths, and what distinguishes the activation from the plain ReLU, if anything.
fn units(network: &Relu) -> String {
    let hidden = &network.shapes()[..network.shapes().len() - 1];
    let widths: Vec<String> = hidden.iter().map(|(_, units)| units.to_string()).collect();
    let mut units = format!(", hidden {}", widths.join(" + "));
    let activation = network.activation().description();
    if !activation.is_empty() {
        units = format!("{units}, {activation}");
    }
    units
}
