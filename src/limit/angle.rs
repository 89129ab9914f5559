//! The angle between two directions.

use super::scaling::{largest, power_of_two};
use nalgebra::DVector;

/// Angle between two vectors in radians, `2 atan2(‖û − v̂‖, ‖û + v̂‖)` (Kahan): as accurate near 0 and π as elsewhere,
/// whereas the arc cosine of the inner product loses half the digits there. A zero vector has no direction; its angle
/// to anything is π/2.
///
/// # Panics
/// If the lengths differ.
pub fn angle(u: &[f64], v: &[f64]) -> f64 {
    assert_eq!(u.len(), v.len(), "vectors of one space");
    let (u, v) = (unit(u), unit(v));
    2.0 * norm(&(&u - &v)).atan2(norm(&(&u + &v)))
}

/// ‖v‖ without over- or underflow of the squares.
fn norm(v: &DVector<f64>) -> f64 {
    let scale = power_of_two(largest(v));
    scale * (v / scale).norm()
}

/// `v/‖v‖`; zero stays zero.
fn unit(v: &[f64]) -> DVector<f64> {
    let v = DVector::from_column_slice(v);
    let v = &v / power_of_two(largest(&v));
    let norm = v.norm();
    if norm == 0.0 { v } else { v / norm }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::{FRAC_PI_2, PI};

    #[test]
    fn angles_from_tiny_to_opposite() {
        for phi in [1e-300, 1e-12, 1e-3, 1.0, 3.0] {
            let measured = angle(&[2.0, 0.0], &[5.0 * f64::cos(phi), 5.0 * f64::sin(phi)]);
            assert!((measured / phi - 1.0).abs() < 1e-14, "{phi} {measured}");
        }
        assert!(angle(&[1e300, 1e300], &[1e-300, 1e-300]) < 3e-16);
        assert_eq!(angle(&[1.0, 2.0], &[-1.0, -2.0]), PI);
        assert!((angle(&[0.0, 0.0], &[1.0, 0.0]) - FRAC_PI_2).abs() < 1e-15);
    }
}
