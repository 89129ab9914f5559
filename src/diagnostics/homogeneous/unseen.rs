//! Samples that no unit of exact ReLUs sees.
//!
//! A sample on which every unit of some hidden layer is inactive has the output zero, and nothing pulls it out of
//! there: an exact network does not learn it until other samples turn a unit towards it, and maybe never. With kinks
//! rounded over ε a gate at the preactivation `a < 0` is open by `M ≈ ε²‖w‖²‖x‖²/(4a²)`, so the sample pulls with a
//! share of order ε² of its multiplier, and is learned in a time of order 1/ε². The two limits, ε → 0 and t → ∞, do not
//! commute: from `t = 1/ε²` on a rounded network is another network than the exact one.

use crate::network::Relu;
use nalgebra::DMatrix;

/// A sample that no unit of some hidden layer saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unseen {
    /// n, from 0.
    pub sample: usize,
    /// Index of the first save at which it was not seen; weights that are all zero do not count.
    pub first: usize,
    /// Index of the last one.
    pub last: usize,
}

/// Watches a network with rounded kinks as if they were exact.
pub(super) struct Watch {
    exact: Relu,
    found: Vec<Unseen>,
}

impl Watch {
    /// `None` for exact kinks: what is dead there is so by itself.
    pub(super) fn of(network: &Relu) -> Option<Self> {
        Some(Self {
            exact: network.with_exact_kinks()?,
            found: Vec::new(),
        })
    }

    pub(super) fn record(&mut self, k: usize, theta: &[f64], samples: &DMatrix<f64>) {
        if theta.iter().all(|w| *w == 0.0) {
            return;
        }
        for sample in self.exact.forward(theta, samples).dead() {
            match self.found.iter_mut().find(|u| u.sample == sample) {
                Some(known) => known.last = k,
                None => self.found.push(Unseen {
                    sample,
                    first: k,
                    last: k,
                }),
            }
        }
    }

    /// In the order of the samples.
    pub(super) fn finish(mut self) -> Vec<Unseen> {
        self.found.sort_by_key(|u| u.sample);
        self.found
    }
}
