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
//! | `trend` | slope of ln(number) against ln(key), least squares over all cases | likewise |
//!
//! The slopes of curves against s are numbers of the table themselves (`slope.NAME`, `rate.observed`), so that their
//! means are fitted slopes with confidence intervals. A trend is given for keys with three positive values at least,
//! where the number is positive in all cases.

use super::{Interval, Merged, Row, mean_interval, quantiles, student_t};
use serde_json::Value;

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
    /// Label of the value on every axis; empty for the axis a trend is along.
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
        let measured = self.measured();
        for point in 0..self.plan.options.points() {
            for quantity in &measured {
                self.over_seeds(point, quantity, &mut lines);
            }
        }
        for quantity in &measured {
            self.compared(quantity, &mut lines);
            self.trends(quantity, &mut lines);
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

    fn trends<'a>(&'a self, quantity: &'a str, lines: &mut Vec<Line<'a>>) {
        let options = &self.plan.options;
        for (at, axis) in options.axes.iter().enumerate() {
            let numbers = axis.numbers().unwrap_or_default();
            if numbers.len() < 3 || numbers.iter().any(|x| *x <= 0.0) {
                continue;
            }
            let firsts =
                (0..options.points()).filter(|point| options.partner(*point, at) == Some(*point));
            for first in firsts {
                let along = (self.rows.iter())
                    .filter(|row| options.partner(row.case.point, at) == Some(first));
                let points: Vec<(f64, f64)> = along
                    .filter_map(|row| Some((numbers[row.values[at]], row.measured(quantity)?)))
                    .collect();
                if points.iter().any(|(_, y)| *y <= 0.0) {
                    continue;
                }
                let logarithms: Vec<(f64, f64)> =
                    points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
                let Some(trend) = Trend::through(&logarithms) else {
                    continue;
                };
                let mut point = self.labels(first);
                point[at] = "";
                lines.push(Line {
                    point,
                    statistic: "trend",
                    quantity,
                    count: trend.count,
                    value: trend.slope,
                    ends: trend.ends(),
                    standard_error: trend.standard_error,
                    against: &axis.name,
                });
            }
        }
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
    use super::*;

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
