//! A learning problem: data, network, rule, loss and initial weights. Everything downstream reads it; nothing
//! modifies it.

use crate::network::stepping::{Lane, Schedule, Stepper, Training};
use crate::network::{FullyConnectedLinear, Kernel, MisfitSignals, Network, vectors};
use crate::storage::checkpoint::Fingerprint;
use crate::{dataset::Dataset, loss::Loss, rule::Rule};
use nalgebra::{DMatrix, DVector};
use std::sync::Arc;

/// One initial value problem of learning, whose parts are known to fit together.
#[derive(Debug, Clone)]
pub struct Problem {
    dataset: Dataset,
    network: Network,
    rule: Rule,
    loss: Loss,
    theta0: DVector<f64>,
}

/// Parts that do not fit together.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ProblemError {
    /// The number of inputs of the first layer differs from the number of features of the samples.
    #[error("the samples have {found} features, the network takes {expected}")]
    Dimension { found: usize, expected: usize },
    /// The number of outputs differs from what the labels need: one for ±1, C for classes.
    #[error("the labels need {expected} outputs, the network has {found}")]
    Outputs { found: usize, expected: usize },
    /// The rule's feedback does not have the network's shapes.
    #[error(transparent)]
    Signals(#[from] MisfitSignals),
    /// The length of θ(0) differs from the number of the network's parameters.
    #[error("{found} initial weights, the network has {expected} parameters")]
    Weights { found: usize, expected: usize },
    /// An initial weight is not finite.
    #[error("the initial weight {0} (from 0) is not finite")]
    NotFinite(usize),
}

/// Why a problem has no reduced state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoReducedState {
    #[error("only layers of fully-connected-linear networks move by rank one, this network is {0}")]
    Network(&'static str),
    #[error("layers move by rank one under fixed feedback only, not under {0}")]
    Rule(&'static str),
}

impl Problem {
    /// A problem of these parts, with initial weights `theta0` as
    /// [`Architecture::theta`](crate::network::Architecture::theta) flattens them.
    ///
    /// # Errors
    /// [`ProblemError`] if they do not fit together.
    pub fn new(
        dataset: Dataset,
        network: impl Into<Network>,
        rule: Rule,
        loss: Loss,
        theta0: DVector<f64>,
    ) -> Result<Self, ProblemError> {
        let network = network.into();
        let inputs = network.input_dimension();
        if dataset.dimension() != inputs {
            return Err(ProblemError::Dimension {
                found: dataset.dimension(),
                expected: inputs,
            });
        }
        if dataset.outputs() != network.outputs() {
            return Err(ProblemError::Outputs {
                found: network.outputs(),
                expected: dataset.outputs(),
            });
        }
        network.check_signals(rule.signals())?;
        if theta0.len() != network.parameters() {
            return Err(ProblemError::Weights {
                found: theta0.len(),
                expected: network.parameters(),
            });
        }
        if let Some(at) = theta0.iter().position(|w| !w.is_finite()) {
            return Err(ProblemError::NotFinite(at));
        }
        Ok(Self {
            dataset,
            network,
            rule,
            loss,
            theta0,
        })
    }

    /// The samples and their labels.
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// The network to be trained.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The rule by which errors reach its layers.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// What fixed feedback is, or learned feedback starts with, layer by layer: lengths of the axes (one of a vector
    /// b_l, two of a matrix F_l), and the entries, column by column. Empty under gradient descent.
    pub fn feedback_entries(&self) -> Vec<(Vec<usize>, &[f64])> {
        let signals = self.rule.signals();
        signals.axes().into_iter().zip(signals.numbers()).collect()
    }

    /// The loss to be minimised.
    pub fn loss(&self) -> Loss {
        self.loss
    }

    /// The weights at time 0, flattened, length P.
    pub fn theta0(&self) -> &DVector<f64> {
        &self.theta0
    }

    /// The same problem from other initial weights.
    ///
    /// # Errors
    /// [`ProblemError`] if they do not fit the network.
    pub fn with_start(self, theta0: DVector<f64>) -> Result<Self, ProblemError> {
        Self::new(self.dataset, self.network, self.rule, self.loss, theta0)
    }

    /// The same problem under another rule.
    ///
    /// # Errors
    /// [`ProblemError`] if its feedback does not fit the network.
    pub fn with_rule(self, rule: Rule) -> Result<Self, ProblemError> {
        Self::new(self.dataset, self.network, rule, self.loss, self.theta0)
    }

    /// The same problem on other data.
    ///
    /// # Errors
    /// [`ProblemError`] if they do not fit the network.
    pub fn with_dataset(self, dataset: Dataset) -> Result<Self, ProblemError> {
        Self::new(dataset, self.network, self.rule, self.loss, self.theta0)
    }

    /// The same problem on another network of the same shapes.
    ///
    /// # Errors
    /// [`ProblemError`] if something else does not fit it.
    pub fn with_network(self, network: impl Into<Network>) -> Result<Self, ProblemError> {
        Self::new(self.dataset, network, self.rule, self.loss, self.theta0)
    }

    /// The same problem under another loss.
    pub fn with_loss(self, loss: Loss) -> Self {
        Self { loss, ..self }
    }

    /// Fingerprint shared by all runs of this problem with this build on this machine.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io) if the program's own executable cannot be read.
    pub(crate) fn fingerprint(&self) -> crate::error::Result<Fingerprint> {
        let mut print = Fingerprint::of_program()?;
        print.text(&format!("{:?}", self.network));
        print.text(self.rule.key());
        print.text(self.loss.name());
        print.numbers(self.dataset.signed_samples().as_slice());
        print.numbers(self.dataset.labels().as_slice());
        print.numbers(self.theta0.as_slice());
        let signals = self.rule.signals();
        signals.numbers().iter().for_each(|f| print.numbers(f));
        Ok(print)
    }

    /// `b_1 … b_{L−1}` if the error signals never change, units × outputs, see
    /// [`Architecture::fixed_signals`](crate::network::Architecture::fixed_signals).
    pub fn feedback_matrices(&self) -> Option<Vec<DMatrix<f64>>> {
        if self.rule.evolves() {
            return None;
        }
        self.network.fixed_signals(self.rule.signals())
    }

    /// The same as vectors, of networks with one output.
    pub fn feedback(&self) -> Option<Vec<DVector<f64>>> {
        let single = self.network.outputs() == 1;
        single.then(|| self.feedback_matrices())?.map(vectors)
    }

    /// The vector field of a run, on (θ, the rule's own state).
    pub fn kernel(&self) -> Arc<dyn Kernel> {
        self.rule.kernel(&self.network, &self.dataset)
    }

    /// The same vector field on other data of this dimension.
    ///
    /// # Panics
    /// If their dimension differs.
    pub fn kernel_on(&self, data: &Dataset) -> Arc<dyn Kernel> {
        self.rule.kernel(&self.network, data)
    }

    /// The state a run starts from: θ(0) and the rule's own.
    pub fn state0(&self) -> DVector<f64> {
        self.state_of(&self.theta0)
    }

    /// Numbers in a run's state: P, plus the size of the rule's own state.
    pub fn unknowns(&self) -> usize {
        self.theta0.len() + self.rule.state(&self.network).len()
    }

    /// The state of weights θ at the start of a run.
    pub fn state_of(&self, theta: &DVector<f64>) -> DVector<f64> {
        let own = self.rule.state(&self.network);
        let length = theta.len() + own.len();
        DVector::from_iterator(length, theta.iter().chain(own.iter()).copied())
    }

    /// What finite steps of this problem depend on.
    pub fn training(&self, schedule: Schedule) -> Training<'_> {
        Training {
            signals: self.rule.signals(),
            data: &self.dataset,
            loss: self.loss,
            schedule,
        }
    }

    /// Finite steps from the states of `lanes`.
    ///
    /// # Panics
    /// If the length of a state differs from that of [`Self::state0`].
    pub fn steps(&self, schedule: Schedule, lanes: &[Lane]) -> Box<dyn Stepper> {
        self.rule
            .steps(&self.network, &self.training(schedule), lanes)
    }

    /// The network and the fixed error signals `b_1 … b_{L−1}` of a problem with a reduced state:
    /// `w_l = w_l(0) + u_l b_lᵀ` at all times.
    ///
    /// # Errors
    /// [`NoReducedState`], if the changes of this problem's layers are not of rank one.
    pub fn rank_one(&self) -> Result<(&FullyConnectedLinear, Vec<DVector<f64>>), NoReducedState> {
        let network = self.network.reducible();
        let network = network.ok_or(NoReducedState::Network(self.network.key()))?;
        let feedback = self.feedback();
        Ok((
            network,
            feedback.ok_or(NoReducedState::Rule(self.rule.key()))?,
        ))
    }
}

/// The unknowns of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum State {
    /// All weights.
    #[default]
    Full,
    /// Far fewer numbers that determine them, for fully connected linear networks under fixed feedback, where
    /// `w_l = w_l(0) + u_l b_lᵀ`: the same run, exact except for rounding. Finite steps update the vectors u_l (L·D
    /// numbers), flows the coordinates of the accumulated column `u_1 = Z` (min(N, D) numbers, see
    /// [`Reduction`](crate::network::Reduction)).
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
