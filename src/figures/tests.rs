//! From runs to files: every figure, and data nobody would plot on purpose.

use super::{
    Axis, FIGURES, Figure, Format, Labels, Look, Panel, Paper, Scale, Series, Style, build,
    figures, layout::layout, picture, render::text_width, svg, synthetic, synthetic_relu,
};

fn png(figure: &Figure) -> std::io::Result<Vec<u8>> {
    picture(figure, &Look::default(), Format::Png)
}

fn one(style: Style, scale: Scale, points: Vec<(f64, f64)>) -> Figure {
    let axis = |label: &str| Axis {
        label: label.into(),
        scale,
        range: None,
        labels: Labels::default(),
    };
    let series = Series {
        label: Some("a < b & c".into()),
        points,
        style,
        colour: 0,
        opacity: 1.0,
    };
    let panel = Panel {
        title: String::new(),
        x: axis("x"),
        y: axis("y"),
        series: vec![series],
        window: None,
        equal_units: false,
    };
    Figure {
        id: "test".into(),
        title: "A title & more".into(),
        subtitle: String::new(),
        caption: String::new(),
        panels: vec![panel],
    }
}

/// Tags balance, attributes are quoted, and only text is between them.
fn assert_well_formed(document: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = document.trim();
    while let Some(start) = rest.find('<') {
        let text = &rest[..start];
        assert!(!text.contains('>'), "{text}");
        for entity in text.split('&').skip(1) {
            assert!(
                ["lt;", "gt;", "amp;", "quot;", "apos;"]
                    .iter()
                    .any(|e| entity.starts_with(e)),
                "{text}"
            );
        }
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(tag.split_whitespace().next().unwrap());
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty() && rest.is_empty(), "{open:?} {rest}");
}

#[test]
fn every_figure_is_well_formed_and_free_of_nan_and_the_same_each_time() {
    for case in synthetic_relu::all() {
        let drawn = figures(&case.run());
        assert!(drawn.len() >= 5);
        for figure in &drawn {
            let document = svg(figure);
            assert_well_formed(&document);
            assert!(
                !document.contains("NaN") && !document.contains("inf"),
                "{}",
                figure.id
            );
            assert_eq!(document, svg(figure));
            assert!(
                document.len() < 200_000,
                "{}: {} bytes",
                figure.id,
                document.len()
            );
            assert!(FIGURES.iter().any(|kind| kind.id == figure.id));
        }
    }
}

#[test]
fn png_has_twice_the_size_of_the_svg_and_is_not_blank() {
    let figure = one(Style::Line, Scale::Log10, vec![(1.0, 1.0), (1e26, 1e-9)]);
    let sheet = layout(&figure, &Look::default(), &text_width);
    let bytes = png(&figure).unwrap();
    assert_eq!(bytes, png(&figure).unwrap());
    let mut reader = png::Decoder::new(&bytes[..]).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!(
        (info.width, info.height),
        (2 * sheet.width as u32, 2 * sheet.height as u32)
    );
    let blue = pixels.chunks(3).filter(|p| p[2] > 140 && p[0] < 40).count();
    assert!(blue > 2000, "the curve covers {blue} pixels");
    assert!(svg(&figure).starts_with(&format!(
        "<svg width=\"{}\" height=\"{}\"",
        sheet.width, sheet.height
    )));
}

/// The width of a page of a PDF, points.
fn page_width(pdf: &[u8]) -> f64 {
    let text = String::from_utf8_lossy(pdf);
    let (_, after) = text.split_once("/MediaBox").expect("a page has a size");
    let inside = after.trim_start().trim_start_matches('[');
    let numbers: Vec<f64> = (inside.split_whitespace().take(4))
        .map(|number| number.trim_end_matches(']').parse().unwrap())
        .collect();
    numbers[2] - numbers[0]
}

/// A column of a paper.
fn column() -> Look {
    let paper = Paper {
        width: 3.25,
        font_size: 8.0,
    };
    Look {
        paper: Some(paper),
        title: false,
        formats: vec![Format::Pdf],
    }
}

#[test]
fn every_figure_fits_a_column_as_pdf() {
    let look = column();
    for case in [
        synthetic::convolutional(8, 3),
        synthetic_relu::relu(5, &[12], true),
    ] {
        for figure in figures(&case.run()) {
            let pdf = picture(&figure, &look, Format::Pdf).unwrap();
            assert!(pdf.starts_with(b"%PDF"), "{}", figure.id);
            let width = page_width(&pdf);
            assert!((width - 234.0).abs() <= 1.0, "{}: {width} pt", figure.id);
        }
    }
}

/// A size whose run overflowed at once has no curve, and no entry in the legend; a series without points is a key.
#[test]
fn the_legend_names_what_can_be_seen_and_keys() {
    let mut figure = one(Style::Line, Scale::Log10, vec![(1.0, 1.0), (2.0, 3.0)]);
    let named = |label: &str, points| build::line(label, 1, points);
    figure.panels[0].series.extend([
        named("overflowed", vec![(1.0, f64::NAN), (2.0, -1.0)]),
        named("theory", Vec::new()),
    ]);
    let document = svg(&figure);
    assert!(document.contains("\ntheory\n") && !document.contains("\noverflowed\n"));
}

#[test]
fn strange_data_draw_without_panic() {
    let extremes = vec![(1e-300, 1e140), (1.0, 1e-300), (1e140, 1.0)];
    let poisoned = vec![
        (1.0, f64::NAN),
        (f64::INFINITY, 2.0),
        (3.0, f64::NEG_INFINITY),
        (-1.0, -1.0),
    ];
    let data = [
        vec![],
        vec![(2.0, 3.0)],
        vec![(0.0, 0.0)],
        vec![(1.0, 5.0), (2.0, 5.0), (3.0, 5.0)],
        vec![(1.0, 1.0), (1.0, 2.0)],
        vec![(1.0, 1.0), (2.0, 1.0 + 1e-15)],
        vec![(-f64::MAX, -f64::MAX), (f64::MAX, f64::MAX)],
        vec![(f64::MIN_POSITIVE, 5e-324), (f64::MAX, f64::MAX)],
        extremes,
        poisoned,
    ];
    for points in data {
        for style in [Style::Line, Style::Dashed, Style::Points, Style::Reference] {
            for scale in [Scale::Linear, Scale::Log10] {
                let document = svg(&one(style, scale, points.clone()));
                assert_well_formed(&document);
                assert!(!document.contains("NaN"), "{style:?} {scale:?} {points:?}");
            }
        }
    }
    let mut blank = one(Style::Line, Scale::Linear, vec![]);
    assert!(svg(&blank).contains("no data"));
    blank.panels.clear();
    assert_well_formed(&svg(&blank));
}

/// Writes the figures of synthetic runs to the temporary directory, for inspection.
#[test]
fn dump_for_the_eye() {
    if std::env::var_os("MARGINFLOW_DUMP_FIGURES").is_none() {
        return;
    }
    let folder = std::env::temp_dir().join("marginflow-figures");
    std::fs::create_dir_all(&folder).unwrap();
    let cases = [
        ("dfa2", synthetic::dfa(2)),
        ("dfa5", synthetic::dfa(5)),
        ("bp3", synthetic::gradient_descent(3)),
        ("conv2", synthetic::convolutional(8, 2)),
        ("conv3", synthetic::convolutional(40, 3)),
        ("diagonal2", synthetic::diagonal(2)),
        ("conv-bp2", synthetic::convolutional_gradient_descent(7, 2)),
        ("relu-plane", synthetic_relu::relu(2, &[10], true)),
        ("relu2", synthetic_relu::relu(5, &[12], true)),
        ("relu3-bp", synthetic_relu::relu(3, &[8, 6], false)),
    ];
    for (name, case) in &cases {
        for figure in figures(&case.run()) {
            let stem = folder.join(format!("{name}-{}", figure.id));
            std::fs::write(stem.with_extension("png"), png(&figure).unwrap()).unwrap();
            std::fs::write(stem.with_extension("svg"), svg(&figure)).unwrap();
            let pdf = picture(&figure, &column(), Format::Pdf).unwrap();
            std::fs::write(stem.with_extension("pdf"), pdf).unwrap();
        }
    }
}
