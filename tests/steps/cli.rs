//! `compare` and `[steps]` from outside.

use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn command(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::cargo_bin("marginflow").unwrap();
    command.args(arguments).arg("--out").arg(folder);
    command
}

fn scenario_path(name: &str) -> String {
    format!("{}/scenarios/{name}.toml", env!("CARGO_MANIFEST_DIR"))
}

fn report(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap()
}

#[test]
fn compare_writes_one_entry_per_step_size() {
    let folder = TempDir::new().unwrap();
    let path = scenario_path("conv-dfa-2");
    let output = command(
        &[
            "compare",
            &path,
            "--set",
            "steps.sizes=[1e-2,1e-3]",
            "--set",
            "steps.count=5000",
        ],
        folder.path(),
    )
    .output()
    .unwrap();
    // thm-2-discrete holds where the scenario, which has no steps of its own, expects that it does not apply
    assert_eq!(output.status.code(), Some(1));
    let table = String::from_utf8(output.stdout).unwrap();
    for fragment in [
        "step size",
        "angle to flow",
        "observed order",
        "thm-2-discrete",
        "UNEXPECTED",
    ] {
        assert!(table.contains(fragment), "{fragment} not in\n{table}");
    }
    let report = report(folder.path());
    assert_eq!(report["status"], "completed");
    let steps = report["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 2);
    for (entry, size) in steps.iter().zip([1e-2, 1e-3]) {
        assert_eq!(
            (entry["size"].as_f64(), entry["count"].as_u64()),
            (Some(size), Some(5000))
        );
        assert_eq!(entry["beta"].as_array().unwrap().len(), 8);
        for key in ["angle_to_flow", "angle_to_limit", "max_relative_distance"] {
            let value = entry[key].as_f64().unwrap();
            assert!(value > 0.0 && value < 1.0, "{key} {value}");
        }
        assert!(entry["wall_seconds"].as_f64().unwrap() >= 0.0);
    }
    let claims: Vec<&str> = (report["claims"].as_array().unwrap().iter())
        .map(|c| c["id"].as_str().unwrap())
        .collect();
    assert_eq!(
        claims,
        ["thm-1-discrete", "thm-2-discrete", "thm-3-discrete"]
    );
    for file in [
        "figures/finite-steps.svg",
        "figures/step-sizes.png",
        "trajectory.npz",
    ] {
        assert!(folder.path().join(file).exists(), "{file}");
    }
}

#[test]
fn a_scenario_without_steps_is_refused_with_what_to_add() {
    let folder = TempDir::new().unwrap();
    let output = command(&["compare", &scenario_path("fc-dfa")], folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(65));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("no finite steps") && error.contains("steps.sizes="),
        "{error}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Waits for an end that must come soon.
fn ended(mut child: Child) -> Option<i32> {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "it does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_signal_ends_a_run_after_a_checkpoint_and_the_same_command_goes_on() {
    let path = scenario_path("fc-dfa");
    let arguments = [
        "compare",
        &path,
        "--set",
        "steps.sizes=[1e-2]",
        "--set",
        "steps.count=30000000",
    ];
    let whole = TempDir::new().unwrap();
    command(&arguments, whole.path()).output().unwrap();
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let cut = TempDir::new().unwrap();
        let child = std::process::Command::new(assert_cmd::cargo::cargo_bin("marginflow"))
            .args(arguments)
            .arg("--out")
            .arg(cut.path())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(300));
        let sent = std::process::Command::new("kill")
            .args([format!("-{signal}"), child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
        assert_eq!(ended(child), Some(code));
        assert!(cut.path().join("steps-1.checkpoint").exists());
        assert!(!cut.path().join("report.json").exists());
        let output = command(&arguments, cut.path()).output().unwrap();
        assert!(
            String::from_utf8(output.stderr)
                .unwrap()
                .contains("resumed from")
        );
        assert!(!cut.path().join("steps-1.checkpoint").exists());
        let (cut, whole) = (report(cut.path()), report(whole.path()));
        for key in [
            "beta",
            "angle_to_flow",
            "max_relative_distance",
            "log_loss",
            "taken",
        ] {
            assert_eq!(cut["steps"][0][key], whole["steps"][0][key], "{key}");
        }
    }
}
