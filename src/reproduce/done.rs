//! One experiment: running it, and recognising later that it has been done.

use super::plan::{Experiment, ExperimentKind};
use crate::control::Control;
use crate::error::{Error, Incomplete, Result, exit};
use crate::figures::{self, Figure, Look};
use crate::report;
use crate::run::{Certify, RunOptions, run};
use crate::stability;
use crate::storage::{Folder, forget, hexadecimal, write_file};
use crate::study::{self, Batch};
use crate::sweep::{self, Plan};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

const NAME: &str = "done.json";

/// The outcome of an experiment, as written to `done.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Done {
    /// Key of the inputs it was made from.
    key: String,
    /// Exit code of the verb alone: 0 as expected, 1 some claim had an unexpected verdict, 4 and above it failed.
    pub exit_code: u8,
    /// Why it failed.
    pub message: Option<String>,
    pub wall_seconds: f64,
    pub figures: Vec<Drawing>,
    /// SHA-256 of every file it wrote, by path in the folder.
    files: BTreeMap<String, String>,
}

/// A figure that was drawn into `figures/<id>.svg` and `.png`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Drawing {
    pub id: String,
    pub title: String,
    pub caption: String,
}

impl Done {
    /// The earlier outcome, if the experiment finished, from the same inputs, and its files are intact.
    pub(super) fn read(folder: &Path, key: &str) -> Option<Self> {
        let done: Self = serde_json::from_slice(&fs::read(folder.join(NAME)).ok()?).ok()?;
        let whole = |(name, digest): (&String, &String)| {
            fs::read(folder.join(name)).is_ok_and(|bytes| hexadecimal(&bytes) == *digest)
        };
        (done.key == key && exit::is_complete(done.exit_code) && done.files.iter().all(whole))
            .then_some(done)
    }
}

/// Runs the experiment and writes its folder (also that of the control's checkpoints), `done.json` last.
///
/// # Errors
/// [`Error::Io`] if the folder cannot be written, or another process is in it; [`Error::Interrupted`]; anything else
/// that goes wrong is recorded.
pub(super) fn make(
    experiment: &Experiment,
    jobs: usize,
    key: &str,
    control: &Control<'_>,
) -> Result<Done> {
    let folder = control.checkpoints.expect("experiments have folders");
    let _here = match experiment.kind {
        ExperimentKind::Run | ExperimentKind::Critical => Folder::alone(folder)?,
        // shared with other processes that run cases of it
        ExperimentKind::Sweep | ExperimentKind::Study => Folder::together(folder)?,
    };
    let path = folder.join(NAME);
    match fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::io(path, e)),
        _ => {}
    }
    let start = Instant::now();
    let made = match experiment.kind {
        ExperimentKind::Run => single(experiment, folder, control),
        ExperimentKind::Critical => critical(experiment, folder, control),
        ExperimentKind::Sweep => whole_sweep(experiment, folder, jobs, control),
        ExperimentKind::Study => whole_study(experiment, folder, jobs, control),
    };
    let (exit_code, message, figures) = match made {
        Ok((exit_code, message, figures)) => (exit_code, message, figures),
        Err(error @ (Error::Io { .. } | Error::Interrupted { .. })) => return Err(error),
        Err(error) => (error.exit_code(), Some(error.to_string()), Vec::new()),
    };
    let figures: Vec<Drawing> = (figures.into_iter())
        .map(|f| Drawing {
            id: f.id,
            title: f.title,
            caption: f.caption,
        })
        .collect();
    let mut names: Vec<String> = (figures.iter())
        .flat_map(|f| ["svg", "png"].map(|kind| format!("figures/{}.{kind}", f.id)))
        .collect();
    let others = [
        "report.json",
        "certificate.json",
        "report.html",
        "scenario.toml",
        "trajectory.npz",
        "critical.json",
        "sweep.csv",
        "theory.csv",
        "summary.csv",
        "differences.csv",
        "claims.json",
        "table.csv",
        "aggregates.csv",
        "curves.npz",
    ];
    names.extend(others.map(str::to_owned));
    let digests = names.into_iter().filter_map(|name| {
        let bytes = fs::read(folder.join(&name)).ok()?;
        Some((name, hexadecimal(&bytes)))
    });
    let done = Done {
        key: key.to_owned(),
        exit_code,
        message,
        wall_seconds: start.elapsed().as_secs_f64(),
        figures,
        files: digests.collect(),
    };
    let text = serde_json::to_string_pretty(&done).expect("plain data") + "\n";
    write_file(&path, text.as_bytes())?;
    Ok(done)
}

/// Exit code, the reason if it is not 0 or 1, figures.
type Made = (u8, Option<String>, Vec<Figure>);

fn single(experiment: &Experiment, folder: &Path, control: &Control<'_>) -> Result<Made> {
    // as in the tests and the verb: the scenario's own statements about its data are enough
    let options = RunOptions {
        certify: Certify::WhereQuick,
        ..RunOptions::default()
    };
    let finished = run(experiment.scenario.clone(), options, control)?;
    let figures = figures::figures(&finished.drawn());
    report::write_all(&finished, &figures, &Look::default(), folder)?;
    forget(folder)?;
    let code = finished.exit_code();
    let message = (!exit::is_complete(code)).then(|| {
        let why = finished.conclusion.message.as_deref();
        why.unwrap_or("the run ended before its horizon").to_owned()
    });
    Ok((code, message, figures))
}

fn critical(experiment: &Experiment, folder: &Path, control: &Control<'_>) -> Result<Made> {
    let measured = stability::measure(&experiment.path, &[], false, control)?;
    Ok((
        0,
        None,
        stability::write(&measured, folder, Some(&Look::default()))?,
    ))
}

fn whole_sweep(
    experiment: &Experiment,
    folder: &Path,
    jobs: usize,
    control: &Control<'_>,
) -> Result<Made> {
    let plan = Plan::new(experiment.scenario.clone(), folder)?;
    plan.write()?;
    let outcome = all_cases(&plan, jobs, control)?;
    let merged = sweep::merge(&plan)?.map_err(|missing| Incomplete::Cases(missing.0.len()))?;
    let figures = sweep::write(&merged, &Look::default(), folder)?;
    let failed = outcome.failed.len();
    let message = (failed > 0).then(|| format!("{failed} cases failed; `sweep run` says which"));
    let code = match failed {
        0 if merged.surprises() => exit::UNEXPECTED,
        0 => exit::DONE,
        _ => exit::SOLVER,
    };
    Ok((code, message, figures))
}

fn whole_study(
    experiment: &Experiment,
    folder: &Path,
    jobs: usize,
    control: &Control<'_>,
) -> Result<Made> {
    let plan = study::Plan::new(experiment.scenario.clone(), folder)?;
    plan.write()?;
    all_cases(&plan, jobs, control)?;
    let merged = study::merge(&plan)?.map_err(|missing| Incomplete::Cases(missing.len()))?;
    let written = study::write(&merged, folder, Some(&Look::default()))?;
    let failed = merged.failed()?;
    let mut remarks = written.missing;
    if failed > 0 {
        let cases = merged.rows.len();
        remarks.push(format!("{failed} of {cases} cases were not completed"));
    }
    let message = (!remarks.is_empty()).then(|| remarks.join("; "));
    Ok((exit::DONE, message, written.figures))
}

/// Runs the cases of a sweep or study that are missing.
fn all_cases<B: Batch>(
    batch: &B,
    jobs: usize,
    control: &Control<'_>,
) -> Result<study::ShardOutcome> {
    let options = study::ShardOptions {
        shard: study::Shard::ALL,
        jobs,
        signal: control.signal,
        observer: &|_, _| {},
    };
    study::run(batch, &options)
}
