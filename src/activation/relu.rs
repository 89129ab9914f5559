//! The rectified linear unit `g = max(a, 0)`.

use super::{Activation, Argument, Formula, Kink, OfLayers, Parameter, SmoothedRelu};

/// `g(a) = max(a, 0)`: the gate is one for a ≥ 0, zero below.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExactRelu;

impl ExactRelu {
    pub(super) const NAME: &'static str = "relu";
    pub(super) const PARAMETER: Option<Parameter> = None;
    pub(super) const OF_LAYERS: Option<OfLayers> = Some(OfLayers::Name(|| ExactRelu.into()));
}

impl Formula for ExactRelu {
    #[inline(always)]
    fn value(self, at: Argument) -> f64 {
        at.preactivation.max(0.0)
    }

    #[inline(always)]
    fn gate(self, at: Argument) -> f64 {
        if at.preactivation >= 0.0 { 1.0 } else { 0.0 }
    }

    fn kink(self) -> Option<Kink> {
        Some(Kink {
            inactive: 0.0,
            active: 1.0,
        })
    }

    fn rounded(self, softness: f64) -> Activation {
        SmoothedRelu::or_exact(softness)
    }
}
