//! Text as rows of fields: CSV, read strictly.
//!
//! A row is a line, which ends with `\n`, `\r\n` or `\r` alone; blank lines are left out. Spaces around fields do not
//! count. A field that starts with `"` goes to the next single `"`, and `""` within it is a quote; it must end in its
//! own line, and nothing may follow before the separator.
//!
//! Readers of CSV usually take any text: a quote too many opens a field that ends with the next quote, or with the
//! file, and the rows between are gone without a word. Here a quote that is out of place is an error that says where.

use super::matrix_file::shown;
use crate::error::{Error, Result};
use std::borrow::Cow;
use std::path::Path;

/// What stands between the fields of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    Comma,
    Semicolon,
    Tab,
}

impl Separator {
    const ALL: [Self; 3] = [Self::Comma, Self::Semicolon, Self::Tab];

    fn character(self) -> char {
        match self {
            Self::Comma => ',',
            Self::Semicolon => ';',
            Self::Tab => '\t',
        }
    }

    /// In the plural.
    fn name(self) -> &'static str {
        match self {
            Self::Comma => "commas",
            Self::Semicolon => "semicolons",
            Self::Tab => "tabs",
        }
    }

    /// The separator of a file that starts with this line: the only one that stands in it outside of quotes. A comma if
    /// there is none: the line is one field.
    ///
    /// # Errors
    /// The names of those there are, if there are several.
    fn of(line: &str) -> std::result::Result<Self, String> {
        let mut outside = String::new();
        let mut quoted = false;
        for c in line.chars() {
            quoted ^= c == '"';
            if !quoted {
                outside.push(c);
            }
        }
        let found: Vec<Self> = (Self::ALL.into_iter())
            .filter(|separator| outside.contains(separator.character()))
            .collect();
        match found[..] {
            [] => Ok(Self::Comma),
            [only] => Ok(only),
            _ => Err(found
                .iter()
                .map(|s| s.name())
                .collect::<Vec<_>>()
                .join(" and ")),
        }
    }
}

/// The lines of a text that are not blank, numbered from 1 as an editor shows them.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let ended = text.split_inclusive(['\n', '\r']);
    let mut row = 0;
    let mut after_return = false;
    ended.filter_map(move |line| {
        // the second half of a line end that the first half has counted
        let rest_of_end = after_return && line == "\n";
        after_return = line.ends_with('\r');
        if rest_of_end {
            return None;
        }
        row += 1;
        let line = line.trim_end_matches(['\n', '\r']);
        (!line.trim().is_empty()).then_some((row, line))
    })
}

/// The line (from 1) of the byte at `offset`.
pub(super) fn line_at(bytes: &[u8], offset: usize) -> usize {
    let before = &bytes[..offset.min(bytes.len())];
    let ends = (0..before.len()).filter(|&k| match before[k] {
        b'\n' => true,
        b'\r' => bytes.get(k + 1) != Some(&b'\n'),
        _ => false,
    });
    1 + ends.count()
}

/// One row of a file.
pub(super) struct Record<'a> {
    /// Its line.
    pub row: usize,
    pub fields: Vec<Cow<'a, str>>,
}

/// The rows of a file named `path`, separated by `separator`, or by what its first line is separated by. Ends with the
/// first error.
pub(super) fn records<'a>(
    path: &'a Path,
    text: &'a str,
    separator: Option<Separator>,
) -> impl Iterator<Item = Result<Record<'a>>> + 'a {
    let mut separator = separator;
    let mut failed = false;
    lines(text).map_while(move |(row, line)| {
        if failed {
            return None;
        }
        let record = record(path, row, line, &mut separator);
        failed = record.is_err();
        Some(record)
    })
}

fn record<'a>(
    path: &Path,
    row: usize,
    line: &'a str,
    separator: &mut Option<Separator>,
) -> Result<Record<'a>> {
    let between = match *separator {
        Some(separator) => separator,
        None => Separator::of(line).map_err(|names| {
            let message = format!(
                "{names} stand in this row, and it is not said which of them separate fields: keep one of them, or \
                 put fields that hold the others in quotes (in a table, separator = \"semicolon\" or the like says it)"
            );
            Error::data(path, message).at_row(row)
        })?,
    };
    *separator = Some(between);
    let fields = split(line, between.character()).map_err(|(column, misplaced)| {
        Error::data(path, misplaced.to_string())
            .at_row(row)
            .at_column(column)
    })?;
    Ok(Record { row, fields })
}

/// A quote that is out of place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum MisplacedQuote {
    #[error(
        "a quote is opened here, before `{}`, and not closed in this row: remove it, or close it (a field cannot hold \
         a line break)",
        shown(.0)
    )]
    Open(String),
    #[error(
        "`{}` follows the quote that closes the field: quotes go around the whole field, and one inside is doubled",
        shown(.0)
    )]
    Followed(String),
    #[error(
        "a stray quote in `{}`: remove it, or put the whole field in quotes and double the one inside",
        shown(.0)
    )]
    Stray(String),
}

/// The fields of a line, or the column (from 1) of a misplaced quote.
fn split(
    line: &str,
    separator: char,
) -> std::result::Result<Vec<Cow<'_, str>>, (usize, MisplacedQuote)> {
    let space = |c: char| c.is_whitespace() && c != separator;
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let start = rest.trim_start_matches(space);
        let (field, after) = match start.strip_prefix('"') {
            Some(inside) => quoted(inside),
            None => plain(start, separator),
        }
        .map_err(|misplaced| (fields.len() + 1, misplaced))?;
        fields.push(field);
        let after = after.trim_start_matches(space);
        rest = match (after.strip_prefix(separator), after) {
            (Some(next), _) => next,
            (None, "") => return Ok(fields),
            (None, _) => {
                let end = after.find(separator).unwrap_or(after.len());
                let text = after[..end].to_owned();
                return Err((fields.len(), MisplacedQuote::Followed(text)));
            }
        };
    }
}

/// A field and what follows it.
type Field<'a> = std::result::Result<(Cow<'a, str>, &'a str), MisplacedQuote>;

/// The field whose opening quote stands before `inside`.
fn quoted(inside: &str) -> Field<'_> {
    let mut from = 0;
    while let Some(at) = inside[from..].find('"') {
        let quote = from + at;
        if !inside[quote + 1..].starts_with('"') {
            let (field, after) = (inside[..quote].trim(), &inside[quote + 1..]);
            let field = match field.contains('"') {
                true => Cow::Owned(field.replace("\"\"", "\"")),
                false => Cow::Borrowed(field),
            };
            return Ok((field, after));
        }
        from = quote + 2;
    }
    Err(MisplacedQuote::Open(inside.trim().to_owned()))
}

/// The field that `start` begins with, which has no quotes.
fn plain(start: &str, separator: char) -> Field<'_> {
    let (field, after) = start.split_at(start.find(separator).unwrap_or(start.len()));
    let field = field.trim_end();
    match field.contains('"') {
        true => Err(MisplacedQuote::Stray(field.to_owned())),
        false => Ok((Cow::Borrowed(field), after)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Result<Vec<(usize, Vec<String>)>> {
        records(Path::new("t.csv"), text, None)
            .map(|record| record.map(|r| (r.row, r.fields.iter().map(|f| f.to_string()).collect())))
            .collect()
    }

    #[test]
    fn quotes_hold_separators_and_quotes() {
        let text = "\u{feff}a, \"b, c\" ,\"d \"\"e\"\"\"\n\"\",  x ,\n";
        let expected = [(1, vec!["a", "b, c", "d \"e\""]), (2, vec!["", "x", ""])];
        let found = rows(text).unwrap();
        assert_eq!(found.len(), expected.len());
        for ((row, fields), (expected_row, expected)) in found.iter().zip(expected) {
            assert_eq!(
                (*row, fields),
                (
                    expected_row,
                    &expected.iter().map(|f| f.to_string()).collect()
                )
            );
        }
    }

    #[test]
    fn rows_are_lines_whatever_ends_them() {
        for text in [
            "a\n\nb\n\n\nc",
            "a\r\n\r\nb\r\n\r\n\r\nc\r\n",
            "a\r\rb\r\r\rc\r",
            "a\n\rb\r\r\n\nc",
        ] {
            let found: Vec<usize> = rows(text).unwrap().iter().map(|(row, _)| *row).collect();
            assert_eq!(found, [1, 3, 6], "{text:?}");
            let at = text.find('c').unwrap();
            assert_eq!(line_at(text.as_bytes(), at), 6, "{text:?}");
        }
    }

    #[test]
    fn quotes_out_of_place_are_refused_where_they_stand() {
        for (text, row, column, what) in [
            ("x,y\n1,\"a\n2,b\n", 2, 2, "opened here, before `a`"),
            ("x,y\n1,\"a\n2,b\"\n", 2, 2, "opened here"),
            ("x,y\n1,\"a\"5\n", 2, 2, "`5` follows the quote"),
            ("x,y\r\"1\"5,a\r", 2, 1, "`5` follows the quote"),
            ("x,y\n1,a\"\n", 2, 2, "stray quote in `a\"`"),
            ("x,y\n5\" nail,a\n", 2, 1, "stray quote in `5\" nail`"),
            ("x,y\n1, \"a\"\"\n", 2, 2, "opened here"),
            ("x,y\n\"\"\"1,a\n", 2, 1, "opened here"),
            ("x,\"y\n1,a\n", 1, 2, "opened here"),
        ] {
            let error = rows(text).unwrap_err().to_string();
            let start = format!("t.csv, row {row}, column {column}: ");
            assert!(
                error.starts_with(&start) && error.contains(what),
                "{text:?}: {error}"
            );
        }
    }

    #[test]
    fn the_separator_is_the_only_one_there() {
        for (text, expected) in [
            ("a;b", vec!["a", "b"]),
            ("a\tb c", vec!["a", "b c"]),
            ("\"a;1\",b", vec!["a;1", "b"]),
            ("a\t\tb", vec!["a", "", "b"]),
            ("a b", vec!["a b"]),
        ] {
            assert_eq!(rows(text).unwrap()[0].1, expected, "{text:?}");
        }
        let error = rows("\n1,5;2\n").unwrap_err().to_string();
        assert!(
            error.starts_with("t.csv, row 2: commas and semicolons stand in this row"),
            "{error}"
        );
        let text = "1,5\t2;0\n";
        let fields = records(Path::new("t"), text, Some(Separator::Tab))
            .next()
            .unwrap()
            .unwrap()
            .fields;
        assert_eq!(fields, ["1,5", "2;0"]);
    }
}
