//! Vector arithmetic of the fast steppers, on whatever instruction set the machine has.
//!
//! # The exponential
//! `e^x = 2^k e^r` with `k = ⌊x log_2 e + ½⌋` and `r = x − k ln 2`, so `|r| ≤ ½ ln 2`; with a fused multiply-add the
//! subtraction is exact up to the rounding of ln 2 itself, whose tail is subtracted next. `e^r = 1 + (r + r² q(r))`,
//! where q is the polynomial of degree 9 with the least relative error of e^r (4e-18), its even and odd parts summed
//! side by side. The only rounding that matters is the last one, so the result is within one unit in the last place.
//!
//! Adding `1.5·2^20 + ½` to `x log_2 e` leaves ⌊·⌋ in the lower half of the double's upper word: cutting off the lower
//! word gives k as a float, and shifting the upper one left by 20 puts k where it adds to the exponent of e^r.

use pulp::{Arch, Simd, WithSimd, bytemuck};
use std::ops::{Deref, DerefMut};

/// ln of the smallest normal double; below it [`exp`] is zero.
const LEAST_EXPONENT: f64 = -708.396_418_532_264_1;
/// ln of the largest double; above it [`exp`] is infinite.
const GREATEST_EXPONENT: f64 = 709.782_712_893_384;
const LN_2_TAIL: f64 = 2.319_046_813_846_299_6e-17;
const SHIFTER: f64 = 1.5 * 1_048_576.0;

/// Coefficients of q, that of r⁰ first; two per power of r².
const Q: [[f64; 2]; 5] = [
    [0.500_000_000_000_001_1, 0.166_666_666_666_664_13],
    [0.041_666_666_666_530_25, 0.008_333_333_333_494_345],
    [0.001_388_888_894_360_095_3, 0.000_198_412_695_067_596_06],
    [2.480_149_313_244_898_8e-5, 2.755_758_627_709_368_4e-6],
    [2.763_023_536_760_239_5e-7, 2.500_007_124_659_98e-8],
];

/// e^x in every lane, within one unit in the last place; 0 where it is below the smallest normal double, ∞ above the
/// largest double, NaN of NaN. Without vector instructions it is the standard library's.
#[inline(always)]
pub(crate) fn exp<S: Simd>(simd: S, x: S::f64s) -> S::f64s {
    if S::F64_LANES == 1 {
        let x: f64 = bytemuck::cast(x);
        return simd.splat_f64s(if x < LEAST_EXPONENT { 0.0 } else { x.exp() });
    }
    let shifted = simd.mul_add_f64s(
        x,
        simd.splat_f64s(std::f64::consts::LOG2_E),
        simd.splat_f64s(SHIFTER + 0.5),
    );
    let upper_word = simd.and_u64s(
        simd.transmute_u64s_f64s(shifted),
        simd.splat_u64s(0xFFFF_FFFF_0000_0000),
    );
    let minus_k = simd.sub_f64s(
        simd.splat_f64s(SHIFTER),
        simd.transmute_f64s_u64s(upper_word),
    );
    let r = simd.mul_add_f64s(minus_k, simd.splat_f64s(std::f64::consts::LN_2), x);
    let r = simd.mul_add_f64s(minus_k, simd.splat_f64s(LN_2_TAIL), r);
    let r_squared = simd.mul_f64s(r, r);
    let mut even = simd.splat_f64s(Q[4][0]);
    let mut odd = simd.splat_f64s(Q[4][1]);
    for [c_even, c_odd] in [Q[3], Q[2], Q[1], Q[0]] {
        even = simd.mul_add_f64s(even, r_squared, simd.splat_f64s(c_even));
        odd = simd.mul_add_f64s(odd, r_squared, simd.splat_f64s(c_odd));
    }
    let q = simd.mul_add_f64s(odd, r, even);
    let y = simd.add_f64s(simd.mul_add_f64s(r_squared, q, r), simd.splat_f64s(1.0));
    let exponent: S::u64s = bytemuck::cast(simd.wrapping_dyn_shl_u32s(
        bytemuck::cast::<S::u64s, S::u32s>(upper_word),
        simd.splat_u32s(20),
    ));
    let y = simd.transmute_f64s_u64s(simd.add_u64s(simd.transmute_u64s_f64s(y), exponent));
    // ∞ and NaN are passed through: adding ∞ to them leaves them unchanged.
    let y = simd.select_f64s(
        simd.less_than_or_equal_f64s(x, simd.splat_f64s(GREATEST_EXPONENT)),
        y,
        simd.add_f64s(x, simd.splat_f64s(f64::INFINITY)),
    );
    simd.select_f64s(
        simd.less_than_f64s(x, simd.splat_f64s(LEAST_EXPONENT)),
        simd.splat_f64s(0.0),
        y,
    )
}

/// Replaces every x by e^x as the steppers compute it: within one unit in the last place, and 0 below the smallest
/// normal double.
pub fn exponentials(x: &mut [f64]) {
    struct Exponentials<'a>(&'a mut [f64]);

    impl WithSimd for Exponentials<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let (vectors, rest) = S::as_mut_simd_f64s(self.0);
            for x in vectors {
                *x = exp(simd, *x);
            }
            let last = exp(simd, simd.partial_load_f64s(rest));
            simd.partial_store_f64s(rest, last);
        }
    }

    Arch::new().dispatch(Exponentials(x));
}

/// Numbers that start on a cache line, so that no vector straddles two.
#[derive(Debug)]
pub(crate) struct Aligned {
    storage: Vec<f64>,
    start: usize,
    length: usize,
}

impl Aligned {
    const LINE: usize = 64;

    /// `length` zeros.
    pub(crate) fn zeros(length: usize) -> Self {
        let storage = vec![0.0; length + Self::LINE / size_of::<f64>() - 1];
        // `align_offset` is allowed to fail; the results are then still correct, only slower.
        let start = match storage.as_ptr().align_offset(Self::LINE) {
            usize::MAX => 0,
            offset => offset,
        };
        Self {
            storage,
            start,
            length,
        }
    }
}

impl Deref for Aligned {
    type Target = [f64];

    #[inline(always)]
    fn deref(&self) -> &[f64] {
        &self.storage[self.start..self.start + self.length]
    }
}

impl DerefMut for Aligned {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [f64] {
        &mut self.storage[self.start..self.start + self.length]
    }
}

/// An instruction set, and the width of vectors it is used on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Vectors {
    /// The instruction set on its full vectors.
    Whole(Arch),
    /// AVX-512 on vectors of half its width: twice as many registers as AVX2 has.
    #[cfg(target_arch = "x86_64")]
    Half(pulp::x86::V4, pulp::x86::V3),
}

impl Vectors {
    /// The best instruction set, on at most four doubles at a time.
    pub(crate) fn narrow() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(half) = pulp::x86::V3::try_new() {
            return match pulp::x86::V4::try_new() {
                Some(whole) => Self::Half(whole, half),
                None => Self::Whole(Arch::V3(half)),
            };
        }
        Self::Whole(Arch::new())
    }

    #[inline]
    pub(crate) fn dispatch<Op: WithSimd>(self, operation: Op) -> Op::Output {
        match self {
            Self::Whole(arch) => arch.dispatch(operation),
            #[cfg(target_arch = "x86_64")]
            Self::Half(whole, half) => {
                struct Inside<Op>(pulp::x86::V3, Op);

                impl<Op: WithSimd> WithSimd for Inside<Op> {
                    type Output = Op::Output;
                    #[inline(always)]
                    fn with_simd<S: Simd>(self, _: S) -> Op::Output {
                        self.1.with_simd(self.0)
                    }
                }

                Arch::V4(whole).dispatch(Inside(half, operation))
            }
        }
    }

    /// The number of doubles in one vector.
    pub(crate) fn width(self) -> usize {
        struct Width;
        impl WithSimd for Width {
            type Output = usize;
            #[inline(always)]
            fn with_simd<S: Simd>(self, _: S) -> usize {
                S::F64_LANES
            }
        }
        self.dispatch(Width)
    }
}

/// The number of doubles in one vector.
pub(crate) fn width(arch: Arch) -> usize {
    Vectors::Whole(arch).width()
}

/// The instruction sets of this machine, the scalar one included.
#[cfg(test)]
pub(crate) fn instruction_sets() -> [Arch; 3] {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        return [Arch::Scalar, Arch::V3(simd), Arch::new()];
    }
    [Arch::Scalar, Arch::Scalar, Arch::new()]
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Exponentials<'a>(&'a mut [f64]);

    impl WithSimd for Exponentials<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let (vectors, rest) = S::as_mut_simd_f64s(self.0);
            assert!(rest.is_empty(), "whole vectors only");
            for x in vectors {
                *x = exp(simd, *x);
            }
        }
    }

    fn exponentials(set: Arch, x: &[f64]) -> Vec<f64> {
        let mut y = x.to_vec();
        y.resize(x.len().next_multiple_of(width(set)), 0.0);
        set.dispatch(Exponentials(&mut y));
        y.truncate(x.len());
        y
    }

    /// Distance in units of the last place of `y`.
    fn units_apart(y: f64, other: f64) -> u64 {
        y.to_bits().abs_diff(other.to_bits())
    }

    #[test]
    fn exponentials_are_within_one_unit_in_the_last_place() {
        let mut x: Vec<f64> = (0..400_000)
            .map(|k| -708.39 + f64::from(k) * (709.78 + 708.39) / 400_000.0)
            .collect();
        x.extend((0..100_000).map(|k| (f64::from(k) - 50_000.0) * 2.1e-5));
        x.extend((0..600).map(|k| 0.5f64.powi(k)));
        x.extend([LEAST_EXPONENT, GREATEST_EXPONENT, 0.0, -0.0]);
        for set in instruction_sets() {
            for (x, y) in x.iter().zip(exponentials(set, &x)) {
                assert!(
                    units_apart(y, x.exp()) <= 1,
                    "{set:?}: exp({x:e}) = {y:e}, not {:e}",
                    x.exp()
                );
            }
        }
    }

    #[test]
    fn exponentials_beyond_the_range_are_zero_infinite_or_nan() {
        let zero = [f64::NEG_INFINITY, f64::MIN, -1e4, -745.0, -708.397];
        let infinite = [f64::INFINITY, f64::MAX, 1e4, 709.782_712_893_384_2];
        let odd_nan = f64::from_bits(0x7FF8_0000_0000_0FFF);
        for set in instruction_sets() {
            assert_eq!(exponentials(set, &zero), [0.0; 5], "{set:?}");
            assert_eq!(exponentials(set, &infinite), [f64::INFINITY; 4], "{set:?}");
            let nan = exponentials(set, &[f64::NAN, -f64::NAN, odd_nan]);
            assert!(nan.iter().all(|y| y.is_nan()), "{set:?}: {nan:?}");
        }
    }

    #[test]
    fn exponentials_of_any_number_of_values() {
        for length in 0..20 {
            let x: Vec<f64> = (0..length).map(|k| f64::from(k) - 7.3).collect();
            let mut y = x.clone();
            super::exponentials(&mut y);
            for (x, y) in x.iter().zip(y) {
                assert!(units_apart(y, x.exp()) <= 1);
            }
        }
    }

    #[test]
    fn aligned_numbers_start_on_a_cache_line() {
        for length in [0, 1, 7, 8, 1000] {
            let mut numbers = Aligned::zeros(length);
            assert_eq!(numbers.as_ptr().align_offset(64), 0);
            assert_eq!(*numbers, vec![0.0; length]);
            numbers.fill(2.0);
            assert_eq!(*numbers, vec![2.0; length]);
        }
    }
}
