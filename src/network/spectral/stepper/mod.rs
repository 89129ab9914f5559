//! Fast finite steps of networks whose layers act entrywise (convolutional and diagonal), with all their weights. The
//! equations are those of [`SpectralLinear`]; one step is
//!
//! 1. `m = Gβ`, N×D multiply-adds,
//! 2. the weights `η_k α_n`, N exponentials,
//! 3. `z = Gᵀ(ηα)`, again N×D,
//! 4. all layers at each frequency, `ŵ_l ← ŵ_l + P_l ε_l ẑ` with `P_l = ŵ_1^*⋯ŵ_{l−1}^*`, and at once the new β̂:
//!    12(L−1) multiply-adds and two additions per complex frequency under feedback, 16(L−1) and 2L under BP, in
//!    registers.
//!
//! # Coordinates
//! θ holds `u_l = √2 ŵ_l` where an entry is complex, and the steps keep that: with the *pairs* (Re, Im) of θ as complex
//! numbers, the coordinates of β are `√2 ŵ_1⋯ŵ_L = κ u_1⋯u_L`, `κ = 2^{(1−L)/2}`, and those of z are `√2 ẑ`. Replace
//! the samples G by κG on complex pairs: then the margins are `κG·(u_1⋯u_L)`, the column is `z' = κ√2 ẑ`, and a step of
//! `u_l` is
//!
//! `√2 ẑ P_l ε_l = (z'/κ) 2^{(1−l)/2} u_1^*⋯u_{l−1}^* ε_l`.
//!
//! Under BP `ε_l = 2^{−(L−l)/2} u_{l+1}^*⋯u_L^*`, and all powers of two cancel: `u_l ← u_l + z' ∏_{k≠l} u_k^*`. Under
//! feedback the remaining factor is absorbed into the feedback, `b'_l = 2^{(L−l)/2} b̂_l^*`, and is 1 at the output
//! layer. So there is no factor in the loop.
//!
//! Entries that are real (all of a diagonal network; d = 0 and D/2 of a convolutional one) are paired too, two of them
//! side by side, and all factors are 1. So there are only H = ⌈D/2⌉ pairs, and no product with G touches entries that
//! are zero by symmetry.
//!
//! # One run, or several
//! A [`Single`] run has neighbouring pairs in the lanes of a vector. The samples are stored only once, in blocks of
//! eight rows, so that both products read them from the L1 cache at D = 64, N = 40; eight margins are summed over
//! lanes together. In a [`Batch`] every lane is a run: nothing is summed over lanes, and a run that overflows does not
//! affect the others.

mod batch;
mod pairs;
mod single;
mod sweep;
#[cfg(test)]
mod tests;

use crate::loss::Loss;
use crate::network::stepping::parts::Parts;
use crate::network::stepping::{Lane, Schedule, Training};
use crate::network::{Architecture, SpectralLinear, vectors};
use batch::{Batch, Numbers};
use nalgebra::DVector;
use pairs::Pairs;
use pulp::Arch;
use single::{PairVectors, Single};
use std::sync::Arc;

/// The stepper of a problem on such a network.
pub(super) fn stepper(network: &SpectralLinear, training: &Training<'_>, lanes: &[Lane]) -> Parts {
    let model = Arc::new(Model::new(network, training));
    let (mut numbers, mut vectors) = (None, None);
    Parts::of(
        lanes,
        |vectors, lanes| {
            let numbers = numbers.get_or_insert_with(|| Arc::new(Numbers::new(model.clone())));
            Box::new(Batch::new(numbers.clone(), vectors, lanes))
        },
        |lane| {
            let vectors = vectors
                .get_or_insert_with(|| Arc::new(PairVectors::new(model.clone(), Arch::new())));
            Box::new(Single::new(vectors.clone(), lane))
        },
    )
}

/// What all runs share.
struct Model {
    loss: Loss,
    schedule: Schedule,
    /// L
    depth: usize,
    /// D
    dimension: usize,
    pairs: Pairs,
    /// κG, pair by pair.
    samples: Vec<Vec<[f64; 2]>>,
    /// `b'_1 … b'_{L−1}`, pair by pair; none under BP.
    feedback: Option<Vec<Vec<[f64; 2]>>>,
}

impl Model {
    fn new(network: &SpectralLinear, training: &Training<'_>) -> Self {
        let depth = network.layout().depth();
        let basis = network.basis();
        let pairs = Pairs::of(network);
        Self {
            loss: training.loss,
            schedule: training.schedule,
            depth,
            dimension: network.dimension(),
            samples: pairs.samples(&basis.rows(training.data.signed_samples()), depth),
            feedback: network.fixed_signals(training.signals).map(|b| {
                let b: Vec<DVector<f64>> =
                    vectors(b).iter().map(|b| basis.coordinates(b)).collect();
                pairs.feedback(&b)
            }),
            pairs,
        }
    }

    /// P.
    fn parameters(&self) -> usize {
        self.depth * self.dimension
    }

    /// Calls `visit` with the index in θ, the layer (from 0), the pair and the part of every weight.
    fn each_weight(&self, mut visit: impl FnMut(usize, usize, usize, usize)) {
        for l in 0..self.depth {
            for (p, coordinates) in self.pairs.coordinates().iter().enumerate() {
                for (part, i) in coordinates.iter().enumerate() {
                    if let Some(i) = i {
                        visit(l * self.dimension + i, l, p, part);
                    }
                }
            }
        }
    }
}
