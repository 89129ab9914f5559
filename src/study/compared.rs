//! Finished runs, made one by one, in one picture: `compare-runs DIR…`.
//!
//! What a run has left in its folder is enough: `report.json` and `trajectory.npz`. The table, the curves and the
//! overlays are those of studies, with a row and a colour per run.

use super::compared_page::{self, Shown};
use super::export::{csv, entry, write_curves};
use super::figures::overlay::{self, Group};
use super::table::names;
use super::{Curves, SavedCurves, Scalar, scalars};
use crate::diagnostics::CURVES;
use crate::error::{Error, Result};
use crate::figures::svg;
use crate::figures::{Figure, Look};
use crate::report::html::Motion;
use crate::report::write_figures;
use crate::storage::write_file;
use npyz::npz::NpzArchive;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// The format of the reports that can be compared.
const FORMAT: &str = "marginflow-report/1";

/// A finished run, read from its folder.
struct Finished {
    /// The folder's name, or its path where two have the same name.
    label: String,
    scalars: Map<String, Scalar>,
    saved: SavedCurves,
    /// Units through log time, of networks that can be drawn so.
    motion: Option<Motion>,
}

/// Runs side by side.
pub(crate) struct Compared {
    pub text: String,
    pub figures: Vec<Figure>,
}

/// Reads the runs in `folders`, and writes `table.csv`, `curves.npz` and, with a look, `figures/*` and `index.html`
/// into `to`.
///
/// # Errors
/// [`Error::Data`] for a folder that does not hold a finished run; [`Error::Io`].
pub(crate) fn compare(folders: &[PathBuf], to: &Path, look: Option<&Look>) -> Result<Compared> {
    let mut runs: Vec<Finished> = (folders.iter().zip(labels(folders)))
        .map(|(folder, label)| read(folder, label))
        .collect::<Result<_>>()?;
    let saved: Vec<&SavedCurves> = runs.iter().map(|run| &run.saved).collect();
    let curves = Curves::of(&saved);
    crate::storage::create_folder(to)?;
    write_file(&to.join("table.csv"), table(&runs).as_bytes())?;
    write_curves(&curves, &[], &to.join("curves.npz"))?;
    let figures = look.map_or_else(Vec::new, |_| figures(&runs, &curves));
    let text = text(&runs);
    if let Some(look) = look {
        write_figures(&figures, look, to)?;
        let drawings: Vec<(&Figure, String)> =
            figures.iter().map(|figure| (figure, svg(figure))).collect();
        let shown = (runs.iter_mut()).map(|run| Shown {
            motion: run.motion.take(),
            label: &run.label,
            scalars: &run.scalars,
        });
        let page = compared_page::html(shown.collect(), &COLUMNS, &drawings);
        write_file(&to.join("index.html"), page.as_bytes())?;
    }
    Ok(Compared { text, figures })
}

/// Names for legends, all different.
fn labels(folders: &[PathBuf]) -> Vec<String> {
    let name = |folder: &PathBuf| {
        let last = folder
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        last.unwrap_or_else(|| folder.display().to_string())
    };
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for folder in folders {
        *counts.entry(name(folder)).or_default() += 1;
    }
    let label = |folder: &PathBuf| {
        let name = name(folder);
        if counts[&name] > 1 {
            folder.display().to_string()
        } else {
            name
        }
    };
    folders.iter().map(label).collect()
}

fn read(folder: &Path, label: String) -> Result<Finished> {
    let path = folder.join("report.json");
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let why = match (folder.is_dir(), folder.join("plan.json").exists()) {
                (false, _) => "there is no such folder",
                (true, true) => {
                    "is the folder of a study or a sweep, not of a run: its tables are made by `merge`"
                }
                (true, false) => {
                    "holds no report.json: it is not the folder of a finished run; a run that was interrupted goes on \
                     with the command that began it"
                }
            };
            return Err(Error::data(folder, why));
        }
        Err(e) => return Err(Error::io(path, e)),
    };
    let report: Value = serde_json::from_slice(&bytes)
        .map_err(|e| Error::data(&path, format!("is no JSON ({e}); make the run again")))?;
    if report["format"] != FORMAT {
        let advice =
            format!("is no report of a run (format {FORMAT}); give folders that `run` has written");
        return Err(Error::data(path, advice));
    }
    if report["status"] != "completed" {
        let status = report["status"].as_str().unwrap_or("unknown");
        let message = report["message"].as_str().unwrap_or("no reason is given");
        let advice =
            format!("the run has not been completed ({status}: {message}); compare runs that have");
        return Err(Error::data(path, advice));
    }
    let trajectory = folder.join("trajectory.npz");
    let saved = curves(&trajectory).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::data(&trajectory, "is missing; make the run again"),
        _ => Error::data(
            &trajectory,
            format!("cannot be read ({e}); make the run again"),
        ),
    })?;
    Ok(Finished {
        motion: compared_page::motion(&label, &report, &trajectory),
        label,
        scalars: scalars(&report).into_iter().collect(),
        saved,
    })
}

/// The curves in a `trajectory.npz`.
fn curves(path: &Path) -> std::io::Result<SavedCurves> {
    let mut archive = NpzArchive::new(BufReader::new(File::open(path)?))?;
    let mut array = |name: &str| -> std::io::Result<Option<Vec<f64>>> {
        if let Some(file) = archive.by_name(name)?
            && let Ok(values) = file.into_vec()
        {
            return Ok(Some(values));
        }
        // indices are whole numbers
        let file = archive.by_name(name)?;
        let values: Option<Vec<i64>> = file.map(npyz::NpyFile::into_vec).transpose()?;
        Ok(values.map(|values| values.into_iter().map(|k| k as f64).collect()))
    };
    let absent = || std::io::Error::other("it has no array log_log_time");
    let log_log_time = array("log_log_time")?.ok_or_else(absent)?;
    let saves = log_log_time.len();
    let mut found = Vec::new();
    for curve in CURVES {
        let Some(values) = array(curve.name)? else {
            continue;
        };
        let at = match curve.name {
            "kkt_residual" | "duality_gap" => array("certified")?,
            name => array(&format!("{name}_saves"))?,
        };
        let mut over_saves = vec![None; saves];
        let places: Vec<usize> = match at {
            Some(at) => at.iter().map(|k| *k as usize).collect(),
            None => (0..saves).collect(),
        };
        for (k, value) in places.into_iter().zip(values) {
            if let Some(place) = over_saves.get_mut(k) {
                *place = Some(value);
            }
        }
        found.push((curve.name.to_owned(), over_saves));
    }
    Ok(SavedCurves {
        log_log_time,
        curves: found,
    })
}

fn table(runs: &[Finished]) -> String {
    let names = names(runs.iter().map(|run| &run.scalars));
    let mut header = vec!["run"];
    header.extend(&names);
    let rows = runs.iter().map(|run| {
        let scalars = names.iter().map(|name| entry(&run.scalars, name));
        std::iter::once(run.label.clone()).chain(scalars).collect()
    });
    csv(&header, rows)
}

/// An overlay of every curve that some run has.
fn figures(runs: &[Finished], curves: &Curves) -> Vec<Figure> {
    (CURVES.iter())
        .filter_map(|curve| {
            let rows = curves.rows(curve.name)?;
            let number = |run: &Finished, name: &str| {
                let of_angle = curve.name == "angle_to_limit";
                let value = run.scalars.get(name).and_then(Value::as_f64);
                value.filter(|_| of_angle).into_iter().collect()
            };
            let groups: Vec<Group> = (runs.iter().zip(rows).enumerate())
                .map(|(colour, (run, row))| Group {
                    label: run.label.clone(),
                    colour,
                    rows: vec![row],
                    slopes: number(run, "rate.observed"),
                    predicted: number(run, "rate.predicted"),
                })
                .collect();
            let panel = overlay::panel(String::new(), curve, &curves.log_log_time, &groups);
            if panel.series.iter().all(|series| series.points.is_empty()) {
                return None;
            }
            let panels = vec![panel];
            Some(Figure {
                id: curve.name.replace('_', "-"),
                title: overlay::title(curve),
                subtitle: format!("{} runs side by side", runs.len()),
                caption: overlay::caption(curve, &panels, ""),
                panels,
            })
        })
        .collect()
}

/// Titles and names of the numbers that tables for people have.
const COLUMNS: [(&str, &str); 5] = [
    ("ln loss", "final.log_loss"),
    ("smallest margin", "final.min_margin"),
    ("angle (rad)", "final.angle_to_limit"),
    ("slope", "rate.observed"),
    ("predicted", "rate.predicted"),
];

/// The runs for people.
fn text(runs: &[Finished]) -> String {
    use std::fmt::Write;
    let widest = runs
        .iter()
        .map(|run| run.label.chars().count())
        .max()
        .unwrap_or(0)
        .max(3);
    let mut text = format!("  {:widest$}", "run");
    for (title, _) in COLUMNS {
        let _ = write!(text, "{title:>18}");
    }
    text.push('\n');
    for run in runs {
        let _ = write!(text, "  {:widest$}", run.label);
        for (_, name) in COLUMNS {
            let value = run.scalars.get(name).and_then(Value::as_f64);
            let shown = value.map_or_else(|| "-".to_owned(), |x| format!("{x:.4e}"));
            let _ = write!(text, "{shown:>18}");
        }
        text.push('\n');
    }
    text
}
