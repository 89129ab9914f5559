//! Sparse data in the format of SVMlight and LIBSVM: `<label> <index>:<value> <index>:<value> … # comment`.
//!
//! A row is a line; indices rise within it, and features that are not there are 0. Indices start from 1, or from 0 if
//! one of them is 0. Labels are numbers.

use super::fields::lines;
use super::matrix_file::{finite_number, shown, text};
use super::recognised::refuse_npy;
use crate::error::{Error, Result};
use std::path::Path;

/// The rows of a file, as sparse as they are there.
#[derive(Debug, Clone, PartialEq)]
pub struct Svmlight {
    labels: Vec<f64>,
    /// The line of each row, from 1.
    rows: Vec<usize>,
    /// Feature, from 0, and value, row after row.
    entries: Vec<(usize, f64)>,
    /// Where each row ends in `entries`.
    ends: Vec<usize>,
    dimension: usize,
    first_index: usize,
}

impl Svmlight {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read; [`Error::Data`] as of [`Self::parse`].
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        Self::parse(path, &bytes)
    }

    /// The rows that the contents of a file named `path` hold; opens no file.
    ///
    /// # Errors
    /// [`Error::Data`] with row and field (from 1) for what is not of this format, for a number that is not finite, for
    /// indices that do not rise, and for a file without rows or features.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        refuse_npy(
            path,
            bytes,
            "it holds no labels; [dataset.files] reads matrices and labels",
        )?;
        let text = text(path, bytes)?;
        let mut file = Self {
            labels: Vec::new(),
            rows: Vec::new(),
            entries: Vec::new(),
            ends: Vec::new(),
            dimension: 0,
            first_index: 1,
        };
        for (row, line) in lines(text) {
            let content = line.split('#').next().unwrap_or_default().trim();
            if !content.is_empty() {
                file.add(content, row).map_err(|(field, message)| {
                    Error::data(path, message).at_row(row).at_column(field + 1)
                })?;
            }
        }
        if file.labels.is_empty() {
            return Err(Error::data(
                path,
                "the file is empty, expected lines of <label> <index>:<value> ...",
            ));
        }
        let indices = || file.entries.iter().map(|(index, _)| *index);
        let Some(largest) = indices().max() else {
            return Err(Error::data(path, "no row has a feature <index>:<value>"));
        };
        file.first_index = usize::from(!indices().any(|index| index == 0));
        file.dimension = largest + 1 - file.first_index;
        for (index, _) in &mut file.entries {
            *index -= file.first_index;
        }
        Ok(file)
    }

    /// Adds a row; the error is the field (from 0) and what is wrong with it.
    fn add(&mut self, content: &str, row: usize) -> std::result::Result<(), (usize, String)> {
        let mut words = content.split_whitespace().enumerate();
        let (_, label) = words.next().unwrap_or_default();
        let label = finite_number(label).map_err(|why| {
            let hint = "a line of an svmlight file starts with its label, one number";
            (0, format!("{why} ({hint})"))
        })?;
        let mut before: Option<usize> = None;
        for (field, word) in words {
            let wrong = |message: String| (field, message);
            let Some((index, value)) = word.split_once(':') else {
                return Err(wrong(format!(
                    "`{}`, expected <index>:<value>",
                    shown(word)
                )));
            };
            if index == "qid" {
                return Err(wrong(
                    "qid: rankings cannot be learned here, only two classes".into(),
                ));
            }
            let index: usize = (index.parse().ok())
                .filter(|index| *index < MOST_FEATURES)
                .ok_or_else(|| {
                    wrong(format!("`{}` is not the index of a feature", shown(index)))
                })?;
            if let Some(before) = before.filter(|before| *before >= index) {
                return Err(wrong(format!(
                    "index {index} after index {before}: indices of a row must rise"
                )));
            }
            before = Some(index);
            let value = finite_number(value).map_err(|why| wrong(why.to_string()))?;
            self.entries.push((index, value));
        }
        self.labels.push(label);
        self.rows.push(row);
        self.ends.push(self.entries.len());
        Ok(())
    }

    /// N.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Never true for a file that was read.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// D: the features up to the largest index.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The index of the first feature: 1, or 0.
    pub fn first_index(&self) -> usize {
        self.first_index
    }

    /// The label of row `n` (from 0) as a number.
    pub(super) fn label(&self, n: usize) -> f64 {
        // adding zero maps -0.0 to 0.0
        self.labels[n] + 0.0
    }

    /// The line of row `n` (from 0).
    pub(super) fn row(&self, n: usize) -> usize {
        self.rows[n]
    }

    /// Features (from 0) and values of row `n` (from 0).
    pub(super) fn entries(&self, n: usize) -> &[(usize, f64)] {
        let start = if n == 0 { 0 } else { self.ends[n - 1] };
        &self.entries[start..self.ends[n]]
    }
}

/// Whether a line starts with a label and an `index:value`.
pub(super) fn is_row(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let is_number = |word: &str| word.parse::<f64>().is_ok();
    let is_entry = |word: &str| {
        word.split_once(':')
            .is_some_and(|(index, value)| is_number(index) && is_number(value))
    };
    words.next().is_some_and(is_number) && words.next().is_some_and(is_entry)
}

/// Indices are below this: more features than any machine holds.
const MOST_FEATURES: usize = 1 << 40;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Svmlight> {
        Svmlight::parse(Path::new("a.svm"), text.as_bytes())
    }

    #[test]
    fn rows_are_as_written() {
        let file = parse("# made by hand\n+1 1:0.5 3:-2 # first\r\n\r\n-1 2:1e1\n1\n").unwrap();
        assert_eq!(
            (file.len(), file.dimension(), file.first_index()),
            (3, 3, 1)
        );
        assert_eq!(file.labels, [1.0, -1.0, 1.0]);
        assert_eq!(file.rows, [2, 4, 5]);
        assert_eq!(file.entries(0), [(0, 0.5), (2, -2.0)]);
        assert_eq!(file.entries(1), [(1, 10.0)]);
        assert_eq!(file.entries(2), []);
        let from_zero = parse("1 0:1 4:2\n-1 1:1\n").unwrap();
        assert_eq!((from_zero.dimension(), from_zero.first_index()), (5, 0));
        assert_eq!(from_zero.entries(1), [(1, 1.0)]);
    }

    #[test]
    fn errors_say_where() {
        for (text, expected) in [
            (
                "1 1:2\nyes 1:2\n",
                "a.svm, row 2, column 1: `yes` is not a number (a line of an svmlight",
            ),
            ("1:2 2:3\n", "a.svm, row 1, column 1: `1:2` is not a number"),
            ("1,2,b\n", "a.svm, row 1, column 1: `1,2,b` is not a number"),
            (
                "1 1:2\n1 2\n",
                "a.svm, row 2, column 2: `2`, expected <index>:<value>",
            ),
            (
                "1 2:1 1:1\n",
                "a.svm, row 1, column 3: index 1 after index 2",
            ),
            (
                "1 2:1 2:1\n",
                "a.svm, row 1, column 3: index 2 after index 2",
            ),
            ("1 x:1\n", "a.svm, row 1, column 2: `x` is not the index"),
            ("1 -1:1\n", "a.svm, row 1, column 2: `-1` is not the index"),
            (
                "1 99999999999999:1\n",
                "a.svm, row 1, column 2: `99999999999999` is not the index",
            ),
            (
                "1 1:nan\n",
                "a.svm, row 1, column 2: `nan` is not a finite number",
            ),
            ("1 1:\n", "a.svm, row 1, column 2: empty field"),
            ("1 qid:3 1:2\n", "a.svm, row 1, column 2: qid"),
            ("# nothing\n", "a.svm: the file is empty"),
            ("1\n-1\n", "a.svm: no row has a feature"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text:?}: {error}");
        }
    }
}
