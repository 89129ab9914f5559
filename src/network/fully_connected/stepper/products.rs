//! Products of matrices and vectors where one operand is padded to whole vectors, or consists of vectors of runs.
//!
//! Matrices are stored column by column. Sums are kept in enough registers to hide the latency of a fused multiply-add.

use pulp::Simd;

/// `out = start + Σ_j x_j a_j` over the columns `a_j` of `matrix`, padded like `out` to whole vectors.
#[inline(always)]
pub(super) fn combine<S: Simd>(simd: S, matrix: &[f64], x: &[f64], start: &[f64], out: &mut [f64]) {
    let matrix = S::as_simd_f64s(matrix).0;
    let start = S::as_simd_f64s(start).0;
    let out = S::as_mut_simd_f64s(out).0;
    let mut first = 0;
    while first < out.len() {
        first += match out.len() - first {
            1 => combine_rows::<S, 1>(simd, matrix, x, start, out, first),
            2 => combine_rows::<S, 2>(simd, matrix, x, start, out, first),
            3 => combine_rows::<S, 3>(simd, matrix, x, start, out, first),
            5 => combine_rows::<S, 5>(simd, matrix, x, start, out, first),
            6 => combine_rows::<S, 6>(simd, matrix, x, start, out, first),
            _ => combine_rows::<S, 4>(simd, matrix, x, start, out, first),
        };
    }
}

/// Vectors `first .. first + B` of [`combine`]; returns B.
#[inline(always)]
fn combine_rows<S: Simd, const B: usize>(
    simd: S,
    matrix: &[S::f64s],
    x: &[f64],
    start: &[S::f64s],
    out: &mut [S::f64s],
    first: usize,
) -> usize {
    let rows = out.len();
    let mut even = [simd.splat_f64s(0.0); B];
    even.copy_from_slice(&start[first..first + B]);
    let mut odd = [simd.splat_f64s(0.0); B];
    let (pairs, last) = x.as_chunks::<2>();
    let columns = matrix.chunks_exact(2 * rows);
    if let ([x_j], column) = (last, columns.remainder()) {
        let column = &column[first..first + B];
        let x_j = simd.splat_f64s(*x_j);
        for b in 0..B {
            odd[b] = simd.mul_f64s(column[b], x_j);
        }
    }
    for (two, [x_0, x_1]) in columns.zip(pairs) {
        let (a_0, a_1) = (&two[first..first + B], &two[rows + first..rows + first + B]);
        let (x_0, x_1) = (simd.splat_f64s(*x_0), simd.splat_f64s(*x_1));
        for b in 0..B {
            even[b] = simd.mul_add_e_f64s(a_0[b], x_0, even[b]);
            odd[b] = simd.mul_add_e_f64s(a_1[b], x_1, odd[b]);
        }
    }
    for b in 0..B {
        out[first + b] = simd.add_f64s(even[b], odd[b]);
    }
    B
}

/// `out = wᵀ h` and then `w += h δᵀ`, reading w once; columns of w and h are padded to whole vectors.
#[inline(always)]
pub(super) fn project_and_add<S: Simd>(
    simd: S,
    w: &mut [f64],
    h: &[f64],
    delta: &[f64],
    out: &mut [f64],
) {
    let w = S::as_mut_simd_f64s(w).0;
    let h = S::as_simd_f64s(h).0;
    let mut first = 0;
    while first < h.len() {
        first += match h.len() - first {
            1 => project_and_add_rows::<S, 1>(simd, w, h, delta, out, first),
            2 => project_and_add_rows::<S, 2>(simd, w, h, delta, out, first),
            3 => project_and_add_rows::<S, 3>(simd, w, h, delta, out, first),
            5 => project_and_add_rows::<S, 5>(simd, w, h, delta, out, first),
            6 => project_and_add_rows::<S, 6>(simd, w, h, delta, out, first),
            _ => project_and_add_rows::<S, 4>(simd, w, h, delta, out, first),
        };
    }
}

/// Vectors `first .. first + B` of [`project_and_add`]; returns B.
#[inline(always)]
fn project_and_add_rows<S: Simd, const B: usize>(
    simd: S,
    w: &mut [S::f64s],
    h: &[S::f64s],
    delta: &[f64],
    out: &mut [f64],
    first: usize,
) -> usize {
    let rows = h.len();
    let mut h_rows = [simd.splat_f64s(0.0); B];
    h_rows.copy_from_slice(&h[first..first + B]);
    for ((column, delta_j), out_j) in w.chunks_exact_mut(rows).zip(delta).zip(out) {
        let column = &mut column[first..first + B];
        let delta_j = simd.splat_f64s(*delta_j);
        let mut sum = simd.splat_f64s(0.0);
        for b in 0..B {
            sum = simd.mul_add_e_f64s(column[b], h_rows[b], sum);
            column[b] = simd.mul_add_e_f64s(h_rows[b], delta_j, column[b]);
        }
        let sum = simd.reduce_sum_f64s(sum);
        *out_j = if first == 0 { sum } else { *out_j + sum };
    }
    B
}

/// The last two layers at once: with `h' = wᵀ h`, first `w += h δᵀ` and `last += h'` (δ is the old `last` unless
/// given), then `s = w last`; w is read once.
#[inline(always)]
pub(super) fn turn<S: Simd>(
    simd: S,
    w: &mut [f64],
    h: &[f64],
    delta: Option<&[f64]>,
    last: &mut [f64],
    s: &mut [f64],
) {
    let w = S::as_mut_simd_f64s(w).0;
    let h = S::as_simd_f64s(h).0;
    let s = S::as_mut_simd_f64s(s).0;
    match h.len() {
        1 => turn_rows::<S, 1>(simd, w, h, delta, last, s),
        2 => turn_rows::<S, 2>(simd, w, h, delta, last, s),
        3 => turn_rows::<S, 3>(simd, w, h, delta, last, s),
        4 => turn_rows::<S, 4>(simd, w, h, delta, last, s),
        5 => turn_rows::<S, 5>(simd, w, h, delta, last, s),
        6 => turn_rows::<S, 6>(simd, w, h, delta, last, s),
        _ => turn_any(simd, w, h, delta, last, s),
    }
}

/// [`turn`] for columns of B vectors, h and s in registers.
#[inline(always)]
fn turn_rows<S: Simd, const B: usize>(
    simd: S,
    w: &mut [S::f64s],
    h: &[S::f64s],
    delta: Option<&[f64]>,
    last: &mut [f64],
    s: &mut [S::f64s],
) {
    let mut h_rows = [simd.splat_f64s(0.0); B];
    h_rows.copy_from_slice(h);
    let mut s_rows = [simd.splat_f64s(0.0); B];
    let (columns, _) = w.as_chunks_mut::<B>();
    for (j, (column, last_j)) in columns.iter_mut().zip(last).enumerate() {
        let mut sum = simd.splat_f64s(0.0);
        for b in 0..B {
            sum = simd.mul_add_e_f64s(column[b], h_rows[b], sum);
        }
        let delta_j = simd.splat_f64s(delta.map_or(*last_j, |delta| delta[j]));
        *last_j += simd.reduce_sum_f64s(sum);
        let last_j = simd.splat_f64s(*last_j);
        for b in 0..B {
            column[b] = simd.mul_add_e_f64s(h_rows[b], delta_j, column[b]);
            s_rows[b] = simd.mul_add_e_f64s(column[b], last_j, s_rows[b]);
        }
    }
    s.copy_from_slice(&s_rows);
}

/// [`turn`] for columns of any length.
#[inline(always)]
fn turn_any<S: Simd>(
    simd: S,
    w: &mut [S::f64s],
    h: &[S::f64s],
    delta: Option<&[f64]>,
    last: &mut [f64],
    s: &mut [S::f64s],
) {
    s.fill(simd.splat_f64s(0.0));
    for (j, (column, last_j)) in w.chunks_exact_mut(h.len()).zip(last).enumerate() {
        let delta_j = simd.splat_f64s(delta.map_or(*last_j, |delta| delta[j]));
        *last_j += dot(simd, column, h);
        let last_j = simd.splat_f64s(*last_j);
        for ((w_i, h_i), s_i) in column.iter_mut().zip(h).zip(s.iter_mut()) {
            *w_i = simd.mul_add_e_f64s(*h_i, delta_j, *w_i);
            *s_i = simd.mul_add_e_f64s(*w_i, last_j, *s_i);
        }
    }
}

#[inline(always)]
fn dot<S: Simd>(simd: S, x: &[S::f64s], y: &[S::f64s]) -> f64 {
    let mut sums = [simd.splat_f64s(0.0); 4];
    let (x_fours, x_rest) = x.as_chunks::<4>();
    let (y_fours, y_rest) = y.as_chunks::<4>();
    for (x, y) in x_fours.iter().zip(y_fours) {
        for k in 0..4 {
            sums[k] = simd.mul_add_e_f64s(x[k], y[k], sums[k]);
        }
    }
    for (x, y) in x_rest.iter().zip(y_rest) {
        sums[0] = simd.mul_add_e_f64s(*x, *y, sums[0]);
    }
    simd.reduce_sum_f64s(simd.add_f64s(
        simd.add_f64s(sums[0], sums[1]),
        simd.add_f64s(sums[2], sums[3]),
    ))
}

/// `s = w x`, summed in the order of [`turn`].
#[inline(always)]
pub(super) fn combine_in_order<S: Simd>(simd: S, w: &[f64], x: &[f64], s: &mut [f64]) {
    let w = S::as_simd_f64s(w).0;
    let s = S::as_mut_simd_f64s(s).0;
    s.fill(simd.splat_f64s(0.0));
    for (column, x_j) in w.chunks_exact(s.len()).zip(x) {
        let x_j = simd.splat_f64s(*x_j);
        for (w_i, s_i) in column.iter().zip(s.iter_mut()) {
            *s_i = simd.mul_add_e_f64s(*w_i, x_j, *s_i);
        }
    }
}

/// `target += x`, both padded to whole vectors.
#[inline(always)]
pub(super) fn add<S: Simd>(simd: S, target: &mut [f64], x: &[f64]) {
    for (t, x) in S::as_mut_simd_f64s(target)
        .0
        .iter_mut()
        .zip(S::as_simd_f64s(x).0)
    {
        *t = simd.add_f64s(*t, *x);
    }
}
