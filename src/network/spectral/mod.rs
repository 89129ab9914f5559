//! Networks whose layers act entry by entry: convolutional linear (on the Fourier transform) and diagonal linear.
//!
//! # The network
//! `β̂ = ŵ_1 ⊙ ŵ_2 ⊙ ⋯ ⊙ ŵ_L`, `f = ⟨β̂, x̂⟩`. In Fourier's basis this is the net of circular layers
//! `h_l(j) = D^{−1/2} Σ_k w_l(k) h_{l−1}(j + k mod D)` with a fully connected output layer `f = w_L·h_{L−1}`, for the
//! unitary transform multiplies, `ĥ_l = ŵ_l^* ⊙ ĥ_{l−1}`. In the standard basis it is the diagonal net `β = w_1 ⊙ ⋯ ⊙
//! w_L`.
//!
//! θ holds every `w_l` in the orthonormal coordinates of [`spectrum`](crate::spectrum): the flow then is one small
//! system per frequency, coupled through the multipliers alone, and a frequency that is learned slowly keeps all its
//! digits beside those that grow.
//!
//! # The vector field, per frequency
//! `ŵ_l' = F_l = P_l ε_l ẑ` with `P_l = ŵ_1^*⋯ŵ_{l−1}^*`, ẑ the transform of `z = Σ_n α_n g_n`, and
//! `ε_l = ŵ_{l+1}^*⋯ŵ_L^*` (BP) or `b̂_l^*` (fixed feedback; `ε_L = 1` always). The predictor moves with
//! `β̂' = Σ_l C_l F_l`, `C_l = ∏_{j≠l} ŵ_j`.
//!
//! F depends on the conjugates of the weights only, `dF_l = Σ_k M_lk dŵ_k^* + P_l ε_l dẑ`, where `M_lk = ẑ C_lk^*`
//! under BP (`C_lk = ∏_{j≠l,k} ŵ_j`), and `M_lk = ẑ ε_l ∏_{j<l, j≠k} ŵ_j^*` for k < l, else 0, under feedback.

mod step;
mod stepper;

use super::products::{product, transposed_product};
use super::stepping::{Lane, Stepper, Training};
use super::{
    Architecture, Footprint, Kernel, Kind, Known, Layout, LinearisedStep, Network, Signals,
    Tangent, blank,
};
use crate::dataset::Dataset;
use crate::spectrum::{Basis, Frequency};
use nalgebra::{DMatrix, DVector};
use num_complex::Complex64;
use std::sync::Arc;
use step::SpectralStep;

pub(super) const CONVOLUTIONAL: Kind = Kind {
    key: "convolutional-linear",
    about: "Linear layers of circular convolutions of full width, the last one a full filter.",
    examples: |dimension| {
        (1..4)
            .map(|depth| Network::convolutional(dimension, depth))
            .collect()
    },
};

pub(super) const DIAGONAL: Kind = Kind {
    key: "diagonal-linear",
    about: "Linear layers that scale every feature.",
    examples: |dimension| {
        (1..4)
            .map(|depth| Network::diagonal(dimension, depth))
            .collect()
    },
};

/// A linear network of L layers that act entry by entry in a basis of `R^D`.
#[derive(Debug, Clone, PartialEq)]
pub struct SpectralLinear {
    basis: Basis,
    /// D × 1, L times.
    layout: Layout,
}

impl Architecture for SpectralLinear {
    fn key(&self) -> &'static str {
        match self.basis {
            Basis::Fourier => CONVOLUTIONAL.key,
            Basis::Standard => DIAGONAL.key,
        }
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn margins(&self, theta: &[f64], data: &Dataset) -> DVector<f64> {
        data.signed_samples() * self.product(theta)
    }

    fn predictor(&self, theta: &[f64]) -> Option<DVector<f64>> {
        Some(self.product(theta))
    }

    /// θ holds every `w_l` in the coordinates of the basis.
    fn theta(&self, weights: DVector<f64>) -> DVector<f64> {
        self.coordinates(weights.as_slice())
    }

    fn weights(&self, theta: &[f64]) -> Vec<DMatrix<f64>> {
        let theta = &theta[..self.layout.parameters()];
        self.layout.matrices(self.original(theta).as_slice())
    }

    fn kernel(&self, signals: Signals<'_>, data: &Dataset) -> Arc<dyn Kernel> {
        assert_eq!(data.dimension(), self.dimension(), "input dimension");
        let shapes = &self.layout.shapes()[1..];
        if let Err(misfit) = signals.check(&self.signal_lengths(), shapes) {
            panic!("{misfit}");
        }
        let conjugates = |b_l: &DVector<f64>| self.transform(b_l).map(|b| b.conj());
        Arc::new(SpectralKernel {
            frequencies: self.frequencies(),
            dimension: self.dimension(),
            depth: self.layout.depth(),
            feedback: self
                .fixed_signals(signals)
                .map(|b| b.iter().map(conjugates).collect()),
            idle: blank(data.signed_samples()),
            signed_samples: self.basis.rows(data.signed_samples()),
        })
    }

    /// Weights and velocities are also held in the coordinates of the spectrum.
    fn footprint(&self) -> Footprint {
        Footprint {
            copies: [40.0, 40.0],
            linearised: [2.0, 8.0, 0.0, 0.0, 0.0],
        }
    }

    fn known(&self) -> Known<'_> {
        Known::EntryByEntry(self)
    }

    /// Layers act on all D entries, hidden ones as well.
    fn signal_lengths(&self) -> Vec<usize> {
        self.layout.hidden().iter().map(|shape| shape.0).collect()
    }

    fn signal_basis(&self) -> Basis {
        self.basis
    }

    /// Transforms of a chain of filters multiply: `b̂_l = f̂_l ⊙ ⋯ ⊙ f̂_{L−1}`.
    fn fixed_signals(&self, signals: Signals<'_>) -> Option<Vec<DVector<f64>>> {
        let filters = match signals {
            Signals::Backward => return None,
            Signals::Direct(b) => return Some(b.to_vec()),
            Signals::Layerwise(filters) => filters,
        };
        let mut signals: Vec<DVector<f64>> = Vec::with_capacity(filters.len());
        for filter in filters.iter().rev() {
            let filter = filter.column(0).into_owned();
            signals.push(match signals.last() {
                None => filter,
                Some(above) => self.compose(&filter, above),
            });
        }
        signals.reverse();
        Some(signals)
    }

    fn stepper(&self, training: &Training<'_>, lanes: &[Lane]) -> Option<Box<dyn Stepper>> {
        Some(Box::new(stepper::stepper(self, training, lanes)))
    }

    fn shares_lanes(&self) -> bool {
        true
    }

    fn spectrum(&self) -> Option<&SpectralLinear> {
        Some(self)
    }
}

impl SpectralLinear {
    /// A network on inputs of dimension D with L layers, each a vector of D weights.
    pub fn new(basis: Basis, dimension: usize, depth: usize) -> Self {
        Self {
            basis,
            layout: Layout::new(vec![(dimension, 1); depth]),
        }
    }

    /// The basis layers are diagonal in.
    pub fn basis(&self) -> Basis {
        self.basis
    }

    /// D.
    pub fn dimension(&self) -> usize {
        self.layout.shapes()[0].0
    }

    /// The half spectrum, F entries.
    pub fn frequencies(&self) -> Vec<Frequency> {
        self.basis.frequencies(self.dimension())
    }

    /// θ of weights given in the original space, and back; both are `w_1 … w_L` one after the other.
    pub fn coordinates(&self, weights: &[f64]) -> DVector<f64> {
        self.layerwise(weights, |w| self.basis.coordinates(w))
    }

    /// The weights of θ in the original space: the inverse of [`Self::coordinates`].
    pub fn original(&self, theta: &[f64]) -> DVector<f64> {
        self.layerwise(theta, |w| self.basis.original(w))
    }

    fn layerwise(&self, flat: &[f64], map: impl Fn(&DVector<f64>) -> DVector<f64>) -> DVector<f64> {
        let mapped = flat
            .chunks_exact(self.dimension())
            .flat_map(|w| map(&DVector::from_column_slice(w)).data.as_vec().clone());
        DVector::from_iterator(flat.len(), mapped)
    }

    /// `ŵ_1 … ŵ_L` on the half spectrum (one column per layer, F × L).
    pub fn transforms(&self, theta: &[f64]) -> DMatrix<Complex64> {
        let frequencies = self.frequencies();
        DMatrix::from_fn(frequencies.len(), self.layout.depth(), |d, l| {
            frequencies[d].entry(&theta[l * self.dimension()..])
        })
    }

    /// The transform of a vector of the original space on the half spectrum, length F.
    pub fn transform(&self, x: &DVector<f64>) -> DVector<Complex64> {
        let coordinates = self.basis.coordinates(x);
        let entries: Vec<Complex64> = self
            .frequencies()
            .iter()
            .map(|f| f.entry(coordinates.as_slice()))
            .collect();
        DVector::from_vec(entries)
    }

    /// Which frequencies every one of the `feedback` vectors reaches (length F): elsewhere some transform vanishes, to
    /// rounding of its largest entry, and nothing is learned there from zero weights.
    pub fn reached(&self, feedback: &[DVector<f64>]) -> Vec<bool> {
        let mut reached = vec![true; self.frequencies().len()];
        for b in feedback {
            let moduli = self.transform(b).map(|b| b.norm());
            let rounding = ROUNDING * moduli.max();
            for (reached, modulus) in reached.iter_mut().zip(moduli.iter()) {
                *reached &= *modulus > rounding;
            }
        }
        reached
    }

    /// β in the original space, length D.
    fn product(&self, theta: &[f64]) -> DVector<f64> {
        self.basis.original(&predictor(
            &self.frequencies(),
            self.dimension(),
            self.layout.depth(),
            theta,
        ))
    }

    /// The product of filters, entry by entry: what stands for a chain of feedback layers.
    fn compose(&self, a: &DVector<f64>, b: &DVector<f64>) -> DVector<f64> {
        self.entrywise(a, b, |a, b| a * b)
    }

    /// The vector with transform `â^* ⊙ b̂`: what feedback a makes the first layer learn from an accumulated column b.
    pub fn correlate(&self, a: &DVector<f64>, b: &DVector<f64>) -> DVector<f64> {
        self.entrywise(a, b, |a, b| a.conj() * b)
    }

    fn entrywise(
        &self,
        a: &DVector<f64>,
        b: &DVector<f64>,
        product: impl Fn(Complex64, Complex64) -> Complex64,
    ) -> DVector<f64> {
        let (x, y) = (self.basis.coordinates(a), self.basis.coordinates(b));
        let mut products = DVector::zeros(self.dimension());
        for f in self.frequencies() {
            let entry = product(f.entry(x.as_slice()), f.entry(y.as_slice()));
            f.set(products.as_mut_slice(), entry);
        }
        self.basis.original(&products)
    }
}

/// A transform's entry below this fraction of its largest is rounding of zero.
const ROUNDING: f64 = 1e-13;

/// β in coordinates.
fn predictor(
    frequencies: &[Frequency],
    dimension: usize,
    depth: usize,
    theta: &[f64],
) -> DVector<f64> {
    let mut beta = DVector::zeros(dimension);
    for f in frequencies {
        let entry: Complex64 = (0..depth)
            .map(|l| f.entry(&theta[l * dimension..]))
            .product();
        f.set(beta.as_mut_slice(), entry);
    }
    beta
}

struct SpectralKernel {
    frequencies: Vec<Frequency>,
    dimension: usize,
    depth: usize,
    /// `b̂_1^* … b̂_{L−1}^*` where the feedback is fixed, none under BP.
    feedback: Option<Vec<DVector<Complex64>>>,
    /// G in coordinates, N × D.
    signed_samples: DMatrix<f64>,
    idle: Vec<usize>,
}

/// One frequency at one point `(θ, α)`.
struct Point {
    w: Vec<Complex64>,
    z: Complex64,
    /// `P_l ε_l`
    gain: Vec<Complex64>,
    /// `C_lk`, L × L, row by row; the diagonal holds `C_l`.
    cofactor: Vec<Complex64>,
}

impl Point {
    fn depth(&self) -> usize {
        self.w.len()
    }

    /// `F_l`
    fn velocity(&self, l: usize) -> Complex64 {
        self.gain[l] * self.z
    }

    /// `C_l`
    fn cofactor(&self, l: usize) -> Complex64 {
        self.cofactor[l * self.depth() + l]
    }

    /// `∂β̂'/∂ŵ_k` at fixed F: `Σ_{l≠k} F_l C_lk`.
    fn rate_slope(&self, k: usize) -> Complex64 {
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

impl SpectralKernel {
    /// The coordinates of z.
    fn column(&self, multipliers: &[f64]) -> DVector<f64> {
        self.signed_samples
            .tr_mul(&DVector::from_column_slice(multipliers))
    }

    /// The `index`-th frequency.
    fn point(&self, index: usize, theta: &[f64], z: &DVector<f64>) -> Point {
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
    fn slope(&self, index: usize, point: &Point, l: usize, k: usize) -> Complex64 {
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

    fn signed_samples(&self) -> Option<&DMatrix<f64>> {
        Some(&self.signed_samples)
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
        let mut chain = Chain::default();
        for (index, f) in self.frequencies.iter().enumerate() {
            let z = f.entry(&z);
            chain.set(self, index, theta);
            let mut rate = Complex64::ZERO;
            for l in 0..self.depth {
                let velocity = chain.gain(self, index, l) * z;
                f.set(&mut velocities[l * self.dimension..], velocity);
                rate += chain.cofactor(l) * velocity;
            }
            f.set(&mut beta_dot, rate);
        }
        product(self.signed_samples.as_slice(), &beta_dot, rates);
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

#[cfg(test)]
mod tests;
