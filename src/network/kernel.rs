//! A network under a rule on a data set, as a vector field: all that integrators and steppers need to know of it.

use super::{QuasiNewtonStep, WeightPath};
use crate::trajectory::Kinks;
use nalgebra::{DMatrix, DVector};
use std::ops::Range;
use std::sync::Arc;

/// A vector field on θ that is linear in the multipliers of N samples, `θ' = Σ_n α_n y_n 𝒢_n(θ)`, independent of loss
/// and clock.
///
/// A kernel must supply its sizes and three functions: [`margins`](Self::margins), [`velocity`](Self::velocity) and
/// [`tangent`](Self::tangent). Everything else is *optional*: it has a default that is correct for every kernel, and a
/// kernel overrides it where it knows a cheaper way or can provide more.
///
/// Slices: `theta`, `velocity` have length P; `multipliers`, `margins`, `rates` length N.
pub trait Kernel: Send + Sync {
    /// P.
    fn parameters(&self) -> usize;

    /// N.
    fn samples(&self) -> usize;

    /// Margins `m_n = y_n f_θ(x_n)`.
    fn margins(&self, theta: &[f64], margins: &mut [f64]);

    /// `velocity = Σ_n α_n y_n 𝒢_n(θ)` and the margin rates it causes, `rates_n = ∂m_n/∂θ · velocity`.
    fn velocity(&self, theta: &[f64], multipliers: &[f64], velocity: &mut [f64], rates: &mut [f64]);

    /// Exact directional derivative of (velocity, margins, rates) along `(d_theta, d_multipliers)`.
    fn tangent(
        &self,
        theta: &[f64],
        multipliers: &[f64],
        d_theta: &[f64],
        d_multipliers: &[f64],
    ) -> Tangent;

    /// Optional: lengths of the consecutive parts of θ whose entries grow together (the layers). By default all of θ
    /// is one part.
    fn layers(&self) -> Vec<usize> {
        vec![self.parameters()]
    }

    /// Offer: the degree L ≥ 2 of margins in the weights, where they are homogeneous, `m(σθ) = σ^L m(θ)`, and the
    /// velocity is so of degree L − 1, as under gradient descent. Integrators then take weights near zero in a unit of
    /// their own.
    fn degree(&self) -> Option<i32> {
        None
    }

    /// Offer: what the flow from `theta` keeps away from zero for ever, though it may come arbitrarily near.
    fn held(&self, _theta: &[f64]) -> Held {
        Held::default()
    }

    /// Optional: G (N × D), where margins are linear in the input, `m_n = g_n·β`, in any orthonormal coordinates.
    /// Integrators then step the weights explicitly, and eliminate in the input space where D < N.
    fn signed_samples(&self) -> Option<&DMatrix<f64>> {
        None
    }

    /// Offer: whether the weights are not stiff by themselves, only through the multipliers; integrators may then step
    /// them explicitly. So it is in linear networks, and between the kinks of others.
    fn has_mild_weights(&self) -> bool {
        self.signed_samples().is_some() || self.pieces().is_some()
    }

    /// Offer: the same field on other rows, r × D in the coordinates of [`signed_samples`](Self::signed_samples), in
    /// place of the signed samples: it moves by `z = Σ_i a_i u_i`, and its margins are `u_i·β`. Integrators then
    /// carry samples that depend on each other as combinations of rows that do not.
    fn on_rows(&self, _rows: &DMatrix<f64>) -> Option<Arc<dyn Kernel>> {
        None
    }

    /// Offer: the tangent kernel `K_nm = ∂m_n/∂θ · y_m 𝒢_m(θ)` for all n and the samples m in `active`, N ×
    /// `active.len()`. By default one [`velocity`](Self::velocity) per active sample.
    fn tangent_kernel(&self, theta: &[f64], active: &[usize]) -> DMatrix<f64> {
        let mut columns = DMatrix::zeros(self.samples(), active.len());
        let mut velocity = vec![0.0; self.parameters()];
        let mut rates = vec![0.0; self.samples()];
        for (j, &m) in active.iter().enumerate() {
            let mut unit = vec![0.0; self.samples()];
            unit[m] = 1.0;
            self.velocity(theta, &unit, &mut velocity, &mut rates);
            columns.column_mut(j).copy_from_slice(&rates);
        }
        columns
    }

    /// Optional: samples whose multipliers move no weight, however large they are; at most they hold preactivations on
    /// their kinks.
    fn idle(&self) -> &[usize] {
        &[]
    }

    /// Offer: samples whose margins are zero and stay so, whatever the weights do, until this kernel is replaced by
    /// another: their log-multiplier is τ exactly, and nothing has to be integrated for it.
    fn dead(&self) -> &[usize] {
        &[]
    }

    /// Optional: the pieces of a piecewise smooth field. A smooth field has none.
    fn pieces(&self) -> Option<&dyn Pieces> {
        None
    }

    /// Optional: the weights along an integration, from `theta`, with room for `slots` velocities, in a form that is
    /// cheaper than [`FullPath`](super::FullPath), the default.
    fn path(&self, _theta: &[f64], _slots: usize) -> Option<Box<dyn WeightPath + '_>> {
        None
    }

    /// Optional: the equations of one implicit step, `dθ = r + c · d(velocity)`, linearised at `(θ, α)` and solved
    /// exactly. By default the step is a [`QuasiNewtonStep`]; [`linearised`] returns either.
    fn linearise(
        &self,
        _theta: &[f64],
        _multipliers: &[f64],
        _step: f64,
    ) -> Option<Box<dyn LinearisedStep>> {
        None
    }
}

/// What a flow keeps away from zero.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Held {
    /// Single weights whose signs never change.
    pub signs: Vec<usize>,
    /// Parts of θ that may come nearer to zero than any bound, and have to be resolved relative to their own norm: sets
    /// of parts whose norms stay equal.
    pub near: Vec<Vec<Range<usize>>>,
}

/// One linearised implicit step of a kernel: its own, or a [`QuasiNewtonStep`].
pub fn linearised(
    kernel: &Arc<dyn Kernel>,
    theta: &[f64],
    multipliers: &[f64],
    step: f64,
) -> Box<dyn LinearisedStep> {
    kernel
        .linearise(theta, multipliers, step)
        .unwrap_or_else(|| Box::new(QuasiNewtonStep::new(kernel, theta, multipliers, step)))
}

/// A piecewise smooth vector field (exact kinks). A kernel returned by [`Pieces::enter`] is the smooth continuation of
/// one piece beyond its borders, and can tell when a state has left it.
///
/// `theta` has length P, `multipliers` (in any scale, the same for all samples) length N.
pub trait Pieces {
    /// Positive inside the piece, negative once a border has been crossed.
    fn clearance(&self, theta: &[f64], multipliers: &[f64]) -> f64;

    /// The piece that the flow enters at a state: inside the present piece, or on its border, where `theta` is moved
    /// exactly onto the border.
    ///
    /// # Errors
    /// A message, if no piece is consistent with its own velocity.
    fn enter(&self, theta: &mut [f64], multipliers: &[f64]) -> Result<Entered, String>;

    /// Offer: whether gates have kinks, of which a run keeps an account even where nothing happens at them. Otherwise
    /// pieces only end where units come to zero weights.
    fn has_kinks(&self) -> bool {
        true
    }

    /// What tells this piece from others, as words to be stored.
    fn state(&self) -> Vec<u64>;

    /// The piece of the same field with this [`state`](Self::state), if there is one.
    fn restored(&self, state: &[u64]) -> Option<Arc<dyn Kernel>>;
}

/// A piece of a field, and what happened on entering it.
pub struct Entered {
    pub kernel: Arc<dyn Kernel>,
    /// What changed at this border, and the pairs that slide from now on.
    pub kinks: Kinks,
}

/// Directional derivatives of a [`Kernel`].
#[derive(Debug, Clone)]
pub struct Tangent {
    /// Of the velocity, length P.
    pub velocity: Vec<f64>,
    /// Of the margins, length N.
    pub margins: DVector<f64>,
    /// Of the margin rates, length N.
    pub rates: DVector<f64>,
}

/// One implicit step with its θ-part eliminated: the effect of a change of the N multipliers on the margins and their
/// rates once `dθ = r + c·d(velocity)` has been solved exactly.
pub trait LinearisedStep: Send {
    /// With r = 0: derivatives of (margins, rates) in the multipliers of the samples `active`, each N × `active.len()`.
    fn response(&self, active: &[usize]) -> (DMatrix<f64>, DMatrix<f64>);

    /// The same responses of all N samples as products through the input space, `(G Q Gᵀ, G Q' Gᵀ)` with G the signed
    /// samples (N × D); `None` for networks that are not linear in their input.
    fn input_response(&self) -> Option<InputResponse<'_>> {
        None
    }

    /// Solves `dθ = r + c·d(velocity)` in place (`residual`: r in, dθ out). `close` is called for the change of the
    /// multipliers once the part of (dm, dm') caused by r alone is known. Returns the total change of the margins.
    fn solve(&self, residual: &mut [f64], close: &mut Closure<'_>) -> DVector<f64>;
}

/// Responses through the input space, see [`LinearisedStep::input_response`].
pub struct InputResponse<'a> {
    /// G, N × D.
    pub signed_samples: &'a DMatrix<f64>,
    /// Q, D × D.
    pub margins: DMatrix<f64>,
    /// Q', D × D.
    pub rates: DMatrix<f64>,
}

/// Maps the (dm, dm') caused by the residual alone to the change of the multipliers.
pub type Closure<'a> = dyn FnMut(&DVector<f64>, &DVector<f64>) -> DVector<f64> + 'a;
