//! What a run leaves behind: pure functions from a finished [`Run`](crate::run::Run) to bytes, and one that writes
//! them.
//!
//! - [`json`]: `report.json`, the contract scripts rely on;
//! - [`text`]: the table a person reads;
//! - [`html`](mod@html): a page that needs no network, and what pages are made of;
//! - [`npz`]: `trajectory.npz`, for `numpy.load`;
//! - [`Folder`]: a folder in use, locked;
//! - [`write`]: the only place that touches the disk.

mod folder;
pub(crate) mod html;
mod json;
mod npz;
pub(crate) mod text;
mod write;

pub use folder::Folder;
pub use json::json;
pub use npz::npz;
pub(crate) use text::text;
pub(crate) use write::{create_folder, write_all, write_figures, write_file};
