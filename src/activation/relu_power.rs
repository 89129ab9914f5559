//! Powers of the ReLU, `g = max(a, 0)ᵏ` with an integer k ≥ 2, of degree k.
//!
//! There is no kink: the gate `k max(a, 0)^{k−1}` is continuous. For k = 2 it bends at a = 0, so that the vector field
//! is only Lipschitz there.

use super::{
    Activation, Argument, Direction, Formula, Kink, OfLayers, OutOfRange, Parameter, Turn,
};
use nalgebra::{DMatrix, DVectorView};

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReluPower {
    /// k
    power: u8,
}

/// Degrees of whole networks are products of these, and margins grow like powers with them.
const LARGEST: u8 = 8;

impl ReluPower {
    pub(super) const NAME: &'static str = "relu-power";
    pub(super) const PARAMETER: Option<Parameter> = None;
    pub(super) const OF_LAYERS: Option<OfLayers> = Some(OfLayers::Number {
        about: "the power k of max(a, 0)^k, a whole number from 2 to 8",
        make: Self::with_power,
    });

    fn with_power(power: f64) -> Result<Activation, OutOfRange> {
        if power.fract() == 0.0 && (2.0..=f64::from(LARGEST)).contains(&power) {
            return Ok(Self { power: power as u8 }.into());
        }
        Err(OutOfRange {
            value: power,
            expected: format!("a power: a whole number from 2 to {LARGEST}"),
        })
    }

    /// `max(a, 0)^{k−less}`
    #[inline(always)]
    fn raised(self, a: f64, less: u8) -> f64 {
        match self.power - less {
            0 => f64::from(u8::from(a > 0.0)),
            power => a.max(0.0).powi(i32::from(power)),
        }
    }

    /// `g''(a)`
    fn second(self, a: f64) -> f64 {
        let k = f64::from(self.power);
        k * (k - 1.0) * self.raised(a, 2)
    }
}

impl Formula for ReluPower {
    #[inline(always)]
    fn value(self, at: Argument) -> f64 {
        self.raised(at.preactivation, 0)
    }

    #[inline(always)]
    fn gate(self, at: Argument) -> f64 {
        f64::from(self.power) * self.raised(at.preactivation, 1)
    }

    fn kink(self) -> Option<Kink> {
        None
    }

    fn degree(self) -> u32 {
        u32::from(self.power)
    }

    fn description(self) -> String {
        format!("ReLU to the power {}", self.power)
    }

    fn turn(self, at: Argument, along: Direction) -> Turn {
        Turn {
            gate: self.second(at.preactivation) * along.preactivation,
            ..Turn::default()
        }
    }

    fn curvature_bound(self, at: Argument) -> f64 {
        self.second(at.preactivation) * at.inputs
    }

    fn add_curvature(
        self,
        at: Argument,
        factor: f64,
        (h, _): (&DVectorView<'_, f64>, &DVectorView<'_, f64>),
        matrix: &mut DMatrix<f64>,
    ) -> f64 {
        matrix.ger(factor * self.second(at.preactivation), h, h, 1.0);
        0.0
    }
}
