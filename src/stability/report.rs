//! The output of `compare --critical`: `critical.json`, a table, figures.

use super::Stability;
use super::figures::figures;
use crate::descent::{Critical, Demand, DiscreteAlignment, Ending, Schedule, Trial};
use crate::error::Result;
use crate::figures::{Figure, Look};
use crate::report::write_figures;
use crate::storage::{create_folder, write_file};
use serde::Serialize;
use std::fmt::Write;
use std::path::Path;

#[derive(Serialize)]
struct CriticalReport<'a> {
    format: &'static str,
    version: &'static str,
    scenario: &'a str,
    title: &'a str,
    scenario_sha256: &'a str,
    /// Steps of every trial.
    count: u64,
    demand: &'static str,
    schedule: &'static str,
    /// η*: the largest size found good if a larger one is bad.
    eta: Option<f64>,
    largest_good: Option<f64>,
    smallest_bad: Option<f64>,
    /// Why the smallest bad size is bad.
    failure: Option<String>,
    /// Every critical size that was measured, the smallest first; that of `demand` is above as well.
    thresholds: Vec<ThresholdReport>,
    /// The alignments at the smallest bad size.
    above: Vec<AlignmentReport>,
    depths: Vec<DepthReport<'a>>,
    trials: Vec<TrialReport>,
}

/// One critical size.
#[derive(Serialize)]
struct ThresholdReport {
    /// What the smallest bad size shows: `first negative alignment` or `first failure` (of the loss).
    measures: &'static str,
    eta: Option<f64>,
    largest_good: Option<f64>,
    smallest_bad: Option<f64>,
    failure: Option<String>,
}

impl ThresholdReport {
    fn of(critical: &Critical) -> Self {
        Self {
            measures: critical.demand.measures(),
            eta: critical.eta(),
            largest_good: critical.good,
            smallest_bad: critical.bad,
            failure: failure(critical),
        }
    }
}

/// φ_l at its smallest, measured and as ½(‖Σηz‖² − Σ‖ηz‖²) (l = 2; by the recursion for larger l).
#[derive(Serialize)]
struct AlignmentReport {
    layer: usize,
    step: u64,
    measured: f64,
    summed: f64,
    disagreement: f64,
}

#[derive(Serialize)]
struct DepthReport<'a> {
    rule: &'static str,
    initial: &'a str,
    depth: usize,
    measures: &'static str,
    largest_good: Option<f64>,
    smallest_bad: Option<f64>,
}

#[derive(Serialize)]
struct TrialReport {
    size: f64,
    good: bool,
    ending: &'static str,
    log_loss: f64,
    min_margin: f64,
    smallest_alignment: Option<f64>,
}

fn demand(of: Demand) -> &'static str {
    match of {
        Demand::Loss => "loss",
        Demand::LossAndAlignment => "loss-and-alignment",
    }
}

fn ending(trial: &Trial) -> &'static str {
    match trial.ending {
        Ending::Falls => "falls",
        Ending::Stands => "stands",
        Ending::NotYet => "not-yet",
        Ending::Stuck => "stuck",
        Ending::Unsettled => "unsettled",
        Ending::Overflows { .. } => "overflows",
    }
}

/// Why the smallest bad size is bad.
fn failure(critical: &Critical) -> Option<String> {
    let bad = critical.bad?;
    let trial = critical.trials.iter().find(|t| t.size == bad)?;
    let loss = match trial.ending {
        Ending::Overflows { step } => Some(format!("the weights overflow at step {step}")),
        Ending::Unsettled => Some("the loss does not settle".to_owned()),
        Ending::Stuck => Some("the run is stuck where some margin is not positive".to_owned()),
        Ending::Falls | Ending::Stands | Ending::NotYet => None,
    };
    let alignment = (trial.misaligned.filter(|_| critical.demand != Demand::Loss)).map(|least| {
        format!(
            "φ_{} = {:.3e} at step {} is negative",
            least.layer, least.phi, least.step
        )
    });
    let reasons: Vec<String> = alignment.into_iter().chain(loss).collect();
    Some(reasons.join("; "))
}

/// `critical.json`.
pub fn json(measured: &Stability) -> String {
    let critical = &measured.critical;
    let scenario = &measured.scenario;
    let report = CriticalReport {
        format: "marginflow-critical/1",
        version: env!("CARGO_PKG_VERSION"),
        scenario: &scenario.name,
        title: &scenario.title,
        scenario_sha256: &scenario.sha256,
        count: measured.options.count,
        demand: demand(critical.demand),
        schedule: Schedule::Constant.name(),
        eta: critical.eta(),
        largest_good: critical.good,
        smallest_bad: critical.bad,
        failure: failure(critical),
        thresholds: measured
            .thresholds
            .iter()
            .map(ThresholdReport::of)
            .collect(),
        above: (measured.above.iter().flatten())
            .map(|a| AlignmentReport {
                layer: a.layer,
                step: a.step,
                measured: a.measured,
                summed: a.summed,
                disagreement: a.disagreement,
            })
            .collect(),
        depths: (measured.depths.iter())
            .map(|point| DepthReport {
                rule: point.rule,
                initial: &point.initial,
                depth: point.depth,
                measures: point.demand.measures(),
                largest_good: point.good,
                smallest_bad: point.bad,
            })
            .collect(),
        trials: (critical.trials.iter())
            .map(|trial| TrialReport {
                size: trial.size,
                good: trial.is_good(critical.demand),
                ending: ending(trial),
                log_loss: trial.log_loss,
                min_margin: trial.min_margin,
                smallest_alignment: trial.least.iter().map(|l| l.phi).reduce(f64::min),
            })
            .collect(),
    };
    let mut text =
        serde_json::to_string_pretty(&report).expect("a report holds only strings and numbers");
    text.push('\n');
    text
}

/// The table a person reads.
pub(crate) fn text(measured: &Stability) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = table(measured, &mut out);
    out
}

fn table(measured: &Stability, out: &mut String) -> std::fmt::Result {
    writeln!(out, "{}\n", measured.scenario.title)?;
    for critical in &measured.thresholds {
        threshold(measured, critical, out)?;
        if critical.demand == measured.critical.demand {
            for a in measured.above.iter().flatten() {
                writeln!(out, "  {}", alignment(a))?;
            }
        }
        writeln!(out)?;
    }
    if !measured.depths.is_empty() {
        writeln!(
            out,
            "  {:<28}{:>6}  {:<26}{:>14}{:>14}  from",
            "rule", "depth", "measures", "largest good", "smallest bad"
        )?;
        let short = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), |x| format!("{x:.5e}"));
        for point in &measured.depths {
            writeln!(
                out,
                "  {:<28}{:>6}  {:<26}{:>14}{:>14}  {}",
                point.rule,
                point.depth,
                point.demand.measures(),
                short(point.good),
                short(point.bad),
                point.initial
            )?;
        }
    }
    Ok(())
}

/// One critical size.
fn threshold(measured: &Stability, critical: &Critical, out: &mut String) -> std::fmt::Result {
    writeln!(out, "{}", critical.demand.measures())?;
    let demanded = match critical.demand {
        Demand::Loss => "the loss tends to zero",
        Demand::LossAndAlignment => {
            "the loss tends to zero and, from zero weights, no alignment is negative on the way"
        }
    };
    writeln!(
        out,
        "  demanded                  {demanded}, in {} steps of constant size",
        measured.options.count
    )?;
    let size = |x: Option<f64>| x.map_or_else(|| "none".to_owned(), |x| format!("{x:.7e}"));
    writeln!(out, "  largest size that works   {}", size(critical.good))?;
    writeln!(out, "  smallest size that fails  {}", size(critical.bad))?;
    let tried = |ending: Ending| critical.trials.iter().filter(move |t| t.ending == ending);
    let undecided = tried(Ending::NotYet).count();
    if undecided > 0 {
        writeln!(
            out,
            "  undecided                 {undecided} of the sizes tried need more steps (steps.count)"
        )?;
    }
    let frozen = tried(Ending::Stands).count();
    if frozen > 0 {
        writeln!(
            out,
            "  among those that work     {frozen} end where steps no longer move anything in double precision: the \
             first ones threw all margins far up, perhaps far from the limit"
        )?;
    }
    if let Some(failure) = failure(critical) {
        writeln!(out, "  which fails because       {failure}")?;
    }
    let again = critical.good_again().count();
    if again > 0 {
        writeln!(
            out,
            "  larger sizes that work    {again} of those tried (the set of sizes that work is not an interval)"
        )?;
    }
    Ok(())
}

/// "at this size φ_2 is smallest at step 4: −1.2e-3, and ½(‖Σηz‖² − Σ‖ηz‖²) there is …".
fn alignment(a: &DiscreteAlignment) -> String {
    let summed = if a.layer == 2 {
        "½(‖Σηz‖² − Σ‖ηz‖²)"
    } else {
        "summed by parts"
    };
    format!(
        "at that size φ_{} is smallest at step {}: {:.6e}; {summed} = {:.6e} (they differ by {:.1e}, relatively, at \
         most)",
        a.layer, a.step, a.measured, a.summed, a.disagreement
    )
}

/// Writes figures (none without a look) and, last, `critical.json` into `folder` (made if missing); returns
/// the figures.
///
/// # Errors
/// [`Error::Io`](crate::error::Error::Io) with the path that could not be written.
pub(crate) fn write(
    measured: &Stability,
    folder: &Path,
    look: Option<&Look>,
) -> Result<Vec<Figure>> {
    create_folder(folder)?;
    let figures = look.map_or_else(Vec::new, |_| figures(measured));
    if let Some(look) = look {
        write_figures(&figures, look, folder)?;
    }
    write_file(&folder.join("critical.json"), json(measured).as_bytes())?;
    Ok(figures)
}
