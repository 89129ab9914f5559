//! docs/reliability.md: sections in order, written by hand or from what the tests have seen.

use super::program::{Case, Ended};
use super::{cells, degenerate, keys, scales};
use std::fmt::Write;

/// The page. Sections that are written by hand are files beside this one; to add one, add its file here.
pub fn written(ended: &[(Case, Ended)]) -> String {
    let mut sections = vec![
        include_str!("introduction.md").to_owned(),
        include_str!("interruptions.md").to_owned(),
        summary(ended),
        by_key(ended),
    ];
    for group in [
        cells::GROUP,
        scales::GROUP,
        degenerate::DATA,
        degenerate::MARGINS,
        degenerate::ENDS,
        degenerate::STEPS,
    ] {
        sections.push(table(group, ended));
    }
    let trimmed: Vec<&str> = sections.iter().map(|section| section.trim()).collect();
    trimmed.join("\n\n") + "\n"
}

/// Whose outcomes the tables show: rounding, and with it how marginal runs end, depends on the vector instructions of a
/// processor.
pub fn machine() -> String {
    let architecture = format!("{:?}", pulp::Arch::new());
    let name = architecture.split('(').next().unwrap_or_default();
    format!("Seen on a processor that `pulp` calls `{name}`.")
}

fn summary(ended: &[(Case, Ended)]) -> String {
    let count = |wanted: &dyn Fn(&Ended) -> bool| ended.iter().filter(|(_, e)| wanted(e)).count();
    format!(
        "## Bad input: the sum\n\n{}\n\n\
         | inputs | refused, with the place and the reason | completed | inaccurate, by how much | \
         ended early, by name | limits found |\n\
         |---|---|---|---|---|---|\n\
         | {} | {} | {} | {} | {} | {} |",
        machine(),
        ended.len(),
        count(&|e| e.report.is_none() && e.code != Some(0)),
        count(&|e| e.status() == "completed"),
        count(&|e| e.status() == "inaccurate"),
        count(&|e| !["", "completed", "inaccurate"].contains(&e.status())),
        count(&|e| e.report.is_none() && e.code == Some(0)),
    )
}

/// Keys as rows, values as columns.
fn by_key(ended: &[(Case, Ended)]) -> String {
    let mut text = format!(
        "## {}\n\nRefused: exit code 65, with file, line and caret. Empty cells were accepted and \
         went as usual.\n\n| key |",
        keys::GROUP
    );
    for value in keys::VALUES {
        let _ = write!(text, " {value} |");
    }
    text += "\n|---|";
    text += &"---|".repeat(keys::VALUES.len());
    let cases: Vec<&(Case, Ended)> = (ended.iter())
        .filter(|(c, _)| c.group == keys::GROUP)
        .collect();
    for row in cases.chunks(keys::VALUES.len()) {
        let key = row[0].0.name.split(" = ").next().unwrap_or_default();
        let _ = write!(text, "\n| `{key}` |");
        for (_, ended) in row {
            let cell = match (ended.code, ended.status()) {
                (Some(65), _) => "refused".to_owned(),
                (Some(0), _) => String::new(),
                _ => outcome(ended),
            };
            let _ = write!(text, " {cell} |");
        }
    }
    text
}

fn table(group: &str, ended: &[(Case, Ended)]) -> String {
    let mut text = format!("## {group}\n\n| input | exit code | outcome |\n|---|---|---|");
    for (case, ended) in ended.iter().filter(|(case, _)| case.group == group) {
        let code = ended.code.map_or("–".to_owned(), |code| code.to_string());
        let _ = write!(text, "\n| {} | {code} | {} |", case.name, outcome(ended));
    }
    text
}

/// The status, or what the error says as far as it is the same on every machine.
fn outcome(ended: &Ended) -> String {
    let status = ended.status();
    if !status.is_empty() {
        return format!("`{status}`");
    }
    if ended.code == Some(0) {
        return "done".into();
    }
    let line = ended.stderr.lines().next().unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    // residuals, and what a machine has, differ between machines
    let ends = [
        " (",
        "; ",
        ", and ",
        ": the non-negative",
        ": neither",
        " at log-log-time",
    ];
    let end = ends.iter().filter_map(|mark| line.find(mark)).min();
    line[..end.unwrap_or(line.len())].replace('|', "\\|")
}
