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
use super::large;
use super::measured::{MarginGradients, Measured};
use crate::dataset::Dataset;
use crate::limit::{ConePoint, Generators, KKT_ACTIVE, nearest_in_cone};
use crate::network::Relu;
use nalgebra::{DVector, DVectorView};

/// A network at θ̃, smallest margin one.
pub(super) struct Normalised<'a> {
    pub network: Measured<'a>,
    pub data: &'a Dataset,
    pub theta: DVector<f64>,
    margins: DVector<f64>,
    pub gradients: Box<dyn MarginGradients + 'a>,
}

impl<'a> Normalised<'a> {
    /// `None` unless every margin is positive and θ̃ finite.
    pub(super) fn new(network: Measured<'a>, theta: &[f64], data: &'a Dataset) -> Option<Self> {
        let theta = DVector::from_column_slice(theta);
        // in two steps, so that no margin over- or underflows in between
        let theta = &theta / theta.norm();
        let rough = network.margins(theta.as_slice(), data);
        let smallest = rough.min();
        if smallest.is_nan() || smallest <= 0.0 {
            return None;
        }
        let theta = theta / smallest.powf(1.0 / f64::from(network.degree()));
        if !theta.iter().all(|x| x.is_finite()) {
            return None;
        }
        let gradients = network.gradients(theta.as_slice(), data);
        Some(Self {
            network,
            data,
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

/// How the space of a problem lies beside that of θ.
trait Space {
    /// From a gradient of θ, of sample n, to the space of the problem.
    fn pull(&self, n: usize, gradient: DVector<f64>) -> DVector<f64>;

    /// From a direction of the problem's space to one of θ.
    fn push(&self, direction: &DVector<f64>) -> DVector<f64>;

    /// What a direction has in common with what the gradient of sample n has besides.
    fn beside(&self, _n: usize, _direction: &DVector<f64>) -> f64 {
        0.0
    }
}

/// The gradients of some samples in the space of a problem, as generators of a cone.
struct Cone<'a, S> {
    gradients: &'a dyn MarginGradients,
    samples: &'a [usize],
    space: S,
}

impl<S: Space> Generators for Cone<'_, S> {
    fn count(&self) -> usize {
        self.samples.len()
    }

    fn vertex(&self, n: usize) -> DVector<f64> {
        let n = self.samples[n];
        self.space.pull(n, self.gradients.open(n))
    }

    fn products(&self, residual: &DVector<f64>) -> Vec<f64> {
        let all = (self.gradients).along(self.space.push(residual).as_slice());
        let product = |n: &usize| all[*n] + self.space.beside(*n, residual);
        self.samples.iter().map(product).collect()
    }

    fn steepest(&self, n: usize, residual: &DVector<f64>) -> Option<DVector<f64>> {
        let n = self.samples[n];
        let best = self
            .gradients
            .has_kinks(n)
            .then(|| self.space.push(residual))?;
        Some(self.space.pull(n, self.gradients.steepest(n, &best)?))
    }
}

impl<S: Space> Cone<'_, S> {
    /// The point nearest to `target`, from the samples of the support, which becomes that of the point.
    fn nearest(&self, target: &DVector<f64>, support: &mut Support) -> ConePoint {
        let guess: Vec<usize> = (0..self.samples.len())
            .filter(|&i| support.contains(&self.samples[i]))
            .collect();
        let point = nearest_in_cone(target, self, &guess);
        *support = (self.samples.iter().zip(&point.multipliers))
            .filter(|(_, lambda)| **lambda > 0.0)
            .map(|(n, _)| *n)
            .collect();
        point
    }
}

/// θ itself.
struct Weights;

impl Space for Weights {
    fn pull(&self, _: usize, gradient: DVector<f64>) -> DVector<f64> {
        gradient
    }

    fn push(&self, direction: &DVector<f64>) -> DVector<f64> {
        direction.clone()
    }
}

/// Relative KKT residual of `min ½‖θ‖² s.t. m_n ≥ 1`, in [0, 1]. `None` where inner products of gradients are not
/// finite.
pub(super) fn gradient_kkt(at: &Normalised<'_>, support: &mut Support) -> Option<f64> {
    let samples = at.within(KKT_ACTIVE);
    if large::is_large(at.theta.len(), samples.len()) {
        let none = DVector::zeros(samples.len());
        let nearest = large::nearest(at, &samples, &none)?;
        return Some(nearest.residual / at.theta.norm());
    }
    let cone = Cone {
        gradients: &*at.gradients,
        samples: &samples,
        space: Weights,
    };
    Some(cone.nearest(&at.theta, support).residual.norm() / at.theta.norm())
}

/// θ and a number that is zero where multipliers are those of the smallest margins.
struct WithExcess<'a> {
    margins: &'a DVector<f64>,
}

impl WithExcess<'_> {
    fn excess(&self, n: usize) -> f64 {
        self.margins[n] - 1.0
    }
}

impl Space for WithExcess<'_> {
    fn pull(&self, n: usize, gradient: DVector<f64>) -> DVector<f64> {
        let last = gradient.len();
        gradient.insert_row(last, self.excess(n))
    }

    fn push(&self, direction: &DVector<f64>) -> DVector<f64> {
        direction.rows(0, direction.len() - 1).into_owned()
    }

    fn beside(&self, n: usize, direction: &DVector<f64>) -> f64 {
        self.excess(n) * direction[direction.len() - 1]
    }
}

/// (ε, δ) of Lyu and Li; `None` as for [`gradient_kkt`].
pub(super) fn epsilon_delta(at: &Normalised<'_>, support: &mut Support) -> Option<(f64, f64)> {
    let margins = &at.margins;
    let samples = at.within(LARGEST_EXCESS);
    if large::is_large(at.theta.len(), samples.len()) {
        let excess = DVector::from_fn(samples.len(), |i, _| margins[samples[i]] - 1.0);
        let nearest = large::nearest(at, &samples, &excess)?;
        let products = nearest.multipliers.component_mul(&excess);
        let delta = products.iter().copied().fold(0.0, f64::max);
        return Some((nearest.residual, delta));
    }
    let cone = Cone {
        gradients: &*at.gradients,
        samples: &samples,
        space: WithExcess { margins },
    };
    let parameters = at.theta.len();
    let target = at.theta.clone().insert_row(parameters, 0.0);
    let point = cone.nearest(&target, support);
    let products = (cone.samples.iter().zip(&point.multipliers))
        .map(|(n, lambda)| lambda * cone.space.excess(*n));
    let delta = products.fold(0.0, f64::max);
    Some((point.residual.rows(0, parameters).norm(), delta))
}

/// The first layer, of which the output weights are a function.
struct OnLevelSet<'a> {
    theta: &'a DVector<f64>,
    feedback: &'a DVector<f64>,
    dimension: usize,
}

impl OnLevelSet<'_> {
    fn first(&self) -> usize {
        self.dimension * self.feedback.len()
    }

    fn unit(&self, j: usize) -> DVectorView<'_, f64> {
        self.theta.rows(j * self.dimension, self.dimension)
    }

    fn learns(&self, j: usize) -> bool {
        self.feedback[j] != 0.0
    }

    /// ∇Φ
    fn target(&self) -> DVector<f64> {
        let mut target = DVector::zeros(self.first());
        for j in (0..self.feedback.len()).filter(|j| self.learns(*j)) {
            let b = self.feedback[j];
            let weight = 0.5 * self.unit(j).norm_squared() / (b * b);
            target
                .rows_mut(j * self.dimension, self.dimension)
                .axpy(weight, &self.unit(j), 0.0);
        }
        target
    }
}

impl Space for OnLevelSet<'_> {
    fn pull(&self, _: usize, gradient: DVector<f64>) -> DVector<f64> {
        let first = self.first();
        let mut pulled = gradient.rows(0, first).into_owned();
        for j in 0..self.feedback.len() {
            let mut block = pulled.rows_mut(j * self.dimension, self.dimension);
            if self.learns(j) {
                block.axpy(gradient[first + j] / self.feedback[j], &self.unit(j), 1.0);
            } else {
                block.fill(0.0);
            }
        }
        pulled
    }

    fn push(&self, direction: &DVector<f64>) -> DVector<f64> {
        let first = self.first();
        let mut pushed = direction
            .clone()
            .resize_vertically(first + self.feedback.len(), 0.0);
        for j in 0..self.feedback.len() {
            let mut block = pushed.rows_mut(j * self.dimension, self.dimension);
            if self.learns(j) {
                let along = self.unit(j).dot(&block);
                pushed[first + j] = along / self.feedback[j];
            } else {
                block.fill(0.0);
            }
        }
        pushed
    }
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
    let space = OnLevelSet {
        theta: &at.theta,
        feedback,
        dimension,
    };
    let target = space.target();
    let cone = Cone {
        gradients: &*at.gradients,
        samples: &at.within(KKT_ACTIVE),
        space,
    };
    let point = cone.nearest(&target, support);
    Some((point.residual.norm() / target.norm()).hypot(off_level))
}

/// The network of two layers with this first layer and the output weights of the level set, scaled so that its smallest
/// margin is one. `None` unless every margin is positive and the scaled weights are finite.
fn normalised_on_level_set<'a>(
    network: &'a Relu,
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
    let outputs = network.outputs(theta.as_slice(), data.samples());
    let smallest = outputs.component_mul(data.labels()).min();
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
        network: Measured::Gated(network),
        data,
        margins: gradients.margins(),
        gradients: Box::new(gradients),
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
