//! Atomic writes: whole files or none.

use crate::error::{Error, Result};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Creates a folder and its ancestors.
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn create_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|e| cannot_write(folder, e))
}

/// The error for a path that cannot be written.
pub(crate) fn cannot_write(path: &Path, error: io::Error) -> Error {
    let advice = format!("cannot write here ({error}); choose another folder with --out");
    Error::io(path, io::Error::new(error.kind(), advice))
}

/// Names of temporary files: six letters or digits between prefix and suffix.
const PREFIX: &str = ".marginflow-";
const SUFFIX: &str = ".tmp";

/// Whether this is the name of a file that [`write_file`] has not renamed yet.
pub(crate) fn is_temporary(name: &str) -> bool {
    name.strip_prefix(PREFIX)
        .is_some_and(|rest| rest.ends_with(SUFFIX))
}

/// Writes a file completely or not at all: into a temporary file next to it, flushed, then renamed over it.
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    write_whole(path, |file| file.write_all(bytes))
}

/// As [`write_file`], with what `content` writes.
///
/// # Errors
/// [`Error::Io`] with the path.
pub(crate) fn write_whole(
    path: &Path,
    content: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<()> {
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
