//! `limit.json`: a limit without a run.

use super::data::DataReport;
use super::json::Coefficients;
use crate::limit::Limit;
use crate::problem::Problem;

/// A limit alone: its kind ("none" without one), direction, multipliers, proof and support; its angle to another limit,
/// radians, where one was asked for; and what became of the data.
pub fn limit_json(problem: &Problem, limit: Option<&Limit>, beside: Option<f64>) -> String {
    let mut value = match limit {
        None => serde_json::json!({ "kind": "none" }),
        Some(limit) => serde_json::json!({
            "kind": limit.kind.name(),
            "exponent": limit.potential.exponent,
            "beta": Coefficients::of(limit.beta.as_slice(), problem.network().outputs()),
            "multipliers": limit.multipliers.as_slice(),
            "duality_gap": limit.duality_gap,
            "stationarity": limit.stationarity,
            "unique": limit.unique,
            "support": limit.support,
        }),
    };
    let spectrum = problem.network().spectrum();
    let effective = |limit: &Limit| spectrum?.effective_entries(&limit.beta);
    value["effective_entries"] = serde_json::json!(limit.and_then(effective));
    value["angle_beside"] = serde_json::json!(beside);
    value["dataset"] = serde_json::json!(DataReport::of(problem.dataset()));
    format!("{value:#}\n")
}
