//! Conserved quantities per frequency of convolutional and diagonal networks with C outputs.
//!
//! BP: `|ŵ_l|² − |ŵ_{l+1}|²`, with `‖û‖²` over the outputs in the last layer. Fixed feedback: every hidden layer hears
//! another combination of the outputs, and only the last one has such a quantity,
//! `½|ŵ_{L−1}|² − Re Σ_c b̂_{L−1,c}^* û_c`, since `û_c' = P_L^* ẑ_c` and `ŵ_{L−1}' = P_{L−1}^* Σ_c b̂_{L−1,c}^* ẑ_c`.

use super::{Conserved, differences, subscript};
use crate::network::{Architecture, SpectralLinear};
use crate::problem::Problem;
use crate::theory::Errors;
use nalgebra::DMatrix;
use num_complex::Complex64;

pub(super) fn conserved(
    problem: &Problem,
    network: &SpectralLinear,
    errors: &Errors,
) -> Vec<Conserved> {
    let hidden = network.layout().depth() - 1;
    match (errors, problem.feedback_matrices()) {
        (Errors::Backward, _) => (1..=hidden).map(|l| balance(network, l)).collect(),
        (Errors::Fixed { .. }, Some(feedback)) => {
            let last = feedback.last().map(|b| under_feedback(network, b));
            last.into_iter().collect()
        }
        (Errors::Fixed { .. } | Errors::Other, _) => Vec::new(),
    }
}

fn balance(network: &SpectralLinear, l: usize) -> Conserved {
    let (this, next) = (subscript(l), subscript(l + 1));
    let hidden = network.layout().depth() - 1;
    let formula = match l == hidden {
        true => format!("|ŵ{this}|² − ‖û‖²"),
        false => format!("|ŵ{this}|² − |ŵ{next}|²"),
    };
    let network = network.clone();
    Conserved::new("balance", l, formula, move |theta| {
        let entries = network.transforms(theta);
        let above = if l == hidden { network.outputs() } else { 1 };
        differences(entries.row_iter().map(|entries| {
            let next: f64 = entries.columns(l, above).iter().map(|w| w.norm_sqr()).sum();
            (entries[l - 1].norm_sqr(), next, 0.0)
        }))
    })
}

fn under_feedback(network: &SpectralLinear, last: &DMatrix<f64>) -> Conserved {
    let hidden = network.layout().depth() - 1;
    let this = subscript(hidden);
    let formula = format!("½|ŵ{this}|² − Re Σ_c b̂{this}_c* û_c");
    let transforms: Vec<_> = (last.column_iter())
        .map(|b| network.transform(&b.into_owned()))
        .collect();
    let network = network.clone();
    Conserved::new("feedback-scalar", hidden, formula, move |theta| {
        let entries = network.transforms(theta);
        differences(entries.row_iter().enumerate().map(|(d, entries)| {
            let w = entries[hidden - 1];
            let heard: Complex64 = (transforms
                .iter()
                .zip(entries.columns(hidden, transforms.len()).iter()))
            .map(|(b, u)| b[d].conj() * u)
            .sum();
            let reach: f64 = transforms.iter().map(|b| b[d].norm()).sum();
            (0.5 * w.norm_sqr(), heard.re, w.norm() + reach)
        }))
    })
}
