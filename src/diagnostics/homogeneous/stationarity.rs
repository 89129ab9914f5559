//! KKT residuals of ReLU networks: how far θ is from the limit points that theory predicts.
//!
//! Networks without biases are homogeneous of degree L in θ, so directions are assessed at `θ̃ = θ/γ^{1/L}`, where
//! the smallest margin is one. In all of the following `λ ≥ 0` and `h_n ∈ ∂°m_n(θ̃)`, the gates at kinks included
//! ([`nearest_in_cone`]).
//!
//! # Gradient descent
//! Limit points are KKT points of `min ½‖θ‖²  s.t.  m_n ≥ 1` (Lyu and Li 2020): `θ̃ = Σ λ_n h_n`, `λ_n = 0` unless
//! `m_n = 1`. [`gradient_kkt`] is `min_λ ‖θ̃ − Σ λ_n h_n‖/‖θ̃‖` over the active samples, those with margins up to
//! `1 + δ` ([`KKT_ACTIVE`]).
//!
//! # Lyu and Li's (ε, δ)
//! θ̃ is an (ε, δ)-KKT point if for some λ the gradient of the Lagrangian is no longer than ε and no product
//! `λ_n (m_n − 1)` larger than δ. [`epsilon_delta`] takes the λ with the smallest
//! `‖θ̃ − Σ λ_n h_n‖² + (Σ_n λ_n (m_n − 1))²`: this adds one row to the least-squares problem and replaces a threshold
//! on the margins, and both ε and δ are bounded by the root of the minimum. Samples with more than twice the smallest
//! margin are left out to save time (λ_n = 0 is always allowed). (Lyu and Li's proof takes λ ∝ α, which requires the
//! flow's gates at each kink.)
//!
//! # Fixed feedback, two layers
//! On the level set `b_j w_{2,j} = ½‖w_j‖²` the network is a function of the first layer alone,
//! `F(w) = Σ_j ‖w_j‖²/(2b_j) g(w_j·x)`, and as g is homogeneous of degree one, `∇_{w_j} g = d_j` has `w_j·d_j = g`:
//!
//! ```text
//! ∇_{w_j} F = w_j g/b_j + ‖w_j‖²/(2b_j) d_j = ‖w_j‖²/(2b_j) (1 + 2ŵ_jŵ_jᵀ) d_j,
//! Φ = Σ_j ‖w_j‖⁴/(8b_j²),    ∇_{w_j} Φ = ‖w_j‖²/(2b_j²) w_j,    ∇²_{w_j} Φ = ‖w_j‖²/(2b_j²) (1 + 2ŵ_jŵ_jᵀ).
//! ```
//!
//! So the flow `w_j' = b_j Σ α_n y_n d_{jn}` is `∇²Φ w' = Σ α_n y_n ∇F(x_n)`, a mirror flow of the network with
//! potential Φ, and where it converges in direction its limit is a KKT point of `min Φ  s.t.  y_n F(x_n) ≥ 1`:
//!
//! ```text
//! ∇Φ = Σ λ_n y_n ∇F(x_n),   or, dividing by ‖w_j‖²/(2b_j²) (1 + 2ŵ_jŵ_jᵀ),
//! w_j = 3 b_j Σ_n λ_n y_n d_{jn}   wherever w_j ≠ 0.
//! ```
//!
//! [`feedback_kkt`] measures the first form, `min_λ ‖∇Φ − Σ λ_n y_n ∇F(x_n)‖/‖∇Φ‖` over the active samples of F. The
//! gradients of F are those of the network at `(w, w_2(w))` pulled back along `w ↦ (w, w_2(w))`. Output weights off the
//! level set belong to a different network: their distance from it, relative to the larger of the two, is added in
//! quadrature.

use super::gradients::Gradients;
use crate::dataset::Dataset;
use crate::limit::{ConePoint, KKT_ACTIVE, nearest_in_cone};
use crate::network::Relu;
use nalgebra::{DVector, DVectorView};

/// A network at θ̃, smallest margin one.
pub(super) struct Normalised<'a> {
    theta: DVector<f64>,
    margins: DVector<f64>,
    gradients: Gradients<'a>,
}

impl<'a> Normalised<'a> {
    /// `None` unless every margin is positive and θ̃ finite.
    pub(super) fn new(network: &Relu, theta: &[f64], data: &'a Dataset) -> Option<Self> {
        let theta = DVector::from_column_slice(theta);
        // in two steps, so that no margin over- or underflows in between
        let theta = &theta / theta.norm();
        let rough = Gradients::new(network, theta.as_slice(), data).margins();
        let smallest = rough.min();
        if smallest.is_nan() || smallest <= 0.0 {
            return None;
        }
        let theta = theta / smallest.powf(1.0 / f64::from(network.degree()));
        if !theta.iter().all(|x| x.is_finite()) {
            return None;
        }
        let gradients = Gradients::new(network, theta.as_slice(), data);
        Some(Self {
            margins: rough / smallest,
            theta,
            gradients,
        })
    }

    /// Samples with margins up to `1 + excess`.
    fn within(&self, excess: f64) -> Vec<usize> {
        let bound = 1.0 + excess;
        (0..self.margins.len())
            .filter(|&n| self.margins[n] <= bound)
            .collect()
    }
}

/// Margins above `1 + LARGEST_EXCESS` get no multiplier in [`epsilon_delta`].
const LARGEST_EXCESS: f64 = 1.0;

/// Samples with positive multipliers: the search at the next save starts from them.
pub(super) type Support = Vec<usize>;

/// The point of the cone of `samples` nearest to `target`, where `pull` maps a gradient of θ (of sample n) to the space
/// of the target and `push` a direction of that space to one of θ.
fn nearest(
    gradients: &Gradients<'_>,
    samples: &[usize],
    target: &DVector<f64>,
    pull: &dyn Fn(usize, DVector<f64>) -> DVector<f64>,
    push: &dyn Fn(&DVector<f64>) -> DVector<f64>,
    support: &mut Support,
) -> ConePoint {
    let guess: Vec<usize> = (0..samples.len())
        .filter(|&i| support.contains(&samples[i]))
        .collect();
    let point = nearest_in_cone(target, samples.len(), &guess, &mut |i, residual| {
        let n = samples[i];
        let gradient = match residual {
            None => gradients.open(n),
            Some(r) => gradients.steepest(n, &push(r))?,
        };
        Some(pull(n, gradient))
    });
    *support = samples
        .iter()
        .zip(&point.multipliers)
        .filter(|(_, lambda)| **lambda > 0.0)
        .map(|(n, _)| *n)
        .collect();
    point
}

/// Relative KKT residual of `min ½‖θ‖² s.t. m_n ≥ 1`, in [0, 1].
pub(super) fn gradient_kkt(at: &Normalised<'_>, support: &mut Support) -> f64 {
    let point = nearest(
        &at.gradients,
        &at.within(KKT_ACTIVE),
        &at.theta,
        &|_, gradient| gradient,
        &DVector::clone,
        support,
    );
    point.residual.norm() / at.theta.norm()
}

/// (ε, δ) of Lyu and Li.
pub(super) fn epsilon_delta(at: &Normalised<'_>, support: &mut Support) -> (f64, f64) {
    let excess = |n: usize| at.margins[n] - 1.0;
    let samples = at.within(LARGEST_EXCESS);
    let parameters = at.theta.len();
    let point = nearest(
        &at.gradients,
        &samples,
        &at.theta.clone().insert_row(parameters, 0.0),
        &|n, gradient| gradient.insert_row(parameters, excess(n)),
        &|direction| direction.rows(0, parameters).into_owned(),
        support,
    );
    let products = samples
        .iter()
        .zip(&point.multipliers)
        .map(|(n, lambda)| lambda * excess(*n));
    let delta = products.fold(0.0, f64::max);
    (point.residual.rows(0, parameters).norm(), delta)
}

/// Relative KKT residual of `min Σ_j ‖w_j‖⁴/b_j² s.t. y_n F(x_n) ≥ 1` at the first layer of θ, and in quadrature the
/// relative distance of the output weights from the level set. `None` unless every margin of F is positive.
///
/// Units with `b_j = 0` do not learn and are left out of F.
pub(super) fn feedback_kkt(
    network: &Relu,
    theta: &[f64],
    feedback: &DVector<f64>,
    data: &Dataset,
    support: &mut Support,
) -> Option<f64> {
    let (dimension, units) = network.shapes()[0];
    let first = dimension * units;
    let output = DVector::from_column_slice(&theta[first..]);
    let level = output_on_level_set(&theta[..first], feedback);
    let size = output.norm().max(level.norm());
    let off_level = if size > 0.0 {
        (&output - &level).norm() / size
    } else {
        0.0
    };
    let at = normalised_on_level_set(network, &theta[..first], feedback, data)?;
    let unit = |j: usize| at.theta.rows(j * dimension, dimension);
    let learns = |j: usize| feedback[j] != 0.0;
    let mut target = DVector::zeros(first);
    for j in (0..units).filter(|j| learns(*j)) {
        let weight = 0.5 * unit(j).norm_squared() / (feedback[j] * feedback[j]);
        target
            .rows_mut(j * dimension, dimension)
            .axpy(weight, &unit(j), 0.0);
    }
    let pull = |_: usize, gradient: DVector<f64>| {
        let mut pulled = gradient.rows(0, first).into_owned();
        for j in 0..units {
            let mut block = pulled.rows_mut(j * dimension, dimension);
            if learns(j) {
                block.axpy(gradient[first + j] / feedback[j], &unit(j), 1.0);
            } else {
                block.fill(0.0);
            }
        }
        pulled
    };
    let push = |direction: &DVector<f64>| {
        let mut pushed = DVector::zeros(first + units);
        pushed.rows_mut(0, first).copy_from(direction);
        for j in (0..units).filter(|j| learns(*j)) {
            let along = unit(j).dot(&direction.rows(j * dimension, dimension));
            pushed[first + j] = along / feedback[j];
        }
        pushed
    };
    let point = nearest(
        &at.gradients,
        &at.within(KKT_ACTIVE),
        &target,
        &pull,
        &push,
        support,
    );
    Some((point.residual.norm() / target.norm()).hypot(off_level))
}

/// The network of two layers with this first layer and the output weights of the level set, scaled so that its smallest
/// margin is one. `None` unless every margin is positive and the scaled weights are finite.
fn normalised_on_level_set<'a>(
    network: &Relu,
    first_layer: &[f64],
    feedback: &DVector<f64>,
    data: &'a Dataset,
) -> Option<Normalised<'a>> {
    let (first, units) = (first_layer.len(), feedback.len());
    let mut theta = DVector::from_column_slice(first_layer).resize_vertically(first + units, 0.0);
    // units of very different lengths: scaling to a smallest margin of one before the output is set loses nothing
    let scale = theta.rows(0, first).norm();
    if scale == 0.0 {
        return None;
    }
    theta.rows_mut(0, first).unscale_mut(scale);
    let level = output_on_level_set(&theta.as_slice()[..first], feedback);
    theta.rows_mut(first, units).copy_from(&level);
    let smallest = Gradients::new(network, theta.as_slice(), data)
        .margins()
        .min();
    if smallest.is_nan() || smallest <= 0.0 {
        return None;
    }
    let factor = smallest.powf(-1.0 / 3.0);
    theta.rows_mut(0, first).scale_mut(factor);
    theta.rows_mut(first, units).scale_mut(factor * factor);
    if !theta.iter().all(|x| x.is_finite()) {
        return None;
    }
    let gradients = Gradients::new(network, theta.as_slice(), data);
    Some(Normalised {
        margins: gradients.margins(),
        gradients,
        theta,
    })
}

/// `w_{2,j} = ‖w_j‖²/(2b_j)`, zero where `b_j = 0`, for units w_j one after the other.
pub fn output_on_level_set(first_layer: &[f64], feedback: &DVector<f64>) -> DVector<f64> {
    let dimension = first_layer.len() / feedback.len();
    DVector::from_fn(feedback.len(), |j, _| {
        let w = DVectorView::from_slice(&first_layer[j * dimension..], dimension);
        match feedback[j] {
            0.0 => 0.0,
            b => 0.5 * w.norm_squared() / b,
        }
    })
}
