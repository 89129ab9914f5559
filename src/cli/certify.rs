//! `certify SCENARIO`

use super::{ScenarioArgs, note, print};
use crate::certify::{self, Certificate, Certified, Found, shown};
use crate::control::Control;
use crate::error::{Error, Result, exit};
use crate::limit::{Separability, max_margin};
use crate::problem::Problem;
use crate::run::{Certify, Reference, RunOptions, reference_limit, run};
use crate::scenario::{self, Scenario};
use crate::storage::{Folder, write_file};
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(super) struct CertifyArgs {
    #[command(flatten)]
    scenario: ScenarioArgs,
    /// Where to write the certificate [default: out/<scenario name>/certificate.json]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Prove what is known without integrating the flow: the limit alone
    #[arg(long)]
    no_run: bool,
    /// Print only errors
    #[arg(long)]
    quiet: bool,
}

impl CertifyArgs {
    pub(crate) fn execute(self) -> Result<u8> {
        let scenario = scenario::load(&self.scenario.scenario, &self.scenario.overrides)?;
        let folder = Path::new("out").join(&scenario.name);
        let _here = match &self.out {
            Some(_) => None,
            None => Some(Folder::alone(&folder)?),
        };
        let path = self
            .out
            .clone()
            .unwrap_or_else(|| folder.join("certificate.json"));
        let Some(certificate) = self.made(scenario)? else {
            note(
                "nothing about this scenario can be certified: docs/certificates.md lists what can",
            );
            return Ok(exit::UNEXPECTED);
        };
        write_file(&path, certificate.json().as_bytes())?;
        if !self.quiet {
            print(&said(&certificate, &path))?;
        }
        Ok(exit::DONE)
    }

    fn made(&self, scenario: Scenario) -> Result<Option<Certificate>> {
        let problem = scenario.build()?;
        let label = (scenario.name.as_str(), scenario.sha256.as_str());
        let reference = match reference_limit(&problem, false) {
            Ok(reference) => reference,
            Err(error @ Error::NotSeparable(_)) => {
                return match not_separable(&problem, label) {
                    Some(certificate) => Ok(Some(certificate)),
                    None if self.scenario.allow_nonseparable => Ok(None),
                    None => Err(error),
                };
            }
            Err(error) => return Err(error),
        };
        if self.no_run {
            let Reference::Global(limit) = reference else {
                return Ok(None);
            };
            let found = Found {
                limit: Some(&limit),
                ..Found::default()
            };
            return Ok(certify::certify(&problem, found, label));
        }
        let options = RunOptions {
            certify: Certify::Always,
            ..RunOptions::default()
        };
        let finished = run(scenario, options, &Control::none())?;
        if let Some(message) = &finished.conclusion.message {
            note(message);
        }
        Ok(finished.certificate)
    }
}

/// The proof that samples are not separable, if it can be had.
fn not_separable(problem: &Problem, label: (&str, &str)) -> Option<Certificate> {
    let Separability::NotSeparable(farkas) = max_margin(problem.dataset().signed_samples()) else {
        return None;
    };
    let found = Found {
        farkas: Some(&farkas),
        ..Found::default()
    };
    certify::certify(problem, found, label)
}

fn said(certificate: &Certificate, path: &Path) -> String {
    let certified = Certified::of(certificate);
    let bounds = [
        ("gap of the limit", certified.gap, ""),
        ("gap at the end of the run", certified.run_gap, ""),
        (
            "angle between the end of the run and the limit",
            certified.angle,
            " rad",
        ),
    ];
    let mut text = format!("proved: {}\n", certified.statements.join(", "));
    for (name, bound, unit) in bounds {
        if let Some(bound) = bound {
            text.push_str(&format!("  {name} ≤ {}{unit}\n", shown(bound)));
        }
    }
    text + &format!(
        "  written to {}; `marginflow check` verifies it\n",
        path.display()
    )
}
