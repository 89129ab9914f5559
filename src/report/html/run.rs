//! `report.html`.

use super::super::text::{facts, note, shown_and_folded, subtitle};
use super::numbers::typeset;
use super::{
    Picture, command, definitions, environment, evidence, figure, motion, number, page, prose,
    statement, verdict,
};
use crate::claims::{self, Verdict};
use crate::descent::Comparison;
use crate::run::{Certify, Run};
use crate::trajectory::Status;
use maud::{Markup, html};

/// The page of a run, with its figures.
pub(crate) fn html(run: &Run, figures: &[Picture]) -> String {
    let (shown, folded) = shown_and_folded(run);
    let facts: Vec<(String, String)> = (facts(run).into_iter())
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let body = html! {
        h1 { (run.scenario.title) }
        p.muted { (subtitle(run)) }
        @if let Some((label, message)) = note(run) { p.alarm { (label) ": " (prose(message)) } }
        @for (id, expected, found) in run.surprises() {
            p.alarm { "Unexpected: " (id) " came out " (found.name()) ", the scenario expects " (expected.name()) "." }
        }
        h2 { "Verdicts" }
        (verdicts(&shown))
        @if !folded.is_empty() {
            details {
                summary { "not applicable: " (folded.iter().map(|v| v.id).collect::<Vec<_>>().join(", ")) }
                (verdicts(&folded))
            }
        }
        h2 { "Data, and the end of the run" }
        (definitions(&facts))
        @if let Some(steps) = &run.steps {
            h2 { "Finite steps beside the flow" }
            (table_of_steps(steps))
        }
        @if let Some(motion) = motion::section(run) { (motion) }
        h2 { "Figures" }
        p.muted { "Time is log time, ln(1+t), throughout. Point at a curve to read it off." }
        @for drawn in figures {
            (figure(&drawn.figure.id, &drawn.figure.title, &drawn.svg, &drawn.figure.caption))
        }
        h2 { "Do it again" }
        (command("again", &again(run)))
        p.muted {
            "From a checkout, " code { "cargo run --release --" } " instead of " code { "marginflow" }
            ". The scenario, paths as written, SHA-256 " code { (run.scenario.sha256) } ":"
        }
        pre { (run.scenario.text()) }
        h2 { "Computed with" }
        (definitions(&environment()))
    };
    page(&run.scenario.title, &body)
}

/// The command that makes the same run again.
fn again(run: &Run) -> String {
    let mut command = format!("marginflow {} {}", run.verb, run.scenario.arguments);
    let options = run.options;
    for (given, flag) in [
        (options.allow_nonseparable, "--allow-nonseparable"),
        (options.verify, "--verify"),
        (options.certify == Certify::Always, "--certify"),
    ] {
        if given {
            command = format!("{command} {flag}");
        }
    }
    command
}

fn verdicts(of: &[&Verdict]) -> Markup {
    html! {
        div.scroll {
            table.claims {
                thead {
                    tr {
                        th { "claim" } th { "verdict" } th.number { "residual" } th.number { "tolerance" }
                        th { "evidence" }
                    }
                }
                tbody {
                    @for v in of {
                        tr id=(format!("claim-{}", v.id)) {
                            td {
                                details {
                                    summary { (v.id) }
                                    @if let Some(claim) = claims::find(v.id) { (statement(claim)) }
                                }
                            }
                            td { (verdict(v.outcome)) }
                            td.number.residual { (number(v.residual)) }
                            td.number.tolerance { (number(v.tolerance)) }
                            td.evidence { (evidence(&v.evidence, v.proved.as_deref())) }
                        }
                    }
                }
            }
        }
    }
}

/// A row per step size, and the observed order.
fn table_of_steps(steps: &Comparison) -> Markup {
    const HEAD: [&str; 8] = [
        "step size",
        "steps",
        "ln(1+t)",
        "ln loss",
        "angle to flow",
        "angle to limit",
        "largest relative distance",
        "time [s]",
    ];
    html! {
        div.scroll {
            table {
                thead { tr { @for name in HEAD { th.number { (name) } } } }
                tbody {
                    @for run in &steps.runs {
                        @let d = &run.diagnostics;
                        @let k = d.log_log_time.len() - 1;
                        tr {
                            td.number { (typeset(&format!("{:e}", run.descent.size))) }
                            td.number { (run.last_step()) }
                            td.number { (number(Some(d.log_time[k]))) }
                            td.number { (number(Some(d.log_loss[k]))) }
                            td.number { (number(run.final_angle_to_flow())) }
                            td.number { (number(d.final_angle())) }
                            td.number { (number(run.max_relative_distance())) }
                            td.number {
                                (format!("{:.2}", run.descent.wall_seconds))
                                @if run.descent.trajectory.status != Status::Completed { " " b { "overflowed" } }
                            }
                        }
                    }
                }
            }
        }
        @if let Some(order) = &steps.order {
            p.muted {
                "Observed order in η: " (format!("{:.3}", order.observed)) ", from the distance to the flow at ηk = "
                (order.at as f32) "."
            }
        }
    }
}
