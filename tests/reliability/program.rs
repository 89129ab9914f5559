//! One case: the files of a folder, the arguments, and how the program ended there.

use super::outside::ended_within;
use serde_json::Value;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Longest a case may take; none takes more than a few seconds on a machine of its own.
const LIMIT: Duration = Duration::from_secs(120);

/// A bad or extreme input.
#[derive(Debug, Clone)]
pub struct Case {
    /// The section of the page it stands in.
    pub group: &'static str,
    /// Its row there.
    pub name: String,
    /// `case.toml`.
    pub scenario: String,
    /// Files beside it: name and text.
    pub files: Vec<(&'static str, String)>,
    /// The arguments but the scenario and `--out`: verb, then options.
    pub arguments: Vec<String>,
    /// What is known of the answer.
    pub truth: Truth,
}

/// What is known of a case's answer beforehand.
#[derive(Debug, Clone)]
pub enum Truth {
    /// Nothing more than that it must be sound in itself.
    Unknown,
    /// It has to be refused, with this in the message.
    Refused(&'static str),
    /// It must not be called separable, nor may any direction be certified.
    NotSeparable,
    /// It must not be called not separable.
    Separable,
    /// The limit's direction, and the largest angle to it of a completed run whose conserved quantities have not
    /// drifted.
    Direction(Vec<f64>, f64),
    /// The run has to complete.
    Completes,
}

impl Case {
    pub fn run(group: &'static str, name: impl Into<String>, scenario: String) -> Self {
        Self {
            group,
            name: name.into(),
            scenario,
            files: Vec::new(),
            arguments: vec!["run".into(), "--quiet".into(), "--no-figures".into()],
            truth: Truth::Unknown,
        }
    }

    pub fn file(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.files.push((name, text.into()));
        self
    }

    pub fn with(mut self, argument: &str) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub fn set(self, assignment: &str) -> Self {
        self.with("--set").with(assignment)
    }

    pub fn limit_alone(mut self) -> Self {
        self.arguments = vec!["limit".into()];
        self
    }

    pub fn known(mut self, truth: Truth) -> Self {
        self.truth = truth;
        self
    }
}

/// How a case ended.
#[derive(Debug)]
pub struct Ended {
    /// `None`: it was stopped, having run for too long.
    pub code: Option<i32>,
    pub stderr: String,
    pub report: Option<Value>,
    /// Arrays of trajectory.npz that hold a number that is not finite.
    pub not_finite: Vec<String>,
}

impl Ended {
    pub fn status(&self) -> &str {
        (self.report.as_ref()).map_or("", |report| report["status"].as_str().unwrap_or(""))
    }

    /// The largest relative drift of what is conserved.
    pub fn drift(&self) -> f64 {
        let drifts = self
            .report
            .as_ref()
            .and_then(|r| r["invariants"].as_object());
        let drifts = drifts.into_iter().flat_map(|all| all.values());
        drifts
            .map(|d| d.as_f64().unwrap_or(f64::INFINITY))
            .fold(0.0, f64::max)
    }
}

/// Runs a case in a folder of its own.
pub fn run(case: &Case) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("case.toml"), &case.scenario).unwrap();
    for (name, text) in &case.files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let child = Command::new(env!("CARGO_BIN_EXE_marginflow"))
        .current_dir(folder.path())
        .arg(&case.arguments[0])
        .arg("case.toml")
        .args(&case.arguments[1..])
        .args(["--out", "out"])
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (status, stderr) = ended_within(child, LIMIT);
    let out = folder.path().join("out");
    let report = fs::read(out.join("report.json")).ok();
    Ended {
        code: status.map(|status| status.code().unwrap_or(-1)),
        stderr,
        report: report.map(|bytes| serde_json::from_slice(&bytes).expect("report.json is JSON")),
        not_finite: fs::read(out.join("trajectory.npz")).map_or(Vec::new(), |b| not_finite(&b)),
    }
}

fn not_finite(npz: &[u8]) -> Vec<String> {
    let mut archive = npyz::npz::NpzArchive::new(std::io::Cursor::new(npz)).unwrap();
    let names: Vec<String> = archive.array_names().map(str::to_owned).collect();
    (names.into_iter())
        .filter(|name| {
            let array = archive
                .by_name(name)
                .unwrap()
                .expect("an array that is listed");
            // whole numbers and words are finite
            let values: Result<Vec<f64>, _> = array.into_vec();
            values.is_ok_and(|values| values.iter().any(|x| !x.is_finite()))
        })
        .collect()
}
