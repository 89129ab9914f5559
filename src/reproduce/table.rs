//! The table of verdicts on the claims.

use super::done::Done;
use super::plan::{Experiment, ExperimentKind};
use crate::claims::{CLAIMS, Claim, Outcome, Subject};
use crate::error::{Error, Result, exit};
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// A claim on a scenario.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub id: &'static str,
    /// The statement as the report prints it.
    pub printed: &'static str,
    /// What is true.
    pub corrected: &'static str,
    pub verdict: Outcome,
    /// `None` if the scenario expects nothing of this claim: any verdict will do.
    pub expected: Option<Outcome>,
    pub residual: Option<f64>,
    pub tolerance: Option<f64>,
    pub scenario: String,
    pub evidence: String,
    /// Whether it was judged on a sweep, which has no report of its own.
    #[serde(skip)]
    pub of_sweep: bool,
    /// What the run's certificate proves of it.
    pub proved: Option<String>,
}

/// All rows, claim by claim in the order of [`CLAIMS`], and what failed.
#[derive(Debug, Serialize)]
pub(crate) struct ClaimsTable {
    pub format: &'static str,
    pub version: &'static str,
    pub claims: Vec<Row>,
    /// Experiment and reason.
    pub failures: Vec<(String, String)>,
    #[serde(skip)]
    code: u8,
}

/// The part of `report.json`, and of a sweep's `claims.json`, that is read.
#[derive(Deserialize)]
struct ReportedClaims {
    claims: Vec<Judged>,
}

#[derive(Deserialize)]
struct Judged {
    id: String,
    verdict: Outcome,
    residual: Option<f64>,
    tolerance: Option<f64>,
    evidence: String,
    proved: Option<String>,
}

impl ClaimsTable {
    /// The table from the folders of experiments: `done[i]` and `report.json` or, of a sweep, `claims.json` in
    /// `<out>/<id>` of `experiments[i]`.
    ///
    /// # Errors
    /// [`Error::Io`] if a report cannot be read.
    pub(crate) fn of(experiments: &[Experiment], done: &[Done], out: &Path) -> Result<Self> {
        let mut reports = Vec::new();
        for (experiment, done) in experiments.iter().zip(done) {
            let path = out.join(experiment.id()).join(experiment.verdicts());
            if experiment.kind != ExperimentKind::Critical
                && path.exists()
                && exit::leaves_report(done.exit_code)
            {
                let bytes = fs::read(&path).map_err(|e| Error::io(&path, e))?;
                let report: ReportedClaims = serde_json::from_slice(&bytes)
                    .map_err(|e| Error::io(&path, std::io::Error::other(e)))?;
                reports.push((experiment, report));
            }
        }
        let mut claims = Vec::new();
        for claim in CLAIMS {
            for (experiment, report) in &reports {
                let judged = report.claims.iter().filter(|j| j.id == claim.id);
                claims.extend(judged.filter_map(|judged| row(claim, experiment, judged)));
            }
        }
        let failures = experiments
            .iter()
            .zip(done)
            .filter_map(|(experiment, done)| Some((experiment.id(), done.message.clone()?)));
        Ok(Self {
            format: "marginflow-claims/1",
            version: env!("CARGO_PKG_VERSION"),
            claims,
            failures: failures.collect(),
            code: done.iter().map(|d| d.exit_code).max().unwrap_or(0),
        })
    }

    /// 0 if all verdicts are as scenarios expect, 1 if not; if an experiment failed, its code.
    pub(crate) fn exit_code(&self) -> u8 {
        self.code
    }

    /// Rows of one claim.
    pub(crate) fn rows(&self, id: &str) -> impl Iterator<Item = &Row> {
        self.claims.iter().filter(move |row| row.id == id)
    }

    /// As JSON.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain data") + "\n"
    }

    /// As CSV.
    pub(crate) fn csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let number = |x: Option<f64>| x.map_or_else(String::new, |x| format!("{x:e}"));
        let header = [
            "id",
            "printed",
            "corrected",
            "verdict",
            "expected",
            "residual",
            "tolerance",
            "scenario",
            "evidence",
        ];
        let rows = self.claims.iter().map(|row| {
            [
                row.id.to_owned(),
                row.printed.to_owned(),
                row.corrected.to_owned(),
                row.verdict.name().to_owned(),
                row.expected.map_or("", Outcome::name).to_owned(),
                number(row.residual),
                number(row.tolerance),
                row.scenario.clone(),
                row.evidence.clone(),
            ]
        });
        let lines = std::iter::once(header.map(str::to_owned)).chain(rows);
        for line in lines {
            writer.write_record(&line).expect("memory takes any row");
        }
        let bytes = writer.into_inner().expect("memory takes any row");
        String::from_utf8(bytes).expect("rows are text")
    }

    /// As text for people.
    pub(crate) fn text(&self) -> String {
        let number = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), |x| format!("{x:.2e}"));
        let mut out = format!(
            "  {:<20}{:<14}{:>10}{:>11}  scenario\n",
            "claim", "verdict", "residual", "tolerance"
        );
        for row in &self.claims {
            let unexpected = match row.expected {
                Some(expected) if expected != row.verdict => {
                    format!("  UNEXPECTED: the scenario expects {}", expected.name())
                }
                _ => String::new(),
            };
            let proved = if row.proved.is_some() {
                " (proved)"
            } else {
                ""
            };
            let _ = writeln!(
                out,
                "  {:<20}{:<14}{:>10}{:>11}  {}{proved}{unexpected}",
                row.id,
                row.verdict.name(),
                number(row.residual),
                number(row.tolerance),
                row.scenario,
            );
        }
        for (id, why) in &self.failures {
            let _ = writeln!(out, "\n  FAILED: {id}: {why}");
        }
        out
    }
}

/// `None` where the claim does not apply, unless the scenario expects otherwise.
fn row(claim: &Claim, experiment: &Experiment, judged: &Judged) -> Option<Row> {
    let of_sweep = experiment.kind == ExperimentKind::Sweep;
    let expected = (experiment.scenario.expect.get(claim.id).copied())
        .filter(|_| of_sweep == (claim.subject == Subject::Sweep));
    let applies = judged.verdict != Outcome::NotApplicable;
    (applies || expected.is_some_and(|e| e != judged.verdict)).then(|| Row {
        id: claim.id,
        printed: claim.printed,
        corrected: claim.corrected,
        verdict: judged.verdict,
        expected,
        residual: judged.residual,
        tolerance: judged.tolerance,
        scenario: experiment.scenario.name.clone(),
        evidence: judged.evidence.clone(),
        of_sweep,
        proved: judged.proved.clone(),
    })
}
