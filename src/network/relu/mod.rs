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
mod forward;
mod kernel;
mod passes;
mod pattern;
mod pieces;
mod rays;
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

use super::layer::{Layer, reshaped};
use super::signals::Held;
use super::{Kernel, Layout, Signals, View, outputs};
use crate::activation::{Activation, ExactRelu, Formula, Identity, Kink, SmoothedRelu};
use crate::dataset::Dataset;
pub(crate) use forward::ForwardPass;
use kernel::ReluKernel;
use nalgebra::{DMatrix, DVector};
use pattern::Pattern;
use std::ops::Range;
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
fn close_on_kinks(outputs: &mut DMatrix<f64>, w: &View<'_>, inputs: &DMatrix<f64>) {
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

/// What all pieces of a vector field share.
struct Setting {
    layout: Layout,
    /// Hidden layers and the output layer.
    layers: Vec<Layer>,
    /// Whether every layer is dense, without bias, on all of the one below: units and patches are the same numbers.
    plain: bool,
    /// g of the first hidden layer: of all, where kinks are rounded.
    activation: Activation,
    signals: Held<DMatrix<f64>, DMatrix<f64>>,
    /// What the first layer sees, patch × (patches · N): `Xᵀ` where it is dense.
    inputs: DMatrix<f64>,
    data: Dataset,
    /// `y_n`, where there is one output.
    labels: DVector<f64>,
    /// The sample of every row of the data, and `∂m/∂f` of it, C × rows.
    rows: (Vec<usize>, DMatrix<f64>),
}

impl Setting {
    fn new(layers: &[Layer], layout: &Layout, signals: Signals<'_>, data: &Dataset) -> Self {
        let inputs = data.samples().transpose();
        let plain = layers.iter().all(Layer::is_plain);
        Self {
            layout: layout.clone(),
            plain,
            activation: layers[0].activation,
            signals: signals.matrices(),
            inputs: if plain {
                inputs
            } else {
                layers[0].take(&inputs, true)
            },
            labels: data.labels().clone(),
            rows: outputs::rows(data),
            data: data.clone(),
            layers: layers.to_vec(),
        }
    }

    /// Number of hidden layers L − 1.
    fn hidden(&self) -> usize {
        self.layers.len() - 1
    }

    /// Whether kinks are rounded over lengths of weights and inputs.
    fn is_rounded(&self) -> bool {
        self.activation.softness() > 0.0
    }

    /// Whether all hidden units have kinks, exact or rounded.
    fn is_of_kinks(&self) -> bool {
        self.is_rounded() || self.kinks().iter().all(Option::is_some)
    }

    /// The kinks of the hidden layers that have one.
    fn kinks(&self) -> Vec<Option<Kink>> {
        let hidden = self.layers[..self.hidden()].iter();
        hidden.map(|layer| layer.activation.kink()).collect()
    }

    /// Columns that one sample has in a layer (from 0, the output layer included): its patches.
    fn patches(&self, layer: usize) -> usize {
        self.layers[layer].patches()
    }

    /// The columns of these samples in a layer.
    fn columns(&self, layer: usize, samples: &[usize]) -> Vec<usize> {
        let patches = self.patches(layer);
        (samples.iter())
            .flat_map(|n| n * patches..(n + 1) * patches)
            .collect()
    }

    /// What layer `layer` > 0 sees of outputs h of the one below (channels × (patches · N)), or of changes of them if
    /// not `of_values`.
    fn taken(&self, layer: usize, h: DMatrix<f64>, of_values: bool) -> DMatrix<f64> {
        if self.plain {
            return h;
        }
        let units = self.layers[layer - 1].above().units();
        self.layers[layer].take(&reshaped(h, units), of_values)
    }

    /// The transpose of [`taken`](Self::taken): what patches of layer `layer` > 0 are to blame for, collected on the
    /// outputs of the one below.
    fn given_back(&self, layer: usize, blame: DMatrix<f64>) -> DMatrix<f64> {
        if self.plain {
            return blame;
        }
        let samples = blame.ncols() / self.patches(layer).max(1);
        self.arrived(layer - 1, self.layers[layer].give_back(&blame, samples))
    }

    /// Signals at the units of a hidden layer (units × N), as channels × (patches · N).
    fn arrived(&self, layer: usize, signals: DMatrix<f64>) -> DMatrix<f64> {
        if self.plain {
            return signals;
        }
        reshaped(signals, self.layers[layer].shape().1)
    }

    /// e, C × N.
    fn errors(&self, multipliers: &[f64]) -> DMatrix<f64> {
        if self.rows.1.nrows() == 1 {
            let errors = self.labels.iter().zip(multipliers).map(|(y, a)| y * a);
            return DMatrix::from_iterator(1, self.labels.len(), errors);
        }
        outputs::errors(&self.data, multipliers).transpose()
    }

    /// Margins of outputs f, C × N, or changes of them.
    fn margins(&self, outputs: &DMatrix<f64>) -> DVector<f64> {
        if self.rows.1.nrows() == 1 {
            let outputs = outputs.iter().zip(self.labels.iter());
            return DVector::from_iterator(self.labels.len(), outputs.map(|(f, y)| f * y));
        }
        outputs::margins(&self.data, &outputs.transpose())
    }

    /// Rows of the data of these samples.
    fn rows_of(&self, samples: &[usize]) -> Vec<usize> {
        let groups = self.data.groups();
        samples.iter().flat_map(|n| groups.rows_of(*n)).collect()
    }

    /// Where column `unit` of `w_l` is in θ, `layer` = l − 1.
    fn column(&self, layer: usize, unit: usize) -> Range<usize> {
        let start = self.layout.range(layer).start;
        let inputs = self.layout.shapes()[layer].0;
        start + unit * inputs..start + (unit + 1) * inputs
    }

    /// Whether nothing of a sample arrives anywhere, `x_n = 0` without biases.
    fn is_blank(&self, sample: usize) -> bool {
        let columns = self.columns(0, &[sample]).into_iter();
        let mut inputs = columns.map(|n| self.inputs.column(n));
        inputs.all(|x| x.iter().all(|x| *x == 0.0)) && self.forgets_above(0)
    }

    /// Whether nothing passes the layers above this one that has not come through it: none of them has a bias.
    fn forgets_above(&self, layer: usize) -> bool {
        self.layers[layer + 1..].iter().all(|layer| !layer.bias)
    }

    /// Rows of samples whose multipliers move no weight: blank ones, those on which the first layer is dark, and, where error
    /// signals pass down through the layers, those on which any layer is dark (direct feedback still moves the layers
    /// below it).
    fn idle(&self, pattern: &Pattern) -> Vec<usize> {
        let layers = match self.signals {
            Held::Direct(_) => self.hidden().min(1),
            Held::Backward | Held::Layerwise(_) => self.hidden(),
        };
        self.rows_of(&self.dark(pattern, layers))
    }

    /// Rows of samples whose margins are zero on this piece: blank ones, and those that some layer is dark on.
    fn dead(&self, pattern: &Pattern) -> Vec<usize> {
        self.rows_of(&self.dark(pattern, self.hidden()))
    }

    /// Blank samples, and those that one of the first `layers` layers is dark on.
    fn dark(&self, pattern: &Pattern, layers: usize) -> Vec<usize> {
        let closes = |layer: &usize| {
            let kink = self.layers[*layer].activation.kink();
            kink.is_some_and(Kink::closes) && self.forgets_above(*layer)
        };
        let closing: Vec<usize> = (0..layers).filter(closes).collect();
        let is_dark = |n: &usize| {
            let mut layers = closing.iter();
            layers.any(|layer| (self.columns(*layer, &[*n]).iter()).all(|n| pattern.is_dark(*layer, *n)))
        };
        (0..self.data.len())
            .filter(|n| self.is_blank(*n) || is_dark(n))
            .collect()
    }

    /// Of a unit of the last hidden layer, of which `½‖w_j‖²` has grown by `gained`: what keeps `b_j·w_L[j] − ½‖w_j‖²`
    /// as it was, where feedback is fixed and each unit has output weights of its own; by output.
    fn on_conserved_level(&self, unit: usize, gained: f64) -> Option<DVector<f64>> {
        let b = match &self.signals {
            Held::Backward => None,
            Held::Layerwise(f) => f.last(),
            Held::Direct(b) => b.last(),
        };
        let b = b.filter(|_| self.plain)?.row(unit).transpose();
        let square = b.norm_squared();
        (square > 0.0).then(|| b * (gained / square))
    }

    /// Adds to the output weights of a unit of the last hidden layer, by output.
    fn add_to_output_weights(&self, theta: &mut [f64], unit: usize, by: &DVector<f64>) {
        for (output, by) in by.iter().enumerate() {
            theta[self.column(self.hidden(), output).start + unit] += by;
        }
    }
}
