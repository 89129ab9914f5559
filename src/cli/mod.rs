//! The command line: one file per verb.

mod batch;
mod certify;
mod check;
mod claims;
mod compare;
mod compare_runs;
mod completions;
mod critical;
mod explain;
mod limit;
mod look;
mod progress;
mod reproduce;
mod run;
mod schema;
mod signals;
mod study;
mod sweep;

use crate::error::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Where training goes: flows of learning rules to t = exp(10^30), checked against theory
#[derive(Parser)]
#[command(name = "marginflow", version, about, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Integrate a scenario, measure it, judge the claims, write report and figures
    Run(run::RunArgs),
    /// Compare finite steps with the flow, over the time the steps cover
    Compare(compare::CompareArgs),
    /// Only compute and certify the limit of a scenario
    Limit(limit::LimitArgs),
    /// Many runs of a scenario, some keys varied: run them all, or plan them, run them in shards, merge them
    Study(study::StudyArgs),
    /// Draw finished runs into one picture
    CompareRuns(compare_runs::CompareRunsArgs),
    /// Write down what can be proved of a scenario's limit and run, in exact integers
    Certify(certify::CertifyArgs),
    /// Verify certificates in exact integer arithmetic: exit code 0 if all is proved, 1 if not
    Check(check::CheckArgs),
    /// Many networks, sample sizes and seeds: plan them, run them in shards, merge them
    Sweep(sweep::SweepArgs),
    /// Run every scenario and report the verdicts on all claims: a table, every figure, one page
    Reproduce(reproduce::ReproduceArgs),
    /// List every claim
    Claims(claims::ClaimsArgs),
    /// Say what a claim states, what is true, and how it is checked
    Explain(explain::ExplainArgs),
    /// Print the JSON Schema of scenarios, for editors
    Schema(schema::SchemaArgs),
    /// Print completions for a shell
    Completions(completions::CompletionsArgs),
}

/// Arguments of every verb that reads a scenario.
#[derive(Args)]
struct ScenarioArgs {
    /// Scenario file (TOML)
    scenario: PathBuf,
    /// Change a key of the scenario, e.g. flow.rtol=1e-8 (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Run even if no hyperplane through the origin separates the data; claims about limits are then not applicable
    #[arg(long)]
    allow_nonseparable: bool,
}

/// What to print on standard output.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table for people
    Text,
    /// JSON
    Json,
}

impl Cli {
    /// Runs the verb; returns the exit code of a command that finished.
    ///
    /// # Errors
    /// Whatever kept it from finishing; see [`crate::error::Error::exit_code`].
    pub fn execute(self) -> Result<u8> {
        signals::let_writes_fail()?;
        match self.verb {
            Verb::Run(args) => args.execute(),
            Verb::Compare(args) => args.execute(),
            Verb::Limit(args) => args.execute(),
            Verb::Study(args) => args.execute(),
            Verb::CompareRuns(args) => args.execute(),
            Verb::Certify(args) => args.execute(),
            Verb::Check(args) => args.execute(),
            Verb::Sweep(args) => args.execute(),
            Verb::Claims(args) => args.execute(),
            Verb::Explain(args) => args.execute(),
            Verb::Reproduce(args) => args.execute(),
            Verb::Schema(args) => args.execute(),
            Verb::Completions(args) => args.execute(),
        }
    }
}

/// Prints a sentence to standard error, which may be closed.
fn note(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Prints to standard output; a reader that has gone away (`| head`) is not an error.
fn print(text: &str) -> Result<()> {
    use std::io::Write;
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(crate::error::Error::io("standard output", e))
        }
        _ => Ok(()),
    }
}
