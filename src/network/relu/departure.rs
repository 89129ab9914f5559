//! Units whose weights are zero: whether they leave zero, or rest there.
//!
//! Such a unit is on all its kinks at once. With error signals s_n (α y included) and inputs h_n its velocity is
//! `w' = Σ_n g_n s_n h_n`, and any gates g_n in `[κ, 1]` are a solution if with them it stays, or moves to where it
//! has these gates. The report sets `g'(0) = 1`: the unit leaves along the velocity it has with all gates one. It may
//! return.
//!
//! Where kinks close (κ = 0) setting all gates to zero is a solution too: a unit that keeps returning rests with these.
//!
//! Otherwise it can rest only while zero is among its velocities. If it is not, the shortest of them, v, is the
//! direction to leave in: every velocity u of the unit has `u·v ≥ ‖v‖²`, so that it leaves along v and cannot return
//! while signals and inputs do not change.

use super::Setting;
use super::passes::Forward;
use super::pattern::{Mode, Pair, Pattern};
use crate::activation::Kink;
use crate::network::pseudo_inverse;
use crate::network::signals::Held;
use nalgebra::{DMatrix, DVector};

/// Size at which a unit leaves zero, relative to its layer; in a layer of zeros, the time for which it has moved.
const DEPARTURE: f64 = 1e-8;

/// Times a unit may leave zero before it rests there, where kinks close.
const MOST_DEPARTURES: usize = 3;

/// The shortest velocity counts as zero below this share of the sum of its terms.
const AT_REST: f64 = 1e-10;

/// Products of gradients with velocities count as zero below this share of the sizes of their factors.
const STATIONARY: f64 = 1e-13;

/// A unit at zero weights; `of_layer` is the norm of the weights of its layer.
pub(super) struct Zero<'a> {
    pub setting: &'a Setting,
    pub layer: usize,
    pub unit: usize,
    pub of_layer: f64,
}

impl Zero<'_> {
    /// Whether the unit leaves; if so, sets its weights and its modes, and the output weight that a conserved quantity
    /// ties to them.
    ///
    /// # Errors
    /// If feedback alignment needs the gates of a unit that rests on a kink that does not close: they are not unique.
    pub(super) fn leaves(
        &self,
        pattern: &mut Pattern,
        theta: &mut [f64],
        multipliers: &[f64],
        departures: &mut usize,
    ) -> Result<bool, String> {
        let (layer, unit) = (self.layer, self.unit);
        let pass = Forward::new(self.setting, Some(pattern), theta);
        let width = pass.w[layer].column(unit).norm();
        let motion = pass.motion(multipliers, pass.forces().as_ref());
        let inputs = pass.h[layer].clone();
        let signals = motion.signals[layer].row(unit).transpose();
        let free = &inputs * &signals;
        let kink = pattern.kink(layer);
        let closes = kink.closes();
        let way = if closes && *departures >= MOST_DEPARTURES {
            None
        } else if closes || *departures == 0 || free.norm() == 0.0 {
            Some(free)
        } else {
            way_out(&inputs, &signals, kink)
        };
        let own = self.setting.column(layer, unit);
        let speed = way.as_ref().map_or(0.0, |way| way.norm());
        let Some(way) = way.filter(|_| speed > 0.0 || speed.is_nan()) else {
            let mode = self.mode_at_rest(&inputs, &signals, closes)?;
            self.set(pattern, |_| mode);
            theta[own].fill(0.0);
            return Ok(false);
        };
        let size = if self.of_layer > width {
            DEPARTURE * self.of_layer
        } else {
            DEPARTURE * speed
        };
        let w = way * (size / speed);
        self.set(pattern, |n| {
            if inputs.column(n).dot(&w) >= 0.0 {
                Mode::Active
            } else {
                Mode::Inactive
            }
        });
        let gained = 0.5 * (w.norm_squared() - width * width);
        self.setting.stay_on_level(theta, (layer, unit), gained);
        theta[own].copy_from_slice(w.as_slice());
        *departures += 1;
        Ok(true)
    }

    /// Without signals all gates are one, or zero where kinks close.
    fn mode_at_rest(
        &self,
        inputs: &DMatrix<f64>,
        signals: &DVector<f64>,
        closes: bool,
    ) -> Result<Mode, String> {
        if (inputs * signals).norm() == 0.0 {
            return Ok(Mode::Active);
        }
        if closes {
            return Ok(Mode::Inactive);
        }
        if self.layer > 0 && matches!(self.setting.signals, Held::Layerwise(_)) {
            return Err(format!(
                "unit {} of layer {} has come to rest at zero weights, where the error signals that feedback alignment \
                 sends through it are not determined",
                self.unit + 1,
                self.layer + 1
            ));
        }
        Ok(Mode::Resting)
    }

    fn set(&self, pattern: &mut Pattern, mode: impl Fn(usize) -> Mode) {
        for sample in 0..pattern.columns(self.layer) {
            let pair = Pair {
                layer: self.layer,
                unit: self.unit,
                sample,
            };
            pattern.set(pair, mode(sample));
        }
    }
}

/// The shortest velocity of a unit at zero weights; `None` if it is zero.
fn way_out(inputs: &DMatrix<f64>, signals: &DVector<f64>, kink: Kink) -> Option<DVector<f64>> {
    let (velocity, terms) = shortest_velocity(inputs, signals, kink);
    (velocity.norm() > AT_REST * terms).then_some(velocity)
}

/// The length of the shortest velocity of a unit at zero weights, relative to the sum of the terms: while it is zero,
/// the unit can rest.
pub(super) fn unrest(inputs: &DMatrix<f64>, signals: &DVector<f64>, kink: Kink) -> f64 {
    let (velocity, terms) = shortest_velocity(inputs, signals, kink);
    if terms > 0.0 {
        velocity.norm() / terms
    } else {
        0.0
    }
}

/// The shortest of all `Σ_n g_n s_n h_n` with gates between those of the two sides, and `Σ_n ‖s_n h_n‖`: bounded least
/// squares, by an active-set method.
fn shortest_velocity(
    inputs: &DMatrix<f64>,
    signals: &DVector<f64>,
    kink: Kink,
) -> (DVector<f64>, f64) {
    let mut z = inputs.clone();
    for (mut column, s) in z.column_iter_mut().zip(signals.iter()) {
        column *= *s;
    }
    let sizes: Vec<f64> = z.column_iter().map(|c| c.norm()).collect();
    let terms: f64 = sizes.iter().sum();
    let samples = z.ncols();
    let mut gates = DVector::from_element(samples, kink.inactive);
    let mut free: Vec<usize> = Vec::new();
    for _ in 0..10 * (samples + 1) {
        let slopes = z.tr_mul(&(&z * &gates));
        let gain = |n: &usize| {
            let slope = slopes[*n] / (sizes[*n] * terms).max(f64::MIN_POSITIVE);
            if gates[*n] == kink.inactive {
                -slope
            } else {
                slope
            }
        };
        let bound = (0..samples).filter(|n| !free.contains(n));
        let best = bound.max_by(|a, b| gain(a).total_cmp(&gain(b)));
        let Some(next) = best.filter(|n| gain(n) > STATIONARY) else {
            break;
        };
        free.push(next);
        while !free.is_empty() {
            let Some(step) = unbounded(&z, &gates, &free) else {
                return (&z * &gates, terms);
            };
            // up to the first gate that reaches an end of its interval
            let room = |k: usize| {
                let end = kink.gate(step[k] > 0.0);
                if step[k] == 0.0 {
                    1.0
                } else {
                    (end - gates[free[k]]) / step[k]
                }
            };
            let (share, first) =
                (0..free.len())
                    .map(|k| (room(k), k))
                    .fold((1.0, None), |(least, at), (r, k)| {
                        if r < least { (r, Some(k)) } else { (least, at) }
                    });
            for (k, n) in free.iter().enumerate() {
                gates[*n] += share * step[k];
            }
            let Some(k) = first else { break };
            gates[free[k]] = kink.gate(step[k] > 0.0);
            free.remove(k);
        }
    }
    (&z * &gates, terms)
}

/// The change of the gates `free` that minimises `‖Z g‖` if bounds are ignored.
fn unbounded(z: &DMatrix<f64>, gates: &DVector<f64>, free: &[usize]) -> Option<DVector<f64>> {
    let columns = z.select_columns(free);
    let cut = 1e-12 * columns.amax().max(f64::MIN_POSITIVE);
    let inverse = pseudo_inverse(columns, |_| cut)?;
    Some(-(inverse * (z * gates)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::tests::gaussian;

    /// Checked by its defining property: `u·v ≥ ‖v‖²` for all velocities u.
    #[test]
    fn the_shortest_velocity_is_the_nearest_point_of_all() {
        let kink = Kink {
            inactive: 0.3,
            active: 1.0,
        };
        let (mut at_zero, mut away) = (0, 0);
        for seed in 0..80 {
            let samples = 3 + (seed as usize) % 6;
            let inputs = DMatrix::from_vec(2, samples, gaussian(seed, 2 * samples));
            let signals = DVector::from_vec(gaussian(100 + seed, samples));
            let (v, terms) = shortest_velocity(&inputs, &signals, kink);
            // the gates that minimise the product, sample by sample
            let least: f64 = (0..samples)
                .map(|n| inputs.column(n).dot(&v) * signals[n])
                .map(|p| kink.gate(p < 0.0) * p)
                .sum();
            let slack = 1e-10 * terms * terms;
            assert!(least >= v.norm_squared() - slack, "{seed}: {least}");
            if v.norm() < 1e-9 * terms {
                at_zero += 1;
            } else {
                away += 1;
            }
        }
        assert!(at_zero > 5 && away > 5, "{at_zero} {away}");
    }
}
