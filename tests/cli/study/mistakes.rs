//! What is wrong with a study is said before anything runs; what goes wrong in a case is a row.

use super::super::program::{Workshop, text};
use super::{SCENARIO, rows, shop};
use std::fs;

/// Replaces the table `[study]` and what follows.
fn with(study: &str) -> Workshop {
    let base = SCENARIO.split("[study]").next().unwrap();
    Workshop::with(&[("bad.toml", &format!("{base}{study}"))])
}

/// What is written below `[study]`, with DEPTH for the key of the depth, and what is said of it.
const MISTAKES: [(&str, &[&str]); 39] = [
    (
        "vary = { DEPTH = [2, -3] }",
        &["-3", "depth between 1 and 50"],
    ),
    (
        "vary = { DEPTH = [] }",
        &["no value of", "give one at least"],
    ),
    (
        "vary = { DEPTH = [2, 3, 2] }",
        &["number 3", "the same as number 1"],
    ),
    ("vary = { DEPTH = 3 }", &["a list of values, or a range"]),
    (
        "vary = { 'flow.rtoll' = [1e-6] }",
        &["unknown key `rtoll`", "did you mean `rtol`"],
    ),
    (
        "vary = { flow.rtol = [1e-6] }",
        &["`rtol` is no key of a range", "in quotes"],
    ),
    (
        "vary = { rule = ['gradient-descent', { gradient = 1 }] }",
        &["gradient"],
    ),
    (
        "vary = { 'flow.rtol' = { from = 1e-6, to = 0.0, count = 3, log = true } }",
        &["not positive"],
    ),
    (
        "vary = { DEPTH = { from = 2, to = 5, count = 3 } }",
        &["not all whole"],
    ),
    (
        "vary = { DEPTH = { from = 2, to = 5, count = 1 } }",
        &["1 is not a whole number >= 2"],
    ),
    ("vary = { DEPTH = { from = 2, count = 2 } }", &["missing"]),
    (
        "vary = { 'flow.rtol' = { from = 0.1, to = 0.2, count = 2000000 } }",
        &["too many values"],
    ),
    (
        "seeds = { 'dataset.gaussian-teacher.seed' = 2000000 }",
        &["more than 1000000 cases"],
    ),
    (
        "seeds = { 'dataset.gaussian-teacher.seed' = 0 }",
        &["0 is not a whole number >= 1"],
    ),
    ("seeds = { 'dataset.gaussian-teacher.sed' = 2 }", &["sed"]),
    (
        "seeds = { 'rule.feedback-alignment.feedback.gaussian.seed' = 2 }",
        &["no case of the study has the key"],
    ),
    (
        "seeds = { 'initial.gaussian.seed' = 2, 'dataset.gaussian-teacher.seed' = 3 }",
        &["varied together"],
    ),
    (
        "variants = { a = { 'flow.rtol' = 1e-7 }, b = { 'flow.rtol' = 1e-7 } }",
        &["`b` sets the same as `a`"],
    ),
    (
        "variants = { a = { 'flow.rtol' = -1.0 } }",
        &["-1", "in the case a"],
    ),
    (
        "combine = 'zip'\nvary = { DEPTH = [2, 3], 'flow.rtol' = [1e-6] }",
        &["of one length"],
    ),
    (
        "vary = { DEPTH = [2, 3] }\npair = 'depth'",
        &["does not vary `depth`"],
    ),
    (
        "vary = { DEPTH = [2, 3] }\ncurves = ['angle']",
        &["no curve is called `angle`"],
    ),
    (
        "vary = { DEPTH = [2, 3] }\nfigures = { a = { overlay = 'log_los' } }",
        &["did you mean `log_loss`"],
    ),
    (
        "vary = { DEPTH = [2, 3] }\nfigures = { a = { points = 'fits', map = 'fits' } }",
        &["shows no one thing"],
    ),
    (
        "vary = { DEPTH = [2, 3] }\nfigures = { a = { differences = 'fits' } }",
        &["no pairs"],
    ),
    (
        "vary = { DEPTH = [2, 3] }\nfigures = { a = { map = 'fits' } }",
        &["no numbers to put on the axis"],
    ),
    (
        "vary = { DEPTH = [2, 3] }\nfigures = { a = { overlay = 'log_loss', colour = 'rule' } }",
        &["does not vary `rule`"],
    ),
    (
        "vary = { DEPTH = [2, 3] }\nfigures = { a = { overlay = 'log_loss', x = 'flow.rtol' } }",
        &["an overlay has no `x`", "colour, panel, title"],
    ),
    (
        "vary = { DEPTH = [2, 3] }\nfigures = { a = { points = 'fits', levels = [1.0, 2.0] } }",
        &["a figure of points has no `levels`"],
    ),
    (
        "vary = { DEPTH = [2, 3], 'flow.rtol' = [1e-6, 1e-7] }\n\
         figures = { a = { map = 'fits', panel = 'flow.rtol' } }",
        &["a map has no `panel`", "x, y, levels, lines"],
    ),
    (
        "vary = { DEPTH = [2, 3] }\n\
         pair = 'network.fully-connected-linear.depth'\n\
         figures = { a = { differences = 'fits', colour = 'flow.rtol' } }",
        &["a figure of differences has no `colour`"],
    ),
    (
        "vary = { DEPTH = [2, 3], 'flow.rtol' = [1e-6, 1e-7], 'flow.saves' = [9, 10] }\n\
         pair = 'flow.saves'\n\
         figures = { a = { differences = 'fits', x = 'flow.rtol' } }",
        &[
            "vary with `network.fully-connected-linear.depth` too",
            "remove x",
        ],
    ),
    (
        "vary = { DEPTH = [2, 3] }\ncurves = ['min_margin']\nfigures = { a = { overlay = 'log_loss' } }",
        &["does not keep the curve `log_loss`", "to curves in [study]"],
    ),
    (
        "vary = { DEPTH = [2, 3] }\n\
         curves = ['log_loss']\n\
         figures = { a = { map = 'min_margin', y = 'log_loss', levels = [1.0, 2.0] } }",
        &["does not keep the curve `min_margin`"],
    ),
    (
        "vary = { DEPTH = [2, 3] }\nfigures = { a = { map = 'fits', levels = [1.0, 2.0] } }",
        &["levels of no curve"],
    ),
    ("", &["varies nothing"]),
    ("vary = { 'study.pair' = ['x'] }", &["cannot vary itself"]),
    ("vary = { 'a..b' = [1] }", &["not a dotted key"]),
    ("varry = {}", &["unknown key `varry`"]),
];

#[test]
fn mistakes_are_shown_in_the_file_before_anything_runs() {
    // the table, or one of the three lines below it
    let first = SCENARIO.split("[study]").next().unwrap().lines().count() + 1;
    for (study, fragments) in MISTAKES {
        let study = study.replace("DEPTH", "'network.fully-connected-linear.depth'");
        let shop = with(&format!("[study]\n{study}\n"));
        let output = shop.ends(65, "study run bad.toml --out out");
        let said = text(&output.stderr);
        for fragment in fragments {
            assert!(said.contains(fragment), "{fragment} not in\n{said}");
        }
        let lines = (first..first + 4).map(|line| format!("bad.toml:{line}:"));
        let placed = lines.into_iter().any(|place| said.contains(&place));
        assert!(placed && said.contains('^'), "{said}");
        assert!(!shop.path("out").exists(), "something was written: {study}");
    }
    let plain = with("");
    let output = plain.ends(65, "study plan bad.toml --out out");
    assert!(text(&output.stderr).contains("no study"));
}

#[test]
fn a_case_that_fails_is_a_row_with_its_status() {
    let shop = shop();
    let budget = "--set study.vary={\"flow.max-steps\"=[5,100000]}";
    let unpaired = "--set study.pair=\"flow.max-steps\"";
    let output = shop.ends(
        0,
        &format!("study run small.toml --out some {budget} {unpaired}"),
    );
    assert!(
        text(&output.stderr).contains("3 of 6 cases were not completed"),
        "{output:?}"
    );
    let table = rows(&shop, "some", "table.csv");
    let statuses: Vec<&str> = table.iter().map(|row| &row["status"][..]).collect();
    assert_eq!(statuses[..3], ["budget-steps"; 3]);
    assert_eq!(statuses[3..], ["completed"; 3]);
    assert!(
        table[0]["message"].contains("steps"),
        "{}",
        table[0]["message"]
    );
    // where it would have ended it does not say: only completed runs are averaged, compared and drawn
    let aggregates = rows(&shop, "some", "aggregates.csv");
    let of = |budget: &str| {
        let rows = aggregates.iter().map(|row| &row["flow.max-steps"][..]);
        rows.filter(|of| *of == budget).count()
    };
    assert!(
        of("5") == 0 && of("100000") > 50,
        "{} {}",
        of("5"),
        of("100000")
    );
    let statistic = |name: &str| aggregates.iter().any(|row| row["statistic"] == name);
    assert!(statistic("mean") && !statistic("difference"));
    let said = text(&output.stdout);
    let line = said
        .lines()
        .find_map(|line| line.trim_start().strip_prefix("max-steps = 5 "));
    assert!(
        line.is_some_and(|means| means.contains('-') && !means.contains(char::is_numeric)),
        "{said}"
    );
    let figure = String::from_utf8(shop.read("some", "figures/log-loss.svg")).unwrap();
    assert!(figure.contains("6 runs, 3 seeds each, 3 not completed and left out"));
    // it is done: the next run does not try again
    let output = shop.ends(0, "study run --out some");
    assert_eq!(
        text(&output.stdout),
        "0 cases done, 6 had been done before\n"
    );

    let all = "--set study.vary={\"flow.max-steps\"=[5,6]}";
    let output = shop.ends(
        4,
        &format!("study run small.toml --out none {all} {unpaired}"),
    );
    assert!(
        text(&output.stderr).contains("no case of the study was completed"),
        "{output:?}"
    );
    assert_eq!(rows(&shop, "none", "table.csv").len(), 6);
}

#[test]
fn data_that_cannot_be_separated_are_rows_too() {
    let shop = shop();
    let text_of = fs::read_to_string(shop.path("small.toml")).unwrap();
    let random = text_of
        .replace("gaussian-teacher", "gaussian-random-labels")
        .replace("samples = 4", "samples = 9")
        .replace("dimension = 6", "dimension = 4");
    fs::write(shop.path("random.toml"), random).unwrap();
    let few = "--set study.vary={\"network.fully-connected-linear.depth\"=[2]}";
    let pair = "--set study.pair=\"network.fully-connected-linear.depth\"";
    let seeds = "--set study.seeds={\"dataset.gaussian-random-labels.seed\"=12}";
    shop.ends(
        0,
        &format!("study run random.toml --out out {few} {pair} {seeds}"),
    );
    let table = rows(&shop, "out", "table.csv");
    let count = |status: &str| table.iter().filter(|row| row["status"] == status).count();
    let (separable, not) = (count("completed"), count("not-separable"));
    assert!(
        separable > 0 && not > 0 && separable + not == 12,
        "{separable} {not}"
    );
    let failed = table
        .iter()
        .find(|row| row["status"] == "not-separable")
        .unwrap();
    assert!(failed["message"].contains("not separable") && failed["final.log_loss"].is_empty());
    let allowed = "--set study.allow-nonseparable=true";
    shop.ends(
        0,
        &format!("study run random.toml --out allowed {few} {pair} {seeds} {allowed}"),
    );
    let table = rows(&shop, "allowed", "table.csv");
    assert!(table.iter().all(|row| !row["final.log_loss"].is_empty()));
}
