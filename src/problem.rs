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
    /// Initial weights as [`Network::theta`] flattens them.
    pub theta0: DVector<f64>,
}

impl Problem {
    /// `b_1 … b_{L−1}` of the rule on this network, see [`Network::feedback`]; none under BP.
    pub fn feedback(&self) -> Option<Vec<DVector<f64>>> {
        self.network.feedback(&self.rule)
    }
}
