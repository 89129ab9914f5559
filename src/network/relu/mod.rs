//! Bias-free ReLU networks: `h_0 = x`, `h_l = g(w_lᵀ h_{l−1})`, `f = w_Lᵀ h_{L−1}`.
//!
//! The activation is `g(a) = max(a, 0)`, or a smoothing of it that keeps the network homogeneous of degree one in every
//! layer: a unit with weights w and inputs h has `g = ½(a + √(a² + ε²‖w‖²‖h‖²))`, `a = w·h`. As ε → 0 it tends to the
//! ReLU; where w or h vanishes its derivative is taken as one, as the report takes g'(0).

mod architecture;
mod kernel;
mod passes;
mod pattern;
mod pieces;
mod rays;
mod smoothed_step;
mod stepper;
mod tangent;
#[cfg(test)]
mod tests;

pub(super) use architecture::KIND;

use super::{Kernel, Layout, View};
use crate::dataset::Dataset;
use kernel::ReluKernel;
use nalgebra::{DMatrix, DVector};
use pattern::Pattern;
use std::sync::Arc;

/// Shapes of a ReLU network and the smoothing of its kinks; `w_l` is (inputs × units), the last layer has one unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Relu {
    layout: Layout,
    smoothing: f64,
}

impl Relu {
    /// A network with input dimension `dimension`, hidden widths `hidden` (depth = `hidden.len() + 1`) and smoothing
    /// ε ≥ 0 (0: exact kinks).
    pub fn new(dimension: usize, hidden: &[usize], smoothing: f64) -> Self {
        Self {
            layout: Layout::chain(dimension, hidden),
            smoothing,
        }
    }

    /// Shapes of `w_1 … w_L`, inputs × units.
    pub fn shapes(&self) -> &[(usize, usize)] {
        self.layout.shapes()
    }

    /// ε; zero for exact kinks.
    pub fn smoothing(&self) -> f64 {
        self.smoothing
    }

    /// Preactivations `a_l = w_lᵀ h_{l−1}` of the hidden layers l = 1 … L−1 on the rows of `samples` (N × D), each
    /// units × N.
    pub fn preactivations(&self, theta: &[f64], samples: &DMatrix<f64>) -> Vec<DMatrix<f64>> {
        self.forward(theta, samples).0
    }

    /// The inputs `h_0 … h_{L−1}` of every layer on the rows of `samples` (N × D), each units × N; the last are the features
    /// φ of the output layer.
    pub fn activations(&self, theta: &[f64], samples: &DMatrix<f64>) -> Vec<DMatrix<f64>> {
        self.forward(theta, samples).1
    }

    /// Outputs `f(x_n)` on the rows of `samples` (N × D), length N.
    pub fn outputs(&self, theta: &[f64], samples: &DMatrix<f64>) -> DVector<f64> {
        let h = self.activations(theta, samples);
        let w = self.layout.views(theta);
        h[h.len() - 1].tr_mul(&w[w.len() - 1].column(0))
    }

    /// Signed features `y_n φ(x_n)` of the output layer as rows, N × units.
    pub fn signed_features(&self, theta: &[f64], data: &Dataset) -> DMatrix<f64> {
        let mut activations = self.activations(theta, data.samples());
        let last = activations.len() - 1;
        let mut features = activations.swap_remove(last).transpose();
        for (mut row, y) in features.row_iter_mut().zip(data.labels().iter()) {
            row *= *y;
        }
        features
    }

    /// The vector field on `data` where error signals take this way. With exact kinks every (unit, sample) pair follows the
    /// sign of its preactivation, `g'(0) = 1`; a flow follows the [`Pieces`](super::Pieces) of it.
    fn field(&self, signals: super::Signals<'_>, data: &Dataset) -> Arc<dyn Kernel> {
        let hidden = self.layout.hidden();
        let signals = match signals {
            super::Signals::Backward => Signals::Backward,
            super::Signals::Layerwise(f) => Signals::Layerwise(f.to_vec()),
            super::Signals::Direct(b) => Signals::Direct(b.to_vec()),
        };
        let setting = Setting {
            shapes: self.layout.shapes().to_vec(),
            smoothing: self.smoothing,
            signals,
            inputs: data.samples().transpose(),
            labels: data.labels().clone(),
        };
        Arc::new(ReluKernel {
            pattern: None,
            idle: (0..data.len()).filter(|n| setting.is_blank(*n)).collect(),
            setting: Arc::new(setting),
            departures: hidden.iter().map(|s| vec![0; s.1]).collect(),
        })
    }

    fn forward(
        &self,
        theta: &[f64],
        samples: &DMatrix<f64>,
    ) -> (Vec<DMatrix<f64>>, Vec<DMatrix<f64>>) {
        let w = self.layout.views(theta);
        let mut preactivations = Vec::with_capacity(w.len() - 1);
        let mut h = vec![samples.transpose()];
        for w_l in &w[..w.len() - 1] {
            let inputs = &h[h.len() - 1];
            let a = w_l.transpose() * inputs;
            h.push(self.activate(w_l, inputs, &a));
            preactivations.push(a);
        }
        (preactivations, h)
    }

    /// g of preactivations `a` (units × N) of the layer `w_l` on `inputs`.
    fn activate(&self, w_l: &View<'_>, inputs: &DMatrix<f64>, a: &DMatrix<f64>) -> DMatrix<f64> {
        if self.smoothing == 0.0 {
            return a.map(|a| a.max(0.0));
        }
        let widths: Vec<f64> = w_l
            .column_iter()
            .map(|w| self.smoothing * w.norm())
            .collect();
        let sizes: Vec<f64> = inputs.column_iter().map(|h| h.norm()).collect();
        DMatrix::from_fn(a.nrows(), a.ncols(), |j, n| {
            0.5 * (a[(j, n)] + a[(j, n)].hypot(widths[j] * sizes[n]))
        })
    }
}

/// What all pieces of a vector field share.
struct Setting {
    shapes: Vec<(usize, usize)>,
    smoothing: f64,
    signals: Signals,
    /// `Xᵀ`, D × N.
    inputs: DMatrix<f64>,
    labels: DVector<f64>,
}

impl Setting {
    /// Whether x_n = 0.
    fn is_blank(&self, sample: usize) -> bool {
        self.inputs.column(sample).iter().all(|x| *x == 0.0)
    }

    /// Samples whose multipliers move nothing: blank ones, those no unit of the first layer sees, and, where error signals
    /// come down through the layers, those some layer is dark on (direct feedback still moves the layers below it).
    fn idle(&self, pattern: &Pattern) -> Vec<usize> {
        let layers = match self.signals {
            Signals::Direct(_) => 0..(self.shapes.len() - 1).min(1),
            Signals::Backward | Signals::Layerwise(_) => 0..self.shapes.len() - 1,
        };
        let idle =
            |n: &usize| self.is_blank(*n) || layers.clone().any(|layer| pattern.is_dark(layer, *n));
        (0..self.labels.len()).filter(idle).collect()
    }
}

/// How error signals reach the hidden layers.
enum Signals {
    /// `s_l = w_{l+1} δ_{l+1}`: gradient descent.
    Backward,
    /// `s_l = F_l δ_{l+1}`: feedback alignment.
    Layerwise(Vec<DMatrix<f64>>),
    /// `s_l = b_l δ_L`: direct feedback alignment.
    Direct(Vec<DVector<f64>>),
}

impl Signals {
    /// `b_j` of a unit of the last hidden layer, where it is fixed and not zero.
    fn last_feedback(&self, unit: usize) -> Option<f64> {
        let b = match self {
            Self::Backward => None,
            Self::Layerwise(f) => f.last().map(|f| f[(unit, 0)]),
            Self::Direct(b) => b.last().map(|b| b[unit]),
        };
        b.filter(|b| *b != 0.0)
    }
}
