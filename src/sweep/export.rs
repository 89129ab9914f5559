//! What `sweep merge` leaves behind, and the tables it prints.

use super::figures::figures;
use super::{Kind, Mean, Merged};
use crate::error::Result;
use crate::figures::Figure;
use crate::report::write_figures;
use crate::storage::write_file;
use std::fmt::Write;
use std::path::Path;

/// Writes `sweep.csv`, `theory.csv`, `summary.csv`, `differences.csv` and `figures/*` into the folder of the sweep;
/// returns the figures.
///
/// # Errors
/// [`Error::Io`](crate::error::Error::Io) with the path that could not be written.
pub(crate) fn write(merged: &Merged, folder: &Path) -> Result<Vec<Figure>> {
    for (name, text) in [
        ("sweep.csv", merged.sweep_csv()),
        ("theory.csv", merged.theory_csv()),
        ("summary.csv", merged.summary_csv()),
        ("differences.csv", merged.differences_csv()),
    ] {
        write_file(&folder.join(name), text.as_bytes())?;
    }
    let figures = figures(merged, &merged.curves());
    write_figures(&figures, folder)?;
    Ok(figures)
}

/// Means over seeds beside theory, and paired differences, for people.
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
    for failure in merged.failures() {
        let _ = writeln!(text, "  without an angle: {failure}");
    }
    text
}

fn mean(of: &Mean) -> String {
    match of.standard_error {
        Some(error) => format!("{:.3} ± {error:.3}", of.mean),
        None => format!("{:.3}", of.mean),
    }
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(String::new, |x| format!("{x:.digits$}"))
}
