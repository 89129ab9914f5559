//! Runs of several step sizes, watched closely while they are short and now and then later.

use super::alignments::{Alignments, Least};
use super::{Demand, Lane, Schedule, stepper};
use crate::error::{Error, Result};
use crate::problem::Problem;
use nalgebra::DVector;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What became of the loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ending {
    /// All margins are positive, the loss is below its start, and it has not risen since half the steps.
    Falls,
    /// The same, but steps have become too small to move anything in double precision.
    Stands,
    /// The loss falls, but margins are not all positive or the loss is not below its start yet: more steps would tell.
    NotYet,
    /// The loss rose in the second half of the steps, at this one.
    Rises {
        /// k
        step: u64,
    },
    /// Weights or loss overflowed at this step or just before it.
    Overflows {
        /// k
        step: u64,
    },
}

/// One step size tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// η
    pub size: f64,
    pub ending: Ending,
    /// ln 𝓛 when last finite.
    pub log_loss: f64,
    /// `min_n m_n` when last finite.
    pub min_margin: f64,
    /// Largest `ln 𝓛_k − ln 𝓛_j`, j < k next to each other among the steps looked at; 0 if the loss never rose.
    pub rise: f64,
    /// Smallest φ_2 … φ_L among the steps looked at, in the second half only where weights did not start from zero; empty where
    /// there are none.
    pub least: Vec<Least>,
    /// The first negative one of them.
    pub misaligned: Option<Least>,
}

impl Trial {
    /// Whether the size does what is demanded.
    pub fn is_good(&self, demand: Demand) -> bool {
        matches!(self.ending, Ending::Falls | Ending::Stands) && self.is_aligned(demand)
    }

    /// Whether the size fails for good.
    pub fn is_bad(&self, demand: Demand) -> bool {
        matches!(self.ending, Ending::Rises { .. } | Ending::Overflows { .. })
            || !self.is_aligned(demand)
    }

    fn is_aligned(&self, demand: Demand) -> bool {
        match demand {
            Demand::Loss => true,
            Demand::LossAndAlignment => self.misaligned.is_none(),
        }
    }
}

/// Steps looked at one by one at the start: what goes wrong goes wrong early, while multipliers are large.
const CLOSE: u64 = 256;
/// Ratio of the steps looked at later.
const RATIO: f64 = 1.1;
/// And one by one at the end, where oscillations of period two would be missed otherwise.
const LAST: u64 = 16;
/// A rise of ln 𝓛 by less than this part of it is rounding.
const ROUNDING: f64 = 1e-12;

/// The steps looked at, increasing, the last one `count`.
fn looks(count: u64) -> Vec<u64> {
    let mut looks: Vec<u64> = (1..=CLOSE.min(count)).collect();
    let mut k = CLOSE as f64 * RATIO;
    while k < count as f64 {
        looks.push(k as u64);
        k *= RATIO;
    }
    for around in [count / 2, count] {
        looks.extend(around.saturating_sub(LAST).max(1)..=around);
    }
    looks.retain(|k| (1..=count).contains(k));
    looks.sort_unstable();
    looks.dedup();
    looks
}

/// Tries sizes as lanes of one stepper.
///
/// # Errors
/// [`Error::Interrupted`] if `signal` is no longer zero.
pub(super) fn attempt(
    problem: &Problem,
    sizes: &[f64],
    count: u64,
    signal: &AtomicUsize,
) -> Result<Vec<Trial>> {
    let lanes: Vec<Lane> = (sizes.iter())
        .map(|&size| Lane {
            size,
            theta: problem.theta0.clone(),
        })
        .collect();
    let mut stepper = stepper(problem, Schedule::Constant, &lanes);
    let alignments = Alignments::new(problem);
    let from_zero = problem.theta0.iter().all(|w| *w == 0.0);
    let mut theta = problem.theta0.clone();
    let start = Sight::new(problem, &theta);
    let mut watches: Vec<Watch> = sizes.iter().map(|_| Watch::new(start)).collect();
    let mut taken = 0;
    for k in looks(count) {
        while taken < k {
            // long stretches in parts, so that a signal is heard
            let now = (k - taken).min(10_000);
            stepper.advance(now);
            taken += now;
            match signal.load(Ordering::Relaxed) {
                0 => {}
                signal => {
                    let resumable = false;
                    return Err(Error::Interrupted { signal, resumable });
                }
            }
        }
        let late = 2 * k >= count;
        for (lane, watch) in watches.iter_mut().enumerate() {
            if watch.overflown.is_some() {
                continue;
            }
            stepper.theta(lane, theta.as_mut_slice());
            watch.look(k, late, Sight::new(problem, &theta));
            if let Some(alignments) = &alignments
                && watch.overflown.is_none()
                && (from_zero || late)
            {
                watch.align(k, &alignments.phi(problem, theta.as_slice()));
            }
        }
        if watches.iter().all(|w| w.overflown.is_some()) {
            break;
        }
    }
    Ok((watches.into_iter().zip(sizes))
        .map(|(watch, &size)| watch.finish(size, start))
        .collect())
}

/// The loss at one step.
#[derive(Debug, Clone, Copy)]
struct Sight {
    log_loss: f64,
    min_margin: f64,
    is_finite: bool,
}

impl Sight {
    fn new(problem: &Problem, theta: &DVector<f64>) -> Self {
        let margins = problem.network.margins(theta.as_slice(), &problem.dataset);
        let log_loss = problem.loss.log_loss(margins.iter().copied());
        Self {
            log_loss,
            min_margin: margins.min(),
            is_finite: theta.iter().chain(margins.iter()).all(|x| x.is_finite())
                && log_loss.is_finite(),
        }
    }
}

/// What has been seen of a run.
struct Watch {
    last: Sight,
    /// ln 𝓛 at half the steps.
    halfway: Option<f64>,
    rise: f64,
    risen: Option<u64>,
    overflown: Option<u64>,
    least: Vec<Least>,
    misaligned: Option<Least>,
}

impl Watch {
    fn new(start: Sight) -> Self {
        Self {
            last: start,
            halfway: None,
            rise: 0.0,
            risen: None,
            overflown: None,
            least: Vec::new(),
            misaligned: None,
        }
    }

    fn look(&mut self, k: u64, late: bool, now: Sight) {
        if !now.is_finite {
            self.overflown = Some(k);
            return;
        }
        let rise = now.log_loss - self.last.log_loss;
        if rise > ROUNDING * (1.0 + now.log_loss.abs()) {
            self.rise = self.rise.max(rise);
            if self.halfway.is_some() {
                self.risen = self.risen.or(Some(k));
            }
        }
        if late && self.halfway.is_none() {
            self.halfway = Some(now.log_loss);
        }
        self.last = now;
    }

    fn align(&mut self, step: u64, phi: &[f64]) {
        for (i, &phi) in phi.iter().enumerate() {
            let layer = i + 2;
            let now = Least { layer, step, phi };
            match self.least.get_mut(i) {
                Some(least) if phi < least.phi => *least = now,
                Some(_) => {}
                None => self.least.push(now),
            }
            if phi < 0.0 {
                self.misaligned = self.misaligned.or(Some(now));
            }
        }
    }

    fn finish(self, size: f64, start: Sight) -> Trial {
        let Sight {
            log_loss,
            min_margin,
            ..
        } = self.last;
        let ending = match (self.overflown, self.risen) {
            (Some(step), _) => Ending::Overflows { step },
            (None, Some(step)) => Ending::Rises { step },
            (None, None) if min_margin <= 0.0 || log_loss >= start.log_loss => Ending::NotYet,
            (None, None) if self.halfway.is_some_and(|halfway| log_loss < halfway) => Ending::Falls,
            (None, None) => Ending::Stands,
        };
        Trial {
            size,
            ending,
            log_loss,
            min_margin,
            rise: self.rise,
            least: self.least,
            misaligned: self.misaligned,
        }
    }
}
