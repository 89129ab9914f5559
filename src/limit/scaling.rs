//! Exact scaling of the data, so that squares do not overflow and tolerances are relative to max‖g_n‖.

use nalgebra::DMatrix;

/// The power of two just below `x` (which must be positive and finite), within 2^±1000; one if x is zero.
pub(super) fn power_of_two(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    2f64.powi((x.log2().floor() as i32).clamp(-1000, 1000))
}

/// Largest modulus; infinite if any entry is not finite.
pub(super) fn largest<'a>(entries: impl IntoIterator<Item = &'a f64>) -> f64 {
    entries.into_iter().fold(0.0, |largest: f64, x| {
        if x.is_finite() {
            largest.max(x.abs())
        } else {
            f64::INFINITY
        }
    })
}

/// Length of the longest column.
pub(super) fn longest(columns: &DMatrix<f64>) -> f64 {
    columns.column_iter().map(|g| g.norm()).fold(0.0, f64::max)
}

/// Signed samples as columns (D × N), divided by `unit`, a power of two (so the division is exact).
#[derive(Debug, Clone)]
pub(super) struct ScaledSamples {
    pub columns: DMatrix<f64>,
    pub unit: f64,
}

impl ScaledSamples {
    /// `None` if an entry is not finite.
    pub(super) fn new(signed_samples: &DMatrix<f64>) -> Option<Self> {
        let size = largest(signed_samples.iter());
        if !size.is_finite() {
            return None;
        }
        let unit = power_of_two(size);
        Some(Self {
            columns: signed_samples.transpose() / unit,
            unit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaling_is_exact_and_brings_the_largest_entry_near_one() {
        for size in [1e-300, 3e-7, 1.0, 5.5, 1e300] {
            let g = DMatrix::from_row_slice(1, 2, &[size, -size / 3.0]);
            let scaled = ScaledSamples::new(&g).unwrap();
            assert!((1.0..2.0).contains(&scaled.columns[(0, 0)]), "{size}");
            assert_eq!(scaled.columns[(0, 0)] * scaled.unit, size);
            assert_eq!(scaled.columns[(1, 0)] * scaled.unit, -size / 3.0);
        }
        assert_eq!(power_of_two(0.0), 1.0);
    }

    #[test]
    fn entries_that_are_not_finite_are_refused() {
        assert!(ScaledSamples::new(&DMatrix::from_element(1, 1, f64::NAN)).is_none());
        assert!(largest(&[1.0, f64::NEG_INFINITY]).is_infinite());
    }
}
