//! The potentials whose constrained minima are the limits of flows.
//!
//! One family covers the linear networks. In orthonormal coordinates (see [`Basis`]) split into blocks `β_b`,
//!
//! ```text
//! ψ(β) = (Σ_b κ_b ‖β_b‖^p)^{1/p}          dual (p > 1, 1/p + 1/q = 1)   ψ*(Z) = (Σ_b κ_b^{1−q} ‖Z_b‖^q)^{1/q}
//!                                          dual (p = 1)                  ψ*(Z) = max_b ‖Z_b‖/κ_b
//! ```
//!
//! Fully connected networks with several outputs have Schatten norms (`schatten`), whose blocks are the singular values
//! of a matrix; convolutional and diagonal ones keep these blocks, of the entries of all C outputs at a frequency.
//!
//! A block with `κ_b = ∞` is one the network cannot use: `β_b = 0`, and `Z_b` is ignored.

use super::blocks::{UnitBlocks, length};
use super::scaling::{largest, power_of_two};
use super::schatten;
use crate::spectrum::{Basis, Frequency};
use nalgebra::{DMatrix, DVector};

/// `ψ(β) = (Σ_b κ_b ‖β_b‖^p)^{1/p}`; for p < 1 a quasi-norm, whose constrained minima are local.
#[derive(Debug, Clone, PartialEq)]
pub struct Potential {
    /// The coordinates that are split into blocks.
    pub basis: Basis,
    /// C: β is C vectors of that basis, one after the other, and coordinate i of all of them stands before i + 1.
    pub vectors: usize,
    /// p > 0.
    pub exponent: f64,
    /// A partition of the D·C coordinates, in order.
    pub blocks: Vec<Block>,
    /// Set for Schatten norms, where singular values take the place of blocks: the coordinates are the entries of a
    /// matrix of this shape, column by column, and make up one block.
    pub matrix: Option<(usize, usize)>,
}

/// Some coordinates and their weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Block {
    /// First coordinate.
    pub start: usize,
    /// How many coordinates.
    pub len: usize,
    /// `κ_b` in (0, ∞].
    pub weight: f64,
}

impl Potential {
    /// `ψ = ‖·‖₂`: the hard-margin support vector machine.
    pub fn euclidean(dimension: usize) -> Self {
        Self {
            basis: Basis::Standard,
            vectors: 1,
            exponent: 2.0,
            blocks: vec![Block {
                start: 0,
                len: dimension,
                weight: 1.0,
            }],
            matrix: None,
        }
    }

    /// `ψ(β) = (Σ_i σ_i(β)^p)^{1/p}` over the singular values of a matrix of this shape (`shape.0` rows), column by
    /// column: for p = 2 the Euclidean norm, for p = 1 the nuclear norm.
    pub fn schatten(shape: (usize, usize), exponent: f64) -> Self {
        let euclidean = Self::euclidean(shape.0 * shape.1);
        if exponent == 2.0 {
            return euclidean;
        }
        Self {
            exponent,
            matrix: Some(shape),
            ..euclidean
        }
    }

    /// `ψ(β) = (Σ_d c_d |β̂_d|^p)^{1/p}` over the full spectrum of `basis`, with `weights[d] = c_d` given on the half
    /// spectrum (length of `basis.frequencies(dimension)`).
    ///
    /// A pair of conjugate entries is one block: `2c |β̂|^p = 2^{1−p/2} c ‖β_b‖^p`.
    ///
    /// # Panics
    /// If there is not one weight per frequency.
    pub fn spectral(basis: Basis, dimension: usize, exponent: f64, weights: &[f64]) -> Self {
        Self::grouped(basis, (dimension, 1), exponent, weights)
    }

    /// The same of D × C matrices: `ψ(β) = (Σ_d c_d ‖β̂_d‖^p)^{1/p}`, with the Euclidean norm over the C columns of β.
    ///
    /// # Panics
    /// If there is not one weight per frequency.
    pub fn grouped(
        basis: Basis,
        (dimension, vectors): (usize, usize),
        exponent: f64,
        weights: &[f64],
    ) -> Self {
        let frequencies = basis.frequencies(dimension);
        assert_eq!(frequencies.len(), weights.len(), "one weight per frequency");
        let block = |(f, &weight): (Frequency, &f64)| Block {
            start: f.start * vectors,
            len: f.len * vectors,
            weight: if f.len == 1 {
                weight
            } else {
                weight * 2f64.powf(1.0 - exponent / 2.0)
            },
        };
        Self {
            basis,
            vectors,
            exponent,
            blocks: frequencies.into_iter().zip(weights).map(block).collect(),
            matrix: None,
        }
    }

    /// D·C.
    pub fn dimension(&self) -> usize {
        self.blocks.iter().map(|b| b.len).sum()
    }

    /// Whether ψ is the Euclidean norm of the original coordinates, as one block.
    pub fn is_euclidean(&self) -> bool {
        *self == Self::euclidean(self.dimension())
    }

    /// Whether ψ is the Euclidean norm up to a factor, in whatever orthonormal coordinates.
    pub fn is_multiple_of_euclidean(&self) -> bool {
        self.exponent == 2.0
            && self
                .blocks
                .iter()
                .all(|block| block.weight == self.blocks[0].weight && block.weight.is_finite())
    }

    /// `ψ(β)` of a vector in original coordinates (length D). Infinite if β has more than 1e-10 of its length in blocks
    /// of infinite weight; less counts as rounding.
    pub fn value(&self, beta: &DVector<f64>) -> f64 {
        if let Some(shape) = self.matrix {
            return schatten::value(beta, shape, self.exponent);
        }
        let size = power_of_two(largest(beta));
        let blocks = UnitBlocks::new(self);
        if blocks.leaves_out(beta) {
            return f64::INFINITY;
        }
        size * length(&blocks.norms(&blocks.point(&(beta / size))), self.exponent)
    }

    /// `ψ*(Z)` of a vector in original coordinates (length D), for p ≥ 1.
    pub fn dual(&self, z: &DVector<f64>) -> f64 {
        if let Some(shape) = self.matrix {
            return schatten::value(z, shape, self.exponent / (self.exponent - 1.0));
        }
        let size = power_of_two(largest(z));
        let blocks = UnitBlocks::new(self);
        let row = DMatrix::from_row_slice(1, z.len(), (z / size).as_slice());
        let norms = blocks.norms(&blocks.columns(&row).column(0).into_owned());
        size * length(&norms, blocks.conjugate())
    }

    /// `∇(½ψ²)(β) = ψ^{2−p} κ_b ‖β_b‖^{p−2} β_b`, in original coordinates (length D); zero in blocks where `β_b = 0`
    /// and in unusable ones. It is homogeneous of degree one, whatever p is, and for p > 1 its inverse is
    /// [`Self::inverse_gradient`].
    pub fn gradient(&self, beta: &DVector<f64>) -> DVector<f64> {
        if let Some(shape) = self.matrix {
            return schatten::half_square_gradient(beta, shape, self.exponent);
        }
        let size = power_of_two(largest(beta));
        let blocks = UnitBlocks::new(self);
        let x = blocks.point(&(beta / size));
        blocks.covector(&blocks.half_square_gradient(&x, self.exponent)) * size
    }

    /// `∇(½ψ*²)(Z)`: the β with `∇(½ψ²)(β) = Z` on the usable blocks, zero on the others; p > 1, original coordinates.
    pub fn inverse_gradient(&self, z: &DVector<f64>) -> DVector<f64> {
        if let Some(shape) = self.matrix {
            let q = self.exponent / (self.exponent - 1.0);
            return schatten::half_square_gradient(z, shape, q);
        }
        let size = power_of_two(largest(z));
        let blocks = UnitBlocks::new(self);
        let row = DMatrix::from_row_slice(1, z.len(), (z / size).as_slice());
        let unit = blocks.columns(&row).column(0).into_owned();
        blocks.beta(&blocks.half_square_gradient(&unit, blocks.conjugate())) * size
    }
}
