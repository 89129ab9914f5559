//! The rate of directional convergence, `angle ∝ (log t)^{−r}`, fitted as a slope against s.
//!
//! Theory (docs/theory.md): r = 1/(2^L − 1) under DFA, 1/L under BP, if something outside the span of the support
//! vectors was learned along the way (or initialised). Otherwise the multipliers of the support vectors settle to
//! constant ratios, their margins differ by constants, and the angle falls like `1/log t`: r = 1.
//!
//! For ReLU networks the rate is that of the angle between `w_L` and the SVM of the features of the same save. Two
//! layers, fixed feedback: `w_j = w_j(0) + b_j Σ_n y_n ∫ α_n g' x_n`, so the first layer is `r w̄_j + e_j` with
//! constant e_j (from initialisation, and from samples off the support) and r growing like `(log t)^{1/3}`: the law of
//! motion is a mirror flow, whose positive definite `∂m/∂A` fixes everything else. `w_{2,j} = ‖w_j‖²/(2b_j)` then is
//! off its direction by `w̄_j·e_j/r` relatively, twice as much as the SVM of features that are off by `e_j·x/r`: r =
//! 1/3. Under BP `w_{2,j} = ±‖w_j‖` moves with the features to this order, and slower modes are not excluded; no number
//! is given there, nor for more layers.

use super::Diagnostics;
use crate::limit::Limit;
use crate::theory::RateLaw;

/// Slope of ln(angle to the limit) against s = ln(1 + log t) over a window.
#[derive(Debug, Clone)]
pub struct Rate {
    /// Least-squares slope over the window.
    pub observed: f64,
    /// −1/(2^L − 1) (fixed feedback) or −1/L (BP); −1 if everything learned lies in the span of the support vectors.
    /// Where layers act entrywise the slope depends on the limit (module `approach`): −a/(2^L − 1) with a ≤ 1 for
    /// convolutional networks with fixed feedback, and a value specific to the limit under BP with L = 2. `None` under
    /// BP with L > 2. ReLU networks: −1/3 for two layers and fixed feedback, `None` otherwise.
    pub predicted: Option<f64>,
    /// `[s_0, s_1]`.
    pub window: [f64; 2],
    /// Slopes of the first and the second half of the window.
    pub halves: [f64; 2],
}

impl Rate {
    /// "predicted −0.1429", or that theory has no number for it.
    pub fn prediction(&self) -> String {
        self.predicted.map_or_else(
            || "no rate is predicted".to_owned(),
            |slope| format!("predicted {slope:+.4}"),
        )
    }
}

/// Angles below this are near the accuracy of a run and are not fitted.
const ANGLE_FLOOR: f64 = 1e-10;

/// Saves a window must hold.
const FEWEST: usize = 8;

/// Fits the last third of the range of s in which angles are above the floor; `None` if it holds too few saves.
pub(super) fn fit(law: Option<&RateLaw>, limit: Option<&Limit>, d: &Diagnostics) -> Option<Rate> {
    let limit = limit?;
    let angles = d.angle_to_limit.as_ref()?;
    let usable = angles.iter().take_while(|a| **a > ANGLE_FLOOR).count();
    let end = *d.log_log_time.get(usable.checked_sub(1)?)?;
    let points: Vec<(f64, f64)> = d
        .log_log_time
        .iter()
        .zip(angles)
        .take(usable)
        .filter(|(s, _)| **s >= end * 2.0 / 3.0)
        .map(|(s, a)| (*s, a.ln()))
        .collect();
    if points.len() < FEWEST {
        return None;
    }
    let middle = points.len() / 2;
    Some(Rate {
        observed: slope(&points),
        predicted: law.and_then(|law| law.predicted(limit)),
        window: [points[0].0, end],
        halves: [slope(&points[..=middle]), slope(&points[middle..])],
    })
}

/// Least-squares slope through at least two points with distinct abscissae.
pub fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let (mx, my) = points
        .iter()
        .fold((0.0, 0.0), |(x, y), p| (x + p.0 / n, y + p.1 / n));
    let (xy, xx) = points.iter().fold((0.0, 0.0), |(xy, xx), p| {
        (xy + (p.0 - mx) * (p.1 - my), xx + (p.0 - mx).powi(2))
    });
    xy / xx
}
