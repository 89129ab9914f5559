//! Files of finished cases: one line of JSON, and the SHA-256 of that line.

use crate::error::{Error, Result};
use crate::storage::{hexadecimal, write_file};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::path::Path;

const SEPARATOR: &str = "\nsha256 ";

/// Writes a record completely or not at all.
///
/// # Errors
/// [`Error::Io`].
pub(super) fn write(path: &Path, record: &impl Serialize) -> Result<()> {
    write_file(path, text(record).as_bytes())
}

/// The record in a file; `None` if there is no file, or a damaged one.
///
/// # Errors
/// [`Error::Io`] if there is a file that cannot be read.
pub(super) fn read<R: DeserializeOwned>(path: &Path) -> Result<Option<R>> {
    match fs::read(path) {
        Ok(bytes) => Ok(parse(&bytes)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io(path, e)),
    }
}

fn text(record: &impl Serialize) -> String {
    let line = serde_json::to_string(record).expect("a record is plain data");
    let digest = hexadecimal(line.as_bytes());
    format!("{line}{SEPARATOR}{digest}\n")
}

fn parse<R: DeserializeOwned>(bytes: &[u8]) -> Option<R> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (line, digest) = text.split_once(SEPARATOR)?;
    if digest.strip_suffix('\n')? != hexadecimal(line.as_bytes()) {
        return None;
    }
    serde_json::from_str(line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_change_of_a_byte_is_seen() {
        let record = (3_usize, "fc".to_owned(), 0.1 + 0.2, vec![Some(3e-17), None]);
        let bytes = text(&record).into_bytes();
        assert_eq!(parse(&bytes), Some(record.clone()));
        let read = |bytes: &[u8]| parse::<(usize, String, f64, Vec<Option<f64>>)>(bytes);
        for i in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[i] ^= 1;
            assert_eq!(read(&damaged), None, "byte {i}");
            assert_eq!(read(&bytes[..i]), None, "the first {i} bytes");
        }
    }
}
