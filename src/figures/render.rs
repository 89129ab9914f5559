//! Renders marks to SVG and PNG with plotters, and SVG to PDF with svg2pdf. The only file that knows them.
//!
//! plotters' canvases have integer coordinates, so both formats are drawn on a grid finer than the displayed size: the
//! SVG keeps the grid by means of a `viewBox`, the PNG is averaged down, which smooths its edges. Fonts are embedded,
//! so that pictures need no system package and look the same everywhere.

use std::io;
use std::sync::Once;

use plotters::{
    backend::{BitMapBackend, SVGBackend},
    coord::Shift,
    drawing::{DrawingArea, IntoDrawingArea},
    element::{Circle, DashedPathElement, PathElement, Polygon, Rectangle, Text},
    prelude::{DrawingBackend, RGBAColor, WHITE},
    style::{
        Color, FontDesc, FontFamily, FontStyle, FontTransform, IntoTextStyle, ShapeStyle,
        register_font,
        text_anchor::{HPos, Pos, VPos},
    },
};

use svg2pdf::{ConversionOptions, PageOptions, to_pdf, usvg};

use super::{
    Figure, Format, Look, Scale, accent,
    curve::{Point, Rect},
    layout::layout,
    scripts,
    sheet::{Align, Ink, Lettering, Mark, Readout, ReadoutAxis, Sheet},
};

/// Family name under which the embedded fonts are registered; SVG viewers without DejaVu fall back along the list.
const FAMILY: &str = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif";

/// Height from descender to ascender of DejaVu Sans, in em.
const FONT_HEIGHT: f64 = 1.164;

/// SVG grid cells per px.
const SVG_GRID: u32 = 10;
/// PNG pixels per px.
const PNG_SCALE: u32 = 2;
/// Grid cells per PNG pixel.
const PNG_OVERSAMPLING: u32 = 2;

/// The figure as a file of this format. The same figure always gives the same bytes.
///
/// # Errors
/// If the encoder fails.
pub fn picture(figure: &Figure, look: &Look, format: Format) -> io::Result<Vec<u8>> {
    match format {
        Format::Svg => Ok(svg_as(figure, look, TextMetrics::SVG).into_bytes()),
        Format::Png => png(figure, look),
        Format::Pdf => pdf(figure, look),
    }
}

/// The figure as an SVG document, as pages show it. The same figure always gives the same bytes.
pub fn svg(figure: &Figure) -> String {
    svg_as(figure, &Look::default(), TextMetrics::SVG)
}

/// The figure as a PDF of one page of its size. Text stays text; of the embedded fonts it holds the letters used.
fn pdf(figure: &Figure, look: &Look) -> io::Result<Vec<u8>> {
    let mut options = usvg::Options {
        dpi: CSS_DPI,
        ..usvg::Options::default()
    };
    for (_, bytes) in FACES {
        options.fontdb_mut().load_font_data(bytes.to_vec());
    }
    let tree = usvg::Tree::from_str(&svg_as(figure, look, TextMetrics::APART), &options)
        .map_err(io::Error::other)?;
    let page = PageOptions { dpi: CSS_DPI };
    to_pdf(&tree, ConversionOptions::default(), page)
        .map_err(|why| io::Error::other(why.to_string()))
}

/// Px in an inch of a document that has no unit of its own.
const CSS_DPI: f32 = 96.0;

fn svg_as(figure: &Figure, look: &Look, text: TextMetrics) -> String {
    let sheet = layout(figure, look, &text_width);
    let (width, height) = (sheet.width as u32, sheet.height as u32);
    let mut document = String::new();
    {
        let size = (width * SVG_GRID, height * SVG_GRID);
        let area = SVGBackend::with_string(&mut document, size).into_drawing_area();
        draw(
            &sheet,
            &area,
            Grid {
                cells: f64::from(SVG_GRID),
                text,
            },
        )
        .expect("drawing into memory with an embedded font cannot fail");
    }
    // plotters writes the grid size as the document's size; set the size in px, or on paper, instead.
    let grid = format!(
        "width=\"{}\" height=\"{}\"",
        width * SVG_GRID,
        height * SVG_GRID
    );
    let size = match look.paper {
        None => format!("width=\"{width}\" height=\"{height}\""),
        Some(paper) => {
            let points = |px: u32| f64::from(px) * paper.points_per_px();
            let (width, height) = (points(width), points(height));
            format!("width=\"{width:.2}pt\" height=\"{height:.2}pt\"")
        }
    };
    let mut document = scripts::in_svg(&document.replacen(&grid, &size, 1));
    // After the opening tag, insert the metadata that a page needs to read values off the curves.
    if let Some(end) = document.find("<svg").and_then(|at| {
        let tag = document[at..].find('>')?;
        Some(at + tag + 1)
    }) {
        let readouts = readouts(&sheet.readouts);
        document.insert_str(end, &format!("\n<metadata>{readouts}</metadata>"));
    }
    document
}

/// Plots in grid cells of the SVG, axes as (label, scale, coordinates at both ends), names of curves by colour; JSON,
/// escaped as XML text.
fn readouts(of: &[Readout]) -> String {
    let cells = f64::from(SVG_GRID);
    let axis = |axis: &ReadoutAxis| {
        serde_json::json!({
            "label": axis.label,
            "log": axis.mapping.scale == Scale::Log10,
            "low": axis.mapping.low,
            "high": axis.mapping.high,
        })
    };
    let panels: Vec<_> = (of.iter())
        .map(|r| {
            let curves: serde_json::Map<_, _> = (r.curves.iter())
                .map(|(ink, label)| {
                    let (red, green, blue) = ink.rgb;
                    (
                        format!("#{red:02X}{green:02X}{blue:02X}"),
                        label.as_str().into(),
                    )
                })
                .collect();
            let corners = |r: Rect| [r.x0, r.y0, r.x1, r.y1].map(|x| (x * cells).round());
            serde_json::json!({
                "panel": corners(r.panel),
                "plot": corners(r.plot),
                "x": axis(&r.x),
                "y": axis(&r.y),
                "curves": curves,
            })
        })
        .collect();
    let text = serde_json::Value::from(panels).to_string();
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The figure as a PNG file of twice its size in px. The same figure always gives the same bytes.
///
/// # Errors
/// If the encoder fails.
fn png(figure: &Figure, look: &Look) -> io::Result<Vec<u8>> {
    let sheet = layout(figure, look, &text_width);
    let cells = PNG_SCALE * PNG_OVERSAMPLING;
    let (width, height) = (sheet.width as u32 * cells, sheet.height as u32 * cells);
    let mut pixels = vec![255; 3 * width as usize * height as usize];
    {
        let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
        draw(
            &sheet,
            &area,
            Grid {
                cells: f64::from(cells),
                text: TextMetrics::BITMAP,
            },
        )
        .map_err(io::Error::other)?;
    }
    let pixels = averaged(&pixels, width as usize, PNG_OVERSAMPLING as usize);

    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(
        &mut file,
        width / PNG_OVERSAMPLING,
        height / PNG_OVERSAMPLING,
    );
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    // Flat colours compress best unfiltered. The best compression would take three times as long for a few per cent.
    encoder.set_compression(png::Compression::Default);
    encoder.set_filter(png::FilterType::NoFilter);
    if let Some(paper) = look.paper {
        // so that it has its size on paper: pixels per metre
        let per_point = f64::from(PNG_SCALE) / paper.points_per_px();
        let density = (per_point * 72.0 / 0.0254).round() as u32;
        encoder.set_pixel_dims(Some(png::PixelDimensions {
            xppu: density,
            yppu: density,
            unit: png::Unit::Meter,
        }));
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(file)
}

/// Means over squares of `side` pixels of an RGB image.
fn averaged(pixels: &[u8], width: usize, side: usize) -> Vec<u8> {
    let mut result = Vec::with_capacity(pixels.len() / (side * side));
    let count = (side * side) as u32;
    let mut sums = vec![0_u32; 3 * (width / side)];
    for rows in pixels.chunks_exact(3 * width * side) {
        sums.fill(0);
        for row in rows.chunks_exact(3 * width) {
            for (sum, square) in sums.chunks_exact_mut(3).zip(row.chunks_exact(3 * side)) {
                for pixel in square.chunks_exact(3) {
                    for (sum, channel) in sum.iter_mut().zip(pixel) {
                        *sum += u32::from(*channel);
                    }
                }
            }
        }
        result.extend(sums.iter().map(|sum| ((sum + count / 2) / count) as u8));
    }
    result
}

/// How plotters interprets a font size, which differs between its two canvases.
#[derive(Clone, Copy)]
struct TextMetrics {
    /// plotters' size for a text of 1 em.
    size: f64,
    anchor: VPos,
    /// From plotters' position down to the baseline, in em.
    baseline: f64,
    /// Whether the viewer places combining accents on their letters.
    accents: bool,
}

impl TextMetrics {
    /// Writes `font-size = size/1.24`, and centres by `dy = 0.5ex`; an ex of DejaVu Sans is 0.547 em.
    const SVG: Self = Self {
        size: 1.24,
        anchor: VPos::Center,
        baseline: 0.2735,
        accents: true,
    };
    /// For converters, which do not combine accents with letters.
    const APART: Self = Self {
        accents: false,
        ..Self::SVG
    };
    /// Takes the size as the height from descender to ascender, and puts the baseline half of it below the top.
    const BITMAP: Self = Self {
        size: FONT_HEIGHT,
        anchor: VPos::Top,
        baseline: FONT_HEIGHT / 2.0,
        accents: false,
    };
}

/// Maps px to a canvas of plotters.
#[derive(Clone, Copy)]
struct Grid {
    cells: f64,
    text: TextMetrics,
}

impl Grid {
    fn point(&self, (x, y): Point) -> (i32, i32) {
        (
            (x * self.cells).round() as i32,
            (y * self.cells).round() as i32,
        )
    }

    fn length(&self, length: f64) -> u32 {
        (length * self.cells).round().max(1.0) as u32
    }
}

fn colour(ink: Ink) -> RGBAColor {
    RGBAColor(ink.rgb.0, ink.rgb.1, ink.rgb.2, ink.opacity)
}

/// The embedded fonts.
const FACES: [(FontStyle, &[u8]); 2] = [
    (
        FontStyle::Normal,
        include_bytes!("../../assets/fonts/DejaVuSans.ttf"),
    ),
    (
        FontStyle::Bold,
        include_bytes!("../../assets/fonts/DejaVuSans-Bold.ttf"),
    ),
];

fn font(size: f64, bold: bool) -> FontDesc<'static> {
    static FONTS: Once = Once::new();
    FONTS.call_once(|| {
        for (style, bytes) in FACES {
            assert!(
                register_font(FAMILY, style, bytes).is_ok(),
                "the embedded font is readable"
            );
        }
    });
    let style = if bold {
        FontStyle::Bold
    } else {
        FontStyle::Normal
    };
    FontDesc::new(FontFamily::Name(FAMILY), size, style)
}

/// Width in px of a text at a font size in px.
pub(crate) fn text_width(text: &str, size: f64, bold: bool) -> f64 {
    // plotters measures in whole pixels, so measure at a large size.
    let em = 1000.0;
    let width = |part: scripts::Part| {
        let (width, _) = font(em * FONT_HEIGHT, bold)
            .box_size(&accent::bare(&part.text))
            .expect("the embedded font measures any text");
        f64::from(width) / em * part.size * size
    };
    scripts::parts(text).into_iter().map(width).sum()
}

type Failure<B> = plotters::drawing::DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>;

fn draw<B: DrawingBackend>(
    sheet: &Sheet,
    area: &DrawingArea<B, Shift>,
    grid: Grid,
) -> Result<(), Failure<B>> {
    area.fill(&WHITE)?;
    for mark in &sheet.marks {
        match mark {
            Mark::Fill {
                area: Rect { x0, y0, x1, y1 },
                ink,
            } => {
                let corners = [grid.point((*x0, *y0)), grid.point((*x1, *y1))];
                area.draw(&Rectangle::new(corners, colour(*ink).filled()))?;
            }
            Mark::Area { corners, ink } => {
                let corners: Vec<(i32, i32)> = corners.iter().map(|p| grid.point(*p)).collect();
                area.draw(&Polygon::new(corners, colour(*ink).filled()))?;
            }
            Mark::Stroke {
                points,
                ink,
                width,
                dash,
            } => {
                let style: ShapeStyle = colour(*ink).stroke_width(grid.length(*width));
                for (k, part) in smooth_parts(points).into_iter().enumerate() {
                    if k > 0 && dash.is_none() {
                        disc(area, grid, part[0], width / 2.0, *ink)?;
                    }
                    let part: Vec<(i32, i32)> = part.iter().map(|p| grid.point(*p)).collect();
                    match dash {
                        None => area.draw(&PathElement::new(part, style))?,
                        Some((on, off)) => {
                            let (on, off) = (grid.length(*on), grid.length(*off));
                            area.draw(&DashedPathElement::new(part, on, off, style))?;
                        }
                    }
                }
            }
            Mark::Disc {
                centre,
                radius,
                ink,
            } => disc(area, grid, *centre, *radius, *ink)?,
            Mark::Ring { centre, ink } => {
                disc(area, grid, *centre, 4.3, *ink)?;
                disc(area, grid, *centre, 2.5, Ink::WHITE.faded(ink.opacity))?;
            }
            Mark::Text(line) if grid.text.accents => set(area, grid, line)?,
            Mark::Text(line) => {
                for part in scripts::apart(line, &text_width) {
                    for piece in accent::apart(&part, &text_width) {
                        set(area, grid, &piece)?;
                    }
                }
            }
        }
    }
    area.present()
}

fn set<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    grid: Grid,
    line: &Lettering,
) -> Result<(), Failure<B>> {
    let horizontal = match line.align {
        Align::Left => HPos::Left,
        Align::Centre => HPos::Center,
        Align::Right => HPos::Right,
    };
    let font = font(line.size * grid.text.size * grid.cells, line.bold);
    let font = if line.upright {
        font.transform(FontTransform::Rotate270)
    } else {
        font
    };
    let ink = colour(line.ink);
    let style = font
        .into_text_style(area)
        .color(&ink)
        .pos(Pos::new(horizontal, grid.text.anchor));
    let shift = grid.text.baseline * line.size;
    let at = if line.upright {
        (line.at.0 - shift, line.at.1)
    } else {
        (line.at.0, line.at.1 - shift)
    };
    area.draw(&Text::new(line.text.as_str(), grid.point(at), style))
}

/// Cuts a line where it turns by more than a right angle, since plotters draws a spike at such corners.
fn smooth_parts(points: &[Point]) -> Vec<&[Point]> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (k, corner) in points.windows(3).enumerate() {
        let (a, b, c) = (corner[0], corner[1], corner[2]);
        if (b.0 - a.0) * (c.0 - b.0) + (b.1 - a.1) * (c.1 - b.1) < 0.0 {
            parts.push(&points[start..k + 2]);
            start = k + 1;
        }
    }
    parts.push(&points[start..]);
    parts
}

fn disc<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    grid: Grid,
    centre: Point,
    radius: f64,
    ink: Ink,
) -> Result<(), Failure<B>> {
    area.draw(&Circle::new(
        grid.point(centre),
        grid.length(radius),
        colour(ink).filled(),
    ))
}
