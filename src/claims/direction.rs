//! What the claims on limits share: has something arrived, and what would it take to say that it never will?
//!
//! A run is finite and a limit is not, so the outcomes are not symmetric.
//!
//! - *Holds* needs a measured distance: at or below [`TOLERANCE`] at the end, and not on its way out again. It has come
//!   to nothing, or falls about as theory has it fall (what plunges is passing by), or falls and has stayed within the
//!   tolerance all through the last third of the run. Where it is certified by a duality gap, to have stayed is
//!   enough: directions swing on their way down.
//! - *Violated* needs a proof, which the claim brings with it as an [`Approach::contradiction`]: see
//!   [`certificate`](super::certificate). That a distance stands still proves nothing. Flows rest near saddles, behind
//!   entries that start small and between samples that are nearly equal for longer than any run, and go on.
//! - Everything else is *inconclusive*, and the evidence says what it looks like.

use super::{Evidence, Outcome, Verdict};
use crate::diagnostics::Fit;

/// Radians.
pub(super) const TOLERANCE: f64 = 0.01;

/// A measure below this is at its limit, falling or not.
const ARRIVED: f64 = 1e-6;

/// Motion says something once the predicted fall over the last third of the run is this factor (its logarithm).
const TELLING: f64 = std::f64::consts::LN_2;

/// Stands in for the predicted slope where theory has none: such measures fall like small powers of log t.
const SLOW: f64 = -0.1;

/// Fewest saves that say that a distance stays small.
const FEWEST: usize = 8;

/// A measure of distance along a run that is claimed to tend to zero.
pub(super) struct Approach<'a> {
    /// What it is, and its unit, as evidence has them.
    pub named: (&'a str, &'a str),
    /// At every save; `None` where it is not defined.
    pub distance: &'a [Option<f64>],
    /// The slope in ln ln t that theory expects.
    pub expected: Option<f64>,
    /// Whether a certificate goes with the distance, so that staying near is enough.
    pub certified: bool,
    /// Why it cannot tend to zero, if the run proves that.
    pub contradiction: Option<String>,
    /// What else evidence is to say.
    pub more: String,
}

/// Where a distance is, and where it goes.
struct Course {
    last: f64,
    /// Fitted over the last third of the run, as far as the distance is more than rounding.
    fit: Option<Fit>,
    falls: bool,
    /// Whether it falls far faster than expected, as it does where a direction passes by.
    plunges: bool,
    /// Whether the run is long enough for standing still to be seen.
    telling: bool,
    /// Within tolerance all through the last third of the run.
    stays: bool,
}

/// Slopes up to so many times the expected one, and [`SLACK`], are those of an approach.
const STEEPEST: f64 = 2.0;

/// See [`STEEPEST`].
const SLACK: f64 = 0.25;

impl Course {
    /// `None` if there is no distance at the end.
    fn of(e: &Evidence<'_>, approach: &Approach<'_>) -> Option<Self> {
        let last = approach.distance.last().copied().flatten()?;
        let s = &e.diagnostics.log_log_time;
        let end = s[s.len() - 1];
        let law = approach.expected.unwrap_or(SLOW);
        let fit_from = |share: f64| Fit::of(share, s, approach.distance);
        let fit = fit_from(2.0 / 3.0);
        // what has come back from rounding is not on its way there
        let comes_back = last > ARRIVED && fit.is_some_and(|fit| fit.window[1] < end);
        let slope = fit.map(|fit| fit.slope).filter(|_| !comes_back);
        let falling = |slope: Option<f64>| slope.is_some_and(|slope| slope <= 0.25 * law);
        let steepest = (approach.expected).map_or(f64::NEG_INFINITY, |law| STEEPEST * law - SLACK);
        let telling = -law * end / 3.0 >= TELLING;
        // at some depths distances swing on their way down: the last two thirds count as well
        let swings = telling && (approach.certified || slope.is_some_and(|slope| slope <= 0.0));
        Some(Self {
            last,
            fit,
            falls: falling(slope)
                || (swings && !comes_back && falling(fit_from(1.0 / 3.0).map(|fit| fit.slope))),
            plunges: slope.is_some_and(|slope| slope < steepest),
            telling,
            stays: stays_within(TOLERANCE, end * 2.0 / 3.0, s, approach.distance),
        })
    }

    fn is_near(&self, certified: bool) -> bool {
        let approaches = self.falls && !self.plunges;
        let stays = self.stays && (self.falls || certified);
        self.last <= TOLERANCE && (approaches || stays)
    }
}

/// Judges a distance that is claimed to tend to zero; see the module.
pub(super) fn judge(e: &Evidence<'_>, approach: &Approach<'_>) -> Verdict {
    let (name, unit) = approach.named;
    let Some(course) = Course::of(e, approach) else {
        return Verdict::without_measurement(
            Outcome::Inconclusive,
            format!("no {name} at the end of the run: some margin is not positive"),
        );
    };
    let last = course.last;
    let trend = course.fit.map_or_else(String::new, |fit| {
        let expected = approach.expected.map_or_else(
            || "no rate is predicted".to_owned(),
            |slope| format!("predicted {slope:+.4}"),
        );
        format!(", {fit} ({expected})")
    });
    let measured = format!("{name} {last:.3e}{unit} at the end{trend}{}", approach.more);
    let near = course.is_near(approach.certified);
    let (outcome, evidence) = match &approach.contradiction {
        Some(why) => (Outcome::Violated, format!("{why}: {measured}")),
        None if last <= ARRIVED || near => (Outcome::Holds, measured),
        None => {
            let why = if course.plunges && last <= TOLERANCE {
                "it falls so fast that it may only pass by"
            } else if course.falls || !course.telling || course.fit.is_none() {
                "not yet in the asymptotic regime"
            } else {
                "it does not fall now, which proves nothing of later times"
            };
            let text = format!("{why}, extend {}: {measured}", e.extend);
            (Outcome::Inconclusive, text)
        }
    };
    Verdict::new(outcome, last, TOLERANCE, evidence)
}

/// Whether a distance still falls, as [`judge`] sees it.
pub(super) fn falls(e: &Evidence<'_>, approach: &Approach<'_>) -> bool {
    Course::of(e, approach).is_some_and(|course| course.falls)
}

/// Whether every save from `from` on has a distance, and none above `tolerance`.
pub(super) fn stays_within(tolerance: f64, from: f64, s: &[f64], distance: &[Option<f64>]) -> bool {
    let late = s.iter().zip(distance).filter(|(s, _)| **s >= from);
    late.clone().count() >= FEWEST
        && late
            .into_iter()
            .all(|(_, d)| d.is_some_and(|d| d <= tolerance))
}
