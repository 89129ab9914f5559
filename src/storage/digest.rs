//! Checksums of files written and of what they were made from.

use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// SHA-256, in hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where this program is, if not in the executable that runs.
static FILE: OnceLock<PathBuf> = OnceLock::new();

/// Says that this program is in `file`, as an extension of another program is: checkpoints are those of a build, and
/// the executable says nothing of it. The first call counts, and only before the first checksum.
pub fn program_is(file: PathBuf) {
    let _ = FILE.set(file);
}

/// The checksum of this program: another build may round differently.
///
/// # Errors
/// [`Error::Io`] if it cannot be read.
pub(crate) fn program() -> Result<&'static str> {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    if let Some(digest) = PROGRAM.get() {
        return Ok(digest);
    }
    // the running program, even if its file has been replaced in the meantime
    let running = Path::new("/proc/self/exe");
    let path = match FILE.get() {
        Some(file) => file.clone(),
        None if running.exists() => running.to_owned(),
        None => std::env::current_exe().map_err(|e| Error::io("this program", e))?,
    };
    let bytes = std::fs::read(&path).map_err(|e| Error::io(path, e))?;
    Ok(PROGRAM.get_or_init(|| hexadecimal(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2, appendix B.1.
    #[test]
    fn of_the_standards_example() {
        assert_eq!(
            hexadecimal(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
