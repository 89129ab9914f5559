//! The implicit step of the reduced flow. The velocity `Sᵀα` does not depend on the unknowns, so `dc = r + c Sᵀdα`
//! needs no elimination, and margins and rates respond through H = ∇²F and Ḣ, its derivative along the velocity:
//! `dm = S H dc`, `dm' = S (H Sᵀdα + Ḣ dc)`.

use crate::network::{Closure, InputResponse, LinearisedStep};
use nalgebra::{DMatrix, DVector, DVectorView};

pub(super) struct ReducedStep {
    /// S
    samples: DMatrix<f64>,
    /// H
    hessian: DMatrix<f64>,
    /// Ḣ
    hessian_dot: DMatrix<f64>,
    step: f64,
}

impl ReducedStep {
    pub(super) fn new(
        samples: DMatrix<f64>,
        [hessian, hessian_dot]: [DMatrix<f64>; 2],
        step: f64,
    ) -> Self {
        Self {
            samples,
            hessian,
            hessian_dot,
            step,
        }
    }

    /// `H + c Ḣ`, which maps a change of z to that of β'.
    fn rates(&self) -> DMatrix<f64> {
        &self.hessian + &self.hessian_dot * self.step
    }
}

impl LinearisedStep for ReducedStep {
    fn response(&self, active: &[usize]) -> (DMatrix<f64>, DMatrix<f64>) {
        let s = &self.samples;
        let dz = s.select_rows(active).transpose();
        (
            s * (&self.hessian * &dz) * self.step,
            s * (self.rates() * dz),
        )
    }

    fn input_response(&self) -> Option<InputResponse<'_>> {
        Some(InputResponse {
            signed_samples: &self.samples,
            margins: &self.hessian * self.step,
            rates: self.rates(),
        })
    }

    fn solve(&self, residual: &mut [f64], close: &mut Closure<'_>) -> DVector<f64> {
        let s = &self.samples;
        let r = DVectorView::from_slice(residual, residual.len());
        let margins = s * (&self.hessian * r);
        let rates = s * (&self.hessian_dot * r);
        let dc = s.tr_mul(&close(&margins, &rates)) * self.step;
        for (r, dc) in residual.iter_mut().zip(&dc) {
            *r += dc;
        }
        margins + s * (&self.hessian * dc)
    }
}
