//! Tables in the svmlight format: rows of `index:value`, whose labels are numbers.

use super::labels::{Classes, Labels};
use super::{Account, Kept, Table, shown};
use crate::dataset::{Dataset, Svmlight};
use crate::error::{Error, Result};
use std::path::Path;

impl Table {
    /// The data of a file in the svmlight format. Its columns are named by their indices.
    ///
    /// # Errors
    /// As [`Self::parse`]; [`Error::Data`] for a label other than ±1 if no value is listed as positive.
    pub fn of_svmlight(&self, path: &Path, file: &Svmlight) -> Result<Dataset> {
        let (names, features) = self.features_of(path, file)?;
        let listed = |values: &[String]| values.iter().map(|v| as_number(v)).collect::<Vec<_>>();
        let signs_alone = self.positive.is_empty() && self.classes.is_none();
        let listed_classes = self.classes.as_deref().map(listed);
        let (positive, negative) = match signs_alone {
            true => (vec!["1".to_owned()], Some(vec!["-1".to_owned()])),
            false => (listed(&self.positive), self.negative.as_deref().map(listed)),
        };
        fn texts(values: &[String]) -> Vec<&str> {
            values.iter().map(String::as_str).collect()
        }
        let classes = match &listed_classes {
            Some(classes) => Classes::Listed(texts(classes)),
            None => Classes::Signs {
                positive: texts(&positive),
                negative: negative.as_deref().map(texts),
            },
        };
        let mut labels = Labels::new(path, LABEL, 1, classes);
        let mut kept = Kept::new();
        for n in 0..file.len() {
            let value = file.label(n).to_string();
            match labels.label_of(&value, file.row(n))? {
                Some(label) => kept.add_sparse(file, n, &features, label),
                None if signs_alone => {
                    let message = format!(
                        "label {value}, expected +1 or -1; of other labels, positive = [...] lists those that count as \
                         +1"
                    );
                    return Err(Error::data(path, message).at_row(file.row(n)));
                }
                None => {}
            }
        }
        let mut cautions = Vec::new();
        if file.first_index() == 0 {
            cautions.push("indices start from 0 in this file, not from 1 as usual".to_owned());
        }
        let account = Account {
            column: LABEL.to_owned(),
            values: match signs_alone {
                true => labels.into_values(),
                false => labels.checked("")?,
            },
            rows: std::mem::take(&mut kept.rows),
            cautions,
        };
        let names: Vec<&str> = features.iter().map(|&k| names[k].as_str()).collect();
        self.finish(path, &names, kept, account)
            .map_err(|(_, error)| error)
    }

    /// The names of all features, and those (from 0) that are not left out.
    fn features_of(&self, path: &Path, file: &Svmlight) -> Result<(Vec<String>, Vec<usize>)> {
        let indices = (file.first_index()..).take(file.dimension());
        let names: Vec<String> = indices.map(|index| index.to_string()).collect();
        if let Some(name) = self.drop.iter().find(|name| !names.contains(name)) {
            let message = format!("no feature has the index `{}`", shown(name));
            return Err(Error::data(path, message));
        }
        let features: Vec<usize> = (0..names.len())
            .filter(|&feature| !self.drop.contains(&names[feature]))
            .collect();
        self.check_features(path, features.len())?;
        Ok((names, features))
    }
}

/// What the labels are called: they have no name in the file.
const LABEL: &str = "label";

impl Kept {
    /// Adds row `n` of a file, zeros included.
    fn add_sparse(&mut self, file: &Svmlight, n: usize, features: &[usize], label: f64) {
        self.labels.push(label);
        self.rows.push(file.row(n));
        let mut dense = vec![0.0; file.dimension()];
        for &(feature, value) in file.entries(n) {
            dense[feature] = value;
        }
        self.entries
            .extend(features.iter().map(|&feature| dense[feature]));
    }
}

/// A number as labels are compared here: `+1` and `1.0` are `1`. What is no number stays as it is.
fn as_number(value: &str) -> String {
    let value = value.trim();
    // adding zero maps -0.0 to 0.0
    value
        .parse::<f64>()
        .map_or_else(|_| value.to_owned(), |number| (number + 0.0).to_string())
}
