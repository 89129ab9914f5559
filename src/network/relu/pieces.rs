//! The exact flow of a network whose units have kinks as a hybrid system: which piece of the field a state is in, and
//! which it enters at a border.
//!
//! A piece is a pattern of modes, one per (unit, sample) pair of the hidden layers. The field is smooth on each piece.
//! A pair on its kink, `a = 0`, has a gate in the interval `[κ, 1]` of the [`Kink`](crate::activation::Kink) (κ = 0
//! for the ReLU) by Filippov's convention: 1 if that makes `a' ≥ 0`, κ if that makes `a' ≤ 0`, and in between where
//! the field pushes back from both sides, so that `a' = 0` (it *slides*). Opening its own gate changes a' by `s ‖∇a‖²`
//! with s the error signal times α y: pairs with s > 0 always cross, only pairs with s < 0 can slide, and for these
//! the gates solve a linear complementarity problem with box constraints and a positive definite matrix.
//! [`settle`](super::settle) finds its solution by principal pivoting, one pair at a time.
//!
//! A unit with zero weights is on all its kinks at once, see [`departure`](super::departure).

use super::Setting;
use super::departure::{Zero, unrest};
use super::kernel::ReluKernel;
use super::passes::Forward;
use super::pattern::{Mode, Pair, Pattern};
use super::settle::settle;
use super::sizes::{Sizes, all_sizes, gates, sine};
use super::vanishing::NO_SIDES;
use crate::activation::Kink;
use crate::network::{Entered, Kernel, Pieces, pseudo_inverse};
use crate::trajectory::Kinks;
use nalgebra::{DMatrix, DVector};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// A preactivation is past its kink once its sine `a/(‖w‖‖h‖)` has the wrong sign by this much: rounding is not a
/// crossing.
pub(super) const PAST: f64 = 1e-12;

/// Pairs with a sine below this are on their kinks.
const ON_KINK: f64 = 1e-11;

/// A gate has left its interval once it is outside by this much.
const GATE_PAST: f64 = 1e-9;

/// Gates that are outside by more are not so by rounding.
const MOST_LEEWAY: f64 = 1e-6;

/// Singular values of inputs below this count as zero when pairs are moved onto their kinks.
const SINGULAR: f64 = 1e-12;

/// Pairs with sines up to this are moved onto their kinks: a hundred times the error of locating a border.
const NEAR_KINK: f64 = 1e-10;

/// The most that moving pairs onto their kinks may change the weights, relatively.
const MOVED: f64 = 1e-8;

/// Weights of a unit below this size, relative to its layer, count as zero.
const VANISHED: f64 = 1e-10;

impl Pieces for ReluKernel {
    fn clearance(&self, theta: &[f64], multipliers: &[f64]) -> f64 {
        if self.setting.is_rounded() {
            return self.distance_from_zero(theta);
        }
        let Some(pattern) = self.pattern.as_deref() else {
            return f64::INFINITY;
        };
        let shallow = self.shallow();
        let inside = shallow.and_then(|s| s.inside(&self.setting, pattern, (theta, multipliers)));
        let (of_sides, of_gates) =
            inside.unwrap_or_else(|| self.inside(pattern, theta, multipliers));
        (of_sides + PAST).min(of_gates + GATE_PAST + self.leeway)
    }

    fn enter(&self, theta: &mut [f64], multipliers: &[f64]) -> Result<Entered, String> {
        if !theta.iter().chain(multipliers).all(|x| x.is_finite()) {
            return Err("weights or multipliers are not finite".into());
        }
        if self.setting.is_rounded() {
            return Ok(self.pass_zero(theta, multipliers));
        }
        let before = self.present(theta);
        let arrived = theta.to_vec();
        let mut pattern = before.clone();
        let mut departures = self.departures.clone();
        let mut kinks = Kinks {
            departures: self.leave_zero(&mut pattern, theta, multipliers, &mut departures)?,
            ..Kinks::default()
        };
        self.take_sides(&mut pattern, theta);
        let border = self.border(&pattern, theta);
        set_onto_kinks(&self.setting, &pattern, &border, theta);
        settle(&self.setting, &mut pattern, &border, theta, multipliers)?;
        let unmoved = self.pattern.is_some() && pattern == before && kinks.departures == 0;
        let held_up = unmoved.then(|| self.outermost(&arrived, multipliers));
        let held_up = held_up.flatten();
        if let Some((pair, Some(side))) = held_up {
            pattern.set(pair, side);
        }
        for p in before.pairs() {
            match (before.get(p), pattern.get(p)) {
                (a, b) if a == b => {}
                (_, Mode::Sliding) => kinks.slides += 1,
                (Mode::Sliding, _) => kinks.releases += 1,
                _ => kinks.crossings += 1,
            }
        }
        kinks.sliding = pattern.sliding_pairs(|layer| self.setting.patches(layer));
        let mut slack = slack(&self.setting, &pattern, theta);
        if let Some((pair, None)) = held_up {
            slack.insert(pair, NEAR_KINK);
        }
        Ok(Entered {
            kernel: Arc::new(Self {
                slack,
                leeway: leeway(&self.setting, &pattern, theta, multipliers),
                setting: Arc::clone(&self.setting),
                shallow: OnceLock::new(),
                idle: self.setting.idle(&pattern),
                dead: self.setting.dead(&pattern),
                pattern: Some(Arc::new(pattern)),
                departures,
            }),
            kinks,
        })
    }

    fn has_kinks(&self) -> bool {
        !self.setting.is_rounded()
    }

    /// The mode of every pair, then how often every unit has left zero, then the slack and the gates of pairs that have
    /// some of their own; nothing before the first piece has been entered.
    fn state(&self) -> Vec<u64> {
        let Some(pattern) = self.pattern.as_deref() else {
            return Vec::new();
        };
        let departures = self.departures.iter().flatten().map(|n| *n as u64);
        let lists = [&self.slack, pattern.partial()].map(|list| {
            let entries = list.iter().flat_map(|(pair, x)| {
                let place = [pair.layer, pair.unit, pair.sample].map(|i| i as u64);
                place.into_iter().chain([x.to_bits()])
            });
            [list.len() as u64].into_iter().chain(entries)
        });
        let lists = lists.into_iter().flatten();
        let leeway = [self.leeway.to_bits()];
        let words = pattern.words().chain(departures).chain(leeway);
        words.chain(lists).collect()
    }

    fn restored(&self, state: &[u64]) -> Option<Arc<dyn Kernel>> {
        let layers = self.departures.iter().enumerate();
        let samples = self.setting.data.len();
        let shapes: Vec<(usize, usize)> = layers
            .map(|(layer, units)| (units.len(), samples * self.setting.patches(layer)))
            .collect();
        let mut words = state.iter();
        let mut pattern = Pattern::of_words(self.kinks(), &shapes, &mut words)?;
        let mut departures = self.departures.clone();
        for count in departures.iter_mut().flatten() {
            *count = usize::try_from(*words.next()?).ok()?;
        }
        let leeway = f64::from_bits(*words.next()?);
        if !(0.0..=2.0 * MOST_LEEWAY).contains(&leeway) {
            return None;
        }
        let slack = list_of_words(&mut words, &pattern)?;
        for (pair, gate) in list_of_words(&mut words, &pattern)? {
            pattern.set_gate(pair, gate);
        }
        words.next().is_none().then(|| {
            Arc::new(Self {
                slack,
                leeway,
                setting: Arc::clone(&self.setting),
                shallow: OnceLock::new(),
                idle: self.setting.idle(&pattern),
                dead: self.setting.dead(&pattern),
                pattern: Some(Arc::new(pattern)),
                departures,
            }) as Arc<dyn Kernel>
        })
    }
}

/// One of the lists in the words of [`Pieces::state`].
fn list_of_words<'a>(
    words: &mut impl Iterator<Item = &'a u64>,
    pattern: &Pattern,
) -> Option<BTreeMap<Pair, f64>> {
    let mut list = BTreeMap::new();
    for _ in 0..*words.next()? {
        let mut place = || usize::try_from(*words.next()?).ok();
        let pair = Pair {
            layer: place()?,
            unit: place()?,
            sample: place()?,
        };
        let x = f64::from_bits(*words.next()?);
        if !pattern.has(pair) || !(0.0..=1.0).contains(&x) {
            return None;
        }
        list.insert(pair, x);
    }
    Some(list)
}

/// How far inside their intervals all gates are, and units at rest from leaving.
fn gates_inside(pass: &Forward<'_>, pattern: &Pattern, multipliers: &[f64]) -> f64 {
    if pattern.sliding().is_empty() && pattern.resting().next().is_none() {
        return f64::INFINITY;
    }
    let motion = pass.motion(multipliers, pass.forces().as_ref());
    let of_gates = gates(&motion, pattern).map(|(p, g)| pattern.kink(p.layer).inside(g));
    let of_rest = pattern.resting().map(|(layer, unit)| {
        let signals = motion.signals[layer].row(unit).transpose();
        -unrest(&pass.h[layer], &signals, pattern.kink(layer))
    });
    // NaN is outside
    (of_gates.chain(of_rest)).fold(f64::INFINITY, |least, x| if x >= least { least } else { x })
}

/// What gates are outside of their intervals in a piece that has just been found to be consistent: rounding of a linear
/// system, which would end the next step at once, and lead into the same piece again.
fn leeway(setting: &Setting, pattern: &Pattern, theta: &[f64], multipliers: &[f64]) -> f64 {
    let pass = Forward::new(setting, Some(pattern), theta);
    let outside = -(gates_inside(&pass, pattern, multipliers) + GATE_PAST);
    if (0.0..MOST_LEEWAY).contains(&outside) {
        outside + 1e-3 * outside + GATE_PAST
    } else {
        0.0
    }
}

/// How far pairs are past their kinks at a state from which they are to be followed, as sines.
fn slack(setting: &Setting, pattern: &Pattern, theta: &[f64]) -> BTreeMap<Pair, f64> {
    let pass = Forward::new(setting, Some(pattern), theta);
    let sizes = all_sizes(&pass);
    pattern
        .pairs()
        .filter_map(|p| {
            let sine = sine(&pass, &sizes, p, pattern.get(p))?;
            (-NEAR_KINK..0.0).contains(&sine).then_some((p, -sine))
        })
        .collect()
}

impl ReluKernel {
    /// The least of all sines on the sides of their pairs, with their slack, and how far inside of their intervals all
    /// gates are.
    pub(super) fn inside(
        &self,
        pattern: &Pattern,
        theta: &[f64],
        multipliers: &[f64],
    ) -> (f64, f64) {
        let pass = self.forward(theta);
        let sizes = all_sizes(&pass);
        let of_sides = pattern
            .pairs()
            .filter_map(|p| match pattern.get(p) {
                Mode::Sliding | Mode::Resting => None,
                mode => Some(sine(&pass, &sizes, p, mode)? + self.slack(p)),
            })
            .fold(f64::INFINITY, f64::min);
        let of_gates = gates_inside(&pass, pattern, multipliers);
        (of_sides, of_gates)
    }

    /// The pair that has ended the present piece at the state, and, if it slides, the side to which its gate has left.
    /// Where the same piece is found to go on there, its preactivation or its gate is rounding (of a signal that
    /// vanishes, say), and would end the piece again and again.
    fn outermost(&self, theta: &[f64], multipliers: &[f64]) -> Option<(Pair, Option<Mode>)> {
        let pattern = self.pattern.as_deref()?;
        let pass = self.forward(theta);
        let sizes = all_sizes(&pass);
        let sides = pattern.pairs().filter_map(|p| match pattern.get(p) {
            Mode::Sliding | Mode::Resting => None,
            mode => Some((
                sine(&pass, &sizes, p, mode)? + self.slack(p) + PAST,
                p,
                None,
            )),
        });
        let motion = pass.motion(multipliers, pass.forces().as_ref());
        let gates = gates(&motion, pattern).map(|(p, gate)| {
            let kink = pattern.kink(p.layer);
            let open = 2.0 * gate > kink.inactive + kink.active;
            let side = if open { Mode::Active } else { Mode::Inactive };
            (kink.inside(gate) + GATE_PAST, p, Some(side))
        });
        let least = sides.chain(gates).min_by(|x, y| x.0.total_cmp(&y.0))?;
        (least.0 < 0.0).then_some((least.1, least.2))
    }

    /// How far a pair was past its kink when this piece was entered: rounding, or what locating a border leaves.
    fn slack(&self, pair: Pair) -> f64 {
        self.slack.get(&pair).copied().unwrap_or(0.0)
    }

    /// The pattern of the present piece; before the first, that of the signs.
    fn present(&self, theta: &[f64]) -> Pattern {
        if let Some(pattern) = &self.pattern {
            return Pattern::clone(pattern);
        }
        Pattern::of_signs(self.kinks(), &self.forward(theta).a)
    }

    /// Of the hidden layers; rounded ones have no sides.
    fn kinks(&self) -> Vec<Option<Kink>> {
        match self.setting.is_rounded() {
            true => vec![Some(NO_SIDES); self.setting.hidden()],
            false => self.setting.kinks(),
        }
    }

    /// Lets units whose weights are zero leave or rest; returns how many leave.
    fn leave_zero(
        &self,
        pattern: &mut Pattern,
        theta: &mut [f64],
        multipliers: &[f64],
        departures: &mut [Vec<usize>],
    ) -> Result<usize, String> {
        let mut leave = 0;
        let kinks = self.kinks();
        let with_kinks = departures.iter_mut().enumerate();
        for (layer, counts) in with_kinks.filter(|(layer, _)| kinks[*layer].is_some()) {
            let widths: Vec<f64> = self.setting.layout.views(theta)[layer]
                .column_iter()
                .map(|w| w.norm())
                .collect();
            let of_layer = widths.iter().map(|w| w * w).sum::<f64>().sqrt();
            for (unit, count) in counts.iter_mut().enumerate() {
                let arrived = self.pattern.is_some() && widths[unit] <= VANISHED * of_layer;
                if arrived || widths[unit] == 0.0 {
                    let zero = Zero {
                        setting: &self.setting,
                        layer,
                        unit,
                        of_layer,
                    };
                    leave += usize::from(zero.leaves(pattern, theta, multipliers, count)?);
                }
            }
        }
        Ok(leave)
    }

    /// Gives pairs that are beyond their kinks the side they are on, lower layers first: those of a sample whose inputs
    /// have just grown out of nothing may be anywhere.
    fn take_sides(&self, pattern: &mut Pattern, theta: &[f64]) {
        for layer in 0..self.departures.len() {
            let pass = Forward::new(&self.setting, Some(pattern), theta);
            let sizes = all_sizes(&pass);
            let beyond: Vec<Pair> = pattern
                .pairs()
                .filter(|p| p.layer == layer)
                .filter(|p| {
                    let sine = sine(&pass, &sizes, *p, pattern.get(*p));
                    sine.is_some_and(|sine| sine < -NEAR_KINK)
                })
                .collect();
            for p in beyond {
                let other = match pattern.get(p) {
                    Mode::Active => Mode::Inactive,
                    _ => Mode::Active,
                };
                pattern.set(p, other);
            }
        }
    }

    /// Pairs on, or just past, their kinks, and pairs of samples that no unit below sees.
    fn border(&self, pattern: &Pattern, theta: &[f64]) -> Vec<Pair> {
        let pass = Forward::new(&self.setting, Some(pattern), theta);
        let sizes = all_sizes(&pass);
        pattern
            .pairs()
            .filter(|p| match sine(&pass, &sizes, *p, pattern.get(*p)) {
                Some(sine) => sine <= ON_KINK,
                None => sizes[p.layer].widths[p.unit] > 0.0,
            })
            .collect()
    }
}

/// Moves the weights of each unit by the least that puts it onto its kinks. Where that is more than rounding (inputs
/// that are nearly parallel), it stays where it is: a little past some of them.
fn set_onto_kinks(setting: &Setting, pattern: &Pattern, border: &[Pair], theta: &mut [f64]) {
    for layer in 0..setting.hidden() {
        let pass = Forward::new(setting, Some(pattern), theta);
        let sizes = Sizes::new(&pass, layer);
        let of_layer = border.iter().filter(|p| p.layer == layer);
        let on_kink = |p: &&Pair| {
            let size = sizes.of(**p);
            let a = pass.a[p.layer][(p.unit, p.sample)];
            size > 0.0 && a.abs() <= NEAR_KINK * size
        };
        let mut pairs: Vec<Pair> = of_layer.filter(on_kink).copied().collect();
        pairs.sort();
        let moves: Vec<(usize, DVector<f64>)> = pairs
            .chunk_by(|p, q| p.unit == q.unit)
            .filter_map(|pairs| {
                // directions only: inputs of different sizes weigh the same
                let columns = DMatrix::from_fn(pass.h[layer].nrows(), pairs.len(), |i, k| {
                    let n = pairs[k].sample;
                    pass.h[layer][(i, n)] / sizes.inputs[n]
                });
                let off = DVector::from_fn(pairs.len(), |k, _| {
                    let p = pairs[k];
                    pass.a[layer][(p.unit, p.sample)] / sizes.inputs[p.sample]
                });
                let by = pseudo_inverse(columns.transpose(), |_| SINGULAR)? * off;
                let unit = pairs[0].unit;
                (by.norm() <= MOVED * sizes.widths[unit]).then_some((unit, by))
            })
            .collect();
        for (unit, by) in moves {
            let own = &mut theta[setting.column(layer, unit)];
            for (w, by) in own.iter_mut().zip(by.iter()) {
                *w -= by;
            }
        }
    }
}
