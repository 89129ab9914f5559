//! How figures look where they are shown: on a page of their own, or in a column of a paper.

use super::sheet::LABEL;

/// A kind of picture file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For pages, and to be edited.
    Svg,
    /// For what takes no vectors.
    Png,
    /// For papers: vectors, with the fonts that are used.
    Pdf,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Svg, Self::Png, Self::Pdf];

    /// The ending of its files.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Png => "png",
            Self::Pdf => "pdf",
        }
    }
}

/// The size of figures on paper.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paper {
    /// Of a figure, inches.
    pub width: f64,
    /// Of labels, points; ticks are a fifteenth smaller, titles larger.
    pub font_size: f64,
}

/// Points in an inch.
const POINTS: f64 = 72.0;

impl Paper {
    /// Points in a px of the sheet.
    pub(crate) fn points_per_px(self) -> f64 {
        self.font_size / LABEL
    }

    /// Width of the sheet, px.
    pub(crate) fn px(self) -> f64 {
        (self.width * POINTS / self.points_per_px()).floor()
    }
}

/// How figures are drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// Their size on paper; `None`: that of pages, where they are scaled to what is there.
    pub paper: Option<Paper>,
    /// Whether title and subtitle are drawn; a paper says them in the caption.
    pub title: bool,
    /// Which files are written.
    pub formats: Vec<Format>,
}

impl Default for Look {
    /// That of pages.
    fn default() -> Self {
        Self {
            paper: None,
            title: true,
            formats: vec![Format::Svg, Format::Png],
        }
    }
}

impl Look {
    /// Whether the drawing is that of pages, whatever files are written.
    pub fn is_that_of_pages(&self) -> bool {
        self.paper.is_none() && self.title
    }
}
