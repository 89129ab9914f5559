//! `compare-runs DIR…`

use super::print;
use crate::error::{Result, exit};
use crate::storage::Folder;
use crate::study::compare;
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct CompareRunsArgs {
    /// Folders of finished runs
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Output folder
    #[arg(long, value_name = "DIR", default_value = "out/compare-runs")]
    out: PathBuf,
    /// Draw no figures: only tables
    #[arg(long)]
    no_figures: bool,
    /// Print only errors
    #[arg(long)]
    quiet: bool,
}

impl CompareRunsArgs {
    pub(crate) fn execute(self) -> Result<u8> {
        let _here = Folder::alone(&self.out)?;
        let compared = compare(&self.folders, &self.out, !self.no_figures)?;
        if !self.quiet {
            let figures: Vec<String> = (compared.figures.iter())
                .map(|figure| format!("figures/{}.svg", figure.id))
                .collect();
            print(&format!(
                "{}\n  written to {}: table.csv, curves.npz {}\n",
                compared.text,
                self.out.display(),
                figures.join(" ")
            ))?;
        }
        Ok(exit::DONE)
    }
}
