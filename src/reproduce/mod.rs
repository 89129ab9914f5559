//! Everything at once: all scenarios in a folder, run in parallel, and one table of the verdicts on all claims.
//!
//! ```text
//! folder of scenarios ─plan→ Experiment… ─run→ Done… (a folder each) ─ClaimsTable::of→ ClaimsTable ─html→ index.html
//! ```
//!
//! An experiment's folder holds the output of `run`, `compare --critical`, `sweep` or `study`, and `done.json`: what
//! it was made from, and checksums of the output. Folders that are intact and made from the same inputs are kept, so
//! that an interrupted reproduction continues where it stopped. The table is a function of those folders alone.

mod done;
mod matrix;
mod page;
mod plan;
mod table;

pub(crate) use done::{Done, Drawing};
pub(crate) use page::{Page, Section, html};
pub(crate) use plan::{Experiment, ExperimentKind, Selection, plan};
pub(crate) use table::ClaimsTable;

use crate::control::Control;
use crate::error::{Error, Result};
use crate::storage::program;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Seconds between the checkpoints of a run.
const CHECKPOINTS: f64 = 5.0;

/// How experiments are run.
pub(crate) struct Options<'a> {
    /// Folder with one subfolder per experiment.
    pub out: &'a Path,
    /// Threads.
    pub jobs: usize,
    /// Whether to repeat what is already done.
    pub fresh: bool,
    /// Set to the number of a signal that stops runs once they have written a checkpoint; 0 to continue.
    pub signal: &'a AtomicUsize,
    /// Called when an experiment begins and when it has ended; from any thread.
    pub observer: &'a (dyn Fn(Event) + Sync),
}

/// The events an observer is told about.
pub(crate) enum Event<'a> {
    Begins(&'a Experiment),
    Ends(&'a Experiment),
}

/// Runs what is not done yet; returns the outcome of each experiment, in order.
///
/// Single-threaded experiments run in parallel; those with threads of their own (sweeps, studies) follow, one by one.
/// An experiment that fails is recorded with its reason and does not stop the others; the next call tries it again.
///
/// # Errors
/// [`Error::Io`] if a folder cannot be written; [`Error::Interrupted`] if a signal came; what is done is kept.
pub(crate) fn run(experiments: &[Experiment], options: &Options) -> Result<Vec<Done>> {
    let program = program()?;
    let one = |experiment: &Experiment, jobs: usize| -> Result<Done> {
        let folder = options.folder(experiment);
        let key = experiment.key(program);
        if let (false, Some(done)) = (options.fresh, Done::read(&folder, &key)) {
            (options.observer)(Event::Ends(experiment));
            return Ok(done);
        }
        (options.observer)(Event::Begins(experiment));
        let control = Control {
            checkpoints: Some(&folder),
            interval: CHECKPOINTS,
            signal: options.signal,
            observer: &(),
        };
        let done = done::make(experiment, jobs, &key, &control)?;
        (options.observer)(Event::Ends(experiment));
        Ok(done)
    };
    let (mut order, alone): (Vec<usize>, Vec<usize>) =
        (0..experiments.len()).partition(|i| !experiments[*i].kind.is_batch());
    // the longest first, so that no thread is left with a long one at the end
    order.sort_by(|a, b| experiments[*b].work.total_cmp(&experiments[*a].work));
    let results: Mutex<Vec<Option<Result<Done>>>> =
        Mutex::new((0..experiments.len()).map(|_| None).collect());
    let keep =
        |i: usize, result| results.lock().expect("no thread panics with it")[i] = Some(result);
    let next = AtomicUsize::new(0);
    let go_on = || options.signal.load(Ordering::Relaxed) == 0;
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.clamp(1, order.len().max(1)) {
            scope.spawn(|| {
                while go_on()
                    && let Some(i) = order.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    keep(*i, one(&experiments[*i], 1));
                }
            });
        }
    });
    for i in alone.into_iter().take_while(|_| go_on()) {
        keep(i, one(&experiments[i], options.jobs));
    }
    let results = results.into_inner().expect("no thread panics with it");
    let left_out = results.iter().any(Option::is_none);
    let done: Vec<Done> = (results.into_iter().flatten()).collect::<Result<_>>()?;
    match options.signal.load(Ordering::Relaxed) {
        signal if left_out => Err(Error::Interrupted {
            signal,
            resumable: true,
        }),
        _ => Ok(done),
    }
}

impl Options<'_> {
    /// The output folder of an experiment.
    pub(crate) fn folder(&self, experiment: &Experiment) -> PathBuf {
        self.out.join(experiment.id())
    }
}
