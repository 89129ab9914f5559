//! Doubled arithmetic: numbers held as an unevaluated sum `hi + lo` of two f64 (about 32 digits).
//!
//! Certificates depend on differences of nearly equal numbers (margins of support vectors, the cancelling sum `Gᵀa`),
//! and an active-set solution of an ill-conditioned problem is only as good as the residuals used to refine it. Both
//! need twice the digits of f64, but only in dot products and vector updates. The building blocks are the error-free
//! transformations of Knuth (sum) and Dekker–Veltkamp (product); the dot product is Dot2 of Ogita, Rump & Oishi (2005).
//! Entries must stay well inside the exponent range (products below 1e300): callers scale their data by powers of two.

use nalgebra::DVector;
use pulp::{Arch, Simd, WithSimd};

/// `hi + lo`, with `|lo|` at most half a unit in the last place of `hi`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Doubled {
    pub hi: f64,
    pub lo: f64,
}

/// `a + b = s + e` exactly.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let s = a + b;
    let t = s - a;
    (s, (a - (s - t)) + (b - t))
}

/// Splits into two halves of 26 bits.
fn split(a: f64) -> (f64, f64) {
    const FACTOR: f64 = 134_217_729.0; // 2^27 + 1
    let c = FACTOR * a;
    let high = c - (c - a);
    (high, a - high)
}

/// `a b = p + e` exactly (barring underflow). Dekker's form: a fused multiply-add is a slow library call on the
/// baseline instruction set.
fn two_product(a: f64, b: f64) -> (f64, f64) {
    let p = a * b;
    let (ah, al) = split(a);
    let (bh, bl) = split(b);
    (p, al * bl - (((p - ah * bh) - al * bh) - ah * bl))
}

impl Doubled {
    pub(crate) fn new(hi: f64, lo: f64) -> Self {
        let (hi, lo) = two_sum(hi, lo);
        Self { hi, lo }
    }

    /// `self − other`, rounded to f64 only at the end.
    pub(crate) fn minus(self, other: Self) -> f64 {
        let (s, e) = two_sum(self.hi, -other.hi);
        s + (e + (self.lo - other.lo))
    }

    /// `self + hi + lo`, not normalised.
    #[inline(always)]
    fn plus(self, hi: f64, lo: f64) -> Self {
        let (s, f) = two_sum(self.hi, hi);
        Self {
            hi: s,
            lo: self.lo + (f + lo),
        }
    }

    pub(crate) fn value(self) -> f64 {
        self.hi + self.lo
    }
}

/// A vector of doubled numbers.
#[derive(Debug, Clone)]
pub(crate) struct DoubledVector {
    pub hi: DVector<f64>,
    lo: DVector<f64>,
}

impl From<DVector<f64>> for DoubledVector {
    fn from(hi: DVector<f64>) -> Self {
        let lo = DVector::zeros(hi.len());
        Self { hi, lo }
    }
}

impl DoubledVector {
    pub(crate) fn zeros(length: usize) -> Self {
        DVector::zeros(length).into()
    }

    pub(crate) fn get(&self, i: usize) -> Doubled {
        Doubled {
            hi: self.hi[i],
            lo: self.lo[i],
        }
    }

    pub(crate) fn set(&mut self, i: usize, value: Doubled) {
        self.hi[i] = value.hi;
        self.lo[i] = value.lo;
    }

    /// `self += x`.
    pub(crate) fn add(&mut self, x: &DVector<f64>) {
        for i in 0..x.len() {
            let (s, e) = two_sum(self.hi[i], x[i]);
            self.set(i, Doubled::new(s, e + self.lo[i]));
        }
    }

    /// `self −= other`.
    pub(crate) fn subtract(&mut self, other: &Self) {
        self.add(&-&other.hi);
        self.add(&-&other.lo);
    }

    /// `self *= 2^k`, exactly.
    pub(crate) fn scale(&mut self, power_of_two: f64) {
        self.hi *= power_of_two;
        self.lo *= power_of_two;
    }

    /// `self (1 − t) + other t`, accurate to f64.
    pub(crate) fn between(&self, other: &Self, t: f64) -> Self {
        (&self.hi * (1.0 - t) + &other.hi * t).into()
    }

    /// `self += c x`.
    pub(crate) fn add_scaled(&mut self, c: Doubled, x: &[f64]) {
        for (i, &x) in x.iter().enumerate() {
            let (p, e) = two_product(c.hi, x);
            let (s, f) = two_sum(self.hi[i], p);
            self.set(i, Doubled::new(s, self.lo[i] + (f + (e + c.lo * x))));
        }
    }

    /// `x · self`.
    pub(crate) fn dot(&self, x: &[f64]) -> Doubled {
        let length = x.len();
        Arch::new().dispatch(Dot {
            x,
            hi: &self.hi.as_slice()[..length],
            lo: &self.lo.as_slice()[..length],
        })
    }

    /// `self − other`, rounded to f64 at the end.
    pub(crate) fn minus(&self, other: &Self) -> DVector<f64> {
        DVector::from_fn(self.hi.len(), |i, _| self.get(i).minus(other.get(i)))
    }
}

/// Sums that are formed side by side: each waits for its own last addition.
const BESIDE: usize = 4;

/// `x · (hi + lo)` in vector instructions, with the sums of all lanes added up in the end.
struct Dot<'a> {
    x: &'a [f64],
    hi: &'a [f64],
    lo: &'a [f64],
}

impl WithSimd for Dot<'_> {
    type Output = Doubled;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Doubled {
        let (x, x_rest) = S::as_simd_f64s(self.x);
        let (hi, hi_rest) = S::as_simd_f64s(self.hi);
        let (lo, lo_rest) = S::as_simd_f64s(self.lo);
        let zero = simd.splat_f64s(0.0);
        let (mut sums, mut errors) = ([zero; BESIDE], [zero; BESIDE]);
        let full = x.len() / BESIDE * BESIDE;
        for i in (0..full).step_by(BESIDE) {
            for k in 0..BESIDE {
                let term = [x[i + k], hi[i + k], lo[i + k]];
                (sums[k], errors[k]) = added(simd, (sums[k], errors[k]), term);
            }
        }
        for i in full..x.len() {
            let k = i - full;
            (sums[k], errors[k]) = added(simd, (sums[k], errors[k]), [x[i], hi[i], lo[i]]);
        }
        let mut total = Doubled { hi: 0.0, lo: 0.0 };
        let lanes = pulp::bytemuck::cast_slice::<S::f64s, f64>;
        for (sum, error) in lanes(&sums).iter().zip(lanes(&errors)) {
            total = total.plus(*sum, *error);
        }
        for (x, (hi, lo)) in x_rest.iter().zip(hi_rest.iter().zip(lo_rest)) {
            let (p, e) = two_product(*x, *hi);
            total = total.plus(p, e + x * lo);
        }
        Doubled::new(total.hi, total.lo)
    }
}

/// Sums and their errors in lanes, after another term `x (hi + lo)`: `two_product` by a fused multiply-add, and
/// `two_sum`.
#[inline(always)]
fn added<S: Simd>(
    simd: S,
    (sum, error): (S::f64s, S::f64s),
    [x, hi, lo]: [S::f64s; 3],
) -> (S::f64s, S::f64s) {
    let p = simd.mul_f64s(x, hi);
    let e = simd.mul_add_f64s(x, hi, simd.neg_f64s(p));
    let s = simd.add_f64s(sum, p);
    let t = simd.sub_f64s(s, sum);
    let of_sum = simd.sub_f64s(sum, simd.sub_f64s(s, t));
    let f = simd.add_f64s(of_sum, simd.sub_f64s(p, t));
    let small = simd.add_f64s(f, simd.mul_add_f64s(x, lo, e));
    (s, simd.add_f64s(error, small))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Terms that cancel but for a few digits, in every order of lanes and remainder, against rationals.
    #[test]
    fn dot_products_of_any_length_have_thirty_digits() {
        use crate::dataset::standard_normals;
        use num_rational::BigRational;
        use num_traits::{ToPrimitive, Zero};
        let exact = |x: f64| BigRational::from_float(x).unwrap();
        for length in 1..70 {
            let draws = standard_normals("doubled", length).take(3 * length as usize);
            let draws: Vec<f64> = draws.collect();
            let (x, rest) = draws.split_at(length as usize);
            let (hi, small) = rest.split_at(length as usize);
            let mut vector = DoubledVector::from(DVector::from_column_slice(hi));
            for (i, small) in small.iter().enumerate() {
                vector.set(i, Doubled::new(hi[i], small * 1e-17));
            }
            // the last term cancels the others
            let so_far = vector.dot(&x[..x.len() - 1]).value();
            let mut x = x.to_vec();
            let last = x.len() - 1;
            x[last] = -so_far / vector.get(last).value();
            let found = vector.dot(&x);
            let mut sum = BigRational::zero();
            for (i, x) in x.iter().enumerate() {
                let Doubled { hi, lo } = vector.get(i);
                sum += exact(*x) * (exact(hi) + exact(lo));
            }
            let error = (sum - exact(found.hi) - exact(found.lo)).to_f64().unwrap();
            assert!(error.abs() < 1e-29, "{length}: {error:e}");
        }
    }

    #[test]
    fn products_and_sums_lose_nothing() {
        let a = 1.0 + 2f64.powi(-30);
        // a² = 1 + 2^-29 + 2^-60, which does not fit in 53 bits.
        assert_eq!(two_product(a, a), (1.0 + 2f64.powi(-29), 2f64.powi(-60)));
        assert_eq!(two_sum(1.0, 1e-30), (1.0, 1e-30));
    }

    #[test]
    fn dot_product_survives_full_cancellation() {
        let x = DoubledVector::from(DVector::from_vec(vec![1e16, 1.0, -1e16]));
        assert_eq!(x.dot(&[1.0, 1e-9, 1.0]).value(), 1e-9);
    }

    #[test]
    fn updates_keep_thirty_digits() {
        let mut x = DoubledVector::from(DVector::from_vec(vec![1.0]));
        x.add(&DVector::from_vec(vec![3e-25]));
        x.add_scaled(Doubled::new(-1.0, 0.0), &[1.0]);
        assert_eq!(x.get(0).value(), 3e-25);
        let third = Doubled::new(1.0 / 3.0, (1.0 - 3.0 * (1.0 / 3.0f64)) / 3.0);
        assert!(third.minus(Doubled::new(1.0 / 3.0, 0.0)).abs() < 1e-16);
    }
}
