//! The table a person reads after a run.

use super::data;
use crate::accuracy::Verification;
use crate::certify::shown;
use crate::claims::{Outcome, Verdict};
use crate::descent::Comparison;
use crate::diagnostics::Homogeneous;
use crate::run::Run;
use crate::trajectory::{Kinks, Status};
use nalgebra::DVector;
use std::fmt::Write;

/// The summary of a run: limit, certificates, rate, claims, invariants, solver.
pub fn text(run: &Run) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = summary(run, &mut out);
    out
}

/// One line on what is trained.
pub(super) fn subtitle(run: &Run) -> String {
    let p = &run.problem;
    format!(
        "{} of depth {} under {}, {} loss, {} samples of dimension {}, {} unknowns",
        p.network().key(),
        p.network().depth(),
        p.rule().key(),
        p.loss().name(),
        p.dataset().len(),
        p.dataset().dimension(),
        run.trajectory.solver.unknowns,
    )
}

/// What was learned from, and what was measured at the end of the run: name and value.
pub(super) fn facts(run: &Run) -> Vec<(&'static str, String)> {
    let mut rows = data::facts(run.problem.dataset());
    rows.extend(of_the_end(run));
    let d = &run.diagnostics;
    if let Some(kinks) = &run.trajectory.kinks {
        rows.push(("kinks", at_kinks(kinks)));
    }
    if let Some(rate) = &d.rate {
        let fitted = format!(
            "{:+.4} ({}), fitted over s = {:.1} to {:.1}",
            rate.observed,
            rate.prediction(),
            rate.window[0],
            rate.window[1]
        );
        rows.push(("rate d ln(angle)/ds", fitted));
    }
    let drift = format!(
        "largest relative drift {:.1e}; log-multipliers |p − (τ − m)|/(1+τ) {:.1e}",
        d.worst_invariant(),
        d.worst_multiplier_drift()
    );
    rows.push(("conserved quantities", drift));
    let s = &run.trajectory.solver;
    let work = format!(
        "{}: {} steps, {} rejected, {} Newton failures, {} restarts, {} evaluations, {} Jacobians, {:.3} s",
        s.method,
        s.steps,
        s.rejected_steps,
        s.newton_failures,
        s.restarts,
        s.rhs_evaluations,
        s.jacobian_evaluations,
        s.wall_seconds
    );
    rows.push(("solver", work));
    if let Some(v) = &run.verification {
        rows.push(("verified at rtol/100", verified(v)));
    }
    rows
}

/// The verdicts of a run: those its table shows, and those it folds: claims that do not apply and that the scenario
/// does not list in `[expect]`.
pub(super) fn shown_and_folded(run: &Run) -> (Vec<&Verdict>, Vec<&Verdict>) {
    (run.verdicts.iter()).partition(|v| {
        v.outcome != Outcome::NotApplicable || run.scenario.expect.contains_key(v.id)
    })
}

/// Time, margin and loss at the end, and how near the limit is.
fn of_the_end(run: &Run) -> Vec<(&'static str, String)> {
    let d = &run.diagnostics;
    let k = d.log_log_time.len() - 1;
    let time = format!(
        "log-log-time s = {:.6}, log-time ln(1+t) = {:.6e}",
        d.log_log_time[k], d.log_time[k]
    );
    let margin = format!("{:.6e}   ln loss = {:.6e}", d.min_margin[k], d.log_loss[k]);
    let mut rows = vec![("end of the run", time), ("smallest margin", margin)];
    if let Some(limit) = &run.limit {
        let limit = format!(
            "{}, {} support vectors, {}{}",
            limit.kind.name(),
            limit.support.len(),
            limit.proof(),
            proved("gap", run.certified.gap, "")
        );
        rows.push(("limit", limit));
    }
    if let Some(angle) = d.final_angle() {
        let proof = proved("angle", run.certified.angle, " rad");
        rows.push(("angle to the limit", format!("{angle:.6e} rad{proof}")));
    }
    if let Some(margin) = d.margin_over_layers(k) {
        rows.push(("margin / layer norms", format!("{margin:.6e}")));
    }
    if let Some((dual, radius)) =
        (d.sandwich.as_ref()).and_then(|s| s.dual_excess(k).zip(s.radius_excess(k)))
    {
        let excess = format!("ψ*(Z)Ψ/a − 1 = {dual:.3e}, RΨ/a − 1 = {radius:.3e}");
        rows.push(("accumulated signal", excess));
    }
    rows.extend(effective_entries(run));
    if let Some(classes) = &d.classes {
        let values = classes.singular_values.column(k);
        let values: Vec<String> = values.iter().map(|s| format!("{s:.4e}")).collect();
        let rank = classes.effective_rank[k];
        let text = format!("{}; effective rank {rank:.3}", values.join(", "));
        rows.push(("singular values of β", text));
        if let Some(Some(residual)) = classes.complementarity.as_ref().map(|r| r[k]) {
            let text = format!("residual {residual:.3e}; the feedback selects no norm");
            rows.push(("complementarity", text));
        }
    }
    if let Some(h) = &d.homogeneous {
        rows.extend(homogeneous(h));
        rows.extend(smoothing(h, &d.log_log_time));
    } else if let (Some(gap), Some(kkt)) = (d.duality_gap[k], d.kkt_residual[k]) {
        let proof = format!(
            "duality gap {gap:.3e}, KKT residual {kkt:.3e}{}",
            proved("gap", run.certified.run_gap, "")
        );
        rows.push(("the run's own proof", proof));
    }
    rows
}

/// How many entries of the spectrum the run uses, its limit, and that of gradient descent, where they are compared.
fn effective_entries(run: &Run) -> Option<(&'static str, String)> {
    let spectrum = run.problem.network().spectrum()?;
    let of = |beta: &DVector<f64>| spectrum.effective_entries(beta);
    let mut value = format!(
        "{:.2} of {} in effect, (Σ|β̂|)²/Σ|β̂|²",
        of(&run.diagnostics.final_beta())?,
        spectrum.dimension()
    );
    if let Some(limit) = run.limit.as_ref().and_then(|limit| of(&limit.beta)) {
        let _ = write!(value, "; {limit:.2} at the limit");
    }
    for candidate in run
        .diagnostics
        .candidates
        .iter()
        .filter(|c| c.id == "sparse")
    {
        if let Some(sparse) = of(&candidate.beta) {
            let _ = write!(value, "; {sparse:.2}: {}", candidate.label);
        }
    }
    Some(("entries of the spectrum", value))
}

/// The result of the same run at a hundredth of the tolerances.
fn verified(v: &Verification) -> String {
    match v.status {
        Status::Completed => format!(
            "{}: angle between the two ends {:.1e} rad (stated accuracy {:.1e}), smallest margins differ by {:.1e} \
             (relative)",
            if v.agrees { "agrees" } else { "DISAGREES" },
            v.angle_between,
            v.stated_accuracy,
            v.relative_difference_of_min_margin,
        ),
        Status::Inaccurate => {
            "NOT VERIFIED: the tighter run drifts beyond its own tolerance".into()
        }
        status => format!(
            "NOT VERIFIED: the tighter run ended early ({}); raise flow.max-steps or flow.max-wall-seconds",
            status.name()
        ),
    }
}

/// What is proved beside what is measured.
fn proved(name: &str, bound: Option<f64>, unit: &str) -> String {
    bound.map_or_else(String::new, |x| {
        format!("; proved: {name} ≤ {}{unit}", shown(x))
    })
}

/// The evidence of a verdict, with what is proved of it.
pub(crate) fn evidence(evidence: &str, proved: Option<&str>) -> String {
    match proved {
        Some(proved) => format!("{evidence}; PROVED: {proved}"),
        None => evidence.to_owned(),
    }
}

/// A number in a table, or a dash.
pub(crate) fn number(x: Option<f64>) -> String {
    x.map_or_else(|| "-".to_owned(), |x| format!("{x:.2e}"))
}

/// A remark on how the run ended, with its label.
pub(super) fn note(run: &Run) -> Option<(&'static str, &str)> {
    let message = run.conclusion.message.as_deref()?;
    let label = match run.conclusion.status {
        Status::Completed => "note",
        _ => "NOT COMPLETED",
    };
    Some((label, message))
}

fn summary(run: &Run, out: &mut String) -> std::fmt::Result {
    writeln!(out, "{}\n{}", run.scenario.title, subtitle(run))?;
    if let Some((label, message)) = note(run) {
        writeln!(out, "\n{label}: {message}")?;
    }
    writeln!(out)?;
    for (name, value) in facts(run) {
        writeln!(out, "  {name:<26}{value}")?;
    }
    if let Some(steps) = &run.steps {
        writeln!(out, "\n{}", table_of_steps(steps))?;
    }
    writeln!(
        out,
        "\n  {:<20}{:<16}{:>11}{:>11}  evidence",
        "claim", "verdict", "residual", "tolerance"
    )?;
    let (shown, folded) = shown_and_folded(run);
    for v in shown {
        writeln!(
            out,
            "  {:<20}{:<16}{:>11}{:>11}  {}",
            v.id,
            v.outcome.name(),
            number(v.residual),
            number(v.tolerance),
            evidence(&v.evidence, v.proved.as_deref())
        )?;
    }
    if !folded.is_empty() {
        let ids: Vec<&str> = folded.iter().map(|v| v.id).collect();
        writeln!(
            out,
            "  not applicable: {} (why: report.json; what each is about: marginflow explain ID)",
            ids.join(", ")
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

/// One line per step size, and the observed order; the last line without a newline.
fn table_of_steps(steps: &Comparison) -> String {
    let mut lines = vec![format!(
        "  {:<12}{:>12}{:>14}{:>14}{:>15}{:>16}{:>19}{:>11}",
        "step size",
        "steps",
        "ln(1+t)",
        "ln loss",
        "angle to flow",
        "angle to limit",
        "max rel. distance",
        "wall [s]"
    )];
    let number = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), |x| format!("{x:.3e}"));
    for run in &steps.runs {
        let d = &run.diagnostics;
        let k = d.log_log_time.len() - 1;
        lines.push(format!(
            "  {:<12}{:>12}{:>14.4e}{:>14.4e}{:>15}{:>16}{:>19}{:>11.2}{}",
            format!("{:e}", run.descent.size),
            run.last_step(),
            d.log_time[k],
            d.log_loss[k],
            number(run.final_angle_to_flow()),
            number(d.final_angle()),
            number(run.max_relative_distance()),
            run.descent.wall_seconds,
            match run.descent.trajectory.status {
                Status::Completed => "",
                _ => "  OVERFLOWED",
            }
        ));
    }
    if let Some(order) = &steps.order {
        lines.push(format!(
            "  observed order in η: {:.3}, from the distance to the flow at ηk = {}",
            order.observed, order.at as f32
        ));
    }
    lines.join("\n")
}

/// Rows about the end of a ReLU network's run, as far as they are defined.
fn homogeneous(h: &Homogeneous) -> Vec<(&'static str, String)> {
    let last = |series: &[Option<f64>]| series.last().copied().flatten();
    let mut rows = Vec::new();
    if let Some(margin) = last(&h.feature_margin) {
        rows.push(("margin of the features", format!("{margin:.6e}")));
    }
    let residuals = [
        ("feedback potential", last(&h.feedback_kkt)),
        ("½‖θ‖²", last(&h.gradient_kkt)),
    ];
    let residuals: Vec<String> = residuals
        .into_iter()
        .filter_map(|(potential, residual)| Some(format!("{:.3e} ({potential})", residual?)))
        .collect();
    if !residuals.is_empty() {
        rows.push(("KKT residuals", residuals.join(", ")));
    }
    if let (Some(epsilon), Some(delta)) = (last(&h.epsilon), last(&h.delta)) {
        rows.push(("(ε, δ) of ½‖θ‖²", format!("({epsilon:.3e}, {delta:.3e})")));
    }
    if let Some(margin) = h.normalised_margin.last() {
        rows.push(("normalised margin", format!("{margin:.6e}")));
    }
    if let Some(margin) = last(&h.feedback_margin) {
        rows.push(("margin of feedback, γ̃", format!("{margin:.6e}")));
    }
    if !h.dead.is_empty() {
        let names: Vec<String> = h.dead.iter().map(usize::to_string).collect();
        let value = format!("{} (no unit sees them: margin 0)", names.join(", "));
        rows.push(("dead samples, from 0", value));
    }
    rows
}

/// Rows about rounded kinks: from when on the network is another one, and what the exact one would not learn.
fn smoothing(h: &Homogeneous, log_log_time: &[f64]) -> Vec<(&'static str, String)> {
    if h.smoothing <= 0.0 {
        return Vec::new();
    }
    let time = h.smoothing.powi(-2);
    let rounded = format!(
        "ε = {:e}: what exact units do not see is learned all the same, in a time of order 1/ε² = {time:.0e} (s = \
         {:.2}); from there on this is another network than the exact one",
        h.smoothing,
        time.ln_1p().ln_1p(),
    );
    let Some(unseen) = &h.unseen else {
        return vec![("smoothing", rounded)];
    };
    let at = |k: usize| moment(log_log_time[k]);
    let names: Vec<String> = (unseen.iter().take(MOST_SAMPLES))
        .map(|u| match u.last + 1 == log_log_time.len() {
            true => format!("{} (from s = {} to the end)", u.sample, at(u.first)),
            false => format!("{} (s = {} to {})", u.sample, at(u.first), at(u.last)),
        })
        .collect();
    let more = match unseen.len().saturating_sub(MOST_SAMPLES) {
        0 => String::new(),
        more => format!(", and {more} more (the JSON has all)"),
    };
    let unseen = match names[..] {
        [] => "none at any save".to_owned(),
        _ => format!("{}{more}", names.join(", ")),
    };
    vec![("smoothing", rounded), ("unseen by exact units", unseen)]
}

/// Samples that a table names.
const MOST_SAMPLES: usize = 12;

/// A log-log-time in a sentence.
fn moment(s: f64) -> String {
    format!("{s:.2}")
}

/// "41 crossings, 16 slides, 3 releases; 5 pairs slide at the end".
fn at_kinks(kinks: &Kinks) -> String {
    let mut value = [
        counted(kinks.crossings, "crossing"),
        counted(kinks.slides, "slide"),
        counted(kinks.releases, "release"),
    ]
    .join(", ");
    if kinks.departures > 0 {
        let units = counted(kinks.departures, "unit");
        let _ = write!(value, ", {units} left zero weights");
    }
    let verb = if kinks.sliding.len() == 1 {
        "slides"
    } else {
        "slide"
    };
    let pairs = counted(kinks.sliding.len(), "pair");
    let _ = write!(value, "; {pairs} {verb} at the end");
    value
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trajectory::SlidingPair;

    #[test]
    fn kinks_are_counted_in_words() {
        let pair = SlidingPair {
            layer: 1,
            unit: 0,
            sample: 4,
        };
        let mut kinks = Kinks {
            crossings: 41,
            slides: 16,
            releases: 3,
            departures: 0,
            sliding: vec![pair; 5],
        };
        assert_eq!(
            at_kinks(&kinks),
            "41 crossings, 16 slides, 3 releases; 5 pairs slide at the end"
        );
        kinks.departures = 12;
        kinks.crossings = 1;
        kinks.sliding.truncate(1);
        assert_eq!(
            at_kinks(&kinks),
            "1 crossing, 16 slides, 3 releases, 12 units left zero weights; 1 pair slides at the end"
        );
    }
}
