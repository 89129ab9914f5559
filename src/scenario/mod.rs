//! Scenarios: one TOML file says everything about a run. This is the only reader of TOML.
//!
//! ```toml
//! title = "DFA on a depth-3 fully connected linear network"
//! loss = "exponential"                   # or "logistic"
//! [dataset.gaussian-teacher]             # or [dataset.gaussian-random-labels], [dataset.files], [dataset.table]
//! dimension = 20
//! samples = 30
//! seed = 1
//! # [dataset.table] has path, label, positive, negative, drop, header, separator, standardise, constant-feature, and
//! # format = "svmlight"
//! [network.fully-connected-linear]
//! depth = 3                              # hidden = [20, 20] unless given
//! # [network.convolutional-linear] and [network.diagonal-linear] have a depth;
//! # [network.relu] has hidden = [50] (its depth is one more) and smoothing = 0.0 (exact kinks)
//! [rule.direct-feedback-alignment]       # or rule = "gradient-descent"
//! feedback.gaussian.seed = 7             # b_l ~ N(0, scale² I), scale = 1; or feedback.files = [...],
//!                                        # or feedback.unit-modulus.seed = 7: |b̂_l[d]| = 1 (entries ±1 outside of Fourier space)
//! [initial]                              # or initial = "zero", or files = [...]
//! gaussian = { scale = 0.1, seed = 3 }   # entries ~ N(0, scale²); ReLU networks: level-set = true
//! [flow]
//! until.log-log-time = 40.0              # or until.log-time, until.time
//! state = "full"                         # or "reduced": see problem::State
//! [steps]                                # optional: runs of finite steps beside the flow
//! sizes = [1e-2, 1e-3]                   # one run per step size
//! count = 100000
//! schedule = "constant"                  # or "loss-normalised": steps of size η/𝓛
//! state = "full"                         # or "reduced", as for the flow
//! [sweep]                                # optional: what `sweep` does, see crate::sweep
//! cases = ["fc", "conv-dfa-2"]
//! ratios = [0.5, 1.0]                    # n/D, D that of [dataset.gaussian-teacher]
//! seeds = 50
//! kinds = ["limit", "flow", "steps"]     # ["limit"] unless given; the flow to [flow] until, the steps of [steps]
//! [study]                                # optional: what `study` does, see crate::study
//! vary = { "network.fully-connected-linear.depth" = [2, 3, 4] }
//! seeds = { "dataset.gaussian-teacher.seed" = 20 }
//! [expect]
//! thm-1 = "holds"
//! ```
//!
//! A file passes three stages. [`load`] reads it; [`parse`] applies `--set` assignments to the text and reads the
//! result, so that every error points into text the user can see, and numbers become types that cannot hold an invalid
//! value; [`Scenario::build`] reads the named files, draws what is random, and checks that the shapes fit. Random
//! draws: feedback `b_1, b_2, …`, entry by entry, from the stream `feedback`; weights `w_1, w_2, …`, each column by
//! column, from the stream `initial` (see [`crate::dataset::standard_normals`]). With `level-set = true` the drawn
//! output weights are replaced by `w_{L,j} = ‖w_{L−1,j}‖²/(2b_j)`, with b the feedback of the last hidden layer: the
//! level set of the conserved quantity `b_j w_{L,j} − ½‖w_{L−1,j}‖²` that contains zero weights, and for which Theorem
//! 4 is stated.

mod build;
mod data;
mod describe;
mod initial;
mod layers;
mod memory;
mod network_case;
mod numbers;
mod overrides;
mod paths;
mod relu;
mod rule;
mod schema;
mod source;
pub(crate) mod study;
mod sweep;
mod variants;

use crate::claims::Outcome;
use crate::descent::{Schedule, StepOptions};
use crate::error::{Error, Result, ScenarioError};
use crate::flow::clock::MAX_LOG_LOG_TIME;
use crate::flow::{FlowOptions, Method, SaveAt};
use crate::memory::{Estimate, Work};
use crate::problem::{Problem, State};
use crate::storage::hexadecimal;
pub use describe::{schema_json, schema_markdown};
pub use network_case::NetworkCase;
use schema::{Architecture, Document, MethodName, ScheduleName, StateName};
use source::Source;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
pub use study::{FigureKind, FigureRequest, PowerLaw, StudyOptions, Vertical};
pub(crate) use sweep::samples;
pub use sweep::{Kind, SweepOptions, Teacher};
use toml::Spanned;
use toml_edit::DocumentMut;
pub use variants::Variant;

/// A scenario that has been read and parsed; the files it names have not been opened yet.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// File stem: names the output folder.
    pub name: String,
    /// The given title, or else the name.
    pub title: String,
    /// The text after `--set`, with absolute paths, so that a copy runs from any folder.
    pub resolved: String,
    /// SHA-256, in hexadecimal, of the text after `--set` with the paths as written.
    pub sha256: String,
    /// The arguments that name it on the command line, `PATH --set …`, quoted for a shell.
    pub arguments: String,
    /// The assignments of `--set`, in their order.
    pub overrides: Vec<String>,
    /// Expected outcome per claim id.
    pub expect: BTreeMap<String, Outcome>,
    pub flow: FlowOptions,
    /// Runs of finite steps, if any.
    pub steps: Option<StepOptions>,
    sweep: Option<(SweepOptions, Teacher)>,
    study: Option<StudyOptions>,
    document: Document,
    source: Source,
    folder: PathBuf,
}

/// Reads a scenario and applies `overrides`, each `key=value` with a dotted key and a TOML value (or a bare string).
///
/// # Errors
/// [`Error::Scenario`] with file, line and caret for anything wrong in the text; [`Error::Usage`] for an override
/// that is not an assignment.
pub fn load(path: &Path, overrides: &[String]) -> Result<Scenario> {
    let text = std::fs::read_to_string(path).map_err(|source| ScenarioError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    parse(path, &text, overrides)
}

/// Parses `text` as the content of the file `path`, with `overrides` applied. Opens no file: it only asks the file
/// system for the absolute form of the paths named.
///
/// # Errors
/// As [`load`], except for a file that cannot be read.
///
/// ```
/// use marginflow::scenario;
/// let error = scenario::parse("mine.toml".as_ref(), "loss = 'square'", &[]).unwrap_err();
/// assert!(error.to_string().contains("mine.toml:1:8"));
/// ```
pub fn parse(path: &Path, text: &str, overrides: &[String]) -> Result<Scenario> {
    let name = path.file_stem().unwrap_or_default();
    resolve(
        name.to_string_lossy().into_owned(),
        path.display().to_string(),
        path.parent().unwrap_or(Path::new("")).to_owned(),
        text.to_owned(),
        overrides,
    )
}

fn resolve(
    name: String,
    shown: String,
    folder: PathBuf,
    text: String,
    overrides: &[String],
) -> Result<Scenario> {
    let arguments = arguments(&shown, overrides);
    let mut source = Source { name: shown, text };
    // Syntax errors point into the file itself, everything later into the text after the assignments.
    let mut resolved: DocumentMut = source.text.parse().map_err(|e: toml_edit::TomlError| {
        source.error(
            e.span().unwrap_or(0..0),
            e.message(),
            "this is not valid TOML",
        )
    })?;
    for assignment in overrides {
        overrides::apply(&mut resolved, assignment)?;
    }
    if !overrides.is_empty() {
        source.name += " (after --set)";
        source.text = resolved.to_string();
    }
    let document: Document = toml::from_str(&source.text).map_err(|e| source.parse_error(&e))?;
    let flow = flow_options(&document, &source)?;
    let steps = step_options(&document, &source)?;
    let sweep = sweep::options(&document, &source)?;
    let study = study::options(&document, &source)?;
    paths::make_absolute(&mut resolved, &folder);
    Ok(Scenario {
        title: document.title.clone().unwrap_or_else(|| name.clone()),
        name,
        resolved: resolved.to_string(),
        sha256: hexadecimal(source.text.as_bytes()),
        arguments,
        overrides: overrides.to_vec(),
        expect: (document.expect.iter())
            .map(|(id, outcome)| (id.0.clone(), *outcome))
            .collect(),
        flow,
        steps,
        sweep,
        study,
        document,
        source,
        folder,
    })
}

fn arguments(path: &str, overrides: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,+=:".contains(c);
    let quoted = |word: &str| {
        if !word.is_empty() && word.chars().all(plain) {
            word.to_owned()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    let mut text = quoted(path);
    for assignment in overrides {
        text += " --set ";
        text += &quoted(assignment);
    }
    text
}

fn flow_options(document: &Document, source: &Source) -> Result<FlowOptions> {
    let flow = &document.flow;
    let until = flow.until.get_ref().log_log_time();
    if until >= MAX_LOG_LOG_TIME {
        let until = numbers::shown(until);
        let problem = format!("the horizon, log-log-time {until}, is not below {MAX_LOG_LOG_TIME}");
        let advice = "exp(s) must fit into a double-precision number";
        return Err(source.error(flow.until.span(), &problem, advice));
    }
    let usual = FlowOptions::to(until);
    Ok(FlowOptions {
        until,
        rtol: flow.rtol.map_or(usual.rtol, |rtol| rtol.get()),
        atol: flow.atol.map_or(usual.atol, |atol| atol.get()),
        method: match flow.method {
            MethodName::AdamsBdf => Method::AdamsBdf,
            MethodName::Bdf => Method::Bdf,
            MethodName::Esdirk34 => Method::Esdirk34,
            MethodName::TrBdf2 => Method::TrBdf2,
            MethodName::Tsit45 => Method::Tsit45,
        },
        state: state(flow.state.as_ref(), document, source)?,
        saves: (flow.saves).map_or(SaveAt::Default, |saves| SaveAt::Uniform(saves.get())),
        checkpoint_steps: flow.checkpoint_steps.map(|steps| steps.get()),
        max_steps: flow.max_steps.map_or(usual.max_steps, |steps| steps.get()),
        max_wall_seconds: flow
            .max_wall_seconds
            .map_or(usual.max_wall_seconds, |seconds| seconds.get()),
    })
}

fn step_options(document: &Document, source: &Source) -> Result<Option<StepOptions>> {
    let Some(steps) = &document.steps else {
        return Ok(None);
    };
    let sizes: Vec<f64> = steps.sizes.get_ref().iter().map(|x| x.get()).collect();
    if sizes.is_empty() {
        let advice = "give one step size per run, e.g. sizes = [1e-2, 1e-3]";
        return Err(source.error(steps.sizes.span(), "no step size is given", advice));
    }
    Ok(Some(StepOptions {
        sizes,
        count: steps.count.get(),
        schedule: match steps.schedule {
            ScheduleName::Constant => Schedule::Constant,
            ScheduleName::LossNormalised => Schedule::LossNormalised,
        },
        state: state(steps.state.as_ref(), document, source)?,
    }))
}

/// The unknowns of a run, from the key `state` of a table. Reduced states exist where the weights are
/// `w_l(0) + u_l b_lᵀ` at all times.
fn state(key: Option<&Spanned<StateName>>, document: &Document, source: &Source) -> Result<State> {
    let Some(key) = key else {
        return Ok(State::Full);
    };
    match key.get_ref() {
        StateName::Full => Ok(State::Full),
        StateName::Reduced
            if matches!(document.network, Architecture::FullyConnected { .. })
                && document.rule.entry.is_fixed =>
        {
            Ok(State::Reduced)
        }
        StateName::Reduced => Err(source.error(
            key.span(),
            "this network and rule have no reduced state",
            "only fully connected linear networks under (direct) feedback alignment have it; remove this key",
        )),
    }
}

impl Scenario {
    /// The text after `--set`, with the paths as written; [`Self::sha256`] is its checksum.
    pub fn text(&self) -> &str {
        &self.source.text
    }

    /// What it shows, according to its leading comment.
    pub fn about(&self) -> String {
        let lines = self.source.text.lines();
        let comment = lines.map_while(|line| line.strip_prefix('#'));
        comment.map(str::trim).collect::<Vec<_>>().join(" ")
    }

    /// The problem: reads data and weight files, draws data, feedback and initial weights.
    ///
    /// Separability of the data is not checked here.
    ///
    /// # Errors
    /// [`Error::Data`] with row and column for a file with wrong contents; [`Error::Scenario`] for a missing file,
    /// shapes that do not fit, gradient descent started where it cannot move, or a problem too large for the machine's
    /// memory.
    pub fn build(&self) -> Result<Problem> {
        self.build_for(Work::Limit)
    }

    /// [`Self::build`], which fails before drawing anything if `work` on the problem needs too much memory.
    ///
    /// # Errors
    /// As [`Self::build`].
    pub fn build_for(&self, work: Work) -> Result<Problem> {
        self.builder(work).problem()
    }

    /// The peak memory of `work` on N samples of dimension D.
    ///
    /// # Errors
    /// [`Error::Scenario`] if the keys of the network contradict each other.
    pub fn memory(&self, work: Work, samples: usize, dimension: usize) -> Result<Estimate> {
        let builder = self.builder(work);
        let network = builder.network(dimension, 1)?;
        Ok(builder.sizes(samples, &network).estimate(work))
    }

    fn builder(&self, work: Work) -> build::Builder<'_> {
        build::Builder {
            document: &self.document,
            source: &self.source,
            folder: &self.folder,
            flow: &self.flow,
            steps: self.steps.as_ref(),
            work,
        }
    }

    /// The scenario with further assignments (as for `--set`).
    ///
    /// # Errors
    /// As [`load`].
    pub fn with(&self, assignments: &[String]) -> Result<Self> {
        resolve(
            self.name.clone(),
            self.source.name.clone(),
            self.folder.clone(),
            self.resolved.clone(),
            assignments,
        )
    }

    /// The error for a command that needs `[steps]`.
    pub fn without_steps(&self) -> Error {
        self.source.error(
            0..0,
            "the scenario has no finite steps to compare the flow with",
            "add a table [steps] with sizes = [1e-2, 1e-3] and count = 100000 (or --set steps.sizes=[1e-2] --set \
             steps.count=100000)",
        )
    }
}

#[cfg(test)]
mod layers_tests;
#[cfg(test)]
mod relu_tests;
#[cfg(test)]
mod tests;
