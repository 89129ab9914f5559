//! The arguments of a layer's activations.

use crate::activation::Argument;
use crate::network::View;
use nalgebra::{DMatrix, DVector};

/// What the activations of one layer depend on beside the preactivations, per unit and per sample.
#[derive(Clone)]
pub(super) struct Arguments {
    /// q, units × N; empty for activations of the preactivation alone.
    pub roots: DMatrix<f64>,
    /// `‖w_j‖²`
    pub weights: DVector<f64>,
    /// `‖h_n‖²`
    pub inputs: DVector<f64>,
}

impl Arguments {
    /// All but the roots.
    pub(super) fn sizes(w: &View<'_>, h: &DMatrix<f64>) -> Self {
        let weights = w.column_iter().map(|w| w.norm_squared());
        let inputs = h.column_iter().map(|h| h.norm_squared());
        Self {
            roots: DMatrix::zeros(0, 0),
            weights: DVector::from_iterator(w.ncols(), weights),
            inputs: DVector::from_iterator(h.ncols(), inputs),
        }
    }

    /// The argument of unit j on sample n, with its preactivation.
    pub(super) fn at(&self, (j, n): (usize, usize), preactivation: f64) -> Argument {
        if self.roots.is_empty() {
            return Argument::of(preactivation);
        }
        Argument {
            preactivation,
            root: self.roots[(j, n)],
            weights: self.weights[j],
            inputs: self.inputs[n],
        }
    }
}
