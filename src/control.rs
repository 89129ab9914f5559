//! Who watches a long run, where it leaves checkpoints, and what ends it early.

use crate::error::{Error, Result};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How far a flow has come.
#[derive(Debug, Clone, Copy)]
pub struct FlowProgress {
    /// s reached.
    pub log_log_time: f64,
    /// Accepted steps so far.
    pub steps: usize,
}

/// How far finite steps have come.
#[derive(Debug, Clone, Copy)]
pub struct StepProgress {
    /// Steps taken, of all runs together.
    pub taken: u64,
    /// Steps to be taken.
    pub total: u64,
}

/// Who watches runs being made; called from any thread.
pub trait Observer: Sync {
    /// Called after every step of a flow.
    fn flow(&self, _progress: FlowProgress) {}

    /// Called a few times a second during finite steps; `taken == total` at the end.
    fn steps(&self, _progress: StepProgress) {}

    /// Called with one sentence on what matters before the end: a checkpoint that was found, data that may be misread.
    fn note(&self, _text: String) {}
}

/// Nobody watches.
impl Observer for () {}

/// What a caller decides while runs are made.
#[derive(Clone, Copy)]
pub struct Control<'a> {
    /// Folder for checkpoints, made if missing; none are kept without.
    pub checkpoints: Option<&'a Path>,
    /// Seconds between checkpoints.
    pub interval: f64,
    /// Becomes the number of a signal to stop at, after a checkpoint; 0 to go on.
    pub signal: &'a AtomicUsize,
    pub observer: &'a dyn Observer,
}

static NO_SIGNAL: AtomicUsize = AtomicUsize::new(0);

impl Control<'static> {
    /// Nobody watches, nothing is kept.
    pub fn none() -> Self {
        Self {
            checkpoints: None,
            interval: f64::INFINITY,
            signal: &NO_SIGNAL,
            observer: &(),
        }
    }
}

impl Control<'_> {
    /// Whether to go on.
    ///
    /// # Errors
    /// [`Error::Interrupted`] once a signal has come.
    pub fn check(&self) -> Result<()> {
        match self.signal.load(Ordering::Relaxed) {
            0 => Ok(()),
            signal => Err(Error::Interrupted {
                signal,
                resumable: self.checkpoints.is_some(),
            }),
        }
    }
}
