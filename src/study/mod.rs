//! Studies: many runs of one scenario with some of its keys varied, and what is to be seen in all of them together.
//!
//! ```text
//! scenario with [study] ─plan→ folder ─run, any number of times, shards, threads→ cases/*.json ─merge→ Table, Curves
//!                                                                            Table, Curves ─→ aggregates, figures
//! ```
//!
//! A **case** is a point (one value of every varied key) and a seed: the scenario with these keys assigned anew
//! ([`Plan::assignments`]), so that each can be run on its own and everything that `run` does is done. What is kept of
//! it are the scalars of its `report.json` and its curves. A case that cannot be run to its end is a row of the table
//! with its status and the reason.
//!
//! The engine (`batch`) knows nothing of this: it is that of [`crate::sweep`] too, whose cases are other scenarios
//! with results of their own. Merging, here and there, is a pure function of the case files.

#[cfg(feature = "cli")]
mod aggregates;
mod batch;
#[cfg(feature = "cli")]
mod compared;
#[cfg(feature = "cli")]
mod compared_page;
mod curves;
mod evaluate;
#[cfg(feature = "cli")]
mod export;
#[cfg(feature = "cli")]
mod figures;
mod plan;
mod scalars;
mod statistics;
#[cfg(all(test, feature = "cli"))]
mod synthetic;
mod table;

pub use batch::{
    Batch, BatchFolder, BatchKind, Shard, ShardOptions, ShardOutcome, record, records, run,
};
#[cfg(feature = "cli")]
pub(crate) use batch::{SlurmOptions, incomplete, write_slurm};
#[cfg(feature = "cli")]
pub(crate) use compared::compare;
pub use curves::{Curves, SavedCurves};
pub use evaluate::Record;
#[cfg(feature = "cli")]
pub(crate) use export::write;
pub use plan::{Case, Plan};
pub use scalars::{Scalar, scalars};
pub use statistics::{CONFIDENCE, Interval, Quantiles, mean_interval, quantiles, student_t};
pub use table::{Merged, Row, counted, merge};
