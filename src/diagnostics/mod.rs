//! Everything measured along a trajectory; claims and figures read this and nothing else.

mod alignment;
mod approach;
mod homogeneous;
mod invariants;
mod loss_rate;
mod phases;
mod rate;

pub use alignment::Alignment;
pub use homogeneous::{Homogeneous, output_on_level_set};
pub use invariants::Invariant;
pub use loss_rate::loss_rate;
pub use phases::{Phase, Phases};
pub use rate::{Rate, learned_in_span, slope};

use crate::limit::{Candidate, Certifier, Limit, angle, predicted};
use crate::problem::Problem;
use crate::trajectory::Trajectory;
use nalgebra::{DMatrix, DVector};
use std::f64::consts::FRAC_PI_2;

/// All measurements; every vector has one entry per save (T).
#[derive(Debug, Clone)]
pub struct Diagnostics {
    /// s = ln(1+ln(1+t)).
    pub log_log_time: Vec<f64>,
    /// τ = ln(1+t).
    pub log_time: Vec<f64>,
    /// Margins `m_n = g_n·β`, N × T.
    pub margins: DMatrix<f64>,
    /// `γ = min_n m_n`.
    pub min_margin: Vec<f64>,
    /// ln 𝓛.
    pub log_loss: Vec<f64>,
    /// `(d𝓛/dτ)/Σα`, from the vector field, see [`loss_rate`].
    pub loss_rate: Vec<f64>,
    /// ‖w_l‖_F, L × T.
    pub layer_norms: DMatrix<f64>,
    /// The predictor, D × T (0 × T for networks that are not linear in their input).
    pub beta: DMatrix<f64>,
    /// Angle between β and the limit, radians; `None` without a limit. π/2 while β = 0. For ReLU networks: between the output
    /// weights and the hard-margin SVM of the features of the same save, π/2 while there is none.
    pub angle_to_limit: Option<Vec<f64>>,
    /// Angles to the other limits that have been claimed, see [`Candidate`](crate::limit::CandidatePotential).
    pub candidates: Vec<CandidateAngles>,
    /// Relative distance of the gradient of the predicted potential from the cone of the active samples; `None` while γ ≤ 0.
    /// For ReLU networks [`Homogeneous::feedback_kkt`] or [`Homogeneous::gradient_kkt`], by the rule; `None` where no such
    /// problem is known (fixed feedback, more than two layers).
    pub kkt_residual: Vec<Option<f64>>,
    /// The duality gap the run certifies by itself, with the best multipliers for its β; `None` while γ ≤ 0. For ReLU
    /// networks that of the output weights on the features of the save.
    pub duality_gap: Vec<Option<f64>>,
    /// The same with the multipliers accumulated along the run, `A(t) = ∫_0^t α`, in their place: what the path itself proves. `None` for ReLU
    /// networks, whose features turned on the way.
    pub accumulated_gap: Vec<Option<f64>>,
    /// What is measured on ReLU networks.
    pub homogeneous: Option<Homogeneous>,
    /// Alignment with the feedback (fully connected, fixed feedback, depth ≥ 2, all of it in the range of f64).
    pub alignment: Option<Alignment>,
    /// Alignment per frequency (convolutional or diagonal network, fixed feedback, depth ≥ 2).
    pub phases: Option<Phases>,
    /// Conserved quantities of the rule.
    pub invariants: Vec<Invariant>,
    /// `max_n |p_n − (τ − m_n)|/max(1+τ, |m_n|)`: doubles hold no more digits where margins are huge.
    pub multiplier_drift: Vec<f64>,
    /// The fitted rate of directional convergence, where there is a limit and a window to fit in.
    pub rate: Option<Rate>,
}

/// The run's angles to one claimed limit.
#[derive(Debug, Clone)]
pub struct CandidateAngles {
    /// [`Candidate::id`](crate::limit::CandidatePotential).
    pub id: &'static str,
    /// What the candidate is, for legends.
    pub label: &'static str,
    /// Its minimiser in the original space, length D.
    pub beta: DVector<f64>,
    /// Angle between β and it, radians, length T; π/2 while β = 0.
    pub angle: Vec<f64>,
}

/// Measures `trajectory`, a run of `problem`, against `limit`.
pub fn diagnose(problem: &Problem, trajectory: &Trajectory, limit: Option<&Limit>) -> Diagnostics {
    let saves = trajectory.len();
    let samples = problem.dataset.len();
    let dimension = match problem.network.relu() {
        None => problem.dataset.dimension(),
        Some(_) => 0,
    };
    let log_time: Vec<f64> = (0..saves).map(|k| trajectory.log_time(k)).collect();
    let mut d = Diagnostics {
        log_log_time: trajectory.log_log_time.clone(),
        margins: DMatrix::zeros(samples, saves),
        min_margin: Vec::with_capacity(saves),
        log_loss: Vec::with_capacity(saves),
        loss_rate: loss_rate(problem, trajectory),
        layer_norms: DMatrix::zeros(problem.network.depth(), saves),
        beta: DMatrix::zeros(dimension, saves),
        angle_to_limit: limit.map(|_| Vec::with_capacity(saves)),
        candidates: Vec::new(),
        kkt_residual: Vec::with_capacity(saves),
        duality_gap: Vec::with_capacity(saves),
        accumulated_gap: Vec::with_capacity(saves),
        homogeneous: None,
        alignment: None,
        phases: None,
        invariants: Vec::new(),
        multiplier_drift: Vec::with_capacity(saves),
        rate: None,
        log_time,
    };
    let mut certifier = (dimension > 0)
        .then(|| Certifier::new(problem.dataset.signed_samples(), &predicted(problem)));
    let mut homogeneous = homogeneous::Builder::new(problem, saves);
    let mut alignment = alignment::Builder::new(problem, saves);
    let mut phases = phases::Builder::new(problem, trajectory);
    let mut invariants = invariants::Tracker::new(problem);
    for k in 0..saves {
        let theta = trajectory.theta.column(k);
        let weights = problem.network.weights(theta.as_slice());
        let margins = problem.network.margins(theta.as_slice(), &problem.dataset);
        let tau = d.log_time[k];
        for (l, w) in weights.iter().enumerate() {
            d.layer_norms[(l, k)] = w.norm();
        }
        d.min_margin.push(margins.min());
        d.log_loss
            .push(problem.loss.log_loss(margins.iter().copied()));
        d.multiplier_drift.push(
            trajectory
                .log_multipliers
                .column(k)
                .iter()
                .zip(margins.iter())
                .map(|(p, m)| (p - (tau - m)).abs() / (1.0 + tau).max(m.abs()))
                .fold(0.0, worse),
        );
        match (problem.network.predictor(theta.as_slice()), &mut certifier) {
            (Some(beta), Some(certifier)) => {
                if let (Some(angles), Some(limit)) = (&mut d.angle_to_limit, limit) {
                    angles.push(angle(beta.as_slice(), limit.beta.as_slice()));
                }
                let multipliers = certifier.best_multipliers(&beta);
                d.duality_gap
                    .push(certifier.duality_gap(&beta, &multipliers));
                d.accumulated_gap.push(
                    trajectory
                        .accumulated
                        .as_ref()
                        .and_then(|a| certifier.duality_gap(&beta, &a.column(k).into_owned())),
                );
                d.kkt_residual
                    .push(certifier.kkt_residual(&beta).map(|r| r.stationarity));
                d.beta.set_column(k, &beta);
            }
            _ => {
                d.accumulated_gap.push(None);
            }
        }
        if let Some(h) = &mut homogeneous {
            let features = h.record(k, theta.as_slice(), d.min_margin[k], d.log_loss[k]);
            d.duality_gap.push(features.gap);
            if let Some(angles) = &mut d.angle_to_limit {
                angles.push(features.angle.unwrap_or(FRAC_PI_2));
            }
        }
        if let Some(a) = &mut alignment {
            a.record(k, &weights);
        }
        if let Some(p) = &mut phases {
            p.record(k, theta.as_slice());
        }
        invariants.record(theta.as_slice());
        d.margins.set_column(k, &margins);
    }
    d.homogeneous = homogeneous.map(homogeneous::Builder::finish);
    if let Some(h) = &d.homogeneous {
        d.kkt_residual = match (problem.rule.has_feedback(), problem.network.depth()) {
            (false, _) => h.gradient_kkt.clone(),
            (true, 2) => h.feedback_kkt.clone(),
            (true, _) => vec![None; saves],
        };
    }
    d.alignment = alignment.and_then(alignment::Builder::finish);
    d.phases = phases.map(phases::Builder::finish);
    d.invariants = invariants.finish();
    d.rate = rate::fit(problem, limit, &d);
    d
}

/// The larger of two errors; one that is not a number is the largest.
pub(crate) fn worse(x: f64, y: f64) -> f64 {
    if x.is_nan() || x > y { x } else { y }
}

impl Diagnostics {
    /// Measures the angles to `candidates` as well.
    pub fn compare(&mut self, candidates: Vec<Candidate>) {
        let angles = |limit: &Limit| {
            self.beta
                .column_iter()
                .map(|beta| angle(beta.as_slice(), limit.beta.as_slice()))
                .collect()
        };
        self.candidates = candidates
            .into_iter()
            .map(|c| CandidateAngles {
                id: c.id,
                label: c.label,
                angle: angles(&c.limit),
                beta: c.limit.beta,
            })
            .collect();
    }

    /// Largest relative drift of any conserved quantity over the whole run (0 if the rule has none).
    pub fn worst_invariant(&self) -> f64 {
        self.invariants
            .iter()
            .map(Invariant::worst)
            .fold(0.0, worse)
    }

    /// Largest [`multiplier_drift`](Self::multiplier_drift) over the whole run.
    pub fn worst_multiplier_drift(&self) -> f64 {
        self.multiplier_drift.iter().copied().fold(0.0, worse)
    }

    /// The final predictor.
    pub fn final_beta(&self) -> DVector<f64> {
        self.beta.column(self.beta.ncols() - 1).into_owned()
    }

    /// The final angle to the limit.
    pub fn final_angle(&self) -> Option<f64> {
        self.angle_to_limit.as_ref()?.last().copied()
    }
}
