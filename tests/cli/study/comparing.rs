//! `compare-runs`.

use super::super::program::text;
use super::{SCENARIO, Workshop, rows, shop};
use std::fs;

#[test]
fn finished_runs_are_laid_over_each_other() {
    let shop = shop();
    shop.ends(0, "run small.toml --out a/run --no-figures --quiet");
    let other = "--set rule=gradient-descent --set flow.saves=30 --set flow.until.log-log-time=9.0";
    shop.ends(
        0,
        &format!("run small.toml --out b/run --no-figures --quiet {other}"),
    );
    let output = shop.ends(0, "compare-runs a/run b/run --out both");
    assert!(text(&output.stdout).contains("a/run"), "{output:?}");
    let table = rows(&shop, "both", "table.csv");
    let labels: Vec<&str> = table.iter().map(|row| &row["run"][..]).collect();
    assert_eq!(labels, ["a/run", "b/run"]);
    let report = shop.report("b/run");
    assert_eq!(
        table[1]["final.log_loss"],
        report["final"]["log_loss"].to_string()
    );
    for name in [
        "angle-to-limit",
        "log-loss",
        "min-margin",
        "margin-over-layer-norms",
        "duality-gap",
    ] {
        assert!(
            shop.path(&format!("both/figures/{name}.svg")).is_file(),
            "{name}"
        );
    }
    assert!(shop.path("both/curves.npz").is_file());
}

/// Runs of two-layer ReLU networks move side by side on the page, whatever their horizons; others have no such drawing.
#[test]
fn units_of_two_rules_share_a_slider() {
    let shop = Workshop::with(&[("small.toml", SCENARIO), ("small.relu.toml", RELU)]);
    let other = "--set rule=gradient-descent --set flow.until.log-log-time=4.0 --set flow.saves=7";
    shop.ends(0, "run small.relu.toml --out dfa --no-figures --quiet");
    shop.ends(
        0,
        &format!("run small.relu.toml --out bp --no-figures --quiet {other}"),
    );
    shop.ends(0, "run small.toml --out linear --no-figures --quiet");
    shop.ends(0, "compare-runs dfa bp linear --out all");
    let page = fs::read_to_string(shop.path("all/index.html")).unwrap();
    assert_eq!(page.matches("class=\"plane\"").count(), 2);
    assert!(page.contains("<h3>dfa</h3>") && page.contains("<h3>bp</h3>"));
    // the same numbers as on the page of the run alone
    shop.ends(0, "run small.relu.toml --out alone --quiet");
    let alone = fs::read_to_string(shop.path("alone/report.html")).unwrap();
    let units = |page: &str| {
        let (_, rest) = page.split_once("\"units\":").unwrap();
        rest.split_once(",\"weights\"").unwrap().0.to_owned()
    };
    assert_eq!(units(&page), units(&alone));
    shop.ends(0, "compare-runs linear --out one");
    let page = fs::read_to_string(shop.path("one/index.html")).unwrap();
    assert!(!page.contains("id=\"motion-time\""));
    shop.ends(0, "compare-runs dfa bp --out bare --no-figures");
    assert!(!shop.path("bare/index.html").exists());
}

const RELU: &str = r#"
[dataset.gaussian-random-labels]
dimension = 2
samples = 4
seed = 3
[network.relu]
hidden = [6]
smoothing = 0.1
[rule.direct-feedback-alignment]
feedback.gaussian.seed = 7
[initial]
gaussian = { scale = 0.3, seed = 3 }
[flow]
until.log-log-time = 6.0
saves = 20
"#;

#[test]
fn folders_without_a_finished_run_are_told_apart() {
    let shop = shop();
    shop.ends(0, "run small.toml --out good --no-figures --quiet");
    shop.ends(
        5,
        "run small.toml --out short --no-figures --quiet --set flow.max-steps=5",
    );
    shop.ends(0, "study plan small.toml --out study");
    fs::create_dir(shop.path("empty")).unwrap();
    fs::create_dir(shop.path("foreign")).unwrap();
    fs::write(
        shop.path("foreign/report.json"),
        "{\"format\": \"other/1\"}",
    )
    .unwrap();
    fs::create_dir(shop.path("broken")).unwrap();
    fs::write(shop.path("broken/report.json"), "{").unwrap();
    fs::create_dir(shop.path("torn")).unwrap();
    fs::copy(shop.path("good/report.json"), shop.path("torn/report.json")).unwrap();
    for (folder, why) in [
        ("nowhere", "no such folder"),
        ("empty", "not the folder of a finished run"),
        ("study", "folder of a study"),
        ("foreign", "no report of a run"),
        ("broken", "no JSON"),
        ("short", "budget-steps"),
        ("torn", "trajectory.npz"),
    ] {
        let output = shop.ends(65, &format!("compare-runs good {folder} --out both"));
        let said = text(&output.stderr);
        assert!(
            said.contains(why) && said.contains(folder),
            "{folder}: {said}"
        );
        assert!(!shop.path("both").exists(), "{folder}");
    }
    fs::write(shop.path("torn/trajectory.npz"), "PK").unwrap();
    shop.ends(65, "compare-runs torn --out both");
    shop.ends(2, "compare-runs");
}
