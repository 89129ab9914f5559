//! The folder of a batch: its plan, and the files of its cases.

use crate::error::{Error, Result, UsageError};
use crate::scenario::{self, Scenario};
use crate::storage::{Folder, create_folder, hexadecimal, write_file};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// What tells batches of one kind from those of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchKind {
    /// The verb that works on them, which is also what they are called.
    pub verb: &'static str,
    /// The format of their plan.
    pub format: &'static str,
}

/// A batch in its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchFolder {
    pub path: PathBuf,
    pub kind: BatchKind,
    /// Number of cases.
    pub cases: usize,
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

/// The file that marks a folder as that of a batch.
const PLAN: &str = "plan.json";

impl BatchFolder {
    /// The folder of the cases.
    pub(crate) fn cases_folder(&self) -> PathBuf {
        self.path.join("cases")
    }

    /// The file of a case.
    pub(crate) fn case(&self, id: usize) -> PathBuf {
        self.cases_folder().join(format!("{id:06}.json"))
    }

    /// Writes `scenario.toml` and, last, `plan.json`. Writing the same plan again leaves finished cases untouched.
    ///
    /// # Errors
    /// [`Error::Usage`] if the folder holds another batch; [`Error::Io`].
    pub(crate) fn write_plan(&self, scenario: &Scenario) -> Result<()> {
        let _here = Folder::together(&self.path)?;
        let planned = PlanHeader {
            format: self.kind.format.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            scenario: scenario.name.clone(),
            scenario_sha256: scenario.sha256.clone(),
            resolved_sha256: hexadecimal(scenario.resolved.as_bytes()),
            cases: self.cases,
        };
        if let Some(header) = read_header(&self.path, self.kind)? {
            if header == planned {
                return Ok(());
            }
            return Err(UsageError::AnotherBatch {
                verb: self.kind.verb,
                folder: self.path.clone(),
                scenario: header.scenario,
                sha256: header.scenario_sha256,
                version: header.version,
            }
            .into());
        }
        create_folder(&self.cases_folder())?;
        let path = self.path.join("scenario.toml");
        write_file(&path, scenario.resolved.as_bytes())?;
        let text = serde_json::to_string_pretty(&planned).expect("a header is plain data");
        write_file(&self.path.join(PLAN), (text + "\n").as_bytes())
    }
}

impl BatchKind {
    /// Whether the plan in a folder is of this kind, if there is one that can be read.
    #[cfg(feature = "cli")]
    pub(crate) fn is_planned_in(self, folder: &Path) -> bool {
        matches!(read_header(folder, self), Ok(Some(_)))
    }

    /// The scenario that was planned in a folder.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is no plan, or one of another version; [`Error::Data`] if it is damaged.
    pub(crate) fn planned(self, folder: &Path) -> Result<Scenario> {
        let none = || UsageError::NoBatch {
            verb: self.verb,
            folder: folder.to_owned(),
        };
        let header = read_header(folder, self)?.ok_or_else(none)?;
        let path = folder.join("scenario.toml");
        let text = fs::read(&path).map_err(|e| Error::io(&path, e))?;
        if hexadecimal(&text) != header.resolved_sha256 {
            let advice = format!(
                "has changed since the {} was planned; plan the changed scenario into another folder",
                self.verb
            );
            return Err(Error::data(path, advice));
        }
        if header.version != env!("CARGO_PKG_VERSION") {
            return Err(UsageError::BatchOfAnotherVersion {
                verb: self.verb,
                folder: folder.to_owned(),
                version: header.version,
            }
            .into());
        }
        let mut scenario = scenario::load(&path, &[])?;
        scenario.name = header.scenario;
        scenario.sha256 = header.scenario_sha256;
        Ok(scenario)
    }
}

fn read_header(folder: &Path, kind: BatchKind) -> Result<Option<PlanHeader>> {
    let path = folder.join(PLAN);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io(path, e)),
    };
    serde_json::from_slice(&text)
        .ok()
        .filter(|header: &PlanHeader| header.format == kind.format)
        .map(Some)
        .ok_or_else(|| {
            let BatchKind { verb, format } = kind;
            let advice = format!(
                "is no plan of a {verb} ({format}) or is damaged; remove it and plan again: cases that are done stay"
            );
            Error::data(path, advice)
        })
}
