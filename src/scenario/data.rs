//! The files of `[dataset.files]` and `[dataset.table]`.

use super::build::Builder;
use super::memory::samples_fit;
use super::numbers::AtLeast;
use super::schema::{FilePath, Format, SeparatorName, Table};
use crate::dataset::{self, Dataset, Separator, Svmlight};
use crate::error::{Error, Result};
use std::path::Path;
use toml::Spanned;

impl Builder<'_> {
    pub(super) fn files(
        &self,
        samples: &FilePath,
        labels: Option<&FilePath>,
        classes: Option<&Spanned<AtLeast<2>>>,
        format: Format,
    ) -> Result<Dataset> {
        match (format, labels) {
            (Format::Svmlight, _) if classes.is_some() => {
                let problem = "a file in the svmlight format has labels 1 and -1 here, no classes";
                let span = classes.map_or_else(|| samples.span(), Spanned::span);
                let advice =
                    "remove this key, or read the file by [dataset.table] with classes = [...]";
                Err(self.source.error(span, problem, advice))
            }
            (Format::Csv, Some(labels)) => self.reading(samples, |x| {
                self.reading(labels, |y| match classes {
                    None => dataset::read_files(x, y),
                    Some(count) => dataset::read_class_files(x, y, count.get_ref().get()),
                })
            }),
            (Format::Csv, None) => {
                let advice = "add labels = \"y.csv\", a file with 1 or -1 for every sample";
                Err(self
                    .source
                    .error(samples.span(), "missing key `labels`", advice))
            }
            (Format::Svmlight, None) => {
                let signs = dataset::Table::new("", &[]);
                self.reading(samples, |path| self.svmlight(samples, path, &signs))
            }
            (Format::Svmlight, Some(labels)) => {
                let problem = "a file in the svmlight format holds its labels itself";
                Err(self.source.error(labels.span(), problem, "remove this key"))
            }
        }
    }

    pub(super) fn table(&self, table: &Table) -> Result<Dataset> {
        let svmlight = table.format == Format::Svmlight;
        if svmlight && (table.separator.is_some() || !table.header) {
            let problem = "header and separator say nothing about files in the svmlight format";
            return Err(self.source.error(table.path.span(), problem, "remove them"));
        }
        let signs = table.classes.is_none();
        let options = dataset::Table {
            label: match &table.label {
                Some(label) => label.clone(),
                None if svmlight => String::new(),
                None => {
                    return Err(self.missing(
                        table,
                        "label",
                        "name the column of labels, e.g. label = \"class\"",
                    ));
                }
            },
            positive: match &table.positive {
                Some(positive) if signs => self.classes(positive, table.negative.as_ref())?,
                Some(positive) => {
                    let problem = "positive and classes both say what labels are";
                    return Err(self
                        .source
                        .error(positive.span(), problem, "keep one of them"));
                }
                None if !signs => Vec::new(),
                None if svmlight && table.negative.is_none() => Vec::new(),
                None => {
                    let advice = "list the values of the label column that mean +1, e.g. positive = [\"yes\"]";
                    return Err(self.missing(table, "positive", advice));
                }
            },
            negative: table
                .negative
                .as_ref()
                .map(|values| values.get_ref().clone()),
            classes: self.listed_classes(table)?,
            drop: table.drop.clone(),
            header: table.header,
            separator: table.separator.map(|separator| match separator {
                SeparatorName::Comma => Separator::Comma,
                SeparatorName::Semicolon => Separator::Semicolon,
                SeparatorName::Tab => Separator::Tab,
            }),
            standardise: table.standardise,
            constant_feature: table.constant_feature,
        };
        self.reading(&table.path, |path| match svmlight {
            true => self.svmlight(&table.path, path, &options),
            false => options.read(path),
        })
    }

    /// Sparse rows may be few and short and still too large for the machine once the zeros are in their places.
    fn svmlight(&self, file: &FilePath, path: &Path, options: &dataset::Table) -> Result<Dataset> {
        let sparse = Svmlight::read(path)?;
        if !samples_fit(sparse.len() as f64, sparse.dimension()) {
            let problem = format!(
                "{} samples of {} features do not fit into the memory there is, once the zeros are in their places",
                sparse.len(),
                sparse.dimension()
            );
            return Err(self
                .source
                .error(file.span(), &problem, "use fewer samples or features"));
        }
        options.of_svmlight(path, &sparse)
    }

    fn missing(&self, table: &Table, key: &str, advice: &str) -> Error {
        let problem = format!("[dataset.table] has no key `{key}`");
        self.source.error(table.path.span(), &problem, advice)
    }

    /// The values that are classes, if the table has any.
    fn listed_classes(&self, table: &Table) -> Result<Option<Vec<String>>> {
        let Some(classes) = &table.classes else {
            return Ok(None);
        };
        let refused =
            |problem: &str, advice: &str| Err(self.source.error(classes.span(), problem, advice));
        let listed = classes.get_ref();
        if let Some(negative) = &table.negative {
            let problem = "negative and classes both say what labels are";
            return Err(self
                .source
                .error(negative.span(), problem, "keep one of them"));
        }
        if listed.len() < 2 {
            let problem = "fewer than two classes: there is nothing to tell apart";
            return refused(problem, "list at least two values of the label column");
        }
        let twice = (1..listed.len()).find(|i| listed[..*i].contains(&listed[*i]));
        if let Some(i) = twice {
            let problem = format!("`{}` is listed twice", listed[i]);
            return refused(&problem, "list every class once");
        }
        Ok(Some(listed.clone()))
    }

    /// The positive values, once they can be told from the negative ones.
    fn classes(
        &self,
        positive: &Spanned<Vec<String>>,
        negative: Option<&Spanned<Vec<String>>>,
    ) -> Result<Vec<String>> {
        if positive.get_ref().is_empty() {
            let advice = "list the values of the label column that mean +1";
            return Err(self
                .source
                .error(positive.span(), "no positive value is given", advice));
        }
        let listed = |value: &&String| positive.get_ref().contains(value);
        let both =
            negative.and_then(|negative| Some((negative, negative.get_ref().iter().find(listed)?)));
        match both {
            None => Ok(positive.get_ref().clone()),
            Some((negative, value)) => {
                let problem = format!("`{value}` is listed as positive and as negative");
                Err(self
                    .source
                    .error(negative.span(), &problem, "keep it in one list"))
            }
        }
    }
}
