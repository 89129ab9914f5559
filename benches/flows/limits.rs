//! Reference solutions: W5-psi (min ψ, D = 256, N = 100, p = 4/3) and W5-svm (hard-margin SVM, D = 200, N = 400).

use crate::recipe::{Recipe, Sizes};
use crate::timing::timed;
use marginflow::limit::{Limit, Separability, minimise};
use marginflow::theory;
use serde::Serialize;
use std::error::Error;
use std::path::Path;

const REPEATS: usize = 9;

const SIZES: Sizes = Sizes {
    convolutional: true,
    feedback: true,
    dimension: 256,
    depth: 2,
    samples: 100,
    initial: 0.0,
};

const LIMITS: [(&str, Sizes); 2] = [
    ("W5-psi", SIZES),
    (
        "W5-svm",
        Sizes {
            convolutional: false,
            dimension: 200,
            samples: 400,
            ..SIZES
        },
    ),
];

/// A row of the table, and the solution, for others to certify.
#[derive(Serialize)]
struct Row<'a> {
    work: &'static str,
    cpu_s: f64,
    gap: Option<f64>,
    support: usize,
    beta: &'a [f64],
    multipliers: &'a [f64],
}

/// Solves and measures both.
///
/// # Errors
/// If an instance cannot be read or its limit not be certified.
pub fn run(peers: Option<&Path>, json: bool) -> Result<(), Box<dyn Error>> {
    if !json {
        println!("| work | CPU s | duality gap | support vectors |");
        println!("|---|---|---|---|");
    }
    for (work, sizes) in LIMITS {
        let problem = Recipe::of(peers, work, sizes).problem()?;
        let g = problem.dataset().signed_samples();
        let law = theory::of(&problem);
        let potential = law.potential().ok_or("no potential is predicted")?;
        let mut solution = None;
        let timing = timed(REPEATS, || solution = Some(minimise(g, potential)), || ());
        let Some(Separability::Separable(limit)) = solution else {
            return Err(format!("{work}: no certified limit").into());
        };
        Row::of(work, timing.median, &limit).print(json)?;
    }
    Ok(())
}

impl<'a> Row<'a> {
    fn of(work: &'static str, cpu_s: f64, limit: &'a Limit) -> Self {
        Self {
            work,
            cpu_s,
            gap: limit.duality_gap,
            support: limit.support.len(),
            beta: limit.beta.as_slice(),
            multipliers: limit.multipliers.as_slice(),
        }
    }

    fn print(&self, json: bool) -> Result<(), Box<dyn Error>> {
        if json {
            println!("{}", serde_json::to_string(self)?);
        } else {
            let gap = self.gap.map_or("none".into(), |gap| format!("{gap:.1e}"));
            println!(
                "| {} | {:.4} | {gap} | {} |",
                self.work, self.cpu_s, self.support
            );
        }
        Ok(())
    }
}
