//! `report.json` and `trajectory.npz` hold everything that was measured: every figure can be drawn again from them, and
//! the arrays are those that docs/files.md lists.

use super::program::{ROOT, Workshop};
use marginflow::figures::{self, Axis, FIGURES, Figure, GREY, Panel, Scale, Series, Style, Window};
use num_complex::Complex64;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Cursor;
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

enum Entries {
    Floats(Vec<f64>),
    Complex(Vec<Complex64>),
    Integers(Vec<i64>),
    Words(Vec<String>),
}

struct Array {
    shape: Vec<usize>,
    entries: Entries,
}

/// The files of a run, read as a script would read them.
struct Run {
    report: Value,
    arrays: BTreeMap<String, Array>,
}

impl Run {
    fn read(folder: &Path) -> Self {
        let report = fs::read(folder.join("report.json")).unwrap();
        let archive = fs::read(folder.join("trajectory.npz")).unwrap();
        let mut archive = npyz::npz::NpzArchive::new(Cursor::new(&archive[..])).unwrap();
        let names: Vec<String> = archive.array_names().map(str::to_owned).collect();
        let arrays = names.into_iter().map(|name| {
            let array = archive.by_name(&name).unwrap().unwrap();
            let shape = array.shape().iter().map(|n| *n as usize).collect();
            let entries = match array.dtype().descr().as_str() {
                "'<f8'" => Entries::Floats(array.into_vec().unwrap()),
                "'<c16'" => Entries::Complex(array.into_vec().unwrap()),
                "'<i8'" => Entries::Integers(array.into_vec().unwrap()),
                text if text.starts_with("'<U") => Entries::Words(array.into_vec().unwrap()),
                other => panic!("{name}: {other}"),
            };
            (name, Array { shape, entries })
        });
        Self {
            arrays: arrays.collect(),
            report: serde_json::from_slice(&report).unwrap(),
        }
    }

    fn floats(&self, name: &str) -> &[f64] {
        match &self.arrays[name].entries {
            Entries::Floats(values) => values,
            _ => panic!("{name} is not float64"),
        }
    }

    fn saves(&self) -> usize {
        self.floats("log_time").len()
    }

    /// The columns of a table of saves × columns.
    fn columns(&self, name: &str) -> Vec<Vec<f64>> {
        let width = self.arrays[name].shape[1];
        let values = self.floats(name);
        (0..width)
            .map(|j| values.iter().skip(j).step_by(width).copied().collect())
            .collect()
    }

    fn complex(&self, name: &str) -> &[Complex64] {
        match &self.arrays[name].entries {
            Entries::Complex(values) => values,
            _ => panic!("{name} is not complex128"),
        }
    }

    fn indices(&self, name: &str) -> Vec<usize> {
        match &self.arrays[name].entries {
            Entries::Integers(values) => values.iter().map(|k| *k as usize).collect(),
            _ => panic!("{name} is not int64"),
        }
    }

    /// A series that is not defined everywhere, NaN where it is not.
    fn sparse(&self, name: &str, saves: &str) -> Vec<f64> {
        let mut full = vec![f64::NAN; self.saves()];
        for (k, x) in self.indices(saves).into_iter().zip(self.floats(name)) {
            full[k] = *x;
        }
        full
    }

    fn defined(&self, name: &str) -> Vec<f64> {
        self.sparse(name, &format!("{name}_saves"))
    }
}

/// The figures of a report, with the arrays that they name.
fn redrawn(run: &Run) -> Vec<Figure> {
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let axis = |v: &Value| Axis {
        label: text(&v["label"]),
        scale: match v["scale"].as_str().unwrap() {
            "linear" => Scale::Linear,
            "whole" => Scale::Whole,
            "log10" => Scale::Log10,
            other => panic!("{other}"),
        },
        range: range(&v["range"]),
    };
    let numbers = |v: &Value| -> Vec<f64> {
        let of = v.as_array().unwrap().iter();
        of.map(|x| x.as_f64().unwrap_or(f64::NAN)).collect()
    };
    let series = |v: &Value| {
        let x = match &v["x"] {
            Value::String(name) => run.floats(name).to_vec(),
            listed => numbers(listed),
        };
        let y = numbers(&v["y"]);
        assert_eq!(x.len(), y.len());
        Series {
            label: v["label"].as_str().map(str::to_owned),
            points: x.into_iter().zip(y).collect(),
            style: match v["style"].as_str().unwrap() {
                "line" => Style::Line,
                "dashed" => Style::Dashed,
                "points" => Style::Points,
                "band" => Style::Band,
                "reference" => Style::Reference,
                other => panic!("{other}"),
            },
            colour: v["colour"].as_u64().map_or(GREY, |c| c as usize),
            opacity: v["opacity"].as_f64().unwrap(),
        }
    };
    let panel = |v: &Value| Panel {
        title: text(&v["title"]),
        x: axis(&v["x"]),
        y: axis(&v["y"]),
        window: range(&v["window"]["range"]).map(|range| Window {
            label: text(&v["window"]["label"]),
            range,
        }),
        equal_units: v["equal_units"].as_bool().unwrap(),
        series: v["series"].as_array().unwrap().iter().map(series).collect(),
    };
    let figures = run.report["figures"].as_array().unwrap().iter();
    figures
        .map(|v| Figure {
            id: text(&v["id"]),
            title: text(&v["title"]),
            subtitle: text(&v["subtitle"]),
            caption: text(&v["caption"]),
            panels: v["panels"].as_array().unwrap().iter().map(panel).collect(),
        })
        .collect()
}

fn range(v: &Value) -> Option<(f64, f64)> {
    Some((v[0].as_f64()?, v[1].as_f64()?))
}

/// What is drawn on logarithmic axes instead of zero.
fn floored(values: Vec<f64>) -> Vec<f64> {
    let floor = |x: f64| if x < 1e-17 { 1e-17 } else { x };
    values.into_iter().map(floor).collect()
}

fn over(values: &[f64], by: &[f64]) -> Vec<f64> {
    values.iter().zip(by).map(|(x, y)| x / y).collect()
}

/// Curves of a figure, computed from the arrays alone.
fn measured(run: &Run, figure: &str) -> Vec<Vec<f64>> {
    let number = |pointer: &str| run.report.pointer(pointer).unwrap().as_f64().unwrap();
    let of_certified = |name: &str| floored(run.sparse(name, "certified"));
    let relu = run.arrays.contains_key("unit_norms");
    match figure {
        "angle-to-limit" if run.arrays.contains_key("angle_to_limit") => {
            vec![run.floats("angle_to_limit").to_vec()]
        }
        "angle-to-limit" => vec![run.defined("feature_angle")],
        "candidates" => {
            let mut curves = run.columns("candidate_angles");
            curves.push(run.floats("angle_to_limit").to_vec());
            curves.into_iter().map(floored).collect()
        }
        "spectrum" => moduli(run),
        "neurons" => turns(run),
        "margins" => {
            let margins = run.columns("margins").into_iter();
            margins.map(|m| over(&m, run.floats("log_time"))).collect()
        }
        "norms" => {
            let mut curves = run.columns("layer_norms");
            let loss: Vec<f64> = run.floats("log_loss").iter().map(|l| -l).collect();
            curves.push(over(&loss, run.floats("log_time")));
            curves
        }
        "alignment" => {
            let left = run.columns("alignment_residual").into_iter().map(floored);
            run.columns("phi").into_iter().chain(left).collect()
        }
        "phases" => {
            let mut curves = arguments(run);
            curves.extend(run.columns("largest_phase"));
            curves
        }
        "swept-area" => {
            let areas = run.columns("swept_area").into_iter();
            (run.indices("frequencies").into_iter().zip(areas))
                .filter(|(d, _)| turns_in_the_plane(*d))
                .map(|(_, area)| area.into_iter().map(|a| 2.0 * a.abs()).collect())
                .collect()
        }
        "certificate" if relu => vec![of_certified("duality_gap")],
        "certificate" => vec![
            of_certified("kkt_residual"),
            of_certified("duality_gap"),
            floored(run.defined("accumulated_gap")),
        ],
        "sandwich" => {
            let least = number("/final/sandwich/least");
            let below: Vec<f64> = run
                .floats("accumulated")
                .iter()
                .map(|a| a / least)
                .collect();
            ["dual_of_z", "radius"]
                .map(|name| run.floats(name).to_vec())
                .into_iter()
                .chain([below])
                .collect()
        }
        "invariants" => {
            let mut drifts = run.columns("invariant_drift");
            drifts.push(run.floats("multiplier_drift").to_vec());
            let sizes = drifts
                .into_iter()
                .map(|d| d.into_iter().map(f64::abs).collect());
            sizes.map(floored).collect()
        }
        "singular-values" => run
            .columns("relative_area")
            .into_iter()
            .map(floored)
            .collect(),
        "output-weights" => {
            let weights = run.columns("output_weights");
            let norm = |k: usize| weights.iter().map(|w| w[k] * w[k]).sum::<f64>().sqrt();
            let norms: Vec<f64> = (0..run.saves()).map(norm).collect();
            weights.iter().map(|w| over(w, &norms)).collect()
        }
        "kkt" => {
            let mut curves: Vec<Vec<f64>> = ["feedback_kkt", "gradient_kkt", "epsilon", "delta"]
                .map(|name| floored(run.defined(name)))
                .into();
            curves.push(run.floats("normalised_margin").to_vec());
            curves
        }
        "dfa-margin" => vec![
            run.defined("feedback_margin"),
            run.defined("smoothed_margin"),
        ],
        "finite-steps" => (1..)
            .take_while(|i| run.arrays.contains_key(&format!("steps_{i}_k")))
            .map(|i| {
                let loss = run.floats(&format!("steps_{i}_log_loss"));
                // the curves begin after the start
                loss[1..].iter().map(|l| loss[0] - l).collect()
            })
            .collect(),
        "step-sizes" => {
            let distances = run.report["order"]["distances"].as_array().unwrap();
            vec![
                distances
                    .iter()
                    .map(|pair| pair[1].as_f64().unwrap())
                    .collect(),
            ]
        }
        other => panic!("{other}: say here how to compute it from the files"),
    }
}

/// Whether the transform at frequency d of eight samples is complex.
fn turns_in_the_plane(d: usize) -> bool {
    d != 0 && d != 4
}

/// arg φ_l of every layer and frequency; NaN where there is none.
fn arguments(run: &Run) -> Vec<Vec<f64>> {
    let [saves, layers, frequencies] = run.arrays["phi_hat"].shape[..] else {
        panic!("three axes")
    };
    let phi = run.complex("phi_hat");
    let known = run.indices("frequencies");
    let pairs = (0..layers).flat_map(|l| (0..frequencies).map(move |f| (l, f)));
    pairs
        .filter(|(_, f)| turns_in_the_plane(known[*f]))
        .map(|(l, f)| {
            let at = |k: usize| phi[(k * layers + l) * frequencies + f];
            let argument = |z: Complex64| if z.norm() == 0.0 { f64::NAN } else { z.arg() };
            (0..saves).map(|k| argument(at(k))).collect()
        })
        .collect()
}

/// |β̂_d|/‖β‖ at the end of a convolutional run, and of its limit, by the sum that defines them.
fn moduli(run: &Run) -> Vec<Vec<f64>> {
    let end: Vec<f64> = run
        .columns("beta")
        .iter()
        .map(|b| b[run.saves() - 1])
        .collect();
    [&end[..], run.floats("limit_beta")]
        .map(|beta| {
            let size = beta.iter().map(|x| x * x).sum::<f64>().sqrt();
            let count = beta.len() as f64;
            (0..=beta.len() / 2)
                .map(|d| {
                    let turn = |j: usize| -std::f64::consts::TAU * (d * j) as f64 / count;
                    let terms = beta.iter().enumerate();
                    let sum: Complex64 =
                        terms.map(|(j, x)| Complex64::from_polar(*x, turn(j))).sum();
                    sum.norm() / count.sqrt() / size
                })
                .collect()
        })
        .into()
}

/// How far every unit has turned from its start, degrees.
fn turns(run: &Run) -> Vec<Vec<f64>> {
    let [saves, inputs, units] = run.arrays["w_1"].shape[..] else {
        panic!("three axes")
    };
    let w = run.floats("w_1");
    let unit = |k: usize, j: usize| -> Vec<f64> {
        let column: Vec<f64> = (0..inputs)
            .map(|i| w[(k * inputs + i) * units + j])
            .collect();
        let size = column.iter().map(|x| x * x).sum::<f64>().sqrt();
        column.into_iter().map(|x| x / size).collect()
    };
    let turned = |k: usize, j: usize| -> f64 {
        let (a, b) = (unit(0, j), unit(k, j));
        let (mut less, mut more) = (0.0, 0.0);
        for (x, y) in a.iter().zip(&b) {
            less += (x - y) * (x - y);
            more += (x + y) * (x + y);
        }
        2.0 * f64::atan2(less.sqrt(), more.sqrt()).to_degrees()
    };
    (0..units)
        .map(|j| (0..saves).map(|k| turned(k, j)).collect())
        .collect()
}

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
            let svg = shop.path(&format!("{i}/figures/{}.svg", figure.id));
            let drawn = fs::read_to_string(svg).unwrap();
            assert!(figures::svg(&figure) == drawn, "{name}: {}", figure.id);
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
            || row.key == "beta" && of.shape.len() == 3;
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
