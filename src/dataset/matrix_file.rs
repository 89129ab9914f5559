//! Matrices in files: CSV without a header line, or NumPy `.npy`.
//!
//! The extension decides: `.npy` (upper or lower case), otherwise CSV. Every entry read is finite. Positions in
//! errors count from 1; the row of a CSV file is its line, as an editor shows it.

use super::npy;
use crate::error::{Error, Result};
use nalgebra::DMatrix;
use std::path::Path;

/// Reads a matrix, one row per line.
///
/// `.npy` arrays have one dimension (read as a column) or two, of floating-point numbers or integers.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::Data`] as for [`parse_matrix`].
pub fn read_matrix(path: &Path) -> Result<DMatrix<f64>> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    parse_matrix(path, &bytes)
}

/// Parses `bytes`, the contents of a file named `path`; opens no file.
///
/// # Errors
/// [`Error::Data`] if it is empty, ragged, or has an entry that is not a finite number; or if the header of a `.npy`
/// file does not describe what follows it.
///
/// ```
/// use marginflow::dataset::parse_matrix;
/// let x = parse_matrix("x.csv".as_ref(), b"1, 2\n3, 4\n")?;
/// assert_eq!(x[(1, 0)], 3.0);
/// # Ok::<(), marginflow::error::Error>(())
/// ```
pub fn parse_matrix(path: &Path, bytes: &[u8]) -> Result<DMatrix<f64>> {
    let is_npy = path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("npy"));
    if is_npy {
        npy::parse(path, bytes)
    } else {
        parse_csv(path, text(path, bytes)?)
    }
}

/// The bytes as text, or an error at the first line that is not UTF-8.
pub(super) fn text<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|e| {
        let row = line_at(bytes, e.valid_up_to());
        Error::data(path, "not UTF-8 text (a CSV file is expected)").at_row(row)
    })
}

/// A CSV parser that trims fields and accepts ragged rows, so that our own error can say what was expected.
pub(super) fn csv_reader(text: &str, header: bool) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .has_headers(header)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes())
}

/// The line (from 1) a record starts on. The parser's own count is taken before the blank lines it skips and the
/// second half of a CRLF, so the line is counted again, only on errors.
pub(super) fn line_of(text: &str, record: &csv::StringRecord) -> usize {
    let bytes = text.as_bytes();
    let mut start = record.position().map_or(0, |p| p.byte() as usize);
    while bytes.get(start).is_some_and(|b| matches!(b, b'\r' | b'\n')) {
        start += 1;
    }
    line_at(bytes, start)
}

fn line_at(bytes: &[u8], offset: usize) -> usize {
    1 + bytes[..offset.min(bytes.len())]
        .iter()
        .filter(|&&b| b == b'\n')
        .count()
}

/// Why a field is not a finite number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotANumber {
    #[error("empty field, expected a number")]
    Empty,
    #[error("`{}` is not a number", shown(.0))]
    Text(String),
    #[error("`{}` is not a finite number", shown(.0))]
    Infinite(String),
}

/// One field as a finite number.
pub(super) fn finite_number(field: &str) -> std::result::Result<f64, NotANumber> {
    match field.parse::<f64>() {
        Ok(x) if x.is_finite() => Ok(x),
        Ok(_) => Err(NotANumber::Infinite(field.to_owned())),
        Err(_) if field.is_empty() => Err(NotANumber::Empty),
        Err(_) => Err(NotANumber::Text(field.to_owned())),
    }
}

/// A field as shown in a message: short, and without control characters, which a terminal would obey.
pub(super) fn shown(field: &str) -> String {
    const LONGEST: usize = 40;
    let mut shown = String::new();
    for (k, c) in field.chars().enumerate() {
        if k == LONGEST {
            return shown + "...";
        }
        if c.is_control() {
            shown.extend(c.escape_debug());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// The error for a row with the wrong number of fields.
pub(super) fn ragged(
    path: &Path,
    row: usize,
    found: usize,
    expected: usize,
    first: usize,
) -> Error {
    Error::data(
        path,
        format!("ragged: {found} fields, but row {first} has {expected}"),
    )
    .at_row(row)
}

fn parse_csv(path: &Path, text: &str) -> Result<DMatrix<f64>> {
    let mut entries = Vec::new();
    let mut columns = 0;
    let mut rows = 0;
    let mut first = 1;
    for record in csv_reader(text, false).records() {
        let record = record.map_err(|e| Error::data(path, e.to_string()))?;
        if rows == 0 {
            columns = record.len();
            first = line_of(text, &record);
        } else if record.len() != columns {
            let row = line_of(text, &record);
            return Err(ragged(path, row, record.len(), columns, first));
        }
        for (column, field) in record.iter().enumerate() {
            let entry = finite_number(field).map_err(|why| {
                let hint = match why {
                    NotANumber::Empty | NotANumber::Text(_) if rows == 0 => {
                        " (the file must have no header line; [dataset.table] reads files that have one)"
                    }
                    _ => "",
                };
                Error::data(path, format!("{why}{hint}"))
                    .at_row(line_of(text, &record))
                    .at_column(column + 1)
            })?;
            entries.push(entry);
        }
        rows += 1;
    }
    if entries.is_empty() {
        return Err(Error::data(path, "the file is empty, expected numbers"));
    }
    Ok(DMatrix::from_row_slice(rows, columns, &entries))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::dmatrix;

    fn csv(text: &str) -> Result<DMatrix<f64>> {
        parse_csv(Path::new("x.csv"), text)
    }

    #[test]
    fn csv_entries_stand_where_the_file_has_them() {
        let expected = dmatrix![1.0, -2.5; 3e-4, 4.0; 5.0, 6.0];
        assert_eq!(csv("1, -2.5\n3e-4,4\n5,6").unwrap(), expected);
        assert_eq!(
            csv("\u{feff}1,-2.5\r\n\r\n3e-4,4\r\n5,6\r\n").unwrap(),
            expected
        );
    }

    #[test]
    fn csv_errors_name_the_line_an_editor_shows() {
        let cases = [
            ("1,2\n3,x\n", "x.csv, row 2, column 2: `x` is not a number"),
            (
                "1,2\r\n\r\n\r\n3,nan\r\n",
                "x.csv, row 4, column 2: `nan` is not a finite number",
            ),
            (
                "\n\n1,2\n3,1e999\n",
                "x.csv, row 4, column 2: `1e999` is not a finite number",
            ),
            (
                "1,2\n\n3\n",
                "x.csv, row 3: ragged: 1 fields, but row 1 has 2",
            ),
            ("1,2\n3,\n", "x.csv, row 2, column 2: empty field"),
            (
                "a,b\n1,2\n",
                "x.csv, row 1, column 1: `a` is not a number (the file must have no header line",
            ),
            ("", "x.csv: the file is empty"),
            (" \n\n", "x.csv"),
        ];
        for (text, expected) in cases {
            let error = csv(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text:?}: {error}");
        }
    }
}
