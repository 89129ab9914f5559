//! NumPy's `.npy` files (format versions 1 to 3), read as NumPy's own reader does: the magic string, a version, the
//! length of a header, the header, and then only the array.
//!
//! The header is a Python dictionary of three entries, `{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }`.
//! What it says is checked against the number of bytes present before anything is allocated.

use super::matrix_file::shown;
use crate::error::{Error, Result};
use nalgebra::DMatrix;
use std::path::Path;

/// The matrix in the bytes of a `.npy` file: one row per index of the first dimension.
///
/// # Errors
/// [`Error::Data`] for a header that is not NumPy's or does not fit what follows it, for an array that is not of plain
/// numbers, is empty, or has neither one nor two dimensions, and for entries that are not finite.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<DMatrix<f64>> {
    let (header, data) = split(bytes)
        .and_then(|(header, data)| Ok((Header::parse(header)?, data)))
        .map_err(|why| Error::data(path, format!("not a valid .npy file: {why}")))?;
    let Some(kind) = header.kind else {
        let message = "structured .npy arrays cannot be read, only plain numbers";
        return Err(Error::data(path, message));
    };
    let Some(decode) = decoder(kind) else {
        let kind = shown(kind);
        let message =
            format!("an array of {kind}, expected floating-point numbers (f4, f8) or integers");
        return Err(Error::data(path, message));
    };
    let (rows, columns) = match header.shape[..] {
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
    let array = format!("{rows} x {columns} array of {kind}");
    let size = (rows.checked_mul(columns)).and_then(|n| n.checked_mul(decode.width));
    match size {
        Some(0) => {
            let message = format!("the array is empty ({rows} x {columns})");
            return Err(Error::data(path, message));
        }
        Some(size) if size < data.len() => {
            let message = format!(
                "{} bytes follow its {array}: save one array per file, with its true shape",
                data.len() - size
            );
            return Err(Error::data(path, message));
        }
        Some(size) if size == data.len() => {}
        _ => {
            let message = format!("the file is too short for its {array}");
            return Err(Error::data(path, message));
        }
    }
    let entries = (decode.entries)(data);
    let matrix = match header.fortran_order {
        false => DMatrix::from_row_slice(rows, columns, &entries),
        true => DMatrix::from_vec(rows, columns, entries),
    };
    match first_not_finite(&matrix) {
        None => Ok(matrix),
        Some((row, column)) => {
            let message = format!("{} is not a finite number", matrix[(row, column)]);
            Err(Error::data(path, message)
                .at_row(row + 1)
                .at_column(column + 1))
        }
    }
}

/// Row and column (from 0) of the first entry, row by row, that is not finite.
fn first_not_finite(matrix: &DMatrix<f64>) -> Option<(usize, usize)> {
    (0..matrix.nrows())
        .flat_map(|row| (0..matrix.ncols()).map(move |column| (row, column)))
        .find(|&position| !matrix[position].is_finite())
}

/// Why the beginning of a file is not a header written by NumPy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum HeaderError {
    #[error("it does not start with NumPy's mark")]
    NoMark,
    #[error("it ends within its header")]
    Short,
    #[error("its version, {major}.{minor}, is unknown")]
    Version { major: u8, minor: u8 },
    #[error("its header is not text")]
    NotText,
    #[error("its header has an unknown entry `{}`", shown(.0))]
    UnknownEntry(String),
    #[error("its header has no entry `{0}`")]
    NoEntry(&'static str),
    /// What was expected where the header ended.
    #[error("its header ends where {0} is expected")]
    Ends(String),
    /// Something other than what was expected.
    #[error("its header has `{}` where {wanted} is expected", shown(found))]
    Unexpected { found: String, wanted: String },
}

/// The result of reading a header.
type Parsed<T> = std::result::Result<T, HeaderError>;

/// Splits a file into header and array.
fn split(bytes: &[u8]) -> Parsed<(&str, &[u8])> {
    let rest = (bytes.strip_prefix(b"\x93NUMPY")).ok_or(HeaderError::NoMark)?;
    let (length, rest) = match *rest {
        [1, 0, a, b, ref rest @ ..] => (usize::from(u16::from_le_bytes([a, b])), rest),
        [2 | 3, 0, a, b, c, d, ref rest @ ..] => (u32::from_le_bytes([a, b, c, d]) as usize, rest),
        [1..=3, 0, ..] | [] | [_] => return Err(HeaderError::Short),
        [major, minor, ..] => return Err(HeaderError::Version { major, minor }),
    };
    let (header, data) = (rest.split_at_checked(length)).ok_or(HeaderError::Short)?;
    let header = std::str::from_utf8(header).map_err(|_| HeaderError::NotText)?;
    Ok((header, data))
}

/// What a header says about its array.
#[derive(Debug, PartialEq)]
struct Header<'a> {
    /// The type of an entry, e.g. `<f8`; `None` if entries have several fields.
    kind: Option<&'a str>,
    /// Whether entries are stored column by column.
    fortran_order: bool,
    shape: Vec<usize>,
}

impl<'a> Header<'a> {
    fn parse(text: &'a str) -> Parsed<Self> {
        let mut rest = Literal(text);
        let (mut kind, mut fortran_order, mut shape) = (None, None, None);
        rest.expect("{")?;
        while !rest.accept("}") {
            let key = rest.string()?;
            rest.expect(":")?;
            match key {
                // a list of fields, of whatever kinds: nothing after it matters
                "descr" if rest.accept("[") => {
                    return Ok(Self {
                        kind: None,
                        fortran_order: false,
                        shape: Vec::new(),
                    });
                }
                "descr" => kind = Some(rest.string()?),
                "fortran_order" => fortran_order = Some(rest.boolean()?),
                "shape" => shape = Some(rest.shape()?),
                _ => {
                    return Err(HeaderError::UnknownEntry(key.to_owned()));
                }
            }
            if !rest.accept(",") {
                rest.expect("}")?;
                break;
            }
        }
        rest.end()?;
        Ok(Self {
            kind: Some(kind.ok_or(HeaderError::NoEntry("descr"))?),
            fortran_order: fortran_order.ok_or(HeaderError::NoEntry("fortran_order"))?,
            shape: shape.ok_or(HeaderError::NoEntry("shape"))?,
        })
    }
}

/// The unread rest of a Python literal; spaces between its tokens do not matter.
struct Literal<'a>(&'a str);

impl<'a> Literal<'a> {
    fn accept(&mut self, token: &str) -> bool {
        match self.0.trim_ascii_start().strip_prefix(token) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> Parsed<()> {
        match self.accept(token) {
            true => Ok(()),
            false => Err(self.expected(&format!("`{token}`"))),
        }
    }

    fn expected(&self, what: &str) -> HeaderError {
        let wanted = what.to_owned();
        match self.0.trim_ascii_start() {
            "" => HeaderError::Ends(wanted),
            rest => HeaderError::Unexpected {
                found: rest.to_owned(),
                wanted,
            },
        }
    }

    fn string(&mut self) -> Parsed<&'a str> {
        let quote = ["'", "\""].into_iter().find(|quote| self.accept(quote));
        let cut = quote.and_then(|quote| self.0.split_once(quote));
        let (string, rest) = cut.ok_or_else(|| self.expected("a quoted name"))?;
        self.0 = rest;
        Ok(string)
    }

    fn boolean(&mut self) -> Parsed<bool> {
        if self.accept("True") {
            return Ok(true);
        }
        self.expect("False").map(|()| false)
    }

    fn shape(&mut self) -> Parsed<Vec<usize>> {
        let mut shape = Vec::new();
        self.expect("(")?;
        while !self.accept(")") {
            let text = self.0.trim_ascii_start();
            let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let length = text[..digits].parse();
            shape.push(length.map_err(|_| self.expected("a length of the array"))?);
            self.0 = &text[digits..];
            if !self.accept(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(shape)
    }

    fn end(&self) -> Parsed<()> {
        match self.0.trim_ascii_start() {
            "" => Ok(()),
            _ => Err(self.expected("its end")),
        }
    }
}

/// Converts the bytes of all entries to numbers.
type Entries = Box<dyn Fn(&[u8]) -> Vec<f64>>;

/// How entries become numbers.
struct Decoder {
    /// Bytes per entry.
    width: usize,
    entries: Entries,
}

/// The decoder for a kind as NumPy writes it: byte order, letter, bytes per entry.
fn decoder(kind: &str) -> Option<Decoder> {
    let (order, number) = kind.split_at_checked(1)?;
    let big = match order {
        "<" => false,
        ">" => true,
        "|" if number.ends_with('1') => false,
        _ => return None,
    };
    Some(match number {
        "f8" => entries(big, f64::from_le_bytes),
        "f4" => entries(big, |b| f32::from_le_bytes(b).into()),
        "i1" => entries(big, |b| i8::from_le_bytes(b).into()),
        "i2" => entries(big, |b| i16::from_le_bytes(b).into()),
        "i4" => entries(big, |b| i32::from_le_bytes(b).into()),
        "u1" => entries(big, |b| u8::from_le_bytes(b).into()),
        "u2" => entries(big, |b| u16::from_le_bytes(b).into()),
        "u4" => entries(big, |b| u32::from_le_bytes(b).into()),
        // Labels written by NumPy are int64 by default; 2^53 and beyond round to the nearest f64.
        "i8" => entries(big, |b| i64::from_le_bytes(b) as f64),
        "u8" => entries(big, |b| u64::from_le_bytes(b) as f64),
        _ => return None,
    })
}

fn entries<const WIDTH: usize>(
    big_endian: bool,
    from_little_endian: impl Fn([u8; WIDTH]) -> f64 + 'static,
) -> Decoder {
    let entry = move |bytes: &[u8]| {
        let mut bytes = <[u8; WIDTH]>::try_from(bytes).expect("a chunk of this width");
        if big_endian {
            bytes.reverse();
        }
        from_little_endian(bytes)
    };
    Decoder {
        width: WIDTH,
        entries: Box::new(move |bytes| bytes.chunks_exact(WIDTH).map(&entry).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::dmatrix;
    use npyz::{Order, WriterBuilder};

    fn written<T: npyz::AutoSerialize + Copy>(
        shape: &[u64],
        order: Order,
        entries: &[T],
    ) -> Vec<u8> {
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

    /// A file of version 1.0 with this header before `data`.
    fn headed(header: &str, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(header.len()).unwrap().to_le_bytes();
        [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
    }

    fn read(bytes: &[u8]) -> Result<DMatrix<f64>> {
        parse(Path::new("x.npy"), bytes)
    }

    fn message(bytes: &[u8]) -> String {
        read(bytes).unwrap_err().to_string()
    }

    #[test]
    fn both_orders_and_every_plain_number_are_read() {
        let expected = dmatrix![1.0, 2.0, 3.0; 4.0, 5.0, 6.0];
        let rows = written(&[2, 3], Order::C, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let columns = written(&[2, 3], Order::Fortran, &[1.0_f32, 4.0, 2.0, 5.0, 3.0, 6.0]);
        let integers = written(&[2, 3], Order::C, &[1_i64, 2, 3, 4, 5, 6]);
        for bytes in [rows, columns, integers] {
            assert_eq!(read(&bytes).unwrap(), expected);
        }
        let vector = written(&[2], Order::C, &[-1_i8, 1]);
        assert_eq!(read(&vector).unwrap(), dmatrix![-1.0; 1.0]);
        for kind in ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8"] {
            let width = usize::from(kind.as_bytes()[1] - b'0');
            let mut data = vec![0; width];
            data[width - 1] = 7;
            let header = format!("{{'descr': '>{kind}', 'fortran_order': False, 'shape': (1,)}}");
            assert_eq!(
                read(&headed(&header, &data)).unwrap(),
                dmatrix![7.0],
                "{kind}"
            );
        }
    }

    /// Headers as NumPy 1 and 2, Julia's NPZ and others write them.
    #[test]
    fn headers_are_read_however_they_are_spaced_and_quoted() {
        let data = [0_u8; 16];
        for header in [
            "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1), }          \n",
            "{'descr':'<f8','fortran_order':False,'shape':(2,1)}",
            "{ \"shape\" : ( 2 , 1 , ) , \"descr\" : \"<f8\",\t'fortran_order': True }\n",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }",
        ] {
            assert_eq!(read(&headed(header, &data)).unwrap(), dmatrix![0.0; 0.0]);
        }
    }

    #[test]
    fn what_is_not_a_finite_matrix_is_refused() {
        let good = written(&[2, 2], Order::C, &[1.0, 2.0, 3.0, 4.0]);
        assert!(message(&good[..good.len() - 8]).contains("too short for its 2 x 2 array"));
        let longer = [&good[..], &[0; 8]].concat();
        assert!(message(&longer).contains("8 bytes follow its 2 x 2 array of <f8"));
        let infinite = written(&[2, 2], Order::C, &[1.0, 2.0, f64::INFINITY, 4.0]);
        assert!(message(&infinite).starts_with("x.npy, row 2, column 1: inf is not a finite"));
        assert!(message(&written(&[1, 1, 1], Order::C, &[1.0])).contains("3-dimensional"));
        assert!(message(&written::<f64>(&[0, 3], Order::C, &[])).contains("empty (0 x 3)"));
        assert!(message(&written(&[1], Order::C, &[true])).contains("expected floating-point"));
    }

    #[test]
    fn what_is_wrong_with_a_header_is_said() {
        for (bytes, expected) in [
            (&b"1,2\n"[..], "it does not start with NumPy's mark"),
            (b"\x93NUMPY", "it ends within its header"),
            (b"\x93NUMPY\x01\x00\x76\x00{", "it ends within its header"),
            // four gigabytes of header in a file of thirteen bytes
            (
                b"\x93NUMPY\x02\x00\xff\xff\xff\xff{",
                "it ends within its header",
            ),
            (
                b"\x93NUMPY\x04\x00\x01\x00{",
                "its version, 4.0, is unknown",
            ),
            (b"\x93NUMPY\x01\x00\x01\x00\xff", "its header is not text"),
        ] {
            assert_eq!(
                message(bytes),
                format!("x.npy: not a valid .npy file: {expected}")
            );
        }
        let rest = "'fortran_order': False, 'shape': (1, 1)";
        for (header, expected) in [
            ("", "its header ends where `{` is expected"),
            ("{}", "its header has no entry `descr`"),
            (
                "{'descr': '<f8', 'shape': (1,)}",
                "its header has no entry `fortran_order`",
            ),
            (
                "{'descr': 8}",
                "its header has `8}` where a quoted name is expected",
            ),
            (
                "{'descr': '<f8}",
                "its header has `<f8}` where a quoted name is expected",
            ),
            (
                "{'shape': (1, -1)}",
                "its header has `-1)}` where a length of the array is",
            ),
            (
                "{'shape': (1 1)}",
                "its header has `1)}` where `)` is expected",
            ),
            (
                "{'shape': (99999999999999999999,)}",
                "where a length of the array is expected",
            ),
            (
                "{'fortran_order': 0}",
                "its header has `0}` where `False` is expected",
            ),
            (
                "{'colour': 'red'}",
                "its header has an unknown entry `colour`",
            ),
            (
                &format!("{{'descr': '<f8', {rest}}} x"),
                "has `x` where its end is expected",
            ),
        ] {
            let found = message(&headed(header, &[0; 8]));
            assert!(found.contains(expected), "{header}: {found}");
        }
        let structured = "{'descr': [('x', '<f8')], 'fortran_order': False, 'shape': (1,)}";
        assert!(message(&headed(structured, &[0; 8])).contains("structured .npy arrays"));
        for kind in [
            "f8", "=f8", "<f16", "<c16", "|O", "|f8", "", "<", "é8", "<M8[ns]",
        ] {
            let found = message(&headed(&format!("{{'descr': '{kind}', {rest}}}"), &[0; 8]));
            assert!(
                found.contains(&format!("an array of {kind}, expected")),
                "{found}"
            );
        }
    }

    /// Brackets within brackets, and lengths whose product does not fit.
    #[test]
    fn what_a_header_says_is_believed_only_as_far_as_there_are_bytes() {
        let nested = "[".repeat(60_000);
        assert!(message(&headed(&nested, &[])).contains("where `{` is expected"));
        let nested = format!("{{'shape': {}", "(".repeat(60_000));
        assert!(message(&headed(&nested, &[])).contains("where a length of the array is"));
        for shape in [
            "7777777777, 2",
            "4294967296, 4294967296",
            "18446744073709551615, 1",
        ] {
            let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({shape})}}");
            let array = shape.replace(", ", " x ");
            let expected = format!("too short for its {array} array");
            let found = message(&headed(&header, &[0; 8]));
            assert!(found.contains(&expected), "{found}");
        }
    }
}
