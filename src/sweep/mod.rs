//! Sweeps: what the limits of several networks are worth against the number of samples, over many seeds, on one machine or many.
//!
//! ```text
//! scenario with [sweep] ─plan→ folder ─run, any number of times, shards, threads→ cases/*.json ─merge→ tables, figures
//! ```
//!
//! A **case** is one network and rule at one ratio `n/D` and one seed: the scenario with a few keys assigned anew
//! ([`Plan::assignments`]), so that each can be run by itself. Everything random in a case follows from the seed of the scenario and the
//! name of the case by SHA-256; the data of one (ratio, seed) are the same for every network and rule, and differences between
//! networks are paired. So results do not depend on threads, shards, interruptions or their order, to the last bit.
//!
//! A case that is done is a file with its own checksum, written whole or not at all. What is missing, damaged, or has failed is done by the
//! next `run`. Merging is a pure function of all case files, in the order of their ids.

mod evaluate;
mod merge;
mod network_case;
mod plan;
mod record;
mod run;
mod slurm;

pub use merge::{Difference, Mean, Merged, Missing, Point, Summary, merge};
pub use network_case::NetworkCase;
pub(crate) use plan::samples;
pub use plan::{Case, Plan};
pub use record::{Measurement, Record};
pub use run::{Outcome, RunOptions, Shard, run};
pub use slurm::{SlurmOptions, write_slurm};

use schemars::JsonSchema;
use serde::Deserialize;

/// What is measured of a case: the angle to the teacher of …
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// … the certified limit.
    Limit,
    /// … the flow at the horizon of the scenario.
    Flow,
    /// … finite steps, as many as the scenario says.
    Steps,
}

impl Kind {
    /// The name in scenarios and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Flow => "flow",
            Self::Steps => "steps",
        }
    }
}

/// The table `[sweep]` of a scenario: lists without repetition, none of them empty.
#[derive(Debug, Clone)]
pub struct SweepOptions {
    pub cases: Vec<NetworkCase>,
    /// n/D
    pub ratios: Vec<f64>,
    /// Seeds 0 … seeds − 1 at every ratio.
    pub seeds: usize,
    pub kinds: Vec<Kind>,
}
