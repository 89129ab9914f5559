//! `reproduce`: everything is found as expected, what is done is kept, what is damaged is made again, and what fails is
//! said.

use super::program::{ROOT, Workshop, files, json, text};
use marginflow::claims;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Two points, and what is said of them.
fn scenario(expectation: &str) -> String {
    format!(
        r#"# Two points of the plane.
title = "Two points & more"
initial = "zero"
[dataset.files]
samples = "x.csv"
labels = "y.csv"
[network.fully-connected-linear]
depth = 2
[rule.direct-feedback-alignment]
feedback.gaussian.seed = 7
[flow]
until.log-log-time = 20.0
[expect]
{expectation}
"#
    )
}

/// A folder `s` with one good scenario.
fn shop() -> Workshop {
    Workshop::with(&[
        ("s/x.csv", "1,0.2\n-1,0.3\n"),
        ("s/y.csv", "1\n-1\n"),
        ("s/good.toml", &scenario("prop-1 = \"holds\"")),
    ])
}

fn modified(path: &Path) -> SystemTime {
    fs::metadata(path).unwrap().modified().unwrap()
}

/// What a page refers to that is not in it.
fn references(page: &str) -> Vec<&str> {
    let from = |attribute: &'static str| {
        page.split(attribute)
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
    };
    from("href=\"")
        .chain(from("src=\""))
        .filter(|to| !to.starts_with('#') && *to != "data:,")
        .collect()
}

/// Curves of a page can be read off, figures have captions, and nothing is fetched.
fn assert_self_contained(page: &str) {
    assert!(page.starts_with("<!DOCTYPE html>"));
    for reference in references(page) {
        assert!(!reference.contains("//"), "{reference}");
    }
    assert!(!page.contains("@import") && !page.contains("url("));
    let figures: Vec<&str> = page.split("<figure").skip(1).collect();
    assert!(!figures.is_empty());
    for figure in figures {
        let caption = figure.split("<figcaption>").nth(1).unwrap();
        assert!(
            caption.split("</figcaption>").next().unwrap().len() > 40,
            "{}",
            &figure[..80]
        );
        let metadata = figure
            .split("<metadata>")
            .nth(1)
            .unwrap()
            .split("</metadata>")
            .next()
            .unwrap();
        let metadata = metadata
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&");
        let panels: Value = serde_json::from_str(&metadata).unwrap();
        for panel in panels.as_array().unwrap() {
            for axis in [&panel["x"], &panel["y"]] {
                assert!(axis["low"].as_f64() < axis["high"].as_f64(), "{axis}");
                assert!(!axis["label"].as_str().unwrap().is_empty());
            }
        }
    }
}

/// All pages below a folder.
fn pages(folder: &Path) -> Vec<(PathBuf, String)> {
    let pages = files(folder).into_iter();
    let pages = pages.filter(|(name, _)| name.extension().is_some_and(|e| e == "html"));
    pages
        .map(|(name, bytes)| (name, text(&bytes).to_owned()))
        .collect()
}

/// What programs print and people do not, in the text of a page: numbers like 4.3e-10, minus zeros, Rust's structures.
fn unlike_a_page(page: &str) -> Vec<String> {
    let mut prose = String::new();
    let mut rest = page;
    while let Some((before, tag)) = rest.split_once('<') {
        prose.push_str(before);
        let verbatim = ["style", "script", "svg", "pre", "title"].into_iter();
        let mut end = verbatim
            .filter(|name| tag.starts_with(name))
            .map(|name| format!("</{name}>"));
        let end = end.next_back().unwrap_or(">".into());
        rest = tag.split_once(&end).expect("elements end").1;
        prose.push(' ');
    }
    let number = |word: &&str| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        let parts = word
            .split_once('e')
            .filter(|(m, _)| m.parse::<f64>().is_ok());
        parts.is_some_and(|(_, e)| e.parse::<i32>().is_ok())
    };
    let odd = |word: &&str| word.contains("-0.0") || word.contains("Some(") || word.contains("::");
    let words = prose.split_whitespace();
    words
        .filter(|w| number(w) || odd(w))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_quick_reproduction_decides_every_claim_as_expected() {
    let shop = Workshop::with(&[]);
    let command = format!("reproduce --quick --scenarios {ROOT}/scenarios --out all");
    let output = shop.ends(0, &format!("{command} --format json"));
    let table = json(&output.stdout);
    assert_eq!(table["format"], "marginflow-claims/1");
    assert_eq!(table["failures"], Value::Array(vec![]));
    let rows = table["claims"].as_array().unwrap();
    let decided: BTreeSet<&str> = (rows.iter())
        .filter(|row| ["holds", "violated"].contains(&row["verdict"].as_str().unwrap()))
        .map(|row| row["id"].as_str().unwrap())
        .collect();
    assert!(
        decided
            .iter()
            .copied()
            .eq(claims::ids().collect::<BTreeSet<_>>()),
        "{decided:?}"
    );
    for row in rows {
        // a claim that fails is one that some scenario is about
        assert!(
            row["verdict"] == row["expected"]
                || row["expected"].is_null() && row["verdict"] != "violated",
            "{row}"
        );
    }
    // each outcome of each claim that some scenario expects
    for (id, verdict) in [
        ("prop-2", "violated"),
        ("prop-2", "holds"),
        ("loss-decreases", "violated"),
        ("thm-1-discrete", "violated"),
    ] {
        assert!(
            rows.iter()
                .any(|r| r["id"] == id && r["verdict"] == verdict),
            "{id} {verdict}"
        );
    }
    let out = shop.path("all");
    assert_eq!(
        fs::read_to_string(out.join("claims.csv"))
            .unwrap()
            .lines()
            .count(),
        rows.len() + 1
    );
    let page = fs::read_to_string(out.join("index.html")).unwrap();
    assert_self_contained(&page);
    for reference in references(&page) {
        let (file, anchor) = reference.split_once('#').unwrap_or((reference, ""));
        let bytes = fs::read(out.join(file)).unwrap_or_else(|e| panic!("{reference}: {e}"));
        let there = format!("id=\"{anchor}\"");
        assert!(
            anchor.is_empty() || text(&bytes).contains(&there),
            "{reference}"
        );
    }
    for (name, page) in pages(&out) {
        let found = unlike_a_page(&page);
        assert!(found.is_empty(), "{}: {found:?}", name.display());
    }
    assert_eq!(page.matches("<a class=\"cell ").count(), rows.len());
    assert!(page.contains("<section id=\"verdicts\">") && page.contains("<math>"));
    assert!(page.contains("<code id=\"again\">marginflow reproduce --scenarios"));
    for id in claims::ids() {
        assert!(page.contains(&format!("claim-{id}")), "{id}");
    }

    // nothing is done twice
    let reports: Vec<PathBuf> = (rows.iter())
        .map(|row| {
            let folder = out.join(row["scenario"].as_str().unwrap());
            // a sweep has a table of its own
            let of_run = row["id"] != "sec-6";
            folder.join(if of_run { "report.json" } else { "claims.json" })
        })
        .collect();
    let times: Vec<SystemTime> = reports.iter().map(|r| modified(r)).collect();
    let again = shop.ends(0, &format!("{command} --format json"));
    assert_eq!(again.stdout, output.stdout);
    assert_eq!(
        reports.iter().map(|r| modified(r)).collect::<Vec<_>>(),
        times
    );
}

#[test]
fn a_run_has_a_page_of_its_own() {
    let shop = shop();
    shop.ends(0, "run s/good.toml --set flow.rtol=1e-7 --out one");
    let page = fs::read_to_string(shop.path("one/report.html")).unwrap();
    assert_self_contained(&page);
    // nothing of the machine it was made on
    assert!(!page.contains(shop.root().to_str().unwrap()));
    for part in [
        "Two points &amp; more",
        "marginflow run s/good.toml --set flow.rtol=1e-7",
        "until.log-log-time = 20.0",
        "diffsol",
        "<summary>not applicable: ",
        "prefers-color-scheme: dark",
        "@media print",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(
        page.matches("<figure").count(),
        fs::read_dir(shop.path("one/figures")).unwrap().count() / 2
    );
}

#[test]
fn damaged_and_changed_experiments_are_made_again() {
    let shop = shop();
    let command = "reproduce --scenarios s --out r --quiet";
    shop.ends(0, command);
    let svg = shop.path("r/good/figures/margins.svg");
    let whole = fs::read(&svg).unwrap();
    fs::write(&svg, &whole[..whole.len() / 2]).unwrap();
    shop.ends(0, command);
    assert_eq!(fs::read(&svg).unwrap(), whole);
    // a cut between its files
    fs::remove_file(shop.path("r/good/done.json")).unwrap();
    fs::remove_file(&svg).unwrap();
    shop.ends(0, command);
    assert_eq!(fs::read(&svg).unwrap(), whole);
    // other data under the same scenario
    shop.file("s/x.csv", "1,0.2\n-1,0.9\n");
    shop.ends(0, command);
    assert_ne!(fs::read(&svg).unwrap(), whole);
}

#[test]
fn what_is_not_as_expected_and_what_fails_is_said() {
    let shop = shop();
    shop.file(
        "s/wrong.toml",
        &scenario("prop-1 = \"violated\"\nprop-2 = \"holds\""),
    );
    let output = shop.ends(1, "reproduce --scenarios s --out r --gallery g");
    let table = text(&output.stdout);
    assert_eq!(table.matches("UNEXPECTED").count(), 2, "{table}");
    let page = fs::read_to_string(shop.path("r/index.html")).unwrap();
    assert!(page.contains("2 verdicts are not as expected"));
    assert!(shop.path("g/good/margins.svg").is_file());

    // these two points cannot be separated: the others are run all the same
    shop.file("s/bad.toml", &scenario("").replace("x.csv", "same.csv"));
    shop.file("s/same.csv", "1,0.2\n1,0.2\n");
    let output = shop.ends(65, "reproduce --scenarios s --out r");
    let table = text(&output.stdout);
    assert!(
        table.contains("FAILED: bad: ") && table.contains("not separable"),
        "{table}"
    );
    assert!(table.contains("prop-1"));

    let chosen = shop.ends(
        0,
        "reproduce --scenarios s --out r --only good --format json",
    );
    let table = json(&chosen.stdout);
    let rows = table["claims"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["id"] == "prop-1"), "{rows:?}");
    assert!(rows.iter().all(|row| row["scenario"] == "good"), "{rows:?}");
}

#[test]
fn what_is_not_there_is_said() {
    let shop = shop();
    for (arguments, message) in [
        ("reproduce --scenarios nowhere", "--scenarios"),
        ("reproduce --scenarios .", "no scenarios"),
        (
            "reproduce --scenarios s --only prop-9",
            "neither a scenario here nor a claim",
        ),
        ("reproduce --scenarios s --only thm-4", "no scenario here"),
        (
            "reproduce --scenarios s --quick --only prop-1",
            "cannot be used with",
        ),
    ] {
        let output = shop.ends(2, arguments);
        let said = text(&output.stderr);
        assert!(said.contains(message), "{arguments}: {said}");
    }
    assert!(!shop.path("out").exists(), "nothing is half written");
    shop.file("file", "");
    shop.ends(74, "reproduce --scenarios s --out file/below");
}
