//! The finite-step runs of a scenario: grouped into lanes, spread over the cores, recorded, checkpointed.
//!
//! How runs are grouped depends only on their number, and groups are independent of each other: results are the same
//! for any number of threads, and for any number of interruptions.

use super::checkpoint::{self, LanesMark};
use super::records::{Records, recorded_steps};
use super::{Lane, Schedule, State, StepOptions, Stepper, reduced_stepper, stepper};
use crate::control::Control;
pub use crate::control::StepProgress as Progress;
#[cfg(doc)]
use crate::error::Error;
use crate::error::{Result, SolverError};
use crate::flow::clock;
use crate::problem::Problem;
use crate::storage::checkpoint::{File, Found};
use crate::trajectory::{SolverStatistics, Status, Trajectory};
use nalgebra::DMatrix;
use rayon::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A finished run of finite steps.
#[derive(Debug, Clone)]
pub struct Descent {
    /// η.
    pub size: f64,
    pub schedule: Schedule,
    /// Steps requested.
    pub count: u64,
    /// k of each record; fewer than requested if the run overflowed.
    pub steps: Vec<u64>,
    /// States at these steps, at `s = ln(1 + ln(1 + t_k))`. Completed, or non-finite if the run overflowed. The
    /// log-multipliers are those of the margins; multipliers are not accumulated.
    pub trajectory: Trajectory,
    /// Seconds this run took, without interruptions; an equal share if several runs were made together.
    pub wall_seconds: f64,
}

/// Most runs of linear networks made together, in the lanes of one stepper.
const LANES: usize = 8;

/// Fewest step sizes for which runs of linear networks are made together; fewer are spread over the cores.
const TOGETHER: usize = 4;

/// Wall-clock time between checks of the signal.
const CHUNK: Duration = Duration::from_millis(50);

/// Makes the runs, in the order of `options.sizes`.
///
/// # Errors
/// [`Error::Interrupted`] if a signal came, after a checkpoint; [`Error::Io`] if checkpoints cannot be read or written;
/// [`Error::Solver`] if the reduced state was requested and the problem has none.
pub fn descend(
    problem: &Problem,
    options: &StepOptions,
    control: &Control<'_>,
) -> Result<Vec<Descent>> {
    let together = problem.network().shares_lanes() && options.sizes.len() >= TOGETHER;
    let groups: Vec<&[f64]> = options
        .sizes
        .chunks(if together { LANES } else { 1 })
        .collect();
    let work = Work {
        problem,
        options,
        control,
        taken: AtomicU64::new(0),
    };
    let finished: Vec<Vec<Descent>> = groups
        .into_par_iter()
        .enumerate()
        .map(|(group, sizes)| work.group(group, sizes))
        .collect::<Result<_>>()?;
    Ok(finished.into_iter().flatten().collect())
}

/// Data shared by all groups.
struct Work<'a> {
    problem: &'a Problem,
    options: &'a StepOptions,
    control: &'a Control<'a>,
    /// Steps taken by all runs.
    taken: AtomicU64,
}

/// One group in progress.
struct Group<'a> {
    sizes: &'a [f64],
    stepper: Box<dyn Stepper>,
    records: Vec<Records>,
    taken: u64,
    recorded: usize,
    /// Seconds spent in earlier sessions.
    before: f64,
    since: Instant,
}

impl Group<'_> {
    fn wall_seconds(&self) -> f64 {
        self.before + self.since.elapsed().as_secs_f64()
    }
}

impl Work<'_> {
    fn group(&self, group: usize, sizes: &[f64]) -> Result<Vec<Descent>> {
        let steps = self.recorded_steps(sizes);
        let file = (self.control.checkpoints)
            .map(|folder| checkpoint::file(folder, group, (self.problem, self.options, sizes)));
        let mut run = self.start(sizes)?;
        if let Some(file) = &file {
            self.resume(&mut run, file)?;
        }
        self.report_progress(run.taken * sizes.len() as u64);
        let save = |run: &Group<'_>| match &file {
            Some(file) => {
                let mark = LanesMark {
                    taken: run.taken,
                    recorded: run.recorded,
                    wall_seconds: run.wall_seconds(),
                    state: run.stepper.state(),
                    records: run.records.clone(),
                };
                file.write(&mark)
            }
            None => Ok(()),
        };
        let mut saved = Instant::now();
        let mut chunk = 16;
        while !run.records.iter().all(|r| r.overflown)
            && let Some(&next) = steps.get(run.recorded)
        {
            while run.taken < next {
                let begin = Instant::now();
                let now = chunk.min(next - run.taken);
                run.stepper.advance(now);
                run.taken += now;
                if now == chunk && begin.elapsed() < CHUNK {
                    chunk *= 2;
                }
                self.report_progress(now * sizes.len() as u64);
                if let Err(interrupted) = self.control.check() {
                    save(&run)?;
                    return Err(interrupted);
                }
                if saved.elapsed().as_secs_f64() > self.control.interval {
                    save(&run)?;
                    saved = Instant::now();
                }
            }
            self.record(&mut run);
        }
        self.report_progress((self.options.count - run.taken) * sizes.len() as u64);
        // A run that ended keeps its last checkpoint until the results are written: other groups may still be
        // running.
        if run.before > 0.0 || saved.elapsed().as_secs_f64() > self.control.interval {
            save(&run)?;
        }
        Ok(self.finish(run, &steps))
    }

    fn start<'b>(&self, sizes: &'b [f64]) -> Result<Group<'b>> {
        let lanes: Vec<Lane> = sizes
            .iter()
            .map(|&size| Lane {
                size,
                theta: self.problem.theta0().clone(),
            })
            .collect();
        let stepper = match self.options.state {
            State::Full => stepper(self.problem, self.options.schedule, &lanes),
            State::Reduced => reduced_stepper(self.problem, self.options.schedule, &lanes)
                .map_err(|why| SolverError::NoReducedState(why.to_string()))?,
        };
        let mut run = Group {
            sizes,
            stepper,
            records: vec![Records::default(); sizes.len()],
            taken: 0,
            recorded: 0,
            before: 0.0,
            since: Instant::now(),
        };
        self.record(&mut run);
        if run.records.iter().any(|r| r.overflown) {
            return Err(SolverError::StepsOverflow.into());
        }
        Ok(run)
    }

    fn resume(&self, run: &mut Group<'_>, file: &File<'_>) -> Result<()> {
        match file.find::<LanesMark>()? {
            Found::None => {}
            Found::Unusable(why) => self.control.observer.note(format!(
                "the checkpoint {} is not used: {why}; the run starts again",
                file.path.display()
            )),
            Found::Checkpoint(found)
                if !found.fits(
                    &run.stepper.state(),
                    run.sizes.len(),
                    self.problem.unknowns(),
                    self.options.count,
                ) =>
            {
                self.control.observer.note(format!(
                    "the checkpoint {} is not used: it does not fit; the run starts again",
                    file.path.display()
                ));
            }
            Found::Checkpoint(found) => {
                self.control.observer.note(format!(
                    "resumed from {} at step {}",
                    file.path.display(),
                    found.taken
                ));
                run.stepper.restore(&found.state);
                run.records = found.records;
                run.taken = found.taken;
                run.recorded = found.recorded;
                run.before = found.wall_seconds;
            }
        }
        Ok(())
    }

    /// The steps that the runs of these sizes record. Besides log-spaced ones, those at the end of the shortest run, in
    /// ηk: where all runs can be compared.
    fn recorded_steps(&self, sizes: &[f64]) -> Vec<u64> {
        let common: Vec<u64> = (sizes.iter())
            .map(|&size| self.options.common_step(size))
            .collect();
        let parameters = self.problem.unknowns();
        recorded_steps(self.options.count, parameters, &common)
    }

    fn record(&self, run: &mut Group<'_>) {
        for (lane, (records, &size)) in run.records.iter_mut().zip(run.sizes).enumerate() {
            records.push(
                self.problem,
                self.options.schedule,
                &*run.stepper,
                (lane, size),
                run.taken,
            );
        }
        run.recorded += 1;
    }

    fn report_progress(&self, steps: u64) {
        let taken = self.taken.fetch_add(steps, Ordering::Relaxed) + steps;
        self.control.observer.steps(Progress {
            taken,
            total: (self.options.count).saturating_mul(self.options.sizes.len() as u64),
        });
    }

    fn finish(&self, run: Group<'_>, steps: &[u64]) -> Vec<Descent> {
        let wall_seconds = run.wall_seconds() / run.sizes.len() as f64;
        let network = self.problem.network();
        (run.sizes.iter().zip(&run.records))
            .map(|(&size, records)| {
                let theta = records.weights();
                let saves = theta.ncols();
                let log_multipliers = DMatrix::from_columns(
                    &(0..saves)
                        .map(|k| {
                            let margins = network
                                .margins(theta.column(k).as_slice(), self.problem.dataset());
                            margins.map(|m| records.log_time[k] - m)
                        })
                        .collect::<Vec<_>>(),
                );
                let steps = steps[..saves].to_vec();
                let (status, message) = if records.overflown {
                    (
                        Status::NonFinite,
                        Some(format!(
                            "with {} steps of size {size:e} the weights overflow after step {}; {}",
                            self.options.schedule.name(),
                            steps[saves - 1],
                            match self.options.schedule {
                                Schedule::Constant => "take a smaller size",
                                Schedule::LossNormalised =>
                                    "take a smaller size or fewer steps: they are stable only while η times the \
                                     tangent kernel stays below about 2, \
                                     and it grows with the weights",
                            }
                        )),
                    )
                } else {
                    (Status::Completed, None)
                };
                Descent {
                    size,
                    schedule: self.options.schedule,
                    count: self.options.count,
                    steps,
                    trajectory: Trajectory {
                        log_log_time: (records.log_time.iter())
                            .map(|&tau| clock::log_log_time_of_log_time(tau))
                            .collect(),
                        theta,
                        log_multipliers,
                        accumulated: None,
                        kinks: None,
                        loss_rise: None,
                        held: None,
                        status,
                        message,
                        solver: SolverStatistics {
                            method: format!("finite-steps ({})", self.options.schedule.name()),
                            steps: usize::try_from(run.taken).unwrap_or(usize::MAX),
                            unknowns: self.problem.unknowns(),
                            wall_seconds,
                            ..Default::default()
                        },
                    },
                    wall_seconds,
                }
            })
            .collect()
    }
}
