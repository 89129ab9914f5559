//! Affine dependence among samples that are still being learned.
//!
//! In a network linear in its input, `p_n = τ − g_n·β`. If `g_j = Σ_k T_jk g_k` with `Σ_k T_jk = 1` (duplicates,
//! points of the support on a line, a square …), then `p_j = Σ_k T_jk p_k` up to a constant, at all times. The flow
//! cannot see the difference: the rates `p_n' = e^s − m_n'` carry rounding errors of size ε e^s, which stiffness damps
//! in every combination of samples but these. At large s they would drown p_j, so there the rate of a dependent sample
//! is computed from those of the samples it depends on, which is exact.

use nalgebra::{DMatrix, DVector};

/// One dependent sample.
pub struct Dependent {
    /// j
    pub sample: usize,
    /// `(k, T_jk)`
    pub on: Vec<(usize, f64)>,
}

/// e^s from which dependent samples follow the others: below it, rounding of size ε e^s is far under any tolerance.
pub const FOLLOW_GROWTH: f64 = 2e4;

/// A pivot below this fraction of the largest means dependence.
const DEPENDENT: f64 = 1e-11;

/// Samples whose log-multiplier is above `−(3s + 100)`: those being learned, with room to spare (all others diverge
/// like −e^s).
pub fn near(log_multipliers: impl Iterator<Item = f64>, s: f64) -> Vec<usize> {
    log_multipliers
        .enumerate()
        .filter(|(_, p)| *p > -(3.0 * s + 100.0))
        .map(|(n, _)| n)
        .collect()
}

/// The samples among `near` that are affine combinations of others of them (rows of `g`).
pub fn dependents(g: &DMatrix<f64>, near: &[usize]) -> Vec<Dependent> {
    let size = near.iter().map(|&n| g.row(n).amax()).fold(0.0, f64::max);
    if near.len() < 2 || size == 0.0 {
        return Vec::new();
    }
    // columns (g_n/size, 1)
    let rows = g.ncols() + 1;
    let columns = DMatrix::from_fn(rows, near.len(), |i, j| {
        if i + 1 < rows {
            g[(near[j], i)] / size
        } else {
            1.0
        }
    });
    let decomposition = columns.col_piv_qr();
    let r = decomposition.r();
    let mut order = DMatrix::from_fn(1, near.len(), |_, j| j as f64);
    decomposition.p().permute_columns(&mut order);
    let sample = |j: usize| near[order[(0, j)] as usize];
    let pivots = r.nrows().min(near.len());
    let rank = (0..pivots)
        .take_while(|&i| r[(i, i)].abs() > DEPENDENT * r[(0, 0)].abs())
        .count();
    let leading = r.view((0, 0), (rank, rank));
    (rank..near.len())
        .filter_map(|j| {
            let target: DVector<f64> = r.view((0, j), (rank, 1)).column(0).into_owned();
            let on = leading.solve_upper_triangular(&target)?;
            Some(Dependent {
                sample: sample(j),
                on: on
                    .iter()
                    .enumerate()
                    .filter(|(_, t)| t.abs() > DEPENDENT)
                    .map(|(k, t)| (sample(k), *t))
                    .collect(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::dmatrix;

    fn of(g: &DMatrix<f64>) -> Vec<Dependent> {
        dependents(g, &(0..g.nrows()).collect::<Vec<_>>())
    }

    #[test]
    fn combinations_reproduce_the_sample_and_sum_to_one() {
        let g =
            dmatrix![1.0, 1.0, 0.0; 1.0, -1.0, 0.0; 1.0, 0.3, 0.0; 1.0, 1.0, 0.0; 0.2, 0.1, 5.0];
        let found = of(&g);
        assert_eq!(found.len(), 2, "a third point of a line and a duplicate");
        for d in found {
            let sum: f64 = d.on.iter().map(|(_, t)| t).sum();
            assert!((sum - 1.0).abs() < 1e-14);
            let combined =
                d.on.iter()
                    .fold(nalgebra::RowDVector::zeros(3), |x, &(k, t)| {
                        x + g.row(k) * t
                    });
            assert!((combined - g.row(d.sample)).amax() < 1e-14);
        }
    }

    #[test]
    fn independent_and_merely_parallel_samples_stay() {
        // parallel samples of different length have different margins, so neither is an affine combination of the
        // other
        assert!(of(&dmatrix![1.0, 0.0; 2.0, 0.0]).is_empty());
        assert!(of(&dmatrix![1.0, 0.0; 0.0, 1.0; 0.3, 0.1]).is_empty());
        assert_eq!(
            of(&dmatrix![1.0, 0.0; 0.0, 1.0; 0.3, 0.1; 2.0, 2.0]).len(),
            1
        );
    }
}
