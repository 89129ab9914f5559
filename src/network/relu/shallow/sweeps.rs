//! The sweeps over samples, in vector instructions across units.

use super::Shallow;
use crate::activation::{Activation, Formula, Row};
use crate::network::relu::Setting;
use pulp::{Simd, WithSimd};

/// Roots within these bounds have squares that are numbers with all their digits.
const SQUARES: (f64, f64) = (1e-140, 1e140);

/// Vectors that are added up together.
const TOGETHER: usize = 4;

/// `out = Σ_d x_d w_d`, with the vectors of w_0, then those of w_1, ….
#[inline(always)]
fn combine<S: Simd>(simd: S, w: &[S::f64s], x: &[f64], out: &mut [S::f64s]) {
    let count = out.len();
    let mut start = 0;
    while start < count {
        if count - start >= TOGETHER {
            let mut sums = [simd.splat_f64s(0.0); TOGETHER];
            for (d, x) in x.iter().enumerate() {
                let x = simd.splat_f64s(*x);
                let own = &w[d * count + start..d * count + start + TOGETHER];
                for k in 0..TOGETHER {
                    sums[k] = simd.mul_add_f64s(own[k], x, sums[k]);
                }
            }
            out[start..start + TOGETHER].copy_from_slice(&sums);
            start += TOGETHER;
        } else {
            let mut sum = simd.splat_f64s(0.0);
            for (d, x) in x.iter().enumerate() {
                sum = simd.mul_add_f64s(w[d * count + start], simd.splat_f64s(*x), sum);
            }
            out[start] = sum;
            start += 1;
        }
    }
}

/// `out += factor · x`
#[inline(always)]
fn add<S: Simd>(simd: S, factor: f64, x: &[S::f64s], out: &mut [S::f64s]) {
    let factor = simd.splat_f64s(factor);
    for (out, x) in out.iter_mut().zip(x) {
        *out = simd.mul_add_f64s(factor, *x, *out);
    }
}

/// The sweep that has outputs, gates and κ of all pairs, and the sums of the velocity where there are `errors`.
pub(super) struct Forth<'a> {
    pub shallow: &'a Shallow,
    pub setting: &'a Setting,
    pub weights: &'a [f64],
    pub widths: &'a [f64],
    pub errors: Option<&'a [f64]>,
    pub outputs: &'a mut [f64],
    pub gates: &'a mut [f64],
    pub kappa: &'a mut [f64],
    /// `Σ_n e_n x_n M_jn`, lane after lane for each input.
    pub pulls: &'a mut [f64],
    /// `Σ_n e_n κ_jn`
    pub stretched: &'a mut [f64],
    /// `Σ_n e_n h_jn`
    pub last: &'a mut [f64],
}

impl WithSimd for Forth<'_> {
    type Output = bool;

    /// Whether all roots are numbers.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> bool {
        let lanes = self.shallow.lanes;
        let g: Activation = self.setting.activation;
        let stretch = g.stretch();
        let (weights, _) = S::as_simd_f64s(self.weights);
        let (last, _) = S::as_mut_simd_f64s(self.last);
        let (stretched, _) = S::as_mut_simd_f64s(self.stretched);
        let exact = !self.shallow.gates.is_empty();
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for n in 0..self.setting.labels.len() {
            let x = self.setting.inputs.column(n);
            let x = x.as_slice();
            let span = n * lanes..(n + 1) * lanes;
            let outputs = &mut self.outputs[span.clone()];
            combine(simd, weights, x, S::as_mut_simd_f64s(outputs).0);
            let gates = if exact {
                let gates = &self.shallow.gates[span.clone()];
                for (h, gate) in outputs.iter_mut().zip(gates) {
                    *h *= gate;
                }
                gates
            } else {
                let (gates, kappa) = (&mut self.gates[span.clone()], &mut self.kappa[span.clone()]);
                let input: f64 = x.iter().map(|x| x * x).sum();
                if input == 0.0 {
                    gates.fill(0.0);
                    kappa.fill(0.0);
                    continue;
                }
                g.bend(Row {
                    outputs: &mut *outputs,
                    gates: &mut *gates,
                    inverse_roots: &mut *kappa,
                    weights: input,
                    inputs: self.widths,
                });
                for kappa in kappa {
                    let root = *kappa;
                    least = if root < least { root } else { least };
                    most = if root > most { root } else { most };
                    *kappa = stretch * root * input;
                }
                &*gates
            };
            let Some(e) = self.errors.map(|e| e[n]).filter(|e| *e != 0.0) else {
                continue;
            };
            let (gates, _) = S::as_simd_f64s(gates);
            add(simd, e, S::as_simd_f64s(outputs).0, last);
            for (pull, x) in self.pulls.chunks_exact_mut(lanes).zip(x) {
                add(simd, e * x, gates, S::as_mut_simd_f64s(pull).0);
            }
            if !exact {
                add(simd, e, S::as_simd_f64s(&self.kappa[span]).0, stretched);
            }
        }
        exact || least > SQUARES.0 && most < SQUARES.1
    }
}

/// The sweep that has the rates of the margins.
pub(super) struct Back<'a> {
    pub shallow: &'a Shallow,
    pub setting: &'a Setting,
    /// Lane after lane for each input.
    pub velocity: &'a [f64],
    /// `w_j·w_j'`
    pub along: &'a [f64],
    pub outputs: &'a [f64],
    pub gates: &'a [f64],
    pub kappa: &'a [f64],
    pub last: &'a [f64],
    pub above: &'a [f64],
    pub rates: &'a mut [f64],
}

impl WithSimd for Back<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = self.shallow.lanes;
        let curved = self.shallow.gates.is_empty();
        let (velocity, _) = S::as_simd_f64s(self.velocity);
        let (along, _) = S::as_simd_f64s(self.along);
        let (last, _) = S::as_simd_f64s(self.last);
        let (above, _) = S::as_simd_f64s(self.above);
        let mut moved = vec![simd.splat_f64s(0.0); above.len()];
        for (n, rate) in self.rates.iter_mut().enumerate() {
            let span = n * lanes..(n + 1) * lanes;
            combine(
                simd,
                velocity,
                self.setting.inputs.column(n).as_slice(),
                &mut moved,
            );
            let (outputs, _) = S::as_simd_f64s(&self.outputs[span.clone()]);
            let (gates, _) = S::as_simd_f64s(&self.gates[span.clone()]);
            let mut sums = [simd.splat_f64s(0.0); 2];
            for i in 0..above.len() {
                let mut moves = simd.mul_f64s(gates[i], moved[i]);
                if curved {
                    let (kappa, _) = S::as_simd_f64s(&self.kappa[span.clone()]);
                    moves = simd.mul_add_f64s(kappa[i], along[i], moves);
                }
                sums[0] = simd.mul_add_f64s(moves, above[i], sums[0]);
                sums[1] = simd.mul_add_f64s(outputs[i], last[i], sums[1]);
            }
            let sum = simd.reduce_sum_f64s(simd.add_f64s(sums[0], sums[1]));
            *rate = sum * self.setting.labels[n];
        }
    }
}

/// The least sine on the sides of their pairs.
pub(super) struct Sines<'a> {
    pub shallow: &'a Shallow,
    pub setting: &'a Setting,
    pub weights: &'a [f64],
    pub inverse_widths: &'a [f64],
}

impl WithSimd for Sines<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Shallow {
            lanes,
            sides,
            slack,
            inverse_inputs,
            ..
        } = self.shallow;
        let (weights, _) = S::as_simd_f64s(self.weights);
        let (inverse_widths, _) = S::as_simd_f64s(self.inverse_widths);
        let mut least = simd.splat_f64s(f64::INFINITY);
        let mut a = vec![simd.splat_f64s(0.0); inverse_widths.len()];
        for (n, inverse_input) in inverse_inputs.iter().enumerate() {
            combine(
                simd,
                weights,
                self.setting.inputs.column(n).as_slice(),
                &mut a,
            );
            let (sides, _) = S::as_simd_f64s(&sides[n * lanes..(n + 1) * lanes]);
            let (slack, _) = S::as_simd_f64s(&slack[n * lanes..(n + 1) * lanes]);
            let inverse_input = simd.splat_f64s(*inverse_input);
            for i in 0..a.len() {
                let size = simd.mul_f64s(inverse_input, inverse_widths[i]);
                let sine = simd.mul_f64s(simd.mul_f64s(a[i], size), sides[i]);
                least = simd.min_f64s(least, simd.add_f64s(sine, slack[i]));
            }
        }
        simd.reduce_min_f64s(least)
    }
}
