//! How large steps may be: the critical step sizes of a scenario, and how they depend on depth and rule.
//!
//! There are two of them (see [`Demand`]): the first at which an alignment of the layers is negative, where these are
//! examined, and the first at which the loss does not tend to zero.

#[cfg(feature = "cli")]
mod figures;
#[cfg(feature = "cli")]
mod report;

#[cfg(feature = "cli")]
pub use report::json;
#[cfg(feature = "cli")]
pub(crate) use report::{text, write};

use crate::control::Control;
use crate::descent::{
    Critical, CriticalOptions, Demand, DiscreteAlignment, critical_steps, discrete_alignment,
};
use crate::error::Result;
use crate::problem::Problem;
use crate::reference::reference_limit;
use crate::scenario::{self, Scenario};
use std::ops::RangeInclusive;
use std::path::Path;

/// Depths of the diagram.
pub const DEPTHS: RangeInclusive<usize> = 1..=5;

/// What has been measured.
pub struct Stability {
    pub scenario: Scenario,
    pub problem: Problem,
    pub options: CriticalOptions,
    /// The smallest of the critical sizes: of the demand of `options`.
    pub critical: Critical,
    /// All critical sizes that were measured: the first failure, and before it the first negative alignment, where
    /// alignments are examined.
    pub thresholds: Vec<Critical>,
    /// The alignments at the smallest bad size, where they have a discrete form: from zero weights on fully connected
    /// linear networks under fixed feedback.
    pub above: Option<Vec<DiscreteAlignment>>,
    /// The same data at other depths, under fixed feedback and under gradient descent, from the same weights. Empty
    /// where depth alone does not describe the network (widths given, ReLU), and where weights or feedback come from
    /// files.
    pub depths: Vec<DepthPoint>,
}

/// The critical step size of one depth and rule.
#[derive(Debug, Clone, PartialEq)]
pub struct DepthPoint {
    /// The rule's key.
    pub rule: &'static str,
    /// How the weights start, in words.
    pub initial: String,
    /// L
    pub depth: usize,
    /// What the smallest bad size shows.
    pub demand: Demand,
    /// [`Critical::good`].
    pub good: Option<f64>,
    /// [`Critical::bad`].
    pub bad: Option<f64>,
}

/// Measures the scenario at `path`, changed by `overrides`. Trials take `steps.count` steps, or ten thousand.
///
/// # Errors
/// As [`scenario::load`], [`Scenario::build`], [`reference_limit`] (unless `allow_nonseparable`) and
/// [`critical_steps`].
pub fn measure(
    path: &Path,
    overrides: &[String],
    allow_nonseparable: bool,
    control: &Control<'_>,
) -> Result<Stability> {
    let scenario = scenario::load(path, overrides)?;
    let problem = scenario.build()?;
    // without a separating hyperplane no size drives the loss to zero
    reference_limit(&problem, allow_nonseparable)?;
    control.check()?;
    let options_of = |problem: &Problem| {
        let options = CriticalOptions::of(problem);
        CriticalOptions {
            count: scenario.steps.as_ref().map_or(options.count, |s| s.count),
            ..options
        }
    };
    let options = options_of(&problem);
    let thresholds = critical_steps(&problem, &options, &demands(&options), control)?;
    let critical = thresholds[0].clone();
    let above = (critical.bad).and_then(|bad| discrete_alignment(&problem, bad, options.count));
    let mut depths = Vec::new();
    for variant in scenario.variants_by_depth(problem.dataset().dimension()) {
        for depth in DEPTHS {
            control.check()?;
            let overrides = [overrides, &variant.assignments(depth)[..]].concat();
            let problem = scenario::load(path, &overrides)?.build()?;
            let options = options_of(&problem);
            let thresholds = critical_steps(&problem, &options, &demands(&options), control)?;
            depths.extend(thresholds.into_iter().map(|critical| DepthPoint {
                rule: problem.rule().key(),
                initial: variant.initial.clone(),
                depth,
                demand: critical.demand,
                good: critical.good,
                bad: critical.bad,
            }));
        }
    }
    Ok(Stability {
        scenario,
        problem,
        options,
        critical,
        thresholds,
        above,
        depths,
    })
}

/// What to measure, the strictest demand first.
fn demands(options: &CriticalOptions) -> Vec<Demand> {
    match options.demand {
        Demand::Loss => vec![Demand::Loss],
        Demand::LossAndAlignment => vec![Demand::LossAndAlignment, Demand::Loss],
    }
}
