//! Conserved quantities: the integrator's own error bars.
//!
//! Each is exact for the continuous flow from any initial weights, so its drift measures the run. With `b_L = 1` and
//! `u = w_{l+1} b_{l+1}/‖b_{l+1}‖²`:
//! - DFA: the matrix `w_lᵀw_l − (u b_lᵀ + b_l uᵀ)` (`feedback-matrix-l`); its scalar projection
//!   `½‖w_l b_l‖²/‖b_l‖² − b_l·u` (`feedback-scalar-l`); and the update's component off `b_l`,
//!   `(w_l − w_l(0))(1 − b_l b_lᵀ/‖b_l‖²) = 0` (`feedback-direction-l`).
//! - BP: the matrix `w_lᵀw_l − w_{l+1}w_{l+1}ᵀ` (`balance-l`).
//!
//! Drifts are relative: the change since the start over the sum of the norms of the terms.

use crate::problem::Problem;
use crate::rule::Rule;
use nalgebra::{DMatrix, DVector};

/// A conserved quantity, as relative drift along the run.
#[derive(Debug, Clone)]
pub struct Invariant {
    /// Key in reports, with the layer l: `feedback-matrix-l`, `feedback-scalar-l`, `feedback-direction-l`, `balance-l`.
    pub name: String,
    /// The conserved quantity as a formula, for legends.
    pub formula: String,
    /// Relative drift at each save, length T.
    pub drift: Vec<f64>,
}

impl Invariant {
    /// Largest drift over the run.
    pub fn worst(&self) -> f64 {
        self.drift.iter().copied().fold(0.0, f64::max)
    }
}

/// A quantity at one time, and the size of its terms there.
struct Measured {
    value: DMatrix<f64>,
    size: f64,
}

pub(super) struct Tracker {
    /// `b_1 … b_L` with `b_L = 1`, under DFA.
    feedback: Option<Vec<DVector<f64>>>,
    start: Vec<Measured>,
    first_weights: Vec<DMatrix<f64>>,
    invariants: Vec<Invariant>,
}

impl Tracker {
    pub fn new(problem: &Problem) -> Self {
        let depth = problem.network.depth();
        let feedback = problem.feedback().map(|mut b| {
            b.push(DVector::from_element(1, 1.0));
            b
        });
        let mut named = Vec::new();
        for l in 1..depth {
            let (l, next) = (subscript(l), subscript(l + 1));
            match problem.rule {
                Rule::DirectFeedbackAlignment(_) | Rule::FeedbackAlignment(_) => named.extend([
                    (
                        "feedback-matrix",
                        format!("w{l}ᵀw{l} − (u b{l}ᵀ + b{l} uᵀ), u ∝ w{next}b{next}"),
                    ),
                    ("feedback-scalar", format!("½‖w{l}b{l}‖²/‖b{l}‖² − b{l}·u")),
                    ("feedback-direction", format!("(w{l} − w{l}(0)) off b{l}ᵀ")),
                ]),
                Rule::GradientDescent => {
                    named.push(("balance", format!("w{l}ᵀw{l} − w{next}w{next}ᵀ")));
                }
            }
        }
        let per_layer = named.len() / depth.saturating_sub(1).max(1);
        let invariants = named
            .into_iter()
            .enumerate()
            .map(|(i, (name, formula))| Invariant {
                name: format!("{name}-{}", i / per_layer + 1),
                formula,
                drift: Vec::new(),
            })
            .collect();
        let mut tracker = Self {
            feedback,
            start: Vec::new(),
            first_weights: problem.network.weights(problem.theta0.as_slice()),
            invariants,
        };
        tracker.start = tracker.measure(&tracker.first_weights);
        tracker
    }

    fn measure(&self, w: &[DMatrix<f64>]) -> Vec<Measured> {
        let mut measured = Vec::new();
        for l in 1..w.len() {
            let (w_l, next) = (&w[l - 1], &w[l]);
            match &self.feedback {
                Some(b) => {
                    let (b_l, b_next) = (&b[l - 1], &b[l]);
                    let u = next * b_next / b_next.norm_squared();
                    let outer = &u * b_l.transpose();
                    measured.push(Measured {
                        value: w_l.tr_mul(w_l) - (&outer + outer.transpose()),
                        size: w_l.norm_squared() + 2.0 * outer.norm(),
                    });
                    let kinetic = 0.5 * (w_l * b_l).norm_squared() / b_l.norm_squared();
                    let aligned = b_l.dot(&u);
                    measured.push(Measured {
                        value: DMatrix::from_element(1, 1, kinetic - aligned),
                        size: kinetic + aligned.abs(),
                    });
                    let update = w_l - &self.first_weights[l - 1];
                    let along = &update * b_l / b_l.norm_squared();
                    measured.push(Measured {
                        size: update.norm(),
                        value: update - along * b_l.transpose(),
                    });
                }
                None => measured.push(Measured {
                    value: w_l.tr_mul(w_l) - next * next.transpose(),
                    size: w_l.norm_squared() + next.norm_squared(),
                }),
            }
        }
        measured
    }

    pub fn record(&mut self, weights: &[DMatrix<f64>]) {
        let now = self.measure(weights);
        for ((invariant, start), now) in self.invariants.iter_mut().zip(&self.start).zip(now) {
            let change = (now.value - &start.value).norm();
            let size = now.size + start.size;
            invariant
                .drift
                .push(if change == 0.0 { 0.0 } else { change / size });
        }
    }

    pub fn finish(self) -> Vec<Invariant> {
        self.invariants
    }
}

/// l as a subscript.
fn subscript(l: usize) -> String {
    l.to_string()
        .chars()
        .filter_map(|c| char::from_u32('₀' as u32 + c.to_digit(10)?))
        .collect()
}
