//! `check FILE…`

use super::{note, print};
use crate::certify::{self, Failure, Unreadable};
use crate::error::{Result, exit};
use clap::Args;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(super) struct CheckArgs {
    /// Certificates, as `certify` and `run` write them
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print only what is not proved
    #[arg(long)]
    quiet: bool,
}

impl CheckArgs {
    /// The worst of all files: 0 proved, 1 not, 65 not a certificate, 74 unreadable.
    pub(crate) fn execute(self) -> Result<u8> {
        let mut worst = exit::DONE;
        for file in &self.files {
            worst = worst.max(self.check(file)?);
        }
        Ok(worst)
    }

    fn check(&self, file: &Path) -> Result<u8> {
        let name = file.display();
        let bytes = match start_of(file) {
            Ok(bytes) => bytes,
            Err(error) => {
                note(&format!("{name}: {error}"));
                return Ok(exit::IO);
            }
        };
        let certificate = match certify::read(&bytes) {
            Ok(certificate) => certificate,
            Err(error @ Unreadable::NotACertificate(_)) => {
                note(&format!("{name}: {error}"));
                return Ok(exit::DATA);
            }
            Err(error @ Unreadable::Damaged(_)) => return self.refused(file, &error.to_string()),
        };
        let verdicts = match certify::check(&certificate) {
            Ok(verdicts) => verdicts,
            Err(failure) => return self.refused(file, &failure.to_string()),
        };
        let mut code = exit::DONE;
        for (statement, verdict) in certificate.statements.iter().zip(verdicts) {
            code = code.max(self.say(file, statement.proof.name(), verdict)?);
        }
        Ok(code)
    }

    fn say(
        &self,
        file: &Path,
        kind: &str,
        verdict: std::result::Result<String, Failure>,
    ) -> Result<u8> {
        match verdict {
            Ok(proved) => {
                if !self.quiet {
                    print(&format!("{}: proved: {kind}: {proved}\n", file.display()))?;
                }
                Ok(exit::DONE)
            }
            Err(why) => self.refused(file, &format!("{kind}: {why}")),
        }
    }

    fn refused(&self, file: &Path, why: &str) -> Result<u8> {
        print(&format!("{}: NOT PROVED: {why}\n", file.display()))?;
        Ok(exit::UNEXPECTED)
    }
}

/// A file, or as much of it as shows that it is too long to be a certificate.
fn start_of(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = certify::check::LONGEST as u64 + 1;
    File::open(file)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
