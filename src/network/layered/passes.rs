//! Forward and backward passes of a general network, and its motion.
//!
//! Matrices are units × N, and per layer channels × (patches · N): the same numbers in the same order. With the patches
//! `x_l` of a layer (patch × (patches · N)), the gates `M`, κ and μ of its [`activation`](crate::activation), the
//! transpose T of taking patches, and the weighted error signals `s_l` that reach its units:
//! ```text
//! a_l = w_lᵀ x_l,      h_l = g(a_l),        f = w_Lᵀ x_L
//! δ_l = M_l ∘ s_l,     δ_L = e              (C × N: what rows of the data are to blame for, summed per output)
//! s_l = T(w_{l+1} δ_{l+1} + x_{l+1} ∘ (1 1ᵀ(μ_{l+1} ∘ s_{l+1})))  (BP),   T(F_l δ_{l+1})  (FA),   b_l e  (DFA)
//! w_l' = x_l δ_lᵀ + w_l diag((κ_l ∘ s_l) 1)
//! h_l' = M_l ∘ a_l' + κ_l ∘ (w·w') + μ_l ∘ (x·x'),    a_l' = w_l'ᵀ x_l + w_lᵀ x_l'
//! ```
//! The last line is the derivative of the forward pass along any direction ([`tangent`](super::tangent)). Transposes
//! are formed explicitly, so that products with them run as blocked products.

use super::Field;
use crate::activation::{Argument, Formula, Kink};
use crate::network::View;
use crate::network::layer::{Layer, reshaped};
use crate::network::relu::close_on_kinks;
use crate::network::signals::Held;
use nalgebra::{DMatrix, DVector};

/// What one layer of hidden units has seen and passed on.
pub(super) struct Seen<'a> {
    pub layer: &'a Layer,
    pub w: View<'a>,
    /// Patches, patch × (patches · N).
    pub x: DMatrix<f64>,
    /// Arguments of every unit on every sample, channels × (patches · N).
    pub at: DMatrix<Argument>,
    /// M, channels × (patches · N); as κ and μ, which are empty where the activation is a function of a alone.
    pub gates: DMatrix<f64>,
    pub kappa: DMatrix<f64>,
    pub mu: DMatrix<f64>,
}

/// A forward pass at θ.
pub(super) struct Forward<'a> {
    pub field: &'a Field,
    pub hidden: Vec<Seen<'a>>,
    /// `w_L`
    pub output: View<'a>,
    /// `x_L`, patch × N.
    pub features: DMatrix<f64>,
    pub samples: usize,
}

/// Error signals at a point `(θ, e)`, and the velocity they cause.
pub(super) struct Motion {
    /// `s_1 … s_{L−1}`, channels × (patches · N)
    pub signals: Vec<DMatrix<f64>>,
    /// `δ_1 … δ_{L−1}`
    pub errors: Vec<DMatrix<f64>>,
    /// `w_1' … w_L'`
    pub velocity: Vec<DMatrix<f64>>,
}

/// `x_j·y_j` of the columns.
pub(super) fn column_products(x: &DMatrix<f64>, y: &DMatrix<f64>) -> DVector<f64> {
    let products = x.column_iter().zip(y.column_iter());
    DVector::from_iterator(x.ncols(), products.map(|(x, y)| x.dot(&y)))
}

/// `m_jn + k_n c_jn`
pub(super) fn add_columns(m: &mut DMatrix<f64>, k: &DVector<f64>, c: &DMatrix<f64>) {
    for ((mut m, c), k) in m.column_iter_mut().zip(c.column_iter()).zip(k.iter()) {
        m.axpy(*k, &c, 1.0);
    }
}

impl<'a> Seen<'a> {
    fn new(layer: &'a Layer, w: View<'a>, x: DMatrix<f64>) -> (Self, DMatrix<f64>) {
        let a = w.transpose() * &x;
        let g = layer.activation;
        let rounded = g.softness() > 0.0;
        let (widths, lengths): (Vec<f64>, Vec<f64>) = match rounded {
            true => (
                w.column_iter().map(|w| w.norm_squared()).collect(),
                x.column_iter().map(|x| x.norm_squared()).collect(),
            ),
            false => (vec![0.0; a.nrows()], vec![0.0; a.ncols()]),
        };
        let at = DMatrix::from_fn(a.nrows(), a.ncols(), |j, n| Argument {
            preactivation: a[(j, n)],
            root: g.root(a[(j, n)], (widths[j] * lengths[n]).sqrt()),
            weights: widths[j],
            inputs: lengths[n],
        });
        let none = || DMatrix::zeros(0, 0);
        let seen = Self {
            gates: at.map(|at| g.gate(at)),
            kappa: if rounded {
                at.map(|at| g.of_weights(at))
            } else {
                none()
            },
            mu: if rounded {
                at.map(|at| g.of_inputs(at))
            } else {
                none()
            },
            layer,
            w,
            x,
            at,
        };
        let mut h = seen.at.map(|at| g.value(at));
        if g.kink().is_some_and(Kink::closes) {
            close_on_kinks(&mut h, &seen.w, &seen.x);
        }
        (seen, h)
    }

    pub(super) fn is_rounded(&self) -> bool {
        !self.kappa.is_empty()
    }

    /// What reaches the layer below of errors δ of this one, under the matrices `back` in place of its weights.
    fn below(&self, back: &View<'_>, errors: &DMatrix<f64>, samples: usize) -> DMatrix<f64> {
        self.layer.give_back(&(back * errors), samples)
    }
}

impl<'a> Forward<'a> {
    /// On the columns of `inputs` (D × N).
    pub(super) fn new(field: &'a Field, theta: &'a [f64], inputs: &DMatrix<f64>) -> Self {
        let mut w = field.layout.views(theta);
        let output = w.pop().expect("an output layer");
        let mut h = inputs.clone();
        let mut hidden = Vec::with_capacity(w.len());
        for (layer, w) in field.hidden().iter().zip(w) {
            let (seen, passed) = Seen::new(layer, w, layer.take(&h, true));
            h = reshaped(passed, layer.above().units());
            hidden.push(seen);
        }
        Self {
            field,
            hidden,
            output,
            features: field.last().take(&h, true),
            samples: inputs.ncols(),
        }
    }

    /// f, C × N.
    pub(super) fn outputs(&self) -> DMatrix<f64> {
        self.output.transpose() * &self.features
    }

    /// Error signals `s_1 … s_{L−1}` and errors `δ_1 … δ_{L−1}` under `e` (C × N), by the ways of `signals`.
    pub(super) fn signals(
        &self,
        e: &DMatrix<f64>,
        ways: &Held<DMatrix<f64>, DMatrix<f64>>,
    ) -> (Vec<DMatrix<f64>>, Vec<DMatrix<f64>>) {
        let hidden = self.hidden.len();
        let mut signals: Vec<DMatrix<f64>> = Vec::with_capacity(hidden);
        let mut errors: Vec<DMatrix<f64>> = Vec::with_capacity(hidden);
        for l in (0..hidden).rev() {
            let above = errors.last().unwrap_or(e);
            let s = match ways {
                Held::Direct(b) => &b[l] * e,
                Held::Layerwise(f) => self.passed_down(l + 1, &f[l].as_view(), above),
                Held::Backward => {
                    let mut s = self.passed_down(l + 1, &self.weights(l + 1), above);
                    if let (Some(seen), Some(arrived)) = (self.hidden.get(l + 1), signals.last())
                        && seen.is_rounded()
                    {
                        s += self.through_lengths(seen, &seen.mu.component_mul(arrived), &seen.x);
                    }
                    s
                }
            };
            let s = reshaped(s, self.hidden[l].at.nrows());
            errors.push(s.component_mul(&self.hidden[l].gates));
            signals.push(s);
        }
        signals.reverse();
        errors.reverse();
        (signals, errors)
    }

    /// What every sample alone moves layer l by (from 0, the output layer included), given what [`signals`] found for
    /// it: weights of the layer × N.
    ///
    /// [`signals`]: Self::signals
    pub(super) fn rays(
        &self,
        l: usize,
        (signals, errors): (&[DMatrix<f64>], &[DMatrix<f64>]),
        e: &DMatrix<f64>,
    ) -> DMatrix<f64> {
        let w = self.weights(l);
        let (x, delta, count) = match self.hidden.get(l) {
            Some(seen) => (&seen.x, &errors[l], seen.layer.patches()),
            None => (&self.features, e, 1),
        };
        let mut rays = DMatrix::zeros(w.len(), self.samples);
        for n in 0..self.samples {
            let own = (n * count, count);
            let mut ray = x.columns(own.0, own.1) * delta.columns(own.0, own.1).transpose();
            if let Some(seen) = self.hidden.get(l).filter(|seen| seen.is_rounded()) {
                let kappa = seen.kappa.columns(own.0, own.1);
                let longer = kappa
                    .component_mul(&signals[l].columns(own.0, own.1))
                    .column_sum();
                add_columns(&mut ray, &longer, &w.clone_owned());
            }
            rays.column_mut(n).copy_from_slice(ray.as_slice());
        }
        rays
    }

    /// Error signals and velocity under `e` (C × N).
    pub(super) fn motion(&self, e: &DMatrix<f64>) -> Motion {
        let depth = self.hidden.len() + 1;
        let (signals, errors) = self.signals(e, &self.field.signals);
        let mut velocity = Vec::with_capacity(depth);
        for ((seen, s), delta) in self.hidden.iter().zip(&signals).zip(&errors) {
            let mut v = &seen.x * delta.transpose();
            if seen.is_rounded() {
                let longer = seen.kappa.component_mul(s).column_sum();
                add_columns(&mut v, &longer, &seen.w.clone_owned());
            }
            velocity.push(v);
        }
        velocity.push(&self.features * e.transpose());
        Motion {
            signals,
            errors,
            velocity,
        }
    }

    /// `w_l`, l from 0, the output layer included.
    pub(super) fn weights(&self, l: usize) -> View<'a> {
        self.hidden.get(l).map_or(self.output, |seen| seen.w)
    }

    /// `T(back · errors)` of layer l (from 0, the output layer included): units of the layer below × N.
    pub(super) fn passed_down(
        &self,
        l: usize,
        back: &View<'_>,
        errors: &DMatrix<f64>,
    ) -> DMatrix<f64> {
        match self.hidden.get(l) {
            Some(seen) => seen.below(back, errors, self.samples),
            None => self.field.last().give_back(&(back * errors), self.samples),
        }
    }

    /// `T(x ∘ 1 1ᵀ c)`: what the lengths of patches are to blame for.
    pub(super) fn through_lengths(
        &self,
        seen: &Seen<'_>,
        c: &DMatrix<f64>,
        x: &DMatrix<f64>,
    ) -> DMatrix<f64> {
        let mut scaled = x.clone();
        for (mut column, c) in scaled.column_iter_mut().zip(c.column_iter()) {
            column *= c.sum();
        }
        seen.layer.give_back(&scaled, self.samples)
    }
}
