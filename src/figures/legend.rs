//! Legends: in a free corner of the plot, or below it when every corner has curves.

use super::{
    Style,
    curve::{Point, Rect},
    sheet::{Align, Ink, LABEL, Mark, Sheet, TextWidth, draw_line, wrapped},
};

const ROW: f64 = 21.0;
const SWATCH: f64 = 30.0;
const GAP: f64 = 8.0;
const PADDING: f64 = 8.0;
/// Between two columns of a legend below the plot.
const BETWEEN: f64 = 2.5 * GAP;
/// From one line of an entry to the next.
const LINE: f64 = 1.2 * LABEL;

/// One line of a legend.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub label: String,
    pub style: Style,
    pub ink: Ink,
}

/// Where a legend goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Place {
    Inside(Rect),
    Below,
}

fn entry_width(entry: &Entry, measure: &TextWidth) -> f64 {
    SWATCH + GAP + measure(&entry.label, LABEL, false)
}

/// The corner of `plot` whose box meets none of the `obstacles`, tried clockwise from the top right; else below.
pub(crate) fn place(
    entries: &[Entry],
    plot: Rect,
    obstacles: &[Vec<Point>],
    measure: &TextWidth,
) -> Place {
    let widest = entries
        .iter()
        .map(|e| entry_width(e, measure))
        .fold(0.0, f64::max);
    let (width, height) = (widest + 2.0 * PADDING, entries.len() as f64 * ROW + PADDING);
    let inset = 10.0;
    if width > 0.75 * plot.width() || height > 0.6 * plot.height() {
        return Place::Below;
    }
    let (left, right) = (plot.x0 + inset, plot.x1 - inset - width);
    let (top, bottom) = (plot.y0 + inset, plot.y1 - inset - height);
    [(right, top), (right, bottom), (left, bottom), (left, top)]
        .map(|(x0, y0)| Rect {
            x0,
            y0,
            x1: x0 + width,
            y1: y0 + height,
        })
        .into_iter()
        .find(|corner| {
            !obstacles
                .iter()
                .any(|curve| meets(curve, corner.grown(4.0)))
        })
        .map_or(Place::Below, Place::Inside)
}

fn meets(curve: &[Point], area: Rect) -> bool {
    match curve {
        [only] => area.contains(*only),
        _ => curve.windows(2).any(|s| area.clip(s[0], s[1]).is_some()),
    }
}

/// An entry's label in lines that fit `width`, with its swatch.
fn lines(entry: &Entry, width: f64, measure: &TextWidth) -> Vec<String> {
    wrapped(&entry.label, LABEL, false, width - SWATCH - GAP, measure)
}

/// Height of a row, as high as its entry of most lines.
fn row_height(entries: &[Entry], row: &[usize], width: f64, measure: &TextWidth) -> f64 {
    let most = (row.iter()).map(|&e| lines(&entries[e], width, measure).len());
    ROW + LINE * most.max().unwrap_or(1).saturating_sub(1) as f64
}

/// Entries (by index) in as few rows as fit `width`, evenly filled, and the widths of their columns, for a legend below
/// the plot.
fn rows(entries: &[Entry], width: f64, measure: &TextWidth) -> (Vec<Vec<usize>>, Vec<f64>) {
    let needed = |e: &usize| entry_width(&entries[*e], measure).min(width) + BETWEEN;
    let columns = |rows: &[Vec<usize>]| -> Vec<f64> {
        let most = rows.first().map_or(0, Vec::len);
        let widest = |k: usize| {
            rows.iter()
                .filter_map(|row| row.get(k))
                .map(needed)
                .fold(0.0, f64::max)
        };
        (0..most).map(widest).collect()
    };
    let all: Vec<usize> = (0..entries.len()).collect();
    (1..=entries.len())
        .rev()
        .map(|most| {
            let count = entries.len().div_ceil(most);
            let rows: Vec<Vec<usize>> = all
                .chunks(entries.len().div_ceil(count))
                .map(<[usize]>::to_vec)
                .collect();
            let columns = columns(&rows);
            (rows, columns)
        })
        .find(|(_, columns)| columns.len() == 1 || columns.iter().sum::<f64>() <= width + BETWEEN)
        .unwrap_or_default()
}

/// Height a legend below the plot takes.
pub(crate) fn height_below(entries: &[Entry], width: f64, measure: &TextWidth) -> f64 {
    let (rows, _) = rows(entries, width, measure);
    let heights = rows
        .iter()
        .map(|row| row_height(entries, row, width, measure));
    heights.sum()
}

/// Draws a legend inside `area`, one entry per row, on a nearly opaque ground.
pub(crate) fn draw_inside(entries: &[Entry], area: Rect, sheet: &mut Sheet) {
    sheet.marks.push(Mark::Fill {
        area,
        ink: Ink::WHITE.faded(0.9),
    });
    let corners = [
        (area.x0, area.y0),
        (area.x1, area.y0),
        (area.x1, area.y1),
        (area.x0, area.y1),
        (area.x0, area.y0),
    ];
    sheet.marks.push(Mark::Stroke {
        points: corners.to_vec(),
        ink: Ink::GRID,
        width: 1.0,
        dash: None,
    });
    for (k, entry) in entries.iter().enumerate() {
        let y = area.y0 + PADDING / 2.0 + (k as f64 + 0.5) * ROW;
        let label = std::slice::from_ref(&entry.label);
        draw_entry(entry, label, (area.x0 + PADDING, y), sheet);
    }
}

/// Draws a legend in centred rows from `top` down, between `left` and `right`.
pub(crate) fn draw_below(
    entries: &[Entry],
    left: f64,
    right: f64,
    top: f64,
    measure: &TextWidth,
    sheet: &mut Sheet,
) {
    let width = right - left;
    let (rows, columns) = rows(entries, width, measure);
    let start = (left + right - columns.iter().sum::<f64>() + BETWEEN) / 2.0;
    let mut y = top + 0.5 * ROW;
    for row in &rows {
        let mut x = start.max(left);
        for (&e, column) in row.iter().zip(&columns) {
            let label = lines(&entries[e], width, measure);
            draw_entry(&entries[e], &label, (x, y), sheet);
            x += column;
        }
        y += row_height(entries, row, width, measure);
    }
}

fn draw_entry(entry: &Entry, label: &[String], (x, y): Point, sheet: &mut Sheet) {
    let ends = [(x, y), (x + SWATCH, y)];
    match entry.style {
        Style::Points => sheet.marks.push(Mark::Ring {
            centre: (x + SWATCH / 2.0, y),
            ink: entry.ink,
        }),
        Style::Band | Style::Cell => {
            let (top, bottom) = (y - 0.3 * ROW, y + 0.3 * ROW);
            let corners = [
                (x, top),
                (x + SWATCH, top),
                (x + SWATCH, bottom),
                (x, bottom),
            ];
            draw_line(&corners, entry.style, entry.ink, sheet);
        }
        style => draw_line(&ends, style, entry.ink, sheet),
    }
    // The middle of a lower-case letter lies about a quarter em above the baseline, that of a capital more.
    for (k, line) in label.iter().enumerate() {
        let at = (x + SWATCH + GAP, y + 0.34 * LABEL + LINE * k as f64);
        sheet.text(line, at, Align::Left, LABEL, Ink::TEXT);
    }
}
