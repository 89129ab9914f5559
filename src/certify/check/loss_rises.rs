//! The loss that rises: the sign of 𝓛′ at stored weights of a convolutional network under fixed feedback.
//!
//! Per frequency of the unitary transform `ŵ_l′ = P_l b̂_l^* ẑ` with `P_l = (ŵ_1⋯ŵ_{l−1})^*`, `b̂_L = 1`, so that
//! (docs/loss-monotonicity.md)
//!
//! ```text
//! β̂′ = c ẑ,   c = Σ_l |P_l|² b̂_l^* ŵ_{l+1}⋯ŵ_L,   z = Σ α_n g_n,   𝓛′ = −Σ_n α_n m_n′,   m_n′ = g_n·β′
//! ```
//!
//! A product of transforms is the transform of a circular convolution, over √D for every factor but one: β is
//! `D^{−(L−1)/2} w_1 ⊛ ⋯ ⊛ w_L`, and `D^{L−1} β′ = Σ_l √D^{L−1−l} c_l ⊛ z` (l = L as if it were L − 1) with integers
//! `c_l`. What is not an integer is enclosed between two: √D by its integer root, and the multipliers of the
//! exponential loss, relative to the largest, `α_n = e^{−x_n}`, `x_n = m_n − min m ≥ 0`, by the series of the
//! exponential function with all roundings outwards.
//!
//! This is about the vector field at one state. That the flow from zero weights passes there is not proved.

use super::interval::Interval;
use super::vectors::{Vector, dot};
use super::{Dyadic, Exact, Failure, Kind, holds};
use num_bigint::BigInt;
use num_traits::Zero;
use serde::{Deserialize, Serialize};

/// Bits behind the point of enclosures.
const PRECISION: u32 = 160;

/// Exponents from here on are bounded by `e^{−64} < 2^{−92}` alone.
const FAR: u32 = 64;

/// `x/2^HALVINGS < ½` of the others goes into the series.
const HALVINGS: u32 = 7;

/// Most samples and inputs, and most bits of the kernel for all of them.
const MOST_SAMPLES: usize = 64;
const MOST_DIMENSION: usize = 256;
const MOST_BITS: u64 = 1 << 24;

/// Weights where the loss rises.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossRises {
    /// `w_1 … w_L`, each of length D.
    pub layers: Vec<Vec<Dyadic>>,
}

impl LossRises {
    /// `√D^{2(L−1)} Σ_n α_n m_n′`, relative to the square of the largest multiplier.
    pub(in crate::certify) fn rate(&self, data: &Exact<'_>) -> Result<Interval, Failure> {
        let (dimension, depth) = (data.samples.columns, self.layers.len());
        if data.feedback.is_empty() || data.feedback.len() > 4 || depth != data.feedback.len() + 1 {
            return Err(Failure::malformed(
                "layers and feedback of depth 2 to 5".into(),
            ));
        }
        let samples: Vec<Vector> = (data.samples.rows.iter())
            .map(|row| Vector {
                entries: row.clone(),
                exponent: data.samples.exponent,
            })
            .collect();
        if samples.len() > MOST_SAMPLES || dimension > MOST_DIMENSION {
            return Err(Failure::too_large("networks"));
        }
        let layers = (self.layers.iter())
            .map(|w| Vector::of_length(w, dimension, "weights"))
            .collect::<Result<Vec<_>, _>>()?;
        let alphas = multipliers(&samples, &layers)?;
        let root = root(dimension);
        let mut rate = Interval::zero();
        for l in 0..depth {
            let kernel = kernel(&layers, &data.feedback, l)?;
            let longest = samples.iter().map(Vector::bits).max().unwrap_or(0);
            let numbers = (samples.len() * dimension) as u64;
            if (kernel.bits() + longest).saturating_mul(numbers) > MOST_BITS {
                return Err(Failure::too_large("networks"));
            }
            let roots = (l + 2..depth).fold(Interval::point(Dyadic::one()), |r, _| r.times(&root));
            for (g, alpha) in samples.iter().zip(&alphas) {
                let pulled = kernel.convolved(g)?;
                for (other, beside) in samples.iter().zip(&alphas) {
                    let product = Dyadic::new(
                        dot(&other.entries, &pulled.entries),
                        other.exponent + pulled.exponent,
                    );
                    let weight = alpha.times(beside).times(&roots);
                    rate = rate.plus(&weight.scaled(&product));
                }
            }
        }
        Ok(rate)
    }
}

/// `w_1 ⋆ w_1 ⊛ ⋯ ⊛ w_{l−1} ⋆ w_{l−1} ⊛ b_l(−·) ⊛ w_{l+1} ⊛ ⋯ ⊛ w_L` for the layer with this index from 0.
fn kernel(layers: &[Vector], feedback: &[Vector], layer: usize) -> Result<Vector, Failure> {
    let start = Vector::impulse(layers[0].entries.len());
    let below = (layers[..layer].iter()).try_fold(start, |x, w| x.convolved(&w.correlated()?))?;
    let signal = match feedback.get(layer) {
        Some(b) => below.convolved(&b.reversed())?,
        None => below,
    };
    (layers[layer + 1..].iter()).try_fold(signal, |x, w| x.convolved(w))
}

/// `α_n` relative to the largest.
fn multipliers(samples: &[Vector], layers: &[Vector]) -> Result<Vec<Interval>, Failure> {
    let dimension = layers[0].entries.len();
    let hidden = layers.len() as u32 - 1;
    let start = Vector::impulse(dimension);
    let beta = layers.iter().try_fold(start, |x, w| x.convolved(w))?;
    let margins: Vec<Dyadic> = samples.iter().map(|g| g.dot(&beta)).collect();
    let least = margins.iter().min().cloned().unwrap_or_else(Dyadic::zero);
    // over √D^{L−1}: once more √D above and below where that is no integer
    let (above, below) = if hidden.is_multiple_of(2) {
        (Interval::point(Dyadic::one()), hidden / 2)
    } else {
        (root(dimension), hidden.div_ceil(2))
    };
    let divisor = BigInt::from(dimension).pow(below);
    let enclosed = |margin: &Dyadic| {
        let x = above.scaled(&(margin - &least));
        // neither is negative
        let low = units(&x.low) / &divisor;
        let high = (units(&x.high) + 1u32) / &divisor + 1u32;
        Interval {
            low: falling(&high).0,
            high: falling(&low).1,
        }
    };
    Ok(margins.iter().map(enclosed).collect())
}

/// In units of `2^{−PRECISION}`, rounded down.
fn units(x: &Dyadic) -> BigInt {
    let shift = x.exponent + i64::from(PRECISION);
    if shift >= 0 {
        &x.mantissa << shift
    } else {
        &x.mantissa >> -shift
    }
}

/// √D.
fn root(dimension: usize) -> Interval {
    let low = (BigInt::from(dimension) << (2 * PRECISION)).sqrt();
    let exact = &low * &low == BigInt::from(dimension) << (2 * PRECISION);
    let high = if exact { low.clone() } else { &low + 1u32 };
    let of = |units: BigInt| Dyadic::new(units, -i64::from(PRECISION));
    Interval {
        low: of(low),
        high: of(high),
    }
}

/// `e^{−x}` from below and from above, `x ≥ 0` in units.
fn falling(x: &BigInt) -> (Dyadic, Dyadic) {
    let of = |units: BigInt| Dyadic::new(units, -i64::from(PRECISION));
    let one = BigInt::from(1) << PRECISION;
    if x.is_zero() {
        return (of(one.clone()), of(one));
    }
    if *x >= &one * FAR {
        return (Dyadic::zero(), Dyadic::new(BigInt::from(1), -92));
    }
    // e^{−y}, y = x/2^HALVINGS < ½ with more bits: terms fall and change their signs, and each is wrong by two units
    let bits = PRECISION + HALVINGS + 1;
    let y = x << 1;
    let (mut sum, mut term, mut k) = (BigInt::zero(), BigInt::from(1) << bits, 0u32);
    while !term.is_zero() {
        sum += if k.is_multiple_of(2) {
            term.clone()
        } else {
            -&term
        };
        k += 1;
        term = ((term * &y) >> bits) / k;
    }
    let error = BigInt::from(3 * k);
    let (mut low, mut high) = (&sum - &error, sum + error);
    for _ in 0..HALVINGS {
        low = (&low * &low) >> bits;
        high = -((-(&high * &high)) >> bits);
    }
    let surplus = bits - PRECISION;
    (of(low >> surplus), of(-((-high) >> surplus)))
}

impl Kind for LossRises {
    fn claim(&self) -> &'static str {
        "At these weights direct feedback alignment with this feedback raises the exponential loss of the \
         convolutional network: its derivative along the flow is positive there. That the flow from other weights \
         passes through these is not claimed."
    }

    fn inequality(&self) -> &'static str {
        "sum_n exp(-m_n) dm_n/dt < 0"
    }

    fn verify(&self, data: &Exact<'_>) -> Result<String, Failure> {
        let rate = self.rate(data)?;
        holds(rate.high.is_negative(), self.inequality())?;
        Ok("the loss rises at these weights".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_enclosed() {
        for x in [0.0, 1e-30, 0.3, 1.0, 17.25, 63.9, 64.0, 1e5] {
            let (low, high) = falling(&units(&Dyadic::from_f64(x).unwrap()));
            assert!(low <= high && low.to_f64() <= (-x).exp() * (1.0 + 1e-15));
            assert!(high.to_f64() >= (-x).exp() * (1.0 - 1e-15));
            let width = (&high - &low).to_f64();
            assert!(x >= 64.0 || width < 1e-44, "{x}: {width:e}");
        }
        // e^{−1} to sixty digits
        let digits = "367879441171442321595523770161460867445811131031767834507836";
        let ten = BigInt::from(10).pow(60);
        let inverse = (digits.parse::<BigInt>().unwrap() << PRECISION) / ten;
        let (low, high) = falling(&(BigInt::from(1) << PRECISION));
        assert!(low.mantissa <= inverse && inverse <= high.mantissa);
    }

    #[test]
    fn roots_are_enclosed() {
        assert_eq!(root(4).low, Dyadic::one().times(2));
        assert_eq!(root(4).high, Dyadic::one().times(2));
        let three = root(3);
        assert!(three.low.pow(2) < Dyadic::one().times(3));
        assert!(three.high.pow(2) > Dyadic::one().times(3));
    }
}
