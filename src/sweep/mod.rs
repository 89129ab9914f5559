//! Sweeps: how well the limits of several networks generalise, against the number of samples, over many seeds, on one
//! machine or many.
//!
//! ```text
//! scenario with [sweep] ─plan→ folder ─run, any number of times, shards, threads→ cases/*.json ─merge→ tables, figures
//! ```
//!
//! A **case** is one network and rule at one ratio `n/D` and one seed: the scenario with a few keys reassigned
//! ([`Plan::assignments`]), so that each can be run on its own. Everything random in a case follows from the seed of
//! the scenario and the name of the case by SHA-256; the data of one (ratio, seed) are the same for every network and
//! rule, and differences between networks are paired. So results are bitwise independent of threads, shards,
//! interruptions and their order.
//!
//! A finished case is a file with its own checksum, written completely or not at all. Cases that are missing, damaged
//! or failed are done by the next `run`. Merging is a pure function of all case files, in the order of their ids.

mod evaluate;
#[cfg(feature = "cli")]
mod export;
#[cfg(feature = "cli")]
mod figures;
mod merge;
mod plan;
mod record;
mod run;
#[cfg(feature = "cli")]
mod section_6;
#[cfg(feature = "cli")]
mod slurm;

pub use crate::scenario::{Kind, NetworkCase, SweepOptions};
#[cfg(feature = "cli")]
pub(crate) use export::{text, write};
pub use merge::{Difference, Mean, Merged, Missing, PredictedAngle, Summary, merge};
pub use plan::{Case, Plan};
pub(crate) use record::{Measurement, Record};
pub use run::{Shard, ShardOptions, ShardOutcome, run};
#[cfg(feature = "cli")]
pub(crate) use slurm::{SlurmOptions, write_slurm};
