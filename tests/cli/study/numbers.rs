//! What the numbers of a study mean: those of `run`, and what is made of them.

use super::super::program::{Workshop, json, text};
use super::{rows, shop};
use marginflow::study::{Plan, scalars, student_t};
use std::collections::BTreeMap;

/// A case by itself, by `run`: every scalar of its report stands in its row.
#[test]
fn each_case_is_a_run() {
    let shop = shop();
    shop.ends(0, "study run small.toml --out s --quiet --no-figures");
    assert!(!shop.path("s/figures").exists());
    let table = rows(&shop, "s", "table.csv");
    let plan = Plan::open(&shop.path("s")).unwrap();
    for id in [1, 5, 11] {
        let changes: Vec<String> = plan.assignments(id).unwrap();
        let mut command =
            shop.command("run small.toml --no-figures --no-certify --quiet --out one");
        for change in &changes {
            command.args(["--set", change]);
        }
        super::super::program::ends(0, command);
        let found = scalars(&shop.report("one"));
        assert!(found.len() > 60, "{}", found.len());
        for (name, value) in found {
            let expected = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            assert_eq!(table[id][&name], expected, "case {id}: {name}");
        }
    }
    // gradient descent has no feedback, and none is given to it
    assert!(
        !plan
            .assignments(0)
            .unwrap()
            .iter()
            .any(|a| a.contains("feedback"))
    );
    assert!(
        plan.assignments(11)
            .unwrap()
            .iter()
            .any(|a| a.ends_with("feedback.gaussian.seed=3"))
    );
}

fn number(row: &BTreeMap<String, String>, name: &str) -> f64 {
    row[name]
        .parse()
        .unwrap_or_else(|_| panic!("{name}: {}", row[name]))
}

/// Medians, means, pairs and slopes of the table, by plain arithmetic.
#[test]
fn aggregates_are_those_of_the_table() {
    let shop = shop();
    shop.ends(0, "study run small.toml --out s --quiet --no-figures");
    let table = rows(&shop, "s", "table.csv");
    let aggregates = rows(&shop, "s", "aggregates.csv");
    let depth = "network.fully-connected-linear.depth";
    let of = |rule: &str, layers: &str, quantity: &str| -> Vec<f64> {
        let rows = table
            .iter()
            .filter(|row| row["rule"] == rule && row[depth] == layers);
        rows.map(|row| number(row, quantity)).collect()
    };
    let find = |statistic: &str, quantity: &str, rule: &str, layers: &str| {
        let found: Vec<_> = (aggregates.iter())
            .filter(|row| row["statistic"] == statistic && row["quantity"] == quantity)
            .filter(|row| row["rule"] == rule && row[depth] == layers)
            .collect();
        assert_eq!(found.len(), 1, "{statistic} {quantity} {rule} {layers}");
        found[0].clone()
    };
    let (bp, dfa) = ("gradient-descent", "direct-feedback-alignment");
    for quantity in [
        "final.angle_to_limit",
        "final.log_loss",
        "rate.observed",
        "slope.angle_to_limit",
    ] {
        let mut values = of(dfa, "3", quantity);
        let mean = values.iter().sum::<f64>() / 3.0;
        let variance: f64 = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 2.0;
        let row = find("mean", quantity, dfa, "3");
        let close =
            |a: f64, b: f64| assert!((a - b).abs() <= 1e-12 * b.abs(), "{quantity}: {a} {b}");
        close(number(&row, "value"), mean);
        close(number(&row, "standard_error"), (variance / 3.0).sqrt());
        let half = student_t(2).unwrap() * (variance / 3.0).sqrt();
        assert!((number(&row, "high") - mean - half).abs() <= 1e-9 * half);
        values.sort_by(f64::total_cmp);
        let row = find("median", quantity, dfa, "3");
        close(number(&row, "value"), values[1]);
        close(number(&row, "low"), 0.8 * values[0] + 0.2 * values[1]);
        let pairs: Vec<f64> = (of(dfa, "2", quantity).iter().zip(of(bp, "2", quantity)))
            .map(|(a, b)| a - b)
            .collect();
        let row = find("difference", quantity, dfa, "2");
        assert_eq!((&row["count"][..], &row["against"][..]), ("3", bp));
        assert!((number(&row, "value") - pairs.iter().sum::<f64>() / 3.0).abs() < 1e-12);
        assert!(row["standard_error"].parse::<f64>().unwrap() > 0.0);
    }
    assert!(
        !aggregates
            .iter()
            .any(|row| row["statistic"] == "difference" && row["rule"] == bp)
    );
    // the slope of the angle is the fitted rate
    for row in &table {
        let (a, b) = (
            number(row, "slope.angle_to_limit"),
            number(row, "rate.observed"),
        );
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    }
}

/// Ranges, zipped lists, variants: which cases there are.
#[test]
fn points_are_those_that_are_asked_for() {
    let base = super::SCENARIO.split("[study]").next().unwrap();
    let study = r#"[study]
combine = "zip"
[study.vary]
"flow.rtol" = { from = 1e-4, to = 1e-6, count = 3, log = true }
"network.fully-connected-linear.depth" = { from = 1, to = 3, count = 3 }
[study.variants.plain]
"rule" = "gradient-descent"
[study.variants.fed-back]
"rule.direct-feedback-alignment.feedback.gaussian.scale" = 2.0
"flow.until.log-log-time" = 6.0
[study.figures.all]
overlay = "log_loss"
panel = "variant"
[study.figures.depths]
points = "final.log_loss"
x = "network.fully-connected-linear.depth"
[study.figures.nothing]
points = "final.los"
"#;
    let shop = Workshop::with(&[("zip.toml", &format!("{base}{study}"))]);
    let output = shop.ends(0, "study run zip.toml --out z --format json");
    assert_eq!(json(&output.stdout)["points"], 6);
    assert!(
        text(&output.stderr).contains("no completed run has a number `final.los`"),
        "{output:?}"
    );
    let table = rows(&shop, "z", "table.csv");
    let points: Vec<[&str; 3]> = (table.iter())
        .map(|row| {
            [
                "variant",
                "flow.rtol",
                "network.fully-connected-linear.depth",
            ]
            .map(|n| &row[n][..])
        })
        .collect();
    assert_eq!(
        points,
        [
            ["plain", "0.0001", "1"],
            ["plain", "1e-5", "2"],
            ["plain", "1e-6", "3"],
            ["fed-back", "0.0001", "1"],
            ["fed-back", "1e-5", "2"],
            ["fed-back", "1e-6", "3"],
        ]
    );
    for row in &table {
        assert_eq!(number(row, "solver.rtol"), number(row, "flow.rtol"));
        let until = if row["variant"] == "plain" { 12.0 } else { 6.0 };
        assert_eq!(number(row, "final.log_log_time"), until);
        assert_eq!(row["seed"], "");
    }
    for name in ["all", "depths"] {
        assert!(
            shop.path(&format!("z/figures/{name}.png")).is_file(),
            "{name}"
        );
    }
}
