//! Rows of samples whose labels are classes.

use nalgebra::DMatrix;

/// `g_{nk} = x_n ⊗ (e_{c_n} − e_k)` for every sample n and every class `k ≠ c_n` in order: N(C − 1) × DC, class after
/// class in every row.
pub(super) fn rows(samples: &DMatrix<f64>, classes: &[usize], count: usize) -> DMatrix<f64> {
    let (n, d) = samples.shape();
    let mut rows = DMatrix::zeros(n * (count - 1), d * count);
    for (sample, &own) in classes.iter().enumerate() {
        let x = samples.row(sample);
        let others = (0..count).filter(|class| *class != own);
        for (place, other) in others.enumerate() {
            let mut row = rows.row_mut(sample * (count - 1) + place);
            row.columns_mut(own * d, d).copy_from(&x);
            row.columns_mut(other * d, d).copy_from(&-x);
        }
    }
    rows
}
