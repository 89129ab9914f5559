//! `index.html`: the verdicts at a glance, the story in three figures, then claims and experiments one by one.

use super::matrix::{filters, matrix};
use super::table::Row;
use super::{ClaimsTable, Done, Drawing, ExperimentKind};
use crate::claims::{CLAIMS, Claim};
use crate::error::exit;
use crate::report::html::{
    command, definitions, environment, evidence, figure, number, page, prose, sign, statement,
    verdict,
};
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

/// A figure of the story.
struct Chapter {
    /// Its id in an experiment.
    figure: &'static str,
    /// Experiments to take it from, the best one first; any other that has it will do.
    from: &'static [&'static str],
    told: &'static str,
}

/// The story: where feedback leads, that it is elsewhere than gradient descent, and what single units do.
const STORY: [Chapter; 3] = [
    Chapter {
        figure: "angle-to-limit",
        from: &["fc-dfa", "conv-dfa-2"],
        told: "Learning goes on long after the loss is small: the direction of the weights converges to a limit that \
               theory names, and at the rate it predicts.",
    },
    Chapter {
        figure: "candidates",
        from: &["conv-dfa-2", "conv-dfa-3"],
        told: "With feedback in place of gradients a convolutional network ends elsewhere: not at the limit of \
               gradient descent, and not at the one first printed, but at the corrected one.",
    },
    Chapter {
        figure: "neurons",
        from: &["relu-xor-random", "relu-dfa"],
        told: "Units of ReLU networks travel, cross the boundaries at which they start to respond to samples, or \
               slide along them.",
    },
];

/// The figures of the story that are there: which chapter, section and drawing.
fn story<'a>(sections: &'a [Section<'a>]) -> Vec<(&'static Chapter, &'a Section<'a>, usize)> {
    let find = |chapter: &'static Chapter| {
        let rank = |s: &Section| {
            let known = chapter.from.iter().position(|id| *id == s.id);
            known.unwrap_or(chapter.from.len())
        };
        let drawing = |s: &Section| s.drawings.iter().position(|(d, _)| d.id == chapter.figure);
        let with = sections
            .iter()
            .filter_map(|s| Some((chapter, s, drawing(s)?)));
        with.min_by_key(|(_, s, _)| rank(s))
    };
    STORY.iter().filter_map(find).collect()
}

/// The page about all experiments, in a single file. Every run also has a page of its own, `<id>/report.html`.
pub(crate) fn html(of: &Page) -> String {
    let story = story(&of.sections);
    let body = html! {
        h1 { "The implicit bias of learning rules, checked" }
        p.muted { (summary(of)) }
        @for (id, why) in &of.table.failures { p.alarm { (id) " failed: " (prose(why)) } }
        @if unexpected(of.table) > 0 {
            p.alarm { (unexpected(of.table)) " verdicts are not as expected." }
        }
        nav {
            a href="#verdicts" { "Verdicts" } " "
            @if !story.is_empty() { a href="#story" { "The story" } " " }
            a href="#claims" { "Claims" } " "
            a href="#experiments" { "Experiments" } " "
            a href="#do-it-again" { "Do it again" } " "
            a href="#computed-with" { "Computed with" }
        }
        section id="verdicts" {
            (filters(of.table))
            (matrix(of.table))
        }
        @if !story.is_empty() {
            h2 id="story" { "The story" }
            @for (chapter, s, k) in &story {
                p { (chapter.told) " From " a href=(format!("#{}", s.id)) { (s.title) } ":" }
                (drawn(s, &s.drawings[*k]))
            }
        }
        h2 id="claims" { "Claims" }
        @for claim in CLAIMS.iter().filter(|c| of.table.rows(c.id).next().is_some()) {
            (judged(claim, of.table))
        }
        h2 id="experiments" { "Experiments" }
        @for s in &of.sections {
            @let told: Vec<usize> = story.iter().filter(|(_, of, _)| of.id == s.id).map(|(_, _, k)| *k).collect();
            (section(s, &told))
        }
        h2 id="do-it-again" { "Do it again" }
        (command("again", &of.command))
        p.muted { "From a checkout, " code { "cargo run --release --" } " instead of " code { "marginflow" } "." }
        h2 id="computed-with" { "Computed with" }
        (definitions(&environment()))
    };
    page("marginflow: the claims, checked", &body)
}

fn unexpected(table: &ClaimsTable) -> usize {
    table
        .claims
        .iter()
        .filter(|row| row.is_unexpected())
        .count()
}

/// How many verdicts there are, and how many of them are as expected.
fn summary(of: &Page) -> String {
    let (verdicts, experiments) = (of.table.claims.len(), of.sections.len());
    let expected = of
        .table
        .claims
        .iter()
        .filter(|row| row.expected.is_some())
        .count();
    let met = expected - unexpected(of.table);
    let of_them = match expected {
        0 => String::new(),
        all if all == verdicts && met == all => " All are as expected.".to_owned(),
        all if met == all => {
            format!(" Of {all} the scenario says what to expect, and all came out so.")
        }
        all => format!(" Of {all} the scenario says what to expect, and {met} came out so."),
    };
    format!(
        "Flows of gradient descent and of direct feedback alignment far out in time, and what theory says about them: \
         {verdicts} verdicts from {experiments} experiments.{of_them}"
    )
}

/// A claim with all verdicts on it, folded.
fn judged(claim: &Claim, table: &ClaimsTable) -> Markup {
    html! {
        details.claim id=(format!("claim-{}", claim.id)) data-claim=(claim.id) {
            summary {
                b { (claim.id) } " "
                @for row in table.rows(claim.id) {
                    span class=(format!("verdict {}", row.verdict.name())) { (sign(row.verdict)) }
                }
            }
            (statement(claim))
            div.scroll {
                table.claims {
                    thead {
                        tr {
                            th { "scenario" } th { "verdict" } th.number { "residual" } th.number { "tolerance" }
                            th { "evidence" }
                        }
                    }
                    tbody { @for row in table.rows(claim.id) { (verdict_row(row)) } }
                }
            }
        }
    }
}

fn verdict_row(row: &Row) -> Markup {
    html! {
        tr data-marks=(row.marks()) data-scenario=(row.scenario) {
            td { a href=(row.link()) { (row.scenario) } }
            td {
                (verdict(row.verdict))
                @match row.expected {
                    Some(e) if e == row.verdict => { br; span.muted { "as expected" } }
                    Some(e) => { br; b { "unexpected: " (e.name()) " was expected" } }
                    None => {}
                }
            }
            td.number.residual { (number(row.residual)) }
            td.number.tolerance { (number(row.tolerance)) }
            td.evidence { (evidence(&row.evidence, row.proved.as_deref())) }
        }
    }
}

/// An experiment, folded; drawings that the story has shown are not repeated.
fn section(s: &Section, told: &[usize]) -> Markup {
    let rest = || (s.drawings.iter().enumerate()).filter(|(k, _)| !told.contains(k));
    html! {
        details.experiment id=(s.id) {
            summary { b { (s.title) } " " span.muted { (s.id) } }
            p { (prose(&s.about)) }
            @if let Some(why) = &s.done.message { p.alarm { (prose(why)) } }
            @if s.kind == ExperimentKind::Run && exit::leaves_report(s.done.exit_code) {
                p {
                    a href=(format!("{}/report.html", s.id)) { "Report of this run" }
                    "; "
                    a href=(format!("{}/report.json", s.id)) { "report.json" } ", "
                    a href=(format!("{}/trajectory.npz", s.id)) { "trajectory.npz" } "."
                }
            }
            (command(&format!("again-{}", s.id), &s.command))
            @for k in told {
                @let drawing = s.drawings[*k].0;
                p { "Above: " a href=(format!("#{}-{}", s.id, drawing.id)) { (drawing.title) } "." }
            }
            @for (_, drawing) in rest() { (drawn(s, drawing)) }
        }
    }
}

fn drawn(s: &Section, (drawing, svg): &(&Drawing, String)) -> Markup {
    figure(
        &format!("{}-{}", s.id, drawing.id),
        &drawing.title,
        svg,
        &drawing.caption,
    )
}
