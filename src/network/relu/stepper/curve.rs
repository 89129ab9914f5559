//! Curved activations in steps: the parts of their derivatives that a step needs besides gates.

use crate::activation::{Activation, Formula, Row};
use crate::network::stepping::columns::{Columns, dot};
use pulp::Simd;

/// For a hidden layer: roots q of its units on all samples, and the sums over κ and μ (see
/// [`activation`](crate::activation)).
pub(super) struct Curve {
    activation: Activation,
    /// 1/q, zero where q is; N × units
    inverse: Columns,
    /// `‖w_j‖²`, units × 1
    widths: Columns,
    /// `‖h_n‖²` of the inputs, N × 1
    sizes: Columns,
    /// `Σ_j μ_j s_j`, N × 1
    inward: Columns,
    /// `Σ_n κ_n s_n`, units × 1
    along: Columns,
}

impl Curve {
    /// Scratch for a layer of `units` on N samples.
    pub(super) fn new(activation: Activation, samples: usize, units: usize) -> Self {
        Self {
            activation,
            inverse: Columns::zeros(samples, units),
            widths: Columns::zeros(units, 1),
            sizes: Columns::zeros(samples, 1),
            inward: Columns::zeros(samples, 1),
            along: Columns::zeros(units, 1),
        }
    }

    /// Turns preactivations into activations; reads the layer's weights and inputs, sets its gates.
    #[inline(always)]
    pub(super) fn bend<S: Simd>(
        &mut self,
        simd: S,
        w: &Columns,
        inputs: &Columns,
        h: &mut Columns,
        gates: &mut Columns,
    ) {
        let sizes = self.sizes.entries_mut();
        sizes.fill(0.0);
        for input in inputs.columns() {
            for (size, h) in sizes.iter_mut().zip(input) {
                *size += h * h;
            }
        }
        let widths = self.widths.entries_mut().iter_mut();
        let columns = h.columns_mut().zip(gates.columns_mut());
        let inverses = self.inverse.columns_mut();
        for (((w, width), (outputs, gates)), inverse_roots) in
            w.columns().zip(widths).zip(columns).zip(inverses)
        {
            *width = dot(simd, w, w);
            self.activation.bend(Row {
                outputs,
                gates,
                inverse_roots,
                weights: *width,
                inputs: sizes,
            });
        }
    }

    /// Computes both sums over the signals s of the layer: `Σ_n κ_n s_n` and `Σ_j μ_j s_j`.
    #[inline(always)]
    pub(super) fn stretch<S: Simd>(&mut self, simd: S, signals: &Columns) {
        let stretch = self.activation.stretch();
        let inward = self.inward.entries_mut();
        inward.fill(0.0);
        let inverses = self.inverse.columns_mut();
        let along = self.along.entries_mut().iter_mut();
        let widths = self.widths.entries();
        for (((s, inverses), along), width) in
            signals.columns().zip(inverses).zip(along).zip(widths)
        {
            // s/q, for both sums; 1/q is not needed again
            for ((inverse, s), inward) in inverses.iter_mut().zip(s).zip(&mut *inward) {
                *inverse *= s;
                *inward += stretch * width * *inverse;
            }
            *along = stretch * dot(simd, self.sizes.entries(), inverses);
        }
    }

    /// `Σ_n κ_n s_n` of every unit.
    pub(super) fn along(&self) -> &[f64] {
        self.along.entries()
    }

    /// Adds to the signals of the layer below what they owe to the lengths of h: `s ← s + h ∘ (Σ_j μ_j s_j)`.
    #[inline(always)]
    pub(super) fn pull(&self, signals: &mut Columns, h: &Columns) {
        for (s, h) in signals.columns_mut().zip(h.columns()) {
            for ((s, h), inward) in s.iter_mut().zip(h).zip(self.inward.entries()) {
                *s += h * inward;
            }
        }
    }
}
