//! Who works in a folder, and what is left of those who were killed.

use super::plan::PLAN;
use crate::error::{Error, Result};
use std::fs::{self, File, TryLockError};
use std::path::Path;

/// Whether this is the name of a file that [`write_file`](crate::report::write_file) has not renamed yet: `.tmp` and six letters or digits.
fn is_temporary(name: &str) -> bool {
    name.strip_prefix(".tmp")
        .is_some_and(|rest| rest.len() == 6 && rest.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// Folders of a sweep in which files are written.
const FOLDERS: [&str; 4] = [".", "cases", "figures", "slurm"];

/// A shared lock on a sweep's folder, held while files are written into it. Whoever enters alone removes the temporary files
/// that killed processes have left; with others present, some of these may be theirs. A folder without a plan may be anyone's: nothing is
/// removed there.
#[derive(Debug)]
pub struct Presence {
    _lock: File,
}

impl Presence {
    /// Enters an existing folder.
    ///
    /// # Errors
    /// [`Error::Io`] if its lock cannot be taken, or an orphan not be removed.
    pub fn enter(folder: &Path) -> Result<Self> {
        let path = folder.join(".lock");
        let failed = |e| Error::io(&path, e);
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {
                let planned = folder.join(PLAN).exists();
                let folders: &[&str] = if planned { &FOLDERS } else { &[] };
                folders
                    .iter()
                    .try_for_each(|name| remove_orphans(&folder.join(name)))?;
                lock.unlock().map_err(failed)?;
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(e)) => return Err(failed(e)),
        }
        lock.lock_shared().map_err(failed)?;
        Ok(Self { _lock: lock })
    }
}

fn remove_orphans(folder: &Path) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(Error::io(folder, e)),
    };
    for entry in entries {
        let entry = entry.map_err(|e| Error::io(folder, e))?;
        let temporary = is_temporary(&entry.file_name().to_string_lossy());
        if temporary && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            fs::remove_file(entry.path()).map_err(|e| Error::io(entry.path(), e))?;
        }
    }
    Ok(())
}
