//! The command line from outside: what it writes, what it prints, and how it ends.
//!
//! Exit codes: 0 as expected, 1 a claim came out otherwise, 2 usage, 4 the solver failed or disagrees with its tighter
//! self, 5 a budget ran out, 65 bad scenario or data, 74 input/output.

use assert_cmd::Command;
use marginflow::claims;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;

/// A folder with a small scenario in it, `three.toml`: DFA of depth 3 on three points of a space of three dimensions,
/// two of them support vectors.
struct Workshop(TempDir);

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
gd-fc = "not-applicable"
"#;

impl Workshop {
    fn new() -> Self {
        let shop = Self(tempfile::tempdir().unwrap());
        shop.file("three.toml", SCENARIO);
        shop.file("x.csv", "1,0.2,0.1\n-1,0.3,0.2\n2,3,-1\n");
        shop.file("y.csv", "1\n-1\n1\n");
        // No hyperplane through the origin has these on its positive side.
        shop.file("around.csv", "1,0.2\n-1,0.3\n0.5,3\n-0.4,-1\n");
        shop.file("xor.csv", "1,1\n-1,-1\n1,-1\n-1,1\n");
        shop.file("ones.csv", "1\n1\n1\n1\n");
        shop
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Runs marginflow in the folder, with arguments separated by blanks, and checks how it ended.
    #[track_caller]
    fn ends(&self, code: i32, arguments: &str) -> Output {
        let output = Command::new(env!("CARGO_BIN_EXE_marginflow"))
            .current_dir(self.0.path())
            .args(arguments.split_whitespace())
            .output()
            .unwrap();
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {output:?}"
        );
        output
    }

    fn report(&self, folder: &str) -> Value {
        serde_json::from_slice(&self.read(folder, "report.json")).unwrap()
    }

    fn read(&self, folder: &str, name: &str) -> Vec<u8> {
        let path = self.path(folder).join(name);
        fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Every file below a folder, by its path from there.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(next) = pending.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                let bytes = fs::read(&path).unwrap();
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), bytes);
            }
        }
    }
    found
}

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    let entries = value.as_array().unwrap().iter();
    entries.map(|x| x.as_f64().unwrap()).collect()
}

/// Paths of every null in a report, with list positions as `*`.
fn nulls(value: &Value, path: &str, found: &mut Vec<String>) {
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
fn array(bytes: &[u8], name: &str) -> (Vec<u64>, Vec<f64>) {
    let mut archive = npyz::npz::NpzArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let array = archive.by_name(name).unwrap();
    let array = array.unwrap_or_else(|| panic!("no array {name}"));
    (array.shape().to_vec(), array.into_vec().unwrap())
}

#[test]
fn a_run_leaves_report_trajectory_figures_and_scenario() {
    let shop = Workshop::new();
    let output = shop.ends(0, "run three.toml");
    // Without --out the folder is out/<scenario name>, and the table says so.
    let folder = "out/three";
    let table = text(&output.stdout);
    for fragment in [
        "Three points of space",
        "prop-1",
        "holds",
        "angle to the limit",
        folder,
    ] {
        assert!(table.contains(fragment), "{fragment} not in\n{table}");
    }
    for id in claims::ids() {
        assert!(table.contains(id), "{id}");
    }

    let report = shop.report(folder);
    check_contract(&report);
    assert_eq!(report["status"], "completed");
    assert_eq!(report["scenario"], "three");
    assert_eq!(report["solver"]["method"], "bdf");
    assert_eq!(report["solver"]["unknowns"], 3 * 4 + 4 * 2 + 2 + 3);
    assert_eq!(report["final"]["log_log_time"], 30.0);
    assert_eq!(report["limit"]["kind"], "max-margin");
    assert_eq!(numbers(&report["final"]["beta"]).len(), 3);
    assert_eq!(numbers(&report["final"]["layer_norms"]).len(), 3);
    assert_eq!(report["rate"]["window"].as_array().unwrap().len(), 2);
    // A completed run on separable data lacks nothing but what its claims have no number for.
    let mut missing = Vec::new();
    nulls(&report, "", &mut missing);
    missing.sort();
    missing.dedup();
    let allowed = [
        ".claims.*.residual",
        ".claims.*.tolerance",
        ".message",
        ".verification",
    ];
    assert_eq!(missing, allowed);
    for claim in report["claims"].as_array().unwrap() {
        if claim["residual"].is_null() || claim["tolerance"].is_null() {
            assert_eq!(claim["verdict"], "not-applicable", "{claim}");
        }
    }

    check_trajectory(&shop.read(folder, "trajectory.npz"), &report);

    let written = files(&shop.path(folder));
    let figures: Vec<&str> = marginflow::figures::FIGURES.iter().map(|f| f.id).collect();
    assert!(figures.len() >= 5);
    for id in &figures {
        let svg = text(&written[Path::new(&format!("figures/{id}.svg"))]).to_owned();
        assert!(
            svg.contains("<svg") && svg.trim_end().ends_with("</svg>"),
            "{id}"
        );
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{id}");
        let png = &written[Path::new(&format!("figures/{id}.png"))];
        assert!(
            png.starts_with(b"\x89PNG\r\n\x1a\n") && png.len() > 1000,
            "{id}"
        );
        assert!(png.ends_with(b"IEND\xaeB`\x82"), "{id} is cut off");
    }
    // Nothing else, no temporary file left behind.
    assert_eq!(written.len(), 3 + 2 * figures.len(), "{:?}", written.keys());

    // The scenario beside the results runs from any folder and finds the same end.
    let copy = tempfile::tempdir().unwrap();
    let moved = copy.path().join("moved.toml");
    fs::write(&moved, &written[Path::new("scenario.toml")]).unwrap();
    let moved = moved.to_str().unwrap();
    shop.ends(0, &format!("run {moved} --out again --quiet"));
    let again = shop.report("again");
    assert_eq!(again["final"], report["final"]);
    assert_eq!(again["claims"], report["claims"]);
    assert_eq!(again["scenario"], "moved");
}

/// The keys of report.json that scripts rely on.
fn check_contract(report: &Value) {
    assert_eq!(report["format"], "marginflow-report/1");
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
    let digest = report["scenario_sha256"].as_str().unwrap();
    assert!(
        digest.len() == 64 && digest.chars().all(|c| c.is_ascii_hexdigit()),
        "{digest}"
    );
    let contract = [
        (
            "",
            "format version scenario_sha256 status final limit invariants rate claims steps solver",
        ),
        (
            "/final",
            "log_log_time log_time min_margin log_loss beta layer_norms angle_to_limit kkt_residual duality_gap",
        ),
        ("/limit", "kind beta duality_gap support"),
        ("/rate", "observed predicted window"),
        ("/claims/0", "id verdict residual tolerance evidence"),
        (
            "/solver",
            "method steps rejected_steps newton_failures rhs_evaluations jacobian_evaluations unknowns wall_seconds",
        ),
        ("/invariants", "log-multipliers"),
    ];
    for (at, expected) in contract {
        let found = report.pointer(at).unwrap();
        if found.is_null() {
            assert_eq!(at, "/rate", "{at} is null");
            continue;
        }
        for key in expected.split(' ') {
            assert!(keys(found).contains(&key), "{at}/{key} is missing");
        }
    }
    let ids = report["claims"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["id"].as_str().unwrap());
    assert!(ids.eq(claims::ids()));
    assert!(report["steps"].is_array());
    for (name, drift) in report["invariants"].as_object().unwrap() {
        assert!(drift.as_f64().unwrap() >= 0.0, "{name}: {drift}");
    }
}

/// Names and shapes of every array, and the report's final numbers among them.
fn check_trajectory(npz: &[u8], report: &Value) {
    let (saves, samples, dimension, depth) = (61, 3, 3, 3);
    let shapes: [(&str, &[u64]); 17] = [
        ("log_log_time", &[saves]),
        ("log_time", &[saves]),
        ("log_loss", &[saves]),
        ("min_margin", &[saves]),
        ("multiplier_drift", &[saves]),
        ("angle_to_limit", &[saves]),
        ("margins", &[saves, samples]),
        ("log_multipliers", &[saves, samples]),
        ("beta", &[saves, dimension]),
        ("layer_norms", &[saves, depth]),
        ("w_1", &[saves, 3, 4]),
        ("w_2", &[saves, 4, 2]),
        ("w_3", &[saves, 2, 1]),
        ("phi", &[saves, depth - 1]),
        ("phi_closed_form", &[saves, depth - 1]),
        ("alignment_residual", &[saves, depth]),
        // At the start β = 0, and nothing can be certified.
        ("certified", &[saves - 1]),
    ];
    for (name, expected) in shapes {
        let (shape, values) = array(npz, name);
        assert_eq!(shape, expected, "{name}");
        assert!(values.iter().all(|x| x.is_finite()), "{name}");
    }
    let certified = array(npz, "certified").1;
    for name in ["kkt_residual", "duality_gap"] {
        let values = array(npz, name).1;
        assert_eq!(values.len(), certified.len(), "{name}");
        assert_eq!(values.last().copied(), report["final"][name].as_f64());
    }
    for name in [
        "log_log_time",
        "log_time",
        "min_margin",
        "log_loss",
        "angle_to_limit",
    ] {
        let values = array(npz, name).1;
        assert_eq!(
            values.last().copied(),
            report["final"][name].as_f64(),
            "{name}"
        );
    }
    let beta = array(npz, "beta").1;
    let last = &beta[beta.len() - 3..];
    assert_eq!(last, numbers(&report["final"]["beta"]));
    let norms = array(npz, "layer_norms").1;
    assert_eq!(
        norms[norms.len() - 3..],
        numbers(&report["final"]["layer_norms"])
    );
    // β = w_1 w_2 w_3 with the layers as numpy sees them, rows of inputs.
    let end = |name: &str, size: usize| array(npz, name).1.split_off((saves as usize - 1) * size);
    let (w_1, w_2, w_3) = (end("w_1", 12), end("w_2", 8), end("w_3", 2));
    for (d, expected) in last.iter().enumerate() {
        let product: f64 = (0..4)
            .map(|i| w_1[4 * d + i] * (w_2[2 * i] * w_3[0] + w_2[2 * i + 1] * w_3[1]))
            .sum();
        assert!(
            (product / expected - 1.0).abs() < 1e-12,
            "{product} {expected}"
        );
    }
}

#[test]
fn equal_runs_leave_equal_bytes_and_replace_what_was_there() {
    let shop = Workshop::new();
    let printed = shop.ends(0, "run three.toml --out a --format json");
    let first = files(&shop.path("a"));
    assert_eq!(printed.stdout, first[Path::new("report.json")]);
    assert!(printed.stderr.is_empty(), "{printed:?}");
    // Over spoilt files: all of them are written anew.
    for path in first.keys() {
        fs::write(shop.path("a").join(path), "spoilt").unwrap();
    }
    let silent = shop.ends(0, "run three.toml --out a --quiet");
    assert!(
        silent.stdout.is_empty() && silent.stderr.is_empty(),
        "{silent:?}"
    );
    let second = files(&shop.path("a"));
    assert!(first.keys().eq(second.keys()));
    for (path, before) in &first {
        let after = &second[path];
        if path != Path::new("report.json") {
            assert_eq!(before, after, "{}", path.display());
            continue;
        }
        // The wall clock is the one number that may differ.
        let timeless = |bytes: &[u8]| {
            let lines = text(bytes).lines().map(str::to_owned);
            let (clock, rest): (Vec<_>, Vec<_>) =
                lines.partition(|l| l.contains("\"wall_seconds\""));
            assert_eq!(clock.len(), 1);
            rest
        };
        assert_eq!(timeless(before), timeless(after));
    }
}

#[test]
fn assignments_change_the_run_and_its_scenario() {
    let shop = Workshop::new();
    let output = shop.ends(
        0,
        "run three.toml --out a --format json --set flow.until.log-time=1e5 --set flow.method=esdirk34 \
         --set flow.saves=11",
    );
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["solver"]["method"], "esdirk34");
    assert!((report["final"]["log_time"].as_f64().unwrap() / 1e5 - 1.0).abs() < 1e-12);
    assert_eq!(array(&shop.read("a", "trajectory.npz"), "log_time").0, [11]);
    let resolved = shop.read("a", "scenario.toml");
    for fragment in ["log-time = 1e5", "esdirk34", "saves = 11"] {
        assert!(text(&resolved).contains(fragment), "{}", text(&resolved));
    }
    assert!(
        !text(&resolved).contains("until.log-log-time"),
        "{}",
        text(&resolved)
    );
}

#[test]
fn verification_compares_with_a_tighter_run() {
    let shop = Workshop::new();
    let base = "run three.toml --out a --verify --format json --set flow.until.log-log-time=12";
    let report = shop.ends(0, base).stdout;
    let report: Value = serde_json::from_slice(&report).unwrap();
    let verification = &report["verification"];
    assert_eq!(verification["agrees"], true);
    assert_eq!(verification["rtol"], 1e-8);
    let number = |key: &str| verification[key].as_f64().unwrap();
    assert!(number("angle_between") <= number("stated_accuracy"));
    assert!(number("stated_accuracy") <= 1.1e-4 * number("angle_to_limit"));
    assert!(number("relative_difference_of_min_margin") < 1e-6);
    // A budget that is enough for the run but not for the tighter one: nothing is verified, and that is a failure.
    let steps = report["solver"]["steps"].as_u64().unwrap();
    let spent = format!("{base} --set flow.max-steps={}", steps + 1);
    let report: Value = serde_json::from_slice(&shop.ends(4, &spent).stdout).unwrap();
    assert_eq!(report["status"], "completed");
    assert_eq!(report["verification"]["agrees"], false);
    assert_eq!(report["verification"]["status"], "budget-steps");
}

#[test]
fn an_unexpected_verdict_ends_with_1_and_a_spent_budget_with_5() {
    let shop = Workshop::new();
    let wrong =
        "run three.toml --out a --set flow.until.log-log-time=10 --set expect.prop-1=violated";
    let output = shop.ends(1, wrong);
    let table = text(&output.stdout);
    assert!(
        table.contains("UNEXPECTED: prop-1 came out holds, the scenario expects violated"),
        "{table}"
    );

    let output = shop.ends(5, "run three.toml --set flow.max-steps=10 --out b");
    assert!(text(&output.stdout).contains("NOT COMPLETED"));
    let report = shop.report("b");
    check_contract(&report);
    assert_eq!(report["status"], "budget-steps");
    assert_eq!(report["solver"]["steps"], 10);
    let message = report["message"].as_str().unwrap();
    for fragment in ["budget of 10 steps", "log-log-time", "raise flow.max-steps"] {
        assert!(message.contains(fragment), "{message}");
    }
    let prop_1 = &report["claims"][0];
    assert_eq!(
        (&prop_1["id"], &prop_1["verdict"]),
        (&"prop-1".into(), &"inconclusive".into())
    );
    let reached = array(&shop.read("b", "trajectory.npz"), "log_log_time").1;
    assert_eq!(
        reached.last().copied(),
        report["final"]["log_log_time"].as_f64()
    );
}

#[test]
fn data_without_a_separator_are_refused_or_run_without_a_limit() {
    let shop = Workshop::new();
    let data = |name: &str| {
        format!("--set dataset.files.samples={name} --set dataset.files.labels=ones.csv")
    };
    let (xor, around) = (data("xor.csv"), data("around.csv"));
    for verb in ["run", "limit"] {
        let output = shop.ends(65, &format!("{verb} three.toml {xor}"));
        let message = text(&output.stderr);
        // The opposite pairs are samples 1 and 2, and 3 and 4: either proves it.
        let named =
            message.contains("1 (0.500), 2 (0.500)") || message.contains("3 (0.500), 4 (0.500)");
        assert!(named, "{message}");
        for fragment in [
            "not separable",
            "vanishes",
            "constant feature",
            "--allow-nonseparable",
        ] {
            assert!(message.contains(fragment), "{message}");
        }
    }
    assert!(!shop.path("out").exists());

    let allowed = format!(
        "run three.toml --allow-nonseparable --out a {around} --set flow.until.log-log-time=12 \
         --set expect.prop-1=not-applicable --set initial.gaussian.scale=0.1 --set initial.gaussian.seed=1"
    );
    shop.ends(0, &allowed);
    let report = shop.report("a");
    check_contract(&report);
    assert_eq!(report["status"], "completed");
    // Without a separator the loss has a minimum, and the flow ends there long before the horizon.
    assert_eq!(report["final"]["log_log_time"], 12.0);
    assert!(report["message"].as_str().unwrap().contains("came to rest"));
    assert_eq!(report["limit"]["kind"], "none");
    assert!(report["final"]["angle_to_limit"].is_null());
    assert!(report["final"]["min_margin"].as_f64().unwrap() < 0.0);
    for claim in report["claims"].as_array().unwrap() {
        assert_eq!(claim["verdict"], "not-applicable", "{claim}");
    }
    let allowed = format!("limit three.toml --allow-nonseparable {around}");
    assert!(text(&shop.ends(0, &allowed).stdout).contains("no limit"));
    let output = shop.ends(0, &format!("{allowed} --format json"));
    let limit: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(limit["kind"], "none");
}

/// Every error: how it ends, and what its message holds of what is wrong, where, and what to do. Nothing is written.
#[test]
fn errors_say_what_where_and_what_to_do() {
    let shop = Workshop::new();
    shop.file("ragged.csv", "1,2,3\n4,5\n");
    let cases = [
        ("", 2, "Usage: marginflow | Commands:"),
        (
            "frobnicate",
            2,
            "unrecognized subcommand | 'frobnicate' | try '--help'",
        ),
        (
            "run",
            2,
            "arguments were not provided | <SCENARIO> | try '--help'",
        ),
        (
            "run three.toml --frob",
            2,
            "unexpected argument | '--frob' | Usage",
        ),
        (
            "run three.toml --format xml",
            2,
            "invalid value 'xml' | --format | values: text, json",
        ),
        (
            "run three.toml --set flow.rtol",
            2,
            "expected key=value | --set flow.rtol: | e.g. --set",
        ),
        (
            "run three.toml --set flow.saves.x=1",
            2,
            "`flow.saves` is not a table | --set flow.saves.x=1",
        ),
        (
            "explain",
            2,
            "arguments were not provided | <ID> | try '--help'",
        ),
        (
            "explain thm-9",
            2,
            "there is no claim \"thm-9\" | the claims are prop-1, thm-1",
        ),
        (
            "claims --markdown --format json",
            2,
            "cannot be used with | --markdown | Usage",
        ),
        (
            "run nowhere.toml",
            65,
            "cannot read the scenario | nowhere.toml",
        ),
        (
            "run three.toml --set flow.rtl=1e-8",
            65,
            "unknown key `rtl`; did you mean `rtol`? | three.toml (after --set): | ^ | known here: until",
        ),
        (
            "run three.toml --set dataset.files.samples=gone.csv",
            65,
            "cannot read | gone.csv | three.toml (after --set): | ^ | relative to the folder of the scenario",
        ),
        (
            "run three.toml --set dataset.files.samples=ragged.csv",
            65,
            "ragged.csv, row 2: | 2 fields, but row 1 has 3",
        ),
        (
            "run three.toml --set rule=gradient-descent",
            65,
            "never leaves this initialisation | three.toml (after --set): | ^ | use initial.gaussian",
        ),
        (
            "run three.toml --set initial.gaussian.scale=1e99 --set initial.gaussian.seed=1 \
             --set network.fully-connected-linear.depth=5 --set network.fully-connected-linear.hidden=[3,3,3,3]",
            4,
            "not finite at t = 0 | margins of the initial weights | scale the data or the initial weights down",
        ),
        // A folder below a file cannot be made, whoever asks.
        (
            "run three.toml --out x.csv",
            74,
            "x.csv | cannot write | --out",
        ),
        (
            "run three.toml --out x.csv/deep/er",
            74,
            "x.csv | cannot write | --out",
        ),
    ];
    let before = files(shop.0.path());
    for (arguments, code, fragments) in cases {
        let output = shop.ends(code, arguments);
        assert!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
        let message = text(&output.stderr);
        for fragment in fragments.split(" | ") {
            assert!(
                message.contains(fragment),
                "{arguments:?}: `{fragment}` not in\n{message}"
            );
        }
        assert!(!message.contains("panicked"), "{message}");
    }
    assert_eq!(files(shop.0.path()), before);
    assert!(!shop.path("out").exists());
}

#[test]
fn limit_is_the_maximum_margin_separator() {
    let shop = Workshop::new();
    let printed = shop.ends(0, "limit three.toml --format json").stdout;
    let limit: Value = serde_json::from_slice(&printed).unwrap();
    assert_eq!(limit["kind"], "max-margin");
    let (beta, multipliers) = (numbers(&limit["beta"]), numbers(&limit["multipliers"]));
    let signed = [[1.0, 0.2, 0.1], [1.0, -0.3, -0.2], [2.0, 3.0, -1.0]];
    let support: Vec<usize> = numbers(&limit["support"])
        .iter()
        .map(|n| *n as usize)
        .collect();
    // The conditions of optimality: margins ≥ 1, multipliers ≥ 0, no multiplier without margin 1, β = Gᵀa.
    for (n, g) in signed.iter().enumerate() {
        let margin: f64 = g.iter().zip(&beta).map(|(g, b)| g * b).sum();
        assert!(margin > 1.0 - 1e-12);
        if support.contains(&n) {
            assert!(multipliers[n] > 0.0 && (margin - 1.0).abs() < 1e-12);
        } else {
            assert!(multipliers[n] == 0.0);
        }
    }
    for (d, b) in beta.iter().enumerate() {
        let combined: f64 = (0..3).map(|n| multipliers[n] * signed[n][d]).sum();
        assert!((combined - b).abs() < 1e-12);
    }
    assert!(limit["duality_gap"].as_f64().unwrap() < 1e-12);
    let table = shop.ends(0, "limit three.toml").stdout;
    let norm = beta.iter().map(|b| b * b).sum::<f64>().sqrt();
    for fragment in [
        "max-margin",
        &format!("margin {:.6e}", 1.0 / norm),
        "2 support vectors",
    ] {
        assert!(text(&table).contains(fragment), "{}", text(&table));
    }
    assert!(!shop.path("out").exists());
}

#[test]
fn claims_are_listed_and_explained() {
    let shop = Workshop::new();
    let list = shop.ends(0, "claims").stdout;
    let found = text(&list)
        .lines()
        .map(|line| line.split_whitespace().next().unwrap());
    assert!(found.eq(claims::ids()));
    let printed = shop.ends(0, "claims --format json").stdout;
    let list: Vec<Value> = serde_json::from_slice(&printed).unwrap();
    assert!(
        list.iter()
            .map(|c| c["id"].as_str().unwrap())
            .eq(claims::ids())
    );
    for (entry, claim) in list.iter().zip(claims::CLAIMS) {
        assert_eq!(entry["printed"], claim.printed);
        assert_eq!(entry["corrected"], claim.corrected);
        assert_eq!(entry["check"], claim.check);
        let explained = shop.ends(0, &format!("explain {}", claim.id)).stdout;
        for part in [claim.id, claim.printed, claim.corrected, claim.check] {
            assert!(text(&explained).contains(part), "{part}");
        }
    }
    let printed = shop.ends(0, "claims --markdown").stdout;
    assert_eq!(text(&printed), claims::markdown());
}

#[test]
fn the_page_of_claims_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/claims.md");
    let page = fs::read_to_string(path).unwrap_or_default();
    assert!(
        page == claims::markdown(),
        "docs/claims.md differs from the code; write it anew: cargo run -- claims --markdown > docs/claims.md"
    );
}

#[test]
fn help_names_every_verb() {
    let shop = Workshop::new();
    let help = shop.ends(0, "--help").stdout;
    for verb in ["run", "limit", "claims", "explain"] {
        assert!(text(&help).contains(verb), "{verb}");
        assert!(
            text(&shop.ends(0, &format!("{verb} --help")).stdout).contains("Usage"),
            "{verb}"
        );
    }
    let version = shop.ends(0, "--version").stdout;
    assert_eq!(
        text(&version),
        concat!("marginflow ", env!("CARGO_PKG_VERSION"), "\n")
    );
}
