//! `schema`

use super::print;
use crate::error::{Result, exit};
use crate::report::files_markdown;
use crate::scenario::{schema_json, schema_markdown};
use clap::Args;

#[derive(Args)]
pub(super) struct SchemaArgs {
    /// Print the tables of docs/scenarios.md instead
    #[arg(long)]
    markdown: bool,
    /// Print the page of the files that a run leaves, docs/files.md, instead
    #[arg(long, conflicts_with = "markdown")]
    files: bool,
}

impl SchemaArgs {
    pub(crate) fn execute(self) -> Result<u8> {
        print(&if self.files {
            files_markdown()
        } else if self.markdown {
            schema_markdown()
        } else {
            schema_json()
        })?;
        Ok(exit::DONE)
    }
}
