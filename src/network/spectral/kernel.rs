//! The vector field of [`SpectralLinear`](super::SpectralLinear), its slopes and its tangent kernel, frequency by
//! frequency.

use super::predictor;
use super::step::SpectralStep;
use crate::network::{Held, Kernel, LinearisedStep, Tangent};
use crate::products::{product, transposed_product};
use crate::spectrum::Frequency;
use nalgebra::{DMatrix, DVector};
use num_complex::Complex64;
use std::sync::Arc;

pub(super) struct SpectralKernel {
    pub(super) frequencies: Vec<Frequency>,
    pub(super) dimension: usize,
    pub(super) depth: usize,
    /// `b̂_1^* … b̂_{L−1}^*` where the feedback is fixed, none under BP.
    pub(super) feedback: Option<Vec<DVector<Complex64>>>,
    /// G in coordinates, N × D.
    pub(super) signed_samples: DMatrix<f64>,
    pub(super) idle: Vec<usize>,
    /// Inner products of the rows at each frequency; of rows that are not samples, under BP.
    pub(super) products: Vec<DMatrix<f64>>,
}

/// One frequency at one point `(θ, α)`.
pub(super) struct Point {
    w: Vec<Complex64>,
    pub(super) z: Complex64,
    /// `P_l ε_l`
    pub(super) gain: Vec<Complex64>,
    /// `C_lk`, L × L, row by row; the diagonal holds `C_l`.
    cofactor: Vec<Complex64>,
}

impl Point {
    pub(super) fn depth(&self) -> usize {
        self.w.len()
    }

    /// `F_l`
    fn velocity(&self, l: usize) -> Complex64 {
        self.gain[l] * self.z
    }

    /// `C_l`
    pub(super) fn cofactor(&self, l: usize) -> Complex64 {
        self.cofactor[l * self.depth() + l]
    }

    /// `∂β̂'/∂ŵ_k` at fixed F: `Σ_{l≠k} F_l C_lk`.
    pub(super) fn rate_slope(&self, k: usize) -> Complex64 {
        (0..self.depth())
            .filter(|l| *l != k)
            .map(|l| self.velocity(l) * self.cofactor[l * self.depth() + k])
            .sum()
    }
}

/// Products along the layers at one frequency: what the vector field needs, without the second derivatives of a
/// [`Point`].
#[derive(Default)]
struct Chain {
    /// `ŵ_1 ⋯ ŵ_{l−1}`, l = 1 … L + 1.
    before: Vec<Complex64>,
    /// `ŵ_{l+1} ⋯ ŵ_L`, l = 1 … L.
    after: Vec<Complex64>,
}

impl Chain {
    fn set(&mut self, kernel: &SpectralKernel, index: usize, theta: &[f64]) {
        let f = kernel.frequencies[index];
        let w = |l: usize| f.entry(&theta[l * kernel.dimension..]);
        self.before.clear();
        self.before.push(Complex64::ONE);
        for l in 0..kernel.depth {
            self.before.push(self.before[l] * w(l));
        }
        self.after.clear();
        self.after.resize(kernel.depth, Complex64::ONE);
        for l in (1..kernel.depth).rev() {
            self.after[l - 1] = self.after[l] * w(l);
        }
    }

    /// `C_l`
    fn cofactor(&self, l: usize) -> Complex64 {
        self.before[l] * self.after[l]
    }

    /// `P_l ε_l`
    fn gain(&self, kernel: &SpectralKernel, index: usize, l: usize) -> Complex64 {
        match &kernel.feedback {
            Some(b) if l < b.len() => self.before[l].conj() * b[l][index],
            Some(_) => self.before[l].conj(),
            None => self.cofactor(l).conj(),
        }
    }
}

/// Inner products of rows at a frequency, those that are rounding set to zero.
///
/// Under BP the response `Σ_l |C_l|²` of β̂ to ẑ is real: rows that are orthogonal at a frequency do not answer to each
/// other there, at any time. From β̂' the answer would come out as rounding of size ε e^s, to which the log-multipliers
/// of samples tied with a support vector (real parts of complex products cancel) would be exposed.
fn products(rows: &DMatrix<f64>, f: Frequency) -> DMatrix<f64> {
    let here = rows.columns(f.start, f.len);
    let mut products = here * here.transpose();
    let lengths: Vec<f64> = here.row_iter().map(|row| row.norm()).collect();
    for (j, mut column) in products.column_iter_mut().enumerate() {
        for (product, length) in column.iter_mut().zip(&lengths) {
            if product.abs() <= ORTHOGONAL * length * lengths[j] {
                *product = 0.0;
            }
        }
    }
    products
}

/// Cosine that is rounding of the data and of their transform.
const ORTHOGONAL: f64 = 64.0 * f64::EPSILON;

impl SpectralKernel {
    /// The coordinates of z.
    pub(super) fn column(&self, multipliers: &[f64]) -> DVector<f64> {
        self.signed_samples
            .tr_mul(&DVector::from_column_slice(multipliers))
    }

    /// The `index`-th frequency.
    pub(super) fn point(&self, index: usize, theta: &[f64], z: &DVector<f64>) -> Point {
        let f = self.frequencies[index];
        let w: Vec<Complex64> = (0..self.depth)
            .map(|l| f.entry(&theta[l * self.dimension..]))
            .collect();
        let product = |omit: [usize; 2]| -> Complex64 {
            (0..self.depth)
                .filter(|j| !omit.contains(j))
                .map(|j| w[j])
                .product()
        };
        let mut cofactor = Vec::with_capacity(self.depth * self.depth);
        for l in 0..self.depth {
            cofactor.extend((0..self.depth).map(|k| product([l, k])));
        }
        let mut gain = Vec::with_capacity(self.depth);
        let mut before = Complex64::ONE;
        for (l, w_l) in w.iter().enumerate() {
            gain.push(match &self.feedback {
                Some(b) if l + 1 < self.depth => before * b[l][index],
                Some(_) => before,
                None => cofactor[l * self.depth + l].conj(),
            });
            before *= w_l.conj();
        }
        Point {
            z: f.entry(z.as_slice()),
            w,
            gain,
            cofactor,
        }
    }

    /// `M_lk`
    pub(super) fn slope(&self, index: usize, point: &Point, l: usize, k: usize) -> Complex64 {
        match &self.feedback {
            None if k != l => point.z * point.cofactor[l * self.depth + k].conj(),
            Some(b) if k < l => {
                let others: Complex64 = (0..l).filter(|j| *j != k).map(|j| point.w[j]).product();
                let signal = b.get(l).map_or(Complex64::ONE, |b| b[index]);
                point.z * signal * others.conj()
            }
            _ => Complex64::ZERO,
        }
    }
}

impl Kernel for SpectralKernel {
    fn parameters(&self) -> usize {
        self.depth * self.dimension
    }

    fn samples(&self) -> usize {
        self.signed_samples.nrows()
    }

    fn layers(&self) -> Vec<usize> {
        vec![self.dimension; self.depth]
    }

    fn idle(&self) -> &[usize] {
        &self.idle
    }

    /// Under gradient descent `|ŵ_k|² − |ŵ_l|²` is constant. Where the least modulus of a frequency is that of two
    /// layers or more, each of these is the other's factor, `|ŵ_k|' ≥ −C|ŵ_k|`, and cannot vanish; no other but a
    /// single least one can. Real entries then keep their signs, and so do complex ones that start on the real line
    /// with samples that do not turn them away from it.
    fn held(&self, theta: &[f64]) -> Held {
        let mut held = Held::default();
        if self.feedback.is_some() || self.depth < 2 {
            return held;
        }
        for f in &self.frequencies {
            let at = |l: usize| l * self.dimension + f.start;
            let moduli: Vec<f64> = (0..self.depth)
                .map(|l| f.entry(&theta[l * self.dimension..]).norm())
                .collect();
            let least = moduli.iter().copied().fold(f64::INFINITY, f64::min);
            let balanced = moduli.iter().filter(|m| **m == least).count() > 1;
            let real = f.len == 1
                || (0..self.depth).all(|l| theta[at(l) + 1] == 0.0)
                    && self.signed_samples.column(f.start + 1).amax() == 0.0;
            let mut near = Vec::new();
            for (l, modulus) in moduli.iter().enumerate().filter(|(_, m)| **m > 0.0) {
                if real && (balanced || *modulus > least) {
                    held.signs.push(at(l));
                }
                if balanced && *modulus == least {
                    near.push(at(l)..at(l) + f.len);
                }
            }
            held.near.extend((!near.is_empty()).then_some(near));
        }
        held
    }

    fn degree(&self) -> Option<i32> {
        let depth = i32::try_from(self.depth).ok()?;
        (self.feedback.is_none() && depth > 1).then_some(depth)
    }

    fn signed_samples(&self) -> Option<&DMatrix<f64>> {
        Some(&self.signed_samples)
    }

    fn on_rows(&self, rows: &DMatrix<f64>) -> Option<Arc<dyn Kernel>> {
        Some(Arc::new(Self {
            frequencies: self.frequencies.clone(),
            dimension: self.dimension,
            depth: self.depth,
            feedback: self.feedback.clone(),
            signed_samples: rows.clone(),
            idle: Vec::new(),
            products: match self.feedback.is_none() && rows.nrows() <= self.dimension {
                true => self
                    .frequencies
                    .iter()
                    .map(|f| products(rows, *f))
                    .collect(),
                false => Vec::new(),
            },
        }))
    }

    fn margins(&self, theta: &[f64], margins: &mut [f64]) {
        let beta = predictor(&self.frequencies, self.dimension, self.depth, theta);
        margins.copy_from_slice((&self.signed_samples * beta).as_slice());
    }

    fn velocity(
        &self,
        theta: &[f64],
        multipliers: &[f64],
        velocities: &mut [f64],
        rates: &mut [f64],
    ) {
        let mut z = vec![0.0; self.dimension];
        transposed_product(self.signed_samples.as_slice(), multipliers, &mut z);
        let mut beta_dot = vec![0.0; self.dimension];
        rates.fill(0.0);
        let mut chain = Chain::default();
        for (index, f) in self.frequencies.iter().enumerate() {
            let z = f.entry(&z);
            chain.set(self, index, theta);
            if let Some(products) = self.products.get(index) {
                let moved = (0..self.depth).map(|l| chain.cofactor(l).norm_sqr());
                let response = moved.sum::<f64>();
                for (column, a) in products.column_iter().zip(multipliers) {
                    for (rate, product) in rates.iter_mut().zip(column.iter()) {
                        *rate += response * a * product;
                    }
                }
            }
            let mut rate = Complex64::ZERO;
            for l in 0..self.depth {
                let velocity = chain.gain(self, index, l) * z;
                f.set(&mut velocities[l * self.dimension..], velocity);
                rate += chain.cofactor(l) * velocity;
            }
            f.set(&mut beta_dot, rate);
        }
        if self.products.is_empty() {
            product(self.signed_samples.as_slice(), &beta_dot, rates);
        }
    }

    /// `K = G Q Gᵀ`, where Q multiplies every frequency by `Σ_l C_l P_l ε_l`.
    fn tangent_kernel(&self, theta: &[f64], active: &[usize]) -> DMatrix<f64> {
        let mut moved = self.signed_samples.select_rows(active).transpose();
        let mut chain = Chain::default();
        for (index, f) in self.frequencies.iter().enumerate() {
            chain.set(self, index, theta);
            let response: Complex64 = (0..self.depth)
                .map(|l| chain.cofactor(l) * chain.gain(self, index, l))
                .sum();
            for column in moved.as_mut_slice().chunks_exact_mut(self.dimension) {
                let z = f.entry(column);
                f.set(column, response * z);
            }
        }
        &self.signed_samples * moved
    }

    fn tangent(
        &self,
        theta: &[f64],
        multipliers: &[f64],
        d_theta: &[f64],
        d_multipliers: &[f64],
    ) -> Tangent {
        let (z, dz) = (self.column(multipliers), self.column(d_multipliers));
        let mut velocity = vec![0.0; theta.len()];
        let mut d_beta = DVector::zeros(self.dimension);
        let mut d_beta_dot = DVector::zeros(self.dimension);
        for (index, f) in self.frequencies.iter().enumerate() {
            let point = self.point(index, theta, &z);
            let dz = f.entry(dz.as_slice());
            let dw: Vec<Complex64> = (0..self.depth)
                .map(|l| f.entry(&d_theta[l * self.dimension..]))
                .collect();
            let (mut moved, mut turned) = (Complex64::ZERO, Complex64::ZERO);
            for l in 0..self.depth {
                let pull: Complex64 = (0..self.depth)
                    .map(|k| self.slope(index, &point, l, k) * dw[k].conj())
                    .sum();
                let d_velocity = pull + point.gain[l] * dz;
                f.set(&mut velocity[l * self.dimension..], d_velocity);
                moved += point.cofactor(l) * dw[l];
                turned += point.cofactor(l) * d_velocity + point.rate_slope(l) * dw[l];
            }
            f.set(d_beta.as_mut_slice(), moved);
            f.set(d_beta_dot.as_mut_slice(), turned);
        }
        Tangent {
            velocity,
            margins: &self.signed_samples * d_beta,
            rates: &self.signed_samples * d_beta_dot,
        }
    }

    fn linearise(
        &self,
        theta: &[f64],
        multipliers: &[f64],
        step: f64,
    ) -> Option<Box<dyn LinearisedStep>> {
        Some(Box::new(SpectralStep::new(self, theta, multipliers, step)))
    }
}
