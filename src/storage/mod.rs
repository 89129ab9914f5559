//! Disk access: atomic writes, folders in use, digests, checkpoint files.
//!
//! Nothing here knows what is stored; every other module may depend on it, and it depends only on
//! [`error`](crate::error).

pub(crate) mod checkpoint;
mod digest;
mod folder;
mod write;

pub use checkpoint::forget;
pub use digest::program_is;
pub(crate) use digest::{hexadecimal, program};
pub use folder::Folder;
#[cfg(feature = "cli")]
pub(crate) use write::{cannot_write, write_whole};
pub use write::{create_folder, write_file};
