//! The claim about section 6 of the report, judged on a finished sweep: a pure function of its merged records.

use super::{Difference, Kind, Merged};
use crate::claims::{PairedDifference, Verdict, judge_sweep};
use serde::Serialize;

/// `claims.json` of a sweep.
#[derive(Serialize)]
struct SweepClaims<'a> {
    format: &'static str,
    version: &'static str,
    scenario: &'a str,
    scenario_sha256: &'a str,
    claims: &'a [Verdict],
}

impl Merged<'_> {
    /// The verdicts on the claims about sweeps.
    pub fn verdicts(&self) -> Vec<Verdict> {
        let differences: Vec<PairedDifference> = (self.differences().into_iter())
            .filter(|d| d.network.is_convolutional())
            .map(paired)
            .collect();
        vec![judge_sweep(&differences)]
    }

    /// Whether some verdict is not what the scenario expects.
    pub(crate) fn surprises(&self) -> bool {
        self.verdicts().iter().any(|v| {
            let expected = self.plan.scenario.expect.get(v.id);
            expected.is_some_and(|expected| *expected != v.outcome)
        })
    }

    /// `claims.json`: the verdicts, as reports of runs have them.
    pub(super) fn claims_json(&self) -> String {
        let document = SweepClaims {
            format: "marginflow-sweep-claims/1",
            version: env!("CARGO_PKG_VERSION"),
            scenario: &self.plan.scenario.name,
            scenario_sha256: &self.plan.scenario.sha256,
            claims: &self.verdicts(),
        };
        serde_json::to_string_pretty(&document).expect("plain data") + "\n"
    }

    /// The verdicts in words, a line each.
    pub(super) fn verdicts_text(&self) -> String {
        let lines = self.verdicts().into_iter().map(|v| {
            let z = v
                .residual
                .map_or_else(String::new, |z| format!(" (z = {z:.1})"));
            format!("\n  {} {}{z}: {}\n", v.id, v.outcome.name(), v.evidence)
        });
        lines.collect()
    }
}

/// The law in high dimension is one of limits.
fn paired(d: Difference) -> PairedDifference {
    PairedDifference {
        network: d.network.name().into(),
        beside: d.beside.name().into(),
        kind: d.kind.name(),
        ratio: d.ratio,
        pairs: d.difference.count,
        mean: d.difference.mean,
        standard_error: d.difference.standard_error,
        law: d.theory.filter(|_| d.kind == Kind::Limit),
    }
}
