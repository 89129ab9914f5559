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
    /// The status as written in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::BudgetSteps => "budget-steps",
            Self::BudgetWall => "budget-wall",
            Self::StepTooSmall => "step-too-small",
            Self::NonlinearFailure => "nonlinear-failure",
            Self::NonFinite => "non-finite",
            Self::Inaccurate => "inaccurate",
        }
    }

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

/// Steps are held to a small share of `atol`, and their errors add up to some more: the error of a weight, as a share
/// of `atol`, that does not count, over the drift in units of rtol that a run may have.
const FLOOR: f64 = 5e-5;

impl SolverStatistics {
    /// Weights shorter than this are known to less than the relative accuracy of the run, since their errors are
    /// allowed to be 1e-3 of `atol` (20 rtol of this); zero for finite steps.
    pub fn floor(&self) -> f64 {
        if self.rtol > 0.0 {
            FLOOR * self.atol / self.rtol
        } else {
            0.0
        }
    }
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

/// What rounding leaves of a loss that stands still.
const ROUNDING: f64 = 16.0 * f64::EPSILON;

/// Climbs that are smaller by this factor are not told of.
const SMALL: f64 = 1e-3;

/// How far the loss has climbed along a flow, seen at every accepted step of its integrator.
///
/// A climb is measured from the least value so far, so that steps down and up again by rounding do not add up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LossRise {
    /// ln 𝓛 where it was least so far, and s there.
    least: (f64, f64),
    /// The largest climb of ln 𝓛, relative to `max(1, |ln 𝓛|)` where it began: what errors are relative to.
    pub largest: f64,
    /// The largest climb in nats, of those that are not small beside it.
    pub nats: f64,
    /// s where that began.
    pub from: f64,
    /// s where it was largest.
    pub to: f64,
}

impl Default for LossRise {
    fn default() -> Self {
        Self {
            least: (f64::INFINITY, 0.0),
            largest: 0.0,
            nats: 0.0,
            from: 0.0,
            to: 0.0,
        }
    }
}

impl LossRise {
    /// The value of ln 𝓛 at log-log-time s, later than all before.
    pub fn see(&mut self, s: f64, log_loss: f64) {
        let (least, since) = self.least;
        if log_loss < least {
            self.least = (log_loss, s);
            return;
        }
        let nats = log_loss - least;
        let relative = nats / least.abs().max(1.0);
        if relative <= ROUNDING {
            return;
        }
        self.largest = self.largest.max(relative);
        if nats > self.nats && relative > SMALL * self.largest {
            self.nats = nats;
            (self.from, self.to) = (since, s);
        }
    }

    /// The largest climb of a sequence of (s, ln 𝓛).
    pub fn of(path: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let mut rise = Self::default();
        for (s, log_loss) in path {
            rise.see(s, log_loss);
        }
        rise
    }
}

/// Samples that contradict each other, from when on a flow holds their margins.
///
/// Weights that grow without bound cannot say what these are: they are small differences of large numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldMargins {
    /// s from which they are held.
    pub since: f64,
    /// m_n of samples that are held, length N.
    pub margins: Vec<Option<f64>>,
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
    /// finite steps, and for flows with held margins.
    pub accumulated: Option<DMatrix<f64>>,
    /// What happened at the kinks; `None` for networks that have none.
    pub kinks: Option<Kinks>,
    /// How far the loss has climbed, over all steps; `None` for finite steps.
    pub loss_rise: Option<LossRise>,
    /// Of samples that contradict each other, where the flow holds them.
    pub held: Option<HeldMargins>,
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

    /// Puts held margins in place of those of the weights of save `k`.
    pub(crate) fn correct_held(&self, k: usize, margins: &mut [f64]) {
        if let Some(held) = &self.held
            && self.log_log_time[k] >= held.since
        {
            for (margin, held) in margins.iter_mut().zip(&held.margins) {
                *margin = held.unwrap_or(*margin);
            }
        }
    }

    /// Number of saves T.
    pub fn len(&self) -> usize {
        self.log_log_time.len()
    }

    pub fn is_empty(&self) -> bool {
        self.log_log_time.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_are_measured_from_the_least_value_before() {
        let path = [1.0, 0.5, 0.75, 0.6, 0.875, 0.25, 0.3];
        let rise = LossRise::of((0..).map(f64::from).zip(path));
        assert_eq!((rise.nats, rise.from, rise.to), (0.375, 1.0, 4.0));
        assert_eq!(rise.largest, 0.375, "less than a nat: as it is");
        let late = LossRise::of([(1.0, -50.0), (2.0, -100.0), (3.0, -99.0)]);
        assert_eq!((late.nats, late.largest), (1.0, 0.01));
        let two = LossRise::of([(0.0, 8.0), (1.0, 9.0), (2.0, 0.0), (3.0, 0.5)]);
        assert_eq!((two.nats, two.to, two.largest), (1.0, 1.0, 0.5));
        assert_eq!(LossRise::of([(0.0, 3.0), (1.0, 3.0), (2.0, 1.0)]).nats, 0.0);
    }
}
