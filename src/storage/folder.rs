//! A folder in use: who may write into it, and cleaning up what killed processes left in it.
//!
//! Locks are those of the operating system (a file system without locks excludes nobody), on the file `.lock` of the
//! folder. They are released when the process that holds them ends, however it ends, so that none is ever stale. The
//! content of the file (who holds it) is only for people.

use super::write::{cannot_write, create_folder, is_temporary};
use crate::error::{Error, Result};
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// The file that is locked.
const LOCK: &str = ".lock";

/// Subfolders that hold our files.
const BELOW: [&str; 4] = [".", "figures", "cases", "slurm"];

/// Most attempts to lock a file that others keep removing.
const MOST_TRIES: usize = 100;

/// How long to wait for other processes to clean a folder they share with us.
const PATIENCE: Duration = Duration::from_secs(5);

/// A folder into which this process writes, alone or together with others that allow it. When it is left, folders that
/// were created for it and stayed empty are removed.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    lock: File,
    made: Vec<PathBuf>,
}

impl Folder {
    /// Creates a folder if it is missing, and enters it exclusively.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be created or written, or if another process is in it, with its process ID.
    pub fn alone(path: &Path) -> Result<Self> {
        let mut folder = Self::enter(path, File::try_lock)?;
        folder.sign()?;
        folder.remove_orphans()?;
        Ok(folder)
    }

    /// Creates a folder if it is missing, and enters it together with any number of others that do the same. Whoever
    /// finds nobody there first removes what killed processes have left; if others are present, some of it may be
    /// theirs.
    ///
    /// # Errors
    /// As [`Self::alone`], if another process is in it exclusively.
    pub fn together(path: &Path) -> Result<Self> {
        let begin = Instant::now();
        loop {
            if let Ok(mut folder) = Self::enter(path, File::try_lock) {
                folder.sign()?;
                folder.remove_orphans()?;
                // from exclusive to shared; another process may come in between
                if folder.lock.try_lock_shared().is_ok() {
                    return Ok(folder);
                }
            }
            // another process may be cleaning just now
            match Self::enter(path, File::try_lock_shared) {
                Err(Error::Io { source, .. })
                    if source.kind() == io::ErrorKind::ResourceBusy
                        && begin.elapsed() < PATIENCE =>
                {
                    thread::sleep(Duration::from_millis(20));
                }
                other => return other,
            }
        }
    }

    fn enter(
        path: &Path,
        lock: impl Fn(&File) -> std::result::Result<(), TryLockError>,
    ) -> Result<Self> {
        let missing = path.ancestors().take_while(|p| !p.as_os_str().is_empty());
        let made: Vec<PathBuf> = (missing.take_while(|p| !p.exists()))
            .map(Path::to_owned)
            .collect();
        create_folder(path)?;
        let name = path.join(LOCK);
        for _ in 0..MOST_TRIES {
            let opened = File::options()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .open(&name);
            let mut file = match opened {
                Ok(file) => file,
                // removed, because it stayed empty, by the process that was in it before
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    create_folder(path)?;
                    continue;
                }
                Err(e) => return Err(cannot_write(&name, e)),
            };
            match lock(&file) {
                Ok(()) => {}
                Err(TryLockError::Error(e)) if has_no_locks(&e) => {}
                Err(e) => return Err(refused(path, &mut file, e)),
            }
            // its last holder may have removed it between opening and locking
            if is_same(&file, &name) {
                return Ok(Self {
                    path: path.to_owned(),
                    lock: file,
                    made,
                });
            }
        }
        let busy = io::Error::new(io::ErrorKind::ResourceBusy, "others keep removing it");
        Err(Error::io(name, busy))
    }

    /// Writes who holds the lock.
    fn sign(&mut self) -> Result<()> {
        let text = format!("{}\n{}\n", std::process::id(), host());
        self.lock
            .set_len(0)
            .and_then(|()| self.lock.rewind())
            .and_then(|()| self.lock.write_all(text.as_bytes()))
            .map_err(|e| self.failed(e))
    }

    fn failed(&self, e: io::Error) -> Error {
        cannot_write(&self.path.join(LOCK), e)
    }

    /// Removes files that [`write_file`](super::write_file) was still writing when its process was killed.
    fn remove_orphans(&self) -> Result<()> {
        for folder in BELOW.map(|name| self.path.join(name)) {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(Error::io(folder, e)),
            };
            for entry in entries {
                let entry = entry.map_err(|e| Error::io(&folder, e))?;
                let temporary = is_temporary(&entry.file_name().to_string_lossy());
                if temporary && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                    fs::remove_file(entry.path()).map_err(|e| Error::io(entry.path(), e))?;
                }
            }
        }
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let name = self.path.join(LOCK);
        // the last process to leave removes the lock; if that fails nothing can be done, and nothing depends on it
        if self.lock.try_lock().is_ok() && is_same(&self.lock, &name) {
            let _ = fs::remove_file(name);
        }
        for folder in &self.made {
            // not empty: results are in it
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}

/// The error for a process that comes second, with what the lock says about its holder.
fn refused(path: &Path, lock: &mut File, e: TryLockError) -> Error {
    let error = match e {
        TryLockError::WouldBlock => {
            let mut text = String::new();
            // may be empty for a moment, while its holder signs
            let _ = lock.rewind().and_then(|()| lock.read_to_string(&mut text));
            let mut lines = text.lines().filter(|line| !line.is_empty());
            let who = match (lines.next(), lines.next()) {
                (Some(pid), Some(host)) => format!("process {pid} on {host}"),
                (Some(pid), None) => format!("process {pid}"),
                _ => "another process".into(),
            };
            io::Error::new(
                io::ErrorKind::ResourceBusy,
                format!(
                    "in use by {who}; wait until it has ended, or choose another folder with --out"
                ),
            )
        }
        TryLockError::Error(e) => {
            let advice =
                format!("this folder cannot be locked ({e}); choose another one with --out");
            io::Error::new(e.kind(), advice)
        }
    };
    Error::io(path, error)
}

/// Whether this is a file system without locks (as on some clusters), where nobody can be excluded.
fn has_no_locks(e: &io::Error) -> bool {
    e.kind() == io::ErrorKind::Unsupported
        || [libc::ENOSYS, libc::ENOLCK, libc::EOPNOTSUPP]
            .contains(&e.raw_os_error().unwrap_or_default())
}

/// Whether the open `file` is the one with this name.
fn is_same(file: &File, name: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let [Ok(open), Ok(named)] = [file.metadata(), fs::metadata(name)] else {
            return false;
        };
        (open.dev(), open.ino()) == (named.dev(), named.ino())
    }
    #[cfg(not(unix))]
    {
        file.metadata().is_ok() && name.exists()
    }
}

/// The name of this machine, for people.
fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap());
        let mut names: Vec<String> = entries
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn one_alone_keeps_everybody_out_and_says_who_it_is() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b");
        let here = Folder::alone(&path).unwrap();
        for error in [
            Folder::alone(&path).unwrap_err(),
            Folder::together(&path).unwrap_err(),
        ] {
            assert_eq!(error.exit_code(), 74);
            let expected = format!("in use by process {}", std::process::id());
            assert!(error.to_string().contains(&expected), "{error}");
        }
        drop(here);
        assert!(names(root.path()).is_empty(), "folders that stayed empty");
        Folder::alone(&path).unwrap();
    }

    #[test]
    fn several_together_keep_one_alone_out() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("sweep");
        let first = Folder::together(&path).unwrap();
        let second = Folder::together(&path).unwrap();
        assert!(Folder::alone(&path).is_err());
        drop(first);
        assert!(Folder::alone(&path).is_err());
        fs::write(path.join("plan.json"), "").unwrap();
        drop(second);
        assert_eq!(names(&path), ["plan.json"]);
        Folder::alone(&path).unwrap();
    }

    /// A killed process leaves its lock file, whose lock has been released, and files not yet renamed.
    #[test]
    fn what_killed_processes_left_is_cleaned_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path();
        fs::create_dir(path.join("figures")).unwrap();
        for name in [
            ".lock",
            ".marginflow-Ab3dE6.tmp",
            "figures/.marginflow-x.tmp",
        ] {
            fs::write(path.join(name), "4194305\nelsewhere\n").unwrap();
        }
        for name in ["report.json", ".tmpAb3dE6", "mine.tmp", ".marginflow-mine"] {
            fs::write(path.join(name), "").unwrap();
        }
        let here = Folder::alone(path).unwrap();
        let lock = fs::read_to_string(path.join(".lock")).unwrap();
        assert!(lock.starts_with(&format!("{}\n", std::process::id())));
        drop(here);
        let kept = [
            ".marginflow-mine",
            ".tmpAb3dE6",
            "figures",
            "mine.tmp",
            "report.json",
        ];
        assert_eq!(names(path), kept);
        assert!(names(&path.join("figures")).is_empty());
    }

    #[test]
    fn a_file_where_a_folder_should_be_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        let error = Folder::alone(&root.path().join("file/below")).unwrap_err();
        assert_eq!(error.exit_code(), 74);
        assert_eq!(names(root.path()), ["file"]);
    }
}
