//! The interface of an activation: its formula, with derivatives.

use super::Activation;
use nalgebra::{DMatrix, DVectorView};

/// What the activation of one unit on one sample depends on.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Argument {
    /// a
    pub preactivation: f64,
    /// q, as computed by [`Formula::root`].
    pub root: f64,
    /// `‖w‖²`
    pub weights: f64,
    /// `‖h‖²`
    pub inputs: f64,
}

impl Argument {
    /// The argument for a function of the preactivation alone.
    #[inline(always)]
    pub fn of(preactivation: f64) -> Self {
        Self {
            preactivation,
            ..Self::default()
        }
    }
}

/// A direction in which the weights and inputs of a unit move.
#[derive(Debug, Clone, Copy)]
pub struct Direction {
    /// da
    pub preactivation: f64,
    /// `w·dw`
    pub weights: f64,
    /// `h·dh`
    pub inputs: f64,
}

/// Derivatives of the gate M and of κ and μ along a [`Direction`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Turn {
    pub gate: f64,
    pub of_weights: f64,
    pub of_inputs: f64,
}

/// The kink at a = 0 of an activation that is linear on either side: g = a·inactive for a < 0, a·active for a > 0. On
/// the kink the gate may be anything in `[inactive, active]` (Clarke's subdifferential, Filippov's convention).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kink {
    pub inactive: f64,
    pub active: f64,
}

impl Kink {
    /// The gate on one side.
    #[inline(always)]
    pub fn gate(self, active: bool) -> f64 {
        if active { self.active } else { self.inactive }
    }

    /// How far a gate is inside the interval; negative outside.
    pub fn inside(self, gate: f64) -> f64 {
        (gate - self.inactive).min(self.active - gate)
    }

    /// Whether inactive units pass nothing on: neither outputs upwards nor error signals downwards.
    pub fn closes(self) -> bool {
        self.inactive == 0.0
    }
}

/// One unit on all samples while a step is computed; slices have one entry per sample.
pub struct Row<'a> {
    /// Preactivations a on entry, outputs g on return.
    pub outputs: &'a mut [f64],
    /// Returned: M.
    pub gates: &'a mut [f64],
    /// Returned: 1/q, zero where q is zero.
    pub inverse_roots: &'a mut [f64],
    /// `‖w‖²`
    pub weights: f64,
    /// `‖h_n‖²`
    pub inputs: &'a [f64],
}

/// What the rest of the program needs from an activation. Defaults are for functions of the preactivation alone.
pub trait Formula: Copy + Into<Activation> {
    /// g
    fn value(self, at: Argument) -> f64;

    /// `M = ∂g/∂a`; the right-hand derivative on a kink.
    fn gate(self, at: Argument) -> f64;

    /// The kink at zero; `None` for activations that are smooth there.
    fn kink(self) -> Option<Kink>;

    /// Whether g is curved, so that its gates vary along a flow; false for functions that are linear on either side
    /// of a kink.
    fn curved(self) -> bool {
        self.kink().is_none()
    }

    /// The same with its kink rounded off over a half width of ε > 0 in units of `‖w‖‖h‖`; itself where it has none.
    fn rounded(self, _softness: f64) -> Activation {
        self.into()
    }

    /// p with `g(cw·h) = cᵖ g(w·h)` for c > 0.
    fn degree(self) -> u32 {
        1
    }

    /// The parameter that distinguishes this activation from the plain ReLU, in words; empty for the ReLU itself.
    fn description(self) -> String {
        String::new()
    }

    /// ε: the width of the rounded kink in units of `‖w‖‖h‖`, zero for functions of a alone.
    fn softness(self) -> f64 {
        0.0
    }

    /// `q = √(a² + ε²‖w‖²‖h‖²)` from a and `‖w‖‖h‖`, without intermediate overflow.
    fn root(self, preactivation: f64, _lengths: f64) -> f64 {
        preactivation.abs()
    }

    /// q from a, `‖w‖²` and `‖h‖²`, in vectorisable operations; overflows where a² does.
    #[inline(always)]
    fn root_of_squares(self, preactivation: f64, _weights: f64, _inputs: f64) -> f64 {
        preactivation.abs()
    }

    /// The constant c in κ and μ.
    #[inline(always)]
    fn stretch(self) -> f64 {
        0.0
    }

    /// κ: the coefficient of w in `∂g/∂w`.
    fn of_weights(self, at: Argument) -> f64 {
        if at.root > 0.0 {
            self.stretch() * at.inputs / at.root
        } else {
            0.0
        }
    }

    /// μ: the coefficient of h in `∂g/∂h`.
    fn of_inputs(self, at: Argument) -> f64 {
        if at.root > 0.0 {
            self.stretch() * at.weights / at.root
        } else {
            0.0
        }
    }

    /// Derivatives of M, κ and μ along a direction.
    fn turn(self, _at: Argument, _along: Direction) -> Turn {
        Turn::default()
    }

    /// A bound on the spectral norm of `∇²_w g`.
    fn curvature_bound(self, _at: Argument) -> f64 {
        0.0
    }

    /// Adds `factor·∇²_w g` to `matrix` (inputs × inputs), except for a multiple of the identity, whose coefficient
    /// is returned so that it can be summed over samples first.
    fn add_curvature(
        self,
        _at: Argument,
        _factor: f64,
        _vectors: (&DVectorView<'_, f64>, &DVectorView<'_, f64>),
        _matrix: &mut DMatrix<f64>,
    ) -> f64 {
        0.0
    }

    /// Outputs and gates of a function of the preactivation that is linear on either side of its kink.
    #[inline(always)]
    fn cut(self, outputs: &mut [f64], gates: &mut [f64]) {
        for (output, gate) in outputs.iter_mut().zip(gates) {
            *gate = self.gate(Argument::of(*output));
            *output *= *gate;
        }
    }

    /// Outputs, gates and roots of an activation with a rounded kink.
    #[inline(always)]
    fn bend(self, row: Row<'_>) {
        let pairs = row.outputs.iter_mut().zip(row.gates);
        let pairs = pairs.zip(row.inverse_roots).zip(row.inputs);
        for (((output, gate), inverse), inputs) in pairs {
            let at = Argument {
                preactivation: *output,
                root: self.root_of_squares(*output, row.weights, *inputs),
                weights: row.weights,
                inputs: *inputs,
            };
            *inverse = if at.root > 0.0 { 1.0 / at.root } else { 0.0 };
            *gate = self.gate(at);
            *output = self.value(at);
        }
    }
}
