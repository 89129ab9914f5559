//! Who observes a long run, where it writes checkpoints, and what ends it early.

use crate::error::{Error, Result};
use std::cell::{Cell, RefCell};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

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

/// The signals of the process, once somebody listens to them.
static SIGNAL: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

thread_local! {
    /// When the computation of this thread has to be over.
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
    /// The signal that ends the computation of this thread alone.
    static OWN_SIGNAL: RefCell<Option<Arc<AtomicUsize>>> = const { RefCell::new(None) };
}

/// Lets a signal of the process be heard inside long computations too, see [`is_over`]. The first one counts.
pub fn listen_to(signal: &Arc<AtomicUsize>) {
    // a second listener hears the same signals
    let _ = SIGNAL.set(Arc::clone(signal));
}

/// The same for what this thread computes, and only for that: other runs of the process go on. For programs that run
/// many, each in a thread of its own.
pub fn listen_in_this_thread(signal: &Arc<AtomicUsize>) {
    OWN_SIGNAL.set(Some(Arc::clone(signal)));
}

/// Whether what this thread computes is no longer wanted: its time is up, or a signal has come. For loops inside of
/// single steps, which nothing else ends: what they leave behind is not used.
pub fn is_over() -> bool {
    let came = |signal: &Arc<AtomicUsize>| signal.load(Ordering::Relaxed) != 0;
    let signalled = SIGNAL.get().is_some_and(came)
        || OWN_SIGNAL.with_borrow(|signal| signal.as_ref().is_some_and(came));
    signalled || DEADLINE.get().is_some_and(|end| Instant::now() >= end)
}

/// While it lives, computations of this thread are over once its time is up.
pub struct Deadline {
    before: Option<Instant>,
}

impl Deadline {
    /// So many seconds from now, or an earlier one that is set already.
    pub fn after(seconds: f64) -> Self {
        let before = DEADLINE.get();
        let wanted = Duration::try_from_secs_f64(seconds.max(0.0))
            .ok()
            .and_then(|duration| Instant::now().checked_add(duration));
        DEADLINE.set(match (before, wanted) {
            (Some(before), Some(wanted)) => Some(before.min(wanted)),
            (before, wanted) => before.or(wanted),
        });
        Self { before }
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        DEADLINE.set(self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_end_with_what_they_were_set_for() {
        assert!(!is_over());
        let far = Deadline::after(1e300);
        assert!(!is_over());
        {
            let _near = Deadline::after(0.0);
            assert!(is_over());
            let _later = Deadline::after(100.0);
            assert!(is_over(), "the earlier one counts");
        }
        assert!(!is_over());
        drop(far);
        assert!(!is_over());
    }

    #[test]
    fn a_signal_of_one_thread_ends_nothing_in_others() {
        let signal = Arc::new(AtomicUsize::new(0));
        let here = Arc::clone(&signal);
        std::thread::spawn(move || {
            listen_in_this_thread(&here);
            assert!(!is_over());
            here.store(2, Ordering::Relaxed);
            assert!(is_over());
        })
        .join()
        .unwrap();
        assert!(!is_over());
    }
}
