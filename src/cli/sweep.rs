//! `sweep plan|run|status|merge|slurm`

use super::signals::Signals;
use super::{Format, print};
use crate::error::{Error, Incomplete, Result, SolverError, exit};
use crate::scenario;
use crate::sweep::{
    self, Case, Plan, Record, Shard, ShardOptions, SlurmOptions, merge, run, write_slurm,
};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

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
        folder: SweepFolder,
        /// Change a key of the scenario, e.g. sweep.seeds=10 (repeatable)
        #[arg(long = "set", value_name = "KEY=VALUE")]
        overrides: Vec<String>,
    },
    /// Run the cases that are missing; any number of times, in any number of shards, on any number of machines
    Run {
        #[command(flatten)]
        folder: SweepFolder,
        /// Only the cases whose id is i mod N
        #[arg(long, value_name = "i/N")]
        shard: Option<Shard>,
        /// Threads [default: the number of cores]
        #[arg(long, value_name = "N")]
        jobs: Option<NonZeroUsize>,
        /// Print only errors
        #[arg(long)]
        quiet: bool,
    },
    /// Show what is done and what is missing; exit code 3 while something is missing
    Status {
        #[command(flatten)]
        folder: SweepFolder,
        /// What to print
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Write the tables and figures of a sweep whose cases are all done
    Merge {
        #[command(flatten)]
        folder: SweepFolder,
        /// Print only errors
        #[arg(long)]
        quiet: bool,
    },
    /// Write the scripts of a Slurm job array
    Slurm {
        #[command(flatten)]
        folder: SweepFolder,
        /// Tasks of the array, one shard each
        #[arg(long, value_name = "N", default_value = "16")]
        tasks: NonZeroUsize,
        /// Threads per task
        #[arg(long, value_name = "N", default_value = "1")]
        jobs: NonZeroUsize,
    },
}

#[derive(Args)]
struct SweepFolder {
    /// Folder of the sweep
    #[arg(long = "out", value_name = "DIR")]
    path: PathBuf,
}

impl SweepArgs {
    pub(crate) fn execute(self) -> Result<u8> {
        match self.verb {
            SweepVerb::Plan {
                scenario,
                folder,
                overrides,
            } => plan(&scenario, &folder.path, &overrides),
            SweepVerb::Run {
                folder,
                shard,
                jobs,
                quiet,
            } => run_shard(&folder.path, shard.unwrap_or(Shard::ALL), jobs, quiet),
            SweepVerb::Status { folder, format } => status(&folder.path, format),
            SweepVerb::Merge { folder, quiet } => merge_all(&folder.path, quiet),
            SweepVerb::Slurm {
                folder,
                tasks,
                jobs,
            } => slurm(&folder.path, tasks, jobs),
        }
    }
}

fn plan(path: &Path, folder: &Path, overrides: &[String]) -> Result<u8> {
    let plan = Plan::new(scenario::load(path, overrides)?, folder)?;
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

fn run_shard(folder: &Path, shard: Shard, jobs: Option<NonZeroUsize>, quiet: bool) -> Result<u8> {
    let plan = Plan::open(folder)?;
    let signals = Signals::watch()?;
    let bar = ProgressBar::new(0);
    bar.set_style(
        ProgressStyle::with_template("{bar:40} {pos} of {len} cases, {eta} left")
            .expect("the template is valid"),
    );
    if quiet {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let outcome = run(
        &plan,
        &ShardOptions {
            shard,
            jobs: jobs.or(available_parallelism().ok()).map_or(1, usize::from),
            signal: &signals.came,
            observer: &|done, total| {
                bar.set_length(total as u64);
                bar.set_position(done as u64);
            },
        },
    );
    bar.finish_and_clear();
    let outcome = outcome?;
    if !quiet {
        print(&format!(
            "{} cases done, {} had been done before\n",
            outcome.done, outcome.kept
        ))?;
    }
    if outcome.failed.is_empty() {
        return Ok(exit::DONE);
    }
    Err(SolverError::CasesFailed(outcome.failed).into())
}

/// How far one network is.
#[derive(serde::Serialize)]
struct CaseProgress {
    case: String,
    done: usize,
    failed: usize,
    total: usize,
}

fn status(folder: &Path, format: Format) -> Result<u8> {
    let plan = Plan::open(folder)?;
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
        match Record::read(&plan, &case)? {
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

fn merge_all(folder: &Path, quiet: bool) -> Result<u8> {
    let plan = Plan::open(folder)?;
    let _here = crate::storage::Folder::together(folder)?;
    let merged = merge(&plan)?.map_err(|missing| incomplete(&plan, &missing.0))?;
    sweep::write(&merged, folder)?;
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

fn incomplete(plan: &Plan, missing: &[Case]) -> Incomplete {
    let missing = missing.iter().map(|case| (case.id, case.name()));
    Incomplete::Sweep {
        missing: missing.collect(),
        total: plan.len(),
        folder: plan.folder.clone(),
    }
}

fn slurm(folder: &Path, tasks: NonZeroUsize, jobs: NonZeroUsize) -> Result<u8> {
    let plan = Plan::open(folder)?;
    let program = std::env::current_exe().map_err(|e| Error::io("this program", e))?;
    let options = SlurmOptions {
        tasks: tasks.get(),
        jobs: jobs.get(),
    };
    let submit = write_slurm(&plan, &program, options)?;
    print(&format!(
        "sh {} submits {tasks} tasks and the merge after them\n",
        submit.display()
    ))?;
    Ok(exit::DONE)
}
