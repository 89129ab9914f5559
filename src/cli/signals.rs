//! SIGINT and SIGTERM.

use crate::error::{Error, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

/// Signals that end finite-step runs after a checkpoint, and sweeps after the cases in hand. Outside of these, and the second time,
/// they end the command at once.
pub(super) struct Signals {
    /// Number of the signal that came, or 0.
    pub came: Arc<AtomicUsize>,
    /// Whether a signal has its usual effect.
    pub usual: Arc<AtomicBool>,
}

impl Signals {
    /// From here on signals are watched.
    ///
    /// # Errors
    /// [`Error::Io`] if they cannot be.
    pub fn watch() -> Result<Self> {
        Self::registered().map_err(|e| Error::io("signals", e))
    }

    fn registered() -> std::io::Result<Self> {
        let came = Arc::new(AtomicUsize::new(0));
        let usual = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            flag::register_conditional_default(signal, Arc::clone(&usual))?;
            flag::register_usize(signal, Arc::clone(&came), signal.unsigned_abs() as usize)?;
            flag::register(signal, Arc::clone(&usual))?;
        }
        Ok(Self { came, usual })
    }
}
