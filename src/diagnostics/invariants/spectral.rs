//! Conserved per frequency where layers act entry by entry.
//!
//! Fixed feedback: `½|ŵ_l|² − Re(ŵ_{l+1} b̂_l^*/b̂_{l+1}^*)` (`b̂_L = 1`), for
//! `(½|ŵ_l|²)' = Re(ŵ_1^*⋯ŵ_l^* b̂_l^* ẑ)` and `ŵ_{l+1}' = ŵ_1^*⋯ŵ_l^* b̂_{l+1}^* ẑ`. Frequencies the feedback `b̂_{l+1}` does
//! not reach have no such quantity. BP: `|ŵ_l|² − |ŵ_{l+1}|²`. All frequencies together are one vector, whose drift is
//! relative to its terms, as for the matrices of fully connected networks: early in a run frequencies that the data or the
//! feedback hardly reach are as small as the absolute tolerance, and a drift of their own would say nothing.

use super::{Invariant, Measure, Measured, subscript};
use crate::network::SpectralLinear;
use crate::problem::Problem;
use nalgebra::{DMatrix, DVector};
use num_complex::Complex64;

pub fn conserved(problem: &Problem, network: &SpectralLinear) -> (Vec<Invariant>, Measure) {
    let depth = problem.network.depth();
    // b̂_1 … b̂_L
    let feedback: Option<Vec<DVector<Complex64>>> = problem.feedback().map(|b| {
        let mut transforms: Vec<_> = b.iter().map(|b| network.transform(b)).collect();
        transforms.push(DVector::from_element(
            network.frequencies().len(),
            Complex64::ONE,
        ));
        transforms
    });
    let invariants = (1..depth)
        .map(|l| {
            let (this, next) = (subscript(l), subscript(l + 1));
            match &feedback {
                Some(_) => Invariant::new(
                    "feedback-scalar",
                    l,
                    format!("½|ŵ{this}|² − Re(ŵ{next} b̂{this}*/b̂{next}*)"),
                ),
                None => Invariant::new("balance", l, format!("|ŵ{this}|² − |ŵ{next}|²")),
            }
        })
        .collect();
    let network = network.clone();
    let measure = move |theta: &[f64]| {
        let w: DMatrix<Complex64> = network.transforms(theta);
        (1..depth)
            .map(|l| {
                let mut measured = Measured {
                    value: Vec::with_capacity(w.nrows()),
                    size: 0.0,
                };
                for d in 0..w.nrows() {
                    let (this, next) = (w[(d, l - 1)], w[(d, l)]);
                    let (a, b) = match &feedback {
                        None => (this.norm_sqr(), next.norm_sqr()),
                        Some(signals) => {
                            let (b_l, b_next) = (signals[l - 1][d], signals[l][d]);
                            if b_next == Complex64::ZERO {
                                continue;
                            }
                            let aligned = next * (b_l / b_next).conj();
                            (0.5 * this.norm_sqr(), aligned.re)
                        }
                    };
                    measured.value.push(a - b);
                    measured.size = measured.size.hypot(a + b.abs());
                }
                measured
            })
            .collect()
    };
    (invariants, Box::new(measure))
}
