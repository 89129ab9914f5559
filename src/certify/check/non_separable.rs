//! Data that no hyperplane through the origin separates: Farkas' certificate.

use super::vectors::Vector;
use super::{Dyadic, Exact, Failure, Kind, holds};
use serde::{Deserialize, Serialize};

/// `Gᵀa = 0` with `a ≥ 0`, `a ≠ 0`: then `Σ a_n g_n·β = 0` for every β, so not every margin can be positive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NonSeparable {
    /// a, length N.
    pub multipliers: Vec<Dyadic>,
}

impl Kind for NonSeparable {
    fn claim(&self) -> &'static str {
        "No hyperplane through the origin separates the samples: a combination of them with non-negative weights, not \
         all zero, vanishes."
    }

    fn inequality(&self) -> &'static str {
        "a >= 0, a != 0, sum_n a_n g_n = 0"
    }

    fn verify(&self, data: &Exact<'_>) -> Result<String, Failure> {
        let a = Vector::weights(&self.multipliers, data.samples.count(), "multipliers")?;
        holds(!a.is_zero(), "a ≠ 0")?;
        holds(data.samples.combined(&a).is_zero(), "sum_n a_n g_n = 0")?;
        let support = self.multipliers.iter().filter(|a| a.is_positive()).count();
        Ok(format!(
            "not separable: a combination of {support} samples vanishes"
        ))
    }
}
