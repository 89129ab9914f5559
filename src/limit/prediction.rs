//! Which potential theory (or the report) says a problem's flow minimises.
//!
//! | network and rule | limit direction of β |
//! |---|---|
//! | fully connected | min ‖β‖₂, the hard-margin SVM |
//! | convolutional, diagonal; fixed feedback | min `Σ_d W_d^{−1/(2^L−1)} |β̂_d|^p`, `p = 2^L/(2^L−1)`, `W_d = ∏_{l<L} |b̂_l[d]|^{2^{L−l}}` |
//! | convolutional, diagonal; BP, L = 2 | min `Σ_d |β̂_d|` |
//! | convolutional, diagonal; BP, L > 2 | a first-order stationary point of `Σ_d |β̂_d|^{2/L}` |
//!
//! all subject to `Gβ ≥ 1`. The second row is where the report's Theorem 2 is misprinted. Its main text has the exponent
//! `2^{L−1} + 1` and weights `1/∏_l |b̂_l|^{2^l}`; its appendix the exponent `1 + 1/2^{L−1}`, which is the right one,
//! `1 + 1/(2^L − 1)`, read wrongly, and is taken here with the weights read likewise, `1/∏_l |b̂_l|^{2^{L−l}/2^{L−1}}`.

use super::{Limit, Potential, Separability, minimise};
use crate::network::{Network, SpectralLinear};
use crate::problem::Problem;
use nalgebra::DVector;

/// The certified minimiser of a claimed potential.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// As [`CandidatePotential::id`].
    pub id: &'static str,
    pub label: &'static str,
    pub limit: Limit,
}

/// The candidates of a problem that can be certified, in the order of [`candidates`].
pub fn certified_candidates(problem: &Problem) -> Vec<Candidate> {
    let g = problem.dataset.signed_samples();
    candidates(problem)
        .into_iter()
        .filter_map(|c| match minimise(g, &c.potential) {
            Separability::Separable(limit) => Some(Candidate {
                id: c.id,
                label: c.label,
                limit,
            }),
            _ => None,
        })
        .collect()
}

/// A claimed potential.
#[derive(Debug, Clone)]
pub struct CandidatePotential {
    /// `svm`, `main-text`, `appendix`, `sparse`.
    pub id: &'static str,
    /// What it is, for legends.
    pub label: &'static str,
    pub potential: Potential,
}

/// The potential whose constrained minimum the flow of `problem` converges to (for an exponent below one: a stationary
/// point of it).
pub fn predicted(problem: &Problem) -> Potential {
    let depth = problem.network.depth() as i32;
    let Some(network) = problem.network.spectral() else {
        return Potential::euclidean(problem.dataset.dimension());
    };
    match problem.feedback() {
        Some(feedback) => {
            let power = 2f64.powi(depth) - 1.0;
            weighted(network, 1.0 + 1.0 / power, &feedback, |l| {
                2f64.powi(depth - l) / power
            })
        }
        None => quasi_norm(network, 2.0 / f64::from(depth)),
    }
}

/// What has been claimed, or would be the limit under another rule: to be told apart from [`predicted`].
pub fn candidates(problem: &Problem) -> Vec<CandidatePotential> {
    let Some(network) = problem.network.spectral() else {
        return Vec::new();
    };
    let depth = problem.network.depth() as i32;
    let dimension = problem.dataset.dimension();
    let mut list = vec![CandidatePotential {
        id: "svm",
        label: "hard-margin SVM, ‖β‖₂",
        potential: Potential::euclidean(dimension),
    }];
    if let Some(feedback) = problem.feedback() {
        let printed = 2f64.powi(depth - 1);
        list.push(CandidatePotential {
            id: "main-text",
            label: "Theorem 2 as in the main text",
            potential: weighted(network, printed + 1.0, &feedback, |l| 2f64.powi(l)),
        });
        list.push(CandidatePotential {
            id: "appendix",
            label: "Theorem 2 as in the appendix",
            potential: weighted(network, 1.0 + 1.0 / printed, &feedback, |l| {
                2f64.powi(depth - l) / printed
            }),
        });
    }
    if problem.rule.has_feedback() || depth > 2 {
        list.push(CandidatePotential {
            id: "sparse",
            label: match problem.network {
                Network::ConvolutionalLinear(_) => "gradient descent at L = 2, Fourier ℓ₁",
                _ => "gradient descent at L = 2, ℓ₁",
            },
            potential: quasi_norm(network, 1.0),
        });
    }
    list
}

/// `Σ_d |β̂_d|^p`
fn quasi_norm(network: &SpectralLinear, exponent: f64) -> Potential {
    let frequencies = network.frequencies().len();
    let ones = vec![1.0; frequencies];
    Potential::spectral(network.basis(), network.dimension(), exponent, &ones)
}

/// `Σ_d |β̂_d|^p / ∏_l |b̂_l[d]|^{power(l)}` with l = 1 … L−1. Where some feedback vanishes to rounding, β̂_d must vanish.
fn weighted(
    network: &SpectralLinear,
    exponent: f64,
    feedback: &[DVector<f64>],
    power: impl Fn(i32) -> f64,
) -> Potential {
    let mut weights = vec![1.0; network.frequencies().len()];
    for (l, b) in (1..).zip(feedback) {
        for (weight, b) in weights.iter_mut().zip(network.transform(b).iter()) {
            *weight *= b.norm().powf(-power(l));
        }
    }
    for (weight, reached) in weights.iter_mut().zip(network.reached(feedback)) {
        if !reached {
            *weight = f64::INFINITY;
        }
    }
    Potential::spectral(network.basis(), network.dimension(), exponent, &weights)
}
