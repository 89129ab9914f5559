//! A learning problem: data, network, rule, loss and initial weights. Everything downstream reads it, nothing changes it.

use crate::network::{FullyConnectedLinear, Network};
use crate::storage::checkpoint::Fingerprint;
use crate::{dataset::Dataset, loss::Loss, rule::Rule};
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
    /// What all runs of this problem by this build on this machine have in common.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io) if this program cannot be read.
    pub(crate) fn fingerprint(&self) -> crate::error::Result<Fingerprint> {
        let mut print = Fingerprint::of_program()?;
        print.text(&format!("{:?}", self.network));
        print.text(self.rule.name());
        print.text(self.loss.name());
        print.numbers(self.dataset.signed_samples().as_slice());
        print.numbers(self.dataset.labels().as_slice());
        print.numbers(self.theta0.as_slice());
        match &self.rule {
            Rule::GradientDescent => {}
            Rule::FeedbackAlignment(f) => f.iter().for_each(|f| print.numbers(f.as_slice())),
            Rule::DirectFeedbackAlignment(b) => b.iter().for_each(|b| print.numbers(b.as_slice())),
        }
        Ok(print)
    }

    /// `b_1 … b_{L−1}` of the rule on this network, see [`Network::feedback`]; none under BP.
    pub fn feedback(&self) -> Option<Vec<DVector<f64>>> {
        self.network.feedback(&self.rule)
    }

    /// The network and the fixed error signals `b_1 … b_{L−1}` of a problem with a reduced state: `w_l = w_l(0) + u_l b_lᵀ`
    /// for all times.
    ///
    /// # Errors
    /// A sentence, if the layers of this problem do not move by rank one.
    pub fn rank_one(&self) -> Result<(&FullyConnectedLinear, Vec<DVector<f64>>), String> {
        let Network::FullyConnectedLinear(network) = &self.network else {
            let name = self.network.name();
            return Err(format!(
                "only layers of fully-connected-linear networks move by rank one, this network is {name}"
            ));
        };
        let Some(feedback) = self.feedback() else {
            return Err(
                "layers move by rank one under fixed feedback only, not under gradient-descent"
                    .into(),
            );
        };
        Ok((network, feedback))
    }
}

/// What a run moves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum State {
    /// All weights.
    #[default]
    Full,
    /// Far fewer numbers that determine them, for fully connected linear networks under fixed feedback, where
    /// `w_l = w_l(0) + u_l b_lᵀ`: the same run, exact but for rounding. Finite steps move the vectors u_l (L·D numbers), flows
    /// the coordinates of the accumulated column `u_1 = Z` (min(N, D) numbers, see [`Reduction`](crate::network::Reduction)).
    Reduced,
}

impl State {
    /// The name in a scenario.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Reduced => "reduced",
        }
    }
}
