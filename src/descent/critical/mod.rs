//! Critical step sizes: the largest η up to which steps of constant size do what is demanded of them.
//!
//! A flow drives the loss to zero; steps need not. Too large a step pushes margins of samples outweighed by the others
//! far below zero, their multipliers grow exponentially, and the run overflows: the *first failure*
//! ([`Demand::Loss`]). Under fixed feedback the alignment of the layers changes its sign at slightly smaller sizes: its
//! discrete form is negative for a while ([`discrete_alignment`]), and the run recovers: the *first negative
//! alignment* ([`Demand::LossAndAlignment`]). [`critical_steps`] measures several such sizes on one grid.
//!
//! Sizes are tried eight at a time, as lanes of one [`Stepper`](super::Stepper): first on a geometric grid, which shows
//! whether good and bad sizes alternate, then between the smallest bad size and the largest good one below it, which
//! narrows the bracket ninefold per pass. Sizes above the first bad one are reported, not searched: a theorem about
//! small steps ends there.

mod alignments;
mod identity;
#[cfg(test)]
mod tests;
mod trial;

use super::{Lane, Progress, Schedule, stepper};
use crate::control::Control;
use crate::error::Result;
use crate::problem::Problem;
use rayon::prelude::*;

use alignments::Alignments;
pub use alignments::Least;
pub use identity::{DiscreteAlignment, discrete_alignment};
pub use trial::{Ending, Trial};

/// Sizes tried together.
const LANES: usize = 8;

/// What a step size has to achieve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// The loss tends to zero.
    Loss,
    /// The loss tends to zero and, on linear networks under fixed feedback from zero weights, no alignment is found
    /// negative.
    ///
    /// On convolutional and diagonal networks this demands too much: where Ẑ is real it may change sign, and however
    /// small η is, `Re φ_2 = ½(Ẑ² − Σ(ηẑ)²)` is negative while it does.
    LossAndAlignment,
}

impl Demand {
    /// What the smallest size that does not meet it shows.
    pub fn measures(self) -> &'static str {
        match self {
            Self::Loss => "first failure",
            Self::LossAndAlignment => "first negative alignment",
        }
    }

    /// What theory lets one demand of small steps: alignment of fully connected layers from zero weights, else only
    /// the loss.
    pub fn of(problem: &Problem) -> Self {
        let from_zero = problem.theta0().amax() == 0.0;
        let aligns = Alignments::new(problem).is_some_and(|a| a.are_of_outer_products());
        if from_zero && aligns {
            Self::LossAndAlignment
        } else {
            Self::Loss
        }
    }
}

/// The range and length of the search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CriticalOptions {
    /// Steps of every trial.
    pub count: u64,
    /// Smallest size of the grid, > 0.
    pub lowest: f64,
    /// Largest size of the grid.
    pub highest: f64,
    /// Number of grid sizes, in groups of eight.
    pub passes: usize,
    /// Relative width of the bracket at which to stop.
    pub tolerance: f64,
    pub demand: Demand,
}

impl CriticalOptions {
    /// Ten thousand steps of 32 sizes from 1e-6 to 1e3, a bracket of 1e-6, and [`Demand::of`] the problem.
    pub fn of(problem: &Problem) -> Self {
        Self {
            count: 10_000,
            lowest: 1e-6,
            highest: 1e3,
            passes: 4,
            tolerance: 1e-6,
            demand: Demand::of(problem),
        }
    }

    /// The i-th of `among` geometrically spaced sizes between `low` and `high`, including these if `ends`.
    fn between(low: f64, high: f64, i: usize, among: usize, ends: bool) -> f64 {
        let part = if ends {
            i as f64 / (among - 1) as f64
        } else {
            (i + 1) as f64 / (among + 1) as f64
        };
        low * (high / low).powf(part)
    }

    /// Passes that narrow a grid's interval to the tolerance.
    fn refinements(&self) -> usize {
        let sizes = (LANES * self.passes - 1) as f64;
        let width = (self.highest / self.lowest).ln() / sizes;
        let narrowing = (width / self.tolerance.ln_1p()).ln() / ((LANES + 1) as f64).ln();
        narrowing.max(0.0).ceil() as usize
    }
}

/// What has been tried, and the result.
#[derive(Debug, Clone)]
pub struct Critical {
    pub demand: Demand,
    /// The largest good size below the smallest bad one; the largest of all, if none is bad. `None` if even the
    /// smallest sizes are bad or need more steps.
    pub good: Option<f64>,
    /// The smallest bad size.
    pub bad: Option<f64>,
    /// Every trial, by size.
    pub trials: Vec<Trial>,
}

impl Critical {
    fn new(demand: Demand, mut trials: Vec<Trial>) -> Self {
        trials.sort_by(|x, y| x.size.total_cmp(&y.size));
        let bad = (trials.iter().find(|t| t.is_bad(demand))).map(|t| t.size);
        let below = |t: &&Trial| bad.is_none_or(|bad| t.size < bad);
        let good = (trials.iter().filter(below).rfind(|t| t.is_good(demand))).map(|t| t.size);
        Self {
            demand,
            good,
            bad,
            trials,
        }
    }

    /// η*: the largest size found good, if one above it is bad.
    pub fn eta(&self) -> Option<f64> {
        self.bad.and(self.good)
    }

    /// Good sizes above the smallest bad one.
    pub fn good_again(&self) -> impl Iterator<Item = &Trial> {
        let above = |t: &&Trial| self.bad.is_some_and(|bad| t.size > bad);
        let trials = self.trials.iter().filter(above);
        trials.filter(|t| t.is_good(self.demand))
    }

    fn is_narrow(&self, tolerance: f64) -> bool {
        match (self.good, self.bad) {
            (Some(good), Some(bad)) => bad <= good * (1.0 + tolerance),
            _ => true,
        }
    }
}

/// Measures the critical step size of a problem, from its own initial weights, for the demand of `options`.
///
/// # Errors
/// [`Error::Interrupted`](crate::error::Error::Interrupted) if a signal came.
pub fn critical_step(
    problem: &Problem,
    options: &CriticalOptions,
    control: &Control<'_>,
) -> Result<Critical> {
    let mut one = critical_steps(problem, options, &[options.demand], control)?;
    Ok(one.remove(0))
}

/// The same for several demands (in place of the one of `options`), in their order; sizes of the grid are tried once.
///
/// # Errors
/// As [`critical_step`].
pub fn critical_steps(
    problem: &Problem,
    options: &CriticalOptions,
    demands: &[Demand],
    control: &Control<'_>,
) -> Result<Vec<Critical>> {
    let count = options.count * LANES as u64;
    let total = count * (options.passes + demands.len() * options.refinements()) as u64;
    // trials are not kept
    let control = Control {
        checkpoints: None,
        ..*control
    };
    let attempt = |sizes: &[f64]| trial::attempt(problem, sizes, options.count, &control);
    let grid = LANES * options.passes;
    let sizes: Vec<f64> = (0..grid)
        .map(|i| CriticalOptions::between(options.lowest, options.highest, i, grid, true))
        .collect();
    let passes: Vec<Vec<Trial>> = (sizes.par_chunks(LANES))
        .map(attempt)
        .collect::<Result<_>>()?;
    let trials: Vec<Trial> = passes.into_iter().flatten().collect();
    let mut taken = count * options.passes as u64;
    let mut refined = Vec::new();
    for demand in demands {
        let mut critical = Critical::new(*demand, trials.clone());
        for _ in 0..options.refinements() {
            control.observer.steps(Progress { taken, total });
            taken += count;
            let (Some(good), Some(bad)) = (critical.good, critical.bad) else {
                continue;
            };
            if critical.is_narrow(options.tolerance) {
                continue;
            }
            let inside = [0, 1, 2, 3, 4, 5, 6, 7]
                .map(|i| CriticalOptions::between(good, bad, i, LANES, false));
            let mut trials = critical.trials;
            trials.extend(attempt(&inside)?);
            critical = Critical::new(*demand, trials);
        }
        refined.push(critical);
    }
    control.observer.steps(Progress {
        taken: total,
        total,
    });
    Ok(refined)
}
