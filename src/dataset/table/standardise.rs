//! Columns of mean 0 and variance 1.

use nalgebra::DMatrix;

/// Subtracts the mean of each column and divides by its population standard deviation, by 1 where that is 0. Returns
/// the columns that have one value only, which become 0.
///
/// The error is the first column whose variance overflows or underflows, or whose mean is not accurate relative to its
/// spread.
pub(super) fn standardise(samples: &mut DMatrix<f64>) -> Result<Vec<usize>, usize> {
    let n = samples.nrows() as f64;
    let mut constant = Vec::new();
    for (index, mut column) in samples.column_iter_mut().enumerate() {
        // A constant column must come out as exact zeros; the rounded mean would leave noise of order one.
        if column.min() == column.max() {
            column.fill(0.0);
            constant.push(index);
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
    Ok(constant)
}
