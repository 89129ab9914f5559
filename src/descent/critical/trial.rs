//! Runs of several step sizes, checked at every step at first and occasionally later.

use super::alignments::{Alignments, Least};
use super::{Demand, Lane, Schedule, stepper};
use crate::control::Control;
use crate::error::Result;
use crate::problem::Problem;
use nalgebra::DVector;

/// The fate of the loss. It *settles* if it never rises after the first quarter of the steps, or if its highest
/// values fall from quarter to quarter: it may oscillate meanwhile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ending {
    /// All margins are positive, the loss is below its start and settles.
    Falls,
    /// The same, but steps have become too small to change anything in double precision.
    Stands,
    /// The loss settles, but margins are not all positive or it is not below its start yet: more steps needed.
    NotYet,
    /// Some margin is not positive and nothing moves it any more: it is exactly zero (no unit sees the sample), or the
    /// loss no longer changes, away from its start.
    Stuck,
    /// The loss does not settle.
    Unsettled,
    /// Weights or loss overflow at this step, or since the previous one examined.
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
    /// Largest `ln 𝓛_k − ln 𝓛_j` over consecutive examined steps j < k; 0 if the loss never rose.
    pub rise: f64,
    /// Smallest φ_2 … φ_L among the steps examined; empty where there are none, or weights did not start from zero.
    pub least: Vec<Least>,
    /// The first negative one.
    pub misaligned: Option<Least>,
}

impl Trial {
    /// Whether the size achieves what is demanded.
    pub fn is_good(&self, demand: Demand) -> bool {
        matches!(self.ending, Ending::Falls | Ending::Stands) && self.is_aligned(demand)
    }

    /// Whether the size fails for good.
    pub fn is_bad(&self, demand: Demand) -> bool {
        matches!(
            self.ending,
            Ending::Stuck | Ending::Unsettled | Ending::Overflows { .. }
        ) || !self.is_aligned(demand)
    }

    fn is_aligned(&self, demand: Demand) -> bool {
        match demand {
            Demand::Loss => true,
            Demand::LossAndAlignment => self.misaligned.is_none(),
        }
    }
}

/// Steps at the start that are all examined: failures occur early, while multipliers are large.
const CLOSE: u64 = 256;
/// Ratio of consecutive steps examined later.
const RATIO: f64 = 1.1;
/// Steps all examined at the end of each quarter, so that oscillations of period two are not missed.
const LAST: u64 = 16;
/// A relative change of ln 𝓛 below this is rounding.
const ROUNDING: f64 = 1e-12;
/// A relative change of ln 𝓛 above this has left the start.
const LEFT: f64 = 1e-6;

/// The steps examined, increasing, the last one `count`.
fn looks(count: u64) -> Vec<u64> {
    let mut looks: Vec<u64> = (1..=CLOSE.min(count)).collect();
    let mut k = CLOSE as f64 * RATIO;
    while k < count as f64 {
        looks.push(k as u64);
        k *= RATIO;
    }
    for quarter in 1..=4 {
        let end = (quarter * count).div_ceil(4);
        looks.extend(end.saturating_sub(LAST).max(1)..=end);
    }
    looks.retain(|k| (1..=count).contains(k));
    looks.sort_unstable();
    looks.dedup();
    looks
}

/// Tries sizes as lanes of one stepper.
///
/// # Errors
/// [`Error::Interrupted`](crate::error::Error::Interrupted) if a signal came.
pub(super) fn attempt(
    problem: &Problem,
    sizes: &[f64],
    count: u64,
    control: &Control<'_>,
) -> Result<Vec<Trial>> {
    let lanes: Vec<Lane> = (sizes.iter())
        .map(|&size| Lane {
            size,
            theta: problem.theta0().clone(),
        })
        .collect();
    let mut stepper = stepper(problem, Schedule::Constant, &lanes);
    let from_zero = problem.theta0().iter().all(|w| *w == 0.0);
    let alignments = Alignments::new(problem).filter(|_| from_zero);
    let mut theta = problem.theta0().clone();
    let start = Sight::new(problem, &theta);
    let mut watches: Vec<Watch> = sizes.iter().map(|_| Watch::new(start)).collect();
    let mut taken = 0;
    for k in looks(count) {
        while taken < k {
            // long stretches are split, so that a signal is noticed
            let now = (k - taken).min(10_000);
            stepper.advance(now);
            taken += now;
            control.check()?;
        }
        let quarter = (4 * (k - 1) / count) as usize;
        for (lane, watch) in watches.iter_mut().enumerate() {
            if watch.overflown.is_some() {
                continue;
            }
            stepper.theta(lane, theta.as_mut_slice());
            watch.look(k, quarter, Sight::new(problem, &theta));
            if let Some(alignments) = &alignments
                && watch.overflown.is_none()
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
        let margins = problem
            .network()
            .margins(theta.as_slice(), problem.dataset());
        let log_loss = problem
            .loss()
            .log_loss_of(problem.dataset().groups(), margins.as_slice());
        Self {
            log_loss,
            min_margin: margins.min(),
            is_finite: theta.iter().chain(margins.iter()).all(|x| x.is_finite())
                && log_loss.is_finite(),
        }
    }
}

/// What has been observed of a run.
struct Watch {
    last: Sight,
    /// Lowest and highest ln 𝓛 of each quarter.
    quarters: [(f64, f64); 4],
    rise: f64,
    /// Whether the loss rose after the first quarter.
    risen: bool,
    overflown: Option<u64>,
    least: Vec<Least>,
    misaligned: Option<Least>,
}

impl Watch {
    fn new(start: Sight) -> Self {
        Self {
            last: start,
            quarters: [(f64::INFINITY, f64::NEG_INFINITY); 4],
            rise: 0.0,
            risen: false,
            overflown: None,
            least: Vec::new(),
            misaligned: None,
        }
    }

    fn look(&mut self, k: u64, quarter: usize, now: Sight) {
        if !now.is_finite {
            self.overflown = self.overflown.or(Some(k));
            return;
        }
        let rise = now.log_loss - self.last.log_loss;
        if rise > rounding(now.log_loss) {
            self.rise = self.rise.max(rise);
            self.risen |= quarter > 0;
        }
        let (lowest, highest) = &mut self.quarters[quarter];
        *lowest = lowest.min(now.log_loss);
        *highest = highest.max(now.log_loss);
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

    /// The ending, given where 𝓛 started.
    fn ending(&self, start: Sight) -> Ending {
        if let Some(step) = self.overflown {
            return Ending::Overflows { step };
        }
        let Sight {
            log_loss,
            min_margin,
            ..
        } = self.last;
        let [_, second, third, last] = self.quarters;
        let rounding = rounding(log_loss);
        let stands = last.1 - last.0 <= rounding;
        let falls = last.1 < third.1 - rounding && third.1 < second.1 - rounding;
        let settles = stands || falls || !self.risen;
        let left = (log_loss - start.log_loss).abs() > LEFT * (1.0 + log_loss.abs());
        if min_margin > 0.0 && log_loss < start.log_loss {
            match (stands, settles) {
                (true, _) => Ending::Stands,
                (false, true) => Ending::Falls,
                (false, false) => Ending::Unsettled,
            }
        } else if left && (stands || min_margin == 0.0) {
            Ending::Stuck
        } else {
            // From random weights the loss may rise for a while under the flow itself, before anything is learned.
            Ending::NotYet
        }
    }

    fn finish(self, size: f64, start: Sight) -> Trial {
        Trial {
            size,
            ending: self.ending(start),
            log_loss: self.last.log_loss,
            min_margin: self.last.min_margin,
            rise: self.rise,
            least: self.least,
            misaligned: self.misaligned,
        }
    }
}

fn rounding(log_loss: f64) -> f64 {
    ROUNDING * (1.0 + log_loss.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ending of a run whose ln 𝓛 is a function of the step.
    fn ending(min_margin: f64, log_loss: impl Fn(u64) -> f64) -> Ending {
        let sight = |log_loss: f64| Sight {
            log_loss,
            min_margin,
            is_finite: log_loss.is_finite(),
        };
        let start = sight(0.0);
        let mut watch = Watch::new(start);
        let count = 4000;
        for k in looks(count) {
            watch.look(k, (4 * (k - 1) / count) as usize, sight(log_loss(k)));
        }
        watch.ending(start)
    }

    #[test]
    fn endings_tell_settling_from_oscillating() {
        let sign = |k: u64| if k.is_multiple_of(2) { 1.0 } else { -1.0 };
        let fall = |k: u64| -(k as f64).ln_1p();
        assert_eq!(ending(1.0, fall), Ending::Falls);
        // oscillations that decay, persist, grow
        let decaying = |k: u64| fall(k) + sign(k) * (-1e-3 * k as f64).exp();
        assert_eq!(ending(1.0, decaying), Ending::Falls);
        assert_eq!(ending(1.0, |k| -1.0 + 0.1 * sign(k)), Ending::Unsettled);
        let growing = |k: u64| -9.0 + 1e-3 * k as f64 * sign(k);
        assert_eq!(ending(1.0, growing), Ending::Unsettled);
        assert_eq!(
            ending(1.0, |k| if k < 10 { -1.0 } else { -800.0 }),
            Ending::Stands
        );
        // a sample on the wrong side, and a loss above its start
        assert_eq!(ending(-0.1, fall), Ending::NotYet);
        assert_eq!(ending(0.1, |k| 20.0 + fall(k)), Ending::NotYet);
        assert_eq!(ending(-0.1, |_| -0.5), Ending::Stuck);
        assert_eq!(ending(0.0, |k| -0.5 + fall(k)), Ending::Stuck);
        assert_eq!(ending(-0.1, |_| 0.0), Ending::NotYet);
        // a plateau that is being left, at first by less than rounding
        let leaving = |k: u64| -1e-11 * (k as f64 / 4000.0).powi(8);
        assert_eq!(ending(1e-9, leaving), Ending::Falls);
        let lost = |k: u64| if k < 40 { fall(k) } else { f64::INFINITY };
        assert_eq!(ending(1.0, lost), Ending::Overflows { step: 40 });
    }

    #[test]
    fn looks_are_close_at_the_start_and_at_the_end_of_each_quarter() {
        for count in [1, 7, 300, 10_000, 1_000_000] {
            let looks = looks(count);
            assert!(looks.windows(2).all(|w| w[0] < w[1]), "{looks:?}");
            assert_eq!((looks[0], looks[looks.len() - 1]), (1, count));
            for end in [count.div_ceil(4), count.div_ceil(2), count] {
                assert!((end.saturating_sub(9).max(1)..=end).all(|k| looks.contains(&k)));
            }
        }
        assert!(looks(1_000_000).len() < 500);
    }
}
