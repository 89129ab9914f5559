//! The forward pass as others than the flow see it: with what derivatives of the outputs need.

use super::passes::Bent;
use super::{Relu, close_on_kinks};
use crate::activation::{Argument, Formula, Kink};
use crate::dataset::Dataset;
use nalgebra::DMatrix;

/// The forward pass of a ReLU network at one θ on N samples.
pub(crate) struct ForwardPass {
    /// `a_1 … a_{L−1}`, units × N.
    pub preactivations: Vec<DMatrix<f64>>,
    /// `h_0 … h_{L−1}`, units × N.
    pub activations: Vec<DMatrix<f64>>,
    /// Of the hidden layers.
    pub slopes: Vec<Slopes>,
}

/// Derivatives of the activations of one layer, units × N.
pub(crate) struct Slopes {
    /// The gates M.
    pub gates: DMatrix<f64>,
    /// κ of `∂g/∂w = M h + κ w` and μ of `∂g/∂h = M w + μ h`, if the activation is curved.
    pub curved: Option<[DMatrix<f64>; 2]>,
}

impl Relu {
    /// The forward pass at θ on the rows of `samples` (N × D).
    pub(crate) fn forward(&self, theta: &[f64], samples: &DMatrix<f64>) -> ForwardPass {
        let g = self.activation();
        let w = self.layout.views(theta);
        let mut pass = ForwardPass {
            preactivations: Vec::with_capacity(w.len() - 1),
            activations: vec![samples.transpose()],
            slopes: Vec::with_capacity(w.len() - 1),
        };
        for w in &w[..w.len() - 1] {
            let inputs = &pass.activations[pass.activations.len() - 1];
            let a = w.transpose() * inputs;
            let (mut h, slopes) = if g.curved() {
                let bent = Bent::new(g, w, inputs, &a);
                let curved = Some([bent.curve.kappa, bent.curve.mu]);
                let gates = bent.gates;
                (bent.outputs, Slopes { gates, curved })
            } else {
                let slopes = Slopes {
                    gates: a.map(|a| g.gate(Argument::of(a))),
                    curved: None,
                };
                (a.map(|a| g.value(Argument::of(a))), slopes)
            };
            if g.kink().is_some_and(Kink::closes) {
                close_on_kinks(&mut h, w, inputs);
            }
            pass.activations.push(h);
            pass.preactivations.push(a);
            pass.slopes.push(slopes);
        }
        pass
    }
}

impl ForwardPass {
    /// The features φ of the output layer, units × N.
    pub(crate) fn features(&self) -> &DMatrix<f64> {
        &self.activations[self.activations.len() - 1]
    }

    /// `y_n φ(x_n)` as rows, N × units.
    pub(crate) fn signed_features(&self, data: &Dataset) -> DMatrix<f64> {
        let mut features = self.features().transpose();
        for (mut row, y) in features.row_iter_mut().zip(data.labels().iter()) {
            row *= *y;
        }
        features
    }

    /// Samples on which some hidden layer passes nothing on, so that f = 0, in order: dead samples.
    pub(crate) fn dead(&self) -> Vec<usize> {
        let is_dark = |n: &usize| {
            (self.activations[1..].iter()).any(|h| h.column(*n).iter().all(|x| *x == 0.0))
        };
        (0..self.features().ncols()).filter(is_dark).collect()
    }
}
