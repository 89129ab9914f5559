//! `compare-runs DIR…`

use super::look::Shown;
use super::{Format, print};
use crate::error::{Result, exit};
use crate::figures::Figure;
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
    #[command(flatten)]
    shown: Shown,
    /// Print only errors
    #[arg(long)]
    quiet: bool,
}

impl CompareRunsArgs {
    pub(crate) fn execute(self) -> Result<u8> {
        let look = self.shown.look()?;
        let _here = Folder::alone(&self.out)?;
        let compared = compare(&self.folders, &self.out, look.as_ref())?;
        let figures = || -> Vec<String> {
            let ending = look.as_ref().map_or("", |look| look.formats[0].extension());
            let named = |figure: &Figure| format!("figures/{}.{ending}", figure.id);
            compared.figures.iter().map(named).collect()
        };
        match (self.shown.printed(), self.quiet) {
            (Format::Json, _) => {
                let document = serde_json::json!({
                    "folder": self.out,
                    "table": "table.csv",
                    "curves": "curves.npz",
                    "figures": figures(),
                });
                print(&format!("{document:#}\n"))?;
            }
            (Format::Text, true) => {}
            (Format::Text, false) => print(&format!(
                "{}\n  written to {}: table.csv, curves.npz{} {}\n",
                compared.text,
                self.out.display(),
                if look.is_some() { ", index.html" } else { "" },
                figures().join(" ")
            ))?,
        }
        Ok(exit::DONE)
    }
}
