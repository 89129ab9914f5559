//! One run of a fully connected linear network, with columns of weights in vectors.
//!
//! G is stored in both orders, so that both of its products are sums of columns. All columns are padded to whole
//! vectors: padded weights stay zero, padded samples have margin ∞, hence weight 0.

use super::Setup;
use super::products::{add, combine, combine_in_order, project_and_add, turn};
use crate::network::stepping::Lane;
use crate::network::stepping::columns::Columns;
use crate::network::stepping::vector::{Aligned, width};
use crate::network::stepping::weights::Weights;
use pulp::{Arch, Simd, WithSimd};

/// One run.
#[derive(Debug)]
pub(super) struct Single {
    arch: Arch,
    weights: Weights,
    /// `w_1 … w_L`
    layers: Vec<Columns>,
    /// `δ_1 … δ_{L−1}` where they are fixed; else `δ_l = s_l`.
    feedback: Option<Vec<Vec<f64>>>,
    /// `s_0 … s_{L−2}`, padded; `s_{L−1}` is `w_L`. `s_{L−2}` belongs to the current weights, the others are scratch.
    s: Vec<Aligned>,
    /// `h_0 … h_{L−2}`, padded (`h_0` also for L = 1).
    h: Vec<Aligned>,
    /// G
    g: Columns,
    /// Gᵀ
    g_transposed: Columns,
    /// 0 for samples, ∞ for the padding.
    idle: Aligned,
    margins: Aligned,
    zeros: Aligned,
}

impl Single {
    pub(super) fn new(setup: &Setup<'_>, arch: Arch, lane: &Lane) -> Self {
        let (depth, samples) = (setup.shapes.len(), setup.signed_samples.nrows());
        let layers: Vec<Columns> = setup
            .shapes
            .iter()
            .map(|&(inputs, units)| Columns::zeros(inputs, units))
            .collect();
        let heights = || layers.iter().map(Columns::height);
        let g = Columns::new(setup.signed_samples);
        let mut idle = Aligned::zeros(g.height());
        idle[samples..].fill(f64::INFINITY);
        let mut run = Self {
            arch,
            weights: Weights::of_samples(setup.loss, setup.schedule, lane.size, width(arch)),
            feedback: setup.feedback.clone(),
            s: heights().take(depth - 1).map(Aligned::zeros).collect(),
            h: heights().map(Aligned::zeros).collect(),
            margins: Aligned::zeros(g.height()),
            zeros: Aligned::zeros(heights().max().unwrap_or(0)),
            g,
            g_transposed: Columns::new(&setup.signed_samples.transpose()),
            idle,
            layers,
        };
        run.set_theta(lane.theta.as_slice());
        run
    }

    pub(super) fn advance(&mut self, steps: u64) {
        self.arch.dispatch(Advance { run: self, steps });
    }

    pub(super) fn theta(&self, theta: &mut [f64]) {
        let mut rest = theta;
        for w in &self.layers {
            let (layer, tail) = rest.split_at_mut(w.rows() * w.count());
            w.write(layer);
            rest = tail;
        }
    }

    pub(super) fn set_theta(&mut self, theta: &[f64]) {
        let mut rest = theta;
        for w in &mut self.layers {
            let (layer, tail) = rest.split_at(w.rows() * w.count());
            w.read(layer);
            rest = tail;
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
            combine(
                simd,
                w.entries(),
                &s[..w.count()],
                &self.zeros,
                &mut below[l - 1],
            );
        }
        let beta = &self.s.first().map_or(last.entries(), |s| s)[..self.g.count()];
        combine(simd, self.g.entries(), beta, &self.idle, &mut self.margins);
        self.weights.weigh(simd, &mut self.margins);
        let weights = &self.margins[..self.g_transposed.count()];
        let g_transposed = self.g_transposed.entries();
        combine(simd, g_transposed, weights, &self.zeros, &mut self.h[0]);
        let Some((top, hidden)) = hidden.split_last_mut() else {
            return add(simd, last.entries_mut(), &self.h[0]);
        };
        for (l, w) in hidden.iter_mut().enumerate() {
            let delta = match &self.feedback {
                Some(b) => &b[l],
                None => &self.s[l + 1][..w.count()],
            };
            let (below, above) = self.h.split_at_mut(l + 1);
            project_and_add(simd, w.entries_mut(), &below[l], delta, &mut above[0]);
        }
        let l = hidden.len();
        let delta = self.feedback.as_ref().map(|b| b[l].as_slice());
        let (w, last) = (top.entries_mut(), last.entries_mut());
        turn(simd, w, &self.h[l], delta, last, &mut self.s[l]);
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
            combine_in_order(simd, top.entries(), &last.entries()[..top.count()], s);
        }
    }
}
