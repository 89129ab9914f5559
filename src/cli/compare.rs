//! `compare SCENARIO`

use super::progress::Bars;
use super::run::finish;
use super::{Format, ScenarioArgs, critical};
use crate::error::Result;
use crate::run::compare;
use crate::{report, scenario};
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(super) struct CompareArgs {
    #[command(flatten)]
    scenario: ScenarioArgs,
    /// Measure the critical step size instead: the largest one at which the loss tends to zero and alignments stay positive, also against
    /// depth, by feedback and by gradient descent
    #[arg(long)]
    critical: bool,
    /// Output folder [default: out/<scenario name>-compare, or -critical]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print nothing but errors
    #[arg(long)]
    quiet: bool,
    /// What to print when done
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl CompareArgs {
    pub fn execute(self) -> Result<u8> {
        let scenario = scenario::load(&self.scenario.scenario, &self.scenario.overrides)?;
        let verb = if self.critical { "critical" } else { "compare" };
        let folder = self
            .out
            .unwrap_or_else(|| Path::new("out").join(format!("{}-{verb}", scenario.name)));
        report::check_folder(&folder)?;
        if self.critical {
            return critical::execute(&self.scenario, &folder, self.quiet, self.format);
        }
        let progress = Bars::new(self.quiet, &scenario)?;
        let compared = compare(
            scenario,
            self.scenario.allow_nonseparable,
            &mut |p| progress.flow(p),
            &progress.control(&folder),
        )?;
        progress.clear();
        finish(&compared, &folder, self.quiet, self.format)
    }
}
