//! Writes finished runs into their folders, by the atomic writes of [`storage`](crate::storage).

use super::html::{Picture, html};
use super::{json_with_figures, npz};
use crate::error::{Error, Result};
use crate::figures::{self, Figure, Format, Look};
use crate::run::Run;
use crate::storage::{cannot_write, create_folder, write_file, write_whole};
use std::fs;
use std::io;
use std::path::Path;

/// Writes `scenario.toml`, `trajectory.npz`, the `figures` (those of [`figures::figures`], or none) as they are to look
/// into `figures/*`, `certificate.json` if the run has one, `report.html` and, last, `report.json` into `folder`
/// (created if missing).
///
/// A `report.json` of an earlier run is removed first, so that a folder that has one has all its files.
///
/// # Errors
/// [`Error::Io`] with the path that could not be written.
pub fn write_all(run: &Run, figures: &[Figure], look: &Look, folder: &Path) -> Result<()> {
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
        figures => write_figures(figures, look, folder)?,
    };
    if let Some(proved) = &run.certificate {
        write_file(&certificate, proved.json().as_bytes())?;
    }
    write_file(&folder.join("report.html"), html(run, &drawn).as_bytes())?;
    write_file(&report, json_with_figures(run, figures).as_bytes())
}

/// Writes figures into the folder `figures` of `folder`, in the formats of `look`; the figures as pages show them.
///
/// # Errors
/// [`Error::Io`] with the path that could not be written.
pub(crate) fn write_figures<'a>(
    figures: &'a [Figure],
    look: &Look,
    folder: &Path,
) -> Result<Vec<Picture<'a>>> {
    let folder = folder.join("figures");
    create_folder(&folder)?;
    let mut drawn = Vec::with_capacity(figures.len());
    for figure in figures {
        let svg = figures::svg(figure);
        for &format in &look.formats {
            let path = folder.join(format!("{}.{}", figure.id, format.extension()));
            let bytes = match format {
                Format::Svg if look.is_that_of_pages() => svg.clone().into_bytes(),
                _ => figures::picture(figure, look, format)
                    .map_err(|e| Error::io(&path, io::Error::other(e.to_string())))?,
            };
            write_file(&path, &bytes)?;
        }
        drawn.push(Picture { figure, svg });
    }
    Ok(drawn)
}
