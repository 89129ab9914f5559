//! What the first layer has learned, between bounds that theory proves: `a/Ψ ≤ ψ*(Z) ≤ R ≤ a/Ψ + C`, from other weights
//! than zero with a little more than R in the middle ([`theory::Sandwich`](crate::theory::Sandwich)).
//!
//! The four numbers come from four places: a from the multipliers accumulated along the run, Z from the weights of the
//! first layer, R from the length of the last, Ψ from the certified limit. All of them grow like a small power of log
//! t, `a ∝ (log t)^{1/(2^L−1)}`, so none leaves the range of doubles before log t does.

use crate::limit::Limit;
use crate::problem::Problem;
use crate::spectrum::Frequency;
use crate::theory::{self, Alignment, Theory};
use crate::trajectory::Trajectory;
use nalgebra::{DMatrix, DVector};

/// The bounds at every save (T).
#[derive(Debug, Clone)]
pub struct Sandwich {
    /// `a = Σ_n ∫_0^t α_n`.
    pub accumulated: Vec<f64>,
    /// `ψ*(Z)`, with Z read off the first layer.
    pub dual: Vec<f64>,
    /// R, from the length of the output layer.
    pub radius: Vec<f64>,
    /// The upper bound of ψ*(Z) that follows from the length of the output layer: R itself from zero weights.
    pub largest_dual: Vec<f64>,
    /// Ψ, the least value of ψ on `Gβ ≥ 1`.
    pub least: f64,
    /// C.
    pub constant: f64,
}

impl Sandwich {
    /// `ψ*(Z)Ψ/a − 1` at save k: how far Z/a is from the least point of the hull, in terms of ψ*; `None` while a = 0.
    pub fn dual_excess(&self, k: usize) -> Option<f64> {
        self.excess(k, &self.dual)
    }

    /// `RΨ/a − 1` at save k; `None` while a = 0.
    pub fn radius_excess(&self, k: usize) -> Option<f64> {
        self.excess(k, &self.radius)
    }

    /// `CΨ/a` at save k, which bounds the excess of R from above (and from zero weights that of ψ*(Z)); `None` while
    /// a = 0.
    pub fn bound(&self, k: usize) -> Option<f64> {
        let a = self.accumulated[k];
        (a > 0.0).then(|| self.constant * self.least / a)
    }

    fn excess(&self, k: usize, of: &[f64]) -> Option<f64> {
        let a = self.accumulated[k];
        (a > 0.0).then(|| of[k] * self.least / a - 1.0)
    }
}

pub(super) struct Builder<'a> {
    problem: &'a Problem,
    law: &'a theory::Sandwich,
    theory: &'a Theory,
    limit: &'a Limit,
    accumulated: &'a DMatrix<f64>,
    /// What the first layer was before the run.
    first: DMatrix<f64>,
    measured: Sandwich,
}

impl<'a> Builder<'a> {
    /// `None` where theory has no bounds, without a limit, and for runs that did not accumulate their multipliers.
    pub(super) fn new(
        problem: &'a Problem,
        theory: &'a Theory,
        trajectory: &'a Trajectory,
        limit: Option<&'a Limit>,
    ) -> Option<Self> {
        let (law, limit) = (theory.sandwich.as_ref()?, limit?);
        let margin = (problem.dataset().signed_samples() * &limit.beta).min();
        let least = limit.potential.value(&limit.beta) / margin;
        let mut start = problem.network().weights(problem.theta0().as_slice());
        let saves = trajectory.len();
        Some(Self {
            problem,
            law,
            theory,
            limit,
            accumulated: trajectory.accumulated.as_ref()?,
            first: start.swap_remove(0),
            measured: Sandwich {
                accumulated: Vec::with_capacity(saves),
                dual: Vec::with_capacity(saves),
                radius: Vec::with_capacity(saves),
                largest_dual: Vec::with_capacity(saves),
                constant: law.constant(least),
                least,
            },
        })
    }

    /// Measures save k, of these layers.
    pub(super) fn record(&mut self, k: usize, theta: &[f64], weights: &[DMatrix<f64>]) {
        let z = match (&self.theory.alignment, &self.theory.class_alignment) {
            (Some(law), _) => self.first_column(law, theta, &weights[0]),
            (None, Some(law)) => law.first_matrix(&weights[0]),
            (None, None) => return,
        };
        let output = &weights[weights.len() - 1];
        let m = &mut self.measured;
        m.accumulated.push(self.accumulated.column(k).sum());
        m.dual.push(self.limit.potential.dual(&z));
        let radius = self.law.radius(output.norm());
        m.radius.push(radius);
        m.largest_dual.push(self.law.largest_dual(radius));
    }

    /// Z, read off the first layer; zero at frequencies that the feedback does not reach.
    fn first_column(
        &self,
        alignment: &Alignment,
        theta: &[f64],
        first: &DMatrix<f64>,
    ) -> DVector<f64> {
        match alignment {
            Alignment::OuterProducts(law) => {
                let b = &law.feedback[0];
                (first - &self.first) * b / b.norm_squared()
            }
            Alignment::Frequencies(law) => {
                // from zero weights, and in the coordinates of θ: a transform would round what is small
                let entries: Vec<Frequency> = law.network.frequencies();
                let mut coordinates = DVector::zeros(self.problem.dataset().dimension());
                for (d, f) in entries.iter().enumerate().filter(|(d, _)| law.reached[*d]) {
                    let z = f.entry(theta) / law.feedback[0][d].conj();
                    f.set(coordinates.as_mut_slice(), z);
                }
                law.network.basis().original(&coordinates)
            }
        }
    }

    pub(super) fn finish(self) -> Sandwich {
        self.measured
    }
}
