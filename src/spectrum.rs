//! The orthonormal coordinates in which the layers of a network act entrywise.
//!
//! A convolutional layer multiplies the unitary discrete Fourier transform of its input,
//! `x̂[d] = D^{−1/2} Σ_j x(j) e^{−2πi jd/D}`, entrywise; a diagonal layer multiplies the input itself. The transform
//! of a real vector is conjugate symmetric, so it is stored as D real *coordinates* on its half spectrum d = 0 …
//! ⌊D/2⌋: one coordinate `x̂[d]` where it is real (d = 0, and d = D/2 if D is even), else the pair
//! `√2 Re x̂[d], √2 Im x̂[d]`. The map from x to its coordinates is orthogonal: inner products and norms are those of
//! x.
//!
//! ```
//! use marginflow::spectrum::Basis;
//! use nalgebra::dvector;
//! let x = dvector![1.0, 2.0, 4.0];
//! let c = Basis::Fourier.coordinates(&x);
//! assert!((c[0] - 7.0 / 3f64.sqrt()).abs() < 1e-15 && (c.norm() - x.norm()).abs() < 1e-15);
//! assert!((Basis::Fourier.original(&c) - x).norm() < 1e-15);
//! ```

use nalgebra::{DMatrix, DVector};
use num_complex::Complex64;
use rustfft::FftPlanner;
use std::cell::RefCell;
use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

thread_local! {
    /// Transforms by length: their twiddle factors take longer than a transform.
    static PLANS: RefCell<FftPlanner<f64>> = RefCell::new(FftPlanner::new());
}

/// A choice of orthonormal coordinates of `R^D`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// The entries themselves; every frequency is one entry.
    Standard,
    /// Real coordinates of the unitary discrete Fourier transform on the half spectrum.
    Fourier,
}

/// One entry of the half spectrum and where its coordinates are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frequency {
    /// First coordinate.
    pub start: usize,
    /// 1 where the entry is real, else 2: √2 times its real and imaginary parts.
    pub len: usize,
}

impl Frequency {
    /// How many entries of the full spectrum share this modulus.
    pub fn multiplicity(self) -> usize {
        self.len
    }

    /// `x̂[d]` from the coordinates of x.
    pub fn entry(self, coordinates: &[f64]) -> Complex64 {
        if self.len == 1 {
            Complex64::new(coordinates[self.start], 0.0)
        } else {
            Complex64::new(coordinates[self.start], coordinates[self.start + 1]) * FRAC_1_SQRT_2
        }
    }

    /// Writes `x̂[d]` into the coordinates of x; its imaginary part is dropped where the entry is real.
    pub fn set(self, coordinates: &mut [f64], entry: Complex64) {
        if self.len == 1 {
            coordinates[self.start] = entry.re;
        } else {
            coordinates[self.start] = SQRT_2 * entry.re;
            coordinates[self.start + 1] = SQRT_2 * entry.im;
        }
    }
}

impl Basis {
    /// The half spectrum of `R^D`, in order of frequency: D entries in the standard basis, ⌊D/2⌋ + 1 in Fourier.
    pub fn frequencies(self, dimension: usize) -> Vec<Frequency> {
        match self {
            Self::Standard => (0..dimension)
                .map(|start| Frequency { start, len: 1 })
                .collect(),
            Self::Fourier => (0..=dimension / 2)
                .take(dimension)
                .map(|d| {
                    let real = d == 0 || 2 * d == dimension;
                    Frequency {
                        start: if d == 0 { 0 } else { 2 * d - 1 },
                        len: if real { 1 } else { 2 },
                    }
                })
                .collect(),
        }
    }

    /// The coordinates of x.
    pub fn coordinates(self, x: &DVector<f64>) -> DVector<f64> {
        match self {
            Self::Standard => x.clone(),
            Self::Fourier => {
                let mut buffer: Vec<Complex64> =
                    x.iter().map(|&x| Complex64::new(x, 0.0)).collect();
                PLANS
                    .with_borrow_mut(|plans| plans.plan_fft_forward(x.len()))
                    .process(&mut buffer);
                let scale = 1.0 / (x.len() as f64).sqrt();
                let mut coordinates = DVector::zeros(x.len());
                for (d, f) in self.frequencies(x.len()).into_iter().enumerate() {
                    f.set(coordinates.as_mut_slice(), buffer[d] * scale);
                }
                coordinates
            }
        }
    }

    /// The vector with these coordinates.
    pub fn original(self, coordinates: &DVector<f64>) -> DVector<f64> {
        match self {
            Self::Standard => coordinates.clone(),
            Self::Fourier => {
                let dimension = coordinates.len();
                let mut buffer = vec![Complex64::ZERO; dimension];
                for (d, f) in self.frequencies(dimension).into_iter().enumerate() {
                    let entry = f.entry(coordinates.as_slice());
                    buffer[d] = entry;
                    buffer[(dimension - d) % dimension] = entry.conj();
                }
                PLANS
                    .with_borrow_mut(|plans| plans.plan_fft_inverse(dimension))
                    .process(&mut buffer);
                let scale = 1.0 / (dimension as f64).sqrt();
                DVector::from_iterator(dimension, buffer.iter().map(|x| x.re * scale))
            }
        }
    }

    /// The vector whose entries `x̂[d]` are divided by their moduli (one where they vanish).
    ///
    /// ```
    /// use marginflow::spectrum::Basis;
    /// let x = Basis::Fourier.unit_moduli(&nalgebra::dvector![1.0, 2.0, -4.0, 0.5]);
    /// assert!((Basis::Fourier.unit_moduli(&x) - &x).norm() < 1e-15);
    /// assert!((x.norm() - 2.0).abs() < 1e-15);
    /// ```
    pub fn unit_moduli(self, x: &DVector<f64>) -> DVector<f64> {
        let mut coordinates = self.coordinates(x);
        for f in self.frequencies(x.len()) {
            let entry = f.entry(coordinates.as_slice());
            let unit = if entry.norm() > 0.0 {
                entry / entry.norm()
            } else {
                Complex64::ONE
            };
            f.set(coordinates.as_mut_slice(), unit);
        }
        self.original(&coordinates)
    }

    /// The coordinates of several vectors of one length, given one after the other (a matrix column by column):
    /// coordinate i of all of them, then i + 1. Those of an entry of the spectrum are next to each other.
    pub fn joint_coordinates(self, x: &DVector<f64>, vectors: usize) -> DVector<f64> {
        if vectors == 1 {
            return self.coordinates(x);
        }
        let x = DMatrix::from_column_slice(x.len() / vectors, vectors, x.as_slice());
        let mut joint = DMatrix::zeros(vectors, x.nrows());
        for (c, column) in x.column_iter().enumerate() {
            let coordinates = self.coordinates(&column.into_owned());
            joint.set_row(c, &coordinates.transpose());
        }
        DVector::from_column_slice(joint.as_slice())
    }

    /// The vectors with these joint coordinates, one after the other.
    pub fn joint_original(self, coordinates: &DVector<f64>, vectors: usize) -> DVector<f64> {
        if vectors == 1 {
            return self.original(coordinates);
        }
        let joint = DMatrix::from_column_slice(
            vectors,
            coordinates.len() / vectors,
            coordinates.as_slice(),
        );
        let originals = joint.row_iter().map(|row| self.original(&row.transpose()));
        let originals: Vec<f64> = originals.flat_map(|x| x.data.as_vec().clone()).collect();
        DVector::from_vec(originals)
    }

    /// The coordinates of every row.
    pub fn rows(self, x: &DMatrix<f64>) -> DMatrix<f64> {
        match self {
            Self::Standard => x.clone(),
            Self::Fourier => {
                let mut rows = x.clone();
                for mut row in rows.row_iter_mut() {
                    let coordinates = self.coordinates(&row.transpose());
                    row.copy_from(&coordinates.transpose());
                }
                rows
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    fn wave(dimension: usize) -> DVector<f64> {
        DVector::from_fn(dimension, |j, _| ((j * j + 3 * j) as f64 * 0.7).sin() + 0.2)
    }

    #[test]
    fn joint_coordinates_hold_the_entries_of_all_vectors_together() {
        for basis in [Basis::Standard, Basis::Fourier] {
            for dimension in [1, 4, 7] {
                let vectors: Vec<_> = (0..3).map(|c| wave(dimension) * (1.0 + c as f64)).collect();
                let flat = vectors.iter().flat_map(|x| x.iter().copied());
                let flat = DVector::from_iterator(3 * dimension, flat);
                let joint = basis.joint_coordinates(&flat, 3);
                for (c, x) in vectors.iter().enumerate() {
                    for (i, entry) in basis.coordinates(x).iter().enumerate() {
                        assert_eq!(joint[3 * i + c], *entry);
                    }
                }
                let back = basis.joint_original(&joint, 3);
                assert!((back - flat).norm() < 1e-14);
            }
        }
    }

    #[test]
    fn coordinates_are_the_plain_transform() {
        for dimension in 1..=17 {
            let x = wave(dimension);
            let coordinates = Basis::Fourier.coordinates(&x);
            assert!((coordinates.norm() / x.norm() - 1.0).abs() < 1e-14);
            let frequencies = Basis::Fourier.frequencies(dimension);
            assert_eq!(frequencies.iter().map(|f| f.len).sum::<usize>(), dimension);
            for (d, f) in frequencies.into_iter().enumerate() {
                let plain: Complex64 = (0..dimension)
                    .map(|j| Complex64::from_polar(x[j], -TAU * (j * d) as f64 / dimension as f64))
                    .sum::<Complex64>()
                    / (dimension as f64).sqrt();
                let entry = f.entry(coordinates.as_slice());
                assert!((entry - plain).norm() < 1e-13, "D = {dimension}, d = {d}");
                assert!(f.len == 2 || plain.im.abs() < 1e-13);
            }
            assert!((Basis::Fourier.original(&coordinates) - x).norm() < 1e-14);
        }
    }

    #[test]
    fn both_bases_keep_products() {
        let x = DMatrix::from_fn(4, 9, |i, j| ((2 * i + j * j) as f64).cos());
        for basis in [Basis::Standard, Basis::Fourier] {
            let rows = basis.rows(&x);
            assert!((&rows * rows.transpose() - &x * x.transpose()).norm() < 1e-13);
            let y = wave(9);
            assert!((&rows * basis.coordinates(&y) - &x * y).norm() < 1e-13);
        }
        assert_eq!(Basis::Standard.coordinates(&wave(5)), wave(5));
        assert_eq!(Basis::Standard.original(&wave(5)), wave(5));
    }
}
