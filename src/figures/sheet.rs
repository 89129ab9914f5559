//! The marks that make up a drawing, in px: all that a renderer needs to know.

use super::{
    FIRST_SHADE, GREY, SHADES, Style,
    curve::{Mapping, Point, Rect},
};

/// Font sizes in px.
pub(crate) const TITLE: f64 = 20.0;
pub(crate) const SUBTITLE: f64 = 14.5;
pub(crate) const PANEL_TITLE: f64 = 16.0;
pub(crate) const LABEL: f64 = 15.0;
pub(crate) const TICK: f64 = 14.0;

/// White space at the edges of a sheet.
pub(crate) const MARGIN: f64 = 18.0;

/// Width in px of a text set at a size, bold or not.
pub(crate) type TextWidth<'a> = dyn Fn(&str, f64, bool) -> f64 + 'a;

/// A colour with its opacity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ink {
    pub rgb: (u8, u8, u8),
    pub opacity: f64,
}

impl Ink {
    pub(crate) const TEXT: Self = Self::opaque(0x22, 0x22, 0x22);
    pub(crate) const MUTED: Self = Self::opaque(0x60, 0x60, 0x60);
    pub(crate) const GUIDE: Self = Self::opaque(0x33, 0x33, 0x33);
    pub(crate) const FRAME: Self = Self::opaque(0x55, 0x55, 0x55);
    pub(crate) const GRID: Self = Self::opaque(0xDD, 0xDD, 0xDD);
    pub(crate) const WHITE: Self = Self::opaque(0xFF, 0xFF, 0xFF);

    const fn opaque(r: u8, g: u8, b: u8) -> Self {
        Self {
            rgb: (r, g, b),
            opacity: 1.0,
        }
    }

    pub(crate) fn faded(self, opacity: f64) -> Self {
        Self {
            opacity: opacity.clamp(0.0, 1.0),
            ..self
        }
    }

    /// Okabe and Ito's colours, distinguishable with any colour vision (without yellow, too light on white).
    pub(crate) fn of(colour: usize) -> Self {
        const PALETTE: [Ink; 7] = [
            Ink::opaque(0x00, 0x72, 0xB2),
            Ink::opaque(0xD5, 0x5E, 0x00),
            Ink::opaque(0x00, 0x9E, 0x73),
            Ink::opaque(0xCC, 0x79, 0xA7),
            Ink::opaque(0xE6, 0x9F, 0x00),
            Ink::opaque(0x56, 0xB4, 0xE9),
            Ink::opaque(0x00, 0x00, 0x00),
        ];
        if colour == GREY {
            Self::opaque(0x99, 0x99, 0x99)
        } else if (FIRST_SHADE..FIRST_SHADE + SHADES).contains(&colour) {
            Self::shade((colour - FIRST_SHADE) as f64 / (SHADES - 1) as f64)
        } else {
            PALETTE[colour % PALETTE.len()]
        }
    }

    /// Shades from dark to light that keep their order with any colour vision and in grey print (viridis).
    fn shade(level: f64) -> Self {
        const ANCHORS: [[f64; 3]; 9] = [
            [68.0, 1.0, 84.0],
            [71.0, 44.0, 122.0],
            [59.0, 81.0, 139.0],
            [44.0, 113.0, 142.0],
            [33.0, 144.0, 141.0],
            [39.0, 173.0, 129.0],
            [92.0, 200.0, 99.0],
            [170.0, 220.0, 50.0],
            [253.0, 231.0, 37.0],
        ];
        let place = level.clamp(0.0, 1.0) * (ANCHORS.len() - 1) as f64;
        let below = (place as usize).min(ANCHORS.len() - 2);
        let part = place - below as f64;
        let [r, g, b] = [0, 1, 2].map(|channel| {
            let (from, to) = (ANCHORS[below][channel], ANCHORS[below + 1][channel]);
            (from + part * (to - from)).round() as u8
        });
        Self::opaque(r, g, b)
    }
}

/// Which part of a text is at its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Centre,
    Right,
}

/// One thing to draw; later marks lie on top. Lengths in px.
#[derive(Debug, Clone)]
pub(crate) enum Mark {
    Fill {
        area: Rect,
        ink: Ink,
    },
    /// A filled polygon.
    Area {
        corners: Vec<Point>,
        ink: Ink,
    },
    Stroke {
        points: Vec<Point>,
        ink: Ink,
        width: f64,
        /// Lengths of dash and gap.
        dash: Option<(f64, f64)>,
    },
    /// A filled disc.
    Disc {
        centre: Point,
        radius: f64,
        ink: Ink,
    },
    /// A data point: a ring with a white middle, so that a curve below stays visible around it.
    Ring {
        centre: Point,
        ink: Ink,
    },
    Text(Lettering),
}

/// A line of text.
#[derive(Debug, Clone)]
pub(crate) struct Lettering {
    pub text: String,
    /// On the baseline.
    pub at: Point,
    pub align: Align,
    pub size: f64,
    pub bold: bool,
    /// Turned by 90°, to be read upwards.
    pub upright: bool,
    pub ink: Ink,
}

/// Data that map a position in a plot back to values.
#[derive(Debug, Clone)]
pub(crate) struct Readout {
    /// The plot with all that belongs to it: title, labels, legend.
    pub panel: Rect,
    pub plot: Rect,
    pub x: ReadoutAxis,
    pub y: ReadoutAxis,
    /// Names of curves by their ink; curves that share their ink with others are left out.
    pub curves: Vec<(Ink, String)>,
}

/// One axis of a [`Readout`].
#[derive(Debug, Clone)]
pub(crate) struct ReadoutAxis {
    pub label: String,
    pub mapping: Mapping,
}

/// A drawing of `width` × `height` px.
#[derive(Debug, Clone)]
pub(crate) struct Sheet {
    pub width: f64,
    pub height: f64,
    pub marks: Vec<Mark>,
    /// One per panel.
    pub readouts: Vec<Readout>,
}

impl Sheet {
    /// A line of text to be read from left to right.
    pub(crate) fn text(&mut self, text: &str, at: Point, align: Align, size: f64, ink: Ink) {
        self.marks.push(Mark::Text(Lettering {
            text: text.into(),
            at,
            align,
            size,
            bold: false,
            upright: false,
            ink,
        }));
    }

    /// A line of the figure's title, in bold, centred.
    pub(crate) fn title(&mut self, text: &str, at: Point) {
        self.marks.push(Mark::Text(Lettering {
            text: text.into(),
            at,
            align: Align::Centre,
            size: TITLE,
            bold: true,
            upright: false,
            ink: Ink::TEXT,
        }));
    }

    /// A solid line.
    pub(crate) fn stroke(&mut self, points: &[Point], ink: Ink, width: f64) {
        self.marks.push(Mark::Stroke {
            points: points.to_vec(),
            ink,
            width,
            dash: None,
        });
    }
}

/// Words of `text` in lines of at most `width`.
pub(crate) fn wrapped(
    text: &str,
    size: f64,
    bold: bool,
    width: f64,
    measure: &TextWidth,
) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if measure(&format!("{line} {word}"), size, bold) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    lines
}

/// Opacity of a band whose series is opaque.
const BAND: f64 = 0.22;

/// Draws a curve in its style.
pub(crate) fn draw_line(points: &[Point], style: Style, ink: Ink, sheet: &mut Sheet) {
    if let Style::Band | Style::Cell = style {
        let opacity = if style == Style::Band { BAND } else { 1.0 };
        sheet.marks.push(Mark::Area {
            corners: points.to_vec(),
            ink: ink.faded(opacity * ink.opacity),
        });
        return;
    }
    let (width, dash) = match style {
        Style::Line | Style::Points | Style::Band | Style::Cell => (2.0, None),
        Style::Dashed => (2.0, Some((9.0, 5.0))),
        Style::Reference => (1.4, Some((6.0, 4.0))),
    };
    sheet.marks.push(Mark::Stroke {
        points: points.to_vec(),
        ink,
        width,
        dash,
    });
}
