//! Weights near zero, in a unit of their own.
//!
//! Under gradient descent a network that is homogeneous of degree L leaves the neighbourhood of zero weights slowly:
//! weights of size σ need a time like `σ^{−(L−2)}`, and products of layers underflow long before. But near zero it is
//! the same flow at all sizes. With `θ = σu`, `t = t_0 + U t'` and `U = c σ^{−(L−2)}`,
//!
//! ```text
//! du/dt' = c Σ_n α_n y_n 𝒢_n(u),    m_n = σ^L m_n(u),    E_n = exp(s' + p'_n),  p'_n = τ' + ln c − m_n:
//! ```
//!
//! the same equations with margins that are smaller by `σ^L`. Nothing is neglected, and u, t' and E are of order one if
//! c is chosen so that u moves at a speed of one. [`Magnified`] is the network of u. Once u has grown or shrunk
//! by [`growth`], σ is chosen anew, and when the margins begin to matter the run goes back to θ itself.
//!
//! A flow that starts on the stable manifold of the saddle at zero (balanced layers whose product has the wrong sign)
//! comes nearer to it for ever, like `σ ~ t^{−1/(L−2)}`: u shrinks in every unit. After [`MOST_SHRINKS`] units nothing
//! that doubles can hold could turn it round, and the run says that it stays at the saddle.

use super::clock::Epoch;
use crate::network::{Kernel, LinearisedStep, Tangent, norm};
use nalgebra::{DMatrix, DVector};
use std::sync::Arc;

/// Margins below which small weights are taken in a unit of their own, and those above which they no longer are.
const NEGLIGIBLE: f64 = 1e-3;
const NOTICEABLE: f64 = 1e-2;

/// What rates of growth change by within one unit.
const CHANGE: f64 = 1e3;

/// Units in a row that are smaller than the one before, after which weights are held to come nearer to zero for ever.
pub(super) const MOST_SHRINKS: u32 = 120;

/// |ln c| at most.
const MOST_SHARE: f64 = 300.0;

/// By how much weights grow or shrink in one unit.
fn growth(degree: i32) -> f64 {
    CHANGE.powf(1.0 / f64::from((degree - 2).max(1)))
}

/// The norm of the largest layer.
pub(super) fn size(kernel: &dyn Kernel, theta: &[f64]) -> f64 {
    let mut rest = theta;
    let mut largest: f64 = 0.0;
    for len in kernel.layers() {
        let (layer, tail) = rest.split_at(len);
        largest = largest.max(norm(layer));
        rest = tail;
    }
    largest
}

/// The largest modulus of a margin.
fn largest_margin(kernel: &dyn Kernel, theta: &[f64]) -> f64 {
    let mut margins = vec![0.0; kernel.samples()];
    kernel.margins(theta, &mut margins);
    margins.iter().fold(0.0, |m, x| m.max(x.abs()))
}

/// Whether weights are to be taken in another unit than that of `epoch`: smaller, larger, or none.
pub(super) fn outgrown(kernel: &dyn Kernel, theta: &[f64], epoch: Epoch) -> bool {
    let Some(degree) = kernel.degree() else {
        return false;
    };
    let size = size(kernel, theta);
    let growth = growth(degree);
    let small = size < 1.0 / growth;
    if epoch.is_magnified() {
        small || size > growth || largest_margin(kernel, theta) > NOTICEABLE
    } else {
        small && size > 0.0 && largest_margin(kernel, theta) < NEGLIGIBLE
    }
}

/// Weights in the unit that suits them, and the clock that goes with it.
pub(super) struct Unit {
    pub epoch: Epoch,
    pub theta: Vec<f64>,
    pub kernel: Arc<dyn Kernel>,
}

impl Unit {
    /// For weights `theta` of the unit of `epoch` (whose kernel is `seen`; `kernel` is that of the run) at log-log-time
    /// s of the run, whose multipliers are `alpha`.
    pub(super) fn of(
        kernel: &Arc<dyn Kernel>,
        (seen, theta): (&dyn Kernel, &[f64]),
        (epoch, s): (Epoch, f64),
        alpha: &[f64],
    ) -> Self {
        let degree = seen.degree().unwrap_or(1);
        let size = size(seen, theta);
        if epoch.is_magnified() && largest_margin(seen, theta) > NOTICEABLE {
            return Self {
                epoch: Epoch::begun_at(s, 0.0),
                theta: theta.iter().map(|w| epoch.enlarged(*w)).collect(),
                kernel: Arc::clone(kernel),
            };
        }
        let theta: Vec<f64> = theta.iter().map(|w| w / size).collect();
        let log_scale = epoch.log_scale() + size.ln();
        let kernel: Arc<dyn Kernel> = Arc::new(Magnified::new(kernel, log_scale, degree));
        let (velocity, _) = velocity(&*kernel, &theta, alpha);
        let speed = self::size(&*kernel, &velocity);
        let share = match speed > 0.0 {
            true => (-speed.ln()).clamp(-MOST_SHARE, MOST_SHARE),
            false => 0.0,
        };
        Self {
            epoch: epoch.magnified(s, (log_scale, degree), share),
            theta,
            kernel,
        }
    }

    /// The kernel of a mark's epoch.
    pub(super) fn kernel_of(kernel: &Arc<dyn Kernel>, epoch: Epoch) -> Arc<dyn Kernel> {
        match kernel.degree() {
            Some(degree) if epoch.is_magnified() => {
                Arc::new(Magnified::new(kernel, epoch.log_scale(), degree))
            }
            _ => Arc::clone(kernel),
        }
    }
}

fn velocity(kernel: &dyn Kernel, theta: &[f64], multipliers: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut velocity = vec![0.0; theta.len()];
    let mut rates = vec![0.0; multipliers.len()];
    kernel.velocity(theta, multipliers, &mut velocity, &mut rates);
    (velocity, rates)
}

/// ln t at which weights are expected to have left the neighbourhood of zero, if they grow on as they do at the state
/// (θ, E) of a unit's log-log-time s: `‖u‖' = r‖u‖^{L−1}` reaches any size after `1/((L−2) r)`, and for L = 2 a
/// margin of order one after `ln(1/σ)/r`. None while they shrink.
pub(super) fn expected_escape(
    kernel: &dyn Kernel,
    theta: &[f64],
    multipliers: &[f64],
    (epoch, s): (Epoch, f64),
) -> Option<f64> {
    let degree = kernel.degree()?;
    let (velocity, _) = velocity(kernel, theta, multipliers);
    // multipliers are per unit of s'; dt'/ds' = e^{s' + τ'}
    let squares: f64 = theta.iter().map(|w| w * w).sum();
    let growth: f64 = theta.iter().zip(&velocity).map(|(w, v)| w * v).sum();
    let rate = growth / squares / (s + super::clock::log_time(s)).exp();
    if rate.is_nan() || rate <= 0.0 {
        return None;
    }
    let left = match degree {
        2 => (-epoch.log_scale()).max(1.0) / rate,
        degree => 1.0 / (f64::from(degree - 2) * rate),
    };
    Some(epoch.log_unit() + (super::clock::log_time(s).exp_m1() + left).ln())
}

/// A network of degree L on weights `u = θ/σ`.
struct Magnified {
    kernel: Arc<dyn Kernel>,
    degree: i32,
    /// `σ^L`; zero where it underflows, and margins are nothing.
    margin: f64,
}

impl Magnified {
    fn new(kernel: &Arc<dyn Kernel>, log_scale: f64, degree: i32) -> Self {
        Self {
            kernel: Arc::clone(kernel),
            degree,
            margin: (f64::from(degree) * log_scale).exp(),
        }
    }

    fn scale(&self, margins: &mut [f64]) {
        for m in margins {
            *m *= self.margin;
        }
    }
}

impl Kernel for Magnified {
    fn parameters(&self) -> usize {
        self.kernel.parameters()
    }

    fn samples(&self) -> usize {
        self.kernel.samples()
    }

    fn margins(&self, theta: &[f64], margins: &mut [f64]) {
        self.kernel.margins(theta, margins);
        self.scale(margins);
    }

    fn velocity(
        &self,
        theta: &[f64],
        multipliers: &[f64],
        velocity: &mut [f64],
        rates: &mut [f64],
    ) {
        self.kernel.velocity(theta, multipliers, velocity, rates);
        self.scale(rates);
    }

    fn tangent(
        &self,
        theta: &[f64],
        multipliers: &[f64],
        d_theta: &[f64],
        d_multipliers: &[f64],
    ) -> Tangent {
        let mut tangent = self
            .kernel
            .tangent(theta, multipliers, d_theta, d_multipliers);
        self.scale(tangent.margins.as_mut_slice());
        self.scale(tangent.rates.as_mut_slice());
        tangent
    }

    fn layers(&self) -> Vec<usize> {
        self.kernel.layers()
    }

    fn degree(&self) -> Option<i32> {
        Some(self.degree)
    }

    fn tangent_kernel(&self, theta: &[f64], active: &[usize]) -> DMatrix<f64> {
        self.kernel.tangent_kernel(theta, active) * self.margin
    }

    fn idle(&self) -> &[usize] {
        self.kernel.idle()
    }

    fn linearise(
        &self,
        theta: &[f64],
        multipliers: &[f64],
        step: f64,
    ) -> Option<Box<dyn LinearisedStep>> {
        let step = self.kernel.linearise(theta, multipliers, step)?;
        Some(Box::new(MagnifiedStep {
            step,
            margin: self.margin,
        }))
    }
}

/// An implicit step of u.
struct MagnifiedStep {
    step: Box<dyn LinearisedStep>,
    margin: f64,
}

impl LinearisedStep for MagnifiedStep {
    fn response(&self, active: &[usize]) -> (DMatrix<f64>, DMatrix<f64>) {
        let (margins, rates) = self.step.response(active);
        (margins * self.margin, rates * self.margin)
    }

    fn solve(&self, residual: &mut [f64], close: &mut crate::network::Closure<'_>) -> DVector<f64> {
        let margin = self.margin;
        let mut close_here =
            |dm: &DVector<f64>, rates: &DVector<f64>| close(&(dm * margin), &(rates * margin));
        self.step.solve(residual, &mut close_here) * margin
    }
}
