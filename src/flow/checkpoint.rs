//! Marks of a flow, and the checkpoints they are written to.
//!
//! Everything after a [`Mark`] depends only on what the mark holds, so a run restored from one continues bit for bit
//! like a run that was never interrupted. An integrator that has a [`mark`](super::integrator::Integrator::mark)
//! (`adams-bdf`) can be marked after any step: its history is saved with the run. Diffsol's methods do not expose
//! theirs; with them a run restarts its integrator every so many steps ([`spacing`]), as it does at a kink or when
//! its clock is shifted, and is marked at these *fixed points*. How often marks are written to disk depends on
//! wall-clock time, and does not affect the results either.

use super::clock::Epoch;
use super::contradiction::Holding;
use super::coordinates::Choice;
use super::held::Held;
use super::past::Past;
use super::saves::Saves;
use super::watch::Watch;
use super::{FlowOptions, Method, SaveAt};
use crate::control::Control;
use crate::error::Result;
use crate::network::Kernel;
use crate::problem::Problem;
use crate::storage::checkpoint::{File, Found};
use crate::trajectory::{Kinks, LossRise, SolverStatistics};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Instant;

/// Approximate number of values touched between fixed points.
const WORK: f64 = 4e9;

/// Fewest and most steps between fixed points. A restart costs some forty steps; with more than ten thousand between
/// fixed points an interruption would lose minutes of work.
const FEWEST: f64 = 200.0;

/// See [`FEWEST`].
const MOST: f64 = 1e4;

/// Steps between fixed points unless the options say otherwise.
pub(super) fn spacing(parameters: usize, samples: usize) -> usize {
    (WORK / (parameters.max(1) as f64 * samples.max(1) as f64)).clamp(FEWEST, MOST) as usize
}

/// Everything the rest of a run depends on after a step, besides what it has saved.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Mark {
    /// Base of the clock, of this epoch.
    pub s: f64,
    pub epoch: Epoch,
    /// s since which the whole Newton matrix is in use.
    pub dense_since: Option<f64>,
    /// s reached, of the run.
    pub reached: f64,
    /// (θ, v)
    pub y: Vec<f64>,
    /// The coordinates that v are; none where they are log-multipliers.
    pub coordinates: Option<Choice>,
    /// Samples that contradict each other, if they are held.
    pub contradiction: Option<Holding>,
    /// Samples that a network that is not linear in its input cannot fit, if they are held.
    pub held: Option<Held>,
    /// `∫ E ds`
    pub accumulated: Vec<f64>,
    pub method: Method,
    /// The integrator's history; `None` at fixed points, where it restarts.
    pub past: Option<Past>,
    /// State of the kernel's piece, [`Pieces::state`](crate::network::Pieces::state); empty for smooth fields.
    pub piece: Vec<u64>,
    pub kinks: Option<Kinks>,
    pub loss_rise: LossRise,
    pub strongest_at_start: f64,
    pub rounding: Vec<f64>,
    pub watch: Watch,
    /// Includes the seconds spent up to here.
    pub solver: SolverStatistics,
    /// Number of saves.
    pub saved: usize,
}

/// The checkpoint of one flow: its last mark, and whether that is on disk.
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
    pub(super) fn none(control: &'a Control<'a>) -> Self {
        Self {
            control,
            file: None,
            written: Instant::now(),
            mark: None,
            fresh: false,
        }
    }

    /// Keeps the flow of a problem in the file `name` of the control's folder, if it has one.
    pub(super) fn of(
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

    /// Removes a file that turned out to be unusable.
    pub(super) fn discard(&self) {
        if let Some(file) = &self.file {
            // a file that cannot be removed is refused again next time
            let _ = std::fs::remove_file(&file.path);
        }
    }

    /// What an earlier run left, if it can be used. A run's state does not depend on its budgets: one that ran out of
    /// its budget can continue under a larger one.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io) if there is a file that cannot be read.
    pub(super) fn find(
        &mut self,
        options: &FlowOptions,
        kernel: &dyn Kernel,
        saves: &mut Saves,
    ) -> Result<Option<Mark>> {
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
        match file.find::<(Mark, States)>()? {
            Found::None => Ok(None),
            Found::Unusable(why) => refused(why),
            Found::Checkpoint((mark, states)) if !mark.fits(saves, &states) => {
                refused("it does not fit")
            }
            Found::Checkpoint((mark, _)) if mark.solver.steps > options.max_steps => {
                refused("it is beyond flow.max-steps")
            }
            Found::Checkpoint((mark, _)) if !mark.names_a_piece_of(kernel) => {
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

    /// Whether what is on disk is old enough to be rewritten, or a signal has come.
    pub(super) fn is_due(&self) -> bool {
        self.file.is_some()
            && (self.written.elapsed().as_secs_f64() > self.control.interval
                || self.control.check().is_err())
    }

    /// Takes the latest mark, and writes it if what is on disk is old enough.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io) if it cannot be written.
    pub(super) fn keep(&mut self, mark: Mark, saves: &Saves) -> Result<()> {
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
    pub(super) fn write(&mut self, saves: &Saves) -> Result<()> {
        if let (Some(file), Some(mark), true) = (&self.file, &self.mark, self.fresh) {
            file.write(&(mark, saves.up_to(mark.saved)))?;
        }
        self.fresh = false;
        self.written = Instant::now();
        Ok(())
    }

    /// To be called after every step.
    ///
    /// # Errors
    /// [`Error::Interrupted`](crate::error::Error::Interrupted) once a signal has come, with the last mark on disk;
    /// [`Error::Io`](crate::error::Error::Io) if it cannot be written.
    pub(super) fn check(&mut self, saves: &Saves) -> Result<()> {
        let go_on = self.control.check();
        if go_on.is_err() {
            self.write(saves)?;
        }
        go_on
    }

    /// To be called when the flow has ended. One that took long keeps its last mark until its results are on disk,
    /// one that ran out of its budget keeps it for a larger budget.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io) if it cannot be written.
    pub(super) fn end(&mut self, out_of_budget: bool, saves: &Saves) -> Result<()> {
        if out_of_budget || self.written.elapsed().as_secs_f64() > self.control.interval {
            self.write(saves)?;
        }
        Ok(())
    }
}

/// What was saved up to a mark: times, θ, log-multipliers and accumulated multipliers, state after state.
pub(super) type States = [Vec<f64>; 4];

impl Mark {
    /// Whether a run with the save grid of `saves` can continue from here, with `states` saved so far.
    fn fits(&self, saves: &Saves, states: &States) -> bool {
        let samples = saves.samples();
        let carried = self.coordinates.as_ref().map_or(samples, Choice::len);
        saves.fits(states)
            && self.saved == states[0].len()
            && self.y.len() + samples == saves.unknowns() + carried
            && self.accumulated.len() == saves.samples()
            && (self.y.iter().chain([&self.s, &self.reached])).all(|x| x.is_finite())
    }

    fn names_a_piece_of(&self, kernel: &dyn Kernel) -> bool {
        let named = match kernel.pieces() {
            None => self.piece.is_empty() && self.kinks.is_none(),
            Some(pieces) => pieces.restored(&self.piece).is_some(),
        };
        named && self.rounding.len() == kernel.layers().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trajectory::SlidingPair;

    fn mark() -> Mark {
        Mark {
            s: 3.5,
            epoch: Epoch::begun_at(2.0, -400.0),
            dense_since: Some(3.0),
            reached: 3.75,
            coordinates: None,
            contradiction: None,
            held: None,
            y: vec![0.25, -0.0, f64::MIN_POSITIVE],
            accumulated: vec![f64::MAX],
            method: Method::AdamsBdf,
            past: Past::of(&(vec![f64::INFINITY], 3_usize, true)),
            piece: vec![u64::MAX, 0],
            kinks: Some(Kinks {
                crossings: 300,
                sliding: vec![SlidingPair {
                    layer: 1,
                    unit: 2,
                    sample: 3,
                }],
                ..Default::default()
            }),
            loss_rise: LossRise::of([(1.0, -2.0), (2.0, -1.5)]),
            strongest_at_start: -1e300,
            rounding: vec![0.0, 1e-12],
            watch: Watch::default(),
            solver: SolverStatistics {
                method: "adams-bdf".into(),
                steps: 12,
                ..Default::default()
            },
            saved: 1,
        }
    }

    #[test]
    fn marks_are_read_as_they_were_written() {
        let bytes = postcard::to_allocvec(&mark()).unwrap();
        let read: Mark = postcard::from_bytes(&bytes).unwrap();
        let debug = |mark: &Mark| format!("{mark:?}");
        assert_eq!(debug(&read), debug(&mark()));
        assert_eq!(read.y[1].to_bits(), (-0.0_f64).to_bits());
        let past = read.past.unwrap();
        let (numbers, count, flag): (Vec<f64>, usize, bool) = past.read().unwrap();
        assert_eq!((numbers[0], count, flag), (f64::INFINITY, 3, true));
        assert!(past.read::<(Vec<f64>, usize)>().is_none(), "bytes are left");
        assert!(past.read::<(Vec<f64>, usize, bool, u64)>().is_none());
    }
}
