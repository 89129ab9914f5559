//! Between the outputs of a network and the rows of its data: margins from outputs, and what outputs are to blame for.

use crate::dataset::Dataset;
use nalgebra::{DMatrix, DVector};

/// Margins of outputs f (N × C), one per row of `data`: `y_n f`, or `f_{c_n} − f_k` of every class k but the sample's
/// own.
pub(super) fn margins(data: &Dataset, outputs: &DMatrix<f64>) -> DVector<f64> {
    if data.outputs() == 1 {
        // no sign where an output is zero
        return DVector::from_fn(data.len(), |n, _| data.labels()[n] * outputs[(n, 0)] + 0.0);
    }
    let mut margins = Vec::with_capacity(data.rows());
    for (n, f) in outputs.row_iter().enumerate() {
        let own = data.class_of(n);
        let others = (0..f.len()).filter(|k| *k != own);
        margins.extend(others.map(|k| f[own] - f[k]));
    }
    DVector::from_vec(margins)
}

/// `Σ α ∂m/∂f` of every sample as rows, N × C: `α_n y_n`, or `Σ_k α_{nk} (e_{c_n} − e_k)`. The negative gradient of the
/// loss in the outputs, if α are its multipliers.
pub(super) fn errors(data: &Dataset, multipliers: &[f64]) -> DMatrix<f64> {
    if data.outputs() == 1 {
        return DMatrix::from_fn(data.len(), 1, |n, _| data.labels()[n] * multipliers[n]);
    }
    let mut errors = DMatrix::zeros(data.len(), data.outputs());
    let mut multipliers = multipliers.iter();
    for n in 0..data.len() {
        let own = data.class_of(n);
        let others = (0..data.outputs()).filter(|k| *k != own);
        for (k, alpha) in others.zip(&mut multipliers) {
            errors[(n, own)] += alpha;
            errors[(n, k)] -= alpha;
        }
    }
    errors
}

/// The sample of every row, and `∂m/∂f` of it as columns, C × rows.
pub(super) fn rows(data: &Dataset) -> (Vec<usize>, DMatrix<f64>) {
    let per_sample = data.rows() / data.len().max(1);
    let samples: Vec<usize> = (0..data.rows()).map(|row| row / per_sample).collect();
    let mut gradients = DMatrix::zeros(data.outputs(), data.rows());
    for (row, &n) in samples.iter().enumerate() {
        if data.outputs() == 1 {
            gradients[(0, row)] = data.labels()[n];
            continue;
        }
        let own = data.class_of(n);
        let place = row % per_sample;
        let other = if place < own { place } else { place + 1 };
        gradients[(own, row)] = 1.0;
        gradients[(other, row)] = -1.0;
    }
    (samples, gradients)
}
