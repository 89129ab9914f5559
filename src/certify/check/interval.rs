//! Intervals whose ends are integers times powers of two: sums and products of them are exact, nothing is rounded.

use super::Dyadic;
use num_traits::Zero;

/// `[low, high]`.
#[derive(Debug, Clone)]
pub(in crate::certify) struct Interval {
    pub low: Dyadic,
    pub high: Dyadic,
}

impl Interval {
    pub(super) fn point(x: Dyadic) -> Self {
        Self {
            low: x.clone(),
            high: x,
        }
    }

    pub(super) fn zero() -> Self {
        Self::point(Dyadic::zero())
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        Self {
            low: &self.low + &other.low,
            high: &self.high + &other.high,
        }
    }

    pub(super) fn scaled(&self, factor: &Dyadic) -> Self {
        let (a, b) = (&self.low * factor, &self.high * factor);
        if factor.is_negative() {
            Self { low: b, high: a }
        } else {
            Self { low: a, high: b }
        }
    }

    pub(super) fn times(&self, other: &Self) -> Self {
        if other.low.mantissa == other.high.mantissa && other.low.exponent == other.high.exponent {
            return self.scaled(&other.low);
        }
        let ends = [
            &self.low * &other.low,
            &self.low * &other.high,
            &self.high * &other.low,
            &self.high * &other.high,
        ];
        let low = ends.iter().min().cloned().unwrap_or_else(Dyadic::zero);
        let high = ends.into_iter().max().unwrap_or_else(Dyadic::zero);
        Self { low, high }
    }

    pub(super) fn is_zero(&self) -> bool {
        self.low.mantissa.is_zero() && self.high.mantissa.is_zero()
    }

    pub(super) fn is_positive(&self) -> bool {
        self.low.is_positive()
    }

    /// `max |x|`.
    pub(super) fn magnitude(&self) -> Dyadic {
        self.low.abs().max(self.high.abs())
    }
}
