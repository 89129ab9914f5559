//! What touches the disk: atomic writes, folders in use, digests.
//!
//! Nothing here knows what is stored; every other module may depend on it, and it depends on [`error`](crate::error) only.

mod digest;
mod folder;
mod write;

pub(crate) use digest::{hexadecimal, program};
pub use folder::Folder;
pub(crate) use write::{cannot_write, write_whole};
pub use write::{create_folder, write_file};
