//! What is measured on linear networks with several outputs: singular values of β, and how layers align with feedback.

use super::worse;
use crate::limit::{KKT_ACTIVE, nearest_of_columns};
use crate::network::Network;
use crate::problem::Problem;
use crate::singular::Singular;
use crate::theory::{ClassAlignment, Theory};
use nalgebra::{DMatrix, DVector};

/// Measurements of a predictor with C outputs; every series has one entry per save (T).
#[derive(Debug, Clone)]
pub struct Classes {
    /// σ_1 ≥ σ_2 ≥ … of β, min(D, C) × T.
    pub singular_values: DMatrix<f64>,
    /// `exp(−Σ p_i ln p_i)` with `p_i = σ_i/Σσ`: how many singular values β uses, effectively (Roy and Vetterli 2007);
    /// 0 while β = 0.
    pub effective_rank: Vec<f64>,
    /// Fixed feedback from zero weights, two layers or more.
    pub areas: Option<Areas>,
    /// The same where the feedback selects no norm: how far β and Z are from solving the complementarity problem that
    /// is left, `β ∝ ZK_1C_2K_2⋯C_L` with `C_2 = ½ZᵀZ`, `C_{l+1} = ½C_lᵀK_{l−1}C_l` and Z in the cone of the rows of
    /// smallest margin. The larger of the two relative distances, of β from that direction and of Z from the cone;
    /// `None` while some margin is not positive.
    pub complementarity: Option<Vec<Option<f64>>>,
}

/// The matrices `C_l = F_{l−1}⁺ w_l (F_l⁺)ᵀ` of layers l = 2 … L beside their law; (L − 1) × T each.
#[derive(Debug, Clone)]
pub struct Areas {
    /// `‖sym C_l − law‖/‖C_l‖`, where the law is `½ZᵀZ`, then `½C_{l−1}ᵀK_{l−2}C_{l−1}`; 0 while C_l = 0. Exact.
    pub recursion: DMatrix<f64>,
    /// `‖anti C_l‖/‖sym C_l‖`: the area that has been swept, which falls behind; 0 while C_l = 0.
    pub swept: DMatrix<f64>,
}

/// D and C of a network with several outputs that is linear in its input.
pub(super) fn shape(network: &Network) -> Option<(usize, usize)> {
    let inputs = network.shapes().first()?.0;
    (network.outputs() > 1 && network.is_linear()).then(|| (inputs, network.outputs()))
}

pub(super) struct Builder<'a> {
    shape: (usize, usize),
    law: Option<ClassAlignment>,
    /// G, rows × DC.
    rows: &'a DMatrix<f64>,
    measured: Classes,
}

impl<'a> Builder<'a> {
    /// `None` unless the network has several outputs and is linear in its input.
    pub(super) fn new(problem: &'a Problem, theory: &Theory, saves: usize) -> Option<Self> {
        let (d, c) = shape(problem.network())?;
        let law = theory.class_alignment.clone();
        let layers = problem.network().depth() - 1;
        Some(Self {
            shape: (d, c),
            measured: Classes {
                singular_values: DMatrix::zeros(d.min(c), saves),
                effective_rank: vec![0.0; saves],
                areas: law.is_some().then(|| Areas {
                    recursion: DMatrix::zeros(layers, saves),
                    swept: DMatrix::zeros(layers, saves),
                }),
                complementarity: (law.is_some() && theory.limit.is_none())
                    .then(|| vec![None; saves]),
            },
            rows: problem.dataset().signed_samples(),
            law,
        })
    }

    /// Records β (column by column) and the weights at save k.
    pub(super) fn record(&mut self, k: usize, beta: &[f64], weights: &[DMatrix<f64>]) {
        let (d, c) = self.shape;
        let sigma = Singular::of(&DMatrix::from_column_slice(d, c, beta)).values;
        let total: f64 = sigma.iter().sum();
        if total > 0.0 {
            let shares = sigma.iter().map(|s| s / total).filter(|p| *p > 0.0);
            let entropy: f64 = shares.map(|p| -p * p.ln()).sum();
            self.measured.effective_rank[k] = entropy.exp();
        }
        (self.measured.singular_values.column_mut(k)).copy_from_slice(&sigma);
        let (Some(law), Some(areas)) = (&self.law, &mut self.measured.areas) else {
            return;
        };
        let matrices = law.matrices(weights);
        let expected = law.symmetric_parts(&matrices);
        for (l, (c, expected)) in matrices.c.iter().zip(&expected).enumerate() {
            let symmetric = (c + c.transpose()) * 0.5;
            let skew = (c - c.transpose()) * 0.5;
            if c.norm() > 0.0 {
                areas.recursion[(l, k)] = (&symmetric - expected).norm() / c.norm();
                areas.swept[(l, k)] = skew.norm() / symmetric.norm();
            }
        }
        if let Some(residuals) = &mut self.measured.complementarity {
            residuals[k] = complementarity(self.rows, law, beta, &matrices.z);
        }
    }

    pub(super) fn finish(self) -> Classes {
        self.measured
    }
}

/// See [`Classes::complementarity`].
fn complementarity(
    rows: &DMatrix<f64>,
    law: &ClassAlignment,
    beta: &[f64],
    z: &DMatrix<f64>,
) -> Option<f64> {
    let beta = DVector::from_column_slice(beta).normalize();
    let margins = rows * &beta;
    let smallest = margins.min();
    if smallest.is_nan() || smallest <= 0.0 {
        return None;
    }
    let z = z / z.norm();
    let settled = law.settled_predictor(&z);
    let off = (&beta - DVector::from_column_slice(settled.as_slice())).norm();
    let active: Vec<usize> = (0..margins.len())
        .filter(|n| margins[*n] <= (1.0 + KKT_ACTIVE) * smallest)
        .collect();
    let columns = rows.select_rows(&active).transpose();
    let z = DVector::from_column_slice(z.as_slice());
    let multipliers = nearest_of_columns(&columns, &z);
    let outside = (z - columns * multipliers).norm();
    Some(worse(off, outside))
}
