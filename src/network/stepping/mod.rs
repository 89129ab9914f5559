//! Finite steps of a network: `θ_{k+1} = θ_k + η_k Σ_n α_n y_n 𝒢_n(θ_k)`.
//!
//! A [`Stepper`] advances one or several runs (*lanes*: the same problem with different step sizes or initial weights)
//! and knows nothing of records, files or wall clocks. Every network has one by its vector field, [`GenericStepper`];
//! most provide a faster one, on `vector` arithmetic (instructions chosen at run time), padded `columns`, and step
//! `weights` `η_k α_n` of several runs at once.

pub(crate) mod columns;
mod generic;
pub(crate) mod pace;
pub(crate) mod parts;
pub(crate) mod run;
pub(crate) mod vector;
pub(crate) mod weights;

pub use generic::GenericStepper;
pub use pace::Schedule;
pub use vector::exponentials;

use super::Signals;
use crate::dataset::Dataset;
use crate::loss::Loss;
use nalgebra::DVector;

/// What steps depend on: the route of the error signals, the data, the loss, and the step size schedule.
#[derive(Debug, Clone, Copy)]
pub struct Training<'a> {
    pub signals: Signals<'a>,
    pub data: &'a Dataset,
    pub loss: Loss,
    pub schedule: Schedule,
}

/// One run among the lanes of a [`Stepper`].
#[derive(Debug, Clone)]
pub struct Lane {
    /// η > 0, the step size.
    pub size: f64,
    /// θ_0 as [`Architecture::theta`](super::Architecture::theta) flattens it, length P.
    pub theta: DVector<f64>,
}

/// Runs of finite steps of one rule on one network and data set, advanced together. One step allocates nothing.
pub trait Stepper: Send {
    /// Number of runs.
    fn lanes(&self) -> usize;

    /// Takes `steps` steps in every lane. A run that overflows continues with non-finite weights. The result is
    /// bitwise independent of how the steps are divided among calls.
    fn advance(&mut self, steps: u64);

    /// Writes θ_k of one lane, length P.
    fn theta(&self, lane: usize, theta: &mut [f64]);

    /// ln t_k of one lane, `t_k = Σ_{j<k} η_j`; −∞ before the first step. Only called for schedules whose steps vary.
    fn log_time(&self, lane: usize) -> f64;

    /// Everything the next step depends on, as numbers to be stored; a stepper of the same problem that restores them
    /// continues bit for bit like this one.
    fn state(&self) -> Vec<f64>;

    /// Takes over a [`state`](Self::state) of a stepper of the same problem and lanes.
    ///
    /// # Panics
    /// If its length differs.
    fn restore(&mut self, state: &[f64]);
}
