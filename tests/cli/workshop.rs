//! The small scenario these tests run, and readers of what it leaves.

use super::*;

/// DFA of depth 3 on three points of a space of three dimensions, two of them support vectors.
const SCENARIO: &str = r#"# Three points, to log-log-time 30.
title = "Three points of space"
initial = "zero"
[dataset.files]
samples = "x.csv"
labels = "y.csv"
[network.fully-connected-linear]
depth = 3
hidden = [4, 2]
[rule.direct-feedback-alignment]
feedback.gaussian.seed = 7
[flow]
until.log-log-time = 30.0
saves = 61
[expect]
prop-1 = "holds"
"#;

/// A folder with that scenario, `three.toml`, and other data.
pub fn shop() -> Workshop {
    Workshop::with(&[
        ("three.toml", SCENARIO),
        ("x.csv", "1,0.2,0.1\n-1,0.3,0.2\n2,3,-1\n"),
        ("y.csv", "1\n-1\n1\n"),
        // No hyperplane through the origin has these on its positive side.
        ("around.csv", "1,0.2\n-1,0.3\n0.5,3\n-0.4,-1\n"),
        ("xor.csv", "1,1\n-1,-1\n1,-1\n-1,1\n"),
        ("ones.csv", "1\n1\n1\n1\n"),
    ])
}

pub fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

pub fn numbers(value: &Value) -> Vec<f64> {
    let entries = value.as_array().unwrap().iter();
    entries.map(|x| x.as_f64().unwrap()).collect()
}

/// Paths of every null in a report, with list positions as `*`.
pub fn nulls(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Null => found.push(path.to_owned()),
        Value::Array(entries) => {
            for entry in entries {
                nulls(entry, &format!("{path}.*"), found);
            }
        }
        Value::Object(entries) => {
            for (key, entry) in entries {
                nulls(entry, &format!("{path}.{key}"), found);
            }
        }
        _ => {}
    }
}

/// The array of a trajectory: shape and values.
pub fn array(bytes: &[u8], name: &str) -> (Vec<u64>, Vec<f64>) {
    let mut archive = npyz::npz::NpzArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let array = archive.by_name(name).unwrap();
    let array = array.unwrap_or_else(|| panic!("no array {name}"));
    let shape = array.shape().to_vec();
    let values = match array.dtype().descr().as_str() {
        "'<f8'" => array.into_vec().unwrap(),
        "'<i8'" => {
            let whole: Vec<i64> = array.into_vec().unwrap();
            whole.into_iter().map(|k| k as f64).collect()
        }
        // complex numbers and words are for tests/cli/files/archive.rs
        _ => Vec::new(),
    };
    (shape, values)
}
