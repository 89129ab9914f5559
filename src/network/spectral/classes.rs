//! Convolutional and diagonal linear networks with C outputs: `β̂_c = ŵ_1 ⊙ ⋯ ⊙ ŵ_{L−1} ⊙ û_c`, `f_c = ⟨β̂_c, x̂⟩`,
//! where `û_1 … û_C` are the columns of the output layer w_L (D × C).
//!
//! # The vector field, per frequency
//! Rows enter through `ẑ_c`, the transforms of the columns of `z = Σ_i α_i mat(g_i)` (D × C). With
//! `P_l = ŵ_1 ⋯ ŵ_{l−1}`,
//!
//! ```text
//! û_c' = P_L^* ẑ_c,        ŵ_l' = P_l^* Σ_c ε_{lc}^* ẑ_c,        ε_{lc} = ŵ_{l+1}⋯ŵ_{L−1} û_c (BP), b̂_{lc} (fixed)
//! β̂_c' = P_L û_c' + û_c Σ_l C_l ŵ_l',        C_l = ∏_{j≠l, j<L} ŵ_j
//! ```
//!
//! so that `β̂' = M ẑ` with a C × C matrix M per frequency, from which the tangent kernel follows.

use super::SpectralLinear;
use crate::dataset::Dataset;
use crate::network::{Architecture, Held, Kernel, Tangent, blank};
use crate::products::{product, transposed_product};
use crate::spectrum::Frequency;
use nalgebra::{DMatrix, DVector};
use num_complex::Complex64;
use std::ops::{Add, Mul};
use std::sync::Arc;

/// Numbers at a frequency: complex ones, or complex ones with a derivative.
trait Number: Copy + Add<Output = Self> + Mul<Output = Self> {
    const ZERO: Self;
    const ONE: Self;
    fn conj(self) -> Self;
}

impl Number for Complex64 {
    const ZERO: Self = Self::ZERO;
    const ONE: Self = Self::ONE;

    fn conj(self) -> Self {
        Self::conj(&self)
    }
}

/// A number and its derivative along a real parameter.
#[derive(Clone, Copy)]
struct Dual {
    value: Complex64,
    slope: Complex64,
}

impl Add for Dual {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            value: self.value + other.value,
            slope: self.slope + other.slope,
        }
    }
}

impl Mul for Dual {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self {
            value: self.value * other.value,
            slope: self.slope * other.value + self.value * other.slope,
        }
    }
}

impl Dual {
    const fn constant(value: Complex64) -> Self {
        Self {
            value,
            slope: Complex64::ZERO,
        }
    }
}

impl Number for Dual {
    const ZERO: Self = Self::constant(Complex64::ZERO);
    const ONE: Self = Self::constant(Complex64::ONE);

    fn conj(self) -> Self {
        Self {
            value: self.value.conj(),
            slope: self.slope.conj(),
        }
    }
}

/// All that happens at one frequency. `H = L − 1` hidden layers.
struct At<T> {
    /// `ŵ_1 … ŵ_H`.
    w: Vec<T>,
    /// `û_1 … û_C`.
    u: Vec<T>,
    /// `P_1 … P_L`.
    before: Vec<T>,
    /// `C_1 … C_H`.
    cofactor: Vec<T>,
    /// `ε_{lc}^*`, C of every hidden layer.
    signals: Vec<T>,
}

impl<T: Number> At<T> {
    /// From `ŵ_1 … ŵ_H`, `û` and, where feedback is fixed, `b̂_{lc}^*`.
    fn new(w: Vec<T>, u: Vec<T>, fixed: Option<Vec<T>>) -> Self {
        let hidden = w.len();
        let mut before = vec![T::ONE];
        for l in 0..hidden {
            before.push(before[l] * w[l]);
        }
        let mut after = vec![T::ONE; hidden];
        for l in (1..hidden).rev() {
            after[l - 1] = after[l] * w[l];
        }
        let cofactor = before.iter().zip(&after).map(|(p, a)| *p * *a).collect();
        let signals = fixed.unwrap_or_else(|| {
            let of_layer = |a: &T| {
                let a = *a;
                u.iter().map(move |u| (a * *u).conj())
            };
            after.iter().flat_map(of_layer).collect()
        });
        Self {
            w,
            u,
            before,
            cofactor,
            signals,
        }
    }

    /// `Σ_c ε_{lc}^* ẑ_c`
    fn signal(&self, l: usize, z: &[T]) -> T {
        let signals = &self.signals[l * z.len()..(l + 1) * z.len()];
        let terms = signals.iter().zip(z).map(|(e, z)| *e * *z);
        terms.fold(T::ZERO, |sum, term| sum + term)
    }

    /// `ŵ_1' … ŵ_H'` and `û'`.
    fn velocity(&self, z: &[T]) -> (Vec<T>, Vec<T>) {
        let hidden = self.w.len();
        let w = (0..hidden).map(|l| self.before[l].conj() * self.signal(l, z));
        let top = self.before[hidden].conj();
        (w.collect(), z.iter().map(|z| top * *z).collect())
    }

    /// β̂.
    fn predictor(&self) -> Vec<T> {
        let top = self.before[self.w.len()];
        self.u.iter().map(|u| top * *u).collect()
    }

    /// `β̂'` under this velocity.
    fn moved(&self, (w, u): &(Vec<T>, Vec<T>)) -> Vec<T> {
        let through =
            (self.cofactor.iter().zip(w)).fold(T::ZERO, |sum, (cofactor, w)| sum + *cofactor * *w);
        let top = self.before[self.w.len()];
        let parts = self.u.iter().zip(u);
        parts.map(|(at, by)| *at * through + top * *by).collect()
    }
}

/// The vector field, see the module.
pub(super) struct ClassKernel {
    network: SpectralLinear,
    frequencies: Vec<Frequency>,
    /// `b̂_{lc}^*` of every frequency, layer by layer, output by output; none under BP.
    feedback: Option<Vec<Vec<Complex64>>>,
    /// G in coordinates, rows × DC.
    signed_samples: DMatrix<f64>,
    idle: Vec<usize>,
}

impl ClassKernel {
    pub(super) fn new(
        network: &SpectralLinear,
        feedback: Option<Vec<DMatrix<f64>>>,
        data: &Dataset,
    ) -> Self {
        let frequencies = network.frequencies();
        let feedback = feedback.map(|feedback| {
            let columns = feedback.iter().flat_map(DMatrix::column_iter);
            let transforms: Vec<_> = columns
                .map(|b| network.transform(&b.into_owned()))
                .collect();
            let at = |d: usize| transforms.iter().map(|b| b[d].conj()).collect();
            (0..frequencies.len()).map(at).collect()
        });
        let mut signed_samples = data.signed_samples().clone();
        for mut row in signed_samples.row_iter_mut() {
            let original: Vec<f64> = row.iter().copied().collect();
            row.copy_from(&network.coordinates(&original).transpose());
        }
        Self {
            network: network.clone(),
            frequencies,
            feedback,
            idle: blank(data.signed_samples()),
            signed_samples,
        }
    }

    fn hidden(&self) -> usize {
        self.network.layout().depth() - 1
    }

    /// The entries at a frequency of vectors that follow each other.
    fn entries(&self, f: Frequency, vectors: &[f64]) -> Vec<Complex64> {
        let vectors = vectors.chunks_exact(self.network.dimension());
        vectors.map(|vector| f.entry(vector)).collect()
    }

    fn set(&self, f: Frequency, vectors: &mut [f64], entries: impl Iterator<Item = Complex64>) {
        let vectors = vectors.chunks_exact_mut(self.network.dimension());
        for (vector, entry) in vectors.zip(entries) {
            f.set(vector, entry);
        }
    }

    /// The `index`-th frequency.
    fn at(&self, index: usize, theta: &[f64]) -> At<Complex64> {
        let mut w = self.entries(self.frequencies[index], theta);
        let u = w.split_off(self.hidden());
        At::new(w, u, self.feedback.as_ref().map(|b| b[index].clone()))
    }

    /// z in coordinates, column by column.
    fn combination(&self, multipliers: &[f64]) -> Vec<f64> {
        let mut z = vec![0.0; self.signed_samples.ncols()];
        transposed_product(self.signed_samples.as_slice(), multipliers, &mut z);
        z
    }
}

/// β in coordinates, column by column.
pub(super) fn predictor(network: &SpectralLinear, theta: &[f64]) -> Vec<f64> {
    let (dimension, depth) = (network.dimension(), network.layout().depth());
    let mut beta = vec![0.0; dimension * network.outputs()];
    for f in network.frequencies() {
        let vectors = theta.chunks_exact(dimension);
        let mut w: Vec<Complex64> = vectors.map(|vector| f.entry(vector)).collect();
        let u = w.split_off(depth - 1);
        let entries = At::new(w, u, None).predictor();
        for (column, entry) in beta.chunks_exact_mut(dimension).zip(entries) {
            f.set(column, entry);
        }
    }
    beta
}

impl Kernel for ClassKernel {
    fn parameters(&self) -> usize {
        self.network.layout().parameters()
    }

    fn samples(&self) -> usize {
        self.signed_samples.nrows()
    }

    fn layers(&self) -> Vec<usize> {
        self.network.layout().lengths()
    }

    fn idle(&self) -> &[usize] {
        &self.idle
    }

    /// As with one output, with `‖û‖` in the place of the last modulus.
    fn held(&self, theta: &[f64]) -> Held {
        let mut held = Held::default();
        if self.feedback.is_some() || self.hidden() == 0 {
            return held;
        }
        for f in &self.frequencies {
            let entries = self.entries(*f, theta);
            let (w, u) = entries.split_at(self.hidden());
            let mut moduli: Vec<f64> = w.iter().map(|w| w.norm()).collect();
            moduli.push(u.iter().map(|u| u.norm_sqr()).sum::<f64>().sqrt());
            let least = moduli.iter().copied().fold(f64::INFINITY, f64::min);
            let balanced = moduli.iter().filter(|m| **m == least).count() > 1;
            let mut near = Vec::new();
            for (l, modulus) in moduli[..self.hidden()].iter().enumerate() {
                let at = l * self.network.dimension() + f.start;
                if *modulus > 0.0 && f.len == 1 && (balanced || *modulus > least) {
                    held.signs.push(at);
                }
                if *modulus > 0.0 && balanced && *modulus == least {
                    near.push(at..at + f.len);
                }
            }
            held.near.extend((!near.is_empty()).then_some(near));
        }
        held
    }

    fn degree(&self) -> Option<i32> {
        let depth = i32::try_from(self.hidden() + 1).ok()?;
        (self.feedback.is_none() && depth > 1).then_some(depth)
    }

    fn signed_samples(&self) -> Option<&DMatrix<f64>> {
        Some(&self.signed_samples)
    }

    fn on_rows(&self, rows: &DMatrix<f64>) -> Option<Arc<dyn Kernel>> {
        Some(Arc::new(Self {
            network: self.network.clone(),
            frequencies: self.frequencies.clone(),
            feedback: self.feedback.clone(),
            signed_samples: rows.clone(),
            idle: Vec::new(),
        }))
    }

    fn margins(&self, theta: &[f64], margins: &mut [f64]) {
        let beta = predictor(&self.network, &theta[..self.parameters()]);
        product(self.signed_samples.as_slice(), &beta, margins);
    }

    fn velocity(
        &self,
        theta: &[f64],
        multipliers: &[f64],
        velocities: &mut [f64],
        rates: &mut [f64],
    ) {
        let z = self.combination(multipliers);
        let mut beta_dot = vec![0.0; z.len()];
        for (index, f) in self.frequencies.iter().enumerate() {
            let at = self.at(index, theta);
            let velocity = at.velocity(&self.entries(*f, &z));
            self.set(*f, &mut beta_dot, at.moved(&velocity).into_iter());
            let (w, u) = velocity;
            self.set(*f, velocities, w.into_iter().chain(u));
        }
        product(self.signed_samples.as_slice(), &beta_dot, rates);
    }

    /// `K = G M Gᵀ`.
    fn tangent_kernel(&self, theta: &[f64], active: &[usize]) -> DMatrix<f64> {
        let mut moved = self.signed_samples.select_rows(active).transpose();
        let length = moved.nrows();
        for (index, f) in self.frequencies.iter().enumerate() {
            let at = self.at(index, theta);
            for column in moved.as_mut_slice().chunks_exact_mut(length) {
                let z = self.entries(*f, column);
                self.set(*f, column, at.moved(&at.velocity(&z)).into_iter());
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
        let (z, dz) = (
            self.combination(multipliers),
            self.combination(d_multipliers),
        );
        let mut d_velocity = vec![0.0; theta.len()];
        let mut d_beta = DVector::zeros(z.len());
        let mut d_beta_dot = DVector::zeros(z.len());
        let dual = |(value, slope)| Dual { value, slope };
        for (index, f) in self.frequencies.iter().enumerate() {
            let along = |x: &[f64], dx: &[f64]| -> Vec<Dual> {
                let pairs = self.entries(*f, x).into_iter().zip(self.entries(*f, dx));
                pairs.map(dual).collect()
            };
            let mut w = along(theta, d_theta);
            let u = w.split_off(self.hidden());
            let fixed = (self.feedback.as_ref())
                .map(|b| b[index].iter().map(|b| Dual::constant(*b)).collect());
            let at = At::new(w, u, fixed);
            let velocity = at.velocity(&along(&z, &dz));
            let slopes = |of: Vec<Dual>| of.into_iter().map(|number| number.slope);
            self.set(*f, d_beta.as_mut_slice(), slopes(at.predictor()));
            self.set(*f, d_beta_dot.as_mut_slice(), slopes(at.moved(&velocity)));
            let (w, u) = velocity;
            self.set(*f, &mut d_velocity, slopes(w).chain(slopes(u)));
        }
        Tangent {
            velocity: d_velocity,
            margins: &self.signed_samples * d_beta,
            rates: &self.signed_samples * d_beta_dot,
        }
    }
}
