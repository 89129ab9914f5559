//! Fully connected linear networks under fixed feedback, reduced exactly to the accumulated column `Z = ∫ z dt`.
//!
//! # The reduction
//! Error signals `b_l` that never change (`b_L = 1`) leave one free column to every layer, from any initial weights:
//! `w_l = w_l(0) + u_l b_lᵀ` with `u_l' = h_{l−1}`, `u_l(0) = 0`. The forward pass `h_l = w_lᵀ h_{l−1}` is then
//! `u_{l+1}' = w_l(0)ᵀ u_l' + b_l (u_l·u_l')`. Both sides are time derivatives, so
//! ```text
//! u_1 = Z,     u_{l+1} = w_l(0)ᵀ u_l + ½‖u_l‖² b_l     (l = 1 … L)
//! ```
//! Z alone determines the flow, whatever the widths, the depth and the initial weights. From zero weights this is
//! `u_l = φ_l b_{l−1}`, `φ_2 = ½‖Z‖²`, `φ_{l+1} = ½‖b_{l−1}‖² φ_l²`.
//!
//! The recursion has one more member than the network has layers, `u_{L+1}`, a number. As `du_{l+1} = w_lᵀ du_l`,
//! ```text
//! F(Z) = u_{L+1},     dF = (w_1 ⋯ w_L)·dZ,     that is β = ∇F(Z)
//! ```
//! The flow is `Z' = z` with margins `m = G ∇F(Z)`: a mirror flow wherever the polynomial F is convex. Margins move by
//! `m' = G ∇²F(Z) z`; `∇²F = Σ_l σ_l Π_l Π_lᵀ` with `Π_l = w_1⋯w_{l−1}`, `σ_l = b_l·(w_{l+1}⋯w_L)`.
//!
//! # Coordinates
//! z and Z stay in the span of the samples. With fewer samples than inputs the unknowns are the coordinates c of
//! `Z = Q c` in an orthonormal basis of that span (Q is D × N), otherwise `Z = c`: min(N, D) unknowns. The samples
//! enter only through `S = G Q`. (The accumulated multipliers A, `Z = GᵀA`, would do as well, but they grow without
//! bound where samples contradict each other and Z rests.)
//!
//! The velocity of c does not depend on c, only on the multipliers: implicit steps need only the response of the
//! margins, from [`Potential`].

mod potential;
mod step;

use super::FullyConnectedLinear;
use crate::dataset::Dataset;
use crate::network::{Kernel, LinearisedStep, Signals, Tangent, blank, expect_fit};
use nalgebra::{DMatrix, DVector};
use potential::Potential;
use std::sync::Arc;
use step::ReducedStep;

/// The reduced flow of one network from given initial weights: a [`Kernel`] in min(N, D) unknowns c, which start at
/// zero.
pub struct Reduction {
    /// `w_1(0) … w_L(0)`
    initial: Vec<DMatrix<f64>>,
    /// `b_1 … b_L`, with `b_L = 1`.
    feedback: Vec<DVector<f64>>,
    /// Q, D × unknowns; none for the identity.
    basis: Option<DMatrix<f64>>,
    /// `S = G Q`, N × unknowns.
    samples: DMatrix<f64>,
    /// Samples that are zero.
    idle: Vec<usize>,
    potential: Arc<Potential>,
}

impl Reduction {
    /// The flow on `data` from the weights `theta0` (length P) with `feedback` `b_1 … b_{L−1}`.
    ///
    /// # Panics
    /// If data, feedback or weights do not have the network's shapes; those of a [`Problem`](crate::problem::Problem)
    /// always fit.
    pub fn new(
        network: &FullyConnectedLinear,
        feedback: &[DVector<f64>],
        theta0: &[f64],
        data: &Dataset,
    ) -> Self {
        let columns = feedback
            .iter()
            .map(|b| DMatrix::from_columns(std::slice::from_ref(b)));
        expect_fit(network, Signals::Direct(&columns.collect::<Vec<_>>()), data);
        let g = data.signed_samples();
        let initial = network.layout.matrices(theta0);
        let mut feedback = feedback.to_vec();
        feedback.push(DVector::from_element(1, 1.0));
        let basis = (g.nrows() < g.ncols()).then(|| g.transpose().qr().q());
        let samples = match &basis {
            Some(q) => g * q,
            None => g.clone(),
        };
        Self {
            potential: Arc::new(Potential::new(basis.as_ref(), &initial, &feedback)),
            initial,
            feedback,
            basis,
            idle: blank(g),
            samples,
        }
    }

    /// θ from the unknowns c, for every column: from unknowns × T to P × T.
    pub fn theta(&self, unknowns: &DMatrix<f64>) -> DMatrix<f64> {
        let parameters = self.initial.iter().map(DMatrix::len).sum();
        let mut theta = Vec::with_capacity(parameters * unknowns.ncols());
        for c in unknowns.column_iter() {
            let mut u = match &self.basis {
                Some(q) => q * c,
                None => c.into_owned(),
            };
            for (w, b) in self.initial.iter().zip(&self.feedback) {
                let mut moved = w.clone();
                moved.ger(1.0, &u, b, 1.0);
                theta.extend_from_slice(moved.as_slice());
                u = w.tr_mul(&u) + b * (0.5 * u.norm_squared());
            }
        }
        DMatrix::from_vec(parameters, unknowns.ncols(), theta)
    }

    /// `Sᵀα`, the velocity of c.
    fn velocity_of(&self, multipliers: &[f64]) -> DVector<f64> {
        self.samples
            .tr_mul(&DVector::from_column_slice(multipliers))
    }

    /// S x
    fn on_samples<'a>(&self, x: impl Into<nalgebra::DVectorView<'a, f64>>) -> DVector<f64> {
        &self.samples * x.into()
    }
}

impl Kernel for Reduction {
    fn parameters(&self) -> usize {
        self.samples.ncols()
    }

    fn samples(&self) -> usize {
        self.samples.nrows()
    }

    fn signed_samples(&self) -> Option<&DMatrix<f64>> {
        Some(&self.samples)
    }

    fn idle(&self) -> &[usize] {
        &self.idle
    }

    fn on_rows(&self, rows: &DMatrix<f64>) -> Option<Arc<dyn Kernel>> {
        Some(Arc::new(Self {
            idle: blank(rows),
            samples: rows.clone(),
            initial: self.initial.clone(),
            feedback: self.feedback.clone(),
            basis: self.basis.clone(),
            potential: Arc::clone(&self.potential),
        }))
    }

    fn margins(&self, theta: &[f64], margins: &mut [f64]) {
        let c = DMatrix::from_column_slice(theta.len(), 1, theta);
        let gradient = self.potential.gradient(c);
        margins.copy_from_slice(self.on_samples(gradient.column(0)).as_slice());
    }

    fn velocity(
        &self,
        theta: &[f64],
        multipliers: &[f64],
        velocity: &mut [f64],
        rates: &mut [f64],
    ) {
        velocity.copy_from_slice(self.velocity_of(multipliers).as_slice());
        let gradient = self.potential.gradient(columns(&[theta, velocity]));
        rates.copy_from_slice(self.on_samples(gradient.column(1)).as_slice());
    }

    fn tangent(
        &self,
        theta: &[f64],
        multipliers: &[f64],
        d_theta: &[f64],
        d_multipliers: &[f64],
    ) -> Tangent {
        let velocity = self.velocity_of(multipliers);
        let d_velocity = self.velocity_of(d_multipliers);
        let gradient = self.potential.gradient(columns(&[
            theta,
            velocity.as_slice(),
            d_theta,
            d_velocity.as_slice(),
        ]));
        Tangent {
            margins: self.on_samples(gradient.column(2)),
            rates: self.on_samples(gradient.column(3)),
            velocity: d_velocity.data.into(),
        }
    }

    /// `S ∇²F Sᵀ`
    fn tangent_kernel(&self, theta: &[f64], active: &[usize]) -> DMatrix<f64> {
        let still = vec![0.0; theta.len()];
        let [hessian, _] = self.potential.hessian(columns(&[theta, &still]));
        &self.samples * (hessian * self.samples.select_rows(active).transpose())
    }

    fn linearise(
        &self,
        theta: &[f64],
        multipliers: &[f64],
        step: f64,
    ) -> Option<Box<dyn LinearisedStep>> {
        let velocity = self.velocity_of(multipliers);
        let hessian = self
            .potential
            .hessian(columns(&[theta, velocity.as_slice()]));
        Some(Box::new(ReducedStep::new(
            self.samples.clone(),
            hessian,
            step,
        )))
    }
}

/// Slices of equal length side by side.
fn columns(slices: &[&[f64]]) -> DMatrix<f64> {
    DMatrix::from_vec(slices[0].len(), slices.len(), slices.concat())
}

#[cfg(test)]
mod tests;
