//! Multipliers and what Newton's method needs of them, from the log-multipliers alone.
//!
//! The multiplier in the clock s is `E_n = c_n exp(s + p_n + κ(m_n))` (c_n equal samples; κ = 0 for the exponential
//! loss). Here the margin in κ is `m_n = τ − p_n`, computed from the log-multiplier, and not that of the weights: the
//! two differ only by the drift of the run, and this makes E a function of v alone.

use super::super::clock::{COMPRESSION, log_time};
use crate::loss::Loss;

/// All N samples at one instant.
#[derive(Default, Clone)]
pub struct Multipliers {
    /// `E_n`
    pub values: Vec<f64>,
    /// `∂E_n/∂v_n = E_n C_n (1 − κ'(m_n))`
    pub slopes: Vec<f64>,
    /// `C_n = dp_n/dv_n = cosh(v_n/P)`
    pub cosh: Vec<f64>,
    /// `tanh(v_n/P)`
    pub tanh: Vec<f64>,
}

impl Multipliers {
    /// Computes everything at log-multipliers v and log-log-time s.
    pub fn set(&mut self, v: &[f64], s: f64, loss: Loss, log_counts: &[f64]) {
        let samples = v.len();
        for field in [
            &mut self.values,
            &mut self.slopes,
            &mut self.cosh,
            &mut self.tanh,
        ] {
            field.resize(samples, 0.0);
        }
        let tau = log_time(s);
        let uncorrected = loss.log_correction_is_zero();
        for (n, v) in v.iter().enumerate() {
            // sinh from e^x − 1 keeps the digits of small x, and one exponential serves all three
            let less = (v.abs() / COMPRESSION).exp_m1();
            let sinh = (0.5 * (less + less / (1.0 + less))).copysign(*v);
            let cosh = sinh.hypot(1.0);
            let p = COMPRESSION * sinh;
            let (correction, slope) = match uncorrected {
                true => (0.0, 0.0),
                false => (
                    loss.log_correction(tau - p),
                    loss.log_correction_slope(tau - p),
                ),
            };
            let count = log_counts.get(n).copied().unwrap_or(0.0);
            let e = (s + p + correction + count).exp();
            self.values[n] = e;
            self.slopes[n] = e * cosh * (1.0 - slope);
            self.cosh[n] = cosh;
            self.tanh[n] = sinh / cosh;
        }
    }
}
