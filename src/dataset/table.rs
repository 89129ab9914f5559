//! Real-world tables: CSV with a header line, numeric feature columns and one label column.

use super::Dataset;
use super::matrix_file::{csv_reader, finite_number, line_of, ragged, shown, text};
use crate::error::{Error, Result};
use csv::StringRecord;
use nalgebra::{DMatrix, DVector};
use std::collections::BTreeSet;
use std::path::Path;

/// How to make a binary data set from a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Name of the label column; every other column is a feature, in the order of the file.
    pub label: String,
    /// Values labelled +1.
    pub positive: Vec<String>,
    /// Values labelled −1; `None`: every value that is not positive. A row whose value is in neither list is dropped.
    pub negative: Option<Vec<String>>,
    /// Subtract each column's mean and divide by its population standard deviation, `√(Σ(x−x̄)²/N)` over the kept
    /// rows (by 1 where it is 0).
    pub standardise: bool,
    /// Append a feature equal to 1 (after standardising), so that separating hyperplanes need not pass through 0.
    pub constant_feature: bool,
}

impl Table {
    /// Reads the table. Only the rows kept need to be numeric.
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
    /// [`Error::Data`] with row (the line, the header being line 1) and column for a missing label column, a ragged
    /// row, an entry that is not a finite number, a listed value that never occurs, or when no row or no feature is
    /// left.
    pub fn parse(&self, path: &Path, bytes: &[u8]) -> Result<Dataset> {
        let text = text(path, bytes)?;
        let mut reader = csv_reader(text, false);
        let mut records = reader
            .records()
            .map(|record| record.map_err(|e| Error::data(path, e.to_string())));
        let header = records
            .next()
            .ok_or_else(|| Error::data(path, "the file is empty, expected a header line"))??;
        let header_row = line_of(text, &header);
        let label_column = self
            .label_column(path, &header)
            .map_err(|e| e.at_row(header_row))?;
        let features = header.len() - 1;
        if features + usize::from(self.constant_feature) == 0 {
            return Err(Error::data(path, "no feature columns beside the label").at_row(header_row));
        }

        let mut entries = Vec::new();
        let mut labels = Vec::new();
        let mut values = BTreeSet::new();
        for record in records {
            let record = record?;
            if record.len() != header.len() {
                let row = line_of(text, &record);
                return Err(ragged(path, row, record.len(), header.len(), header_row));
            }
            let value = &record[label_column];
            if !values.contains(value) {
                values.insert(value.to_owned());
            }
            let Some(label) = self.label_of(value) else {
                continue;
            };
            labels.push(label);
            for (column, field) in record
                .iter()
                .enumerate()
                .filter(|(c, _)| *c != label_column)
            {
                entries.push(finite_number(field).map_err(|why| {
                    Error::data(path, format!("{why} (column `{}`)", shown(&header[column])))
                        .at_row(line_of(text, &record))
                        .at_column(column + 1)
                })?);
            }
        }
        self.check_values(path, &values)?;
        if labels.is_empty() {
            let message = format!(
                "no row has a label listed as positive or negative in column `{}`",
                shown(&self.label)
            );
            return Err(Error::data(path, message));
        }

        let mut samples = DMatrix::from_row_slice(labels.len(), features, &entries);
        let standardised = match self.standardise {
            true => standardise(&mut samples),
            false => Ok(()),
        };
        standardised.map_err(|feature| {
            let column = feature + usize::from(feature >= label_column);
            let message = format!(
                "column `{}` has values too large or too close together to standardise",
                shown(&header[column])
            );
            Error::data(path, message).at_column(column + 1)
        })?;
        if self.constant_feature {
            samples = samples.insert_column(features, 1.0);
        }
        Ok(Dataset::new(samples, DVector::from_vec(labels)))
    }

    fn label_column(&self, path: &Path, header: &StringRecord) -> Result<usize> {
        let mut matches = (0..header.len()).filter(|&column| header[column] == self.label);
        match (matches.next(), matches.next()) {
            (Some(column), None) => Ok(column),
            (Some(_), Some(_)) => Err(Error::data(
                path,
                format!("more than one column is named `{}`", shown(&self.label)),
            )),
            (None, _) => {
                let names = quoted(header.iter());
                let message = format!(
                    "no column is named `{}`; the columns are {names}",
                    shown(&self.label)
                );
                Err(Error::data(path, message))
            }
        }
    }

    fn label_of(&self, value: &str) -> Option<f64> {
        let listed = |values: &[String]| values.iter().any(|v| v == value);
        if listed(&self.positive) {
            Some(1.0)
        } else {
            match &self.negative {
                Some(negative) if !listed(negative) => None,
                _ => Some(-1.0),
            }
        }
    }

    /// A listed value that no row has is a misspelling; it is reported, rather than training on the wrong classes.
    fn check_values(&self, path: &Path, values: &BTreeSet<String>) -> Result<()> {
        let mut listed = self.positive.iter().chain(self.negative.iter().flatten());
        match listed.find(|value| !values.contains(*value)) {
            None => Ok(()),
            Some(value) => {
                let found = quoted(values.iter().map(String::as_str));
                let message = format!(
                    "no row has `{}` in column `{}`; its values are {found}",
                    shown(value),
                    shown(&self.label)
                );
                Err(Error::data(path, message))
            }
        }
    }
}

/// Subtracts the mean of each column and divides by its population standard deviation, by 1 where that is 0. The
/// error is the first column whose variance overflows or underflows, or whose mean is not accurate relative to its
/// spread.
fn standardise(samples: &mut DMatrix<f64>) -> std::result::Result<(), usize> {
    let n = samples.nrows() as f64;
    for (index, mut column) in samples.column_iter_mut().enumerate() {
        // A constant column must come out as exact zeros; the rounded mean would leave noise of order one.
        if column.min() == column.max() {
            column.fill(0.0);
            continue;
        }
        let mean = column.sum() / n;
        column.add_scalar_mut(-mean);
        let variance = column.norm_squared() / n;
        // If values differ only in their last digits, subtracting the rounded mean leaves a mean of the size of the
        // deviation.
        let left = column.sum() / n;
        if !variance.is_normal() || left.abs() > 1e-6 * variance.sqrt() {
            return Err(index);
        }
        column /= variance.sqrt();
    }
    Ok(())
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
mod tests {
    use super::*;
    use nalgebra::dmatrix;

    fn table() -> Table {
        Table {
            label: "kind".into(),
            positive: vec!["a".into()],
            negative: None,
            standardise: false,
            constant_feature: false,
        }
    }

    fn parse(table: &Table, text: &str) -> Result<Dataset> {
        table.parse(Path::new("t.csv"), text.as_bytes())
    }

    const FLOWERS: &str = "x,kind,y\n1,a,10\n3,b,30\n5,c,50\n";

    #[test]
    fn every_other_value_is_negative_and_unlisted_rows_are_dropped() {
        let all = parse(&table(), FLOWERS).unwrap();
        assert_eq!(all.samples(), &dmatrix![1.0, 10.0; 3.0, 30.0; 5.0, 50.0]);
        assert_eq!(all.labels().as_slice(), [1.0, -1.0, -1.0]);
        let two = Table {
            negative: Some(vec!["c".into()]),
            ..table()
        };
        let two = parse(&two, FLOWERS).unwrap();
        assert_eq!(two.signed_samples(), &dmatrix![1.0, 10.0; -5.0, -50.0]);
    }

    #[test]
    fn standardised_columns_have_mean_zero_and_population_variance_one() {
        let options = Table {
            standardise: true,
            constant_feature: true,
            ..table()
        };
        // 0.1 summed up and divided is not 0.1: the constant column must still come out as exact zeros.
        let text = "x,kind,flat\n1,a,0.1\n2,b,0.1\n6,b,0.1\n";
        let data = parse(&options, text).unwrap();
        // Mean 3, population variance (4+1+9)/3.
        let deviation = (14.0_f64 / 3.0).sqrt();
        let expected = [-2.0 / deviation, -1.0 / deviation, 3.0 / deviation];
        for (found, expected) in data.samples().column(0).iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15);
        }
        assert_eq!(data.samples().column(1).as_slice(), [0.0; 3]);
        assert_eq!(data.samples().column(2).as_slice(), [1.0; 3]);
    }

    #[test]
    fn errors_say_where() {
        let listed = |positive: &str| Table {
            positive: vec![positive.into()],
            ..table()
        };
        let pair = Table {
            negative: Some(vec!["b".into()]),
            ..table()
        };
        let cases = [
            (
                table(),
                "x,kind\n1,a\n?,b\n",
                "t.csv, row 3, column 1: `?` is not a number (column `x`)",
            ),
            (
                table(),
                "x,kind\n1,a\n1\n",
                "t.csv, row 3: ragged: 1 fields, but row 1 has 2",
            ),
            (
                table(),
                "x,y\n1,2\n",
                "t.csv, row 1: no column is named `kind`; the columns are `x`, `y`",
            ),
            (
                table(),
                "kind,x,kind\n",
                "t.csv, row 1: more than one column is named `kind`",
            ),
            (table(), "kind\na\n", "t.csv, row 1: no feature columns"),
            (table(), "", "t.csv: the file is empty"),
            (
                listed("seto"),
                FLOWERS,
                "t.csv: no row has `seto` in column `kind`; its values are `a`, `b`, `c`",
            ),
            (pair, "x,kind\n1,a\n2,c\n", "t.csv: no row has `b`"),
        ];
        for (table, text, expected) in cases {
            let error = parse(&table, text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text:?}: {error}");
        }
        let huge = Table {
            standardise: true,
            ..table()
        };
        for rows in [
            "a,1e308\nb,-1e308\n",
            "a,1e-170\nb,2e-170\n",
            "a,1\nb,1.0000000000000002\n",
            "a,1e16\nb,10000000000000002\na,10000000000000006\n",
        ] {
            let error = parse(&huge, &format!("kind,x\n{rows}"))
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with("t.csv, column 2: column `x` has values too large"),
                "{error}"
            );
        }
        let close = parse(&huge, "kind,x\na,1000000\nb,1000001\nb,1000005\n").unwrap();
        assert!(close.samples().sum().abs() < 1e-9);
    }

    #[test]
    fn dropped_rows_may_hold_anything_in_their_features() {
        let pair = Table {
            negative: Some(vec!["b".into()]),
            ..table()
        };
        let data = parse(&pair, "x,kind\n1,a\nunknown,c\n2,b\n").unwrap();
        assert_eq!(data.samples().as_slice(), [1.0, 2.0]);
    }

    #[test]
    fn the_shipped_tables_have_their_documented_sizes() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/data");
        let sizes = [
            ("iris.csv", "species", "setosa", 150, 4, 50),
            ("wdbc.csv", "diagnosis", "malignant", 569, 30, 212),
            ("digits01.csv", "digit", "0", 360, 64, 178),
            ("digits38.csv", "digit", "3", 357, 64, 183),
        ];
        for (file, label, positive, samples, dimension, positives) in sizes {
            let table = Table {
                label: label.into(),
                positive: vec![positive.into()],
                ..table()
            };
            let data = table.read(&directory.join(file)).unwrap();
            assert_eq!(
                (data.len(), data.dimension()),
                (samples, dimension),
                "{file}"
            );
            let found = data.labels().iter().filter(|&&y| y == 1.0).count();
            assert_eq!(found, positives, "{file}");
        }
    }
}
