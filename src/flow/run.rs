//! State that a run carries from leg to leg: budgets, saves, statistics, fixed points.

use super::borders;
use super::checkpoint::{Keeper, Mark, spacing};
use super::clock::{Epoch, compress, expand, log_log_time_of_log_time, log_time};
use super::contradiction::Holding;
use super::ending::{Ending, Escape, Rest, message};
use super::error::PieceError;
use super::held::Held;
use super::integrator::Pace;
use super::past::Past;
use super::saves::Saves;
use super::system::{NewtonSolver, System};
use super::watch::Watch;
use super::{FlowOptions, Method};
use crate::control::Deadline;
use crate::error::Result;
use crate::network::{Kernel, SMALLEST};
use crate::trajectory::{Kinks, LossRise, SolverStatistics, Status, Trajectory};
use nalgebra::DMatrix;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

/// The flow of one problem in progress.
pub(super) struct FlowRun<'a> {
    pub options: &'a FlowOptions,
    pub keeper: Keeper<'a>,
    /// The method in use.
    pub method: Method,
    /// How its Newton systems are solved.
    newton: NewtonSolver,
    /// s at which the whole matrix has come into use, until it is no longer needed.
    dense_since: Option<f64>,
    pub parameters: usize,
    pub samples: usize,
    pub saves: Saves,
    pub solver: SolverStatistics,
    clock: Instant,
    /// Seconds spent in earlier sessions.
    before: f64,
    /// Step count at which the next fixed point is due.
    next_fixed_point: usize,
    /// History for the next integrator to resume from, if it begins at a mark.
    pub past: Option<Past>,
    /// How the run comes along, for the next integrator to begin with if it only crosses a border.
    pub pace: Option<Pace>,
    pub failure: Option<String>,
    /// s at which the weights came to rest, and where.
    rest: Option<(f64, Rest)>,
    /// ln t at which weights still near zero at the end are expected to have left it.
    pub escape: Option<Escape>,
    /// Samples that contradict each other, once they are held.
    pub contradiction: Option<Holding>,
    /// Samples whose margins rest while others are learned, of networks that are not linear in their input.
    pub held: Option<Arc<Held>>,
    pub watch: Watch,
    /// The clock in use; all s but those of saves, messages and progress are its own.
    pub epoch: Epoch,
    /// Largest p at s = 0, or of an idle sample when it was released.
    pub strongest_at_start: f64,
    /// `None` for smooth fields.
    kinks: Option<Kinks>,
    pub loss_rise: LossRise,
    /// Rounding of each layer: absolute tolerances are not tighter. Zero until a run is held up by it.
    rounding: Vec<f64>,
    pub layers: Vec<usize>,
    /// Weights that must not cross zero, with their signs.
    signs: Vec<(usize, f64)>,
    /// Parts of θ to be resolved relative to their own size.
    pub resolved: Arc<[Vec<Range<usize>>]>,
}

/// Rounding of a layer's velocity over a unit of s, relative to its largest weight. A velocity is a sum of terms of
/// that size; where they cancel, a weight stays bounded while the layer grows, and steps held to the weight's own
/// size would chase the rounding of the sum.
const ROUNDING: f64 = 64.0 * f64::EPSILON;

/// ln t from which on nothing of a start is left that needs a clock of its own: margins are above -10 or so.
const SLOW: f64 = -10.0;

/// Most unknowns of a Newton matrix that is written down.
const MOST_DENSE: usize = 400;

/// Progress in s after which the structured Newton step is tried again.
const DENSE_FOR: f64 = 0.5;

/// The error allowed to one step, as a share of the run's absolute tolerance of weights. From zero they start as
/// powers of time (layer l like `t^{2^{l−1}}`), and conserved quantities compare powers of them: early on they must be
/// known to digits of their own.
const LOCAL_SHARE_OF_WEIGHTS: f64 = 1e-5;

impl<'a> FlowRun<'a> {
    pub(super) fn new(
        kernel: &dyn Kernel,
        options: &'a FlowOptions,
        newton: NewtonSolver,
        keeper: Keeper<'a>,
    ) -> Self {
        let (parameters, samples) = (kernel.parameters(), kernel.samples());
        let layers = kernel.layers();
        let unknowns = parameters + samples;
        let method = options.method.for_field(kernel, newton);
        let suffix = match newton {
            NewtonSolver::Structured => "",
            NewtonSolver::Dense => " (dense Newton)",
        };
        let mut run = Self {
            options,
            keeper,
            method,
            newton,
            dense_since: None,
            parameters,
            samples,
            saves: Saves::new(options, parameters, samples),
            solver: SolverStatistics {
                method: format!("{}{suffix}", method.name()),
                rtol: options.rtol,
                atol: options.atol,
                unknowns,
                ..Default::default()
            },
            clock: Instant::now(),
            before: 0.0,
            next_fixed_point: 0,
            past: None,
            pace: None,
            failure: None,
            rest: None,
            contradiction: None,
            held: None,
            escape: None,
            watch: Watch::default(),
            epoch: Epoch::FIRST,
            strongest_at_start: 0.0,
            kinks: None,
            loss_rise: LossRise::default(),
            rounding: vec![0.0; layers.len()],
            layers,
            signs: Vec::new(),
            resolved: Arc::new([]),
        };
        run.schedule_fixed_point();
        run
    }

    /// Holds what the flow from `theta` keeps away from zero.
    pub(super) fn hold(&mut self, kernel: &dyn Kernel, theta: &[f64]) {
        let held = kernel.held(theta);
        let signs = held.signs.into_iter().map(|i| (i, theta[i].signum()));
        self.signs = signs.collect();
        self.resolved = held.near.into();
    }

    /// Whether one of the weights has crossed zero that cannot.
    pub(super) fn has_crossed_zero(&self, theta: &[f64]) -> bool {
        (self.signs.iter()).any(|(i, sign)| theta[*i] * sign < -SMALLEST)
    }

    fn schedule_fixed_point(&mut self) {
        let steps = self.options.checkpoint_steps;
        let steps = steps.unwrap_or_else(|| spacing(self.parameters, self.samples));
        self.next_fixed_point = self.solver.steps.saturating_add(steps);
    }

    /// Whether the integrator is due to be restarted.
    pub(super) fn fixed_point_due(&self) -> bool {
        self.solver.steps >= self.next_fixed_point
    }

    /// At a fixed point: the state `y` of log-log-time s, of the field of `system`.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io) if a checkpoint is due and cannot be written.
    pub(super) fn fix(&mut self, s: f64, y: &[f64], system: &System, totals: &[f64]) -> Result<()> {
        self.schedule_fixed_point();
        let mark = self.mark_at(s, y, system, totals);
        self.keeper.keep(mark, &self.saves)
    }

    /// The mark of an integrator that begins anew at the state `y` of log-log-time s.
    pub(super) fn mark_at(&self, s: f64, y: &[f64], system: &System, totals: &[f64]) -> Mark {
        let pieces = system.kernel().pieces();
        Mark {
            s,
            epoch: self.epoch,
            dense_since: self.dense_since,
            reached: self.epoch.global(s),
            y: y.to_vec(),
            coordinates: system.choice(),
            contradiction: self.contradiction.clone(),
            held: self.held.as_deref().cloned(),
            accumulated: totals.to_vec(),
            method: self.method,
            past: None,
            piece: pieces.map_or(Vec::new(), |pieces| pieces.state()),
            kinks: self.kinks.clone(),
            loss_rise: self.loss_rise.clone(),
            strongest_at_start: self.strongest_at_start,
            rounding: self.rounding.clone(),
            watch: self.watch.clone(),
            solver: SolverStatistics {
                wall_seconds: self.wall_seconds(),
                ..self.solver.clone()
            },
            saved: self.saves.times.len(),
        }
    }

    /// Resumes from a mark whose saves have been restored.
    pub(super) fn restore(&mut self, mark: &Mark) {
        self.method = mark.method;
        self.past.clone_from(&mark.past);
        self.kinks.clone_from(&mark.kinks);
        self.loss_rise.clone_from(&mark.loss_rise);
        self.strongest_at_start = mark.strongest_at_start;
        self.rounding.clone_from(&mark.rounding);
        self.watch.clone_from(&mark.watch);
        self.epoch = mark.epoch;
        self.dense_since = mark.dense_since;
        self.held = mark.held.clone().map(Arc::new);
        self.before = mark.solver.wall_seconds;
        let fresh = std::mem::take(&mut self.solver);
        self.solver = SolverStatistics {
            rtol: fresh.rtol,
            atol: fresh.atol,
            unknowns: fresh.unknowns,
            ..mark.solver.clone()
        };
        self.schedule_fixed_point();
    }

    /// Seconds spent on this run, interruptions left out.
    fn wall_seconds(&self) -> f64 {
        self.before + self.clock.elapsed().as_secs_f64()
    }

    /// Hands over to the fully implicit method at log-log-time s.
    pub(super) fn hand_over(&mut self, s: f64) {
        self.method = Method::FULLY_IMPLICIT;
        let s = self.epoch.global(s);
        let (before, now) = (&self.solver.method, self.method.name());
        self.solver.method = format!("{before}, from s = {s:.4} {now}");
        self.solver.restarts += 1;
    }

    /// How Newton systems are solved now.
    pub(super) fn newton(&self) -> NewtonSolver {
        if self.dense_since.is_some() || self.held.is_some() && self.is_small() {
            NewtonSolver::Dense
        } else {
            self.newton
        }
    }

    /// Takes the whole Newton matrix from log-log-time s on, if it is small enough: while samples that are not fitted
    /// have large multipliers, what the structured step leaves to the iteration is stiff.
    pub(super) fn solve_densely(&mut self, s: f64) {
        if self.is_small() {
            self.dense_since = Some(s);
        }
    }

    fn is_small(&self) -> bool {
        self.parameters + self.samples <= MOST_DENSE
    }

    /// Goes back from the whole matrix once the run has got on.
    pub(super) fn solve_as_before(&mut self, s: f64) -> bool {
        let over = self.dense_since.is_some_and(|since| s > since + DENSE_FOR);
        if over {
            self.dense_since = None;
        }
        over
    }

    /// Absolute tolerances of one step, by layer.
    pub(super) fn absolute_tolerances(&self) -> Vec<f64> {
        let atol = self.options.atol * LOCAL_SHARE_OF_WEIGHTS;
        self.rounding.iter().map(|floor| floor.max(atol)).collect()
    }

    /// Releases samples idle only before a border: they start with the multipliers they have by then.
    pub(super) fn release(&mut self, y: &[f64], before: &[usize], after: &[usize]) {
        let released = before.iter().filter(|n| !after.contains(n));
        for p in released.map(|n| expand(y[self.parameters + n])) {
            self.strongest_at_start = self.strongest_at_start.max(p);
        }
    }

    /// While it lives, whatever this run computes is over once its budget of seconds is spent.
    pub(super) fn deadline(&self) -> Deadline {
        Deadline::after(self.options.max_wall_seconds - self.wall_seconds())
    }

    /// What ends a run whose step, or whose way into a piece, has been broken off: the budget that is spent, if it is
    /// not something else that failed.
    ///
    /// # Errors
    /// As [`Keeper::check`], once a signal has come.
    pub(super) fn is_given_up(&mut self) -> Result<Option<Status>> {
        self.keeper.check(&self.saves)?;
        Ok(self.out_of_budget())
    }

    pub(super) fn out_of_budget(&self) -> Option<Status> {
        if self.solver.steps >= self.options.max_steps {
            Some(Status::BudgetSteps)
        } else if self.wall_seconds() >= self.options.max_wall_seconds {
            Some(Status::BudgetWall)
        } else {
            None
        }
    }

    /// Enters the piece that the state `y` at the base of the next leg leads into; counts what happened at its kinks.
    ///
    /// # Errors
    /// As [`borders::enter`].
    pub(super) fn cross(
        &mut self,
        kernel: &mut Arc<dyn Kernel>,
        system: &System,
        y: &mut [f64],
        t: f64,
    ) -> std::result::Result<(), PieceError> {
        if let Some(here) = borders::enter(kernel, system, y, t)? {
            let so_far = self.kinks.take().unwrap_or_default();
            self.kinks = Some(so_far.followed_by(here));
        }
        Ok(())
    }

    /// Measures the rounding of every layer of the weights that `y` begins with; true if some layer's has at least
    /// doubled, and exceeds its tolerance. Multipliers of size e^`pull` whose updates balance leave ε e^`pull` of the
    /// largest weight.
    pub(super) fn rounding_has_grown(&mut self, y: &[f64], pull: f64) -> bool {
        let unit = ROUNDING.max(f64::EPSILON * pull.exp());
        let mut grown = false;
        let mut rest = y;
        for (&len, rounding) in self.layers.iter().zip(&mut self.rounding) {
            let (layer, tail) = rest.split_at(len);
            let largest = layer.iter().fold(0.0_f64, |m, w| m.max(w.abs()));
            let now = unit * largest;
            if now > 2.0 * rounding.max(self.options.atol * LOCAL_SHARE_OF_WEIGHTS) {
                *rounding = now;
                grown = true;
            }
            rest = tail;
        }
        grown
    }

    /// Goes back to the tolerances of weights whose velocities do not cancel.
    pub(super) fn forget_rounding(&mut self) {
        self.rounding.fill(0.0);
    }

    /// Saves the resting weights at every remaining time; `p_n = τ − m_n` grows with τ.
    pub(super) fn repeat_until_the_horizon(
        &mut self,
        (s, rest): (f64, Rest),
        y: &[f64],
        accumulated: &[f64],
    ) {
        while let Some(due) = self.saves.due() {
            let local = self.epoch.local(due);
            let elapsed = log_time(local) - log_time(s);
            let mut y = y.to_vec();
            for v in &mut y[self.parameters..] {
                *v = compress(expand(*v) + elapsed);
            }
            let (theta, v) = y.split_at(self.parameters);
            self.saves.push(due, self.epoch, (theta, v), accumulated);
        }
        self.rest = Some((self.epoch.global(s), rest));
    }

    /// τ' + ln u at the log-log-time s of the epoch: what log-multipliers p and margins add up to.
    pub(super) fn log_time(&self, s: f64) -> f64 {
        log_time(s) + self.epoch.log_share()
    }

    /// Begins the clock anew at the state `y` of its log-log-time s, in the unit in which the largest multiplier is
    /// one; its p is `fastest`.
    pub(super) fn begin_epoch(&mut self, s: f64, y: &mut [f64], fastest: f64) {
        let before = self.log_time(s);
        let log_unit = before - fastest;
        self.epoch = Epoch::begun_at(self.epoch.global(s), log_unit);
        for v in &mut y[self.parameters..] {
            // log_unit − m with m = before − p
            *v = compress(expand(*v) - fastest);
        }
        self.strongest_at_start = 0.0;
        self.watch = Watch::default();
        self.dense_since = self.dense_since.map(|_| 0.0);
    }

    /// Takes weights in another unit, with the clock that goes with it.
    pub(super) fn change_unit(&mut self, epoch: Epoch) {
        self.epoch = epoch;
        self.strongest_at_start = epoch.log_share();
        self.watch = Watch::default();
        self.dense_since = None;
        self.rounding.fill(0.0);
    }

    /// Where legs of a linear network end in the clock in use: at the horizon, or where a fast start is over. Margins
    /// have come from far below zero then, in a time that is nothing beside the time since.
    pub(super) fn leg_end(&self, linear: bool) -> f64 {
        let end = self.epoch.local(self.options.until);
        if !linear || !self.epoch.is_of_a_start() {
            return end;
        }
        let over = (SLOW - self.epoch.log_unit()).max(0.0);
        end.min(log_log_time_of_log_time(over))
    }

    /// Counts time by the run's own clock again.
    pub(super) fn return_to_first_epoch(&mut self) {
        self.epoch = Epoch::FIRST;
        self.strongest_at_start = 0.0;
        self.watch = Watch::default();
        self.dense_since = None;
    }

    /// Ends the run at the state `y` at log-log-time s, which is saved unless it is the horizon's.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io) if a checkpoint is to be kept and cannot be written.
    pub(super) fn end(
        mut self,
        status: Status,
        s: f64,
        y: &[f64],
        totals: &[f64],
    ) -> Result<Trajectory> {
        let s = self.epoch.global(s);
        if status != Status::Completed && s > self.saves.last() {
            let state = y.split_at(self.parameters);
            self.saves.push(s, self.epoch, state, totals);
        }
        self.keeper.end(status.is_out_of_budget(), &self.saves)?;
        self.solver.wall_seconds = self.wall_seconds();
        let message = message(
            status,
            &Ending {
                s,
                solver: &self.solver,
                options: self.options,
                failure: self.failure.as_deref(),
                rest: self.rest,
                escape: self.escape,
                contradicted: (self.contradiction.as_ref())
                    .map(|held| (held.since, held.samples.len(), self.samples)),
                held: (self.held.as_deref())
                    .map(|held| (self.epoch.global(held.since), held.samples().len())),
            },
        );
        let saves = self.saves.times.len();
        Ok(Trajectory {
            theta: DMatrix::from_vec(self.parameters, saves, self.saves.theta),
            log_multipliers: DMatrix::from_vec(self.samples, saves, self.saves.log_multipliers),
            // those of samples that are held are not known one by one
            accumulated: (Saves::counted(self.saves.accumulated))
                .filter(|_| self.contradiction.is_none())
                .map(|a| DMatrix::from_vec(self.samples, saves, a)),
            log_log_time: self.saves.times,
            kinks: self.kinks,
            loss_rise: Some(self.loss_rise),
            held: (self.contradiction.as_ref()).map(|held| held.of_all(self.samples)),
            status,
            message,
            solver: self.solver,
        })
    }
}
