//! Coordinates in which a potential has unit weights, and computations in them.
//!
//! With `x_b = κ_b^{1/p} β_b` on the usable blocks, `ψ(β) = (Σ_b ‖x_b‖^p)^{1/p}`, samples become `κ_b^{−1/p} g_{n,b}`,
//! and products are preserved: `Gβ` and `β·Gᵀa` are the same in both coordinates. The dual norm is
//! `(Σ_b ‖z_b‖^q)^{1/q}`. The weights of the flows' potentials span many decades, but these scales do not: with
//! `κ_d = W_d^{−1/(2^L−1)}` and `W_d = ∏_k |b̂_k|^{2^{L−k}}` they are `κ^{−1/p} = ∏_k |b̂_k|^{2^{−k}}`.

use super::potential::Potential;
use super::scaling::{largest, power_of_two};
use crate::spectrum::Basis;
use nalgebra::{DMatrix, DVector};

/// A part of β in blocks of infinite weight counts as rounding up to this fraction of ‖β‖.
pub(super) const UNUSABLE_ROUNDING: f64 = 1e-10;

/// One usable block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// First unit coordinate.
    pub start: usize,
    pub len: usize,
    /// First coordinate of `Potential::basis`.
    source: usize,
    /// `κ_b^{1/p}`.
    scale: f64,
}

/// The usable blocks of a potential, with unit weights.
#[derive(Debug, Clone)]
pub(super) struct UnitBlocks {
    /// p.
    pub exponent: f64,
    pub spans: Vec<Span>,
    basis: Basis,
    /// How many vectors of that basis β is.
    vectors: usize,
    dimension: usize,
}

impl UnitBlocks {
    pub(super) fn new(potential: &Potential) -> Self {
        let mut start = 0;
        let spans = potential
            .blocks
            .iter()
            .filter(|block| block.weight.is_finite())
            .map(|block| {
                let span = Span {
                    start,
                    len: block.len,
                    source: block.start,
                    scale: (block.weight.ln() / potential.exponent).exp(),
                };
                start += block.len;
                span
            })
            .collect();
        Self {
            exponent: potential.exponent,
            spans,
            basis: potential.basis,
            vectors: potential.vectors,
            dimension: potential.dimension(),
        }
    }

    /// The blocks with `keep[i]`, and their unit coordinates in `self`.
    pub(super) fn restricted(&self, keep: &[bool]) -> (Self, Vec<usize>) {
        let mut coordinates = Vec::new();
        let mut spans = Vec::new();
        for (span, _) in self.spans.iter().zip(keep).filter(|(_, keep)| **keep) {
            spans.push(Span {
                start: coordinates.len(),
                ..*span
            });
            coordinates.extend(span.start..span.start + span.len);
        }
        let restricted = Self {
            spans,
            ..self.clone()
        };
        (restricted, coordinates)
    }

    /// How many unit coordinates there are.
    pub(super) fn len(&self) -> usize {
        self.spans.iter().map(|span| span.len).sum()
    }

    /// Whether `β` is `x` itself: then no transform and no scaling is applied.
    fn is_identity(&self) -> bool {
        self.basis == Basis::Standard
            && self.vectors == 1
            && self.len() == self.dimension
            && self.spans.iter().all(|span| span.scale == 1.0)
    }

    /// x for β in original coordinates (whose part in unusable blocks is dropped). Fourier coefficients at the
    /// rounding level of β count as zero: a large weight would amplify them.
    pub(super) fn point(&self, beta: &DVector<f64>) -> DVector<f64> {
        if self.is_identity() {
            return beta.clone();
        }
        let coordinates = self.basis.joint_coordinates(beta, self.vectors);
        let mut x = self.gather(|source, scale| coordinates[source] * scale);
        if self.basis == Basis::Fourier {
            let rounding = 4.0 * f64::EPSILON * coordinates.norm();
            for span in &self.spans {
                let mut part = x.rows_mut(span.start, span.len);
                if part.norm() <= rounding * span.scale {
                    part.fill(0.0);
                }
            }
        }
        x
    }

    /// β in original coordinates.
    pub(super) fn beta(&self, x: &DVector<f64>) -> DVector<f64> {
        if self.is_identity() {
            return x.clone();
        }
        let mut coordinates = DVector::zeros(self.dimension);
        for span in &self.spans {
            for i in 0..span.len {
                coordinates[span.source + i] = x[span.start + i] / span.scale;
            }
        }
        self.basis.joint_original(&coordinates, self.vectors)
    }

    /// A gradient with respect to x as one with respect to β, in original coordinates; zero in unusable blocks.
    pub(super) fn covector(&self, z: &DVector<f64>) -> DVector<f64> {
        if self.is_identity() {
            return z.clone();
        }
        let mut coordinates = DVector::zeros(self.dimension);
        for span in &self.spans {
            for i in 0..span.len {
                coordinates[span.source + i] = z[span.start + i] * span.scale;
            }
        }
        self.basis.joint_original(&coordinates, self.vectors)
    }

    /// Signed samples (N × D, original coordinates) as columns in unit coordinates.
    pub(super) fn columns(&self, signed_samples: &DMatrix<f64>) -> DMatrix<f64> {
        if self.is_identity() {
            return signed_samples.transpose();
        }
        let mut columns = DMatrix::zeros(self.len(), signed_samples.nrows());
        for (row, mut column) in signed_samples.row_iter().zip(columns.column_iter_mut()) {
            let coordinates = self.basis.joint_coordinates(&row.transpose(), self.vectors);
            column.copy_from(&self.gather(|source, scale| coordinates[source] / scale));
        }
        columns
    }

    fn gather(&self, entry: impl Fn(usize, f64) -> f64) -> DVector<f64> {
        let entries = self
            .spans
            .iter()
            .flat_map(|span| (0..span.len).map(move |i| (span.source + i, span.scale)))
            .map(|(source, scale)| entry(source, scale));
        DVector::from_iterator(self.len(), entries)
    }

    /// Whether the part of β that `point` drops is more than rounding.
    pub(super) fn leaves_out(&self, beta: &DVector<f64>) -> bool {
        if self.len() == self.dimension {
            return false;
        }
        let beta = beta / power_of_two(largest(beta));
        let mut rest = self.basis.joint_coordinates(&beta, self.vectors);
        let size = rest.norm();
        for span in &self.spans {
            rest.rows_mut(span.source, span.len).fill(0.0);
        }
        rest.norm() > UNUSABLE_ROUNDING * size
    }

    /// `‖v_b‖` for every block.
    pub(super) fn norms(&self, v: &DVector<f64>) -> Vec<f64> {
        let norm = |span: &Span| match span.len {
            1 => v[span.start].abs(),
            2 => v[span.start].hypot(v[span.start + 1]),
            len => {
                let part = v.rows(span.start, len);
                let size = power_of_two(largest(part.iter()));
                size * (part / size).norm()
            }
        };
        self.spans.iter().map(norm).collect()
    }

    /// `v_b/‖v_b‖`, zero where `v_b = 0`.
    pub(super) fn directions(&self, v: &DVector<f64>) -> DVector<f64> {
        let mut unit = v.clone();
        for (span, norm) in self.spans.iter().zip(self.norms(v)) {
            if norm > 0.0 {
                let mut part = unit.rows_mut(span.start, span.len);
                part /= norm;
                // A second pass: the norm of a subnormal part has only a few digits.
                let length = part.norm();
                part /= length;
            }
        }
        unit
    }

    /// `‖v_b‖^{s−1} v_b/‖v_b‖`: the gradient of `Σ_b ‖v_b‖^s/s`, set to zero where `v_b = 0`.
    pub(super) fn gradient(&self, v: &DVector<f64>, s: f64) -> DVector<f64> {
        let mut gradient = self.directions(v);
        for (span, norm) in self.spans.iter().zip(self.norms(v)) {
            if norm > 0.0 {
                gradient
                    .rows_mut(span.start, span.len)
                    .scale_mut(norm.powf(s - 1.0));
            }
        }
        gradient
    }

    /// The gradient of half the square of `(Σ_b ‖v_b‖^s)^{1/s}`; zero at v = 0.
    pub(super) fn half_square_gradient(&self, v: &DVector<f64>, s: f64) -> DVector<f64> {
        let size = length(&self.norms(v), s);
        if size == 0.0 {
            return v.clone();
        }
        self.gradient(&(v / size), s) * size
    }

    /// q = p/(p − 1); infinite for p = 1.
    pub(super) fn conjugate(&self) -> f64 {
        self.exponent / (self.exponent - 1.0)
    }
}

/// `(Σ_b r_b^s)^{1/s}` without over- or underflow; the maximum for s = ∞.
pub(super) fn length(norms: &[f64], s: f64) -> f64 {
    let largest = norms.iter().copied().fold(0.0, f64::max);
    if largest == 0.0 || s.is_infinite() {
        return largest;
    }
    let sum: f64 = norms.iter().map(|r| (r / largest).powf(s)).sum();
    largest * sum.powf(1.0 / s)
}
