//! What is wrong with a study is said before anything runs; what goes wrong in a case is a row.

use super::super::program::{Workshop, text};
use super::{SCENARIO, rows, shop};
use std::fs;

/// Replaces the table `[study]` and what follows.
fn with(study: &str) -> Workshop {
    let base = SCENARIO.split("[study]").next().unwrap();
    Workshop::with(&[("bad.toml", &format!("{base}{study}"))])
}

const DEPTH: &str = "\"network.fully-connected-linear.depth\"";

#[test]
fn mistakes_are_shown_in_the_file_before_anything_runs() {
    let line = SCENARIO.split("[study]").next().unwrap().lines().count() + 2;
    let gradient = "{ gradient = 1 }";
    for (study, fragments) in [
        (format!("[study]\nvary = {{ {DEPTH} = [2, -3] }}"), vec!["-3", "depth between 1 and 50"]),
        (format!("[study]\nvary = {{ {DEPTH} = [] }}"), vec!["no value of", "give one at least"]),
        (format!("[study]\nvary = {{ {DEPTH} = [2, 3, 2] }}"), vec!["number 3", "the same as number 1"]),
        (format!("[study]\nvary = {{ {DEPTH} = 3 }}"), vec!["a list of values, or a range"]),
        ("[study]\nvary = { \"flow.rtoll\" = [1e-6] }".into(), vec!["unknown key `rtoll`", "did you mean `rtol`"]),
        ("[study]\nvary = { flow.rtol = [1e-6] }".into(), vec!["`rtol` is no key of a range", "in quotes"]),
        (format!("[study]\nvary = {{ \"rule\" = [\"gradient-descent\", {gradient}] }}"), vec!["gradient"]),
        ("[study]\nvary = { \"flow.rtol\" = { from = 1e-6, to = 0.0, count = 3, log = true } }".into(), vec!["not positive"]),
        (format!("[study]\nvary = {{ {DEPTH} = {{ from = 2, to = 5, count = 3 }} }}"), vec!["not all whole"]),
        (format!("[study]\nvary = {{ {DEPTH} = {{ from = 2, to = 5, count = 1 }} }}"), vec!["1 is not a whole number >= 2"]),
        (format!("[study]\nvary = {{ {DEPTH} = {{ from = 2, count = 2 }} }}"), vec!["missing"]),
        ("[study]\nvary = { \"flow.rtol\" = { from = 0.1, to = 0.2, count = 2000000 } }".into(), vec!["too many values"]),
        ("[study]\nseeds = { \"dataset.gaussian-teacher.seed\" = 2000000 }".into(), vec!["more than 1000000 cases"]),
        ("[study]\nseeds = { \"dataset.gaussian-teacher.seed\" = 0 }".into(), vec!["0 is not a whole number >= 1"]),
        ("[study]\nseeds = { \"dataset.gaussian-teacher.sed\" = 2 }".into(), vec!["sed"]),
        ("[study]\nseeds = { \"rule.feedback-alignment.feedback.gaussian.seed\" = 2 }".into(), vec!["no case of the study has the key"]),
        ("[study]\nseeds = { \"initial.gaussian.seed\" = 2, \"dataset.gaussian-teacher.seed\" = 3 }".into(), vec!["varied together"]),
        ("[study]\nvariants = { a = { \"flow.rtol\" = 1e-7 }, b = { \"flow.rtol\" = 1e-7 } }".into(), vec!["`b` sets the same as `a`"]),
        ("[study]\nvariants = { a = { \"flow.rtol\" = -1.0 } }".into(), vec!["-1", "in the case a"]),
        (format!("[study]\ncombine = \"zip\"\nvary = {{ {DEPTH} = [2, 3], \"flow.rtol\" = [1e-6] }}"), vec!["1 values", "of one length"]),
        (format!("[study]\nvary = {{ {DEPTH} = [2, 3] }}\npair = \"depth\""), vec!["does not vary `depth`"]),
        (format!("[study]\nvary = {{ {DEPTH} = [2, 3] }}\ncurves = [\"angle\"]"), vec!["no curve is called `angle`"]),
        (format!("[study]\nvary = {{ {DEPTH} = [2, 3] }}\nfigures = {{ a = {{ overlay = \"log_los\" }} }}"), vec!["did you mean `log_loss`"]),
        (format!("[study]\nvary = {{ {DEPTH} = [2, 3] }}\nfigures = {{ a = {{ points = \"fits\", map = \"fits\" }} }}"), vec!["shows no one thing"]),
        (format!("[study]\nvary = {{ {DEPTH} = [2, 3] }}\nfigures = {{ a = {{ differences = \"fits\" }} }}"), vec!["no pairs"]),
        (format!("[study]\nvary = {{ {DEPTH} = [2, 3] }}\nfigures = {{ a = {{ map = \"fits\" }} }}"), vec!["no numbers to put on the axis"]),
        (format!("[study]\nvary = {{ {DEPTH} = [2, 3] }}\nfigures = {{ a = {{ overlay = \"log_loss\", colour = \"rule\" }} }}"), vec!["does not vary `rule`"]),
        ("[study]".into(), vec!["varies nothing"]),
        ("[study]\nvary = { \"study.pair\" = [\"x\"] }".into(), vec!["cannot vary itself"]),
        ("[study]\nvary = { \"a..b\" = [1] }".into(), vec!["not a dotted key"]),
        ("[study]\nvarry = {}".into(), vec!["unknown key `varry`"]),
    ] {
        let shop = with(&study);
        let output = shop.ends(65, "study run bad.toml --out out");
        let said = text(&output.stderr);
        for fragment in fragments {
            assert!(said.contains(fragment), "{fragment} not in\n{said}");
        }
        // file, line, and a caret
        let at = [line - 1, line, line + 1].iter().any(|l| said.contains(&format!("bad.toml:{l}:")));
        assert!(at && said.contains('^'), "{said}");
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
