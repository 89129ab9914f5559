//! Flows of ReLU networks: kinks rounded or exact, on real data, and one of the size of image classifiers.

use crate::measure::{Record, Request, known};
use crate::recipe::{Recipe, Wide};
use serde::Serialize;
use std::error::Error;

const REPEATS: usize = 3;

/// Tolerance of the runs that errors are taken from.
const REFERENCE_RTOL: f64 = 1e-8;

/// A flow to be measured.
struct Work {
    name: &'static str,
    problem: fn() -> Recipe,
    /// Horizon s.
    until: f64,
    /// Relative tolerances.
    rtols: &'static [f64],
    /// Whether errors are measured, beside a run at [`REFERENCE_RTOL`].
    errors: bool,
    /// Whether it is part of what is measured when nothing is named.
    usual: bool,
}

fn scenario(name: &str, assignments: &[&str]) -> Recipe {
    Recipe::Scenario(
        name.into(),
        assignments.iter().map(|a| (*a).into()).collect(),
    )
}

const EXACT: &str = "network.relu.smoothing=0.0";

fn wide(width: usize) -> Recipe {
    Recipe::Wide(Wide {
        dimension: 784,
        width,
        samples: 500,
        separation: 2.0,
    })
}

const WORKS: [Work; 7] = [
    Work {
        name: "W7",
        problem: || scenario("iris-relu", &[]),
        until: 12.0,
        rtols: &[1e-5, 1e-6],
        errors: true,
        usual: true,
    },
    Work {
        name: "W8",
        problem: || scenario("digits38-relu", &[]),
        until: 12.0,
        rtols: &[1e-5, 1e-6],
        errors: true,
        usual: true,
    },
    Work {
        name: "W9-wide",
        problem: || scenario("relu-dfa", &[]),
        until: 40.0,
        rtols: &[1e-6],
        errors: true,
        usual: true,
    },
    Work {
        name: "W9-iris-8",
        problem: || scenario("iris-relu", &[EXACT, "network.relu.hidden=[8]"]),
        until: 12.0,
        rtols: &[1e-6],
        errors: false,
        usual: true,
    },
    Work {
        name: "W9-iris-50",
        problem: || scenario("iris-relu", &[EXACT]),
        until: 12.0,
        rtols: &[1e-6],
        errors: false,
        usual: true,
    },
    Work {
        name: "W10-100",
        problem: || wide(100),
        until: 4.7,
        rtols: &[1e-6],
        errors: false,
        usual: false,
    },
    Work {
        name: "W10",
        problem: || wide(1000),
        until: 4.7,
        rtols: &[1e-4],
        errors: false,
        usual: false,
    },
];

/// A row of the table.
#[derive(Serialize)]
struct Row {
    work: &'static str,
    /// Of the smallest margin and of ‖w_L‖, relative.
    errors: Option<[f64; 2]>,
    #[serde(flatten)]
    record: Record,
}

/// Measures the works of these names.
///
/// # Errors
/// If a name is unknown, or a measurement fails.
pub fn run(names: &[String], method: Option<&str>, json: bool) -> Result<(), Box<dyn Error>> {
    known(names, &WORKS.map(|of| of.name))?;
    if !json {
        println!(
            "| work | rtol | CPU s | smallest margin | ‖w_L‖ | ln 𝓛 | kinks | steps | rejected | fields | peak MB |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|---|");
    }
    for work in &WORKS {
        let named = names.iter().any(|name| name == work.name);
        if named || names.is_empty() && work.usual {
            for row in work.rows(method)? {
                row.print(json)?;
            }
        }
    }
    Ok(())
}

impl Work {
    fn rows(&self, method: Option<&str>) -> Result<Vec<Row>, Box<dyn Error>> {
        let request = |rtol, repeats| Request {
            problem: (self.problem)(),
            until: self.until,
            rtol,
            method: method.map(Into::into),
            repeats,
        };
        let reference = match self.errors {
            true => Some(request(REFERENCE_RTOL, 0).measured()?),
            false => None,
        };
        let mut rows = Vec::new();
        for rtol in self.rtols {
            let record = request(*rtol, REPEATS).measured()?;
            let relative = |found: f64, exact: f64| (found / exact - 1.0).abs();
            let errors = reference.as_ref().map(|r| {
                [
                    relative(record.min_margin, r.min_margin),
                    relative(record.output_norm, r.output_norm),
                ]
            });
            rows.push(Row {
                work: self.name,
                errors,
                record,
            });
        }
        Ok(rows)
    }
}

impl Row {
    fn print(&self, json: bool) -> Result<(), Box<dyn Error>> {
        if json {
            println!("{}", serde_json::to_string(self)?);
            return Ok(());
        }
        let r = &self.record;
        let note = r.note();
        let error = |k: usize| self.errors.map_or("–".into(), |e| format!("{:.0e}", e[k]));
        println!(
            "| {} | {:.0e}{note} | {:.3} | {} | {} | {:.2} | {} | {} | {} | {} | {} |",
            self.work,
            r.rtol,
            r.cpu_s,
            error(0),
            error(1),
            r.log_loss,
            r.kinks.map_or("–".into(), |k| k.to_string()),
            r.steps,
            r.rejected_steps,
            r.rhs_evaluations,
            r.peak_mb(),
        );
        Ok(())
    }
}
