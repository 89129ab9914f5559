//! The flow of a problem from its start to its horizon, leg after leg.

use super::accumulated::Accumulated;
use super::checkpoint::{Keeper, Mark};
use super::coordinates::Coordinates;
use super::drive::{LegEnd, Progress, Why, all_finite};
use super::ending::{STRONG, fastest, is_fast, starts_far, strongest};
use super::error::{FlowError, PieceError};
use super::held::Held;
use super::magnified::{Unit, outgrown};
use super::past::Past;
use super::reduced::Reduced;
use super::run::FlowRun;
use super::system::{NewtonSolver, System};
use super::units::rests_at_saddle;
use super::{FlowOptions, Method, State};
use crate::control::Control;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::limit::Contradiction;
use crate::loss::Loss;
use crate::network::Kernel;
use crate::problem::Problem;
use crate::trajectory::{Status, Trajectory};
use nalgebra::DVector;
use std::sync::{Arc, OnceLock};

/// Integrates the flow of `problem` from s = 0 to `options.until`.
///
/// The saves lie on a uniform grid of s, the first at 0 and the last at the horizon; a run that ends early keeps the
/// saves up to its last good state, and that state itself, with a status and a message that say why.
///
/// # Errors
/// [`Error::Solver`] if the integrator cannot start (weights or data whose flow is not finite at s = 0), or if the
/// reduced state was requested and the problem has none.
pub fn integrate(
    problem: &Problem,
    options: &FlowOptions,
    observer: &mut dyn FnMut(Progress),
) -> Result<Trajectory> {
    let control = Control::none();
    integrate_kept(problem, options, Keeper::none(&control), observer)
}

/// [`integrate`] under a control: watched, stopped by its signal, and kept in the checkpoint `name` of its folder,
/// from which it resumes if there is one. However often it is interrupted, the trajectory is bitwise the same (except
/// for the seconds it took).
///
/// # Errors
/// As [`integrate`]; [`Error::Interrupted`] once the signal has come, after a checkpoint;
/// [`Error::Io`] if a checkpoint cannot be read or written.
pub fn integrate_under(
    problem: &Problem,
    options: &FlowOptions,
    name: &str,
    control: &Control<'_>,
) -> Result<Trajectory> {
    let keeper = Keeper::of(name, (problem, options), control);
    integrate_kept(problem, options, keeper, &mut |p| control.observer.flow(p))
}

fn integrate_kept(
    problem: &Problem,
    options: &FlowOptions,
    keeper: Keeper<'_>,
    observer: &mut dyn FnMut(Progress),
) -> Result<Trajectory> {
    // Equal samples have equal margins at all times; as separate states their difference would drown in rounding at
    // large s.
    let (dataset, stands_for) = if problem.network().is_linear() {
        problem.dataset().distinct()
    } else {
        problem.dataset().distinct_pairs()
    };
    let rows = dataset.groups().size();
    // from samples to their rows
    let each = |n: &usize| dataset.groups().rows_of(*n);
    let stands_for: Vec<usize> = stands_for.iter().flat_map(each).collect();
    let mut counts = vec![0; dataset.rows()];
    for &n in &stands_for {
        counts[n] += 1;
    }
    let reduced = match options.state {
        State::Full => None,
        State::Reduced => Some(Reduced::new(problem, &dataset, options)?),
    };
    let (kernel, start) = match &reduced {
        None => (problem.kernel_on(&dataset), problem.state0()),
        Some(reduced) => reduced.start(),
    };
    let field = Field {
        kernel: &kernel,
        counts: &counts,
        loss: problem.loss(),
        rows,
        newton: NewtonSolver::Structured,
        contradiction: OnceLock::new(),
    };
    let options_here = reduced.as_ref().map_or(options, |r| &r.options);
    let mut trajectory = field.integrate(&start, options_here, keeper, observer)?;
    if let Some(reduced) = &reduced {
        reduced.expand(&mut trajectory, options);
    }
    if dataset.rows() < stands_for.len() {
        trajectory.log_multipliers = trajectory.log_multipliers.select_rows(&stands_for);
        trajectory.accumulated = trajectory.accumulated.map(|mut accumulated| {
            for (mut row, count) in accumulated.row_iter_mut().zip(&counts) {
                row /= *count as f64;
            }
            accumulated.select_rows(&stands_for)
        });
        if let Some(held) = &mut trajectory.held {
            held.margins = stands_for.iter().map(|&n| held.margins[n]).collect();
        }
        // a pair names the first of a set of equal samples
        for pair in trajectory.kinks.iter_mut().flat_map(|k| &mut k.sliding) {
            let first = stands_for.iter().position(|n| *n == pair.sample);
            pair.sample = first.unwrap_or(pair.sample);
        }
    }
    Ok(trajectory)
}

/// The field to be integrated.
pub(super) struct Field<'a> {
    pub kernel: &'a Arc<dyn Kernel>,
    /// How many equal rows each row stands for; empty: one each.
    pub counts: &'a [usize],
    pub loss: Loss,
    /// Rows per sample, which the loss may couple.
    pub rows: usize,
    pub newton: NewtonSolver,
    /// Which samples contradict each other, once that is asked.
    pub contradiction: OnceLock<Option<Contradiction>>,
}

/// Where a leg begins: the state `y` at log-log-time `base`, in the piece of `kernel`.
pub(super) struct LegStart {
    pub kernel: Arc<dyn Kernel>,
    /// Those that the states are, if they are not the log-multipliers; then the kernel is that of their vectors.
    pub coordinates: Option<Arc<Coordinates>>,
    /// Whether it has turned out that there are none.
    pub samples_only: bool,
    pub base: f64,
    pub y: Vec<f64>,
    pub accumulated: Accumulated,
}

/// Log-multipliers, in the clock s, whose rounding is a share of 10⁻⁴ of the weights.
const ROUNDED: f64 = 27.0;

/// What follows the end of a leg.
enum After {
    /// Another leg, with an integrator that begins anew.
    Leg,
    /// Another leg, whose integrator goes on from what the last one left behind.
    SamePast,
    End(Status),
}

impl Field<'_> {
    /// The flow from `theta0` at s = 0, or from the keeper's checkpoint, to the horizon.
    pub(super) fn integrate(
        &self,
        theta0: &DVector<f64>,
        options: &FlowOptions,
        keeper: Keeper<'_>,
        observer: &mut dyn FnMut(Progress),
    ) -> Result<Trajectory> {
        let mut run = FlowRun::new(&**self.kernel, options, self.newton, keeper);
        run.hold(&**self.kernel, theta0.as_slice());
        let mut at = match run.keeper.find(options, &**self.kernel, &mut run.saves)? {
            None => self.start(&mut run, theta0)?,
            Some(mark) => {
                run.restore(&mark);
                if let Some(status) = run.out_of_budget() {
                    let reached = run.epoch.local(mark.reached);
                    return run.end(status, reached, &mark.y, &mark.accumulated);
                }
                self.resume(mark, &mut run)?
            }
        };
        let _deadline = run.deadline();
        loop {
            let system = self.system(&at, &run);
            let end = run.leg(&system, &at.y, &mut at.accumulated, observer);
            if end.is_err()
                && let Some(status) = run.is_given_up()?
            {
                let y = system.in_samples(&at.y, at.base);
                return run.end(status, at.base, &y, at.accumulated.totals());
            }
            let LegEnd {
                why,
                s,
                y,
                base,
                past,
            } = end?;
            if let Why::Ended(status) = why {
                run.escape = self.escape(&system, &y, s, &run);
                return run.end(
                    status,
                    s,
                    &system.in_samples(&y, s),
                    at.accumulated.totals(),
                );
            }
            let t = s - at.base;
            (at.base, at.y) = (s, y);
            let method = run.method;
            match self.change(&mut run, &mut at, (&system, t), (why, base, past))? {
                After::Leg => {}
                After::SamePast => continue,
                After::End(status) => {
                    return run.end(status, at.base, &at.y, at.accumulated.totals());
                }
            }
            let looks = matches!(why, Why::Border | Why::Balance);
            let new_epoch = why == Why::NewEpoch
                || looks && self.is_fast(&run, &at)
                || why == Why::Balance && are_released(&run, &at);
            if new_epoch {
                self.begin_epoch(&mut run, &mut at);
            }
            if match why {
                Why::Border | Why::Balance => {
                    // a method that can be marked after any step needs no fixed points
                    let due = run.method != Method::AdamsBdf && run.fixed_point_due();
                    new_epoch || run.method != method || due
                }
                why => why != Why::Restart,
            } {
                self.fix(&mut run, &mut at)?;
            }
        }
    }

    /// Changes what the end of a leg of `system` asks to be changed, at its local time t.
    fn change(
        &self,
        run: &mut FlowRun<'_>,
        at: &mut LegStart,
        (system, t): (&System, f64),
        (why, base, past): (Why, f64, Option<Past>),
    ) -> Result<After> {
        match why {
            Why::Restart => run.solver.restarts += 1,
            Why::HandOver => run.hand_over(at.base),
            Why::Border => {
                if let Err(why) = cross(run, at, system, t) {
                    let status = run.is_given_up()?.unwrap_or(why.status());
                    run.failure = Some(why.to_string());
                    return Ok(After::End(status));
                }
                if run.method == Method::AdamsBdf && run.watch.chatters(at.base) {
                    run.hand_over(at.base);
                }
            }
            Why::Coordinates => {
                let held = run.contradiction.as_ref();
                run.past = self.change_coordinates(held, at, system, (base, past));
                if run.past.is_some() {
                    at.base = base;
                    return Ok(After::SamePast);
                }
                run.solver.restarts += 1;
            }
            Why::Contradiction => {
                let s = at.base;
                let known = self.hold(run, at, (system, t));
                run.watch.looked(s, known);
            }
            Why::NewUnit => {
                self.change_unit(run, at, system);
                if rests_at_saddle(run, at) {
                    return Ok(After::End(Status::Completed));
                }
            }
            Why::FirstEpoch => self.return_to_first_epoch(run, at),
            Why::Balance => {
                balance(run, at, system, t);
                run.solver.restarts += 1;
            }
            Why::FixedPoint | Why::NewEpoch | Why::Ended(_) => {}
        }
        Ok(After::Leg)
    }

    /// Fixes a run where a leg begins, with the totals that a restored run begins with.
    fn fix(&self, run: &mut FlowRun<'_>, at: &mut LegStart) -> Result<()> {
        // a run restored from here knows nothing of it
        run.pace = None;
        let totals = at.accumulated.totals().to_vec();
        let system = self.system(at, run);
        run.fix(at.base, &at.y, &system, &totals)?;
        at.accumulated = Accumulated::continued(totals, &system, &at.y, 0.0);
        Ok(())
    }

    /// The field with its clock counted from where a leg begins.
    pub(super) fn system(&self, at: &LegStart, run: &FlowRun<'_>) -> Arc<System> {
        let system = self.in_piece(&at.kernel, at.base, run);
        let system = system.in_coordinates(at.coordinates.clone());
        Arc::new(system.samples_only(at.samples_only))
    }

    /// The field with the clock of the run's epoch counted from `base`, in the piece of `kernel`, for the
    /// log-multipliers of samples.
    pub(super) fn in_piece(
        &self,
        kernel: &Arc<dyn Kernel>,
        base: f64,
        run: &FlowRun<'_>,
    ) -> System {
        let system = System::new(Arc::clone(kernel), self.loss, run.newton(), base);
        let system = system.with_counts(self.counts).with_rows(self.rows);
        let system = system.resolving(&run.resolved);
        system
            .in_unit(run.epoch.log_share())
            .with_held(run.held.clone())
    }

    /// The start of a flow, which is its first fixed point.
    fn start(&self, run: &mut FlowRun<'_>, theta0: &DVector<f64>) -> Result<LegStart> {
        let mut kernel = Arc::clone(self.kernel);
        let at_zero = self.in_piece(&kernel, 0.0, run);
        let mut y = at_zero.initial_state(theta0);
        if all_finite(&y) {
            let crossed = run.cross(&mut kernel, &at_zero, &mut y, 0.0);
            crossed.map_err(|why| match why {
                PieceError::NotFinite => FlowError::NotFiniteAtStart,
                why => why.into(),
            })?;
            y = at_zero.initial_state(&DVector::from_column_slice(&y[..run.parameters]));
        }
        let mut start = LegStart {
            accumulated: Accumulated::none(),
            kernel,
            coordinates: None,
            samples_only: false,
            base: 0.0,
            y,
        };
        let system = self.system(&start, run);
        run.strongest_at_start = system.strongest(&start.y[run.parameters..], 0.0);
        if self.is_fast(run, &start) || starts_far(&*start.kernel, &start.y[run.parameters..]) {
            self.begin_epoch(run, &mut start);
        }
        if outgrown(&*start.kernel, &start.y[..run.parameters], run.epoch) {
            let system = self.system(&start, run);
            self.change_unit(run, &mut start, &system);
        }
        let system = self.system(&start, run);
        let mut derivative = vec![0.0; start.y.len()];
        system.rhs(&start.y, 0.0, &mut derivative);
        if !all_finite(&start.y) || !all_finite(&derivative) {
            return Err(FlowError::NotFiniteAtStart.into());
        }
        start.accumulated = Accumulated::new(&system, &start.y, 0.0);
        let totals = start.accumulated.totals();
        let state = start.y.split_at(run.parameters);
        run.saves.push(0.0, run.epoch, state, totals);
        run.loss_rise.see(0.0, system.log_loss(state.0));
        run.fix(0.0, &start.y, &system, totals)?;
        Ok(start)
    }

    /// Whether what happens next is too fast for the clock in use.
    fn is_fast(&self, run: &FlowRun<'_>, at: &LegStart) -> bool {
        let v = &at.y[run.parameters..];
        is_fast(
            &*at.kernel,
            (self.loss, self.rows),
            v,
            run.log_time(at.base),
        )
    }

    /// Begins the clock anew.
    fn begin_epoch(&self, run: &mut FlowRun<'_>, at: &mut LegStart) {
        let v = &at.y[run.parameters..];
        let mut fastest = fastest(
            &*at.kernel,
            (self.loss, self.rows),
            v,
            run.log_time(at.base),
        );
        if at.kernel.signed_samples().is_some() {
            // long enough before the run's own clock takes over again
            fastest = fastest.max(STRONG);
        }
        run.begin_epoch(at.base, &mut at.y, fastest);
        at.base = 0.0;
    }

    /// The leg start at which a mark was taken.
    ///
    /// # Errors
    /// [`FlowError::ForeignPast`] if it names no piece of this field.
    fn resume(&self, mark: Mark, run: &mut FlowRun<'_>) -> Result<LegStart> {
        let kernel = match self.kernel.pieces() {
            None => Unit::kernel_of(self.kernel, mark.epoch),
            Some(pieces) => pieces.restored(&mark.piece).ok_or(FlowError::ForeignPast)?,
        };
        let mut at = LegStart {
            accumulated: Accumulated::none(),
            kernel,
            coordinates: None,
            samples_only: false,
            base: mark.s,
            y: mark.y,
        };
        run.contradiction = mark.contradiction;
        if let Some(choice) = &mark.coordinates {
            let resumed = self.of_choice(run.contradiction.as_ref(), choice);
            let (coordinates, kernel) = resumed.ok_or(FlowError::ForeignPast)?;
            at.kernel = kernel;
            at.coordinates = Some(Arc::new(coordinates));
        }
        at.accumulated =
            Accumulated::continued(mark.accumulated, &self.system(&at, run), &at.y, 0.0);
        Ok(at)
    }
}

/// Whether samples have been released whose forces are so strong that their rounding would move the weights: the clock
/// is begun anew, in which they are of order one.
fn are_released(run: &FlowRun<'_>, at: &LegStart) -> bool {
    let pull = at.base + strongest(&at.y[run.parameters..], at.kernel.idle());
    run.held.is_none() && pull > ROUNDED
}

/// Crosses the border on which the leg of `system` has ended, at its local time t.
fn cross(
    run: &mut FlowRun<'_>,
    at: &mut LegStart,
    system: &System,
    t: f64,
) -> std::result::Result<(), PieceError> {
    let crossed = run.cross(&mut at.kernel, system, &mut at.y, t);
    if let Some(held) = &run.held
        && (at.kernel.idle().iter().chain(at.kernel.dead())).any(|n| held.samples().contains(n))
    {
        balance(run, at, system, t);
    }
    run.release(&at.y, system.kernel().idle(), at.kernel.idle());
    crossed?;
    run.watch.border(at.base)
}

/// Holds the samples that rest at the end of the leg of `system`, at its local time t; or releases those that are held.
fn balance(run: &mut FlowRun<'_>, at: &mut LegStart, system: &System, t: f64) {
    run.held = match system.held() {
        Some(held) => {
            held.release(&mut at.y[run.parameters..], at.base);
            run.forget_rounding();
            None
        }
        None => {
            let (seen, idle) = (system.observe(&at.y, t), system.kernel().idle());
            let held = Held::at(&seen, idle, |n| system.answers(&at.y, t, n));
            if let Some(held) = &held {
                held.hold(&mut at.y[run.parameters..]);
            }
            held.map(Arc::new)
        }
    };
}
