//! The figures that a study asks for, checked.

use super::keys::{FigureKeys, PowerLaw, Study, Values};
use super::{Reader, StudyOptions, values};
use crate::diagnostics::Curve;
use crate::error::Result;
use std::ops::Range;
use toml::{Spanned, Value};

/// A figure of a study. Axes are numbers of [`StudyOptions::axes`].
#[derive(Debug, Clone)]
pub struct FigureRequest {
    /// File stem.
    pub id: String,
    pub kind: FigureKind,
    pub colour: Option<usize>,
    pub panel: Option<usize>,
    pub title: Option<String>,
    pub caption: Option<String>,
}

/// What a figure of a study shows.
#[derive(Debug, Clone)]
pub enum FigureKind {
    /// A curve over log time.
    Overlay { curve: String },
    /// A number of the table against a key.
    Points { number: String, x: usize },
    /// A number over two keys, or a curve over a key and another curve.
    Map {
        /// The number or the curve that is shaded.
        shade: String,
        x: usize,
        y: Vertical,
        lines: Vec<PowerLaw>,
    },
    /// Differences of a number between the values of [`StudyOptions::pair`], against a key.
    Differences { number: String, x: Option<usize> },
}

/// The vertical axis of a map.
#[derive(Debug, Clone)]
pub enum Vertical {
    Key(usize),
    /// A curve and the levels, positive and increasing, at which runs are read off.
    Curve {
        name: String,
        levels: Vec<f64>,
    },
}

/// The figures, in the order in which they are written.
pub(super) fn requests(
    reader: &Reader,
    study: &Study,
    options: &StudyOptions,
) -> Result<Vec<FigureRequest>> {
    let mut given: Vec<_> = study.figures.iter().collect();
    given.sort_by_key(|(_, keys)| keys.span().start);
    given
        .into_iter()
        .map(|(id, keys)| request(reader, options, id, keys))
        .collect()
}

fn request(
    reader: &Reader,
    options: &StudyOptions,
    id: &str,
    given: &Spanned<FigureKeys>,
) -> Result<FigureRequest> {
    let (keys, span) = (given.get_ref(), given.span());
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if id.is_empty() || !id.chars().all(plain) {
        let problem = format!("`{id}` cannot name the file of a figure");
        return Err(reader
            .source
            .error(span, &problem, "use letters, digits and hyphens"));
    }
    let axis = |name: &Option<Spanned<String>>| -> Result<Option<usize>> {
        name.as_ref()
            .map(|name| reader.axis(options, name))
            .transpose()
    };
    let kind = match (&keys.overlay, &keys.points, &keys.map, &keys.differences) {
        (Some(curve), None, None, None) => {
            takes(reader, &["colour", "panel"], "an overlay", given)?;
            reader.kept_curve(options, curve.get_ref(), curve.span())?;
            FigureKind::Overlay {
                curve: curve.get_ref().clone(),
            }
        }
        (None, Some(number), None, None) => {
            takes(
                reader,
                &["x", "colour", "panel"],
                "a figure of points",
                given,
            )?;
            FigureKind::Points {
                number: number.clone(),
                x: numbers(reader, options, axis(&keys.x)?, &keys.x, &span)?,
            }
        }
        (None, None, Some(shade), None) => {
            takes(reader, &["x", "y", "levels", "lines"], "a map", given)?;
            map(reader, options, shade, given)?
        }
        (None, None, None, Some(number)) => {
            takes(reader, &["x"], "a figure of differences", given)?;
            differences(reader, options, number, given)?
        }
        _ => {
            let advice = "give one of overlay, points, map and differences";
            let problem = format!("the figure `{id}` shows no one thing");
            return Err(reader.source.error(span, &problem, advice));
        }
    };
    Ok(FigureRequest {
        id: id.to_owned(),
        kind,
        colour: axis(&keys.colour)?,
        panel: axis(&keys.panel)?,
        title: keys.title.clone(),
        caption: keys.caption.clone(),
    })
}

/// Refuses what a figure would not heed: of the keys that lay figures out, it takes these.
fn takes(reader: &Reader, taken: &[&str], what: &str, given: &Spanned<FigureKeys>) -> Result<()> {
    let keys = given.get_ref();
    let span = |name: &Option<Spanned<String>>| name.as_ref().map(Spanned::span);
    let written = [
        ("x", span(&keys.x)),
        ("y", span(&keys.y)),
        ("levels", keys.levels.as_ref().map(Spanned::span)),
        ("colour", span(&keys.colour)),
        ("panel", span(&keys.panel)),
        ("lines", (!keys.lines.is_empty()).then(|| given.span())),
    ];
    for (name, span) in written {
        if let Some(span) = span.filter(|_| !taken.contains(&name)) {
            let problem = format!("{what} has no `{name}`");
            let advice = format!(
                "remove it: {what} takes {}, title and caption",
                taken.join(", ")
            );
            return Err(reader.source.error(span, &problem, &advice));
        }
    }
    Ok(())
}

/// Differences between the values of the pair; against a key if there is no third one, of which each place would have
/// several values.
fn differences(
    reader: &Reader,
    options: &StudyOptions,
    number: &str,
    given: &Spanned<FigureKeys>,
) -> Result<FigureKind> {
    let (keys, span) = (given.get_ref(), given.span());
    if options.pair.is_none() {
        let advice = "add pair = \"…\", the key whose values are compared, to [study]";
        return Err(reader.source.error(span, "the study has no pairs", advice));
    }
    let x = match &keys.x {
        None => None,
        Some(name) => {
            let x = Some(reader.axis(options, name)?);
            let x = numbers(reader, options, x, &keys.x, &span)?;
            if let Some(third) = options.others(&[options.pair, Some(x)]).first() {
                let problem = format!("the differences vary with `{}` too", third.name);
                let advice = "remove x: every point of the study then has a place of its own";
                return Err(reader.source.error(name.span(), &problem, advice));
            }
            Some(x)
        }
    };
    Ok(FigureKind::Differences {
        number: number.to_owned(),
        x,
    })
}

/// An axis of numbers: the one that is given, or the first there is.
fn numbers(
    reader: &Reader,
    options: &StudyOptions,
    given: Option<usize>,
    name: &Option<Spanned<String>>,
    figure: &Range<usize>,
) -> Result<usize> {
    let all_numbers = |axis: &usize| {
        options
            .axes
            .get(*axis)
            .is_some_and(|axis| axis.numbers().is_some())
    };
    let found = match given {
        Some(axis) => Some(axis).filter(all_numbers),
        None => (0..options.axes.len()).find(all_numbers),
    };
    found.ok_or_else(|| {
        let span = name.as_ref().map_or(figure.clone(), Spanned::span);
        let advice = "take a varied key whose values are numbers for x";
        reader
            .source
            .error(span, "there are no numbers to put on the axis", advice)
    })
}

fn map(
    reader: &Reader,
    options: &StudyOptions,
    shade: &str,
    given: &Spanned<FigureKeys>,
) -> Result<FigureKind> {
    let (keys, span) = (given.get_ref(), given.span());
    let x = keys
        .x
        .as_ref()
        .map(|name| reader.axis(options, name))
        .transpose()?;
    let x = numbers(reader, options, x, &keys.x, &span)?;
    let y = match (&keys.y, &keys.levels) {
        (Some(name), Some(levels)) => {
            reader.kept_curve(options, name.get_ref(), name.span())?;
            if Curve::named(shade).is_none() {
                let problem = format!("no curve is called `{shade}`");
                let advice = "a map over a curve shades another curve";
                return Err(reader.source.error(span, &problem, advice));
            }
            reader.kept_curve(options, shade, span)?;
            Vertical::Curve {
                name: name.get_ref().clone(),
                levels: level_numbers(reader, levels)?,
            }
        }
        (None, Some(levels)) => {
            let advice = "add y = \"log_loss\", or another curve";
            return Err(reader
                .source
                .error(levels.span(), "levels of no curve", advice));
        }
        (name, None) => {
            let other = match name {
                Some(name) => Some(reader.axis(options, name)?),
                None => {
                    let mut others = (0..options.axes.len()).filter(|axis| *axis != x);
                    others.find(|axis| options.axes[*axis].numbers().is_some())
                }
            };
            let y = other.filter(|y| *y != x);
            Vertical::Key(numbers(
                reader,
                options,
                Some(y.unwrap_or(usize::MAX)),
                name,
                &span,
            )?)
        }
    };
    Ok(FigureKind::Map {
        shade: shade.to_owned(),
        x,
        y,
        lines: keys.lines.clone(),
    })
}

fn level_numbers(reader: &Reader, levels: &Spanned<Values>) -> Result<Vec<f64>> {
    let list: Vec<Value> = match levels.get_ref() {
        Values::List(items) => items.iter().map(|item| item.get_ref().clone()).collect(),
        Values::Range(range) => values::numbers_of(reader.source, range, levels.span())?,
    };
    let found: Option<Vec<f64>> = (list.iter())
        .map(|value| value.as_float().or(value.as_integer().map(|n| n as f64)))
        .collect();
    let increasing = |x: &Vec<f64>| {
        x.len() > 1 && x[0] > 0.0 && x.windows(2).all(|p| p[0] < p[1]) && x[x.len() - 1].is_finite()
    };
    found.filter(increasing).ok_or_else(|| {
        let advice = "e.g. levels = { from = 1.0, to = 1e6, count = 31, log = true }";
        reader.source.error(
            levels.span(),
            "levels are positive numbers, two at least, increasing",
            advice,
        )
    })
}
