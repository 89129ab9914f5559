//! What a run proves about where it does not go.
//!
//! A claim names a point that minimises a potential. The run has a duality gap before that potential, and the point has
//! one under the same multipliers ([`Standing`]): if the run's is far smaller, the run has passed by a point that
//! costs more, and that point is not what the potential's flow tends to. Nothing is fitted, nothing has to stand
//! still, and of several minimisers none is excluded. Distances in radians need no bound of their own: before a
//! strictly convex potential the set of directions with a gap below the run's is a neighbourhood of the minimiser, and
//! the point lies outside of it.

use super::{Evidence, direction};
use crate::diagnostics::{CandidateAngles, Standing};

/// The run must be cheaper by this factor.
const CHEAPER: f64 = 10.0;

/// Gaps of the point below this do not count.
const SMALLEST: f64 = 1e-7;

/// Log-log-time before which directions pass by points that they do not tend to.
const EARLY: f64 = 8.0;

fn excludes(standing: Standing) -> bool {
    standing.point > SMALLEST && standing.beats_by(CHEAPER)
}

/// Why the run does not tend to its limit, if its own certificate excludes that.
pub(super) fn against_the_limit(e: &Evidence<'_>) -> Option<String> {
    let standing = e.diagnostics.beside_limit.filter(|s| excludes(*s))?;
    Some(format!(
        "the run's certificate excludes it: its duality gap {:.1e} is far below that of the claimed limit, {:.1e}",
        standing.run, standing.point
    ))
}

/// Whether the run tends to the minimiser of a candidate's potential and not to the predicted limit, as far as a run
/// can show: late, near all through its last third and still falling, and far cheaper before that potential than the
/// limit. It is no proof: where few directions are left, flows pass by such points on their way.
pub(super) fn arrives_at(e: &Evidence<'_>, candidate: &CandidateAngles) -> bool {
    let s = &e.diagnostics.log_log_time;
    let away = |angles: &Vec<f64>| !falls(e, angles);
    s[s.len() - 1] >= EARLY
        && stays_near(s, &candidate.angle)
        && candidate.limit_beside.is_some_and(excludes)
        && falls(e, &candidate.angle)
        && e.diagnostics.angle_to_limit.as_ref().is_none_or(away)
}

fn stays_near(s: &[f64], angles: &[f64]) -> bool {
    let distance: Vec<Option<f64>> = angles.iter().copied().map(Some).collect();
    let since = s[s.len() - 1] * 2.0 / 3.0;
    direction::stays_within(direction::TOLERANCE, since, s, &distance)
}

/// Why the run does not tend to a candidate, if its certificate before the predicted potential excludes that: it has
/// stayed near the predicted limit all through its last third.
pub(super) fn against_the_candidate(
    e: &Evidence<'_>,
    candidate: &CandidateAngles,
) -> Option<String> {
    let standing = candidate.beside.filter(|s| excludes(*s))?;
    let (angle, d) = (e.diagnostics.final_angle()?, e.diagnostics);
    stays_near(&d.log_log_time, d.angle_to_limit.as_ref()?).then(|| {
        format!(
            "the run's certificate excludes it: it is {angle:.1e} rad from the corrected minimiser, with a duality gap \
             of {:.1e}, and the printed one has {:.1e}",
            standing.run, standing.point
        )
    })
}

fn falls(e: &Evidence<'_>, angles: &[f64]) -> bool {
    let distance: Vec<Option<f64>> = angles.iter().copied().map(Some).collect();
    let approach = direction::Approach {
        named: ("angle", " rad"),
        distance: &distance,
        expected: e.diagnostics.rate.as_ref().and_then(|rate| rate.predicted),
        certified: true,
        contradiction: None,
        more: String::new(),
    };
    direction::falls(e, &approach)
}
