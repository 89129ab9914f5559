//! The linearised implicit step of a network with a curved activation.
//!
//! Where a unit would slide on an exact kink, a rounded kink holds it by its curvature, at a rate of order 1/ε: that
//! part of ∂θ'/∂θ is as stiff as the multipliers. It is block diagonal: with the error signals s,
//! `B_lj = Σ_n s_ljn ∇²_w g(w_lj, h_{l−1,n})`. So the step is the one of [`quasi_newton`](crate::network::quasi_newton)
//! with `P = (1 − cB)⁻¹` in front of every velocity: `dθ = P (r + c Σ_n 𝒢_n dE_n)`, and the tangent kernel is `A P 𝒢`.
//! Units whose curvature is far below 1/c keep P = 1.

use super::kernel::ReluKernel;
use super::passes::{Forward, Motion};
use super::rays::Rays;
use crate::activation::{Argument, Formula};
use crate::network::{Closure, Kernel, LinearisedStep};
use nalgebra::{DMatrix, DVector, Dyn, LU};

/// A curvature times the step below this is left to the Newton iteration.
const WEAK: f64 = 0.05;

/// Samples are left out if together they add at most this to `cB`.
const NEGLIGIBLE: f64 = 0.005;

/// See the module.
pub(super) struct SmoothedStep {
    kernel: ReluKernel,
    theta: Vec<f64>,
    multipliers: Vec<f64>,
    step: f64,
    /// `1 − cB`, factorised, of the units that need it, ordered by layer and unit.
    held: Vec<Held>,
}

struct Held {
    layer: usize,
    unit: usize,
    factor: LU<f64, Dyn, Dyn>,
}

impl SmoothedStep {
    pub(super) fn new(kernel: ReluKernel, theta: &[f64], multipliers: &[f64], step: f64) -> Self {
        let pass = kernel.forward(theta);
        let motion = pass.motion(multipliers, None);
        let mut held = Vec::new();
        for layer in 0..pass.hidden() {
            for unit in 0..pass.w[layer].ncols() {
                let bounds = curvature_bounds(&pass, &motion, layer, unit);
                if step * bounds.iter().sum::<f64>() > WEAK {
                    let negligible = NEGLIGIBLE / (step * bounds.len() as f64);
                    let counted = (0..bounds.len()).filter(|n| bounds[*n] > negligible);
                    let matrix = implicit(&pass, &motion, (layer, unit), step, counted);
                    held.push(Held {
                        layer,
                        unit,
                        factor: matrix.lu(),
                    });
                }
            }
        }
        Self {
            held,
            theta: theta.to_vec(),
            multipliers: multipliers.to_vec(),
            step,
            kernel,
        }
    }

    /// `P x` in place, x laid out like θ.
    fn hold(&self, x: &mut [f64]) {
        for held in &self.held {
            let own = &mut x[self.kernel.setting.column(held.layer, held.unit)];
            let mut w = DVector::from_column_slice(own);
            if !held.factor.solve_mut(&mut w) {
                w.fill(f64::NAN);
            }
            own.copy_from_slice(w.as_slice());
        }
    }
}

fn argument(pass: &Forward<'_>, layer: usize, unit: usize, sample: usize) -> Argument {
    let a = pass.a[layer][(unit, sample)];
    pass.curves[layer].arguments.at((unit, sample), a)
}

/// Upper bounds of the terms of ‖B‖ of one unit, one per sample.
fn curvature_bounds(pass: &Forward<'_>, motion: &Motion, layer: usize, unit: usize) -> Vec<f64> {
    let activation = pass.setting.activation;
    let bound = |n: usize| {
        let curvature = activation.curvature_bound(argument(pass, layer, unit, n));
        motion.signals[layer][(unit, n)].abs() * curvature
    };
    (0..pass.setting.labels.len()).map(bound).collect()
}

/// `1 − cB` of one unit, from the samples whose curvature counts.
fn implicit(
    pass: &Forward<'_>,
    motion: &Motion,
    (layer, unit): (usize, usize),
    step: f64,
    samples: impl Iterator<Item = usize>,
) -> DMatrix<f64> {
    let (h, w) = (&pass.h[layer], pass.w[layer].column(unit));
    let mut matrix = DMatrix::identity(w.len(), w.len());
    let mut isotropic = 0.0;
    for n in samples {
        let factor = -step * motion.signals[layer][(unit, n)];
        let at = argument(pass, layer, unit, n);
        let activation = pass.setting.activation;
        isotropic += activation.add_curvature(at, factor, (&h.column(n), &w), &mut matrix);
    }
    for i in 0..w.len() {
        matrix[(i, i)] += isotropic;
    }
    matrix
}

impl LinearisedStep for SmoothedStep {
    fn response(&self, active: &[usize]) -> (DMatrix<f64>, DMatrix<f64>) {
        let mut rates = self.kernel.tangent_kernel(&self.theta, active);
        let pass = self.kernel.forward(&self.theta);
        let all: Vec<usize> = (0..self.multipliers.len()).collect();
        let gradients = Rays::of_outputs(&pass, &all, true);
        let updates = Rays::of_outputs(&pass, active, false);
        for held in &self.held {
            // A (P − 1) 𝒢 of this unit
            let gradient = gradients.of_unit(&pass, held.layer, held.unit);
            let update = updates.of_unit(&pass, held.layer, held.unit);
            let mut change = update.clone();
            if !held.factor.solve_mut(&mut change) {
                change.fill(f64::NAN);
            }
            rates += gradient.transpose() * (change - update);
        }
        (&rates * self.step, rates)
    }

    fn solve(&self, residual: &mut [f64], close: &mut Closure<'_>) -> DVector<f64> {
        self.hold(residual);
        let samples = self.multipliers.len();
        let none = vec![0.0; samples];
        let kernel = &self.kernel;
        let along = kernel.tangent(&self.theta, &self.multipliers, residual, &none);
        let d_multipliers = close(&along.margins, &along.rates);
        let mut update = vec![0.0; residual.len()];
        let mut rates = vec![0.0; samples];
        kernel.velocity(
            &self.theta,
            d_multipliers.as_slice(),
            &mut update,
            &mut rates,
        );
        self.hold(&mut update);
        let moved = kernel.tangent(&self.theta, &self.multipliers, &update, &none);
        for (r, u) in residual.iter_mut().zip(&update) {
            *r += self.step * u;
        }
        along.margins + moved.margins * self.step
    }
}
