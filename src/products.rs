//! Products of a matrix (column after column) with vectors, in vector instructions chosen at run time, reading every
//! entry once.

use pulp::{Arch, Simd, WithSimd};

/// Columns processed together.
const TOGETHER: usize = 4;

/// `out = wᵀ x`, w with as many rows as x has entries.
pub(crate) fn transposed_product(w: &[f64], x: &[f64], out: &mut [f64]) {
    Arch::new().dispatch(Transposed { w, x, out });
}

/// `out = wᵀ x` for matrices of that many rows, column after column; `out` has a column for each of x.
pub(crate) fn transposed_products(w: &[f64], x: &[f64], rows: usize, out: &mut [f64]) {
    Arch::new().dispatch(TransposedProducts { w, x, rows, out });
}

/// `out = w x`, w with as many columns as x has entries.
pub(crate) fn product(w: &[f64], x: &[f64], out: &mut [f64]) {
    out.fill(0.0);
    Arch::new().dispatch(Combined {
        w,
        x: [x],
        out: [out],
    });
}

/// `out_i = w x_i` for two vectors at once.
pub(crate) fn product_pair(w: &[f64], x: [&[f64]; 2], out: [&mut [f64]; 2]) {
    let [a, b] = out;
    a.fill(0.0);
    b.fill(0.0);
    Arch::new().dispatch(Combined { w, x, out: [a, b] });
}

/// `out += w x`
pub(crate) fn add_product(w: &[f64], x: &[f64], out: &mut [f64]) {
    Arch::new().dispatch(Combined {
        w,
        x: [x],
        out: [out],
    });
}

/// `target += left rightᵀ` for a target with as many rows as `left`; `right` is given row by row, with `terms`
/// numbers for each column of the target.
pub(crate) fn add_outer_products(target: &mut [f64], rows: usize, left: &[f64], right: &[f64]) {
    Arch::new().dispatch(Outer {
        target,
        rows,
        left,
        right,
    });
}

struct Transposed<'a> {
    w: &'a [f64],
    x: &'a [f64],
    out: &'a mut [f64],
}

impl WithSimd for Transposed<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let rows = self.x.len();
        let (x, x_rest) = S::as_simd_f64s(self.x);
        let columns = self.w.chunks_exact(TOGETHER * rows);
        let single = columns.remainder().chunks_exact(rows);
        let (fours, ones) = self.out.split_at_mut(self.out.len() / TOGETHER * TOGETHER);
        for (four, out) in columns.zip(fours.chunks_exact_mut(TOGETHER)) {
            let mut sums = [simd.splat_f64s(0.0); TOGETHER];
            let parts: [_; TOGETHER] =
                std::array::from_fn(|k| S::as_simd_f64s(&four[k * rows..(k + 1) * rows]));
            for (i, x) in x.iter().enumerate() {
                for k in 0..TOGETHER {
                    sums[k] = simd.mul_add_f64s(parts[k].0[i], *x, sums[k]);
                }
            }
            for k in 0..TOGETHER {
                let rest = parts[k].1.iter().zip(x_rest).map(|(w, x)| w * x);
                out[k] = simd.reduce_sum_f64s(sums[k]) + rest.sum::<f64>();
            }
        }
        for (column, out) in single.zip(ones) {
            let (w, w_rest) = S::as_simd_f64s(column);
            let mut sum = simd.splat_f64s(0.0);
            for (w, x) in w.iter().zip(x) {
                sum = simd.mul_add_f64s(*w, *x, sum);
            }
            let rest = w_rest.iter().zip(x_rest).map(|(w, x)| w * x);
            *out = simd.reduce_sum_f64s(sum) + rest.sum::<f64>();
        }
    }
}

struct TransposedProducts<'a> {
    w: &'a [f64],
    x: &'a [f64],
    rows: usize,
    out: &'a mut [f64],
}

impl WithSimd for TransposedProducts<'_> {
    type Output = ();

    /// Four columns by four, whose sixteen sums stay in registers.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let rows = self.rows;
        let columns = self.w.len() / rows;
        let full = columns / TOGETHER * TOGETHER;
        let panels = self.x.chunks(TOGETHER * rows);
        for (x, out) in panels.zip(self.out.chunks_mut(TOGETHER * columns)) {
            if x.len() == TOGETHER * rows {
                for j in (0..full).step_by(TOGETHER) {
                    let w = &self.w[j * rows..(j + TOGETHER) * rows];
                    let sums = tile(simd, w, x, rows);
                    for (k, sums) in sums.iter().enumerate() {
                        out[k * columns + j..k * columns + j + TOGETHER].copy_from_slice(sums);
                    }
                }
            }
            let done = if x.len() == TOGETHER * rows { full } else { 0 };
            for (x, out) in x.chunks_exact(rows).zip(out.chunks_exact_mut(columns)) {
                let (w, out) = (&self.w[done * rows..], &mut out[done..]);
                Transposed { w, x, out }.with_simd(simd);
            }
        }
    }
}

/// The products of four columns w with four columns x, those of one x after the other.
#[inline(always)]
fn tile<S: Simd>(simd: S, w: &[f64], x: &[f64], rows: usize) -> [[f64; TOGETHER]; TOGETHER] {
    let parts: [_; TOGETHER] =
        std::array::from_fn(|k| S::as_simd_f64s(&w[k * rows..(k + 1) * rows]));
    let others: [_; TOGETHER] =
        std::array::from_fn(|k| S::as_simd_f64s(&x[k * rows..(k + 1) * rows]));
    let mut sums = [[simd.splat_f64s(0.0); TOGETHER]; TOGETHER];
    for i in 0..parts[0].0.len() {
        let own: [_; TOGETHER] = std::array::from_fn(|k| parts[k].0[i]);
        for (sums, other) in sums.iter_mut().zip(&others) {
            let x = other.0[i];
            for (sum, w) in sums.iter_mut().zip(own) {
                *sum = simd.mul_add_f64s(w, x, *sum);
            }
        }
    }
    std::array::from_fn(|b| {
        std::array::from_fn(|a| {
            let rest = parts[a].1.iter().zip(others[b].1).map(|(w, x)| w * x);
            simd.reduce_sum_f64s(sums[b][a]) + rest.sum::<f64>()
        })
    })
}

/// `out_i += w x_i`
struct Combined<'a, const K: usize> {
    w: &'a [f64],
    x: [&'a [f64]; K],
    out: [&'a mut [f64]; K],
}

impl<const K: usize> WithSimd for Combined<'_, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let rows = self.out[0].len();
        let mut out = self.out.map(|out| S::as_mut_simd_f64s(out));
        let mut j = 0;
        let columns = self.w.chunks_exact(TOGETHER * rows);
        let single = columns.remainder().chunks_exact(rows);
        for four in columns {
            let parts: [_; TOGETHER] =
                std::array::from_fn(|k| S::as_simd_f64s(&four[k * rows..(k + 1) * rows]));
            for (x, (out, out_rest)) in self.x.iter().zip(&mut out) {
                let factors: [f64; TOGETHER] = std::array::from_fn(|k| x[j + k]);
                let splat = factors.map(|f| simd.splat_f64s(f));
                for (i, out) in out.iter_mut().enumerate() {
                    let mut sum = *out;
                    for k in 0..TOGETHER {
                        sum = simd.mul_add_f64s(parts[k].0[i], splat[k], sum);
                    }
                    *out = sum;
                }
                for (i, out) in out_rest.iter_mut().enumerate() {
                    for k in 0..TOGETHER {
                        *out += parts[k].1[i] * factors[k];
                    }
                }
            }
            j += TOGETHER;
        }
        for column in single {
            let (w, w_rest) = S::as_simd_f64s(column);
            for (x, (out, out_rest)) in self.x.iter().zip(&mut out) {
                let factor = simd.splat_f64s(x[j]);
                for (w, out) in w.iter().zip(out.iter_mut()) {
                    *out = simd.mul_add_f64s(*w, factor, *out);
                }
                for (w, out) in w_rest.iter().zip(out_rest.iter_mut()) {
                    *out += w * x[j];
                }
            }
            j += 1;
        }
    }
}

struct Outer<'a> {
    target: &'a mut [f64],
    rows: usize,
    left: &'a [f64],
    right: &'a [f64],
}

impl WithSimd for Outer<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let terms = self.left.len() / self.rows;
        if terms == 0 {
            return;
        }
        let columns = self.target.chunks_exact_mut(self.rows);
        for (column, factors) in columns.zip(self.right.chunks_exact(terms)) {
            Combined {
                w: self.left,
                x: [factors],
                out: [column],
            }
            .with_simd(simd);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::standard_normals;
    use nalgebra::{DMatrix, DVector};

    #[test]
    fn products_are_those_of_the_plain_loops() {
        for (rows, columns) in [(1, 1), (3, 5), (8, 4), (21, 13), (40, 1), (1, 9)] {
            let mut draws = standard_normals("products", 3);
            let mut draw = |n: usize| DVector::from_iterator(n, draws.by_ref().take(n));
            let w = DMatrix::from_column_slice(rows, columns, draw(rows * columns).as_slice());
            let (x, y, z) = (draw(columns), draw(columns), draw(rows));
            let close = |found: &[f64], exact: DVector<f64>| {
                let distance = (DVector::from_column_slice(found) - &exact).amax();
                assert!(
                    distance < 1e-13 * (1.0 + exact.amax()),
                    "{rows} × {columns}"
                );
            };
            let (mut a, mut b) = (vec![f64::NAN; rows], vec![f64::NAN; rows]);
            product(w.as_slice(), x.as_slice(), &mut a);
            close(&a, &w * &x);
            product_pair(w.as_slice(), [x.as_slice(), y.as_slice()], [&mut a, &mut b]);
            close(&a, &w * &x);
            close(&b, &w * &y);
            let mut t = vec![f64::NAN; columns];
            transposed_product(w.as_slice(), z.as_slice(), &mut t);
            close(&t, w.tr_mul(&z));
            for others in [1, 4, 6] {
                let x = DMatrix::from_column_slice(rows, others, draw(rows * others).as_slice());
                let mut products = vec![f64::NAN; columns * others];
                transposed_products(w.as_slice(), x.as_slice(), rows, &mut products);
                close(
                    &products,
                    DVector::from_column_slice(w.tr_mul(&x).as_slice()),
                );
            }
            let (left, right) = (draw(rows * 3), draw(columns * 3));
            let mut target = w.clone();
            add_outer_products(
                target.as_mut_slice(),
                rows,
                left.as_slice(),
                right.as_slice(),
            );
            let before = target.clone();
            add_outer_products(target.as_mut_slice(), rows, &[], &[]);
            assert_eq!(target, before);
            let left = DMatrix::from_column_slice(rows, 3, left.as_slice());
            let right = DMatrix::from_row_slice(columns, 3, right.as_slice());
            let exact = w + left * right.transpose();
            close(
                target.as_slice(),
                DVector::from_column_slice(exact.as_slice()),
            );
        }
    }
}
