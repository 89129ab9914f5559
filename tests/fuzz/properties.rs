//! What must hold of every reader, whatever bytes it is given. The run in the tests and the targets of `fuzz/` share
//! it.
//!
//! Each of the functions panics with what is wrong if something is, and says otherwise whether the bytes were
//! read.

use marginflow::certify;
use marginflow::dataset::{Dataset, Svmlight, Table, parse_matrix};
use marginflow::error::Error;
use marginflow::scenario::{self, Scenario};
use nalgebra::DMatrix;
use std::path::Path;
use toml_edit::{Key, Value};

/// Longest error message: a few lines that say where, never the whole input again.
const LONGEST_MESSAGE: usize = 2000;

/// Where scenarios are said to be: a folder that is not there, so that no file is found by chance.
const SCENARIO: &str = "/nowhere/scenario.toml";

/// `bytes` as a scenario, its lines `# set: KEY=VALUE` as assignments of the command line (as in
/// `tests/bad_scenarios`).
///
/// An error is one of the scenario, with a caret, or of the command line. A scenario that is read has sound numbers,
/// has taken over its assignments, and is the same when it is read again from the copy that is kept with its output.
pub fn scenario(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let assignments: Vec<String> = (text.lines())
        .filter_map(|line| line.strip_prefix("# set: ").map(str::to_owned))
        .collect();
    match scenario::parse(Path::new(SCENARIO), &text, &assignments) {
        Err(error) => {
            let message = error.to_string();
            assert_printable(&message);
            match error {
                Error::Scenario(_) => {
                    assert_eq!(error.exit_code(), 65);
                    assert!(message.contains(SCENARIO), "no file: {message}");
                    assert!(message.contains('^'), "no caret: {message}");
                }
                Error::Usage(_) => {
                    assert_eq!(error.exit_code(), 2);
                    assert!(message.starts_with("--set "), "{message}");
                }
                _ => panic!("an error of another kind: {message}"),
            }
            // A caret needs the whole line.
            let line = text.lines().map(str::len).max().unwrap_or(0);
            let assigned = assignments.iter().map(String::len).max().unwrap_or(0);
            let longest = LONGEST_MESSAGE + 4 * line + 2 * assigned;
            assert!(
                message.len() <= longest,
                "{} bytes: {message}",
                message.len()
            );
            false
        }
        Ok(scenario) => {
            assert_sound(&scenario);
            if let Some(last) = assignments.last() {
                assert_assigned(&scenario, last);
            }
            assert_same_again(&scenario);
            true
        }
    }
}

/// Nothing that a file holds may command the terminal.
fn assert_printable(message: &str) {
    let control = message.chars().find(|&c| c.is_control() && c != '\n');
    assert_eq!(control, None, "in {message:?}");
}

fn assert_sound(scenario: &Scenario) {
    let flow = &scenario.flow;
    let positive = |x: f64| x.is_finite() && x > 0.0;
    assert!(positive(flow.until) && positive(flow.atol), "{flow:?}");
    assert!(positive(flow.rtol) && flow.rtol < 1.0, "{flow:?}");
    assert!(
        flow.max_steps > 0 && positive(flow.max_wall_seconds),
        "{flow:?}"
    );
    if let Some(steps) = &scenario.steps {
        assert!(!steps.sizes.is_empty() && steps.count > 0, "{steps:?}");
        assert!(steps.sizes.iter().all(|&size| positive(size)), "{steps:?}");
    }
    assert!(!scenario.title.is_empty() || scenario.text().contains("title"));
}

/// The text after the assignments says what the last of them says.
fn assert_assigned(scenario: &Scenario, assignment: &str) {
    let (key, value) = assignment.split_once('=').expect("read as an assignment");
    let keys = Key::parse(key.trim()).expect("read as a key");
    let value = value.trim();
    // A value of TOML, or else a bare string.
    let expected = match value.parse::<Value>() {
        Ok(_) => document(&format!("value = {value}"))["value"].clone(),
        Err(_) => toml::Value::from(value),
    };
    let root = toml::Value::Table(document(scenario.text()));
    let found = (keys.iter()).try_fold(&root, |table, key| table.get(key.get()));
    assert_eq!(
        found,
        Some(&expected),
        "after --set {assignment}:\n{}",
        scenario.text()
    );
}

fn document(text: &str) -> toml::Table {
    toml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The copy of a scenario says the same with all paths in full, and is its own copy.
fn assert_same_again(scenario: &Scenario) {
    let again = scenario::parse(Path::new(SCENARIO), &scenario.resolved, &[])
        .unwrap_or_else(|error| panic!("{error}\nfrom the copy\n{}", scenario.resolved));
    assert_eq!(again.resolved, scenario.resolved);
    assert_eq!(again.title, scenario.title);
    assert_eq!(again.expect, scenario.expect);
    assert_eq!(format!("{:?}", again.flow), format!("{:?}", scenario.flow));
    assert_eq!(
        format!("{:?}", again.steps),
        format!("{:?}", scenario.steps)
    );
    let (mut written, mut copy) = (document(scenario.text()), document(&scenario.resolved));
    without_paths(&mut written);
    without_paths(&mut copy);
    assert_eq!(copy, written);
}

/// Takes out what names files.
fn without_paths(table: &mut toml::Table) {
    let mut remove = |path: &[&str]| {
        let (last, above) = path.split_last().expect("a path");
        let parent = above
            .iter()
            .try_fold(&mut *table, |t, key| t.get_mut(*key)?.as_table_mut());
        parent.map(|parent| parent.remove(*last))
    };
    remove(&["dataset", "files"]);
    remove(&["dataset", "table", "path"]);
    remove(&["rule", "direct-feedback-alignment", "feedback", "files"]);
    remove(&["rule", "feedback-alignment", "feedback", "files"]);
    remove(&["initial", "files"]);
}

/// `bytes` as a matrix in both formats.
///
/// A matrix that is read has entries, all finite, none without bytes of its own, and is bit for bit the same when it is
/// written as CSV and read again.
pub fn matrix(bytes: &[u8]) -> bool {
    let mut read = false;
    for name in ["matrix.csv", "matrix.npy"] {
        match parse_matrix(Path::new(name), bytes) {
            Err(error) => assert_refused(&error, name),
            Ok(matrix) => {
                read = true;
                assert!(!matrix.is_empty() && matrix.len() <= bytes.len());
                assert!(matrix.iter().all(|x| x.is_finite()), "{matrix}");
                let csv = written(&matrix);
                let again = parse_matrix(Path::new("again.csv"), csv.as_bytes()).expect(&csv);
                assert_eq!(again.shape(), matrix.shape());
                let bits = |m: &DMatrix<f64>| m.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&again), bits(&matrix));
            }
        }
    }
    read
}

/// CSV with as many digits as identify each number.
fn written(matrix: &DMatrix<f64>) -> String {
    let row = |row: usize| {
        let fields: Vec<String> = matrix.row(row).iter().map(|x| format!("{x:?}")).collect();
        fields.join(",") + "\n"
    };
    (0..matrix.nrows()).map(row).collect()
}

/// `bytes` as a table, with a label column and options that its first lines and its length choose.
///
/// Data that are read have samples and features, all finite, labels ±1, and columns of mean 0 and variance 1 or 0 if
/// asked for. Every line that is not blank is accounted for: no quote swallows rows.
pub fn table(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let options = options(&text);
    match options.parse(Path::new("table.csv"), bytes) {
        Err(error) => {
            assert_refused(&error, "table.csv");
            false
        }
        Ok(data) => {
            assert!(!data.is_empty() && data.dimension() > 0);
            assert_accounted(&data, &text, usize::from(options.header));
            assert!(
                data.samples().iter().all(|x| x.is_finite()),
                "{}",
                data.samples()
            );
            assert!(data.labels().iter().all(|y| y.abs() == 1.0));
            if options.constant_feature {
                assert!(
                    data.samples()
                        .column(data.dimension() - 1)
                        .iter()
                        .all(|&x| x == 1.0)
                );
            }
            if options.standardise {
                let features = data.dimension() - usize::from(options.constant_feature);
                (0..features).for_each(|column| assert_standard(&data, column));
            }
            true
        }
    }
}

/// Every row below the header is a sample or left out, each at its line, each with a value of the label column.
fn assert_accounted(data: &Dataset, text: &str, header: usize) {
    let account = data.account().expect("a table has one");
    let text = text
        .strip_prefix('\u{feff}')
        .unwrap_or(text)
        .replace("\r\n", "\n");
    let lines: Vec<usize> = (1..)
        .zip(text.split(['\n', '\r']))
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, _)| number)
        .collect();
    let is_below = |row: &usize| lines[header..].binary_search(row).is_ok();
    assert_eq!(account.rows.len(), data.len());
    assert_eq!(
        data.len() + account.left_out(),
        lines.len() - header,
        "{text}"
    );
    let counted: usize = account.values.iter().map(|value| value.count).sum();
    assert_eq!(counted, lines.len() - header);
    assert!(account.rows.iter().all(&is_below));
    for value in &account.values {
        assert!(value.count > 0 && is_below(&value.first_row));
    }
    for label in [1.0, -1.0] {
        let of_class = account
            .values
            .iter()
            .filter(|value| value.label == Some(label));
        let rows: usize = of_class.map(|value| value.count).sum();
        assert_eq!(rows, data.labels().iter().filter(|&&y| y == label).count());
    }
    for caution in data.cautions() {
        assert_printable(caution);
        assert!(caution.len() <= LONGEST_MESSAGE, "{caution}");
    }
}

/// `bytes` as a file in the svmlight format.
///
/// Data that are read are finite, with labels ±1, and as many as the lines that are neither blank nor comments.
pub fn svmlight(bytes: &[u8]) -> bool {
    let path = Path::new("data.svm");
    let file = match Svmlight::parse(path, bytes) {
        Ok(file) => file,
        Err(error) => {
            assert_refused(&error, "data.svm");
            return false;
        }
    };
    let text = String::from_utf8_lossy(bytes);
    let content = |line: &str| !line.split('#').next().unwrap_or_default().trim().is_empty();
    let bare = text.strip_prefix('\u{feff}').unwrap_or(&text);
    assert_eq!(
        file.len(),
        bare.split(['\n', '\r'])
            .filter(|line| content(line))
            .count()
    );
    // what is dense must fit
    if file.len().saturating_mul(file.dimension()) > 100_000 {
        return true;
    }
    let table = Table {
        standardise: text.len().is_multiple_of(2),
        ..Table::new("", &[])
    };
    match table.of_svmlight(path, &file) {
        Ok(data) => {
            assert_eq!(
                (data.len(), data.dimension()),
                (file.len(), file.dimension())
            );
            assert!(data.samples().iter().all(|x| x.is_finite()));
            assert!(data.labels().iter().all(|y| y.abs() == 1.0));
        }
        Err(error) => assert_refused(&error, "data.svm"),
    }
    true
}

fn assert_standard(data: &Dataset, column: usize) {
    let column = data.samples().column(column);
    if column.iter().all(|&x| x == 0.0) {
        return;
    }
    let (mean, variance) = (column.mean(), column.variance());
    assert!(mean.abs() <= 1e-6, "mean {mean} of {column}");
    assert!(
        (variance - 1.0).abs() <= 1e-6,
        "variance {variance} of {column}"
    );
}

fn options(text: &str) -> Table {
    let mut rows = (text.lines().filter(|line| !line.trim().is_empty()))
        .map(|line| line.split(',').map(str::trim).collect::<Vec<_>>());
    let header = rows.next().unwrap_or_default();
    let column = text.len() / 4 % header.len().max(1);
    let mut values = rows.map(|row| row.get(column).copied().unwrap_or_default().to_owned());
    let mut value = || values.next().unwrap_or_default();
    let bare = |field: &str| field.trim_matches('"').to_owned();
    let label = header.get(column).copied().unwrap_or_default();
    let positive = vec![bare(&value())];
    let has_header = !text.len().is_multiple_of(7);
    let left_out = header
        .get(column + 1)
        .copied()
        .filter(|_| text.len().is_multiple_of(5));
    Table {
        label: if has_header {
            bare(label)
        } else {
            (column + 1).to_string()
        },
        positive,
        negative: text.len().is_multiple_of(3).then(|| vec![bare(&value())]),
        classes: None,
        drop: left_out
            .filter(|_| has_header)
            .map(bare)
            .into_iter()
            .collect(),
        header: has_header,
        separator: None,
        standardise: text.len().is_multiple_of(2),
        constant_feature: (text.len() / 2).is_multiple_of(2),
    }
}

fn assert_refused(error: &Error, name: &str) {
    let message = error.to_string();
    assert_printable(&message);
    assert!(matches!(error, Error::Data { .. }), "{message}");
    assert_eq!(error.exit_code(), 65);
    assert!(message.starts_with(name), "{message}");
    assert!(
        message.len() <= LONGEST_MESSAGE,
        "{} bytes: {message}",
        message.len()
    );
}

/// `bytes` as a certificate, checked if it is one: no reason is longer than a few lines, and what was read is read
/// again from what is written of it.
pub fn certificate(bytes: &[u8]) -> bool {
    let certificate = match certify::read(bytes) {
        Ok(certificate) => certificate,
        Err(error) => {
            let message = error.to_string();
            assert_printable(&message);
            assert!(message.len() <= LONGEST_MESSAGE, "{message}");
            return false;
        }
    };
    let verdicts = certify::check(&certificate);
    if let Err(failure) = &verdicts {
        assert!(failure.to_string().len() <= LONGEST_MESSAGE);
    }
    let again = certify::read(certificate.json().as_bytes()).expect("what was read is written");
    assert_eq!(again, certificate);
    true
}
