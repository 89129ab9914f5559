//! Claims × scenarios: the verdicts at a glance, and the filters of the page.

use super::ClaimsTable;
use super::table::Row;
use crate::claims::{CLAIMS, Outcome};
use crate::report::html::{number, sign};
use maud::{Markup, html};

/// In the order of the legend.
const OUTCOMES: [Outcome; 4] = [
    Outcome::Holds,
    Outcome::Violated,
    Outcome::Inconclusive,
    Outcome::NotApplicable,
];

impl Row {
    /// Whether the scenario said what would come out, and something else did.
    pub(super) fn is_unexpected(&self) -> bool {
        self.expected.is_some_and(|e| e != self.verdict)
    }

    /// Where to read more: the claim in the page of a run, or the section of a sweep.
    pub(super) fn link(&self) -> String {
        if self.of_sweep {
            format!("#{}", self.scenario)
        } else {
            format!("{}/report.html#claim-{}", self.scenario, self.id)
        }
    }

    /// What filters look at.
    pub(super) fn marks(&self) -> String {
        let mut marks = self.verdict.name().to_owned();
        if self.is_unexpected() {
            marks.push_str(" unexpected");
        }
        if self.proved.is_some() {
            marks.push_str(" proved");
        }
        marks
    }
}

/// Scenarios in the order of the alphabet.
fn scenarios(table: &ClaimsTable) -> Vec<&str> {
    let mut names: Vec<&str> = table
        .claims
        .iter()
        .map(|row| row.scenario.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Boxes that show or hide verdicts, with how many there are of each, and a field to search in.
pub(super) fn filters(table: &ClaimsTable) -> Markup {
    let count = |what: &dyn Fn(&Row) -> bool| table.claims.iter().filter(|row| what(row)).count();
    let unexpected = count(&Row::is_unexpected);
    let proved = count(&|row| row.proved.is_some());
    html! {
        form.filters autocomplete="off" {
            input type="search" id="search" placeholder="claim or scenario" aria-label="search claims and scenarios";
            @for outcome in OUTCOMES {
                @let number = count(&|row| row.verdict == outcome);
                @if number > 0 {
                    label {
                        input type="checkbox" name="verdict" value=(outcome.name()) checked;
                        span class=(format!("cell {}", outcome.name())) { (sign(outcome)) }
                        " " (outcome.name()) " " span.muted { (number) }
                    }
                }
            }
            @if proved > 0 {
                label {
                    input type="checkbox" name="only" value="proved";
                    span class="cell holds proved" { "✓" } " only proved " span.muted { (proved) }
                }
            }
            @if unexpected > 0 {
                label {
                    input type="checkbox" name="only" value="unexpected";
                    span class="cell violated unexpected" { "✗" } " only unexpected " span.muted { (unexpected) }
                }
            }
            output.muted id="shown" {}
        }
    }
}

/// The matrix: a row per claim that was judged, a column per scenario.
pub(super) fn matrix(table: &ClaimsTable) -> Markup {
    let scenarios = scenarios(table);
    html! {
        div.matrix tabindex="0" role="region" aria-label="verdicts, claims by scenarios" {
            table {
                thead {
                    tr {
                        th {}
                        @for name in &scenarios { th scope="col" { span { (name) } } }
                    }
                }
                tbody {
                    @for claim in CLAIMS.iter().filter(|c| table.rows(c.id).next().is_some()) {
                        tr data-claim=(claim.id) {
                            th scope="row" {
                                a href=(format!("#claim-{}", claim.id)) title=(claim.corrected) { (claim.id) }
                            }
                            @for name in &scenarios {
                                @let row = table.rows(claim.id).find(|row| row.scenario == *name);
                                (cell(row))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cell(row: Option<&Row>) -> Markup {
    let Some(row) = row else {
        return html! { td {} };
    };
    let outcome = row.verdict;
    let expected = match row.expected {
        Some(e) if e == outcome => ", as expected".to_owned(),
        Some(e) => format!(", expected: {}", e.name()),
        None => String::new(),
    };
    let proved = if row.proved.is_some() {
        ", proved in part"
    } else {
        ""
    };
    let measured = row.residual.map_or_else(String::new, |_| {
        format!(
            ", {} (tolerance {})",
            number(row.residual),
            number(row.tolerance)
        )
    });
    let title = format!(
        "{} on {}: {}{expected}{proved}{measured}",
        row.id,
        row.scenario,
        outcome.name()
    );
    html! {
        td {
            a class=(format!("cell {}", row.marks())) href=(row.link()) title=(title)
                data-marks=(row.marks()) data-scenario=(row.scenario) {
                (sign(outcome)) @if row.is_unexpected() { "!" }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(verdict: Outcome, expected: Option<Outcome>) -> Row {
        Row {
            id: "thm-1",
            printed: "",
            corrected: "",
            verdict,
            expected,
            residual: Some(4.3e-10),
            tolerance: Some(0.01),
            scenario: "a&b".into(),
            evidence: String::new(),
            of_sweep: false,
            proved: None,
        }
    }

    #[test]
    fn cells_say_what_came_out_and_whether_that_was_expected() {
        let holds = Outcome::Holds;
        let html = cell(Some(&row(holds, Some(holds)))).into_string();
        for part in [
            ">✓</a>",
            "class=\"cell holds\"",
            "href=\"a&amp;b/report.html#claim-thm-1\"",
            "holds, as expected, 4.3·10⁻¹⁰ (tolerance 0.01)",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        let html = cell(Some(&row(holds, None))).into_string();
        assert!(!html.contains("expected"), "{html}");
        let html = cell(Some(&row(Outcome::Violated, Some(holds)))).into_string();
        assert!(
            html.contains(">✗!</a>") && html.contains("violated, expected: holds"),
            "{html}"
        );
        assert_eq!(cell(None).into_string(), "<td></td>");
    }

    #[test]
    fn verdicts_of_sweeps_are_in_the_page() {
        let mut row = row(Outcome::Holds, None);
        row.of_sweep = true;
        row.proved = Some("it".into());
        assert_eq!(row.link(), "#a&b");
        assert_eq!(row.marks(), "holds proved");
    }
}
