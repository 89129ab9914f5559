//! Flows in the reduced state: how they start, how accurate they must be, and how all weights are recovered.

use super::saves::affordable;
use super::{FlowOptions, SaveAt};
use crate::dataset::Dataset;
#[cfg(doc)]
use crate::error::Error;
use crate::error::{Result, SolverError};
use crate::network::{Kernel, Reduction};
use crate::problem::Problem;
use crate::theory;
use crate::trajectory::Trajectory;
use nalgebra::DVector;
use std::sync::Arc;

pub(super) struct Reduced {
    reduction: Arc<Reduction>,
    /// The options with which the reduced unknowns are integrated.
    pub options: FlowOptions,
}

impl Reduced {
    /// # Errors
    /// [`Error::Solver`] if the problem has no reduced state.
    pub(super) fn new(problem: &Problem, data: &Dataset, options: &FlowOptions) -> Result<Self> {
        let (network, feedback) = problem
            .rank_one()
            .map_err(|why| SolverError::NoReducedState(why.to_string()))?;
        let theta0 = problem.theta0().as_slice();
        let mut options = options.clone();
        // Margins have degree L in the weights, but 2ᴸ − 1 in these unknowns, and amplify their relative errors by
        // that factor.
        let depth = problem.network().depth();
        options.rtol *= depth as f64 / theory::predictor_degree(depth);
        // Saves are expanded to all weights at the end.
        if options.saves == SaveAt::Default {
            options.saves = SaveAt::Uniform(affordable(theta0.len() + data.len()));
        }
        Ok(Self {
            reduction: Arc::new(Reduction::new(network, &feedback, theta0, data)),
            options,
        })
    }

    /// The vector field, and the unknowns at t = 0.
    pub(super) fn start(&self) -> (Arc<dyn Kernel>, DVector<f64>) {
        let unknowns = DVector::zeros(self.reduction.parameters());
        (Arc::clone(&self.reduction) as Arc<dyn Kernel>, unknowns)
    }

    /// Expands the unknowns at every save to all weights; `options` are those the run was requested with.
    pub(super) fn expand(&self, trajectory: &mut Trajectory, options: &FlowOptions) {
        trajectory.theta = self.reduction.theta(&trajectory.theta);
        trajectory.solver.method += " (reduced state)";
        trajectory.solver.rtol = options.rtol;
    }
}
