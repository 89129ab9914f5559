//! Curves of many runs on one grid of s.
//!
//! A run is saved at times of its own. If all runs of a study are saved at the same times, these are the grid and
//! nothing is interpolated. Otherwise the grid is uniform from 0 to the latest horizon, and each curve is interpolated
//! between the saves of its run: the logarithm where both ends are positive (directions converge like powers of log t,
//! straight lines there), the value elsewhere; nothing is said beyond the end of a run.

use serde::{Deserialize, Serialize};

/// Points of a grid that is not that of the runs.
const POINTS: usize = 201;

/// The curves of one run over its saves.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedCurves {
    /// s at every save, increasing.
    pub log_log_time: Vec<f64>,
    /// Name and values, `None` where there is none.
    pub curves: Vec<(String, Vec<Option<f64>>)>,
}

/// The curves of many runs on one grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Curves {
    /// s on the grid, increasing; empty if no run was saved.
    pub log_log_time: Vec<f64>,
    /// Name, and one row per run; rows are empty for runs without the curve.
    pub curves: Vec<(String, Vec<Vec<Option<f64>>>)>,
}

impl SavedCurves {
    /// The curve of this name.
    pub fn of(&self, name: &str) -> Option<&[Option<f64>]> {
        let found = self.curves.iter().find(|(curve, _)| curve == name)?;
        Some(&found.1)
    }

    /// A curve at the first time at which `other` reaches `level`, interpolated between the saves around it; `None` if
    /// it is above from the start, or is never reached. `sign` is multiplied to `other` first.
    pub fn where_reached(
        &self,
        curve: &str,
        (other, sign): (&str, f64),
        level: f64,
    ) -> Option<f64> {
        let (values, ahead) = (self.of(curve)?, self.of(other)?);
        let height = |k: usize| Some(sign * ahead[k]?);
        let after = (0..ahead.len()).find(|k| height(*k).is_some_and(|y| y >= level))?;
        let before = after.checked_sub(1)?;
        let (y0, y1) = (height(before)?, height(after)?);
        let share = between(y0, y1, level);
        interpolated(values[before]?, values[after]?, share)
    }

    /// The values of a curve at the times of a grid.
    fn on(&self, grid: &[f64], values: &[Option<f64>]) -> Vec<Option<f64>> {
        let s = &self.log_log_time;
        let at = |t: f64| {
            let after = s.partition_point(|x| *x < t);
            if s.get(after) == Some(&t) {
                return values[after];
            }
            let before = after.checked_sub(1)?;
            let share = (t - s[before]) / (s.get(after)? - s[before]);
            interpolated(values[before]?, values[after]?, share)
        };
        grid.iter().map(|t| at(*t)).collect()
    }
}

/// The share of the way from `a` to `b` at which `level` is, in logarithms where both are positive.
fn between(a: f64, b: f64, level: f64) -> f64 {
    if a == b {
        1.0
    } else if a > 0.0 && b > 0.0 {
        (level / a).ln() / (b / a).ln()
    } else {
        (level - a) / (b - a)
    }
}

fn interpolated(a: f64, b: f64, share: f64) -> Option<f64> {
    let found = if a > 0.0 && b > 0.0 {
        (a.ln() + share * (b.ln() - a.ln())).exp()
    } else {
        a + share * (b - a)
    };
    found.is_finite().then_some(found)
}

impl Curves {
    /// Brings the curves of many runs onto one grid.
    pub fn of(runs: &[&SavedCurves]) -> Self {
        let saved = || runs.iter().filter(|run| !run.log_log_time.is_empty());
        let first = saved().next().map_or(&[][..], |run| &run.log_log_time);
        let log_log_time = if saved().all(|run| run.log_log_time == first) {
            first.to_vec()
        } else {
            let end = saved().filter_map(|run| run.log_log_time.last()).copied();
            let end = end.fold(0.0, f64::max);
            let step = end / (POINTS - 1) as f64;
            let inner = (0..POINTS - 1).map(|k| k as f64 * step);
            inner.chain([end]).collect()
        };
        let mut names: Vec<&String> = Vec::new();
        for (name, _) in runs.iter().flat_map(|run| &run.curves) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let row = |run: &&SavedCurves, name: &str| {
            let values = run.of(name);
            values.map_or_else(Vec::new, |values| run.on(&log_log_time, values))
        };
        let curves = (names.iter())
            .map(|name| {
                let rows = runs.iter().map(|run| row(run, name)).collect();
                ((*name).clone(), rows)
            })
            .collect();
        Self {
            log_log_time,
            curves,
        }
    }

    /// The rows of the curve of this name.
    pub fn rows(&self, name: &str) -> Option<&[Vec<Option<f64>>]> {
        let found = self.curves.iter().find(|(curve, _)| curve == name)?;
        Some(&found.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(end: f64, count: usize, of: impl Fn(f64) -> f64) -> SavedCurves {
        let log_log_time: Vec<f64> = (0..count)
            .map(|k| end * k as f64 / (count - 1) as f64)
            .collect();
        let values = log_log_time.iter().map(|s| Some(of(*s))).collect();
        SavedCurves {
            curves: vec![("x".into(), values)],
            log_log_time,
        }
    }

    #[test]
    fn runs_with_the_same_saves_are_not_interpolated() {
        let runs = [saved(10.0, 7, f64::sin), saved(10.0, 7, f64::cos)];
        let curves = Curves::of(&runs.each_ref());
        assert_eq!(curves.log_log_time, runs[0].log_log_time);
        assert_eq!(curves.rows("x").unwrap()[1], runs[1].curves[0].1);
    }

    #[test]
    fn powers_of_log_time_are_straight_and_end_with_their_runs() {
        let runs = [
            saved(10.0, 11, |s| (-s / 3.0).exp()),
            saved(20.0, 9, |s| s - 5.0),
        ];
        let curves = Curves::of(&runs.each_ref());
        assert_eq!(
            (curves.log_log_time.len(), curves.log_log_time[200]),
            (201, 20.0)
        );
        let rows = curves.rows("x").unwrap();
        for (k, s) in curves.log_log_time.iter().enumerate() {
            match rows[0][k] {
                Some(x) => assert!((x / (-s / 3.0).exp() - 1.0).abs() < 1e-12 && *s <= 10.0),
                None => assert!(*s > 10.0),
            }
        }
        assert!((rows[1][10].unwrap() + 4.0).abs() < 1e-12);
    }

    #[test]
    fn a_curve_is_read_off_where_another_reaches_a_level() {
        let mut run = saved(10.0, 101, |s| -s);
        let angle = run.log_log_time.iter().map(|s| Some((-2.0 * s).exp()));
        run.curves.push(("angle".into(), angle.collect()));
        let at = |level| run.where_reached("angle", ("x", -1.0), level);
        assert!((at(3.456).unwrap() / f64::exp(-2.0 * 3.456) - 1.0).abs() < 1e-3);
        assert_eq!(at(10.5), None, "never reached");
        assert_eq!(at(-1.0), None, "above from the start");
    }
}
