//! The plan: the cases of a study, and the folder that holds it.

use super::batch::{Batch, BatchKind};
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::scenario::{Scenario, StudyOptions};
use std::path::{Path, PathBuf};

/// What marks a folder as that of a study.
pub(super) const KIND: BatchKind = BatchKind {
    verb: "study",
    format: "marginflow-study/1",
};

/// One point at one seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// Position in the plan, from 0: points, then seeds.
    pub id: usize,
    /// Number of the point, see [`StudyOptions::point`].
    pub point: usize,
    /// From 1; `None` if the study varies no seed.
    pub seed: Option<usize>,
}

/// A study in its folder.
#[derive(Debug, Clone)]
pub struct Plan {
    pub folder: PathBuf,
    pub scenario: Scenario,
    pub options: StudyOptions,
}

impl Plan {
    /// The plan of a scenario, not yet written; every point has been read and built once.
    ///
    /// # Errors
    /// [`Error::Scenario`] if it has no `[study]`, or if one of its points cannot be built.
    pub fn new(scenario: Scenario, folder: &Path) -> Result<Self> {
        let plan = Self::unchecked(scenario, folder)?;
        plan.scenario.check_study(&plan.options)?;
        Ok(plan)
    }

    fn unchecked(scenario: Scenario, folder: &Path) -> Result<Self> {
        let Some(options) = scenario.study() else {
            return Err(scenario.without_study());
        };
        Ok(Self {
            folder: folder.to_owned(),
            options: options.clone(),
            scenario,
        })
    }

    /// Writes `scenario.toml` and, last, `plan.json`. Writing the same plan again leaves finished cases untouched.
    ///
    /// # Errors
    /// [`Error::Usage`] if the folder holds another study; [`Error::Io`].
    pub fn write(&self) -> Result<()> {
        self.folder().write_plan(&self.scenario)
    }

    /// Reads the plan in a folder.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is no plan, or one of another version; [`Error::Data`] if it is damaged.
    pub fn open(folder: &Path) -> Result<Self> {
        Self::unchecked(KIND.planned(folder)?, folder)
    }

    /// Number of cases.
    pub fn len(&self) -> usize {
        self.options.points() * self.seeds()
    }

    /// Always false: there is a point at least.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Cases per point.
    pub fn seeds(&self) -> usize {
        self.options.seeds.unwrap_or(1)
    }

    /// The case of a number below [`Self::len`].
    pub fn case(&self, id: usize) -> Case {
        Case {
            id,
            point: id / self.seeds(),
            seed: self.options.seeds.map(|seeds| 1 + id % seeds),
        }
    }

    /// A case in words.
    pub fn name(&self, id: usize) -> String {
        let case = self.case(id);
        let point = self.options.point_name(case.point);
        match case.seed {
            None => point,
            Some(seed) if point.is_empty() => format!("seed {seed}"),
            Some(seed) => format!("{point}, seed {seed}"),
        }
    }

    /// The assignments (as for `--set`) that turn the scenario into this case.
    ///
    /// # Errors
    /// [`Error::Usage`] if a key goes below a plain value.
    pub fn assignments(&self, id: usize) -> Result<Vec<String>> {
        let case = self.case(id);
        self.scenario
            .case_assignments(&self.options, case.point, case.seed)
    }

    /// The case as a scenario.
    ///
    /// # Errors
    /// [`Error::Scenario`] and [`Error::Usage`] if its keys contradict each other.
    pub fn scenario_of(&self, id: usize) -> Result<Scenario> {
        let case = self.case(id);
        self.scenario.case(&self.options, case.point, case.seed)
    }
}
