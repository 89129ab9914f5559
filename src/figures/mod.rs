//! Figures of a run: plain data first (`Figure` → `Panel` → `Series`), then one renderer.
//!
//! ```text
//! Problem, Diagnostics, Limit ─FIGURES→ Figure ─layout→ Sheet of marks ─render→ SVG | PNG
//! ```
//!
//! A builder (one file per figure, one line in [`FIGURES`]) only says which curves belong on which axes. `layout`
//! places every line, dot and word, by plain arithmetic; `render` hands the marks to plotters and is the only file that
//! knows it. Time is always plotted as `τ = ln(1+t)` on a logarithmic axis: directions converge like powers of τ, so a
//! power law is a straight line there, and τ itself runs to 10^26 and beyond.

mod accent;
mod alignment;
mod angle_to_limit;
mod axes;
mod boundaries;
pub(crate) mod build;
mod candidates;
mod certificate;
mod curve;
mod dfa_margin;
mod draft;
mod finite_steps;
mod frequencies;
mod invariants;
mod kkt;
mod labels;
mod layout;
mod legend;
mod look;
mod margins;
mod neurons;
mod norms;
mod output_weights;
mod phases;
mod render;
mod sandwich;
mod scripts;
mod sheet;
mod singular_values;
mod spectrum;
mod step_sizes;
mod swept_area;
#[cfg(test)]
mod synthetic;
#[cfg(test)]
mod synthetic_relu;
#[cfg(test)]
mod tests;
mod ticks;
mod units;

use crate::descent::Comparison;
use crate::{diagnostics::Diagnostics, limit::Limit, problem::Problem};

#[cfg(feature = "cli")]
pub(crate) use labels::shortest;
pub use look::{Format, Look, Paper};
pub use render::{picture, svg};

/// How an axis is scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    Linear,
    /// Linear, with ticks at whole numbers only: for counts.
    Whole,
    /// Base-10 logarithmic: coordinates are values, not logarithms; values that are not positive cannot be shown.
    Log10,
}

/// Which values of an axis are labelled.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Labels {
    /// Round ones.
    #[default]
    Round,
    /// These, as far as they are in the frame: those that were measured.
    At(Vec<f64>),
    /// Degrees: parts of a turn, where the axis is long enough for some.
    Degrees,
    /// Round ones, and zero, which has no place on a logarithmic axis: it is drawn here, left of all others.
    AndZero(f64),
}

/// One axis.
#[derive(Debug, Clone)]
pub struct Axis {
    /// The quantity, with its symbol and unit.
    pub label: String,
    pub scale: Scale,
    /// Fixed range (low, high) in values; from the data when `None`. Curves are clipped to it.
    pub range: Option<(f64, f64)>,
    pub labels: Labels,
}

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Line,
    Dashed,
    /// One ring per point.
    Points,
    /// A shaded area: the points run along one edge and back along the other.
    Band,
    /// A filled area in its full colour, such as a cell of a map.
    Cell,
    /// A thin dashed dark-grey guide (predicted slope, asymptote); it does not take part in the range of an axis.
    Reference,
}

/// Palette index of the neutral light grey, for bundles in the background.
pub const GREY: usize = usize::MAX;

/// Palette index of the first of [`SHADES`] shades from dark to light.
const FIRST_SHADE: usize = usize::MAX - 1000;
/// How many shades there are.
const SHADES: usize = 256;

/// Palette index of the shade at a level between 0 (dark) and 1 (light).
pub fn shade(level: f64) -> usize {
    FIRST_SHADE + (level.clamp(0.0, 1.0) * (SHADES - 1) as f64).round() as usize
}

/// One curve. Points that are not finite, or not positive on a [`Scale::Log10`] axis, are left out and break the line.
/// Without any points it is a key: an entry of the legend that says what a style means.
#[derive(Debug, Clone)]
pub struct Series {
    /// Legend entry; `None` draws the curve without one (bundles of many samples).
    pub label: Option<String>,
    pub points: Vec<(f64, f64)>,
    pub style: Style,
    /// Index into the palette (it wraps around), [`GREY`] or a [`shade`]; curves of one family share a colour.
    pub colour: usize,
    /// 0 (invisible) … 1.
    pub opacity: f64,
}

/// A shaded interval of the abscissa, such as the window of a fitted slope.
#[derive(Debug, Clone)]
pub struct Window {
    pub label: String,
    /// (low, high) in values of the x axis.
    pub range: (f64, f64),
}

/// One coordinate system.
#[derive(Debug, Clone)]
pub struct Panel {
    /// Above the plot; empty for none.
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
    pub window: Option<Window>,
    /// Whether units are equally long on both axes, so that angles and areas are true; axes are widened as needed.
    pub equal_units: bool,
}

/// A figure: panels side by side (from three on: two columns), with a caption that says what to look for.
#[derive(Debug, Clone)]
pub struct Figure {
    /// File stem, e.g. "angle-to-limit".
    pub id: String,
    pub title: String,
    /// One line on the problem: rule, network, data.
    pub subtitle: String,
    /// Not drawn; printed below the figure in a report.
    pub caption: String,
    pub panels: Vec<Panel>,
}

/// The data a figure may use.
#[derive(Clone, Copy)]
pub struct Drawn<'a> {
    pub problem: &'a Problem,
    pub diagnostics: &'a Diagnostics,
    pub limit: Option<&'a Limit>,
    /// Finite steps, compared with the flow.
    pub steps: Option<&'a Comparison>,
}

/// An entry of [`FIGURES`].
pub struct FigureKind {
    /// [`Figure::id`] of what `build` returns.
    pub id: &'static str,
    /// `None` where the figure does not apply to the run.
    pub build: fn(&Drawn) -> Option<Figure>,
}

/// Every figure, in the order a reader should meet them.
pub const FIGURES: &[FigureKind] = &[
    FigureKind {
        id: angle_to_limit::ID,
        build: angle_to_limit::build,
    },
    FigureKind {
        id: finite_steps::ID,
        build: finite_steps::build,
    },
    FigureKind {
        id: step_sizes::ID,
        build: step_sizes::build,
    },
    FigureKind {
        id: candidates::ID,
        build: candidates::build,
    },
    FigureKind {
        id: singular_values::ID,
        build: singular_values::build,
    },
    FigureKind {
        id: spectrum::ID,
        build: spectrum::build,
    },
    FigureKind {
        id: neurons::ID,
        build: neurons::build,
    },
    FigureKind {
        id: output_weights::ID,
        build: output_weights::build,
    },
    FigureKind {
        id: kkt::ID,
        build: kkt::build,
    },
    FigureKind {
        id: dfa_margin::ID,
        build: dfa_margin::build,
    },
    FigureKind {
        id: margins::ID,
        build: margins::build,
    },
    FigureKind {
        id: alignment::ID,
        build: alignment::build,
    },
    FigureKind {
        id: phases::ID,
        build: phases::build,
    },
    FigureKind {
        id: swept_area::ID,
        build: swept_area::build,
    },
    FigureKind {
        id: norms::ID,
        build: norms::build,
    },
    FigureKind {
        id: certificate::ID,
        build: certificate::build,
    },
    FigureKind {
        id: sandwich::ID,
        build: sandwich::build,
    },
    FigureKind {
        id: invariants::ID,
        build: invariants::build,
    },
];

/// The figures that apply to a run, in the order of [`FIGURES`].
pub fn figures(run: &Drawn<'_>) -> Vec<Figure> {
    FIGURES
        .iter()
        .filter_map(|kind| (kind.build)(run))
        .collect()
}
