//! The command line from outside: what it writes, what it prints, and how it ends.
//!
//! Exit codes: 0 as expected, 1 a claim came out otherwise, 2 usage, 4 the solver failed or disagrees with its tighter
//! self, 5 a budget ran out, 65 bad scenario or data, 74 input/output.

mod contract;
mod determinism;
mod files;
mod limits;
#[path = "../support/program.rs"]
mod program;
mod refusals;
mod relu;
mod reproduce;
mod spectral;
mod study;
mod sweep;
mod workshop;

use contract::*;
use marginflow::claims;
use program::{Files, Workshop, files, json, text};
use serde_json::Value;
use std::fs;
use std::path::Path;
use workshop::*;

/// That claims which do not apply share one line of the table, `one` of them, and that none of `others` is on it.
#[track_caller]
fn assert_folded(table: &str, one: &str, others: &[&str]) {
    let start = "  not applicable: ";
    let lines: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with(start))
        .collect();
    assert_eq!(lines.len(), 1, "{table}");
    let (ids, _) = lines[0][start.len()..].split_once(" (").unwrap();
    let ids: Vec<&str> = ids.split(", ").collect();
    assert!(ids.contains(&one), "{ids:?}");
    for other in others {
        assert!(!ids.contains(other), "{ids:?}");
    }
}

#[test]
fn claims_a_scenario_does_not_list_are_not_expected_to_be_anything() {
    let shop = shop();
    let run = "run three.toml --out a --no-figures --set flow.until.log-log-time=10";
    let table = shop.ends(0, run).stdout;
    assert_folded(text(&table), "gd-fc", &["prop-1"]);
    assert!(!text(&table).contains("UNEXPECTED"));
    // one that is listed is in the table, whether it comes out as expected ...
    let table = shop
        .ends(0, &format!("{run} --set expect.gd-fc=not-applicable"))
        .stdout;
    assert_folded(text(&table), "thm-4", &["gd-fc"]);
    assert!(
        text(&table).contains("\n  gd-fc               not-applicable "),
        "{}",
        text(&table)
    );
    // ... or not
    let table = shop
        .ends(1, &format!("{run} --set expect.gd-fc=holds"))
        .stdout;
    assert_folded(text(&table), "thm-4", &["gd-fc"]);
    let complaint = "UNEXPECTED: gd-fc came out not-applicable, the scenario expects holds";
    assert!(text(&table).contains(complaint), "{}", text(&table));
    // the report has them all, with the reason
    let report = shop.report("a");
    let claims = report["claims"].as_array().unwrap();
    assert!(
        claims
            .iter()
            .map(|c| c["id"].as_str().unwrap())
            .eq(claims::ids())
    );
    let gd_fc = claims.iter().find(|c| c["id"] == "gd-fc").unwrap();
    assert_eq!(gd_fc["evidence"], "the rule is not gradient descent");
}

#[test]
fn a_run_leaves_report_trajectory_figures_and_scenario() {
    let shop = shop();
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
    assert_folded(table, "gd-fc", &["prop-1", "thm-1", "loss-decreases"]);

    let report = shop.report(folder);
    check_contract(&report);
    assert_eq!(report["status"], "completed");
    assert_eq!(report["scenario"], "three");
    assert_eq!(report["solver"]["method"], "adams-bdf");
    assert_eq!(report["solver"]["unknowns"], 3 * 4 + 4 * 2 + 2 + 3);
    assert_eq!(report["final"]["log_log_time"], 30.0);
    assert_eq!(report["limit"]["kind"], "max-margin");
    assert_eq!(numbers(&report["final"]["beta"]).len(), 3);
    let norms = numbers(&report["final"]["layer_norms"]);
    assert_eq!(norms.len(), 3);
    let per_layers = report["final"]["margin_over_layer_norms"].as_f64().unwrap();
    let margin = report["final"]["min_margin"].as_f64().unwrap();
    assert!((per_layers * norms.iter().product::<f64>() / margin - 1.0).abs() < 1e-12);
    let of = |key: &str| report["final"]["sandwich"][key].as_f64().unwrap();
    let below = of("accumulated") / of("least");
    assert!(below <= of("dual") * (1.0 + 1e-6) && of("dual") <= of("radius") * (1.0 + 1e-6));
    assert!(of("radius") <= (below + of("constant")) * (1.0 + 1e-6));
    assert!((of("radius") / below - 1.0 - of("radius_excess")).abs() < 1e-12);
    assert_eq!(report["rate"]["window"].as_array().unwrap().len(), 2);
    // A completed run on separable data lacks nothing but what its claims have no number for.
    let mut missing = Vec::new();
    nulls(&report, "", &mut missing);
    missing.sort();
    missing.dedup();
    let allowed = [
        ".certified.kkt_distance",
        ".claims.*.proved",
        ".claims.*.residual",
        ".claims.*.tolerance",
        ".figures.*.panels.*.series.*.colour",
        ".figures.*.panels.*.series.*.label",
        ".figures.*.panels.*.series.*.y.*",
        ".figures.*.panels.*.window",
        ".figures.*.panels.*.x.range",
        ".figures.*.panels.*.x.ticks",
        ".figures.*.panels.*.y.range",
        ".figures.*.panels.*.y.ticks",
        ".final.effective_entries",
        ".final.effective_rank",
        ".final.homogeneous",
        ".final.singular_values",
        ".kinks",
        ".limit.effective_entries",
        ".message",
        ".network.activation",
        ".order",
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
    let of_others = ["candidates", "spectrum", "phases", "swept-area"];
    check_figures(&written, &[&of_others[..], &OF_RELU].concat());

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

#[test]
fn equal_runs_leave_equal_bytes_and_replace_what_was_there() {
    let shop = shop();
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
        if path == Path::new("report.html") {
            let timeless = |bytes: &[u8]| {
                let (start, clock) = text(bytes).split_once(" Jacobians, ").unwrap();
                let (seconds, rest) = clock.split_once(" s<").unwrap();
                assert!(seconds.parse::<f64>().is_ok(), "{seconds}");
                [start.to_owned(), rest.to_owned()]
            };
            assert_eq!(timeless(before), timeless(after));
            continue;
        }
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
    let shop = shop();
    let output = shop.ends(
        0,
        "run three.toml --out a --format json --set flow.until.log-time=1e5 --set flow.method=esdirk34 \
         --set flow.saves=11",
    );
    let report = json(&output.stdout);
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
fn a_run_in_the_reduced_state_leaves_all_weights() {
    let shop = shop();
    shop.ends(0, "run three.toml --out full");
    shop.ends(
        0,
        "run three.toml --out reduced --verify --set flow.state=reduced",
    );
    let [full, reduced] = ["full", "reduced"].map(|folder| shop.report(folder));
    check_contract(&reduced);
    assert_eq!(reduced["solver"]["unknowns"], 3 + 3);
    let method = reduced["solver"]["method"].as_str().unwrap();
    assert!(method.ends_with(" (reduced state)"), "{method}");
    assert_eq!(reduced["verification"]["agrees"], true);
    for (a, b) in full["claims"]
        .as_array()
        .unwrap()
        .iter()
        .zip(reduced["claims"].as_array().unwrap())
    {
        assert_eq!((&a["id"], &a["verdict"]), (&b["id"], &b["verdict"]));
    }
    let weights = |folder: &str| array(&shop.read(folder, "trajectory.npz"), "w_2");
    let [(shape, full), (same, reduced)] = ["full", "reduced"].map(weights);
    assert_eq!((&shape, &shape), (&same, &vec![61, 4, 2]));
    let largest = full.iter().fold(0.0_f64, |m, w| m.max(w.abs()));
    for (a, b) in full.iter().zip(&reduced) {
        assert!((a - b).abs() <= 1e-6 * largest, "{a} {b}");
    }
    let resolved = shop.read("reduced", "scenario.toml");
    assert!(text(&resolved).contains("state = \"reduced\""));
}

#[test]
fn verification_compares_with_a_tighter_run() {
    let shop = shop();
    let base = "run three.toml --out a --verify --format json --set flow.until.log-log-time=12";
    let report = shop.ends(0, base).stdout;
    let report = json(&report);
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
    let report = json(&shop.ends(4, &spent).stdout);
    assert_eq!(report["status"], "completed");
    assert_eq!(report["verification"]["agrees"], false);
    assert_eq!(report["verification"]["status"], "budget-steps");
}

#[test]
fn an_unexpected_verdict_ends_with_1_and_a_spent_budget_with_5() {
    let shop = shop();
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
fn limit_is_the_maximum_margin_separator() {
    let shop = shop();
    let printed = shop.ends(0, "limit three.toml --format json").stdout;
    let limit = json(&printed);
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
    let shop = shop();
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
    let shop = shop();
    let help = shop.ends(0, "--help").stdout;
    for verb in [
        "run",
        "compare",
        "limit",
        "study",
        "compare-runs",
        "sweep",
        "reproduce",
        "claims",
        "explain",
        "schema",
        "completions",
    ] {
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

/// A column of a paper is 3.25 inches wide: 234 points.
#[test]
fn figures_are_drawn_for_papers() {
    let shop = shop();
    let run = "run three.toml --set flow.until.log-log-time=6 --quiet";
    shop.ends(
        0,
        &format!("{run} --out paper --figure-width 3.25 --no-title --format json,pdf,svg"),
    );
    let folder = shop.path("paper/figures");
    let mut endings = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let ending = path.extension().unwrap().to_str().unwrap().to_owned();
        match ending.as_str() {
            "pdf" => assert!(bytes.starts_with(b"%PDF"), "{}", path.display()),
            _ => {
                let svg = text(&bytes);
                let width = svg.split("width=\"").nth(1).unwrap();
                let points: f64 = width.split("pt\"").next().unwrap().parse().unwrap();
                assert!((233.0..=234.0).contains(&points), "{points}");
            }
        }
        endings.insert(ending);
    }
    assert_eq!(endings.into_iter().collect::<Vec<_>>(), ["pdf", "svg"]);
    // the page keeps its own drawings, with titles
    let page = std::fs::read_to_string(shop.path("paper/report.html")).unwrap();
    assert!(page.contains("Angle between the weights and their predicted limit"));
    shop.ends(0, &format!("{run} --out usual"));
    assert!(shop.path("usual/figures/angle-to-limit.png").exists());
}
