//! Numbers that are valid by construction: a scenario holding one of these needs no further check.
//!
//! Each is converted from the TOML value while it is read, so that the error points at the number itself.

use serde::{Deserialize, Deserializer, de};

/// A number in readable form: 2.5, but 1e200 rather than two hundred digits.
pub(super) fn shown(x: f64) -> String {
    if x == 0.0 || !x.is_finite() || (1e-4..1e7).contains(&x.abs()) {
        x.to_string()
    } else {
        format!("{x:e}")
    }
}

/// A number outside its bounds: what was given, and what is required.
#[derive(Debug, thiserror::Error)]
#[error("{given} is not {wanted}")]
pub(super) struct OutOfBounds {
    given: String,
    wanted: String,
}

/// `Name(type held) from TOML type { conversion or None }, otherwise "given is not …"`.
macro_rules! bounded {
    (
        $(#[$meta:meta])*
        $name:ident $(<const $bound:ident: $bound_type:ty>)? ($held:ty) from $given:ty,
        |$x:ident| $convert:expr,
        $shown:expr => $($wanted:tt)+
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub(super) struct $name $(<const $bound: $bound_type>)? ($held);

        impl $(<const $bound: $bound_type>)? $name $(<$bound>)? {
            pub(super) fn get(self) -> $held {
                self.0
            }
        }

        impl $(<const $bound: $bound_type>)? TryFrom<$given> for $name $(<$bound>)? {
            type Error = OutOfBounds;

            fn try_from($x: $given) -> Result<Self, OutOfBounds> {
                let held: Option<$held> = $convert;
                held.map(Self).ok_or_else(|| OutOfBounds {
                    given: $shown,
                    wanted: format!($($wanted)+),
                })
            }
        }

        impl<'de $(, const $bound: $bound_type)?> Deserialize<'de> for $name $(<$bound>)? {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let given = <$given>::deserialize(deserializer)?;
                Self::try_from(given).map_err(de::Error::custom)
            }
        }
    };
}

bounded! {
    /// A finite number > 0.
    Positive(f64) from f64,
    |x| (x.is_finite() && x > 0.0).then_some(x),
    shown(x) => "a finite number > 0"
}

bounded! {
    /// A horizon in any clock, at least 1e-100: the first steps of an integrator are fractions of it, and must not
    /// underflow.
    Horizon(f64) from f64,
    |x| (x.is_finite() && x >= Self::LEAST).then_some(x),
    shown(x) => "a finite horizon > 0, at least {:e}", Self::LEAST
}

impl Horizon {
    pub(super) const LEAST: f64 = 1e-100;
}

bounded! {
    /// A standard deviation, 0 < x ≤ 1e100: large enough for any experiment, small enough for squares not to overflow.
    Scale(f64) from f64,
    |x| (x > 0.0 && x <= 1e100).then_some(x),
    shown(x) => "a scale > 0 and <= 1e100"
}

bounded! {
    /// A relative tolerance, 0 < x < 1.
    Fraction(f64) from f64,
    |x| (x > 0.0 && x < 1.0).then_some(x),
    shown(x) => "between 0 and 1 (both excluded)"
}

bounded! {
    /// A whole number from `MIN` on.
    AtLeast<const MIN: i64>(usize) from i64,
    |n| usize::try_from(n).ok().filter(|_| n >= MIN),
    n.to_string() => "a whole number >= {MIN}"
}

bounded! {
    /// A number of finite steps, 1 ≤ n ≤ 10^12: a day at the ten million steps per second of the fastest networks.
    StepCount(u64) from i64,
    |n| u64::try_from(n).ok().filter(|n| (1..=Self::MOST).contains(n)),
    n.to_string() => "a number of steps between 1 and 10^12; with steps.schedule = \"loss-normalised\" fewer go further"
}

impl StepCount {
    pub(super) const MOST: u64 = 1_000_000_000_000;
}

bounded! {
    /// A depth L, 1 ≤ L ≤ 50: the theory's exponents are powers of `2^L`, which f64 holds exactly up to there.
    Depth(usize) from i64,
    |n| usize::try_from(n).ok().filter(|n| (1..=Self::MOST).contains(n)),
    n.to_string() => "a depth between 1 and {}", Self::MOST
}

impl Depth {
    pub(super) const MOST: usize = 50;
}

bounded! {
    /// A seed, 0 ≤ seed < 2^63 (what a TOML integer holds).
    Seed(u64) from i64,
    |n| u64::try_from(n).ok(),
    n.to_string() => "a seed >= 0"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal<T: TryFrom<G, Error = OutOfBounds>, G>(given: G) -> Option<String> {
        T::try_from(given).err().map(|e| e.to_string())
    }

    #[test]
    fn bounds_are_what_the_messages_say() {
        for (x, positive, fraction) in [
            (1e-300, true, true),
            (1.0, true, false),
            (0.0, false, false),
        ] {
            assert_eq!(refusal::<Positive, _>(x).is_none(), positive, "{x}");
            assert_eq!(refusal::<Fraction, _>(x).is_none(), fraction, "{x}");
        }
        assert_eq!(
            refusal::<Positive, _>(f64::INFINITY).unwrap(),
            "inf is not a finite number > 0"
        );
        let text = "1e-101 is not a finite horizon > 0, at least 1e-100";
        assert_eq!(refusal::<Horizon, _>(1e-101).unwrap(), text);
        assert_eq!(
            refusal::<Scale, _>(1e101).unwrap(),
            "1e101 is not a scale > 0 and <= 1e100"
        );
        assert!(refusal::<Scale, _>(f64::NAN).is_some() && refusal::<Scale, _>(1e100).is_none());
        assert_eq!(
            refusal::<AtLeast<2>, _>(1).unwrap(),
            "1 is not a whole number >= 2"
        );
        assert_eq!(AtLeast::<2>::try_from(2).unwrap().get(), 2);
        assert!(refusal::<AtLeast<0>, _>(-1).is_some());
        assert_eq!(
            refusal::<Depth, _>(51).unwrap(),
            "51 is not a depth between 1 and 50"
        );
        assert!(refusal::<StepCount, _>(0).is_some() && refusal::<StepCount, _>(1 << 50).is_some());
        assert_eq!(refusal::<Seed, _>(-1).unwrap(), "-1 is not a seed >= 0");
    }
}
