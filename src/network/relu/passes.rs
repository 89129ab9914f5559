//! Forward and backward passes of a network with kinks at one point, and its velocity there.
//!
//! Matrices are units × N, one column per sample; transposes are formed explicitly, so that products with them run as
//! blocked products. Below, h is what the next layer *sees* of what its units pass on: in networks with convolutions,
//! averages or biases its patches ([`layer`](crate::network::layer)), patch × (patches · N), and matrices of a layer
//! have a column per patch, those of one sample side by side; T is then the transpose of taking patches. With gates
//! `M_l`, `κ_l` and `μ_l` of the [`activation`](crate::activation) (κ = μ = 0 unless kinks are rounded) and the
//! weighted error signals `s_l` that reach the units, `e = α_n y_n`, or C × N where there are C outputs:
//! ```text
//! a_l = w_lᵀ h_{l−1},            h_l = g(a_l),             f = w_Lᵀ h_{L−1}
//! δ_l = M_l ∘ s_l,               δ_L = e
//! s_l = T(w_{l+1} δ_{l+1}) + h_l ∘ (1 1ᵀ(μ_{l+1} ∘ s_{l+1}))  (BP),   T(F_l δ_{l+1})  (FA),   b_l e  (DFA)
//! w_l' = h_{l−1} δ_lᵀ + w_l diag((κ_l ∘ s_l) 1)
//! a_l' = w_l'ᵀ h_{l−1} + w_lᵀ h_{l−1}',    h_l' = M_l ∘ a_l' + κ_l ∘ (w·w') + μ_l ∘ (h·h')
//! ```
//! On a sliding pair a = h = 0. M is set to zero there, and δ has an entry of its own, the *force* ν, that makes
//! `a' = 0`; the gate is ν/s. Everything is linear in (e, ν), and so is a': see [`forces`](super::forces).

use super::Setting;
use super::arguments::Arguments;
use super::pattern::Pattern;
use crate::activation::{Activation, Argument, Formula, Row};
use crate::network::View;
use crate::network::signals::Held;
use nalgebra::{DMatrix, DVector};
use pulp::{Arch, Simd, WithSimd};

/// Forward pass at θ with everything the other passes need of the activation.
#[derive(Clone)]
pub(super) struct Forward<'a> {
    pub setting: &'a Setting,
    pub pattern: Option<&'a Pattern>,
    /// `w_1 … w_L`
    pub w: Vec<View<'a>>,
    /// `h_0 … h_{L−1}`, as the next layer sees them.
    pub h: Vec<DMatrix<f64>>,
    /// `a_1 … a_{L−1}`
    pub a: Vec<DMatrix<f64>>,
    /// `M_1 … M_{L−1}`
    pub gates: Vec<DMatrix<f64>>,
    /// Per hidden layer; empty unless kinks are rounded.
    pub curves: Vec<Curve>,
}

/// What the derivatives of a rounded activation have beyond its gates, units × N.
#[derive(Clone)]
pub(super) struct Curve {
    pub arguments: Arguments,
    /// `∂g/∂w = M h + κ w`
    pub kappa: DMatrix<f64>,
    /// `∂g/∂h = M w + μ h`
    pub mu: DMatrix<f64>,
}

/// `x_j·y_j` of the columns.
pub(super) fn column_products(x: &DMatrix<f64>, y: &DMatrix<f64>) -> DVector<f64> {
    let products = x.column_iter().zip(y.column_iter());
    DVector::from_iterator(x.ncols(), products.map(|(x, y)| x.dot(&y)))
}

/// `k_j m_jn`
pub(super) fn scale_rows(mut m: DMatrix<f64>, k: &DVector<f64>) -> DMatrix<f64> {
    for mut column in m.column_iter_mut() {
        column.component_mul_assign(k);
    }
    m
}

/// `m_jn k_n`
pub(super) fn scale_columns(mut m: DMatrix<f64>, k: &DVector<f64>) -> DMatrix<f64> {
    for (mut column, k) in m.column_iter_mut().zip(k.iter()) {
        column *= *k;
    }
    m
}

/// Sums over units, length N.
pub(super) fn over_units(m: &DMatrix<f64>) -> DVector<f64> {
    m.row_sum().transpose()
}

/// Outputs, gates and curve of a layer whose kinks are rounded, all in one pass over the preactivations a.
pub(super) struct Bent {
    pub outputs: DMatrix<f64>,
    pub gates: DMatrix<f64>,
    pub curve: Curve,
}

impl Bent {
    pub(super) fn new(
        activation: Activation,
        w: &View<'_>,
        inputs: &DMatrix<f64>,
        a: &DMatrix<f64>,
    ) -> Self {
        let blank = || DMatrix::zeros(a.nrows(), a.ncols());
        let mut arguments = Arguments::sizes(w, inputs);
        arguments.roots = blank();
        let mut bent = Self {
            outputs: a.clone(),
            gates: blank(),
            curve: Curve {
                arguments,
                kappa: blank(),
                mu: blank(),
            },
        };
        for n in 0..a.ncols() {
            let outputs = bent.outputs.column_mut(n);
            let known = Arch::new().dispatch(BendColumn {
                activation,
                weights: bent.curve.arguments.weights.as_slice(),
                input: bent.curve.arguments.inputs[n],
                outputs: outputs.data.into_slice_mut(),
                gates: bent.gates.column_mut(n).data.into_slice_mut(),
                roots: bent
                    .curve
                    .arguments
                    .roots
                    .column_mut(n)
                    .data
                    .into_slice_mut(),
                kappa: bent.curve.kappa.column_mut(n).data.into_slice_mut(),
                mu: bent.curve.mu.column_mut(n).data.into_slice_mut(),
            });
            if !known {
                bent.bend_again(activation, n, a);
            }
        }
        bent
    }

    /// The same for a sample of which squares overflow or vanish.
    fn bend_again(&mut self, activation: Activation, n: usize, a: &DMatrix<f64>) {
        let arguments = &mut self.curve.arguments;
        for j in 0..a.nrows() {
            let lengths = (arguments.weights[j] * arguments.inputs[n]).sqrt();
            arguments.roots[(j, n)] = activation.root(a[(j, n)], lengths);
            let at = arguments.at((j, n), a[(j, n)]);
            self.outputs[(j, n)] = activation.value(at);
            self.gates[(j, n)] = activation.gate(at);
            self.curve.kappa[(j, n)] = activation.of_weights(at);
            self.curve.mu[(j, n)] = activation.of_inputs(at);
        }
    }
}

/// One sample of a layer, slices over units; `outputs` holds the preactivations on entry.
struct BendColumn<'a> {
    activation: Activation,
    /// `‖w_j‖²`
    weights: &'a [f64],
    /// `‖h_n‖²`
    input: f64,
    outputs: &'a mut [f64],
    gates: &'a mut [f64],
    roots: &'a mut [f64],
    kappa: &'a mut [f64],
    mu: &'a mut [f64],
}

/// Roots within these bounds have squares that are numbers with all their digits.
const SQUARES: (f64, f64) = (1e-140, 1e140);

impl WithSimd for BendColumn<'_> {
    type Output = bool;

    /// Whether all roots are within [`SQUARES`].
    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> bool {
        // a root is symmetric in weights and inputs
        self.activation.bend(Row {
            outputs: self.outputs,
            gates: self.gates,
            inverse_roots: self.roots,
            weights: self.input,
            inputs: self.weights,
        });
        let stretch = self.activation.stretch();
        let pairs = self.roots.iter_mut().zip(self.weights);
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for (((root, width), kappa), mu) in pairs.zip(self.kappa).zip(self.mu) {
            let scaled = stretch * *root;
            *kappa = scaled * self.input;
            *mu = scaled * width;
            *root = 1.0 / *root;
            least = if *root < least { *root } else { least };
            most = if *root > most { *root } else { most };
        }
        least > SQUARES.0 && most < SQUARES.1
    }
}

impl<'a> Forward<'a> {
    pub(super) fn new(
        setting: &'a Setting,
        pattern: Option<&'a Pattern>,
        theta: &'a [f64],
    ) -> Self {
        let w = setting.layout.views(theta);
        let mut pass = Self {
            setting,
            pattern,
            h: vec![setting.inputs.clone()],
            a: Vec::with_capacity(w.len() - 1),
            gates: Vec::with_capacity(w.len() - 1),
            curves: Vec::new(),
            w,
        };
        for l in 0..pass.w.len() - 1 {
            let inputs = &pass.h[l];
            let a = pass.w[l].transpose() * inputs;
            let g = setting.layers[l].activation;
            let (h, gates) = if setting.is_rounded() {
                let Bent {
                    outputs: mut h,
                    mut gates,
                    mut curve,
                } = Bent::new(g, &pass.w[l], inputs, &a);
                let resting = pattern.into_iter().flat_map(Pattern::resting);
                for (_, unit) in resting.filter(|(layer, _)| *layer == l) {
                    for of_unit in [&mut h, &mut gates, &mut curve.kappa, &mut curve.mu] {
                        of_unit.row_mut(unit).fill(0.0);
                    }
                }
                pass.curves.push(curve);
                (h, gates)
            } else if g.curved() {
                let at = a.map(Argument::of);
                (at.map(|at| g.value(at)), at.map(|at| g.gate(at)))
            } else {
                let gates = match pattern.filter(|_| g.kink().is_some()) {
                    Some(pattern) => pattern.gates(l),
                    None => a.map(|a| g.gate(Argument::of(a))),
                };
                (a.component_mul(&gates), gates)
            };
            pass.h.push(setting.taken(l + 1, h, true));
            pass.a.push(a);
            pass.gates.push(gates);
        }
        pass
    }

    /// Number of hidden layers L − 1.
    pub(super) fn hidden(&self) -> usize {
        self.gates.len()
    }

    /// f, C × N.
    pub(super) fn outputs(&self) -> DMatrix<f64> {
        self.w[self.hidden()].tr_mul(&self.h[self.hidden()])
    }
}

/// Error signals, velocity and rates at a point `(θ, e, ν)`.
pub(super) struct Motion {
    /// e, C × N
    pub output: DMatrix<f64>,
    /// `s_1 … s_{L−1}`
    pub signals: Vec<DMatrix<f64>>,
    /// `δ_1 … δ_{L−1}`, with the forces of sliding pairs
    pub errors: Vec<DMatrix<f64>>,
    /// `w_1' … w_L'`
    pub velocity: Vec<DMatrix<f64>>,
    /// `a_1' … a_{L−1}'`
    pub a_dot: Vec<DMatrix<f64>>,
    /// `h_0' … h_{L−1}'`
    pub h_dot: Vec<DMatrix<f64>>,
    /// f', C × N
    pub output_rates: DMatrix<f64>,
    /// ν of the sliding pairs, in order
    pub forces: DVector<f64>,
}

impl Forward<'_> {
    /// Error signals s and errors δ of the hidden layers, computed from the last down, returned in order.
    fn signals_and_errors(
        &self,
        output: &DMatrix<f64>,
        forces: &DVector<f64>,
    ) -> (Vec<DMatrix<f64>>, Vec<DMatrix<f64>>) {
        let hidden = self.hidden();
        let mut signals = Vec::with_capacity(hidden);
        let mut errors: Vec<DMatrix<f64>> = Vec::with_capacity(hidden);
        for l in (0..hidden).rev() {
            let above = errors.last().unwrap_or(output);
            let s = match &self.setting.signals {
                Held::Backward => {
                    let mut s = self.setting.given_back(l + 1, self.w[l + 1] * above);
                    if let (Some(curve), Some(s_above)) = (self.curves.get(l + 1), signals.last()) {
                        let through_size = over_units(&curve.mu.component_mul(s_above));
                        s += scale_columns(self.h[l + 1].clone(), &through_size);
                    }
                    s
                }
                Held::Layerwise(f) => self.setting.given_back(l + 1, &f[l] * above),
                Held::Direct(b) => self.setting.arrived(l, &b[l] * output),
            };
            let mut delta = s.component_mul(&self.gates[l]);
            self.add_forces(l, forces, &mut delta);
            signals.push(s);
            errors.push(delta);
        }
        signals.reverse();
        errors.reverse();
        (signals, errors)
    }

    /// Under errors e of the outputs and forces of the sliding pairs.
    pub(super) fn motion_with(&self, output: DMatrix<f64>, forces: DVector<f64>) -> Motion {
        let hidden = self.hidden();
        let (signals, errors) = self.signals_and_errors(&output, &forces);
        let mut velocity = Vec::with_capacity(hidden + 1);
        let mut a_dot = Vec::with_capacity(hidden);
        let mut h_dot = vec![DMatrix::zeros(self.h[0].nrows(), self.h[0].ncols())];
        for l in 0..hidden {
            let mut v = &self.h[l] * errors[l].transpose();
            if let Some(curve) = self.curves.get(l) {
                v += scale_columns(
                    self.w[l].clone_owned(),
                    &curve.kappa.component_mul(&signals[l]).column_sum(),
                );
            }
            let mut rate = v.transpose() * &self.h[l];
            if l > 0 {
                rate += self.w[l].transpose() * &h_dot[l];
            }
            let mut moved = rate.component_mul(&self.gates[l]);
            if let Some(curve) = self.curves.get(l) {
                let along = column_products(&self.w[l].clone_owned(), &v);
                moved += scale_rows(curve.kappa.clone(), &along);
                let inward = column_products(&self.h[l], &h_dot[l]);
                moved += scale_columns(curve.mu.clone(), &inward);
            }
            velocity.push(v);
            a_dot.push(rate);
            h_dot.push(self.setting.taken(l + 1, moved, false));
        }
        let last = &self.h[hidden] * output.transpose();
        let output_rates = last.tr_mul(&self.h[hidden]) + self.w[hidden].tr_mul(&h_dot[hidden]);
        velocity.push(last);
        Motion {
            output,
            signals,
            errors,
            velocity,
            a_dot,
            h_dot,
            output_rates,
            forces,
        }
    }
}
