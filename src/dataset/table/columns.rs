//! The columns of a table: which one holds the labels, which are features, and whether the header is one.

use super::{Table, quoted};
use crate::dataset::matrix_file::shown;
use crate::dataset::svmlight;
use crate::error::{Error, Result};
use std::path::Path;

/// The columns of a table, counted from 0.
pub(super) struct Columns {
    /// Of every column.
    pub names: Vec<String>,
    pub label: usize,
    /// In the order of the file.
    pub features: Vec<usize>,
    /// The row of the names; `None` if columns are named by their numbers.
    header: Option<usize>,
}

impl Columns {
    /// The columns that the first row of a file named `path` says there are: the header, or a row like the others.
    pub(super) fn of(
        path: &Path,
        table: &Table,
        row: usize,
        first: &[impl AsRef<str>],
    ) -> Result<Self> {
        let names: Vec<String> = match table.header {
            true => first.iter().map(|name| name.as_ref().to_owned()).collect(),
            false => (1..=first.len()).map(|number| number.to_string()).collect(),
        };
        let mut columns = Self {
            names,
            label: 0,
            features: Vec::new(),
            header: table.header.then_some(row),
        };
        let located = |error: Error| match columns.header {
            Some(row) => error.at_row(row),
            None => error,
        };
        let label = columns.find(path, &table.label, first).map_err(located)?;
        let mut dropped = Vec::with_capacity(table.drop.len());
        for name in &table.drop {
            let column = columns.find(path, name, first).map_err(located)?;
            if column == label {
                let message = format!("`{}` is the label column, and listed in drop", shown(name));
                return Err(located(Error::data(path, message)));
            }
            dropped.push(column);
        }
        let features = (0..columns.names.len()).filter(|c| *c != label && !dropped.contains(c));
        columns.features = features.collect();
        columns.label = label;
        Ok(columns)
    }

    fn find(&self, path: &Path, name: &str, first: &[impl AsRef<str>]) -> Result<usize> {
        let mut matches = (0..self.names.len()).filter(|&column| self.names[column] == name.trim());
        let problem = match (matches.next(), matches.next()) {
            (Some(column), None) => return Ok(column),
            (Some(_), Some(_)) => format!("more than one column is named `{}`", shown(name)),
            (None, _) => {
                let lower = name.trim().to_lowercase();
                let nearly = |other: &&String| other.to_lowercase() == lower;
                let meant = self.names.iter().find(nearly);
                let meant = meant.map_or("; the".into(), |meant| {
                    format!(", did you mean `{}`? The", shown(meant))
                });
                format!(
                    "no column is named `{}`{meant} columns are {}",
                    shown(name),
                    quoted(self.names.iter().map(String::as_str))
                )
            }
        };
        let advice = match (first, self.header) {
            ([only], _) if svmlight::is_row(only.as_ref()) => {
                " (this looks like the svmlight format: set format = \"svmlight\")"
            }
            ([_], _) => " (commas, semicolons or tabs separate columns)",
            (_, None) => " (without a header, columns are named by their numbers, from 1)",
            (_, Some(_)) => self.advice(),
        };
        Err(Error::data(path, format!("{problem}{advice}")))
    }

    /// What to do if the header is a row of data; empty if it does not look like one.
    pub(super) fn advice(&self) -> &'static str {
        let is_number = |name: &String| name.parse::<f64>().is_ok();
        match self.header.is_some() && self.names.iter().any(is_number) {
            true => {
                " (if the first row is no header, set header = false; columns are then named by their numbers, from 1)"
            }
            false => "",
        }
    }

    /// Refuses a header that is the first row of data; a header that only may be one is a caution.
    ///
    /// `is_value`: whether a text is among the labels of the rows below.
    pub(super) fn check_header(
        &self,
        path: &Path,
        is_value: impl Fn(&str) -> bool,
    ) -> Result<Option<String>> {
        let Some(row) = self.header.filter(|_| self.reads_as_data()) else {
            return Ok(None);
        };
        let label = &self.names[self.label];
        let names = quoted(self.features.iter().map(|&c| self.names[c].as_str()));
        if is_value(label) && !self.is_numbered() {
            let message = format!(
                "this row is taken for the header, and looks like a row of data: its names are numbers ({names}), and \
                 other rows have the label `{}` as well; if it is data, set header = false and label = \"{}\" (columns \
                 are then named by their numbers, from 1), or put a header above it",
                shown(label),
                self.label + 1
            );
            return Err(Error::data(path, message).at_row(row));
        }
        Ok(Some(format!(
            "row {row} is taken for the header, and its names are numbers ({names}): if it is a row of data, set \
             header = false"
        )))
    }

    /// Whether the names of all features could stand in a row of data.
    fn reads_as_data(&self) -> bool {
        let mut numbers = 0;
        let all = self.features.iter().all(|&column| {
            let name = &self.names[column];
            let number = name.parse::<f64>().is_ok();
            numbers += usize::from(number);
            number || super::is_missing(name)
        });
        all && numbers > 0
    }

    /// Whether the names count from 0 or 1, as programs name the columns of data without a header.
    fn is_numbered(&self) -> bool {
        let counts_from = |first: usize| {
            let mut numbered = self.names.iter().zip(first..);
            numbered.all(|(name, number)| *name == number.to_string())
        };
        counts_from(0) || counts_from(1)
    }

    /// The features that look as if they named or counted the rows rather than described them: by their names; because
    /// they go up by one from row to row, or with the lines; because they are large whole numbers that hardly repeat.
    ///
    /// `entries` row by row, `rows` where each stands in the file.
    pub(super) fn ids(&self, entries: &[f64], rows: &[usize]) -> Vec<&str> {
        let d = self.features.len();
        let looks_like_id = |(feature, column): &(usize, &usize)| {
            let name = &self.names[**column];
            let values: Vec<f64> = entries.iter().skip(*feature).step_by(d).copied().collect();
            self.header.is_some() && is_id(name)
                || rows.len() >= SOME_ROWS && (counts(&values, rows) || are_numbers_of_ids(values))
        };
        let features = self.features.iter().enumerate().filter(looks_like_id);
        features
            .map(|(_, column)| self.names[*column].as_str())
            .collect()
    }
}

/// Fewer rows than this may count by chance.
const SOME_ROWS: usize = 10;

/// Whether values go up by one from row to row, or with the lines of the rows.
fn counts(values: &[f64], rows: &[usize]) -> bool {
    let by_one = values.windows(2).all(|pair| pair[1] - pair[0] == 1.0);
    let lines = rows.windows(2).map(|pair| (pair[1] - pair[0]) as f64);
    by_one
        || values
            .windows(2)
            .zip(lines)
            .all(|(pair, lines)| pair[1] - pair[0] == lines)
}

/// Whether these are whole numbers, nine in ten of which occur once, and half of which have five digits or more.
fn are_numbers_of_ids(mut values: Vec<f64>) -> bool {
    if values.iter().any(|value| value.fract() != 0.0) {
        return false;
    }
    values.sort_by(f64::total_cmp);
    let median = values[values.len() / 2];
    let all = values.len();
    values.dedup();
    median >= 1e4 && 10 * values.len() >= 9 * all
}

/// Whether a column of this name holds names of rows.
fn is_id(name: &str) -> bool {
    let lower = name.to_lowercase();
    let words = [
        "",
        "id",
        "index",
        "idx",
        "unnamed: 0",
        "row",
        "rownames",
        "row names",
        "id number",
        "sample code number",
    ];
    let ends = ["_id", " id", "-id", ".id"];
    words.contains(&lower.as_str())
        || ends.iter().any(|end| lower.ends_with(end))
        || name.ends_with("Id")
        || name.ends_with("ID")
}
