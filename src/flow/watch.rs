//! Whether a run still gets anywhere.

/// Restarts without progress after which a run is given up; an event needs one or two.
pub const MOST_STALLED_RESTARTS: usize = 50;

/// Steps after which, if they advanced s by less than [`CRAWL`], a run is given up.
pub const CRAWL_STEPS: usize = 20_000;

/// See [`CRAWL_STEPS`].
pub const CRAWL: f64 = 0.5;

/// Steps after which, if they advanced s by less than [`DRAG`], rounding is suspected of holding a run up.
const DRAG_STEPS: usize = 200;

/// See [`DRAG_STEPS`].
const DRAG: f64 = 0.1;

/// Borders crossed in a row without progress after which a run is given up.
const MOST_STALLED_BORDERS: usize = 5_000;

/// What a run remembers of its own progress.
#[derive(Default)]
pub struct Watch {
    last_restart: f64,
    stalled: usize,
    last_border: f64,
    stalled_borders: usize,
    /// s at the last multiple of [`CRAWL_STEPS`].
    last_milestone: f64,
    /// s at the last multiple of [`DRAG_STEPS`].
    last_post: f64,
}

impl Watch {
    /// Whether an implicit method, which takes tens of steps per unit of s and some thousand at an event, has ceased to
    /// advance. To be asked after every step.
    pub fn crawls(&mut self, s: f64, steps: usize) -> bool {
        if !steps.is_multiple_of(CRAWL_STEPS) {
            return false;
        }
        let progress = s - self.last_milestone;
        self.last_milestone = s;
        progress < CRAWL
    }

    /// Whether the last few hundred steps of an implicit method hardly advanced. To be asked after every step.
    pub fn drags(&mut self, s: f64, steps: usize) -> bool {
        if !steps.is_multiple_of(DRAG_STEPS) {
            return false;
        }
        let progress = s - self.last_post;
        self.last_post = s;
        progress < DRAG
    }

    /// Counts borders that follow each other without progress.
    ///
    /// # Errors
    /// What happened, once there were too many.
    pub fn border(&mut self, s: f64) -> Result<(), String> {
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
        Err(format!(
            "{MOST_STALLED_BORDERS} kinks were crossed in a row without progress"
        ))
    }

    /// Counts restarts that follow each other without progress; true if there were too many.
    pub fn restart_stalls(&mut self, s: f64) -> bool {
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
    fn only_runs_that_no_longer_advance_are_given_up() {
        let mut watch = Watch::default();
        assert!(!watch.crawls(0.1, 10));
        assert!(!watch.crawls(0.6, CRAWL_STEPS));
        assert!(watch.crawls(0.7, 2 * CRAWL_STEPS));
        assert!(!watch.drags(1.0, DRAG_STEPS));
        assert!(!watch.drags(1.01, DRAG_STEPS + 1));
        assert!(watch.drags(1.05, 2 * DRAG_STEPS));
        for k in 0..MOST_STALLED_RESTARTS {
            assert!(!watch.restart_stalls(40.0), "{k}");
        }
        assert!(watch.restart_stalls(40.0));
        assert!(!watch.restart_stalls(41.0));
    }
}
