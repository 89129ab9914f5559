//! Writes finished runs into their folders, by the atomic writes of [`storage`](crate::storage).

use super::html::{Picture, html};
use super::{json_with_figures, npz};
use crate::error::{Error, Result};
use crate::figures::{self, Figure};
use crate::run::Run;
use crate::storage::{cannot_write, create_folder, write_file, write_whole};
use std::fs;
use std::io;
use std::path::Path;

/// Writes `scenario.toml`, `trajectory.npz`, the `figures` (those of [`figures::figures`], or none) into `figures/*`,
/// `certificate.json` if the run has one, `report.html` and, last, `report.json` into `folder` (created if missing).
///
/// A `report.json` of an earlier run is removed first, so that a folder that has one has all its files.
///
/// # Errors
/// [`Error::Io`] with the path that could not be written.
pub fn write_all(run: &Run, figures: &[Figure], folder: &Path) -> Result<()> {
    create_folder(folder)?;
    let report = folder.join("report.json");
    let certificate = folder.join("certificate.json");
    for earlier in [&report, &certificate] {
        match fs::remove_file(earlier) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(cannot_write(earlier, e)),
            _ => {}
        }
    }
    write_file(
        &folder.join("scenario.toml"),
        run.scenario.resolved.as_bytes(),
    )?;
    let trajectory = folder.join("trajectory.npz");
    write_whole(&trajectory, |file| npz(run, file))?;
    let drawn = match figures {
        [] => Vec::new(),
        figures => write_figures(figures, folder)?,
    };
    if let Some(proved) = &run.certificate {
        write_file(&certificate, proved.json().as_bytes())?;
    }
    write_file(&folder.join("report.html"), html(run, &drawn).as_bytes())?;
    write_file(&report, json_with_figures(run, figures).as_bytes())
}

/// Writes figures into the folder `figures` of `folder`, as SVG and PNG; the figures with their SVG.
///
/// # Errors
/// [`Error::Io`] with the path that could not be written.
pub(crate) fn write_figures<'a>(figures: &'a [Figure], folder: &Path) -> Result<Vec<Picture<'a>>> {
    let folder = folder.join("figures");
    create_folder(&folder)?;
    let mut drawn = Vec::with_capacity(figures.len());
    for figure in figures {
        let path = folder.join(format!("{}.svg", figure.id));
        let svg = figures::svg(figure);
        write_file(&path, svg.as_bytes())?;
        let path = folder.join(format!("{}.png", figure.id));
        let bytes =
            figures::png(figure).map_err(|e| Error::io(&path, io::Error::other(e.to_string())))?;
        write_file(&path, &bytes)?;
        drawn.push(Picture { figure, svg });
    }
    Ok(drawn)
}
