//! The ReLU with its kink rounded off, `g = ½(a + q)`, `q = √(a² + ε²‖w‖²‖h‖²)`.
//!
//! It is homogeneous of degree one in w and in h, and tends to the ReLU as ε → 0. From
//! `∇q = (a h + ε²‖h‖² w)/q` in w,
//! ```text
//! M = ½(1 + a/q),    κ = ½ε²‖h‖²/q,    μ = ½ε²‖w‖²/q,    ∇²_w g = ½(h hᵀ + ε²‖h‖² 1 − ∇q ∇qᵀ)/q
//! ```

use super::{Activation, Argument, Direction, ExactRelu, Formula, Kink, Parameter, Turn};
use nalgebra::{DMatrix, DVectorView};

/// See the module; ε > 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SmoothedRelu {
    epsilon: f64,
}

impl SmoothedRelu {
    pub(super) const NAME: &'static str = "smoothed-relu";
    pub(super) const PARAMETER: Option<Parameter> = Some(Parameter {
        key: "smoothing",
        noun: "a smoothing",
        documentation: "Half width ε over which kinks are rounded off, in units of preactivations; 0 keeps them exact.",
        bound: 1e100,
        bound_included: true,
        make: Self::or_exact,
    });

    /// A smoothed ReLU with smoothing ε; the exact ReLU unless ε > 0.
    pub fn or_exact(epsilon: f64) -> Activation {
        if epsilon > 0.0 {
            Self { epsilon }.into()
        } else {
            ExactRelu.into()
        }
    }
}

impl Formula for SmoothedRelu {
    #[inline(always)]
    fn value(self, at: Argument) -> f64 {
        0.5 * (at.preactivation + at.root)
    }

    #[inline(always)]
    fn gate(self, at: Argument) -> f64 {
        if at.root > 0.0 {
            0.5 * (1.0 + at.preactivation / at.root)
        } else {
            1.0
        }
    }

    fn kink(self) -> Option<Kink> {
        None
    }

    fn description(self) -> String {
        format!("ε = {}", self.epsilon)
    }

    fn softness(self) -> f64 {
        self.epsilon
    }

    fn root(self, preactivation: f64, lengths: f64) -> f64 {
        preactivation.hypot(self.epsilon * lengths)
    }

    #[inline(always)]
    fn root_of_squares(self, preactivation: f64, weights: f64, inputs: f64) -> f64 {
        (preactivation * preactivation + self.epsilon * self.epsilon * weights * inputs).sqrt()
    }

    #[inline(always)]
    fn stretch(self) -> f64 {
        0.5 * (self.epsilon * self.epsilon)
    }

    /// From `q dq = a da + ε²(‖h‖² w·dw + ‖w‖² h·dh)`.
    fn turn(self, at: Argument, along: Direction) -> Turn {
        let q = at.root;
        if q == 0.0 {
            return Turn::default();
        }
        let squared = self.epsilon * self.epsilon;
        let lengths = at.inputs * along.weights + at.weights * along.inputs;
        let grows = (at.preactivation * along.preactivation + squared * lengths) / q / q;
        Turn {
            gate: 0.5 * (along.preactivation - at.preactivation * grows) / q,
            of_weights: squared * along.inputs / q - self.of_weights(at) * grows,
            of_inputs: squared * along.weights / q - self.of_inputs(at) * grows,
        }
    }

    /// Twice `½(1 + ε²)‖h‖²/q`, times `(ε‖w‖‖h‖/q)²` away from the kink.
    fn curvature_bound(self, at: Argument) -> f64 {
        let q = at.root;
        if q == 0.0 {
            return 0.0;
        }
        let squared = self.epsilon * self.epsilon;
        let flat = squared * at.weights * at.inputs / (q * q);
        (1.0 + squared) * at.inputs / q * flat.min(1.0)
    }

    fn add_curvature(
        self,
        at: Argument,
        factor: f64,
        (h, w): (&DVectorView<'_, f64>, &DVectorView<'_, f64>),
        matrix: &mut DMatrix<f64>,
    ) -> f64 {
        let squared = self.epsilon * self.epsilon;
        let k = 0.5 * factor / at.root;
        let slope = (h * at.preactivation + w * (squared * at.inputs)) / at.root;
        matrix.ger(k, h, h, 1.0);
        matrix.ger(-k, &slope, &slope, 1.0);
        k * squared * at.inputs
    }
}
