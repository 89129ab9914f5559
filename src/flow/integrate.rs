//! The flow of a problem from its start to its horizon, leg after leg.

use super::accumulated::Accumulated;
use super::checkpoint::{Keeper, Mark};
use super::clock::{compress, expand};
use super::coordinates::Coordinates;
use super::drive::{LegEnd, Progress, Why, all_finite};
use super::ending::{fastest, is_fast};
use super::error::{FlowError, PieceError};
use super::held::Held;
use super::past::Past;
use super::reduced::Reduced;
use super::run::FlowRun;
use super::system::{NewtonSolver, System};
use super::{FlowOptions, State, adams_bdf};
use crate::control::Control;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::loss::Loss;
use crate::network::Kernel;
use crate::problem::Problem;
use crate::trajectory::Trajectory;
use nalgebra::{DMatrix, DVector};
use std::sync::Arc;

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
    let mut counts = vec![0; dataset.len()];
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
        newton: NewtonSolver::Structured,
    };
    let options_here = reduced.as_ref().map_or(options, |r| &r.options);
    let mut trajectory = field.integrate(&start, options_here, keeper, observer)?;
    if let Some(reduced) = &reduced {
        reduced.expand(&mut trajectory, options);
    }
    if dataset.len() < stands_for.len() {
        trajectory.log_multipliers = trajectory.log_multipliers.select_rows(&stands_for);
        trajectory.accumulated = trajectory.accumulated.map(|mut accumulated| {
            for (mut row, count) in accumulated.row_iter_mut().zip(&counts) {
                row /= *count as f64;
            }
            accumulated.select_rows(&stands_for)
        });
        // a pair names the first of a set of equal samples
        for pair in trajectory.kinks.iter_mut().flat_map(|k| &mut k.sliding) {
            let first = stands_for.iter().position(|n| *n == pair.sample);
            pair.sample = first.unwrap_or(pair.sample);
        }
    }
    Ok(trajectory)
}

/// [`integrate`] for any [`Kernel`] (a user's own network or rule), with a choice of Newton solver.
///
/// # Errors
/// As [`integrate`].
pub fn integrate_kernel(
    kernel: &Arc<dyn Kernel>,
    loss: Loss,
    theta0: &DVector<f64>,
    options: &FlowOptions,
    newton: NewtonSolver,
    observer: &mut dyn FnMut(Progress),
) -> Result<Trajectory> {
    let control = Control::none();
    let field = Field {
        kernel,
        counts: &[],
        loss,
        newton,
    };
    field.integrate(theta0, options, Keeper::none(&control), observer)
}

/// The field to be integrated.
struct Field<'a> {
    kernel: &'a Arc<dyn Kernel>,
    /// How many equal samples each sample stands for; empty: one each.
    counts: &'a [usize],
    loss: Loss,
    newton: NewtonSolver,
}

/// e^s below which first coordinates are taken from the weights, whose rounding of size ε e^s is then below any
/// tolerance: to nearly equal samples log-multipliers say nothing of the differences.
const FROM_WEIGHTS: f64 = 1e6;

/// Where a leg begins: the state `y` at log-log-time `base`, in the piece of `kernel`.
struct LegStart {
    kernel: Arc<dyn Kernel>,
    /// Those that the states are, if they are not the log-multipliers; then the kernel is that of their vectors.
    coordinates: Option<Arc<Coordinates>>,
    /// Whether it has turned out that there are none.
    samples_only: bool,
    base: f64,
    y: Vec<f64>,
    accumulated: Accumulated,
}

impl Field<'_> {
    /// The flow from `theta0` at s = 0, or from the keeper's checkpoint, to the horizon.
    fn integrate(
        &self,
        theta0: &DVector<f64>,
        options: &FlowOptions,
        keeper: Keeper<'_>,
        observer: &mut dyn FnMut(Progress),
    ) -> Result<Trajectory> {
        let mut run = FlowRun::new(&**self.kernel, options, self.newton, keeper);
        let mut at = match run.keeper.find(options, &**self.kernel, &mut run.saves)? {
            None => self.start(&mut run, theta0)?,
            Some(mark) => {
                run.restore(&mark);
                if let Some(status) = run.out_of_budget() {
                    let reached = run.epoch.local(mark.reached);
                    return run.end(status, reached, &mark.y, &mark.accumulated);
                }
                self.resume(mark, &run)?
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
                return run.end(
                    status,
                    s,
                    &system.in_samples(&y, s),
                    at.accumulated.totals(),
                );
            }
            let t = s - at.base;
            (at.base, at.y) = (s, y);
            match why {
                Why::Restart => run.solver.restarts += 1,
                Why::HandOver => run.hand_over(s),
                Why::Border => {
                    if let Err(why) = cross(&mut run, &mut at, &system, t) {
                        let status = run.is_given_up()?.unwrap_or(why.status());
                        run.failure = Some(why.to_string());
                        return run.end(status, s, &at.y, at.accumulated.totals());
                    }
                }
                Why::Coordinates => {
                    run.past = self.change_coordinates(&mut at, &system, (base, past));
                    if run.past.is_some() {
                        at.base = base;
                        continue;
                    }
                    run.solver.restarts += 1;
                }
                Why::Balance => {
                    balance(&mut run, &mut at, &system, t);
                    run.solver.restarts += 1;
                }
                Why::FixedPoint | Why::NewEpoch | Why::Ended(_) => {}
            }
            let looks = matches!(why, Why::Border | Why::Balance);
            let new_epoch = why == Why::NewEpoch || looks && self.is_fast(&run, &at);
            if new_epoch {
                self.begin_epoch(&mut run, &mut at);
            }
            let fixed_point = match why {
                Why::FixedPoint | Why::HandOver | Why::Coordinates | Why::NewEpoch => true,
                Why::Border | Why::Balance => new_epoch || run.fixed_point_due(),
                Why::Restart | Why::Ended(_) => false,
            };
            if fixed_point {
                // the totals a restored run begins with
                let totals = at.accumulated.totals().to_vec();
                let system = self.system(&at, &run);
                run.fix(at.base, &at.y, &system, &totals)?;
                at.accumulated = Accumulated::continued(totals, &system, &at.y, 0.0);
            }
        }
    }

    /// The field with its clock counted from where a leg begins.
    fn system(&self, at: &LegStart, run: &FlowRun<'_>) -> Arc<System> {
        let system = self.in_piece(&at.kernel, at.base, run);
        let system = system.in_coordinates(at.coordinates.clone());
        Arc::new(system.samples_only(at.samples_only))
    }

    /// The field with the clock of the run's epoch counted from `base`, in the piece of `kernel`, for the
    /// log-multipliers of samples.
    fn in_piece(&self, kernel: &Arc<dyn Kernel>, base: f64, run: &FlowRun<'_>) -> System {
        let system = System::new(Arc::clone(kernel), self.loss, run.newton(), base);
        let system = system.with_counts(self.counts);
        system
            .in_unit(run.epoch.log_unit())
            .with_held(run.held.clone())
    }

    /// Other states for the end of a leg of `system`: coordinates of its log-multipliers. The past in these states, if
    /// the integrator can go on from what it left behind, with its clock counted from `base`.
    fn change_coordinates(
        &self,
        at: &mut LegStart,
        system: &System,
        (base, past): (f64, Option<Past>),
    ) -> Option<Past> {
        let s = at.base;
        let (theta, v) = at.y.split_at(system.parameters());
        let p = system.log_multipliers(v, s);
        let Some((mut coordinates, kernel)) = self.coordinates(system, &at.y, s) else {
            at.samples_only = true;
            return None;
        };
        let in_others = |v: &[f64], t: f64| system.in_other_coordinates(v, base + t, &coordinates);
        let mut states = in_others(v, s - base);
        let from_weights = system.coordinates().is_none() && s.exp() < FROM_WEIGHTS;
        let past = match past {
            Some(past) if !from_weights => adams_bdf::in_other_states(&past, &in_others),
            _ => None,
        };
        if from_weights {
            let mut margins = vec![0.0; coordinates.len()];
            kernel.margins(theta, &mut margins);
            for (state, margin) in states.iter_mut().zip(margins).skip(1) {
                *state = compress(-margin);
            }
        }
        if !coordinates.agree(&states, &p, s) {
            // too much cancels on the way
            match system.coordinates() {
                None => at.samples_only = true,
                Some(old) => at.coordinates = Some(Arc::new(old.kept(v, &p, s))),
            }
            return None;
        }
        coordinates.accept(&states, &p, s);
        at.y = [theta, &states].concat();
        at.kernel = kernel;
        at.coordinates = Some(Arc::new(coordinates));
        past
    }

    /// Other coordinates at the state `y` of `system` at log-log-time s, and the field on their vectors. None if the
    /// kernel takes no other rows than its samples, or no sample is being learned.
    fn coordinates(
        &self,
        system: &System,
        y: &[f64],
        s: f64,
    ) -> Option<(Coordinates, Arc<dyn Kernel>)> {
        let g = self.kernel.signed_samples()?;
        let (theta, v) = y.split_at(system.parameters());
        let features = self
            .kernel
            .on_rows(&DMatrix::identity(g.ncols(), g.ncols()))?;
        let all: Vec<usize> = (0..g.ncols()).collect();
        let response = features.tangent_kernel(theta, &all).diagonal();
        let p = system.log_multipliers(v, s);
        let mut coordinates = Coordinates::choose(g, &p, s, response.as_slice())?;
        let values = system.in_other_coordinates(v, s, &coordinates);
        let values: Vec<f64> = values.into_iter().map(expand).collect();
        coordinates.use_relation(&values);
        coordinates.loosen(system.choice().as_ref());
        let kernel = self.kernel.on_rows(coordinates.vectors())?;
        Some((coordinates, kernel))
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
        let mut derivative = vec![0.0; y.len()];
        self.in_piece(&kernel, 0.0, run)
            .rhs(&y, 0.0, &mut derivative);
        if !all_finite(&y) || !all_finite(&derivative) {
            return Err(FlowError::NotFiniteAtStart.into());
        }
        let mut start = LegStart {
            accumulated: Accumulated::new(&at_zero, &y, 0.0),
            kernel,
            coordinates: None,
            samples_only: false,
            base: 0.0,
            y,
        };
        let system = self.system(&start, run);
        run.strongest_at_start = system.strongest(&start.y[run.parameters..], 0.0);
        if self.is_fast(run, &start) {
            self.begin_epoch(run, &mut start);
        }
        let system = self.system(&start, run);
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
        is_fast(&*at.kernel, self.loss, v, run.log_time(at.base))
    }

    /// Begins the clock anew.
    fn begin_epoch(&self, run: &mut FlowRun<'_>, at: &mut LegStart) {
        let v = &at.y[run.parameters..];
        let fastest = fastest(&*at.kernel, self.loss, v, run.log_time(at.base));
        run.begin_epoch(at.base, &mut at.y, fastest);
        at.base = 0.0;
    }

    /// The leg start at which a mark was taken.
    ///
    /// # Errors
    /// [`FlowError::ForeignPast`] if it names no piece of this field.
    fn resume(&self, mark: Mark, run: &FlowRun<'_>) -> Result<LegStart> {
        let kernel = match self.kernel.pieces() {
            None => Arc::clone(self.kernel),
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
        if let Some(choice) = &mark.coordinates {
            let g = self.kernel.signed_samples();
            let coordinates = g.and_then(|g| Coordinates::of_choice(g, choice));
            let coordinates = coordinates.ok_or(FlowError::ForeignPast)?;
            let kernel = self.kernel.on_rows(coordinates.vectors());
            at.kernel = kernel.ok_or(FlowError::ForeignPast)?;
            at.coordinates = Some(Arc::new(coordinates));
        }
        at.accumulated =
            Accumulated::continued(mark.accumulated, &self.system(&at, run), &at.y, 0.0);
        Ok(at)
    }
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
            let held = Held::at(&system.observe(&at.y, t), system.kernel().idle());
            if let Some(held) = &held {
                held.hold(&mut at.y[run.parameters..]);
            }
            held.map(Arc::new)
        }
    };
}
