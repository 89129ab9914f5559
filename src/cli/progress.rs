//! Progress bars on standard error, hidden when that is not a terminal.

use super::signals::Signals;
use crate::control::{Control, Observer};
use crate::descent;
#[cfg(doc)]
use crate::error::Error;
use crate::error::{Result, UsageError};
use crate::flow;
use crate::scenario::Scenario;
use clap::Args;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::Write;
use std::path::Path;

/// Positions of the flow's bar per unit of log-log-time.
const TICKS: f64 = 1000.0;

/// How often checkpoints are written.
#[derive(Args, Clone, Copy)]
pub(super) struct Checkpoints {
    /// Seconds between checkpoints, from which the same command resumes after being killed; does not affect results
    #[arg(long = "checkpoint-every", value_name = "SECONDS", default_value = "5")]
    every: f64,
}

/// The bars of one command.
pub(super) struct Bars {
    flow: ProgressBar,
    steps: ProgressBar,
    quiet: bool,
    every: f64,
    signals: Signals,
}

impl Bars {
    /// Bars for the flow and, if there are any, the finite steps of a scenario; starts watching for signals.
    ///
    /// # Errors
    /// [`Error::Usage`] for a time that is negative or not a number; [`Error::Io`] if the signals cannot be watched.
    pub(super) fn new(
        quiet: bool,
        scenario: &Scenario,
        Checkpoints { every }: Checkpoints,
    ) -> Result<Self> {
        if every.is_nan() || every < 0.0 {
            return Err(UsageError::CheckpointInterval(every).into());
        }
        let bars = MultiProgress::new();
        if quiet {
            bars.set_draw_target(ProgressDrawTarget::hidden());
        }
        let bar = |length: u64, template: &str| {
            let style = ProgressStyle::with_template(template).expect("the template is valid");
            bars.add(ProgressBar::new(length).with_style(style))
        };
        let signals = Signals::watch()?;
        let steps = match &scenario.steps {
            Some(steps) => bar(
                steps.count.saturating_mul(steps.sizes.len() as u64),
                "{bar:40} {percent:>3}% of the steps, {per_sec}, {eta} left",
            ),
            None => ProgressBar::hidden(),
        };
        let flow = bar(
            (scenario.flow.until * TICKS) as u64,
            "{bar:40} {percent:>3}% of log-log-time, {msg}, {eta} left",
        );
        Ok(Self {
            flow,
            steps,
            quiet,
            every,
            signals,
        })
    }

    /// The control for runs; checkpoints go to `folder`.
    pub(super) fn control<'a>(&'a self, folder: &'a Path) -> Control<'a> {
        Control {
            checkpoints: Some(folder),
            interval: self.every,
            signal: &self.signals.came,
            observer: self,
        }
    }

    pub(super) fn clear(&self) {
        self.steps.finish_and_clear();
        self.flow.finish_and_clear();
    }
}

impl Observer for Bars {
    fn flow(&self, p: flow::Progress) {
        self.flow.set_position((p.log_log_time * TICKS) as u64);
        if p.steps.is_multiple_of(16) {
            self.flow.set_message(format!("{} steps", p.steps));
        }
    }

    fn steps(&self, p: descent::Progress) {
        self.steps.set_position(p.taken);
    }

    fn note(&self, text: String) {
        if !self.quiet {
            // standard error may be closed
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }
}
