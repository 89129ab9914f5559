//! The values of a label column: which class each belongs to, and whether that can be what is meant.

use super::quoted;
use crate::dataset::account::LabelValue;
use crate::dataset::matrix_file::shown;
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::path::Path;

/// What values are.
pub(super) enum Classes<'a> {
    /// +1 and −1.
    Signs {
        positive: Vec<&'a str>,
        /// `None`: every value that is not positive.
        negative: Option<Vec<&'a str>>,
    },
    /// Classes numbered from 0 in this order; rows with other values are left out.
    Listed(Vec<&'a str>),
}

impl<'a> Classes<'a> {
    /// The values that are listed, in order.
    fn listed(&self) -> Vec<&'a str> {
        match self {
            Self::Signs { positive, negative } => {
                let negative = negative.iter().flatten();
                positive.iter().chain(negative).copied().collect()
            }
            Self::Listed(classes) => classes.clone(),
        }
    }

    fn lists(&self, value: &str) -> bool {
        self.listed().contains(&value)
    }

    fn label_of(&self, value: &str) -> Option<f64> {
        match self {
            Self::Listed(classes) => {
                let class = classes.iter().position(|class| *class == value)?;
                Some(class as f64)
            }
            Self::Signs { positive, .. } if positive.contains(&value) => Some(1.0),
            Self::Signs {
                negative: Some(negative),
                ..
            } if !negative.contains(&value) => None,
            Self::Signs { .. } => Some(-1.0),
        }
    }

    /// A label in words.
    fn named(&self, label: f64) -> String {
        match self {
            Self::Signs { .. } => format!("{label:+}"),
            Self::Listed(_) => format!("class {label}"),
        }
    }
}

/// The values met so far.
pub(super) struct Labels<'a> {
    path: &'a Path,
    /// Name of the column.
    name: &'a str,
    /// Where it stands, from 1.
    column: usize,
    classes: Classes<'a>,
    values: Vec<LabelValue>,
    index: HashMap<String, usize>,
}

impl<'a> Labels<'a> {
    pub(super) fn new(path: &'a Path, name: &'a str, column: usize, classes: Classes<'a>) -> Self {
        Self {
            path,
            name,
            column,
            classes,
            values: Vec::new(),
            index: HashMap::new(),
        }
    }

    /// The label of a row with this value; `None` if the row is left out.
    ///
    /// # Errors
    /// [`Error::Data`] for a missing value that would count as −1 because it is not positive.
    pub(super) fn label_of(&mut self, value: &str, row: usize) -> Result<Option<f64>> {
        if let Some(&at) = self.index.get(value) {
            self.values[at].count += 1;
            return Ok(self.values[at].label);
        }
        let label = self.classes.label_of(value);
        if label.is_some() && is_missing(value) && !self.classes.lists(value) {
            let what = match value {
                "" => "the label is blank".to_owned(),
                value => format!("the label is `{}`, which reads as missing", shown(value)),
            };
            let message = format!(
                "{what} (column `{}`): remove the row, or list every value that counts in positive and negative; rows \
                 with other values are then left out",
                shown(self.name)
            );
            return Err(self.at(row, message));
        }
        self.index.insert(value.to_owned(), self.values.len());
        self.values.push(LabelValue {
            value: value.to_owned(),
            label,
            count: 1,
            first_row: row,
        });
        Ok(label)
    }

    /// Whether a row has this value.
    pub(super) fn has(&self, value: &str) -> bool {
        self.index.contains_key(value)
    }

    /// Every value, once it is certain that the lists can mean what they say.
    ///
    /// # Errors
    /// [`Error::Data`] for a listed value that no row has, for values that look like one in different classes, or if no
    /// row is kept.
    pub(super) fn checked(self, advice: &str) -> Result<Vec<LabelValue>> {
        if self.values.is_empty() {
            return Err(Error::data(self.path, "there is no row below the header"));
        }
        self.check_listed(advice)?;
        self.check_alike()?;
        if self.values.iter().all(|value| value.label.is_none()) {
            let message = format!(
                "no row has a label listed as {} in column `{}`",
                match self.classes {
                    Classes::Signs { .. } => "positive or negative",
                    Classes::Listed(_) => "a class",
                },
                shown(self.name)
            );
            return Err(Error::data(self.path, message));
        }
        Ok(self.values)
    }

    /// Every value, whatever the lists say.
    pub(super) fn into_values(self) -> Vec<LabelValue> {
        self.values
    }

    /// A listed value that no row has is a misspelling; it is reported, rather than training on the wrong classes.
    fn check_listed(&self, advice: &str) -> Result<()> {
        let listed = self.classes.listed();
        match listed.into_iter().find(|value| !self.has(value)) {
            None => Ok(()),
            Some(value) => {
                let found = quoted(self.values.iter().map(|value| value.value.as_str()));
                let message = format!(
                    "no row has `{}` in column `{}`; its values are {found}{advice}",
                    shown(value),
                    shown(self.name)
                );
                Err(Error::data(self.path, message))
            }
        }
    }

    /// Values that differ in case, spaces or the way a number is written are one value to whoever wrote them: they must
    /// share their fate, or all be listed.
    fn check_alike(&self) -> Result<()> {
        let mut first: HashMap<Alike, &LabelValue> = HashMap::new();
        for value in &self.values {
            let other = *first.entry(Alike::of(&value.value)).or_insert(value);
            let unlisted = [value, other].map(|v| !self.classes.lists(&v.value));
            if other.label != value.label && unlisted.contains(&true) {
                let fate = |value: &LabelValue| match value.label {
                    None => "left out".to_owned(),
                    Some(label) => format!("taken as {}", self.classes.named(label)),
                };
                let message = format!(
                    "`{}` would be {}, and `{}` of row {} {} (column `{}`): if they mean the same, write them in one \
                     way, and otherwise list both",
                    shown(&value.value),
                    fate(value),
                    shown(&other.value),
                    other.first_row,
                    fate(other),
                    shown(self.name)
                );
                return Err(self.at(value.first_row, message));
            }
        }
        Ok(())
    }

    fn at(&self, row: usize, message: String) -> Error {
        Error::data(self.path, message)
            .at_row(row)
            .at_column(self.column)
    }
}

/// What values that look like one have in common.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Alike {
    /// Equal numbers, by their bits.
    Number(u64),
    /// Letters and digits in lower case, with one space where there are several, `_` or `-`, and no quotes around or
    /// point behind.
    Text(String),
}

impl Alike {
    fn of(value: &str) -> Self {
        let bare =
            value.trim_matches(|c: char| c.is_whitespace() || "'`".contains(c) || is_invisible(c));
        if let Ok(number) = bare.parse::<f64>() {
            // adding zero maps -0.0 to 0.0
            return Self::Number((number + 0.0).to_bits());
        }
        let joined: String = bare.chars().filter(|c| !is_invisible(*c)).collect();
        let words = joined.split(|c: char| c.is_whitespace() || c == '_');
        let words: Vec<String> = words
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        let text = words.join(" ");
        // a hyphen between letters joins as a space does; elsewhere it may be a sign
        let parts: Vec<&str> = text.split('-').collect();
        let text = match parts
            .iter()
            .all(|part| part.starts_with(char::is_alphanumeric))
        {
            true => parts.join(" "),
            false => text,
        };
        Self::Text(text.trim_end_matches('.').to_owned())
    }
}

/// Characters without width that programs leave at the edges of texts.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{ad}'
    )
}

/// Whether a field stands for a value that is not known: blank, `?`, `.`, or a name that pandas, R and spreadsheets
/// give it.
pub(super) fn is_missing(field: &str) -> bool {
    const MARKS: [&str; 18] = [
        "", "?", ".", "na", "n/a", "#n/a", "#n/a n/a", "#na", "<na>", "nan", "-nan", "1.#ind",
        "-1.#ind", "1.#qnan", "-1.#qnan", "null", "none", "missing",
    ];
    let bare = field.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
    bare.len() <= 8 && MARKS.contains(&bare.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_look_like_one() {
        for (a, b, alike) in [
            ("1", "1.0", true),
            ("+1", "1e0", true),
            ("0", "-0.0", true),
            ("01", "1", true),
            ("1", "-1", false),
            ("Yes", "yes", true),
            ("Iris setosa", "Iris-setosa", true),
            ("iris_setosa", "Iris  setosa", true),
            (">50K", ">50K.", true),
            ("'b'", "b", true),
            ("b\u{200b}", "b", true),
            ("+", "-", false),
            ("a", "a-", false),
            ("a-", "a+", false),
            ("b", "B1", false),
        ] {
            assert_eq!(Alike::of(a) == Alike::of(b), alike, "{a} {b}");
        }
    }

    #[test]
    fn marks_of_missing_values() {
        for mark in [
            "", "?", "NA", "n/a", "NaN", "NULL", "None", "<NA>", " ", "\u{feff}",
        ] {
            assert!(is_missing(mark), "{mark}");
        }
        for value in ["-", "+", "0", "no", "nab", "unknown", "Nancy"] {
            assert!(!is_missing(value), "{value}");
        }
    }
}
