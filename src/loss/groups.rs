//! Assignment of rows to samples.

use std::ops::Range;

/// N samples of k consecutive rows each: the rows of sample n are `nk … (n+1)k − 1`.
///
/// Labels ±1 need one row per sample. With C classes and outputs `f_c`, the margins of a sample of class y are the C −
/// 1 differences `f_y − f_c`, `c ≠ y`.
///
/// ```
/// use marginflow::loss::Groups;
/// let groups = Groups::new(3, 2);
/// assert_eq!((groups.samples(), groups.size(), groups.rows()), (3, 2, 6));
/// assert_eq!(groups.rows_of(1), 2..4);
/// assert_eq!(groups.sample_of(3), 1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Groups {
    samples: usize,
    size: usize,
}

impl Groups {
    /// `samples` groups of `size` rows; of one row if `size` is zero.
    pub fn new(samples: usize, size: usize) -> Self {
        Self {
            samples,
            size: size.max(1),
        }
    }

    /// One row per sample.
    pub fn single(samples: usize) -> Self {
        Self::new(samples, 1)
    }

    /// N.
    pub fn samples(self) -> usize {
        self.samples
    }

    /// k, rows per sample.
    pub fn size(self) -> usize {
        self.size
    }

    /// N·k, rows of all samples.
    pub fn rows(self) -> usize {
        self.samples * self.size
    }

    /// Whether every sample is one row.
    pub fn are_single(self) -> bool {
        self.size == 1
    }

    /// The rows of a sample.
    pub fn rows_of(self, sample: usize) -> Range<usize> {
        sample * self.size..(sample + 1) * self.size
    }

    /// The sample a row belongs to.
    pub fn sample_of(self, row: usize) -> usize {
        row / self.size
    }

    /// Splits one number per row into the parts that belong to each sample.
    ///
    /// # Panics
    /// If there is not one number per row.
    pub fn split(self, numbers: &[f64]) -> impl Iterator<Item = &[f64]> + Clone {
        assert_eq!(numbers.len(), self.rows(), "one number per row");
        numbers.chunks_exact(self.size)
    }

    /// As [`Self::split`].
    ///
    /// # Panics
    /// If there is not one number per row.
    pub fn split_mut(self, numbers: &mut [f64]) -> impl Iterator<Item = &mut [f64]> {
        assert_eq!(numbers.len(), self.rows(), "one number per row");
        numbers.chunks_exact_mut(self.size)
    }
}
