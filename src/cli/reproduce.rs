//! `reproduce`

use super::signals::Signals;
use super::{Format, print};
use crate::error::{Error, Result};
use crate::reproduce::{
    ClaimsTable, Done, Drawing, Event, Experiment, Options, Page, Section, Selection, html, plan,
    run,
};
use crate::storage::{Folder, create_folder, write_file};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread::available_parallelism;

/// Where scenarios are unless told otherwise.
const SCENARIOS: &str = "scenarios";

#[derive(Args)]
pub(super) struct ReproduceArgs {
    /// Folder of the scenarios
    #[arg(long, value_name = "DIR", default_value = SCENARIOS)]
    scenarios: PathBuf,
    /// Output folder; results in it that are intact and made from the same inputs are kept
    #[arg(long, value_name = "DIR", default_value = "out/reproduction")]
    out: PathBuf,
    /// Only the experiments that decide this claim, or this scenario
    #[arg(long, value_name = "ID")]
    only: Option<String>,
    /// Only the cheapest experiments that show every outcome of every claim
    #[arg(long, conflicts_with_all = ["only", "all", "gallery"])]
    quick: bool,
    /// Include studies, and long sweeps: those that measure flows and finite steps of large networks
    #[arg(long)]
    all: bool,
    /// Repeat what is already done
    #[arg(long)]
    fresh: bool,
    /// Copy every figure (SVG) into DIR/<scenario>/
    #[arg(long, value_name = "DIR")]
    gallery: Option<PathBuf>,
    /// Threads [default: the number of cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Print only errors
    #[arg(long)]
    quiet: bool,
    /// What to print when done
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl ReproduceArgs {
    pub(crate) fn execute(self) -> Result<u8> {
        let experiments = plan(
            &self.scenarios,
            &Selection {
                only: self.only.clone(),
                quick: self.quick,
                all: self.all || self.gallery.is_some(),
            },
        )?;
        let _here = Folder::alone(&self.out)?;
        let done = self.run(&experiments)?;
        let table = ClaimsTable::of(&experiments, &done, &self.out)?;
        write_file(&self.out.join("claims.csv"), table.csv().as_bytes())?;
        write_file(&self.out.join("claims.json"), table.json().as_bytes())?;
        let page = self.index(&experiments, &done, &table)?;
        write_file(&self.out.join("index.html"), page.as_bytes())?;
        if let Some(gallery) = &self.gallery {
            copy_figures(&experiments, &done, &self.out, gallery)?;
        }
        if !self.quiet {
            match self.format {
                Format::Json => print(&table.json())?,
                Format::Text => print(&format!(
                    "{}\n  written to {}: open index.html\n",
                    table.text(),
                    self.out.display()
                ))?,
            }
        }
        Ok(table.exit_code())
    }

    fn run(&self, experiments: &[Experiment]) -> Result<Vec<Done>> {
        let bar = ProgressBar::new(experiments.len() as u64);
        bar.set_style(
            ProgressStyle::with_template("{bar:30} {pos} of {len} in {elapsed}  {wide_msg}")
                .expect("the template is valid"),
        );
        if self.quiet {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let running: Mutex<Vec<String>> = Mutex::default();
        let observer = |event: Event| {
            let mut running = running.lock().expect("no thread panics with it");
            match event {
                Event::Begins(experiment) => running.push(experiment.id()),
                Event::Ends(experiment) => {
                    let id = experiment.id();
                    running.retain(|r| *r != id);
                    bar.inc(1);
                }
            }
            bar.set_message(running.join(", "));
        };
        let jobs = self.jobs.or(available_parallelism().ok());
        let signals = Signals::watch()?;
        let done = run(
            experiments,
            &Options {
                out: &self.out,
                jobs: jobs.map_or(1, usize::from),
                fresh: self.fresh,
                signal: &signals.came,
                observer: &observer,
            },
        );
        bar.finish_and_clear();
        done
    }

    fn index(
        &self,
        experiments: &[Experiment],
        done: &[Done],
        table: &ClaimsTable,
    ) -> Result<String> {
        let mut sections = Vec::new();
        for (experiment, done) in experiments.iter().zip(done) {
            let mut drawings: Vec<(&Drawing, String)> = Vec::new();
            for drawing in &done.figures {
                let path = svg(&self.out, experiment, drawing);
                let text = fs::read_to_string(&path).map_err(|e| Error::io(path, e))?;
                drawings.push((drawing, text));
            }
            sections.push(Section {
                id: experiment.id(),
                title: &experiment.scenario.title,
                about: experiment.scenario.about(),
                kind: experiment.kind,
                command: experiment.command(),
                done,
                drawings,
            });
        }
        Ok(html(&Page {
            table,
            sections,
            command: self.again(),
        }))
    }

    /// The command that makes the same experiments again.
    fn again(&self) -> String {
        let mut command = "marginflow reproduce".to_owned();
        if self.scenarios != Path::new(SCENARIOS) {
            command = format!("{command} --scenarios {}", self.scenarios.display());
        }
        // a gallery has all experiments
        let all = self.all || self.gallery.is_some();
        for (given, flag) in [(self.quick, "--quick"), (all, "--all")] {
            if given {
                command = format!("{command} {flag}");
            }
        }
        if let Some(only) = &self.only {
            command = format!("{command} --only {only}");
        }
        command
    }
}

fn svg(out: &Path, experiment: &Experiment, drawing: &Drawing) -> PathBuf {
    out.join(experiment.id())
        .join(format!("figures/{}.svg", drawing.id))
}

/// Figures of an experiment into the folder of its scenario.
fn copy_figures(experiments: &[Experiment], done: &[Done], out: &Path, to: &Path) -> Result<()> {
    for (experiment, done) in experiments.iter().zip(done) {
        let folder = to.join(&experiment.scenario.name);
        create_folder(&folder)?;
        for drawing in &done.figures {
            let from = svg(out, experiment, drawing);
            let bytes = fs::read(&from).map_err(|e| Error::io(from, e))?;
            write_file(&folder.join(format!("{}.svg", drawing.id)), &bytes)?;
        }
    }
    Ok(())
}
