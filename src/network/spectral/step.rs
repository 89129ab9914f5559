//! The implicit step of a network whose layers act entrywise: one small real system per frequency.
//!
//! `dŵ = r + c(M dŵ^* + P ε dẑ)` is real-linear in the real and imaginary parts, so a frequency with a complex entry
//! is a system in 2L unknowns (layer by layer: real part, imaginary part), one with a real entry a system in L. Its
//! inverse K is kept: `x = K(r + c P ε dẑ)`. From x follow `dβ̂ = Σ_k C_k dŵ_k` and `dβ̂' = Σ_l C_l dF_l + Σ_k (Σ_{l≠k}
//! F_l C_lk) dŵ_k`, with dF written out (not as `(x − r)/c`, which cancels).

use super::kernel::{Point, SpectralKernel};
use crate::network::{Closure, InputResponse, LinearisedStep};
use crate::spectrum::Frequency;
use nalgebra::{DMatrix, DVector};
use num_complex::Complex64;

/// The real matrices of one frequency; m = L or 2L unknowns, e = 1 or 2 coordinates.
struct Block {
    frequency: Frequency,
    /// K, m × m; not finite if the system is singular (the Newton iteration then fails and the step shrinks).
    inverse: DMatrix<f64>,
    /// `K c P ε`, m × e: maps ẑ to weights.
    gain: DMatrix<f64>,
    /// e × m: maps weights to β̂.
    predictor: DMatrix<f64>,
    /// e × m: maps weights to β̂' at fixed ẑ.
    rate: DMatrix<f64>,
    /// e × e: the total responses of β̂ and β̂' to ẑ.
    response: DMatrix<f64>,
    rate_response: DMatrix<f64>,
}

pub(super) struct SpectralStep {
    dimension: usize,
    blocks: Vec<Block>,
    signed_samples: DMatrix<f64>,
}

/// Multiplication by `a` as a real e × e matrix, acting on the conjugate if `conjugated`.
fn fill(
    target: &mut DMatrix<f64>,
    (row, column): (usize, usize),
    e: usize,
    a: Complex64,
    conjugated: bool,
) {
    let sign = if conjugated { -1.0 } else { 1.0 };
    let (i, j) = (row * e, column * e);
    target[(i, j)] += a.re;
    if e == 2 {
        target[(i + 1, j)] += a.im;
        target[(i, j + 1)] -= sign * a.im;
        target[(i + 1, j + 1)] += sign * a.re;
    }
}

impl Block {
    fn new(kernel: &SpectralKernel, index: usize, point: &Point, c: f64) -> Self {
        let frequency = kernel.frequencies[index];
        let (e, depth) = (frequency.len, point.depth());
        let m = e * depth;
        let mut slope = DMatrix::zeros(m, m);
        let mut drive = DMatrix::zeros(m, e);
        let mut predictor = DMatrix::zeros(e, m);
        let mut through = DMatrix::zeros(e, m);
        let mut rate = DMatrix::zeros(e, m);
        for l in 0..depth {
            for k in 0..depth {
                let m_lk = kernel.slope(index, point, l, k);
                fill(&mut slope, (l, k), e, m_lk, true);
            }
            fill(&mut drive, (l, 0), e, point.gain[l], false);
            fill(&mut predictor, (0, l), e, point.cofactor(l), false);
            fill(&mut through, (0, l), e, point.cofactor(l), false);
            fill(&mut rate, (0, l), e, point.rate_slope(l), false);
        }
        rate += &through * &slope;
        let inverse = (DMatrix::identity(m, m) - slope * c)
            .try_inverse()
            .unwrap_or_else(|| DMatrix::from_element(m, m, f64::NAN));
        let gain = &inverse * &drive * c;
        Self {
            frequency,
            response: &predictor * &gain,
            rate_response: &rate * &gain + through * drive,
            inverse,
            gain,
            predictor,
            rate,
        }
    }

    /// The e coordinates of this frequency in each of several vectors of D coordinates.
    fn of(&self, x: &[f64]) -> DVector<f64> {
        let f = self.frequency;
        DVector::from_column_slice(&x[f.start..f.start + f.len])
    }

    fn put(&self, x: &DVector<f64>, target: &mut [f64]) {
        let f = self.frequency;
        target[f.start..f.start + f.len].copy_from_slice(x.as_slice());
    }

    /// The m unknowns of this frequency in θ-like coordinates.
    fn gather(&self, theta: &[f64], dimension: usize) -> DVector<f64> {
        let (e, start) = (self.frequency.len, self.frequency.start);
        DVector::from_fn(self.inverse.nrows(), |i, _| {
            theta[(i / e) * dimension + start + i % e]
        })
    }

    fn scatter(&self, x: &DVector<f64>, theta: &mut [f64], dimension: usize) {
        let (e, start) = (self.frequency.len, self.frequency.start);
        for (i, x) in x.iter().enumerate() {
            theta[(i / e) * dimension + start + i % e] = *x;
        }
    }
}

impl SpectralStep {
    /// Linearised at (θ, α), with c = `step`.
    pub(super) fn new(
        kernel: &SpectralKernel,
        theta: &[f64],
        multipliers: &[f64],
        step: f64,
    ) -> Self {
        let z = kernel.column(multipliers);
        let blocks = (0..kernel.frequencies.len())
            .map(|index| Block::new(kernel, index, &kernel.point(index, theta, &z), step))
            .collect();
        Self {
            dimension: kernel.dimension,
            blocks,
            signed_samples: kernel.signed_samples.clone(),
        }
    }

    /// Applies the e × e matrices `map` to the columns of `dz` (D × k).
    fn apply(&self, map: impl Fn(&Block) -> &DMatrix<f64>, dz: &DMatrix<f64>) -> DMatrix<f64> {
        let mut out = DMatrix::zeros(dz.nrows(), dz.ncols());
        for block in &self.blocks {
            let f = block.frequency;
            let changed = map(block) * dz.rows(f.start, f.len);
            out.rows_mut(f.start, f.len).copy_from(&changed);
        }
        out
    }

    /// The block-diagonal matrix of all `map`s, D × D.
    fn assembled(&self, map: impl Fn(&Block) -> &DMatrix<f64>) -> DMatrix<f64> {
        let mut matrix = DMatrix::zeros(self.dimension, self.dimension);
        for block in &self.blocks {
            let f = block.frequency;
            matrix
                .view_mut((f.start, f.start), (f.len, f.len))
                .copy_from(map(block));
        }
        matrix
    }
}

impl LinearisedStep for SpectralStep {
    fn response(&self, active: &[usize]) -> (DMatrix<f64>, DMatrix<f64>) {
        let g = &self.signed_samples;
        let dz = g.select_rows(active).transpose();
        (
            g * self.apply(|b| &b.response, &dz),
            g * self.apply(|b| &b.rate_response, &dz),
        )
    }

    fn input_response(&self) -> Option<InputResponse<'_>> {
        Some(InputResponse {
            signed_samples: &self.signed_samples,
            margins: self.assembled(|b| &b.response),
            rates: self.assembled(|b| &b.rate_response),
        })
    }

    fn solve(&self, residual: &mut [f64], close: &mut Closure<'_>) -> DVector<f64> {
        let g = &self.signed_samples;
        let mut beta = DVector::zeros(self.dimension);
        let mut beta_dot = DVector::zeros(self.dimension);
        let mut alone = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            let x = &block.inverse * block.gather(residual, self.dimension);
            block.put(&(&block.predictor * &x), beta.as_mut_slice());
            block.put(&(&block.rate * &x), beta_dot.as_mut_slice());
            alone.push(x);
        }
        let d_multipliers = close(&(g * &beta), &(g * beta_dot));
        let dz = g.tr_mul(&d_multipliers);
        for (block, mut x) in self.blocks.iter().zip(alone) {
            let dz = block.of(dz.as_slice());
            x += &block.gain * &dz;
            block.put(&(&block.predictor * &x), beta.as_mut_slice());
            block.scatter(&x, residual, self.dimension);
        }
        g * beta
    }
}
