//! Parse, run, print the error, exit code.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match marginflow::cli::Cli::parse().execute() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
