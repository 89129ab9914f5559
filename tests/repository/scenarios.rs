//! Every scenario that comes with marginflow runs to its end, conserves what it must, and meets its `[expect]`.

use marginflow::claims::{self, Outcome};
use marginflow::control::Control;
use marginflow::report;
use marginflow::run::{RunOptions, run};
use marginflow::scenario;
use marginflow::trajectory::Status;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most that a conserved quantity, or `|p − (τ − m)|/(1+τ)`, may drift over a whole run, relatively.
const DRIFT: f64 = 1e-6;

/// Scenarios that show a network which cannot fit its data.
const UNFIT: [&str; 1] = ["relu-xor"];

/// `scenarios/*.toml`, sorted.
fn scenarios() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    paths.sort();
    assert!(paths.len() >= 5, "{paths:?}");
    paths
}

/// Few enough claims to read, among them one that is decided; a claim that does not apply is listed only where that is
/// the point.
#[test]
fn each_says_what_it_shows_and_expects() {
    let mut not_applicable = Vec::new();
    for path in scenarios() {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.display();
        assert!(text.starts_with("# "), "{name}: no leading comment");
        let scenario = scenario::load(&path, &[]).unwrap();
        assert_ne!(scenario.title, scenario.name, "{name}: no title");
        let decided = |o: &Outcome| matches!(o, Outcome::Holds | Outcome::Violated);
        assert!(
            scenario.expect.values().any(decided),
            "{name}: nothing is asserted"
        );
        for (claim, outcome) in scenario.expect {
            if outcome == Outcome::NotApplicable {
                not_applicable.push(format!("{} {claim}", scenario.name));
            }
        }
    }
    assert_eq!(
        not_applicable,
        ["fc-dfa-random-init prop-1", "relu-xor thm-4"]
    );
}

/// What is wrong with the run of one scenario, if anything.
fn complaints(path: &Path) -> Vec<String> {
    let scenario = match scenario::load(path, &[]) {
        Ok(scenario) => scenario,
        Err(error) => return vec![error.to_string()],
    };
    let horizon = scenario.flow.until;
    let finished = match run(scenario, RunOptions::default(), &Control::none()) {
        Ok(finished) => finished,
        Err(error) => return vec![error.to_string()],
    };
    let mut wrong = Vec::new();
    let mut check = |good: bool, what: String| {
        if !good {
            wrong.push(what);
        }
    };
    let (ended, d) = (&finished.conclusion, &finished.diagnostics);
    check(
        ended.status == Status::Completed,
        format!("{:?}: {:?}", ended.status, ended.message),
    );
    check(
        d.log_log_time.last() == Some(&horizon),
        "ends before its horizon".into(),
    );
    for (id, expected, found) in finished.surprises() {
        let verdict = finished.verdicts.iter().find(|v| v.id == id);
        check(
            false,
            format!("{id} is {found:?}, expected {expected:?}: {verdict:?}"),
        );
    }
    check(
        finished.verdicts.iter().map(|v| v.id).eq(claims::ids()),
        "unjudged claims".into(),
    );
    for v in &finished.verdicts {
        let listed = finished.scenario.expect.contains_key(v.id);
        check(
            v.outcome != Outcome::Violated || listed,
            format!(
                "{} is violated, of which [expect] says nothing: {v:?}",
                v.id
            ),
        );
    }
    check(
        finished.exit_code() == 0,
        format!("exit code {}", finished.exit_code()),
    );
    check(!d.invariants.is_empty(), "no conserved quantity".into());
    for invariant in &d.invariants {
        let drift = invariant.worst();
        // Written so that NaN is a complaint too.
        check(
            drift <= DRIFT,
            format!("{} drifts by {drift:.1e}", invariant.name),
        );
    }
    let drift = d.worst_multiplier_drift();
    check(
        drift <= DRIFT,
        format!("log-multipliers drift by {drift:.1e}"),
    );
    let report: serde_json::Value = serde_json::from_str(&report::json(&finished)).unwrap();
    let unfit = UNFIT.contains(&finished.scenario.name.as_str());
    let linear = finished.problem.network().is_linear();
    let general = finished.problem.network().general().is_some();
    // Gaussian feedback of several outputs selects no norm
    let unpredicted = d.theory.limit.is_none();
    for (key, value) in report["final"].as_object().unwrap() {
        // serde_json writes NaN and infinities as null.
        let good = match value {
            serde_json::Value::Array(entries) => {
                // with several outputs β is a list of rows
                let numbers = |value: &serde_json::Value| match value.as_array() {
                    Some(row) => row.iter().all(serde_json::Value::is_number),
                    None => value.is_number(),
                };
                entries.is_empty() == (key == "beta" && !linear) && entries.iter().all(numbers)
            }
            serde_json::Value::Object(_) => match key.as_str() {
                "sandwich" => d.sandwich.is_some(),
                _ => key == "output_layer" || !linear,
            },
            serde_json::Value::Null => match key.as_str() {
                "sandwich" => d.sandwich.is_none(),
                "homogeneous" => linear,
                "singular_values" | "effective_rank" => d.classes.is_none(),
                "effective_entries" => finished.problem.network().spectrum().is_none(),
                // Without a predictor nothing is certified by what was accumulated.
                "accumulated_duality_gap" if !linear => true,
                // A potential that is not convex has no dual, at the limit or anywhere else.
                "duality_gap" | "accumulated_duality_gap" => {
                    unfit || report["limit"]["duality_gap"].is_null()
                }
                // Which problem fixed feedback solves is known at depth 2, of gated units, only.
                "kkt_residual" if general => !d.theory.errors.are_gradients(),
                "kkt_residual" if !linear => unfit || finished.problem.network().depth() > 2,
                _ => (unfit || unpredicted) && key == "angle_to_limit",
            },
            value => value.is_number(),
        };
        check(good, format!("final.{key} is {value}"));
    }
    check(
        (report["limit"]["kind"] == "none") == (unfit || unpredicted),
        format!("limit {}", report["limit"]["kind"]),
    );
    let margin = report["final"]["min_margin"].as_f64();
    check(
        (margin > Some(0.0)) != unfit,
        format!("smallest margin {margin:?}"),
    );
    wrong
}

#[test]
fn each_runs_to_its_end_and_meets_its_expectations() {
    let paths = scenarios();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut wrong = Vec::new();
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            let name = path.file_name().unwrap().to_string_lossy();
            wrong.extend(
                complaints(path)
                    .into_iter()
                    .map(|what| format!("{name}: {what}")),
            );
        }
        wrong
    };
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let threads = [scope.spawn(work), scope.spawn(work)];
        threads
            .into_iter()
            .flat_map(|t| t.join().unwrap())
            .collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
