//! The program's errors as Python exceptions, with the program's words.

use marginflow::error::Error;
use pyo3::create_exception;
use pyo3::exceptions::{PyKeyboardInterrupt, PyOSError, PyValueError};
use pyo3::prelude::*;

create_exception!(
    marginflow,
    InputError,
    PyValueError,
    "Something that was given cannot be used: what, where, and what to do."
);
create_exception!(
    marginflow,
    NotSeparableError,
    InputError,
    "No hyperplane through the origin separates the data, or none could be decided."
);
create_exception!(
    marginflow,
    FlowError,
    InputError,
    "The flow cannot start, or a limit that depends on it was not reached."
);

/// Adds the exceptions to the module.
pub(crate) fn add(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("InputError", m.py().get_type::<InputError>())?;
    m.add("NotSeparableError", m.py().get_type::<NotSeparableError>())?;
    m.add("FlowError", m.py().get_type::<FlowError>())
}

/// The exception of an error.
pub(crate) fn exception(error: Error) -> PyErr {
    let words = error.to_string();
    match error {
        Error::NotSeparable(_) => NotSeparableError::new_err(words),
        Error::Solver(_) => FlowError::new_err(words),
        Error::Interrupted { .. } => PyKeyboardInterrupt::new_err(words),
        Error::Io { .. } => PyOSError::new_err(words),
        Error::Usage(_) | Error::Scenario(_) | Error::Data { .. } | Error::Incomplete(_) => {
            InputError::new_err(words)
        }
    }
}
