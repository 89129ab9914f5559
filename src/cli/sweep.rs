//! `sweep plan|run|status|merge|slurm`

use super::batch::{Array, BatchPath, Work, run_shard, slurm};
use super::{Format, print};
use crate::error::{Result, SolverError, exit};
use crate::figures::Look;
use crate::scenario;
use crate::study::{Batch, incomplete, record};
use crate::sweep::{self, Plan, merge};
use clap::{Args, Subcommand};
use std::fmt::Write;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(super) struct SweepArgs {
    #[command(subcommand)]
    verb: SweepVerb,
}

#[derive(Subcommand)]
enum SweepVerb {
    /// Set up a folder with the cases of a scenario that has a table [sweep]
    Plan {
        /// Scenario file (TOML)
        scenario: PathBuf,
        #[command(flatten)]
        folder: BatchPath,
        /// Change a key of the scenario, e.g. sweep.seeds=10 (repeatable)
        #[arg(long = "set", value_name = "KEY=VALUE")]
        overrides: Vec<String>,
    },
    /// Run the cases that are missing; any number of times, in any number of shards, on any number of machines
    Run {
        #[command(flatten)]
        folder: BatchPath,
        #[command(flatten)]
        work: Work,
    },
    /// Show what is done and what is missing; exit code 3 while something is missing
    Status {
        #[command(flatten)]
        folder: BatchPath,
        /// What to print
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Write the tables and figures of a sweep whose cases are all done
    Merge {
        #[command(flatten)]
        folder: BatchPath,
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

impl SweepArgs {
    pub(crate) fn execute(self) -> Result<u8> {
        match self.verb {
            SweepVerb::Plan {
                scenario,
                folder,
                overrides,
            } => plan(scenario::load(&scenario, &overrides)?, &folder.path),
            SweepVerb::Run { folder, work } => run_shard(&Plan::open(&folder.path)?, work),
            SweepVerb::Status { folder, format } => status(&Plan::open(&folder.path)?, format),
            SweepVerb::Merge { folder, quiet } => {
                merge_all(&Plan::open(&folder.path)?, &Look::default(), quiet)
            }
            SweepVerb::Slurm { folder, array } => slurm(&Plan::open(&folder.path)?, array),
        }
    }
}

pub(super) fn plan(scenario: scenario::Scenario, folder: &Path) -> Result<u8> {
    let plan = Plan::new(scenario, folder)?;
    plan.write()?;
    let options = &plan.options;
    print(&format!(
        "{} cases ({} networks, {} ratios, {} seeds) planned in {}\n",
        plan.len(),
        options.cases.len(),
        options.ratios.len(),
        options.seeds,
        folder.display(),
    ))?;
    Ok(exit::DONE)
}

/// How far one network is.
#[derive(serde::Serialize)]
struct CaseProgress {
    case: String,
    done: usize,
    failed: usize,
    total: usize,
}

pub(super) fn status(plan: &Plan, format: Format) -> Result<u8> {
    let mut rows: Vec<CaseProgress> = Vec::new();
    let mut missing: Vec<usize> = Vec::new();
    for case in plan.cases() {
        if rows
            .last()
            .is_none_or(|row| row.case != case.network.name())
        {
            rows.push(CaseProgress {
                case: case.network.name().into(),
                done: 0,
                failed: 0,
                total: 0,
            });
        }
        let row = rows.last_mut().expect("pushed above");
        row.total += 1;
        match record(plan, case.id)? {
            Some(record) => {
                row.done += 1;
                row.failed += usize::from(record.failed());
            }
            None => missing.push(case.id),
        }
    }
    let done = plan.len() - missing.len();
    match format {
        Format::Json => {
            let document = serde_json::json!({
                "scenario": plan.scenario.name,
                "scenario_sha256": plan.scenario.sha256,
                "done": done,
                "total": plan.len(),
                "cases": rows,
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
            for row in &rows {
                let failed = match row.failed {
                    0 => String::new(),
                    failed => format!(", {failed} of them without some angle"),
                };
                let _ = writeln!(
                    text,
                    "  {:<20} {:>6} of {}{failed}",
                    row.case, row.done, row.total
                );
            }
            print(&text)?;
        }
    }
    Ok(match missing.is_empty() {
        true => exit::DONE,
        false => exit::INCOMPLETE,
    })
}

pub(super) fn merge_all(plan: &Plan, look: &Look, quiet: bool) -> Result<u8> {
    let folder = &plan.folder;
    let _here = crate::storage::Folder::together(folder)?;
    let merged = merge(plan)?.map_err(|missing| {
        let missing = missing.0.iter().map(|case| (case.id, case.name()));
        incomplete(&plan.folder(), missing.collect())
    })?;
    sweep::write(&merged, look, folder)?;
    if !quiet {
        print(&format!(
            "{}\n  written to {}\n",
            sweep::text(&merged),
            folder.display()
        ))?;
    }
    let failures = merged.failures();
    if failures.is_empty() {
        return Ok(if merged.surprises() {
            exit::UNEXPECTED
        } else {
            exit::DONE
        });
    }
    Err(SolverError::LeftOut(failures).into())
}
