//! Positions and labels of the ticks of an axis.
//!
//! Logarithmic axes span from less than one to several hundred decades; labels are powers of ten `10ⁿ` every 1, 2, 5,
//! 10, … decades, or at 1–2–5 if too few powers of ten fall inside, or linear if even those are too few.

use super::Scale;

/// Most labels on one axis.
const MOST: usize = 8;

/// A labelled tick, or an unlabelled minor one (`label = None`), at `value` in the axis's own coordinate: the value on
/// a linear axis, its base-10 logarithm on a logarithmic one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    pub at: f64,
    pub label: Option<String>,
}

/// Ticks inside `[low, high]` (axis coordinates, `low < high`), increasing among the labelled and among the minor ones.
pub(crate) fn ticks(scale: Scale, low: f64, high: f64) -> Vec<Tick> {
    match scale {
        Scale::Linear => linear_ticks(low, high, 0.0),
        Scale::Whole => linear_ticks(low, high, 1.0),
        Scale::Log10 => log_ticks(low, high),
    }
}

/// Numbers `k·step` in `[low, high]`, with a little slack, so that a tick at an end is kept.
fn multiples(step: f64, low: f64, high: f64) -> Vec<f64> {
    let slack = 1e-9 * (high - low) / step;
    let (first, last) = ((low / step - slack).ceil(), (high / step + slack).floor());
    let mut found = Vec::new();
    let mut k = first;
    while k <= last && found.len() <= 10 * MOST {
        found.push(k * step);
        k += 1.0;
    }
    found
}

/// The smallest step of the form {1, 2, 5}·10^k, at least `least`, with at most [`MOST`] multiples in `[low, high]`.
fn step_for(low: f64, high: f64, least: f64) -> f64 {
    let mut decade = 10f64
        .powf(((high - low) / (10.0 * MOST as f64)).log10().floor())
        .max(least);
    loop {
        for factor in [1.0, 2.0, 5.0] {
            if multiples(factor * decade, low, high).len() <= MOST {
                return factor * decade;
            }
        }
        decade *= 10.0;
    }
}

/// Ticks at least `least` apart.
fn linear_ticks(low: f64, high: f64, least: f64) -> Vec<Tick> {
    let step = step_for(low, high, least);
    let largest = low.abs().max(high.abs());
    multiples(step, low, high)
        .into_iter()
        .map(|at| Tick {
            at,
            label: Some(linear_label(at, step, largest)),
        })
        .collect()
}

fn log_ticks(low: f64, high: f64) -> Vec<Tick> {
    let step = step_for(low, high, 1.0);
    let decades = multiples(step, low, high);
    let labelled = |at: f64, label: String| Tick {
        at,
        label: Some(label),
    };
    let minor = |at: f64| Tick { at, label: None };

    if decades.len() >= 3 {
        let mut all: Vec<Tick> = decades
            .iter()
            .map(|&d| labelled(d, power_of_ten(d as i64)))
            .collect();
        // Between labels: 2…9 if decades are wide, else whole decades (or tens of them), never too dense.
        if step == 1.0 && high - low <= 5.0 {
            all.extend(
                mantissas(low, high, &[2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])
                    .into_iter()
                    .map(|(at, _, _)| minor(at)),
            );
        } else if step > 1.0 {
            let between = if step % 5.0 == 0.0 {
                step / 5.0
            } else {
                step / 2.0
            };
            all.extend(
                multiples(between, low, high)
                    .into_iter()
                    .filter(|d| (d / step).fract() != 0.0)
                    .map(minor),
            );
        }
        return all;
    }
    for factors in [
        &[1.0, 3.0][..],
        &[1.0, 2.0, 5.0],
        &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0],
    ] {
        let found = mantissas(low, high, factors);
        if (3..=MOST).contains(&found.len()) {
            let mut all: Vec<Tick> = found
                .iter()
                .map(|&(at, factor, decade)| labelled(at, mantissa_label(factor, decade)))
                .collect();
            all.extend(
                mantissas(low, high, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])
                    .into_iter()
                    .filter(|(at, _, _)| found.iter().all(|(other, _, _)| other != at))
                    .map(|(at, _, _)| minor(at)),
            );
            return all;
        }
    }
    // Less than about half a decade: linear ticks, placed at their logarithms. The range is taken relative to a power
    // of ten so that 1e-300 and 1e300 behave like 1.
    let base = low.floor();
    let (from, to) = (10f64.powf(low - base), 10f64.powf(high - base));
    let step = step_for(from, to, 0.0);
    multiples(step, from, to)
        .into_iter()
        .map(|v| {
            let label = if base.abs() <= 3.0 {
                let unit = 10f64.powf(base);
                linear_label(v * unit, step * unit, to * unit)
            } else {
                format!("{}·{}", plain(v, decimals(step)), power_of_ten(base as i64))
            };
            labelled(v.log10() + base, label)
        })
        .collect()
}

/// `(log10(f·10^d), f, d)` for the given factors f, inside `[low, high]`.
fn mantissas(low: f64, high: f64, factors: &[f64]) -> Vec<(f64, f64, i64)> {
    let (first, last) = (low.floor() as i64, high.floor() as i64);
    (first..=last)
        .flat_map(|d| factors.iter().map(move |&f| (f.log10() + d as f64, f, d)))
        .filter(|(at, _, _)| (low - 1e-9..=high + 1e-9).contains(at))
        .collect()
}

fn mantissa_label(factor: f64, decade: i64) -> String {
    if (-3..=3).contains(&decade) {
        plain(
            factor * 10f64.powi(decade as i32),
            (-decade).max(0) as usize,
        )
    } else if factor == 1.0 {
        power_of_ten(decade)
    } else {
        format!("{factor}·{}", power_of_ten(decade))
    }
}

/// `10ⁿ` in superscripts, and 1 for n = 0.
pub(crate) fn power_of_ten(n: i64) -> String {
    if n == 0 {
        "1".into()
    } else {
        format!("10{}", superscript(n))
    }
}

fn superscript(n: i64) -> String {
    n.to_string()
        .chars()
        .map(|c| match c {
            '-' => '⁻',
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            digit => char::from_u32('⁰' as u32 + digit as u32 - '0' as u32).unwrap_or(digit),
        })
        .collect()
}

/// An index set below the line: `w₁`, `b₁₂`.
pub(crate) fn subscript(n: usize) -> String {
    n.to_string()
        .chars()
        .map(|c| char::from_u32('₀' as u32 + c as u32 - '0' as u32).unwrap_or(c))
        .collect()
}

/// A number with a true minus sign and a fixed number of decimals.
pub(crate) fn plain(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.chars().any(|c| ('1'..='9').contains(&c)) => format!("−{digits}"),
        Some(digits) => digits.into(),
        None => text,
    }
}

/// Decimals needed to distinguish multiples of `step`.
fn decimals(step: f64) -> usize {
    (-step.log10() - 1e-9).ceil().clamp(0.0, 12.0) as usize
}

/// A tick of a linear axis: decimals as needed by the step, powers of ten if the axis goes beyond 10⁴ or below 10⁻³.
fn linear_label(value: f64, step: f64, largest: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    if (1e-3..=1e5).contains(&largest) {
        return plain(value, decimals(step));
    }
    let exponent = largest.log10().floor();
    // Divide in two steps: 10^exponent itself may leave the range of f64.
    let half = 10f64.powf((exponent / 2.0).trunc());
    let rest = 10f64.powf(exponent - (exponent / 2.0).trunc());
    format!(
        "{}·{}",
        plain(value / half / rest, decimals(step / half / rest)),
        power_of_ten(exponent as i64)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale, low: f64, high: f64) -> Vec<String> {
        ticks(scale, low, high)
            .into_iter()
            .filter_map(|t| t.label)
            .collect()
    }

    #[test]
    fn long_log_axes_are_labelled_by_round_powers_of_ten() {
        assert_eq!(
            labels(Scale::Log10, -1.0, 26.0),
            ["1", "10⁵", "10¹⁰", "10¹⁵", "10²⁰", "10²⁵"]
        );
        assert_eq!(labels(Scale::Log10, 0.0, 140.0).last().unwrap(), "10¹⁴⁰");
        assert_eq!(
            labels(Scale::Log10, -3.2, 2.1),
            ["10⁻³", "10⁻²", "10⁻¹", "1", "10¹", "10²"]
        );
        assert_eq!(
            labels(Scale::Log10, -300.0, 140.0),
            ["10⁻³⁰⁰", "10⁻²⁰⁰", "10⁻¹⁰⁰", "1", "10¹⁰⁰"]
        );
    }

    #[test]
    fn short_log_axes_fall_back_to_finer_labels() {
        assert_eq!(labels(Scale::Log10, 0.1, 2.05), ["3", "10", "30", "100"]);
        assert_eq!(labels(Scale::Log10, -0.1, 0.8), ["1", "2", "5"]);
        assert_eq!(
            labels(Scale::Log10, -7.1, -6.2),
            ["10⁻⁷", "2·10⁻⁷", "5·10⁻⁷"]
        );
        assert_eq!(
            labels(Scale::Log10, 0.0, 1e-3),
            ["1.0000", "1.0005", "1.0010", "1.0015", "1.0020"]
        );
    }

    #[test]
    fn every_axis_has_between_two_and_eight_increasing_distinct_labels() {
        for low in [-307.3, -20.7, -1.0, -0.001, 0.0, 0.4, 3.3, 140.0] {
            for span in [
                1e-6, 1e-3, 0.05, 0.3, 0.9, 1.0, 1.3, 2.0, 3.1, 7.7, 30.0, 155.0, 301.0,
            ] {
                for scale in [Scale::Linear, Scale::Log10] {
                    let found: Vec<Tick> = ticks(scale, low, low + span)
                        .into_iter()
                        .filter(|t| t.label.is_some())
                        .collect();
                    assert!(
                        (2..=MOST).contains(&found.len()),
                        "{scale:?} {low} {span}: {found:?}"
                    );
                    for pair in found.windows(2) {
                        assert!(
                            pair[0].at < pair[1].at && pair[0].label != pair[1].label,
                            "{pair:?}"
                        );
                    }
                    assert!(found.iter().all(|t| t.at >= low - 1e-6 * span && t.at <= low + span * (1.0 + 1e-6)));
                }
            }
        }
    }

    #[test]
    fn linear_labels_carry_the_decimals_of_their_step() {
        assert_eq!(
            labels(Scale::Linear, -0.2, 1.1),
            ["−0.2", "0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(
            labels(Scale::Linear, 0.0, 3e140),
            [
                "0",
                "0.5·10¹⁴⁰",
                "1.0·10¹⁴⁰",
                "1.5·10¹⁴⁰",
                "2.0·10¹⁴⁰",
                "2.5·10¹⁴⁰",
                "3.0·10¹⁴⁰"
            ]
        );
        assert_eq!(labels(Scale::Linear, -1e300, 1e300).len(), 5);
    }

    #[test]
    fn what_is_counted_has_whole_ticks_only() {
        assert_eq!(labels(Scale::Whole, -0.02, 1.02), ["0", "1"]);
        assert_eq!(labels(Scale::Whole, -0.1, 4.1), ["0", "1", "2", "3", "4"]);
        assert_eq!(
            labels(Scale::Whole, -0.6, 32.6),
            ["0", "5", "10", "15", "20", "25", "30"]
        );
    }

    #[test]
    fn a_rounded_zero_has_no_sign() {
        assert_eq!(plain(-0.0001, 2), "0.00");
        assert_eq!(plain(-0.333, 3), "−0.333");
    }
}
