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
//! Folders, case files, shards and threads are those of the engine of all batches, [`crate::study`]; a sweep is one
//! study among others, with tables and figures of its own.

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

pub use crate::scenario::{Kind, NetworkCase, SweepOptions};
pub use crate::study::{Shard, ShardOptions, ShardOutcome, run};
#[cfg(feature = "cli")]
pub(crate) use export::{text, write};
pub use merge::{Difference, Merged, Missing, PredictedAngle, Summary, merge};
#[cfg(feature = "cli")]
pub(crate) use plan::KIND;
pub use plan::{Case, Plan};
pub use record::{Measurement, Record};
