//! Real-world tables: numeric feature columns and one label column, as CSV or in the svmlight format.
//!
//! What can be read in two ways is an error or a caution that names it: a missing label, two spellings of one value in
//! different classes, a row of data instead of a header, a column that counts the rows. What became of every
//! value of the label column is kept with the data, in their [`Account`].

mod columns;
mod labels;
mod sparse;
mod standardise;

use super::Dataset;
use super::account::Account;
use super::fields::{Record, Separator, records};
use super::matrix_file::{NotANumber, finite_number, numbers_between_spaces, ragged, shown, text};
use super::recognised::refuse_npy;
use crate::error::{Error, Result};
use columns::Columns;
use labels::{Classes, Labels, is_missing};
use nalgebra::{DMatrix, DVector};
use standardise::standardise;
use std::path::Path;

/// How to make a binary data set from a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Name of the label column; svmlight files have none.
    pub label: String,
    /// Values labelled +1. Of svmlight files, whose labels are numbers, 1 if empty, and −1 is then the only other one.
    pub positive: Vec<String>,
    /// Values labelled −1; `None`: every value that is not positive. A row whose value is in neither list is left out.
    pub negative: Option<Vec<String>>,
    /// Values that are classes, numbered from 0 in this order, in place of `positive` and `negative`. A row whose value
    /// is not listed is left out.
    pub classes: Option<Vec<String>>,
    /// Names of columns that are left out; every other one beside the label is a feature, in the order of the file.
    pub drop: Vec<String>,
    /// Whether the first row holds the names of the columns. Without it they are named by their numbers, from 1.
    pub header: bool,
    /// What separates fields; `None`: the one of commas, semicolons and tabs that the first row has.
    pub separator: Option<Separator>,
    /// Subtract each column's mean and divide by its population standard deviation, `√(Σ(x−x̄)²/N)` over the kept
    /// rows (by 1 where it is 0).
    pub standardise: bool,
    /// Append a feature equal to 1 (after standardising), so that separating hyperplanes need not pass through 0. Its
    /// weight, the bias, counts in the norm like every other.
    pub constant_feature: bool,
}

/// Rows on the way into a data set.
struct Kept {
    entries: Vec<f64>,
    labels: Vec<f64>,
    /// Where each stands in the file.
    rows: Vec<usize>,
}

impl Table {
    /// Every value of the column `label` that is not in `positive` is negative, every other column is a feature, and
    /// the first row is the header.
    pub fn new(label: &str, positive: &[&str]) -> Self {
        Self {
            label: label.to_owned(),
            positive: positive.iter().map(|&value| value.to_owned()).collect(),
            negative: None,
            classes: None,
            drop: Vec::new(),
            header: true,
            separator: None,
            standardise: false,
            constant_feature: false,
        }
    }

    /// Reads a table of fields. Only the rows kept need to be numeric.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Data`] as for [`Self::parse`].
    pub fn read(&self, path: &Path) -> Result<Dataset> {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        self.parse(path, &bytes)
    }

    /// Parses `bytes`, the contents of a file named `path`; opens no file.
    ///
    /// # Errors
    /// [`Error::Data`] with row (the line) and column for a misplaced quote, a missing label column, a header that
    /// looks like data, a ragged row, a feature that is not a finite number, a label that is missing or looks like
    /// another one, a listed value that never occurs, or when no row or no feature is left.
    pub fn parse(&self, path: &Path, bytes: &[u8]) -> Result<Dataset> {
        refuse_npy(path, bytes, "[dataset.files] reads it")?;
        let text = text(path, bytes)?;
        let mut records = records(path, text, self.separator);
        let empty = || Error::data(path, "the file is empty, expected a header line");
        let first = records.next().ok_or_else(empty)??;
        let columns = Columns::of(path, self, first.row, &first.fields)?;
        self.check_features(path, columns.features.len())?;

        let (first_row, width) = (first.row, first.fields.len());
        let label_column = columns.label + 1;
        let mut labels = Labels::new(path, &self.label, label_column, self.classes());
        let mut kept = Kept::new();
        let data = (!self.header).then_some(Ok(first)).into_iter();
        for record in data.chain(records) {
            let record = record?;
            if record.fields.len() != width {
                return Err(ragged(
                    path,
                    record.row,
                    record.fields.len(),
                    width,
                    first_row,
                ));
            }
            if record.fields.iter().all(|field| field.is_empty()) {
                let message = "no field of this row has anything in it: remove the row";
                return Err(Error::data(path, message).at_row(record.row));
            }
            if let Some(label) = labels.label_of(&record.fields[columns.label], record.row)? {
                kept.add(&record, &columns, label)
                    .map_err(|(column, message)| {
                        Error::data(path, message)
                            .at_row(record.row)
                            .at_column(column + 1)
                    })?;
            }
        }
        let header = columns.check_header(path, |value| labels.has(value))?;
        let values = labels.checked(columns.advice())?;
        let mut cautions: Vec<String> = header.into_iter().collect();
        cautions.extend(about_ids(&columns.ids(&kept.entries, &kept.rows)));
        let account = Account {
            column: self.label.clone(),
            values,
            rows: std::mem::take(&mut kept.rows),
            cautions,
        };
        let names: Vec<&str> = (columns.features.iter())
            .map(|&column| columns.names[column].as_str())
            .collect();
        self.finish(path, &names, kept, account)
            .map_err(|(feature, error)| error.at_column(columns.features[feature] + 1))
    }

    fn classes(&self) -> Classes<'_> {
        fn trimmed(values: &[String]) -> Vec<&str> {
            values.iter().map(|value| value.trim()).collect()
        }
        match &self.classes {
            Some(classes) => Classes::Listed(trimmed(classes)),
            None => Classes::Signs {
                positive: trimmed(&self.positive),
                negative: self.negative.as_deref().map(trimmed),
            },
        }
    }

    fn check_features(&self, path: &Path, features: usize) -> Result<()> {
        match features + usize::from(self.constant_feature) {
            0 => Err(Error::data(path, "no feature columns beside the label")),
            _ => Ok(()),
        }
    }

    /// Standardises, appends the constant feature, and adds to the account what these do; an error stands at a feature.
    fn finish(
        &self,
        path: &Path,
        names: &[&str],
        kept: Kept,
        mut account: Account,
    ) -> std::result::Result<Dataset, (usize, Error)> {
        let labels = DVector::from_vec(kept.labels);
        let mut samples = DMatrix::from_row_slice(labels.len(), names.len(), &kept.entries);
        if self.classes.is_none() && labels.iter().all(|&label| label == labels[0]) {
            account.cautions.push(format!(
                "every sample has the label {:+}: there is one class only",
                labels[0]
            ));
        }
        if self.standardise {
            let constant = standardise(&mut samples).map_err(|feature| {
                let message = format!(
                    "column `{}` has values too large or too close together to standardise",
                    shown(names[feature])
                );
                (feature, Error::data(path, message))
            })?;
            if !constant.is_empty() {
                let columns = quoted(constant.iter().map(|&feature| names[feature]));
                account.cautions.push(format!(
                    "of one value only, and therefore 0 once standardised: {columns}"
                ));
            }
        }
        if self.constant_feature {
            samples = samples.insert_column(names.len(), 1.0);
            account.cautions.push(PENALISED_BIAS.to_owned());
        }
        let data = match &self.classes {
            None => Dataset::new(samples, labels),
            Some(classes) => {
                let of_samples: Vec<usize> = labels.iter().map(|class| *class as usize).collect();
                let data = Dataset::of_classes(samples, &of_samples, classes.len());
                data.map_err(|why| (0, Error::data(path, why.to_string())))?
            }
        };
        Ok(data.with_account(account))
    }
}

/// What a constant feature means for the limit.
const PENALISED_BIAS: &str = "constant-feature: the weight of the constant feature is the bias, and it is penalised: \
                              it counts in the norm of beta, and in its margin, like every other weight, unlike the \
                              free bias of usual support vector machines";

impl Kept {
    fn new() -> Self {
        Self {
            entries: Vec::new(),
            labels: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; the error is the column (from 0) of the first feature that is no number, and why.
    fn add(
        &mut self,
        record: &Record<'_>,
        columns: &Columns,
        label: f64,
    ) -> std::result::Result<(), (usize, String)> {
        self.labels.push(label);
        self.rows.push(record.row);
        for &column in &columns.features {
            let number = finite_number(&record.fields[column]);
            self.entries.push(number.map_err(|why| {
                let name = shown(&columns.names[column]);
                let advice = advice(&why, record, columns, column);
                (column, format!("{why} (column `{name}`{advice})"))
            })?);
        }
        Ok(())
    }
}

/// What to do about a feature that is no number; starts with "; " unless there is nothing to say.
fn advice(why: &NotANumber, record: &Record<'_>, columns: &Columns, column: usize) -> String {
    let field = &record.fields[column];
    let drop = format!("drop = [{:?}]", shown(&columns.names[column]));
    if is_missing(field) {
        return format!(
            "; a missing value: fill it in, remove the row, or leave the column out by {drop}"
        );
    }
    if matches!(why, NotANumber::Infinite(_)) {
        return String::new();
    }
    if field.contains(',') && field.replace(',', "").parse::<f64>().is_ok() {
        return "; write 1.5 for 1,5, and 1000 for 1,000".into();
    }
    if numbers_between_spaces(field) {
        return "; commas, semicolons or tabs separate columns, spaces do not".into();
    }
    let is_text = |c: &&usize| {
        finite_number(&record.fields[**c]).is_err() && !is_missing(&record.fields[**c])
    };
    let texts = columns.features.iter().filter(is_text).count();
    let others = match texts {
        0 | 1 => String::new(),
        n => format!(", one of {n} columns that hold text in this row"),
    };
    format!(
        "{others}; encode categories as numbers, e.g. one column of 0 and 1 for each, or leave the column out \
         by {drop}{}",
        columns.advice()
    )
}

/// The caution about columns that name or count the rows.
fn about_ids(ids: &[&str]) -> Option<String> {
    let (columns, look, them) = match ids {
        [] => return None,
        [_] => (
            "column",
            "looks as if it named or counted the rows, and is taken for a feature",
            "it",
        ),
        _ => (
            "columns",
            "look as if they named or counted the rows, and are taken for features",
            "them",
        ),
    };
    let listed: Vec<String> = ids.iter().map(|id| format!("{:?}", shown(id))).collect();
    Some(format!(
        "{columns} {} {look}: drop = [{}] leaves {them} out",
        quoted(ids.iter().copied()),
        listed.join(", ")
    ))
}

/// "`a`, `b`, …", at most eight of them.
fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const MOST: usize = 8;
    let names: Vec<String> = names.map(|name| format!("`{}`", shown(name))).collect();
    match names.len() {
        0 => "none".into(),
        n if n <= MOST => names.join(", "),
        n => format!("{} and {} more", names[..MOST].join(", "), n - MOST),
    }
}

#[cfg(test)]
mod tests;
