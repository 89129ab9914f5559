//! What must stay zero along a run, and how far it departs from zero.
//!
//! An error is measured against what it is an error of. Two kinds are told apart:
//!
//! - *Is the run as accurate as its tolerance?* Errors of steps add up, each relative to the sizes there were when it
//!   was made. So a conserved quantity is compared with its terms, and a log-multiplier with the largest size its
//!   sample has had so far: a margin that falls back from 10⁶ to 10² keeps the error it had at 10⁶. Weights are known
//!   to a share of `atol`, however short they are, where no rule amplifies that
//!   ([`Measured::reach`](crate::theory::Measured)).
//! - *Is what is read off it right?* ln 𝓛, the least margin and every margin, at each save and relative to what they
//!   are there. How much of the first kind that takes depends on the data and not on the tolerance, so the bar is the
//!   same at any tolerance, and lower tolerances lead below it.

use super::{LARGEST, tolerance};
use crate::diagnostics::{Diagnostics, worse};
use crate::flow::FlowOptions;
use crate::problem::Problem;
use crate::theory::Alignment;
use crate::trajectory::Trajectory;
use nalgebra::DVector;

/// Largest error of a single margin: what completes is right to one per cent.
const LARGEST_OF_MARGIN: f64 = 1e-2;

/// Rounding of log-multipliers, relative to τ: states are compressed, and expanding them multiplies their rounding.
const ROUNDING_OF_MULTIPLIERS: f64 = 64.0 * f64::EPSILON;

/// Something that should be zero all along a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// What it is, in words.
    pub name: String,
    /// Its largest value, relative.
    pub worst: f64,
    /// How large it may be.
    pub allowed: f64,
    /// s at which it occurs.
    pub log_log_time: f64,
}

impl Drift {
    fn of(name: impl Into<String>, values: &[f64], allowed: f64, times: &[f64]) -> Option<Self> {
        let worst = values.iter().copied().fold(0.0, worse);
        let is_worst = |x: &f64| *x == worst || x.is_nan() && worst.is_nan();
        let k = values.iter().position(is_worst)?;
        Some(Self {
            name: name.into(),
            worst,
            allowed,
            log_log_time: times[k],
        })
    }

    /// Whether it exceeds what is allowed; what is not a number does.
    pub fn is_too_large(&self) -> bool {
        self.worst > self.allowed || self.worst.is_nan()
    }
}

/// Everything that must stay zero along a run of `problem`, and how far it departs from zero.
pub fn drifts(
    problem: &Problem,
    options: &FlowOptions,
    trajectory: &Trajectory,
    measured: &Diagnostics,
) -> Vec<Drift> {
    let times = &measured.log_log_time;
    let tolerance = tolerance(options);
    let conserved = measured.invariants.iter().map(|i| {
        let name = format!("the conserved quantity {} ({})", i.name, i.formula);
        Drift::of(name, &i.drift, tolerance, times)
    });
    let mut drifts: Vec<Drift> = conserved.flatten().collect();
    drifts.extend(of_margins(problem, trajectory, measured, tolerance));
    // weights are known only to `atol`: in comparisons with closed forms, errors of that size do not count
    let floor = options.atol / tolerance;
    let alignment = measured.theory.alignment.as_ref();
    if let Some(values) =
        alignment.and_then(|law| first_layer_against_multipliers(problem, trajectory, law, floor))
    {
        let name = "the first layer against the accumulated multipliers";
        drifts.extend(Drift::of(name, &values, tolerance, times));
    }
    drifts.extend(of_closed_form(measured, floor, tolerance));
    drifts
}

/// What log-multipliers and weights say about the margins, against each other.
///
/// Log-multipliers are integrals, `p_n = −m_n(0) + ∫(1 − dm_n/dτ) dτ`, by other formulas than the weights. So the loss
/// that they imply is the integral of its own rate, `d ln 𝓛 = −Σ_n α_n dm_n / Σ_n α_n` (exponential loss).
fn of_margins(
    problem: &Problem,
    trajectory: &Trajectory,
    measured: &Diagnostics,
    tolerance: f64,
) -> Vec<Drift> {
    let times = &measured.log_log_time;
    let samples = measured.margins.nrows();
    let mut largest = vec![0.0_f64; samples];
    let [mut steps, mut margins, mut least, mut losses] = [const { Vec::new() }; 4];
    for k in 0..times.len() {
        let tau = measured.log_time[k];
        let p = trajectory.log_multipliers.column(k);
        let m = measured.margins.column(k);
        let (mut by_largest, mut by_size) = (0.0, 0.0);
        for ((p, m), largest) in p.iter().zip(m.iter()).zip(&mut largest) {
            *largest = largest.max(m.abs());
            let error = (p - (tau - m)).abs();
            by_largest = worse(by_largest, error / largest.max(1.0 + tau));
            by_size = worse(by_size, error / m.abs().max(1.0 + tau));
        }
        steps.push(by_largest);
        margins.push(by_size);
        // as far as p has digits of margins at all
        let rounding = ROUNDING_OF_MULTIPLIERS * (1.0 + tau);
        let difference = |carried: f64, read: f64| {
            let error = ((carried - read).abs() - rounding).max(0.0);
            let error = if (carried - read).is_nan() {
                f64::NAN
            } else {
                error
            };
            error / read.abs().max(1.0)
        };
        let carried = p.map(|p| tau - p);
        least.push(difference(carried.min(), m.min()));
        let groups = problem.dataset().groups();
        let log_loss = problem.loss().log_loss_of(groups, carried.as_slice());
        losses.push(difference(log_loss, measured.log_loss[k]));
    }
    let all: [(&str, &[f64], f64); 4] = [
        (
            "the log-multipliers p against τ − m (relative)",
            &steps,
            tolerance,
        ),
        (
            "a margin against its log-multiplier",
            &margins,
            LARGEST_OF_MARGIN,
        ),
        (
            "the least margin against that of the log-multipliers",
            &least,
            LARGEST,
        ),
        (
            "ln 𝓛 of the weights against its integral along the run",
            &losses,
            LARGEST,
        ),
    ];
    let drifts = all.map(|(name, values, allowed)| Drift::of(name, values, allowed, times));
    drifts.into_iter().flatten().collect()
}

/// Layers under fixed feedback from zero weights against `w_l = φ_l b_{l−1} b_lᵀ` and the recursion of φ_l.
fn of_closed_form(measured: &Diagnostics, floor: f64, tolerance: f64) -> Vec<Drift> {
    let Some(alignment) = &measured.alignment else {
        return Vec::new();
    };
    if !measured.theory.closed_form {
        return Vec::new();
    }
    let times = &measured.log_log_time;
    let per_save = |error: &dyn Fn(usize, usize) -> f64, layers: usize| -> Vec<f64> {
        (0..times.len())
            .map(|k| (0..layers).map(|l| error(l, k)).fold(0.0, worse))
            .collect()
    };
    let norms = &measured.layer_norms;
    // ‖w_l − φ_l b_{l−1} b_lᵀ‖, and that of layers with the measured φ_l and with its closed form
    let off =
        |l: usize, k: usize| alignment.residual[(l, k)] * norms[(l, k)] / (norms[(l, k)] + floor);
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
    let layers = per_save(&off, norms.nrows());
    let recursions = per_save(&recursion, norms.nrows() - 1);
    let name = "the layers against the closed form φ_l b_{l−1} b_lᵀ";
    let layers = Drift::of(name, &layers, tolerance, times);
    let recursions = Drift::of("φ_l against its recursion", &recursions, tolerance, times);
    layers.into_iter().chain(recursions).collect()
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
