//! The exponential loss, `ℓ = Σ_i exp(−m_i)` over the rows of a group.

use super::{LossFunction, VectorForm, log_sum};

pub(super) struct Exponential;

impl LossFunction for Exponential {
    fn key(&self) -> &'static str {
        "exponential"
    }

    fn documentation(&self) -> &'static str {
        "exp(−m)"
    }

    fn log_correction(&self, margins: &mut [f64]) {
        margins.fill(0.0);
    }

    fn jacobian(&self, _margins: &[f64], jacobian: &mut [f64]) {
        jacobian.fill(0.0);
    }

    fn log_term(&self, margins: &[f64]) -> f64 {
        match margins {
            [m] => -m,
            _ => log_sum(margins.iter().map(|m| -m)),
        }
    }

    fn inverse(&self, log_loss: f64) -> f64 {
        -log_loss
    }

    fn inverse_symbol(&self) -> &'static str {
        "ln(1/loss)"
    }

    fn log_correction_is_zero(&self) -> bool {
        true
    }

    fn vector_form(&self) -> VectorForm {
        VectorForm::Exponential
    }
}
