//! The output of `sweep merge`, and the tables it prints.

use super::figures::figures;
use super::merge::theory;
use super::{Kind, Merged, NetworkCase, PredictedAngle};
use crate::error::Result;
use crate::figures::{Figure, Look};
use crate::report::write_figures;
use crate::storage::write_file;
use crate::study::Interval;
use std::fmt::Write;
use std::path::Path;

/// Writes `sweep.csv`, `theory.csv`, `summary.csv`, `differences.csv`, `claims.json` and `figures/*` into the folder of
/// the sweep; returns the figures.
///
/// # Errors
/// [`Error::Io`](crate::error::Error::Io) with the path that could not be written.
pub(crate) fn write(merged: &Merged, look: &Look, folder: &Path) -> Result<Vec<Figure>> {
    for (name, text) in [
        ("sweep.csv", merged.sweep_csv()),
        ("theory.csv", merged.theory_csv()),
        ("summary.csv", merged.summary_csv()),
        ("differences.csv", merged.differences_csv()),
        ("claims.json", merged.claims_json()),
    ] {
        write_file(&folder.join(name), text.as_bytes())?;
    }
    let figures = figures(merged, &merged.curves());
    write_figures(&figures, look, folder)?;
    Ok(figures)
}

/// Means over seeds next to theory, and paired differences, as text.
pub(crate) fn text(merged: &Merged) -> String {
    let plan = merged.plan;
    let mut text = format!(
        "{}\n  {} cases: angle to the teacher in degrees, D = {}, {} seeds; mean ± standard error\n\n  {:<20} {:<6} \
         {:>7} {:>16} {:>9} {:>9} {:>18} {:>9}\n",
        plan.scenario.title,
        plan.len(),
        plan.dimension,
        plan.options.seeds,
        "case",
        "kind",
        "n/D",
        "angle",
        "theory",
        "off by",
        "FC − case",
        "theory",
    );
    let differences = merged.differences();
    for s in merged.summaries() {
        let difference = (differences.iter())
            .find(|d| d.network == s.network && d.ratio == s.ratio && d.kind == s.kind);
        let limit = s.kind == Kind::Limit;
        let _ = writeln!(
            text,
            "  {:<20} {:<6} {:>7} {:>16} {:>9} {:>9} {:>18} {:>9}",
            s.network.name(),
            s.kind.name(),
            s.ratio,
            mean(&s.angle),
            number(s.theory.filter(|_| limit), 3),
            s.deviation()
                .map_or_else(String::new, |d| format!("{d:+.1} s.e.")),
            difference.map_or_else(String::new, |d| mean(&d.difference)),
            number(difference.and_then(|d| d.theory).filter(|_| limit), 3),
        );
    }
    if let Some(gap) = merged.largest_gap() {
        let _ = writeln!(
            text,
            "\n  every limit is certified: largest duality gap {gap:.1e}"
        );
    }
    text.push_str(&merged.verdicts_text());
    for failure in merged.failures() {
        let _ = writeln!(text, "  without an angle: {failure}");
    }
    text
}

/// Points of a drawn theory curve between its ends.
const CURVE: usize = 33;

impl Merged<'_> {
    /// Theory curves between the smallest and the largest ratio.
    fn curves(&self) -> Vec<PredictedAngle> {
        let ratios = &self.plan.options.ratios;
        let low = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let high = ratios.iter().copied().fold(0.0, f64::max);
        let count = if low < high { CURVE } else { 1 };
        let grid: Vec<f64> = (0..count)
            .map(|i| low * (high / low).powf(i as f64 / (count.max(2) - 1) as f64))
            .collect();
        theory(self.plan, &grid)
    }

    /// What could not be measured: case, kind, reason.
    pub(crate) fn failures(&self) -> Vec<String> {
        self.measurements()
            .filter_map(|(case, kind, m)| {
                let why = m.failure.as_ref()?;
                Some(format!(
                    "case {} {} ({}): {why}",
                    case.id,
                    case.name(),
                    kind.name()
                ))
            })
            .collect()
    }

    /// `theory.csv`: predicted angles of limits.
    fn theory_csv(&self) -> String {
        let mut text = String::from("case,ratio,angle_degrees\n");
        for point in &self.theory {
            let name = point.network.name();
            let _ = writeln!(text, "{name},{},{}", point.ratio, point.angle_degrees);
        }
        text
    }

    /// `summary.csv`: means over seeds next to theory.
    fn summary_csv(&self) -> String {
        let summaries = self.summaries();
        means_csv(
            "case,ratio,kind,seeds,mean_degrees,standard_error,theory_degrees,deviation_in_standard_errors",
            (summaries.iter()).map(|s| {
                (
                    &s.network,
                    s.ratio,
                    s.kind,
                    s.angle,
                    [s.theory, s.deviation()],
                )
            }),
        )
    }

    /// `differences.csv`: paired differences to the fully connected network.
    fn differences_csv(&self) -> String {
        let differences = self.differences();
        means_csv(
            "case,ratio,kind,pairs,fc_minus_case_degrees,standard_error,in_standard_errors,theory_degrees",
            (differences.iter()).map(|d| {
                (
                    &d.network,
                    d.ratio,
                    d.kind,
                    d.difference,
                    [d.significance(), d.theory],
                )
            }),
        )
    }
}

/// One row per mean: first what it is the mean of, then the mean, then what it is compared with.
fn means_csv<'a>(
    header: &str,
    rows: impl Iterator<Item = (&'a NetworkCase, f64, Kind, Interval, [Option<f64>; 2])>,
) -> String {
    let mut text = format!("{header}\n");
    for (network, ratio, kind, mean, [first, second]) in rows {
        let _ = writeln!(
            text,
            "{},{ratio},{},{},{},{},{},{}",
            network.name(),
            kind.name(),
            mean.count,
            mean.mean,
            entry(mean.standard_error),
            entry(first),
            entry(second),
        );
    }
    text
}

/// A number that may be missing.
fn entry(value: Option<f64>) -> String {
    value.map_or_else(String::new, |x| x.to_string())
}

fn mean(of: &Interval) -> String {
    match of.standard_error {
        Some(error) => format!("{:.3} ± {error:.3}", of.mean),
        None => format!("{:.3}", of.mean),
    }
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(String::new, |x| format!("{x:.digits$}"))
}
