//! Samples and labels in two files of plain numbers.

use super::matrix_file::parse_numbered;
use super::{Dataset, read_matrix};
use crate::error::{Error, Result};
use nalgebra::DMatrix;
use std::path::Path;

/// Reads samples (one per row, D columns) and labels (a single column of ±1), each CSV without a header or `.npy`.
///
/// # Errors
/// Those of [`read_matrix`]; [`Error::Data`] for a label other than ±1, more than one label per row, or different
/// numbers of samples and labels.
pub fn read_files(samples: &Path, labels: &Path) -> Result<Dataset> {
    let x = read_matrix(samples)?;
    let bytes = std::fs::read(labels).map_err(|e| Error::io(labels, e))?;
    let (y, rows) = parse_numbered(labels, &bytes)?;
    if y.ncols() != 1 {
        let message = format!(
            "{} columns, expected one label (+1 or -1) per row",
            y.ncols()
        );
        return Err(Error::data(labels, message));
    }
    if let Some(n) = y.iter().position(|label| label.abs() != 1.0) {
        // the debug form writes 1e200 without its two hundred zeros
        let label = format!("{:?}", y[n]);
        let label = label.trim_end_matches(".0");
        let message = format!("label {label}, expected +1 or -1");
        return Err(Error::data(labels, message).at_row(rows[n]));
    }
    one_label_each(&x, samples, &y, labels)?;
    Ok(Dataset::new(x, y.column(0).into_owned()))
}

fn one_label_each(x: &DMatrix<f64>, samples: &Path, y: &DMatrix<f64>, labels: &Path) -> Result<()> {
    if y.nrows() == x.nrows() {
        return Ok(());
    }
    let message = format!(
        "{} labels for the {} samples of {}",
        y.nrows(),
        x.nrows(),
        samples.display()
    );
    Err(Error::data(labels, message))
}

/// Reads samples (one per row, D columns) and their classes (a single column of whole numbers 0 … C − 1), each CSV
/// without a header or `.npy`.
///
/// # Errors
/// Those of [`read_matrix`]; [`Error::Data`] for a label that is no class, more than one per row, different numbers of
/// samples and labels, or a class without samples.
pub fn read_class_files(samples: &Path, labels: &Path, classes: usize) -> Result<Dataset> {
    let x = read_matrix(samples)?;
    let bytes = std::fs::read(labels).map_err(|e| Error::io(labels, e))?;
    let (y, rows) = parse_numbered(labels, &bytes)?;
    if y.ncols() != 1 {
        let message = format!("{} columns, expected one class per row", y.ncols());
        return Err(Error::data(labels, message));
    }
    let is_class = |label: &f64| label.fract() == 0.0 && (0.0..classes as f64).contains(label);
    if let Some(n) = y.iter().position(|label| !is_class(label)) {
        let label = format!("{:?}", y[n]);
        let label = label.trim_end_matches(".0");
        let message = format!(
            "label {label}, expected a class, a whole number from 0 to {}",
            classes.saturating_sub(1)
        );
        return Err(Error::data(labels, message).at_row(rows[n]));
    }
    one_label_each(&x, samples, &y, labels)?;
    let own: Vec<usize> = y.iter().map(|class| *class as usize).collect();
    Dataset::of_classes(x, &own, classes).map_err(|why| Error::data(labels, why.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(samples: &str, labels: &str) -> Result<Dataset> {
        let directory = tempfile::tempdir().unwrap();
        let [x, y] = ["x.csv", "y.csv"].map(|name| directory.path().join(name));
        std::fs::write(&x, samples).unwrap();
        std::fs::write(&y, labels).unwrap();
        read_files(&x, &y)
    }

    #[test]
    fn labels_sign_the_samples() {
        let data = read("1,2\n3,4\n", "+1\n-1.0\n").unwrap();
        assert_eq!(data.signed_samples().as_slice(), [1.0, -3.0, 2.0, -4.0]);
    }

    #[test]
    fn classes_are_whole_numbers_each_with_a_sample() {
        let read = |labels: &str| {
            let directory = tempfile::tempdir().unwrap();
            let [x, y] = ["x.csv", "y.csv"].map(|name| directory.path().join(name));
            std::fs::write(&x, "1,2\n3,4\n5,6\n").unwrap();
            std::fs::write(&y, labels).unwrap();
            read_class_files(&x, &y, 3)
        };
        let data = read("2\n0\n1.0\n").unwrap();
        assert_eq!((data.class_of(0), data.classes()), (2, Some(3)));
        let cases = [
            (
                "0\n3\n1\n",
                "y.csv, row 2: label 3, expected a class, a whole number from 0 to 2",
            ),
            ("0\n-1\n1\n", "label -1, expected a class"),
            ("0\n0.5\n1\n", "label 0.5, expected a class"),
            ("0\n1\n", "2 labels for the 3 samples"),
            ("0,1\n0,1\n1,2\n", "2 columns, expected one class"),
            ("0\n1\n1\n", "no sample is of class 2 of 3"),
        ];
        for (labels, expected) in cases {
            let error = read(labels).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn labels_must_be_signs_one_per_sample() {
        let cases = [
            ("1\n0\n", "y.csv, row 2: label 0, expected +1 or -1"),
            ("1\n\n0\n", "y.csv, row 3: label 0, expected +1 or -1"),
            ("1\n", "y.csv: 1 labels for the 2 samples of "),
            ("1,1\n1,1\n", "y.csv: 2 columns, expected one label"),
        ];
        for (labels, expected) in cases {
            let error = read("1,2\n3,4\n", labels).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
