//! Certificates: what is known of limits and runs, as finite inequalities between integers that anyone can verify.
//!
//! A duality gap in f64 is evidence. Numbers of type f64 are integers times powers of two, so the same inequality can
//! be stated of integers, and then it is a proof. [`certify`] writes down what the solvers found ([`Certificate`]),
//! [`check`](check()) verifies it and knows nothing of how it was found; docs/certificates.md says what is proved and
//! what is not, and has a second checker beside it.

pub mod check;
mod dyadic;
mod make;
mod summary;

pub use check::{Certificate, FORMAT, Failure, Unreadable, check, read};
pub use dyadic::{Dyadic, NotDyadic};
pub use make::{Finished, Found, certify, is_quick};
pub use summary::Certified;
#[cfg(feature = "cli")]
pub(crate) use summary::shown;
