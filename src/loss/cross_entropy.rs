//! The cross-entropy, `ℓ = ln(1 + Σ_k exp(−m_k))` with `m_k = f_c − f_k` over the classes k other than c:
//! `−ln softmax(f)_c`. It couples the rows of a sample; with one row it is the logistic loss, to the last bit.

use super::logistic::Logistic;
use super::{LossFunction, VectorForm, log_sum};

pub(super) struct CrossEntropy;

/// Below this `ln ln(1 + e^x) = x` to double precision.
const FAR: f64 = -37.0;

/// `ln(1 + Σ e^{−m})`.
fn log_partition(margins: &[f64]) -> f64 {
    // Σ is what remains of digits where margins are large
    let log_sum = log_sum(margins.iter().map(|m| -m));
    log_sum.max(0.0) + (-log_sum.abs()).exp().ln_1p()
}

impl LossFunction for CrossEntropy {
    fn key(&self) -> &'static str {
        "cross-entropy"
    }

    fn documentation(&self) -> &'static str {
        "ln(1 + Σ exp(−m))"
    }

    fn log_correction(&self, margins: &mut [f64]) {
        if margins.len() == 1 {
            return Logistic.log_correction(margins);
        }
        let log_partition = log_partition(margins);
        margins.fill(-log_partition);
    }

    /// `∂κ_i/∂m_j = e^{−m_j}/(1 + Σ_k e^{−m_k})`, whatever i.
    fn jacobian(&self, margins: &[f64], jacobian: &mut [f64]) {
        if margins.len() == 1 {
            return Logistic.jacobian(margins, jacobian);
        }
        let log_partition = log_partition(margins);
        for row in jacobian.chunks_exact_mut(margins.len()) {
            for (entry, m) in row.iter_mut().zip(margins) {
                *entry = (-m - log_partition).exp();
            }
        }
    }

    fn log_term(&self, margins: &[f64]) -> f64 {
        if margins.len() == 1 {
            return Logistic.log_term(margins);
        }
        let log_sum = log_sum(margins.iter().map(|m| -m));
        if log_sum < FAR {
            log_sum
        } else {
            log_partition(margins).ln()
        }
    }

    fn inverse(&self, log_loss: f64) -> f64 {
        Logistic.inverse(log_loss)
    }

    fn inverse_symbol(&self) -> &'static str {
        Logistic.inverse_symbol()
    }

    fn couples_rows(&self) -> bool {
        true
    }

    fn vector_form(&self) -> VectorForm {
        VectorForm::Logistic
    }
}
