//! What warns of a wrong angle: W2 over a ladder of tolerances, from uselessly loose to tight.
//!
//! A run that ends as `completed` may still have gone wrong. Each row is one setting, made as `marginflow run --verify`
//! makes it, with the error of its final angle and what the user is told:
//!
//! - the difference of `--verify` (the same run at a hundredth of the tolerances), and the accuracy it is held against,
//!   both over the angle to the limit;
//! - the drift of the log-multipliers and of the conserved quantities over the whole run, over rtol;
//! - the final duality gap, over that of the tightest run (a run alone does not know that one).

use crate::recipe::Recipe;
use crate::works::W2;
use marginflow::control::Control;
use marginflow::run::{Run, RunOptions, run as run_scenario};
use marginflow::scenario::load;
use marginflow::trajectory::Status;
use serde::Serialize;
use std::error::Error;
use std::fmt::Write;
use std::path::Path;

/// rtol = 10^−k.
const DECADES: std::ops::RangeInclusive<i32> = 1..=10;
/// atol as a share of rtol.
const SHARES: [f64; 2] = [0.01, 1.0];
/// An angle off by more than this (relative) is wrong.
const WRONG: f64 = 0.01;

/// A row of the table.
#[derive(Serialize)]
struct Row {
    rtol: f64,
    atol: f64,
    status: Status,
    exit_code: u8,
    angle_rel_err: f64,
    /// Difference found by `--verify`, over the angle to the limit.
    verify: f64,
    /// What that is held against, over the angle to the limit.
    verify_stated: f64,
    verify_agrees: bool,
    /// Over rtol.
    multiplier_drift: f64,
    invariant_drift: f64,
    gap: f64,
    kkt_residual: f64,
}

/// Runs W2 (or a random problem of its size) at every setting.
///
/// # Errors
/// If the scenario cannot be written or run.
pub fn run(peers: Option<&Path>, method: Option<&str>, json: bool) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("w2.toml");
    let recipe = Recipe::of(peers, W2.instance, W2.sizes);
    std::fs::write(&path, scenario(&recipe, method)?)?;
    let settings = SHARES.iter().flat_map(|share| {
        DECADES.map(move |decade| {
            let rtol = 10f64.powi(-decade);
            (rtol, share * rtol)
        })
    });
    let mut runs = Vec::new();
    for (rtol, atol) in settings {
        let set = [format!("flow.rtol={rtol:e}"), format!("flow.atol={atol:e}")];
        let options = RunOptions {
            verify: true,
            ..RunOptions::default()
        };
        runs.push(run_scenario(load(&path, &set)?, options, &Control::none())?);
    }
    let tightest = (runs.iter())
        .filter(|run| run.conclusion.status == Status::Completed)
        .min_by(|a, b| a.scenario.flow.rtol.total_cmp(&b.scenario.flow.rtol))
        .ok_or("no run completed")?;
    let reference = (recipe.reference_angle())
        .or(tightest.diagnostics.final_angle())
        .ok_or("no limit to measure an angle to")?;
    let rows: Vec<Row> = runs.iter().map(|run| Row::of(run, reference)).collect();
    print(&rows, Row::of(tightest, reference).gap, json)
}

/// The scenario of W2, whose files have absolute paths.
fn scenario(recipe: &Recipe, method: Option<&str>) -> Result<String, Box<dyn Error>> {
    let sizes = W2.sizes;
    let mut text = String::from("initial = \"zero\"\n");
    match recipe {
        Recipe::Instance(folder) => {
            let file = |name: &str| -> Result<String, Box<dyn Error>> {
                Ok(folder.join(name).canonicalize()?.display().to_string())
            };
            writeln!(
                text,
                "dataset.files = {{ samples = {:?}, labels = {:?} }}\nrule.direct-feedback-alignment.feedback.files = \
                 [{:?}]",
                file("X.csv")?,
                file("y.csv")?,
                file("b_1.csv")?,
            )?;
        }
        Recipe::Random(_) => writeln!(
            text,
            "dataset.gaussian-teacher = {{ dimension = {}, samples = {}, seed = 1 \
             }}\nrule.direct-feedback-alignment.feedback.gaussian.seed = 1",
            sizes.dimension, sizes.samples,
        )?,
        Recipe::Scenario(..) | Recipe::Wide(_) => return Err("W2 is read or drawn".into()),
    }
    writeln!(
        text,
        "network.convolutional-linear.depth = {}\nflow.until.log-log-time = {:?}",
        sizes.depth, W2.until,
    )?;
    if let Some(method) = method {
        writeln!(text, "flow.method = {method:?}")?;
    }
    Ok(text)
}

impl Row {
    fn of(run: &Run, reference: f64) -> Self {
        let (d, options) = (&run.diagnostics, &run.scenario.flow);
        let end = d.log_log_time.len() - 1;
        let to_limit = d.final_angle().unwrap_or(f64::INFINITY);
        let (verify, verify_stated, verify_agrees) = match &run.verification {
            Some(v) => (
                v.angle_between / to_limit,
                v.stated_accuracy / to_limit,
                v.agrees,
            ),
            None => (0.0, 0.0, true),
        };
        Self {
            rtol: options.rtol,
            atol: options.atol,
            status: run.conclusion.status,
            exit_code: run.exit_code(),
            angle_rel_err: (to_limit / reference - 1.0).abs(),
            verify,
            verify_stated,
            verify_agrees,
            multiplier_drift: d.worst_multiplier_drift() / options.rtol,
            invariant_drift: d.worst_invariant() / options.rtol,
            gap: d.duality_gap[end].unwrap_or(f64::INFINITY),
            kkt_residual: d.kkt_residual[end].unwrap_or(f64::INFINITY),
        }
    }

    fn wrong(&self) -> bool {
        self.status == Status::Completed && self.angle_rel_err > WRONG
    }
}

fn print(rows: &[Row], tightest_gap: f64, json: bool) -> Result<(), Box<dyn Error>> {
    if json {
        for row in rows {
            println!("{}", serde_json::to_string(row)?);
        }
        return Ok(());
    }
    println!(
        "| rtol | atol | status | angle error | difference of verify | held against | drift / rtol | invariants / rtol \
         | gap / tightest | KKT | wrong angle | alarm of verify |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for r in rows {
        println!(
            "| {:.0e} | {:.0e} | {:?} | {:.1e} | {:.1e} | {:.1e} | {:.1e} | {:.1e} | {:.3e} | {:.1e} | {} | {} |",
            r.rtol,
            r.atol,
            r.status,
            r.angle_rel_err,
            r.verify,
            r.verify_stated,
            r.multiplier_drift,
            r.invariant_drift,
            r.gap / tightest_gap,
            r.kkt_residual,
            if r.wrong() { "yes" } else { "" },
            if r.verify_agrees { "" } else { "fires" },
        );
    }
    let wrong = rows.iter().filter(|r| r.wrong());
    let silent = wrong.clone().filter(|r| r.verify_agrees).count();
    println!(
        "\n{} settings completed with an angle off by more than {:.0} %, {silent} of them without an alarm of \
         --verify.",
        wrong.count(),
        100.0 * WRONG,
    );
    Ok(())
}
