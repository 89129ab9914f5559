//! The vector field of a network with kinks: exact on the piece with a given pattern, or with rounded ones.

use super::Setting;
use super::forces::Forces;
use super::passes::Forward;
use super::pattern::{Pair, Pattern};
use super::rays::{Rays, form};
use super::shallow::Shallow;
use super::smoothed_step::SmoothedStep;
use crate::network::{Kernel, LinearisedStep, Pieces, Tangent};
use nalgebra::DMatrix;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// A network under a rule on data; with a pattern, the smooth continuation of its piece.
#[derive(Clone)]
pub(super) struct ReluKernel {
    pub setting: Arc<Setting>,
    /// `None`: every pair by its sign, `g'(0) = 1`. For curved activations it names the units that stay at zero.
    pub pattern: Option<Arc<Pattern>>,
    /// The piece of a network with one hidden layer, once it is asked for.
    pub shallow: OnceLock<Option<Shallow>>,
    /// How often each unit (or channel) of each layer has left zero.
    pub departures: Vec<Vec<usize>>,
    /// How far pairs were past their kinks when the piece was entered; those that were. For rounded ones: units,
    /// by their pair with the first sample, that were so near zero that they are not watched.
    pub slack: BTreeMap<Pair, f64>,
    /// How far gates, and units at rest, were outside of what they may be when the piece was entered: rounding.
    pub leeway: f64,
    /// See [`Setting::idle`].
    pub idle: Vec<usize>,
    /// See [`Setting::dead`].
    pub dead: Vec<usize>,
}

impl ReluKernel {
    /// Before the first piece is entered: every pair follows the sign of its preactivation, `g'(0) = 1`.
    pub(super) fn new(setting: Setting) -> Self {
        let samples = 0..setting.data.len();
        let blank: Vec<usize> = samples.filter(|n| setting.is_blank(*n)).collect();
        let blank = setting.rows_of(&blank);
        let hidden = setting.layout.hidden().iter();
        Self {
            pattern: None,
            shallow: OnceLock::new(),
            slack: BTreeMap::new(),
            leeway: 0.0,
            idle: blank.clone(),
            dead: blank,
            departures: hidden.map(|shape| vec![0; shape.1]).collect(),
            setting: Arc::new(setting),
        }
    }

    pub(super) fn forward<'a>(&'a self, theta: &'a [f64]) -> Forward<'a> {
        Forward::new(&self.setting, self.pattern.as_deref(), theta)
    }

    /// `None` where only the [passes](super::passes) can do what is asked.
    pub(super) fn shallow(&self) -> Option<&Shallow> {
        let piece = || Shallow::new(&self.setting, self.pattern.as_deref(), &self.slack);
        self.shallow.get_or_init(piece).as_ref()
    }

    /// [`velocity`](Kernel::velocity) by the passes, at any depth.
    pub(super) fn passed_velocity(
        &self,
        (theta, multipliers): (&[f64], &[f64]),
        velocity: &mut [f64],
        rates: &mut [f64],
    ) {
        let pass = self.forward(theta);
        let motion = pass.motion(multipliers, pass.forces().as_ref());
        flatten(&motion.velocity, velocity);
        rates.copy_from_slice(self.setting.margins(&motion.output_rates).as_slice());
    }
}

fn flatten(layers: &[DMatrix<f64>], out: &mut [f64]) {
    let mut rest = out;
    for layer in layers {
        let (head, tail) = rest.split_at_mut(layer.len());
        head.copy_from_slice(layer.as_slice());
        rest = tail;
    }
}

impl Kernel for ReluKernel {
    fn parameters(&self) -> usize {
        self.setting.layout.parameters()
    }

    fn samples(&self) -> usize {
        self.setting.data.rows()
    }

    fn layers(&self) -> Vec<usize> {
        self.setting.layout.lengths()
    }

    fn margins(&self, theta: &[f64], margins: &mut [f64]) {
        if (self.shallow()).is_some_and(|s| s.margins(&self.setting, theta, margins)) {
            return;
        }
        let outputs = self.forward(theta).outputs();
        margins.copy_from_slice(self.setting.margins(&outputs).as_slice());
    }

    fn velocity(
        &self,
        theta: &[f64],
        multipliers: &[f64],
        velocity: &mut [f64],
        rates: &mut [f64],
    ) {
        let at = (theta, multipliers);
        if (self.shallow()).is_some_and(|s| s.velocity(&self.setting, at, velocity, rates)) {
            return;
        }
        self.passed_velocity(at, velocity, rates);
    }

    fn tangent(
        &self,
        theta: &[f64],
        multipliers: &[f64],
        d_theta: &[f64],
        d_multipliers: &[f64],
    ) -> Tangent {
        let pass = self.forward(theta);
        let forces = pass.forces();
        let motion = pass.motion(multipliers, forces.as_ref());
        let change = pass.change(&motion, forces.as_ref(), d_theta, d_multipliers);
        let mut velocity = vec![0.0; d_theta.len()];
        flatten(&change.velocity, &mut velocity);
        Tangent {
            velocity,
            margins: self.setting.margins(&change.outputs),
            rates: self.setting.margins(&change.output_rates),
        }
    }

    /// `∂m_n/∂θ · 𝒢_m` of the samples `active`, where pairs slide, including the forces that a multiplier induces:
    /// `K_ff − K_fs K_ss⁻¹ K_sf` of outputs f and sliding pairs s.
    fn tangent_kernel(&self, theta: &[f64], active: &[usize]) -> DMatrix<f64> {
        let pass = self.forward(theta);
        let all: Vec<usize> = (0..self.samples()).collect();
        let margins = Rays::of_outputs(&pass, &all, true);
        let updates = Rays::of_outputs(&pass, active, false);
        let mut kernel = form(&pass, &margins, &updates);
        if let Some(forces) = pass.forces() {
            let Forces { rows, columns, .. } = &forces;
            let called = (forces.system()).solve(&form(&pass, rows, &updates));
            kernel -= form(&pass, &margins, columns) * called;
        }
        kernel
    }

    fn linearise(
        &self,
        theta: &[f64],
        multipliers: &[f64],
        step: f64,
    ) -> Option<Box<dyn LinearisedStep>> {
        self.setting.is_rounded().then(|| {
            Box::new(SmoothedStep::new(self.clone(), theta, multipliers, step))
                as Box<dyn LinearisedStep>
        })
    }

    fn idle(&self) -> &[usize] {
        &self.idle
    }

    fn dead(&self) -> &[usize] {
        &self.dead
    }

    fn pieces(&self) -> Option<&dyn Pieces> {
        Some(self)
    }
}
