//! The square, `g = a²`, of degree two.

use super::{Argument, Direction, Formula, Kink, OfLayers, Parameter, Turn};
use nalgebra::{DMatrix, DVectorView};

/// `g(a) = a²`
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quadratic;

impl Quadratic {
    pub(super) const NAME: &'static str = "quadratic";
    pub(super) const PARAMETER: Option<Parameter> = None;
    pub(super) const OF_LAYERS: Option<OfLayers> = Some(OfLayers::Name(|| Quadratic.into()));
}

impl Formula for Quadratic {
    #[inline(always)]
    fn value(self, at: Argument) -> f64 {
        at.preactivation * at.preactivation
    }

    #[inline(always)]
    fn gate(self, at: Argument) -> f64 {
        2.0 * at.preactivation
    }

    fn kink(self) -> Option<Kink> {
        None
    }

    fn degree(self) -> u32 {
        2
    }

    fn description(self) -> String {
        "quadratic units".into()
    }

    fn turn(self, _at: Argument, along: Direction) -> Turn {
        Turn {
            gate: 2.0 * along.preactivation,
            ..Turn::default()
        }
    }

    fn curvature_bound(self, at: Argument) -> f64 {
        2.0 * at.inputs
    }

    fn add_curvature(
        self,
        _at: Argument,
        factor: f64,
        (h, _): (&DVectorView<'_, f64>, &DVectorView<'_, f64>),
        matrix: &mut DMatrix<f64>,
    ) -> f64 {
        matrix.ger(2.0 * factor, h, h, 1.0);
        0.0
    }
}
