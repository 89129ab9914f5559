//! One panel: the ranges of its axes, the margins around its plot, and everything drawn in and around it.

use std::borrow::Cow;

use super::{
    Axis, Labels, Panel, Scale, Style,
    axes::{Axes, LINE, TICK_LENGTH},
    curve::{Mapping, Point, Rect, coordinate, pieces, spread},
    labels::{off_corners, ticks_of},
    legend::{self, Entry, Place},
    sheet::{
        Align, Ink, LABEL, MARGIN, Mark, PANEL_TITLE, Readout, ReadoutAxis, Sheet, TICK, TextWidth,
        draw_line, wrapped,
    },
};

/// The range of an axis in its own coordinates, with a little margin; never empty.
fn extent(axis: &Axis, values: impl Iterator<Item = f64>, air: f64) -> (f64, f64) {
    let fixed = axis
        .range
        .and_then(|(a, b)| Some((coordinate(axis.scale, a)?, coordinate(axis.scale, b)?)));
    if let Some((low, high)) = fixed.filter(|(a, b)| a < b) {
        return (low, high);
    }
    let (low, high) = values
        .filter_map(|v| coordinate(axis.scale, v))
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| {
            (a.min(v), b.max(v))
        });
    if low > high {
        return if axis.scale == Scale::Log10 {
            (-1.0, 1.0)
        } else {
            (0.0, 1.0)
        };
    }
    // A constant is shown in the middle of a readable range, not as a magnified rounding error.
    let least = match axis.scale {
        Scale::Log10 => 0.05,
        Scale::Linear | Scale::Whole => (1e-6 * low.abs().max(high.abs())).max(1e-300),
    };
    let widen = if high - low >= least {
        air * (high - low)
    } else if axis.scale == Scale::Log10 {
        0.5
    } else if low == 0.0 {
        1.0
    } else {
        0.1 * low.abs().max(high.abs())
    };
    (low - widen, high + widen)
}

/// The ranges, widened about their middles to the ratio of width and height.
fn with_equal_units(
    x: (f64, f64),
    y: (f64, f64),
    (width, height): (f64, f64),
) -> ((f64, f64), (f64, f64)) {
    let unit = ((x.1 - x.0) / width).max((y.1 - y.0) / height);
    let widened = |(low, high): (f64, f64), length: f64| {
        let (middle, half) = ((low + high) / 2.0, unit * length / 2.0);
        (middle - half, middle + half)
    };
    (widened(x, width), widened(y, height))
}

/// The points of a panel's series where it draws them: zero has a place on an axis that says so.
fn placed<'a>(panel: &Panel, points: &'a [(f64, f64)]) -> Cow<'a, [(f64, f64)]> {
    match panel.x.labels {
        Labels::AndZero(zero) => (points.iter())
            .map(|&(x, y)| (if x == 0.0 { zero } else { x }, y))
            .collect(),
        _ => points.into(),
    }
}

/// Whether a panel has a place for any of these points.
fn can_be_seen(panel: &Panel, points: &[(f64, f64)]) -> bool {
    placed(panel, points).iter().any(|p| {
        coordinate(panel.x.scale, p.0).is_some() && coordinate(panel.y.scale, p.1).is_some()
    })
}

/// A panel with its ranges and margins, before its position is known.
pub(crate) struct Draft<'a> {
    panel: &'a Panel,
    x: (f64, f64),
    y: (f64, f64),
    entries: Vec<Entry>,
    title: Vec<String>,
    /// The names of the axes, in lines.
    names: (Vec<String>, Vec<String>),
    /// Height of the title above the plot.
    pub head: f64,
    /// From the left edge of the panel to the plot.
    left: f64,
    width: f64,
    empty: bool,
}

/// Height of tick labels and of one line of the axis's name below the plot.
const FOOT: f64 = TICK_LENGTH + 1.5 * TICK + 1.7 * LABEL;
/// Height of a panel that is not beside its plot, about.
const BESIDE: f64 = FOOT + 2.0 * PANEL_TITLE;
/// Space right of the plot.
const RIGHT: f64 = 24.0;

impl<'a> Draft<'a> {
    pub(crate) fn new(panel: &'a Panel, (width, height): (f64, f64), measure: &TextWidth) -> Self {
        let shown = |reference: bool| {
            panel
                .series
                .iter()
                .filter(move |s| reference || s.style != Style::Reference)
                .flat_map(|s| placed(panel, &s.points).into_owned())
                .filter(|p| {
                    coordinate(panel.x.scale, p.0).is_some()
                        && coordinate(panel.y.scale, p.1).is_some()
                })
        };
        let only_references = shown(false).next().is_none();
        let x = extent(&panel.x, shown(only_references).map(|p| p.0), 0.02);
        let y = extent(&panel.y, shown(only_references).map(|p| p.1), 0.05);
        // Cells fill their frame.
        let (x, y) = match panel.series.iter().any(|s| s.style == Style::Cell) {
            true => (x, y),
            false => (off_corners(&panel.x, x), off_corners(&panel.y, y)),
        };
        let around = if panel.equal_units {
            // The plot is not known yet; its usual shape is good enough for the width of labels.
            with_equal_units(x, y, (3.0, 2.0)).1
        } else {
            y
        };
        let widest = ticks_of(&panel.y, around.0, around.1)
            .iter()
            .filter_map(|t| t.label.as_ref())
            .map(|l| measure(l, TICK, false))
            .fold(0.0, f64::max);
        let y_name = wrapped(&panel.y.label, LABEL, false, height - BESIDE, measure);
        let lines = y_name.len().max(1) as f64;
        let left = MARGIN + 1.4 * LABEL + LINE * (lines - 1.0) + widest + TICK_LENGTH + 6.0;
        let x_name = wrapped(&panel.x.label, LABEL, false, width - 2.0 * MARGIN, measure);
        let title = wrapped(
            &panel.title,
            PANEL_TITLE,
            false,
            width - left - RIGHT,
            measure,
        );
        let entries = panel
            .series
            .iter()
            .filter(|s| s.points.is_empty() || can_be_seen(panel, &s.points))
            .filter_map(|s| {
                let ink = if s.style == Style::Reference {
                    Ink::GUIDE
                } else {
                    Ink::of(s.colour).faded(s.opacity.max(0.6))
                };
                Some(Entry {
                    label: s.label.clone()?,
                    style: s.style,
                    ink,
                })
            })
            .collect();
        let head = 1.35 * PANEL_TITLE * title.len() as f64 + 10.0;
        Self {
            panel,
            x,
            y,
            entries,
            head,
            title,
            names: (x_name, y_name),
            left,
            width,
            empty: shown(true).next().is_none(),
        }
    }

    /// The plot area of a panel whose upper left corner is given, below a head and above a foot shared by its row.
    pub(crate) fn plot(&self, (left, top): Point, height: f64, head: f64, foot: f64) -> Rect {
        Rect {
            x0: left + self.left,
            y0: top + head,
            x1: left + self.width - RIGHT,
            y1: top + height - FOOT - foot,
        }
    }

    fn mappings(&self, plot: Rect) -> (Mapping, Mapping) {
        let (x, y) = if self.panel.equal_units {
            with_equal_units(self.x, self.y, (plot.width(), plot.height()))
        } else {
            (self.x, self.y)
        };
        (
            Mapping {
                scale: self.panel.x.scale,
                low: x.0,
                high: x.1,
                from: plot.x0,
                to: plot.x1,
            },
            Mapping {
                scale: self.panel.y.scale,
                low: y.0,
                high: y.1,
                from: plot.y1,
                to: plot.y0,
            },
        )
    }

    /// The visible pieces of every series.
    fn curves(&self, plot: Rect) -> Vec<Vec<Vec<Point>>> {
        let (x, y) = self.mappings(plot);
        self.panel
            .series
            .iter()
            .map(|s| {
                let points = placed(self.panel, &s.points);
                if matches!(s.style, Style::Band | Style::Cell) {
                    // A polygon is drawn as a whole, or cut off at the ends of the axes.
                    let corner = |p: &(f64, f64)| {
                        let (px, py) = (x.px(p.0)?, y.px(p.1)?);
                        Some((px.clamp(plot.x0, plot.x1), py.clamp(plot.y0, plot.y1)))
                    };
                    vec![points.iter().filter_map(corner).collect()]
                } else if s.style == Style::Points {
                    let all: Vec<Point> = points
                        .iter()
                        .filter_map(|p| Some((x.px(p.0)?, y.px(p.1)?)))
                        .filter(|p| plot.contains(*p))
                        .collect();
                    spread(&all, 2000).into_iter().map(|p| vec![p]).collect()
                } else {
                    pieces(&points, &x, &y, plot)
                }
            })
            .collect()
    }

    /// The shaded window in px, with the baseline and centre of its label.
    fn window(&self, plot: Rect, measure: &TextWidth) -> Option<(Rect, Point)> {
        let window = self.panel.window.as_ref()?;
        let (x, _) = self.mappings(plot);
        let (a, b) = (
            x.px(window.range.0)?.max(plot.x0),
            x.px(window.range.1)?.min(plot.x1),
        );
        if a >= b {
            return None;
        }
        let half = measure(&window.label, TICK, false) / 2.0 + 4.0;
        let centre = ((a + b) / 2.0).clamp(plot.x0 + half, (plot.x1 - half).max(plot.x0 + half));
        Some((
            Rect {
                x0: a,
                x1: b,
                ..plot
            },
            (centre, plot.y1 - 8.0),
        ))
    }

    fn legend(&self, plot: Rect, measure: &TextWidth) -> Place {
        let mut obstacles: Vec<Vec<Point>> = self.curves(plot).into_iter().flatten().collect();
        if let (Some((_, (centre, baseline))), Some(window)) =
            (self.window(plot, measure), &self.panel.window)
        {
            let half = measure(&window.label, TICK, false) / 2.0;
            let middle = baseline - 0.3 * TICK;
            obstacles.push(vec![(centre - half, middle), (centre + half, middle)]);
        }
        legend::place(&self.entries, plot, &obstacles, measure)
    }

    /// Height of the further lines of the horizontal axis's name.
    fn further_lines(&self) -> f64 {
        LINE * self.names.0.len().saturating_sub(1) as f64
    }

    /// Extra height below the plot, for further lines of the axis's name, and for a legend that does not fit inside.
    pub(crate) fn foot_below(&self, plot: Rect, measure: &TextWidth) -> f64 {
        let lines = self.further_lines();
        if self.entries.is_empty() || self.legend(plot, measure) != Place::Below {
            return lines;
        }
        lines + legend::height_below(&self.entries, self.width - 2.0 * MARGIN, measure) + 6.0
    }

    /// Draws the panel around its plot area.
    pub(crate) fn draw(&self, plot: Rect, measure: &TextWidth, sheet: &mut Sheet) {
        for (k, line) in self.title.iter().rev().enumerate() {
            let baseline = plot.y0 - 10.0 - 1.35 * PANEL_TITLE * k as f64;
            let at = ((plot.x0 + plot.x1) / 2.0, baseline);
            sheet.text(line, at, Align::Centre, PANEL_TITLE, Ink::TEXT);
        }
        sheet.readouts.push(self.readout(plot));
        let window = self.window(plot, measure);
        if let Some((area, _)) = window {
            sheet.marks.push(Mark::Fill {
                area,
                ink: Ink::of(0).faded(0.08),
            });
        }
        let (x, y) = self.mappings(plot);
        let left = plot.x0 - self.left;
        let axes = Axes {
            x: (&self.panel.x, x, &self.names.0),
            y: (&self.panel.y, y, &self.names.1),
            ends: (left, left + self.width),
        };
        axes.draw(plot, measure, sheet);
        self.draw_curves(plot, sheet);
        if let (Some((_, centre)), Some(window)) = (window, &self.panel.window) {
            sheet.text(&window.label, centre, Align::Centre, TICK, Ink::MUTED);
        }
        if self.empty {
            let middle = ((plot.x0 + plot.x1) / 2.0, (plot.y0 + plot.y1) / 2.0);
            sheet.text("no data", middle, Align::Centre, PANEL_TITLE, Ink::MUTED);
        }
        self.draw_legend(plot, measure, sheet);
    }

    /// Draws the curves, guides on top.
    fn draw_curves(&self, plot: Rect, sheet: &mut Sheet) {
        let curves = self.curves(plot);
        for references in [false, true] {
            for (series, pieces) in self.panel.series.iter().zip(&curves) {
                if (series.style == Style::Reference) != references {
                    continue;
                }
                let ink = if references {
                    Ink::GUIDE
                } else {
                    Ink::of(series.colour)
                }
                .faded(series.opacity);
                for piece in pieces {
                    match (&piece[..], series.style) {
                        ([_, _, _, ..], Style::Band | Style::Cell) => {
                            draw_line(piece, series.style, ink, sheet);
                        }
                        (_, Style::Band | Style::Cell) => {}
                        ([only], Style::Points) => {
                            sheet.marks.push(Mark::Ring { centre: *only, ink })
                        }
                        ([only], _) => sheet.marks.push(Mark::Disc {
                            centre: *only,
                            radius: 2.5,
                            ink,
                        }),
                        (line, style) => draw_line(line, style, ink, sheet),
                    }
                }
            }
        }
    }

    fn draw_legend(&self, plot: Rect, measure: &TextWidth, sheet: &mut Sheet) {
        if self.entries.is_empty() {
            return;
        }
        match self.legend(plot, measure) {
            Place::Inside(area) => legend::draw_inside(&self.entries, area, sheet),
            Place::Below => {
                let left = plot.x0 - self.left;
                legend::draw_below(
                    &self.entries,
                    left + MARGIN,
                    left + self.width - MARGIN,
                    plot.y1 + FOOT + self.further_lines(),
                    measure,
                    sheet,
                );
            }
        }
    }

    /// Data for reading values off the plot.
    fn readout(&self, plot: Rect) -> Readout {
        let (x, y) = self.mappings(plot);
        let axis = |axis: &Axis, mapping| ReadoutAxis {
            label: axis.label.clone(),
            mapping,
        };
        let same = |a: &Entry, b: &Entry| a.ink.rgb == b.ink.rgb && a.label != b.label;
        let alone = |e: &&Entry| !self.entries.iter().any(|other| same(e, other));
        let named = self.entries.iter().filter(alone);
        Readout {
            panel: plot,
            plot,
            x: axis(&self.panel.x, x),
            y: axis(&self.panel.y, y),
            curves: named.map(|e| (e.ink, e.label.clone())).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_units_widen_one_range_and_keep_the_other() {
        let (x, y) = with_equal_units((0.0, 6.0), (-1.0, 1.0), (300.0, 200.0));
        assert_eq!((x, y), ((0.0, 6.0), (-2.0, 2.0)));
        let (x, y) = with_equal_units((0.0, 1.0), (0.0, 4.0), (300.0, 200.0));
        assert_eq!((x, y), ((-2.5, 3.5), (0.0, 4.0)));
    }
}
