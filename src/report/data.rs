//! What was learned from: class counts, and what became of the rows of a table.

use crate::dataset::Dataset;
use serde::Serialize;

/// The data of a report.
#[derive(Serialize)]
pub(crate) struct DataReport<'a> {
    samples: usize,
    dimension: usize,
    /// Samples of label +1.
    positive: usize,
    /// Samples of label −1.
    negative: usize,
    /// Null for data that are no table.
    label_column: Option<&'a str>,
    /// Every value of the label column, in the order of the file.
    labels: Vec<ValueReport<'a>>,
    rows_left_out: usize,
    cautions: &'a [String],
}

/// A value of a label column.
#[derive(Serialize)]
struct ValueReport<'a> {
    value: &'a str,
    rows: usize,
    /// ±1; null if these rows are left out.
    label: Option<i8>,
}

impl<'a> DataReport<'a> {
    pub(crate) fn of(data: &'a Dataset) -> Self {
        let (positive, negative) = data.class_counts();
        let account = data.account();
        let values = account.map_or(&[][..], |account| &account.values);
        let labels = values.iter().map(|value| ValueReport {
            value: &value.value,
            rows: value.count,
            label: value.label.map(|label| label as i8),
        });
        Self {
            samples: data.len(),
            dimension: data.dimension(),
            positive,
            negative,
            label_column: account.map(|account| account.column.as_str()),
            labels: labels.collect(),
            rows_left_out: account.map_or(0, |account| account.left_out()),
            cautions: account.map_or(&[], |account| &account.cautions),
        }
    }
}

/// The same in words: name and value, one line each.
#[cfg(feature = "cli")]
pub(crate) fn facts(data: &Dataset) -> Vec<(&'static str, String)> {
    let (positive, negative) = data.class_counts();
    let counts = format!(
        "{} samples of dimension {}: {positive} of class +1, {negative} of class -1",
        data.len(),
        data.dimension()
    );
    let mut facts = vec![("data", counts)];
    let Some(account) = data.account() else {
        return facts;
    };
    let mut values: Vec<String> = (account.values.iter().take(MOST_VALUES))
        .map(|value| {
            let fate = match value.label {
                None => "left out".to_owned(),
                Some(label) => format!("{label:+}"),
            };
            let rows = if value.count == 1 { "row" } else { "rows" };
            format!(
                "`{}` {fate} ({} {rows})",
                value.value.escape_debug(),
                value.count
            )
        })
        .collect();
    if account.values.len() > MOST_VALUES {
        values.push(format!(
            "and {} more values (report.json has all)",
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

/// As many values of a label column as a person reads.
#[cfg(feature = "cli")]
const MOST_VALUES: usize = 20;
