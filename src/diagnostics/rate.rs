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

/// Distances below this are rounding, or soon will be, and are not fitted. Tolerances set no floor above it: the flow
/// pulls back what the integrator errs (the slopes of the gallery are the same to five digits from rtol = 1e-3 down to
/// 1e-6).
const FLOOR: f64 = 1e-10;

/// Saves a window must hold.
const FEWEST: usize = 8;

/// A slope of ln(distance) against s: one fit for tables, evidence and figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    /// Least-squares slope over the window.
    pub slope: f64,
    /// `[s_0, s_1]`.
    pub window: [f64; 2],
    /// Slopes of the first and the second half of the window.
    pub halves: [f64; 2],
}

impl Fit {
    /// Fits a distance over the saves from `share` of the range of s on in which it is above the floor: from the save
    /// on at which it first comes to 1e-10 or less, nothing counts. Saves at which it is not defined are passed over.
    /// `None` if fewer than eight are left.
    pub fn of(share: f64, s: &[f64], distance: &[Option<f64>]) -> Option<Self> {
        let above = distance.iter().take_while(|d| d.is_none_or(|d| d > FLOOR));
        let usable: Vec<(f64, f64)> = (s.iter().zip(above))
            .filter_map(|(s, d)| Some((*s, (*d)?.ln())))
            .collect();
        let end = usable.last()?.0;
        let points: Vec<(f64, f64)> = (usable.into_iter())
            .filter(|(s, _)| *s >= share * end)
            .collect();
        let middle = points.len() / 2;
        (points.len() >= FEWEST).then(|| Self {
            slope: slope(&points),
            window: [points[0].0, end],
            halves: [slope(&points[..=middle]), slope(&points[middle..])],
        })
    }
}

impl std::fmt::Display for Fit {
    /// "slope −0.3333 over log-log-time 40.2 to 60.0".
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [start, end] = self.window;
        write!(
            f,
            "slope {:+.4} over log-log-time {start:.1} to {end:.1}",
            self.slope
        )
    }
}

/// Fits the last third of the range of s in which angles are above the floor; `None` if it holds too few saves.
pub(super) fn fit(law: Option<&RateLaw>, limit: Option<&Limit>, d: &Diagnostics) -> Option<Rate> {
    let limit = limit?;
    let angles: Vec<Option<f64>> = d
        .angle_to_limit
        .as_ref()?
        .iter()
        .copied()
        .map(Some)
        .collect();
    let fit = Fit::of(2.0 / 3.0, &d.log_log_time, &angles)?;
    Some(Rate {
        observed: fit.slope,
        predicted: law.and_then(|law| law.predicted(limit)),
        window: fit.window,
        halves: fit.halves,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fit_ends_where_rounding_begins() {
        let s: Vec<f64> = (0..=400).map(|k| 0.1 * f64::from(k)).collect();
        let rounding = |k: usize| 1e-15 * (1.0 + (k % 7) as f64);
        let angle: Vec<Option<f64>> = (s.iter().enumerate())
            .map(|(k, s)| (k > 5).then(|| (-s).exp().max(rounding(k))))
            .collect();
        let fit = Fit::of(2.0 / 3.0, &s, &angle).unwrap();
        assert!((fit.slope + 1.0).abs() < 1e-12, "{fit}");
        // e^-23 = 1.03e-10
        assert!((fit.window[1] - 23.0).abs() < 1e-9 && (fit.window[0] - 15.4).abs() < 1e-9);
        assert_eq!(
            fit.to_string(),
            "slope -1.0000 over log-log-time 15.4 to 23.0"
        );
        let nothing: Vec<Option<f64>> = s.iter().map(|_| Some(1e-16)).collect();
        assert_eq!(Fit::of(2.0 / 3.0, &s, &nothing), None);
    }
}
