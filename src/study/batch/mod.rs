//! The engine of everything that has many cases: studies and sweeps.
//!
//! ```text
//! scenario ─plan→ folder ─run, any number of times, shards, threads→ cases/*.json ─merge→ tables, figures
//! ```
//!
//! A [`Batch`] says what its cases are and how one is evaluated; the rest is the same for all. A finished case is a
//! file with its own checksum, written completely or not at all, so that cases which are missing or damaged are done by
//! the next [`run`], wherever the last one was killed. A case is evaluated from its number and the plan alone, never
//! from other cases: results are bitwise independent of threads, shards, interruptions and their order. Merging is
//! a pure function of all case files, in the order of their numbers.

mod case_file;
mod folder;
mod shard;
#[cfg(feature = "cli")]
mod slurm;

pub use folder::{BatchFolder, BatchKind};
pub use shard::{Shard, ShardOptions, ShardOutcome, run};
#[cfg(feature = "cli")]
pub(crate) use slurm::{SlurmOptions, write_slurm};

#[cfg(feature = "cli")]
use crate::error::Incomplete;
use crate::error::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::atomic::AtomicUsize;

/// Many cases, numbered from 0, that are evaluated independently of each other.
pub trait Batch: Sync {
    /// The results of a case, as its file holds them: plain data.
    type Record: Serialize + DeserializeOwned + Send;

    /// Where its plan and its cases are, and how many there are.
    fn folder(&self) -> BatchFolder;

    /// Evaluates a case. The signal is nonzero once the run is to end.
    ///
    /// # Errors
    /// [`Error::Interrupted`](crate::error::Error::Interrupted) if a signal came, and whatever keeps all cases from
    /// being evaluated. What goes wrong in the case itself is part of its record.
    fn evaluate(&self, id: usize, signal: &AtomicUsize) -> Result<Self::Record>;

    /// Whether a record is that of this case of this batch.
    fn owns(&self, id: usize, record: &Self::Record) -> bool;

    /// What could not be had in a case and may be had next time; empty for a case that is done for good.
    fn shortfalls(&self, id: usize, record: &Self::Record) -> Vec<String>;
}

/// All records, in the order of their numbers, or the numbers of the cases still to be done.
///
/// # Errors
/// [`Error::Io`](crate::error::Error::Io) if a case file is there and cannot be read.
pub fn records<B: Batch>(batch: &B) -> Result<std::result::Result<Vec<B::Record>, Vec<usize>>> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for id in 0..batch.folder().cases {
        match record(batch, id)? {
            Some(record) => found.push(record),
            None => missing.push(id),
        }
    }
    Ok(match missing.is_empty() {
        true => Ok(found),
        false => Err(missing),
    })
}

/// The record of a case, if there is a file with a correct checksum that belongs to it.
///
/// # Errors
/// [`Error::Io`](crate::error::Error::Io) if there is a file that cannot be read.
pub fn record<B: Batch>(batch: &B, id: usize) -> Result<Option<B::Record>> {
    let found = case_file::read(&batch.folder().case(id))?;
    Ok(found.filter(|record| batch.owns(id, record)))
}

/// The error for a batch of which these cases, by number and name, are missing.
#[cfg(feature = "cli")]
pub(crate) fn incomplete(folder: &BatchFolder, missing: Vec<(usize, String)>) -> Incomplete {
    Incomplete::Batch {
        verb: folder.kind.verb,
        missing,
        total: folder.cases,
        folder: folder.path.clone(),
    }
}
