//! Which experiments there are, and which of them are selected.

use crate::claims::{self, Outcome, Subject};
use crate::error::{Error, Result, UsageError};
use crate::scenario::{self, Kind, Scenario};
use crate::storage::hexadecimal;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Scenarios whose critical step size is measured too: the one that studies it.
const CRITICAL: [&str; 1] = ["fc-dfa-steps-too-large"];

/// The kind of experiment done with a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExperimentKind {
    /// Like the verb `run`.
    Run,
    /// Like `compare --critical`.
    Critical,
    /// Like `sweep plan`, `run` and `merge`.
    Sweep,
    /// Like `study run`.
    Study,
}

impl ExperimentKind {
    /// Whether it has threads of its own.
    pub(crate) fn is_batch(self) -> bool {
        matches!(self, Self::Sweep | Self::Study)
    }
}

/// A scenario, and what to do with it.
#[derive(Debug, Clone)]
pub(crate) struct Experiment {
    pub scenario: Scenario,
    pub path: PathBuf,
    pub kind: ExperimentKind,
    /// Weights times samples, a measure of how long a run takes; for a sweep, D·N over all its cases: the entries of
    /// their samples.
    pub work: f64,
    /// SHA-256 of the scenario and of the numbers it starts from.
    inputs: String,
}

/// Which experiments to do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    /// Those that decide this claim, or the scenario of this name.
    pub only: Option<String>,
    /// The cheapest ones that show every outcome of every claim.
    pub quick: bool,
    /// Studies too, and long sweeps: those that measure flows and finite steps of large networks.
    pub all: bool,
}

impl Experiment {
    /// The name of its folder, unique to the experiment.
    pub(crate) fn id(&self) -> String {
        match self.kind {
            ExperimentKind::Run | ExperimentKind::Sweep | ExperimentKind::Study => {
                self.scenario.name.clone()
            }
            ExperimentKind::Critical => format!("{}-critical", self.scenario.name),
        }
    }

    /// The command that runs it alone.
    pub(crate) fn command(&self) -> String {
        let path = self.path.display();
        match self.kind {
            ExperimentKind::Run => format!("marginflow run {path}"),
            ExperimentKind::Critical => format!("marginflow compare {path} --critical"),
            ExperimentKind::Study => {
                format!("marginflow study run {path} --out out/{}", self.id())
            }
            ExperimentKind::Sweep => {
                let out = format!("--out out/{}", self.id());
                format!(
                    "marginflow sweep plan {path} {out} && marginflow sweep run {out} && marginflow sweep merge {out}"
                )
            }
        }
    }

    /// A key for everything its output depends on: scenario, data and start, what is done with them, and the program.
    pub(super) fn key(&self, program: &str) -> String {
        let text = format!("{:?} {} {program}", self.kind, self.inputs);
        hexadecimal(text.as_bytes())
    }

    /// Claims it is expected to decide, with the outcome.
    fn decides(&self) -> impl Iterator<Item = (&str, Outcome)> {
        (self.scenario.expect.iter())
            .filter(|(id, outcome)| self.judges(id) && **outcome != Outcome::NotApplicable)
            .map(|(id, outcome)| (id.as_str(), *outcome))
    }

    /// Whether claims of this id are judged by an experiment of this kind.
    fn judges(&self, id: &str) -> bool {
        let about_sweeps = claims::find(id).is_some_and(|claim| claim.subject == Subject::Sweep);
        match self.kind {
            ExperimentKind::Run => !about_sweeps,
            ExperimentKind::Critical | ExperimentKind::Study => false,
            ExperimentKind::Sweep => about_sweeps,
        }
    }

    /// The file with its verdicts, in its folder.
    pub(super) fn verdicts(&self) -> &'static str {
        match self.kind {
            ExperimentKind::Run | ExperimentKind::Critical | ExperimentKind::Study => "report.json",
            ExperimentKind::Sweep => "claims.json",
        }
    }
}

/// The experiments of a folder of scenarios, in the order of names.
///
/// # Errors
/// [`Error::Usage`] if there are no scenarios, or none is selected; as [`scenario::load`] and
/// [`Scenario::build`].
pub(crate) fn plan(folder: &Path, selection: &Selection) -> Result<Vec<Experiment>> {
    let mut experiments = Vec::new();
    for path in scenarios(folder)? {
        let scenario = scenario::load(&path, &[])?;
        let kind = kind(&scenario);
        let problem = match kind {
            ExperimentKind::Sweep => None,
            _ => Some(scenario.build()?),
        };
        let mut inputs = format!("{} {}", scenario.name, scenario.sha256).into_bytes();
        if let Some(p) = &problem {
            let numbers = [
                p.dataset().samples().as_slice(),
                p.dataset().labels().as_slice(),
                p.theta0().as_slice(),
            ];
            inputs.extend(numbers.concat().iter().flat_map(|x| x.to_le_bytes()));
        }
        let run = Experiment {
            path,
            kind,
            work: problem.map_or_else(
                || sweep_work(&scenario),
                |p| (p.theta0().len() * p.dataset().len()) as f64,
            ),
            inputs: hexadecimal(&inputs),
            scenario,
        };
        let critical = CRITICAL.contains(&run.scenario.name.as_str());
        let also = critical.then(|| Experiment {
            kind: ExperimentKind::Critical,
            ..run.clone()
        });
        experiments.push(run);
        experiments.extend(also);
    }
    let chosen = match (&selection.only, selection.quick) {
        (Some(only), _) => named(experiments, only)?,
        (None, true) => cheapest(experiments),
        (None, false) => {
            experiments.retain(|e| selection.all || !is_long(e));
            experiments
        }
    };
    Ok(chosen)
}

/// Σ over the cases of a sweep of D·N.
fn sweep_work(scenario: &Scenario) -> f64 {
    let Some((options, teacher)) = scenario.sweep() else {
        return 0.0;
    };
    let area = (teacher.dimension * teacher.dimension) as f64;
    let ratios: f64 = options.ratios.iter().sum();
    ratios * area * (options.cases.len() * options.seeds) as f64
}

/// Work of a sweep of flows and finite steps that takes a minute.
const LONG: f64 = 5e6;

/// What is done with a scenario.
fn kind(scenario: &Scenario) -> ExperimentKind {
    if scenario.study().is_some() {
        ExperimentKind::Study
    } else if scenario.sweep().is_some() {
        ExperimentKind::Sweep
    } else {
        ExperimentKind::Run
    }
}

/// Whether it is a study, or a sweep that integrates flows or makes finite steps of networks so large that it takes
/// minutes.
fn is_long(experiment: &Experiment) -> bool {
    let trains = (experiment.scenario.sweep())
        .is_some_and(|(options, _)| options.kinds.iter().any(|kind| *kind != Kind::Limit));
    experiment.kind == ExperimentKind::Study || trains && experiment.work > LONG
}

fn scenarios(folder: &Path) -> Result<Vec<PathBuf>> {
    let missing = |why: String| {
        Error::from(UsageError::NoScenarios {
            folder: folder.to_owned(),
            why,
        })
    };
    let entries = std::fs::read_dir(folder).map_err(|e| missing(e.to_string()))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| Error::io(folder, e))?.path();
        if path.extension().is_some_and(|e| e == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        return Err(missing("no scenarios (*.toml) there".into()));
    }
    Ok(paths)
}

fn named(mut experiments: Vec<Experiment>, only: &str) -> Result<Vec<Experiment>> {
    experiments.retain(|e| e.scenario.name == only || e.decides().any(|(id, _)| id == only));
    if !experiments.is_empty() {
        return Ok(experiments);
    }
    let claims: Vec<_> = claims::ids().collect();
    let name = only.to_owned();
    Err(match claims.contains(&only) {
        true => UsageError::UndecidedClaim(name),
        false => UsageError::UnknownExperiment { name, claims },
    }
    .into())
}

/// Starting from the cheapest, those that add an outcome of a claim.
fn cheapest(mut experiments: Vec<Experiment>) -> Vec<Experiment> {
    experiments.sort_by(|a, b| a.work.total_cmp(&b.work));
    let mut seen = BTreeSet::new();
    experiments.retain(|e| {
        let before = seen.len();
        let decided = e
            .decides()
            .filter(|(_, outcome)| *outcome != Outcome::Inconclusive);
        seen.extend(decided.map(|(id, outcome)| (id.to_owned(), outcome.name())));
        seen.len() > before
    });
    experiments.sort_by(|a, b| a.scenario.name.cmp(&b.scenario.name));
    experiments
}
