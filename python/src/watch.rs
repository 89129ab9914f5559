//! Long computations: in a thread of their own, without the interpreter's lock, while the caller's thread shows how far
//! they are and listens to the keyboard.

use crate::errors::exception;
use marginflow::control::{Control, FlowProgress, Observer, StepProgress, listen_in_this_thread};
use marginflow::error::Result;
use pyo3::prelude::*;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How often the caller's thread looks.
const LOOK: Duration = Duration::from_millis(50);

/// Bytes of stack: as much as the main thread of a program has.
const STACK: usize = 8 << 20;

/// The number of the signal that a keyboard sends.
const INTERRUPT: usize = 2;

/// What a computation tells of itself while it runs.
#[derive(Default)]
struct Seen {
    /// s, as bits.
    log_log_time: AtomicU64,
    steps: AtomicU64,
    notes: Mutex<Vec<String>>,
}

impl Observer for Seen {
    fn flow(&self, progress: FlowProgress) {
        self.log_log_time
            .store(progress.log_log_time.to_bits(), Ordering::Relaxed);
        self.steps.store(progress.steps as u64, Ordering::Relaxed);
    }

    fn steps(&self, progress: StepProgress) {
        self.steps.store(progress.taken, Ordering::Relaxed);
    }

    fn note(&self, text: String) {
        if let Ok(mut notes) = self.notes.lock() {
            notes.push(text);
        }
    }
}

impl Seen {
    /// Hands on what is new: `progress(s, steps, notes)`.
    fn tell(&self, py: Python<'_>, progress: Option<&Py<PyAny>>) -> PyResult<()> {
        let Some(progress) = progress else {
            return Ok(());
        };
        let s = f64::from_bits(self.log_log_time.load(Ordering::Relaxed));
        let notes = self.notes.lock().map(|mut n| std::mem::take(&mut *n));
        let steps = self.steps.load(Ordering::Relaxed);
        progress.call1(py, (s, steps, notes.unwrap_or_default()))?;
        Ok(())
    }
}

/// Runs `work`, with checkpoints in a folder (written once it is interrupted). A signal set by `work` itself ends it
/// like one of the keyboard.
///
/// # Errors
/// Those of `work`; `KeyboardInterrupt`, or whatever `progress` raised, once the work has ended after it.
pub(crate) fn watched<T: Send>(
    py: Python<'_>,
    checkpoints: Option<&Path>,
    progress: Option<&Py<PyAny>>,
    signal: &Arc<AtomicUsize>,
    work: impl FnOnce(&Control<'_>) -> Result<T> + Send,
) -> PyResult<T> {
    let seen = Seen::default();
    let control = Control {
        checkpoints,
        interval: f64::INFINITY,
        signal,
        observer: &seen,
    };
    let (done, ended) = channel::<()>();
    let (seen, control) = (&seen, &control);
    let (result, raised) = py.detach(move || {
        thread::scope(|scope| {
            let worker = thread::Builder::new().stack_size(STACK);
            let worker = worker.spawn_scoped(scope, || {
                // dropped at the end, even of a panic
                let _done = done;
                listen_in_this_thread(signal);
                work(control)
            })?;
            let mut raised = None;
            while ended.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                let heard = Python::attach(|py| {
                    py.check_signals()?;
                    seen.tell(py, progress)
                });
                if let (Err(error), None) = (heard, &raised) {
                    raised = Some(error);
                    signal.store(INTERRUPT, Ordering::Relaxed);
                }
            }
            let result = worker.join().unwrap_or_else(|panic| resume_unwind(panic));
            Ok::<_, std::io::Error>((result, raised))
        })
    })?;
    if let Some(error) = raised {
        return Err(error);
    }
    // a computation faster than a look has told nothing yet
    seen.tell(py, progress)?;
    result.map_err(exception)
}
