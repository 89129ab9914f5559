//! The merged study: a table with a row per case, and its curves on one grid.

use super::batch::records;
use super::{Case, Curves, Plan, Record, SavedCurves, Scalar};
use crate::error::{Result, SolverError};
use serde_json::Map;

/// Status of a run that got to its end.
const COMPLETED: &str = "completed";

/// A finished study.
#[derive(Debug)]
pub struct Merged<'a> {
    pub plan: &'a Plan,
    /// One per case, in the order of their ids.
    pub rows: Vec<Row>,
    pub curves: Curves,
}

/// What is known of a case.
#[derive(Debug, Clone)]
pub struct Row {
    pub case: Case,
    /// Number of its value on every axis of the study.
    pub values: Vec<usize>,
    /// By dotted name.
    pub scalars: Map<String, Scalar>,
    /// Over its own saves.
    pub saved: SavedCurves,
}

impl Row {
    /// A scalar that is a number.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.scalars.get(name)?.as_f64()
    }

    /// A scalar that is a number, of a run that was completed. One that ended early, or is not as accurate as its
    /// tolerance, does not say where it would have ended: what is said of many runs together is said of these.
    pub fn measured(&self, name: &str) -> Option<f64> {
        self.number(name).filter(|_| self.completed())
    }

    /// Whether the run reached its horizon, as accurate as its tolerance. Runs of data that cannot be separated are
    /// completed too, at the minimum of their loss.
    pub fn completed(&self) -> bool {
        self.status() == COMPLETED
    }

    /// How the case ended.
    pub fn status(&self) -> &str {
        self.scalars
            .get("status")
            .and_then(Scalar::as_str)
            .unwrap_or_default()
    }
}

/// Reads every case.
///
/// # Errors
/// Outer: [`Error::Io`](crate::error::Error::Io). Inner: the numbers of the cases still to be done.
pub fn merge(plan: &Plan) -> Result<std::result::Result<Merged<'_>, Vec<usize>>> {
    Ok(records(plan)?.map(|records| {
        let rows: Vec<Row> = (records.into_iter().enumerate())
            .map(|(id, Record { scalars, saved, .. })| {
                let case = plan.case(id);
                Row {
                    case,
                    values: plan.options.indices(case.point),
                    scalars,
                    saved,
                }
            })
            .collect();
        let saved: Vec<&SavedCurves> = rows.iter().map(|row| &row.saved).collect();
        Merged {
            plan,
            curves: Curves::of(&saved),
            rows,
        }
    }))
}

impl Merged<'_> {
    /// How many cases were not completed: such a case is a row of the table.
    ///
    /// # Errors
    /// [`SolverError::NoCaseCompleted`] if that is all of them.
    pub fn failed(&self) -> Result<usize> {
        let mut failed = self.rows.iter().filter(|row| !row.completed());
        if failed.clone().count() < self.rows.len() {
            return Ok(failed.count());
        }
        let reasons = failed.by_ref().take(10).map(|row| {
            let message = row.scalars.get("message").and_then(Scalar::as_str);
            let reason = format!("{}: {}", row.status(), message.unwrap_or_default());
            (row.case.id, reason)
        });
        Err(SolverError::NoCaseCompleted(reasons.collect()).into())
    }

    /// Names of all scalars, in the order in which they are met.
    pub fn names(&self) -> Vec<&str> {
        names(self.rows.iter().map(|row| &row.scalars))
    }

    /// The rows of completed runs.
    pub fn completed(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.completed())
    }

    /// Names of the scalars that are numbers and differ between completed runs.
    pub fn measured(&self) -> Vec<&str> {
        let differs = |name: &&str| {
            let mut values = self.rows.iter().filter_map(|row| row.measured(name));
            let first = values.next();
            first.is_some() && values.any(|x| Some(x) != first)
        };
        self.names().into_iter().filter(differs).collect()
    }

    /// How many cases ended in each way, in the order in which these are met.
    pub fn statuses(&self) -> Vec<(&str, usize)> {
        counted(self.rows.iter().map(Row::status))
    }
}

/// How often each status occurs, in the order in which these are met.
pub fn counted<'a>(statuses: impl Iterator<Item = &'a str>) -> Vec<(&'a str, usize)> {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for status in statuses {
        match counts.iter_mut().find(|(known, _)| *known == status) {
            Some((_, count)) => *count += 1,
            None => counts.push((status, 1)),
        }
    }
    counts
}

/// Names of all scalars of many runs, in the order in which they are met; where a later run has more, these follow.
pub(super) fn names<'a>(runs: impl Iterator<Item = &'a Map<String, Scalar>>) -> Vec<&'a str> {
    let mut seen = std::collections::HashSet::new();
    let mut found = Vec::new();
    for name in runs.flat_map(|scalars| scalars.keys()) {
        if seen.insert(name.as_str()) {
            found.push(name.as_str());
        }
    }
    found
}
