//! The flow in log-log-time: what to integrate, how, and [`integrate`].
//!
//! States are the flattened weights θ and compressed log-multipliers v, in the clock `s = ln(1+ln(1+t))` from s = 0
//! (see [`clock`]). The vector field and its exact Newton systems are in `system` and `newton`. Time is stepped by an
//! `Integrator` (`adams_bdf`, our own; `diffsol_methods`), and one driver, `drive`, does everything around the steps.
//! Nothing outside this module names diffsol.

mod accumulated;
mod adams_bdf;
#[cfg(test)]
mod backward_euler;
mod borders;
mod checkpoint;
pub mod clock;
mod contradiction;
mod coordinates;
mod diffsol_methods;
mod drive;
mod ending;
mod error;
mod factors;
mod guards;
mod held;
mod integrate;
mod integrator;
mod magnified;
mod method;
mod newton;
mod operator;
mod own_kernel;
mod past;
mod reduced;
mod run;
mod saves;
mod states;
mod system;
#[cfg(test)]
mod tests;
mod units;
mod watch;

pub use crate::problem::State;
#[cfg(feature = "cli")]
pub(crate) use diffsol_methods::LIBRARY;
pub use drive::Progress;
pub use integrate::{integrate, integrate_under};
pub use method::Method;
pub use own_kernel::{integrate_kernel, integrate_kernel_under};
#[cfg(feature = "scenarios")]
pub(crate) use saves::affordable;
pub use system::{FactorisedStep, NewtonSolver, System};

/// When the states of a run are saved.
#[derive(Debug, Clone, PartialEq)]
pub enum SaveAt {
    /// On a uniform grid of s, as fine as the size of the states allows (25 to 201 saves).
    Default,
    /// On a uniform grid of s of this many saves (≥ 2).
    Uniform(usize),
    /// At s = 0 and at these s, increasing, the first > 0 and the last ≤ the horizon.
    Times(Vec<f64>),
}

/// Everything the integrator needs besides the problem.
#[derive(Debug, Clone)]
pub struct FlowOptions {
    /// Horizon s = ln(1 + ln(1 + t)).
    pub until: f64,
    /// Relative accuracy of the run: conserved quantities drift by less. Single steps get a small share of it.
    pub rtol: f64,
    /// Absolute accuracy of θ; that of the compressed log-multipliers is 100 times larger.
    pub atol: f64,
    /// Time-stepping method.
    pub method: Method,
    /// Which state is integrated. A trajectory holds all weights in either case.
    pub state: State,
    /// When states are saved.
    pub saves: SaveAt,
    /// Accepted steps between fixed points, where methods other than [`Method::AdamsBdf`] restart and a checkpoint
    /// may be taken; `None`: chosen by the size of the problem, 200 to 10,000.
    pub checkpoint_steps: Option<usize>,
    /// Budget of accepted steps.
    pub max_steps: usize,
    /// Budget of wall-clock time, seconds.
    pub max_wall_seconds: f64,
}

impl FlowOptions {
    /// The settings of docs/design.md, up to the horizon `until` (log-log-time).
    pub fn to(until: f64) -> Self {
        Self {
            until,
            rtol: 1e-6,
            atol: 1e-8,
            method: Method::AdamsBdf,
            state: State::Full,
            saves: SaveAt::Default,
            checkpoint_steps: None,
            max_steps: 1_000_000,
            max_wall_seconds: 3600.0,
        }
    }

    /// The same run at tolerances a hundred times tighter: what `--verify` compares with.
    pub fn tightened(&self) -> Self {
        Self {
            rtol: self.rtol / 100.0,
            atol: self.atol / 100.0,
            ..self.clone()
        }
    }
}
