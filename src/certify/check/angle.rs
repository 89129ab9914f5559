//! Angles without trigonometric functions: `sin θ ≥ θ − θ³/6`.

use super::vectors::Vector;
use super::{Dyadic, Failure, holds};

/// Largest angle that is compared: up to √2 the bound rises with θ.
const LARGEST: i64 = 14;

/// `6 (θ − θ³/6)`, at most six times the sine.
///
/// # Errors
/// Unless `0 ≤ θ ≤ 1.4`.
pub(super) fn six_sines(theta: &Dyadic) -> Result<Dyadic, Failure> {
    let in_range = !theta.is_negative() && theta.times(10) <= Dyadic::one().times(LARGEST);
    holds(in_range, "0 ≤ angle ≤ 1.4")?;
    Ok(&theta.times(6) - &theta.pow(3))
}

/// Whether the angle between u and v is proved to be at most θ: it is acute, and
/// `sin² = 1 − (u·v)²/(‖u‖²‖v‖²) ≤ (θ − θ³/6)²`.
pub(in crate::certify) fn within(u: &Vector, v: &Vector, theta: &Dyadic) -> Result<bool, Failure> {
    let sines = six_sines(theta)?;
    let product = u.dot(v);
    let squares = &u.square() * &v.square();
    let rest = &squares - &product.pow(2);
    Ok(product.is_positive() && rest.times(36) <= &sines.pow(2) * &squares)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_are_bounded_from_above() {
        let of = |list: &[f64]| Vector::of(&Dyadic::list(list).unwrap()).unwrap();
        for angle in [1e-12, 1e-5, 0.1, 0.7, 1.2f64] {
            let (u, v) = (of(&[3.0, 0.0]), of(&[angle.cos(), angle.sin()]));
            // at 1.2 the cubic is already 6% below the sine
            let enough = 1.4f64.min(angle * (1.0 + 1e-3 + angle.powi(4) / 8.0));
            for (bound, holds) in [(angle * 0.999, false), (enough, true)] {
                let bound = Dyadic::from_f64(bound).unwrap();
                assert_eq!(within(&u, &v, &bound).unwrap(), holds, "{angle}");
            }
        }
        assert!(
            !within(
                &of(&[1.0, 0.0]),
                &of(&[-1.0, 1e-9]),
                &Dyadic::from_f64(1.4).unwrap()
            )
            .unwrap()
        );
        assert!(six_sines(&Dyadic::from_f64(1.5).unwrap()).is_err());
    }
}
