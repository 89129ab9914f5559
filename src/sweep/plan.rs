//! The plan: the cases of a sweep, and the folder that holds it.

use super::{NetworkCase, SweepOptions};
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::scenario::{Scenario, samples};
use crate::study::{Batch, BatchKind};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// One network and rule at one ratio and seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Position in the plan, from 0: cases, then ratios, then seeds.
    pub id: usize,
    pub network: NetworkCase,
    /// n/D
    pub ratio: f64,
    pub seed: usize,
}

impl Case {
    /// The name from which all its random numbers are derived.
    pub fn name(&self) -> String {
        format!("{}/{}/{}", self.network.name(), self.ratio, self.seed)
    }

    /// The name from which the random numbers of its data are derived: the same for all networks.
    fn data_name(&self) -> String {
        format!("data/{}/{}", self.ratio, self.seed)
    }
}

/// A sweep in its folder.
#[derive(Debug, Clone)]
pub struct Plan {
    pub folder: PathBuf,
    pub scenario: Scenario,
    pub options: SweepOptions,
    /// D
    pub dimension: usize,
    master: u64,
}

const FORMAT: &str = "marginflow-sweep/1";

/// What marks a folder as that of a sweep.
pub(crate) const KIND: BatchKind = BatchKind {
    verb: "sweep",
    format: FORMAT,
};

impl Plan {
    /// The plan of a scenario, not yet written.
    ///
    /// # Errors
    /// [`Error::Scenario`] if it has no `[sweep]`, or if one of its cases cannot be built.
    pub fn new(scenario: Scenario, folder: &Path) -> Result<Self> {
        let Some((options, teacher)) = scenario.sweep() else {
            return Err(scenario.without_sweep());
        };
        let plan = Self {
            folder: folder.to_owned(),
            dimension: teacher.dimension,
            master: teacher.seed,
            options: options.clone(),
            scenario,
        };
        for network in &plan.options.cases {
            let first = plan.cases().into_iter().find(|c| c.network == *network);
            let smallest = first.into_iter().map(|case| Case {
                ratio: plan
                    .options
                    .ratios
                    .iter()
                    .copied()
                    .fold(f64::INFINITY, f64::min),
                ..case
            });
            for case in smallest {
                plan.scenario_of(&case)?.build()?;
            }
        }
        Ok(plan)
    }

    /// Writes `scenario.toml` and, last, `plan.json`. Writing the same plan again leaves finished cases untouched.
    ///
    /// # Errors
    /// [`Error::Usage`] if the folder holds another sweep; [`Error::Io`].
    pub fn write(&self) -> Result<()> {
        self.folder().write_plan(&self.scenario)
    }

    /// Reads the plan in a folder.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is no plan, or one of another version; [`Error::Data`] if it is damaged.
    pub fn open(folder: &Path) -> Result<Self> {
        Self::new(KIND.planned(folder)?, folder)
    }

    /// Number of cases.
    pub fn len(&self) -> usize {
        self.options.cases.len() * self.options.ratios.len() * self.options.seeds
    }

    /// Always false, since no list of `[sweep]` is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All cases, in the order of their ids.
    pub fn cases(&self) -> Vec<Case> {
        (0..self.len()).map(|id| self.case(id)).collect()
    }

    /// The case with a number below [`Self::len`].
    pub(crate) fn case(&self, id: usize) -> Case {
        let (ratios, seeds) = (&self.options.ratios, self.options.seeds);
        let group = id / seeds;
        Case {
            id,
            network: self.options.cases[group / ratios.len()].clone(),
            ratio: ratios[group % ratios.len()],
            seed: id % seeds,
        }
    }

    /// N at a ratio.
    pub fn samples(&self, ratio: f64) -> usize {
        samples(ratio, self.dimension)
    }

    /// Seed of the data of a case.
    pub fn data_seed(&self, case: &Case) -> u64 {
        derived_seed(self.master, &case.data_name())
    }

    /// The assignments (as for `--set`) that turn the scenario into this case.
    pub fn assignments(&self, case: &Case) -> Vec<String> {
        let seed = derived_seed(self.master, &case.name());
        let mut assignments = vec![
            format!(
                "dataset.gaussian-teacher.samples={}",
                self.samples(case.ratio)
            ),
            format!("dataset.gaussian-teacher.seed={}", self.data_seed(case)),
        ];
        assignments.extend(case.network.assignments(seed));
        if self.scenario.steps.is_some() {
            assignments.extend(case.network.step_assignments());
        }
        if self.scenario.starts_at_random() {
            assignments.push(format!("initial.gaussian.seed={seed}"));
        }
        assignments
    }

    /// The case as a scenario.
    ///
    /// # Errors
    /// [`Error::Scenario`], as for [`scenario::load`](crate::scenario::load).
    pub fn scenario_of(&self, case: &Case) -> Result<Scenario> {
        self.scenario.with(&self.assignments(case))
    }

    /// The file of a case.
    pub fn path(&self, case: &Case) -> PathBuf {
        self.folder().case(case.id)
    }
}

/// 63 bits of SHA-256(master seed, name): a seed as TOML holds them.
fn derived_seed(master: u64, name: &str) -> u64 {
    let digest = Sha256::digest(format!("{FORMAT} {master} {name}"));
    let word = digest.first_chunk::<8>().expect("a digest has 32 bytes");
    u64::from_le_bytes(*word) >> 1
}
