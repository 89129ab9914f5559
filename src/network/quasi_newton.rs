//! The linearised implicit step of any kernel, by its tangent kernel.
//!
//! Of `dθ = r + c·d(velocity)` only the response to the multipliers is stiff, so only that is kept; the change of the
//! velocity with θ, which is of order one in the clock s, is left to the Newton iteration. Then
//! `dθ = r + c Σ_n 𝒢_n dE_n`, margins move by `A r + c K dE` and rates by `(∂m'/∂θ) r + K dE`, with A = ∂m/∂θ and
//! `K = A 𝒢` the tangent kernel. The iteration converges linearly with a factor of order c, instead of quadratically,
//! but to the same solution.

use super::{Closure, Kernel, LinearisedStep};
use nalgebra::{DMatrix, DVector};
use std::sync::Arc;

/// The linearised step of any [`Kernel`]; the module docs say which terms of the equations it keeps.
pub struct QuasiNewtonStep {
    kernel: Arc<dyn Kernel>,
    theta: Vec<f64>,
    multipliers: Vec<f64>,
    step: f64,
}

impl QuasiNewtonStep {
    /// The step at `(θ, α)`, lengths P and N, with c = `step`.
    pub fn new(kernel: &Arc<dyn Kernel>, theta: &[f64], multipliers: &[f64], step: f64) -> Self {
        Self {
            kernel: Arc::clone(kernel),
            theta: theta.to_vec(),
            multipliers: multipliers.to_vec(),
            step,
        }
    }
}

impl LinearisedStep for QuasiNewtonStep {
    fn response(&self, active: &[usize]) -> (DMatrix<f64>, DMatrix<f64>) {
        let rates = self.kernel.tangent_kernel(&self.theta, active);
        (&rates * self.step, rates)
    }

    fn solve(&self, residual: &mut [f64], close: &mut Closure<'_>) -> DVector<f64> {
        let samples = self.multipliers.len();
        let along = self.kernel.tangent(
            &self.theta,
            &self.multipliers,
            residual,
            &vec![0.0; samples],
        );
        let d_multipliers = close(&along.margins, &along.rates);
        let mut update = vec![0.0; residual.len()];
        let mut rates = vec![0.0; samples];
        self.kernel.velocity(
            &self.theta,
            d_multipliers.as_slice(),
            &mut update,
            &mut rates,
        );
        for (r, u) in residual.iter_mut().zip(&update) {
            *r += self.step * u;
        }
        along.margins + DVector::from_vec(rates) * self.step
    }
}
