//! Alarms: what must hold along every run, and by how much it may fail to hold.
//!
//! A solver that goes wrong rarely reports it: it reaches its horizon with a plausible direction. So a run is
//! `completed` only if everything that can be checked without another run holds to the tolerance, over all saves:
//!
//! - *conserved quantities* of the rule (relative drift, see [`Invariant`](crate::diagnostics::Invariant)): layers
//!   against each other;
//! - *log-multipliers*: `max_n |p_n − (τ − m_n(θ))|/max(1+τ, |m_n|)`, which are integrated alongside the weights and
//!   tied to them only by the equations: margins against the clock;
//! - *accumulated multipliers*, for linear networks under fixed feedback: the first layer has learned
//!   `w_1(t) − w_1(0) = Z b_1ᵀ` with `Z = Gᵀ A(t)` (entrywise layers: `ŵ_1 − ŵ_1(0) = b̂_1^* ⊙ Ẑ`): weights against
//!   multipliers. (For all methods but `adams-bdf` A comes from a separate quadrature; there it is summed by the same
//!   formula as the weights, and the law holds to rounding.)
//! - the *closed form* of fully connected linear networks under fixed feedback from zero weights:
//!   `w_l = φ_l b_{l−1} b_lᵀ` with the recursion of φ_l;
//! - with `--verify`, the *same run at a hundredth of the tolerances* ([`verify`]): the angle between the two ends. (A
//!   tighter run that does not complete verifies nothing: the command fails, and the run keeps its own status.)
//!
//! The tolerance is [`tolerance`]. The [`Conclusion`] on a run beyond it is [`Inaccurate`](Status::Inaccurate); it says
//! by how much, where, and what to tighten, and claims are not judged as if the run had arrived.

mod verification;

pub use verification::{Verification, verify};

use crate::diagnostics::{Diagnostics, worse};
use crate::flow::{FlowOptions, Method};
use crate::problem::Problem;
use crate::theory::Alignment;
use crate::trajectory::{SolverStatistics, Status, Trajectory};
use nalgebra::DVector;

/// Errors of the steps accumulate: a run may drift by this many times its relative tolerance.
const STEPS_ADD_UP: f64 = 20.0;

/// However loose the tolerance, a run that drifts by more than this is wrong.
const LARGEST: f64 = 1e-3;

/// The smallest drift allowed, for tolerances near rounding.
const ROUNDING: f64 = 1e-8;

/// Largest drift of a run that is as accurate as claimed: 20 rtol, at least 1e-8 and at most 1e-3.
pub fn tolerance(options: &FlowOptions) -> f64 {
    (STEPS_ADD_UP * options.rtol).clamp(ROUNDING, LARGEST)
}

/// Something that should be zero all along a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// What it is, in words.
    pub name: String,
    /// Its largest value, relative.
    pub worst: f64,
    /// s at which it occurs.
    pub log_log_time: f64,
}

impl Drift {
    fn of(name: impl Into<String>, values: &[f64], times: &[f64]) -> Option<Self> {
        let worst = values.iter().copied().fold(0.0, worse);
        let is_worst = |x: &f64| *x == worst || x.is_nan() && worst.is_nan();
        let k = values.iter().position(is_worst)?;
        Some(Self {
            name: name.into(),
            worst,
            log_log_time: times[k],
        })
    }

    fn exceeds(&self, tolerance: f64) -> bool {
        self.worst > tolerance || self.worst.is_nan()
    }
}

/// Everything that must stay zero along a run of `problem`, and how far it departs from zero.
///
/// Weights are known only to `atol`: in comparisons with closed forms, errors of that size do not count.
pub fn drifts(
    problem: &Problem,
    options: &FlowOptions,
    trajectory: &Trajectory,
    measured: &Diagnostics,
) -> Vec<Drift> {
    let times = &measured.log_log_time;
    let floor = options.atol / tolerance(options);
    let mut drifts: Vec<Option<Drift>> = (measured.invariants.iter())
        .map(|i| {
            let name = format!("the conserved quantity {} ({})", i.name, i.formula);
            Drift::of(name, &i.drift, times)
        })
        .collect();
    drifts.push(Drift::of(
        "the log-multipliers p against τ − m (relative)",
        &measured.multiplier_drift,
        times,
    ));
    let alignment = measured.theory.alignment.as_ref();
    if let Some(values) =
        alignment.and_then(|law| first_layer_against_multipliers(problem, trajectory, law, floor))
    {
        let name = "the first layer against the accumulated multipliers";
        drifts.push(Drift::of(name, &values, times));
    }
    if let Some(alignment) = &measured.alignment
        && measured.theory.closed_form
    {
        let per_save = |error: &dyn Fn(usize, usize) -> f64, layers: usize| -> Vec<f64> {
            (0..times.len())
                .map(|k| (0..layers).map(|l| error(l, k)).fold(0.0, worse))
                .collect()
        };
        let norms = &measured.layer_norms;
        // ‖w_l − φ_l b_{l−1} b_lᵀ‖, and that of layers with the measured φ_l and with its closed form
        let off = |l: usize, k: usize| {
            alignment.residual[(l, k)] * norms[(l, k)] / (norms[(l, k)] + floor)
        };
        let recursion = |l: usize, k: usize| {
            let (phi, closed) = (alignment.phi[(l, k)], alignment.closed_form[(l, k)]);
            match (phi - closed).abs() {
                0.0 => 0.0,
                difference => {
                    let size = norms[(l + 1, k)];
                    difference / phi.abs().max(closed.abs()) * size / (size + floor)
                }
            }
        };
        drifts.push(Drift::of(
            "the layers against the closed form φ_l b_{l−1} b_lᵀ",
            &per_save(&off, norms.nrows()),
            times,
        ));
        drifts.push(Drift::of(
            "φ_l against its recursion",
            &per_save(&recursion, norms.nrows() - 1),
            times,
        ));
    }
    drifts.into_iter().flatten().collect()
}

/// `‖w_1 − w_1(0) − Z b_1ᵀ‖/(‖w_1 − w_1(0)‖ + floor)`, `Z = GᵀA`, per save; `None` where there is no such law. A
/// difference at the rounding level of w_1 counts as zero.
fn first_layer_against_multipliers(
    problem: &Problem,
    trajectory: &Trajectory,
    alignment: &Alignment,
    floor: f64,
) -> Option<Vec<f64>> {
    let accumulated = trajectory.accumulated.as_ref()?;
    let start = problem
        .network()
        .weights(problem.theta0().as_slice())
        .remove(0);
    let drift = |k: usize| {
        let theta = trajectory.theta.column(k);
        let learned = problem.network().weights(theta.as_slice()).remove(0) - &start;
        let z: DVector<f64> =
            problem.dataset().signed_samples().transpose() * accumulated.column(k);
        let law = alignment.first_layer(&z);
        let size = learned.norm();
        let rounding = 64.0 * f64::EPSILON * (size + start.norm());
        let difference = (&learned - law).norm();
        if difference <= rounding {
            0.0
        } else {
            difference / (size + floor)
        }
    };
    Some((0..trajectory.len()).map(drift).collect())
}

/// How a run ended, once it has been measured: the status of its integration, unless that reached the horizon with
/// something amiss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conclusion {
    pub status: Status,
    /// One sentence for the user: why the run did not complete (what, where, what to try), or that it came to rest.
    pub message: Option<String>,
}

impl Conclusion {
    /// The run reached its horizon, but not as accurately as it should have.
    fn inaccurate(why: String) -> Self {
        Self {
            status: Status::Inaccurate,
            message: Some(why),
        }
    }

    /// Whether the run reached its horizon and nothing is wrong with it.
    pub fn completed(&self) -> bool {
        self.status == Status::Completed
    }

    /// A run that depends on another one takes over that one's conclusion, if that did not complete.
    #[must_use]
    pub fn standing_on(self, name: &str, other: &Self) -> Self {
        if !self.completed() || other.completed() {
            return self;
        }
        let why = other.message.as_deref().unwrap_or_default();
        Self {
            status: other.status,
            message: Some(format!("{name}: {why}")),
        }
    }

    /// A run that completed is inaccurate if the same run at a hundredth of its tolerances ends elsewhere.
    #[must_use]
    pub fn checked_against(
        self,
        tight: &Verification,
        options: &FlowOptions,
        solver: &SolverStatistics,
    ) -> Self {
        if tight.agrees || tight.status != Status::Completed || !self.completed() {
            return self;
        }
        Self::inaccurate(format!(
            "the same run at rtol = {:.1e} ends {:.1e} rad away, more than {:.1e} (step {}, method {}); {}",
            tight.rtol,
            tight.angle_between,
            tight.stated_accuracy,
            solver.steps,
            solver.method,
            advice(options)
        ))
    }
}

/// How a run ended: inaccurate if it reached its horizon but something drifted beyond the tolerance.
pub fn judge(
    problem: &Problem,
    options: &FlowOptions,
    trajectory: &Trajectory,
    measured: &Diagnostics,
) -> Conclusion {
    let as_integrated = Conclusion {
        status: trajectory.status,
        message: trajectory.message.clone(),
    };
    if !as_integrated.completed() {
        return as_integrated;
    }
    let tolerance = tolerance(options);
    let beyond = drifts(problem, options, trajectory, measured)
        .into_iter()
        .filter(|drift| drift.exceeds(tolerance))
        .reduce(|x, y| {
            if worse(x.worst, y.worst).to_bits() == x.worst.to_bits() {
                x
            } else {
                y
            }
        });
    let Some(Drift {
        name,
        worst,
        log_log_time,
    }) = beyond
    else {
        return as_integrated;
    };
    let by = if worst.is_finite() {
        format!("drifted by {worst:.1e}")
    } else {
        "left the range of numbers".to_owned()
    };
    let solver = &trajectory.solver;
    Conclusion::inaccurate(format!(
        "the run is not as accurate as its tolerance: {name} {by} at log-log-time {log_log_time:.4}, more than \
         {tolerance:.1e} (step {}, method {}); {}",
        solver.steps,
        solver.method,
        advice(options)
    ))
}

/// What to tighten.
fn advice(options: &FlowOptions) -> String {
    let mut advice = format!(
        "lower flow.rtol (now {:e}) and flow.atol (now {:e})",
        options.rtol, options.atol
    );
    if !matches!(options.method, Method::AdamsBdf | Method::Bdf) {
        advice += ", or leave flow.method to its default";
    }
    advice
}
