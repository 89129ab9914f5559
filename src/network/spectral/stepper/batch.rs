//! Several runs: a vector holds the same quantity of as many runs as it has lanes.

use super::Model;
use super::sweep::{Complex, Pair, Product, Real, feedback_step, gradient_step, predictor};
use crate::network::stepping::vector::{Aligned, Vectors};
use crate::network::stepping::weights::Weights;
use crate::network::stepping::{Lane, Stepper};
use pulp::{Simd, WithSimd};
use std::sync::Arc;

/// Samples whose margins are summed side by side.
const BLOCK: usize = 8;

/// The data of the steps, number by number.
pub(super) struct Numbers {
    model: Arc<Model>,
    /// κG by blocks of samples; within a block, both parts of every pair, each for all samples.
    samples: Aligned,
    /// `b_1 … b_{L−1}` of every pair, both parts.
    feedback: Option<Aligned>,
}

impl Numbers {
    pub(super) fn new(model: Arc<Model>) -> Self {
        let columns = 2 * model.pairs.len();
        let mut samples = Aligned::zeros(model.samples.len().next_multiple_of(BLOCK) * columns);
        for (n, row) in model.samples.iter().enumerate() {
            for (column, value) in row.as_flattened().iter().enumerate() {
                samples[(n / BLOCK * columns + column) * BLOCK + n % BLOCK] = *value;
            }
        }
        let feedback = model.feedback.as_ref().map(|b| {
            let mut feedback = Aligned::zeros(b.len() * columns);
            for (l, b_l) in b.iter().enumerate() {
                for (p, pair) in b_l.iter().enumerate() {
                    feedback[(p * b.len() + l) * 2..][..2].copy_from_slice(pair);
                }
            }
            feedback
        });
        Self {
            samples,
            feedback,
            model,
        }
    }
}

/// As many runs as a vector has lanes, or fewer: the last is then repeated.
pub(super) struct Batch {
    numbers: Arc<Numbers>,
    vectors: Vectors,
    width: usize,
    runs: usize,
    weights: Weights,
    /// `u_1 … u_L` of every pair, both parts.
    layers: Aligned,
    /// β, then overwritten by z, of every pair, both parts.
    beta: Aligned,
    /// Margins, then weights `η_k α_n`.
    margins: Aligned,
    /// Products of the layers above, of one pair.
    above: Aligned,
}

impl Batch {
    /// # Panics
    /// If there is no lane, or more than a vector has.
    pub(super) fn new(numbers: Arc<Numbers>, vectors: Vectors, lanes: &[Lane]) -> Self {
        let model = &numbers.model;
        let width = vectors.width();
        assert!((1..=width).contains(&lanes.len()), "runs in one vector");
        let of_lane = |lane: usize| &lanes[lane.min(lanes.len() - 1)];
        let sizes: Vec<f64> = (0..width).map(|lane| of_lane(lane).size).collect();
        let pairs = model.pairs.len();
        let mut batch = Self {
            weights: Weights::of_runs(model.loss, model.schedule, &sizes),
            layers: Aligned::zeros(pairs * model.depth * 2 * width),
            beta: Aligned::zeros(pairs * 2 * width),
            margins: Aligned::zeros(model.samples.len().next_multiple_of(BLOCK) * width),
            above: Aligned::zeros((model.depth - 1) * 2 * width),
            vectors,
            width,
            runs: lanes.len(),
            numbers,
        };
        for lane in 0..width {
            batch.set(lane, of_lane(lane).theta.as_slice());
        }
        batch
    }

    /// Where the weight of layer l on a pair is.
    fn place(&self, l: usize, p: usize, part: usize) -> usize {
        ((p * self.numbers.model.depth + l) * 2 + part) * self.width
    }

    fn set(&mut self, lane: usize, theta: &[f64]) {
        let numbers = self.numbers.clone();
        numbers.model.each_weight(|i, l, p, part| {
            let place = self.place(l, p, part);
            self.layers[place + lane] = theta[i];
        });
    }
}

impl Stepper for Batch {
    fn lanes(&self) -> usize {
        self.runs
    }

    fn advance(&mut self, steps: u64) {
        self.vectors.dispatch(Advance {
            numbers: &self.numbers,
            weights: &mut self.weights,
            layers: &mut self.layers,
            beta: &mut self.beta,
            margins: &mut self.margins,
            above: &mut self.above,
            steps,
        });
    }

    fn theta(&self, lane: usize, theta: &mut [f64]) {
        let model = &self.numbers.model;
        model.each_weight(|i, l, p, part| theta[i] = self.layers[self.place(l, p, part) + lane]);
    }

    fn log_time(&self, lane: usize) -> f64 {
        self.weights.log_time(lane)
    }

    fn state(&self) -> Vec<f64> {
        let mut state = Vec::new();
        for lane in 0..self.runs {
            let start = state.len();
            state.resize(start + self.numbers.model.parameters(), 0.0);
            self.theta(lane, &mut state[start..]);
            state.extend(self.weights.state(lane));
        }
        state
    }

    fn restore(&mut self, state: &[f64]) {
        let parameters = self.numbers.model.parameters();
        let length = parameters + Weights::STATE;
        assert_eq!(state.len(), length * self.runs, "length of the state");
        for lane in 0..self.width {
            let run = lane.min(self.runs - 1);
            let (theta, clock) = state[run * length..][..length].split_at(parameters);
            self.set(lane, theta);
            self.weights.restore(lane, clock);
        }
    }
}

struct Advance<'a> {
    numbers: &'a Numbers,
    weights: &'a mut Weights,
    layers: &'a mut [f64],
    beta: &'a mut [f64],
    margins: &'a mut [f64],
    above: &'a mut [f64],
    steps: u64,
}

impl WithSimd for Advance<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let model = &*self.numbers.model;
        let depth = model.depth;
        let samples = self.numbers.samples.as_chunks::<BLOCK>().0;
        let beta = S::as_mut_simd_f64s(self.beta).0.as_chunks_mut::<2>().0;
        let layers = S::as_mut_simd_f64s(self.layers).0.as_chunks_mut::<2>().0;
        let above = S::as_mut_simd_f64s(self.above).0.as_chunks_mut::<2>().0;
        let complex = model.pairs.complex();
        for (p, (u, beta)) in layers.chunks_exact(depth).zip(beta.iter_mut()).enumerate() {
            *beta = if p < complex {
                predictor(simd, Complex, u)
            } else {
                predictor(simd, Real, u)
            }
            .parts();
        }
        for _ in 0..self.steps {
            margins(
                simd,
                samples,
                beta.as_flattened(),
                S::as_mut_simd_f64s(self.margins).0,
            );
            self.weights.weigh(
                simd,
                &mut self.margins[..model.samples.len() * S::F64_LANES],
            );
            column(
                simd,
                samples,
                S::as_simd_f64s(self.margins).0,
                beta.as_flattened_mut(),
            );
            let (complex_layers, real_layers) = layers.split_at_mut(complex * depth);
            let (complex_z, real_z) = beta.split_at_mut(complex);
            match &self.numbers.feedback {
                Some(b) => {
                    let (complex_b, real_b) = b.as_chunks::<2>().0.split_at(complex * (depth - 1));
                    feedback_steps(simd, Complex, depth, complex_layers, complex_b, complex_z);
                    feedback_steps(simd, Real, depth, real_layers, real_b, real_z);
                }
                None => {
                    gradient_steps(simd, Complex, depth, complex_layers, above, complex_z);
                    gradient_steps(simd, Real, depth, real_layers, above, real_z);
                }
            }
        }
    }
}

/// One step of some pairs, from z to β.
#[inline(always)]
fn feedback_steps<S: Simd>(
    simd: S,
    algebra: impl Product<S>,
    depth: usize,
    layers: &mut [[S::f64s; 2]],
    feedback: &[[f64; 2]],
    column: &mut [[S::f64s; 2]],
) {
    for (p, (u, z)) in layers.chunks_exact_mut(depth).zip(column).enumerate() {
        let b = feedback[p * (depth - 1)..][..depth - 1]
            .iter()
            .map(|b| Pair::from(b.map(|b| simd.splat_f64s(b))));
        *z = feedback_step(simd, algebra, Pair::from(*z), u, b).parts();
    }
}

/// One step of some pairs, from z to β.
#[inline(always)]
fn gradient_steps<S: Simd>(
    simd: S,
    algebra: impl Product<S>,
    depth: usize,
    layers: &mut [[S::f64s; 2]],
    above: &mut [[S::f64s; 2]],
    column: &mut [[S::f64s; 2]],
) {
    for (u, z) in layers.chunks_exact_mut(depth).zip(column) {
        *z = gradient_step(simd, algebra, Pair::from(*z), u, above).parts();
    }
}

/// `m = κG β`
#[inline(always)]
fn margins<S: Simd>(simd: S, samples: &[[f64; BLOCK]], beta: &[S::f64s], margins: &mut [S::f64s]) {
    let blocks = samples.chunks_exact(beta.len());
    for (block, margins) in blocks.zip(margins.as_chunks_mut::<BLOCK>().0) {
        let mut sums = [simd.splat_f64s(0.0); BLOCK];
        for (column, beta) in block.iter().zip(beta) {
            for (sum, g) in sums.iter_mut().zip(column) {
                *sum = simd.mul_add_e_f64s(simd.splat_f64s(*g), *beta, *sum);
            }
        }
        *margins = sums;
    }
}

/// `z = (κG)ᵀ(ηα)`
#[inline(always)]
fn column<S: Simd>(simd: S, samples: &[[f64; BLOCK]], weights: &[S::f64s], z: &mut [S::f64s]) {
    z.fill(simd.splat_f64s(0.0));
    let blocks = samples.chunks_exact(z.len());
    for (block, &weights) in blocks.zip(weights.as_chunks::<BLOCK>().0) {
        for (column, z) in block.iter().zip(z.iter_mut()) {
            let (mut even, mut odd) = (*z, simd.splat_f64s(0.0));
            for (g, w) in column
                .as_chunks::<2>()
                .0
                .iter()
                .zip(weights.as_chunks::<2>().0)
            {
                even = simd.mul_add_e_f64s(simd.splat_f64s(g[0]), w[0], even);
                odd = simd.mul_add_e_f64s(simd.splat_f64s(g[1]), w[1], odd);
            }
            *z = simd.add_f64s(even, odd);
        }
    }
}
