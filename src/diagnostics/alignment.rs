//! Alignment of the layers with the feedback under DFA.
//!
//! From zero initial weights (report, Proposition 1; its recursion A.1 is misprinted) every layer is a multiple of one
//! outer product for all times: `w_1 = Z b_1ᵀ`, `w_l = φ_l b_{l−1} b_lᵀ` (l = 2..L, `b_L = 1`), with `φ_2 = ½‖Z‖²`,
//! `φ_{l+1} = ½‖b_{l−1}‖² φ_l²`. Here Z is read off the first layer and each φ_l off its own layer; the distance from
//! the outer products and the recursion are measured independently of each other.

use crate::problem::Problem;
use crate::theory::{OuterProducts, Theory};
use nalgebra::DMatrix;

/// The alignment scalars of a DFA run.
#[derive(Debug, Clone)]
pub struct Alignment {
    /// `φ_l(t) = b_{l−1}ᵀ w_l b_l / (‖b_{l−1}‖²‖b_l‖²)`, rows l = 2..L, (L−1) × T.
    pub phi: DMatrix<f64>,
    /// The closed form from `Z = (w_1 − w_1(0)) b_1/‖b_1‖²`, same shape (exact from zero weights).
    pub closed_form: DMatrix<f64>,
    /// `‖w_l − φ_l b_{l−1}b_lᵀ‖/‖w_l‖`, and for l = 1 `‖w_1 − Z b_1ᵀ‖/‖w_1‖`; L × T, 0 while `w_l = 0`.
    pub residual: DMatrix<f64>,
}

impl Alignment {
    /// Relative differences between φ_l and its closed form, rows l = 2..L, (L−1) × T; 0 while both vanish.
    pub fn recursion(&self) -> DMatrix<f64> {
        self.phi.zip_map(&self.closed_form, |phi, closed| {
            match phi.abs().max(closed.abs()) {
                0.0 => 0.0,
                size => (phi - closed).abs() / size,
            }
        })
    }
}

pub(super) struct Builder {
    law: OuterProducts,
    first_layer: DMatrix<f64>,
    alignment: Alignment,
}

impl Builder {
    /// `None` unless theory predicts that layers align with outer products of their feedback.
    pub(super) fn new(problem: &Problem, theory: &Theory, saves: usize) -> Option<Self> {
        let law = theory.alignment.as_ref()?.outer_products()?.clone();
        let depth = law.feedback.len();
        Some(Self {
            law,
            first_layer: problem
                .network()
                .weights(problem.theta0().as_slice())
                .swap_remove(0),
            alignment: Alignment {
                phi: DMatrix::zeros(depth - 1, saves),
                closed_form: DMatrix::zeros(depth - 1, saves),
                residual: DMatrix::zeros(depth, saves),
            },
        })
    }

    pub(super) fn record(&mut self, k: usize, weights: &[DMatrix<f64>]) {
        let b = &self.law.feedback;
        let z = (&weights[0] - &self.first_layer) * &b[0] / b[0].norm_squared();
        let mut closed = 0.5 * z.norm_squared();
        let relative = |distance: f64, w: &DMatrix<f64>| match w.norm() {
            0.0 => 0.0,
            norm => distance / norm,
        };
        let rest = &weights[0] - &z * b[0].transpose();
        self.alignment.residual[(0, k)] = relative(rest.norm(), &weights[0]);
        for (l, phi) in (2..).zip(self.law.phi(weights)) {
            let (w, before, after) = (&weights[l - 1], &b[l - 2], &b[l - 1]);
            self.alignment.phi[(l - 2, k)] = phi;
            self.alignment.closed_form[(l - 2, k)] = closed;
            closed = 0.5 * before.norm_squared() * closed * closed;
            let rest = w - before * after.transpose() * phi;
            self.alignment.residual[(l - 1, k)] = relative(rest.norm(), w);
        }
    }

    /// `None` where the scalars, which grow like the 2^L-th power of Z and shrink like that of the feedback, leave the
    /// range of f64.
    pub(super) fn finish(self) -> Option<Alignment> {
        let a = self.alignment;
        let mut all = a
            .phi
            .iter()
            .chain(a.closed_form.iter())
            .chain(a.residual.iter());
        all.all(|x| x.is_finite()).then_some(a)
    }
}
