//! The axes around a plot: grid, ticks with their labels, frame and names.

use super::{
    Axis,
    curve::{Mapping, Rect},
    labels::ticks_of,
    sheet::{Align, Ink, LABEL, Lettering, MARGIN, Mark, Sheet, TICK, TextWidth},
    ticks::Tick,
};

pub(crate) const TICK_LENGTH: f64 = 5.0;
/// From one line of an axis's name to the next.
pub(crate) const LINE: f64 = 1.25 * LABEL;
/// Least space between the labels of two ticks.
const APART: f64 = 7.0;

/// Both axes of a panel, and the lines of their names.
pub(crate) struct Axes<'a> {
    pub x: (&'a Axis, Mapping, &'a [String]),
    pub y: (&'a Axis, Mapping, &'a [String]),
    /// Where the panel starts and ends.
    pub ends: (f64, f64),
}

impl Axes<'_> {
    pub(crate) fn draw(&self, plot: Rect, measure: &TextWidth, sheet: &mut Sheet) {
        let ticks = |(axis, mapping, _): (&Axis, Mapping, _), length: &dyn Fn(&str) -> f64| {
            let all = ticks_of(axis, mapping.low, mapping.high);
            uncrowded(all, &mapping, length)
        };
        let x_ticks = ticks(self.x, &|label| measure(label, TICK, false));
        let y_ticks = ticks(self.y, &|_| TICK);
        let (x, y) = (self.x.1, self.y.1);
        for at in labelled(&x_ticks).map(|at| x.place(at)) {
            sheet.stroke(&[(at, plot.y0), (at, plot.y1)], Ink::GRID, 1.0);
        }
        for at in labelled(&y_ticks).map(|at| y.place(at)) {
            sheet.stroke(&[(plot.x0, at), (plot.x1, at)], Ink::GRID, 1.0);
        }
        for tick in &x_ticks {
            let at = x.place(tick.at);
            sheet.stroke(
                &[(at, plot.y1), (at, plot.y1 + length(tick))],
                Ink::FRAME,
                1.0,
            );
            if let Some(label) = &tick.label {
                let baseline = plot.y1 + TICK_LENGTH + 1.15 * TICK;
                sheet.text(label, (at, baseline), Align::Centre, TICK, Ink::TEXT);
            }
        }
        for tick in &y_ticks {
            let at = y.place(tick.at);
            sheet.stroke(
                &[(plot.x0 - length(tick), at), (plot.x0, at)],
                Ink::FRAME,
                1.0,
            );
            if let Some(label) = &tick.label {
                let end = (plot.x0 - TICK_LENGTH - 4.0, at + 0.36 * TICK);
                sheet.text(label, end, Align::Right, TICK, Ink::TEXT);
            }
        }
        let (x0, y0, x1, y1) = (plot.x0, plot.y0, plot.x1, plot.y1);
        let frame = [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)];
        sheet.stroke(&frame, Ink::FRAME, 1.0);
        self.name(plot, measure, sheet);
    }

    /// The names of the axes.
    fn name(&self, plot: Rect, measure: &TextWidth, sheet: &mut Sheet) {
        let (left, right) = self.ends;
        for (k, line) in self.x.2.iter().enumerate() {
            let half = measure(line, LABEL, false) / 2.0;
            let centre = ((plot.x0 + plot.x1) / 2.0)
                .min(right - 6.0 - half)
                .max(left + 6.0 + half);
            let baseline = plot.y1 + TICK_LENGTH + 1.5 * TICK + 1.15 * LABEL + LINE * k as f64;
            sheet.text(line, (centre, baseline), Align::Centre, LABEL, Ink::TEXT);
        }
        for (k, line) in self.y.2.iter().enumerate() {
            sheet.marks.push(Mark::Text(Lettering {
                text: line.clone(),
                at: (
                    left + MARGIN + 0.75 * LABEL + LINE * k as f64,
                    (plot.y0 + plot.y1) / 2.0,
                ),
                align: Align::Centre,
                size: LABEL,
                bold: false,
                upright: true,
                ink: Ink::TEXT,
            }));
        }
    }
}

fn length(tick: &Tick) -> f64 {
    match tick.label {
        Some(_) => TICK_LENGTH,
        None => 0.6 * TICK_LENGTH,
    }
}

fn labelled(ticks: &[Tick]) -> impl Iterator<Item = f64> {
    ticks.iter().filter(|t| t.label.is_some()).map(|t| t.at)
}

/// Every label, or every second, third, … : as many as are apart.
fn uncrowded(mut ticks: Vec<Tick>, axis: &Mapping, length: &dyn Fn(&str) -> f64) -> Vec<Tick> {
    let spans: Vec<(usize, f64, f64)> = (ticks.iter().enumerate())
        .filter_map(|(k, t)| Some((k, axis.place(t.at), length(t.label.as_ref()?) / 2.0)))
        .collect();
    let apart = |every: usize| {
        let shown: Vec<_> = spans.iter().step_by(every).collect();
        (shown.windows(2)).all(|w| (w[1].1 - w[0].1).abs() >= w[0].2 + w[1].2 + APART)
    };
    let every = (1..=spans.len()).find(|every| apart(*every)).unwrap_or(1);
    for (at, (k, ..)) in spans.iter().enumerate() {
        if at % every != 0 {
            ticks[*k].label = None;
        }
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Scale;

    #[test]
    fn labels_that_would_touch_are_thinned() {
        let ticks: Vec<Tick> = (0..6)
            .map(|k| Tick {
                at: f64::from(k),
                label: Some("0.0015".into()),
            })
            .collect();
        let axis = |to: f64| Mapping {
            scale: Scale::Linear,
            low: 0.0,
            high: 5.0,
            from: 0.0,
            to,
        };
        let shown = |to: f64| {
            let found = uncrowded(ticks.clone(), &axis(to), &|label| 8.0 * label.len() as f64);
            labelled(&found).collect::<Vec<_>>()
        };
        assert_eq!(shown(300.0), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(shown(200.0), [0.0, 2.0, 4.0]);
        assert_eq!(shown(100.0), [0.0, 3.0]);
    }
}
