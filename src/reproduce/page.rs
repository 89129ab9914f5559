//! `index.html`: the claims, and all figures of many experiments.

use super::table::Row;
use super::{ClaimsTable, Done, Drawing, ExperimentKind};
use crate::claims::CLAIMS;
use crate::error::exit;
use crate::report::html::{command, definitions, environment, figure, page, verdict};
use crate::report::text::number;
use maud::{Markup, html};

/// What the page shows.
pub(crate) struct Page<'a> {
    pub table: &'a ClaimsTable,
    pub sections: Vec<Section<'a>>,
    /// The command that makes it.
    pub command: String,
}

/// One experiment.
pub(crate) struct Section<'a> {
    /// Its folder, next to the index.
    pub id: String,
    pub title: &'a str,
    /// The scenario's description of itself.
    pub about: String,
    pub kind: ExperimentKind,
    pub command: String,
    pub done: &'a Done,
    /// Its figures with their SVG, the most informative one first.
    pub drawings: Vec<(&'a Drawing, String)>,
}

/// The page about all experiments, in a single file. Every run also has a page of its own, `<id>/report.html`.
pub(crate) fn html(of: &Page) -> String {
    let unexpected = (of.table.claims.iter())
        .filter(|row| row.expected.is_some_and(|e| e != row.verdict))
        .count();
    let body = html! {
        h1 { "The implicit bias of learning rules, checked" }
        p.muted {
            "Flows of gradient descent and of direct feedback alignment far out in time, and what theory says about \
             them: "
            (of.table.claims.len()) " verdicts from " (of.sections.len()) " experiments. "
            @if unexpected == 0 && of.table.failures.is_empty() { "All are as expected." }
        }
        @if unexpected > 0 { p.alarm { (unexpected) " verdicts are not as expected." } }
        @for (id, why) in &of.table.failures { p.alarm { (id) " failed: " (why) } }
        h2 { "Claims" }
        (claims(of.table))
        h2 { "Experiments" }
        ul { @for s in &of.sections { li { a href=(format!("#{}", s.id)) { (s.title) } } } }
        @for s in &of.sections { (section(s)) }
        h2 { "Do it again" }
        (command("again", &of.command))
        p.muted { "From a checkout, " code { "cargo run --release --" } " instead of " code { "marginflow" } "." }
        h2 { "Computed with" }
        (definitions(&environment()))
    };
    page("marginflow: the claims, checked", &body)
}

fn claims(table: &ClaimsTable) -> Markup {
    html! {
        div.scroll {
            table.claims {
                thead {
                    tr {
                        th { "claim" } th { "verdict" } th.number { "residual" } th.number { "tolerance" }
                        th { "scenario" } th { "evidence" }
                    }
                }
                @for claim in CLAIMS.iter().filter(|c| table.rows(c.id).next().is_some()) {
                    tbody {
                        tr {
                            th id=(format!("claim-{}", claim.id)) { (claim.id) }
                            td colspan="5" {
                                b { "As printed: " } (claim.printed) br;
                                b { "What is true: " } (claim.corrected)
                            }
                        }
                        @for row in table.rows(claim.id) {
                            tr {
                                td {}
                                td {
                                    (verdict(row.verdict))
                                    @if row.expected.is_some_and(|e| e != row.verdict) { br; b { "unexpected" } }
                                }
                                td.number.residual { (number(row.residual)) }
                                td.number.tolerance { (number(row.tolerance)) }
                                td { a href=(page_of(row)) { (row.scenario) } }
                                td.evidence {
                                    (row.evidence)
                                    @if let Some(proved) = &row.proved { br; b { "Proved: " } (proved) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Where to read more: the page of a run, or the section of a sweep.
fn page_of(row: &Row) -> String {
    if row.of_sweep {
        format!("#{}", row.scenario)
    } else {
        format!("{}/report.html", row.scenario)
    }
}

fn section(s: &Section) -> Markup {
    html! {
        section id=(s.id) {
            h2 { (s.title) }
            p { (s.about) }
            @if let Some(why) = &s.done.message { p.alarm { (why) } }
            @if let Some((first, rest)) = s.drawings.split_first() {
                (drawn(s, first))
                @if !rest.is_empty() {
                    details {
                        summary { (rest.len()) " more figures" }
                        @for drawing in rest { (drawn(s, drawing)) }
                    }
                }
            }
            @if s.kind == ExperimentKind::Run && exit::leaves_report(s.done.exit_code) {
                p {
                    a href=(format!("{}/report.html", s.id)) { "Report of this run" }
                    "; "
                    a href=(format!("{}/report.json", s.id)) { "report.json" } ", "
                    a href=(format!("{}/trajectory.npz", s.id)) { "trajectory.npz" } "."
                }
            }
            (command(&format!("again-{}", s.id), &s.command))
        }
    }
}

fn drawn(s: &Section, (drawing, svg): &(&Drawing, String)) -> Markup {
    figure(
        &format!("{}-{}", s.id, drawing.id),
        svg,
        &html! { (drawing.caption) },
    )
}
