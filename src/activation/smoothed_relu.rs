//! The ReLU with its kink rounded off, `g = ½(a + q)`, `q = √(a² + ε²‖w‖²‖h‖²)`; and a leaky ReLU with its kink
//! rounded off, `g = ½((1 + k) a + (1 − k) q)`, k the slope of inactive units.
//!
//! It is homogeneous of degree one in w and in h, and tends to the (leaky) ReLU as ε → 0. With `c = ½(1 − k)` and
//! `∇q = (a h + ε²‖h‖² w)/q` in w,
//! ```text
//! M = k + c(1 + a/q),    κ = cε²‖h‖²/q,    μ = cε²‖w‖²/q,    ∇²_w g = c(h hᵀ + ε²‖h‖² 1 − ∇q ∇qᵀ)/q
//! ```

use super::{Activation, Argument, Direction, ExactRelu, Formula, Kink, OfLayers, Parameter, Turn};
use nalgebra::{DMatrix, DVectorView};

/// See the module; ε > 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SmoothedRelu {
    epsilon: f64,
    /// k
    slope: f64,
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

    /// Layers name the activation whose kink is rounded.
    pub(super) const OF_LAYERS: Option<OfLayers> = None;

    /// A smoothed ReLU with smoothing ε; the exact ReLU unless ε > 0.
    pub fn or_exact(epsilon: f64) -> Activation {
        if epsilon > 0.0 {
            Self::leaky(0.0, epsilon).into()
        } else {
            ExactRelu.into()
        }
    }

    /// A leaky ReLU of slope 0 ≤ k < 1 with its kink rounded over ε > 0.
    pub(super) fn leaky(slope: f64, epsilon: f64) -> Self {
        Self { epsilon, slope }
    }

    /// c
    #[inline(always)]
    fn half(self) -> f64 {
        0.5 * (1.0 - self.slope)
    }
}

impl Formula for SmoothedRelu {
    #[inline(always)]
    fn value(self, at: Argument) -> f64 {
        // with k = 0 these are ½(a + q) and ½(1 + a/q), bit for bit
        self.slope * at.preactivation + self.half() * (at.preactivation + at.root)
    }

    #[inline(always)]
    fn gate(self, at: Argument) -> f64 {
        if at.root > 0.0 {
            self.slope + self.half() * (1.0 + at.preactivation / at.root)
        } else {
            1.0
        }
    }

    fn kink(self) -> Option<Kink> {
        None
    }

    fn description(self) -> String {
        match self.slope {
            0.0 => format!("ε = {}", self.epsilon),
            slope => format!("negative slope {slope}, ε = {}", self.epsilon),
        }
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
        self.half() * (self.epsilon * self.epsilon)
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
            gate: self.half() * (along.preactivation - at.preactivation * grows) / q,
            of_weights: 2.0 * self.half() * squared * along.inputs / q
                - self.of_weights(at) * grows,
            of_inputs: 2.0 * self.half() * squared * along.weights / q - self.of_inputs(at) * grows,
        }
    }

    /// Twice `c(1 + ε²)‖h‖²/q`, times `(ε‖w‖‖h‖/q)²` away from the kink.
    fn curvature_bound(self, at: Argument) -> f64 {
        let q = at.root;
        if q == 0.0 {
            return 0.0;
        }
        let squared = self.epsilon * self.epsilon;
        let flat = squared * at.weights * at.inputs / (q * q);
        2.0 * self.half() * (1.0 + squared) * at.inputs / q * flat.min(1.0)
    }

    fn add_curvature(
        self,
        at: Argument,
        factor: f64,
        (h, w): (&DVectorView<'_, f64>, &DVectorView<'_, f64>),
        matrix: &mut DMatrix<f64>,
    ) -> f64 {
        let squared = self.epsilon * self.epsilon;
        let k = self.half() * factor / at.root;
        let slope = (h * at.preactivation + w * (squared * at.inputs)) / at.root;
        matrix.ger(k, h, h, 1.0);
        matrix.ger(-k, &slope, &slope, 1.0);
        k * squared * at.inputs
    }
}
