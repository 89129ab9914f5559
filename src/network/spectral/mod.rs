//! Networks whose layers act entrywise: convolutional linear (on the Fourier transform) and diagonal linear.
//!
//! # The network
//! `β̂ = ŵ_1 ⊙ ŵ_2 ⊙ ⋯ ⊙ ŵ_L`, `f = ⟨β̂, x̂⟩`. In the Fourier basis this is the network of circular convolutions
//! `h_l(j) = D^{−1/2} Σ_k w_l(k) h_{l−1}(j + k mod D)` with a fully connected output layer `f = w_L·h_{L−1}`, since
//! under the unitary transform each layer is a product, `ĥ_l = ŵ_l^* ⊙ ĥ_{l−1}`. In the standard basis it is the
//! diagonal network `β = w_1 ⊙ ⋯ ⊙ w_L`.
//!
//! θ holds every `w_l` in the orthonormal coordinates of [`spectrum`](crate::spectrum): the flow is then one small
//! system per frequency, coupled only through the multipliers, and a frequency that is learned slowly keeps all its
//! digits next to those that grow. With C outputs the last layer has C columns, and [`classes`] the field.
//!
//! # The vector field, per frequency
//! `ŵ_l' = F_l = P_l ε_l ẑ` with `P_l = ŵ_1^*⋯ŵ_{l−1}^*`, ẑ the transform of `z = Σ_n α_n g_n`, and
//! `ε_l = ŵ_{l+1}^*⋯ŵ_L^*` (BP) or `b̂_l^*` (fixed feedback; `ε_L = 1` always). The predictor moves with
//! `β̂' = Σ_l C_l F_l`, `C_l = ∏_{j≠l} ŵ_j`.
//!
//! F depends on the conjugates of the weights only, `dF_l = Σ_k M_lk dŵ_k^* + P_l ε_l dẑ`, where `M_lk = ẑ C_lk^*`
//! under BP (`C_lk = ∏_{j≠l,k} ŵ_j`), and `M_lk = ẑ ε_l ∏_{j<l, j≠k} ŵ_j^*` for k < l, else 0, under feedback.

mod classes;
mod kernel;
mod step;
mod stepper;

use super::stepping::{Lane, Stepper, Training};
use super::{
    Architecture, Footprint, Kernel, Kind, Known, Layout, Network, OutputLayer, Signals, blank,
    expect_fit, outputs, vectors,
};
use crate::dataset::Dataset;
use crate::spectrum::{Basis, Frequency};
use classes::ClassKernel;
use kernel::SpectralKernel;
use nalgebra::{DMatrix, DVector};
use num_complex::Complex64;
use std::sync::Arc;

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

/// A linear network of L layers that act entrywise in a basis of `R^D`.
#[derive(Debug, Clone, PartialEq)]
pub struct SpectralLinear {
    basis: Basis,
    /// D × 1, L − 1 times, and D × C.
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
        if self.outputs() == 1 {
            return data.signed_samples() * self.product(theta);
        }
        let shape = (self.dimension(), self.outputs());
        let beta = DMatrix::from_vec(shape.0, shape.1, self.product(theta).data.into());
        outputs::margins(data, &(data.samples() * beta))
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

    /// Features and output weights in the coordinates of the basis: the transform of the features is
    /// `ŵ_1^*⋯ŵ_{L−1}^* x̂`.
    fn output_layer(&self, theta: &[f64], data: &Dataset) -> Option<OutputLayer> {
        let (dimension, hidden) = (self.dimension(), self.layout.depth() - 1);
        let frequencies = self.frequencies();
        let gains = frequencies.iter().map(|f| -> Complex64 {
            let weights = (0..hidden).map(|l| f.entry(&theta[l * dimension..]).conj());
            weights.product()
        });
        let gains: Vec<Complex64> = gains.collect();
        let one = self.outputs() == 1;
        let mut features = self.basis.rows(match one {
            true => data.signed_samples(),
            false => data.samples(),
        });
        for mut row in features.row_iter_mut() {
            let mut seen: Vec<f64> = row.iter().copied().collect();
            for (f, gain) in frequencies.iter().zip(&gains) {
                let entry = f.entry(&seen) * gain;
                f.set(&mut seen, entry);
            }
            row.iter_mut().zip(seen).for_each(|(x, seen)| *x = seen);
        }
        Some(OutputLayer {
            features: if one {
                features
            } else {
                data.rows_with(&features)
            },
            weights: DVector::from_column_slice(&theta[self.layout.range(hidden)]),
        })
    }

    fn kernel(&self, signals: Signals<'_>, data: &Dataset) -> Arc<dyn Kernel> {
        expect_fit(self, signals, data);
        if self.outputs() > 1 {
            let feedback = self.fixed_signals(signals);
            return Arc::new(ClassKernel::new(self, feedback, data));
        }
        let conjugates = |b_l: &DVector<f64>| self.transform(b_l).map(|b| b.conj());
        Arc::new(SpectralKernel {
            frequencies: self.frequencies(),
            dimension: self.dimension(),
            depth: self.layout.depth(),
            feedback: self
                .fixed_signals(signals)
                .map(|b| vectors(b).iter().map(conjugates).collect()),
            idle: blank(data.signed_samples()),
            signed_samples: self.basis.rows(data.signed_samples()),
            products: Vec::new(),
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
        match self.outputs() {
            1 => Known::EntryByEntry(self),
            _ => Known::EntryByEntryClasses(self),
        }
    }

    /// Layers act on all D entries, hidden ones as well.
    fn signal_lengths(&self) -> Vec<usize> {
        self.layout.hidden().iter().map(|shape| shape.0).collect()
    }

    fn signal_basis(&self) -> Basis {
        self.basis
    }

    /// Transforms of a chain of filters multiply: `b̂_l = f̂_l ⊙ ⋯ ⊙ f̂_{L−1}`.
    fn fixed_signals(&self, signals: Signals<'_>) -> Option<Vec<DMatrix<f64>>> {
        let column = |filter: &DMatrix<f64>| filter.column(0).into_owned();
        signals.composed(|filter, above| {
            let columns = above.column_iter();
            let composed = columns.map(|b| self.compose(&column(filter), &b.into_owned()));
            DMatrix::from_columns(&composed.collect::<Vec<_>>())
        })
    }

    fn stepper(&self, training: &Training<'_>, lanes: &[Lane]) -> Option<Box<dyn Stepper>> {
        (self.outputs() == 1)
            .then(|| Box::new(stepper::stepper(self, training, lanes)) as Box<dyn Stepper>)
    }

    fn shares_lanes(&self) -> bool {
        self.outputs() == 1
    }

    /// With C outputs there are C transforms of the last layer, and no one spectrum.
    fn spectrum(&self) -> Option<&SpectralLinear> {
        (self.outputs() == 1).then_some(self)
    }
}

impl SpectralLinear {
    /// A network on inputs of dimension D with L layers, each a vector of D weights.
    pub fn new(basis: Basis, dimension: usize, depth: usize) -> Self {
        Self::with_outputs(basis, dimension, depth, 1)
    }

    /// The same with C outputs: the last layer has C vectors of D weights.
    pub fn with_outputs(basis: Basis, dimension: usize, depth: usize, outputs: usize) -> Self {
        let mut shapes = vec![(dimension, 1); depth];
        shapes[depth - 1].1 = outputs;
        Self {
            basis,
            layout: Layout::new(shapes),
        }
    }

    /// The basis in which layers are diagonal.
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

    /// `ŵ_1 … ŵ_L` on the half spectrum (one column per layer, F × L; with C outputs the last layer has C columns).
    pub fn transforms(&self, theta: &[f64]) -> DMatrix<Complex64> {
        let frequencies = self.frequencies();
        let columns = self.layout.depth() + self.outputs() - 1;
        DMatrix::from_fn(frequencies.len(), columns, |d, l| {
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

    /// Which frequencies all of the `feedback` vectors reach (length F): elsewhere some transform vanishes, up to
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

    /// How many of the D entries of the spectrum a predictor uses, effectively: `(Σ_d |β̂_d|)²/Σ_d |β̂_d|²`, which is k
    /// for k entries of equal modulus; `None` for zero.
    pub fn effective_entries(&self, beta: &DVector<f64>) -> Option<f64> {
        let moduli = self
            .transform(&(beta / beta.amax()))
            .map(|entry| entry.norm());
        let (mut sum, mut squares) = (0.0, 0.0);
        for (f, modulus) in self.frequencies().into_iter().zip(moduli.iter()) {
            sum += f.multiplicity() as f64 * modulus;
            squares += f.multiplicity() as f64 * modulus * modulus;
        }
        let effective = sum * sum / squares;
        effective.is_finite().then_some(effective)
    }

    /// β in the original space, length D·C.
    fn product(&self, theta: &[f64]) -> DVector<f64> {
        if self.outputs() > 1 {
            let theta = &theta[..self.layout.parameters()];
            return self.original(&classes::predictor(self, theta));
        }
        self.basis.original(&predictor(
            &self.frequencies(),
            self.dimension(),
            self.layout.depth(),
            theta,
        ))
    }

    /// The entrywise product of filters, which is equivalent to a chain of feedback layers.
    fn compose(&self, a: &DVector<f64>, b: &DVector<f64>) -> DVector<f64> {
        self.entrywise(a, b, |a, b| a * b)
    }

    /// The vector with transform `â^* ⊙ b̂`, which the first layer learns under feedback a from the column b.
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

#[cfg(test)]
mod class_tests;
#[cfg(test)]
mod tests;
