//! Network architectures: shapes, and the kernels flows and steps are built from.
//!
//! A network under a rule is a vector field on the flattened weights θ, linear in the multipliers
//! `α_n`: `θ' = Σ_n α_n y_n 𝒢_n(θ)`. [`Kernel`] is all the integrator knows of it; one file per
//! architecture implements it. To add an architecture: one file here, one variant of [`Network`].

mod fully_connected;
mod path;
mod products;
mod quasi_newton;
mod relu;
mod spectral;
#[cfg(test)]
mod tests;

pub use fully_connected::{FullyConnectedLinear, Reduction};
pub use path::{FullPath, WeightPath};
pub use relu::Relu;
pub use spectral::SpectralLinear;

use crate::spectrum::Basis;
use crate::{dataset::Dataset, rule::Rule, trajectory::Kinks};
use nalgebra::{DMatrix, DMatrixView, DVector};
use std::sync::Arc;

/// A network architecture.
#[derive(Debug, Clone, PartialEq)]
pub enum Network {
    /// `β = w_1 w_2 ⋯ w_L`, `f = β·x`.
    FullyConnectedLinear(FullyConnectedLinear),
    /// `β̂ = ŵ_1 ⊙ ⋯ ⊙ ŵ_L` with the unitary discrete Fourier transform; θ holds its real coordinates.
    ConvolutionalLinear(SpectralLinear),
    /// `β = w_1 ⊙ ⋯ ⊙ w_L`.
    DiagonalLinear(SpectralLinear),
    /// `h_l = g(w_lᵀ h_{l−1})`, `f = w_Lᵀ h_{L−1}`, without biases.
    Relu(Relu),
}

impl Network {
    /// A convolutional linear network of L layers on inputs of dimension D.
    pub fn convolutional(dimension: usize, depth: usize) -> Self {
        Self::ConvolutionalLinear(SpectralLinear::new(Basis::Fourier, dimension, depth))
    }

    /// A diagonal linear network of L layers on inputs of dimension D.
    pub fn diagonal(dimension: usize, depth: usize) -> Self {
        Self::DiagonalLinear(SpectralLinear::new(Basis::Standard, dimension, depth))
    }

    /// The architecture's key in a scenario.
    pub fn name(&self) -> &'static str {
        match self {
            Self::FullyConnectedLinear(_) => "fully-connected-linear",
            Self::ConvolutionalLinear(_) => "convolutional-linear",
            Self::DiagonalLinear(_) => "diagonal-linear",
            Self::Relu(_) => "relu",
        }
    }

    /// The networks that act entry by entry in some basis.
    pub fn spectral(&self) -> Option<&SpectralLinear> {
        match self {
            Self::FullyConnectedLinear(_) | Self::Relu(_) => None,
            Self::ConvolutionalLinear(n) | Self::DiagonalLinear(n) => Some(n),
        }
    }

    /// The networks that are not linear in their input.
    pub fn relu(&self) -> Option<&Relu> {
        match self {
            Self::FullyConnectedLinear(_)
            | Self::ConvolutionalLinear(_)
            | Self::DiagonalLinear(_) => None,
            Self::Relu(n) => Some(n),
        }
    }

    /// Shapes of the weights `w_1 … w_L`, inputs × units.
    pub fn shapes(&self) -> &[(usize, usize)] {
        match self {
            Self::FullyConnectedLinear(n) => n.shapes(),
            Self::ConvolutionalLinear(n) | Self::DiagonalLinear(n) => n.shapes(),
            Self::Relu(n) => n.shapes(),
        }
    }

    /// Shapes of the feedback matrices `F_1 … F_{L−1}` of feedback alignment, in the place of `w_2 … w_L`.
    pub fn feedback_shapes(&self) -> &[(usize, usize)] {
        self.shapes().get(1..).unwrap_or_default()
    }

    /// L.
    pub fn depth(&self) -> usize {
        self.shapes().len()
    }

    /// Number of parameters P.
    pub fn parameters(&self) -> usize {
        self.shapes().iter().map(|(r, c)| r * c).sum()
    }

    /// θ of the weights `w_1 … w_L`, each column by column, in the original space: the weights themselves, but for
    /// convolutional networks each `w_l` in the coordinates of [`Basis::Fourier`].
    pub fn theta(&self, weights: DVector<f64>) -> DVector<f64> {
        match self {
            Self::FullyConnectedLinear(_) | Self::Relu(_) => weights,
            Self::ConvolutionalLinear(n) | Self::DiagonalLinear(n) => {
                n.coordinates(weights.as_slice())
            }
        }
    }

    /// The weights inside θ, in the original space, as matrices inputs × units.
    pub fn weights(&self, theta: &[f64]) -> Vec<DMatrix<f64>> {
        let copies = |theta: &[f64]| {
            views(self.shapes(), theta)
                .iter()
                .map(View::clone_owned)
                .collect()
        };
        match self.spectral() {
            None => copies(theta),
            Some(n) => copies(n.original(theta).as_slice()),
        }
    }

    /// The linear predictor β with `f = β·x`, original space, length D; none for networks that are not linear in x.
    pub fn predictor(&self, theta: &[f64]) -> Option<DVector<f64>> {
        match self {
            Self::FullyConnectedLinear(n) => Some(n.predictor(theta)),
            Self::ConvolutionalLinear(n) | Self::DiagonalLinear(n) => Some(n.predictor(theta)),
            Self::Relu(_) => None,
        }
    }

    /// Margins `m_n = y_n f_θ(x_n)`, length N.
    pub fn margins(&self, theta: &[f64], data: &Dataset) -> DVector<f64> {
        match self {
            Self::Relu(n) => n
                .outputs(theta, data.samples())
                .component_mul(data.labels()),
            Self::FullyConnectedLinear(n) => data.signed_samples() * n.predictor(theta),
            Self::ConvolutionalLinear(n) | Self::DiagonalLinear(n) => {
                data.signed_samples() * n.predictor(theta)
            }
        }
    }

    /// The fixed error signal `b_{L−1}` of the last hidden layer (the same under FA and DFA); none under BP or without
    /// hidden layers.
    pub fn last_feedback(&self, rule: &Rule) -> Option<DVector<f64>> {
        match rule {
            Rule::GradientDescent => None,
            Rule::DirectFeedbackAlignment(b) => b.last().cloned(),
            Rule::FeedbackAlignment(f) => f.last().map(|f| f.column(0).into_owned()),
        }
    }

    /// The fixed error signals `b_1 … b_{L−1}` (original space) a rule amounts to on this network; none under BP, and
    /// none under feedback alignment on ReLU networks of more than two layers, where gates stand between the products.
    ///
    /// On a linear network feedback alignment *is* direct feedback alignment: `δ_l = F_l δ_{l+1}` from `δ_L = 1` gives
    /// `b_l = F_l F_{l+1} ⋯ F_{L−1}` (products of transforms where layers act entry by entry).
    pub fn feedback(&self, rule: &Rule) -> Option<Vec<DVector<f64>>> {
        match rule {
            Rule::GradientDescent => None,
            Rule::DirectFeedbackAlignment(b) => Some(b.clone()),
            Rule::FeedbackAlignment(f) if self.relu().is_some() && f.len() > 1 => None,
            Rule::FeedbackAlignment(f) => {
                let mut signals: Vec<DVector<f64>> = Vec::with_capacity(f.len());
                for f_l in f.iter().rev() {
                    let column = || f_l.column(0).into_owned();
                    let signal = match (signals.last(), self.spectral()) {
                        (None, _) => column(),
                        (Some(above), None) => f_l * above,
                        (Some(above), Some(n)) => n.compose(&column(), above),
                    };
                    signals.push(signal);
                }
                signals.reverse();
                Some(signals)
            }
        }
    }

    /// The vector field of this network under `rule` on `data`.
    ///
    /// # Panics
    /// If the data or the feedback do not have the network's shapes; a built problem always has.
    pub fn kernel(&self, rule: &Rule, data: &Dataset) -> Arc<dyn Kernel> {
        let feedback = self.feedback(rule);
        match self {
            Self::FullyConnectedLinear(n) => n.kernel(feedback, data),
            Self::ConvolutionalLinear(n) | Self::DiagonalLinear(n) => n.kernel(feedback, data),
            Self::Relu(n) => n.kernel(rule, data),
        }
    }
}

/// A weight matrix inside θ.
type View<'a> = DMatrixView<'a, f64>;

/// The weights inside θ without copying.
fn views<'a>(shapes: &[(usize, usize)], theta: &'a [f64]) -> Vec<View<'a>> {
    let mut rest = theta;
    shapes
        .iter()
        .map(|&(inputs, units)| {
            let (w, tail) = rest.split_at(inputs * units);
            rest = tail;
            DMatrixView::from_slice(w, inputs, units)
        })
        .collect()
}

/// Samples that are zero: no weight moves by them, and their margins are zero for ever.
fn blank(signed_samples: &DMatrix<f64>) -> Vec<usize> {
    (signed_samples.row_iter().enumerate())
        .filter(|(_, g)| g.iter().all(|&g| g == 0.0))
        .map(|(n, _)| n)
        .collect()
}

/// What the integrator asks of a network under a rule on a data set of N samples.
///
/// Slices: `theta`, `velocity` have length P; `multipliers`, `margins`, `rates` length N.
pub trait Kernel: Send + Sync {
    /// P.
    fn parameters(&self) -> usize;

    /// N.
    fn samples(&self) -> usize;

    /// Parts of θ whose entries grow together (the layers), one after the other, by length.
    fn layers(&self) -> Vec<usize> {
        vec![self.parameters()]
    }

    /// G (N × D), for networks that are linear in their input, `m_n = g_n·β`, in any orthonormal coordinates.
    fn signed_samples(&self) -> Option<&DMatrix<f64>> {
        None
    }

    /// Margins `m_n = y_n f_θ(x_n)`.
    fn margins(&self, theta: &[f64], margins: &mut [f64]);

    /// `velocity = Σ_n α_n y_n 𝒢_n(θ)` and the margin rates it causes, `rates_n = ∂m_n/∂θ · velocity`.
    fn velocity(&self, theta: &[f64], multipliers: &[f64], velocity: &mut [f64], rates: &mut [f64]);

    /// Exact directional derivative of (velocity, margins, rates) along `(d_theta, d_multipliers)`.
    fn tangent(
        &self,
        theta: &[f64],
        multipliers: &[f64],
        d_theta: &[f64],
        d_multipliers: &[f64],
    ) -> Tangent;

    /// The tangent kernel `K_nm = ∂m_n/∂θ · y_m 𝒢_m(θ)` for all n and the samples m in `active`, N × `active.len()`.
    fn tangent_kernel(&self, theta: &[f64], active: &[usize]) -> DMatrix<f64> {
        let mut columns = DMatrix::zeros(self.samples(), active.len());
        let mut velocity = vec![0.0; self.parameters()];
        let mut rates = vec![0.0; self.samples()];
        for (j, &m) in active.iter().enumerate() {
            let mut unit = vec![0.0; self.samples()];
            unit[m] = 1.0;
            self.velocity(theta, &unit, &mut velocity, &mut rates);
            columns.column_mut(j).copy_from_slice(&rates);
        }
        columns
    }

    /// Samples whose multipliers move nothing, however large they are: at most they hold preactivations on their kinks.
    fn idle(&self) -> &[usize] {
        &[]
    }

    /// What keeps an implicit method from going on at θ, in words, where the network knows: states near which its field is not smooth.
    fn obstacle(&self, _theta: &[f64]) -> Option<String> {
        None
    }

    /// The pieces of a field that is smooth in pieces only; `None` for smooth ones.
    fn pieces(&self) -> Option<&dyn Pieces> {
        None
    }

    /// The weights along an integration, from `theta`, with room for `slots` velocities, in the form that is cheapest for
    /// this network; `None` where that is [`FullPath`].
    fn path(&self, _theta: &[f64], _slots: usize) -> Option<Box<dyn WeightPath + '_>> {
        None
    }

    /// The equations of one implicit step, `dθ = r + c · d(velocity)`, linearised at `(θ, α)`.
    fn linearise(&self, theta: &[f64], multipliers: &[f64], step: f64) -> Box<dyn LinearisedStep>;
}

/// A vector field that is smooth in pieces (exact kinks). A kernel that has been handed out by [`Pieces::enter`] is the smooth
/// continuation of one piece beyond its borders, and knows when a state has left it.
///
/// `theta` has length P, `multipliers` (in any scale, the same for all samples) length N.
pub trait Pieces {
    /// Positive inside the piece, negative once some border has been passed.
    fn clearance(&self, theta: &[f64], multipliers: &[f64]) -> f64;

    /// The piece that the flow enters at a state: inside the present one, or on its border, where `theta` is set onto the
    /// border exactly.
    ///
    /// # Errors
    /// A sentence, if no piece is consistent with its own velocity.
    fn enter(&self, theta: &mut [f64], multipliers: &[f64]) -> Result<Entered, String>;

    /// What tells this piece from others, as words to be stored.
    fn state(&self) -> Vec<u64>;

    /// The piece of the same field with this [`state`](Self::state); `None` if there is none.
    fn restored(&self, state: &[u64]) -> Option<Arc<dyn Kernel>>;
}

/// A piece of a field, and what happened on the way into it.
pub struct Entered {
    pub kernel: Arc<dyn Kernel>,
    /// What changed at this border, and the pairs that slide from now on.
    pub kinks: Kinks,
}

/// Directional derivatives of a [`Kernel`].
#[derive(Debug, Clone)]
pub struct Tangent {
    /// Of the velocity, length P.
    pub velocity: Vec<f64>,
    /// Of the margins, length N.
    pub margins: DVector<f64>,
    /// Of the margin rates, length N.
    pub rates: DVector<f64>,
}

/// One implicit step with its θ-part eliminated: what a change of the N multipliers does to the margins and to their
/// rates once `dθ = r + c·d(velocity)` has been solved exactly.
pub trait LinearisedStep: Send {
    /// With r = 0: derivatives of (margins, rates) in the multipliers of the samples `active`, each N × `active.len()`.
    fn response(&self, active: &[usize]) -> (DMatrix<f64>, DMatrix<f64>);

    /// The same responses of all N samples as products through the input space, `(G Q Gᵀ, G Q' Gᵀ)` with G the signed
    /// samples (N × D); `None` for networks that are not linear in their input.
    fn input_response(&self) -> Option<InputResponse<'_>> {
        None
    }

    /// Solves `dθ = r + c·d(velocity)` in place (`residual`: r in, dθ out). The change of the multipliers is asked from
    /// `close` once the part of (dm, dm') caused by r alone is known. Returns the total change of the margins.
    fn solve(&self, residual: &mut [f64], close: &mut Closure<'_>) -> DVector<f64>;
}

/// Responses through the input space, see [`LinearisedStep::input_response`].
pub struct InputResponse<'a> {
    /// G, N × D.
    pub signed_samples: &'a DMatrix<f64>,
    /// Q, D × D.
    pub margins: DMatrix<f64>,
    /// Q', D × D.
    pub rates: DMatrix<f64>,
}

/// From (dm, dm') caused by the residual alone to the change of the multipliers.
pub type Closure<'a> = dyn FnMut(&DVector<f64>, &DVector<f64>) -> DVector<f64> + 'a;
