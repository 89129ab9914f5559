//! Conserved quantities per frequency where layers act entrywise.
//!
//! Fixed feedback: `½|ŵ_l|² − Re(ŵ_{l+1} b̂_l^*/b̂_{l+1}^*)` (`b̂_L = 1`), since
//! `(½|ŵ_l|²)' = Re(ŵ_1^*⋯ŵ_l^* b̂_l^* ẑ)` and `ŵ_{l+1}' = ŵ_1^*⋯ŵ_l^* b̂_{l+1}^* ẑ`. Frequencies the feedback
//! `b̂_{l+1}` does not reach have no such quantity. BP: `|ŵ_l|² − |ŵ_{l+1}|²`. All frequencies together are one vector,
//! whose drift is relative to its terms, as for the matrices of fully connected networks: early in a run frequencies
//! that the data or the feedback hardly reach are as small as the absolute tolerance, and a drift of their own would
//! say nothing.

use super::{Conserved, differences, subscript};
use crate::network::{Architecture, SpectralLinear};
use crate::problem::Problem;
use crate::theory::Errors;
use nalgebra::DVector;
use num_complex::Complex64;

pub(super) fn conserved(
    problem: &Problem,
    network: &SpectralLinear,
    errors: &Errors,
) -> Vec<Conserved> {
    let hidden = 1..network.layout().depth();
    match (errors, problem.feedback()) {
        (Errors::Backward, _) => hidden.map(|l| balance(network, l)).collect(),
        (Errors::Fixed { .. }, Some(feedback)) => {
            let mut transforms: Vec<_> = feedback.iter().map(|b| network.transform(b)).collect();
            let output = DVector::from_element(network.frequencies().len(), Complex64::ONE);
            transforms.push(output);
            hidden
                .map(|l| under_feedback(network, l, &transforms[l - 1], &transforms[l]))
                .collect()
        }
        (Errors::Fixed { .. } | Errors::Other, _) => Vec::new(),
    }
}

fn balance(network: &SpectralLinear, l: usize) -> Conserved {
    let (this, next) = (subscript(l), subscript(l + 1));
    let formula = format!("|ŵ{this}|² − |ŵ{next}|²");
    let entries = layers(network, l);
    Conserved::new("balance", l, formula, move |theta| {
        differences(entries(theta).map(|(this, next)| (this.norm_sqr(), next.norm_sqr(), 0.0)))
    })
}

fn under_feedback(
    network: &SpectralLinear,
    l: usize,
    b_l: &DVector<Complex64>,
    b_next: &DVector<Complex64>,
) -> Conserved {
    let (this, next) = (subscript(l), subscript(l + 1));
    let formula = format!("½|ŵ{this}|² − Re(ŵ{next} b̂{this}*/b̂{next}*)");
    let entries = layers(network, l);
    let ratios: Vec<Option<Complex64>> = (b_l.iter().zip(b_next.iter()))
        .map(|(b_l, b_next)| (*b_next != Complex64::ZERO).then(|| (b_l / b_next).conj()))
        .collect();
    Conserved::new("feedback-scalar", l, formula, move |theta| {
        let reached = entries(theta)
            .zip(&ratios)
            .filter_map(|(entry, ratio)| Some((entry, (*ratio)?)));
        differences(reached.map(|((this, next), ratio)| {
            let (kinetic, aligned) = (0.5 * this.norm_sqr(), (next * ratio).re);
            (kinetic, aligned, this.norm() + ratio.norm())
        }))
    })
}

/// `(ŵ_l[d], ŵ_{l+1}[d])` over the half spectrum.
fn layers(
    network: &SpectralLinear,
    l: usize,
) -> impl Fn(&[f64]) -> Box<dyn Iterator<Item = (Complex64, Complex64)>> + Send + Sync + 'static {
    let frequencies = network.frequencies();
    let dimension = network.dimension();
    move |theta| {
        let layer = |l: usize| &theta[l * dimension..(l + 1) * dimension];
        let (this, next) = (layer(l - 1), layer(l));
        let entries: Vec<_> = (frequencies.iter())
            .map(|f| (f.entry(this), f.entry(next)))
            .collect();
        Box::new(entries.into_iter())
    }
}
