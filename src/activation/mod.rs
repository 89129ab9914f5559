//! Activations of units: value, slopes, curvature, kinks and degree, one file per activation.
//!
//! A unit with weights w and inputs h has the preactivation `a = w·h` and the output `g`. Networks without biases are
//! homogeneous only if g is homogeneous in w and in h, so an activation is either a function of a alone with its only
//! kink at zero, or its kink is rounded over a width proportional to the lengths of w and h, through the root
//! `q = √(a² + ε²‖w‖²‖h‖²)`. In both cases
//! ```text
//! ∂g/∂w = M h + κ w,    κ = c‖h‖²/q          (c = 0 for functions of a alone)
//! ∂g/∂h = M w + μ h,    μ = c‖w‖²/q
//! ```
//! with the *gate* `M = ∂g/∂a`. Where q = 0, the gate is one and κ = μ = 0: the report takes g'(0) = 1.
//!
//! To add an activation: a file with a type that implements [`Formula`], and its line in the registry below. The line
//! brings its key into scenarios.

mod formula;
mod identity;
mod leaky_relu;
mod quadratic;
mod relu;
mod relu_power;
mod smoothed_relu;
#[cfg(test)]
mod tests;

pub use formula::{Argument, Direction, Formula, Kink, Row, Turn};

use nalgebra::{DMatrix, DVectorView};
use thiserror::Error;

/// The number that selects an activation in a scenario: a key in the network's table. Zero, or an absent key, means
/// the ReLU.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    pub key: &'static str,
    /// What the number is, with its article.
    pub noun: &'static str,
    pub documentation: &'static str,
    /// Upper bound of the admissible range, which starts at zero.
    pub bound: f64,
    /// Whether the bound itself is admissible.
    pub bound_included: bool,
    make: fn(f64) -> Activation,
}

impl Parameter {
    /// The activation with this value of the parameter.
    ///
    /// # Errors
    /// If the value is outside of its range.
    pub fn activation(&self, value: f64) -> Result<Activation, OutOfRange> {
        let below = value < self.bound || self.bound_included && value == self.bound;
        if value >= 0.0 && below {
            // adding zero maps -0.0 to 0.0
            return Ok((self.make)(value + 0.0));
        }
        let relation = if self.bound_included { "<=" } else { "<" };
        let bound = if self.bound < 1e6 {
            self.bound.to_string()
        } else {
            format!("{:e}", self.bound)
        };
        let expected = format!("{} >= 0 and {relation} {bound}", self.noun);
        Err(OutOfRange { value, expected })
    }
}

/// A parameter outside of its range.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("{value} is not {expected}")]
pub struct OutOfRange {
    pub value: f64,
    /// The admissible range, in words.
    pub expected: String,
}

/// One activation of the registry.
#[derive(Debug, Clone, Copy)]
pub struct Registered {
    pub name: &'static str,
    /// The key of `[network.relu]` that selects it; `None` for the ReLU itself, and for those that are no relatives of
    /// it.
    pub parameter: Option<Parameter>,
    /// How a layer of `[network.layers]` asks for it; `None` if no layer does by name.
    pub of_layers: Option<OfLayers>,
}

/// How a layer of a general network names its activation.
#[derive(Debug, Clone, Copy)]
pub enum OfLayers {
    /// By the name alone.
    Name(fn() -> Activation),
    /// By the name and a number.
    Number {
        /// What the number is, with its range.
        about: &'static str,
        make: fn(f64) -> Result<Activation, OutOfRange>,
    },
}

/// The parameters of all activations, in order.
pub fn parameters() -> impl Iterator<Item = &'static Parameter> {
    ACTIVATIONS.iter().filter_map(|a| a.parameter.as_ref())
}

/// An enum of all formulas that implements [`Formula`] itself, so that no call is dispatched through a vtable: steps
/// need loops compiled for their activation, and everything else benefits too.
macro_rules! registry {
    ($($module:ident::$formula:ident),+ $(,)?) => {
        $(pub use $module::$formula;)+

        /// One of the activations.
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub enum Activation {
            $(#[doc = concat!("See [`", stringify!($formula), "`].")] $formula($formula)),+
        }

        /// All activations, the plain ReLU first.
        pub const ACTIVATIONS: &[Registered] = &[
            $(Registered {
                name: $formula::NAME,
                parameter: $formula::PARAMETER,
                of_layers: $formula::OF_LAYERS,
            }),+
        ];

        $(impl From<$formula> for Activation {
            fn from(formula: $formula) -> Self {
                Self::$formula(formula)
            }
        })+

        impl Activation {
            /// Its name in the registry.
            pub fn name(self) -> &'static str {
                match self { $(Self::$formula(_) => $formula::NAME),+ }
            }
        }

        impl Formula for Activation {
            fn value(self, at: Argument) -> f64 {
                match self { $(Self::$formula(f) => f.value(at)),+ }
            }

            fn gate(self, at: Argument) -> f64 {
                match self { $(Self::$formula(f) => f.gate(at)),+ }
            }

            fn kink(self) -> Option<Kink> {
                match self { $(Self::$formula(f) => f.kink()),+ }
            }

            fn curved(self) -> bool {
                match self { $(Self::$formula(f) => f.curved()),+ }
            }

            fn rounded(self, softness: f64) -> Activation {
                match self { $(Self::$formula(f) => f.rounded(softness)),+ }
            }

            fn degree(self) -> u32 {
                match self { $(Self::$formula(f) => f.degree()),+ }
            }

            fn description(self) -> String {
                match self { $(Self::$formula(f) => f.description()),+ }
            }

            fn softness(self) -> f64 {
                match self { $(Self::$formula(f) => f.softness()),+ }
            }

            fn root(self, preactivation: f64, lengths: f64) -> f64 {
                match self { $(Self::$formula(f) => f.root(preactivation, lengths)),+ }
            }

            #[inline(always)]
            fn root_of_squares(self, preactivation: f64, weights: f64, inputs: f64) -> f64 {
                match self { $(Self::$formula(f) => f.root_of_squares(preactivation, weights, inputs)),+ }
            }

            #[inline(always)]
            fn stretch(self) -> f64 {
                match self { $(Self::$formula(f) => f.stretch()),+ }
            }

            fn of_weights(self, at: Argument) -> f64 {
                match self { $(Self::$formula(f) => f.of_weights(at)),+ }
            }

            fn of_inputs(self, at: Argument) -> f64 {
                match self { $(Self::$formula(f) => f.of_inputs(at)),+ }
            }

            fn turn(self, at: Argument, along: Direction) -> Turn {
                match self { $(Self::$formula(f) => f.turn(at, along)),+ }
            }

            fn curvature_bound(self, at: Argument) -> f64 {
                match self { $(Self::$formula(f) => f.curvature_bound(at)),+ }
            }

            fn add_curvature(
                self,
                at: Argument,
                factor: f64,
                vectors: (&DVectorView<'_, f64>, &DVectorView<'_, f64>),
                matrix: &mut DMatrix<f64>,
            ) -> f64 {
                match self { $(Self::$formula(f) => f.add_curvature(at, factor, vectors, matrix)),+ }
            }

            #[inline(always)]
            fn cut(self, outputs: &mut [f64], gates: &mut [f64]) {
                match self { $(Self::$formula(f) => f.cut(outputs, gates)),+ }
            }

            #[inline(always)]
            fn bend(self, row: Row<'_>) {
                match self { $(Self::$formula(f) => f.bend(row)),+ }
            }
        }
    };
}

registry! {
    relu::ExactRelu,
    smoothed_relu::SmoothedRelu,
    leaky_relu::LeakyRelu,
    identity::Identity,
    quadratic::Quadratic,
    relu_power::ReluPower,
}

/// Those of `[network.relu]`, with a parameter from inside its range.
#[cfg(test)]
pub(crate) fn examples() -> Vec<Activation> {
    let relatives = parameters().map(|p| p.activation(0.3).expect("inside its range"));
    std::iter::once(ExactRelu.into()).chain(relatives).collect()
}

/// Every activation that a layer can have, kinks exact and rounded.
#[cfg(test)]
pub(crate) fn examples_of_layers() -> Vec<Activation> {
    let named = ACTIVATIONS.iter().filter_map(|a| a.of_layers);
    let examples = named.flat_map(|of_layers| match of_layers {
        OfLayers::Name(make) => vec![make()],
        // a slope, and a power
        OfLayers::Number { make, .. } => [0.3, 2.0, 3.0]
            .iter()
            .filter_map(|x| make(*x).ok())
            .collect(),
    });
    let examples: Vec<Activation> = examples.collect();
    let rounded = examples
        .iter()
        .map(|a| a.rounded(0.3))
        .filter(|a| !examples.contains(a));
    examples.iter().copied().chain(rounded).collect()
}
