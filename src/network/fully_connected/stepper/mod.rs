//! Finite steps of fully connected linear networks with their full weights: runs one by one, or as many at once as a
//! vector has lanes.
//!
//! Only the column `z = Gᵀ(ηα)` goes through the layers, as in the flow ([`crate::network`] has the equations):
//! `h_0 = z`, `h_l = w_lᵀ h_{l−1}` and `w_l ← w_l + h_{l−1} δ_lᵀ`, with `δ_l = s_l` under BP and `b_l` where feedback
//! is fixed. Every weight is read twice and written once; in `w_{L−1}` reading once is enough: column by column, an
//! entry of `h_{L−1}` completes that of the new `w_L = s_{L−1}`, and the new column of `w_{L−1}` then adds to
//! `s_{L−2} = w_{L−1} s_{L−1}`, with which the next step begins.

mod batch;
mod products;
mod run_products;
mod single;
#[cfg(test)]
mod tests;

use crate::loss::Loss;
use crate::network::stepping::vector::Vectors;
use crate::network::stepping::weights::Weights;
use crate::network::stepping::{Lane, Schedule, Stepper, Training};
use crate::network::{Architecture, FullyConnectedLinear};
use batch::Batch;
use nalgebra::DMatrix;
use pulp::Arch;
use single::Single;

/// What all runs have in common.
struct Setup<'a> {
    /// Inputs and units of every layer.
    shapes: &'a [(usize, usize)],
    /// `b_1 … b_{L−1}` where the feedback is fixed, none under BP.
    feedback: Option<Vec<Vec<f64>>>,
    /// G (N × D)
    signed_samples: &'a DMatrix<f64>,
    loss: Loss,
    schedule: Schedule,
}

/// Runs of fully connected linear networks: whole vectors of runs first, then the rest one by one.
///
/// A run in a vector and the same run alone differ only by rounding.
pub(super) struct FullyConnectedStepper {
    parameters: usize,
    batches: Vec<Batch>,
    singles: Vec<Single>,
    /// Runs in a batch.
    width: usize,
}

impl FullyConnectedStepper {
    pub(super) fn new(
        network: &FullyConnectedLinear,
        training: &Training<'_>,
        lanes: &[Lane],
    ) -> Self {
        Self::on(Arch::new(), Vectors::narrow(), network, training, lanes)
    }

    /// Single runs use the vectors of `arch`, batches use `vectors`.
    fn on(
        arch: Arch,
        vectors: Vectors,
        network: &FullyConnectedLinear,
        training: &Training<'_>,
        lanes: &[Lane],
    ) -> Self {
        let setup = Setup {
            shapes: network.layout().shapes(),
            feedback: network
                .fixed_signals(training.signals)
                .map(|b| b.iter().map(|b_l| b_l.as_slice().to_vec()).collect()),
            signed_samples: training.data.signed_samples(),
            loss: training.loss,
            schedule: training.schedule,
        };
        let parameters = network.layout().parameters();
        let width = vectors.width();
        let batched = lanes.len() / width * width;
        let (together, alone) = lanes.split_at(batched);
        Self {
            parameters,
            batches: together
                .chunks_exact(width)
                .map(|lanes| Batch::new(&setup, vectors, lanes))
                .collect(),
            singles: alone
                .iter()
                .map(|lane| Single::new(&setup, arch, lane))
                .collect(),
            width,
        }
    }

    fn run(&self, lane: usize) -> Run<'_> {
        let batched = self.batches.len() * self.width;
        if lane < batched {
            Run::InBatch(&self.batches[lane / self.width], lane % self.width)
        } else {
            Run::Alone(&self.singles[lane - batched])
        }
    }

    fn weights(&self, lane: usize) -> (&Weights, usize) {
        match self.run(lane) {
            Run::InBatch(batch, lane) => (batch.weights(), lane),
            Run::Alone(single) => (single.weights(), 0),
        }
    }
}

/// Where to find a run.
enum Run<'a> {
    InBatch(&'a Batch, usize),
    Alone(&'a Single),
}

impl Stepper for FullyConnectedStepper {
    fn lanes(&self) -> usize {
        self.batches.len() * self.width + self.singles.len()
    }

    fn advance(&mut self, steps: u64) {
        for batch in &mut self.batches {
            batch.advance(steps);
        }
        for single in &mut self.singles {
            single.advance(steps);
        }
    }

    fn theta(&self, lane: usize, theta: &mut [f64]) {
        match self.run(lane) {
            Run::InBatch(batch, lane) => batch.theta(lane, theta),
            Run::Alone(single) => single.theta(theta),
        }
    }

    fn log_time(&self, lane: usize) -> f64 {
        let (weights, lane) = self.weights(lane);
        weights.log_time(lane)
    }

    fn state(&self) -> Vec<f64> {
        let length = Weights::STATE + self.parameters;
        let mut state = vec![0.0; self.lanes() * length];
        for (lane, state) in state.chunks_exact_mut(length).enumerate() {
            let (clock, theta) = state.split_at_mut(Weights::STATE);
            let (weights, in_vector) = self.weights(lane);
            clock.copy_from_slice(&weights.state(in_vector));
            self.theta(lane, theta);
        }
        state
    }

    fn restore(&mut self, state: &[f64]) {
        let length = Weights::STATE + self.parameters;
        assert_eq!(state.len(), self.lanes() * length, "length of the state");
        let mut states = state
            .chunks_exact(length)
            .map(|state| state.split_at(Weights::STATE));
        for batch in &mut self.batches {
            for (lane, (clock, theta)) in states.by_ref().take(self.width).enumerate() {
                batch.weights_mut().restore(lane, clock);
                batch.set_theta(lane, theta);
            }
        }
        for (single, (clock, theta)) in self.singles.iter_mut().zip(states) {
            single.weights_mut().restore(0, clock);
            single.set_theta(theta);
        }
    }
}
