//! The content of a checkpoint of finite-step runs, see [`crate::storage::checkpoint`].

use super::StepOptions;
use super::records::Records;
use crate::problem::Problem;
use crate::storage::checkpoint::File;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The state of one group of lanes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct LanesMark {
    /// Steps taken.
    pub taken: u64,
    /// Steps recorded so far, including step 0.
    pub recorded: usize,
    /// Seconds spent up to here.
    pub wall_seconds: f64,
    /// [`Stepper::state`](super::Stepper::state).
    pub state: Vec<f64>,
    /// One per lane.
    pub records: Vec<Records>,
}

/// The file of group `group` of a problem's runs, those of `sizes`.
pub(super) fn file<'a>(
    folder: &Path,
    group: usize,
    (problem, options, sizes): (&'a Problem, &'a StepOptions, &'a [f64]),
) -> File<'a> {
    File::new(
        folder,
        &format!("steps-{}", group + 1),
        "steps",
        move || {
            let mut print = problem.fingerprint()?;
            print.text(options.schedule.name());
            print.text(options.state.name());
            print.text(&options.count.to_string());
            print.numbers(&options.sizes);
            print.numbers(sizes);
            Ok(print)
        },
    )
}

impl LanesMark {
    /// Whether a run with a state like `state`, this many lanes and weights, and `count` steps can resume from here.
    pub(super) fn fits(&self, state: &[f64], lanes: usize, weights: usize, count: u64) -> bool {
        let whole = |r: &Records| {
            let recorded = r.log_time.len();
            r.theta.len() == recorded * weights
                && (recorded == self.recorded || (r.overflown && recorded < self.recorded))
                && recorded > 0
        };
        self.taken <= count
            && self.state.len() == state.len()
            && self.records.len() == lanes
            && self.records.iter().all(whole)
    }
}
