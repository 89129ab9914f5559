//! Runs the cases of a shard, on several threads.

use super::{Batch, case_file, record};
use crate::error::{Error, Result};
use crate::storage::{Folder, create_folder};
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Which part of a batch: the cases whose number is `index` mod `count`.
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
    /// What could not be had in the cases done now: number and reason.
    pub failed: Vec<(usize, String)>,
}

/// Runs the cases of a shard that are missing, damaged, or lack something that may be had next time.
///
/// # Errors
/// [`Error::Interrupted`] if a signal came, once the limits being computed are finished; [`Error::Io`]; any other error
/// of [`Batch::evaluate`].
pub fn run<B: Batch>(batch: &B, options: &ShardOptions<'_>) -> Result<ShardOutcome> {
    let folder = batch.folder();
    let _here = Folder::together(&folder.path)?;
    create_folder(&folder.cases_folder())?;
    let (mut todo, mut kept): (Vec<usize>, usize) = (Vec::new(), 0);
    for id in (0..folder.cases).filter(|id| options.shard.holds(*id)) {
        match record(batch, id)? {
            Some(record) if batch.shortfalls(id, &record).is_empty() => kept += 1,
            _ => todo.push(id),
        }
    }
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let failed = Mutex::new(Vec::new());
    (options.observer)(0, todo.len());
    let one = |id: usize| -> Result<()> {
        let record = batch.evaluate(id, options.signal)?;
        case_file::write(&folder.case(id), &record)?;
        let reasons = batch.shortfalls(id, &record);
        let reasons = reasons.into_iter().map(|why| (id, why));
        failed.lock().expect("no thread panics").extend(reasons);
        (options.observer)(done.fetch_add(1, Ordering::Relaxed) + 1, todo.len());
        Ok(())
    };
    let work = || -> Result<()> {
        while options.signal.load(Ordering::Relaxed) == 0
            && let Some(id) = todo.get(next.fetch_add(1, Ordering::Relaxed))
        {
            // No thread takes another case after an error.
            one(*id).inspect_err(|_| next.store(todo.len(), Ordering::Relaxed))?;
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
