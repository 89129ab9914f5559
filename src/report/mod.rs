//! What a run leaves behind: pure functions from a finished [`Run`](crate::run::Run) to bytes, and one that writes them.
//!
//! - [`json`]: `report.json`, the contract scripts rely on;
//! - [`text`]: the table a person reads;
//! - [`html`], [`index`]: pages that need no network, of one run and of many;
//! - [`npz`]: `trajectory.npz`, for `numpy.load`;
//! - [`critical_json`], [`critical_text`]: the critical step size;
//! - [`sweep_text`], [`write_sweep`]: the tables and figures of a sweep;
//! - [`write_all`]: writes a run into its folder.

mod critical;
mod html;
mod json;
mod npz;
mod sweep;
mod text;
mod write;

pub use critical::{critical_json, critical_text, write_critical};
pub use html::{Index, Section, html, index};
pub use json::json;
pub use npz::npz;
pub use sweep::{sweep_text, write_sweep};
pub use text::text;
pub use write::write_all;
