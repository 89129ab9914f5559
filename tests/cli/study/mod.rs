//! Studies: the same bytes whatever threads and shards there were, numbers that are those of the runs themselves, and
//! mistakes that are told before anything runs.

mod comparing;
mod mistakes;
mod numbers;

use super::program::{Workshop, json, text};
use std::collections::BTreeMap;
use std::fs;

const SCENARIO: &str = r#"# A small study.
title = "A small study"
[dataset.gaussian-teacher]
dimension = 6
samples = 4
seed = 1
[network.fully-connected-linear]
depth = 2
[rule.direct-feedback-alignment]
feedback.gaussian.seed = 1
[initial]
gaussian = { scale = 0.1, seed = 1 }
[flow]
until.log-log-time = 12.0
saves = 41
[study]
pair = "rule"
[study.vary]
"rule" = ["gradient-descent", { direct-feedback-alignment = { feedback = { gaussian = { seed = 1 } } } }]
"network.fully-connected-linear.depth" = [2, 3]
[study.seeds]
"dataset.gaussian-teacher.seed" = 3
"initial.gaussian.seed" = 3
"rule.direct-feedback-alignment.feedback.gaussian.seed" = 3
"#;

/// A folder with the scenario in it, `small.toml`.
fn shop() -> Workshop {
    Workshop::with(&[("small.toml", SCENARIO)])
}

/// A CSV file as rows of named fields.
#[track_caller]
fn rows(shop: &Workshop, folder: &str, name: &str) -> Vec<BTreeMap<String, String>> {
    let bytes = shop.read(folder, name);
    let mut reader = csv::Reader::from_reader(&bytes[..]);
    let rows = reader.deserialize().map(|row| row.unwrap());
    rows.collect()
}

/// The merged files of a folder.
#[track_caller]
fn merged(shop: &Workshop, folder: &str) -> Vec<Vec<u8>> {
    let files = [
        "table.csv",
        "aggregates.csv",
        "curves.npz",
        "figures/angle-to-limit.svg",
    ];
    files.map(|name| shop.read(folder, name)).into()
}

#[test]
fn one_command_does_all_of_it_and_goes_on_where_it_was() {
    let shop = shop();
    let output = shop.ends(0, "study run small.toml --out all --jobs 2");
    let said = text(&output.stdout);
    assert!(
        said.contains("12 cases: 12 completed") && said.contains("table.csv"),
        "{said}"
    );
    let table = rows(&shop, "all", "table.csv");
    assert_eq!(table.len(), 12);
    let [first, last] = [&table[0], &table[11]];
    assert_eq!(
        (&first["rule"][..], &first["seed"][..]),
        ("gradient-descent", "1")
    );
    assert_eq!(
        (&last["rule"][..], &last["seed"][..]),
        ("direct-feedback-alignment", "3")
    );
    assert_eq!(last["network.fully-connected-linear.depth"], "3");
    for row in &table {
        assert_eq!(row["status"], "completed");
        assert!(row["final.angle_to_limit"].parse::<f64>().unwrap() < 0.5);
        assert!(!row.contains_key("solver.wall_seconds"));
    }
    for name in ["angle-to-limit", "log-loss", "angle-differences"] {
        for kind in ["svg", "png"] {
            assert!(
                shop.path(&format!("all/figures/{name}.{kind}")).is_file(),
                "{name}.{kind}"
            );
        }
    }
    let before = merged(&shop, "all");
    fs::remove_file(shop.path("all/cases/000004.json")).unwrap();
    fs::write(shop.path("all/cases/000005.json"), "half").unwrap();
    shop.ends(0, "study run small.toml --out all --quiet");
    assert_eq!(merged(&shop, "all"), before);
    // another study has no place there
    let output = shop.ends(2, "study run small.toml --out all --set flow.rtol=1e-7");
    assert!(text(&output.stderr).contains("holds another study"));
}

#[test]
fn threads_and_shards_change_nothing() {
    let shop = shop();
    shop.ends(0, "study run small.toml --out whole --quiet --jobs 1");
    let whole = merged(&shop, "whole");
    for (folder, count) in [("a", 2), ("b", 3), ("c", 5)] {
        shop.ends(0, &format!("study plan small.toml --out {folder}"));
        let output = shop.ends(3, &format!("study merge --out {folder}"));
        let said = text(&output.stderr);
        assert!(
            said.contains("12 of 12 cases are missing") && said.contains("marginflow study run"),
            "{said}"
        );
        for shard in (0..count).rev() {
            shop.ends(3, &format!("study status --out {folder}"));
            shop.ends(
                0,
                &format!("study run --out {folder} --shard {shard}/{count} --quiet --jobs 2"),
            );
        }
        let output = shop.ends(0, &format!("study status --out {folder} --format json"));
        let status = json(&output.stdout);
        assert_eq!(
            (&status["done"], &status["statuses"]["completed"]),
            (&12.into(), &12.into())
        );
        shop.ends(0, &format!("study merge --out {folder} --quiet"));
        assert_eq!(merged(&shop, folder), whole, "{count} shards");
    }
}

/// The experiment of section 6 is one study among others.
#[test]
fn sweeps_are_studies() {
    let shop = Workshop::with(&[("sweep.toml", super::sweep::SCENARIO)]);
    let few = "--set sweep.seeds=2 --set sweep.kinds=['limit']";
    shop.ends(0, &format!("sweep plan sweep.toml --out old {few}"));
    shop.ends(0, "sweep run --out old --quiet");
    shop.ends(0, "sweep merge --out old --quiet");
    shop.ends(0, &format!("study run sweep.toml --out new --quiet {few}"));
    shop.ends(0, &format!("study plan sweep.toml --out parts {few}"));
    shop.ends(3, "study status --out parts");
    shop.ends(0, "study run --out parts --shard 0/2 --quiet");
    shop.ends(0, "study run --out parts --shard 1/2 --quiet");
    shop.ends(0, "study merge --out parts --quiet");
    for name in [
        "sweep.csv",
        "theory.csv",
        "summary.csv",
        "differences.csv",
        "cases/000003.json",
    ] {
        let old = shop.read("old", name);
        assert_eq!(shop.read("new", name), old, "{name}");
        assert_eq!(shop.read("parts", name), old, "{name}");
    }
    shop.ends(2, "study run --out nowhere");
    shop.ends(2, "study run");
    shop.ends(2, "study run small.toml --shard 0/2");
}

#[test]
fn slurm_scripts_run_a_study() {
    assert_eq!(super::sweep::third_task_of_four(&shop(), "study"), 3);
}
