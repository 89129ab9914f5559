//! The weights `W_d = ∏_{k<L} |b_k[d]|^{2^{L−k}}` of power norms, of entries and of frequencies. How large powers may
//! be is asked before they are taken.

use super::vectors::Vector;
use super::{Exact, Failure};
use num_bigint::BigInt;

/// Most bits of powers that are taken.
const MOST_POWER: u64 = 1 << 26;

/// Whether numbers of so many bits may be raised to a power.
pub(super) fn bounded(bits: u64, power: u32) -> Result<(), Failure> {
    if bits.saturating_mul(u64::from(power)) > MOST_POWER {
        return Err(Failure::too_large("powers"));
    }
    Ok(())
}

/// `W` of the entries: `∏_k b_k^{2^{L−k}}`.
///
/// # Errors
/// If the power q of numbers as long as W and `besides` together, in bits, would be more than is taken on.
pub(super) fn entry_weights(data: &Exact<'_>, besides: u64, q: u32) -> Result<Vector, Failure> {
    let depth = data.depth();
    let mut bits = besides;
    for (b, k) in data.feedback.iter().zip(1..) {
        bits = bits.saturating_add(b.bits().saturating_mul(1 << (depth - k)));
    }
    bounded(bits.saturating_mul(data.samples.columns as u64), q)?;
    let ones = Vector {
        entries: vec![BigInt::from(1); data.samples.columns],
        exponent: 0,
    };
    let pairs = data.feedback.iter().zip(1..);
    Ok(pairs.fold(ones, |weights, (b, k)| {
        weights.times(&b.power(1 << (depth - k)))
    }))
}

/// The kernel whose transform, without a factor, is `D^{q/2−1} W`.
pub(super) fn frequency_weights(data: &Exact<'_>) -> Result<Vector, Failure> {
    let depth = data.depth();
    let mut kernel = Vector::impulse(data.samples.columns);
    for (b, k) in data.feedback.iter().zip(1..) {
        let factor = raised(&b.correlated()?, 1 << (depth - k - 1))?;
        kernel = kernel.convolved(&factor)?;
    }
    Ok(kernel)
}

/// The vector with the transform `W|Ẑ|^{q−2}Ẑ`, times `D^{q−2}`.
pub(super) fn frequency_ray(data: &Exact<'_>, z: &Vector) -> Result<Vector, Failure> {
    let half = 1 << (data.depth() - 1);
    frequency_weights(data)?
        .convolved(&raised(&z.correlated()?, half - 1)?)?
        .convolved(z)
}

/// `x ⊛ … ⊛ x`, `power` times.
fn raised(x: &Vector, power: u32) -> Result<Vector, Failure> {
    (0..power).try_fold(Vector::impulse(x.entries.len()), |product, _| {
        product.convolved(x)
    })
}
