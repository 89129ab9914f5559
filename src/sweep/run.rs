//! Runs the cases of a shard, on several threads.

use super::evaluate::evaluate;
use super::{Case, Plan, Record};
use crate::error::{Error, Result};
use crate::storage::{Folder, create_folder};
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Which part of a sweep: the cases whose id is `index` mod `count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    pub index: usize,
    pub count: usize,
}

impl Shard {
    pub const ALL: Self = Self { index: 0, count: 1 };

    pub(crate) fn holds(self, id: usize) -> bool {
        id % self.count == self.index
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let advice = || {
            format!("`{text}` is not i/N with 0 <= i < N, e.g. 0/4 for the first of four shards")
        };
        let (index, count) = text.split_once('/').ok_or_else(advice)?;
        let shard = Self {
            index: index.parse().map_err(|_| advice())?,
            count: count.parse().map_err(|_| advice())?,
        };
        (shard.index < shard.count)
            .then_some(shard)
            .ok_or_else(advice)
    }
}

/// How a shard is run.
pub struct ShardOptions<'a> {
    pub shard: Shard,
    /// Threads, at least one.
    pub jobs: usize,
    /// Set to the number of a signal that stops the run: limits being computed are finished, flows and steps are
    /// abandoned; 0 to continue.
    pub signal: &'a AtomicUsize,
    /// Called after every case with the number done and to be done; from any thread.
    pub observer: &'a (dyn Fn(usize, usize) + Sync),
}

/// The outcome of a shard.
#[derive(Debug, Default)]
pub struct ShardOutcome {
    /// Cases that had been done before.
    pub kept: usize,
    /// Cases done now.
    pub done: usize,
    /// Those cases done now that lack some angle: id and reason.
    pub failed: Vec<(usize, String)>,
}

/// Runs the cases of a shard that are missing, damaged or failed.
///
/// # Errors
/// [`Error::Interrupted`] if a signal came, once the limits being computed are finished; [`Error::Io`]; any error in
/// building a case.
pub fn run(plan: &Plan, options: &ShardOptions<'_>) -> Result<ShardOutcome> {
    let _here = Folder::together(&plan.folder)?;
    create_folder(&plan.cases_folder())?;
    let (mut todo, mut kept): (Vec<Case>, usize) = (Vec::new(), 0);
    for case in plan.cases() {
        if !options.shard.holds(case.id) {
            continue;
        }
        match Record::read(plan, &case)? {
            Some(record) if !record.failed() => kept += 1,
            _ => todo.push(case),
        }
    }
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let failed = Mutex::new(Vec::new());
    (options.observer)(0, todo.len());
    let work = || -> Result<()> {
        while options.signal.load(Ordering::Relaxed) == 0
            && let Some(case) = todo.get(next.fetch_add(1, Ordering::Relaxed))
        {
            let record = evaluate(plan, case, options.signal).inspect_err(|_| {
                // No thread takes another case after an error.
                next.store(todo.len(), Ordering::Relaxed);
            })?;
            record.write(plan, case).inspect_err(|_| {
                next.store(todo.len(), Ordering::Relaxed);
            })?;
            let reasons = record.results.iter().filter_map(|m| {
                let why = m.failure.as_ref()?;
                Some((case.id, format!("{} ({}): {why}", case.name(), m.kind)))
            });
            failed.lock().expect("no thread panics").extend(reasons);
            (options.observer)(done.fetch_add(1, Ordering::Relaxed) + 1, todo.len());
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..options.jobs.clamp(1, todo.len().max(1)))
            .map(|_| scope.spawn(work))
            .collect();
        threads
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect::<Vec<_>>()
    })
    .into_iter()
    .collect::<Result<()>>()?;
    let signal = options.signal.load(Ordering::Relaxed);
    if signal != 0 && done.load(Ordering::Relaxed) < todo.len() {
        return Err(Error::Interrupted {
            signal,
            resumable: true,
        });
    }
    let mut failed = failed.into_inner().expect("no thread panics");
    failed.sort();
    Ok(ShardOutcome {
        kept,
        done: done.into_inner(),
        failed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_read_and_share_out_every_case_once() {
        assert_eq!("2/5".parse(), Ok(Shard { index: 2, count: 5 }));
        for text in ["5/5", "1", "a/2", "1/0", "-1/2", "1/2/3"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
        for id in 0..23 {
            let holders = (0..5).filter(|&index| Shard { index, count: 5 }.holds(id));
            assert_eq!(holders.count(), 1);
        }
    }
}
