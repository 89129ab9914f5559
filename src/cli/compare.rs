//! `compare SCENARIO`

use super::progress::{Bars, Checkpoints};
use super::run::{Output, finish};
use super::{ScenarioArgs, critical};
use crate::error::Result;
use crate::run::compare;
use crate::scenario;
use crate::storage::Folder;
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(super) struct CompareArgs {
    #[command(flatten)]
    scenario: ScenarioArgs,
    /// Measure the critical step size instead: the largest one at which the loss tends to zero and alignments stay
    /// positive, also against depth, under feedback and under gradient descent
    #[arg(long)]
    critical: bool,
    /// Output folder [default: out/<scenario name>-compare, or -critical]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    checkpoints: Checkpoints,
    #[command(flatten)]
    output: Output,
}

impl CompareArgs {
    pub(crate) fn execute(self) -> Result<u8> {
        let look = self.output.shown.look()?;
        let scenario = scenario::load(&self.scenario.scenario, &self.scenario.overrides)?;
        let verb = if self.critical { "critical" } else { "compare" };
        let folder = self
            .out
            .unwrap_or_else(|| Path::new("out").join(format!("{}-{verb}", scenario.name)));
        let _here = Folder::alone(&folder)?;
        let progress = Bars::new(self.output.quiet, &scenario, self.checkpoints)?;
        let control = progress.control(&folder);
        if self.critical {
            let measured = critical::measure(&self.scenario, &control)?;
            progress.clear();
            return critical::finish(&measured, &folder, &self.output, look.as_ref());
        }
        let compared = compare(scenario, self.scenario.allow_nonseparable, &control)?;
        progress.clear();
        finish(&compared, &folder, &self.output, look.as_ref())
    }
}
