//! `certify SCENARIO`

use super::{ScenarioArgs, note, print};
use crate::certify::{self, Certificate, Certified, Found, shown};
use crate::control::Control;
use crate::error::{Error, NotSeparable, Result, exit};
use crate::limit::FarkasCertificate;
use crate::run::{Certify, Reference, RunOptions, reference_limit, run};
use crate::scenario::{self, Scenario};
use crate::storage::{Folder, write_file};
use clap::Args;
use nalgebra::DVector;
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
        let made = if self.no_run {
            of_the_limit(&scenario)
        } else {
            let options = RunOptions {
                certify: Certify::Always,
                ..RunOptions::default()
            };
            run(scenario.clone(), options, &Control::none()).map(|finished| {
                finished.conclusion.message.iter().for_each(|m| note(m));
                finished.certificate
            })
        };
        let Err(Error::NotSeparable(why)) = &made else {
            return made;
        };
        match not_separable(&scenario, why)? {
            Some(certificate) => Ok(Some(certificate)),
            None if self.scenario.allow_nonseparable => Ok(None),
            None => made,
        }
    }
}

/// What is known without a run.
fn of_the_limit(scenario: &Scenario) -> Result<Option<Certificate>> {
    let problem = scenario.build()?;
    let Reference::Global(limit) = reference_limit(&problem, false)? else {
        return Ok(None);
    };
    let found = Found {
        limit: Some(&limit),
        ..Found::default()
    };
    Ok(certify::certify(&problem, found, label(scenario)))
}

fn label(scenario: &Scenario) -> (&str, &str) {
    (&scenario.name, &scenario.sha256)
}

/// The proof that samples are not separable, from the combination that was found to vanish, if there is one.
fn not_separable(scenario: &Scenario, why: &NotSeparable) -> Result<Option<Certificate>> {
    let NotSeparable::Certified {
        support, residual, ..
    } = why
    else {
        return Ok(None);
    };
    let problem = scenario.build()?;
    let mut multipliers = DVector::zeros(problem.dataset().rows());
    for (n, weight) in support {
        multipliers[*n] = *weight;
    }
    let farkas = FarkasCertificate {
        multipliers,
        residual: *residual,
        support: support.iter().map(|(n, _)| *n).collect(),
    };
    let found = Found {
        farkas: Some(&farkas),
        ..Found::default()
    };
    Ok(certify::certify(&problem, found, label(scenario)))
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
