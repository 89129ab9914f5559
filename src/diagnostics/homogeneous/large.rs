//! The nearest point of the cone of gradients where these do not fit into memory: from their inner products.
//!
//! The multipliers solve a problem of N dimensions ([`nearest_by_products`]). Gradients of one network have inner
//! products of a few products of matrices, and their combinations are velocities: the field of gradient descent has
//! both, and nothing of size N × P is written down. The residual is that of the λ found, and exact. Kinks are open.

use super::stationarity::Normalised;
use crate::limit::nearest_by_products;
use crate::network::Kernel;
use crate::rule::Rule;
use nalgebra::DVector;
use std::sync::Arc;

/// Numbers that gradients of all samples may take together before their inner products are used.
const MOST_NUMBERS: usize = 1 << 26;

/// A λ, and what it leaves of the target.
pub(super) struct Nearest {
    pub multipliers: DVector<f64>,
    pub residual: f64,
}

/// Whether gradients are too many to be written down.
pub(super) fn is_large(parameters: usize, samples: usize) -> bool {
    parameters.saturating_mul(samples) > MOST_NUMBERS
}

/// The point nearest to θ̃ in the cone of the gradients of `samples`, to each of which `beside` adds a number that the
/// target has zero of. `None` if nothing is finite.
pub(super) fn nearest(
    at: &Normalised<'_>,
    samples: &[usize],
    beside: &DVector<f64>,
) -> Option<Nearest> {
    let rule = Rule::gradient_descent();
    let kernel: Arc<dyn Kernel> = at.network.architecture().kernel(rule.signals(), at.data);
    let all = kernel.tangent_kernel(at.theta.as_slice(), samples);
    let products = all.select_rows(samples) + beside * beside.transpose();
    let along = at.gradients.along(at.theta.as_slice());
    let along = DVector::from_fn(samples.len(), |i, _| along[samples[i]]);
    let multipliers = nearest_by_products(products, &along)?;
    let mut weights = vec![0.0; at.data.rows()];
    for (n, lambda) in samples.iter().zip(multipliers.iter()) {
        weights[*n] = *lambda;
    }
    let mut reached = vec![0.0; at.theta.len()];
    let mut rates = vec![0.0; at.data.rows()];
    kernel.velocity(at.theta.as_slice(), &weights, &mut reached, &mut rates);
    let left = at.theta.iter().zip(&reached).map(|(x, y)| (x - y).powi(2));
    Some(Nearest {
        residual: left.sum::<f64>().sqrt(),
        multipliers,
    })
}
