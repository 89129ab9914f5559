//! Conserved matrices of fully connected linear networks with several outputs.
//!
//! Fixed feedback (`F_L = 1`): `w_lᵀw_l − (U F_lᵀ + F_l Uᵀ)` with `U = w_{l+1}(F_{l+1}⁺)ᵀ`, since `w_l' = h_{l−1}F_lᵀ`,
//! `h_l = w_lᵀh_{l−1}` and so `U' = h_l`; this needs `F_{l+1}⁺F_{l+1}` to be the identity on differences of outputs.
//! BP: `w_lᵀw_l − w_{l+1}w_{l+1}ᵀ`.

use super::matrices::{balance, whole};
use super::{Conserved, subscript};
use crate::network::{Architecture, FullyConnectedLinear, Layout};
use crate::problem::Problem;
use crate::theory::Errors;
use crate::theory::classes::inverse_on_differences;
use nalgebra::DMatrix;

pub(super) fn conserved(
    problem: &Problem,
    network: &FullyConnectedLinear,
    errors: &Errors,
) -> Vec<Conserved> {
    let layout = network.layout();
    let hidden = 1..layout.depth();
    match (errors, problem.feedback_matrices()) {
        (Errors::Backward, _) => hidden.map(|l| balance(layout, l)).collect(),
        (Errors::Fixed { .. }, Some(mut feedback)) => {
            let outputs = network.outputs();
            feedback.push(DMatrix::identity(outputs, outputs));
            hidden
                .filter_map(|l| under_feedback(layout, l, &feedback[l - 1], &feedback[l]))
                .collect()
        }
        (Errors::Fixed { .. } | Errors::Other, _) => Vec::new(),
    }
}

fn under_feedback(
    layout: &Layout,
    l: usize,
    this: &DMatrix<f64>,
    next: &DMatrix<f64>,
) -> Option<Conserved> {
    let inverse = inverse_on_differences(next)?;
    let (layout, this) = (layout.clone(), this.clone());
    let reach = 2.0 * this.norm() * inverse.norm();
    let (here, above) = (subscript(l), subscript(l + 1));
    let formula = format!("w{here}ᵀw{here} − (U F{here}ᵀ + F{here} Uᵀ), U = w{above}(F{above}⁺)ᵀ");
    Some(Conserved::new(
        "feedback-matrix",
        l,
        formula,
        move |theta| {
            let mut w = layout.views(theta);
            let (w_next, w) = (w.swap_remove(l), w.swap_remove(l - 1));
            let outer = w_next * inverse.transpose() * this.transpose();
            whole(
                w.tr_mul(&w) - (&outer + outer.transpose()),
                w.norm_squared() + 2.0 * outer.norm(),
                2.0 * w.norm() + reach,
            )
        },
    ))
}
