//! Files of finished cases: one line of JSON, and the SHA-256 of that line.

use super::{Case, Kind, Plan};
use crate::error::{Error, Result};
use crate::storage::{hexadecimal, write_file};
use serde::{Deserialize, Serialize};
use std::fs;

/// One angle of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measurement {
    /// [`Kind::name`]
    pub kind: String,
    /// Angle between β and the teacher; `None` if it could not be obtained.
    pub angle_degrees: Option<f64>,
    /// Duality gap of a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duality_gap: Option<f64>,
    /// Why there is no angle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// The results of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    format: String,
    scenario_sha256: String,
    pub id: usize,
    pub case: String,
    pub ratio: f64,
    pub seed: usize,
    /// One per kind of the sweep, in its order.
    pub results: Vec<Measurement>,
}

const FORMAT: &str = "marginflow-sweep-case/1";
const SEPARATOR: &str = "\nsha256 ";

impl Record {
    pub(super) fn new(plan: &Plan, case: &Case, results: Vec<Measurement>) -> Self {
        Self {
            format: FORMAT.into(),
            scenario_sha256: plan.scenario.sha256.clone(),
            id: case.id,
            case: case.network.name().into(),
            ratio: case.ratio,
            seed: case.seed,
            results,
        }
    }

    /// Whether some angle could not be obtained.
    pub(crate) fn failed(&self) -> bool {
        self.results.iter().any(|m| m.angle_degrees.is_none())
    }

    /// The measurement of a kind.
    pub(crate) fn of(&self, kind: Kind) -> Option<&Measurement> {
        self.results.iter().find(|m| m.kind == kind.name())
    }

    /// Writes the case's file completely or not at all.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn write(&self, plan: &Plan, case: &Case) -> Result<()> {
        write_file(&plan.path(case), self.text().as_bytes())
    }

    fn text(&self) -> String {
        let line = serde_json::to_string(self).expect("a record is plain data");
        let digest = hexadecimal(line.as_bytes());
        format!("{line}{SEPARATOR}{digest}\n")
    }

    /// The record of a case, if there is one with a correct checksum that belongs to this case of this sweep.
    ///
    /// # Errors
    /// [`Error::Io`] if there is a file that cannot be read.
    pub(crate) fn read(plan: &Plan, case: &Case) -> Result<Option<Self>> {
        let path = plan.path(case);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io(path, e)),
        };
        Ok(Self::parse(&bytes).filter(|record| {
            *record == Self::new(plan, case, record.results.clone())
                && record.results.iter().map(|m| m.kind.as_str()).eq(plan
                    .options
                    .kinds
                    .iter()
                    .map(|kind| kind.name()))
        }))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (line, digest) = text.split_once(SEPARATOR)?;
        if digest.strip_suffix('\n')? != hexadecimal(line.as_bytes()) {
            return None;
        }
        serde_json::from_str(line).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_change_of_a_byte_is_seen() {
        let record = Record {
            format: FORMAT.into(),
            scenario_sha256: "ab".into(),
            id: 3,
            case: "fc".into(),
            ratio: 0.25,
            seed: 1,
            results: vec![Measurement {
                kind: "limit".into(),
                angle_degrees: Some(0.1 + 0.2),
                duality_gap: Some(3e-17),
                failure: None,
            }],
        };
        let text = record.text().into_bytes();
        assert_eq!(Record::parse(&text), Some(record));
        for i in 0..text.len() {
            let mut damaged = text.clone();
            damaged[i] ^= 1;
            assert_eq!(Record::parse(&damaged), None, "byte {i}");
            assert_eq!(Record::parse(&text[..i]), None, "the first {i} bytes");
        }
    }
}
