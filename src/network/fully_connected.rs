//! Fully connected linear networks: `β = w_1 w_2 ⋯ w_L`, `f = β·x`.
//!
//! # The vector field
//! Only the column `z = Σ_n α_n g_n` enters. With the forward pass `h_0 = z`, `h_l = w_lᵀ h_{l−1}`, the backward pass
//! `s_L = 1`, `s_{l−1} = w_l s_l` (so `s_0 = β`) and the error signals `δ_l` (BP: `δ_l = s_l`; DFA: `δ_l = b_l`; always
//! `δ_L = 1`), every layer's velocity has rank one: `w_l' = h_{l−1} δ_lᵀ`. The predictor moves with
//! `β' = ṡ_0`, where `ṡ_L = 0` and `ṡ_{l−1} = h_{l−1}(δ_l·s_l) + w_l ṡ_l`.
//!
//! # The implicit step
//! `dw_l = r_l + c(dh_{l−1} δ_lᵀ + h_{l−1} dδ_lᵀ)` is solved for all layers at once by sweeps, for many columns `dz`
//! together. Under DFA `dδ = 0`, and the forward sweep
//! `dh_l = r_lᵀh_{l−1} + M_l dh_{l−1}`, `M_l = w_lᵀ + c δ_l h_{l−1}ᵀ`, closes by itself. Under BP `dδ = ds` couples the
//! forward and the backward sweep,
//! `dh_l = r_lᵀh_{l−1} + M_l dh_{l−1} + a_l ds_l` (`a_l = c‖h_{l−1}‖²`),
//! `ds_{l−1} = r_l s_l + c‖s_l‖² dh_{l−1} + M_lᵀ ds_l`,
//! a two-point boundary value problem which the backward Riccati recursion `ds_l = S_l dh_l + σ_l` solves exactly:
//! `S_{L−1} = c·1`, `S_{l−1} = c‖s_l‖²·1 + M_lᵀ S_l (1 − a_l S_l)^{−1} M_l` (S symmetric).
//! The derivative of `β'` follows from the differentiated recursion of `ṡ`.

use super::{Closure, InputResponse, Kernel, LinearisedStep, Tangent};
use crate::{dataset::Dataset, rule::Rule};
use nalgebra::{DMatrix, DMatrixView, DVector, Dyn, LU};
use std::sync::Arc;

/// Shapes of a fully connected linear network; `w_l` is (inputs × units), the last layer has one unit.
#[derive(Debug, Clone, PartialEq)]
pub struct FullyConnectedLinear {
    shapes: Vec<(usize, usize)>,
}

impl FullyConnectedLinear {
    /// A network with input dimension `dimension` and hidden widths `hidden` (depth = `hidden.len() + 1`).
    pub fn new(dimension: usize, hidden: &[usize]) -> Self {
        let mut shapes = Vec::with_capacity(hidden.len() + 1);
        let mut inputs = dimension;
        for &units in hidden {
            shapes.push((inputs, units));
            inputs = units;
        }
        shapes.push((inputs, 1));
        Self { shapes }
    }

    /// Shapes of `w_1 … w_L`, inputs × units.
    pub fn shapes(&self) -> &[(usize, usize)] {
        &self.shapes
    }

    /// `β = w_1 ⋯ w_L`, multiplied from the right, length D.
    pub fn predictor(&self, theta: &[f64]) -> DVector<f64> {
        backward_pass(&views(&self.shapes, theta)).swap_remove(0)
    }

    /// The vector field under `rule` on `data`.
    ///
    /// # Panics
    /// If the data or the feedback do not have the network's shapes; a built problem always has.
    pub fn kernel(&self, rule: &Rule, data: &Dataset) -> Arc<dyn Kernel> {
        assert_eq!(data.dimension(), self.shapes[0].0, "input dimension");
        let feedback = rule.feedback().map(<[_]>::to_vec);
        if let Some(b) = &feedback {
            assert_eq!(
                b.len() + 1,
                self.shapes.len(),
                "one feedback vector per hidden layer"
            );
            for (b_l, (_, units)) in b.iter().zip(&self.shapes) {
                assert_eq!(b_l.len(), *units, "feedback length");
            }
        }
        Arc::new(FullyConnectedKernel {
            shapes: self.shapes.clone(),
            feedback,
            signed_samples: data.signed_samples().clone(),
        })
    }
}

type View<'a> = DMatrixView<'a, f64>;

/// The weights inside θ without copying.
fn views<'a>(shapes: &[(usize, usize)], theta: &'a [f64]) -> Vec<View<'a>> {
    let mut rest = theta;
    shapes
        .iter()
        .map(|&(inputs, units)| {
            let (w, tail) = rest.split_at(inputs * units);
            rest = tail;
            DMatrixView::from_slice(w, inputs, units)
        })
        .collect()
}

/// `s_0 … s_L` with `s_L = 1`, `s_{l−1} = w_l s_l`.
fn backward_pass(w: &[View<'_>]) -> Vec<DVector<f64>> {
    let mut s = vec![DVector::from_element(1, 1.0)];
    for w_l in w.iter().rev() {
        s.push(w_l * &s[s.len() - 1]);
    }
    s.reverse();
    s
}

/// `h_0 … h_{L−1}` with `h_0 = z`, `h_l = w_lᵀ h_{l−1}`.
fn forward_pass(w: &[View<'_>], z: DVector<f64>) -> Vec<DVector<f64>> {
    let mut h = vec![z];
    for w_l in &w[..w.len() - 1] {
        h.push(w_l.tr_mul(&h[h.len() - 1]));
    }
    h
}

/// `target += x yᵀ` for a column-major matrix.
fn add_outer(target: &mut [f64], x: &DVector<f64>, y: &DVector<f64>, factor: f64) {
    for (column, y_j) in target.chunks_exact_mut(x.len()).zip(y.iter()) {
        let k = factor * y_j;
        for (t, x_i) in column.iter_mut().zip(x.iter()) {
            *t += k * x_i;
        }
    }
}

struct FullyConnectedKernel {
    shapes: Vec<(usize, usize)>,
    /// `b_1 … b_{L−1}` under DFA, none under BP.
    feedback: Option<Vec<DVector<f64>>>,
    signed_samples: DMatrix<f64>,
}

/// All passes at one point `(θ, α)`.
struct Passes {
    /// `h_0 … h_{L−1}`
    h: Vec<DVector<f64>>,
    /// `s_0 … s_L`
    s: Vec<DVector<f64>>,
    /// `ṡ_0 … ṡ_L`
    s_dot: Vec<DVector<f64>>,
    /// `δ_1 … δ_L` (index l − 1)
    delta: Vec<DVector<f64>>,
}

impl FullyConnectedKernel {
    fn column(&self, multipliers: &[f64]) -> DVector<f64> {
        self.signed_samples
            .tr_mul(&DVector::from_column_slice(multipliers))
    }

    fn passes(&self, w: &[View<'_>], multipliers: &[f64]) -> Passes {
        let depth = w.len();
        let h = forward_pass(w, self.column(multipliers));
        let s = backward_pass(w);
        let delta: Vec<DVector<f64>> = (1..=depth)
            .map(|l| match &self.feedback {
                Some(b) if l < depth => b[l - 1].clone(),
                _ => s[l].clone(),
            })
            .collect();
        let mut s_dot = vec![DVector::zeros(1)];
        for l in (1..=depth).rev() {
            let mut next = w[l - 1] * &s_dot[s_dot.len() - 1];
            next.axpy(delta[l - 1].dot(&s[l]), &h[l - 1], 1.0);
            s_dot.push(next);
        }
        s_dot.reverse();
        Passes { h, s, s_dot, delta }
    }
}

impl Kernel for FullyConnectedKernel {
    fn parameters(&self) -> usize {
        self.shapes.iter().map(|(r, c)| r * c).sum()
    }

    fn samples(&self) -> usize {
        self.signed_samples.nrows()
    }

    fn signed_samples(&self) -> Option<&DMatrix<f64>> {
        Some(&self.signed_samples)
    }

    fn margins(&self, theta: &[f64], margins: &mut [f64]) {
        let beta = &backward_pass(&views(&self.shapes, theta))[0];
        margins.copy_from_slice((&self.signed_samples * beta).as_slice());
    }

    fn velocity(
        &self,
        theta: &[f64],
        multipliers: &[f64],
        velocity: &mut [f64],
        rates: &mut [f64],
    ) {
        let w = views(&self.shapes, theta);
        let p = self.passes(&w, multipliers);
        velocity.fill(0.0);
        let mut rest = velocity;
        for (l, &(inputs, units)) in self.shapes.iter().enumerate() {
            let (layer, tail) = rest.split_at_mut(inputs * units);
            add_outer(layer, &p.h[l], &p.delta[l], 1.0);
            rest = tail;
        }
        rates.copy_from_slice((&self.signed_samples * &p.s_dot[0]).as_slice());
    }

    fn tangent(
        &self,
        theta: &[f64],
        multipliers: &[f64],
        d_theta: &[f64],
        d_multipliers: &[f64],
    ) -> Tangent {
        let (w, dw) = (views(&self.shapes, theta), views(&self.shapes, d_theta));
        let depth = w.len();
        let p = self.passes(&w, multipliers);
        let mut dh = vec![self.column(d_multipliers)];
        for l in 1..depth {
            let next = w[l - 1].tr_mul(&dh[l - 1]) + dw[l - 1].tr_mul(&p.h[l - 1]);
            dh.push(next);
        }
        // ds, dṡ, dδ from the last layer down; dδ_l = ds_l under BP and for no other rule.
        let mut ds = vec![DVector::zeros(1); depth + 1];
        let mut ds_dot = vec![DVector::zeros(1); depth + 1];
        let mut velocity = vec![0.0; theta.len()];
        let mut end = theta.len();
        for l in (1..=depth).rev() {
            let (inputs, units) = self.shapes[l - 1];
            let start = end - inputs * units;
            let d_delta = match &self.feedback {
                Some(_) => DVector::zeros(units),
                None => ds[l].clone(),
            };
            let (h, s, delta) = (&p.h[l - 1], &p.s[l], &p.delta[l - 1]);
            add_outer(&mut velocity[start..end], &dh[l - 1], delta, 1.0);
            add_outer(&mut velocity[start..end], h, &d_delta, 1.0);
            ds_dot[l - 1] = &dh[l - 1] * delta.dot(s)
                + h * (d_delta.dot(s) + delta.dot(&ds[l]))
                + dw[l - 1] * &p.s_dot[l]
                + w[l - 1] * &ds_dot[l];
            ds[l - 1] = dw[l - 1] * s + w[l - 1] * &ds[l];
            end = start;
        }
        Tangent {
            velocity,
            margins: &self.signed_samples * &ds[0],
            rates: &self.signed_samples * &ds_dot[0],
        }
    }

    fn linearise(&self, theta: &[f64], multipliers: &[f64], step: f64) -> Box<dyn LinearisedStep> {
        let w = views(&self.shapes, theta);
        let passes = self.passes(&w, multipliers);
        let riccati = match self.feedback {
            Some(_) => None,
            None => Some(Riccati::new(&w, &passes, step)),
        };
        Box::new(FullyConnectedStep {
            shapes: self.shapes.clone(),
            transposed: w.iter().map(View::transpose).collect(),
            weights: w.iter().map(View::clone_owned).collect(),
            passes,
            step,
            riccati,
            signed_samples: self.signed_samples.clone(),
        })
    }
}

/// `S_l` of the backward recursion, and the factored `1 − a_l S_l`, for l = 1..L−1 (index l − 1).
struct Riccati {
    gains: Vec<Gain>,
}

enum Gain {
    /// `S_{L−1} = c·1`; the second number is `1/(1 − a c)`.
    Scalar(f64, f64),
    Dense(DMatrix<f64>, LU<f64, Dyn, Dyn>),
}

impl Gain {
    /// `S x`
    fn apply(&self, x: &DMatrix<f64>) -> DMatrix<f64> {
        match self {
            Self::Scalar(c, _) => x * *c,
            Self::Dense(s, _) => s * x,
        }
    }

    /// `(1 − a S)^{−1} x`; not finite if singular (the Newton iteration then fails and the step shrinks).
    fn resolve(&self, mut x: DMatrix<f64>) -> DMatrix<f64> {
        match self {
            Self::Scalar(_, inverse) => x *= *inverse,
            Self::Dense(_, lu) => {
                if !lu.solve_mut(&mut x) {
                    x.fill(f64::NAN);
                }
            }
        }
        x
    }
}

impl Riccati {
    fn new(w: &[View<'_>], p: &Passes, c: f64) -> Self {
        let depth = w.len();
        let mut gains: Vec<Gain> = Vec::with_capacity(depth.saturating_sub(1));
        for l in (1..depth).rev() {
            let a = c * p.h[l - 1].norm_squared();
            let gain = match gains.last() {
                None => Gain::Scalar(c, 1.0 / (1.0 - a * c)),
                Some(above) => {
                    // M_{l+1} = w_{l+1}ᵀ + c s_{l+1} h_lᵀ
                    let mut m = w[l].transpose();
                    m.ger(c, &p.s[l + 1], &p.h[l], 1.0);
                    let mut s = m.transpose() * above.apply(&above.resolve(m));
                    let shift = c * p.s[l + 1].norm_squared();
                    for i in 0..s.nrows() {
                        s[(i, i)] += shift;
                    }
                    let lu = (DMatrix::identity(s.nrows(), s.nrows()) - &s * a).lu();
                    Gain::Dense(s, lu)
                }
            };
            gains.push(gain);
        }
        gains.reverse();
        Self { gains }
    }
}

struct FullyConnectedStep {
    shapes: Vec<(usize, usize)>,
    weights: Vec<DMatrix<f64>>,
    transposed: Vec<DMatrix<f64>>,
    passes: Passes,
    step: f64,
    /// Under BP only.
    riccati: Option<Riccati>,
    signed_samples: DMatrix<f64>,
}

/// Changes caused by k columns: `dh_0 … dh_{L−1}`, `ds_0 … ds_L`, and `dṡ_0`.
struct Sweep {
    dh: Vec<DMatrix<f64>>,
    ds: Vec<DMatrix<f64>>,
    ds_dot: DMatrix<f64>,
}

/// What the residual r contributes to the recursions (one column each; index l − 1).
struct ResidualTerms {
    /// `r_lᵀ h_{l−1}`
    forward: Vec<DVector<f64>>,
    /// `r_l s_l`
    backward: Vec<DVector<f64>>,
    /// `r_l ṡ_l`
    backward_dot: Vec<DVector<f64>>,
}

impl FullyConnectedStep {
    fn residual_terms(&self, residual: &[f64]) -> ResidualTerms {
        let p = &self.passes;
        let r = views(&self.shapes, residual);
        ResidualTerms {
            forward: r.iter().zip(&p.h).map(|(r, h)| r.tr_mul(h)).collect(),
            backward: r.iter().zip(&p.s[1..]).map(|(r, s)| r * s).collect(),
            backward_dot: r.iter().zip(&p.s_dot[1..]).map(|(r, s)| r * s).collect(),
        }
    }

    /// `M_l x = w_lᵀ x + c δ_l (h_{l−1}ᵀ x)`, l = 1..L−1.
    fn propagate(&self, l: usize, x: &DMatrix<f64>) -> DMatrix<f64> {
        let p = &self.passes;
        let mut y = &self.transposed[l - 1] * x;
        add_ranked(&mut y, self.step, &p.delta[l - 1], &x.tr_mul(&p.h[l - 1]));
        y
    }

    /// `M_lᵀ x` under BP.
    fn propagate_back(&self, l: usize, x: &DMatrix<f64>) -> DMatrix<f64> {
        let p = &self.passes;
        let mut y = &self.weights[l - 1] * x;
        add_ranked(&mut y, self.step, &p.h[l - 1], &x.tr_mul(&p.s[l]));
        y
    }

    fn sweep(&self, dz: DMatrix<f64>, terms: Option<&ResidualTerms>) -> Sweep {
        let (p, c) = (&self.passes, self.step);
        let depth = self.shapes.len();
        let k = dz.ncols();
        let add_term = |y: &mut DMatrix<f64>, term: Option<&DVector<f64>>| {
            if let Some(term) = term {
                for mut column in y.column_iter_mut() {
                    column += term;
                }
            }
        };
        let term =
            |f: fn(&ResidualTerms) -> &Vec<DVector<f64>>, l: usize| terms.map(|t| &f(t)[l - 1]);

        // σ_l for l = 1..L−1 (BP with a residual only); one column serves all, since r is the same for each.
        let sigma = self
            .riccati
            .as_ref()
            .zip(terms)
            .map(|(riccati, t)| self.riccati_offsets(riccati, t));

        // Forward; under BP with ds_l = S_l dh_l + σ_l on the way.
        let mut dh = vec![dz];
        let mut ds: Vec<DMatrix<f64>> = vec![DMatrix::zeros(1, k); depth + 1];
        for l in 1..depth {
            let mut next = self.propagate(l, &dh[l - 1]);
            add_term(&mut next, term(|t| &t.forward, l));
            if let Some(riccati) = &self.riccati {
                let a = c * p.h[l - 1].norm_squared();
                let offset = sigma.as_ref().map(|s| &s[l - 1]);
                if let Some(offset) = offset {
                    add_term(&mut next, Some(&(offset * a)));
                }
                next = riccati.gains[l - 1].resolve(next);
                ds[l] = riccati.gains[l - 1].apply(&next);
                add_term(&mut ds[l], offset);
            }
            dh.push(next);
        }

        // Backward: ds_{l−1} where it is not known yet, and dṡ_{l−1}.
        let mut ds_dot = DMatrix::zeros(1, k);
        for l in (1..=depth).rev() {
            let (h, s, s_dot, delta) = (&p.h[l - 1], &p.s[l], &p.s_dot[l], &p.delta[l - 1]);
            let mut next = &self.weights[l - 1] * ds_dot;
            add_scaled(&mut next, &dh[l - 1], delta.dot(s) + c * delta.dot(s_dot));
            // h_{l−1} (δ_l·ds_l + dδ_l·(s_l + c ṡ_l)) with dδ = ds under BP, else 0
            let mut weight = ds[l].tr_mul(delta);
            if self.riccati.is_some() {
                weight += ds[l].tr_mul(&(s + s_dot * c));
            }
            add_ranked(&mut next, 1.0, h, &weight);
            add_term(&mut next, term(|t| &t.backward_dot, l));
            ds_dot = next;

            if self.riccati.is_none() {
                let mut next = &self.weights[l - 1] * &ds[l];
                add_scaled(&mut next, &dh[l - 1], c * delta.dot(s));
                add_term(&mut next, term(|t| &t.backward, l));
                ds[l - 1] = next;
            } else if l == 1 {
                let mut next = self.propagate_back(1, &ds[1]);
                add_scaled(&mut next, &dh[0], c * s.norm_squared());
                add_term(&mut next, term(|t| &t.backward, 1));
                ds[0] = next;
            }
        }
        Sweep { dh, ds, ds_dot }
    }

    /// `σ_{L−1} = r_L`, `σ_{l−1} = r_l s_l + M_lᵀ (S_l (1 − a_l S_l)^{−1} (r_lᵀh_{l−1} + a_l σ_l) + σ_l)`.
    fn riccati_offsets(&self, riccati: &Riccati, t: &ResidualTerms) -> Vec<DVector<f64>> {
        let depth = self.shapes.len();
        let mut sigma: Vec<DVector<f64>> = Vec::with_capacity(depth);
        for l in (1..depth).rev() {
            let next = match sigma.last() {
                None => t.backward[depth - 1].clone(),
                Some(above) => {
                    let gain = &riccati.gains[l];
                    let a = self.step * self.passes.h[l].norm_squared();
                    let x = gain.resolve(to_matrix(&t.forward[l] + above * a));
                    let y = gain.apply(&x) + to_matrix(above.clone());
                    self.propagate_back(l + 1, &y).column(0) + &t.backward[l]
                }
            };
            sigma.push(next);
        }
        sigma.reverse();
        sigma
    }
}

fn to_matrix(v: DVector<f64>) -> DMatrix<f64> {
    let n = v.len();
    DMatrix::from_vec(n, 1, v.data.into())
}

/// `y += k · x`
fn add_scaled(y: &mut DMatrix<f64>, x: &DMatrix<f64>, k: f64) {
    for (y, x) in y.iter_mut().zip(x.iter()) {
        *y += k * x;
    }
}

/// `y += factor · x weightᵀ`
fn add_ranked(y: &mut DMatrix<f64>, factor: f64, x: &DVector<f64>, weight: &DVector<f64>) {
    add_outer(y.as_mut_slice(), x, weight, factor);
}

impl LinearisedStep for FullyConnectedStep {
    fn response(&self, active: &[usize]) -> (DMatrix<f64>, DMatrix<f64>) {
        let g = &self.signed_samples;
        let sweep = self.sweep(g.select_rows(active).transpose(), None);
        (g * &sweep.ds[0], g * &sweep.ds_dot)
    }

    fn input_response(&self) -> Option<InputResponse<'_>> {
        let dimension = self.signed_samples.ncols();
        let mut sweep = self.sweep(DMatrix::identity(dimension, dimension), None);
        Some(InputResponse {
            signed_samples: &self.signed_samples,
            margins: sweep.ds.swap_remove(0),
            rates: sweep.ds_dot,
        })
    }

    fn solve(&self, residual: &mut [f64], close: &mut Closure<'_>) -> DVector<f64> {
        let (p, c, g) = (&self.passes, self.step, &self.signed_samples);
        let depth = self.shapes.len();
        let terms = self.residual_terms(residual);
        let alone = self.sweep(DMatrix::zeros(g.ncols(), 1), Some(&terms));
        let d_multipliers = close(&(g * alone.ds[0].column(0)), &(g * alone.ds_dot.column(0)));
        let dz = g.tr_mul(&d_multipliers);
        let forced = self.sweep(to_matrix(dz), None);
        let total =
            |a: &DMatrix<f64>, b: &DMatrix<f64>| -> DVector<f64> { a.column(0) + b.column(0) };
        let mut rest = residual;
        for l in 1..=depth {
            let (inputs, units) = self.shapes[l - 1];
            let (layer, tail) = rest.split_at_mut(inputs * units);
            let dh = total(&alone.dh[l - 1], &forced.dh[l - 1]);
            add_outer(layer, &dh, &p.delta[l - 1], c);
            if self.riccati.is_some() && l < depth {
                let ds = total(&alone.ds[l], &forced.ds[l]);
                add_outer(layer, &p.h[l - 1], &ds, c);
            }
            rest = tail;
        }
        g * total(&alone.ds[0], &forced.ds[0])
    }
}

#[cfg(test)]
mod tests;
