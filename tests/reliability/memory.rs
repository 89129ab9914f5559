//! Estimates of memory beside real runs, and the refusal in the place of an abort.

use super::scenario::{FEEDBACK, GRADIENT_DESCENT, NETWORKS, Parts, drawn};
use marginflow::memory::Work;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// What the program takes without data, bytes: over-estimates are measured beyond it.
const BASE: f64 = 65e6;

fn parts(dimension: usize, samples: usize, network: &'static str, flow: &str) -> Parts {
    Parts {
        dataset: format!(
            "[dataset.gaussian-teacher]\ndimension = {dimension}\nsamples = {samples}\nseed = 1"
        ),
        network,
        rule: FEEDBACK.into(),
        until: "until.log-log-time = 2.0".into(),
        flow: flow.into(),
        ..drawn()
    }
}

/// The peak resident memory of a run, bytes: the last `VmHWM` it showed.
#[cfg(target_os = "linux")]
fn peak(folder: &Path) -> f64 {
    let mut child = Command::new(env!("CARGO_BIN_EXE_marginflow"))
        .current_dir(folder)
        .args(["run", "case.toml", "--quiet", "--out", "out"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let path = format!("/proc/{}/status", child.id());
    let mut peak = 0.0_f64;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        peak = peak.max(1024.0 * kilobytes.unwrap_or(0.0));
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(folder.join("out/report.json").is_file(), "the run was made");
    peak
}

#[cfg(target_os = "linux")]
#[test]
fn estimates_are_neither_far_below_nor_far_above_what_runs_take() {
    let wide = "[network.fully-connected-linear]\ndepth = 2\nhidden = [600]";
    let narrow = "[network.fully-connected-linear]\ndepth = 2\nhidden = [4]";
    let relu = "[network.relu]\nhidden = [600]\nsmoothing = 0.01";
    let few = "saves = 3\nmax-steps = 20";
    let runs: Vec<(&str, usize, usize, Parts)> = vec![
        ("small", 3, 4, drawn()),
        ("wide layers", 600, 10, parts(600, 10, wide, few)),
        (
            "wide layers, all saves",
            600,
            10,
            parts(600, 10, wide, "saves = 30\nmax-steps = 2000"),
        ),
        (
            "fully implicit",
            600,
            10,
            parts(600, 10, wide, "saves = 3\nmax-steps = 20\nmethod = \"bdf\""),
        ),
        (
            "gradient descent",
            600,
            10,
            Parts {
                rule: GRADIENT_DESCENT.into(),
                ..parts(600, 10, wide, few)
            },
        ),
        ("many samples", 400, 800, parts(400, 800, narrow, few)),
        (
            "convolutional",
            6000,
            60,
            parts(6000, 60, NETWORKS[1].1, few),
        ),
        ("ReLU", 600, 10, parts(600, 10, relu, few)),
        (
            "finite steps",
            300,
            10,
            Parts {
                more: "[steps]\nsizes = [1e-9, 2e-9]\ncount = 60".into(),
                ..parts(
                    300,
                    10,
                    "[network.fully-connected-linear]\ndepth = 2\nhidden = [300]",
                    few,
                )
            },
        ),
    ];
    let mut failures = Vec::new();
    for (name, dimension, samples, parts) in runs {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("case.toml");
        fs::write(&path, parts.text()).unwrap();
        let scenario = marginflow::scenario::load(&path, &[]).unwrap();
        let estimate = scenario
            .memory(Work::Run, samples, dimension)
            .unwrap()
            .total();
        let peak = peak(folder.path());
        println!(
            "{name}: estimated {:.0} MB, took {:.0} MB",
            estimate / 1e6,
            peak / 1e6
        );
        if peak > 1.5 * estimate || estimate > BASE + 3.0 * peak {
            failures.push(format!(
                "{name}: estimated {:.0} MB, took {:.0} MB",
                estimate / 1e6,
                peak / 1e6
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The program in a shell whose address space is limited, kilobytes.
#[cfg(target_os = "linux")]
fn limited(folder: &Path, kilobytes: usize) -> Output {
    let program = env!("CARGO_BIN_EXE_marginflow");
    let command = format!("ulimit -v {kilobytes}; exec {program} run case.toml --quiet --out out");
    Command::new("sh")
        .current_dir(folder)
        .args(["-c", &command])
        .output()
        .unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_larger_than_the_limit_of_its_process_is_refused_and_not_aborted() {
    let network = "[network.fully-connected-linear]\ndepth = 2\nhidden = [6000]";
    let folder = tempfile::tempdir().unwrap();
    let large = parts(6000, 5, network, "saves = 2\nmax-steps = 5");
    fs::write(folder.path().join("case.toml"), large.text()).unwrap();
    let refused = limited(folder.path(), 2_000_000);
    let message = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(65), "{message}");
    for part in [
        "of memory, and",
        "are available",
        "the weights and the integrator's copies",
        "3.6e7 weights",
    ] {
        assert!(message.contains(part), "no {part} in {message}");
    }
    assert!(!folder.path().join("out").exists(), "nothing was written");
    // the same limit leaves room for a small one
    fs::write(folder.path().join("case.toml"), drawn().text()).unwrap();
    let made = limited(folder.path(), 2_000_000);
    assert_eq!(
        made.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
}
