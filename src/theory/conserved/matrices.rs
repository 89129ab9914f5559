//! Conserved matrices and scalars of fully connected linear networks.
//!
//! Fixed feedback (`b_L = 1`, `u = w_{l+1}b_{l+1}/‖b_{l+1}‖²`): `w_lᵀw_l − (u b_lᵀ + b_l uᵀ)`,
//! `½‖w_l b_l‖²/‖b_l‖² − b_l·u`, and the part of `w_l − w_l(0)` off `b_lᵀ`, which stays zero. BP:
//! `w_lᵀw_l − w_{l+1}w_{l+1}ᵀ`.

use super::{Conserved, Measured, subscript};
use crate::network::{Architecture, FullyConnectedLinear, Layout, View};
use crate::problem::Problem;
use crate::theory::Errors;
use nalgebra::{DMatrix, DVector};
use std::sync::Arc;

pub(super) fn conserved(
    problem: &Problem,
    network: &FullyConnectedLinear,
    errors: &Errors,
) -> Vec<Conserved> {
    let hidden = 1..network.layout().depth();
    match (errors, problem.feedback()) {
        (Errors::Backward, _) => hidden.map(|l| balance(network.layout(), l)).collect(),
        (Errors::Fixed { .. }, Some(mut feedback)) => {
            feedback.push(DVector::from_element(1, 1.0));
            hidden
                .flat_map(|l| {
                    let pair = Arc::new(Pair {
                        layout: network.layout().clone(),
                        layer: l,
                        this: Scaled::new(&feedback[l - 1]),
                        next: Scaled::new(&feedback[l]),
                    });
                    let start = &problem.theta0().as_slice()[network.layout().range(l - 1)];
                    under_feedback(&pair, start.to_vec())
                })
                .collect()
        }
        (Errors::Fixed { .. } | Errors::Other, _) => Vec::new(),
    }
}

/// b in units of its largest entry: squares of small entries would underflow.
struct Scaled {
    b: DVector<f64>,
    size: f64,
}

impl Scaled {
    fn new(b: &DVector<f64>) -> Self {
        Self {
            b: b / b.amax(),
            size: b.amax(),
        }
    }
}

/// Two layers in a row and their feedback.
struct Pair {
    layout: Layout,
    /// l
    layer: usize,
    this: Scaled,
    next: Scaled,
}

impl Pair {
    /// `w_l`, and `u = w_{l+1}b_{l+1}/‖b_{l+1}‖²` in the units of `b_l`.
    fn at<'a>(&self, theta: &'a [f64]) -> (View<'a>, DVector<f64>) {
        let mut w = self.layout.views(theta);
        let (next, this) = (w.swap_remove(self.layer), w.swap_remove(self.layer - 1));
        let Scaled { b, size } = &self.next;
        let u = next * b * (self.this.size / (size * b.norm_squared()));
        (this, u)
    }

    /// `‖b_l‖/‖b_{l+1}‖`, which is how much `u b_lᵀ` changes with `w_{l+1}`.
    fn ratio(&self) -> f64 {
        let norm = |scaled: &Scaled| scaled.size * scaled.b.norm();
        norm(&self.this) / norm(&self.next)
    }
}

/// `w_lᵀw_l − w_{l+1}w_{l+1}ᵀ`, of gradient descent.
pub(super) fn balance(layout: &Layout, l: usize) -> Conserved {
    let (this, next) = (subscript(l), subscript(l + 1));
    let formula = format!("w{this}ᵀw{this} − w{next}w{next}ᵀ");
    let layout = layout.clone();
    Conserved::new("balance", l, formula, move |theta| {
        let w = layout.views(theta);
        let (this, next) = (&w[l - 1], &w[l]);
        whole(
            this.tr_mul(this) - next * next.transpose(),
            this.norm_squared() + next.norm_squared(),
            0.0,
        )
    })
}

fn under_feedback(pair: &Arc<Pair>, start: Vec<f64>) -> [Conserved; 3] {
    let l = pair.layer;
    let (this, next) = (subscript(l), subscript(l + 1));
    let matrix = {
        let formula = format!("w{this}ᵀw{this} − (u b{this}ᵀ + b{this} uᵀ), u ∝ w{next}b{next}");
        let pair = Arc::clone(pair);
        Conserved::new("feedback-matrix", l, formula, move |theta| {
            let (w, u) = pair.at(theta);
            let outer = &u * pair.this.b.transpose();
            whole(
                w.tr_mul(&w) - (&outer + outer.transpose()),
                w.norm_squared() + 2.0 * outer.norm(),
                2.0 * (w.norm() + pair.ratio()),
            )
        })
    };
    let scalar = {
        let formula = format!("½‖w{this}b{this}‖²/‖b{this}‖² − b{this}·u");
        let pair = Arc::clone(pair);
        Conserved::new("feedback-scalar", l, formula, move |theta| {
            let (w, u) = pair.at(theta);
            let b = &pair.this.b;
            let kinetic = 0.5 * (w * b).norm_squared() / b.norm_squared();
            let aligned = b.dot(&u);
            whole(
                DMatrix::from_element(1, 1, kinetic - aligned),
                kinetic + aligned.abs(),
                (2.0 * kinetic).sqrt() + pair.ratio(),
            )
        })
    };
    let direction = {
        let formula = format!("(w{this} − w{this}(0)) off b{this}ᵀ");
        let pair = Arc::clone(pair);
        Conserved::new("feedback-direction", l, formula, move |theta| {
            let w = pair.layout.views(theta).swap_remove(pair.layer - 1);
            let b = &pair.this.b;
            let update = w - View::from_slice(&start, w.nrows(), w.ncols());
            let along = &update * b / b.norm_squared();
            let size = update.norm();
            whole(update - along * b.transpose(), size, 1.0)
        })
    };
    [matrix, scalar, direction]
}

/// A quantity consisting of one part.
pub(super) fn whole(value: DMatrix<f64>, size: f64, reach: f64) -> Measured {
    Measured {
        value: value.data.into(),
        size,
        reach,
    }
}
