//! One run of a fully connected linear network, with columns of weights in vectors.
//!
//! G is kept in both orders, so that both of its products add up columns. All columns are padded to whole vectors: padded
//! weights stay zero, padded samples have margin ∞, hence weight 0.

use super::super::Lane;
use super::super::vector::{Aligned, width};
use super::super::weights::Weights;
use super::Setup;
use super::products::{add, combine, combine_in_order, project_and_add, turn};
use pulp::{Arch, Simd, WithSimd};

/// One run.
pub(super) struct Single {
    arch: Arch,
    weights: Weights,
    /// `w_1 … w_L`
    layers: Vec<Layer>,
    /// `δ_1 … δ_{L−1}` where they are fixed; else `δ_l = s_l`.
    feedback: Option<Vec<Vec<f64>>>,
    /// `s_0 … s_{L−2}`, padded; `s_{L−1}` is `w_L`. `s_{L−2}` belongs to the present weights, the others are scratch.
    s: Vec<Aligned>,
    /// `h_0 … h_{L−2}`, padded (`h_0` also for L = 1).
    h: Vec<Aligned>,
    /// G by columns, each padded to whole vectors of samples.
    g: Aligned,
    /// Gᵀ by columns, each padded to whole vectors of inputs.
    g_transposed: Aligned,
    /// 0 for samples, ∞ for the padding.
    idle: Aligned,
    margins: Aligned,
    zeros: Aligned,
    samples: usize,
}

struct Layer {
    inputs: usize,
    units: usize,
    /// Column by column, each padded to whole vectors.
    w: Aligned,
}

impl Single {
    pub(super) fn new(setup: &Setup<'_>, arch: Arch, lane: &Lane) -> Self {
        let width = width(arch);
        let padded = |length: usize| length.next_multiple_of(width);
        let (samples, dimension) = setup.signed_samples.shape();
        let mut g = Aligned::zeros(padded(samples) * dimension);
        let mut g_transposed = Aligned::zeros(padded(dimension) * samples);
        for n in 0..samples {
            for d in 0..dimension {
                let entry = setup.signed_samples[(n, d)];
                g[d * padded(samples) + n] = entry;
                g_transposed[n * padded(dimension) + d] = entry;
            }
        }
        let mut idle = Aligned::zeros(padded(samples));
        idle[samples..].fill(f64::INFINITY);
        let depth = setup.shapes.len();
        let inputs = || setup.shapes.iter().map(|(inputs, _)| padded(*inputs));
        let mut run = Self {
            arch,
            weights: Weights::of_samples(setup.loss, setup.schedule, lane.size, width),
            layers: setup
                .shapes
                .iter()
                .map(|&(inputs, units)| Layer {
                    inputs,
                    units,
                    w: Aligned::zeros(padded(inputs) * units),
                })
                .collect(),
            feedback: setup.feedback.clone(),
            s: inputs().take(depth - 1).map(Aligned::zeros).collect(),
            h: inputs().map(Aligned::zeros).collect(),
            g,
            g_transposed,
            idle,
            margins: Aligned::zeros(padded(samples)),
            zeros: Aligned::zeros(inputs().max().unwrap_or(0)),
            samples,
        };
        run.set_theta(lane.theta.as_slice());
        run
    }

    pub(super) fn advance(&mut self, steps: u64) {
        self.arch.dispatch(Advance { run: self, steps });
    }

    pub(super) fn theta(&self, theta: &mut [f64]) {
        let mut columns = theta;
        for layer in &self.layers {
            let (own, rest) = columns.split_at_mut(layer.inputs * layer.units);
            for (column, w) in own.chunks_exact_mut(layer.inputs).zip(layer.columns()) {
                column.copy_from_slice(&w[..layer.inputs]);
            }
            columns = rest;
        }
    }

    pub(super) fn set_theta(&mut self, theta: &[f64]) {
        let mut columns = theta;
        for layer in &mut self.layers {
            let (own, rest) = columns.split_at(layer.inputs * layer.units);
            let padded = layer.w.len() / layer.units;
            for (column, w) in own.chunks_exact(layer.inputs).zip(layer.w.chunks_exact_mut(padded)) {
                w[..layer.inputs].copy_from_slice(column);
            }
            columns = rest;
        }
        self.arch.dispatch(TurnAround(self));
    }

    pub(super) fn weights(&self) -> &Weights {
        &self.weights
    }

    pub(super) fn weights_mut(&mut self) -> &mut Weights {
        &mut self.weights
    }

    #[inline(always)]
    fn step<S: Simd>(&mut self, simd: S) {
        let (last, hidden) = self.layers.split_last_mut().expect("at least one layer");
        for l in (1..hidden.len()).rev() {
            let (below, above) = self.s.split_at_mut(l);
            let (w, s) = (&hidden[l - 1], &above[0]);
            combine(simd, &w.w, &s[..w.units], &self.zeros, &mut below[l - 1]);
        }
        let beta = self.s.first().unwrap_or(&last.w);
        let dimension = self.g.len() / self.margins.len();
        combine(simd, &self.g, &beta[..dimension], &self.idle, &mut self.margins);
        self.weights.weigh(simd, &mut self.margins);
        let weights = &self.margins[..self.samples];
        combine(simd, &self.g_transposed, weights, &self.zeros, &mut self.h[0]);
        let Some((top, hidden)) = hidden.split_last_mut() else {
            return add(simd, &mut last.w, &self.h[0]);
        };
        for (l, layer) in hidden.iter_mut().enumerate() {
            let delta = match &self.feedback {
                Some(b) => &b[l],
                None => &self.s[l + 1][..layer.units],
            };
            let (below, above) = self.h.split_at_mut(l + 1);
            project_and_add(simd, &mut layer.w, &below[l], delta, &mut above[0]);
        }
        let l = hidden.len();
        let delta = self.feedback.as_ref().map(|b| b[l].as_slice());
        turn(simd, &mut top.w, &self.h[l], delta, &mut last.w, &mut self.s[l]);
    }
}

impl Layer {
    fn columns(&self) -> impl Iterator<Item = &[f64]> {
        self.w.chunks_exact(self.w.len() / self.units)
    }
}

struct Advance<'a> {
    run: &'a mut Single,
    steps: u64,
}

impl WithSimd for Advance<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for _ in 0..self.steps {
            self.run.step(simd);
        }
    }
}

/// The part of the backward pass that a step hands on to the next.
struct TurnAround<'a>(&'a mut Single);

impl WithSimd for TurnAround<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if let ([.., top, last], [.., s]) = (&self.0.layers[..], &mut self.0.s[..]) {
            combine_in_order(simd, &top.w, &last.w[..top.units], s);
        }
    }
}
