//! Sweeps: what the limits of several networks are worth against the number of samples, over many seeds, on one machine
//! or many.
//!
//! ```text
//! scenario with [sweep] ─plan→ folder ─run, any number of times, shards, threads→ cases/*.json ─merge→ tables, figures
//! ```
//!
//! A **case** is one network and rule at one ratio `n/D` and one seed: the scenario with a few keys assigned anew
//! ([`Plan::assignments`]), so that each can be run by itself. Everything random in a case follows from the seed of the
//! scenario and the name of the case by SHA-256; the data of one (ratio, seed) are the same for every network and rule,
//! and differences between networks are paired. So results do not depend on threads, shards, interruptions or their
//! order, to the last bit.
//!
//! A case that is done is a file with its own checksum, written whole or not at all. What is missing, damaged, or has
//! failed is done by the next `run`. Merging is a pure function of all case files, in the order of their ids.

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
