//! Fixed points of a flow, and checkpoints taken there.
//!
//! What comes after a [`Mark`] depends on nothing but what it holds, so a run that is restored from one goes on bit for bit as the run that was
//! never interrupted. Our own stepper ([`adams_bdf`](super::adams_bdf)) can be marked after any step: its past is part of the mark. Diffsol's methods keep
//! theirs to themselves; with them a run begins its integrator anew every so many steps ([`spacing`]), as it does at a kink or when
//! its clock is shifted, and these *fixed points* are where it is marked. How often marks are written to disk is a matter of wall-clock time, and
//! changes no bit either.

use super::saves::Saves;
use super::watch::Watch;
use super::{FlowOptions, Method, SaveAt};
use crate::control::Control;
use crate::error::Result;
use crate::network::Kernel;
use crate::problem::Problem;
use crate::storage::checkpoint::{File, Found, Words, Writer};
use crate::trajectory::{Kinks, SlidingPair, SolverStatistics};
use std::path::Path;
use std::time::Instant;

/// Numbers touched between fixed points, about.
const WORK: f64 = 4e9;

/// Fewest and most steps between fixed points. Beginning anew costs some forty steps; with more than ten thousand a run would lose
/// minutes.
const FEWEST: f64 = 200.0;

/// See [`FEWEST`].
const MOST: f64 = 1e4;

/// Steps between fixed points unless the options say otherwise.
pub fn spacing(parameters: usize, samples: usize) -> usize {
    (WORK / (parameters.max(1) as f64 * samples.max(1) as f64)).clamp(FEWEST, MOST) as usize
}

/// All that a run depends on at a fixed point, beside what it has saved.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    /// Base of the clock.
    pub s: f64,
    /// s reached.
    pub reached: f64,
    /// (θ, v)
    pub y: Vec<f64>,
    /// `∫ E ds`
    pub accumulated: Vec<f64>,
    pub method: Method,
    /// Our own stepper's past; nothing at fixed points.
    pub past: Vec<u64>,
    /// Of the kernel's piece, [`Pieces::state`](crate::network::Pieces::state); nothing for smooth fields.
    pub piece: Vec<u64>,
    pub kinks: Option<Kinks>,
    pub strongest_at_start: f64,
    pub rounding: Vec<f64>,
    pub watch: Watch,
    /// With the seconds spent up to here.
    pub solver: SolverStatistics,
    /// Number of saves.
    pub saved: usize,
}

/// The checkpoint of one flow: where it is, and what is on disk.
pub(super) struct Keeper<'a> {
    control: &'a Control<'a>,
    file: Option<File<'a>>,
    written: Instant,
    mark: Option<Mark>,
    /// Whether the mark is not yet on disk.
    fresh: bool,
}

impl<'a> Keeper<'a> {
    /// Keeps nothing.
    pub fn none(control: &'a Control<'a>) -> Self {
        Self {
            control,
            file: None,
            written: Instant::now(),
            mark: None,
            fresh: false,
        }
    }

    /// Keeps the flow of a problem in the file `name` of the control's folder, if it has one.
    pub fn of(
        name: &str,
        (problem, options): (&'a Problem, &'a FlowOptions),
        control: &'a Control<'a>,
    ) -> Self {
        let file = |folder: &Path| {
            File::new(folder, name, "flow", move || {
                let mut print = problem.fingerprint()?;
                print.text(options.method.name());
                print.text(options.state.name());
                print.text(&format!("{:?}", options.checkpoint_steps));
                print.numbers(&[options.until, options.rtol, options.atol]);
                match &options.saves {
                    SaveAt::Default => print.text("default"),
                    SaveAt::Uniform(count) => print.text(&count.to_string()),
                    SaveAt::Times(times) => print.numbers(times),
                }
                Ok(print)
            })
        };
        Self {
            file: control.checkpoints.map(file),
            ..Self::none(control)
        }
    }

    /// Removes a file that cannot be used after all.
    pub fn discard(&self) {
        if let Some(file) = &self.file {
            // one that stays is refused again
            let _ = std::fs::remove_file(&file.path);
        }
    }

    /// What an earlier run has left, if it can be used. Budgets are no part of what a run depends on: one that ran out of its budget
    /// goes on under a larger one.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io) if there is a file that cannot be read.
    pub fn find(
        &mut self,
        options: &FlowOptions,
        kernel: &dyn Kernel,
        saves: &mut Saves,
    ) -> Result<Option<Mark>> {
        let kernel_holds = |mark: &Mark| match kernel.pieces() {
            None => mark.piece.is_empty() && mark.kinks.is_none(),
            Some(pieces) => mark.kinks.is_some() && pieces.restored(&mark.piece).is_some(),
        } && mark.rounding.len() == kernel.layers().len();
        let Some(file) = &self.file else {
            return Ok(None);
        };
        let note = |text: String| self.control.observer.note(text);
        let refused = |why: &str| {
            note(format!(
                "the checkpoint {} is not used: {why}; the flow starts again",
                file.path.display()
            ));
            Ok(None)
        };
        match file.find(|words| Mark::read(words, saves))? {
            Found::None => Ok(None),
            Found::Unusable(why) => refused(why),
            Found::Checkpoint((mark, _)) if mark.solver.steps > options.max_steps => {
                refused("it is beyond flow.max-steps")
            }
            Found::Checkpoint((mark, _)) if !kernel_holds(&mark) => {
                refused("it names no piece of this field")
            }
            Found::Checkpoint((mark, states)) => {
                note(format!(
                    "resumed from {} at log-log-time {:.4}, step {}",
                    file.path.display(),
                    mark.reached,
                    mark.solver.steps
                ));
                saves.restore(states);
                self.mark = Some(mark.clone());
                Ok(Some(mark))
            }
        }
    }

    /// Whether what is on disk is old enough to be written anew, or a signal has come.
    pub fn is_due(&self) -> bool {
        self.file.is_some()
            && (self.written.elapsed().as_secs_f64() > self.control.interval
                || self.control.check().is_err())
    }

    /// The run has been marked; that is written if what is on disk is old enough.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io) if it cannot be written.
    pub fn keep(&mut self, mark: Mark, saves: &Saves) -> Result<()> {
        self.mark = Some(mark);
        self.fresh = true;
        if self.is_due() {
            self.write(saves)?;
        }
        Ok(())
    }

    /// Writes the last mark, if there is a file for it.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io) if it cannot be written.
    pub fn write(&mut self, saves: &Saves) -> Result<()> {
        if let (Some(file), Some(mark), true) = (&self.file, &self.mark, self.fresh) {
            file.write(|content| mark.write(content, saves))?;
        }
        self.fresh = false;
        self.written = Instant::now();
        Ok(())
    }

    /// To be asked after every step.
    ///
    /// # Errors
    /// [`Error::Interrupted`](crate::error::Error::Interrupted) once a signal has come, with the last mark on disk;
    /// [`Error::Io`](crate::error::Error::Io) if it cannot be written.
    pub fn check(&mut self, saves: &Saves) -> Result<()> {
        let go_on = self.control.check();
        if go_on.is_err() {
            self.write(saves)?;
        }
        go_on
    }

    /// A flow has ended. One that took long, or ran out of its budget, keeps its last mark until results are on disk, or for a larger
    /// budget.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io) if it cannot be written.
    pub fn end(&mut self, out_of_budget: bool, saves: &Saves) -> Result<()> {
        if out_of_budget || self.written.elapsed().as_secs_f64() > self.control.interval {
            self.write(saves)?;
        }
        Ok(())
    }
}

/// What was saved up to a mark: times, θ, log-multipliers and accumulated multipliers, state after state.
pub(super) type States = [Vec<f64>; 4];

impl Mark {
    fn write(&self, file: &mut Writer, saves: &Saves) {
        file.number(self.s);
        file.number(self.reached);
        file.numbers(&self.y);
        file.numbers(&self.accumulated);
        file.text(self.method.name());
        file.words(&self.past);
        file.words(&self.piece);
        file.number(self.strongest_at_start);
        file.numbers(&self.rounding);
        self.watch.write(file);
        match &self.kinks {
            None => file.words(&[]),
            Some(kinks) => {
                let counts = [
                    kinks.crossings,
                    kinks.slides,
                    kinks.releases,
                    kinks.departures,
                ];
                let pairs = (kinks.sliding.iter()).flat_map(|p| [p.layer, p.unit, p.sample]);
                let words = counts.into_iter().chain(pairs).map(|n| n as u64);
                file.words(&words.collect::<Vec<_>>());
            }
        }
        let solver = &self.solver;
        file.text(&solver.method);
        let counts = [
            solver.steps,
            solver.rejected_steps,
            solver.newton_failures,
            solver.rhs_evaluations,
            solver.jacobian_evaluations,
            solver.restarts,
        ];
        file.words(&counts.map(|n| n as u64));
        file.number(solver.wall_seconds);
        for states in saves.up_to(self.saved) {
            file.numbers(states);
        }
    }

    /// Reads what [`Self::write`] wrote for a run with the shapes of `saves`.
    fn read(words: &mut Words<'_>, saves: &Saves) -> Option<(Self, States)> {
        let s = words.number()?;
        let reached = words.number()?;
        let y = words.numbers()?;
        let accumulated = words.numbers()?;
        let method = Method::of_name(&words.text()?)?;
        let past = words.words()?;
        let piece = words.words()?;
        let strongest_at_start = words.number()?;
        let rounding = words.numbers()?;
        let watch = Watch::read(words)?;
        let kinks = match words.words()?[..] {
            [] => None,
            [crossings, slides, releases, departures, ref pairs @ ..] => Some(Kinks {
                crossings: crossings as usize,
                slides: slides as usize,
                releases: releases as usize,
                departures: departures as usize,
                sliding: (pairs.chunks_exact(3))
                    .map(|p| SlidingPair {
                        layer: p[0] as usize,
                        unit: p[1] as usize,
                        sample: p[2] as usize,
                    })
                    .collect(),
            }),
            _ => return None,
        };
        let method_used = words.text()?;
        let [
            steps,
            rejected_steps,
            newton_failures,
            rhs_evaluations,
            jacobian_evaluations,
            restarts,
        ] = words.words()?[..]
        else {
            return None;
        };
        let solver = SolverStatistics {
            method: method_used,
            steps: steps as usize,
            rejected_steps: rejected_steps as usize,
            newton_failures: newton_failures as usize,
            rhs_evaluations: rhs_evaluations as usize,
            jacobian_evaluations: jacobian_evaluations as usize,
            restarts: restarts as usize,
            wall_seconds: words.number()?,
            ..Default::default()
        };
        let states = [
            words.numbers()?,
            words.numbers()?,
            words.numbers()?,
            words.numbers()?,
        ];
        let saved = states[0].len();
        let fits = saves.fits(&states)
            && y.len() == saves.unknowns()
            && accumulated.len() == saves.samples()
            && y.iter().chain([&s, &reached]).all(|x| x.is_finite());
        let mark = Self {
            s,
            reached,
            y,
            accumulated,
            method,
            past,
            piece,
            kinks,
            strongest_at_start,
            rounding,
            watch,
            solver,
            saved,
        };
        fits.then_some((mark, states))
    }
}
