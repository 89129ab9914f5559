//! Alarms: what must hold along every run, and by how much it may fail to.
//!
//! A solver that goes wrong rarely says so: it ends at its horizon with a plausible direction. So a run is `completed` only if everything
//! that can be checked without another run holds to the tolerance, over all saves:
//!
//! - *conserved quantities* of the rule (relative drift, see [`Invariant`](crate::diagnostics::Invariant)): layers against each other;
//! - *log-multipliers*: `max_n |p_n − (τ − m_n(θ))|/(1+τ)`, which are integrated side by side with the weights and tied to them by
//!   nothing but the equations: margins against the clock;
//! - *accumulated multipliers*, for linear networks under fixed feedback: the first layer has learned `w_1(t) − w_1(0) = Z b_1ᵀ` with
//!   `Z = Gᵀ A(t)` (entry by entry `ŵ_1 − ŵ_1(0) = b̂_1^* ⊙ Ẑ`): weights against multipliers. (Under diffsol's methods A comes from a
//!   quadrature of its own; under ours it is summed by the formula of the weights, and the law holds to rounding.)
//! - the *closed form* of fully connected linear networks under fixed feedback from zero weights: `w_l = φ_l b_{l−1} b_lᵀ` with
//!   the recursion of φ_l;
//! - with `--verify`, the *same run at a hundredth of the tolerances*: the angle between the two ends.
//!
//! The tolerance is [`tolerance`]. A run beyond it has the status [`Inaccurate`](Status::Inaccurate), says by how much, where, and what to
//! tighten, and claims are not judged as if it had arrived.

use crate::diagnostics::Diagnostics;
use crate::flow::{FlowOptions, Method};
use crate::problem::Problem;
use crate::run::Verification;
use crate::trajectory::{Status, Trajectory};
use nalgebra::DVector;

/// Errors of the steps of a run add up: it may drift by this many times its relative tolerance.
const STEPS_ADD_UP: f64 = 20.0;

/// However loose the tolerance, a run that drifts by more is wrong.
const LARGEST: f64 = 1e-3;

/// What tolerances near rounding cannot get below.
const ROUNDING: f64 = 1e-9;

/// Largest drift of a run that is as accurate as it says: 20 rtol, at least 1e-9 and at most 1e-3.
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
    /// s there.
    pub log_log_time: f64,
}

impl Drift {
    fn of(name: String, values: &[f64], times: &[f64]) -> Option<Self> {
        // a value that is not a number is the worst
        let (k, worst) = (values.iter().enumerate()).max_by(|x, y| x.1.total_cmp(y.1))?;
        Some(Self {
            name,
            worst: *worst,
            log_log_time: times[k],
        })
    }
}

/// Everything that must stay zero along a run of `problem`, and how far it does not.
pub fn drifts(problem: &Problem, trajectory: &Trajectory, measured: &Diagnostics) -> Vec<Drift> {
    let times = &measured.log_log_time;
    let mut drifts: Vec<Option<Drift>> = (measured.invariants.iter())
        .map(|i| {
            let name = format!("the conserved quantity {} ({})", i.name, i.formula);
            Drift::of(name, &i.drift, times)
        })
        .collect();
    drifts.push(Drift::of(
        "log-multipliers p against τ − m, over 1 + τ,".into(),
        &measured.multiplier_drift,
        times,
    ));
    if let Some(values) = first_layer_against_multipliers(problem, trajectory) {
        let name = "the first layer against the accumulated multipliers".into();
        drifts.push(Drift::of(name, &values, times));
    }
    if let Some(alignment) = &measured.alignment
        && problem.theta0.amax() == 0.0
    {
        for (name, worst) in [
            (
                "the layers against the closed form φ_l b_{l−1} b_lᵀ",
                alignment.worst_residual(),
            ),
            ("φ_l against its recursion", alignment.worst_recursion()),
        ] {
            let end = times.last().copied().unwrap_or_default();
            drifts.push(Drift::of(name.into(), &[worst], &[end]));
        }
    }
    drifts.into_iter().flatten().collect()
}

/// `‖w_1 − w_1(0) − Z b_1ᵀ‖/‖w_1 − w_1(0)‖`, `Z = GᵀA`, per save; `None` where there is no such law.
fn first_layer_against_multipliers(problem: &Problem, trajectory: &Trajectory) -> Option<Vec<f64>> {
    let accumulated = trajectory.accumulated.as_ref()?;
    if problem.network.relu().is_some() {
        return None;
    }
    let feedback = problem.feedback()?;
    let first = feedback.first()?;
    let start = problem.network.weights(problem.theta0.as_slice()).remove(0);
    let drift = |k: usize| {
        let theta = trajectory.theta.column(k);
        let learned = problem.network.weights(theta.as_slice()).remove(0) - &start;
        let z: DVector<f64> = problem.dataset.signed_samples().transpose() * accumulated.column(k);
        let law = match problem.network.spectral() {
            None => &z * first.transpose(),
            Some(network) => {
                let column = network.correlate(first, &z);
                nalgebra::DMatrix::from_column_slice(column.len(), 1, column.as_slice())
            }
        };
        match (&learned - law).norm() {
            0.0 => 0.0,
            difference => difference / learned.norm(),
        }
    };
    Some((0..trajectory.len()).map(drift).collect())
}

/// Flags a run that reached its horizon although something drifted beyond the tolerance.
pub fn judge(
    problem: &Problem,
    options: &FlowOptions,
    trajectory: &mut Trajectory,
    measured: &Diagnostics,
) {
    if trajectory.status != Status::Completed {
        return;
    }
    let tolerance = tolerance(options);
    let worst = drifts(problem, trajectory, measured)
        .into_iter()
        .filter(|drift| drift.worst.is_nan() || drift.worst > tolerance)
        .max_by(|x, y| x.worst.total_cmp(&y.worst));
    let Some(Drift {
        name,
        worst,
        log_log_time,
    }) = worst
    else {
        return;
    };
    let solver = &trajectory.solver;
    trajectory.flag(format!(
        "the run is not as accurate as its tolerance: {name} drifted by {worst:.1e} at log-log-time {log_log_time:.4}, more than \
         {tolerance:.1e} (step {}, method {}); {}",
        solver.steps,
        solver.method,
        advice(options)
    ));
}

/// Flags a run that ends elsewhere at a hundredth of the tolerances.
pub fn compare(tight: &Verification, options: &FlowOptions, trajectory: &mut Trajectory) {
    if tight.agrees || tight.status != Status::Completed || trajectory.status != Status::Completed {
        return;
    }
    trajectory.flag(format!(
        "the same run at rtol = {:.1e} ends {:.1e} rad away, more than {:.1e} (step {}, method {}); {}",
        tight.rtol,
        tight.angle_between,
        tight.stated_accuracy,
        trajectory.solver.steps,
        trajectory.solver.method,
        advice(options)
    ));
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
