//! The leaky ReLU `g = max(a, κa)`, 0 < κ < 1: an inactive unit still passes on a fraction of everything.

use super::{Activation, Argument, ExactRelu, Formula, Kink, OfLayers, Parameter, SmoothedRelu};

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeakyRelu {
    /// κ
    slope: f64,
}

impl LeakyRelu {
    pub(super) const NAME: &'static str = "leaky-relu";
    pub(super) const PARAMETER: Option<Parameter> = Some(Parameter {
        key: "negative-slope",
        noun: "a negative slope",
        documentation: "Slope κ of units for negative preactivations (leaky ReLU); 0 is the ReLU. \
                        Not together with smoothing.",
        bound: 1.0,
        bound_included: false,
        make: Self::or_exact,
    });

    pub(super) const OF_LAYERS: Option<OfLayers> = Some(OfLayers::Number {
        about: "the slope κ of units for negative preactivations, 0 <= κ < 1",
        make: |slope| match Self::PARAMETER {
            Some(parameter) => parameter.activation(slope),
            None => Ok(Self::or_exact(slope)),
        },
    });

    /// A leaky ReLU with slope κ < 1 for negative preactivations; the exact ReLU unless κ > 0.
    fn or_exact(slope: f64) -> Activation {
        if slope > 0.0 {
            Self { slope }.into()
        } else {
            ExactRelu.into()
        }
    }
}

impl Formula for LeakyRelu {
    #[inline(always)]
    fn value(self, at: Argument) -> f64 {
        at.preactivation.max(self.slope * at.preactivation)
    }

    #[inline(always)]
    fn gate(self, at: Argument) -> f64 {
        if at.preactivation >= 0.0 {
            1.0
        } else {
            self.slope
        }
    }

    fn kink(self) -> Option<Kink> {
        Some(Kink {
            inactive: self.slope,
            active: 1.0,
        })
    }

    fn rounded(self, softness: f64) -> Activation {
        SmoothedRelu::leaky(self.slope, softness).into()
    }

    fn description(self) -> String {
        format!("negative slope {}", self.slope)
    }
}
