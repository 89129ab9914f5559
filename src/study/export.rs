//! The output of `study merge`: `table.csv`, `aggregates.csv`, `curves.npz`, figures; and the table it prints.

use super::aggregates::COLUMNS;
use super::figures::figures;
use super::{Curves, Merged, Scalar, mean_interval};
use crate::error::Result;
use crate::figures::{Figure, Look};
use crate::report::{Archive, write_figures};
use crate::storage::{write_file, write_whole};
use serde_json::Map;
use std::fmt::Write;
use std::fs::File;
use std::io;
use std::path::Path;

/// What was written, for whoever tells of it.
pub(crate) struct Written {
    pub figures: Vec<Figure>,
    /// Figures that were asked for and could not be drawn, with the reason.
    pub missing: Vec<String>,
    /// The table for people.
    pub text: String,
}

/// Writes `table.csv`, `aggregates.csv`, `curves.npz` and, with a look, `figures/*` into a folder.
///
/// # Errors
/// [`Error::Io`](crate::error::Error::Io) with the path that could not be written.
pub(crate) fn write(merged: &Merged, folder: &Path, look: Option<&Look>) -> Result<Written> {
    write_file(&folder.join("table.csv"), merged.table_csv().as_bytes())?;
    let aggregates = merged.aggregates_csv();
    write_file(&folder.join("aggregates.csv"), aggregates.as_bytes())?;
    let keys = [
        (
            "case",
            merged.rows.iter().map(|row| Some(row.case.id)).collect(),
        ),
        (
            "seed",
            merged.rows.iter().map(|row| row.case.seed).collect(),
        ),
    ];
    write_curves(&merged.curves, &keys, &folder.join("curves.npz"))?;
    let (figures, missing) = look.map_or_else(Default::default, |_| figures(merged));
    if let Some(look) = look {
        write_figures(&figures, look, folder)?;
    }
    Ok(Written {
        figures,
        missing,
        text: text(merged),
    })
}

/// Writes `log_log_time` and `log_time` (K), the `keys` (runs) and every curve (runs × K) as an npz archive. What is
/// not defined is NaN; a key that not all runs have is left out.
pub(super) fn write_curves(
    curves: &Curves,
    keys: &[(&str, Vec<Option<usize>>)],
    path: &Path,
) -> Result<()> {
    let grid = &curves.log_log_time;
    let content = |file: &mut File| -> io::Result<()> {
        let mut archive = Archive::new(file);
        let count = [grid.len() as u64];
        archive.array("log_log_time", &count, grid.iter().copied())?;
        archive.array("log_time", &count, grid.iter().map(|s| s.exp_m1()))?;
        for (name, values) in keys {
            if let Some(values) = values.iter().copied().collect::<Option<Vec<usize>>>() {
                let count = [values.len() as u64];
                archive.array(name, &count, values.iter().map(|x| *x as f64))?;
            }
        }
        for (name, rows) in &curves.curves {
            let values = rows.iter().flat_map(|row| {
                (0..grid.len()).map(|k| row.get(k).copied().flatten().unwrap_or(f64::NAN))
            });
            archive.array(name, &[rows.len() as u64, grid.len() as u64], values)?;
        }
        archive.finish()
    };
    write_whole(path, content)
}

/// A table as CSV.
pub(super) fn csv(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header).expect("memory takes any row");
    for row in rows {
        writer.write_record(row).expect("memory takes any row");
    }
    let bytes = writer.into_inner().expect("memory takes any row");
    String::from_utf8(bytes).expect("rows are text")
}

/// A scalar as it stands in a table; nothing where there is none.
pub(super) fn entry(scalars: &Map<String, Scalar>, name: &str) -> String {
    match scalars.get(name) {
        None => String::new(),
        Some(Scalar::String(text)) => text.clone(),
        Some(scalar) => scalar.to_string(),
    }
}

impl Merged<'_> {
    /// `table.csv`: every varied key, the seed, and every scalar, one row per case.
    fn table_csv(&self) -> String {
        let axes = &self.plan.options.axes;
        let names = self.names();
        let mut header = vec!["case"];
        header.extend(axes.iter().map(|axis| axis.name.as_str()));
        header.push("seed");
        header.extend(&names);
        let rows = self.rows.iter().map(|row| {
            let mut fields = vec![row.case.id.to_string()];
            let labels = axes.iter().zip(&row.values);
            fields.extend(labels.map(|(axis, value)| axis.values[*value].label.clone()));
            fields.push(
                row.case
                    .seed
                    .map_or_else(String::new, |seed| seed.to_string()),
            );
            fields.extend(names.iter().map(|name| entry(&row.scalars, name)));
            fields
        });
        csv(&header, rows)
    }

    fn aggregates_csv(&self) -> String {
        let mut header: Vec<&str> = Vec::new();
        header.extend(self.plan.options.axes.iter().map(|axis| axis.name.as_str()));
        header.extend(COLUMNS);
        csv(&header, self.aggregates().into_iter())
    }
}

/// Most points that the printed table has.
const MOST_LINES: usize = 60;

/// Means over seeds for people: how the cases ended, slopes beside what is predicted, and where the runs are at their
/// end.
fn text(merged: &Merged) -> String {
    let plan = merged.plan;
    let statuses: Vec<String> = (merged.statuses().iter())
        .map(|(status, count)| format!("{count} {status}"))
        .collect();
    let mut text = format!(
        "{}\n  {} cases: {}\n",
        plan.scenario.title,
        plan.len(),
        statuses.join(", ")
    );
    let columns = [
        ("fits", "fits"),
        ("ln loss", "final.log_loss"),
        ("angle (rad)", "final.angle_to_limit"),
        ("slope", "rate.observed"),
        ("predicted", "rate.predicted"),
    ];
    let there = |name: &str| merged.rows.iter().any(|row| row.measured(name).is_some());
    let columns: Vec<_> = columns
        .into_iter()
        .filter(|(_, name)| there(name))
        .collect();
    let points = plan.options.points();
    let names: Vec<String> = (0..points.min(MOST_LINES))
        .map(|p| plan.options.point_name(p))
        .collect();
    let widest = names
        .iter()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0);
    let _ = write!(text, "\n  {:widest$}", "means over seeds ± standard error");
    for (title, _) in &columns {
        let _ = write!(text, "{title:>22}");
    }
    text.push('\n');
    for (point, name) in names.iter().enumerate() {
        let _ = write!(text, "  {name:widest$}");
        for (_, column) in &columns {
            let rows = merged.rows_of(point).iter();
            let values: Vec<f64> = rows.filter_map(|row| row.measured(column)).collect();
            let shown = mean_interval(&values).map_or_else(
                || "-".into(),
                |mean| match mean.standard_error.filter(|error| *error > 0.0) {
                    Some(error) => format!("{} ± {error:.0e}", short(mean.mean)),
                    None => short(mean.mean),
                },
            );
            let _ = write!(text, "{shown:>22}");
        }
        text.push('\n');
    }
    if points > names.len() {
        let _ = writeln!(
            text,
            "  and {} more points, in aggregates.csv",
            points - names.len()
        );
    }
    text
}

fn short(x: f64) -> String {
    if x == 0.0 || (1e-3..1e4).contains(&x.abs()) {
        format!("{x:.4}")
    } else {
        format!("{x:.3e}")
    }
}
