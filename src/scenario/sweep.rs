//! The table `[sweep]`.

use super::numbers::shown;
use super::schema::{DatasetSource, Document, Initial};
use super::source::Source;
use super::{NetworkCase, Scenario};
use crate::error::{Error, Result};
use crate::generalisation::RATIOS;
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

/// Most cases of a sweep.
const MOST_CASES: usize = 1_000_000;

/// What is measured of a case: the angle to the teacher of …
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// … the certified limit.
    Limit,
    /// … the flow at the horizon of the scenario.
    Flow,
    /// … finite steps, as many as the scenario says.
    Steps,
}

impl Kind {
    /// The name in scenarios and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Flow => "flow",
            Self::Steps => "steps",
        }
    }
}

/// The table `[sweep]` of a scenario: non-empty lists without repetitions.
#[derive(Debug, Clone)]
pub struct SweepOptions {
    pub cases: Vec<NetworkCase>,
    /// n/D
    pub ratios: Vec<f64>,
    /// Seeds 0 … seeds − 1 at every ratio.
    pub seeds: usize,
    pub kinds: Vec<Kind>,
}

/// N at `n/D = ratio`: the nearest whole number.
pub(crate) fn samples(ratio: f64, dimension: usize) -> usize {
    (ratio * dimension as f64).round() as usize
}

/// Where the data of a sweep come from.
#[derive(Debug, Clone, Copy)]
pub struct Teacher {
    /// D
    pub dimension: usize,
    /// The master seed.
    pub seed: u64,
}

/// The sweep of a scenario, if it has one.
pub(super) fn options(
    document: &Document,
    source: &Source,
) -> Result<Option<(SweepOptions, Teacher)>> {
    let Some(table) = &document.sweep else {
        return Ok(None);
    };
    let sweep = table.get_ref();
    let DatasetSource::GaussianTeacher {
        dimension, seed, ..
    } = &document.dataset
    else {
        return Err(source.error(
            table.span(),
            "a sweep needs a teacher to measure angles to",
            "use [dataset.gaussian-teacher]; its samples and seed are replaced case by case",
        ));
    };
    let teacher = Teacher {
        dimension: dimension.get_ref().get(),
        seed: seed.get(),
    };
    if let Initial::Files(_) = document.initial.get_ref() {
        return Err(source.error(
            document.initial.span(),
            "weights from files fit one network, a sweep has several",
            "use initial = \"zero\" or initial.gaussian",
        ));
    }
    distinct(&sweep.cases, source, "case", |a, b| a == b)?;
    distinct(&sweep.ratios, source, "ratio", |a, b| a == b)?;
    let ratios: Vec<f64> = sweep.ratios.get_ref().iter().map(|r| r.get()).collect();
    for &ratio in &ratios {
        let fits = super::memory::samples_fit(ratio * teacher.dimension as f64, teacher.dimension);
        if !RATIOS.contains(&ratio) || !fits || samples(ratio, teacher.dimension) == 0 {
            let problem = format!(
                "the ratio n/D = {} at D = {} cannot be swept",
                shown(ratio),
                teacher.dimension
            );
            let advice = format!(
                "take ratios between {} and {} at which a data set has a sample at least and fits into memory",
                RATIOS.start(),
                RATIOS.end()
            );
            return Err(source.error(sweep.ratios.span(), &problem, &advice));
        }
    }
    let seeds = sweep.seeds.get_ref().get();
    let groups = sweep.cases.get_ref().len() * ratios.len();
    if seeds
        .checked_mul(groups)
        .is_none_or(|cases| cases > MOST_CASES)
    {
        let problem = format!(
            "{seeds} seeds of {groups} networks and ratios are more than {MOST_CASES} cases"
        );
        let advice = "each case is a file; take fewer seeds, or several sweeps";
        return Err(source.error(sweep.seeds.span(), &problem, advice));
    }
    let kinds = match &sweep.kinds {
        None => vec![Kind::Limit],
        Some(kinds) => {
            distinct(kinds, source, "kind", |a, b| a == b)?;
            let sizes = document
                .steps
                .as_ref()
                .map_or(0, |s| s.sizes.get_ref().len());
            if kinds.get_ref().contains(&Kind::Steps) && sizes != 1 {
                let problem = format!("a sweep takes steps of one size, [steps] gives {sizes}");
                let advice = "add a table [steps] with sizes = [1e-2] and count = 10000";
                return Err(source.error(kinds.span(), &problem, advice));
            }
            kinds.get_ref().clone()
        }
    };
    one_limit(&sweep.cases, &kinds, source)?;
    let options = SweepOptions {
        cases: sweep.cases.get_ref().clone(),
        ratios,
        seeds,
        kinds,
    };
    Ok(Some((options, teacher)))
}

/// Refuses networks whose limit depends on the start, if limits are to be measured.
fn one_limit(cases: &Spanned<Vec<NetworkCase>>, kinds: &[Kind], source: &Source) -> Result<()> {
    let many = cases.get_ref().iter().find(|case| !case.has_one_limit());
    match many.filter(|_| kinds.contains(&Kind::Limit)) {
        None => Ok(()),
        Some(case) => {
            let problem = format!(
                "the case `{}` has no one limit: deeper than 2, gradient descent tends to one of many stationary \
                 points of a potential that is not convex",
                case.name()
            );
            let advice = "leave \"limit\" out of `kinds`, or take depth 1 or 2";
            Err(source.error(cases.span(), &problem, advice))
        }
    }
}

/// Refuses an empty list, and one with repetitions.
fn distinct<T>(
    list: &Spanned<Vec<T>>,
    source: &Source,
    what: &str,
    same: impl Fn(&T, &T) -> bool,
) -> Result<()> {
    let items = list.get_ref();
    if items.is_empty() {
        let problem = format!("no {what} is given");
        return Err(source.error(list.span(), &problem, "give one at least"));
    }
    let twice =
        (1..items.len()).find(|&i| items[..i].iter().any(|earlier| same(earlier, &items[i])));
    match twice {
        None => Ok(()),
        Some(i) => {
            let problem = format!("{what} number {} of this list has been given before", i + 1);
            Err(source.error(list.span(), &problem, "give each once"))
        }
    }
}

impl Scenario {
    /// The table `[sweep]`, and the data it concerns.
    pub(crate) fn sweep(&self) -> Option<(&SweepOptions, Teacher)> {
        let (options, teacher) = self.sweep.as_ref()?;
        Some((options, *teacher))
    }

    /// Whether the initial weights are drawn.
    pub(crate) fn starts_at_random(&self) -> bool {
        matches!(self.document.initial.get_ref(), Initial::Gaussian { .. })
    }

    /// The error for a command that needs `[sweep]`.
    pub(crate) fn without_sweep(&self) -> Error {
        self.source.error(
            0..0,
            "the scenario has no sweep",
            "add a table [sweep] with cases = [\"fc\", \"conv-dfa-2\"], ratios = [0.5, 1.0] and seeds = 50",
        )
    }
}
