//! The rate of directional convergence, `angle ∝ (log t)^{−r}`, fitted as a slope against s.
//!
//! Theory (docs/theory.md): r = 1/(2^L − 1) under DFA, 1/L under BP, when something that is not in the span of the
//! support vectors was learned (or initialised) on the way. Otherwise the multipliers of the support vectors settle to
//! constant ratios, their margins differ by constants, and the angle falls like `1/log t`: r = 1.
//!
//! ReLU networks are measured on the angle between `w_L` and the SVM of the features of the same save. Two layers, fixed
//! feedback: `w_j = w_j(0) + b_j Σ_n y_n ∫ α_n g' x_n`, so the first layer is `r w̄_j + e_j` with constant e_j (what it started
//! with, and what samples off the support left) and r growing like `(log t)^{1/3}`: the law of motion is a mirror flow, whose
//! positive definite `∂m/∂A` fixes everything else. `w_{2,j} = ‖w_j‖²/(2b_j)` then is off its direction by `w̄_j·e_j/r`
//! relatively, twice as much as the SVM of features that are off by `e_j·x/r`: r = 1/3. Under BP `w_{2,j} = ±‖w_j‖` moves with
//! the features to this order, and slower modes are not excluded; no number is given there, nor for more layers.

use super::{Diagnostics, approach};
use crate::limit::Limit;
use crate::problem::Problem;
use nalgebra::{DMatrix, DVector};

/// Slope of ln(angle to the limit) against s = ln(1 + log t) over a window.
#[derive(Debug, Clone)]
pub struct Rate {
    /// Least-squares slope over the window.
    pub observed: f64,
    /// −1/(2^L − 1) (fixed feedback) or −1/L (BP); −1 if all that was learned lies in the span of the support vectors.
    /// Where layers act entry by entry the slope depends on the limit (module `approach`): −a/(2^L − 1) with a ≤ 1 for
    /// convolutional networks with fixed feedback, and a number of its own under BP with L = 2. `None` under BP with L > 2.
    /// ReLU networks: −1/3 for two layers and fixed feedback, `None` otherwise.
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

/// The predicted slope; see [`Rate::predicted`].
fn predicted(problem: &Problem, limit: &Limit) -> Option<f64> {
    let depth = problem.network.depth() as i32;
    if problem.network.relu().is_some() {
        return (depth == 2 && problem.rule.has_feedback()).then_some(-1.0 / 3.0);
    }
    let in_span = learned_in_span(problem, limit);
    match (problem.rule.has_feedback(), problem.network.spectral()) {
        (false, Some(_)) if depth == 1 => Some(-1.0),
        (false, Some(network)) if depth == 2 => {
            let g = problem.dataset.signed_samples();
            approach::sparse_rate(network, g, limit).map(|rate| -rate)
        }
        (false, Some(_)) => None,
        (false, None) if in_span => Some(-1.0),
        (false, None) => Some(-1.0 / f64::from(depth)),
        (true, None) if in_span => Some(-1.0),
        (true, None) => Some(-1.0 / (2f64.powi(depth) - 1.0)),
        (true, Some(network)) => {
            let power = 2f64.powi(depth) - 1.0;
            let g = problem.dataset.signed_samples();
            let mode = |up_to| approach::slowest_mode(network, g, limit, up_to);
            let real = network.frequencies().iter().all(|f| f.len == 1);
            match (in_span, real) {
                (false, _) => Some(-mode(1.0).unwrap_or(1.0) / power),
                (true, true) => Some(-1.0),
                // nothing forces a = 1; the slowest free mode leads if it lies before the first pole
                (true, false) => mode(1.999).map(|a| -a / power),
            }
        }
    }
}

/// Whether everything learned or initialised lies in the span of the support vectors, so that the rate laws have nothing
/// to act on. The first layer reaches the span of the samples, and keeps what it starts with: all of `w_1(0)` under BP,
/// `w_1(0) b_1` under DFA (β sees the first layer through the feedback once it has grown; where that vanishes, the rest of
/// `w_1(0)` still fades, at twice the rate of the law).
pub fn learned_in_span(problem: &Problem, limit: &Limit) -> bool {
    let g = &reached_samples(problem);
    let (kept, scale) = kept_from_the_start(problem);
    let mut reached = DMatrix::zeros(g.nrows() + kept.ncols(), g.ncols());
    reached.rows_mut(0, g.nrows()).copy_from(g);
    for (j, column) in kept.column_iter().enumerate() {
        // directions count, not sizes: small initial weights are kept all the same, but the rounding of w_1(0) b_1 = 0 is not
        let size = column.norm();
        if size > 1e-9 * scale {
            reached
                .row_mut(g.nrows() + j)
                .copy_from(&(column.transpose() * (g.norm() / size)));
        }
    }
    rank(&g.select_rows(&limit.support)) == rank(&reached)
}

/// G without the frequencies that some fixed feedback does not reach: nothing is learned there.
fn reached_samples(problem: &Problem) -> DMatrix<f64> {
    let g = problem.dataset.signed_samples();
    let (Some(network), Some(feedback)) = (problem.network.spectral(), problem.feedback()) else {
        return g.clone();
    };
    let mut coordinates = network.basis().rows(g);
    let frequencies = network.frequencies().into_iter();
    for (f, reached) in frequencies.zip(network.reached(&feedback)) {
        if !reached {
            coordinates.columns_mut(f.start, f.len).fill(0.0);
        }
    }
    coordinates
}

/// What the first layer starts with and keeps, as columns of the input space, and the size that rounding is relative to:
/// `w_1(0)` under BP; `w_1(0) b_1` under fixed feedback, or the coordinates of `ŵ_1(0)/b̂_1^*` where layers act entry by
/// entry (the value of Ẑ at the start), in which [`reached_samples`] are too.
fn kept_from_the_start(problem: &Problem) -> (DMatrix<f64>, f64) {
    let theta = problem.theta0.as_slice();
    let first = problem.network.weights(theta).swap_remove(0);
    let size = first.norm();
    let feedback = problem.feedback();
    match (feedback.as_deref(), problem.network.spectral()) {
        (Some([b_1, ..]), None) => {
            let along = &first * b_1;
            (DMatrix::from_columns(&[along]), size * b_1.norm())
        }
        (Some([b_1, ..]), Some(network)) => {
            let (w, b) = (network.transforms(theta), network.transform(b_1));
            let reached = network.reached(std::slice::from_ref(b_1));
            let mut start = DVector::zeros(network.dimension());
            for (d, f) in network.frequencies().into_iter().enumerate() {
                if reached[d] {
                    f.set(start.as_mut_slice(), w[(d, 0)] / b[d].conj());
                }
            }
            let size = start.norm();
            (DMatrix::from_columns(&[start]), size)
        }
        _ => (first, size),
    }
}

/// Numerical rank, relative tolerance 1e-9.
fn rank(m: &DMatrix<f64>) -> usize {
    let singular = m.singular_values();
    let cut = 1e-9 * singular.max();
    singular.iter().filter(|s| **s > cut).count()
}

/// Fits the last third of the range of s whose angles are above the floor; `None` if it holds too few saves.
pub(super) fn fit(problem: &Problem, limit: Option<&Limit>, d: &Diagnostics) -> Option<Rate> {
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
        predicted: predicted(problem, limit),
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
