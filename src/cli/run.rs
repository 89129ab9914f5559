//! `run SCENARIO`

use super::look::Shown;
use super::progress::{Bars, Checkpoints};
use super::{Format, ScenarioArgs, print};
use crate::error::Result;
use crate::figures::{self, Look};
use crate::run::{Certify, Run, RunOptions, run};
use crate::storage::{Folder, forget};
use crate::{report, scenario};
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    scenario: ScenarioArgs,
    /// Output folder [default: out/<scenario name>]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    checkpoints: Checkpoints,
    /// Prove what can be proved, in exact arithmetic, however long it takes [default: where it takes a second]
    #[arg(long, conflicts_with = "no_certify")]
    certify: bool,
    /// Prove nothing
    #[arg(long)]
    no_certify: bool,
    /// Rerun at a hundredth of the tolerances and compare; disagreement is a failure (exit 4)
    #[arg(long)]
    verify: bool,
}

/// What a run leaves and prints.
#[derive(Args)]
pub(super) struct Output {
    #[command(flatten)]
    pub shown: Shown,
    /// Print only errors
    #[arg(long)]
    pub quiet: bool,
}

impl RunArgs {
    pub(crate) fn execute(self) -> Result<u8> {
        let look = self.output.shown.look()?;
        let scenario = scenario::load(&self.scenario.scenario, &self.scenario.overrides)?;
        let folder = self
            .out
            .unwrap_or_else(|| Path::new("out").join(&scenario.name));
        let _here = Folder::alone(&folder)?;
        let options = RunOptions {
            verify: self.verify,
            certify: match (self.certify, self.no_certify) {
                (true, _) => Certify::Always,
                (_, true) => Certify::Never,
                _ => Certify::WhereQuick,
            },
            allow_nonseparable: self.scenario.allow_nonseparable,
        };
        let progress = Bars::new(self.output.quiet, &scenario, self.checkpoints)?;
        let finished = run(scenario, options, &progress.control(&folder))?;
        progress.clear();
        finish(&finished, &folder, &self.output, look.as_ref())
    }
}

/// Writes the output, removes checkpoints, prints; returns the exit code.
pub(super) fn finish(
    finished: &Run,
    folder: &Path,
    output: &Output,
    look: Option<&Look>,
) -> Result<u8> {
    let figures = look.map_or_else(Vec::new, |_| figures::figures(&finished.drawn()));
    report::write_all(finished, &figures, look.unwrap_or(&Look::default()), folder)?;
    // a run that is out of budget can continue under a larger one
    let ended = [
        Some(finished.conclusion.status),
        finished.verification.as_ref().map(|v| v.status),
    ];
    if !ended
        .iter()
        .flatten()
        .any(|status| status.is_out_of_budget())
    {
        forget(folder)?;
    }
    if !output.quiet {
        match output.shown.printed() {
            Format::Json => print(&report::json_with_figures(finished, &figures))?,
            Format::Text => print(&format!(
                "{}\n  written to {}\n",
                report::text(finished),
                folder.display()
            ))?,
        }
    }
    Ok(finished.exit_code())
}
