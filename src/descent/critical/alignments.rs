//! Alignments of the layers with fixed feedback at one state, as [`diagnostics`](crate::diagnostics) measures them
//! along a run.

use crate::problem::Problem;
use crate::theory::{self, Alignment};

/// The smallest alignment of a layer among the steps examined.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Least {
    /// l
    pub layer: usize,
    /// k
    pub step: u64,
    /// `φ_l = b_{l−1}ᵀ w_l b_l / (‖b_{l−1}‖²‖b_l‖²)`, or the smallest over frequencies of `Re ŵ_l/(b̂_{l−1} b̂_l^*)`.
    pub phi: f64,
}

/// Entries of ŵ_l below this fraction of its largest count as rounding.
const ROUNDING: f64 = 1e-12;

/// Alignments, where theory predicts that layers align.
pub(super) struct Alignments(Alignment);

impl Alignments {
    /// `None` unless the network is linear with a hidden layer and its feedback is fixed.
    pub(super) fn new(problem: &Problem) -> Option<Self> {
        theory::of(problem).alignment.map(Self)
    }

    /// Whether layers align with outer products of the feedback.
    pub(super) fn are_of_outer_products(&self) -> bool {
        self.0.outer_products().is_some()
    }

    /// φ_2 … φ_L (the smallest real part over frequencies).
    pub(super) fn phi(&self, problem: &Problem, theta: &[f64]) -> Vec<f64> {
        match &self.0 {
            Alignment::OuterProducts(law) => law.phi(&problem.network().weights(theta)),
            Alignment::Frequencies(law) => {
                let (b, reached) = (&law.feedback, &law.reached);
                let w = law.network.transforms(theta);
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
