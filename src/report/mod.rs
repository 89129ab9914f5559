//! The output of a run: pure functions from a finished [`Run`](crate::run::Run) to bytes, and one that writes them.
//!
//! - [`json`]: `report.json`, the contract scripts rely on;
//! - `data`: what was learned from, for reports and tables; `setting`: what was run;
//! - `drawn`: the numbers of the figures;
//! - `limit`: `limit.json`, a limit without a run;
//! - `text`: the table a person reads;
//! - `html`: a page that needs no network access, and the parts of pages;
//! - [`npz`]: `trajectory.npz`, for `numpy.load`;
//! - `files`: the page about all of them, docs/files.md;
//! - `write_all`: writes a run into its folder.

pub(crate) mod data;
#[cfg(feature = "figures")]
mod drawn;
#[cfg(feature = "cli")]
mod files;
#[cfg(feature = "cli")]
pub(crate) mod html;
mod json;
#[cfg(feature = "cli")]
mod limit;
mod npz;
mod setting;
#[cfg(feature = "cli")]
pub(crate) mod text;
#[cfg(feature = "cli")]
mod write;

#[cfg(feature = "cli")]
pub use files::files_markdown;
pub use json::json;
#[cfg(feature = "figures")]
pub use json::json_with_figures;
#[cfg(feature = "cli")]
pub use limit::limit_json;
#[cfg(feature = "cli")]
pub(crate) use npz::Archive;
pub use npz::npz;
#[cfg(feature = "cli")]
pub use text::text;
#[cfg(feature = "cli")]
pub use write::write_all;
#[cfg(feature = "cli")]
pub(crate) use write::write_figures;
