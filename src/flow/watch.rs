//! Detects runs that no longer make progress.

use super::error::PieceError;
use serde::{Deserialize, Serialize};

/// Restarts without progress after which a run is abandoned; an event needs one or two.
pub(super) const MOST_STALLED_RESTARTS: usize = 50;

/// A run is abandoned if this many steps advance s by less than [`CRAWL`].
pub(super) const CRAWL_STEPS: usize = 20_000;

/// See [`CRAWL_STEPS`].
pub(super) const CRAWL: f64 = 0.5;

/// Rounding is suspected of holding a run up if this many steps advance s by less than [`DRAG`].
const DRAG_STEPS: usize = 200;

/// See [`DRAG_STEPS`].
const DRAG: f64 = 0.1;

/// The Adams formulas make way for another method if this many steps advance s by less than [`LINGER`].
const LINGER_STEPS: usize = 1500;

/// See [`LINGER_STEPS`].
const LINGER: f64 = 0.1;

/// The Adams formulas make way for another method if in so many steps as many attempts fail, and s advances by less
/// than [`STRUGGLE`].
const STRUGGLE_STEPS: usize = 200;

/// See [`STRUGGLE_STEPS`].
const STRUGGLE: f64 = 0.02;

/// So many borders in a row within [`CHATTER`] of the log-log-time, relatively, are no crossings of a smooth path.
const CHATTER_BORDERS: usize = 1000;

/// See [`CHATTER_BORDERS`].
const CHATTER: f64 = 1e-4;

/// Progress in s between looks for samples that contradict each other.
const LOOK: f64 = 0.05;

/// Borders crossed in a row without progress after which a run is abandoned.
const MOST_STALLED_BORDERS: usize = 5_000;

/// What a run remembers of its own progress.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Watch {
    last_restart: f64,
    stalled: usize,
    last_border: f64,
    stalled_borders: usize,
    crawl: Milestones,
    drag: Milestones,
    linger: Milestones,
    chatter: Milestones,
    struggle: Setbacks,
    /// Whether it is settled which samples contradict each other, and that they do no more or no less than that.
    contradiction_known: bool,
    /// s at which they are looked for next.
    next_look: f64,
}

/// Progress measured over a fixed number of steps, not counting those that end at a border.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Milestones {
    /// s at the last milestone.
    last: f64,
    /// Steps since.
    steps: usize,
}

/// Failed attempts at steps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Setbacks {
    /// How many there had been at the last count, and s then, if there was one.
    before: Option<(usize, f64)>,
    /// Steps since.
    steps: usize,
}

impl Milestones {
    /// Counts a step; returns the progress since the last milestone if a new one is reached.
    fn tick(&mut self, s: f64, every: usize) -> Option<f64> {
        self.steps += 1;
        if self.steps < every {
            return None;
        }
        let progress = s - self.last;
        *self = Self { last: s, steps: 0 };
        Some(progress)
    }
}

impl Watch {
    /// Whether an implicit method, which takes tens of steps per unit of s and some thousand at an event, has ceased
    /// to advance. To be called after every step that ends inside its piece; steps up to a border do not count, since
    /// there may be thousands.
    pub(super) fn crawls(&mut self, s: f64) -> bool {
        self.crawl
            .tick(s, CRAWL_STEPS)
            .is_some_and(|progress| progress < CRAWL)
    }

    /// Whether the last few hundred steps of an implicit method hardly advanced. To be called like [`Self::crawls`].
    pub(super) fn drags(&mut self, s: f64) -> bool {
        self.drag
            .tick(s, DRAG_STEPS)
            .is_some_and(|progress| progress < DRAG)
    }

    /// Whether the last steps of the Adams formulas hardly advanced. To be called after each of them.
    pub(super) fn lingers(&mut self, s: f64) -> bool {
        self.linger
            .tick(s, LINGER_STEPS)
            .is_some_and(|progress| progress < LINGER)
    }

    /// Whether as many attempts as steps have failed lately, of `setbacks` in the whole run, and for little. To be
    /// called after each step.
    pub(super) fn struggles(&mut self, setbacks: usize, s: f64) -> bool {
        let (before, from) = *self.struggle.before.get_or_insert((setbacks, s));
        self.struggle.steps += 1;
        if self.struggle.steps < STRUGGLE_STEPS {
            return false;
        }
        self.struggle = Setbacks {
            before: Some((setbacks, s)),
            steps: 0,
        };
        setbacks - before >= STRUGGLE_STEPS && s - from < STRUGGLE
    }

    /// Whether the last borders hardly advanced, and the method in use cannot tell what holds the state on them. To be
    /// called after each.
    pub(super) fn chatters(&mut self, s: f64) -> bool {
        let progress = self.chatter.tick(s, CHATTER_BORDERS);
        progress.is_some_and(|progress| progress < CHATTER * s)
    }

    /// Whether to look for samples that contradict each other at s.
    pub(super) fn looks(&self, s: f64) -> bool {
        !self.contradiction_known && s >= self.next_look
    }

    /// Looks again later, or no more.
    pub(super) fn looked(&mut self, s: f64, known: bool) {
        self.next_look = s + LOOK;
        self.contradiction_known = known;
    }

    /// Counts consecutive borders without progress.
    ///
    /// # Errors
    /// [`PieceError::Stalled`], once there are too many.
    pub(super) fn border(&mut self, s: f64) -> Result<(), PieceError> {
        self.crawl = Milestones { last: s, steps: 0 };
        self.drag = Milestones { last: s, steps: 0 };
        self.linger = Milestones { last: s, steps: 0 };
        let progress = s - self.last_border;
        self.stalled_borders = if progress < 1e-13 * s {
            self.stalled_borders + 1
        } else {
            0
        };
        self.last_border = s;
        if self.stalled_borders < MOST_STALLED_BORDERS {
            return Ok(());
        }
        Err(PieceError::Stalled(MOST_STALLED_BORDERS))
    }

    /// Counts consecutive restarts without progress; true if there are too many.
    pub(super) fn restart_stalls(&mut self, s: f64) -> bool {
        let progress = s - self.last_restart;
        self.stalled = if progress < 1e-10 * s {
            self.stalled + 1
        } else {
            0
        };
        self.last_restart = s;
        self.stalled >= MOST_STALLED_RESTARTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_makes_way_where_attempts_fail_for_nothing() {
        // failures alone are none, nor are slow steps
        for (failures, advance, expected) in [(1, 1e-5, true), (1, 1e-3, false), (0, 1e-5, false)] {
            let mut watch = Watch::default();
            let mut struggles = false;
            for k in 1..=2 * STRUGGLE_STEPS {
                struggles |= watch.struggles(1000 + failures * k, 2.0 + advance * k as f64);
            }
            assert_eq!(struggles, expected, "{failures} {advance}");
        }
        for (advance, expected) in [(1e-8, true), (1e-5, false)] {
            let mut watch = Watch::default();
            let mut chatters = false;
            for k in 1..=2 * CHATTER_BORDERS {
                chatters |= watch.chatters(2.0 + advance * k as f64);
            }
            assert_eq!(chatters, expected, "{advance}");
        }
    }

    #[test]
    fn only_runs_that_no_longer_advance_are_given_up() {
        let mut watch = Watch::default();
        let mut after = |steps: usize, s: f64, crawls: bool, drags: bool| {
            for step in 1..=steps {
                let due = step == steps;
                assert_eq!(watch.crawls(s), crawls && due, "{s} step {step}");
                assert_eq!(watch.drags(s) && due, drags && due, "{s} step {step}");
            }
        };
        after(CRAWL_STEPS, 0.6, false, true);
        after(CRAWL_STEPS, 0.7, true, true);
        after(DRAG_STEPS, 1.0, false, false);
        after(DRAG_STEPS, 1.05, false, true);
        // borders reset the count
        let mut watch = Watch::default();
        for k in 0..3 * CRAWL_STEPS {
            assert!(!watch.crawls(0.1) && !watch.drags(0.1));
            if k % (DRAG_STEPS - 1) == 0 {
                watch.border(1e-6 * k as f64).unwrap();
            }
        }
        for _ in 1..MOST_STALLED_BORDERS {
            watch.border(1.0).unwrap();
        }
        assert!(watch.border(1.0).is_ok() && watch.border(1.0).is_err());
        for k in 0..MOST_STALLED_RESTARTS {
            assert!(!watch.restart_stalls(40.0), "{k}");
        }
        assert!(watch.restart_stalls(40.0));
        assert!(!watch.restart_stalls(41.0));
    }
}
