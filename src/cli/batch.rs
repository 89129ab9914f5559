//! What sweeps and studies have in common on the command line.

use super::print;
use super::signals::Signals;
use crate::error::{Error, Result, SolverError, exit};
use crate::study::{Batch, Shard, ShardOptions, ShardOutcome, SlurmOptions, run, write_slurm};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;

/// How cases are run.
#[derive(Args, Clone, Copy)]
pub(super) struct Work {
    /// Only the cases whose id is i mod N
    #[arg(long, value_name = "i/N")]
    pub shard: Option<Shard>,
    /// Threads [default: the number of cores]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// Print only errors
    #[arg(long)]
    pub quiet: bool,
}

/// The size of a job array.
#[derive(Args, Clone, Copy)]
pub(super) struct Array {
    /// Tasks of the array, one shard each
    #[arg(long, value_name = "N", default_value = "16")]
    tasks: NonZeroUsize,
    /// Threads per task
    #[arg(long, value_name = "N", default_value = "1")]
    jobs: NonZeroUsize,
}

/// The folder of a sweep or study.
#[derive(Args)]
pub(super) struct BatchPath {
    /// Folder with the cases and the tables
    #[arg(long = "out", value_name = "DIR")]
    pub path: PathBuf,
}

/// Runs the cases that are missing, with a bar that says how many are left and how long they will take.
pub(super) fn run_cases<B: Batch>(batch: &B, work: Work) -> Result<ShardOutcome> {
    let signals = Signals::watch()?;
    let bar = ProgressBar::new(0);
    bar.set_style(
        ProgressStyle::with_template("{bar:40} {pos} of {len} cases, {eta} left")
            .expect("the template is valid"),
    );
    if work.quiet {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let jobs = work.jobs.or(available_parallelism().ok());
    let outcome = run(
        batch,
        &ShardOptions {
            shard: work.shard.unwrap_or(Shard::ALL),
            jobs: jobs.map_or(1, usize::from),
            signal: &signals.came,
            observer: &|done, total| {
                bar.set_length(total as u64);
                bar.set_position(done as u64);
            },
        },
    );
    bar.finish_and_clear();
    outcome
}

/// Runs a shard, and says what was done.
pub(super) fn run_shard<B: Batch>(batch: &B, work: Work) -> Result<u8> {
    let outcome = run_cases(batch, work)?;
    if !work.quiet {
        print(&format!(
            "{} cases done, {} had been done before\n",
            outcome.done, outcome.kept
        ))?;
    }
    if outcome.failed.is_empty() {
        return Ok(exit::DONE);
    }
    Err(SolverError::CasesFailed(outcome.failed).into())
}

/// Writes the scripts of a job array.
pub(super) fn slurm<B: Batch>(batch: &B, array: Array) -> Result<u8> {
    let program = std::env::current_exe().map_err(|e| Error::io("this program", e))?;
    let options = SlurmOptions {
        tasks: array.tasks.get(),
        jobs: array.jobs.get(),
    };
    let submit = write_slurm(&batch.folder(), &program, options)?;
    print(&format!(
        "sh {} submits {} tasks and the merge after them\n",
        submit.display(),
        array.tasks
    ))?;
    Ok(exit::DONE)
}
