//! One case: its run, and what is kept of it.

use super::batch::{Batch, BatchFolder};
use super::plan::KIND;
use super::{Plan, SavedCurves, Scalar, scalars};
use crate::control::Control;
use crate::diagnostics::{CURVES, Diagnostics, Fit};
use crate::error::{Error, Result};
use crate::report;
use crate::run::{Certify, Run, RunOptions, run};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicUsize;

/// The results of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    format: String,
    /// Of the scenario of the study.
    scenario_sha256: String,
    id: usize,
    /// The scalars of `report.json`, and the few that are made here: see `kept`. A case that has no report has its
    /// status and a message.
    pub scalars: Map<String, Scalar>,
    pub saved: SavedCurves,
}

const FORMAT: &str = "marginflow-study-case/1";

/// Status of a case whose data no hyperplane separates.
const NOT_SEPARABLE: &str = "not-separable";
/// Status of a case whose scenario or data cannot be used.
const UNUSABLE: &str = "unusable";
/// Status of a case whose flow or limit could not be computed.
const NO_RUN: &str = "no-run";
/// Status of a case in which a promise between parts of this program was broken.
const PANICKED: &str = "panicked";
/// Status of a run that may get further on a faster machine.
const OUT_OF_TIME: &str = "budget-wall";

/// Share of the range of s from which the slope of a curve is fitted, as that of the angle in `report.json`.
const LATE: f64 = 2.0 / 3.0;

impl Record {
    /// How the case ended: a status of `report.json`, or why there is no report.
    pub fn status(&self) -> &str {
        self.scalars
            .get("status")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Why it did not complete.
    pub fn message(&self) -> Option<&str> {
        self.scalars.get("message").and_then(Value::as_str)
    }
}

impl Batch for Plan {
    type Record = Record;

    fn folder(&self) -> BatchFolder {
        BatchFolder {
            path: self.folder.clone(),
            kind: KIND,
            cases: self.len(),
        }
    }

    fn evaluate(&self, id: usize, signal: &AtomicUsize) -> Result<Record> {
        let control = Control {
            signal,
            ..Control::none()
        };
        let options = RunOptions {
            verify: false,
            certify: Certify::Never,
            allow_nonseparable: self.options.allow_nonseparable,
        };
        let done = catch_unwind(AssertUnwindSafe(|| {
            run(self.scenario_of(id)?, options, &control)
        }));
        let (scalars, saved) = match done {
            Ok(Ok(finished)) => (kept(&finished), self.saved(&finished.diagnostics)),
            Ok(Err(Error::Interrupted { signal, .. })) => {
                return Err(Error::Interrupted {
                    signal,
                    resumable: true,
                });
            }
            Ok(Err(error @ Error::Io { .. })) => return Err(error),
            Ok(Err(error)) => (
                failed(status_of(&error), error.to_string()),
                SavedCurves::default(),
            ),
            Err(panic) => (failed(PANICKED, said(&*panic)), SavedCurves::default()),
        };
        Ok(Record {
            format: FORMAT.into(),
            scenario_sha256: self.scenario.sha256.clone(),
            id,
            scalars,
            saved,
        })
    }

    fn owns(&self, id: usize, record: &Record) -> bool {
        record.format == FORMAT && record.id == id && record.scenario_sha256 == self.scenario.sha256
    }

    /// A run that was out of time: whatever else went wrong will go wrong again.
    fn shortfalls(&self, id: usize, record: &Record) -> Vec<String> {
        let out_of_time = record.status() == OUT_OF_TIME;
        let why = out_of_time.then(|| {
            format!(
                "{}: {}",
                self.name(id),
                record.message().unwrap_or(OUT_OF_TIME)
            )
        });
        why.into_iter().collect()
    }
}

impl Plan {
    /// The curves that the study keeps.
    fn saved(&self, d: &Diagnostics) -> SavedCurves {
        let wanted = |name: &str| {
            let chosen = self.options.curves.as_ref();
            chosen.is_none_or(|names| names.iter().any(|n| n == name))
        };
        let curves = (CURVES.iter())
            .filter(|curve| wanted(curve.name))
            .filter_map(|curve| Some((curve.name.to_owned(), curve.of(d)?)));
        SavedCurves {
            log_log_time: d.log_log_time.clone(),
            curves: curves.collect(),
        }
    }
}

/// The scalars of the report, `fits` (1 where every sample has a positive margin at the end, else 0), and
/// `slope.NAME`, the slope of the logarithm of each positive curve against s over the last third of the run.
fn kept(finished: &Run) -> Map<String, Scalar> {
    let report = serde_json::from_str(&report::json(finished)).expect("a report is JSON");
    let mut found: Map<String, Scalar> = scalars(&report).into_iter().collect();
    let d = &finished.diagnostics;
    let fits = d.min_margin.last().is_some_and(|margin| *margin > 0.0);
    found.insert("fits".into(), u8::from(fits).into());
    for curve in CURVES.iter().filter(|curve| curve.logarithmic) {
        let values = curve.of(d).unwrap_or_default();
        let positive: Vec<Option<f64>> = (values.into_iter())
            .map(|x| x.map(|x| curve.sign * x).filter(|x| *x > 0.0))
            .collect();
        let fit = Fit::of(LATE, &d.log_log_time, &positive);
        if let Some(fit) = fit.filter(|fit| fit.slope.is_finite()) {
            found.insert(format!("slope.{}", curve.name), fit.slope.into());
        }
    }
    found
}

fn failed(status: &str, message: String) -> Map<String, Scalar> {
    let pairs = [("status", status.to_owned()), ("message", message)];
    pairs
        .map(|(name, text)| (name.to_owned(), Value::from(text)))
        .into_iter()
        .collect()
}

fn status_of(error: &Error) -> &'static str {
    match error {
        Error::NotSeparable(_) => NOT_SEPARABLE,
        Error::Solver(_) => NO_RUN,
        _ => UNUSABLE,
    }
}

/// The message of a panic.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("the run panicked").to_owned()
}
