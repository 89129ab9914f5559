//! Studies whose numbers are made up, for tests of what is made of them.

use super::{Case, Curves, Merged, Plan, Row, SavedCurves};
use crate::scenario;
use serde_json::json;
use std::path::Path;

const SCENARIO: &str = r#"
[dataset.gaussian-teacher]
dimension = 4
samples = 3
seed = 1
[network.fully-connected-linear]
depth = 2
[rule.direct-feedback-alignment]
feedback.gaussian.seed = 1
[initial]
gaussian = { scale = 0.1, seed = 1 }
[flow]
until.log-log-time = 4.0
[study]
"#;

/// The plan of a study with these lines below `[study]`.
pub(super) fn plan(study: &str) -> Plan {
    let text = format!("{SCENARIO}{study}");
    let scenario = scenario::parse(Path::new("made-up.toml"), &text, &[]).unwrap();
    Plan::new(scenario, Path::new("nowhere")).unwrap()
}

/// It merged, with the scalar `x` of every case, `None` for one that was not completed.
pub(super) fn merged(plan: &Plan, x: impl Fn(&Case, &[usize]) -> Option<f64>) -> Merged<'_> {
    let row = |id: usize| {
        let case = plan.case(id);
        let values = plan.options.indices(case.point);
        let scalars = match x(&case, &values) {
            Some(x) => json!({ "status": "completed", "x": x }),
            None => json!({ "status": "budget-steps", "x": 1e9 }),
        };
        Row {
            case,
            values,
            scalars: scalars.as_object().unwrap().clone(),
            saved: SavedCurves::default(),
        }
    };
    Merged {
        plan,
        rows: (0..plan.len()).map(row).collect(),
        curves: Curves::of(&[]),
    }
}
