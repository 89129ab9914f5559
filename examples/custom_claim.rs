//! A conjecture of one's own, judged as the claims of the report are.
//!
//! ```text
//! cargo run --release --example custom_claim
//! ```
//!
//! The conjecture: with exponential loss the smallest margin grows like the logarithm of time, `min_n m_n / ln(1+t) →
//! 1`, under any rule. To have a claim in every report instead, put it into a file in `src/claims/` and its line into
//! `CLAIMS`.

use marginflow::claims::{Claim, Evidence, Outcome, Subject, Verdict};
use marginflow::control::Control;
use marginflow::run::{RunOptions, run};
use marginflow::scenario;
use marginflow::trajectory::Status;
use std::error::Error;
use std::path::Path;

const CLAIM: Claim = Claim {
    id: "margin-log-time",
    printed: "The smallest margin grows like ln t.",
    corrected: "True where the data are separable: log-multipliers ln t − m stay of lower order.",
    check: "Residual: |min m / ln(1+t) − 1| at the end of the run. Tolerance: 1e-2.",
    subject: Subject::Flow,
    judge,
};

fn judge(e: &Evidence<'_>) -> Verdict {
    let (margins, times) = (&e.diagnostics.min_margin, &e.diagnostics.log_time);
    let last = margins.len() - 1;
    let residual = (margins[last] / times[last] - 1.0).abs();
    let outcome = match (e.status, residual <= 1e-2) {
        (Status::Completed, true) => Outcome::Holds,
        (Status::Completed, false) => Outcome::Violated,
        _ => Outcome::Inconclusive,
    };
    Verdict {
        id: CLAIM.id,
        outcome,
        residual: Some(residual),
        tolerance: Some(1e-2),
        evidence: format!(
            "min m = {:.6e} at ln t = {:.6e}",
            margins[last], times[last]
        ),
        proved: None,
    }
}

pub fn main() -> Result<(), Box<dyn Error>> {
    for (name, expected) in [
        ("fc-dfa", Outcome::Holds),
        ("fc-bp", Outcome::Holds),
        // a network that cannot fit exclusive or
        ("relu-xor", Outcome::Violated),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{name}.toml"));
        let finished = run(
            scenario::load(&path, &[])?,
            RunOptions::default(),
            &Control::none(),
        )?;
        let verdict = CLAIM.judge(&Evidence {
            problem: &finished.problem,
            options: &finished.scenario.flow,
            trajectory: &finished.trajectory,
            status: finished.conclusion.status,
            diagnostics: &finished.diagnostics,
            limit: finished.limit.as_ref(),
            steps: None,
            extend: "flow.until",
        });
        println!(
            "{name:<10} {:<10} {}",
            verdict.outcome.name(),
            verdict.evidence
        );
        assert_eq!(verdict.outcome, expected);
    }
    Ok(())
}
