//! A field under forces that hold the predictor on a span.
//!
//! Where samples pull against each other (their span is S), their multipliers grow until what they pull in S changes
//! by no more than the others change it: from then on they hold β in S where it is, and act on the weights like a
//! force μ in S that does so, as reaction forces do in mechanics. With u_i a basis of S, `K_SS` the tangent kernel of
//! those rows, and K_SE the answer of their margins to the multipliers E of the other samples:
//! ```text
//! θ' = Σ_n E_n y_n 𝒢_n(θ) + Σ_i μ_i 𝒢(u_i; θ),     K_SS μ = −K_SE E
//! ```

use super::{Kernel, Tangent};
use nalgebra::{DMatrix, DVector, Dyn, LU};
use std::sync::Arc;

/// See the module. What samples have in S makes a constant part of their margins; they are best given without it, in
/// the metric of the response, so that little of the forces cancels in their rates.
pub(crate) struct Constrained {
    /// The field on the samples and then on the basis of S.
    together: Arc<dyn Kernel>,
    samples: DMatrix<f64>,
    /// r
    span: usize,
}

impl Constrained {
    /// `field` on `samples` (rows, N × D), held on the rows of `span`. None if the field takes no other rows than its
    /// own samples.
    pub(crate) fn new(
        field: &Arc<dyn Kernel>,
        samples: &DMatrix<f64>,
        span: &DMatrix<f64>,
    ) -> Option<Self> {
        let (above, below) = (samples.nrows(), span.nrows());
        let rows = DMatrix::from_fn(above + below, samples.ncols(), |i, j| {
            if i < above {
                samples[(i, j)]
            } else {
                span[(i - above, j)]
            }
        });
        Some(Self {
            together: field.on_rows(&rows)?,
            samples: samples.clone(),
            span: below,
        })
    }

    /// N
    fn count(&self) -> usize {
        self.samples.nrows()
    }

    /// The tangent kernel of the basis and of the samples in `active`, N + r rows, and K_SS factorised.
    fn kernels(&self, theta: &[f64], active: &[usize]) -> (DMatrix<f64>, LU<f64, Dyn, Dyn>) {
        let (n, r) = (self.count(), self.span);
        let wanted: Vec<usize> = (n..n + r).chain(active.iter().copied()).collect();
        let kernel = self.together.tangent_kernel(theta, &wanted);
        let own = kernel.view((n, 0), (r, r)).into_owned();
        (kernel, own.lu())
    }

    /// Multipliers followed by the forces that make up for the `rates` of the basis; not numbers if none do.
    fn with_forces(
        held: &LU<f64, Dyn, Dyn>,
        multipliers: &[f64],
        rates: &[f64],
        forces: &[f64],
    ) -> Vec<f64> {
        let missing = held.solve(&DVector::from_column_slice(rates));
        let changes = missing.unwrap_or_else(|| DVector::repeat(rates.len(), f64::NAN));
        let forces = forces.iter().zip(changes.iter()).map(|(f, c)| f - c);
        multipliers.iter().copied().chain(forces).collect()
    }

    /// Multipliers, and the forces that belong to them.
    fn forces(&self, theta: &[f64], multipliers: &[f64], held: &LU<f64, Dyn, Dyn>) -> Vec<f64> {
        let none = vec![0.0; self.span];
        let alone = [multipliers, &none].concat();
        let mut velocity = vec![0.0; self.parameters()];
        let mut rates = vec![0.0; alone.len()];
        (self.together).velocity(theta, &alone, &mut velocity, &mut rates);
        Self::with_forces(held, multipliers, &rates[self.count()..], &none)
    }
}

impl Kernel for Constrained {
    fn parameters(&self) -> usize {
        self.together.parameters()
    }

    fn samples(&self) -> usize {
        self.count()
    }

    fn margins(&self, theta: &[f64], margins: &mut [f64]) {
        let mut all = vec![0.0; self.together.samples()];
        self.together.margins(theta, &mut all);
        margins.copy_from_slice(&all[..self.count()]);
    }

    fn velocity(
        &self,
        theta: &[f64],
        multipliers: &[f64],
        velocity: &mut [f64],
        rates: &mut [f64],
    ) {
        let (_, held) = self.kernels(theta, &[]);
        let pull = self.forces(theta, multipliers, &held);
        let mut all = vec![0.0; pull.len()];
        self.together.velocity(theta, &pull, velocity, &mut all);
        rates.copy_from_slice(&all[..self.count()]);
    }

    fn tangent(
        &self,
        theta: &[f64],
        multipliers: &[f64],
        d_theta: &[f64],
        d_multipliers: &[f64],
    ) -> Tangent {
        let n = self.count();
        let (_, held) = self.kernels(theta, &[]);
        let pull = self.forces(theta, multipliers, &held);
        let none = vec![0.0; self.span];
        let d_alone = [d_multipliers, &none].concat();
        let alone = self.together.tangent(theta, &pull, d_theta, &d_alone);
        let d_rates = &alone.rates.as_slice()[n..];
        let d_pull = Self::with_forces(&held, d_multipliers, d_rates, &none);
        let all = self.together.tangent(theta, &pull, d_theta, &d_pull);
        Tangent {
            velocity: all.velocity,
            margins: all.margins.rows(0, n).into_owned(),
            rates: all.rates.rows(0, n).into_owned(),
        }
    }

    fn layers(&self) -> Vec<usize> {
        self.together.layers()
    }

    fn signed_samples(&self) -> Option<&DMatrix<f64>> {
        Some(&self.samples)
    }

    fn tangent_kernel(&self, theta: &[f64], active: &[usize]) -> DMatrix<f64> {
        let (n, r) = (self.count(), self.span);
        let (kernel, held) = self.kernels(theta, active);
        let own = kernel.view((0, r), (n, active.len())).into_owned();
        let across = kernel.view((n, r), (r, active.len())).into_owned();
        let forces = held.solve(&across);
        let forces = forces.unwrap_or_else(|| DMatrix::repeat(r, active.len(), f64::NAN));
        own - kernel.view((0, 0), (n, r)) * forces
    }
}
