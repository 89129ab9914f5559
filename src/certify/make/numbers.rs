//! Bounds for certificates: estimated in f64, rounded outwards until the exact inequality holds.

use crate::certify::check::vectors::Vector;
use crate::certify::check::within;
use crate::certify::dyadic::Dyadic;
use num_traits::ToPrimitive;

/// `a/b` as f64, whatever the sizes; infinite for b = 0.
pub(super) fn ratio(a: &Dyadic, b: &Dyadic) -> f64 {
    let (a, power) = top(a);
    let (b, other) = top(b);
    let power = (power - other).clamp(-2100, 2100) as i32;
    a / b * 2f64.powi(power / 2) * 2f64.powi(power - power / 2)
}

/// ln x.
pub(super) fn logarithm(x: &Dyadic) -> f64 {
    let (leading, power) = top(x);
    leading.ln() + power as f64 * std::f64::consts::LN_2
}

/// Leading digits and the power of two they are to be multiplied with.
fn top(x: &Dyadic) -> (f64, i64) {
    let surplus = (x.mantissa.bits() as i64 - 64).max(0);
    let leading = (&x.mantissa >> surplus).to_f64().unwrap_or(f64::NAN);
    (leading, x.exponent + surplus)
}

/// The least bound found for which `holds`, from an estimate of it; `None` if none near it does.
pub(super) fn least(estimate: f64, holds: impl Fn(&Dyadic) -> bool) -> Option<Dyadic> {
    let start = if estimate > 0.0 { estimate } else { SMALLEST };
    let zero = (estimate <= 0.0).then_some(0.0);
    // ever coarser, and in the end by powers of ten
    let fine = (-1..26).map(|i| {
        start
            * (1.0
                + if i < 0 {
                    0.0
                } else {
                    f64::EPSILON * 4f64.powi(i)
                })
    });
    let coarse = (1..30).map(|i| start * 10f64.powi(i));
    zero.into_iter()
        .chain(fine)
        .chain(coarse)
        .filter(|x| x.is_finite())
        .filter_map(Dyadic::from_f64)
        .find(|x| holds(x))
}

/// The least e found with `left ≤ (1 + e)^power right`.
pub(super) fn excess((left, right): &(Dyadic, Dyadic), power: u32) -> Option<Dyadic> {
    let estimate = (ratio(&(left - right), right).ln_1p() / f64::from(power)).exp_m1();
    least(estimate, |e| {
        *left <= &(&Dyadic::one() + e).pow(power) * right
    })
}

/// Where nothing is left to estimate.
const SMALLEST: f64 = 1e-60;

/// θ with `θ − θ³/6 = sine`; `None` beyond the angles that are compared.
pub(super) fn angle_of_sine(sine: f64) -> Option<f64> {
    if !(0.0..=0.94).contains(&sine) {
        return None;
    }
    let newton =
        |theta: f64| theta - (theta - theta.powi(3) / 6.0 - sine) / (1.0 - theta * theta / 2.0);
    let theta = (0..30).fold(sine, |theta, _| newton(theta));
    (theta <= 1.4).then_some(theta)
}

/// Bound on the angle between two directions.
pub(super) fn angle_between(u: &Vector, v: &Vector) -> Option<Dyadic> {
    let product = u.dot(v);
    let squares = &u.square() * &v.square();
    let rest = &squares - &product.pow(2);
    let start = angle_of_sine(ratio(&rest, &squares).max(0.0).sqrt())?;
    least(start, |theta| within(u, v, theta).unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_of_any_size() {
        let of = |text: &str| text.parse::<Dyadic>().unwrap();
        assert_eq!(ratio(&of("0x3p-9000"), &of("0x2p-9000")), 1.5);
        assert_eq!(ratio(&of("0x1p-1000"), &of("0x1p+0")), 2f64.powi(-1000));
        assert_eq!(
            ratio(
                &of(&format!("0x3{}p+0", "0".repeat(1000))),
                &of("0x1p+4000")
            ),
            3.0
        );
    }

    #[test]
    fn bounds_are_the_least_that_hold() {
        let third = |x: &Dyadic| x.times(3) >= Dyadic::one();
        let bound = least(1.0 / 3.0, third).unwrap();
        assert!(third(&bound) && bound.to_f64() < 0.334);
        assert_eq!(least(0.0, |_| true).unwrap(), Dyadic::zero());
        let theta = angle_of_sine(0.5).unwrap();
        assert!((theta - theta.powi(3) / 6.0 - 0.5).abs() < 1e-15);
        assert!(angle_of_sine(0.99).is_none());
    }
}
