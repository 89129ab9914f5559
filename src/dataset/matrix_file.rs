//! Matrices in files: CSV without a header line, or NumPy `.npy`.
//!
//! The extension decides: `.npy` (upper or lower case), otherwise CSV, separated by commas, semicolons or tabs. Every
//! entry read is finite. Positions in errors count from 1; the row of a CSV file is its line, as an editor shows it.

use super::fields::{Record, line_at, records};
use super::npy;
use super::recognised::{refuse_npy, refuse_other_kinds};
use super::svmlight;
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
    Ok(parse_numbered(path, bytes)?.0)
}

/// [`parse_matrix`], and where in the file each row stands (from 1).
pub(super) fn parse_numbered(path: &Path, bytes: &[u8]) -> Result<(DMatrix<f64>, Vec<usize>)> {
    let is_npy = path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("npy"));
    if is_npy {
        refuse_other_kinds(path, bytes)?;
        let matrix = npy::parse(path, bytes)?;
        let rows = (1..=matrix.nrows()).collect();
        return Ok((matrix, rows));
    }
    refuse_npy(path, bytes, "give it a name that ends with .npy")?;
    parse_csv(path, text(path, bytes)?)
}

/// The bytes as text, or an error that says what else they are, or which is the first line that is not UTF-8.
pub(super) fn text<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str> {
    refuse_other_kinds(path, bytes)?;
    std::str::from_utf8(bytes).map_err(|e| {
        let row = line_at(bytes, e.valid_up_to());
        let message = "not UTF-8 text (text of numbers is expected; save it as UTF-8)";
        Error::data(path, message).at_row(row)
    })
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
    const LONGEST: usize = 60;
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

fn parse_csv(path: &Path, text: &str) -> Result<(DMatrix<f64>, Vec<usize>)> {
    let mut entries = Vec::new();
    let mut columns = 0;
    let mut rows = Vec::new();
    for record in records(path, text, None) {
        let Record { row, fields } = record?;
        match rows.first() {
            None => columns = fields.len(),
            Some(&first) if fields.len() != columns => {
                return Err(ragged(path, row, fields.len(), columns, first));
            }
            Some(_) => {}
        }
        for (column, field) in fields.iter().enumerate() {
            let entry = finite_number(field).map_err(|why| {
                let no_numbers = fields.iter().all(|field| finite_number(field).is_err());
                let hint = hint(field, &why, rows.is_empty() && no_numbers);
                Error::data(path, format!("{why}{hint}"))
                    .at_row(row)
                    .at_column(column + 1)
            })?;
            entries.push(entry);
        }
        rows.push(row);
    }
    if entries.is_empty() {
        return Err(Error::data(path, "the file is empty, expected numbers"));
    }
    Ok((DMatrix::from_row_slice(rows.len(), columns, &entries), rows))
}

/// What may be behind a field that is no number.
fn hint(field: &str, why: &NotANumber, in_header: bool) -> &'static str {
    if matches!(why, NotANumber::Infinite(_)) {
        ""
    } else if svmlight::is_row(field) {
        " (this looks like the svmlight format: set format = \"svmlight\")"
    } else if numbers_between_spaces(field) {
        " (spaces do not separate fields: write commas, in NumPy savetxt(..., delimiter=\",\"))"
    } else if in_header {
        " (the file must have no header line; [dataset.table] reads files that have one)"
    } else {
        ""
    }
}

/// Whether a field is several numbers, with spaces between them.
pub(super) fn numbers_between_spaces(field: &str) -> bool {
    field.contains(char::is_whitespace)
        && field
            .split_whitespace()
            .all(|word| word.parse::<f64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::dmatrix;

    fn csv(text: &str) -> Result<DMatrix<f64>> {
        parse_matrix(Path::new("x.csv"), text.as_bytes())
    }

    #[test]
    fn csv_entries_stand_where_the_file_has_them() {
        let expected = dmatrix![1.0, -2.5; 3e-4, 4.0; 5.0, 6.0];
        assert_eq!(csv("1, -2.5\n3e-4,4\n5,6").unwrap(), expected);
        assert_eq!(csv("1;-2.5\r3e-4;4\r5;6").unwrap(), expected);
        assert_eq!(csv("1\t-2.5\n3e-4\t\"4\"\n5\t6").unwrap(), expected);
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
            (
                "1 2\n",
                "x.csv, row 1, column 1: `1 2` is not a number (spaces do not separate",
            ),
            ("1,2\r3,x\r", "x.csv, row 2, column 2: `x` is not a number"),
            (
                "1;2,5\n",
                "x.csv, row 1: commas and semicolons stand in this row",
            ),
            (
                "1,2\n3,\"4\n5,6\n",
                "x.csv, row 2, column 2: a quote is opened here",
            ),
            ("\u{1f}\u{8b}", "x.csv, row 1, column 1"),
            ("", "x.csv: the file is empty"),
            (" \n\n", "x.csv: the file is empty"),
        ];
        for (text, expected) in cases {
            let error = csv(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text:?}: {error}");
        }
    }
}
