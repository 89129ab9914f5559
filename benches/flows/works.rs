//! Whole flows, each at the loosest tolerance that matches the accuracy asked of the peers, and at the default one.

use crate::measure::{Record, Request, known};
use crate::recipe::{Recipe, Sizes};
use marginflow::flow::FlowOptions;
use serde::Serialize;
use std::error::Error;
use std::path::Path;

const REPEATS: usize = 7;
/// Relative error of the final angle to the limit.
const ACCURACY: f64 = 1e-4;
const LADDER: [f64; 8] = [1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10];
/// Where no reference angle is known, it is that of backward differences at this tolerance.
const REFERENCE_RTOL: f64 = 1e-9;

/// A flow to be measured.
pub struct Work {
    pub name: &'static str,
    /// Name among the peers' instances.
    pub instance: &'static str,
    pub sizes: Sizes,
    /// Horizon s.
    pub until: f64,
}

const fn fully_connected(feedback: bool, sizes: [usize; 3], initial: f64) -> Sizes {
    let [dimension, depth, samples] = sizes;
    Sizes {
        convolutional: false,
        feedback,
        dimension,
        depth,
        samples,
        initial,
    }
}

/// Where loose tolerances mislead: far out, with angles of 1e-9.
pub const W2: Work = Work {
    name: "W2",
    instance: "W2",
    sizes: Sizes {
        convolutional: true,
        ..fully_connected(true, [32, 2, 40], 0.0)
    },
    until: 70.0,
};

/// Sizes as in the peers' README.
const WORKS: [Work; 5] = [
    Work {
        name: "W1",
        instance: "W1",
        sizes: fully_connected(true, [10, 3, 15], 0.0),
        until: 40.0,
    },
    W2,
    Work {
        name: "W3",
        instance: "W3",
        sizes: fully_connected(false, [50, 3, 60], 0.1),
        until: 10.0,
    },
    Work {
        name: "W3-big",
        instance: "W3-big",
        sizes: fully_connected(false, [200, 3, 100], 0.1),
        until: 5.0,
    },
    Work {
        name: "W3-big-20",
        instance: "W3-big",
        sizes: fully_connected(false, [200, 3, 100], 0.1),
        until: 20.0,
    },
];

/// A row of the table.
#[derive(Serialize)]
struct Row {
    work: &'static str,
    /// `matched` or `default`.
    tolerance: &'static str,
    reference_angle: f64,
    angle_rel_err: Option<f64>,
    #[serde(flatten)]
    record: Record,
}

/// Measures the works of these names (all without any).
///
/// # Errors
/// If a name is unknown, or a measurement fails.
pub fn run(
    peers: Option<&Path>,
    names: &[String],
    method: Option<&str>,
    json: bool,
) -> Result<(), Box<dyn Error>> {
    known(names, &WORKS.map(|of| of.name))?;
    if !json {
        println!(
            "| work | tolerance | CPU s | angle error | drift | steps | rejected | vector fields | set-ups | peak MB |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|");
    }
    for work in &WORKS {
        if names.is_empty() || names.iter().any(|name| name == work.name) {
            for row in work.rows(peers, method)? {
                row.print(json)?;
            }
        }
    }
    Ok(())
}

impl Work {
    fn rows(&self, peers: Option<&Path>, method: Option<&str>) -> Result<Vec<Row>, Box<dyn Error>> {
        let request = |method: Option<&str>, rtol, repeats| Request {
            problem: Recipe::of(peers, self.instance, self.sizes),
            until: self.until,
            rtol,
            method: method.map(Into::into),
            repeats,
        };
        let given = request(method, 1.0, 0).problem.reference_angle();
        let reference_angle = match given.filter(|_| self.name == self.instance) {
            Some(angle) => angle,
            None => (request(Some("bdf"), REFERENCE_RTOL, 0).measured()?.angle)
                .ok_or("no limit to measure an angle to")?,
        };
        let row = |tolerance, record: Record| Row {
            work: self.name,
            tolerance,
            reference_angle,
            angle_rel_err: record.angle_error(reference_angle),
            record,
        };
        let mut rows = Vec::new();
        for rtol in LADDER {
            let found = request(method, rtol, 0).measured()?;
            let error = found.angle_error(reference_angle);
            if found.completed() && error.is_some_and(|error| error <= ACCURACY) {
                let record = request(method, rtol, REPEATS).measured()?;
                rows.push(row("matched", record));
                break;
            }
        }
        let default = FlowOptions::to(self.until).rtol;
        rows.push(row(
            "default",
            request(method, default, REPEATS).measured()?,
        ));
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
        println!(
            "| {} | {}, rtol {:.0e}{note} | {:.4} | {} | {:.1e} | {} | {} | {} | {} | {} |",
            self.work,
            self.tolerance,
            r.rtol,
            r.cpu_s,
            self.angle_rel_err
                .map_or("none".into(), |error| format!("{error:.1e}")),
            r.drift,
            r.steps,
            r.rejected_steps,
            r.rhs_evaluations,
            r.jacobian_evaluations,
            r.peak_mb(),
        );
        Ok(())
    }
}
