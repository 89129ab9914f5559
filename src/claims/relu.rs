//! Shared by the claims on ReLU networks: their hypotheses, and whether directions settle.

use super::{Evidence, Outcome, Verdict, direction, not_applicable, unfinished};
use crate::diagnostics::{Diagnostics, Homogeneous};
use crate::limit::angle;
use crate::theory::MarginProblem;
use crate::trajectory::Status;
use nalgebra::{DMatrix, DVector};

/// The measurements of a homogeneous network with a hidden layer of units that are not linear.
///
/// # Errors
/// *not applicable* for other networks.
pub(super) fn measured<'a>(e: &Evidence<'a>) -> Result<&'a Homogeneous, Verdict> {
    let Some(h) = &e.diagnostics.homogeneous else {
        return Err(not_applicable(match e.problem.network().is_linear() {
            true => "the network is linear in its input",
            false => "the network is not homogeneous in its weights",
        }));
    };
    if e.problem.network().depth() < 2 {
        return Err(not_applicable("the network has no hidden layer"));
    }
    Ok(h)
}

/// The measurements of a ReLU network of two layers with fixed feedback, and its feedback vector.
///
/// # Errors
/// *not applicable* for other networks and rules.
pub(super) fn two_layers_with_feedback<'a>(
    e: &Evidence<'a>,
) -> Result<(&'a Homogeneous, DVector<f64>), Verdict> {
    if let Some(verdict) = super::other_rule(e, true) {
        return Err(verdict);
    }
    let h = measured(e)?;
    match &e.diagnostics.theory.margin_problem {
        Some(MarginProblem::LeastFeedbackPotential(b)) => Ok((h, b.clone())),
        _ => Err(not_applicable(format!(
            "the network has {} layers, not two",
            e.problem.network().depth()
        ))),
    }
}

/// Whether the loss tends to zero, as far as the run shows: every margin is positive at the end and has grown over its
/// last third.
///
/// # Errors
/// *not applicable* if it does not, with the number of directions among the units of the first layer (units that
/// start from zero weights share two); *inconclusive* for a run that ended early in any other way.
pub(super) fn fits(e: &Evidence<'_>) -> Result<(), Verdict> {
    let d = e.diagnostics;
    let last = d.min_margin.len() - 1;
    let earlier = since(d, 2.0 / 3.0);
    let stuck: Vec<usize> = (0..d.margins.nrows())
        .filter(|&n| {
            let (before, now) = (d.margins[(n, earlier)], d.margins[(n, last)]);
            // a margin that is zero up to rounding is not positive
            let zero = 1e-9 * d.margins.column(last).amax();
            now <= zero && now <= before + zero
        })
        .collect();
    let completed = e.status == Status::Completed;
    if completed && d.min_margin[last] > 0.0 && d.min_margin[last] > d.min_margin[earlier] {
        return Ok(());
    }
    if completed && d.log_time[last] < LATE {
        return Err(Verdict::without_measurement(
            Outcome::Inconclusive,
            format!(
                "too early to tell whether the loss tends to zero (smallest margin {:.3e} at the end), extend {}",
                d.min_margin[last], e.extend
            ),
        ));
    }
    if completed && earlier == last {
        return Err(Verdict::without_measurement(
            Outcome::Inconclusive,
            "too few saves to tell whether the loss tends to zero (flow.saves)",
        ));
    }
    if stuck.is_empty() || !(completed || d.log_time[last] >= LATE) {
        return Err(unfinished(e).unwrap_or_else(|| {
            Verdict::without_measurement(
                Outcome::Inconclusive,
                format!(
                    "the loss does not tend to zero now: the smallest margin is {:.3e} at the end, {:.3e} at two \
                     thirds of the run, extend {}",
                    d.min_margin[last], d.min_margin[earlier], e.extend
                ),
            )
        }));
    }
    let theta = e.trajectory.theta.column(last);
    let units = e.problem.network().units().map_or_else(String::new, |_| {
        let first = e.problem.network().weights(theta.as_slice()).swap_remove(0);
        format!(
            "; the {} units of the first layer have {} distinct directions",
            first.ncols(),
            distinct_directions(&first)
        )
    });
    let early = if completed {
        ""
    } else {
        ", where it ended early"
    };
    Err(not_applicable(format!(
        "the loss does not tend to zero: {} of {} samples have no positive margin at the end of the run (log-log-time \
         {:.2}{early}){units}",
        stuck.len(),
        d.margins.nrows(),
        d.log_log_time[last],
    )))
}

/// Log-time from which samples without a positive margin count as not fitted: their multipliers are then e^10 times
/// those at the start, and still nothing moves.
const LATE: f64 = 10.0;

/// Columns at a smaller angle than this count as one direction (radians).
const ONE_DIRECTION: f64 = 1e-3;

/// The number of distinct directions among the non-zero columns.
fn distinct_directions(columns: &DMatrix<f64>) -> usize {
    let mut found: Vec<Vec<f64>> = Vec::new();
    for column in columns.column_iter().filter(|c| c.amax() > 0.0) {
        let column: Vec<f64> = column.iter().copied().collect();
        if found.iter().all(|f| angle(f, &column) > ONE_DIRECTION) {
            found.push(column);
        }
    }
    found.len()
}

/// The first save at or after this share of the run's log-log-time.
pub(super) fn since(d: &Diagnostics, share: f64) -> usize {
    let s = &d.log_log_time;
    s.partition_point(|at| *at < share * s[s.len() - 1])
        .min(s.len() - 1)
}

/// How far directions turn, in radians, over the middle and the last third of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turning {
    pub middle: f64,
    pub last: f64,
}

impl Turning {
    /// The largest turn among several vectors, `at(k)` at save k.
    pub(super) fn of(e: &Evidence<'_>, at: impl Fn(usize) -> Vec<DVector<f64>>) -> Self {
        let ends = [
            since(e.diagnostics, 1.0 / 3.0),
            since(e.diagnostics, 2.0 / 3.0),
            since(e.diagnostics, 1.0),
        ];
        let [start, middle, end] = ends.map(&at);
        let turn = |from: &[DVector<f64>], to: &[DVector<f64>]| {
            let angles = from.iter().zip(to);
            angles
                .map(|(u, v)| angle(u.as_slice(), v.as_slice()))
                .fold(0.0, f64::max)
        };
        Self {
            middle: turn(&start, &middle),
            last: turn(&middle, &end),
        }
    }

    /// Whether they turn less than before, or hardly at all.
    pub(super) fn settles(self) -> bool {
        self.last < self.middle || self.last <= direction::TOLERANCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::dmatrix;

    #[test]
    fn directions_are_counted_without_lengths_and_zeros() {
        let columns = dmatrix![1.0, 2.0, -1.0, 0.0, 1.0; 0.0, 1e-4, 0.0, 0.0, 0.1];
        assert_eq!(distinct_directions(&columns), 3);
        assert_eq!(distinct_directions(&DMatrix::zeros(3, 4)), 0);
    }
}
