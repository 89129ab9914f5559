//! A figure as marks on a sheet: titles above, panels in rows. Plain arithmetic, no drawing.

use super::{
    Figure, Look,
    curve::Rect,
    draft::Draft,
    sheet::{Align, Ink, MARGIN, SUBTITLE, Sheet, TITLE, TextWidth, wrapped},
};

/// Sets title and subtitle above everything; where they end.
fn titled(figure: &Figure, width: f64, measure: &TextWidth, sheet: &mut Sheet) -> f64 {
    let mut y = MARGIN - 4.0;
    for line in wrapped(&figure.title, TITLE, true, width - 2.0 * MARGIN, measure) {
        y += 1.3 * TITLE;
        sheet.title(&line, (width / 2.0, y - 0.3 * TITLE));
    }
    for line in wrapped(
        &figure.subtitle,
        SUBTITLE,
        false,
        width - 2.0 * MARGIN,
        measure,
    ) {
        y += 1.45 * SUBTITLE;
        sheet.text(
            &line,
            (width / 2.0, y - 0.35 * SUBTITLE),
            Align::Centre,
            SUBTITLE,
            Ink::MUTED,
        );
    }
    y
}

/// Panels narrower than this are put below each other, px.
const NARROWEST: f64 = 420.0;

/// Width of a sheet for pages, px: the same for any number of panels, since pages scale sheets to their own width, and
/// letters are to be of one size on all of them.
const PAGE: f64 = 960.0;

/// Columns of panels, and the size of one.
fn columns(panels: usize, look: &Look) -> (usize, (f64, f64)) {
    match (look.paper, panels) {
        (None, 0 | 1) => (1, (PAGE, 470.0)),
        (None, _) => (2, (PAGE / 2.0, 400.0)),
        (Some(paper), _) => {
            let half = (paper.px() / 2.0).floor();
            let columns = if panels > 1 && half >= NARROWEST {
                2
            } else {
                1
            };
            let width = if columns == 2 { half } else { paper.px() };
            (columns, (width, (0.7 * width).clamp(300.0, 430.0)))
        }
    }
}

/// Lays a figure out: title and subtitle, then the panels in two columns, a last odd one across both; below each other
/// where paper is too narrow for two.
pub(crate) fn layout(figure: &Figure, look: &Look, measure: &TextWidth) -> Sheet {
    let (columns, (panel_width, panel_height)) = columns(figure.panels.len(), look);
    let width = panel_width * columns as f64;
    let mut sheet = Sheet {
        width,
        height: 0.0,
        marks: Vec::new(),
        readouts: Vec::new(),
    };

    let mut y = MARGIN - 4.0;
    if look.title {
        y = titled(figure, width, measure, &mut sheet);
    }
    y += 8.0;

    for row in figure.panels.chunks(columns) {
        // The plots of a row share their upper and lower edges: reserve the largest space that any panel needs.
        let size = (width / row.len() as f64, panel_height);
        let drafts: Vec<Draft> = row
            .iter()
            .map(|panel| Draft::new(panel, size, measure))
            .collect();
        let head = drafts.iter().map(|d| d.head).fold(0.0, f64::max);
        let corner = |k: usize| (k as f64 * size.0, y);
        let foot = drafts
            .iter()
            .enumerate()
            .map(|(k, draft)| {
                draft.foot_below(draft.plot(corner(k), panel_height, head, 0.0), measure)
            })
            .fold(0.0, f64::max);
        for (k, draft) in drafts.iter().enumerate() {
            let (left, top) = corner(k);
            let height = panel_height + foot;
            let plot = draft.plot((left, top), height, head, foot);
            draft.draw(plot, measure, &mut sheet);
            if let Some(readout) = sheet.readouts.last_mut() {
                readout.panel = Rect {
                    x0: left,
                    y0: top,
                    x1: left + size.0,
                    y1: top + height,
                };
            }
        }
        y += panel_height + foot;
    }
    sheet.height = (y + 6.0).ceil();
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{
        Paper, figures, scripts,
        sheet::{Lettering, Mark},
        synthetic, synthetic_relu,
    };

    /// As wide as DejaVu Sans on average, a little more when bold.
    fn measure(text: &str, size: f64, bold: bool) -> f64 {
        text.chars().count() as f64 * size * if bold { 0.66 } else { 0.58 }
    }

    /// The box a text covers.
    fn cover(mark: &Mark) -> Option<(&str, Rect)> {
        let Mark::Text(Lettering {
            text,
            at,
            align,
            size,
            bold,
            upright,
            ..
        }) = mark
        else {
            return None;
        };
        let width = measure(text, *size, *bold);
        let start = match align {
            Align::Left => 0.0,
            Align::Centre => width / 2.0,
            Align::Right => width,
        };
        let (ascent, descent) = (0.7 * size, 0.2 * size);
        let area = if *upright {
            Rect {
                x0: at.0 - ascent,
                y0: at.1 + start - width,
                x1: at.0 + descent,
                y1: at.1 + start,
            }
        } else {
            Rect {
                x0: at.0 - start,
                y0: at.1 - ascent,
                x1: at.0 - start + width,
                y1: at.1 + descent,
            }
        };
        Some((text, area))
    }

    /// That of pages, and that of a column of a paper.
    fn looks() -> [Look; 2] {
        let column = Paper {
            width: 3.25,
            font_size: 8.0,
        };
        [
            Look::default(),
            Look {
                paper: Some(column),
                ..Look::default()
            },
        ]
    }

    fn assert_apart(id: &str, sheet: &Sheet) {
        let texts: Vec<(&str, Rect)> = sheet.marks.iter().filter_map(cover).collect();
        for (k, (text, a)) in texts.iter().enumerate() {
            let inside = a.x0 >= 0.0 && a.y0 >= 0.0 && a.x1 <= sheet.width && a.y1 <= sheet.height;
            assert!(inside, "{id}: {text} at {a:?} of {}", sheet.width);
            for (other, b) in &texts[..k] {
                let apart = a.x1 <= b.x0 || b.x1 <= a.x0 || a.y1 <= b.y0 || b.y1 <= a.y0;
                assert!(apart, "{id}: \"{text}\" {a:?} meets \"{other}\" {b:?}");
            }
        }
    }

    #[test]
    fn no_two_texts_overlap_and_none_leaves_the_sheet() {
        let far = synthetic::case(2, crate::rule::Rule::gradient_descent(), -0.5, 322.0);
        for case in synthetic_relu::all().into_iter().chain([far]) {
            for mut figure in figures(&case.run()) {
                for panels in 1..=4 {
                    figure.panels = figure.panels.iter().cycle().take(panels).cloned().collect();
                    for look in looks() {
                        assert_apart(&figure.id, &layout(&figure, &look, &measure));
                    }
                }
            }
        }
    }

    #[test]
    fn on_paper_no_letter_is_under_six_points() {
        let [_, look] = looks();
        let points = look.paper.unwrap().points_per_px();
        for case in synthetic_relu::all() {
            for figure in figures(&case.run()) {
                for mark in layout(&figure, &look, &measure).marks {
                    let Mark::Text(line) = mark else { continue };
                    for part in scripts::apart(&line, &measure) {
                        let size = part.size * points;
                        assert!(size >= 6.0, "{}: {} of {size} pt", figure.id, part.text);
                    }
                }
            }
        }
    }

    /// Pages and papers scale every figure to one width.
    #[test]
    fn letters_are_of_one_size_whatever_the_number_of_panels() {
        let figure = figures(&synthetic::dfa(3).run()).remove(0);
        for look in looks() {
            let widths = (1..=4).map(|panels| {
                let mut figure = figure.clone();
                figure.panels = figure.panels.iter().cycle().take(panels).cloned().collect();
                layout(&figure, &look, &measure).width
            });
            let widths: Vec<f64> = widths.collect();
            assert!(widths.iter().all(|w| *w == widths[0]), "{widths:?}");
        }
    }

    #[test]
    fn a_last_odd_panel_takes_the_whole_row() {
        let mut figure = figures(&synthetic::dfa(3).run()).remove(0);
        figure.panels = figure.panels.iter().cycle().take(3).cloned().collect();
        let sheet = layout(&figure, &Look::default(), &measure);
        let widths: Vec<f64> = sheet.readouts.iter().map(|r| r.plot.width()).collect();
        assert!(
            widths[2] > 2.0 * widths[0] && widths[0] == widths[1],
            "{widths:?}"
        );
    }

    #[test]
    fn plots_of_a_row_share_their_upper_and_lower_edges() {
        let case = synthetic::dfa(5);
        for figure in figures(&case.run()) {
            let sheet = layout(&figure, &Look::default(), &measure);
            // Frames are the closed strokes in the ink of frames.
            let frames: Vec<_> = sheet
                .marks
                .iter()
                .filter_map(|mark| match mark {
                    Mark::Stroke { points, ink, .. } if points.len() == 5 && *ink == Ink::FRAME => {
                        Some(points)
                    }
                    _ => None,
                })
                .collect();
            assert_eq!(frames.len(), figure.panels.len());
            for frame in &frames {
                assert_eq!((frame[0].1, frame[2].1), (frames[0][0].1, frames[0][2].1));
                assert!(frame[2].0 - frame[0].0 > 330.0 && frame[2].1 - frame[0].1 > 250.0);
            }
        }
    }
}
