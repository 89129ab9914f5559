//! The flow of a kernel of one's own: a network, rule or model that no problem describes.

use super::checkpoint::Keeper;
use super::integrate::Field;
#[cfg(doc)]
use super::integrate::integrate;
use super::system::NewtonSolver;
use super::{FlowOptions, Progress};
use crate::control::Control;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::loss::Loss;
use crate::network::Kernel;
use crate::trajectory::Trajectory;
use nalgebra::DVector;
use std::sync::{Arc, OnceLock};

/// [`integrate`] for any [`Kernel`] (a user's own network or rule), with a choice of Newton solver.
///
/// # Errors
/// As [`integrate`].
pub fn integrate_kernel(
    kernel: &Arc<dyn Kernel>,
    loss: Loss,
    theta0: &DVector<f64>,
    options: &FlowOptions,
    newton: NewtonSolver,
    observer: &mut dyn FnMut(Progress),
) -> Result<Trajectory> {
    let control = Control::none();
    let field = Field::of(kernel, (loss, 1), newton);
    field.integrate(theta0, options, Keeper::none(&control), observer)
}

/// [`integrate_kernel`] with the structured solver, for `rows` margins per sample (C − 1 where labels are C classes),
/// one sample after the other, which the loss may couple; under a control, which watches and stops it. No checkpoint is
/// kept: nothing says that the same kernel comes back.
///
/// # Errors
/// As [`integrate`]; [`Error::Interrupted`] once the signal has come.
pub fn integrate_kernel_under(
    kernel: &Arc<dyn Kernel>,
    (loss, rows): (Loss, usize),
    theta0: &DVector<f64>,
    options: &FlowOptions,
    control: &Control<'_>,
) -> Result<Trajectory> {
    let field = Field::of(kernel, (loss, rows), NewtonSolver::Structured);
    let mut observer = |progress| control.observer.flow(progress);
    field.integrate(theta0, options, Keeper::none(control), &mut observer)
}

impl<'a> Field<'a> {
    /// A field whose rows all differ, of so many rows per sample.
    fn of(kernel: &'a Arc<dyn Kernel>, (loss, rows): (Loss, usize), newton: NewtonSolver) -> Self {
        Self {
            kernel,
            counts: &[],
            loss,
            rows,
            newton,
            contradiction: OnceLock::new(),
        }
    }
}
