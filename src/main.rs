//! Parse, run, print the error, exit code.

use clap::Parser;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    match marginflow::cli::Cli::parse().execute() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // nobody may be there to read it
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
