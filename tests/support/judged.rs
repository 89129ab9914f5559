//! A flow that is judged as the program judges it, and what theory has proved of such flows.

#![allow(dead_code, reason = "no binary of tests needs all of it")]

use marginflow::accuracy::judge;
use marginflow::claims::{self, Evidence, Outcome, Verdict};
use marginflow::diagnostics::{Diagnostics, diagnose};
use marginflow::error::Result;
use marginflow::flow::{FlowOptions, integrate};
use marginflow::problem::Problem;
use marginflow::run::{reference_limit, set_beside};
use marginflow::trajectory::{Status, Trajectory};

/// Claims that theory proves where their hypotheses hold: never violated.
const PROVED: [&str; 14] = [
    "prop-1",
    "thm-1",
    "gd-fc",
    "prop-2-corrected",
    "thm-2-corrected",
    "thm-2-unconditional",
    "thm-3",
    "prop-3",
    "thm-4",
    "thm-4-first-layer",
    "dfa-margin",
    "gd-conv",
    "gd-homogeneous",
    "rate-dfa",
];

/// Whether a verdict contradicts what is proved.
pub fn contradicts(verdict: &Verdict) -> bool {
    verdict.outcome == Outcome::Violated && PROVED.contains(&verdict.id)
}

/// How a flow ended and why, and what was said of it.
pub struct Judged {
    pub status: Status,
    pub message: Option<String>,
    pub verdicts: Vec<Verdict>,
    pub trajectory: Trajectory,
    pub diagnostics: Diagnostics,
}

/// The flow of a problem, its limit found before or after it, and all verdicts.
///
/// # Errors
/// Why it is refused.
pub fn judged(
    problem: &Problem,
    options: &FlowOptions,
    allow_nonseparable: bool,
) -> Result<Judged> {
    let reference = reference_limit(problem, allow_nonseparable)?;
    let trajectory = integrate(problem, options, &mut |_| {})?;
    let limit = reference.after(problem, &trajectory);
    let mut diagnostics = diagnose(problem, &trajectory, limit.as_ref());
    set_beside(problem, limit.as_ref(), &mut diagnostics);
    let conclusion = judge(problem, options, &trajectory, &diagnostics);
    let verdicts = claims::check(&Evidence {
        problem,
        options,
        trajectory: &trajectory,
        status: conclusion.status,
        diagnostics: &diagnostics,
        limit: limit.as_ref(),
        steps: None,
        extend: "flow.until",
    });
    Ok(Judged {
        status: conclusion.status,
        message: conclusion.message,
        verdicts,
        trajectory,
        diagnostics,
    })
}
