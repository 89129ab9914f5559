//! Samples, labels, and the signed samples in which every formula is written.
//!
//! A data set comes from one of five sources, all with the same guarantees (finite entries, labels ±1, N ≥ 1, D ≥ 1):
//! [`gaussian_teacher`] draws one that a hyperplane separates, [`gaussian_random_labels`] one whose labels are
//! independent of the samples, [`read_files`] reads a matrix and its labels, [`Table::read`] reads a real-world CSV
//! file with a label column, [`Table::of_svmlight`] uses an [`Svmlight`] file. A single class is allowed: the signed
//! samples `g_n` are all that linear networks see, and relabelling `(x, y)` as `(−x, −y)` does not change them.

mod account;
mod class_means;
mod classes;
mod fields;
mod files;
mod gaussian_random_labels;
mod gaussian_teacher;
mod matrix_file;
mod npy;
mod recognised;
mod stream;
mod svmlight;
mod table;

pub use account::{Account, LabelValue};
pub use class_means::{ClassMeans, class_means};
pub use fields::Separator;
pub use files::{read_class_files, read_files};
pub use gaussian_random_labels::gaussian_random_labels;
pub use gaussian_teacher::{gaussian_class_teacher, gaussian_teacher, gaussian_teacher_vector};
pub use matrix_file::{parse_matrix, read_matrix};
pub use stream::standard_normals;
pub use svmlight::Svmlight;
pub use table::Table;

pub use crate::loss::Groups;
use nalgebra::{DMatrix, DVector};
use std::collections::HashMap;
use std::sync::Arc;

/// A classification data set: samples `x_n` (N × D) and their labels, and the rows in which every formula is written.
///
/// With labels `y_n ∈ {−1, +1}` networks have one output, and each sample is one row, the signed sample
/// `g_n = y_n x_n`. With classes `c_n ∈ {0, …, C − 1}` networks have C outputs, and each sample is C − 1 rows
/// `g_{nk} = x_n ⊗ (e_{c_n} − e_k)`, `k ≠ c_n`, of D·C entries: the margins `g_{nk}·β = f_{c_n}(x_n) − f_k(x_n)` of a
/// linear predictor β (D × C, column by column).
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    samples: DMatrix<f64>,
    labels: DVector<f64>,
    /// C where labels are classes.
    classes: Option<usize>,
    signed_samples: DMatrix<f64>,
    account: Option<Arc<Account>>,
}

impl Dataset {
    /// A data set with finite entries, labels ±1, N ≥ 1 and D ≥ 1.
    ///
    /// # Errors
    /// The first of these conditions that does not hold.
    ///
    /// ```
    /// use marginflow::dataset::{DataError, Dataset};
    /// use nalgebra::{dmatrix, dvector};
    /// let samples = dmatrix![1.0, 0.2; -1.0, 0.3];
    /// assert_eq!(Dataset::try_new(samples.clone(), dvector![1.0, -1.0])?.len(), 2);
    /// let refused = Dataset::try_new(samples, dvector![1.0, 0.0]);
    /// assert_eq!(refused, Err(DataError::Label { row: 1, label: 0.0 }));
    /// # Ok::<(), DataError>(())
    /// ```
    pub fn try_new(samples: DMatrix<f64>, labels: DVector<f64>) -> Result<Self, DataError> {
        let (rows, columns) = samples.shape();
        if rows == 0 || columns == 0 {
            return Err(DataError::Empty { rows, columns });
        }
        if labels.len() != rows {
            let labels = labels.len();
            return Err(DataError::LabelCount { rows, labels });
        }
        let row_major = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        if let Some((row, column)) = row_major.into_iter().find(|at| !samples[*at].is_finite()) {
            let entry = samples[(row, column)];
            return Err(DataError::Entry { row, column, entry });
        }
        if let Some(row) = labels.iter().position(|label| label.abs() != 1.0) {
            let label = labels[row];
            return Err(DataError::Label { row, label });
        }
        Ok(Self::new(samples, labels))
    }

    /// A data set for which the caller guarantees what [`Self::try_new`] checks, as the readers and generators do.
    ///
    /// # Panics
    /// If the number of labels differs from the number of rows.
    pub fn new(samples: DMatrix<f64>, labels: DVector<f64>) -> Self {
        assert_eq!(samples.nrows(), labels.len(), "one label per sample");
        let mut signed_samples = samples.clone();
        for (mut row, &y) in signed_samples.row_iter_mut().zip(labels.iter()) {
            row *= y;
        }
        Self {
            samples,
            labels,
            classes: None,
            signed_samples,
            account: None,
        }
    }

    /// A data set of C classes, numbered from 0, with finite entries, N ≥ 1, D ≥ 1, and C ≥ 2 classes each of which
    /// has a sample.
    ///
    /// # Errors
    /// The first of these conditions that does not hold.
    ///
    /// ```
    /// use marginflow::dataset::Dataset;
    /// use nalgebra::dmatrix;
    /// let data = Dataset::of_classes(dmatrix![1.0, 2.0; 3.0, 4.0; 5.0, 6.0], &[0, 2, 1], 3)?;
    /// assert_eq!((data.len(), data.outputs(), data.rows()), (3, 3, 6));
    /// // f_0 − f_1 of the first sample
    /// assert_eq!(data.signed_samples().row(0), dmatrix![1.0, 2.0, -1.0, -2.0, 0.0, 0.0].row(0));
    /// # Ok::<(), marginflow::dataset::DataError>(())
    /// ```
    pub fn of_classes(
        samples: DMatrix<f64>,
        classes: &[usize],
        count: usize,
    ) -> Result<Self, DataError> {
        if count < 2 {
            return Err(DataError::OneClass);
        }
        let ones = DVector::from_element(classes.len(), 1.0);
        let Self { samples, .. } = Self::try_new(samples, ones)?;
        if let Some(row) = classes.iter().position(|class| *class >= count) {
            let class = classes[row];
            return Err(DataError::Class { row, class, count });
        }
        if let Some(class) = (0..count).find(|class| !classes.contains(class)) {
            return Err(DataError::NoSample { class, count });
        }
        let labels = classes.iter().map(|class| *class as f64);
        let signed_samples = classes::rows(&samples, classes, count);
        Ok(Self {
            labels: DVector::from_iterator(classes.len(), labels),
            classes: Some(count),
            samples,
            signed_samples,
            account: None,
        })
    }

    /// The same data, with an account of the file they are from.
    pub(crate) fn with_account(self, account: Account) -> Self {
        Self {
            account: Some(Arc::new(account)),
            ..self
        }
    }

    /// What became of the rows of the table these data are from; `None` for other data.
    pub fn account(&self) -> Option<&Account> {
        self.account.as_deref()
    }

    /// The rows of the table (their lines, from 1) that these samples (from 0) are from; none for other data.
    pub fn rows_of(&self, samples: &[usize]) -> Vec<usize> {
        let rows = self.account().map_or(&[][..], |account| &account.rows);
        samples
            .iter()
            .filter_map(|n| rows.get(*n).copied())
            .collect()
    }

    /// What may not be meant as it was read, one sentence each.
    pub fn cautions(&self) -> &[String] {
        self.account().map_or(&[], |account| &account.cautions)
    }

    /// How many samples have the label +1, and how many −1.
    pub fn class_counts(&self) -> (usize, usize) {
        let positive = self.labels.iter().filter(|&&y| y > 0.0).count();
        (positive, self.len() - positive)
    }

    /// C where labels are classes, and networks have C outputs; `None` where they are ±1.
    pub fn classes(&self) -> Option<usize> {
        self.classes
    }

    /// Outputs that a network needs: C, or 1 where labels are ±1.
    pub fn outputs(&self) -> usize {
        self.classes.unwrap_or(1)
    }

    /// The class `c_n` of a sample where labels are classes, 0 elsewhere.
    pub fn class_of(&self, n: usize) -> usize {
        // labels of classes are small whole numbers
        self.classes.map_or(0, |_| self.labels[n] as usize)
    }

    /// How many samples each class has, where labels are classes.
    pub fn samples_by_class(&self) -> Option<Vec<usize>> {
        let mut counts = vec![0; self.classes?];
        (0..self.len()).for_each(|n| counts[self.class_of(n)] += 1);
        Some(counts)
    }

    /// Entries of a linear predictor β: D, or D·C where labels are classes.
    pub fn predictor_length(&self) -> usize {
        self.signed_samples.ncols()
    }

    /// `X`, N × D.
    pub fn samples(&self) -> &DMatrix<f64> {
        &self.samples
    }

    /// `y`, or the classes as numbers; length N.
    pub fn labels(&self) -> &DVector<f64> {
        &self.labels
    }

    /// `G`: N × D, rows `g_n = y_n x_n`; or N(C − 1) × DC where labels are classes.
    pub fn signed_samples(&self) -> &DMatrix<f64> {
        &self.signed_samples
    }

    /// The rows that these samples would have with other features (N × features) in place of their own.
    ///
    /// # Panics
    /// If there is not one row of features per sample.
    pub fn rows_with(&self, features: &DMatrix<f64>) -> DMatrix<f64> {
        match self.classes {
            None => Self::new(features.clone(), self.labels.clone()).signed_samples,
            Some(count) => {
                let own: Vec<usize> = (0..self.len()).map(|n| self.class_of(n)).collect();
                classes::rows(features, &own, count)
            }
        }
    }

    /// How margins are assigned to samples: with labels ±1 each sample has one, with classes C − 1.
    pub fn groups(&self) -> Groups {
        Groups::new(self.len(), self.outputs() - self.classes.map_or(0, |_| 1))
    }

    /// Number of margins of all samples together, [`Groups::rows`].
    pub fn rows(&self) -> usize {
        self.groups().rows()
    }

    /// N.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Never true for a data set read or generated by this crate.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// D.
    pub fn dimension(&self) -> usize {
        self.samples.ncols()
    }

    /// The samples with distinct signed rows `g_n`, in order of first appearance, and for each of the N samples the
    /// index of the one it equals. For networks that are linear in their input, equal signed samples are the same
    /// sample. Where labels are classes these are [`distinct_pairs`](Self::distinct_pairs).
    pub fn distinct(&self) -> (Self, Vec<usize>) {
        match self.classes {
            None => self.first_of_equals(|n| bits(self.signed_samples.row(n).iter())),
            Some(_) => self.distinct_pairs(),
        }
    }

    /// The distinct pairs `(x_n, y_n)`, in order of first appearance, and for each of the N samples the index of the
    /// one it equals. For networks that are not linear in their input, `(x, y)` and `(−x, −y)` are different samples.
    pub fn distinct_pairs(&self) -> (Self, Vec<usize>) {
        self.first_of_equals(|n| bits(self.samples.row(n).iter().chain([&self.labels[n]])))
    }

    fn first_of_equals(&self, key: impl Fn(usize) -> Vec<u64>) -> (Self, Vec<usize>) {
        let mut first: HashMap<Vec<u64>, usize> = HashMap::new();
        let mut kept = Vec::new();
        let stands_for = (0..self.len())
            .map(|n| {
                *first.entry(key(n)).or_insert_with(|| {
                    kept.push(n);
                    kept.len() - 1
                })
            })
            .collect();
        let rows: Vec<usize> = kept
            .iter()
            .flat_map(|n| self.groups().rows_of(*n))
            .collect();
        let distinct = Self {
            samples: self.samples.select_rows(&kept),
            labels: self.labels.select_rows(&kept),
            classes: self.classes,
            signed_samples: self.signed_samples.select_rows(&rows),
            account: None,
        };
        (distinct, stands_for)
    }
}

/// Why samples and labels do not form a data set. Rows and columns count from 0.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum DataError {
    #[error("an empty data set: {rows} samples of {columns} entries")]
    Empty { rows: usize, columns: usize },
    #[error("{labels} labels for {rows} samples")]
    LabelCount { rows: usize, labels: usize },
    #[error("entry {column} of sample {row} is {entry}, expected a finite number")]
    Entry {
        row: usize,
        column: usize,
        entry: f64,
    },
    #[error("the label of sample {row} is {label}, expected +1 or -1")]
    Label { row: usize, label: f64 },
    #[error("one class: there is nothing to tell apart, give at least two")]
    OneClass,
    #[error("sample {row} is of class {class}, expected 0 to {}", count - 1)]
    Class {
        row: usize,
        class: usize,
        count: usize,
    },
    #[error("no sample is of class {class} of {count}: give it some, or use fewer classes")]
    NoSample { class: usize, count: usize },
}

/// Bit patterns that agree for numbers that compare equal.
fn bits<'a>(numbers: impl Iterator<Item = &'a f64>) -> Vec<u64> {
    // adding zero maps -0.0 to 0.0
    numbers.map(|x| (x + 0.0).to_bits()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{dmatrix, dvector};

    #[test]
    fn what_is_no_data_set_is_refused() {
        let samples = dmatrix![1.0, 2.0; 3.0, 4.0];
        let refusal = |samples: &DMatrix<f64>, labels: DVector<f64>| {
            Dataset::try_new(samples.clone(), labels).unwrap_err()
        };
        let (rows, columns) = (0, 2);
        assert_eq!(
            refusal(&DMatrix::zeros(0, 2), dvector![]),
            DataError::Empty { rows, columns }
        );
        let (rows, columns) = (2, 0);
        let empty = refusal(&DMatrix::zeros(2, 0), dvector![1.0, 1.0]);
        assert_eq!(empty, DataError::Empty { rows, columns });
        let short = refusal(&samples, dvector![1.0]);
        assert_eq!(short, DataError::LabelCount { rows, labels: 1 });
        let mut infinite = samples.clone();
        infinite[(1, 0)] = f64::INFINITY;
        let text = refusal(&infinite, dvector![1.0, 1.0]).to_string();
        assert_eq!(text, "entry 0 of sample 1 is inf, expected a finite number");
        let not_a_number = refusal(&samples, dvector![1.0, f64::NAN]);
        assert!(
            matches!(not_a_number, DataError::Label { row: 1, .. }),
            "{not_a_number:?}"
        );
        let data = Dataset::try_new(samples.clone(), dvector![1.0, -1.0]).unwrap();
        assert_eq!(data, Dataset::new(samples, dvector![1.0, -1.0]));
        assert_eq!((data.rows(), data.groups().rows_of(1)), (2, 1..2));
    }

    #[test]
    fn equal_samples_are_merged_by_what_the_network_sees() {
        let data = Dataset::new(
            dmatrix![1.0, 0.0; 2.0, 3.0; -1.0, -0.0; 1.0, -0.0; 2.0, 3.0; 2.0, 3.0],
            dvector![1.0, 1.0, -1.0, 1.0, 1.0, -1.0],
        );
        // g: (1,0), (2,3), (1,0), (1,0), (2,3), (−2,−3).
        let (signed, stands_for) = data.distinct();
        assert_eq!(stands_for, [0, 1, 0, 0, 1, 2]);
        assert_eq!(
            signed.signed_samples(),
            &dmatrix![1.0, 0.0; 2.0, 3.0; -2.0, -3.0]
        );
        // (x, y): the third is the mirror image of the first, which only a linear network cannot distinguish.
        let (pairs, stands_for) = data.distinct_pairs();
        assert_eq!(stands_for, [0, 1, 2, 0, 1, 3]);
        assert_eq!(
            pairs.samples(),
            &dmatrix![1.0, 0.0; 2.0, 3.0; -1.0, 0.0; 2.0, 3.0]
        );
        assert_eq!(pairs.labels(), &dvector![1.0, 1.0, -1.0, -1.0]);
    }
}
