//! What all formulas of a system have in common at one state.

use super::coordinates::Coordinates;
use super::held::Held;
use nalgebra::{DMatrix, DVector};
use std::sync::Arc;

/// Factors common to all formulas, at one state.
pub(super) struct Factors {
    /// `e^s`
    pub growth: f64,
    /// `E_n`, N
    pub multipliers: Vec<f64>,
    /// `C = cosh(v/P)` of the r states
    pub cosh: Vec<f64>,
    /// `tanh(v/P)` of the r states
    pub tanh: Vec<f64>,
    /// `∂κ/∂m_n`, where m is the weights' (with coordinates it is `τ − p_n`: zero), r
    pub slope: Vec<f64>,
    /// With coordinates: `a = TᵀE` and its derivative M in the coordinates.
    pub coordinates: Option<(Vec<f64>, DMatrix<f64>)>,
    /// Samples whose log-multipliers are not integrated.
    pub dead: Vec<usize>,
    pub held: Option<Arc<Held>>,
}

impl Factors {
    /// The multipliers of the rows that the kernel has: E, or `a = TᵀE`.
    pub(super) fn pull(&self) -> &[f64] {
        match &self.coordinates {
            None => &self.multipliers,
            Some((pull, _)) => pull,
        }
    }

    /// How pulls change with the states v: `E_n C_n`, or `M C`.
    pub(super) fn weights(&self) -> Weights {
        let cosh = self.cosh.iter();
        match &self.coordinates {
            None => {
                let products = self.multipliers.iter().zip(cosh).map(|(e, c)| e * c);
                let mut own: Vec<f64> = products.collect();
                self.rest(&mut own);
                Weights { own, others: None }
            }
            Some((_, m)) => Weights {
                own: (0..m.nrows())
                    .zip(cosh)
                    .map(|(i, c)| m[(i, i)] * c)
                    .collect(),
                others: Some(DMatrix::from_fn(m.nrows(), m.ncols(), |i, j| {
                    if m[(j, j)] > 0.0 {
                        m[(i, j)] / m[(j, j)]
                    } else {
                        0.0
                    }
                })),
            },
        }
    }

    /// From `m'` to `p' = e^s − m'`, of coordinates `P' = o e^s − m'`, of held samples `−1 − m'`.
    pub(super) fn margin_to_multiplier_rates(&self, rates: &mut [f64]) {
        for (i, rate) in rates.iter_mut().enumerate() {
            let offset = match self.coordinates {
                None => 1.0,
                Some(_) => Coordinates::offset(i),
            };
            *rate = offset * self.growth - *rate;
        }
        if let Some(held) = &self.held {
            held.slow(rates, self.growth);
        }
        self.rest(rates);
    }

    /// Zero for dead samples.
    pub(super) fn rest(&self, rates: &mut [f64]) {
        for n in &self.dead {
            rates[*n] = 0.0;
        }
    }

    /// `p_n'`, or zero where it is only rounding of `e^s − m_n'`, for the curvature of the compression: on the slow
    /// manifold that term is negligible, but rounding of size ε e^s would make the Newton matrix meaningless at large
    /// s.
    pub(super) fn settled(&self, p_dot: f64) -> f64 {
        if p_dot.abs() < 1e-13 * self.growth {
            0.0
        } else {
            p_dot
        }
    }
}

/// How pulls answer to changes of the states: `da = B diag(own) dv`, with ones on the diagonal of B.
pub(super) struct Weights {
    pub own: Vec<f64>,
    /// B; the identity if there is none.
    pub others: Option<DMatrix<f64>>,
}

impl Weights {
    /// da
    pub(super) fn apply(&self, dv: &DVector<f64>) -> DVector<f64> {
        let own = DVector::from_fn(dv.len(), |i, _| self.own[i] * dv[i]);
        match &self.others {
            None => own,
            Some(others) => others * own,
        }
    }
}
