//! Network architectures: shapes, and the vector fields flows and steps are built from.
//!
//! A network under a rule is a vector field on the flattened weights θ, linear in the multipliers `α_n`:
//! `θ' = Σ_n α_n y_n 𝒢_n(θ)`. [`Architecture`] is what a network must provide, [`Kernel`] is all that integrators
//! know of its field. Every network is one folder here and one line in [`NETWORKS`]; what theory predicts for it is
//! in [`theory`](crate::theory).

mod constrained;
mod fully_connected;

mod kernel;
mod layer;
mod layered;
mod layout;
mod outputs;
mod path;
mod pseudo_inverse;
mod quasi_newton;
mod relu;
mod signals;
mod spectral;
pub mod stepping;
#[cfg(test)]
mod tests;

pub(crate) use fully_connected::RankOneStepper;
pub use fully_connected::{FullyConnectedLinear, Reduction};
pub use kernel::{
    Closure, Entered, Held, InputResponse, Kernel, LinearisedStep, Pieces, Tangent, linearised,
};
pub use layer::{Connection, Extent, LayerSpec, Misfit};
pub(crate) use layered::GradientsAtKinks;
pub use layered::Layered;
pub use layout::Layout;
pub use path::{FullPath, WeightPath};
pub(crate) use path::{SMALLEST, norm};
pub use quasi_newton::QuasiNewtonStep;
pub(crate) use relu::ForwardPass;
pub use relu::Relu;
pub(crate) use signals::vectors;
pub use signals::{MisfitSignals, Signals};
pub use spectral::SpectralLinear;

pub(crate) use constrained::Constrained;
pub(crate) use layout::View;
pub(crate) use pseudo_inverse::pseudo_inverse;

use crate::dataset::Dataset;
use crate::spectrum::Basis;
use nalgebra::{DMatrix, DVector};
use std::fmt::Debug;
use std::ops::Deref;
use std::sync::Arc;
use stepping::{GenericStepper, Lane, Stepper, Training};

/// A kind of network, for code that iterates over all of them.
pub struct Kind {
    /// Its key in a scenario.
    pub key: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// Small networks of this kind on inputs of dimension D.
    pub examples: fn(usize) -> Vec<Network>,
}

/// Every kind of network: one line each.
pub const NETWORKS: &[Kind] = &[
    fully_connected::KIND,
    spectral::CONVOLUTIONAL,
    spectral::DIAGONAL,
    relu::KIND,
    layered::KIND,
];

/// What a network must provide, and what it can provide in addition.
///
/// θ has length P, weights are inputs × units. Optional methods have defaults that are correct for every network.
pub trait Architecture: Debug + Send + Sync + 'static {
    /// The key in a scenario.
    fn key(&self) -> &'static str;

    /// Shapes of the weights and where they lie in θ.
    fn layout(&self) -> &Layout;

    /// Margins `m_n = y_n f_θ(x_n)`, length N.
    fn margins(&self, theta: &[f64], data: &Dataset) -> DVector<f64>;

    /// The vector field on `data` with error signals propagated as `signals` says.
    ///
    /// # Panics
    /// If the data or the signals do not have the network's shapes; those of a [`Problem`](crate::problem::Problem) do.
    fn kernel(&self, signals: Signals<'_>, data: &Dataset) -> Arc<dyn Kernel>;

    /// How much memory integrating it takes.
    fn footprint(&self) -> Footprint;

    /// What theory needs in order to recognise it; [`Known::Nothing`] where theory has nothing to say.
    fn known(&self) -> Known<'_> {
        Known::Nothing
    }

    /// Optional: θ of the weights `w_1 … w_L`, each column by column, in the original space. By default the weights
    /// themselves.
    fn theta(&self, weights: DVector<f64>) -> DVector<f64> {
        weights
    }

    /// The weights inside θ, in the original space: the inverse of [`theta`](Self::theta). Entries of θ beyond P are
    /// ignored.
    fn weights(&self, theta: &[f64]) -> Vec<DMatrix<f64>> {
        self.layout().matrices(theta)
    }

    /// Optional: the linear predictor β with `f = β·x`, original space, length D (D·C column by column, where there are
    /// C outputs `f = βᵀx`). Networks that are not linear in x have none.
    fn predictor(&self, _theta: &[f64]) -> Option<DVector<f64>> {
        None
    }

    /// C, the number of outputs.
    fn outputs(&self) -> usize {
        self.layout().shapes().last().map_or(1, |shape| shape.1)
    }

    /// Rows of the error signals `b_1 … b_{L−1}` of direct feedback alignment: the widths of the hidden layers.
    fn signal_lengths(&self) -> Vec<usize> {
        self.layout().hidden().iter().map(|shape| shape.1).collect()
    }

    /// D.
    fn input_dimension(&self) -> usize {
        self.layout().shapes()[0].0
    }

    /// The coordinates in which error signals act entrywise.
    fn signal_basis(&self) -> Basis {
        Basis::Standard
    }

    /// Optional: the fixed error signals `b_1 … b_{L−1}` (original space; units × outputs) that `signals` amounts to,
    /// where no gates of hidden layers intervene. Direct signals are returned as they are.
    fn fixed_signals(&self, signals: Signals<'_>) -> Option<Vec<DMatrix<f64>>> {
        match signals {
            Signals::Direct(b) => Some(b.to_vec()),
            Signals::Backward | Signals::Layerwise(_) => None,
        }
    }

    /// Optional: a faster stepper than the one by the vector field, which every network has.
    fn stepper(&self, _training: &Training<'_>, _lanes: &[Lane]) -> Option<Box<dyn Stepper>> {
        None
    }

    /// Whether runs of several step sizes share one stepper, as lanes of its vectors.
    fn shares_lanes(&self) -> bool {
        false
    }

    /// Optional: a reduced state that determines all weights under fixed signals.
    fn reducible(&self) -> Option<&FullyConnectedLinear> {
        None
    }

    /// Optional: transforms of weights and signals, where layers act entrywise in some basis.
    fn spectrum(&self) -> Option<&SpectralLinear> {
        None
    }

    /// Optional: what a linear output layer sees and what it weighs it with, `m_n = row_n(features) · output`, in
    /// coordinates that are orthonormal to those of the output weights. Networks of one layer see the samples.
    fn output_layer(&self, _theta: &[f64], _data: &Dataset) -> Option<OutputLayer> {
        None
    }

    /// Optional: hidden units with gates: their preactivations, activations, and the features of the output layer.
    fn units(&self) -> Option<&Relu> {
        None
    }

    /// Optional: general layers.
    fn general(&self) -> Option<&Layered> {
        None
    }
}

/// A linear output layer at one state.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputLayer {
    /// Signed features `y_n φ(x_n)` as rows, N × units of the last hidden layer; with C outputs the rows
    /// `(e_{c_n} − e_k) ⊗ φ(x_n)` of the data set of features.
    pub features: DMatrix<f64>,
    /// w_L, one entry per unit, output after output.
    pub weights: DVector<f64>,
}

/// What theory recognises a network by; used only by [`theory`](crate::theory).
pub enum Known<'a> {
    /// `β = w_1 ⋯ w_L`, one output.
    FullyConnected(&'a FullyConnectedLinear),
    /// `β = w_1 ⋯ w_L`, C outputs.
    FullyConnectedClasses(&'a FullyConnectedLinear),
    /// `β̂ = ŵ_1 ⊙ ⋯ ⊙ ŵ_L`
    EntryByEntry(&'a SpectralLinear),
    /// `β̂_c = ŵ_1 ⊙ ⋯ ⊙ ŵ_{L−1} ⊙ û_c`, C outputs.
    EntryByEntryClasses(&'a SpectralLinear),
    /// `h_l = g(w_lᵀ h_{l−1})`, g homogeneous of degree one.
    Gated(&'a Relu),
    /// Any layers, with a linear output layer.
    Layered(&'a Layered),
    /// Nothing is known of it.
    Nothing,
}

/// Memory that integration takes, in numbers (not bytes) per size; see [`memory`](crate::memory).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Footprint {
    /// Copies of the weights that an integrator holds: with velocities kept in factored form, and otherwise.
    pub copies: [f64; 2],
    /// Memory for the equations of an implicit step: per `N·min(N, D)`, `N·D`, `N²`, `N·P` and `N·Σ units`.
    pub linearised: [f64; 5],
}

/// A network: a handle to its architecture, cheap to clone.
#[derive(Debug, Clone)]
pub struct Network(Arc<dyn Architecture>);

impl PartialEq for Network {
    /// Whether both are the same kind of network, with the same shapes and settings, judged by their `Debug` output.
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key() && format!("{self:?}") == format!("{other:?}")
    }
}

impl<A: Architecture> From<A> for Network {
    fn from(architecture: A) -> Self {
        Self::new(architecture)
    }
}

impl Deref for Network {
    type Target = dyn Architecture;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl Network {
    /// A network of this architecture, built in or your own.
    pub fn new(architecture: impl Architecture) -> Self {
        Self(Arc::new(architecture))
    }

    /// A fully connected linear network on inputs of dimension D, L = `hidden.len() + 1`.
    pub fn fully_connected(dimension: usize, hidden: &[usize]) -> Self {
        Self::new(FullyConnectedLinear::new(dimension, hidden))
    }

    /// The same with C outputs.
    pub fn fully_connected_with_outputs(
        dimension: usize,
        hidden: &[usize],
        outputs: usize,
    ) -> Self {
        Self::new(FullyConnectedLinear::with_outputs(
            dimension, hidden, outputs,
        ))
    }

    /// A convolutional linear network of L layers on inputs of dimension D.
    pub fn convolutional(dimension: usize, depth: usize) -> Self {
        Self::new(SpectralLinear::new(Basis::Fourier, dimension, depth))
    }

    /// A convolutional linear network of L layers on inputs of dimension D with C outputs.
    pub fn convolutional_with_outputs(dimension: usize, depth: usize, outputs: usize) -> Self {
        let basis = Basis::Fourier;
        Self::new(SpectralLinear::with_outputs(
            basis, dimension, depth, outputs,
        ))
    }

    /// A diagonal linear network of L layers on inputs of dimension D with C outputs.
    pub fn diagonal_with_outputs(dimension: usize, depth: usize, outputs: usize) -> Self {
        let basis = Basis::Standard;
        Self::new(SpectralLinear::with_outputs(
            basis, dimension, depth, outputs,
        ))
    }

    /// A diagonal linear network of L layers on inputs of dimension D.
    pub fn diagonal(dimension: usize, depth: usize) -> Self {
        Self::new(SpectralLinear::new(Basis::Standard, dimension, depth))
    }

    /// A ReLU network with smoothing ε ≥ 0 (0: exact kinks).
    pub fn relu(dimension: usize, hidden: &[usize], smoothing: f64) -> Self {
        Self::new(Relu::new(dimension, hidden, smoothing))
    }

    /// A general network of these hidden layers and a linear output layer; see [`Layered`].
    ///
    /// # Errors
    /// [`Misfit`] with the index of the layer (from 0).
    pub fn layers(
        dimension: usize,
        hidden: &[LayerSpec],
        output: &LayerSpec,
        smoothing: f64,
    ) -> Result<Self, (usize, Misfit)> {
        layered::network(dimension, hidden, output, smoothing)
    }

    /// Whether [`layers`](Self::layers) have kinks, and are no ReLU network.
    pub fn layers_have_mixed_kinks(
        dimension: usize,
        hidden: &[LayerSpec],
        output: &LayerSpec,
    ) -> bool {
        layered::have_mixed_kinks(dimension, hidden, output)
    }

    /// Shapes of the weights `w_1 … w_L`, inputs × units.
    pub fn shapes(&self) -> &[(usize, usize)] {
        self.layout().shapes()
    }

    /// Shapes of the feedback matrices `F_1 … F_{L−1}` of feedback alignment, those of `w_2 … w_L`.
    pub fn feedback_shapes(&self) -> &[(usize, usize)] {
        self.shapes().get(1..).unwrap_or_default()
    }

    /// Shapes of the error signals `b_1 … b_{L−1}` of direct feedback alignment, units × outputs.
    pub fn signal_shapes(&self) -> Vec<(usize, usize)> {
        let lengths = self.signal_lengths().into_iter();
        lengths.map(|length| (length, self.outputs())).collect()
    }

    /// L.
    pub fn depth(&self) -> usize {
        self.layout().depth()
    }

    /// Number of parameters P.
    pub fn parameters(&self) -> usize {
        self.layout().parameters()
    }

    /// Whether `f = β·x`.
    pub fn is_linear(&self) -> bool {
        self.predictor(&vec![0.0; self.parameters()]).is_some()
    }

    /// Whether signals have the shapes this network needs.
    ///
    /// # Errors
    /// [`MisfitSignals`], naming the layer.
    pub fn check_signals(&self, signals: Signals<'_>) -> Result<(), MisfitSignals> {
        signals.check(&self.signal_shapes(), self.feedback_shapes())
    }

    /// The uppermost hidden layer l (from 1) that no error signal ever reaches, because `F_l F_{l+1} ⋯ F_{L−1} = 0` to
    /// rounding; none does below it either. Where gates stand between the matrices, only where the product vanishes
    /// whatever the gates.
    pub fn unreached_layer(&self, signals: Signals<'_>) -> Option<usize> {
        let Signals::Layerwise(matrices) = signals else {
            return None;
        };
        let moduli: Vec<DMatrix<f64>> = matrices.iter().map(DMatrix::abs).collect();
        let moduli = Signals::Layerwise(&moduli);
        let largest =
            (self.fixed_signals(moduli)).or_else(|| moduli.composed(|f, above| f * above))?;
        let signals = self.fixed_signals(signals);
        let widest = matrices.iter().map(|f| f.nrows().max(f.ncols())).max()?;
        let rounding = 4.0 * f64::EPSILON * widest as f64;
        let is_zero = |l: &usize| match &signals {
            Some(signals) => signals[*l].amax() <= rounding * largest[*l].amax(),
            None => largest[*l].amax() == 0.0,
        };
        (0..matrices.len()).rev().find(is_zero).map(|l| l + 1)
    }

    /// Finite steps: the network's own stepper, or the generic one by its vector field.
    ///
    /// # Panics
    /// If the data, the signals or the weights do not have the network's shapes.
    pub fn steps(&self, training: &Training<'_>, lanes: &[Lane]) -> Box<dyn Stepper> {
        self.stepper(training, lanes).unwrap_or_else(|| {
            let kernel = self.kernel(training.signals, training.data);
            Box::new(GenericStepper::new(kernel, training, lanes))
        })
    }
}

/// Checks the arguments of a network's `kernel`.
///
/// # Panics
/// If these do not have the network's shapes.
fn expect_fit(network: &impl Architecture, signals: Signals<'_>, data: &Dataset) {
    let shapes = network.layout().shapes();
    assert_eq!(
        data.dimension(),
        network.input_dimension(),
        "input dimension"
    );
    let direct = network.signal_lengths().into_iter();
    let direct: Vec<_> = direct.map(|length| (length, network.outputs())).collect();
    if let Err(misfit) = signals.check(&direct, &shapes[1..]) {
        panic!("{misfit}");
    }
}

/// Samples that are zero: they move no weight, and their margins stay zero.
fn blank(signed_samples: &DMatrix<f64>) -> Vec<usize> {
    (signed_samples.row_iter().enumerate())
        .filter(|(_, g)| g.iter().all(|&g| g == 0.0))
        .map(|(n, _)| n)
        .collect()
}
