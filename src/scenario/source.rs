//! The text of a scenario, and errors that point into it.

use crate::error::{Error, Mistake, ScenarioError};
use std::ops::Range;

/// Scenario text and the name under which it is shown.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub name: String,
    pub text: String,
}

impl Source {
    /// An error at `span` (bytes): what is wrong, a caret under it, and what to do.
    pub(super) fn error(&self, span: Range<usize>, problem: &str, advice: &str) -> Error {
        let mistake = Mistake {
            name: self.name.clone(),
            text: self.text.clone(),
            span,
            problem: problem.to_owned(),
            advice: advice.to_owned(),
        };
        ScenarioError::Mistake(Box::new(mistake)).into()
    }

    /// A syntax or type error, worded for someone who writes scenarios, not Rust.
    pub(super) fn parse_error(&self, error: &toml::de::Error) -> Error {
        let span = error.span().unwrap_or(0..0);
        let (problem, advice) = explain(&with_short_numbers(error.message()));
        self.error(span, &problem, &advice)
    }
}

/// The message with numbers of more than thirty digits (serde writes out 1e200) in scientific notation.
fn with_short_numbers(message: &str) -> String {
    let words = message.split('`').map(|word| match word.parse::<f64>() {
        Ok(x) if word.len() > 30 => format!("{x:e}"),
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join("`")
}

/// Problem and advice from a deserializer's message.
fn explain(message: &str) -> (String, String) {
    if let Some(rest) = message.strip_prefix("unknown field ") {
        return unknown_of("key", rest);
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        return unknown_of("value", rest);
    }
    if let Some((found, known)) = message
        .strip_prefix("unexpected keys in table: ")
        .and_then(|rest| rest.split_once(", available keys: "))
    {
        let first = found.split(", ").next().unwrap_or(found);
        return unknown("key", first, &known.split(", ").collect::<Vec<_>>());
    }
    if let Some(name) = message.strip_prefix("missing field ") {
        return (
            format!("missing key {name}"),
            example_of(name.trim_matches('`')).into(),
        );
    }
    if let Some((found, expected)) = message
        .strip_prefix("invalid type: ")
        .or_else(|| message.strip_prefix("invalid value: "))
        .and_then(|rest| rest.split_once(", expected "))
    {
        let problem = format!(
            "wrong type: found {}, expected {}",
            found_name(found),
            type_name(expected)
        );
        return (problem, String::new());
    }
    if message.starts_with("wanted exactly 1 element, more than 1") {
        let advice = "these are alternatives: keep one of them";
        return ("more than one choice is given here".into(), advice.into());
    }
    if message.starts_with("wanted exactly 1 element") {
        return (
            "a choice is missing here".into(),
            "give one of the alternatives".into(),
        );
    }
    if message.starts_with("wanted string or table") {
        return (
            "wrong type: expected a name or a table".into(),
            String::new(),
        );
    }
    (message.to_owned(), String::new())
}

/// `rest` is "`found`, expected one of `a`, `b`" or "`found`, there are no fields".
fn unknown_of(what: &str, rest: &str) -> (String, String) {
    let (found, expected) = rest.split_once(", ").unwrap_or((rest, ""));
    let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    unknown(what, found.trim_matches('`'), &known)
}

fn unknown(what: &str, name: &str, known: &[&str]) -> (String, String) {
    let advice = format!("known here: {}", known.join(", "));
    let guess = did_you_mean(name, known).unwrap_or_default();
    (format!("unknown {what} `{name}`{guess}"), advice)
}

fn found_name(found: &str) -> &str {
    match found {
        "map" => "a table",
        "sequence" => "a list",
        "unit variant" => "a name without its settings",
        other => other,
    }
}

fn type_name(expected: &str) -> &str {
    match expected {
        "f64" => "a number",
        "i64" => "a whole number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "path string" => "a path in quotes",
        "unit variant" => "a plain name",
        "a map" | "newtype variant" => "a table",
        _ if expected.starts_with("struct ") => "a table",
        other => other,
    }
}

/// How a missing key is written.
fn example_of(key: &str) -> &'static str {
    match key {
        "dataset" => "add a table [dataset.gaussian-teacher], [dataset.files] or [dataset.table]",
        "hidden" => "give one width per hidden layer, e.g. hidden = [50]",
        "network" => "add a table [network.fully-connected-linear] with depth = 2",
        "rule" => "add rule = \"gradient-descent\", or a table [rule.direct-feedback-alignment]",
        "initial" => {
            "add initial = \"zero\", or a table [initial] with gaussian = { scale = 0.1, seed = 1 }"
        }
        "flow" => "add a table [flow] with until.log-log-time = 40.0",
        "until" => "add until.log-log-time = 40.0, until.log-time or until.time",
        "feedback" => "add feedback.gaussian.seed = 1, or feedback.files = [...]",
        "sizes" => "give one step size per run, e.g. sizes = [1e-2, 1e-3]",
        "count" => "give the number of steps, e.g. count = 100000",
        "seed" => "every random draw needs its seed, e.g. seed = 1",
        _ => "",
    }
}

/// "; did you mean `…`?" if one of the known names is a few typos away.
pub(super) fn did_you_mean(name: &str, known: &[&str]) -> Option<String> {
    known
        .iter()
        .map(|candidate| (edit_distance(name, candidate), candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .map(|(_, candidate)| format!("; did you mean `{candidate}`?"))
}

/// Levenshtein distance: insertions, deletions and replacements of one character.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edit_distances() {
        for (a, b, distance) in [
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("depth", "depht", 2),
            ("α", "β", 1),
        ] {
            assert_eq!(edit_distance(a, b), distance);
            assert_eq!(edit_distance(b, a), distance);
        }
    }

    #[test]
    fn suggestions_are_near_or_absent() {
        let known = ["depth", "hidden"];
        assert_eq!(
            did_you_mean("depht", &known).unwrap(),
            "; did you mean `depth`?"
        );
        assert_eq!(did_you_mean("width", &known), None);
    }
}
