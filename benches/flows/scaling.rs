//! How time and steps grow with the width D, the depth L, the samples N and the horizon s.

use crate::measure::{Record, Request, known};
use crate::recipe::{Recipe, Sizes};
use marginflow::diagnostics::slope;
use marginflow::flow::FlowOptions;
use serde::Serialize;
use std::error::Error;

const REPEATS: usize = 2;
/// What is not varied.
const DIMENSION: usize = 100;
const DEPTH: usize = 3;
const SAMPLES: usize = 50;
const UNTIL: f64 = 20.0;

/// One thing varied, the others fixed.
struct Sweep {
    name: &'static str,
    values: &'static [usize],
    /// The fit of time per step leaves out smaller values, where fixed costs dominate.
    fitted_from: usize,
}

const SWEEPS: [Sweep; 4] = [
    Sweep {
        name: "D",
        values: &[25, 50, 100, 200, 400],
        fitted_from: 100,
    },
    Sweep {
        name: "L",
        values: &[2, 3, 4, 5],
        fitted_from: 2,
    },
    Sweep {
        name: "N",
        values: &[25, 50, 100, 200, 400],
        fitted_from: 100,
    },
    Sweep {
        name: "s",
        values: &[10, 20, 40, 80],
        fitted_from: 10,
    },
];

/// A row of the table.
#[derive(Serialize)]
struct Row {
    rule: &'static str,
    varied: &'static str,
    value: usize,
    #[serde(flatten)]
    record: Record,
}

/// Fits over one sweep: slopes of logarithms.
#[derive(Serialize)]
struct Exponents {
    rule: &'static str,
    varied: &'static str,
    from: usize,
    /// Of the time per step, against the number of weights (sweep D) or what is varied.
    seconds_per_step: f64,
    against: &'static str,
    /// Of the steps against what is varied.
    steps: f64,
    /// Of the time of a run against what is varied.
    cpu_s: f64,
}

/// Measures the sweeps of these names (all without any).
///
/// # Errors
/// If a name is unknown, or a measurement fails.
pub fn run(names: &[String], method: Option<&str>, json: bool) -> Result<(), Box<dyn Error>> {
    known(names, &SWEEPS.map(|of| of.name))?;
    if !json {
        println!(
            "Fully connected, full state, D = {DIMENSION}, L = {DEPTH}, N = {SAMPLES}, s = {UNTIL} but for what is \
             varied; default tolerances.\n"
        );
        println!("| rule | varied | weights | steps | µs per step | CPU s per run | peak MB |");
        println!("|---|---|---|---|---|---|---|");
    }
    let mut fits = Vec::new();
    for sweep in &SWEEPS {
        if !names.is_empty() && names.iter().all(|name| name != sweep.name) {
            continue;
        }
        for (rule, feedback) in [("BP", false), ("DFA", true)] {
            let mut rows = Vec::new();
            for &value in sweep.values {
                let row = Row {
                    rule,
                    varied: sweep.name,
                    value,
                    record: sweep.request(value, feedback, method).measured()?,
                };
                row.print(json)?;
                rows.push(row);
            }
            fits.push(sweep.exponents(rule, &rows));
        }
    }
    if !json {
        println!("\n| rule | varied | time per step | steps | time of a run |");
        println!("|---|---|---|---|---|");
    }
    fits.iter().try_for_each(|fit| fit.print(json))
}

impl Sweep {
    fn request(&self, value: usize, feedback: bool, method: Option<&str>) -> Request {
        let varied = |name: &str, fixed| if self.name == name { value } else { fixed };
        let until = if self.name == "s" {
            value as f64
        } else {
            UNTIL
        };
        Request {
            problem: Recipe::Random(Sizes {
                convolutional: false,
                feedback,
                dimension: varied("D", DIMENSION),
                depth: varied("L", DEPTH),
                samples: varied("N", SAMPLES),
                initial: 0.1,
            }),
            until,
            rtol: FlowOptions::to(until).rtol,
            method: method.map(Into::into),
            repeats: REPEATS,
        }
    }

    fn exponents(&self, rule: &'static str, rows: &[Row]) -> Exponents {
        let fitted = rows.iter().filter(|row| row.value >= self.fitted_from);
        let fit = |x: fn(&Row) -> f64, y: fn(&Record) -> f64| {
            let points: Vec<(f64, f64)> = (fitted.clone())
                .map(|row| (x(row).ln(), y(&row.record).ln()))
                .collect();
            slope(&points)
        };
        let value: fn(&Row) -> f64 = |row| row.value as f64;
        let (against, weights): (_, fn(&Row) -> f64) = match self.name {
            "D" => ("weights", |row| row.record.parameters as f64),
            _ => (self.name, value),
        };
        Exponents {
            rule,
            varied: self.name,
            from: self.fitted_from,
            seconds_per_step: fit(weights, Record::seconds_per_step),
            against,
            steps: fit(value, |record| record.steps as f64),
            cpu_s: fit(value, |record| record.cpu_s),
        }
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
        println!(
            "| {} | {} = {}{note} | {} | {} | {:.0} | {:.3} | {} |",
            self.rule,
            self.varied,
            self.value,
            r.parameters,
            r.steps,
            1e6 * r.seconds_per_step(),
            r.cpu_s,
            r.peak_mb(),
        );
        Ok(())
    }
}

impl Exponents {
    fn print(&self, json: bool) -> Result<(), Box<dyn Error>> {
        if json {
            println!("{}", serde_json::to_string(self)?);
        } else {
            println!(
                "| {} | {} ≥ {} | {}^{:.2} | {v}^{:.2} | {v}^{:.2} |",
                self.rule,
                self.varied,
                self.from,
                self.against,
                self.seconds_per_step,
                self.steps,
                self.cpu_s,
                v = self.varied,
            );
        }
        Ok(())
    }
}
