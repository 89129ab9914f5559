//! Bias-free ReLU networks: `h_0 = x`, `h_l = g(w_lᵀ h_{l−1})`, `f = w_Lᵀ h_{L−1}`.
//!
//! g is an [`Activation`], homogeneous of degree one in the weights and in the inputs of a unit: the ReLU itself, or
//! one of its relatives. Where the weights or the inputs vanish its derivative is set to one, as the report does for
//! g'(0).

mod architecture;
mod arguments;
mod blow_up;
mod departure;
mod equilibrium;
mod forces;
mod forward;
mod kernel;
mod passes;
mod pattern;
mod pieces;
mod rays;
mod setting;
mod settle;
mod shallow;
mod sizes;
mod smoothed_step;
#[cfg(test)]
mod step_tests;
mod stepper;
mod tangent;
#[cfg(test)]
mod tests;
mod vanishing;

pub(super) use architecture::KIND;

use super::layer::Layer;
use super::{Kernel, Layout, Signals, View};
use crate::activation::{Activation, ExactRelu, Formula, Identity, SmoothedRelu};
use crate::dataset::Dataset;
pub(crate) use forward::ForwardPass;
use kernel::ReluKernel;
use nalgebra::{DMatrix, DVector};
use setting::Setting;
use std::sync::Arc;

/// Shapes of a ReLU network and its activation; `w_l` is (inputs × units), the last layer has one unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Relu {
    layout: Layout,
    activation: Activation,
}

impl Relu {
    /// A network with input dimension `dimension`, hidden widths `hidden` (depth = `hidden.len() + 1`) and smoothing
    /// ε ≥ 0 (0: exact kinks).
    pub fn new(dimension: usize, hidden: &[usize], smoothing: f64) -> Self {
        Self::with(dimension, hidden, SmoothedRelu::or_exact(smoothing))
    }

    /// A network with any activation.
    pub fn with(dimension: usize, hidden: &[usize], activation: impl Into<Activation>) -> Self {
        Self {
            layout: Layout::chain(dimension, hidden),
            activation: activation.into(),
        }
    }

    /// Shapes of `w_1 … w_L`, inputs × units.
    pub fn shapes(&self) -> &[(usize, usize)] {
        self.layout.shapes()
    }

    /// g of the hidden units.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// The degree of homogeneity of the outputs in θ: L for activations of degree one. A layer raises the degree d
    /// below it to p(1 + d), p the degree of the activation, and the output layer adds one.
    pub fn degree(&self) -> u32 {
        let p = self.activation.degree();
        let hidden = self.layout.hidden().len();
        (0..hidden).fold(0_u32, |d, _| p.saturating_mul(d.saturating_add(1))) + 1
    }

    /// Preactivations `a_l = w_lᵀ h_{l−1}` of the hidden layers l = 1 … L−1 on the rows of `samples` (N × D), each
    /// units × N.
    pub fn preactivations(&self, theta: &[f64], samples: &DMatrix<f64>) -> Vec<DMatrix<f64>> {
        self.forward(theta, samples).preactivations
    }

    /// The inputs `h_0 … h_{L−1}` of every layer on the rows of `samples` (N × D), each units × N; the last are the
    /// features φ of the output layer.
    pub fn activations(&self, theta: &[f64], samples: &DMatrix<f64>) -> Vec<DMatrix<f64>> {
        self.forward(theta, samples).activations
    }

    /// The network of exact kinks that this one rounds; `None` if its kinks are exact.
    pub fn with_exact_kinks(&self) -> Option<Self> {
        (self.activation.softness() > 0.0).then(|| Self {
            activation: ExactRelu.into(),
            ..self.clone()
        })
    }

    /// Outputs `f(x_n)` on the rows of `samples` (N × D), length N.
    pub fn outputs(&self, theta: &[f64], samples: &DMatrix<f64>) -> DVector<f64> {
        let h = self.activations(theta, samples);
        let w = self.layout.views(theta);
        h[h.len() - 1].tr_mul(&w[w.len() - 1].column(0))
    }

    /// Signed features `y_n φ(x_n)` of the output layer as rows, N × units.
    pub fn signed_features(&self, theta: &[f64], data: &Dataset) -> DMatrix<f64> {
        self.forward(theta, data.samples()).signed_features(data)
    }

    /// The vector field on `data` with error signals propagated as `signals` says. With exact kinks every (unit,
    /// sample) pair follows the sign of its preactivation, `g'(0) = 1`; a flow follows its [`Pieces`](super::Pieces).
    fn relu_kernel(&self, signals: Signals<'_>, data: &Dataset) -> ReluKernel {
        let shapes = self.layout.shapes().iter().enumerate();
        let last = self.layout.depth() - 1;
        let layers: Vec<Layer> = shapes
            .map(|(l, &(inputs, units))| match l == last {
                true => Layer::dense(inputs, units, Identity.into()),
                false => Layer::dense(inputs, units, self.activation),
            })
            .collect();
        ReluKernel::new(Setting::new(&layers, &self.layout, signals, data))
    }
}

/// The vector field of general layers with exact kinks, like [`Relu`]'s: hybrid, piece by piece.
pub(super) fn kernel_of_layers(
    layers: &[Layer],
    layout: &Layout,
    signals: Signals<'_>,
    data: &Dataset,
) -> Arc<dyn Kernel> {
    Arc::new(ReluKernel::new(Setting::new(layers, layout, signals, data)))
}

/// Makes what a unit passes on exactly zero where its preactivation is zero to rounding: a unit that slides on the kink
/// of a sample no longer sees it, and outputs grow like powers of the weights, which rounding must not.
pub(super) fn close_on_kinks(outputs: &mut DMatrix<f64>, w: &View<'_>, inputs: &DMatrix<f64>) {
    let widths: Vec<f64> = w.column_iter().map(|c| c.norm()).collect();
    let lengths: Vec<f64> = inputs.column_iter().map(|c| c.norm()).collect();
    for (n, mut column) in outputs.column_iter_mut().enumerate() {
        for (h, width) in column.iter_mut().zip(&widths) {
            if *h <= pieces::PAST * width * lengths[n] {
                *h = 0.0;
            }
        }
    }
}
