//! Everything measured along a trajectory; the only input of claims and figures.

mod alignment;
mod classes;
mod curves;
mod feature_machine;
mod homogeneous;
mod invariants;
mod loss_rate;
mod phases;
mod rate;
mod sandwich;
mod standing;

pub use alignment::Alignment;
pub use classes::{Areas, Classes};
pub use curves::{CURVES, Curve};
pub use feature_machine::FeatureMachine;
pub use homogeneous::{Homogeneous, Unseen, output_on_level_set};
pub use invariants::Invariant;
pub use loss_rate::loss_rate;
pub use phases::{Phase, Phases};
pub use rate::{Fit, Rate, slope};
pub use sandwich::Sandwich;
pub use standing::Standing;

use crate::limit::{Certifier, Limit, angle};
use crate::problem::Problem;
use crate::theory::{self, Candidate, MarginProblem, Theory};
use crate::trajectory::Trajectory;
use nalgebra::{DMatrix, DVector};
use std::f64::consts::FRAC_PI_2;

/// All measurements; every vector has one entry per save (T).
#[derive(Debug, Clone)]
pub struct Diagnostics {
    /// What theory says about the problem; claims and figures read it along with the measurements.
    pub theory: Theory,
    /// s = ln(1+ln(1+t)).
    pub log_log_time: Vec<f64>,
    /// τ = ln(1+t).
    pub log_time: Vec<f64>,
    /// Margins `m_n = g_n·β`, N × T; row after row, N(C − 1) × T, where labels are classes.
    pub margins: DMatrix<f64>,
    /// `γ = min_n m_n`.
    pub min_margin: Vec<f64>,
    /// ln 𝓛.
    pub log_loss: Vec<f64>,
    /// ‖w_l‖_F, L × T.
    pub layer_norms: DMatrix<f64>,
    /// The predictor, D × T, or DC × T (0 × T for networks that are not linear in their input).
    pub beta: DMatrix<f64>,
    /// Angle between β and the limit, radians; `None` without a limit. π/2 while β = 0 to double precision. For ReLU
    /// networks: between the output weights and the hard-margin SVM of the features of the same save, π/2 while there
    /// is no such SVM.
    pub angle_to_limit: Option<Vec<f64>>,
    /// How the end of the run stands beside the limit, before the predicted potential (where that is convex).
    pub beside_limit: Option<Standing>,
    /// Angles to the other limits that have been claimed, see [`Candidate`](crate::theory::CandidatePotential).
    pub candidates: Vec<CandidateAngles>,
    /// Relative distance of the gradient of the predicted potential from the cone of the active samples; `None` while γ
    /// ≤ 0. For ReLU networks [`Homogeneous::feedback_kkt`] or [`Homogeneous::gradient_kkt`], by the rule; `None` where
    /// no such problem is known (fixed feedback, more than two layers). [`Classes::complementarity`] where several
    /// outputs and their feedback select no norm.
    pub kkt_residual: Vec<Option<f64>>,
    /// The duality gap that β certifies, with the best multipliers for it; `None` while γ ≤ 0. For ReLU networks that
    /// of the output weights on the features of the save.
    pub duality_gap: Vec<Option<f64>>,
    /// The duality gap with the multipliers accumulated along the run, `A(t) = ∫_0^t α`, instead: what the path itself
    /// certifies. `None` for ReLU networks, whose features turned along the way.
    pub accumulated_gap: Vec<Option<f64>>,
    /// Measurements specific to ReLU networks.
    pub homogeneous: Option<Homogeneous>,
    /// The output weights beside the SVM of the features; `None` without a hidden layer, or for networks whose output
    /// layer is not known.
    pub feature_machine: Option<FeatureMachine>,
    /// Alignment with the feedback (fully connected, fixed feedback, depth ≥ 2, if all of it is in the range of f64).
    pub alignment: Option<Alignment>,
    /// Singular values and alignment with matrices (linear networks with several outputs).
    pub classes: Option<Classes>,
    /// Alignment per frequency (convolutional or diagonal network, fixed feedback, depth ≥ 2).
    pub phases: Option<Phases>,
    /// What the first layer has learned, between its bounds (fixed feedback, convolutional or diagonal from zero
    /// weights, or fully connected).
    pub sandwich: Option<Sandwich>,
    /// Conserved quantities of the rule.
    pub invariants: Vec<Invariant>,
    /// `max_n |p_n − (τ − m_n)|/max(1+τ, |m_n|)`: relative where margins are huge, as doubles hold no more digits.
    pub multiplier_drift: Vec<f64>,
    /// The fitted rate of directional convergence, if there is a limit and a window to fit in.
    pub rate: Option<Rate>,
}

/// The run's angles to one claimed limit.
#[derive(Debug, Clone)]
pub struct CandidateAngles {
    /// [`Candidate::id`](crate::theory::CandidatePotential).
    pub id: &'static str,
    /// What the candidate is, for legends.
    pub label: &'static str,
    /// The candidate's minimiser in the original space, length D.
    pub beta: DVector<f64>,
    /// Angle between the run's β and the minimiser, radians, length T; π/2 while β = 0.
    pub angle: Vec<f64>,
    /// How the end of the run stands beside it, before the predicted potential.
    pub beside: Option<Standing>,
    /// How the end of the run stands beside the limit, before the candidate's own potential.
    pub limit_beside: Option<Standing>,
}

/// Predictors up to this have lost digits below the range of doubles: their direction says nothing, as that of zero.
const INDISTINCT: f64 = f64::MIN_POSITIVE / f64::EPSILON;

/// Measures `trajectory`, a run of `problem`, against `limit`.
pub fn diagnose(problem: &Problem, trajectory: &Trajectory, limit: Option<&Limit>) -> Diagnostics {
    let theory = theory::of(problem);
    let mut saves = Saves::new(problem, &theory, trajectory, limit);
    let mut d = Diagnostics::empty(problem, &theory, trajectory, limit);
    for k in 0..trajectory.len() {
        saves.record(k, &mut d);
    }
    saves.finish(&mut d);
    d.rate = rate::fit(theory.rate.as_ref(), limit, &d);
    d.theory = theory;
    d
}

/// The measurements of a run made save by save.
struct Saves<'a> {
    problem: &'a Problem,
    trajectory: &'a Trajectory,
    limit: Option<&'a Limit>,
    /// For the predicted potential of β, where there is one.
    certifier: Option<Certifier>,
    homogeneous: Option<homogeneous::Builder<'a>>,
    feature_machine: Option<feature_machine::Builder<'a>>,
    alignment: Option<alignment::Builder>,
    classes: Option<classes::Builder<'a>>,
    phases: Option<phases::Builder>,
    sandwich: Option<sandwich::Builder<'a>>,
    invariants: invariants::Tracker<'a>,
    margin_problem: Option<&'a MarginProblem>,
}

impl<'a> Saves<'a> {
    fn new(
        problem: &'a Problem,
        theory: &'a Theory,
        trajectory: &'a Trajectory,
        limit: Option<&'a Limit>,
    ) -> Self {
        let potential = theory.potential();
        let g = problem.dataset().signed_samples();
        let saves = Self {
            problem,
            trajectory,
            limit,
            certifier: potential.map(|potential| Certifier::new(g, potential)),
            homogeneous: homogeneous::Builder::new(problem, theory, trajectory.len()),
            feature_machine: None,
            alignment: alignment::Builder::new(problem, theory, trajectory.len()),
            classes: classes::Builder::new(problem, theory, trajectory.len()),
            phases: phases::Builder::new(problem, theory, trajectory),
            sandwich: sandwich::Builder::new(problem, theory, trajectory, limit),
            invariants: invariants::Tracker::new(&theory.conserved, trajectory.solver.floor()),
            margin_problem: theory.margin_problem.as_ref(),
        };
        let machine = || feature_machine::Builder::new(problem, trajectory.len());
        Self {
            // homogeneous networks measure it themselves
            feature_machine: if saves.homogeneous.is_none() {
                machine()
            } else {
                None
            },
            ..saves
        }
    }

    fn record(&mut self, k: usize, d: &mut Diagnostics) {
        let state = self.trajectory.theta.column(k);
        let (state, network) = (state.as_slice(), self.problem.network());
        // a rule may have state besides the weights, which come first
        let theta = &state[..network.parameters()];
        let weights = network.weights(theta);
        let mut margins = network.margins(theta, self.problem.dataset());
        let tau = d.log_time[k];
        for (l, w) in weights.iter().enumerate() {
            d.layer_norms[(l, k)] = w.norm();
        }
        let carried = self.trajectory.log_multipliers.column(k);
        let drifts = (carried.iter().zip(margins.iter()))
            .map(|(p, m)| (p - (tau - m)).abs() / (1.0 + tau).max(m.abs()));
        d.multiplier_drift.push(drifts.fold(0.0, worse));
        self.trajectory.correct_held(k, margins.as_mut_slice());
        d.min_margin.push(margins.min());
        let loss = self.problem.loss();
        let groups = self.problem.dataset().groups();
        d.log_loss
            .push(loss.log_loss_of(groups, margins.as_slice()));
        d.margins.set_column(k, &margins);
        self.record_predictor(k, theta, d);
        if let Some(machine) = &mut self.feature_machine {
            let angle = machine.record(k, theta, d.min_margin[k]);
            // of networks that are not linear in their input this is the limit
            if let (Some(angles), Some(angle), 0) = (&mut d.angle_to_limit, angle, d.beta.nrows()) {
                angles[k] = angle;
            }
        }
        if let Some(h) = &mut self.homogeneous {
            let features = h.record(k, theta, d.min_margin[k], d.log_loss[k]);
            d.duality_gap[k] = features.gap;
            if let Some(angles) = &mut d.angle_to_limit {
                angles[k] = features.angle.unwrap_or(FRAC_PI_2);
            }
        }
        if let Some(a) = &mut self.alignment {
            a.record(k, &weights);
        }
        if let Some(c) = &mut self.classes {
            c.record(k, d.beta.column(k).as_slice(), &weights);
        }
        if let Some(p) = &mut self.phases {
            p.record(k, theta);
        }
        if let Some(s) = &mut self.sandwich {
            s.record(k, theta, &weights);
        }
        self.invariants.record(state);
    }

    /// Records what a predictor β certifies by itself.
    fn record_predictor(&mut self, k: usize, theta: &[f64], d: &mut Diagnostics) {
        let Some(beta) = self.problem.network().predictor(theta) else {
            return;
        };
        d.beta.set_column(k, &beta);
        if beta.amax() < INDISTINCT {
            return;
        }
        if let (Some(angles), Some(limit)) = (&mut d.angle_to_limit, self.limit) {
            angles[k] = angle(beta.as_slice(), limit.beta.as_slice());
        }
        if let Some(certifier) = &mut self.certifier {
            let multipliers = certifier.best_multipliers(&beta);
            d.duality_gap[k] = certifier.duality_gap(&beta, &multipliers);
            let accumulated = self.trajectory.accumulated.as_ref();
            d.accumulated_gap[k] =
                accumulated.and_then(|a| certifier.duality_gap(&beta, &a.column(k).into_owned()));
            d.kkt_residual[k] = certifier.kkt_residual(&beta).map(|r| r.stationarity);
        }
    }

    fn finish(mut self, d: &mut Diagnostics) {
        if let (Some(certifier), Some(limit)) = (&mut self.certifier, self.limit) {
            let g = self.problem.dataset().signed_samples();
            d.beside_limit = Standing::of(
                certifier,
                g,
                &d.final_beta(),
                &limit.beta,
                &limit.multipliers,
            );
        }
        let hidden = self.problem.network().depth() > 1;
        d.homogeneous = self.homogeneous.map(homogeneous::Builder::finish);
        d.feature_machine = match self.feature_machine {
            Some(machine) => Some(machine.finish()),
            None => (d.homogeneous.as_ref().filter(|_| hidden))
                .map(|h| FeatureMachine::of(h, &d.duality_gap)),
        };
        if let (Some(h), Some(problem)) = (&d.homogeneous, self.margin_problem) {
            d.kkt_residual.clone_from(match problem {
                MarginProblem::LeastNorm => &h.gradient_kkt,
                MarginProblem::LeastFeedbackPotential(_) => &h.feedback_kkt,
            });
        }
        d.alignment = self.alignment.and_then(alignment::Builder::finish);
        d.classes = self.classes.map(classes::Builder::finish);
        let complementarity = d.classes.as_ref().and_then(|c| c.complementarity.as_ref());
        if let Some(residuals) = complementarity {
            d.kkt_residual.clone_from(residuals);
        }
        d.phases = self.phases.map(phases::Builder::finish);
        d.sandwich = self.sandwich.map(sandwich::Builder::finish);
        d.invariants = self.invariants.finish();
    }
}

/// The larger of two errors; NaN counts as the largest.
pub(crate) fn worse(x: f64, y: f64) -> f64 {
    if x.is_nan() || x > y { x } else { y }
}

impl Diagnostics {
    /// Diagnostics with room for every save, nothing measured yet.
    fn empty(
        problem: &Problem,
        theory: &Theory,
        trajectory: &Trajectory,
        limit: Option<&Limit>,
    ) -> Self {
        let (saves, network) = (trajectory.len(), problem.network());
        let dimension = if network.is_linear() {
            problem.dataset().predictor_length()
        } else {
            0
        };
        Self {
            theory: theory.clone(),
            log_log_time: trajectory.log_log_time.clone(),
            log_time: (0..saves).map(|k| trajectory.log_time(k)).collect(),
            margins: DMatrix::zeros(problem.dataset().rows(), saves),
            min_margin: Vec::with_capacity(saves),
            log_loss: Vec::with_capacity(saves),
            layer_norms: DMatrix::zeros(network.depth(), saves),
            beta: DMatrix::zeros(dimension, saves),
            angle_to_limit: limit.map(|_| vec![FRAC_PI_2; saves]),
            beside_limit: None,
            candidates: Vec::new(),
            kkt_residual: vec![None; saves],
            duality_gap: vec![None; saves],
            accumulated_gap: vec![None; saves],
            homogeneous: None,
            feature_machine: None,
            alignment: None,
            classes: None,
            phases: None,
            sandwich: None,
            invariants: Vec::new(),
            multiplier_drift: Vec::with_capacity(saves),
            rate: None,
        }
    }

    /// Measures where the run is beside `candidates` as well, on signed samples G (N × D).
    pub fn compare(&mut self, candidates: Vec<Candidate>, g: &DMatrix<f64>, limit: Option<&Limit>) {
        let end = self.final_beta();
        let beside = |of: &Limit, point: &Limit| {
            let mut certifier = Certifier::new(g, &of.potential);
            Standing::of(&mut certifier, g, &end, &point.beta, &of.multipliers)
        };
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
                beside: limit.and_then(|limit| beside(limit, &c.limit)),
                limit_beside: limit.and_then(|limit| beside(&c.limit, limit)),
                beta: c.limit.beta,
            })
            .collect();
    }

    /// `min_n m_n / ∏_l ‖w_l‖` at save `k`, the margin per length of the layers that the report's theorems on ReLU
    /// networks ask to stay away from zero; `None` while a layer is zero.
    pub fn margin_over_layers(&self, k: usize) -> Option<f64> {
        let norms = self.layer_norms.column(k);
        // one layer after the other: the product may be out of range
        (norms.min() > 0.0).then(|| norms.iter().fold(self.min_margin[k], |m, norm| m / norm))
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
