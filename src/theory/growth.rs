//! How fast layers grow, and the exponents that everything else builds on.
//!
//! Under fixed feedback layer l grows like `‖Z‖^{2^{l−1}}` (`φ_{l+1} ∝ φ_l²`), and β, of degree `2^L − 1` in Z, like
//! log t: `‖w_l‖ ∝ (log t)^{2^{l−1}/(2^L−1)}`. Under gradient descent layers stay balanced and share log t equally:
//! `(log t)^{1/L}`.

use super::{Errors, errors};
use crate::network::Known;
use crate::problem::Problem;

/// `q = 2^L`, the degree of the potential in Z under fixed feedback.
pub(super) fn potential_degree(depth: usize) -> f64 {
    2f64.powi(depth as i32)
}

/// `2^L − 1`, the degree of β in the accumulated column Z under fixed feedback.
pub fn predictor_degree(depth: usize) -> f64 {
    potential_degree(depth) - 1.0
}

/// The law `‖w_l‖ ∝ (log t)^{e_l}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Growth {
    /// `e_1 … e_L` as numerators over one denominator.
    pub numerators: Vec<f64>,
    pub denominator: f64,
    /// The law in words, for captions.
    pub law: &'static str,
}

/// The growth of the layers, for a network and a rule that theory covers.
pub(super) fn of(problem: &Problem) -> Option<Growth> {
    let depth = problem.network().depth();
    match (problem.network().known(), errors(problem)) {
        (Known::Nothing, _) | (_, Errors::Other) | (Known::Layered(_), Errors::Fixed { .. }) => {
            None
        }
        // what balances keep equal are norms over the roots of degrees
        (Known::Layered(network), Errors::Backward) => {
            network.total_degree().map(|degree| Growth {
                numerators: vec![1.0; depth],
                denominator: f64::from(degree),
                law: "(ln t)^(1/L) for every layer, L the degree of the network",
            })
        }
        (_, Errors::Fixed { .. }) => Some(Growth {
            numerators: (0..depth).map(potential_degree).collect(),
            denominator: predictor_degree(depth),
            law: "(ln t)^(2^(l−1)/(2^L−1)): later layers grow faster",
        }),
        (_, Errors::Backward) => Some(Growth {
            numerators: vec![1.0; depth],
            denominator: depth as f64,
            law: "(ln t)^(1/L) for every layer",
        }),
    }
}
