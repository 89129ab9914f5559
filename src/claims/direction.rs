//! What the claims on directions share: has an angle arrived, is it still falling, or has it stalled?

use super::{Evidence, Outcome, Verdict};

/// Radians.
pub const TOLERANCE: f64 = 0.01;

/// A measure below this is at its limit, falling or not.
const ARRIVED: f64 = 1e-6;

/// Log-log-time before which a stall says nothing.
const EARLY: f64 = 5.0;

/// What counts as the predicted slope where theory has none: such measures fall like small powers of log t.
const SLOW: f64 = -0.1;

/// Saves a slope needs.
const FEWEST: usize = 8;

/// Judges a measure of distance along the run (an angle in radians, a residual) that is claimed to tend to zero.
///
/// *Holds* at or below [`TOLERANCE`] if it still falls, at a quarter of the `expected` slope in ln ln t or faster, or has
/// arrived; *inconclusive* while it falls; *violated* once it has stalled.
pub fn judge(
    e: &Evidence<'_>,
    name: &str,
    distance: &[Option<f64>],
    expected: Option<f64>,
    more: &str,
) -> Verdict {
    let Some(last) = distance.last().copied().flatten() else {
        return Verdict::without_measurement(
            Outcome::Inconclusive,
            format!("no {name} at the end of the run: some margin is not positive"),
        );
    };
    let s = &e.diagnostics.log_log_time;
    let end = s[s.len() - 1];
    let slope = recent_slope(s, distance);
    let falls = slope.is_some_and(|slope| slope <= 0.25 * expected.unwrap_or(SLOW));
    let trend = slope.map_or_else(String::new, |slope| {
        let expected = expected.map_or_else(
            || "no rate is predicted".to_owned(),
            |slope| format!("predicted {slope:+.4}"),
        );
        format!(", slope {slope:+.4} against log-log-time ({expected})")
    });
    let measured = format!("{name} {last:.3e} at the end{trend}{more}");
    let (outcome, evidence) = if last <= ARRIVED || (last <= TOLERANCE && falls) {
        (Outcome::Holds, measured)
    } else if falls || end < EARLY || slope.is_none() {
        let advice = "not yet in the asymptotic regime, extend flow.until";
        (Outcome::Inconclusive, format!("{advice}: {measured}"))
    } else {
        (Outcome::Violated, format!("it has stalled: {measured}"))
    };
    Verdict::new(outcome, last, TOLERANCE, evidence)
}

/// Least-squares slope of ln(distance) against s over the last third of the run.
fn recent_slope(s: &[f64], distance: &[Option<f64>]) -> Option<f64> {
    let from = s.last()? * 2.0 / 3.0;
    let points: Vec<(f64, f64)> = s
        .iter()
        .zip(distance)
        .filter_map(|(s, d)| Some((*s, (*d)?)))
        .filter(|(s, d)| *s >= from && *d > 0.0)
        .map(|(s, d)| (s, d.ln()))
        .collect();
    (points.len() >= FEWEST).then(|| crate::diagnostics::slope(&points))
}
