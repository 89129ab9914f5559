//! Units of curved activations that come to zero weights, the one place where such a unit has a kink.
//!
//! Near zero a unit moves by the gradient of `E(w) = Σ_n s_n g(w, h_n)`, which is homogeneous of degree one: its
//! direction u turns infinitely fast towards a maximum of E on the sphere, and its length changes at the rate E(u). So
//! it comes to zero along a maximum with E(u) < 0. It leaves again along a maximum with E(u) > 0, if there is one (a
//! direction in which its velocity points); otherwise it stays at zero, and passes nothing on any more. The maximum is
//! looked for from the side opposite to where the unit came from, on which finite steps would go on.

use super::Setting;
use super::kernel::ReluKernel;
use super::passes::Forward;
use super::pattern::{Mode, Pair, Pattern};
use crate::activation::{Argument, Formula, Kink};
use crate::network::{Entered, Kernel};
use crate::trajectory::Kinks;
use nalgebra::DVector;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// A unit of this size, relative to its [layer](of_layer), has come to zero.
const VANISHED: f64 = 1e-8;

/// Layers are not smaller than this share of all weights as long as one of their units is not at zero.
const SHARE: f64 = 0.1;

/// Size a unit leaves zero with, relative to its layer.
const DEPARTURE: f64 = 1e-6;

/// Times a unit may leave zero before it stays there.
const MOST_DEPARTURES: usize = 3;

/// Rounds of the ascent to a maximum of E.
const ROUNDS: usize = 1000;

/// E is zero below this share of the sum of its terms.
const AT_REST: f64 = 1e-9;

/// Gates of units with curved activations have no sides; patterns only name the units that stay at zero.
pub(super) const NO_SIDES: Kink = Kink {
    inactive: 0.0,
    active: 1.0,
};

impl ReluKernel {
    /// The units that stay at zero: none before the first piece has been entered.
    pub(super) fn all_on(&self, theta: &[f64]) -> Pattern {
        let zeros: Vec<_> = (self.forward(theta).a.iter())
            .map(|a| a.map(|_| 0.0))
            .collect();
        Pattern::of_signs(vec![Some(NO_SIDES); zeros.len()], &zeros)
    }

    /// How far the smallest unit is from zero, relative to its layer.
    pub(super) fn distance_from_zero(&self, theta: &[f64]) -> f64 {
        let Some(pattern) = self.pattern.as_deref() else {
            return f64::INFINITY;
        };
        let sizes = relative_sizes(&self.setting, theta).into_iter();
        let watched = sizes.filter(|(unit, _)| pattern.get(*unit) != Mode::Resting);
        watched
            .map(|(unit, size)| size - VANISHED + self.slack.get(&unit).copied().unwrap_or(0.0))
            .fold(f64::INFINITY, f64::min)
    }

    /// The piece that goes on where units have come to zero.
    pub(super) fn pass_zero(&self, theta: &mut [f64], multipliers: &[f64]) -> Entered {
        let mut pattern = match &self.pattern {
            Some(pattern) => Pattern::clone(pattern),
            None => self.all_on(theta),
        };
        let mut departures = self.departures.clone();
        let mut kinks = Kinks::default();
        for (unit, size) in relative_sizes(&self.setting, theta) {
            let arrived = self.pattern.is_some()
                && size <= 2.0 * VANISHED
                && !self.slack.contains_key(&unit)
                && pattern.get(unit) != Mode::Resting;
            if arrived {
                let left = self.leave(&mut pattern, unit, theta, multipliers, &mut departures);
                kinks.departures += usize::from(left);
            }
        }
        let small = relative_sizes(&self.setting, theta).into_iter();
        let slack: BTreeMap<Pair, f64> = small
            .filter(|(_, size)| *size <= 2.0 * VANISHED)
            .map(|(unit, _)| (unit, VANISHED))
            .collect();
        let kernel = Self {
            pattern: Some(Arc::new(pattern)),
            slack,
            shallow: OnceLock::new(),
            departures,
            ..self.clone()
        };
        Entered {
            kernel: Arc::new(kernel) as Arc<dyn Kernel>,
            kinks,
        }
    }

    /// Lets a unit at zero leave, or stay; whether it leaves.
    fn leave(
        &self,
        pattern: &mut Pattern,
        unit: Pair,
        theta: &mut [f64],
        multipliers: &[f64],
        departures: &mut [Vec<usize>],
    ) -> bool {
        let own = self.setting.column(unit.layer, unit.unit);
        let came = DVector::from_column_slice(&theta[own.clone()]);
        let pass = Forward::new(&self.setting, Some(pattern), theta);
        let motion = pass.motion(multipliers, None);
        let signals = motion.signals[unit.layer].row(unit.unit).transpose();
        let inputs = pass.h[unit.layer].clone();
        let count = &mut departures[unit.layer][unit.unit];
        let way = (*count < MOST_DEPARTURES)
            .then(|| ascent(self.setting.activation, &inputs, &signals, -&came))
            .flatten();
        let of_layer = of_layer(&self.setting, theta, unit.layer);
        let w = way
            .as_ref()
            .map_or(&came * 0.0, |u| u * (DEPARTURE * of_layer));
        let gained = 0.5 * (w.norm_squared() - came.norm_squared());
        (self.setting).stay_on_level(theta, (unit.layer, unit.unit), gained);
        theta[own].copy_from_slice(w.as_slice());
        if way.is_some() {
            *count += 1;
        } else {
            for sample in 0..pattern.columns(unit.layer) {
                pattern.set(Pair { sample, ..unit }, Mode::Resting);
            }
        }
        way.is_some()
    }
}

/// Size of a hidden layer: its norm, or a share of all weights' where the last of its units come to zero.
fn of_layer(setting: &Setting, theta: &[f64], layer: usize) -> f64 {
    let norm = |w: &[f64]| w.iter().map(|w| w * w).sum::<f64>().sqrt();
    let own = norm(&theta[setting.layout.range(layer)]);
    own.max(SHARE * norm(theta))
}

/// Sizes of all hidden units relative to their layers, named by their pair with the first sample.
fn relative_sizes(setting: &Setting, theta: &[f64]) -> Vec<(Pair, f64)> {
    let layers = setting.layout.views(theta);
    let hidden = &layers[..layers.len() - 1];
    let sizes = hidden.iter().enumerate().flat_map(|(layer, w)| {
        let of_layer = of_layer(setting, theta, layer);
        w.column_iter().enumerate().map(move |(unit, w)| {
            let size = if of_layer > 0.0 {
                w.norm() / of_layer
            } else {
                0.0
            };
            let sample = 0;
            (
                Pair {
                    layer,
                    unit,
                    sample,
                },
                size,
            )
        })
    });
    sizes.collect()
}

/// A maximum of E on the sphere, from a direction, if E is positive there: `u ← ∇E(u) + C u`, normalised, with C large
/// enough that E only grows.
fn ascent(
    activation: crate::activation::Activation,
    inputs: &nalgebra::DMatrix<f64>,
    signals: &DVector<f64>,
    from: DVector<f64>,
) -> Option<DVector<f64>> {
    let lengths: Vec<f64> = inputs.column_iter().map(|h| h.norm()).collect();
    let terms: f64 = (lengths.iter().zip(signals))
        .map(|(h, s)| h * s.abs())
        .sum();
    let gradient = |u: &DVector<f64>| {
        let mut sum = u * 0.0;
        for ((h, length), s) in inputs.column_iter().zip(&lengths).zip(signals) {
            let preactivation = u.dot(&h);
            let at = Argument {
                preactivation,
                root: activation.root(preactivation, *length),
                weights: 1.0,
                inputs: length * length,
            };
            sum.axpy(s * activation.gate(at), &h, 1.0);
            sum.axpy(s * activation.of_weights(at), u, 1.0);
        }
        sum
    };
    let mut u = from.try_normalize(0.0).filter(|_| terms > 0.0)?;
    for _ in 0..ROUNDS {
        let next = (gradient(&u) + &u * terms).try_normalize(0.0)?;
        let turned = (&next - &u).norm();
        u = next;
        if turned < 1e-14 {
            break;
        }
    }
    // degree one: E = u·∇E
    (u.dot(&gradient(&u)) > AT_REST * terms).then_some(u)
}
