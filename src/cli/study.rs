//! `study plan|run|status|merge|slurm`: of scenarios with `[study]`, and of those with `[sweep]`, which are studies of
//! their own kind.

use super::batch::{Array, BatchPath, Work, run_cases, run_shard, slurm};
use super::look::Shown;
use super::{Format, note, print, sweep as sweeps};
use crate::error::{Result, exit};
use crate::scenario::{self, Scenario};
use crate::storage::Folder;
use crate::study::{self, Batch, Merged, Plan, counted, incomplete, merge, record};
use crate::sweep;
use clap::{Args, Subcommand};
use std::fmt::Write;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(super) struct StudyArgs {
    #[command(subcommand)]
    verb: StudyVerb,
}

#[derive(Subcommand)]
enum StudyVerb {
    /// Set up a folder with the cases of a scenario that has a table [study] or [sweep]
    Plan {
        /// Scenario file (TOML)
        scenario: PathBuf,
        #[command(flatten)]
        folder: BatchPath,
        /// Change a key of the scenario, e.g. flow.rtol=1e-8 (repeatable)
        #[arg(long = "set", value_name = "KEY=VALUE")]
        overrides: Vec<String>,
    },
    /// Run the cases that are missing; with a scenario, do everything: plan, run, merge
    Run(RunArgs),
    /// Show what is done and what is missing; exit code 3 while something is missing
    Status {
        #[command(flatten)]
        folder: BatchPath,
        /// What to print
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Write the tables and figures of a study whose cases are all done
    Merge {
        #[command(flatten)]
        folder: BatchPath,
        #[command(flatten)]
        shown: Shown,
        /// Print only errors
        #[arg(long)]
        quiet: bool,
    },
    /// Write the scripts of a Slurm job array
    Slurm {
        #[command(flatten)]
        folder: BatchPath,
        #[command(flatten)]
        array: Array,
    },
}

#[derive(Args)]
struct RunArgs {
    /// Scenario file (TOML): plan it, run all its cases and merge them
    #[arg(conflicts_with = "shard")]
    scenario: Option<PathBuf>,
    /// Folder with the cases and the tables [default: out/<scenario name>]
    #[arg(long, value_name = "DIR", required_unless_present = "scenario")]
    out: Option<PathBuf>,
    /// Change a key of the scenario, e.g. flow.rtol=1e-8 (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "scenario")]
    overrides: Vec<String>,
    #[command(flatten)]
    work: Work,
    #[command(flatten)]
    shown: Shown,
}

/// A study of either kind.
enum Opened {
    Study(Box<Plan>),
    Sweep(Box<sweep::Plan>),
}

impl Opened {
    /// What is planned in a folder.
    fn open(folder: &Path) -> Result<Self> {
        if sweep::KIND.is_planned_in(folder) {
            return Ok(Self::Sweep(Box::new(sweep::Plan::open(folder)?)));
        }
        Ok(Self::Study(Box::new(Plan::open(folder)?)))
    }
}

impl StudyArgs {
    pub(crate) fn execute(self) -> Result<u8> {
        match self.verb {
            StudyVerb::Plan {
                scenario,
                folder,
                overrides,
            } => plan(scenario::load(&scenario, &overrides)?, &folder.path),
            StudyVerb::Run(args) => args.execute(),
            StudyVerb::Status { folder, format } => match Opened::open(&folder.path)? {
                Opened::Study(plan) => status(&plan, format),
                Opened::Sweep(plan) => sweeps::status(&plan, format),
            },
            StudyVerb::Merge {
                folder,
                shown,
                quiet,
            } => match Opened::open(&folder.path)? {
                Opened::Study(plan) => merge_all(&plan, &shown, quiet),
                Opened::Sweep(plan) => {
                    sweeps::merge_all(&plan, &shown.look()?.unwrap_or_default(), quiet)
                }
            },
            StudyVerb::Slurm { folder, array } => match Opened::open(&folder.path)? {
                Opened::Study(plan) => slurm(&*plan, array),
                Opened::Sweep(plan) => slurm(&*plan, array),
            },
        }
    }
}

impl RunArgs {
    fn execute(self) -> Result<u8> {
        let Some(path) = &self.scenario else {
            let folder = self.out.expect("required without a scenario");
            return match Opened::open(&folder)? {
                Opened::Study(plan) => run_shard(&*plan, self.work),
                Opened::Sweep(plan) => run_shard(&*plan, self.work),
            };
        };
        // before hours of work
        let look = self.shown.look()?;
        let scenario = scenario::load(path, &self.overrides)?;
        let folder = self
            .out
            .unwrap_or_else(|| Path::new("out").join(&scenario.name));
        if is_sweep(&scenario) {
            let plan = sweep::Plan::new(scenario, &folder)?;
            plan.write()?;
            // what cannot be had is told by the merge
            run_cases(&plan, self.work)?;
            return sweeps::merge_all(&plan, &look.unwrap_or_default(), self.work.quiet);
        }
        let plan = Plan::new(scenario, &folder)?;
        plan.write()?;
        run_cases(&plan, self.work)?;
        merge_all(&plan, &self.shown, self.work.quiet)
    }
}

/// Whether its study is a sweep.
fn is_sweep(scenario: &Scenario) -> bool {
    scenario.study().is_none() && scenario.sweep().is_some()
}

fn plan(scenario: Scenario, folder: &Path) -> Result<u8> {
    if is_sweep(&scenario) {
        return sweeps::plan(scenario, folder);
    }
    let plan = Plan::new(scenario, folder)?;
    plan.write()?;
    print(&format!(
        "{} cases ({} points, {} seeds each) planned in {}\n",
        plan.len(),
        plan.options.points(),
        plan.seeds(),
        folder.display(),
    ))?;
    Ok(exit::DONE)
}

fn status(plan: &Plan, format: Format) -> Result<u8> {
    let (mut ended, mut missing) = (Vec::new(), Vec::new());
    for id in 0..plan.len() {
        match record(plan, id)? {
            None => missing.push(id),
            Some(record) => ended.push(record.status().to_owned()),
        }
    }
    let statuses = counted(ended.iter().map(String::as_str));
    let done = plan.len() - missing.len();
    match format {
        Format::Json => {
            let document = serde_json::json!({
                "scenario": plan.scenario.name,
                "scenario_sha256": plan.scenario.sha256,
                "done": done,
                "total": plan.len(),
                "statuses": counts(&statuses),
                "missing": missing,
            });
            print(&format!("{document:#}\n"))?;
        }
        Format::Text => {
            let mut text = format!(
                "{}: {done} of {} cases done\n",
                plan.scenario.title,
                plan.len()
            );
            for (status, count) in &statuses {
                let _ = writeln!(text, "  {status:<20} {count:>6}");
            }
            print(&text)?;
        }
    }
    Ok(match missing.is_empty() {
        true => exit::DONE,
        false => exit::INCOMPLETE,
    })
}

fn merge_all(plan: &Plan, shown: &Shown, quiet: bool) -> Result<u8> {
    let look = shown.look()?;
    let folder = &plan.folder;
    let _here = Folder::together(folder)?;
    let merged = merge(plan)?.map_err(|missing| {
        let missing = missing.into_iter().map(|id| (id, plan.name(id)));
        incomplete(&plan.folder(), missing.collect())
    })?;
    let written = study::write(&merged, folder, look.as_ref())?;
    for why in &written.missing {
        note(&format!("not drawn: {why}"));
    }
    match (shown.printed(), quiet) {
        (Format::Json, _) => print(&summary(&merged))?,
        (Format::Text, true) => {}
        (Format::Text, false) => print(&format!(
            "{}\n  written to {}: table.csv, aggregates.csv, curves.npz, figures/\n",
            written.text,
            folder.display()
        ))?,
    }
    let failed = merged.failed()?;
    if failed > 0 {
        note(&format!(
            "{failed} of {} cases were not completed; their rows in table.csv have status and message",
            merged.rows.len()
        ));
    }
    Ok(exit::DONE)
}

/// How many cases ended in each way, as JSON.
fn counts(statuses: &[(&str, usize)]) -> serde_json::Map<String, serde_json::Value> {
    let counts = statuses.iter();
    counts
        .map(|(status, count)| ((*status).to_owned(), (*count).into()))
        .collect()
}

/// What was merged, as JSON.
fn summary(merged: &Merged) -> String {
    let plan = merged.plan;
    let document = serde_json::json!({
        "scenario": plan.scenario.name,
        "scenario_sha256": plan.scenario.sha256,
        "cases": plan.len(),
        "points": plan.options.points(),
        "seeds": plan.options.seeds,
        "statuses": counts(&merged.statuses()),
        "folder": plan.folder,
    });
    format!("{document:#}\n")
}
