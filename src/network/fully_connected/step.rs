//! The implicit step of a fully connected network, solved for all layers at once.
//!
//! `dw_l = r_l + c(dh_{l−1} δ_lᵀ + h_{l−1} dδ_lᵀ)` is solved by sweeps through the layers, for many columns `dz` at
//! once. Under DFA `dδ = 0`, and the forward sweep `dh_l = r_lᵀh_{l−1} + M_l dh_{l−1}`, `M_l = w_lᵀ + c δ_l h_{l−1}ᵀ`,
//! needs no backward sweep. Under BP `dδ = ds` couples the forward and the backward sweep,
//! `dh_l = r_lᵀh_{l−1} + M_l dh_{l−1} + a_l ds_l` (`a_l = c‖h_{l−1}‖²`),
//! `ds_{l−1} = r_l s_l + c‖s_l‖² dh_{l−1} + M_lᵀ ds_l`, a two-point boundary value problem which the backward Riccati
//! recursion `ds_l = S_l dh_l + σ_l` solves exactly: `S_{L−1} = c·1`,
//! `S_{l−1} = c‖s_l‖²·1 + M_lᵀ S_l (1 − a_l S_l)^{−1} M_l` (S symmetric). The derivative of `β'` follows from the
//! differentiated recursion of `ṡ`.

use super::{Passes, add_outer};
use crate::network::{Closure, InputResponse, Layout, LinearisedStep, View};
use nalgebra::{DMatrix, DVector, Dyn, LU};

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

pub(super) struct FullyConnectedStep {
    layout: Layout,
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
    /// The step at the weights `w` and their passes, with c = `step`. `feedback`: the error signals are fixed.
    pub(super) fn new(
        layout: Layout,
        w: &[View<'_>],
        passes: Passes,
        feedback: bool,
        step: f64,
        signed_samples: &DMatrix<f64>,
    ) -> Self {
        let riccati = (!feedback).then(|| Riccati::new(w, &passes, step));
        Self {
            layout,
            transposed: w.iter().map(View::transpose).collect(),
            weights: w.iter().map(View::clone_owned).collect(),
            passes,
            step,
            riccati,
            signed_samples: signed_samples.clone(),
        }
    }

    fn residual_terms(&self, residual: &[f64]) -> ResidualTerms {
        let p = &self.passes;
        let r = self.layout.views(residual);
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
        let depth = self.layout.depth();
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

        // σ_l for l = 1..L−1 (BP with a residual only); one column is enough, since r is the same for all.
        let sigma = self
            .riccati
            .as_ref()
            .zip(terms)
            .map(|(riccati, t)| self.riccati_offsets(riccati, t));

        // Forward sweep; under BP also ds_l = S_l dh_l + σ_l.
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

        // Backward sweep: ds_{l−1} where it is not known yet, and dṡ_{l−1}.
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
        let depth = self.layout.depth();
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
        let depth = self.layout.depth();
        let terms = self.residual_terms(residual);
        let alone = self.sweep(DMatrix::zeros(g.ncols(), 1), Some(&terms));
        let d_multipliers = close(&(g * alone.ds[0].column(0)), &(g * alone.ds_dot.column(0)));
        let dz = g.tr_mul(&d_multipliers);
        let forced = self.sweep(to_matrix(dz), None);
        let total =
            |a: &DMatrix<f64>, b: &DMatrix<f64>| -> DVector<f64> { a.column(0) + b.column(0) };
        for (l, layer) in (1..).zip(self.layout.split_mut(residual)) {
            let dh = total(&alone.dh[l - 1], &forced.dh[l - 1]);
            add_outer(layer, &dh, &p.delta[l - 1], c);
            if self.riccati.is_some() && l < depth {
                let ds = total(&alone.ds[l], &forced.ds[l]);
                add_outer(layer, &p.h[l - 1], &ds, c);
            }
        }
        g * total(&alone.ds[0], &forced.ds[0])
    }
}
