//! No activation, `g = a`: a linear layer.

use super::{Argument, Formula, Kink, OfLayers, Parameter};

/// `g(a) = a`
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Identity;

impl Identity {
    pub(super) const NAME: &'static str = "identity";
    pub(super) const PARAMETER: Option<Parameter> = None;
    pub(super) const OF_LAYERS: Option<OfLayers> = Some(OfLayers::Name(|| Identity.into()));
}

impl Formula for Identity {
    #[inline(always)]
    fn value(self, at: Argument) -> f64 {
        at.preactivation
    }

    #[inline(always)]
    fn gate(self, _at: Argument) -> f64 {
        1.0
    }

    fn kink(self) -> Option<Kink> {
        None
    }

    fn curved(self) -> bool {
        false
    }

    fn description(self) -> String {
        "linear units".into()
    }
}
