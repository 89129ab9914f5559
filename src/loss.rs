//! Losses, with multipliers in log space so that nothing underflows.
//!
//! With margins `m_n`, the multiplier is `α_n = −∂𝓛/∂m_n`: `exp(−m)` for the exponential loss
//! `𝓛 = Σ exp(−m_n)`, `1/(1+exp m)` for the logistic loss `𝓛 = Σ ln(1+exp(−m_n))`.

/// The training loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    Exponential,
    Logistic,
}

impl Loss {
    pub fn name(self) -> &'static str {
        match self {
            Self::Exponential => "exponential",
            Self::Logistic => "logistic",
        }
    }

    /// `ln(α(m)·e^m)`: 0 for the exponential loss, `−ln(1+e^{−m})` for the logistic one.
    pub fn log_correction(self, margin: f64) -> f64 {
        match self {
            Self::Exponential => 0.0,
            Self::Logistic => -softplus(-margin),
        }
    }

    /// Derivative of [`Self::log_correction`] in the margin: 0, or `1/(1+e^m)`.
    pub fn log_correction_slope(self, margin: f64) -> f64 {
        match self {
            Self::Exponential => 0.0,
            Self::Logistic => logistic(-margin),
        }
    }

    /// `ln 𝓛` from the margins, finite however large they are.
    pub fn log_loss(self, margins: impl Iterator<Item = f64> + Clone) -> f64 {
        // ln ℓ(m): −m for the exponential loss; ln ln(1+e^{−m}) for the logistic one.
        let log_terms = margins.map(|m| match self {
            Self::Exponential => -m,
            Self::Logistic => {
                if m > 37.0 {
                    -m // ln(1+x) = x to double precision
                } else {
                    softplus(-m).ln()
                }
            }
        });
        let largest = log_terms.clone().fold(f64::NEG_INFINITY, f64::max);
        if !largest.is_finite() {
            return largest;
        }
        largest + log_terms.map(|l| (l - largest).exp()).sum::<f64>().ln()
    }
}

/// `ln(1+e^x)` without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// `1/(1+e^{−x})` without overflow.
fn logistic(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}
