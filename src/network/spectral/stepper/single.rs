//! One run: a vector holds neighbouring pairs, or samples.

use super::Model;
use super::sweep::{Complex, Mixed, Pair, feedback_step, gradient_step, predictor};
use crate::network::stepping::vector::{Aligned, width};
use crate::network::stepping::weights::Weights;
use crate::network::stepping::{Lane, Stepper};
use pulp::{Arch, Simd, WithSimd, bytemuck};
use std::sync::Arc;

/// Samples whose margins are summed side by side.
const BLOCK: usize = 8;

/// The data of the steps in vectors of W pairs, `⌈H/W⌉` of them.
pub(super) struct PairVectors {
    model: Arc<Model>,
    arch: Arch,
    width: usize,
    /// `⌈H/W⌉`
    groups: usize,
    /// κG by blocks of samples; in each, first and second parts of every vector of pairs, each for all samples.
    samples: Aligned,
    /// `b_1 … b_{L−1}` of every vector of pairs, first and second parts.
    feedback: Option<Aligned>,
    /// 1 where a lane holds a complex pair.
    complex: Aligned,
}

impl PairVectors {
    pub(super) fn new(model: Arc<Model>, arch: Arch) -> Self {
        let width = width(arch);
        let groups = model.pairs.len().div_ceil(width);
        let mut samples =
            Aligned::zeros(model.samples.len().next_multiple_of(BLOCK) * 2 * groups * width);
        for (n, row) in model.samples.iter().enumerate() {
            for (p, pair) in row.iter().enumerate() {
                for (part, value) in pair.iter().enumerate() {
                    let column = p / width * 2 + part;
                    let vector = (n / BLOCK * 2 * groups + column) * BLOCK + n % BLOCK;
                    samples[vector * width + p % width] = *value;
                }
            }
        }
        let feedback = model.feedback.as_ref().map(|b| {
            let mut feedback = Aligned::zeros(b.len() * 2 * groups * width);
            for (l, b_l) in b.iter().enumerate() {
                for (p, pair) in b_l.iter().enumerate() {
                    for (part, value) in pair.iter().enumerate() {
                        let vector = (p / width * b.len() + l) * 2 + part;
                        feedback[vector * width + p % width] = *value;
                    }
                }
            }
            feedback
        });
        let mut complex = Aligned::zeros(groups * width);
        complex[..model.pairs.complex()].fill(1.0);
        Self {
            arch,
            width,
            groups,
            samples,
            feedback,
            complex,
            model,
        }
    }

    /// Where the weights of layer l on a pair are.
    fn place(&self, l: usize, p: usize, part: usize) -> usize {
        ((p / self.width * self.model.depth + l) * 2 + part) * self.width + p % self.width
    }
}

/// One run.
pub(super) struct Single {
    vectors: Arc<PairVectors>,
    weights: Weights,
    /// `u_1 … u_L` of every vector of pairs, first and second parts.
    layers: Aligned,
    /// β, then overwritten by z, of every vector of pairs, first and second parts.
    beta: Aligned,
    /// Margins, then weights `η_k α_n`.
    margins: Aligned,
    /// Products of the layers above, of one vector of pairs.
    above: Aligned,
}

impl Single {
    pub(super) fn new(vectors: Arc<PairVectors>, lane: &Lane) -> Self {
        let model = &vectors.model;
        let (groups, width) = (vectors.groups, vectors.width);
        let mut single = Self {
            weights: Weights::of_samples(model.loss, model.schedule, lane.size, width),
            layers: Aligned::zeros(groups * model.depth * 2 * width),
            beta: Aligned::zeros(groups * 2 * width),
            margins: Aligned::zeros(model.samples.len().next_multiple_of(BLOCK)),
            above: Aligned::zeros((model.depth - 1) * 2 * width),
            vectors,
        };
        single.set(lane.theta.as_slice());
        single
    }

    fn set(&mut self, theta: &[f64]) {
        let model = &self.vectors.model;
        model.each_weight(|i, l, p, part| self.layers[self.vectors.place(l, p, part)] = theta[i]);
    }
}

impl Stepper for Single {
    fn lanes(&self) -> usize {
        1
    }

    fn advance(&mut self, steps: u64) {
        self.vectors.arch.dispatch(Advance {
            vectors: &self.vectors,
            weights: &mut self.weights,
            layers: &mut self.layers,
            beta: &mut self.beta,
            margins: &mut self.margins,
            above: &mut self.above,
            steps,
        });
    }

    fn theta(&self, _: usize, theta: &mut [f64]) {
        let model = &self.vectors.model;
        model.each_weight(|i, l, p, part| theta[i] = self.layers[self.vectors.place(l, p, part)]);
    }

    fn log_time(&self, _: usize) -> f64 {
        self.weights.log_time(0)
    }

    fn state(&self) -> Vec<f64> {
        let mut state = vec![0.0; self.vectors.model.parameters()];
        self.theta(0, &mut state);
        state.extend(self.weights.state(0));
        state
    }

    fn restore(&mut self, state: &[f64]) {
        let (theta, clock) = state.split_at(self.vectors.model.parameters());
        assert_eq!(clock.len(), Weights::STATE, "length of the state");
        self.set(theta);
        self.weights.restore(0, clock);
    }
}

struct Advance<'a> {
    vectors: &'a PairVectors,
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
        let model = &*self.vectors.model;
        let samples = S::as_simd_f64s(&self.vectors.samples)
            .0
            .as_chunks::<BLOCK>()
            .0;
        let beta = S::as_mut_simd_f64s(self.beta).0.as_chunks_mut::<2>().0;
        let layers = S::as_mut_simd_f64s(self.layers).0.as_chunks_mut::<2>().0;
        let above = S::as_mut_simd_f64s(self.above).0.as_chunks_mut::<2>().0;
        let groups = Groups::<S> {
            depth: model.depth,
            pure: model.pairs.complex() / self.vectors.width,
            complex: S::as_simd_f64s(&self.vectors.complex).0,
        };
        groups.predictor(simd, layers, beta);
        for _ in 0..self.steps {
            margins(simd, samples, beta.as_flattened(), self.margins);
            self.margins[model.samples.len()..].fill(f64::INFINITY);
            self.weights.weigh(simd, self.margins);
            column(simd, samples, self.margins, beta.as_flattened_mut());
            match &self.vectors.feedback {
                Some(b) => {
                    let b = S::as_simd_f64s(b).0.as_chunks::<2>().0;
                    groups.feedback_step(simd, layers, b, beta);
                }
                None => groups.gradient_step(simd, layers, above, beta),
            }
        }
    }
}

/// How the vectors of pairs multiply: in the first `pure` of them all pairs are complex.
struct Groups<'a, S: Simd> {
    depth: usize,
    pure: usize,
    complex: &'a [S::f64s],
}

impl<S: Simd> Groups<'_, S> {
    #[inline(always)]
    fn mixed(&self, simd: S, group: usize) -> Mixed<S> {
        Mixed {
            real: simd.less_than_f64s(self.complex[group], simd.splat_f64s(0.5)),
        }
    }

    #[inline(always)]
    fn predictor(&self, simd: S, layers: &[[S::f64s; 2]], beta: &mut [[S::f64s; 2]]) {
        for (group, (u, beta)) in layers.chunks_exact(self.depth).zip(beta).enumerate() {
            *beta = predictor(simd, self.mixed(simd, group), u).parts();
        }
    }

    /// One step of all groups, from z to β.
    #[inline(always)]
    fn feedback_step(
        &self,
        simd: S,
        layers: &mut [[S::f64s; 2]],
        feedback: &[[S::f64s; 2]],
        column: &mut [[S::f64s; 2]],
    ) {
        let hidden = self.depth - 1;
        for (group, (u, z)) in layers.chunks_exact_mut(self.depth).zip(column).enumerate() {
            let b = feedback[group * hidden..][..hidden]
                .iter()
                .map(|b| Pair::from(*b));
            let column = Pair::from(*z);
            *z = if group < self.pure {
                feedback_step(simd, Complex, column, u, b)
            } else {
                feedback_step(simd, self.mixed(simd, group), column, u, b)
            }
            .parts();
        }
    }

    #[inline(always)]
    fn gradient_step(
        &self,
        simd: S,
        layers: &mut [[S::f64s; 2]],
        above: &mut [[S::f64s; 2]],
        column: &mut [[S::f64s; 2]],
    ) {
        for (group, (u, z)) in layers.chunks_exact_mut(self.depth).zip(column).enumerate() {
            let column = Pair::from(*z);
            *z = if group < self.pure {
                gradient_step(simd, Complex, column, u, above)
            } else {
                gradient_step(simd, self.mixed(simd, group), column, u, above)
            }
            .parts();
        }
    }
}

/// `m = κG β`
#[inline(always)]
fn margins<S: Simd>(simd: S, samples: &[[S::f64s; BLOCK]], beta: &[S::f64s], margins: &mut [f64]) {
    let blocks = samples.chunks_exact(beta.len());
    for (block, margins) in blocks.zip(margins.as_chunks_mut::<BLOCK>().0) {
        let mut sums = [simd.splat_f64s(0.0); BLOCK];
        for (column, beta) in block.iter().zip(beta) {
            for (sum, g) in sums.iter_mut().zip(column) {
                *sum = simd.mul_add_e_f64s(*g, *beta, *sum);
            }
        }
        *margins = totals(simd, sums);
    }
}

/// `z = (κG)ᵀ(ηα)`
#[inline(always)]
fn column<S: Simd>(simd: S, samples: &[[S::f64s; BLOCK]], weights: &[f64], z: &mut [S::f64s]) {
    z.fill(simd.splat_f64s(0.0));
    let blocks = samples.chunks_exact(z.len());
    for (block, weights) in blocks.zip(weights.as_chunks::<BLOCK>().0) {
        let weights = weights.map(|w| simd.splat_f64s(w));
        for (column, z) in block.iter().zip(z.iter_mut()) {
            let (mut even, mut odd) = (*z, simd.splat_f64s(0.0));
            for (g, w) in column
                .as_chunks::<2>()
                .0
                .iter()
                .zip(weights.as_chunks::<2>().0)
            {
                even = simd.mul_add_e_f64s(g[0], w[0], even);
                odd = simd.mul_add_e_f64s(g[1], w[1], odd);
            }
            *z = simd.add_f64s(even, odd);
        }
    }
}

/// The sum over the lanes of each of eight vectors. Every stage adds neighbouring groups of lanes of two vectors into
/// one vector, so that all eight sums take as many additions as two sums computed separately.
#[inline(always)]
fn totals<S: Simd>(simd: S, rows: [S::f64s; BLOCK]) -> [f64; BLOCK] {
    if S::F64_LANES != BLOCK {
        return rows.map(|row| simd.reduce_sum_f64s(row));
    }
    let sum = |x: [f64; 8], y: [f64; 8]| simd.add_f64s(bytemuck::cast(x), bytemuck::cast(y));
    let singles = |a: S::f64s, b: S::f64s| -> S::f64s {
        let (a, b): ([f64; 8], [f64; 8]) = (bytemuck::cast(a), bytemuck::cast(b));
        sum(
            [a[0], b[1], a[2], b[3], a[4], b[5], a[6], b[7]],
            [a[1], b[0], a[3], b[2], a[5], b[4], a[7], b[6]],
        )
    };
    let couples = |a: S::f64s, b: S::f64s| -> S::f64s {
        let (a, b): ([f64; 8], [f64; 8]) = (bytemuck::cast(a), bytemuck::cast(b));
        sum(
            [a[0], a[1], a[4], a[5], b[0], b[1], b[4], b[5]],
            [a[2], a[3], a[6], a[7], b[2], b[3], b[6], b[7]],
        )
    };
    let [a, b, c, d, e, f, g, h] = rows;
    let front = couples(singles(a, b), singles(c, d));
    let back = couples(singles(e, f), singles(g, h));
    bytemuck::cast(couples(front, back))
}
