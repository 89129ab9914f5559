//! The vector field of (θ, v) in the clock s, its exact derivative, and the linearised implicit step.
//!
//! With `E_n = exp(s + p_n + κ(m_n))` the multiplier in the clock s (`κ` = 0 for the exponential loss, `−ln(1+e^{−m})`
//! for the logistic one), `p_n = P sinh(v_n/P)` and `C_n = cosh(v_n/P)`: `θ' = Σ E_n y_n 𝒢_n(θ)`,
//! `v_n' = (e^s − m_n')/C_n`, where `m_n'` is the margin rate that θ' causes. The exponent `s + p_n` is formed before
//! exponentiating, so nothing overflows on the slow manifold, where `s + p_n` grows at most like s.
//!
//! Dead samples (ReLU networks: some layer passes nothing on of them) have margins of exactly zero, so `p_n = τ`: their
//! v is not integrated, where it would take up rounding that grows with τ, but told where states are read
//! ([`System::complete`]). Idle samples, most of them dead, move nothing, and what they hold on kinks they hold as well
//! with any large multiplier, so their p counts as 12 at most.
//!
//! The clock may be local, `s = base + t`: late changes of the support are narrower than the spacing of doubles near s,
//! and a run resolves them with the solver's own time t counted from `base`.

use super::clock::{COMPRESSION, compress, expand, log_time};
use super::dependence::{self, Dependent, FOLLOW_GROWTH};
use super::drive::all_finite;
use super::ending::STRONG;
use super::newton::{DenseStep, NewtonStep};
use crate::{control, loss::Loss, network::Kernel};
use nalgebra::DVector;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// See [`System::updates_cancel`].
const CANCELLED: f64 = 1e-8;

/// Updates of this size, relative to the largest of any weight, are rounding.
const ROUNDED_UPDATES: f64 = 1e-13;

/// How the Newton systems of implicit steps are solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NewtonSolver {
    /// Exact elimination to the active samples (the default; fast at every size).
    #[default]
    Structured,
    /// The full (P+N)² matrix, equilibrated LU: the slow twin, for tests.
    Dense,
}

/// The flow of one problem from a base of the clock.
pub struct System {
    kernel: Arc<dyn Kernel>,
    loss: Loss,
    newton: NewtonSolver,
    base: f64,
    /// ln u of the clock, see [`Epoch`](super::clock::Epoch).
    log_unit: f64,
    /// ln of how many equal samples each sample stands for.
    log_counts: Vec<f64>,
    /// Dependents of the last set of near samples, cached because that set changes only a few times in a run.
    dependents: Mutex<(Vec<usize>, Arc<Vec<Dependent>>)>,
    rhs_evaluations: AtomicUsize,
    jacobian_evaluations: AtomicUsize,
}

/// Factors common to all formulas, at one state.
pub(super) struct Factors {
    /// `e^s`
    pub growth: f64,
    /// `E_n`
    pub multipliers: Vec<f64>,
    /// `C_n = cosh(v_n/P)`
    pub cosh: Vec<f64>,
    /// `tanh(v_n/P)`
    pub tanh: Vec<f64>,
    /// `∂κ/∂m_n`
    pub slope: Vec<f64>,
    /// Samples whose rates follow those of others.
    pub dependents: Arc<Vec<Dependent>>,
    /// Samples whose log-multipliers are not integrated.
    dead: Vec<usize>,
}

impl Factors {
    /// Converts `m_n'` to `p_n' = e^s − m_n'`, in place.
    pub fn margin_to_multiplier_rates(&self, rates: &mut [f64]) {
        for rate in rates.iter_mut() {
            *rate = self.growth - *rate;
        }
        self.follow(rates);
        self.rest(rates);
    }

    /// Zero for dead samples.
    pub fn rest(&self, rates: &mut [f64]) {
        for n in &self.dead {
            rates[*n] = 0.0;
        }
    }

    /// `p_n'`, or zero where it is only rounding of `e^s − m_n'`, for the curvature of the compression: on the slow
    /// manifold that term is negligible, but rounding of size ε e^s would make the Newton matrix meaningless at large
    /// s.
    pub fn settled(&self, p_dot: f64) -> f64 {
        if p_dot.abs() < 1e-13 * self.growth {
            0.0
        } else {
            p_dot
        }
    }

    /// Replaces the entries of dependent samples by the combinations they are equal to.
    fn follow(&self, rates: &mut [f64]) {
        for d in self.dependents.iter() {
            rates[d.sample] = d.on.iter().map(|&(k, t)| t * rates[k]).sum();
        }
    }
}

impl System {
    /// The system with its clock counted from `base` (0 for a run's start).
    pub fn new(kernel: Arc<dyn Kernel>, loss: Loss, newton: NewtonSolver, base: f64) -> Self {
        Self {
            kernel,
            loss,
            newton,
            base,
            log_unit: 0.0,
            log_counts: Vec::new(),
            dependents: Mutex::default(),
            rhs_evaluations: AtomicUsize::new(0),
            jacobian_evaluations: AtomicUsize::new(0),
        }
    }

    /// The same system with sample n standing for `counts[n]` equal ones.
    pub fn with_counts(mut self, counts: &[usize]) -> Self {
        self.log_counts = counts.iter().map(|k| (*k as f64).ln()).collect();
        self
    }

    /// The same with a clock in a unit of this logarithm.
    pub fn in_unit(self, log_unit: f64) -> Self {
        Self { log_unit, ..self }
    }

    /// s at the local time t.
    pub fn clock(&self, t: f64) -> f64 {
        self.base + t
    }

    /// P + N.
    pub fn unknowns(&self) -> usize {
        self.kernel.parameters() + self.kernel.samples()
    }

    /// P.
    pub fn parameters(&self) -> usize {
        self.kernel.parameters()
    }

    /// The field, for linearised steps that hold on to it.
    pub(super) fn shared_kernel(&self) -> &Arc<dyn Kernel> {
        &self.kernel
    }

    pub(super) fn kernel(&self) -> &dyn Kernel {
        &*self.kernel
    }

    pub fn evaluations(&self) -> (usize, usize) {
        (
            self.rhs_evaluations.load(Ordering::Relaxed),
            self.jacobian_evaluations.load(Ordering::Relaxed),
        )
    }

    /// The state at s = 0, where τ = 0 and `p_n = −m_n(θ_0)`.
    pub fn initial_state(&self, theta0: &DVector<f64>) -> Vec<f64> {
        let mut margins = vec![0.0; self.kernel.samples()];
        self.kernel.margins(theta0.as_slice(), &mut margins);
        let mut y = theta0.as_slice().to_vec();
        y.extend(margins.iter().map(|m| compress(-m)));
        y
    }

    pub(super) fn loss(&self) -> Loss {
        self.loss
    }

    /// ln of how many equal samples each sample stands for; empty: one each.
    pub(super) fn log_counts(&self) -> &[f64] {
        &self.log_counts
    }

    /// Whether the rates of some samples have to follow those of others (see [`dependence`]) at the log-log-time s.
    pub(super) fn has_dependents(&self, v: &[f64], s: f64) -> bool {
        !self.dependents(v, s).is_empty()
    }

    fn dependents(&self, v: &[f64], s: f64) -> Arc<Vec<Dependent>> {
        let Some(g) = self.kernel.signed_samples() else {
            return Arc::default();
        };
        if s.exp() < FOLLOW_GROWTH {
            return Arc::default();
        }
        let near = dependence::near(v.iter().map(|v| expand(*v)), s);
        let mut known = self
            .dependents
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if known.0 != near {
            let found = Arc::new(dependence::dependents(g, &near));
            *known = (near, found);
        }
        Arc::clone(&known.1)
    }

    pub(super) fn factors(&self, y: &[f64], t: f64) -> Factors {
        let (theta, v) = y.split_at(self.kernel.parameters());
        let s = self.clock(t);
        let mut correction = vec![0.0; v.len()];
        correction[..self.log_counts.len()].copy_from_slice(&self.log_counts);
        let mut slope = vec![0.0; v.len()];
        if !self.loss.log_correction_is_zero() {
            let mut margins = vec![0.0; v.len()];
            self.kernel.margins(theta, &mut margins);
            for (n, m) in margins.into_iter().enumerate() {
                correction[n] += self.loss.log_correction(m);
                slope[n] = self.loss.log_correction_slope(m);
            }
        }
        let mut factors = Factors {
            growth: s.exp(),
            multipliers: Vec::with_capacity(v.len()),
            cosh: Vec::with_capacity(v.len()),
            tanh: Vec::with_capacity(v.len()),
            slope,
            dependents: self.dependents(v, s),
            dead: self.kernel.dead().to_vec(),
        };
        for (v, correction) in v.iter().zip(&correction) {
            let x = v / COMPRESSION;
            factors
                .multipliers
                .push((s + COMPRESSION * x.sinh() + correction).exp());
            factors.cosh.push(x.cosh());
            factors.tanh.push(x.tanh());
        }
        for &n in &factors.dead {
            factors.multipliers[n] = (s + log_time(s) + self.log_unit + correction[n]).exp();
            (factors.cosh[n], factors.tanh[n]) = (1.0, 0.0);
        }
        for &n in self.kernel.idle() {
            factors.multipliers[n] = factors.multipliers[n].min((s + STRONG).exp());
        }
        factors
    }

    /// Writes the log-multipliers of dead samples into a state (θ, v) at the local time t.
    pub(super) fn complete(&self, y: &mut [f64], t: f64) {
        let parameters = self.kernel.parameters();
        for n in self.kernel.dead() {
            y[parameters + n] = compress(log_time(self.clock(t)) + self.log_unit);
        }
    }

    /// `E_n`
    pub fn multipliers(&self, y: &[f64], t: f64) -> Vec<f64> {
        self.factors(y, t).multipliers
    }

    /// Whether the updates of the samples cancel in every weight, `|Σ_n E_n y_n 𝒢_n| ≤ 1e-8 Σ_n |E_n y_n 𝒢_n|`, entry
    /// by entry. This distinguishes resting weights and samples that contradict each other from updates that are
    /// small because the data are.
    pub(super) fn updates_cancel(&self, y: &[f64], t: f64) -> bool {
        let theta = &y[..self.kernel.parameters()];
        let multipliers = self.multipliers(y, t);
        let mut sum = vec![0.0; theta.len()];
        let mut size = vec![0.0; theta.len()];
        let mut update = vec![0.0; theta.len()];
        let mut rates = vec![0.0; multipliers.len()];
        let mut alone = vec![0.0; multipliers.len()];
        for (n, &multiplier) in multipliers.iter().enumerate() {
            alone[n] = multiplier;
            self.kernel.velocity(theta, &alone, &mut update, &mut rates);
            alone[n] = 0.0;
            for ((sum, size), update) in sum.iter_mut().zip(&mut size).zip(&update) {
                *sum += update;
                *size += update.abs();
            }
        }
        // where units slide, what is left of their updates is rounding
        let rounding = ROUNDED_UPDATES * size.iter().copied().fold(0.0, f64::max);
        (sum.iter().zip(&size)).all(|(sum, size)| sum.abs() <= CANCELLED * size + rounding)
    }

    /// Whether nothing is to be computed at a state: it is not finite, or the computation [is over](control::is_over).
    fn is_lost(y: &[f64], t: f64) -> bool {
        !t.is_finite() || !all_finite(y) || control::is_over()
    }

    /// `dy/ds` into `out`; nothing that is a number where the state is lost, so that no step leads there.
    pub fn rhs(&self, y: &[f64], t: f64, out: &mut [f64]) {
        self.rhs_evaluations.fetch_add(1, Ordering::Relaxed);
        let parameters = self.kernel.parameters();
        if Self::is_lost(y, t) {
            out.fill(f64::NAN);
            return;
        }
        let factors = self.factors(y, t);
        let (velocity, rates) = out.split_at_mut(parameters);
        self.kernel
            .velocity(&y[..parameters], &factors.multipliers, velocity, rates);
        factors.margin_to_multiplier_rates(rates);
        for (rate, cosh) in rates.iter_mut().zip(&factors.cosh) {
            *rate /= cosh;
        }
    }

    /// `out = ∂(dy/ds)/∂y · direction`, exact.
    pub fn jacobian_product(&self, y: &[f64], t: f64, direction: &[f64], out: &mut [f64]) {
        let parameters = self.kernel.parameters();
        let factors = self.factors(y, t);
        let theta = &y[..parameters];
        let (d_theta, d_v) = direction.split_at(parameters);
        // dE_n = E_n (C_n dv_n + λ_n dm_n); dm comes from the tangent with dE = 0.
        let mut d_multipliers: Vec<f64> = (0..d_v.len())
            .map(|n| factors.multipliers[n] * factors.cosh[n] * d_v[n])
            .collect();
        factors.rest(&mut d_multipliers);
        if !self.loss.log_correction_is_zero() {
            let along =
                self.kernel
                    .tangent(theta, &factors.multipliers, d_theta, &vec![0.0; d_v.len()]);
            for (n, d) in d_multipliers.iter_mut().enumerate() {
                *d += factors.multipliers[n] * factors.slope[n] * along.margins[n];
            }
            factors.rest(&mut d_multipliers);
        }
        let tangent = self
            .kernel
            .tangent(theta, &factors.multipliers, d_theta, &d_multipliers);
        let mut velocity = vec![0.0; parameters];
        let mut rates = vec![0.0; d_v.len()];
        self.kernel
            .velocity(theta, &factors.multipliers, &mut velocity, &mut rates);
        out[..parameters].copy_from_slice(&tangent.velocity);
        factors.margin_to_multiplier_rates(&mut rates);
        let mut d_rates: Vec<f64> = tangent.rates.iter().map(|r| -r).collect();
        factors.follow(&mut d_rates);
        factors.rest(&mut d_rates);
        for n in 0..d_v.len() {
            let v_dot = factors.settled(rates[n]) / factors.cosh[n];
            out[parameters + n] =
                d_rates[n] / factors.cosh[n] - v_dot * factors.tanh[n] / COMPRESSION * d_v[n];
        }
    }

    /// The linearised implicit step `(1 − c ∂(dy/ds)/∂y) x = b` at `(y, t)`, factorised.
    pub fn linearise(&self, y: &[f64], t: f64, c: f64) -> Box<dyn FactorisedStep> {
        self.jacobian_evaluations.fetch_add(1, Ordering::Relaxed);
        if Self::is_lost(y, t) {
            return Box::new(Nowhere);
        }
        match self.newton {
            NewtonSolver::Structured => Box::new(NewtonStep::new(self, y, t, c)),
            NewtonSolver::Dense => Box::new(DenseStep::new(self, y, t, c)),
        }
    }
}

/// A factorised Newton matrix.
pub trait FactorisedStep: Send {
    /// Overwrites b with x.
    fn solve(&self, b: &mut [f64]);
}

/// What no step is taken with.
struct Nowhere;

impl FactorisedStep for Nowhere {
    fn solve(&self, b: &mut [f64]) {
        b.fill(f64::NAN);
    }
}
