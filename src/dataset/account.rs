//! What became of the rows of a file on their way into a data set.

/// An account of a table: every value of its label column, where its samples stand, and what to know before results
/// are believed.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// Name of the label column.
    pub column: String,
    /// Every value of the label column, in the order of the file.
    pub values: Vec<LabelValue>,
    /// The row of the file (its line, from 1) that each sample is from.
    pub rows: Vec<usize>,
    /// What may not be meant as it was read, one sentence each.
    pub cautions: Vec<String>,
}

/// A value of a label column, and what became of its rows.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelValue {
    /// As written; may be blank.
    pub value: String,
    /// ±1; `None` if its rows are left out.
    pub label: Option<f64>,
    /// How many rows have it.
    pub count: usize,
    /// The first of them (its line, from 1).
    pub first_row: usize,
}

impl Account {
    /// Rows that are left out.
    pub fn left_out(&self) -> usize {
        let left_out = self.values.iter().filter(|value| value.label.is_none());
        left_out.map(|value| value.count).sum()
    }
}
