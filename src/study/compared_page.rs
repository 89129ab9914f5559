//! `index.html` of runs side by side: their numbers, their units through log time, and the overlays.

use super::Scalar;
use crate::figures::Figure;
use crate::report::html::{Motion, Moving, figure, number, page, side_by_side};
use maud::html;
use nalgebra::DMatrix;
use npyz::npz::NpzArchive;
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{BufReader, Result};
use std::path::Path;

/// One run on the page.
pub(super) struct Shown<'a> {
    pub label: &'a str,
    pub scalars: &'a Map<String, Scalar>,
    pub motion: Option<Motion>,
}

/// The whole page; `columns` are titles and names of numbers.
pub(super) fn html(
    runs: Vec<Shown<'_>>,
    columns: &[(&str, &str)],
    drawings: &[(&Figure, String)],
) -> String {
    let body = html! {
        h1 { (runs.len()) " runs side by side" }
        div.scroll {
            table {
                thead { tr { th { "run" } @for (title, _) in columns { th { (title) } } } }
                tbody {
                    @for run in &runs {
                        tr {
                            td { (run.label) }
                            @for (_, name) in columns {
                                td { (number(run.scalars.get(*name).and_then(Value::as_f64))) }
                            }
                        }
                    }
                }
            }
        }
        @let motions: Vec<Motion> = runs.into_iter().filter_map(|run| run.motion).collect();
        @if !motions.is_empty() { (side_by_side(&motions)) }
        h2 { "Figures" }
        p.muted { "Point at a curve to read it off." }
        @for (drawn, svg) in drawings { (figure(&drawn.id, &drawn.title, svg, &drawn.caption)) }
    };
    page("Runs side by side", &body)
}

/// The motion of a finished run, from what it left in its folder; `None` for all but two-layer ReLU networks with one
/// output that are small enough to be looked at.
pub(super) fn motion(label: &str, report: &Value, trajectory: &Path) -> Option<Motion> {
    if report["network"]["kind"] != "relu" || report["network"]["depth"] != 2 {
        return None;
    }
    // a file that cannot be read has been reported by then
    let arrays = Arrays::read(trajectory).ok()?;
    let [_, units] = arrays.shape;
    let of = Moving {
        label: label.to_owned(),
        samples: &arrays.samples,
        labels: &arrays.labels,
        slope: report["network"]["negative_slope"].as_f64()?,
        units,
        times: [&arrays.log_log_time, &arrays.log_time],
    };
    Motion::new(&of, |k| arrays.layers(k))
}

/// What a motion needs of a `trajectory.npz`.
struct Arrays {
    samples: DMatrix<f64>,
    labels: Vec<f64>,
    log_log_time: Vec<f64>,
    log_time: Vec<f64>,
    /// D and units.
    shape: [usize; 2],
    /// Saves × inputs × units, row by row.
    first: Vec<f64>,
    /// Saves × units.
    last: Vec<f64>,
}

impl Arrays {
    fn read(path: &Path) -> Result<Self> {
        let mut archive = NpzArchive::new(BufReader::new(File::open(path)?))?;
        let missing = |name: &str| std::io::Error::other(format!("no array {name}"));
        let mut array = |name: &str| -> Result<(Vec<usize>, Vec<f64>)> {
            let file = archive.by_name(name)?.ok_or_else(|| missing(name))?;
            let shape = file.shape().iter().map(|n| *n as usize).collect();
            Ok((shape, file.into_vec()?))
        };
        let (shape, samples) = array("X")?;
        let (of_first, first) = array("w_1")?;
        let (log_log_time, log_time) = (array("log_log_time")?.1, array("log_time")?.1);
        let last = array("w_2")?.1;
        let (&[n, d], &[_, inputs, units]) = (&shape[..], &of_first[..]) else {
            return Err(missing("w_1 of a layer"));
        };
        let labels: Vec<i64> = archive
            .by_name("y")?
            .ok_or_else(|| missing("y"))?
            .into_vec()?;
        Ok(Self {
            samples: DMatrix::from_row_slice(n, d, &samples),
            labels: labels.into_iter().map(|y| y as f64).collect(),
            log_log_time,
            log_time,
            shape: [inputs, units],
            first,
            last,
        })
    }

    /// `w_1` and `w_2` at save k.
    fn layers(&self, k: usize) -> Option<[DMatrix<f64>; 2]> {
        let [inputs, units] = self.shape;
        let size = inputs * units;
        let first = self.first.get(k * size..(k + 1) * size)?;
        let last = self.last.get(k * units..(k + 1) * units)?;
        Some([
            DMatrix::from_row_slice(inputs, units, first),
            DMatrix::from_column_slice(units, 1, last),
        ])
    }
}
