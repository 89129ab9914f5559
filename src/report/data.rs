//! What was learned from: class counts, and what became of the rows of a table.

use crate::dataset::{Dataset, LabelValue};
use serde::Serialize;

/// The data of a report.
#[derive(Serialize)]
pub(crate) struct DataReport<'a> {
    samples: usize,
    dimension: usize,
    /// Samples of label +1; absent where labels are classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    positive: Option<usize>,
    /// Samples of label −1; absent where labels are classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    negative: Option<usize>,
    /// Samples of class 0, 1, …; absent where labels are ±1.
    #[serde(skip_serializing_if = "Option::is_none")]
    classes: Option<Vec<usize>>,
    #[serde(flatten)]
    table: Option<TableReport<'a>>,
    cautions: &'a [String],
}

/// What became of the rows of a table; absent for data that are none.
#[derive(Serialize)]
struct TableReport<'a> {
    label_column: &'a str,
    /// Every value of the label column, in the order of the file.
    labels: Vec<ValueReport<'a>>,
    rows_left_out: usize,
}

/// A value of a label column.
#[derive(Serialize)]
struct ValueReport<'a> {
    value: &'a str,
    rows: usize,
    class: String,
}

impl<'a> DataReport<'a> {
    pub(crate) fn of(data: &'a Dataset) -> Self {
        let signs = data.classes().is_none().then(|| data.class_counts());
        let table = data.account().map(|account| TableReport {
            label_column: &account.column,
            labels: (account.values.iter())
                .map(|value| ValueReport {
                    value: &value.value,
                    rows: value.count,
                    class: class(value, data),
                })
                .collect(),
            rows_left_out: account.left_out(),
        });
        Self {
            samples: data.len(),
            dimension: data.dimension(),
            positive: signs.map(|(positive, _)| positive),
            negative: signs.map(|(_, negative)| negative),
            classes: data.samples_by_class(),
            table,
            cautions: data.cautions(),
        }
    }
}

/// Where the rows of a value have gone.
fn class(value: &LabelValue, data: &Dataset) -> String {
    match (value.label, data.classes()) {
        (None, _) => "left out".into(),
        (Some(label), Some(_)) => format!("class {label}"),
        (Some(label), None) if label > 0.0 => "+1".into(),
        (Some(_), None) => "-1".into(),
    }
}

/// The same in words: name and value, one line each.
#[cfg(feature = "cli")]
pub(crate) fn facts(data: &Dataset) -> Vec<(&'static str, String)> {
    let shares = match data.samples_by_class() {
        None => {
            let (positive, negative) = data.class_counts();
            format!("{positive} of class +1, {negative} of class -1")
        }
        Some(counts) => {
            let counts = counts.iter().enumerate();
            let shares: Vec<String> = counts.map(|(c, n)| format!("{n} of class {c}")).collect();
            shares.join(", ")
        }
    };
    let (samples, dimension) = (data.len(), data.dimension());
    let counts = format!("{samples} samples of dimension {dimension}: {shares}");
    let mut facts = vec![("data", counts)];
    let Some(account) = data.account() else {
        return facts;
    };
    let mut values: Vec<String> = (account.values.iter().take(MOST_VALUES))
        .map(|value| {
            let rows = if value.count == 1 { "row" } else { "rows" };
            format!(
                "{} {} ({} {rows})",
                named(&value.value),
                class(value, data),
                value.count
            )
        })
        .collect();
    if account.values.len() > MOST_VALUES {
        values.push(format!(
            "and {} more values (the JSON has all)",
            account.values.len() - MOST_VALUES
        ));
    }
    facts.push(("values of the labels", values.join(", ")));
    facts.extend(
        account
            .cautions
            .iter()
            .map(|caution| ("CAUTION", caution.clone())),
    );
    facts
}

/// A value as people read it: short, without control characters, and told if it is blank.
#[cfg(feature = "cli")]
fn named(value: &str) -> String {
    const LONGEST: usize = 60;
    if value.is_empty() {
        return "blank".into();
    }
    let start: String = value.chars().take(LONGEST).collect();
    let rest = if start.len() < value.len() { "..." } else { "" };
    format!("`{}{rest}`", start.escape_debug())
}

/// As many values of a label column as a person reads.
#[cfg(feature = "cli")]
const MOST_VALUES: usize = 20;
