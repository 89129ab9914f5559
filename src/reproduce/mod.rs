//! Everything at once: all scenarios of a folder, run side by side, and one table of what became of the claims.
//!
//! ```text
//! folder of scenarios ─plan→ Experiment… ─run→ Done… (a folder each) ─Table::of→ Table ─report::index→ index.html
//! ```
//!
//! An experiment's folder holds what the verbs `run`, `compare --critical` and `sweep` leave, and `done.json`: what it was made from, and
//! checksums of what was made. What is found whole and made from the same is kept, so that a reproduction that was cut goes on where it was.
//! The table is a function of those folders alone.

mod done;
mod plan;
mod table;

pub use done::{Done, Drawing};
pub use plan::{Experiment, Kind, Selection, plan};
pub use table::{Row, Table};

use crate::error::Result;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How experiments are run.
pub struct Options<'a> {
    /// Folder that gets one folder per experiment.
    pub out: &'a Path,
    /// Threads.
    pub jobs: usize,
    /// Whether to do again what is done.
    pub fresh: bool,
    /// Called when an experiment begins and when it has ended; from any thread.
    pub observer: &'a (dyn Fn(Event) + Sync),
}

/// What an observer hears.
pub enum Event<'a> {
    Begins(&'a Experiment),
    Ends(&'a Experiment, &'a Done),
}

/// Runs what is not done yet; what became of each experiment, in their order.
///
/// Experiments of one thread are run side by side, those with threads of their own (sweeps) one after another behind them. An experiment
/// that fails is recorded with its reason and keeps no other from running; the next call tries it again.
///
/// # Errors
/// [`Error::Io`](crate::error::Error::Io) if a folder cannot be written.
pub fn run(experiments: &[Experiment], options: &Options) -> Result<Vec<Done>> {
    let program = done::program()?;
    let one = |experiment: &Experiment, jobs: usize| -> Result<Done> {
        let folder = options.folder(experiment);
        let key = experiment.key(&program);
        if let (false, Some(done)) = (options.fresh, Done::read(&folder, &key)) {
            (options.observer)(Event::Ends(experiment, &done));
            return Ok(done);
        }
        (options.observer)(Event::Begins(experiment));
        let done = done::make(experiment, &folder, jobs, &key)?;
        (options.observer)(Event::Ends(experiment, &done));
        Ok(done)
    };
    let (mut order, alone): (Vec<usize>, Vec<usize>) =
        (0..experiments.len()).partition(|i| experiments[*i].kind != Kind::Sweep);
    // the longest first, so that no thread is left with it at the end
    order.sort_by(|a, b| experiments[*b].work.total_cmp(&experiments[*a].work));
    let results: Mutex<Vec<Option<Result<Done>>>> =
        Mutex::new((0..experiments.len()).map(|_| None).collect());
    let keep =
        |i: usize, result| results.lock().expect("no thread panics with it")[i] = Some(result);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.clamp(1, order.len().max(1)) {
            scope.spawn(|| {
                while let Some(i) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    keep(*i, one(&experiments[*i], 1));
                }
            });
        }
    });
    for i in alone {
        keep(i, one(&experiments[i], options.jobs));
    }
    let results = results.into_inner().expect("no thread panics with it");
    results.into_iter().flatten().collect()
}

impl Options<'_> {
    /// Where an experiment leaves its output.
    pub fn folder(&self, experiment: &Experiment) -> PathBuf {
        self.out.join(experiment.id())
    }
}
