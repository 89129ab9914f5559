//! As many runs of a fully connected linear network as a vector has lanes: every number is a vector over runs.
//!
//! The passes of a step are those of a [`single`](super::single) run, without padding and without sums across lanes;
//! the data and fixed feedback are shared. A run that overflows affects only its own lane.

use super::Setup;
use super::products::add;
use super::run_products::{Signal, combine_runs, combine_shared, project_and_add, turn};
use crate::network::stepping::Lane;
use crate::network::stepping::vector::{Aligned, Vectors};
use crate::network::stepping::weights::Weights;
use pulp::{Simd, WithSimd};

/// Runs side by side.
#[derive(Debug)]
pub(super) struct Batch {
    vectors: Vectors,
    weights: Weights,
    /// `w_1 … w_L`, column by column, a vector per entry.
    w: Vec<Aligned>,
    /// `δ_1 … δ_{L−1}` where they are fixed; else `δ_l = s_l`.
    feedback: Option<Vec<Vec<f64>>>,
    /// `s_0 … s_{L−2}`; `s_{L−1}` is `w_L`. `s_{L−2}` belongs to the current weights, the others are scratch.
    s: Vec<Aligned>,
    /// `h_0 … h_{L−2}` (`h_0` also for L = 1).
    h: Vec<Aligned>,
    /// G, column by column.
    g: Vec<f64>,
    /// Gᵀ, column by column.
    g_transposed: Vec<f64>,
    margins: Aligned,
}

impl Batch {
    /// As many runs as a vector of `vectors` has lanes.
    pub(super) fn new(setup: &Setup<'_>, vectors: Vectors, lanes: &[Lane]) -> Self {
        let width = vectors.width();
        assert_eq!(lanes.len(), width, "one run per lane");
        let sizes: Vec<f64> = lanes.iter().map(|lane| lane.size).collect();
        let runs = |length: usize| Aligned::zeros(length * width);
        let inputs = |layers: usize| {
            setup.shapes[..layers]
                .iter()
                .map(|(inputs, _)| runs(*inputs))
                .collect()
        };
        let mut batch = Self {
            vectors,
            weights: Weights::of_runs(setup.loss, setup.schedule, &sizes),
            w: setup
                .shapes
                .iter()
                .map(|(inputs, units)| runs(inputs * units))
                .collect(),
            feedback: setup.feedback.clone(),
            s: inputs(setup.shapes.len() - 1),
            h: inputs(setup.shapes.len()),
            g: setup.signed_samples.as_slice().to_vec(),
            g_transposed: setup.signed_samples.transpose().as_slice().to_vec(),
            margins: runs(setup.signed_samples.nrows()),
        };
        for (lane, run) in lanes.iter().enumerate() {
            batch.set_theta(lane, run.theta.as_slice());
        }
        batch
    }

    pub(super) fn advance(&mut self, steps: u64) {
        self.vectors.dispatch(Advance { batch: self, steps });
    }

    /// Writes θ of the run in `lane`.
    pub(super) fn theta(&self, lane: usize, theta: &mut [f64]) {
        let width = self.vectors.width();
        let entries = self
            .w
            .iter()
            .flat_map(|w| w.iter().skip(lane).step_by(width));
        for (t, w) in theta.iter_mut().zip(entries) {
            *t = *w;
        }
    }

    pub(super) fn set_theta(&mut self, lane: usize, theta: &[f64]) {
        let width = self.vectors.width();
        let entries = self
            .w
            .iter_mut()
            .flat_map(|w| w.iter_mut().skip(lane).step_by(width));
        for (w, t) in entries.zip(theta) {
            *w = *t;
        }
        self.vectors.dispatch(TurnAround(self));
    }

    pub(super) fn weights(&self) -> &Weights {
        &self.weights
    }

    pub(super) fn weights_mut(&mut self) -> &mut Weights {
        &mut self.weights
    }

    #[inline(always)]
    fn step<S: Simd>(&mut self, simd: S) {
        let (last, hidden) = self.w.split_last_mut().expect("at least one layer");
        for l in (1..hidden.len()).rev() {
            let (below, above) = self.s.split_at_mut(l);
            combine_runs(simd, &hidden[l - 1], &above[0], &mut below[l - 1]);
        }
        let beta = self.s.first().unwrap_or(last);
        combine_shared(simd, &self.g, beta, &mut self.margins);
        self.weights.weigh(simd, &mut self.margins);
        combine_shared(simd, &self.g_transposed, &self.margins, &mut self.h[0]);
        let Some((top, hidden)) = hidden.split_last_mut() else {
            return add(simd, last, &self.h[0]);
        };
        for (l, w) in hidden.iter_mut().enumerate() {
            let delta = match &self.feedback {
                Some(b) => Signal::Shared(&b[l]),
                None => Signal::OfRuns(&self.s[l + 1]),
            };
            let (below, above) = self.h.split_at_mut(l + 1);
            project_and_add(simd, w, &below[l], delta, &mut above[0]);
        }
        let l = hidden.len();
        let delta = match &self.feedback {
            Some(b) => Signal::Shared(&b[l]),
            None => Signal::Last,
        };
        turn(simd, top, &self.h[l], delta, last, &mut self.s[l]);
    }
}

struct Advance<'a> {
    batch: &'a mut Batch,
    steps: u64,
}

impl WithSimd for Advance<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for _ in 0..self.steps {
            self.batch.step(simd);
        }
    }
}

/// The part of the backward pass that a step hands on to the next.
struct TurnAround<'a>(&'a mut Batch);

impl WithSimd for TurnAround<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if let ([.., top, last], [.., s]) = (&self.0.w[..], &mut self.0.s[..]) {
            combine_runs(simd, top, last, s);
        }
    }
}
