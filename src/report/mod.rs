//! What a run leaves behind: pure functions from a finished [`Run`](crate::run::Run) to bytes, and one that writes them.
//!
//! - [`json`]: `report.json`, the contract scripts rely on;
//! - [`text`]: the table a person reads;
//! - [`html`], [`index`]: pages that need no network, of one run and of many;
//! - [`npz`]: `trajectory.npz`, for `numpy.load`;
//! - [`critical_json`], [`critical_text`]: the critical step size;
//! - [`sweep_text`], [`write_sweep`]: the tables and figures of a sweep;
//! - [`Folder`]: a folder in use, locked;
//! - [`write`]: the only place that touches the disk.

mod critical;
mod folder;
mod html;
mod json;
mod npz;
mod sweep;
mod text;
mod write;

pub use critical::{critical_json, critical_text, write_critical};
pub use folder::Folder;
pub use html::{Index, Section, html, index};
pub use json::json;
pub use npz::npz;
pub use sweep::{sweep_text, write_sweep};
pub use text::text;
pub use write::{create_folder, write_all, write_file};
