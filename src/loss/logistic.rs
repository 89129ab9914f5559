//! The logistic loss, `ℓ = Σ_i ln(1+exp(−m_i))` over the rows of a group, each row on its own.

use super::{LossFunction, VectorForm, log_sum};

pub(super) struct Logistic;

/// Beyond this margin `ln(1+e^{−m}) = e^{−m}` to double precision.
const FAR: f64 = 37.0;

impl LossFunction for Logistic {
    fn key(&self) -> &'static str {
        "logistic"
    }

    fn documentation(&self) -> &'static str {
        "ln(1 + exp(−m))"
    }

    fn log_correction(&self, margins: &mut [f64]) {
        for m in margins {
            *m = -softplus(-*m);
        }
    }

    fn jacobian(&self, margins: &[f64], jacobian: &mut [f64]) {
        jacobian.fill(0.0);
        for (i, m) in margins.iter().enumerate() {
            jacobian[i * margins.len() + i] = sigmoid(-m);
        }
    }

    fn log_term(&self, margins: &[f64]) -> f64 {
        match margins {
            [m] => log_of_row(*m),
            _ => log_sum(margins.iter().copied().map(log_of_row)),
        }
    }

    /// From `ln(1 + e^{−m}) = 𝓛`; for large margins `e^𝓛 − 1 = 𝓛` to double precision.
    fn inverse(&self, log_loss: f64) -> f64 {
        if log_loss < -FAR {
            -log_loss
        } else {
            -log_loss.exp().exp_m1().ln()
        }
    }

    fn inverse_symbol(&self) -> &'static str {
        "−ln(exp(loss) − 1)"
    }

    fn vector_form(&self) -> VectorForm {
        VectorForm::Logistic
    }
}

/// `ln ln(1+e^{−m})`.
fn log_of_row(m: f64) -> f64 {
    if m > FAR { -m } else { softplus(-m).ln() }
}

/// `ln(1+e^x)` without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// `1/(1+e^{−x})` without overflow.
fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}
