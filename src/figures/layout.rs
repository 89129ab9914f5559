//! A figure as marks on a sheet: titles above, panels in rows. Plain arithmetic, no drawing.

use super::{
    Figure, Look,
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

/// Columns of panels, and the size of one.
fn columns(panels: usize, look: &Look) -> (usize, (f64, f64)) {
    match (look.paper, panels) {
        (None, 0 | 1) => (1, (720.0, 430.0)),
        (None, _) => (2, (600.0, 420.0)),
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

/// Lays a figure out: title and subtitle, then the panels in a row, or in two columns from three panels on; below each
/// other where paper is too narrow for two.
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
        let drafts: Vec<Draft> = row
            .iter()
            .map(|panel| Draft::new(panel, panel_width, measure))
            .collect();
        let head = drafts.iter().map(|d| d.head).fold(0.0, f64::max);
        let corner = |k: usize| (k as f64 * panel_width, y);
        let foot = drafts
            .iter()
            .enumerate()
            .map(|(k, draft)| {
                draft.foot_below(draft.plot(corner(k), panel_height, head, 0.0), measure)
            })
            .fold(0.0, f64::max);
        for (k, draft) in drafts.iter().enumerate() {
            let plot = draft.plot(corner(k), panel_height + foot, head, foot);
            draft.draw(plot, measure, &mut sheet);
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
        curve::Rect,
        figures,
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

    #[test]
    fn no_two_texts_overlap_and_none_leaves_the_sheet() {
        let far = synthetic::case(2, crate::rule::Rule::gradient_descent(), -0.5, 322.0);
        for case in [
            synthetic::dfa(2),
            synthetic::dfa(5),
            synthetic::gradient_descent(3),
            synthetic::convolutional(8, 2),
            synthetic::convolutional(40, 3),
            synthetic::diagonal(2),
            synthetic::convolutional_gradient_descent(7, 2),
            synthetic_relu::relu(2, &[10], true),
            synthetic_relu::relu(5, &[12], true),
            synthetic_relu::relu(3, &[8, 6], false),
            far,
        ] {
            for mut figure in figures(&case.run()) {
                for panels in 1..=4 {
                    figure.panels = figure.panels.iter().cycle().take(panels).cloned().collect();
                    let sheet = layout(&figure, &Look::default(), &measure);
                    let texts: Vec<(&str, Rect)> = sheet.marks.iter().filter_map(cover).collect();
                    for (k, (text, a)) in texts.iter().enumerate() {
                        let inside = a.x0 >= 0.0
                            && a.y0 >= 0.0
                            && a.x1 <= sheet.width
                            && a.y1 <= sheet.height;
                        assert!(inside, "{}: {text} at {a:?}", figure.id);
                        for (other, b) in &texts[..k] {
                            let apart =
                                a.x1 <= b.x0 || b.x1 <= a.x0 || a.y1 <= b.y0 || b.y1 <= a.y0;
                            assert!(
                                apart,
                                "{}: \"{text}\" {a:?} meets \"{other}\" {b:?}",
                                figure.id
                            );
                        }
                    }
                }
            }
        }
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
                assert!(frame[2].0 - frame[0].0 > 400.0 && frame[2].1 - frame[0].1 > 250.0);
            }
        }
    }
}
