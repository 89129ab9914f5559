//! General networks: dense layers and circular convolutions with channels, averages, any activation in every layer,
//! biases, and a linear output layer to C outputs.
//!
//! [`layer`](super::layer) has what a layer is, [`passes`] the field. Networks without biases are homogeneous in θ: a
//! layer raises the degree d below it to p(1 + d), p the degree of its activation, and the output layer adds one.
//! Layers with biases are only quasi-homogeneous: margins are homogeneous in no one scaling of all weights, and
//! statements about the direction of θ do not apply.
//!
//! Where kinks are rounded (`Formula::rounded`) the field is smooth, and [`kernel`] has it. Fields with exact kinks are
//! hybrid, piece by piece, with the machinery of [`relu`](super::relu); [`kinks`] has the gradients of their margins.
//! Networks of dense layers with one activation, no biases and one output are those of [`Relu`](super::Relu), and
//! [`network`] makes these.

mod kernel;
mod kinks;
mod passes;
mod tangent;
#[cfg(test)]
pub(super) mod tests;

use super::layer::{Connection, Extent, Layer, LayerSpec, Misfit};
use super::signals::Held;
use super::{
    Architecture, Footprint, Kernel, Kind, Known, Layout, Network, OutputLayer, Relu, Signals,
    expect_fit, outputs, relu,
};
use crate::activation::{ExactRelu, Formula, Identity};
use crate::dataset::Dataset;
use kernel::LayeredKernel;
pub(crate) use kinks::GradientsAtKinks;
use nalgebra::{DMatrix, DVector};
use passes::Forward;
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    key: "layers",
    about: "Dense layers, convolutions and averages with any activations, to one output or several.",
    examples: |dimension| {
        let relu = || ExactRelu.rounded(0.2);
        let specs = [
            vec![
                LayerSpec::convolution(3.min(dimension), 2, relu()),
                LayerSpec::dense(3, Identity),
            ],
            vec![LayerSpec {
                bias: true,
                ..LayerSpec::dense(4, relu())
            }],
        ];
        let layered = specs
            .iter()
            .map(|hidden| Layered::new(dimension, hidden, 1));
        layered.flat_map(|l| l.map(Network::new)).collect()
    },
};

/// A general network, see the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Layered {
    /// Hidden layers and the output layer.
    layers: Vec<Layer>,
    layout: Layout,
}

/// The network of these hidden layers on D inputs with C outputs, its kinks rounded over `smoothing`, exact if that is
/// zero: the [`Relu`] network where it is one.
///
/// # Errors
/// [`Misfit`] with the index of the layer (from 0).
pub(super) fn network(
    dimension: usize,
    hidden: &[LayerSpec],
    output: &LayerSpec,
    smoothing: f64,
) -> Result<Network, (usize, Misfit)> {
    if let Some(relu) = as_relu(dimension, hidden, output, smoothing) {
        return Ok(relu.into());
    }
    let rounded = |spec: &LayerSpec| LayerSpec {
        activation: match smoothing > 0.0 {
            true => spec.activation.rounded(smoothing),
            false => spec.activation,
        },
        ..spec.clone()
    };
    let hidden: Vec<LayerSpec> = hidden.iter().map(rounded).collect();
    Layered::with_output(dimension, &hidden, output).map(Network::new)
}

/// Whether layers have kinks, and are no network of [`Relu`].
pub(super) fn have_mixed_kinks(dimension: usize, hidden: &[LayerSpec], output: &LayerSpec) -> bool {
    let has_kinks = hidden.iter().any(|spec| spec.activation.kink().is_some());
    has_kinks && as_relu(dimension, hidden, output, 0.0).is_none()
}

/// Dense layers without biases that all have the same relative of the ReLU, to one output.
fn as_relu(
    dimension: usize,
    hidden: &[LayerSpec],
    output: &LayerSpec,
    smoothing: f64,
) -> Option<Relu> {
    let activation = hidden.first()?.activation;
    activation.kink()?;
    let rounded = smoothing > 0.0;
    // [network.relu] has no leaky units with rounded kinks
    let known = activation == ExactRelu.into() || !rounded;
    let plain = |spec: &LayerSpec| spec.pooling.is_empty() && !spec.bias;
    let units = |spec: &LayerSpec| match spec.connection {
        Connection::Dense { units } if plain(spec) && spec.activation == activation => Some(units),
        _ => None,
    };
    let widths: Vec<usize> = hidden.iter().map(units).collect::<Option<_>>()?;
    let one = plain(output) && output.connection == Connection::Dense { units: 1 };
    let activation = if rounded {
        activation.rounded(smoothing)
    } else {
        activation
    };
    (known && one).then(|| Relu::with(dimension, &widths, activation))
}

impl Layered {
    /// Hidden layers on D inputs, and a dense output layer without bias to `outputs`.
    ///
    /// # Errors
    /// [`Misfit`] with the index of the layer (from 0).
    pub fn new(
        dimension: usize,
        hidden: &[LayerSpec],
        outputs: usize,
    ) -> Result<Self, (usize, Misfit)> {
        Self::with_output(dimension, hidden, &LayerSpec::dense(outputs, Identity))
    }

    /// The same with any linear output layer.
    fn with_output(
        dimension: usize,
        hidden: &[LayerSpec],
        output: &LayerSpec,
    ) -> Result<Self, (usize, Misfit)> {
        let mut below = Extent {
            positions: dimension,
            channels: 1,
        };
        let mut layers = Vec::with_capacity(hidden.len() + 1);
        for (l, spec) in hidden.iter().chain([output]).enumerate() {
            let layer = Layer::new(spec, below).map_err(|misfit| (l, misfit))?;
            below = layer.above();
            layers.push(layer);
        }
        Ok(Self {
            layout: Layout::new(layers.iter().map(Layer::shape).collect()),
            layers,
        })
    }

    fn hidden(&self) -> &[Layer] {
        &self.layers[..self.layers.len() - 1]
    }

    /// ε of rounded kinks; 0 without any.
    pub fn softness(&self) -> f64 {
        let softness = self
            .hidden()
            .iter()
            .map(|layer| layer.activation.softness());
        softness.fold(0.0, f64::max)
    }

    /// The layers in words, from the input to the output.
    pub fn description(&self) -> String {
        let layers: Vec<String> = self.layers.iter().map(Layer::description).collect();
        layers.join(", ")
    }

    /// The degrees of homogeneity of the outputs in every layer of weights, `∏_{j ≥ l} p_j`; `None` with biases, where
    /// they are homogeneous in none but the last.
    pub fn degrees(&self) -> Option<Vec<u32>> {
        if self.layers.iter().any(|layer| layer.bias) {
            return None;
        }
        let mut degrees = vec![1_u32; self.layers.len()];
        for l in (0..self.layers.len() - 1).rev() {
            degrees[l] = degrees[l + 1].saturating_mul(self.layers[l].activation.degree());
        }
        Some(degrees)
    }

    /// Channels of the last hidden layer and the degree of its activation, where the output layer weighs its units one
    /// by one.
    pub(crate) fn last_hidden(&self) -> Option<(usize, u32)> {
        let last = self.hidden().last()?;
        let output = &self.layers[self.layers.len() - 1];
        (output.pooled == 1).then(|| (last.shape().1, last.activation.degree()))
    }

    fn field(&self, signals: Signals<'_>) -> Field {
        Field {
            layers: self.layers.clone(),
            layout: self.layout.clone(),
            signals: signals.matrices(),
        }
    }

    /// Whether some units have exact kinks.
    pub(crate) fn has_exact_kinks(&self) -> bool {
        (self.hidden().iter()).any(|layer| layer.activation.kink().is_some())
    }

    /// Gradients of all margins, with every choice of gates at exact kinks.
    pub(crate) fn margin_gradients(&self, theta: &[f64], data: &Dataset) -> GradientsAtKinks {
        GradientsAtKinks::new(self, theta, data)
    }

    /// Gradients of all margins, P × rows.
    pub(crate) fn gradients(&self, theta: &[f64], data: &Dataset) -> DMatrix<f64> {
        let (samples, e) = outputs::rows(data);
        let field = self.field(Signals::Backward);
        let inputs = data.samples().select_rows(&samples).transpose();
        let pass = Forward::new(&field, theta, &inputs);
        let (signals, errors) = pass.signals(&e, &Held::Backward);
        let mut gradients = DMatrix::zeros(self.layout.parameters(), data.rows());
        for l in 0..self.layers.len() {
            let range = self.layout.range(l);
            let of_layer = pass.rays(l, (&signals, &errors), &e);
            gradients
                .rows_mut(range.start, range.len())
                .copy_from(&of_layer);
        }
        gradients
    }
}

/// A network with the ways its error signals take.
struct Field {
    layers: Vec<Layer>,
    layout: Layout,
    signals: Held<DMatrix<f64>, DMatrix<f64>>,
}

impl Field {
    fn hidden(&self) -> &[Layer] {
        &self.layers[..self.layers.len() - 1]
    }

    fn last(&self) -> &Layer {
        &self.layers[self.layers.len() - 1]
    }
}

impl Architecture for Layered {
    fn key(&self) -> &'static str {
        KIND.key
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn margins(&self, theta: &[f64], data: &Dataset) -> DVector<f64> {
        let field = self.field(Signals::Backward);
        let pass = Forward::new(&field, theta, &data.samples().transpose());
        outputs::margins(data, &pass.outputs().transpose())
    }

    fn output_layer(&self, theta: &[f64], data: &Dataset) -> Option<OutputLayer> {
        let field = self.field(Signals::Backward);
        let pass = Forward::new(&field, theta, &data.samples().transpose());
        let weights = &theta[self.layout.range(self.layout.depth() - 1)];
        Some(OutputLayer {
            features: data.rows_with(&pass.features.transpose()),
            weights: DVector::from_column_slice(weights),
        })
    }

    fn kernel(&self, signals: Signals<'_>, data: &Dataset) -> Arc<dyn Kernel> {
        expect_fit(self, signals, data);
        if self.has_exact_kinks() {
            return relu::kernel_of_layers(&self.layers, &self.layout, signals, data);
        }
        Arc::new(LayeredKernel::new(
            self.field(signals),
            data,
            self.total_degree(),
        ))
    }

    /// Patches, arguments, gates and their changes are held for every unit on every sample.
    fn footprint(&self) -> Footprint {
        Footprint {
            copies: [24.0, 24.0],
            linearised: [0.0, 0.0, 3.0, 2.0, 24.0],
        }
    }

    fn known(&self) -> Known<'_> {
        Known::Layered(self)
    }

    fn signal_lengths(&self) -> Vec<usize> {
        self.hidden()
            .iter()
            .map(|layer| layer.above().units())
            .collect()
    }

    fn general(&self) -> Option<&Layered> {
        Some(self)
    }

    fn input_dimension(&self) -> usize {
        self.layers[0].below.units()
    }

    /// With one hidden layer no gates lie between it and the output; but averages and patches may.
    fn fixed_signals(&self, signals: Signals<'_>) -> Option<Vec<DMatrix<f64>>> {
        match signals {
            Signals::Direct(b) => Some(b.to_vec()),
            Signals::Layerwise([only]) => {
                Some(vec![self.layers[1].give_back(only, self.outputs())])
            }
            Signals::Layerwise(_) | Signals::Backward => None,
        }
    }
}

impl Layered {
    /// L of `m(σθ) = σ^L m(θ)`; `None` where margins are not homogeneous.
    pub fn total_degree(&self) -> Option<u32> {
        Some(
            self.degrees()?
                .iter()
                .fold(0, |sum: u32, degree| sum.saturating_add(*degree)),
        )
    }
}
