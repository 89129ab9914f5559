//! The results of a case.

use super::{Case, Kind, Plan};
use serde::{Deserialize, Serialize};

/// One angle of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
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

/// The results of a case, as its file holds them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
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
    #[cfg(feature = "cli")]
    pub(crate) fn failed(&self) -> bool {
        self.results.iter().any(|m| m.angle_degrees.is_none())
    }

    /// The measurement of a kind.
    pub(crate) fn of(&self, kind: Kind) -> Option<&Measurement> {
        self.results.iter().find(|m| m.kind == kind.name())
    }

    /// Whether it is that of this case of this sweep.
    pub(super) fn is_of(&self, plan: &Plan, case: &Case) -> bool {
        *self == Self::new(plan, case, self.results.clone())
            && (self.results.iter().map(|m| m.kind.as_str())).eq(plan
                .options
                .kinds
                .iter()
                .map(|kind| kind.name()))
    }
}
