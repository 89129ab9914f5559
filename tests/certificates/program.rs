//! `certify` and `check` from outside: exit codes, files, reports.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Exit code and standard output.
fn marginflow(arguments: &[&str], folder: &Path) -> (i32, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_marginflow"));
    let output = program
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    let said =
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), said)
}

const SCENARIO: &str = "
title = 'small'
loss = 'exponential'
initial = 'zero'
[dataset.gaussian-teacher]
dimension = 5
samples = 4
seed = 7
[network.convolutional-linear]
depth = 2
[rule.direct-feedback-alignment]
feedback.gaussian.seed = 7
[flow]
until.log-log-time = 20.0
";

#[test]
fn certificates_are_made_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("small.toml"), SCENARIO).unwrap();
    let (code, said) = marginflow(&["certify", "small.toml", "--out", "c.json"], at);
    assert!(
        code == 0 && said.contains("proved: least-norm, sandwich, phases"),
        "{code} {said}"
    );
    let (code, said) = marginflow(
        &["certify", "small.toml", "--no-run", "--out", "limit.json"],
        at,
    );
    assert!(
        code == 0 && said.contains("proved: least-norm\n"),
        "{code} {said}"
    );
    let (code, said) = marginflow(&["check", "c.json", "limit.json"], at);
    assert!(
        code == 0 && said.matches(": proved: ").count() == 4,
        "{code} {said}"
    );

    let text = fs::read_to_string(at.join("c.json")).unwrap();
    let multipliers = text.find("\"multipliers\":[\"0x").unwrap() + 18;
    let mut bytes = text.into_bytes();
    bytes[multipliers] ^= 1;
    fs::write(at.join("tampered.json"), &bytes).unwrap();
    fs::write(at.join("cut.json"), &bytes[..bytes.len() / 2]).unwrap();
    fs::write(
        at.join("other.json"),
        "{\"format\":\"marginflow-report/1\"}",
    )
    .unwrap();
    for (file, expected, sentence) in [
        ("tampered.json", 1, "NOT PROVED: "),
        ("cut.json", 65, "not a certificate"),
        ("other.json", 65, "its format is"),
        ("small.toml", 65, "not a certificate"),
        ("missing.json", 74, "missing.json"),
    ] {
        let (code, said) = marginflow(&["check", file], at);
        assert!(
            code == expected && said.contains(sentence),
            "{file}: {code} {said}"
        );
    }
    assert_eq!(marginflow(&["check"], at).0, 2);
}

#[test]
fn what_is_not_separable_is_proved_so() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("X.csv"), "1,2\n-2,-4\n0.5,1\n").unwrap();
    fs::write(at.join("y.csv"), "1\n1\n-1\n").unwrap();
    let scenario = SCENARIO
        .replace(
            "[dataset.gaussian-teacher]\ndimension = 5\nsamples = 4\nseed = 7",
            "[dataset.files]\nsamples = 'X.csv'\nlabels = 'y.csv'",
        )
        .replace("convolutional-linear", "fully-connected-linear");
    fs::write(at.join("not.toml"), scenario).unwrap();
    let (code, said) = marginflow(&["certify", "not.toml", "--out", "c.json"], at);
    assert!(code == 0 && said.contains("non-separable"), "{code} {said}");
    let (code, said) = marginflow(&["check", "c.json"], at);
    assert!(code == 0 && said.contains("not separable"), "{code} {said}");
}

#[test]
fn reports_carry_what_is_proved() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("small.toml"), SCENARIO).unwrap();
    let run = |more: &[&str]| {
        let arguments = [&["run", "small.toml", "--no-figures", "--out", "out"], more].concat();
        let (_, said) = marginflow(&arguments, at);
        let report: Value =
            serde_json::from_slice(&fs::read(at.join("out/report.json")).unwrap()).unwrap();
        (said, report)
    };
    let (said, report) = run(&[]);
    let certified = &report["certified"];
    assert!(certified["gap"].as_f64().unwrap() < 1e-12, "{certified}");
    let (bound, measured) = (&certified["angle"], &report["final"]["angle_to_limit"]);
    let (bound, measured) = (bound.as_f64().unwrap(), measured.as_f64().unwrap());
    assert!(
        bound >= measured * (1.0 - 1e-9) && bound < measured * 1.001 + 1e-14,
        "{bound} {measured}"
    );
    let proved = |id: &str| {
        let claims = report["claims"].as_array().unwrap();
        claims.iter().find(|c| c["id"] == id).unwrap()["proved"].clone()
    };
    assert!(
        proved("thm-2-corrected").is_string()
            && proved("prop-2").is_string()
            && proved("thm-1").is_null()
    );
    assert!(
        said.contains("proved: angle ≤") && said.contains("PROVED: "),
        "{said}"
    );
    assert_eq!(marginflow(&["check", "out/certificate.json"], at).0, 0);

    let (said, report) = run(&["--no-certify"]);
    assert!(
        report["certified"]["gap"].is_null() && !said.contains("proved"),
        "{said}"
    );
    assert!(
        !at.join("out/certificate.json").exists(),
        "an earlier one is removed"
    );
}
