//! Gradients of single preactivations and outputs, and the effect of single multipliers and forces on the weights.
//!
//! A *ray* follows one sample n through the network: per layer l and unit j a coefficient `x_lj` such that the layer's
//! gradient (or update) is `h_{l−1,n} x_lᵀ`; for curved activations also `y_lj` with `w_lj y_lj`. The inner product of
//! two of them needs Gram matrices of inputs only,
//! `Σ_l [(h_n·h_m)(x_l·x̄_l) + Σ_j a_jn x_j ȳ_j + Σ_j a_jm y_j x̄_j + Σ_j ‖w_j‖² y_j ȳ_j]`,
//! so that all N² entries of the tangent kernel `∂m_n/∂θ · 𝒢_m` cost a few products of matrices.

use super::passes::Forward;
use super::pattern::Pair;
use crate::network::signals::Held;
use nalgebra::DMatrix;

/// Rays of several samples.
pub(super) struct Rays {
    /// The sample of each ray.
    samples: Vec<usize>,
    /// Per layer l = 1 … L: units × rays.
    layers: Vec<DMatrix<f64>>,
    /// The same for the `w` part, per hidden layer; empty unless the activation is curved.
    curved: Vec<DMatrix<f64>>,
}

impl Rays {
    /// Rays from the outputs of `samples`, with factors y: gradients of margins (`gradient`), or updates per unit
    /// multiplier.
    pub(super) fn of_outputs(pass: &Forward<'_>, samples: &[usize], gradient: bool) -> Self {
        let y = &pass.setting.labels;
        let top = DMatrix::from_fn(1, samples.len(), |_, i| y[samples[i]]);
        Self::downwards(pass, samples.to_vec(), gradient, |layer| {
            (layer == pass.hidden()).then(|| top.clone())
        })
    }

    /// Rays from the preactivations of sliding `pairs`: their gradients (`gradient`), or the updates of unit forces.
    pub(super) fn of_pairs(pass: &Forward<'_>, pairs: &[Pair], gradient: bool) -> Self {
        let samples = pairs.iter().map(|p| p.sample).collect();
        Self::downwards(pass, samples, gradient, |layer| {
            pairs.iter().any(|p| p.layer == layer).then(|| {
                let units = pass.w[layer].ncols();
                DMatrix::from_fn(units, pairs.len(), |j, i| {
                    f64::from(u8::from(pairs[i].layer == layer && pairs[i].unit == j))
                })
            })
        })
    }

    /// Passes rays down through the layers, `source(l)` entering at layer l (from 0): through the weights for
    /// gradients, and as the rule says for updates.
    fn downwards(
        pass: &Forward<'_>,
        samples: Vec<usize>,
        gradient: bool,
        source: impl Fn(usize) -> Option<DMatrix<f64>>,
    ) -> Self {
        let hidden = pass.hidden();
        let empty = |l: usize| DMatrix::zeros(pass.w[l].ncols(), samples.len());
        let mut layers = vec![source(hidden).unwrap_or_else(|| empty(hidden))];
        let mut curved = Vec::new();
        let outputs = layers[0].clone();
        // coefficients that arrive at the units of the layer above, before their gates
        let mut arrived: Option<DMatrix<f64>> = None;
        for l in (0..hidden).rev() {
            let above = &layers[layers.len() - 1];
            let signal = match (&pass.setting.signals, gradient) {
                (Held::Backward, _) | (_, true) => {
                    let mut s = pass.w[l + 1] * above;
                    if let (Some(curve), Some(arrived)) = (pass.curves.get(l + 1), &arrived) {
                        let mu = curve.mu.select_columns(&samples);
                        let through = mu.component_mul(arrived).row_sum();
                        let mut h = pass.h[l + 1].select_columns(&samples);
                        for (mut column, k) in h.column_iter_mut().zip(through.iter()) {
                            column *= *k;
                        }
                        s += h;
                    }
                    s
                }
                (Held::Layerwise(f), false) => &f[l] * above,
                (Held::Direct(b), false) => &b[l] * &outputs,
            };
            let mut x = signal.component_mul(&pass.gates[l].select_columns(&samples));
            if let Some(curve) = pass.curves.get(l) {
                curved.push(signal.component_mul(&curve.kappa.select_columns(&samples)));
            }
            if let Some(own) = source(l) {
                x += own;
            }
            arrived = Some(signal);
            layers.push(x);
        }
        layers.reverse();
        curved.reverse();
        Self {
            samples,
            layers,
            curved,
        }
    }
}

impl Rays {
    /// The rays' entries for the weights of one unit, inputs × rays.
    pub(super) fn of_unit(&self, pass: &Forward<'_>, layer: usize, unit: usize) -> DMatrix<f64> {
        let mut columns = pass.h[layer].select_columns(&self.samples);
        let w = pass.w[layer].column(unit);
        for (i, mut column) in columns.column_iter_mut().enumerate() {
            column *= self.layers[layer][(unit, i)];
            if let Some(curved) = self.curved.get(layer) {
                column.axpy(curved[(unit, i)], &w, 1.0);
            }
        }
        columns
    }
}

/// Inner products of gradients `rows` with updates `columns`, rows × columns.
pub(super) fn form(pass: &Forward<'_>, rows: &Rays, columns: &Rays) -> DMatrix<f64> {
    let mut form = DMatrix::zeros(rows.samples.len(), columns.samples.len());
    for l in 0..pass.w.len() {
        let (x, x_bar) = (&rows.layers[l], &columns.layers[l]);
        let h = pass.h[l].select_columns(&rows.samples);
        let h_bar = pass.h[l].select_columns(&columns.samples);
        let mut part = h.transpose() * h_bar;
        part.component_mul_assign(&(x.transpose() * x_bar));
        form += part;
        if let (Some(y), Some(y_bar), Some(curve)) = (
            rows.curved.get(l),
            columns.curved.get(l),
            pass.curves.get(l),
        ) {
            let a = pass.a[l].select_columns(&rows.samples);
            let a_bar = pass.a[l].select_columns(&columns.samples);
            form += a.component_mul(x).transpose() * y_bar;
            form += y.transpose() * a_bar.component_mul(x_bar);
            let mut scaled = y.clone();
            for mut column in scaled.column_iter_mut() {
                column.component_mul_assign(&curve.arguments.weights);
            }
            form += scaled.transpose() * y_bar;
        }
    }
    form
}
