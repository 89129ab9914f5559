//! The networks that are measured here, and the gradients of their margins.

use super::gradients::Gradients;
use crate::activation::Formula;
use crate::dataset::Dataset;
use crate::network::{Architecture, GradientsAtKinks, Layered, Network, Relu};
use nalgebra::{DMatrix, DVector};

/// A homogeneous network with hidden units.
#[derive(Clone, Copy)]
pub(super) enum Measured<'a> {
    Gated(&'a Relu),
    /// Any layers; of several outputs too.
    Layered(&'a Layered, u32),
}

/// Gradients of all margins at one θ.
pub(super) trait MarginGradients {
    /// `∇m_n`, with open gates at kinks.
    fn open(&self, n: usize) -> DVector<f64>;

    /// Inner products of all [`open`](Self::open) gradients with a direction.
    fn along(&self, direction: &[f64]) -> DVector<f64>;

    /// Whether there is more than one gradient of this margin.
    fn has_kinks(&self, _n: usize) -> bool {
        false
    }

    /// The one with the largest inner product with `direction`; `None` if there is only one.
    fn steepest(&self, _n: usize, _direction: &DVector<f64>) -> Option<DVector<f64>> {
        None
    }
}

impl MarginGradients for Gradients<'_> {
    fn open(&self, n: usize) -> DVector<f64> {
        self.open(n)
    }

    fn along(&self, direction: &[f64]) -> DVector<f64> {
        self.along(direction)
    }

    fn has_kinks(&self, n: usize) -> bool {
        self.has_kinks(n)
    }

    fn steepest(&self, n: usize, direction: &DVector<f64>) -> Option<DVector<f64>> {
        self.steepest(n, direction)
    }
}

/// Of margins that are smooth, P × rows.
struct Smooth(DMatrix<f64>);

impl MarginGradients for Smooth {
    fn open(&self, n: usize) -> DVector<f64> {
        self.0.column(n).into_owned()
    }

    fn along(&self, direction: &[f64]) -> DVector<f64> {
        self.0.tr_mul(&DVector::from_column_slice(direction))
    }
}

impl MarginGradients for GradientsAtKinks {
    fn open(&self, n: usize) -> DVector<f64> {
        self.open.column(n).into_owned()
    }

    fn along(&self, direction: &[f64]) -> DVector<f64> {
        self.open.tr_mul(&DVector::from_column_slice(direction))
    }

    fn has_kinks(&self, n: usize) -> bool {
        self.has_kinks(n)
    }

    fn steepest(&self, n: usize, direction: &DVector<f64>) -> Option<DVector<f64>> {
        self.steepest(n, direction)
    }
}

impl<'a> Measured<'a> {
    /// `None` for networks that are linear in their input, and for those that are not homogeneous.
    pub(super) fn of(network: &'a Network) -> Option<Self> {
        if let Some(relu) = network.units() {
            return Some(Self::Gated(relu));
        }
        let layered = network.general()?;
        layered
            .total_degree()
            .map(|degree| Self::Layered(layered, degree))
    }

    pub(super) fn architecture(self) -> &'a dyn Architecture {
        match self {
            Self::Gated(relu) => relu,
            Self::Layered(layered, _) => layered,
        }
    }

    pub(super) fn gated(self) -> Option<&'a Relu> {
        match self {
            Self::Gated(relu) => Some(relu),
            Self::Layered(..) => None,
        }
    }

    /// L of `m(σθ) = σ^L m(θ)`.
    pub(super) fn degree(self) -> u32 {
        match self {
            Self::Gated(relu) => relu.degree(),
            Self::Layered(_, degree) => degree,
        }
    }

    /// ε of rounded kinks.
    pub(super) fn softness(self) -> f64 {
        match self {
            Self::Gated(relu) => relu.activation().softness(),
            Self::Layered(layered, _) => layered.softness(),
        }
    }

    pub(super) fn margins(self, theta: &[f64], data: &Dataset) -> DVector<f64> {
        self.architecture().margins(theta, data)
    }

    pub(super) fn gradients(
        self,
        theta: &[f64],
        data: &'a Dataset,
    ) -> Box<dyn MarginGradients + 'a> {
        match self {
            Self::Gated(relu) => Box::new(Gradients::new(relu, theta, data)),
            Self::Layered(layered, _) if layered.has_exact_kinks() => {
                Box::new(layered.margin_gradients(theta, data))
            }
            Self::Layered(layered, _) => Box::new(Smooth(layered.gradients(theta, data))),
        }
    }

    /// Samples on which some hidden layer passes nothing on (of general networks: the last one), and the rows of the
    /// output layer's features.
    pub(super) fn features(self, theta: &[f64], data: &Dataset) -> (Vec<usize>, DMatrix<f64>) {
        match self {
            Self::Gated(relu) => {
                let pass = relu.forward(theta, data.samples());
                (pass.dead(), pass.signed_features(data))
            }
            Self::Layered(layered, _) => {
                let rows = layered
                    .output_layer(theta, data)
                    .map(|layer| layer.features);
                let rows = rows.unwrap_or_else(|| DMatrix::zeros(data.rows(), 0));
                let groups = data.groups();
                let is_zero = |n: &usize| {
                    groups
                        .rows_of(*n)
                        .all(|row| rows.row(row).iter().all(|x| *x == 0.0))
                };
                ((0..data.len()).filter(is_zero).collect(), rows)
            }
        }
    }
}
