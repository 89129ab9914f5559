//! Alignments of the layers with fixed feedback at one state, as [`diagnostics`](crate::diagnostics) has them along a run.

use crate::network::{Network, SpectralLinear};
use crate::problem::Problem;
use nalgebra::{DMatrix, DVector};
use num_complex::Complex64;

/// The smallest alignment of a layer among the steps looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Least {
    /// l
    pub layer: usize,
    /// k
    pub step: u64,
    /// `φ_l = b_{l−1}ᵀ w_l b_l / (‖b_{l−1}‖²‖b_l‖²)`, or the smallest over frequencies of `Re ŵ_l/(b̂_{l−1} b̂_l^*)`.
    pub phi: f64,
}

/// Entries of ŵ_l below this fraction of its largest are rounding.
const ROUNDING: f64 = 1e-12;

/// Feedback `b_1 … b_L` with `b_L = 1`.
pub(super) enum Alignments {
    FullyConnected(Vec<DVector<f64>>),
    /// On the half spectrum, and which of its frequencies all of them reach.
    Spectral(SpectralLinear, Vec<DVector<Complex64>>, Vec<bool>),
}

impl Alignments {
    /// `None` unless the network is linear with a hidden layer and its feedback is fixed.
    pub fn new(problem: &Problem) -> Option<Self> {
        let signals = problem.feedback()?;
        if signals.is_empty() {
            return None;
        }
        match &problem.network {
            Network::Relu(_) => None,
            Network::FullyConnectedLinear(_) => {
                let output = DVector::from_element(1, 1.0);
                Some(Self::FullyConnected(
                    signals.into_iter().chain([output]).collect(),
                ))
            }
            Network::ConvolutionalLinear(network) | Network::DiagonalLinear(network) => {
                let reached = network.reached(&signals);
                let output = DVector::from_element(reached.len(), Complex64::ONE);
                let transforms = signals.iter().map(|b| network.transform(b));
                let feedback = transforms.chain([output]).collect();
                Some(Self::Spectral(network.clone(), feedback, reached))
            }
        }
    }

    /// φ_2 … φ_L (the smallest real part over frequencies).
    pub fn phi(&self, problem: &Problem, theta: &[f64]) -> Vec<f64> {
        match self {
            Self::FullyConnected(b) => {
                let weights = problem.network.weights(theta);
                let layers = weights[1..].iter().zip(b.windows(2));
                layers.map(|(w, b)| fully_connected(w, b)).collect()
            }
            Self::Spectral(network, b, reached) => {
                let w = network.transforms(theta);
                let layers = w.column_iter().skip(1).zip(b.windows(2));
                layers
                    .map(|(w, b)| {
                        let resolution = ROUNDING * w.camax();
                        let counts = |d: &usize| reached[*d] && w[*d].norm() > resolution;
                        let phi = |d: usize| (w[d] / (b[0][d] * b[1][d].conj())).re;
                        (0..w.len()).filter(counts).map(phi).reduce(f64::min)
                    })
                    .map(|least| least.unwrap_or(0.0))
                    .collect()
            }
        }
    }
}

fn fully_connected(w: &DMatrix<f64>, b: &[DVector<f64>]) -> f64 {
    b[0].dot(&(w * &b[1])) / (b[0].norm_squared() * b[1].norm_squared())
}
