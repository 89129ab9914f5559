//! Parses the command line, runs the command, prints its error, and exits with its code.

use clap::Parser;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    match marginflow::cli::Cli::parse().execute() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // standard error may be closed
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
