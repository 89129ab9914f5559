//! A learning problem: data, network, rule, loss and initial weights. Everything downstream reads it, nothing changes it.

use crate::{dataset::Dataset, loss::Loss, network::Network, rule::Rule};
use nalgebra::DVector;

/// One initial value problem of learning.
#[derive(Debug, Clone)]
pub struct Problem {
    pub dataset: Dataset,
    pub network: Network,
    pub rule: Rule,
    pub loss: Loss,
    /// Flattened initial weights: `w_1 … w_L`, each column by column.
    pub theta0: DVector<f64>,
}
