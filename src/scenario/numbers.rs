//! Numbers that are right by construction: a scenario holding one of these needs no further check.
//!
//! Each converts from what TOML has through `serde(try_from)`, so that the error stands at the number itself.

use serde::Deserialize;

/// A number as people write it: 2.5, but 1e200 and not two hundred digits.
pub(super) fn shown(x: f64) -> String {
    if x == 0.0 || !x.is_finite() || (1e-4..1e7).contains(&x.abs()) {
        x.to_string()
    } else {
        format!("{x:e}")
    }
}

/// A finite number > 0.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub(super) struct Positive(f64);

impl Positive {
    pub(super) fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Positive {
    type Error = String;

    fn try_from(x: f64) -> Result<Self, String> {
        if x.is_finite() && x > 0.0 {
            Ok(Self(x))
        } else {
            Err(format!("{} is not a finite number > 0", shown(x)))
        }
    }
}

/// A horizon in any clock, at least 1e-100: the first steps of an integrator are shares of it, and must not underflow.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub(super) struct Horizon(f64);

impl Horizon {
    pub(super) const LEAST: f64 = 1e-100;

    pub(super) fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Horizon {
    type Error = String;

    fn try_from(x: f64) -> Result<Self, String> {
        if x.is_finite() && x >= Self::LEAST {
            Ok(Self(x))
        } else {
            Err(format!(
                "{} is not a finite horizon > 0, at least {:e}",
                shown(x),
                Self::LEAST
            ))
        }
    }
}

/// A standard deviation, 0 < x ≤ 1e100: large enough for any experiment, small enough for squares not to overflow.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub(super) struct Scale(f64);

impl Scale {
    pub(super) fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Scale {
    type Error = String;

    fn try_from(x: f64) -> Result<Self, String> {
        if x > 0.0 && x <= 1e100 {
            Ok(Self(x))
        } else {
            Err(format!("{} is not a scale > 0 and <= 1e100", shown(x)))
        }
    }
}

/// A relative tolerance, 0 < x < 1.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub(super) struct Fraction(f64);

impl Fraction {
    pub(super) fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Fraction {
    type Error = String;

    fn try_from(x: f64) -> Result<Self, String> {
        if x > 0.0 && x < 1.0 {
            Ok(Self(x))
        } else {
            Err(format!(
                "{} is not between 0 and 1 (both excluded)",
                shown(x)
            ))
        }
    }
}

/// A whole number from `MIN` on.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "i64")]
pub(super) struct AtLeast<const MIN: i64>(usize);

impl<const MIN: i64> AtLeast<MIN> {
    pub(super) fn get(self) -> usize {
        self.0
    }
}

impl<const MIN: i64> TryFrom<i64> for AtLeast<MIN> {
    type Error = String;

    fn try_from(n: i64) -> Result<Self, String> {
        match usize::try_from(n) {
            Ok(count) if n >= MIN => Ok(Self(count)),
            _ => Err(format!("{n} is not a whole number >= {MIN}")),
        }
    }
}

/// A number of finite steps, 1 ≤ n ≤ 10^12: at the ten million steps a second of the fastest networks, a day.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "i64")]
pub(super) struct StepCount(u64);

impl StepCount {
    pub(super) const MOST: u64 = 1_000_000_000_000;

    pub(super) fn get(self) -> u64 {
        self.0
    }
}

impl TryFrom<i64> for StepCount {
    type Error = String;

    fn try_from(n: i64) -> Result<Self, String> {
        match u64::try_from(n) {
            Ok(count @ 1..=Self::MOST) => Ok(Self(count)),
            _ => Err(format!(
                "{n} is not a number of steps between 1 and 10^12; with steps.schedule = \"loss-normalised\" fewer go further"
            )),
        }
    }
}

/// A depth L, 1 ≤ L ≤ 50: the theory's exponents are powers of `2^L`, which f64 holds exactly up to there.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "i64")]
pub(super) struct Depth(usize);

impl Depth {
    pub(super) const MOST: usize = 50;

    pub(super) fn get(self) -> usize {
        self.0
    }
}

impl TryFrom<i64> for Depth {
    type Error = String;

    fn try_from(n: i64) -> Result<Self, String> {
        match usize::try_from(n) {
            Ok(depth @ 1..=Self::MOST) => Ok(Self(depth)),
            _ => Err(format!("{n} is not a depth between 1 and {}", Self::MOST)),
        }
    }
}

/// A seed, 0 ≤ seed < 2^63 (what a TOML integer holds).
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "i64")]
pub(super) struct Seed(u64);

impl Seed {
    pub(super) fn get(self) -> u64 {
        self.0
    }
}

impl TryFrom<i64> for Seed {
    type Error = String;

    fn try_from(n: i64) -> Result<Self, String> {
        u64::try_from(n)
            .map(Self)
            .map_err(|_| format!("{n} is not a seed >= 0"))
    }
}
