//! `compare SCENARIO --critical`

use super::run::Output;
use super::{Format, ScenarioArgs, print};
use crate::control::Control;
use crate::error::{Result, exit};
use crate::figures::Look;
use crate::stability::{self, Stability};
use std::path::Path;

/// Measures the critical step size of a scenario.
pub(super) fn measure(of: &ScenarioArgs, control: &Control<'_>) -> Result<Stability> {
    stability::measure(&of.scenario, &of.overrides, of.allow_nonseparable, control)
}

/// Writes and prints the result; returns the exit code.
pub(super) fn finish(
    measured: &Stability,
    folder: &Path,
    output: &Output,
    look: Option<&Look>,
) -> Result<u8> {
    stability::write(measured, folder, look)?;
    if !output.quiet {
        match output.shown.printed() {
            Format::Json => print(&stability::json(measured))?,
            Format::Text => print(&format!(
                "{}\n  written to {}\n",
                stability::text(measured),
                folder.display()
            ))?,
        }
    }
    Ok(exit::DONE)
}
