//! Files that are something else than their reader expects, told by their first bytes.

use crate::error::{Error, Result};
use std::path::Path;

/// First bytes, what starts so, and what to do about it.
const KINDS: &[(&[u8], &str, &str)] = &[
    (b"\x1f\x8b", "a gzip file", "unpack it first (gunzip)"),
    (b"BZh", "a bzip2 file", "unpack it first (bunzip2)"),
    (b"\xfd7zXZ\0", "an xz file", "unpack it first (unxz)"),
    (
        b"\x28\xb5\x2f\xfd",
        "a zstd file",
        "unpack it first (unzstd)",
    ),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"),
    (
        b"\x1f\x9d",
        "a file packed by compress (.Z)",
        "unpack it first (uncompress)",
    ),
    (
        b"\xd0\xcf\x11\xe0",
        "an Excel workbook (.xls)",
        "save it as CSV",
    ),
    (b"PAR1", "a Parquet file", "save it as CSV"),
    (
        b"\x89HDF\r\n",
        "an HDF5 file",
        "save its arrays as CSV or .npy",
    ),
    (b"ARROW1", "an Arrow file", "save it as CSV"),
    (
        b"MATLAB 5.0",
        "a MATLAB file (.mat)",
        "save its arrays as CSV or .npy",
    ),
    (
        b"SQLite format 3\0",
        "an SQLite database",
        "save the table as CSV",
    ),
    (
        b"\x80\x02",
        "a Python pickle",
        "save its arrays as CSV or .npy",
    ),
    (
        b"\x80\x03",
        "a Python pickle",
        "save its arrays as CSV or .npy",
    ),
    (
        b"\x80\x04",
        "a Python pickle",
        "save its arrays as CSV or .npy",
    ),
    (
        b"\x80\x05",
        "a Python pickle",
        "save its arrays as CSV or .npy",
    ),
    (b"%PDF", "a PDF document", "save the data as CSV"),
    (b"\xff\xfe", "text in UTF-16", "save it as UTF-8"),
    (b"\xfe\xff", "text in UTF-16", "save it as UTF-8"),
    (
        b"RDX",
        "an R data file",
        "save the table as CSV (write.csv)",
    ),
    (
        b"version https://git-lfs",
        "a Git LFS pointer, not the data",
        "fetch them (git lfs pull)",
    ),
];

/// Words that a text starts with, blank and comment lines and case aside.
const WORDS: &[(&str, &str, &str)] = &[
    (
        "<!doctype html",
        "a page of HTML",
        "download the data themselves",
    ),
    ("<html", "a page of HTML", "download the data themselves"),
    ("@relation", "an ARFF file", "save it as CSV"),
];

/// Refuses files of known kinds that are neither text nor `.npy`.
///
/// # Errors
/// [`Error::Data`] that says what the file is, and what to do.
pub(super) fn refuse_other_kinds(path: &Path, bytes: &[u8]) -> Result<()> {
    let refused =
        |what: &str, advice: &str| Err(Error::data(path, format!("this is {what}: {advice}")));
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        let (what, advice) = zip_archive(path, bytes);
        return refused(what, advice);
    }
    if let Some((_, what, advice)) = KINDS.iter().find(|(start, ..)| bytes.starts_with(start)) {
        return refused(what, advice);
    }
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]).to_lowercase();
    let mut lines = start.lines().map(str::trim);
    let first = lines
        .find(|line| !line.is_empty() && !line.starts_with('%'))
        .unwrap_or_default();
    match WORDS.iter().find(|(word, ..)| first.starts_with(word)) {
        Some((_, what, advice)) => refused(what, advice),
        None => Ok(()),
    }
}

/// Refuses `.npy` files, for readers of text.
///
/// # Errors
/// [`Error::Data`] that says what to do.
pub(super) fn refuse_npy(path: &Path, bytes: &[u8], advice: &str) -> Result<()> {
    match bytes.starts_with(b"\x93NUMPY") {
        true => Err(Error::data(
            path,
            format!("this is a NumPy array (.npy): {advice}"),
        )),
        false => Ok(()),
    }
}

/// What an archive holds is told by the name of its first file, or by its own.
fn zip_archive(path: &Path, bytes: &[u8]) -> (&'static str, &'static str) {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    if extension == "npz" || start.contains(".npy") {
        (
            "a NumPy archive (.npz) of several arrays",
            "save each as .npy (np.save)",
        )
    } else if extension == "xlsx" || start.contains("[Content_Types].xml") {
        ("an Excel workbook (.xlsx)", "save it as CSV")
    } else {
        ("a zip archive", "unpack it first (unzip)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str, bytes: &[u8]) -> Option<String> {
        refuse_other_kinds(Path::new(name), bytes)
            .err()
            .map(|e| e.to_string())
    }

    #[test]
    fn files_are_refused_by_what_they_are() {
        for (name, bytes, expected) in [
            (
                "t.csv.gz",
                &b"\x1f\x8b\x08\x00"[..],
                "t.csv.gz: this is a gzip file: unpack it first",
            ),
            ("t.csv", b"\x1f\x8b\x08\x00", "t.csv: this is a gzip file"),
            (
                "x.npz",
                b"PK\x03\x04\x14\0",
                "x.npz: this is a NumPy archive (.npz)",
            ),
            (
                "x.csv",
                b"PK\x03\x04..........x.npy",
                "x.csv: this is a NumPy archive (.npz)",
            ),
            (
                "t.xlsx",
                b"PK\x03\x04\x14\0",
                "t.xlsx: this is an Excel workbook",
            ),
            ("t.csv", b"PK\x03\x04\x14\0", "t.csv: this is a zip archive"),
            (
                "t.csv",
                b"\xff\xfex\0,\0",
                "t.csv: this is text in UTF-16: save it as UTF-8",
            ),
            (
                "t.csv",
                b"\n % iris\n@RELATION iris\n",
                "t.csv: this is an ARFF file",
            ),
            ("t.csv", b"<!DOCTYPE HTML>", "t.csv: this is a page of HTML"),
        ] {
            let found = refusal(name, bytes).unwrap_or_default();
            assert!(found.starts_with(expected), "{found}");
        }
        for text in ["", "x,y\n1,2\n", "PK,y\n1,2\n", "%x,y\n1,2\n"] {
            assert_eq!(refusal("t.csv", text.as_bytes()), None, "{text:?}");
        }
        assert!(refuse_npy(Path::new("t.csv"), b"\x93NUMPY\x01", "").is_err());
    }
}
