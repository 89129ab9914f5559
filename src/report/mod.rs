//! The output of a run: pure functions from a finished [`Run`](crate::run::Run) to bytes, and one that writes them.
//!
//! - [`json`]: `report.json`, the contract scripts rely on;
//! - `data`: what was learned from, for reports and tables;
//! - `text`: the table a person reads;
//! - `html`: a page that needs no network access, and the parts of pages;
//! - [`npz`]: `trajectory.npz`, for `numpy.load`;
//! - `write_all`: writes a run into its folder.

pub(crate) mod data;
#[cfg(feature = "cli")]
pub(crate) mod html;
mod json;
mod npz;
#[cfg(feature = "cli")]
pub(crate) mod text;
#[cfg(feature = "cli")]
mod write;

pub use json::json;
#[cfg(feature = "cli")]
pub(crate) use npz::Archive;
pub use npz::npz;
#[cfg(feature = "cli")]
pub(crate) use text::text;
#[cfg(feature = "cli")]
pub(crate) use write::{write_all, write_figures};
