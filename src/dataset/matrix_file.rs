//! Matrices in files: CSV without a header line, or NumPy `.npy`.
//!
//! Which of the two is decided by the extension: `.npy`, in any case, or else CSV. Every entry read is finite.
//! Positions in errors count from 1; the row of a CSV file is its line, as an editor shows it.

use crate::error::{Error, Result};
use nalgebra::DMatrix;
use npyz::{NpyFile, NpyHeader, Order, TypeChar};
use std::path::Path;

/// Reads a matrix, one row per line.
///
/// `.npy` arrays have one dimension (read as a column) or two, of floating-point numbers or integers.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::Data`] if it is empty, ragged, or has an entry that is not a
/// finite number.
pub fn read_matrix(path: &Path) -> Result<DMatrix<f64>> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let is_npy = path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("npy"));
    if is_npy {
        parse_npy(path, &bytes)
    } else {
        parse_csv(path, text(path, &bytes)?)
    }
}

/// The bytes as text, or an error at the first line that is not UTF-8.
pub(super) fn text<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|e| {
        let row = line_at(bytes, e.valid_up_to());
        Error::data(path, "not UTF-8 text (a CSV file is expected)").at_row(row)
    })
}

/// A CSV parser that trims fields and leaves ragged rows to us, so that the error can say what was expected.
pub(super) fn csv_reader(text: &str, header: bool) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .has_headers(header)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes())
}

/// The line (from 1) a record starts on. The parser's own count stands before the blank lines it skips and the
/// second half of a CRLF, so the line is counted afresh, on errors only.
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

/// One field as a finite number, or the message that says why not.
pub(super) fn finite_number(field: &str) -> std::result::Result<f64, String> {
    match field.parse::<f64>() {
        Ok(x) if x.is_finite() => Ok(x),
        Ok(_) => Err(format!("`{field}` is not a finite number")),
        Err(_) if field.is_empty() => Err("empty field, expected a number".into()),
        Err(_) => Err(format!("`{}` is not a number", shortened(field))),
    }
}

/// A field short enough for a message.
pub(super) fn shortened(field: &str) -> String {
    const LONGEST: usize = 40;
    if field.chars().count() <= LONGEST {
        return field.to_owned();
    }
    field.chars().take(LONGEST).chain("...".chars()).collect()
}

/// How many fields a row has against how many it should have.
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
            let entry = finite_number(field).map_err(|mut message| {
                if rows == 0 && field.parse::<f64>().is_err() {
                    message += " (the file must have no header line; [dataset.table] reads files that have one)";
                }
                Error::data(path, message)
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

fn parse_npy(path: &Path, bytes: &[u8]) -> Result<DMatrix<f64>> {
    let invalid = |e: std::io::Error| Error::data(path, format!("not a valid .npy file: {e}"));
    let mut data = bytes;
    let header = NpyHeader::from_reader(&mut data).map_err(invalid)?;
    let file = NpyFile::with_header(header, data);
    let npyz::DType::Plain(kind) = file.dtype() else {
        return Err(Error::data(
            path,
            "structured .npy arrays cannot be read, only plain numbers",
        ));
    };
    let (rows, columns) = match *file.shape() {
        [n] => (n, 1),
        [n, d] => (n, d),
        ref shape => {
            let message = format!(
                "a {}-dimensional array, expected one or two dimensions",
                shape.len()
            );
            return Err(Error::data(path, message));
        }
    };
    let size = (rows.checked_mul(columns)).and_then(|n| n.checked_mul(kind.num_bytes()? as u64));
    if size.is_none_or(|size| size > data.len() as u64) {
        let message = format!("the file is too short for its {rows} x {columns} array of {kind}");
        return Err(Error::data(path, message));
    }
    if rows == 0 || columns == 0 {
        return Err(Error::data(
            path,
            format!("the array is empty ({rows} x {columns})"),
        ));
    }
    let (rows, columns) = (rows as usize, columns as usize);
    let order = file.order();
    let entries: Vec<f64> = match (kind.type_char(), kind.size_field()) {
        (TypeChar::Float, 8) => file.into_vec::<f64>().map_err(invalid)?,
        (TypeChar::Float, 4) => widened::<f32>(file).map_err(invalid)?,
        (TypeChar::Int, 1) => widened::<i8>(file).map_err(invalid)?,
        (TypeChar::Int, 2) => widened::<i16>(file).map_err(invalid)?,
        (TypeChar::Int, 4) => widened::<i32>(file).map_err(invalid)?,
        (TypeChar::Uint, 1) => widened::<u8>(file).map_err(invalid)?,
        (TypeChar::Uint, 2) => widened::<u16>(file).map_err(invalid)?,
        (TypeChar::Uint, 4) => widened::<u32>(file).map_err(invalid)?,
        // Labels written by NumPy are int64 by default; 2^53 and beyond round to the nearest f64.
        (TypeChar::Int, 8) => {
            let integers = file.into_vec::<i64>().map_err(invalid)?;
            integers.into_iter().map(|i| i as f64).collect()
        }
        _ => {
            let message =
                format!("an array of {kind}, expected floating-point numbers (f4, f8) or integers");
            return Err(Error::data(path, message));
        }
    };
    let matrix = match order {
        Order::C => DMatrix::from_row_slice(rows, columns, &entries),
        Order::Fortran => DMatrix::from_column_slice(rows, columns, &entries),
    };
    match finite_or_position(&matrix) {
        None => Ok(matrix),
        Some((row, column)) => {
            let message = format!("{} is not a finite number", matrix[(row, column)]);
            Err(Error::data(path, message)
                .at_row(row + 1)
                .at_column(column + 1))
        }
    }
}

fn widened<T: npyz::Deserialize + Into<f64>>(file: NpyFile<&[u8]>) -> std::io::Result<Vec<f64>> {
    Ok(file.into_vec::<T>()?.into_iter().map(Into::into).collect())
}

/// Row and column (from 0) of the first entry, row by row, that is not finite.
fn finite_or_position(matrix: &DMatrix<f64>) -> Option<(usize, usize)> {
    (0..matrix.nrows())
        .flat_map(|row| (0..matrix.ncols()).map(move |column| (row, column)))
        .find(|&position| !matrix[position].is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::dmatrix;
    use npyz::WriterBuilder;

    fn csv(text: &str) -> Result<DMatrix<f64>> {
        parse_csv(Path::new("x.csv"), text)
    }

    fn npy<T: npyz::AutoSerialize + Copy>(shape: &[u64], order: Order, entries: &[T]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = npyz::WriteOptions::new()
            .default_dtype()
            .shape(shape)
            .order(order)
            .writer(&mut bytes)
            .begin_nd()
            .unwrap();
        writer.extend(entries.iter().copied()).unwrap();
        writer.finish().unwrap();
        bytes
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

    #[test]
    fn npy_reads_both_orders_and_every_plain_number() {
        let path = Path::new("x.npy");
        let expected = dmatrix![1.0, 2.0, 3.0; 4.0, 5.0, 6.0];
        let rows = npy(&[2, 3], Order::C, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let columns = npy(&[2, 3], Order::Fortran, &[1.0_f32, 4.0, 2.0, 5.0, 3.0, 6.0]);
        let integers = npy(&[2, 3], Order::C, &[1_i64, 2, 3, 4, 5, 6]);
        for bytes in [rows, columns, integers] {
            assert_eq!(parse_npy(path, &bytes).unwrap(), expected);
        }
        let vector = npy(&[2], Order::C, &[-1_i8, 1]);
        assert_eq!(parse_npy(path, &vector).unwrap(), dmatrix![-1.0; 1.0]);
    }

    #[test]
    fn npy_that_is_not_a_finite_matrix_is_refused() {
        let path = Path::new("x.npy");
        let message = |bytes: &[u8]| parse_npy(path, bytes).unwrap_err().to_string();
        let good = npy(&[2, 2], Order::C, &[1.0, 2.0, 3.0, 4.0]);
        assert!(message(&good[..good.len() - 8]).contains("too short for its 2 x 2 array"));
        assert!(message(b"1,2\n").contains("not a valid .npy file"));
        let infinite = npy(&[2, 2], Order::C, &[1.0, 2.0, f64::INFINITY, 4.0]);
        assert!(message(&infinite).starts_with("x.npy, row 2, column 1: inf is not a finite"));
        assert!(message(&npy(&[1, 1, 1], Order::C, &[1.0])).contains("3-dimensional"));
        assert!(message(&npy::<f64>(&[0, 3], Order::C, &[])).contains("empty (0 x 3)"));
        assert!(message(&npy(&[1], Order::C, &[true])).contains("expected floating-point"));
    }

    #[test]
    fn a_shape_larger_than_the_file_allocates_nothing() {
        // The header is padded with spaces: a longer shape in the same place.
        let mut bytes = npy(&[2, 2], Order::C, &[1.0, 2.0, 3.0, 4.0]);
        let old = b"(2, 2, ), }         ";
        let at = bytes.windows(old.len()).position(|w| w == old).unwrap();
        bytes[at..at + old.len()].copy_from_slice(b"(7777777777, 2, ), }");
        let error = parse_npy(Path::new("x.npy"), &bytes)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("too short for its 7777777777 x 2 array"),
            "{error}"
        );
    }
}
