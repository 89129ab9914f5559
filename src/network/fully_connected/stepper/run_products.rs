//! Products of matrices and vectors whose entries are vectors of runs.
//!
//! Matrices are stored column by column. Sums are kept in enough registers to hide the latency of a fused multiply-add.

use pulp::Simd;

/// `out = Σ_j x_j a_j` over the columns `a_j` of `matrix`, in their order.
#[inline(always)]
pub(super) fn combine_runs<S: Simd>(simd: S, matrix: &[f64], x: &[f64], out: &mut [f64]) {
    let matrix = S::as_simd_f64s(matrix).0;
    let x = S::as_simd_f64s(x).0;
    let out = S::as_mut_simd_f64s(out).0;
    let mut first = 0;
    while first < out.len() {
        first += match out.len() - first {
            1 => combine_rows::<S, 1>(simd, matrix, x, out, first),
            2 => combine_rows::<S, 2>(simd, matrix, x, out, first),
            3 => combine_rows::<S, 3>(simd, matrix, x, out, first),
            4 | 5 => combine_rows::<S, 4>(simd, matrix, x, out, first),
            6 | 7 => combine_rows::<S, 6>(simd, matrix, x, out, first),
            8 | 9 => combine_rows::<S, 8>(simd, matrix, x, out, first),
            _ => combine_rows::<S, 10>(simd, matrix, x, out, first),
        };
    }
}

/// Entries `first .. first + B` of [`combine_runs`]; returns B.
#[inline(always)]
fn combine_rows<S: Simd, const B: usize>(
    simd: S,
    matrix: &[S::f64s],
    x: &[S::f64s],
    out: &mut [S::f64s],
    first: usize,
) -> usize {
    let mut sum = [simd.splat_f64s(0.0); B];
    for (column, x_j) in matrix.chunks_exact(out.len()).zip(x) {
        let column = &column[first..first + B];
        let x_j = *x_j;
        for b in 0..B {
            sum[b] = simd.mul_add_e_f64s(column[b], x_j, sum[b]);
        }
    }
    out[first..first + B].copy_from_slice(&sum);
    B
}

/// `out = Σ_j x_j a_j` over the columns `a_j` of a `matrix` of numbers that all runs share.
#[inline(always)]
pub(super) fn combine_shared<S: Simd>(simd: S, matrix: &[f64], x: &[f64], out: &mut [f64]) {
    let x = S::as_simd_f64s(x).0;
    let out = S::as_mut_simd_f64s(out).0;
    let mut first = 0;
    while first < out.len() {
        first += match out.len() - first {
            1 => combine_shared_rows::<S, 1>(simd, matrix, x, out, first),
            2 => combine_shared_rows::<S, 2>(simd, matrix, x, out, first),
            3 => combine_shared_rows::<S, 3>(simd, matrix, x, out, first),
            4 | 5 => combine_shared_rows::<S, 4>(simd, matrix, x, out, first),
            6 | 7 => combine_shared_rows::<S, 6>(simd, matrix, x, out, first),
            8 | 9 => combine_shared_rows::<S, 8>(simd, matrix, x, out, first),
            _ => combine_shared_rows::<S, 10>(simd, matrix, x, out, first),
        };
    }
}

/// Entries `first .. first + B` of [`combine_shared`]; returns B.
#[inline(always)]
fn combine_shared_rows<S: Simd, const B: usize>(
    simd: S,
    matrix: &[f64],
    x: &[S::f64s],
    out: &mut [S::f64s],
    first: usize,
) -> usize {
    let mut sum = [simd.splat_f64s(0.0); B];
    for (column, x_j) in matrix.chunks_exact(out.len()).zip(x) {
        let column = &column[first..first + B];
        let x_j = *x_j;
        for b in 0..B {
            sum[b] = simd.mul_add_e_f64s(simd.splat_f64s(column[b]), x_j, sum[b]);
        }
    }
    out[first..first + B].copy_from_slice(&sum);
    B
}

/// The error signal δ_l of a layer.
#[derive(Clone, Copy)]
pub(super) enum Signal<'a> {
    /// Numbers that all runs share.
    Shared(&'a [f64]),
    /// Vectors of runs.
    OfRuns(&'a [f64]),
    /// `w_L` before the step.
    Last,
}

impl Signal<'_> {
    /// Entries `first .. first + B`.
    #[inline(always)]
    fn entries<S: Simd, const B: usize>(
        self,
        simd: S,
        first: usize,
        last: &[S::f64s],
    ) -> [S::f64s; B] {
        let mut entries = [simd.splat_f64s(0.0); B];
        let of_runs = match self {
            Self::Shared(b) => {
                for (entry, b) in entries.iter_mut().zip(&b[first..first + B]) {
                    *entry = simd.splat_f64s(*b);
                }
                return entries;
            }
            Self::OfRuns(s) => S::as_simd_f64s(s).0,
            Self::Last => last,
        };
        entries.copy_from_slice(&of_runs[first..first + B]);
        entries
    }
}

/// `out = wᵀ h` and then `w += h δᵀ`, reading w once.
#[inline(always)]
pub(super) fn project_and_add<S: Simd>(
    simd: S,
    w: &mut [f64],
    h: &[f64],
    delta: Signal<'_>,
    out: &mut [f64],
) {
    let w = S::as_mut_simd_f64s(w).0;
    let h = S::as_simd_f64s(h).0;
    let out = S::as_mut_simd_f64s(out).0;
    let mut first = 0;
    while first < out.len() {
        first += match out.len() - first {
            1..4 => project_and_add_columns::<S, 1>(simd, w, h, delta, out, first),
            _ => project_and_add_columns::<S, 4>(simd, w, h, delta, out, first),
        };
    }
}

/// Columns `first .. first + B` of [`project_and_add`]; returns B.
#[inline(always)]
fn project_and_add_columns<S: Simd, const B: usize>(
    simd: S,
    w: &mut [S::f64s],
    h: &[S::f64s],
    delta: Signal<'_>,
    out: &mut [S::f64s],
    first: usize,
) -> usize {
    let delta = delta.entries::<S, B>(simd, first, &[]);
    let columns = columns::<S, B>(w, h.len(), first);
    for column in &columns {
        // Asserted once, so that no entry needs its own bounds check.
        assert_eq!(column.len(), h.len(), "rows");
    }
    let mut sum = [simd.splat_f64s(0.0); B];
    for (i, h_i) in h.iter().enumerate() {
        let h_i = *h_i;
        for c in 0..B {
            let w_ic = columns[c][i];
            sum[c] = simd.mul_add_e_f64s(w_ic, h_i, sum[c]);
            columns[c][i] = simd.mul_add_e_f64s(h_i, delta[c], w_ic);
        }
    }
    out[first..first + B].copy_from_slice(&sum);
    B
}

/// Columns `first .. first + B` of a matrix of `rows` rows.
#[inline(always)]
fn columns<S: Simd, const B: usize>(
    w: &mut [S::f64s],
    rows: usize,
    first: usize,
) -> [&mut [S::f64s]; B] {
    let mut columns = w[first * rows..(first + B) * rows].chunks_exact_mut(rows);
    std::array::from_fn(|_| columns.next().expect("B columns"))
}

/// The last two layers at once: with `h' = wᵀ h`, first `w += h δᵀ` and `last += h'`, and then `s = w last`, column by
/// column; w is read once.
#[inline(always)]
pub(super) fn turn<S: Simd>(
    simd: S,
    w: &mut [f64],
    h: &[f64],
    delta: Signal<'_>,
    last: &mut [f64],
    s: &mut [f64],
) {
    let w = S::as_mut_simd_f64s(w).0;
    let h = S::as_simd_f64s(h).0;
    let last = S::as_mut_simd_f64s(last).0;
    let s = S::as_mut_simd_f64s(s).0;
    s.fill(simd.splat_f64s(0.0));
    let mut first = 0;
    while first < last.len() {
        first += match last.len() - first {
            1..4 => turn_columns::<S, 1>(simd, w, h, delta, (last, s), first),
            _ => turn_columns::<S, 4>(simd, w, h, delta, (last, s), first),
        };
    }
}

/// Columns `first .. first + B` of [`turn`]; returns B.
#[inline(always)]
fn turn_columns<S: Simd, const B: usize>(
    simd: S,
    w: &mut [S::f64s],
    h: &[S::f64s],
    delta: Signal<'_>,
    (last, s): (&mut [S::f64s], &mut [S::f64s]),
    first: usize,
) -> usize {
    let delta = delta.entries::<S, B>(simd, first, last);
    let columns = columns::<S, B>(w, h.len(), first);
    for column in &columns {
        // Asserted once, so that no entry needs its own bounds check.
        assert_eq!(column.len(), h.len(), "rows");
    }
    let mut sum = [simd.splat_f64s(0.0); B];
    for (i, h_i) in h.iter().enumerate() {
        let h_i = *h_i;
        for c in 0..B {
            sum[c] = simd.mul_add_e_f64s(columns[c][i], h_i, sum[c]);
        }
    }
    for (c, last) in last[first..first + B].iter_mut().enumerate() {
        sum[c] = simd.add_f64s(*last, sum[c]);
        *last = sum[c];
    }
    for (i, (h_i, s_i)) in h.iter().zip(s).enumerate() {
        let h_i = *h_i;
        let mut s_sum = *s_i;
        for c in 0..B {
            let w_ic = simd.mul_add_e_f64s(h_i, delta[c], columns[c][i]);
            columns[c][i] = w_ic;
            s_sum = simd.mul_add_e_f64s(w_ic, sum[c], s_sum);
        }
        *s_i = s_sum;
    }
    B
}
