//! The discrete Fourier transform of integers, enclosed: cosines are the one thing here that is not rational.
//!
//! With cosines to [`PRECISION`] bits, each wrong by at most one unit, `X_d = Σ_j x_j e^{−2πi jd/D}` is known to
//! `Σ|x_j|` units in both parts. Bounds are rounded outwards.

use super::vectors::Vector;
use super::{Dyadic, Failure};
use num_bigint::BigInt;
use num_traits::{Signed, Zero};

/// Bits behind the point.
const PRECISION: u32 = 160;

/// Bits by which cosines are computed beyond that.
const GUARD: u32 = 64;

/// Largest D that is taken on: transforms take D² products.
const LARGEST: usize = 2048;

/// π to `bits` bits, rounding errors below 2^10 units: Machin's formula.
fn pi(bits: u32) -> BigInt {
    let one = BigInt::from(1) << bits;
    let arc_cotangent = |x: i64| {
        let square = BigInt::from(x * x);
        let mut term = &one / x;
        let mut sum = term.clone();
        let mut k = 1;
        while !term.is_zero() {
            term = -term / &square;
            k += 2;
            sum += &term / k;
        }
        sum
    };
    (arc_cotangent(5) * 4 - arc_cotangent(239)) * 4
}

/// `cos x` and `sin x` for `0 ≤ x ≤ 7`, by their series; errors below 2^12 units for x with one below 2^10.
fn cosine_and_sine(x: &BigInt, bits: u32) -> (BigInt, BigInt) {
    let (mut cosine, mut sine) = (BigInt::zero(), BigInt::zero());
    let mut term = BigInt::from(1) << bits;
    let mut k = 0;
    while !term.is_zero() {
        match k % 4 {
            0 => cosine += &term,
            1 => sine += &term,
            2 => cosine -= &term,
            _ => sine -= &term,
        }
        k += 1;
        term = ((term * x) >> bits) / k;
    }
    (cosine, sine)
}

/// `|X_d|²` from below and from above, for `d = 0 … ⌊D/2⌋`; the other frequencies are those again.
#[derive(Debug, Clone)]
pub(in crate::certify) struct Moduli {
    pub below: Vec<Dyadic>,
    pub above: Vec<Dyadic>,
    dimension: usize,
}

impl Moduli {
    /// Of the transform without a factor before the sum.
    ///
    /// # Errors
    /// If x is longer than is taken on.
    pub(in crate::certify) fn of(x: &Vector) -> Result<Self, Failure> {
        let dimension = x.entries.len();
        if dimension > LARGEST || x.bits().saturating_mul((dimension * dimension) as u64) > 1 << 33
        {
            return Err(Failure::too_large("transforms"));
        }
        let bits = PRECISION + GUARD;
        let turn = pi(bits) * 2;
        let table: Vec<(BigInt, BigInt)> = (0..dimension)
            .map(|j| cosine_and_sine(&(&turn * j / dimension), bits))
            .map(|(c, s)| (c >> GUARD, s >> GUARD))
            .collect();
        let error: BigInt = x.entries.iter().map(Signed::abs).sum();
        let scale = 2 * (x.exponent - i64::from(PRECISION));
        let (mut below, mut above) = (Vec::new(), Vec::new());
        for d in 0..=dimension / 2 {
            let (mut re, mut im) = (BigInt::zero(), BigInt::zero());
            for (j, x) in x.entries.iter().enumerate().filter(|(_, x)| !x.is_zero()) {
                let (c, s) = &table[j * d % dimension];
                re += x * c;
                im -= x * s;
            }
            let (re, im) = (re.abs(), im.abs());
            let most = (&re + &error).pow(2) + (&im + &error).pow(2);
            let least = |part: BigInt| (part - &error).max(BigInt::zero()).pow(2);
            below.push(Dyadic::new(least(re) + least(im), scale));
            above.push(Dyadic::new(most, scale));
        }
        Ok(Self {
            below,
            above,
            dimension,
        })
    }

    /// `|X_d|` from above.
    pub(in crate::certify) fn roots_above(&self) -> Vec<Dyadic> {
        let root = |square: &Dyadic| Dyadic::new(square.mantissa.sqrt() + 1, square.exponent / 2);
        self.above.iter().map(root).collect()
    }

    /// How many frequencies of the whole spectrum have this modulus.
    pub(in crate::certify) fn multiplicity(&self, d: usize) -> i64 {
        if d == 0 || 2 * d == self.dimension {
            1
        } else {
            2
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spectrum::Basis;
    use nalgebra::DVector;

    #[test]
    fn cosines_are_as_precise_as_promised() {
        // the same with far more bits
        let (few, many) = (PRECISION + GUARD, 2 * (PRECISION + GUARD));
        for (j, dimension) in [(0, 7), (1, 7), (6, 7), (5, 12), (783, 784), (1, 2048)] {
            let [(c, s), (fine_c, fine_s)] =
                [few, many].map(|bits| cosine_and_sine(&(pi(bits) * 2 * j / dimension), bits));
            for (coarse, fine) in [(c, fine_c), (s, fine_s)] {
                let difference = coarse - (fine >> (many - few));
                assert!(
                    difference.abs() < BigInt::from(1 << 14),
                    "{j}/{dimension}: {difference}"
                );
            }
        }
        let three = Dyadic::new(pi(few), -i64::from(few));
        assert_eq!(three.to_f64(), std::f64::consts::PI);
    }

    #[test]
    fn moduli_enclose_those_of_the_fast_transform() {
        for dimension in [1, 2, 3, 8, 31] {
            let x = DVector::from_fn(dimension, |j, _| ((j * j + 3 * j) as f64 * 0.7).sin());
            let coordinates = Basis::Fourier.coordinates(&x);
            let moduli =
                Moduli::of(&Vector::of(&Dyadic::list(x.iter()).unwrap()).unwrap()).unwrap();
            for (d, f) in Basis::Fourier
                .frequencies(dimension)
                .into_iter()
                .enumerate()
            {
                let square = f.entry(coordinates.as_slice()).norm_sqr() * dimension as f64;
                let (below, above) = (moduli.below[d].to_f64(), moduli.above[d].to_f64());
                assert!(moduli.below[d] <= moduli.above[d]);
                assert!((above - below) <= 1e-40 * (1.0 + above));
                assert!(
                    (square - above).abs() < 1e-13 * (1.0 + square),
                    "{dimension} {d}"
                );
                let root = moduli.roots_above()[d].clone();
                assert!(
                    root.pow(2) >= moduli.above[d]
                        && (root.to_f64() - above.sqrt()).abs() < 1e-15 * (1.0 + above)
                );
                assert_eq!(f.multiplicity() as i64, moduli.multiplicity(d));
            }
        }
    }
}
