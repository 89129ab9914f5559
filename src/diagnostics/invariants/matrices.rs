//! Conserved matrices and scalars of fully connected linear networks.
//!
//! Fixed feedback (`b_L = 1`, `u = w_{l+1}b_{l+1}/‖b_{l+1}‖²`): `w_lᵀw_l − (u b_lᵀ + b_l uᵀ)`,
//! `½‖w_l b_l‖²/‖b_l‖² − b_l·u`, and the part of `w_l − w_l(0)` off `b_lᵀ`, which stays zero. BP:
//! `w_lᵀw_l − w_{l+1}w_{l+1}ᵀ`.

use super::{Invariant, Measure, Measured, subscript};
use crate::problem::Problem;
use nalgebra::{DMatrix, DVector};

pub fn conserved(problem: &Problem) -> (Vec<Invariant>, Measure) {
    let depth = problem.network.depth();
    let feedback = problem.feedback().map(|mut b| {
        b.push(DVector::from_element(1, 1.0));
        let scaled = b.into_iter().map(|b| (&b / b.amax(), b.amax()));
        scaled.collect::<Vec<_>>()
    });
    let mut invariants = Vec::new();
    for l in 1..depth {
        let (this, next) = (subscript(l), subscript(l + 1));
        let mut add = |name, formula| invariants.push(Invariant::new(name, l, formula));
        match feedback {
            Some(_) => {
                add(
                    "feedback-matrix",
                    format!("w{this}ᵀw{this} − (u b{this}ᵀ + b{this} uᵀ), u ∝ w{next}b{next}"),
                );
                add(
                    "feedback-scalar",
                    format!("½‖w{this}b{this}‖²/‖b{this}‖² − b{this}·u"),
                );
                add(
                    "feedback-direction",
                    format!("(w{this} − w{this}(0)) off b{this}ᵀ"),
                );
            }
            None => add("balance", format!("w{this}ᵀw{this} − w{next}w{next}ᵀ")),
        }
    }
    let network = problem.network.clone();
    let first_weights = network.weights(problem.theta0.as_slice());
    let measure = move |theta: &[f64]| {
        let w = network.weights(theta);
        let mut measured = Vec::new();
        for l in 1..depth {
            let (w_l, next) = (&w[l - 1], &w[l]);
            match &feedback {
                Some(b) => {
                    let ((b_l, size), (b_next, size_next)) = (&b[l - 1], &b[l]);
                    // of b_l in units of its largest entry: squares of small ones would underflow
                    let u = next * b_next * (size / (size_next * b_next.norm_squared()));
                    let outer = &u * b_l.transpose();
                    measured.push(whole(
                        w_l.tr_mul(w_l) - (&outer + outer.transpose()),
                        w_l.norm_squared() + 2.0 * outer.norm(),
                    ));
                    let kinetic = 0.5 * (w_l * b_l).norm_squared() / b_l.norm_squared();
                    let aligned = b_l.dot(&u);
                    measured.push(whole(
                        DMatrix::from_element(1, 1, kinetic - aligned),
                        kinetic + aligned.abs(),
                    ));
                    let update = w_l - &first_weights[l - 1];
                    let along = &update * b_l / b_l.norm_squared();
                    let size = update.norm();
                    measured.push(whole(update - along * b_l.transpose(), size));
                }
                None => measured.push(whole(
                    w_l.tr_mul(w_l) - next * next.transpose(),
                    w_l.norm_squared() + next.norm_squared(),
                )),
            }
        }
        measured
    };
    (invariants, Box::new(measure))
}

/// A quantity of one part.
fn whole(value: DMatrix<f64>, size: f64) -> Measured {
    Measured {
        value: value.data.into(),
        size,
    }
}
