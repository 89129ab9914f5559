//! The accumulated multipliers `A_n(t) = ∫_0^t α_n dt' = ∫ E_n ds`, by quadrature along the accepted steps.
//!
//! They are the run's own dual certificate: any A ≥ 0 bounds how far β is from its limit, and under fixed feedback
//! `Gᵀ A` is what the first layer has learned. They are computed by Simpson's rule on the integrator's own
//! interpolant; steps resolve every change of the multipliers, so its error is far below that of the states.

use super::system::System;

/// Running totals up to the end of the last step.
pub(super) struct Accumulated {
    totals: Vec<f64>,
    /// `E_n` there.
    rates: Vec<f64>,
}

impl Accumulated {
    /// Totals of zero, starting from the state `y` at local time t.
    pub(super) fn new(system: &System, y: &[f64], t: f64) -> Self {
        let rates = system.multipliers(y, t);
        Self {
            totals: vec![0.0; rates.len()],
            rates,
        }
    }

    /// Nothing yet, and of no samples.
    pub(super) fn none() -> Self {
        Self {
            totals: Vec::new(),
            rates: Vec::new(),
        }
    }

    /// Continued from `totals` at the state `y` of the local time t.
    pub(super) fn continued(totals: Vec<f64>, system: &System, y: &[f64], t: f64) -> Self {
        let rates = system.multipliers(y, t);
        Self { totals, rates }
    }

    /// The totals at the end of the last step.
    pub(super) fn totals(&self) -> &[f64] {
        &self.totals
    }

    /// Replaces the totals, for a method that keeps its own account. The rates are not updated: [`Self::continued`]
    /// computes them afresh.
    pub(super) fn set(&mut self, totals: &[f64]) {
        self.totals.copy_from_slice(totals);
    }

    /// The totals after a further step of length `h`, from the multipliers in the middle and at the end.
    pub(super) fn after(&self, h: f64, middle: &[f64], end: &[f64]) -> Vec<f64> {
        let rates = self.rates.iter().zip(middle).zip(end);
        self.totals
            .iter()
            .zip(rates)
            .map(|(a, ((r0, r1), r2))| a + h / 6.0 * (r0 + 4.0 * r1 + r2))
            .collect()
    }

    /// Advances to the end of a step of length `h`.
    pub(super) fn advance(&mut self, h: f64, middle: &[f64], end: Vec<f64>) {
        self.totals = self.after(h, middle, &end);
        self.rates = end;
    }
}
