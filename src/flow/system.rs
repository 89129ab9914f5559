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
//! Where samples are linearly dependent the states are not the v_n but compressed [`Coordinates`] of the
//! log-multipliers, and the kernel is the network on their vectors. By then margins are so large that κ is a function
//! of `τ − p_n`.
//!
//! The clock may be local, `s = base + t`: late changes of the support are narrower than the spacing of doubles near s,
//! and a run resolves them with the solver's own time t counted from `base`.

mod rest;
mod states;

use super::clock::{COMPRESSION, compress, expand, log_time};
use super::coordinates::{Choice, Coordinates, Moment};
use super::drive::all_finite;
use super::ending::{STRONG, holding};
use super::factors::Factors;
use super::held::Held;
use super::newton::{DenseStep, NewtonStep};
use crate::loss::{Groups, Loss};
use crate::{control, network::Kernel};
use nalgebra::DVector;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// See [`System::held_rounding`].
const HELD_ROUNDING: f64 = 16.0 * f64::EPSILON;

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
    /// Those that the states are, if they are not the log-multipliers themselves.
    coordinates: Option<Arc<Coordinates>>,
    /// Whether the kernel takes no other rows than its samples, so that there are no coordinates.
    samples_only: bool,
    loss: Loss,
    /// Rows per sample.
    rows: usize,
    newton: NewtonSolver,
    base: f64,
    /// ln u of the clock, see [`Epoch`](super::clock::Epoch).
    log_unit: f64,
    /// How many equal samples each sample stands for.
    counts: Vec<usize>,
    /// ln of that, and of what else multiplies E_n.
    log_counts: Vec<f64>,
    /// What margins are besides those of the kernel.
    shift: Vec<f64>,
    /// Parts of θ to be resolved relative to their own size.
    resolved: Arc<[Vec<Range<usize>>]>,
    /// Samples whose states are not their log-multipliers, since their margins rest.
    held: Option<Arc<Held>>,
    /// The last set of samples being learned, and whether they are dependent: it changes a few times in a run.
    learned: Mutex<(Vec<usize>, bool)>,
    rhs_evaluations: AtomicUsize,
    jacobian_evaluations: AtomicUsize,
}

impl System {
    /// The system with its clock counted from `base` (0 for a run's start).
    pub fn new(kernel: Arc<dyn Kernel>, loss: Loss, newton: NewtonSolver, base: f64) -> Self {
        Self {
            kernel,
            coordinates: None,
            samples_only: false,
            loss,
            rows: 1,
            newton,
            base,
            log_unit: 0.0,
            counts: Vec::new(),
            log_counts: Vec::new(),
            shift: Vec::new(),
            resolved: Arc::new([]),
            held: None,
            learned: Mutex::default(),
            rhs_evaluations: AtomicUsize::new(0),
            jacobian_evaluations: AtomicUsize::new(0),
        }
    }

    /// The same system on samples of `rows` rows each, which losses may couple.
    pub fn with_rows(self, rows: usize) -> Self {
        Self { rows, ..self }
    }

    /// Rows per sample.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The same system with sample n standing for `counts[n]` equal ones.
    pub fn with_counts(mut self, counts: &[usize]) -> Self {
        self.log_counts = counts.iter().map(|k| (*k as f64).ln()).collect();
        self.counts = counts.to_vec();
        self
    }

    /// ln of how many equal samples sample n stands for.
    pub(super) fn count(&self, n: usize) -> f64 {
        self.counts.get(n).map_or(0.0, |count| (*count as f64).ln())
    }

    /// Makes margins these constants larger than the kernel's, which its log-multipliers do not know.
    fn shift(&mut self, shift: &[f64]) {
        let samples = self.log_counts.len().max(shift.len());
        self.log_counts.resize(samples, 0.0);
        for (log_count, shift) in self.log_counts.iter_mut().zip(shift) {
            *log_count -= shift;
        }
        self.shift = shift.to_vec();
    }

    /// What margins have besides that log-multipliers do not know; empty for nothing.
    pub(super) fn margin_shift(&self) -> &[f64] {
        &self.shift
    }

    /// The same with a clock in a unit of this logarithm.
    pub fn in_unit(self, log_unit: f64) -> Self {
        Self { log_unit, ..self }
    }

    /// The same with parts of θ to be resolved relative to their own size, however small they are.
    pub(super) fn resolving(self, resolved: &Arc<[Vec<Range<usize>>]>) -> Self {
        let resolved = Arc::clone(resolved);
        Self { resolved, ..self }
    }

    /// Those parts.
    pub(super) fn resolved(&self) -> &[Vec<Range<usize>>] {
        &self.resolved
    }

    /// The same system with states that are coordinates. The kernel has to be that of their vectors.
    pub(super) fn in_coordinates(mut self, coordinates: Option<Arc<Coordinates>>) -> Self {
        if let Some(coordinates) = &coordinates {
            self.shift(coordinates.shift());
        }
        self.coordinates = coordinates;
        self
    }

    /// The same system with some samples held.
    pub(super) fn with_held(self, held: Option<Arc<Held>>) -> Self {
        Self { held, ..self }
    }

    /// The samples that are held, if there are any.
    pub(super) fn held(&self) -> Option<&Held> {
        self.held.as_deref()
    }

    /// Rounding of the rates of states where samples are held: what holds two of them apart may be e^s weaker than what
    /// holds them both.
    pub(super) fn held_rounding(&self) -> f64 {
        match self.held {
            Some(_) => HELD_ROUNDING * self.clock(0.0).exp(),
            None => 0.0,
        }
    }

    /// The same system, whose states stay the log-multipliers of samples.
    pub(super) fn samples_only(mut self, samples_only: bool) -> Self {
        self.samples_only = samples_only;
        self
    }

    /// Those that the states are, if they are not the log-multipliers themselves.
    pub(super) fn coordinates(&self) -> Option<&Arc<Coordinates>> {
        self.coordinates.as_ref()
    }

    /// What tells the coordinates from others; none where states are log-multipliers.
    pub(super) fn choice(&self) -> Option<Choice> {
        self.coordinates.as_ref().map(|at| at.choice().clone())
    }

    /// Share of e^s in the rate of each state.
    pub(super) fn offsets(&self) -> Vec<f64> {
        let states = self.kernel.samples();
        match self.coordinates {
            None => vec![1.0; states],
            Some(_) => (0..states).map(Coordinates::offset).collect(),
        }
    }

    /// s at the local time t.
    pub fn clock(&self, t: f64) -> f64 {
        self.base + t
    }

    /// What log-multipliers and margins add up to at s: τ + ln u.
    pub(super) fn log_time(&self, s: f64) -> f64 {
        log_time(s) + self.log_unit
    }

    /// ln u
    pub(super) fn log_unit(&self) -> f64 {
        self.log_unit
    }

    pub(super) fn moment(&self, s: f64) -> Moment {
        let tau = self.log_time(s);
        Moment { s, tau }
    }

    /// P + r: weights and states.
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

    /// `ln 𝓛` of the weights. It is taken from the margins and not from the p_n, which know those of samples that are
    /// not learned to no more than a share of τ.
    pub(super) fn log_loss(&self, theta: &[f64]) -> f64 {
        let mut margins = vec![0.0; self.kernel.samples()];
        self.kernel.margins(theta, &mut margins);
        if let Some(coordinates) = &self.coordinates {
            margins = coordinates.of_vectors(margins);
        }
        for (margin, shift) in margins.iter_mut().zip(&self.shift) {
            *margin += shift;
        }
        let samples = margins.chunks(self.rows).enumerate();
        let each: Vec<f64> = samples
            .flat_map(|(n, group)| {
                let count = self.counts.get(n * self.rows).copied().unwrap_or(1);
                std::iter::repeat_n(group, count).flatten().copied()
            })
            .collect();
        let groups = Groups::new(each.len() / self.rows, self.rows);
        self.loss.log_loss_of(groups, &each)
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

    /// ln of what multiplies E_n: of how many equal samples each sample stands for, and less its part of the margin
    /// that its log-multiplier does not know; empty: one each.
    pub(super) fn log_counts(&self) -> &[f64] {
        &self.log_counts
    }

    pub(super) fn factors(&self, y: &[f64], t: f64) -> Factors {
        let (theta, v) = y.split_at(self.kernel.parameters());
        let s = self.clock(t);
        let (cosh, tanh) = v
            .iter()
            .map(|v| ((v / COMPRESSION).cosh(), (v / COMPRESSION).tanh()))
            .unzip();
        let mut factors = Factors {
            growth: s.exp(),
            multipliers: Vec::new(),
            cosh,
            tanh,
            slope: vec![0.0; v.len()],
            coordinates: None,
            dead: Vec::new(),
            held: self.held.clone(),
        };
        match &self.coordinates {
            None => self.of_samples(theta, v, s, &mut factors),
            Some(coordinates) => self.of_coordinates(coordinates, v, s, &mut factors),
        }
        factors
    }

    fn of_samples(&self, theta: &[f64], v: &[f64], s: f64, factors: &mut Factors) {
        let mut correction = vec![0.0; v.len()];
        correction[..self.log_counts.len()].copy_from_slice(&self.log_counts);
        if !self.loss.log_correction_is_zero() {
            let mut margins = vec![0.0; v.len()];
            self.kernel.margins(theta, &mut margins);
            let mut own = vec![0.0; v.len()];
            self.loss
                .corrections(self.rows, &margins, &mut own, &mut factors.slope);
            correction
                .iter_mut()
                .zip(own)
                .for_each(|(c, own)| *c += own);
        }
        let exponents = v.iter().zip(&correction).map(|(v, c)| s + expand(*v) + c);
        factors.multipliers = exponents.map(f64::exp).collect();
        for &n in self.kernel.dead() {
            factors.dead.push(n);
            factors.multipliers[n] = (s + self.log_time(s) + correction[n]).exp();
            (factors.cosh[n], factors.tanh[n]) = (1.0, 0.0);
        }
        let idle = self.kernel.idle();
        if !idle.is_empty() {
            let mut p: Vec<f64> = v.iter().map(|v| expand(*v)).collect();
            for &n in self.kernel.dead() {
                p[n] = self.log_time(s);
            }
            let most = (s + holding(&p, idle)).exp();
            for &n in idle {
                factors.multipliers[n] = factors.multipliers[n].min(most);
            }
        }
    }

    fn of_coordinates(&self, at: &Coordinates, v: &[f64], s: f64, factors: &mut Factors) {
        let p = self.log_multipliers(v, s);
        let tau = self.log_time(s);
        let shifted = |(n, p): (usize, &f64)| tau - p + self.shift.get(n).copied().unwrap_or(0.0);
        let margins: Vec<f64> = p.iter().enumerate().map(shifted).collect();
        let strongest = |(n, p): (usize, f64)| if at.is_zero(n) { p.min(STRONG) } else { p };
        let p: Vec<f64> = p.into_iter().enumerate().map(strongest).collect();
        let (mut corrections, mut slopes) = (vec![0.0; p.len()], vec![0.0; p.len()]);
        self.loss
            .corrections(self.rows, &margins, &mut corrections, &mut slopes);
        for (n, slope) in slopes.iter_mut().enumerate() {
            let count = self.log_counts.get(n).copied().unwrap_or(0.0);
            let e = (s + p[n] + corrections[n] + count).exp();
            factors.multipliers.push(e);
            *slope = e * (1.0 - *slope);
        }
        let mut pull = vec![0.0; at.len()];
        at.pull(&factors.multipliers, &mut pull);
        factors.coordinates = Some((pull, at.curvature(&slopes)));
    }

    /// Writes the log-multipliers of dead samples into a state (θ, v) at the local time t.
    pub(super) fn complete(&self, y: &mut [f64], t: f64) {
        let parameters = self.kernel.parameters();
        for n in self.kernel.dead() {
            y[parameters + n] = compress(self.log_time(self.clock(t)));
        }
    }

    /// `E_n`
    pub fn multipliers(&self, y: &[f64], t: f64) -> Vec<f64> {
        self.factors(y, t).multipliers
    }

    /// From multipliers of the samples to those of the rows that the kernel has.
    pub(super) fn pull<'a>(&self, multipliers: &'a [f64]) -> Cow<'a, [f64]> {
        match &self.coordinates {
            None => Cow::Borrowed(multipliers),
            Some(coordinates) => {
                let mut pull = vec![0.0; coordinates.len()];
                coordinates.pull(multipliers, &mut pull);
                Cow::Owned(pull)
            }
        }
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
            .velocity(&y[..parameters], factors.pull(), velocity, rates);
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
        let weights = factors.weights();
        let mut d_pull = weights.apply(&DVector::from_column_slice(d_v));
        let pull = factors.pull();
        if factors.slope.iter().any(|slope| *slope != 0.0) {
            let along = self
                .kernel
                .tangent(theta, pull, d_theta, &vec![0.0; d_v.len()]);
            for (n, d) in d_pull.iter_mut().enumerate() {
                *d += pull[n] * factors.slope[n] * along.margins[n];
            }
            factors.rest(d_pull.as_mut_slice());
        }
        let tangent = self.kernel.tangent(theta, pull, d_theta, d_pull.as_slice());
        let mut velocity = vec![0.0; parameters];
        let mut rates = vec![0.0; d_v.len()];
        self.kernel.velocity(theta, pull, &mut velocity, &mut rates);
        out[..parameters].copy_from_slice(&tangent.velocity);
        factors.margin_to_multiplier_rates(&mut rates);
        let mut d_rates = tangent.rates.as_slice().to_vec();
        factors.rest(&mut d_rates);
        for n in 0..d_v.len() {
            let v_dot = factors.settled(rates[n]) / factors.cosh[n];
            out[parameters + n] =
                -d_rates[n] / factors.cosh[n] - v_dot * factors.tanh[n] / COMPRESSION * d_v[n];
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
