//! The table a person reads after a run.

use crate::run::Run;
use crate::trajectory::Status;
use std::fmt::Write;

/// The summary of a run: limit, certificates, rate, claims, invariants, solver.
pub fn text(run: &Run) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = summary(run, &mut out);
    out
}

fn summary(run: &Run, out: &mut String) -> std::fmt::Result {
    let d = &run.diagnostics;
    let k = d.log_log_time.len() - 1;
    let p = &run.problem;
    writeln!(out, "{}", run.scenario.title)?;
    writeln!(
        out,
        "{} of depth {} under {}, {} loss, {} samples of dimension {}, {} unknowns",
        p.network.name(),
        p.network.depth(),
        p.rule.name(),
        p.loss.name(),
        p.dataset.len(),
        p.dataset.dimension(),
        run.trajectory.solver.unknowns,
    )?;
    if let Some(message) = &run.trajectory.message {
        let label = match run.trajectory.status {
            Status::Completed => "note",
            _ => "NOT COMPLETED",
        };
        writeln!(out, "\n{label}: {message}")?;
    }
    writeln!(out)?;
    let mut row = |name: &str, value: String| writeln!(out, "  {name:<26}{value}");
    row(
        "end of the run",
        format!(
            "log-log-time s = {:.6}, log-time ln(1+t) = {:.6e}",
            d.log_log_time[k], d.log_time[k]
        ),
    )?;
    row(
        "smallest margin",
        format!("{:.6e}   ln loss = {:.6e}", d.min_margin[k], d.log_loss[k]),
    )?;
    if let Some(limit) = &run.limit {
        row(
            "limit",
            format!(
                "{}, {} support vectors, {}",
                limit.kind.name(),
                limit.support.len(),
                limit.proof()
            ),
        )?;
    }
    if let Some(angle) = d.final_angle() {
        row("angle to the limit", format!("{angle:.6e} rad"))?;
    }
    if let (Some(gap), Some(kkt)) = (d.duality_gap[k], d.kkt_residual[k]) {
        row(
            "the run's own proof",
            format!("duality gap {gap:.3e}, KKT residual {kkt:.3e}"),
        )?;
    }
    if let Some(rate) = &d.rate {
        row(
            "rate d ln(angle)/ds",
            format!(
                "{:+.4} ({}), fitted over s = {:.1} to {:.1}",
                rate.observed,
                rate.prediction(),
                rate.window[0],
                rate.window[1]
            ),
        )?;
    }
    row(
        "conserved quantities",
        format!(
            "largest relative drift {:.1e}; log-multipliers |p − (τ − m)|/(1+τ) {:.1e}",
            d.worst_invariant(),
            d.worst_multiplier_drift()
        ),
    )?;
    let s = &run.trajectory.solver;
    row(
        "solver",
        format!(
            "{}: {} steps, {} rejected, {} Newton failures, {} restarts, {} evaluations, {} Jacobians, {:.3} s",
            s.method,
            s.steps,
            s.rejected_steps,
            s.newton_failures,
            s.restarts,
            s.rhs_evaluations,
            s.jacobian_evaluations,
            s.wall_seconds
        ),
    )?;
    if let Some(v) = &run.verification {
        let found = if v.status == Status::Completed {
            format!(
                "{}: angle between the two ends {:.1e} rad (stated accuracy {:.1e}), smallest margins differ by {:.1e} \
                 (relative)",
                if v.agrees { "agrees" } else { "DISAGREES" },
                v.angle_between,
                v.stated_accuracy,
                v.relative_difference_of_min_margin,
            )
        } else {
            format!(
                "NOT VERIFIED: the tighter run ended early ({:?}); raise flow.max-steps or flow.max-wall-seconds",
                v.status
            )
        };
        row("verified at rtol/100", found)?;
    }
    writeln!(
        out,
        "\n  {:<18}{:<16}{:>11}{:>11}  evidence",
        "claim", "verdict", "residual", "tolerance"
    )?;
    let number = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), |x| format!("{x:.2e}"));
    for v in &run.verdicts {
        writeln!(
            out,
            "  {:<18}{:<16}{:>11}{:>11}  {}",
            v.id,
            v.outcome.name(),
            number(v.residual),
            number(v.tolerance),
            v.evidence
        )?;
    }
    for (id, expected, found) in run.surprises() {
        writeln!(
            out,
            "\n  UNEXPECTED: {id} came out {}, the scenario expects {}",
            found.name(),
            expected.name()
        )?;
    }
    Ok(())
}
