//! Arrays on their way into the archive: a shape, and values that are read as they are written.

use nalgebra::DMatrix;
use num_complex::Complex64;
use std::borrow::Cow;

/// A series over the saves, `None` where it is not defined.
pub(super) type Series<'a> = Cow<'a, [Option<f64>]>;

/// An array, its values row by row.
pub(super) struct Array<'a> {
    pub shape: Vec<u64>,
    pub values: Values<'a>,
}

pub(super) enum Values<'a> {
    Floats(Box<dyn Iterator<Item = f64> + 'a>),
    Complex(Box<dyn Iterator<Item = Complex64> + 'a>),
    Integers(Box<dyn Iterator<Item = i64> + 'a>),
    Words(Vec<String>),
}

impl<'a> Array<'a> {
    pub(super) fn vector(values: &'a [f64]) -> Self {
        Self {
            shape: vec![values.len() as u64],
            values: Values::Floats(Box::new(values.iter().copied())),
        }
    }

    /// A vector that does not live elsewhere.
    pub(super) fn floats(values: Vec<f64>) -> Self {
        Self {
            shape: vec![values.len() as u64],
            values: Values::Floats(Box::new(values.into_iter())),
        }
    }

    pub(super) fn integers(values: Vec<i64>) -> Self {
        Self {
            shape: vec![values.len() as u64],
            values: Values::Integers(Box::new(values.into_iter())),
        }
    }

    /// Indices, from 0.
    pub(super) fn indices(values: impl IntoIterator<Item = usize>) -> Self {
        Self::integers(values.into_iter().map(integer).collect())
    }

    /// A matrix whose columns are saves, as (saves × rows).
    pub(super) fn columns(m: &'a DMatrix<f64>) -> Self {
        Self {
            shape: vec![m.ncols() as u64, m.nrows() as u64],
            values: Values::Floats(Box::new(m.iter().copied())),
        }
    }

    /// The same for complex numbers.
    pub(super) fn complex_columns(m: &'a DMatrix<Complex64>) -> Self {
        Self {
            shape: vec![m.ncols() as u64, m.nrows() as u64],
            values: Values::Complex(Box::new(m.iter().copied())),
        }
    }

    /// A matrix as it stands, rows × columns.
    pub(super) fn matrix(m: &'a DMatrix<f64>) -> Self {
        Self {
            shape: vec![m.nrows() as u64, m.ncols() as u64],
            values: Values::Floats(Box::new(
                (0..m.nrows()).flat_map(move |i| (0..m.ncols()).map(move |j| m[(i, j)])),
            )),
        }
    }

    /// The columns of a table of saves × vectors.
    pub(super) fn table(columns: &[&[f64]]) -> Self {
        let saves = columns.first().map_or(0, |column| column.len());
        let rows = (0..saves).flat_map(|k| columns.iter().map(move |column| column[k]));
        Self {
            shape: vec![saves as u64, columns.len() as u64],
            values: Values::Floats(Box::new(rows.collect::<Vec<f64>>().into_iter())),
        }
    }

    pub(super) fn words(words: Vec<String>) -> Self {
        Self {
            shape: vec![words.len() as u64],
            values: Values::Words(words),
        }
    }

    /// One text, without an axis.
    pub(super) fn text(text: &str) -> Self {
        Self {
            shape: Vec::new(),
            values: Values::Words(vec![text.to_owned()]),
        }
    }

    /// The entries of a series that are defined.
    pub(super) fn defined(series: &[Option<f64>]) -> Self {
        Self::floats(series.iter().copied().flatten().collect())
    }

    /// Their indices.
    pub(super) fn where_defined(series: &[Option<f64>]) -> Self {
        let there = series.iter().enumerate().filter(|(_, x)| x.is_some());
        Self::indices(there.map(|(k, _)| k))
    }
}

/// As NumPy's `int64`.
pub(super) fn integer(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
