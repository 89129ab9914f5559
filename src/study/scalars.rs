//! The scalars of a `report.json`, by dotted names.
//!
//! Tables are followed by name, `final.log_loss`; members of lists by their `id`, `claims.thm-1.verdict`, or else by
//! their number from 1, `steps.1.size`; of a list of plain values its length is kept, `limit.support.count`. How many
//! seconds something took is left out, so that a study gives the same bytes wherever it runs.

use serde_json::Value;

/// A number, a truth value or a text; never a table or a list.
pub type Scalar = Value;

/// Keys that hold times.
const TIMES: [&str; 1] = ["wall_seconds"];

/// Every scalar of a report that is not null, in its order.
pub fn scalars(report: &Value) -> Vec<(String, Scalar)> {
    let mut found = Vec::new();
    follow(report, &mut String::new(), &mut found);
    found
}

fn follow(value: &Value, name: &mut String, found: &mut Vec<(String, Scalar)>) {
    match value {
        Value::Null => {}
        Value::Object(table) => {
            for (key, below) in table
                .iter()
                .filter(|(key, _)| !TIMES.contains(&key.as_str()))
            {
                member(key, below, name, found);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (at, item) in items.iter().enumerate() {
                let id = item["id"]
                    .as_str()
                    .map_or_else(|| (at + 1).to_string(), str::to_owned);
                member(&id, item, name, found);
            }
        }
        Value::Array(items) => found.push((format!("{name}.count"), items.len().into())),
        scalar => found.push((name.clone(), scalar.clone())),
    }
}

fn member(key: &str, below: &Value, name: &mut String, found: &mut Vec<(String, Scalar)>) {
    let length = name.len();
    if length > 0 {
        name.push('.');
    }
    name.push_str(key);
    follow(below, name, found);
    name.truncate(length);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scalars_are_named_by_the_way_to_them() {
        let report = json!({
            "status": "completed",
            "final": { "log_loss": -3.5, "beta": [1.0, 2.0], "angle": null },
            "claims": [{ "id": "thm-1", "verdict": "holds", "residual": 1e-9 }],
            "steps": [{ "size": 0.1, "wall_seconds": 3.0 }],
            "candidates": [],
            "solver": { "wall_seconds": 1.0, "steps": 7 },
            "unique": true,
        });
        let found: Vec<String> = (scalars(&report).into_iter())
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            found,
            [
                "status=\"completed\"",
                "final.log_loss=-3.5",
                "final.beta.count=2",
                "claims.thm-1.id=\"thm-1\"",
                "claims.thm-1.verdict=\"holds\"",
                "claims.thm-1.residual=1e-9",
                "steps.1.size=0.1",
                "candidates.count=0",
                "solver.steps=7",
                "unique=true",
            ]
        );
    }
}
