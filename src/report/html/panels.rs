//! Panels of a drawing below each other, for screens too narrow for two.
//!
//! A drawing has its panels side by side. Narrow screens see them one by one, each a window onto the same drawing
//! (`use`), so that a page is hardly longer for it.

use maud::{Markup, PreEscaped, html};
use serde::Deserialize;

/// The part of a drawing's metadata that says where its panels are.
#[derive(Deserialize)]
struct Place {
    /// Left, top, right, bottom, in cells of the drawing's grid.
    panel: [f64; 4],
}

/// A window onto a drawing: left, top, width, height.
type Window = [f64; 4];

/// One window per panel; none where there is only one panel, or the drawing does not say where its panels are.
fn windows(svg: &str) -> Vec<Window> {
    let between = |from: &str, to: &str| Some(svg.split_once(from)?.1.split_once(to)?.0);
    let places = between("<metadata>", "</metadata>").and_then(|text| {
        let json = text
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&");
        serde_json::from_str::<Vec<Place>>(&json).ok()
    });
    let places = places.filter(|places| places.len() > 1);
    let window = |place: Place| {
        let [left, top, right, bottom] = place.panel;
        [left, top, right - left, bottom - top]
    };
    places.into_iter().flatten().map(window).collect()
}

/// A drawing, and its panels for narrow screens.
pub(super) fn drawing(id: &str, title: &str, svg: &str) -> Markup {
    // an XML declaration is not allowed in HTML
    let svg = &svg[svg.find("<svg").unwrap_or(0)..];
    let windows = windows(svg);
    let art = format!("{id}-art");
    let parts = svg.split_once("</metadata>").zip(svg.rsplit_once("</svg>"));
    let Some(((head, _), (all, _))) = parts.filter(|_| !windows.is_empty()) else {
        return html! { (PreEscaped(svg)) };
    };
    let marks = &all[head.len() + "</metadata>".len()..];
    html! {
        div.whole {
            (PreEscaped(head)) (PreEscaped("</metadata>"))
            (PreEscaped(format!("<g id=\"{art}\">"))) (PreEscaped(marks)) (PreEscaped("</g></svg>"))
        }
        div.panels {
            p { b { (title) } }
            @for [x, y, width, height] in &windows {
                (PreEscaped(format!(
                    "<svg viewBox=\"{x} {y} {width} {height}\" role=\"img\"><use href=\"#{art}\"/></svg>"
                )))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Axis, Figure, Labels, Panel, Scale, Series, Style, svg};

    fn figure(panels: usize) -> Figure {
        let axis = |label: &str| Axis {
            label: label.into(),
            scale: Scale::Linear,
            range: None,
            labels: Labels::Round,
        };
        let panel = |k: usize| Panel {
            title: format!("Panel{k}"),
            x: axis("abscissa"),
            y: axis("ordinate"),
            series: vec![Series {
                label: Some("a long label of a curve".into()),
                points: vec![(0.0, 1.0), (1.0, 2.0)],
                style: Style::Line,
                colour: 0,
                opacity: 1.0,
            }],
            window: None,
            equal_units: false,
        };
        Figure {
            id: "it".into(),
            title: "Title".into(),
            subtitle: "Subtitle".into(),
            caption: String::new(),
            panels: (0..panels).map(panel).collect(),
        }
    }

    /// Where the text is in the drawing.
    fn place(svg: &str, text: &str) -> (f64, f64) {
        let at = svg
            .find(&format!("\n{text}\n"))
            .unwrap_or_else(|| panic!("{text} in {svg}"));
        let tag = &svg[svg[..at].rfind("<text").unwrap()..at];
        let value = |name: &str| {
            let rest = tag.split_once(&format!(" {name}=\"")).unwrap().1;
            rest.split_once('"').unwrap().0.parse().unwrap()
        };
        (value("x"), value("y"))
    }

    #[test]
    fn every_panel_has_a_window_of_its_own() {
        for count in [2, 3, 4] {
            let svg = svg(&figure(count));
            let windows = windows(&svg);
            assert_eq!(windows.len(), count);
            for (k, window) in windows.iter().enumerate() {
                for other in 0..count {
                    let (x, y) = place(&svg, &format!("Panel{other}"));
                    let inside = (window[0]..window[0] + window[2]).contains(&x)
                        && (window[1]..window[1] + window[3]).contains(&y);
                    assert_eq!(
                        inside,
                        k == other,
                        "panel {other} of {count} in window {k}: {window:?} {x} {y}"
                    );
                }
                let (_, y) = place(&svg, "Subtitle");
                assert!(y < window[1], "{y} {window:?}");
            }
        }
    }

    #[test]
    fn one_panel_needs_no_window() {
        let svg = svg(&figure(1));
        assert!(windows(&svg).is_empty());
        assert_eq!(
            drawing("f", "t", &svg).into_string(),
            svg[svg.find("<svg").unwrap()..]
        );
        assert!(windows("<svg></svg>").is_empty());
        let two = drawing("f", "t", &figure_svg(2)).into_string();
        assert_eq!(two.matches("<use href=\"#f-art\"/>").count(), 2);
        assert_eq!(two.matches("<svg").count(), two.matches("</svg>").count());
        assert_eq!(two.matches("<metadata>").count(), 1);
    }

    fn figure_svg(panels: usize) -> String {
        svg(&figure(panels))
    }
}
