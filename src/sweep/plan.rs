//! The plan: the cases of a sweep, and the folder that holds it.

use super::{NetworkCase, SweepOptions};
use crate::error::{Error, Result, UsageError};
use crate::scenario::{self, Scenario, samples};
use crate::storage::{Folder, create_folder, hexadecimal, write_file};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
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

/// `plan.json`
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct PlanHeader {
    format: String,
    version: String,
    scenario: String,
    scenario_sha256: String,
    /// Checksum of the `scenario.toml` next to it.
    resolved_sha256: String,
    cases: usize,
}

const FORMAT: &str = "marginflow-sweep/1";

/// The file that marks a folder as that of a sweep.
pub(super) const PLAN: &str = "plan.json";

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
        let _here = Folder::together(&self.folder)?;
        if let Some(header) = read_header(&self.folder)? {
            if header == self.header() {
                return Ok(());
            }
            return Err(UsageError::AnotherSweep {
                folder: self.folder.clone(),
                scenario: header.scenario,
                sha256: header.scenario_sha256,
                version: header.version,
            }
            .into());
        }
        create_folder(&self.cases_folder())?;
        let scenario = self.folder.join("scenario.toml");
        write_file(&scenario, self.scenario.resolved.as_bytes())?;
        let text = serde_json::to_string_pretty(&self.header()).expect("a header is plain data");
        write_file(&self.folder.join(PLAN), (text + "\n").as_bytes())
    }

    /// Reads the plan in a folder.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is no plan, or one of another version; [`Error::Data`] if it is damaged.
    pub fn open(folder: &Path) -> Result<Self> {
        let header = read_header(folder)?.ok_or_else(|| UsageError::NoSweep(folder.to_owned()))?;
        let path = folder.join("scenario.toml");
        let text = fs::read(&path).map_err(|e| Error::io(&path, e))?;
        if hexadecimal(&text) != header.resolved_sha256 {
            return Err(Error::data(
                path,
                "has changed since the sweep was planned; plan the changed scenario into another folder",
            ));
        }
        if header.version != env!("CARGO_PKG_VERSION") {
            return Err(UsageError::SweepOfAnotherVersion {
                folder: folder.to_owned(),
                version: header.version,
            }
            .into());
        }
        let mut scenario = scenario::load(&path, &[])?;
        scenario.name = header.scenario;
        scenario.sha256 = header.scenario_sha256;
        Self::new(scenario, folder)
    }

    fn header(&self) -> PlanHeader {
        PlanHeader {
            format: FORMAT.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            scenario: self.scenario.name.clone(),
            scenario_sha256: self.scenario.sha256.clone(),
            resolved_sha256: hexadecimal(self.scenario.resolved.as_bytes()),
            cases: self.len(),
        }
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
        let mut cases = Vec::with_capacity(self.len());
        for network in &self.options.cases {
            for &ratio in &self.options.ratios {
                for seed in 0..self.options.seeds {
                    cases.push(Case {
                        id: cases.len(),
                        network: network.clone(),
                        ratio,
                        seed,
                    });
                }
            }
        }
        cases
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
    /// [`Error::Scenario`], as for [`scenario::load`].
    pub fn scenario_of(&self, case: &Case) -> Result<Scenario> {
        self.scenario.with(&self.assignments(case))
    }

    /// The folder of the cases.
    pub(crate) fn cases_folder(&self) -> PathBuf {
        self.folder.join("cases")
    }

    /// The file of a case.
    pub fn path(&self, case: &Case) -> PathBuf {
        self.cases_folder().join(format!("{:06}.json", case.id))
    }
}

/// 63 bits of SHA-256(master seed, name): a seed as TOML holds them.
fn derived_seed(master: u64, name: &str) -> u64 {
    let digest = Sha256::digest(format!("{FORMAT} {master} {name}"));
    let word = digest.first_chunk::<8>().expect("a digest has 32 bytes");
    u64::from_le_bytes(*word) >> 1
}

fn read_header(folder: &Path) -> Result<Option<PlanHeader>> {
    let path = folder.join(PLAN);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io(path, e)),
    };
    serde_json::from_slice(&text)
        .ok()
        .filter(|header: &PlanHeader| header.format == FORMAT)
        .map(Some)
        .ok_or_else(|| {
            let advice = format!("is no plan of a sweep ({FORMAT}) or is damaged; remove it and plan again: cases that \
                                  are done stay");
            Error::data(path, advice)
        })
}
