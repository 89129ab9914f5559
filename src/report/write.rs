//! The only place that writes a run to disk: whole files or none.

use super::html::{Picture, html};
use super::{json, npz};
use crate::error::{Error, Result};
use crate::figures::{self, Figure};
use crate::run::Run;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes `scenario.toml`, `trajectory.npz`, the `figures` (as [`figures::figures`] makes them, or none) into `figures/*`, `report.html`
/// and, last, `report.json` into `folder` (made if missing).
///
/// A `report.json` of an earlier run is removed first, so that a folder holding one holds all its files.
///
/// # Errors
/// [`Error::Io`] with the path that could not be written.
pub fn write_all(run: &Run, figures: &[Figure], folder: &Path) -> Result<()> {
    create_folder(folder)?;
    let report = folder.join("report.json");
    match fs::remove_file(&report) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(cannot_write(&report, e)),
        _ => {}
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
    write_file(&folder.join("report.html"), html(run, &drawn).as_bytes())?;
    write_file(&report, json(run).as_bytes())
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

/// Makes a folder and its ancestors.
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn create_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|e| cannot_write(folder, e))
}

/// The error of a place that cannot be written.
pub(super) fn cannot_write(path: &Path, error: io::Error) -> Error {
    let advice = format!("cannot write here ({error}); choose another folder with --out");
    Error::io(path, io::Error::new(error.kind(), advice))
}

/// Temporary neighbours: between these are six letters or digits.
const PREFIX: &str = ".marginflow-";
const SUFFIX: &str = ".tmp";

/// Whether this is the name of a file that [`write_file`] has not renamed yet.
pub(super) fn is_temporary(name: &str) -> bool {
    name.strip_prefix(PREFIX)
        .is_some_and(|rest| rest.ends_with(SUFFIX))
}

/// Writes a file whole: into a temporary neighbour, flushed, then renamed over it.
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    write_whole(path, |file| file.write_all(bytes))
}

/// [`write_file`] of what `content` writes.
fn write_whole(path: &Path, content: impl FnOnce(&mut File) -> io::Result<()>) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || -> io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(PREFIX)
            .suffix(SUFFIX)
            .tempfile_in(folder)?;
        content(file.as_file_mut())?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            file.as_file()
                .set_permissions(fs::Permissions::from_mode(0o644))?;
        }
        file.as_file().sync_all()?;
        file.persist(path).map_err(|e| e.error)?;
        Ok(())
    };
    write().map_err(|e| cannot_write(path, e))
}
