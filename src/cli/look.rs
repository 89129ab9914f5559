//! Options on figures, and on what is printed: one list says both.

use super::Format;
use crate::error::{Result, UsageError};
use crate::figures::{self, Look, Paper};
use clap::{Args, ValueEnum};

/// How figures look.
#[derive(Args, Clone)]
pub(super) struct LookArgs {
    /// Draw figures for paper, this many inches wide: 3.25 is a column
    #[arg(long, value_name = "INCHES")]
    figure_width: Option<f64>,
    /// Size of labels on paper, points [default: 8, on a width of 6.5 inches unless given]
    #[arg(long, value_name = "POINTS")]
    font_size: Option<f64>,
    /// Draw no titles: the caption says them
    #[arg(long)]
    no_title: bool,
}

/// Usual sizes on paper: a page's width, inches, and labels, points.
const USUAL: (f64, f64) = (6.5, 8.0);

/// Sheets narrower than this have no room for a plot, px.
const NARROWEST: f64 = 300.0;

impl LookArgs {
    /// The look, of files in these formats.
    ///
    /// # Errors
    /// [`UsageError::Figures`] for sizes that cannot be drawn.
    pub(super) fn look(&self, formats: Vec<figures::Format>) -> Result<Look> {
        let refused = |why: String| Err(UsageError::Figures(why).into());
        let paper = (self.figure_width.is_some() || self.font_size.is_some()).then(|| Paper {
            width: self.figure_width.unwrap_or(USUAL.0),
            font_size: self.font_size.unwrap_or(USUAL.1),
        });
        if let Some(paper) = paper {
            if !(1.0..=40.0).contains(&paper.width) {
                return refused(format!(
                    "--figure-width {}: give 1 to 40 inches",
                    paper.width
                ));
            }
            if !(4.0..=40.0).contains(&paper.font_size) {
                return refused(format!(
                    "--font-size {}: give 4 to 40 points",
                    paper.font_size
                ));
            }
            if paper.px() < NARROWEST {
                return refused(format!(
                    "--figure-width {} has no room for labels of {} points: make it wider, or them smaller",
                    paper.width, paper.font_size
                ));
            }
        }
        Ok(Look {
            paper,
            title: !self.no_title,
            formats,
        })
    }
}

/// A word of `--format`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Word {
    /// Print a table for people
    Text,
    /// Print JSON
    Json,
    /// Figures as SVG
    Svg,
    /// Figures as PNG
    Png,
    /// Figures as PDF
    Pdf,
}

impl Word {
    fn picture(self) -> Option<figures::Format> {
        match self {
            Self::Svg => Some(figures::Format::Svg),
            Self::Png => Some(figures::Format::Png),
            Self::Pdf => Some(figures::Format::Pdf),
            Self::Text | Self::Json => None,
        }
    }
}

/// What a command prints and draws.
#[derive(Args, Clone)]
pub(super) struct Shown {
    /// Draw no figures: only numbers, and pages without pictures
    #[arg(long)]
    no_figures: bool,
    /// What to print when done, and the files of figures, with commas between them [default: text,svg,png]
    #[arg(long, value_enum, value_delimiter = ',')]
    format: Vec<Word>,
    #[command(flatten)]
    look: LookArgs,
}

impl Shown {
    /// What to print.
    pub(super) fn printed(&self) -> Format {
        match self.format.contains(&Word::Json) {
            true => Format::Json,
            false => Format::Text,
        }
    }

    /// How figures look; `None` without any.
    ///
    /// # Errors
    /// As [`LookArgs::look`].
    pub(super) fn look(&self) -> Result<Option<Look>> {
        let formats: Vec<_> = self.format.iter().filter_map(|w| w.picture()).collect();
        let look = self.look.look(match formats.is_empty() {
            true => Look::default().formats,
            false => formats,
        })?;
        Ok((!self.no_figures).then_some(look))
    }
}
