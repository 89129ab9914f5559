//! The result of an integration: times, states, solver statistics, and how it ended.

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

/// How a run ended. `Completed`: it reached its horizon, and all that must hold along the way did, to the tolerance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    Completed,
    BudgetSteps,
    BudgetWall,
    StepTooSmall,
    NonlinearFailure,
    NonFinite,
    /// It reached its horizon, but a conserved quantity or a closed form drifted beyond the tolerance, or the same run
    /// at a hundredth of the tolerance ended elsewhere: see [`accuracy`](crate::accuracy).
    Inaccurate,
}

impl Status {
    /// Whether the run could have continued under a larger budget.
    pub fn is_out_of_budget(self) -> bool {
        matches!(self, Self::BudgetSteps | Self::BudgetWall)
    }
}

/// Work done by the integrator.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SolverStatistics {
    pub method: String,
    /// Tolerances of the run, see [`FlowOptions`](crate::flow::FlowOptions).
    pub rtol: f64,
    pub atol: f64,
    pub steps: usize,
    pub rejected_steps: usize,
    pub newton_failures: usize,
    pub rhs_evaluations: usize,
    pub jacobian_evaluations: usize,
    pub unknowns: usize,
    /// Restarts with a shifted local clock (late changes of the support).
    pub restarts: usize,
    pub wall_seconds: f64,
}

/// A pair whose preactivation stays on its kink: `w_{l,j}·h_{l−1,n} = 0` while the field pushes back from both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlidingPair {
    /// l, from 1.
    pub layer: usize,
    /// j, from 0.
    pub unit: usize,
    /// n, from 0.
    pub sample: usize,
}

/// What happened at the kinks of a network with exact ReLUs, counted over (unit, sample) pairs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Kinks {
    /// Pairs that crossed their kink.
    pub crossings: usize,
    /// Pairs that began to slide along their kink.
    pub slides: usize,
    /// Pairs that stopped sliding.
    pub releases: usize,
    /// Units that left zero weights.
    pub departures: usize,
    /// Pairs that slide at the end of the run.
    pub sliding: Vec<SlidingPair>,
}

impl Kinks {
    /// The counts of both added up; the sliding pairs are those of `later`.
    pub fn followed_by(self, later: Self) -> Self {
        Self {
            crossings: self.crossings + later.crossings,
            slides: self.slides + later.slides,
            releases: self.releases + later.releases,
            departures: self.departures + later.departures,
            sliding: later.sliding,
        }
    }
}

/// States of a run at the saved times.
#[derive(Debug, Clone)]
pub struct Trajectory {
    /// s = ln(1 + ln(1 + t)) of each save, increasing, the first is 0. Length T.
    pub log_log_time: Vec<f64>,
    /// Flattened weights, P × T.
    pub theta: DMatrix<f64>,
    /// Log-multipliers `p_n = τ − m_n` as integrated, N × T (τ = e^s − 1 = ln(1+t)).
    pub log_multipliers: DMatrix<f64>,
    /// Accumulated multipliers `A_n = ∫_0^t α_n`, N × T (for a flow that came to rest, up to that time); `None` for
    /// finite steps.
    pub accumulated: Option<DMatrix<f64>>,
    /// What happened at the kinks; `None` for networks that have none.
    pub kinks: Option<Kinks>,
    pub status: Status,
    /// One sentence for the user: why the run did not complete (what, where, what to try), or that it came to rest.
    pub message: Option<String>,
    pub solver: SolverStatistics,
}

impl Trajectory {
    /// τ = ln(1+t) = e^s − 1 at save `k`.
    pub fn log_time(&self, k: usize) -> f64 {
        self.log_log_time[k].exp_m1()
    }

    /// Number of saves T.
    pub fn len(&self) -> usize {
        self.log_log_time.len()
    }

    pub fn is_empty(&self) -> bool {
        self.log_log_time.is_empty()
    }
}
