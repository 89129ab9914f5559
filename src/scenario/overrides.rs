//! `--set key=value`: assignments to the document before it is read.
//!
//! An assignment replaces whatever is there. Where the scenario offers a choice (an enum, written as a table with one
//! key), assigning a key of another alternative replaces the old one: `flow.until.log-time=50` drops
//! `until.log-log-time`, and `rule=gradient-descent` drops `[rule.direct-feedback-alignment]`.

use super::rule::with_feedback;
#[cfg(doc)]
use crate::error::Error;
use crate::error::{AssignmentError, Result, UsageError};
use toml_edit::{DocumentMut, Item, Key, Table, TableLike, Value};

/// Paths of tables that hold exactly one of several alternatives.
const CHOICES: [&[&str]; 5] = [
    &["dataset"],
    &["network"],
    &["rule"],
    &["initial"],
    &["flow", "until"],
];

/// Whether the table at `path` holds exactly one of several alternatives.
fn is_choice(path: &[&str]) -> bool {
    CHOICES.contains(&path)
        || matches!(path, ["rule", key, "feedback"] if with_feedback().any(|rule| rule == *key))
}

/// Applies one `key=value`; the value is TOML, or otherwise a bare string.
///
/// # Errors
/// [`Error::Usage`] if there is no `=`, the key is not a dotted TOML key, or it goes below a plain value.
pub(super) fn apply(document: &mut DocumentMut, assignment: &str) -> Result<()> {
    let usage = |why| UsageError::Assignment {
        assignment: assignment.to_owned(),
        why,
    };
    let (key, value) = assignment
        .split_once('=')
        .ok_or_else(|| usage(AssignmentError::NoEqualsSign))?;
    let keys = Key::parse(key.trim()).map_err(|_| usage(AssignmentError::NotAKey))?;
    let names: Vec<&str> = keys.iter().map(Key::get).collect();
    let value = value
        .trim()
        .parse::<Value>()
        .unwrap_or_else(|_| Value::from(value.trim()));
    assign(document.as_table_mut(), &names, 0, value).map_err(|why| usage(why).into())
}

/// Whether an assignment to this key would change no choice: all alternatives it goes through are those that the
/// document has chosen.
pub(super) fn is_chosen(document: &DocumentMut, key: &str) -> bool {
    let Ok(keys) = Key::parse(key.trim()) else {
        return false;
    };
    let names: Vec<&str> = keys.iter().map(Key::get).collect();
    let mut item: Option<&Item> = Some(document.as_item());
    for (level, name) in names.iter().enumerate() {
        let below = item
            .and_then(Item::as_table_like)
            .and_then(|table| table.get(name));
        if below.is_none() && is_choice(&names[..level]) {
            return false;
        }
        item = below;
    }
    true
}

/// Assigns `names[level..]` inside the table of `names[..level]`.
fn assign(
    table: &mut dyn TableLike,
    names: &[&str],
    level: usize,
    value: Value,
) -> std::result::Result<(), AssignmentError> {
    let name = names[level];
    if is_choice(&names[..level]) {
        let others: Vec<String> = table
            .iter()
            .map(|(key, _)| key.to_owned())
            .filter(|key| key != name)
            .collect();
        for other in others {
            table.remove(&other);
        }
    }
    if level + 1 == names.len() {
        replace(table, name, value);
        return Ok(());
    }
    let is_table = table.get(name).is_some_and(Item::is_table_like);
    if !is_table && (!table.contains_key(name) || is_choice(&names[..=level])) {
        let mut created = Table::new();
        created.set_dotted(true);
        table.insert(name, Item::Table(created));
    }
    let below = table
        .get_mut(name)
        .and_then(Item::as_table_like_mut)
        .ok_or_else(|| AssignmentError::NotATable(names[..=level].join(".")))?;
    assign(below, names, level + 1, value)
}

/// Replaces a value, keeping the comment next to it.
fn replace(table: &mut dyn TableLike, name: &str, mut value: Value) {
    if let Some(old) = table.get(name).and_then(Item::as_value) {
        *value.decor_mut() = old.decor().clone();
    }
    table.insert(name, Item::Value(value));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn after(text: &str, assignments: &[&str]) -> Result<toml::Table> {
        let mut document: DocumentMut = text.parse().unwrap();
        for assignment in assignments {
            apply(&mut document, assignment)?;
        }
        // Via text, as the scenario itself is read.
        Ok(document.to_string().parse().unwrap())
    }

    fn toml(text: &str) -> toml::Table {
        text.parse().unwrap()
    }

    #[test]
    fn alternatives_replace_each_other() {
        let headed = "title = 'x'\n[rule.direct-feedback-alignment]\nfeedback.gaussian.seed = \
             7\n[flow]\nuntil.log-log-time = 40.0 # far\n";
        let inline = "title = 'x'\nrule = { direct-feedback-alignment = { feedback = { gaussian = { seed = 7 } } } \
             }\nflow = { until = { log-log-time = 40.0 } }\n";
        let cases = [
            (
                "rule=gradient-descent",
                "rule = 'gradient-descent'\nflow.until.log-log-time = 40.0",
            ),
            (
                "rule=\"gradient-descent\"",
                "rule = 'gradient-descent'\nflow.until.log-log-time = 40.0",
            ),
            (
                "rule.direct-feedback-alignment.feedback.files=[\"b.csv\"]",
                "rule.direct-feedback-alignment.feedback.files = ['b.csv']\nflow.until.log-log-time = 40.0",
            ),
            (
                "flow.until.log-time=50",
                "rule.direct-feedback-alignment.feedback.gaussian.seed = 7\nflow.until.log-time = 50",
            ),
            (
                "rule.direct-feedback-alignment.feedback.gaussian.scale = 2.5",
                "rule.direct-feedback-alignment.feedback.gaussian = { seed = 7, scale = 2.5 }\nflow.until.log-log-time \
                 = 40.0",
            ),
        ];
        for text in [headed, inline] {
            for (assignment, expected) in cases {
                let expected = toml(&format!("title = 'x'\n{expected}"));
                assert_eq!(
                    after(text, &[assignment]).unwrap(),
                    expected,
                    "{assignment}"
                );
            }
        }
    }

    #[test]
    fn a_plain_name_gives_way_to_a_table() {
        let text = "initial = 'zero'\n[flow]\nrtol = 1e-6\n";
        let found = after(
            text,
            &["initial.gaussian.scale=0.1", "initial.gaussian.seed=3"],
        )
        .unwrap();
        assert_eq!(
            found,
            toml("initial.gaussian = { scale = 0.1, seed = 3 }\nflow.rtol = 1e-6")
        );
    }

    #[test]
    fn other_tables_keep_their_keys() {
        let found = after(
            "[flow]\nrtol = 1e-6 # usual\n",
            &["flow.atol=1e-9", "flow.rtol=1e-8"],
        )
        .unwrap();
        assert_eq!(found, toml("flow = { rtol = 1e-8, atol = 1e-9 }"));
        let mut document: DocumentMut = "rtol = 1e-6 # usual\n".parse().unwrap();
        apply(&mut document, "rtol=1e-8").unwrap();
        assert_eq!(document.to_string(), "rtol = 1e-8 # usual\n");
    }

    #[test]
    fn what_is_no_assignment_is_a_usage_error() {
        for (assignment, why) in [
            ("flow.rtol", "expected key=value"),
            ("=3", "not a dotted key"),
            ("flow..rtol=3", "not a dotted key"),
            ("flow.rtol.x=3", "`flow.rtol` is not a table"),
        ] {
            let error = after("flow.rtol = 1e-6", &[assignment]).unwrap_err();
            assert!(
                matches!(&error, Error::Usage(e) if e.to_string().contains(why)),
                "{error}"
            );
        }
    }
}
