//! `run SCENARIO`

use super::{Format, ScenarioArgs, print};
use crate::error::Result;
use crate::flow::Progress;
use crate::run::{RunOptions, run};
use crate::{report, scenario};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    scenario: ScenarioArgs,
    /// Output folder [default: out/<scenario name>]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Rerun at a hundredth of the tolerances and compare; disagreement is a failure (exit 4)
    #[arg(long)]
    verify: bool,
    /// Print nothing but errors
    #[arg(long)]
    quiet: bool,
    /// What to print when done
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl RunArgs {
    pub fn execute(self) -> Result<u8> {
        let scenario = scenario::load(&self.scenario.scenario, &self.scenario.overrides)?;
        let folder = self
            .out
            .unwrap_or_else(|| Path::new("out").join(&scenario.name));
        report::check_folder(&folder)?;
        let options = RunOptions {
            verify: self.verify,
            allow_nonseparable: self.scenario.allow_nonseparable,
        };
        let bar = progress_bar(self.quiet, scenario.flow.until);
        let finished = run(scenario, options, &mut |p: Progress| {
            bar.set_position((p.log_log_time * TICKS) as u64);
            if p.steps.is_multiple_of(16) {
                bar.set_message(format!("{} steps", p.steps));
            }
        });
        bar.finish_and_clear();
        let finished = finished?;
        report::write_all(&finished, &folder)?;
        if !self.quiet {
            match self.format {
                Format::Json => print(&report::json(&finished))?,
                Format::Text => print(&format!(
                    "{}\n  written to {}\n",
                    report::text(&finished),
                    folder.display()
                ))?,
            }
        }
        Ok(finished.exit_code())
    }
}

/// Positions of the bar per unit of log-log-time.
const TICKS: f64 = 1000.0;

/// A bar on standard error, hidden when that is not a terminal.
fn progress_bar(quiet: bool, until: f64) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new((until * TICKS) as u64);
    bar.set_style(
        ProgressStyle::with_template("{bar:40} {percent:>3}% of log-log-time, {msg}, {eta} left")
            .expect("the template is valid"),
    );
    bar
}
