//! The table `[study]`: which cases a study has, and what is shown of them.
//!
//! Keys are varied along *axes*, the named variants being one of them. A *point* is one value of every axis; a *case*
//! is a point and a seed. A case is the scenario with these keys assigned as by `--set`, in the order in which they are
//! written, and then the seeds; seeds below an alternative that the case has not chosen (feedback of a rule without
//! any) are passed over. What a study does not vary is the same in all its cases, so the data of one seed are the same
//! at all points that do not vary the data.

mod figures;
pub(super) mod keys;
mod values;

pub use figures::{FigureKind, FigureRequest, Vertical};
pub use keys::PowerLaw;

use super::schema::Document;
use super::source::{Source, did_you_mean};
use super::{Scenario, overrides};
use crate::diagnostics::CURVES;
use crate::error::{Error, Result, ScenarioError};
use keys::{Combine, Study};
use std::ops::Range;
use toml::Spanned;
use toml_edit::DocumentMut;

/// Most cases of a study: each is a file.
const MOST_CASES: usize = 1_000_000;

/// The name of the axis of named variants.
const VARIANT: &str = "variant";

/// The column of seeds.
const SEED: &str = "seed";

/// The table `[study]` of a scenario: lists that are not empty and have no repetitions.
#[derive(Debug, Clone)]
pub struct StudyOptions {
    /// What is varied, in the order in which it is written; the named variants first.
    pub axes: Vec<Axis>,
    /// Number of values of each group of axes whose values go together.
    groups: Vec<usize>,
    /// Seeds 1 … n at every point; `None`: the scenario's own.
    pub seeds: Option<usize>,
    /// The keys that hold the seed, and where they are written.
    seed_keys: Vec<(String, Range<usize>)>,
    /// The axis whose values are compared in pairs.
    pub pair: Option<usize>,
    /// Names of the curves that are kept; `None`: all.
    pub curves: Option<Vec<String>>,
    pub figures: Vec<FigureRequest>,
    pub allow_nonseparable: bool,
}

/// A key, or the named variants, and the values it takes.
#[derive(Debug, Clone)]
pub struct Axis {
    /// The key as written, or [`VARIANT`].
    pub name: String,
    pub values: Vec<AxisValue>,
    /// Which of the groups it goes with.
    group: usize,
}

/// One value of an axis.
#[derive(Debug, Clone)]
pub struct AxisValue {
    /// As in tables and legends.
    pub label: String,
    /// If it is a number, or a list with one number in it.
    pub number: Option<f64>,
    /// Assignments (as for `--set`) that set it.
    assignments: Vec<String>,
    span: Range<usize>,
}

impl Axis {
    /// The last part of its key, enough for legends.
    pub fn short(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or_default()
    }

    /// The axis at a value, in words: `depth = 3`; a variant by its name.
    pub fn named(&self, value: &AxisValue) -> String {
        match self.name.as_str() {
            VARIANT => value.label.clone(),
            _ => format!("{} = {}", self.short(), value.label),
        }
    }

    /// Whether its values and those of another axis (or itself) are taken in step.
    pub fn goes_with(&self, other: &Self) -> bool {
        self.group == other.group
    }

    /// The numbers, if all values are.
    pub fn numbers(&self) -> Option<Vec<f64>> {
        self.values.iter().map(|value| value.number).collect()
    }
}

impl StudyOptions {
    /// Number of points.
    pub fn points(&self) -> usize {
        self.groups.iter().product()
    }

    /// The value of every axis at a point: the last group of axes runs fastest.
    pub fn point(&self, point: usize) -> Vec<&AxisValue> {
        (self.indices(point).into_iter().zip(&self.axes))
            .map(|(index, axis)| &axis.values[index])
            .collect()
    }

    /// The number of the value of every axis at a point.
    pub fn indices(&self, point: usize) -> Vec<usize> {
        let mut rest = point;
        let mut of_group = vec![0; self.groups.len()];
        for (index, count) in of_group.iter_mut().zip(&self.groups).rev() {
            *index = rest % count;
            rest /= count;
        }
        self.axes.iter().map(|axis| of_group[axis.group]).collect()
    }

    /// The point with the first value of an axis (and of those that go with it), all others as at `point`.
    pub fn partner(&self, point: usize, axis: usize) -> Option<usize> {
        let group = self.axes.get(axis)?.group;
        let below: usize = self.groups[group + 1..].iter().product();
        let index = point / below % self.groups[group];
        Some(point - index * below)
    }

    /// The axes of several values that go with none of `shown`: what is pooled where only those are told apart.
    pub fn others(&self, shown: &[Option<usize>]) -> Vec<&Axis> {
        let told = |axis: &Axis| {
            let mut shown = shown.iter().flatten();
            shown.any(|at| axis.goes_with(&self.axes[*at]))
        };
        let others = self.axes.iter();
        others
            .filter(|axis| axis.values.len() > 1 && !told(axis))
            .collect()
    }

    /// A point in words: `depth = 3, rule = gradient-descent`.
    pub fn point_name(&self, point: usize) -> String {
        let values = self.point(point);
        let parts = (self.axes.iter().zip(values)).map(|(axis, value)| axis.named(value));
        parts.collect::<Vec<_>>().join(", ")
    }

    /// Number of the axis of this name.
    pub fn axis(&self, name: &str) -> Option<usize> {
        self.axes.iter().position(|axis| axis.name == name)
    }
}

/// The study of a scenario, if it has one.
pub(super) fn options(document: &Document, source: &Source) -> Result<Option<StudyOptions>> {
    let Some(table) = &document.study else {
        return Ok(None);
    };
    let study = table.get_ref();
    let reader = Reader { source };
    let (axes, groups) = reader.axes(study)?;
    let (seeds, seed_keys) = reader.seeds(study)?;
    if axes.is_empty() && seeds.is_none() {
        let advice =
            "add vary = { \"network.fully-connected-linear.depth\" = [2, 3] }, variants or seeds";
        return Err(source.error(table.span(), "the study varies nothing", advice));
    }
    let cases = (groups.iter().chain(&seeds)).try_fold(1_usize, |n, count| n.checked_mul(*count));
    if cases.is_none_or(|cases| cases > MOST_CASES) {
        let problem = format!("the study has more than {MOST_CASES} cases");
        let advice = "each case is a file; take fewer values or seeds, or several studies";
        return Err(source.error(table.span(), &problem, advice));
    }
    let mut options = StudyOptions {
        axes,
        groups,
        seeds,
        seed_keys,
        pair: None,
        curves: reader.curves(study)?,
        figures: Vec::new(),
        allow_nonseparable: study.allow_nonseparable,
    };
    if let Some(pair) = &study.pair {
        options.pair = Some(reader.axis(&options, pair)?);
    }
    options.figures = figures::requests(&reader, study, &options)?;
    Ok(Some(options))
}

/// Reads the table, and says where it is wrong.
struct Reader<'a> {
    source: &'a Source,
}

impl Reader<'_> {
    /// The axes in the order in which they are written, and the lengths of their groups.
    fn axes(&self, study: &Study) -> Result<(Vec<Axis>, Vec<usize>)> {
        let mut axes: Vec<Axis> = Vec::new();
        let mut groups = Vec::new();
        if !study.variants.is_empty() {
            axes.push(values::variants(self.source, &study.variants, 0)?);
            groups.push(study.variants.len());
        }
        let first = axes.len();
        let mut varied: Vec<_> = study.vary.iter().collect();
        varied.sort_by_key(|(_, values)| values.span().start);
        for (key, given) in varied {
            if key == VARIANT || key == SEED {
                let problem = format!("no key of a scenario is called `{key}`");
                let advice = "vary the keys of the scenario, such as \"flow.rtol\"";
                return Err(self.source.error(given.span(), &problem, advice));
            }
            let axis = values::axis(self.source, key, given, groups.len())?;
            match study.combine {
                Combine::Zip if axes.len() > first => {
                    let (count, other) = (axis.values.len(), &axes[first]);
                    if count != other.values.len() {
                        let problem = format!(
                            "`{key}` has {count} values, `{}` has {}",
                            other.name,
                            other.values.len()
                        );
                        let advice = "with combine = \"zip\" all lists are of one length";
                        return Err(self.source.error(given.span(), &problem, advice));
                    }
                    axes.push(Axis {
                        group: axes[first].group,
                        ..axis
                    });
                }
                _ => {
                    groups.push(axis.values.len());
                    axes.push(axis);
                }
            }
        }
        Ok((axes, groups))
    }

    /// The number of seeds, and the keys that hold them.
    #[expect(
        clippy::type_complexity,
        reason = "a count, and keys with their places"
    )]
    fn seeds(&self, study: &Study) -> Result<(Option<usize>, Vec<(String, Range<usize>)>)> {
        let mut given: Vec<_> = study.seeds.iter().collect();
        given.sort_by_key(|(_, count)| count.span().start);
        let mut keys = Vec::new();
        let mut seeds: Option<usize> = None;
        for (key, count) in given {
            values::check_key(self.source, key, count.span())?;
            let n = count.get_ref().get();
            if let Some(other) = seeds.filter(|other| *other != n) {
                let problem = format!("{n} seeds here, {other} before");
                let advice = "seeds of several keys are varied together: give all the same number";
                return Err(self.source.error(count.span(), &problem, advice));
            }
            seeds = Some(n);
            keys.push((key.clone(), count.span()));
        }
        Ok((seeds, keys))
    }

    fn curves(&self, study: &Study) -> Result<Option<Vec<String>>> {
        let Some(curves) = &study.curves else {
            return Ok(None);
        };
        for name in curves.get_ref() {
            self.curve(name, curves.span())?;
        }
        Ok(Some(curves.get_ref().clone()))
    }

    /// Checks the name of a curve.
    fn curve(&self, name: &str, span: Range<usize>) -> Result<()> {
        let known: Vec<&str> = CURVES.iter().map(|curve| curve.name).collect();
        if known.contains(&name) {
            return Ok(());
        }
        let guess = did_you_mean(name, &known).unwrap_or_default();
        let problem = format!("no curve is called `{name}`{guess}");
        let advice = format!("the curves are {}", known.join(", "));
        Err(self.source.error(span, &problem, &advice))
    }

    /// Checks the name of a curve that a figure needs: the study keeps it.
    fn kept_curve(&self, options: &StudyOptions, name: &str, span: Range<usize>) -> Result<()> {
        self.curve(name, span.clone())?;
        let Some(kept) = options
            .curves
            .as_ref()
            .filter(|kept| !kept.iter().any(|k| k == name))
        else {
            return Ok(());
        };
        let problem = format!("the study does not keep the curve `{name}`");
        let advice = format!(
            "it keeps {}: add \"{name}\" to curves in [study], or leave curves out to keep all",
            kept.join(", ")
        );
        Err(self.source.error(span, &problem, &advice))
    }

    /// The axis of this name.
    fn axis(&self, options: &StudyOptions, name: &Spanned<String>) -> Result<usize> {
        options.axis(name.get_ref()).ok_or_else(|| {
            let known: Vec<&str> = options.axes.iter().map(|a| a.name.as_str()).collect();
            let guess = did_you_mean(name.get_ref(), &known).unwrap_or_default();
            let problem = format!("the study does not vary `{}`{guess}", name.get_ref());
            let advice = format!("it varies {}", known.join(", "));
            self.source.error(name.span(), &problem, &advice)
        })
    }
}

impl Scenario {
    /// The table `[study]`, if there is one.
    pub fn study(&self) -> Option<&StudyOptions> {
        self.study.as_ref()
    }

    /// The error for a command that needs `[study]`.
    pub(crate) fn without_study(&self) -> Error {
        self.source.error(
            0..0,
            "the scenario has no study",
            "add a table [study] with vary = { \"network.fully-connected-linear.depth\" = [2, 3] } and seeds = { \
             \"dataset.gaussian-teacher.seed\" = 20 }",
        )
    }

    /// The assignments (as for `--set`) that make the scenario a case of its study.
    ///
    /// # Errors
    /// [`Error::Usage`] if a key goes below a plain value.
    pub(crate) fn case_assignments(
        &self,
        options: &StudyOptions,
        point: usize,
        seed: Option<usize>,
    ) -> Result<Vec<String>> {
        let mut assignments: Vec<String> = (options.point(point).iter())
            .flat_map(|value| value.assignments.clone())
            .collect();
        let mut document: DocumentMut = self.resolved.parse().map_err(|_| {
            // it has been read before
            self.source.error(0..0, "this is not valid TOML", "")
        })?;
        for assignment in &assignments {
            overrides::apply(&mut document, assignment)?;
        }
        if let Some(seed) = seed {
            let reached = (options.seed_keys.iter())
                .filter(|(key, _)| overrides::is_chosen(&document, key))
                .map(|(key, _)| format!("{key}={seed}"));
            assignments.extend(reached);
        }
        Ok(assignments)
    }

    /// A case of the study as a scenario of its own.
    ///
    /// # Errors
    /// [`Error::Scenario`], as for [`super::load`], and as [`Self::case_assignments`].
    pub(crate) fn case(
        &self,
        options: &StudyOptions,
        point: usize,
        seed: Option<usize>,
    ) -> Result<Self> {
        self.with(&self.case_assignments(options, point, seed)?)
    }

    /// Reads and builds every point at the first seed, so that a value that cannot be used is refused before anything
    /// runs.
    ///
    /// # Errors
    /// [`Error::Scenario`] at the value that makes a case unusable.
    pub(crate) fn check_study(&self, options: &StudyOptions) -> Result<()> {
        let seed = options.seeds.map(|_| 1);
        let mut used = vec![false; options.seed_keys.len()];
        for point in 0..options.points() {
            let fails = |e| self.blamed(options, point, &e);
            let case = self.case(options, point, seed).map_err(fails)?;
            let document: Option<DocumentMut> = case.resolved.parse().ok();
            for (used, (key, _)) in used.iter_mut().zip(&options.seed_keys) {
                *used |= document
                    .as_ref()
                    .is_some_and(|d| overrides::is_chosen(d, key));
            }
            case.build().map_err(fails)?;
        }
        let mut unused = used.iter().zip(&options.seed_keys);
        if let Some((_, (key, span))) = unused.find(|(used, _)| !**used) {
            let problem = format!("no case of the study has the key `{key}`");
            let advice = "give the key of a seed that the scenario draws from";
            return Err(self.source.error(span.clone(), &problem, advice));
        }
        Ok(())
    }

    /// The error of a point that cannot be used, at the value it comes from: the first axis whose value alone, with the
    /// first values of all others, cannot be used either; else the last one.
    fn blamed(&self, options: &StudyOptions, point: usize, error: &Error) -> Error {
        let (problem, advice) = match error {
            Error::Scenario(ScenarioError::Mistake(mistake)) => {
                (mistake.problem.clone(), mistake.advice.clone())
            }
            other => (other.to_string(), String::new()),
        };
        let values = options.point(point);
        let alone = |axis: usize| {
            let mut assignments: Vec<String> = Vec::new();
            for (k, of) in options.axes.iter().enumerate() {
                let value = if k == axis { values[k] } else { &of.values[0] };
                assignments.extend(value.assignments.clone());
            }
            let case = self.with(&assignments);
            case.and_then(|case| case.build()).is_err()
        };
        let blamed = (0..values.len()).find(|axis| alone(*axis));
        let place = match blamed.or(values.len().checked_sub(1)) {
            Some(axis) => values[axis].span.clone(),
            None => options
                .seed_keys
                .first()
                .map_or(0..0, |(_, span)| span.clone()),
        };
        let name = options.point_name(point);
        let problem = match name.is_empty() {
            true => problem,
            false => format!("{problem} (in the case {name})"),
        };
        self.source.error(place, &problem, &advice)
    }
}
