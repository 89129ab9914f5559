//! Maps: a number over two keys, or a curve read off where another curve reaches a level.
//!
//! Cells are shaded by class, with the classes in the legend, so that a value can be read off print. Each cell reaches
//! to the middle between its value and the next, on the scale of the axis.

use super::super::{Merged, Row, quantiles};
use super::overlay::{capitalised, pooled};
use super::points::{horizontal, known, named};
use super::{Missing, spreads};
use crate::diagnostics::Curve;
use crate::figures::{Axis, Panel, Scale, Series, Style, build, shade};
use crate::scenario::{PowerLaw, Vertical};

/// Most classes of shades.
const CLASSES: usize = 9;

/// Points of a drawn power law.
const POINTS: usize = 65;

/// Title, caption and panel.
pub(super) fn map(
    merged: &Merged,
    shaded: &str,
    x: usize,
    (y, lines): (&Vertical, &[PowerLaw]),
) -> Result<(String, String, Vec<Panel>), Missing> {
    let axis = &merged.plan.options.axes[x];
    let across = axis.numbers().ok_or(NO_NUMBERS)?;
    let mut up = Upward::of(merged, shaded, y)?;
    let mut along = horizontal(axis.name.clone(), &across);
    let (columns, rows) = (
        edges(&across, along.scale),
        edges(&up.values, up.axis.scale),
    );
    let mut cells: Vec<Cell> = Vec::new();
    for (i, column) in columns.iter().enumerate() {
        for (j, row) in rows.iter().enumerate() {
            let of = merged.completed().filter(|r| r.values[x] == i);
            let values: Vec<f64> = of.filter_map(|r| (up.read)(r, j)).collect();
            cells.extend(quantiles(&values).map(|q| Cell {
                x: *column,
                y: *row,
                value: q.median,
            }));
        }
    }
    if cells.is_empty() {
        return Err("no case has a value there".into());
    }
    along.range = Some(whole(&columns));
    up.axis.range = Some(whole(&rows));
    let label = Curve::named(shaded).map_or(named(shaded), |curve| curve.label);
    let mut series = shades(&cells);
    series.extend((lines.iter()).map(|law| power_law(law, whole(&columns), whole(&rows))));
    let words = capitalised(label.split(" (").next().unwrap_or_default());
    let title = format!("{words} over {} and {}", axis.short(), up.name);
    let up_key = match y {
        Vertical::Key(key) => Some(*key),
        Vertical::Curve { .. } => None,
    };
    let medians = pooled(merged, &[Some(x), up_key])
        .map_or_else(String::new, |over| format!(": medians over {over}"));
    let caption = format!(
        "{}, in shades{medians}. Where nothing is drawn no run has a value.",
        capitalised(label)
    );
    let mut panel = build::panel(label, up.axis, series);
    panel.x = along;
    Ok((title, caption, vec![panel]))
}

const NO_NUMBERS: &str = "the values of its key are no numbers";

/// The value of a row at a number of the vertical axis.
type Reading = dyn Fn(&Row, usize) -> Option<f64>;

/// The vertical axis, and what is read off there.
struct Upward {
    name: String,
    values: Vec<f64>,
    axis: Axis,
    read: Box<Reading>,
}

impl Upward {
    fn of(merged: &Merged, shaded: &str, y: &Vertical) -> Result<Self, Missing> {
        let shaded = shaded.to_owned();
        match y {
            Vertical::Key(key) => {
                known(merged, &shaded)?;
                let (key, axis) = (*key, &merged.plan.options.axes[*key]);
                let values = axis.numbers().ok_or(NO_NUMBERS)?;
                Ok(Self {
                    name: axis.short().to_owned(),
                    axis: horizontal(axis.name.clone(), &values),
                    values,
                    read: Box::new(move |row, at| {
                        (row.values[key] == at).then(|| row.measured(&shaded))?
                    }),
                })
            }
            Vertical::Curve { name, levels } => {
                let other = Curve::named(name).ok_or("there is no such curve")?;
                let level = levels.clone();
                Ok(Self {
                    name: other.label.to_owned(),
                    axis: horizontal(other.label.to_owned(), levels),
                    values: levels.clone(),
                    read: Box::new(move |row, at| {
                        (row.saved).where_reached(&shaded, (other.name, other.sign), level[at])
                    }),
                })
            }
        }
    }
}

/// A rectangle and what it shows.
struct Cell {
    x: (f64, f64),
    y: (f64, f64),
    value: f64,
}

/// Both edges of the cell of each value, in the order of the values.
fn edges(values: &[f64], scale: Scale) -> Vec<(f64, f64)> {
    let logarithmic = scale == Scale::Log10;
    let place = |x: f64| if logarithmic { x.ln() } else { x };
    let back = |x: f64| if logarithmic { x.exp() } else { x };
    let mut sorted: Vec<f64> = values.iter().map(|x| place(*x)).collect();
    sorted.sort_by(f64::total_cmp);
    let of = |x: f64| {
        let at = sorted.partition_point(|other| *other < x);
        let gap = |k: usize| sorted.get(k + 1).map(|next| next - sorted[k]);
        let below = at.checked_sub(1).and_then(gap);
        let above = gap(at);
        let (below, above) = (
            below.or(above).unwrap_or(1.0),
            above.or(below).unwrap_or(1.0),
        );
        (back(x - below / 2.0), back(x + above / 2.0))
    };
    values.iter().map(|x| of(place(*x))).collect()
}

/// From the first edge to the last.
fn whole(edges: &[(f64, f64)]) -> (f64, f64) {
    let low = edges.iter().map(|e| e.0).fold(f64::INFINITY, f64::min);
    (
        low,
        edges.iter().map(|e| e.1).fold(f64::NEG_INFINITY, f64::max),
    )
}

/// The cells in the shades of their classes, and the classes in the legend.
fn shades(cells: &[Cell]) -> Vec<Series> {
    let classes = Classes::of(cells);
    let mut series = Vec::new();
    let count = classes.borders.len() - 1;
    for class in 0..count {
        let level = class as f64 / (count.max(2) - 1) as f64;
        let members = cells.iter().filter(|cell| classes.holds(class, cell.value));
        let mut label = Some(classes.label(class));
        for Cell { x, y, .. } in members {
            series.push(Series {
                label: label.take(),
                style: Style::Cell,
                ..build::line(
                    "",
                    shade(level),
                    vec![(x.0, y.0), (x.1, y.0), (x.1, y.1), (x.0, y.1)],
                )
            });
        }
    }
    series
}

/// Classes of values: class k from border k to border k + 1.
struct Classes {
    borders: Vec<f64>,
    logarithmic: bool,
}

impl Classes {
    fn of(cells: &[Cell]) -> Self {
        let values = cells.iter().map(|cell| cell.value);
        let high = values.clone().fold(f64::NEG_INFINITY, f64::max);
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let logarithmic = spreads(values);
        let place = |x: f64| if logarithmic { x.log10() } else { x };
        let (low, high) = (place(low), place(high));
        let spread = (high - low).max(1e-12 * high.abs()).max(1e-300);
        let step = round_step(spread / CLASSES as f64, logarithmic);
        let first = (low / step).floor();
        let count = ((high / step).floor() - first) as usize + 1;
        let borders = (0..=count).map(|k| {
            let at = (first + k as f64) * step;
            if logarithmic { 10_f64.powf(at) } else { at }
        });
        Self {
            borders: borders.collect(),
            logarithmic,
        }
    }

    fn holds(&self, class: usize, value: f64) -> bool {
        // the outermost classes take what rounding puts beyond their borders
        let from = if class == 0 {
            f64::NEG_INFINITY
        } else {
            self.borders[class]
        };
        let last = class + 2 == self.borders.len();
        let to = if last {
            f64::INFINITY
        } else {
            self.borders[class + 1]
        };
        (from..to).contains(&value)
    }

    fn label(&self, class: usize) -> String {
        let (from, to) = (self.borders[class], self.borders[class + 1]);
        format!("{} to {}", self.border(from), self.border(to))
    }

    fn border(&self, x: f64) -> String {
        let decade = x.abs().log10();
        if self.logarithmic && (decade - decade.round()).abs() < 1e-6 {
            return build::power_of_ten(decade.round() as i64);
        }
        if x == 0.0 || (1e-3..1e4).contains(&x.abs()) {
            let rounded = build::plain(x, 4);
            return rounded
                .trim_end_matches('0')
                .trim_end_matches('.')
                .to_owned();
        }
        let exponent = decade.floor();
        let digits = build::plain(x / 10_f64.powf(exponent), 1);
        format!("{digits}·{}", build::power_of_ten(exponent as i64))
    }
}

/// The next larger of 1, 2, 5 times a power of ten; in decades, of whole ones from half of one on.
fn round_step(least: f64, logarithmic: bool) -> f64 {
    let decade = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * decade);
    let step = steps
        .into_iter()
        .find(|step| *step >= least * (1.0 - 1e-9))
        .unwrap_or(10.0 * decade);
    match logarithmic {
        true if step > 0.5 => step.ceil(),
        _ => step,
    }
}

/// A power law where it crosses the map.
fn power_law(law: &PowerLaw, (low, high): (f64, f64), (bottom, top): (f64, f64)) -> Series {
    let points = (0..POINTS).map(|k| {
        let share = k as f64 / (POINTS - 1) as f64;
        let x = low * (high / low).powf(share);
        (x, law.factor * x.powf(law.power))
    });
    let inside = points.filter(|(_, y)| (bottom..=top).contains(y));
    build::reference(Some(law.label.clone()), inside.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(values: &[f64]) -> Vec<Cell> {
        let cell = |value: &f64| Cell {
            x: (0.0, 1.0),
            y: (0.0, 1.0),
            value: *value,
        };
        values.iter().map(cell).collect()
    }

    #[test]
    fn every_value_has_one_class_and_there_are_few() {
        for values in [
            vec![1e-12, 3e-7, 0.5, 1.2],
            vec![0.1, 0.2, 0.35],
            vec![0.0, 1.0],
            vec![5.0],
            vec![-3.0, 4.0, 0.0],
            (0..100).map(|k| f64::from(k) * 0.37).collect(),
        ] {
            let classes = Classes::of(&cells(&values));
            let count = classes.borders.len() - 1;
            assert!(
                (1..=CLASSES + 2).contains(&count),
                "{count} classes of {values:?}"
            );
            for value in &values {
                let holding = (0..count)
                    .filter(|class| classes.holds(*class, *value))
                    .count();
                assert_eq!(holding, 1, "{value} of {values:?}");
            }
        }
        let classes = Classes::of(&cells(&[2e-6, 0.9]));
        assert_eq!(classes.label(0), "10⁻⁶ to 10⁻⁵");
    }

    #[test]
    fn cells_meet_in_the_middle_in_any_order() {
        let linear = edges(&[3.0, 1.0, 2.0], Scale::Linear);
        assert_eq!(linear, [(2.5, 3.5), (0.5, 1.5), (1.5, 2.5)]);
        let log = edges(&[1.0, 100.0], Scale::Log10);
        assert!((log[0].1 - 10.0).abs() < 1e-12 && (log[1].0 - 10.0).abs() < 1e-12);
        assert_eq!(edges(&[4.0], Scale::Linear), [(3.5, 4.5)]);
    }
}
