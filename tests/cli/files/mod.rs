//! `report.json` and `trajectory.npz` hold everything that was measured: every figure can be drawn again from them, and
//! the arrays are those that docs/files.md lists.

mod archive;
mod curves;
mod figures;

use super::program::{ROOT, Workshop};
use archive::{Entries, Run};
use curves::measured;
use figures::redrawn;
use marginflow::figures::{FIGURES, Figure, svg};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Runs that together draw every figure and leave every array.
const RUNS: [(&str, &str); 6] = [
    ("fc-dfa", "--set flow.until.log-log-time=20"),
    ("fc-dfa-classes", "--set flow.until.log-log-time=20"),
    ("conv-dfa-2", "--set flow.until.log-log-time=20"),
    ("relu-dfa", "--set flow.until.log-log-time=12"),
    ("fc-dfa-steps", "--set steps.count=20000"),
    ("kolen-pollack", "--set flow.until.log-log-time=12"),
];

/// Whether a curve is drawn in some panel.
fn is_drawn(curve: &[f64], figure: &Figure) -> bool {
    // what is computed anew, and not only copied, has rounding of its own
    let slack = match figure.id.as_str() {
        "neurons" => 1e-9,
        "spectrum" => 1e-12,
        _ => 0.0,
    };
    let near = |x: f64, y: f64| {
        !x.is_finite() && !y.is_finite() || (x - y).abs() <= 1e-12 * x.abs() + slack
    };
    let mut series = figure.panels.iter().flat_map(|panel| &panel.series);
    series.any(|s| {
        s.points.len() == curve.len() && s.points.iter().zip(curve).all(|(p, x)| near(p.1, *x))
    })
}

#[test]
fn every_figure_can_be_drawn_from_the_files_alone() {
    let shop = Workshop::with(&[]);
    let mut seen = BTreeSet::new();
    let mut keys = BTreeSet::new();
    for (i, (name, changes)) in RUNS.into_iter().enumerate() {
        let scenario = format!("{ROOT}/scenarios/{name}.toml");
        let arguments = format!("run {scenario} --out {i} --quiet {changes}");
        let status = shop.command(&arguments).status().unwrap();
        assert!([0, 1].contains(&status.code().unwrap()), "{name}");
        let run = Run::read(&shop.path(&i.to_string()));
        for figure in redrawn(&run) {
            let path = shop.path(&format!("{i}/figures/{}.svg", figure.id));
            let drawn = fs::read_to_string(path).unwrap();
            assert!(svg(&figure) == drawn, "{name}: {}", figure.id);
            let curves = measured(&run, &figure.id);
            assert!(!curves.is_empty(), "{name}: {}", figure.id);
            for (i, curve) in curves.iter().enumerate() {
                assert!(
                    is_drawn(curve, &figure),
                    "{name}: {} {i} {curve:?}",
                    figure.id
                );
            }
            seen.insert(figure.id);
        }
        keys.extend(assert_documented(&run, name));
        assert_setting(&run, name, changes);
    }
    let all: BTreeSet<String> = FIGURES.iter().map(|kind| kind.id.to_owned()).collect();
    assert_eq!(seen, all, "a figure that no run here draws");
    let documented: BTreeSet<String> = documented().into_iter().map(|row| row.key).collect();
    assert_eq!(keys, documented, "an array that no run here leaves");
}

/// A row of docs/files.md.
struct Row {
    key: String,
    axes: usize,
    elements: String,
}

fn documented() -> Vec<Row> {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/files.md")).unwrap();
    let (_, table) = page.split_once("## `trajectory.npz`").unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        // "units, or …" is one axis
        let shape = cells[2].split(", or ").next().unwrap();
        Row {
            key: cells[1].trim_end_matches('°').trim_matches('`').to_owned(),
            axes: if shape.is_empty() {
                0
            } else {
                shape.split(", ").count()
            },
            elements: cells[3].to_owned(),
        }
    })
    .collect()
}

/// Whether `name` is `key` with a number for what is in braces.
fn is_named(name: &str, key: &str) -> bool {
    let Some((before, rest)) = key.split_once('{') else {
        return name == key;
    };
    let after = rest.split_once('}').unwrap().1;
    let number = (name.strip_prefix(before)).and_then(|rest| rest.strip_suffix(after));
    number.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Every array is in the table, with its type and number of axes; the keys that were found.
fn assert_documented(run: &Run, name: &str) -> Vec<String> {
    let rows = documented();
    let Entries::Words(units) = &run.arrays["units"].entries else {
        panic!("units are words")
    };
    let mut found = Vec::new();
    for (array, of) in run.arrays.iter().filter(|(array, _)| *array != "units") {
        assert!(
            units.iter().any(|u| u.starts_with(&format!("{array}: "))),
            "{array}"
        );
        if let Some(series) = array.strip_suffix("_saves") {
            assert!(matches!(of.entries, Entries::Integers(_)), "{array}");
            assert_eq!(of.shape, run.arrays[series].shape, "{array}");
            continue;
        }
        let row = rows.iter().find(|row| is_named(array, &row.key));
        let row = row.unwrap_or_else(|| panic!("{name}: {array} is not in docs/files.md"));
        let elements = match &of.entries {
            Entries::Floats(_) => "float64",
            Entries::Complex(_) => "complex128",
            Entries::Integers(_) => "int64",
            Entries::Words(_) => "str",
        };
        assert_eq!(row.elements, elements, "{name}: {array}");
        let matrix = row.key == "feedback_{l}" && of.shape.len() == 2
            || row.key.ends_with("beta") && of.shape.len() == 3;
        assert!(
            matrix || row.axes == of.shape.len(),
            "{name}: {array} {:?}",
            of.shape
        );
        found.push(row.key.clone());
    }
    assert_eq!(units.len() + 1, run.arrays.len());
    found
}

/// What was run is said.
fn assert_setting(run: &Run, name: &str, changes: &str) {
    let report = &run.report;
    let change = changes.strip_prefix("--set ").unwrap();
    assert_eq!(report["overrides"], Value::from(vec![change]), "{name}");
    assert_eq!(report["verb"], "run");
    let page = fs::read_to_string(Path::new(ROOT).join("docs/files.md")).unwrap();
    let (fields, _) = page.split_once("## `trajectory.npz`").unwrap();
    for field in report.as_object().unwrap().keys() {
        assert!(
            fields.contains(&format!("`{field}`")),
            "{name}: {field} is not in docs/files.md"
        );
    }
    let shapes = report["network"]["shapes"].as_array().unwrap();
    assert_eq!(report["network"]["depth"], shapes.len(), "{name}");
    assert_eq!(report["loss"], "exponential");
    let rule = if name == "kolen-pollack" {
        name
    } else {
        "direct-feedback-alignment"
    };
    assert_eq!(report["rule"]["kind"], rule);
    let Entries::Words(scenario) = &run.arrays["scenario"].entries else {
        panic!("a text")
    };
    assert_eq!(report["scenario_text"], scenario[0].as_str(), "{name}");
    let samples = report["dataset"]["samples"].as_u64().unwrap() as usize;
    assert_eq!(run.arrays["X"].shape[0], samples);
    assert_eq!(run.arrays["y"].shape, [samples]);
}
