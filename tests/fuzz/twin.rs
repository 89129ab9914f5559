//! A slow twin of the reader of tables: the `csv` crate, which takes any text for CSV.

use marginflow::dataset::Table;
use std::collections::BTreeMap;
use std::path::Path;

/// `bytes` as a table of a last column of labels, the first of them positive. What is read has the samples and the
/// values of labels that the twin finds.
///
/// Where they differ on purpose is left out: the twin takes a quote after a space for a letter.
pub fn table(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let Some(rows) = rows(text) else {
        return false;
    };
    let (Some(header), Some(first)) = (rows.first(), rows.get(1)) else {
        return false;
    };
    let (Some(label), Some(positive)) = (header.last(), first.last()) else {
        return false;
    };
    let Ok(data) = Table::new(label, &[positive.as_str()]).parse(Path::new("table.csv"), bytes)
    else {
        return false;
    };
    let spaced = ["\"", " \"", "\t\""].map(|mark| text.matches(mark).count());
    if spaced[1] + spaced[2] > 0 || text.contains(['\u{a0}', '\u{3000}', '\u{85}', '\u{2028}']) {
        return true;
    }
    let below = &rows[1..];
    assert_eq!(data.len(), below.len(), "{text}");
    let mut values: BTreeMap<&str, usize> = BTreeMap::new();
    for (n, row) in below.iter().enumerate() {
        let (value, features) = row.split_last().expect("a row has fields");
        *values.entry(value).or_default() += 1;
        assert_eq!(data.labels()[n] == 1.0, value == positive);
        let features: Vec<f64> = features
            .iter()
            .map(|x| x.parse().expect("a number"))
            .collect();
        assert!(data.samples().row(n).iter().eq(&features), "{features:?}");
    }
    let account = data.account().expect("a table has one");
    let counts = account
        .values
        .iter()
        .map(|value| (value.value.as_str(), value.count));
    assert_eq!(counts.collect::<BTreeMap<_, _>>(), values);
    true
}

/// The rows that are not blank, by the twin.
fn rows(text: &str) -> Option<Vec<Vec<String>>> {
    let line = text.lines().find(|line| !line.trim().is_empty())?;
    let separator = *b",;\t".iter().find(|&&b| line.as_bytes().contains(&b))?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .from_reader(text.as_bytes());
    let records: Result<Vec<_>, _> = reader.records().collect();
    let rows = records.ok()?.into_iter().map(|record| {
        let fields = record.iter().map(|field| field.trim().to_owned());
        fields.collect::<Vec<_>>()
    });
    Some(
        rows.filter(|row| row.len() > 1 || !row[0].is_empty())
            .collect(),
    )
}
