//! The registry of integrators: one line each.

use super::integrator::Constructor;
use super::system::NewtonSolver;
use super::{adams_bdf, diffsol_methods};
use crate::network::Kernel;
use serde::{Deserialize, Serialize};

/// Generates all code that lists the methods, from lines `/// what it is` `Variant = "name" => constructor;`.
macro_rules! methods {
    ($($(#[$about:meta])* $variant:ident = $name:literal => $constructor:path;)+) => {
        /// Time-stepping method.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum Method {
            $($(#[$about])* $variant,)+
        }

        #[allow(unused_doc_comments, reason = "what a line says of a method is also repeated here")]
        impl Method {
            const ALL: &'static [Self] = &[$($(#[$about])* Self::$variant,)+];

            /// The method's name in a scenario.
            pub fn name(self) -> &'static str {
                match self {
                    $($(#[$about])* Self::$variant => $name,)+
                }
            }

            /// The constructor of its integrators.
            pub(super) fn constructor(self) -> Constructor {
                match self {
                    $($(#[$about])* Self::$variant => $constructor,)+
                }
            }
        }
    };
}

methods! {
    /// Adams formulas for the weights, backward differences for the log-multipliers (the default; every horizon). The
    /// rest of a run that meets what this method leaves to others takes [`Self::Bdf`].
    AdamsBdf = "adams-bdf" => adams_bdf::begin;
    /// Backward differences of variable order for all unknowns together (every horizon).
    Bdf = "bdf" => diffsol_methods::bdf;
    /// Implicit Runge–Kutta of order 3(4), about 1.4 times the steps.
    Esdirk34 = "esdirk34" => diffsol_methods::esdirk34;
    /// Implicit Runge–Kutta of order 2(3), about 3 times the steps.
    TrBdf2 = "tr-bdf2" => diffsol_methods::tr_bdf2;
    /// Explicit Runge–Kutta of order 4(5): O(e^s) steps, for short horizons.
    Tsit45 = "tsit45" => diffsol_methods::tsit45;
    #[cfg(test)]
    /// The smallest integrator that can be written, of the tests.
    BackwardEuler = "backward-euler" => super::backward_euler::begin;
}

impl Method {
    /// The method that takes over where a partitioned one hands over.
    pub(super) const FULLY_IMPLICIT: Self = Self::Bdf;

    /// The method with this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|method| method.name() == name)
    }

    /// The method actually used where this one is requested: `adams-bdf` takes networks whose weights are not stiff by
    /// themselves, and only its own Newton matrix.
    pub(super) fn for_field(self, kernel: &dyn Kernel, newton: NewtonSolver) -> Self {
        if self == Self::AdamsBdf
            && !(kernel.has_mild_weights() && newton == NewtonSolver::Structured)
        {
            Self::FULLY_IMPLICIT
        } else {
            self
        }
    }
}
