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
//! The last line is the derivative of the forward pass along any direction; [`Moved`] is that, and [`Forward::mixed`]
//! the second derivative along two of them. Transposes are formed explicitly, so that products with them run as blocked
//! products.

use super::Field;
use super::layer::Layer;
use crate::activation::{Argument, Direction, Formula, Turn};
use crate::network::View;
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
    samples: usize,
}

/// The derivative of a [`Forward`] along a direction of θ.
pub(super) struct Moved {
    /// Changes of patches, per layer, the output layer included.
    pub x: Vec<DMatrix<f64>>,
    /// Changes of preactivations of hidden layers.
    pub a: Vec<DMatrix<f64>>,
    /// `w·dw` of every channel, and `x·dx` of every patch, of hidden layers with rounded kinks.
    pub along: Vec<Option<(DVector<f64>, DVector<f64>)>>,
    /// Changes of outputs, C × N.
    pub outputs: DMatrix<f64>,
}

/// Derivatives of gates along a direction.
struct Turned {
    gates: DMatrix<f64>,
    kappa: DMatrix<f64>,
    mu: DMatrix<f64>,
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

/// The same numbers in another shape.
fn reshaped(m: DMatrix<f64>, rows: usize) -> DMatrix<f64> {
    let columns = m.len() / rows.max(1);
    m.reshape_generic(nalgebra::Dyn(rows), nalgebra::Dyn(columns))
}

/// `x_j·y_j` of the columns.
fn column_products(x: &DMatrix<f64>, y: &DMatrix<f64>) -> DVector<f64> {
    let products = x.column_iter().zip(y.column_iter());
    DVector::from_iterator(x.ncols(), products.map(|(x, y)| x.dot(&y)))
}

/// `m_jn + k_j c_jn`
fn add_rows(m: &mut DMatrix<f64>, k: &DVector<f64>, c: &DMatrix<f64>) {
    for (mut m, c) in m.column_iter_mut().zip(c.column_iter()) {
        m.zip_zip_apply(k, &c, |m, k, c| *m += k * c);
    }
}

/// `m_jn + k_n c_jn`
fn add_columns(m: &mut DMatrix<f64>, k: &DVector<f64>, c: &DMatrix<f64>) {
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
        let h = seen.at.map(|at| g.value(at));
        (seen, h)
    }

    fn is_rounded(&self) -> bool {
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

    /// The derivative along `dw_1 … dw_L`.
    pub(super) fn moved(&self, dw: &[View<'_>]) -> Moved {
        let depth = self.hidden.len() + 1;
        let mut moved = Moved {
            x: Vec::with_capacity(depth),
            a: Vec::with_capacity(depth - 1),
            along: Vec::with_capacity(depth - 1),
            outputs: DMatrix::zeros(0, 0),
        };
        let mut dx = DMatrix::zeros(self.first_patch_rows(), self.first_patch_columns());
        for (l, seen) in self.hidden.iter().enumerate() {
            let mut da = dw[l].transpose() * &seen.x;
            if l > 0 {
                da += seen.w.transpose() * &dx;
            }
            let along = seen.is_rounded().then(|| {
                let turned = (seen.w.column_iter()).zip(dw[l].column_iter());
                let turned: Vec<f64> = turned.map(|(w, dw)| w.dot(&dw)).collect();
                (DVector::from_vec(turned), column_products(&seen.x, &dx))
            });
            let mut dh = da.component_mul(&seen.gates);
            if let Some((of_weights, of_inputs)) = &along {
                add_rows(&mut dh, of_weights, &seen.kappa);
                add_columns(&mut dh, of_inputs, &seen.mu);
            }
            moved.x.push(dx);
            moved.a.push(da);
            moved.along.push(along);
            dx = self.next_patches(l, dh);
        }
        moved.outputs = dw[depth - 1].transpose() * &self.features;
        if depth > 1 {
            moved.outputs += self.output.transpose() * &dx;
        }
        moved.x.push(dx);
        moved
    }

    fn first_patch_rows(&self) -> usize {
        self.hidden
            .first()
            .map_or(self.features.nrows(), |seen| seen.x.nrows())
    }

    fn first_patch_columns(&self) -> usize {
        self.hidden
            .first()
            .map_or(self.features.ncols(), |seen| seen.x.ncols())
    }

    /// Patches that the layer above hidden layer l (from 0) sees of changes of its outputs.
    fn next_patches(&self, l: usize, dh: DMatrix<f64>) -> DMatrix<f64> {
        let dh = reshaped(dh, self.hidden[l].layer.above().units());
        let above = self
            .hidden
            .get(l + 1)
            .map_or(self.field.last(), |seen| seen.layer);
        above.take(&dh, false)
    }

    /// The change of outputs of second order, C × N: along `dw` and the changes `turn` of the direction `v`, of which
    /// the first-order parts are `along_v` and `along_w`.
    pub(super) fn mixed(
        &self,
        (v, along_v): (&[View<'_>], &Moved),
        (dw, along_w): (&[View<'_>], &Moved),
        turn: &[View<'_>],
    ) -> DMatrix<f64> {
        let depth = self.hidden.len() + 1;
        let mut ddx = DMatrix::zeros(self.first_patch_rows(), self.first_patch_columns());
        for (l, seen) in self.hidden.iter().enumerate() {
            let mut dda = seen.w.transpose() * &ddx + turn[l].transpose() * &seen.x;
            dda += dw[l].transpose() * &along_v.x[l] + v[l].transpose() * &along_w.x[l];
            let turned = self.turned(l, along_w);
            let mut ddh = dda.component_mul(&seen.gates);
            if let Some(turned) = &turned {
                ddh += turned.gates.component_mul(&along_v.a[l]);
            }
            if let (Some((of_weights, of_inputs)), Some(turned)) = (&along_v.along[l], &turned) {
                add_rows(&mut ddh, of_weights, &turned.kappa);
                add_columns(&mut ddh, of_inputs, &turned.mu);
                let second = (dw[l].column_iter().zip(v[l].column_iter()))
                    .zip(seen.w.column_iter().zip(turn[l].column_iter()));
                let second: Vec<f64> = second
                    .map(|((dw, v), (w, turn))| dw.dot(&v) + w.dot(&turn))
                    .collect();
                add_rows(&mut ddh, &DVector::from_vec(second), &seen.kappa);
                let second =
                    column_products(&along_w.x[l], &along_v.x[l]) + column_products(&seen.x, &ddx);
                add_columns(&mut ddh, &second, &seen.mu);
            }
            ddx = self.next_patches(l, ddh);
        }
        let last = depth - 1;
        self.output.transpose() * &ddx
            + turn[last].transpose() * &self.features
            + dw[last].transpose() * &along_v.x[last]
            + v[last].transpose() * &along_w.x[last]
    }

    /// How the gates of hidden layer l turn; `None` where they do not.
    fn turned(&self, l: usize, moved: &Moved) -> Option<Turned> {
        let seen = &self.hidden[l];
        let g = seen.layer.activation;
        if !g.curved() {
            return None;
        }
        let none = |seen: &Seen<'_>| {
            (
                DVector::zeros(seen.at.nrows()),
                DVector::zeros(seen.at.ncols()),
            )
        };
        let (of_weights, of_inputs) = moved.along[l].clone().unwrap_or_else(|| none(seen));
        let turns = DMatrix::from_fn(seen.at.nrows(), seen.at.ncols(), |j, n| {
            let along = Direction {
                preactivation: moved.a[l][(j, n)],
                weights: of_weights[j],
                inputs: of_inputs[n],
            };
            g.turn(seen.at[(j, n)], along)
        });
        let part = |of: fn(&Turn) -> f64| turns.map(|turn| of(&turn));
        Some(Turned {
            gates: part(|turn| turn.gate),
            kappa: part(|turn| turn.of_weights),
            mu: part(|turn| turn.of_inputs),
        })
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
    fn weights(&self, l: usize) -> View<'a> {
        self.hidden.get(l).map_or(self.output, |seen| seen.w)
    }

    /// `T(back · errors)` of layer l (from 0, the output layer included): units of the layer below × N.
    fn passed_down(&self, l: usize, back: &View<'_>, errors: &DMatrix<f64>) -> DMatrix<f64> {
        match self.hidden.get(l) {
            Some(seen) => seen.below(back, errors, self.samples),
            None => self.field.last().give_back(&(back * errors), self.samples),
        }
    }

    /// `T(x ∘ 1 1ᵀ c)`: what the lengths of patches are to blame for.
    fn through_lengths(&self, seen: &Seen<'_>, c: &DMatrix<f64>, x: &DMatrix<f64>) -> DMatrix<f64> {
        let mut scaled = x.clone();
        for (mut column, c) in scaled.column_iter_mut().zip(c.column_iter()) {
            column *= c.sum();
        }
        seen.layer.give_back(&scaled, self.samples)
    }

    /// The derivative of the velocities along `dw` (with its [`Moved`]) and `de`.
    pub(super) fn turned_motion(
        &self,
        motion: &Motion,
        e: &DMatrix<f64>,
        (dw, moved): (&[View<'_>], &Moved),
        de: &DMatrix<f64>,
    ) -> Vec<DMatrix<f64>> {
        let last = self.hidden.len();
        let mut velocity = vec![&moved.x[last] * e.transpose() + &self.features * de.transpose()];
        // of the layer above: changes of its errors and signals
        let (mut d_errors, mut d_above): (DMatrix<f64>, Option<(DMatrix<f64>, Option<Turned>)>) =
            (de.clone(), None);
        for (l, seen) in self.hidden.iter().enumerate().rev() {
            let ds = match &self.field.signals {
                Held::Direct(b) => &b[l] * de,
                Held::Layerwise(f) => self.passed_down(l + 1, &f[l].as_view(), &d_errors),
                Held::Backward => {
                    let above = motion.errors.get(l + 1).unwrap_or(e);
                    let mut ds = self.passed_down(l + 1, &self.weights(l + 1), &d_errors)
                        + self.passed_down(l + 1, &dw[l + 1], above);
                    if let (Some(upper), Some((d_signal, turned))) =
                        (self.hidden.get(l + 1), &d_above)
                        && upper.is_rounded()
                    {
                        let s = &motion.signals[l + 1];
                        let mut dc = upper.mu.component_mul(d_signal);
                        if let Some(turned) = turned {
                            dc += turned.mu.component_mul(s);
                        }
                        ds += self.through_lengths(upper, &dc, &upper.x)
                            + self.through_lengths(
                                upper,
                                &upper.mu.component_mul(s),
                                &moved.x[l + 1],
                            );
                    }
                    ds
                }
            };
            let ds = reshaped(ds, seen.at.nrows());
            let turned = self.turned(l, moved);
            let (s, delta) = (&motion.signals[l], &motion.errors[l]);
            let mut d_delta = ds.component_mul(&seen.gates);
            if let Some(turned) = &turned {
                d_delta += turned.gates.component_mul(s);
            }
            let mut dv = &seen.x * d_delta.transpose() + &moved.x[l] * delta.transpose();
            if seen.is_rounded() {
                let longer = seen.kappa.component_mul(s).column_sum();
                let mut d_longer = seen.kappa.component_mul(&ds).column_sum();
                if let Some(turned) = &turned {
                    d_longer += turned.kappa.component_mul(s).column_sum();
                }
                add_columns(&mut dv, &d_longer, &seen.w.clone_owned());
                add_columns(&mut dv, &longer, &dw[l].clone_owned());
            }
            velocity.push(dv);
            d_errors = d_delta;
            d_above = Some((ds, turned));
        }
        velocity.reverse();
        velocity
    }
}
