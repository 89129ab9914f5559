//! Shared by the claims on directions: has an angle arrived, is it still falling, or has it stalled?

use super::{Evidence, Outcome, Verdict};

/// Radians.
pub const TOLERANCE: f64 = 0.01;

/// An angle's name and unit, as used in evidence.
pub const ANGLE: (&str, &str) = ("angle", " rad");

/// A measure below this counts as at its limit, falling or not.
const ARRIVED: f64 = 1e-6;

/// A stall is conclusive once the predicted fall over the last third of a run is this factor (as its logarithm).
const TELLING: f64 = std::f64::consts::LN_2;

/// Stands in for the predicted slope where theory has none: such measures fall like small powers of log t.
const SLOW: f64 = -0.1;

/// Fewest saves needed for a slope.
const FEWEST: usize = 8;

/// Judges a measure of distance along the run (an angle in radians, a residual; its name and unit) that is claimed to
/// tend to zero.
///
/// *Holds* at or below [`TOLERANCE`] if it has arrived or still falls, at a quarter of the `expected` slope in ln ln t
/// or faster over the last third or the last two thirds of the run (at some depths distances oscillate on their way
/// down); *inconclusive* while it falls, or while the run is too short to tell; *violated* once it has stalled.
pub fn judge(
    e: &Evidence<'_>,
    (name, unit): (&str, &str),
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
    let law = expected.unwrap_or(SLOW);
    let slope = slope_since(end * 2.0 / 3.0, s, distance);
    let falling = |slope: Option<f64>| slope.is_some_and(|slope| slope <= 0.25 * law);
    let telling = -law * end / 3.0 >= TELLING;
    let falls = falling(slope) || (telling && falling(slope_since(end / 3.0, s, distance)));
    let trend = slope.map_or_else(String::new, |slope| {
        let expected = expected.map_or_else(
            || "no rate is predicted".to_owned(),
            |slope| format!("predicted {slope:+.4}"),
        );
        format!(", slope {slope:+.4} against log-log-time ({expected})")
    });
    let measured = format!("{name} {last:.3e}{unit} at the end{trend}{more}");
    let (outcome, evidence) = if last <= ARRIVED || (last <= TOLERANCE && falls) {
        (Outcome::Holds, measured)
    } else if falls || !telling || slope.is_none() {
        let extend = e.extend;
        let advice = format!("not yet in the asymptotic regime, extend {extend}");
        (Outcome::Inconclusive, format!("{advice}: {measured}"))
    } else {
        (Outcome::Violated, format!("it has stalled: {measured}"))
    };
    Verdict::new(outcome, last, TOLERANCE, evidence)
}

/// Least-squares slope of ln(distance) against s from `from` on.
pub fn slope_since(from: f64, s: &[f64], distance: &[Option<f64>]) -> Option<f64> {
    let points: Vec<(f64, f64)> = s
        .iter()
        .zip(distance)
        .filter_map(|(s, d)| Some((*s, (*d)?)))
        .filter(|(s, d)| *s >= from && *d > 0.0)
        .map(|(s, d)| (s, d.ln()))
        .collect();
    (points.len() >= FEWEST).then(|| crate::diagnostics::slope(&points))
}
