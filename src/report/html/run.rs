//! `report.html`.

use super::super::text::{facts, note, number, shown_and_folded, subtitle, table_of_steps};
use super::{Picture, command, definitions, environment, figure, page, verdict};
use crate::claims::{self, Verdict};
use crate::run::Run;
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
        @if let Some((label, message)) = note(run) { p.alarm { (label) ": " (message) } }
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
            pre { (table_of_steps(steps)) }
        }
        h2 { "Figures" }
        p.muted { "Time is log time, ln(1+t), throughout. Point at a curve to read it off." }
        @for drawn in figures {
            (figure(&drawn.figure.id, &drawn.svg, &html! { (drawn.figure.caption) }))
        }
        h2 { "Do it again" }
        (command("again", &format!("marginflow {} {}", run.verb, run.scenario.arguments)))
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
                        tr {
                            td {
                                details {
                                    summary { (v.id) }
                                    @if let Some(claim) = claims::find(v.id) {
                                        p { b { "As printed: " } (claim.printed) }
                                        p { b { "What is true: " } (claim.corrected) }
                                        p { b { "How it is checked: " } (claim.check) }
                                    }
                                }
                            }
                            td { (verdict(v.outcome)) }
                            td.number.residual { (number(v.residual)) }
                            td.number.tolerance { (number(v.tolerance)) }
                            td.evidence {
                                (v.evidence)
                                @if let Some(proved) = &v.proved { br; b { "Proved: " } (proved) }
                            }
                        }
                    }
                }
            }
        }
    }
}
