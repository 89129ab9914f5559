//! Who observes a long run, where it writes checkpoints, and what ends it early.

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

/// Observes runs in progress; called from any thread.
pub trait Observer: Sync {
    /// Called after every step of a flow.
    fn flow(&self, _progress: FlowProgress) {}

    /// Called a few times a second during finite steps; `taken == total` at the end.
    fn steps(&self, _progress: StepProgress) {}

    /// Called with one sentence about what matters before the end: a checkpoint was found, data may be misread.
    fn note(&self, _text: String) {}
}

/// Observes nothing.
impl Observer for () {}

/// A caller's settings for runs in progress.
#[derive(Clone, Copy)]
pub struct Control<'a> {
    /// Folder for checkpoints, created if missing; without it none are kept.
    pub checkpoints: Option<&'a Path>,
    /// Seconds between checkpoints.
    pub interval: f64,
    /// Set to the number of a signal that stops the run, after a checkpoint; 0 to continue.
    pub signal: &'a AtomicUsize,
    pub observer: &'a dyn Observer,
}

static NO_SIGNAL: AtomicUsize = AtomicUsize::new(0);

impl Control<'static> {
    /// No observer, no checkpoints.
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
    /// Whether to continue.
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
