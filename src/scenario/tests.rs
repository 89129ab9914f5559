//! Valid scenarios: defaults, assignments, and their draws. Invalid ones are in `tests/repository/bad_scenarios.rs`.

use super::*;
use crate::rule::Rule;
use nalgebra::{DMatrix, dmatrix, dvector};
use std::fs;

const SMALL: &str = r#"
[dataset.gaussian-teacher]
dimension = 4
samples = 3
seed = 1
[network.fully-connected-linear]
depth = 3
[rule.direct-feedback-alignment]
feedback.gaussian.seed = 7
[initial]
gaussian = { scale = 0.5, seed = 7 }
[flow]
until.log-log-time = 40
[expect]
thm-1 = "holds"
rate-bp = "not-applicable"
"#;

fn read(text: &str, overrides: &[&str]) -> Result<Scenario> {
    let overrides: Vec<String> = overrides.iter().map(|o| o.to_string()).collect();
    parse(Path::new("small.toml"), text, &overrides)
}

/// A folder with data, feedback and weights for a depth-2 network of widths 2 → 3 → 1, and its scenario.
fn folder_with_files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("x.csv", "1,2\n3,4\n");
    write("y.csv", "1\n-1\n");
    write("b1.csv", "1\n2\n3\n");
    write("w1.csv", "1,2,3\n4,5,6\n");
    write("w2.csv", "7\n8\n9\n");
    write(
        "s.toml",
        r#"
dataset.files = { samples = "x.csv", labels = "y.csv" }
network.fully-connected-linear = { depth = 2, hidden = [3] }
rule.direct-feedback-alignment.feedback.files = ["b1.csv"]
initial.files = ["w1.csv", "w2.csv"]
flow.until.time = 10.0
"#,
    );
    folder
}

#[test]
fn defaults_are_the_documented_ones() {
    let scenario = read(SMALL, &[]).unwrap();
    assert_eq!(scenario.title, "small");
    let flow = &scenario.flow;
    assert_eq!((flow.until, flow.rtol, flow.atol), (40.0, 1e-6, 1e-8));
    assert_eq!(
        (flow.method, &flow.saves),
        (Method::AdamsBdf, &SaveAt::Default)
    );
    assert_eq!(flow.state, State::Full);
    assert_eq!((flow.max_steps, flow.max_wall_seconds), (1_000_000, 3600.0));
    let expect: Vec<_> = scenario
        .expect
        .iter()
        .map(|(id, o)| (id.as_str(), *o))
        .collect();
    assert_eq!(
        expect,
        [
            ("rate-bp", Outcome::NotApplicable),
            ("thm-1", Outcome::Holds)
        ]
    );
    let problem = scenario.build().unwrap();
    assert_eq!(problem.loss().name(), "exponential");
    assert_eq!(problem.network().shapes(), [(4, 4), (4, 4), (4, 1)]);
    assert_eq!(problem.feedback().unwrap().len(), 2);
    assert_eq!(problem.theta0().len(), 36);
}

#[test]
fn every_clock_gives_the_same_horizon() {
    // t = e − 1, τ = ln(1+t) = 1, s = ln(1+τ) = ln 2.
    let time = std::f64::consts::E - 1.0;
    for until in [
        format!("flow.until.time={time}"),
        "flow.until.log-time=1".into(),
        format!("flow.until.log-log-time={}", std::f64::consts::LN_2),
    ] {
        let found = read(SMALL, &[&until]).unwrap().flow.until;
        assert!(
            (found - std::f64::consts::LN_2).abs() < 1e-15,
            "{until}: {found}"
        );
    }
}

#[test]
fn files_land_where_the_formulas_expect_them() {
    let folder = folder_with_files();
    let problem = load(&folder.path().join("s.toml"), &[])
        .unwrap()
        .build()
        .unwrap();
    assert_eq!(
        problem.dataset().signed_samples(),
        &dmatrix![1.0, 2.0; -3.0, -4.0]
    );
    assert_eq!(
        problem.rule(),
        &Rule::direct_feedback_alignment(vec![dvector![1.0, 2.0, 3.0]])
    );
    // w_1 is 2 × 3, column by column, then w_2.
    let expected = [1.0, 4.0, 2.0, 5.0, 3.0, 6.0, 7.0, 8.0, 9.0];
    assert_eq!(problem.theta0().as_slice(), expected);
}

#[test]
fn the_resolved_copy_runs_from_any_folder() {
    let folder = folder_with_files();
    for rule in ["direct-feedback-alignment", "feedback-alignment"] {
        let overrides = [
            "loss=logistic".to_owned(),
            format!("rule.{rule}.feedback.files=['b1.csv']"),
        ];
        let scenario = load(&folder.path().join("s.toml"), &overrides).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let copy = elsewhere.path().join("scenario.toml");
        fs::write(&copy, &scenario.resolved).unwrap();
        let copied = load(&copy, &[]).unwrap().build().unwrap();
        let original = scenario.build().unwrap();
        assert_eq!(copied.theta0(), original.theta0());
        assert_eq!(copied.dataset(), original.dataset());
        assert_eq!(copied.rule(), original.rule());
        assert_eq!(copied.rule().key(), rule);
        assert_eq!(copied.loss().name(), "logistic");
    }
}

#[test]
fn the_hash_follows_content_not_folder() {
    let [here, there] = [folder_with_files(), folder_with_files()];
    let hash = |folder: &tempfile::TempDir, overrides: &[String]| {
        load(&folder.path().join("s.toml"), overrides)
            .unwrap()
            .sha256
    };
    assert_eq!(hash(&here, &[]).len(), 64);
    assert_eq!(hash(&here, &[]), hash(&there, &[]));
    assert_ne!(hash(&here, &[]), hash(&here, &["loss=logistic".into()]));
}

#[test]
fn overrides_reach_the_problem() {
    let overrides = [
        "rule=gradient-descent",
        "dataset.gaussian-teacher.samples=9",
        "network.fully-connected-linear.hidden=[2, 5]",
        "flow.method=tr-bdf2",
        "expect.thm-1=violated",
    ];
    let scenario = read(SMALL, &overrides).unwrap();
    assert_eq!(scenario.flow.method, Method::TrBdf2);
    assert_eq!(scenario.expect["thm-1"], Outcome::Violated);
    let problem = scenario.build().unwrap();
    assert_eq!(problem.rule(), &Rule::gradient_descent());
    assert_eq!(problem.dataset().len(), 9);
    assert_eq!(problem.network().shapes(), [(4, 2), (2, 5), (5, 1)]);
}

#[test]
fn the_state_of_a_flow_is_chosen_and_kept_in_the_resolved_copy() {
    let scenario = read(SMALL, &["flow.state=reduced"]).unwrap();
    assert_eq!(scenario.flow.state, State::Reduced);
    assert_eq!(
        scenario.steps.map(|s| s.state),
        None,
        "a key of the flow alone"
    );
    let copied = read(&scenario.resolved, &[]).unwrap();
    assert_eq!(copied.flow.state, State::Reduced);
    let asked = read(SMALL, &["flow.state=full", "rule=gradient-descent"]).unwrap();
    assert_eq!(asked.flow.state, State::Full);
}

#[test]
fn scale_multiplies_the_same_draws() {
    let theta = |scale: &str| {
        let set = format!("initial.gaussian.scale={scale}");
        let problem = read(SMALL, &[&set]).unwrap().build().unwrap();
        problem.theta0().clone()
    };
    assert_eq!(theta("2") * 0.25, theta("0.5"));
    // Equal seeds but different purposes: weights differ from the feedback.
    let problem = read(SMALL, &["initial.gaussian.scale=1"])
        .unwrap()
        .build()
        .unwrap();
    assert_ne!(
        problem.theta0().rows(0, 4),
        problem.feedback().unwrap()[0].rows(0, 4)
    );
}

#[test]
fn feedback_is_read_vector_by_vector() {
    let b = read(SMALL, &[]).unwrap().build().unwrap();
    let drawn: Vec<f64> = crate::dataset::standard_normals("feedback", 7)
        .take(8)
        .collect();
    let expected = DMatrix::from_column_slice(4, 2, &drawn);
    for (l, vector) in b.feedback().unwrap().iter().enumerate() {
        assert_eq!(*vector, expected.column(l));
    }
}

#[test]
fn depth_one_and_one_zero_layer_move_under_gradient_descent() {
    let single = [
        "rule=gradient-descent",
        "initial=zero",
        "network.fully-connected-linear.depth=1",
    ];
    assert_eq!(
        read(SMALL, &single)
            .unwrap()
            .build()
            .unwrap()
            .theta0()
            .len(),
        4
    );
    let folder = folder_with_files();
    fs::write(folder.path().join("w2.csv"), "0\n0\n0\n").unwrap();
    let overrides = ["rule=gradient-descent".to_owned()];
    let scenario = load(&folder.path().join("s.toml"), &overrides).unwrap();
    assert_eq!(scenario.build().unwrap().rule(), &Rule::gradient_descent());
}

#[test]
fn shipped_scenarios_build() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut found = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            let scenario = load(&path, &[]).unwrap_or_else(|e| panic!("{e}"));
            scenario.build().unwrap_or_else(|e| panic!("{e}"));
            assert!(!scenario.expect.is_empty(), "{}", path.display());
            found += 1;
        }
    }
    assert!(found >= 5, "{found} scenarios");
}
