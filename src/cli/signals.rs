//! SIGINT and SIGTERM.

use crate::control::listen_to;
use crate::error::{Error, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

/// A signal ends a command after a checkpoint, or once the cases it is working on are done; a second one ends it
/// immediately, with the same exit code.
pub(super) struct Signals {
    /// Number of the signal that came, or 0.
    pub came: Arc<AtomicUsize>,
}

impl Signals {
    /// Starts watching for signals.
    ///
    /// # Errors
    /// [`Error::Io`] if they cannot be watched.
    pub(crate) fn watch() -> Result<Self> {
        Self::registered().map_err(|e| Error::io("signals", e))
    }

    fn registered() -> std::io::Result<Self> {
        let came = Arc::new(AtomicUsize::new(0));
        let second = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&second))?;
            flag::register_usize(signal, Arc::clone(&came), signal.unsigned_abs() as usize)?;
            flag::register(signal, Arc::clone(&second))?;
        }
        listen_to(&came);
        Ok(Self { came })
    }
}

/// Makes a write beyond the file size limit fail like one on a full disk, instead of killing the command.
///
/// # Errors
/// [`Error::Io`] if the signal cannot be handled.
pub(super) fn let_writes_fail() -> Result<()> {
    #[cfg(unix)]
    flag::register(libc::SIGXFSZ, Arc::default()).map_err(|e| Error::io("signals", e))?;
    Ok(())
}
