//! How the layers of linear networks align with fixed feedback.
//!
//! From zero weights every layer stays tied to its feedback, `w_l = φ_l b_{l−1} b_lᵀ` (`ŵ_l = φ_l b̂_{l−1} b̂_l^*`
//! where layers act entrywise), `b_L = 1`; from other weights this holds asymptotically. The first layer has learned
//! `w_1 − w_1(0) = Z b_1ᵀ` (`b̂_1^* ⊙ Ẑ`) from any weights, with `Z = Gᵀ∫α dt`.

use crate::network::{Known, SpectralLinear};
use crate::problem::Problem;
use nalgebra::{DMatrix, DVector};
use num_complex::Complex64;

/// The law of alignment of a linear network with hidden layers under fixed feedback.
#[derive(Debug, Clone)]
pub enum Alignment {
    OuterProducts(OuterProducts),
    Frequencies(FrequencyAlignment),
}

/// `w_1 = Z b_1ᵀ`, `w_l = φ_l b_{l−1} b_lᵀ`, with `φ_2 = ½‖Z‖²`, `φ_{l+1} = ½‖b_{l−1}‖² φ_l²`.
#[derive(Debug, Clone)]
pub struct OuterProducts {
    /// `b_1 … b_L` with `b_L = 1`.
    pub feedback: Vec<DVector<f64>>,
}

/// `ŵ_1 = b̂_1^* Ẑ`, `ŵ_l = φ_l b̂_{l−1} b̂_l^*` with complex φ_l, frequency by frequency: `Re φ_2 = ½|Ẑ|²`,
/// `Re φ_{l+1} = ½|b̂_{l−1}|²|φ_l|²`.
#[derive(Debug, Clone)]
pub struct FrequencyAlignment {
    pub network: SpectralLinear,
    /// `b_1` in the original space.
    pub first: DVector<f64>,
    /// `b̂_1 … b̂_L` on the half spectrum, with `b̂_L = 1`.
    pub feedback: Vec<DVector<Complex64>>,
    /// Which frequencies all of them reach.
    pub reached: Vec<bool>,
}

pub(super) fn of(problem: &Problem) -> Option<Alignment> {
    let signals = problem.feedback()?;
    let first = signals.first()?.clone();
    match problem.network().known() {
        Known::FullyConnected(_) => {
            let output = DVector::from_element(1, 1.0);
            Some(Alignment::OuterProducts(OuterProducts {
                feedback: signals.into_iter().chain([output]).collect(),
            }))
        }
        Known::EntryByEntry(network) => {
            let reached = network.reached(&signals);
            let output = DVector::from_element(reached.len(), Complex64::ONE);
            let transforms = signals.iter().map(|b| network.transform(b));
            Some(Alignment::Frequencies(FrequencyAlignment {
                feedback: transforms.chain([output]).collect(),
                network: network.clone(),
                first,
                reached,
            }))
        }
        Known::FullyConnectedClasses(_)
        | Known::EntryByEntryClasses(_)
        | Known::Gated(_)
        | Known::Layered(_)
        | Known::Nothing => None,
    }
}

impl Alignment {
    /// `w_1 − w_1(0)` after the accumulated column Z, inputs × units.
    pub fn first_layer(&self, z: &DVector<f64>) -> DMatrix<f64> {
        match self {
            Self::OuterProducts(law) => z * law.feedback[0].transpose(),
            Self::Frequencies(law) => {
                let column = law.network.correlate(&law.first, z);
                DMatrix::from_column_slice(column.len(), 1, column.as_slice())
            }
        }
    }

    /// The law of fully connected layers.
    pub fn outer_products(&self) -> Option<&OuterProducts> {
        match self {
            Self::OuterProducts(law) => Some(law),
            Self::Frequencies(_) => None,
        }
    }

    /// The law of layers that act entrywise.
    pub fn frequencies(&self) -> Option<&FrequencyAlignment> {
        match self {
            Self::OuterProducts(_) => None,
            Self::Frequencies(law) => Some(law),
        }
    }
}

impl OuterProducts {
    /// `φ_l = b_{l−1}ᵀ w_l b_l / (‖b_{l−1}‖²‖b_l‖²)`, l = 2 … L.
    pub fn phi(&self, weights: &[DMatrix<f64>]) -> Vec<f64> {
        let layers = weights[1..].iter().zip(self.feedback.windows(2));
        layers
            .map(|(w, b)| b[0].dot(&(w * &b[1])) / (b[0].norm_squared() * b[1].norm_squared()))
            .collect()
    }
}
