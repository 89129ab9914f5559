//! `compare SCENARIO --critical`

use super::progress::Bars;
use super::{Format, ScenarioArgs, print};
use crate::error::Result;
use crate::stability::measure;
use crate::{report, scenario};
use std::path::Path;

/// Measures the critical step size of a scenario, writes and prints it.
pub(super) fn execute(of: &ScenarioArgs, folder: &Path, quiet: bool, format: Format) -> Result<u8> {
    let scenario = scenario::load(&of.scenario, &of.overrides)?;
    let progress = Bars::new(quiet, &scenario)?;
    let measured = measure(
        &of.scenario,
        &of.overrides,
        of.allow_nonseparable,
        &progress.control(folder),
    )?;
    progress.clear();
    report::write_critical(&measured, folder)?;
    if !quiet {
        match format {
            Format::Json => print(&report::critical_json(&measured))?,
            Format::Text => print(&format!(
                "{}\n  written to {}\n",
                report::critical_text(&measured),
                folder.display()
            ))?,
        }
    }
    Ok(0)
}
