//! What may happen to a run from outside, and what it does not change: kills, signals, damage, full disks, others in the same folder.

mod checkpoints;
mod disks;
mod folders;
mod kills;
mod marks;
#[path = "../support/program.rs"]
mod program;
mod signals;

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Fully connected, depth 3, at tolerances that make `adams-bdf` take thousands of steps.
const LINEAR: &str = r#"
[dataset.gaussian-teacher]
dimension = 10
samples = 15
seed = 4
[network.fully-connected-linear]
depth = 3
[rule.direct-feedback-alignment]
feedback.gaussian.seed = 7
[initial]
gaussian = { scale = 0.1, seed = 3 }
[flow]
until.log-log-time = 60.0
rtol = 1e-11
atol = 1e-13
saves = 5
"#;

/// Exact kinks, integrated piece by piece, with fixed points.
const KINKS: &str = r#"
[dataset.gaussian-random-labels]
dimension = 5
samples = 10
seed = 3
[network.relu]
hidden = [12]
[rule.direct-feedback-alignment]
feedback.gaussian.seed = 3
[initial]
gaussian = { scale = 0.3, seed = 3, level-set = true }
[flow]
until.log-log-time = 8.0
saves = 5
checkpoint-steps = 200
"#;

/// Finite steps, a flow beside them, and the flow to its horizon.
const STEPS: &str = r#"
initial = "zero"
[dataset.gaussian-teacher]
dimension = 8
samples = 5
seed = 5
[network.fully-connected-linear]
depth = 2
[rule.direct-feedback-alignment]
feedback.gaussian.seed = 7
[flow]
until.log-log-time = 20.0
saves = 5
[steps]
sizes = [1e-2, 2e-3]
count = 1500000
"#;

/// Limits, flows and steps of several networks.
const SWEEP: &str = r#"
[dataset.gaussian-teacher]
dimension = 12
samples = 6
seed = 5
[network.convolutional-linear]
depth = 2
[rule.direct-feedback-alignment]
feedback.gaussian.seed = 1
[initial]
gaussian = { scale = 0.01, seed = 1 }
[flow]
until.log-time = 10.0
[steps]
sizes = [1e-3]
count = 20000
[sweep]
cases = ["fc", "conv-dfa-2", "conv-bp-2", "diagonal-dfa-2-unit"]
ratios = [0.5, 1.0, 2.0]
seeds = 5
kinds = ["limit", "flow", "steps"]
"#;

/// A folder with these scenarios in it.
struct Shop(TempDir);

impl Shop {
    fn new() -> Self {
        let shop = Self(tempfile::tempdir().unwrap());
        for (name, text) in [
            ("linear", LINEAR),
            ("kinks", KINKS),
            ("steps", STEPS),
            ("sweep", SWEEP),
        ] {
            fs::write(shop.path(&format!("{name}.toml")), text).unwrap();
        }
        shop
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    #[track_caller]
    fn ends(&self, code: i32, arguments: &str) -> Output {
        program::ends(self.0.path(), code, arguments)
    }

    /// Starts the program and lets it run.
    fn starts(&self, arguments: &str) -> Child {
        Command::new(env!("CARGO_BIN_EXE_marginflow"))
            .current_dir(self.0.path())
            .args(arguments.split_whitespace())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Starts the program, and waits until it has left a file there.
    #[track_caller]
    fn starts_until(&self, arguments: &str, file: &str) -> Child {
        let mut child = self.starts(arguments);
        let begin = Instant::now();
        while !self.path(file).exists() {
            assert_eq!(child.try_wait().unwrap(), None, "it ended without {file}");
            assert!(begin.elapsed() < Duration::from_secs(60), "no {file}");
            sleep(Duration::from_millis(1));
        }
        child
    }
}

/// Everything a command left in a folder, by name, without what tells how long it took: `report.html` (made of the rest), and
/// `wall_seconds` in JSON.
fn left(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fn collect(root: &Path, folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(root, &path, found);
                continue;
            }
            let name = path.strip_prefix(root).unwrap().to_owned();
            let bytes = fs::read(&path).unwrap();
            let bytes = match path.extension().and_then(|e| e.to_str()) {
                Some("html") => Vec::new(),
                Some("json") if name.ends_with("report.json") => timeless(&bytes),
                _ => bytes,
            };
            found.insert(name, bytes);
        }
    }
    let mut found = BTreeMap::new();
    collect(folder, folder, &mut found);
    found
}

fn timeless(report: &[u8]) -> Vec<u8> {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(entries) => {
                entries.remove("wall_seconds");
                entries.values_mut().for_each(strip);
            }
            Value::Array(entries) => entries.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value: Value = serde_json::from_slice(report).unwrap();
    strip(&mut value);
    value.to_string().into_bytes()
}

/// That two folders hold the same.
#[track_caller]
fn same(left: &BTreeMap<PathBuf, Vec<u8>>, right: &BTreeMap<PathBuf, Vec<u8>>) {
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(left), names(right));
    for (name, bytes) in left {
        assert!(bytes == &right[name], "{} differs", name.display());
    }
}

fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill")
        .args([format!("-{signal}"), child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

/// Waits for an end that must come soon; exit code and what was said.
#[track_caller]
fn ended(mut child: Child) -> (Option<i32>, String) {
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begin.elapsed() < Duration::from_secs(60), "it does not end");
        sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
