//! Fully connected linear networks with C outputs: `β = w_1 ⋯ w_L` is D × C, `f = βᵀx`.
//!
//! # The vector field
//! Rows `(n, k)` enter only through `z = Σ α_{nk} x_n (e_{c_n} − e_k)ᵀ` (D × C). With the forward pass `h_0 = z`,
//! `h_l = w_lᵀ h_{l−1}` (units × C), the backward pass `s_L = 1`, `s_{l−1} = w_l s_l` (units × C, `s_0 = β`) and the
//! error signals `δ_l` per output (BP: `δ_l = s_l`; DFA: `δ_l = F_l`; `δ_L = 1`; units × C), velocities have rank C:
//! `w_l' = h_{l−1} δ_lᵀ`. The predictor moves with `β' = ṡ_0`, `ṡ_L = 0`, `ṡ_{l−1} = h_{l−1}(δ_lᵀ s_l) + w_l ṡ_l`.
//!
//! Written out, `β' = Σ_l A_l z M_l` with `A_l = P_{l−1}P_{l−1}ᵀ` (D × D, `P_l = w_1⋯w_l`) and `M_l = δ_lᵀs_l` (C × C):
//! the tangent kernel of two rows is `Σ_l (x_nᵀA_l x_m) (e_{c_m} − e_j)ᵀ M_l (e_{c_n} − e_k)`.

use super::super::{Kernel, Layout, OutputLayer, Tangent, View, blank, outputs};
use crate::dataset::Dataset;
use nalgebra::{DMatrix, DVector};
use std::sync::Arc;

/// `s_0 … s_L` with `s_L = 1` (C × C), `s_{l−1} = w_l s_l`.
fn backward_pass(w: &[View<'_>]) -> Vec<DMatrix<f64>> {
    let outputs = w.last().map_or(1, |w| w.ncols());
    let mut s = vec![DMatrix::identity(outputs, outputs)];
    for w_l in w.iter().rev() {
        s.push(w_l * &s[s.len() - 1]);
    }
    s.reverse();
    s
}

/// β, D × C.
pub(super) fn predictor(w: &[View<'_>]) -> DMatrix<f64> {
    backward_pass(w).swap_remove(0)
}

/// Margins `f_{c_n}(x_n) − f_k(x_n)` of a linear predictor, one per row of `data`.
pub(super) fn margins(data: &Dataset, beta: &DMatrix<f64>) -> DVector<f64> {
    outputs::margins(data, &(data.samples() * beta))
}

/// The rows of the features `w_{L−1}ᵀ⋯w_1ᵀ x` as a data set of their own, and w_L.
pub(super) fn output_layer(w: &[View<'_>], data: &Dataset) -> OutputLayer {
    let (hidden, last) = w.split_at(w.len() - 1);
    let samples = data.samples().clone();
    let features = hidden.iter().fold(samples, |features, w| features * w);
    OutputLayer {
        features: data.rows_with(&features),
        weights: DVector::from_iterator(last[0].len(), last[0].iter().copied()),
    }
}

/// What the kernel combines and what its margins are.
#[derive(Clone)]
enum Rows {
    /// Those of a data set: outputs are computed once per sample.
    Samples(Arc<Dataset>),
    /// Any others, r × DC.
    Others,
}

/// The vector field, see the module.
pub(super) struct ClassKernel {
    layout: Layout,
    /// `F_1 … F_{L−1}` where the feedback is fixed, units × C; none under BP.
    feedback: Option<Vec<DMatrix<f64>>>,
    rows: Rows,
    /// G, rows × DC.
    signed_samples: DMatrix<f64>,
    idle: Vec<usize>,
}

/// All passes at one point `(θ, α)`.
struct Passes {
    /// `h_0 … h_{L−1}`
    h: Vec<DMatrix<f64>>,
    /// `s_0 … s_L`
    s: Vec<DMatrix<f64>>,
    /// `ṡ_0 … ṡ_L`
    s_dot: Vec<DMatrix<f64>>,
    /// `δ_1 … δ_L` (index l − 1)
    delta: Vec<DMatrix<f64>>,
}

impl ClassKernel {
    pub(super) fn new(layout: Layout, feedback: Option<Vec<DMatrix<f64>>>, data: &Dataset) -> Self {
        Self {
            layout,
            feedback,
            rows: Rows::Samples(Arc::new(data.clone())),
            signed_samples: data.signed_samples().clone(),
            idle: blank(data.signed_samples()),
        }
    }

    /// D and C.
    fn shape(&self) -> (usize, usize) {
        let shapes = self.layout.shapes();
        (shapes[0].0, shapes[shapes.len() - 1].1)
    }

    /// `z = Σ α_i mat(g_i)`, D × C.
    fn combination(&self, multipliers: &[f64]) -> DMatrix<f64> {
        match &self.rows {
            Rows::Samples(data) => data.samples().tr_mul(&outputs::errors(data, multipliers)),
            Rows::Others => {
                let (d, c) = self.shape();
                let z = (self.signed_samples).tr_mul(&DVector::from_column_slice(multipliers));
                DMatrix::from_column_slice(d, c, z.as_slice())
            }
        }
    }

    /// `⟨mat(g_i), β⟩` of all rows.
    fn products(&self, beta: &DMatrix<f64>) -> DVector<f64> {
        match &self.rows {
            Rows::Samples(data) => margins(data, beta),
            Rows::Others => &self.signed_samples * DVector::from_column_slice(beta.as_slice()),
        }
    }

    fn deltas(&self, s: &[DMatrix<f64>]) -> Vec<DMatrix<f64>> {
        let depth = self.layout.depth();
        (1..=depth)
            .map(|l| match &self.feedback {
                Some(f) if l < depth => f[l - 1].clone(),
                _ => s[l].clone(),
            })
            .collect()
    }

    fn passes(&self, w: &[View<'_>], multipliers: &[f64]) -> Passes {
        let depth = w.len();
        let mut h = vec![self.combination(multipliers)];
        for w_l in &w[..depth - 1] {
            h.push(w_l.tr_mul(&h[h.len() - 1]));
        }
        let s = backward_pass(w);
        let delta = self.deltas(&s);
        let mut s_dot = vec![DMatrix::zeros(s[depth].nrows(), s[depth].ncols())];
        for l in (1..=depth).rev() {
            let through = &h[l - 1] * delta[l - 1].tr_mul(&s[l]);
            let next = w[l - 1] * &s_dot[s_dot.len() - 1] + through;
            s_dot.push(next);
        }
        s_dot.reverse();
        Passes { h, s, s_dot, delta }
    }

    /// `P_{l−1}` with `A_l = P_{l−1}P_{l−1}ᵀ` (`None` for the identity, l = 1), and `M_l` of the module, l = 1 … L.
    fn metric(&self, theta: &[f64]) -> Vec<(Option<DMatrix<f64>>, DMatrix<f64>)> {
        let w = self.layout.views(theta);
        let s = backward_pass(&w);
        let delta = self.deltas(&s);
        let mut below: Option<DMatrix<f64>> = None;
        let mut metric = Vec::with_capacity(w.len());
        for l in 1..=w.len() {
            let next = match &below {
                None => w[0].clone_owned(),
                Some(p) => p * w[l - 1],
            };
            metric.push((below.replace(next), delta[l - 1].tr_mul(&s[l])));
        }
        metric
    }
}

impl Kernel for ClassKernel {
    fn parameters(&self) -> usize {
        self.layout.parameters()
    }

    fn samples(&self) -> usize {
        self.signed_samples.nrows()
    }

    fn layers(&self) -> Vec<usize> {
        self.layout.lengths()
    }

    fn idle(&self) -> &[usize] {
        &self.idle
    }

    fn degree(&self) -> Option<i32> {
        let depth = i32::try_from(self.layout.depth()).ok()?;
        (self.feedback.is_none() && depth > 1).then_some(depth)
    }

    fn signed_samples(&self) -> Option<&DMatrix<f64>> {
        Some(&self.signed_samples)
    }

    fn on_rows(&self, rows: &DMatrix<f64>) -> Option<Arc<dyn Kernel>> {
        Some(Arc::new(Self {
            layout: self.layout.clone(),
            feedback: self.feedback.clone(),
            rows: Rows::Others,
            signed_samples: rows.clone(),
            idle: Vec::new(),
        }))
    }

    fn margins(&self, theta: &[f64], margins: &mut [f64]) {
        let beta = predictor(&self.layout.views(theta));
        margins.copy_from_slice(self.products(&beta).as_slice());
    }

    fn velocity(
        &self,
        theta: &[f64],
        multipliers: &[f64],
        velocity: &mut [f64],
        rates: &mut [f64],
    ) {
        let w = self.layout.views(theta);
        let p = self.passes(&w, multipliers);
        for (l, layer) in self.layout.split_mut(velocity).into_iter().enumerate() {
            let moved = &p.h[l] * p.delta[l].transpose();
            layer.copy_from_slice(moved.as_slice());
        }
        rates.copy_from_slice(self.products(&p.s_dot[0]).as_slice());
    }

    fn tangent(
        &self,
        theta: &[f64],
        multipliers: &[f64],
        d_theta: &[f64],
        d_multipliers: &[f64],
    ) -> Tangent {
        let (w, dw) = (self.layout.views(theta), self.layout.views(d_theta));
        let depth = w.len();
        let p = self.passes(&w, multipliers);
        let mut dh = vec![self.combination(d_multipliers)];
        for l in 1..depth {
            let next = w[l - 1].tr_mul(&dh[l - 1]) + dw[l - 1].tr_mul(&p.h[l - 1]);
            dh.push(next);
        }
        // ds, dṡ, dδ from the last layer down; dδ_l = ds_l under BP only.
        let (_, c) = self.shape();
        let mut ds = vec![DMatrix::zeros(c, c); depth + 1];
        let mut ds_dot = vec![DMatrix::zeros(c, c); depth + 1];
        let mut velocity = vec![0.0; theta.len()];
        for l in (1..=depth).rev() {
            let units = self.layout.shapes()[l - 1].1;
            let d_delta = match &self.feedback {
                Some(_) => DMatrix::zeros(units, c),
                None => ds[l].clone(),
            };
            let (h, s, delta) = (&p.h[l - 1], &p.s[l], &p.delta[l - 1]);
            let moved = &dh[l - 1] * delta.transpose() + h * d_delta.transpose();
            velocity[self.layout.range(l - 1)].copy_from_slice(moved.as_slice());
            ds_dot[l - 1] = &dh[l - 1] * delta.tr_mul(s)
                + h * (d_delta.tr_mul(s) + delta.tr_mul(&ds[l]))
                + dw[l - 1] * &p.s_dot[l]
                + w[l - 1] * &ds_dot[l];
            ds[l - 1] = dw[l - 1] * s + w[l - 1] * &ds[l];
        }
        Tangent {
            velocity,
            margins: self.products(&ds[0]),
            rates: self.products(&ds_dot[0]),
        }
    }

    fn tangent_kernel(&self, theta: &[f64], active: &[usize]) -> DMatrix<f64> {
        let metric = self.metric(theta);
        let (d, c) = self.shape();
        let mut columns = DMatrix::zeros(self.samples(), active.len());
        for (j, &m) in active.iter().enumerate() {
            let row: Vec<f64> = self.signed_samples.row(m).iter().copied().collect();
            let z = DMatrix::from_vec(d, c, row);
            let mut moved = DMatrix::zeros(d, c);
            for (factor, through) in &metric {
                let through = &z * through;
                moved += match factor {
                    None => through,
                    Some(p) => p * p.tr_mul(&through),
                };
            }
            columns.set_column(j, &self.products(&moved));
        }
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{gaussian_class_teacher, standard_normals};
    use crate::network::{FullyConnectedLinear, Network, Signals};

    fn normals(seed: u64, n: usize) -> Vec<f64> {
        standard_normals("classes tests", seed).take(n).collect()
    }

    fn matrix(seed: u64, (r, c): (usize, usize)) -> DMatrix<f64> {
        DMatrix::from_vec(r, c, normals(seed, r * c))
    }

    /// Outputs by the textbook loop: every sample forward, its errors back, through any of the three ways.
    fn velocity_of_a_loop(
        w: &[DMatrix<f64>],
        signals: Signals<'_>,
        data: &Dataset,
        multipliers: &[f64],
    ) -> Vec<f64> {
        let depth = w.len();
        let mut velocity: Vec<DMatrix<f64>> = w.iter().map(|w| w * 0.0).collect();
        for n in 0..data.len() {
            let mut h = vec![data.samples().row(n).transpose()];
            for w in w {
                h.push(w.tr_mul(&h[h.len() - 1]));
            }
            let own = data.class_of(n);
            let mut error = DVector::zeros(data.outputs());
            let others = (0..data.outputs()).filter(|k| *k != own);
            for (row, k) in data.groups().rows_of(n).zip(others) {
                error[own] += multipliers[row];
                error[k] -= multipliers[row];
            }
            let mut delta = error.clone();
            for l in (0..depth).rev() {
                velocity[l] += &h[l] * delta.transpose();
                if l > 0 {
                    delta = match signals {
                        Signals::Backward => &w[l] * delta,
                        Signals::Layerwise(f) => &f[l - 1] * delta,
                        Signals::Direct(f) => &f[l - 1] * &error,
                    };
                }
            }
        }
        velocity.iter().flat_map(|v| v.iter().copied()).collect()
    }

    #[test]
    fn velocities_are_those_of_a_loop_and_tangents_their_derivatives() {
        let data = gaussian_class_teacher(4, 6, 3, 5).unwrap();
        for hidden in [&[][..], &[5], &[4, 6]] {
            let network = FullyConnectedLinear::with_outputs(4, hidden, 3);
            let network = Network::new(network);
            let theta = normals(1, network.parameters());
            let w = network.weights(&theta);
            let shapes = network.feedback_shapes().iter();
            let f: Vec<_> = shapes
                .enumerate()
                .map(|(l, s)| matrix(20 + l as u64, *s))
                .collect();
            let shapes = network.signal_shapes().into_iter();
            let b: Vec<_> = shapes
                .enumerate()
                .map(|(l, s)| matrix(30 + l as u64, s))
                .collect();
            let alpha: Vec<f64> = normals(2, data.rows()).iter().map(|x| x.exp()).collect();
            for signals in [
                Signals::Backward,
                Signals::Layerwise(&f),
                Signals::Direct(&b),
            ] {
                let kernel = network.kernel(signals, &data);
                let (mut velocity, mut rates) = (vec![0.0; theta.len()], vec![0.0; data.rows()]);
                kernel.velocity(&theta, &alpha, &mut velocity, &mut rates);
                let expected = velocity_of_a_loop(&w, signals, &data, &alpha);
                let size = expected.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
                for (found, expected) in velocity.iter().zip(&expected) {
                    assert!((found - expected).abs() < 1e-13 * size);
                }
                let (d_theta, d_alpha) = (normals(3, theta.len()), normals(4, data.rows()));
                let tangent = kernel.tangent(&theta, &alpha, &d_theta, &d_alpha);
                let at = |k: f64| {
                    let moved = |x: &[f64], d: &[f64]| -> Vec<f64> {
                        x.iter().zip(d).map(|(x, d)| x + k * 1e-3 * d).collect()
                    };
                    let (theta, alpha) = (moved(&theta, &d_theta), moved(&alpha, &d_alpha));
                    let mut all = vec![0.0; theta.len() + 2 * data.rows()];
                    let (velocity, rest) = all.split_at_mut(theta.len());
                    let (rates, margins) = rest.split_at_mut(data.rows());
                    kernel.velocity(&theta, &alpha, velocity, rates);
                    kernel.margins(&theta, margins);
                    DVector::from_vec(all)
                };
                let difference = ((at(1.0) - at(-1.0)) * 8.0 - (at(2.0) - at(-2.0))) / 12e-3;
                let parts = [
                    tangent.velocity,
                    tangent.rates.as_slice().to_vec(),
                    tangent.margins.as_slice().to_vec(),
                ];
                let found = DVector::from_vec(parts.concat());
                let error = (found - &difference).norm() / difference.norm();
                assert!(error < 1e-7, "{hidden:?} {signals:?}: {error:e}");
                // the rates along the velocity are the change of the margins
                let along = kernel.tangent(&theta, &alpha, &velocity, &d_alpha).margins;
                let apart = (along - DVector::from_vec(rates.clone())).norm();
                assert!(apart < 1e-12 * DVector::from_vec(rates).norm());
                let active = [0, 3, 7, 11];
                let kernel_there = kernel.tangent_kernel(&theta, &active);
                for (j, m) in active.into_iter().enumerate() {
                    let mut unit = vec![0.0; data.rows()];
                    unit[m] = 1.0;
                    let mut rates = vec![0.0; data.rows()];
                    kernel.velocity(&theta, &unit, &mut velocity, &mut rates);
                    let apart = (kernel_there.column(j) - DVector::from_vec(rates)).norm();
                    assert!(apart < 1e-12 * kernel_there.column(j).norm());
                }
                // the same field on the rows themselves
                let others = kernel.on_rows(data.signed_samples()).unwrap();
                let mut again = vec![0.0; data.rows()];
                others.velocity(&theta, &alpha, &mut velocity, &mut again);
                let expected = at(0.0);
                let apart =
                    (DVector::from_vec(again) - expected.rows(theta.len(), data.rows())).norm();
                assert!(apart < 1e-12 * expected.norm());
            }
            // on linear networks feedback alignment is direct feedback by products
            let composed = network.fixed_signals(Signals::Layerwise(&f)).unwrap();
            let fields = [Signals::Layerwise(&f), Signals::Direct(&composed)];
            let [x, y] = fields.map(|signals| {
                let mut velocity = vec![0.0; theta.len()];
                let mut rates = vec![0.0; data.rows()];
                network
                    .kernel(signals, &data)
                    .velocity(&theta, &alpha, &mut velocity, &mut rates);
                DVector::from_vec(velocity)
            });
            assert!((&x - y).norm() <= 1e-13 * x.norm());
        }
    }
}
