//! The ticks of an axis, where its values are to be labelled.

use super::{
    Axis, Labels,
    curve::coordinate,
    ticks::{Tick, plain, power_of_ten, ticks},
};

/// Parts of a turn, degrees.
const PARTS: [f64; 6] = [5.0, 15.0, 30.0, 45.0, 90.0, 180.0];
/// Most labels of an axis in degrees.
const MOST: f64 = 8.0;

/// Ticks of an axis from `low` to `high` in its own coordinates; the labelled ones increase.
pub(crate) fn ticks_of(axis: &Axis, low: f64, high: f64) -> Vec<Tick> {
    let round = || ticks(axis.scale, low, high);
    match &axis.labels {
        Labels::Round => round(),
        Labels::At(values) => {
            let mut at: Vec<Tick> = (values.iter())
                .filter_map(|v| Some((coordinate(axis.scale, *v)?, shortest(*v))))
                .filter(|(at, _)| (low..=high).contains(at))
                .map(|(at, label)| Tick {
                    at,
                    label: Some(label),
                })
                .collect();
            at.sort_by(|a, b| a.at.total_cmp(&b.at));
            at.dedup_by(|a, b| a.label == b.label);
            if at.is_empty() { round() } else { at }
        }
        Labels::Degrees => degrees(low, high).unwrap_or_else(round),
        Labels::AndZero(zero) => match coordinate(axis.scale, *zero) {
            Some(at) => {
                let first = Tick {
                    at,
                    label: Some("0".into()),
                };
                // Between zero and the smallest value there is nothing to be read off.
                let others = round()
                    .into_iter()
                    .filter(|t| t.at > at + 0.05 * (high - low));
                [first].into_iter().chain(others).collect()
            }
            None => round(),
        },
    }
}

/// Multiples of a part of a turn; `None` on axes too short or too long for them.
fn degrees(low: f64, high: f64) -> Option<Vec<Tick>> {
    let part = PARTS.iter().find(|part| (high - low) / **part <= MOST)?;
    let (first, last) = ((low / part).ceil() as i64, (high / part).floor() as i64);
    let tick = |k: i64| Tick {
        at: k as f64 * part,
        label: Some(plain(k as f64 * part, 0)),
    };
    (last - first >= 2).then(|| (first..=last).map(tick).collect())
}

/// A value in no more than three digits: 0.25, 30,000 as 30000, and 2·10⁻⁵.
pub(crate) fn shortest(value: f64) -> String {
    let exponent = value.abs().log10().floor();
    if value == 0.0 || !exponent.is_finite() {
        return plain(value, 0);
    }
    let trimmed = |text: String| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    };
    if (-4.0..5.0).contains(&exponent) {
        return trimmed(plain(value, (2.0 - exponent).clamp(0.0, 6.0) as usize));
    }
    let digits = trimmed(plain(value / 10f64.powf(exponent), 2));
    let power = power_of_ten(exponent as i64);
    match digits.as_str() {
        "1" => power,
        "−1" => format!("−{power}"),
        _ => format!("{digits}·{power}"),
    }
}

/// The range, widened where a label would stand at a corner of the frame.
pub(crate) fn off_corners(axis: &Axis, (low, high): (f64, f64)) -> (f64, f64) {
    let near = 0.015 * (high - low);
    let at: Vec<f64> = (ticks_of(axis, low, high).iter())
        .filter(|t| t.label.is_some())
        .map(|t| t.at)
        .collect();
    let close = |end: f64| at.iter().any(|at| (at - end).abs() < near);
    (
        if close(low) { low - near } else { low },
        if close(high) { high + near } else { high },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Scale, build};

    fn labels(scale: Scale, labels: Labels, low: f64, high: f64) -> Vec<String> {
        let axis = Axis {
            labels,
            ..build::axis("", scale)
        };
        let found = ticks_of(&axis, low, high);
        found.into_iter().filter_map(|t| t.label).collect()
    }

    #[test]
    fn measured_values_are_labelled_as_they_are() {
        let ratios = Labels::At(vec![2.0, 0.25, 1.0, 0.5, 64.0]);
        assert_eq!(
            labels(Scale::Log10, ratios, -0.7, 0.4),
            ["0.25", "0.5", "1", "2"]
        );
        assert_eq!(
            [0.0003, 0.01, 12345.6, -0.1, 1e-5, 2.5e7, 0.0].map(shortest),
            ["0.0003", "0.01", "12346", "−0.1", "10⁻⁵", "2.5·10⁷", "0"]
        );
        // Without any in the frame the axis is labelled as others are.
        let none = labels(Scale::Linear, Labels::At(vec![9.0]), 0.0, 1.0);
        assert!(none.len() >= 2);
    }

    #[test]
    fn degrees_are_parts_of_a_turn() {
        let of = |low, high| labels(Scale::Linear, Labels::Degrees, low, high);
        assert_eq!(
            of(-92.0, 92.0),
            ["−90", "−60", "−30", "0", "30", "60", "90"]
        );
        assert_eq!(of(-250.0, 250.0), ["−180", "−90", "0", "90", "180"]);
        assert_eq!(of(31.0, 76.0), ["45", "60", "75"]);
        assert!(of(0.1, 0.2).len() >= 2);
    }

    #[test]
    fn zero_has_a_label_on_a_logarithmic_axis() {
        let found = labels(Scale::Log10, Labels::AndZero(0.1), -1.05, 15.0);
        assert_eq!(
            found,
            ["0", "1", "10²", "10⁴", "10⁶", "10⁸", "10¹⁰", "10¹²", "10¹⁴"][..found.len()].to_vec()
        );
    }

    #[test]
    fn no_label_stands_at_a_corner() {
        let axis = build::axis("", Scale::Linear);
        assert_eq!(off_corners(&axis, (0.0, 70.0)), (-1.05, 71.05));
        assert_eq!(off_corners(&axis, (3.0, 73.0)), (3.0, 73.0));
    }
}
