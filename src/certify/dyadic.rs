//! Numbers as certificates hold them: an integer times a power of two, `-0x1fp-3`.
//!
//! Every f64 is one, exactly; so are multipliers with more digits than an f64 has. The text is a hexadecimal integer
//! with its power of two, which C, Python (`float.fromhex`) and many others read. Sums and products are exact; division
//! does not occur in a certificate.

use num_bigint::{BigInt, Sign};
use num_traits::float::FloatCore;
use num_traits::{One, Signed, ToPrimitive, Zero};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, Mul, Sub};
use std::str::FromStr;

/// Longest integer that is read, in hexadecimal digits.
const MOST_DIGITS: usize = 4096;

/// Largest power of two that is read; f64 reaches from −1074 to 1023.
const MOST_EXPONENT: i64 = 16_384;

/// `mantissa · 2^exponent`. Equal numbers need not look alike.
#[derive(Debug, Clone)]
pub struct Dyadic {
    pub(crate) mantissa: BigInt,
    pub(crate) exponent: i64,
}

impl Dyadic {
    pub(crate) fn new(mantissa: BigInt, exponent: i64) -> Self {
        Self { mantissa, exponent }
    }

    /// `None` for infinities and NaN.
    pub fn from_f64(x: f64) -> Option<Self> {
        if !x.is_finite() {
            return None;
        }
        let (mantissa, exponent, sign) = FloatCore::integer_decode(x);
        if mantissa == 0 {
            return Some(Self::zero());
        }
        let zeros = mantissa.trailing_zeros();
        let odd = BigInt::from(mantissa >> zeros) * sign;
        Some(Self::new(odd, i64::from(exponent) + i64::from(zeros)))
    }

    /// All of a list; `None` if an entry is not finite.
    pub(crate) fn list<'a>(list: impl IntoIterator<Item = &'a f64>) -> Option<Vec<Self>> {
        list.into_iter().map(|x| Self::from_f64(*x)).collect()
    }

    /// The nearest f64, or nearly; infinite beyond them.
    pub fn to_f64(&self) -> f64 {
        let surplus = i64::try_from(self.mantissa.bits()).unwrap_or(i64::MAX) - 64;
        let (top, shifted) = if surplus > 0 {
            (
                &self.mantissa >> surplus,
                self.exponent.saturating_add(surplus),
            )
        } else {
            (self.mantissa.clone(), self.exponent)
        };
        let top = top.to_f64().unwrap_or(f64::NAN);
        // in two factors, so that neither over- nor underflows before the product does
        let half = (shifted / 2).clamp(-1100, 1100) as i32;
        let rest = (shifted - i64::from(half)).clamp(-1100, 1100) as i32;
        top * 2f64.powi(half) * 2f64.powi(rest)
    }

    /// An f64 next to it that is not below it: of a bound, a bound still. Infinite beyond the largest of them.
    pub(crate) fn rounded_up(&self) -> f64 {
        let nearest = self.to_f64();
        match Self::from_f64(nearest) {
            Some(rounded) if rounded >= *self => nearest,
            _ => nearest.next_up(),
        }
    }

    /// For people: two digits, rounded up, so that what is shown of a bound is a bound still. Numbers too small for all
    /// digits of an f64 are shown as the least that has them.
    pub(crate) fn at_most(&self) -> String {
        let bound = match self.rounded_up() {
            tiny if tiny > 0.0 => tiny.max(f64::MIN_POSITIVE),
            other => other,
        };
        format!("{:.1e}", bound * 1.05)
    }

    pub(crate) fn zero() -> Self {
        Self::new(BigInt::zero(), 0)
    }

    pub(crate) fn one() -> Self {
        Self::new(BigInt::one(), 0)
    }

    pub(crate) fn is_negative(&self) -> bool {
        self.mantissa.is_negative()
    }

    pub(crate) fn is_positive(&self) -> bool {
        self.mantissa.is_positive()
    }

    pub(crate) fn abs(&self) -> Self {
        Self::new(self.mantissa.abs(), self.exponent)
    }

    pub(crate) fn pow(&self, power: u32) -> Self {
        Self::new(self.mantissa.pow(power), self.exponent * i64::from(power))
    }

    /// `self · factor`.
    pub(crate) fn times(&self, factor: i64) -> Self {
        Self::new(&self.mantissa * factor, self.exponent)
    }

    /// The integer `self / 2^exponent`; its power of two must not be below that.
    pub(crate) fn over(&self, exponent: i64) -> BigInt {
        &self.mantissa << (self.exponent - exponent).max(0)
    }
}

/// Both over the lower of the two powers of two.
fn aligned(a: &Dyadic, b: &Dyadic) -> (BigInt, BigInt, i64) {
    let exponent = match (a.mantissa.is_zero(), b.mantissa.is_zero()) {
        (true, _) => b.exponent,
        (_, true) => a.exponent,
        _ => a.exponent.min(b.exponent),
    };
    (a.over(exponent), b.over(exponent), exponent)
}

impl Add for &Dyadic {
    type Output = Dyadic;
    fn add(self, other: &Dyadic) -> Dyadic {
        let (a, b, exponent) = aligned(self, other);
        Dyadic::new(a + b, exponent)
    }
}

impl Sub for &Dyadic {
    type Output = Dyadic;
    fn sub(self, other: &Dyadic) -> Dyadic {
        let (a, b, exponent) = aligned(self, other);
        Dyadic::new(a - b, exponent)
    }
}

impl Mul for &Dyadic {
    type Output = Dyadic;
    fn mul(self, other: &Dyadic) -> Dyadic {
        Dyadic::new(
            &self.mantissa * &other.mantissa,
            self.exponent + other.exponent,
        )
    }
}

impl PartialOrd for Dyadic {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Dyadic {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b, _) = aligned(self, other);
        a.cmp(&b)
    }
}

impl PartialEq for Dyadic {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Dyadic {}

impl fmt::Display for Dyadic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_negative() { "-" } else { "" };
        let digits = self.mantissa.magnitude().to_str_radix(16);
        write!(f, "{sign}0x{digits}p{:+}", self.exponent)
    }
}

/// A text that is not `-0x1fp-3`, or a number of absurd size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotDyadic {
    #[error("`{0}` is not a number like -0x1fp-3")]
    Form(String),
    #[error("a number of {0} hexadecimal digits (at most {MOST_DIGITS} are read)")]
    Long(usize),
    #[error("the power of two {0} (those up to ±{MOST_EXPONENT} are read)")]
    Exponent(String),
}

impl FromStr for Dyadic {
    type Err = NotDyadic;

    fn from_str(text: &str) -> Result<Self, NotDyadic> {
        let form = || NotDyadic::Form(text.chars().take(40).collect());
        let (sign, rest) = match text.strip_prefix('-') {
            Some(rest) => (Sign::Minus, rest),
            None => (Sign::Plus, text),
        };
        let (digits, power) = (rest.strip_prefix("0x"))
            .and_then(|rest| rest.split_once('p'))
            .ok_or_else(form)?;
        let is_hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        if digits.is_empty() || !digits.bytes().all(is_hex) {
            return Err(form());
        }
        if digits.len() > MOST_DIGITS {
            return Err(NotDyadic::Long(digits.len()));
        }
        let (negative, power) = match (power.strip_prefix('+'), power.strip_prefix('-')) {
            (Some(power), _) => (false, power),
            (_, Some(power)) => (true, power),
            _ => return Err(form()),
        };
        if power.is_empty() || !power.bytes().all(|c| c.is_ascii_digit()) {
            return Err(form());
        }
        let too_large = || NotDyadic::Exponent(power.chars().take(20).collect());
        if power.len() > 5 {
            return Err(too_large());
        }
        let size: i64 = power.parse().map_err(|_| form())?;
        if size > MOST_EXPONENT {
            return Err(too_large());
        }
        let magnitude = BigInt::parse_bytes(digits.as_bytes(), 16).ok_or_else(form)?;
        let mantissa = if sign == Sign::Minus {
            -magnitude
        } else {
            magnitude
        };
        Ok(Self::new(mantissa, if negative { -size } else { size }))
    }
}

impl Serialize for Dyadic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Dyadic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_double_is_written_and_read_exactly() {
        for x in [
            0.0,
            1.0,
            -0.1,
            1.0 / 3.0,
            5e-324,
            -1.797e308,
            6.25e-310,
            2f64.powi(1023),
        ] {
            let text = Dyadic::from_f64(x).unwrap().to_string();
            let back: Dyadic = text.parse().unwrap();
            assert_eq!(back.to_f64(), x, "{text}");
        }
        assert_eq!(
            Dyadic::from_f64(-0.1).unwrap().to_string(),
            "-0xccccccccccccdp-55"
        );
        assert!(Dyadic::from_f64(f64::NAN).is_none());
    }

    /// Whatever is shown of a bound must not be below it, where an f64 underflows either.
    #[test]
    fn bounds_are_rounded_up() {
        for text in [
            "0x1p-2000",
            "0x1p-1074",
            "0x3p-1076",
            "0x10000000000001p-900",
            "0x1p+0",
        ] {
            let x: Dyadic = text.parse().unwrap();
            let up = Dyadic::from_f64(x.rounded_up()).unwrap();
            assert!(up >= x, "{text}");
            let shown: f64 = x.at_most().parse().unwrap();
            assert!(Dyadic::from_f64(shown).unwrap() >= x, "{text}: {shown:e}");
        }
        assert_eq!(Dyadic::zero().at_most(), "0.0e0");
        assert_eq!(Dyadic::one().at_most(), "1.1e0");
    }

    #[test]
    fn arithmetic_is_exact() {
        let of = |x| Dyadic::from_f64(x).unwrap();
        let sum = &of(1e300) + &of(1e-300);
        assert_eq!(&sum - &of(1e300), of(1e-300));
        assert_eq!(of(0.75).pow(3), of(0.421875));
        assert!(of(-1e-320) < of(0.0) && of(0.3) > of(0.1));
        assert_eq!(&of(0.0) + &of(3.0), of(3.0));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "", "1", "0x", "0xp+1", "0x1", "0x1p", "0x1p1", "0x1p+", "0xAp+1", "+0x1p+1",
            "--0x1p+1", "0x1.8p+1", "0x1p+1 ", " 0x1p+1", "0x1p+-1", "0x1p+٣", "nan", "0x_1p+1",
        ] {
            assert!(
                matches!(text.parse::<Dyadic>(), Err(NotDyadic::Form(_))),
                "{text}"
            );
        }
        let long = format!("0x{}p+0", "1".repeat(MOST_DIGITS + 1));
        assert!(matches!(long.parse::<Dyadic>(), Err(NotDyadic::Long(_))));
        for power in ["+16385", "-99999", "+99999999999999999999"] {
            assert!(matches!(
                format!("0x1p{power}").parse::<Dyadic>(),
                Err(NotDyadic::Exponent(_))
            ));
        }
    }
}
