//! Gradients of single preactivations and outputs, and the effect of single multipliers and forces on the weights.
//!
//! A *ray* follows one sample n through the network: per layer l and unit j a coefficient `x_lj` such that the layer's
//! gradient (or update) is `h_{l−1,n} x_lᵀ`, summed over the patches of the sample where there are several; for rounded
//! kinks also `y_lj` with `w_lj y_lj`. The inner product of
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
    /// Per layer l = 1 … L: units × rays, or channels × (patches · rays).
    layers: Vec<DMatrix<f64>>,
    /// The same for the `w` part, per hidden layer; empty unless kinks are rounded.
    curved: Vec<DMatrix<f64>>,
}

impl Rays {
    /// Rays from the outputs, for `rows` of the data: gradients of margins (`gradient`), or updates per unit
    /// multiplier.
    pub(super) fn of_outputs(pass: &Forward<'_>, rows: &[usize], gradient: bool) -> Self {
        let (samples, blame) = &pass.setting.rows;
        let top = blame.select_columns(rows);
        let samples = rows.iter().map(|row| samples[*row]).collect();
        Self::downwards(pass, samples, gradient, |layer| {
            (layer == pass.hidden()).then(|| top.clone())
        })
    }

    /// Rays from the preactivations of sliding `pairs`: their gradients (`gradient`), or the updates of unit forces.
    pub(super) fn of_pairs(pass: &Forward<'_>, pairs: &[Pair], gradient: bool) -> Self {
        let patches = |layer: usize| pass.setting.patches(layer);
        let samples = pairs.iter().map(|p| p.sample / patches(p.layer)).collect();
        Self::downwards(pass, samples, gradient, |layer| {
            pairs.iter().any(|p| p.layer == layer).then(|| {
                let count = patches(layer);
                let mut source = DMatrix::zeros(pass.w[layer].ncols(), count * pairs.len());
                for (i, p) in pairs.iter().enumerate().filter(|(_, p)| p.layer == layer) {
                    source[(p.unit, i * count + p.sample % count)] = 1.0;
                }
                source
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
        let (hidden, setting) = (pass.hidden(), pass.setting);
        let empty =
            |l: usize| DMatrix::zeros(pass.w[l].ncols(), setting.patches(l) * samples.len());
        let mut layers = vec![source(hidden).unwrap_or_else(|| empty(hidden))];
        let mut curved = Vec::new();
        let outputs = layers[0].clone();
        // coefficients that arrive at the units of the layer above, before their gates
        let mut arrived: Option<DMatrix<f64>> = None;
        for l in (0..hidden).rev() {
            let above = &layers[layers.len() - 1];
            let signal = match (&setting.signals, gradient) {
                (Held::Backward, _) | (_, true) => {
                    let mut s = setting.given_back(l + 1, pass.w[l + 1] * above);
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
                (Held::Layerwise(f), false) => setting.given_back(l + 1, &f[l] * above),
                (Held::Direct(b), false) => setting.arrived(l, &b[l] * &outputs),
            };
            let own = setting.columns(l, &samples);
            let mut x = signal.component_mul(&pass.gates[l].select_columns(&own));
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

/// Sums over blocks of so many rows and columns.
fn over_patches(m: DMatrix<f64>, patches: usize) -> DMatrix<f64> {
    if patches == 1 {
        return m;
    }
    DMatrix::from_fn(m.nrows() / patches, m.ncols() / patches, |i, j| {
        let block = m.view((i * patches, j * patches), (patches, patches));
        block.sum()
    })
}

/// Inner products of gradients `rows` with updates `columns`, rows × columns.
pub(super) fn form(pass: &Forward<'_>, rows: &Rays, columns: &Rays) -> DMatrix<f64> {
    let mut form = DMatrix::zeros(rows.samples.len(), columns.samples.len());
    for l in 0..pass.w.len() {
        let (x, x_bar) = (&rows.layers[l], &columns.layers[l]);
        let seen = |samples: &[usize]| pass.h[l].select_columns(&pass.setting.columns(l, samples));
        let (h, h_bar) = (seen(&rows.samples), seen(&columns.samples));
        let mut part = h.transpose() * h_bar;
        part.component_mul_assign(&(x.transpose() * x_bar));
        form += over_patches(part, pass.setting.patches(l));
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
