//! `aggregates.csv`: what is said of all seeds together.
//!
//! One row per statistic, group of cases and number of the table that differs between cases, of the runs that were
//! completed:
//!
//! | statistic | value | low, high |
//! |---|---|---|
//! | `median` | the median over the seeds of a point | the 10 % and the 90 % quantile |
//! | `mean` | their mean, with its standard error | its 95 % confidence interval |
//! | `difference` | mean over the seeds of the difference to the first value of `pair`, seed by seed | likewise |
//! | `trend` | mean over the seeds of the slope of ln(number) against ln(key), by least squares along the key | likewise |
//!
//! The slopes of curves against s are numbers of the table themselves (`slope.NAME`, `rate.observed`), so that their
//! means are fitted slopes with confidence intervals. A trend is given for keys with three positive values at least,
//! where the number is positive in all cases. `count` is the number of seeds; of a trend of a single seed, whose errors
//! are those of the straight line, the number of points on it.

use super::{Interval, Merged, Row, mean_interval, quantiles, student_t};
use serde_json::Value;
use std::collections::BTreeMap;

/// The columns after those of the varied keys.
pub(super) const COLUMNS: [&str; 8] = [
    "statistic",
    "quantity",
    "count",
    "value",
    "low",
    "high",
    "standard_error",
    "against",
];

/// A line of the file.
struct Line<'a> {
    /// Label of the value on every axis; empty for the axis a trend is along, and those that go with it.
    point: Vec<&'a str>,
    statistic: &'static str,
    quantity: &'a str,
    count: usize,
    value: f64,
    ends: Option<(f64, f64)>,
    standard_error: Option<f64>,
    against: &'a str,
}

/// Mean over seeds of a difference to the first value of the pair.
pub(super) struct Difference {
    /// The point whose value is not the first.
    pub point: usize,
    pub interval: Interval,
}

/// Fewest points that a slope is fitted through.
const LEAST: usize = 3;

/// An axis of positive numbers, and the points along it.
struct Along {
    axis: usize,
    /// ln of its values.
    logarithms: Vec<f64>,
    /// Points that differ in this axis (and those that go with it) alone, in the order of its values.
    lines: Vec<Vec<usize>>,
}

/// Count, slope, confidence interval, standard error.
type Slope = (usize, f64, Option<(f64, f64)>, Option<f64>);

/// A least-squares slope.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Trend {
    pub count: usize,
    pub slope: f64,
    /// `None` from two points.
    pub standard_error: Option<f64>,
}

impl Trend {
    /// Through (x, y), with the standard error of a straight line with independent errors; `None` unless x differs.
    pub(super) fn through(points: &[(f64, f64)]) -> Option<Self> {
        let n = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
        let (mx, my) = (mean(|p| p.0), mean(|p| p.1));
        let sum = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
            points.iter().map(|p| of(p.0 - mx, p.1 - my)).sum()
        };
        let (xx, xy) = (sum(&|x, _| x * x), sum(&|x, y| x * y));
        if points.len() < 2 || xx <= 0.0 {
            return None;
        }
        let slope = xy / xx;
        let rest = sum(&|x, y| (y - slope * x).powi(2));
        Some(Self {
            count: points.len(),
            slope,
            standard_error: (points.len() > 2).then(|| (rest / (n - 2.0) / xx).sqrt()),
        })
    }

    /// The 95 % confidence interval.
    fn ends(&self) -> Option<(f64, f64)> {
        let half = student_t(self.count.checked_sub(2)?)? * self.standard_error?;
        Some((self.slope - half, self.slope + half))
    }
}

impl Merged<'_> {
    /// The rows of a point.
    pub(super) fn rows_of(&self, point: usize) -> &[Row] {
        let seeds = self.plan.seeds();
        &self.rows[point * seeds..(point + 1) * seeds]
    }

    /// Paired differences of a number, at every point whose value of `pair` is not the first and that has a partner
    /// there.
    pub(super) fn differences(&self, quantity: &str) -> Vec<Difference> {
        let options = &self.plan.options;
        let Some(pair) = options.pair else {
            return Vec::new();
        };
        (0..options.points())
            .filter_map(|point| {
                let first = options
                    .partner(point, pair)
                    .filter(|first| *first != point)?;
                let pairs = self.rows_of(point).iter().zip(self.rows_of(first));
                let found: Vec<f64> = pairs
                    .filter_map(|(a, b)| Some(a.measured(quantity)? - b.measured(quantity)?))
                    .collect();
                Some(Difference {
                    point,
                    interval: mean_interval(&found)?,
                })
            })
            .collect()
    }

    /// The lines of `aggregates.csv` below its header: fields in order.
    pub(super) fn aggregates(&self) -> Vec<Vec<String>> {
        let mut lines = Vec::new();
        let (measured, along) = (self.measured(), self.axes_of_numbers());
        for point in 0..self.plan.options.points() {
            for quantity in &measured {
                self.over_seeds(point, quantity, &mut lines);
            }
        }
        for quantity in &measured {
            self.compared(quantity, &mut lines);
            self.trends(quantity, &along, &mut lines);
        }
        lines.iter().map(Line::fields).collect()
    }

    fn labels(&self, point: usize) -> Vec<&str> {
        let values = self.plan.options.point(point);
        values
            .into_iter()
            .map(|value| value.label.as_str())
            .collect()
    }

    fn over_seeds<'a>(&'a self, point: usize, quantity: &'a str, lines: &mut Vec<Line<'a>>) {
        let values: Vec<f64> = (self.rows_of(point).iter())
            .filter_map(|row| row.measured(quantity))
            .collect();
        let (Some(quantiles), Some(mean)) = (quantiles(&values), mean_interval(&values)) else {
            return;
        };
        let line = |statistic, value, ends, standard_error| Line {
            point: self.labels(point),
            statistic,
            quantity,
            count: quantiles.count,
            value,
            ends,
            standard_error,
            against: "",
        };
        let band = Some((quantiles.low, quantiles.high));
        lines.push(line("median", quantiles.median, band, None));
        lines.push(line("mean", mean.mean, mean.ends(), mean.standard_error));
    }

    fn compared<'a>(&'a self, quantity: &'a str, lines: &mut Vec<Line<'a>>) {
        let options = &self.plan.options;
        let first = options
            .pair
            .map_or("", |pair| &options.axes[pair].values[0].label);
        lines.extend(self.differences(quantity).into_iter().map(|of| Line {
            point: self.labels(of.point),
            statistic: "difference",
            quantity,
            count: of.interval.count,
            value: of.interval.mean,
            ends: of.interval.ends(),
            standard_error: of.interval.standard_error,
            against: first,
        }));
    }

    /// Slopes along every axis of [`Along`], at all values of the keys that do not go with it.
    fn trends<'a>(&'a self, quantity: &'a str, axes: &[Along], lines: &mut Vec<Line<'a>>) {
        for along in axes {
            let axis = &self.plan.options.axes[along.axis];
            for points in &along.lines {
                let Some((count, slope, ends, standard_error)) =
                    self.slope(quantity, &along.logarithms, points)
                else {
                    continue;
                };
                let mut point = self.labels(points[0]);
                for (label, other) in point.iter_mut().zip(&self.plan.options.axes) {
                    if other.goes_with(axis) {
                        *label = "";
                    }
                }
                lines.push(Line {
                    point,
                    statistic: "trend",
                    quantity,
                    count,
                    value: slope,
                    ends,
                    standard_error,
                    against: &axis.name,
                });
            }
        }
    }

    /// The slope of ln(number) along `points`, at which the key has these logarithms: count, slope, interval and
    /// standard error. `None` if the number is not positive in some case, or if no seed has three of them.
    ///
    /// The points of one seed share its data and weights, so their errors are not independent: each seed has a slope
    /// of its own, and the slopes are averaged. Where there is one seed, the error is that of the straight line.
    fn slope(&self, quantity: &str, logarithms: &[f64], points: &[usize]) -> Option<Slope> {
        let mut trends = Vec::new();
        for seed in 0..self.plan.seeds() {
            let numbers: Vec<(f64, f64)> = (logarithms.iter().zip(points))
                .filter_map(|(x, point)| Some((*x, self.rows_of(*point)[seed].measured(quantity)?)))
                .collect();
            if numbers.iter().any(|(_, y)| *y <= 0.0) {
                return None;
            }
            let numbers: Vec<(f64, f64)> = numbers.iter().map(|(x, y)| (*x, y.ln())).collect();
            trends.extend(Trend::through(&numbers).filter(|trend| trend.count >= LEAST));
        }
        if self.plan.seeds() == 1 {
            let trend = trends.first()?;
            return Some((trend.count, trend.slope, trend.ends(), trend.standard_error));
        }
        let slopes: Vec<f64> = trends.iter().map(|trend| trend.slope).collect();
        let mean = mean_interval(&slopes)?;
        Some((mean.count, mean.mean, mean.ends(), mean.standard_error))
    }

    /// The axes along which there are trends: those with three positive values at least.
    fn axes_of_numbers(&self) -> Vec<Along> {
        let options = &self.plan.options;
        let axes = options.axes.iter().enumerate();
        axes.filter_map(|(axis, of)| {
            let numbers = of.numbers()?;
            if numbers.len() < LEAST || numbers.iter().any(|x| *x <= 0.0) {
                return None;
            }
            let mut lines: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
            for point in 0..options.points() {
                lines
                    .entry(options.partner(point, axis)?)
                    .or_default()
                    .push(point);
            }
            Some(Along {
                axis,
                logarithms: numbers.iter().map(|x| x.ln()).collect(),
                lines: lines.into_values().collect(),
            })
        })
        .collect()
    }
}

impl Line<'_> {
    fn fields(&self) -> Vec<String> {
        let optional = |x: Option<f64>| x.map_or_else(String::new, number);
        let mut fields: Vec<String> = self.point.iter().map(|label| (*label).to_owned()).collect();
        fields.extend([
            self.statistic.to_owned(),
            self.quantity.to_owned(),
            self.count.to_string(),
            number(self.value),
            optional(self.ends.map(|ends| ends.0)),
            optional(self.ends.map(|ends| ends.1)),
            optional(self.standard_error),
            self.against.to_owned(),
        ]);
        fields
    }
}

/// A number as in JSON; nothing for what is none.
fn number(x: f64) -> String {
    if x.is_finite() {
        Value::from(x).to_string()
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::synthetic;
    use super::*;

    /// The lines of a statistic, as the fields of a row.
    fn of(merged: &Merged, statistic: &str) -> Vec<Vec<String>> {
        let lines = merged.aggregates().into_iter();
        lines
            .filter(|line| line.iter().any(|field| field == statistic))
            .collect()
    }

    fn close(found: &str, expected: f64) {
        let found: f64 = found.parse().unwrap();
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    }

    /// Each draw falls as its own power of the scale, from a height of its own: the errors of slopes are those between
    /// draws, however far their heights are apart.
    #[test]
    fn trends_have_one_slope_per_seed() {
        let plan = synthetic::plan(
            "vary = { 'initial.gaussian.scale' = [0.1, 1.0, 10.0, 100.0] }\n\
             seeds = { 'dataset.gaussian-teacher.seed' = 3 }",
        );
        let scale = [0.1_f64, 1.0, 10.0, 100.0];
        let merged = synthetic::merged(&plan, |case, values| {
            let seed = case.seed? as f64;
            // one run is missing: the others of its seed have the same slope
            let missing = (case.seed, values[0]) == (Some(2), 3);
            (!missing).then(|| 1000.0_f64.powf(seed) * scale[values[0]].powf(-1.0 - 0.1 * seed))
        });
        let found = of(&merged, "trend");
        let [line] = &found[..] else {
            panic!("{found:?}")
        };
        let axis = "initial.gaussian.scale";
        assert_eq!(line[..4], ["", "trend", "x", "3"]);
        close(&line[4], -1.2);
        let error = 0.1 / 3.0_f64.sqrt();
        close(&line[6], -1.2 + student_t(2).unwrap() * error);
        close(&line[7], error);
        assert_eq!(line[8], axis);
    }

    #[test]
    fn a_trend_names_no_value_of_keys_that_go_with_its_own() {
        let plan = synthetic::plan(
            "combine = 'zip'\n\
             vary = { 'initial.gaussian.scale' = [0.1, 1.0, 10.0], 'flow.rtol' = [1e-5, 1e-6, 1e-7] }\n\
             variants = { shallow = { 'network.fully-connected-linear.depth' = 2 }, \
             deep = { 'network.fully-connected-linear.depth' = 3 } }",
        );
        let scale = [0.1_f64, 1.0, 10.0];
        let merged = synthetic::merged(&plan, |_, values| {
            Some(scale[values[1]].powi(1 + values[0] as i32))
        });
        let found = of(&merged, "trend");
        let labels: Vec<[&str; 3]> = (found.iter())
            .map(|line| [0, 1, 2].map(|k| line[k].as_str()))
            .collect();
        let blank = |variant| [variant, "", ""];
        assert_eq!(labels, ["shallow", "deep", "shallow", "deep"].map(blank));
        for (line, slope) in found.iter().zip([1.0, 2.0, -1.0, -2.0]) {
            // three points, one run each
            assert_eq!(line[5], "3");
            close(&line[6], slope);
        }
    }

    /// y = 2x + 1 with errors ±1 in turn: the textbook's formulas by hand.
    #[test]
    fn slopes_and_their_errors() {
        let points = [(0.0, 2.0), (1.0, 2.0), (2.0, 6.0), (3.0, 6.0)];
        let trend = Trend::through(&points).unwrap();
        // Sxx = 5, Sxy = 8; residuals .4, −1.2, 1.2, −.4: squares 3.2
        assert!((trend.slope - 1.6).abs() < 1e-15);
        assert!((trend.standard_error.unwrap() - (3.2_f64 / 2.0 / 5.0).sqrt()).abs() < 1e-15);
        assert_eq!(Trend::through(&points[..1]), None);
        assert_eq!(Trend::through(&points[..2]).unwrap().ends(), None);
        assert_eq!(Trend::through(&[(1.0, 2.0), (1.0, 3.0)]), None);
    }
}
