//! Data that a hyperplane through the origin separates.

use super::vectors::Vector;
use super::{Dyadic, Exact, Failure, Kind, holds};
use serde::{Deserialize, Serialize};

/// `g_n·β > 0` for every n.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Separable {
    pub beta: Vec<Dyadic>,
}

impl Kind for Separable {
    fn claim(&self) -> &'static str {
        "The samples are linearly separable: this direction classifies every one of them."
    }

    fn inequality(&self) -> &'static str {
        "min_n g_n·beta > 0"
    }

    fn verify(&self, data: &Exact<'_>) -> Result<String, Failure> {
        let beta = Vector::of_length(&self.beta, data.samples.width(), "beta")?;
        holds(
            data.samples.times(&beta).least().is_positive(),
            "min_n g_n·beta > 0",
        )?;
        Ok("separable".into())
    }
}
