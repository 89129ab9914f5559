//! A fully connected network along an integration: velocities as rank-one factors.
//!
//! Every layer's velocity is `h_{l−1} δ_lᵀ`, so a slot holds L pairs of vectors, and a product with the weights
//! `w_l = W_l + Σ_j c_j h^j_{l−1} δ^j_lᵀ` costs one with the matrix `W_l` and a few inner products:
//! `w_lᵀ x = W_lᵀ x + Σ_j c_j (h^j·x) δ^j` and `w_l x = W_l x + Σ_j c_j (δ^j·x) h^j`. One evaluation reads every weight
//! twice; none is written before a step has been accepted.

use super::FullyConnectedKernel;
use crate::network::WeightPath;
use crate::products::{add_outer_products, add_product, product, product_pair, transposed_product};
use nalgebra::DMatrix;

/// The factors of one layer: column j belongs to slot j.
struct Factors {
    /// `h^j_{l−1}`
    inputs: DMatrix<f64>,
    /// `δ^j_l`
    signals: DMatrix<f64>,
}

pub(super) struct RankOnePath<'k> {
    kernel: &'k FullyConnectedKernel,
    theta: Vec<f64>,
    /// `‖W_l‖²`
    squares: Vec<f64>,
    factors: Vec<Factors>,
    /// `h_0 … h_{L−1}` of the last evaluation.
    h: Vec<Vec<f64>>,
    /// `s_1 … s_L`
    s: Vec<Vec<f64>>,
    /// `ṡ_0 … ṡ_L`
    s_dot: Vec<Vec<f64>>,
    scratch: Scratch,
    /// Fixed random signs per layer, units × PROBES.
    probes: Vec<DMatrix<f64>>,
}

#[derive(Default)]
struct Scratch {
    /// One number per slot.
    inner: Vec<f64>,
    /// The slots of a sum, their inputs side by side, and their signals row by row.
    left: Vec<f64>,
    right: Vec<f64>,
    image: Vec<f64>,
}

/// Random directions, besides the main one, along which the size of a sum of rank-one matrices is measured.
const PROBES: usize = 2;

impl<'k> RankOnePath<'k> {
    pub(super) fn new(kernel: &'k FullyConnectedKernel, theta: &[f64], slots: usize) -> Self {
        let shapes = kernel.layout.shapes();
        let units = |l: usize| shapes[l].1;
        let depth = shapes.len();
        let mut path = Self {
            kernel,
            theta: theta.to_vec(),
            squares: vec![0.0; depth],
            factors: shapes
                .iter()
                .map(|&(inputs, units)| Factors {
                    inputs: DMatrix::zeros(inputs, slots),
                    signals: DMatrix::zeros(units, slots),
                })
                .collect(),
            h: shapes.iter().map(|s| vec![0.0; s.0]).collect(),
            s: shapes.iter().map(|s| vec![1.0; s.1]).collect(),
            s_dot: std::iter::once(shapes[0].0)
                .chain((0..depth).map(units))
                .map(|len| vec![0.0; len])
                .collect(),
            scratch: Scratch::default(),
            probes: (0..depth).map(|l| signs(units(l))).collect(),
        };
        path.measure();
        path
    }

    fn measure(&mut self) {
        for (square, w) in self
            .squares
            .iter_mut()
            .zip(self.kernel.layout.views(&self.theta))
        {
            *square = w.norm_squared();
        }
    }

    /// `s_l` at `θ + Σ c_j f_j`, from the last layer down.
    fn backward(&mut self, at: &[f64]) {
        for l in (1..self.s.len()).rev() {
            let (lower, upper) = self.s.split_at_mut(l);
            let w = &self.theta[self.kernel.layout.range(l)];
            product(w, &upper[0], &mut lower[l - 1]);
            let inner = &mut self.scratch.inner;
            self.factors[l].add_product(at, &upper[0], &mut lower[l - 1], inner);
        }
    }

    /// `δ_{l+1}·s_{l+1}`
    fn alignment(&self, l: usize) -> f64 {
        dot(self.kernel.signal(l, &self.s[l]), &self.s[l])
    }

    fn add(&self, combination: &[f64], out: &mut [f64], scratch: &mut Scratch) {
        let layout = &self.kernel.layout;
        let layers = layout.split_mut(out).into_iter().zip(layout.shapes());
        for (factors, (target, (inputs, _))) in self.factors.iter().zip(layers) {
            factors.gather(combination, scratch);
            add_outer_products(target, *inputs, &scratch.left, &scratch.right);
        }
    }
}

impl FullyConnectedKernel {
    /// `δ_{l+1}`, given `s_{l+1}`.
    fn signal<'a>(&'a self, l: usize, s: &'a [f64]) -> &'a [f64] {
        match &self.feedback {
            Some(b) if l < b.len() => b[l].as_slice(),
            _ => s,
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Signs from a multiplicative congruential generator: the same in every run.
fn signs(units: usize) -> DMatrix<f64> {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    DMatrix::from_fn(units, PROBES, |_, _| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        if state >> 63 == 0 { 1.0 } else { -1.0 }
    })
}

impl Factors {
    /// `out += Σ_j c_j (δ^j·x) h^j`
    fn add_product(&self, at: &[f64], x: &[f64], out: &mut [f64], inner: &mut Vec<f64>) {
        weigh(&self.signals, at, x, inner);
        add_product(self.inputs.as_slice(), inner, out);
    }

    /// `out += Σ_j c_j (h^j·x) δ^j`
    fn add_transposed(&self, at: &[f64], x: &[f64], out: &mut [f64], inner: &mut Vec<f64>) {
        weigh(&self.inputs, at, x, inner);
        add_product(self.signals.as_slice(), inner, out);
    }

    /// The terms of `Σ_j c_j h^j δ^jᵀ` that are not zero: the inputs, and the signals times `c_j`, transposed.
    fn gather(&self, combination: &[f64], scratch: &mut Scratch) {
        scratch.left.clear();
        scratch.right.clear();
        let terms = || combination.iter().enumerate().filter(|(_, c)| **c != 0.0);
        for (j, _) in terms() {
            scratch
                .left
                .extend_from_slice(self.inputs.column(j).as_slice());
        }
        for i in 0..self.signals.nrows() {
            scratch
                .right
                .extend(terms().map(|(j, c)| c * self.signals[(i, j)]));
        }
    }

    /// `‖Σ_j c_j h^j δ^jᵀ‖` (Frobenius): exact for signals along one direction, whose image is computed, and estimated
    /// in the orthogonal directions by random signs x, since `E‖Mx‖² = ‖M‖²`. (From the inner products of the factors
    /// it would follow exactly, but as a small difference of large terms, with only half the digits.)
    fn size(&self, combination: &[f64], probes: &DMatrix<f64>, scratch: &mut Scratch) -> f64 {
        let newest = combination
            .iter()
            .enumerate()
            .max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()))
            .map_or(0, |(j, _)| j);
        let main = self.signals.column(newest);
        let main = main.as_slice();
        let square = dot(main, main);
        if square == 0.0 {
            return 0.0;
        }
        let Scratch { inner, image, .. } = scratch;
        image.resize(self.inputs.nrows(), 0.0);
        weigh(&self.signals, combination, main, inner);
        product(self.inputs.as_slice(), inner, image);
        let mut total = dot(image, image) / square;
        if self.signals.nrows() > 1 {
            let along = inner.clone();
            for x in probes.column_iter() {
                let x = x.as_slice();
                weigh(&self.signals, combination, x, inner);
                let share = dot(main, x) / square;
                for (k, a) in inner.iter_mut().zip(&along) {
                    *k -= a * share;
                }
                product(self.inputs.as_slice(), inner, image);
                total += dot(image, image) / PROBES as f64;
            }
        }
        total.sqrt()
    }
}

/// `c_j (v^j·x)` for the columns v.
fn weigh(columns: &DMatrix<f64>, at: &[f64], x: &[f64], out: &mut Vec<f64>) {
    out.resize(at.len(), 0.0);
    transposed_product(columns.as_slice(), x, out);
    for (k, c) in out.iter_mut().zip(at) {
        *k *= c;
    }
}

impl WeightPath for RankOnePath<'_> {
    fn theta(&self) -> &[f64] {
        &self.theta
    }

    fn velocity(&mut self, at: &[f64], multipliers: &[f64], slot: usize, rates: &mut [f64]) {
        let kernel = self.kernel;
        let g = kernel.signed_samples.as_slice();
        let depth = kernel.layout.depth();
        let inner = &mut self.scratch.inner;
        let w = |l: usize| &self.theta[kernel.layout.range(l)];
        transposed_product(g, multipliers, &mut self.h[0]);
        for l in 0..depth - 1 {
            let (below, above) = self.h.split_at_mut(l + 1);
            transposed_product(w(l), &below[l], &mut above[0]);
            self.factors[l].add_transposed(at, &below[l], &mut above[0], inner);
        }
        // s and ṡ in one backward pass
        for l in (0..depth).rev() {
            let (dot_below, dot_here) = self.s_dot.split_at_mut(l + 1);
            let (dot_below, dot_here) = (&mut dot_below[l], &dot_here[0]);
            let (s_below, s_here) = self.s.split_at_mut(l);
            let s = &s_here[0];
            if let Some(s_below) = s_below.last_mut() {
                product_pair(w(l), [s, dot_here], [s_below, dot_below]);
                self.factors[l].add_product(at, s, s_below, inner);
            } else {
                product(w(l), dot_here, dot_below);
            }
            self.factors[l].add_product(at, dot_here, dot_below, inner);
            let aligned = dot(kernel.signal(l, s), s);
            for (x, h) in dot_below.iter_mut().zip(&self.h[l]) {
                *x += aligned * h;
            }
        }
        product(g, &self.s_dot[0], rates);
        for (l, factors) in self.factors.iter_mut().enumerate() {
            let put = |target: &mut DMatrix<f64>, source: &[f64]| {
                target.column_mut(slot).copy_from_slice(source);
            };
            put(&mut factors.inputs, &self.h[l]);
            put(&mut factors.signals, kernel.signal(l, &self.s[l]));
        }
    }

    fn scale(&mut self, slot: usize, factor: f64) {
        for factors in &mut self.factors {
            factors.inputs.column_mut(slot).scale_mut(factor);
        }
    }

    fn clear(&mut self, slot: usize) {
        for factors in &mut self.factors {
            factors.inputs.column_mut(slot).fill(0.0);
            factors.signals.column_mut(slot).fill(0.0);
        }
    }

    /// `K = Σ_l (δ_l·s_l) (G w_1⋯w_{l−1})(G w_1⋯w_{l−1})ᵀ` with the rows of G in `active`.
    fn tangent_kernel(&mut self, at: &[f64], active: &[usize]) -> DMatrix<f64> {
        self.backward(at);
        let w = self.kernel.layout.views(&self.theta);
        let mut forward = self.kernel.signed_samples.select_rows(active);
        let mut kernel = DMatrix::zeros(active.len(), active.len());
        for l in 0..w.len() {
            kernel.gemm(self.alignment(l), &forward, &forward.transpose(), 1.0);
            if l + 1 < w.len() {
                let factors = &self.factors[l];
                let mut next = &forward * w[l];
                for (j, c) in at.iter().enumerate().filter(|(_, c)| **c != 0.0) {
                    let image = &forward * factors.inputs.column(j);
                    next.ger(*c, &image, &factors.signals.column(j), 1.0);
                }
                forward = next;
            }
        }
        kernel
    }

    fn size(&mut self, combination: &[f64], relative: f64, absolute: &[f64]) -> f64 {
        let mut largest: f64 = 0.0;
        for (l, length) in self.kernel.layout.lengths().into_iter().enumerate() {
            let tolerance =
                (length as f64).sqrt() * absolute[l] + relative * self.squares[l].sqrt();
            let size = self.factors[l].size(combination, &self.probes[l], &mut self.scratch);
            largest = largest.max(size / tolerance);
        }
        largest
    }

    fn write(&self, combination: &[f64], out: &mut [f64]) {
        out.copy_from_slice(&self.theta);
        self.add(combination, out, &mut Scratch::default());
    }

    fn advance(&mut self, combination: &[f64]) {
        let mut theta = std::mem::take(&mut self.theta);
        let mut scratch = std::mem::take(&mut self.scratch);
        self.add(combination, &mut theta, &mut scratch);
        (self.theta, self.scratch) = (theta, scratch);
        self.measure();
    }

    /// The factors of every layer: inputs, then signals, slot after slot.
    fn velocities(&self) -> Vec<f64> {
        let factors = (self.factors.iter()).flat_map(|f| [&f.inputs, &f.signals]);
        factors.flat_map(|f| f.iter().copied()).collect()
    }

    fn restore(&mut self, velocities: &[f64]) -> Option<()> {
        let mut rest = velocities;
        let factors = (self.factors.iter_mut()).flat_map(|f| [&mut f.inputs, &mut f.signals]);
        for own in factors {
            let (stored, tail) = rest.split_at_checked(own.len())?;
            own.copy_from_slice(stored);
            rest = tail;
        }
        rest.is_empty().then_some(())
    }
}
