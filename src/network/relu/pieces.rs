//! The exact ReLU flow as a hybrid system: which piece of the field a state is in, and which it enters at a border.
//!
//! A piece is a pattern of modes, one per (unit, sample) pair of the hidden layers. On it the field is smooth. A pair on its
//! kink, `a = 0`, has the gate `g' ∈ [0, 1]` of Filippov's convention: 1 if then `a' ≥ 0`, 0 if then `a' ≤ 0`, and in between
//! where the field pushes back from both sides, so that `a' = 0` (it *slides*). Its own gate moves a' by `s ‖∇a‖²` with s the
//! error signal times α y: pairs with s > 0 always cross, only pairs with s < 0 can slide, and for these the gates solve a
//! linear complementarity problem with box constraints and a positive definite matrix. [`Pieces::enter`] finds its
//! solution by principal pivoting, one pair at a time.
//!
//! A unit with zero weights stands on all its kinks at once; any gates solve the problem there. The report sets
//! `g'(0) = 1`: the unit leaves along the velocity it has with all gates one. A unit that comes back again and again rests
//! at zero with all gates zero, which is a solution too.

use super::Setting;
use super::kernel::ReluKernel;
use super::passes::{Forward, Motion};
use super::pattern::{Mode, Pair, Pattern};
use super::rays::{Rays, form};
use crate::network::{Entered, Kernel, Pieces, views};
use crate::trajectory::Kinks;
use nalgebra::{DMatrix, DVector};
use std::sync::Arc;

/// A preactivation is past its kink once its sine `a/(‖w‖‖h‖)` has the wrong sign by this much: rounding is not a crossing.
const PAST: f64 = 1e-12;

/// Pairs with a sine below this are on their kinks.
const ON_KINK: f64 = 1e-11;

/// A gate has left [0, 1] once it is outside by this much.
const GATE_PAST: f64 = 1e-9;

/// Velocities and gates are zero, or one, to this relative accuracy when a piece is chosen.
const SETTLED: f64 = 1e-12;

/// Inputs of this size, relative to the largest of their layer, are those of a sample that no unit below sees: far above
/// what is left of inputs that vanish at a border located to [`PAST`], where the sines above would be those of rounding.
const UNSEEN: f64 = 1e-9;

/// Inputs and velocities below this share of the largest are rounding.
const ROUNDING: f64 = 1e-13;

/// Pairs are set onto their kinks from sines up to this, a hundred times what locating a border leaves.
const NEAR_KINK: f64 = 1e-10;

/// The most that setting pairs onto their kinks may move the weights, relative to them.
const MOVED: f64 = 1e-8;

/// Weights of a unit of this size, relative to its layer, are zero.
const VANISHED: f64 = 1e-10;

/// Size a unit leaves zero with, relative to its layer; in a layer of zeros, the time it has moved.
const DEPARTURE: f64 = 1e-8;

/// Times a unit may leave zero before it rests there.
const MOST_DEPARTURES: usize = 3;

/// `‖w_lj‖` and `‖h_{l−1,n}‖`; zero for inputs that are only rounding.
struct Sizes {
    widths: Vec<f64>,
    inputs: Vec<f64>,
}

impl Sizes {
    fn new(pass: &Forward<'_>, layer: usize) -> Self {
        Self {
            widths: pass.w[layer].column_iter().map(|w| w.norm()).collect(),
            inputs: significant_norms(&pass.h[layer], UNSEEN),
        }
    }

    /// `‖w_j‖‖h_n‖`
    fn of(&self, p: Pair) -> f64 {
        self.widths[p.unit] * self.inputs[p.sample]
    }
}

/// Norms of the columns, zero for those below `share` of the largest.
fn significant_norms(columns: &DMatrix<f64>, share: f64) -> Vec<f64> {
    let mut norms: Vec<f64> = columns.column_iter().map(|c| c.norm()).collect();
    let largest = norms.iter().copied().fold(0.0, f64::max);
    for norm in &mut norms {
        if *norm <= share * largest {
            *norm = 0.0;
        }
    }
    norms
}

fn all_sizes(pass: &Forward<'_>) -> Vec<Sizes> {
    (0..pass.hidden()).map(|l| Sizes::new(pass, l)).collect()
}

/// `a/(‖w‖‖h‖)`, positive on the side of the pair's mode; `None` where a vanishes identically.
fn sine(pass: &Forward<'_>, sizes: &[Sizes], p: Pair, mode: Mode) -> Option<f64> {
    let size = sizes[p.layer].of(p);
    let sine = pass.a[p.layer][(p.unit, p.sample)] / size;
    (size > 0.0).then_some(match mode {
        Mode::Active => sine,
        Mode::Inactive => -sine,
        Mode::Sliding => 0.0,
    })
}

/// Gates of the sliding pairs, in order: the force over the error signal it is a part of.
fn gates<'a>(motion: &'a Motion, pattern: &'a Pattern) -> impl Iterator<Item = (Pair, f64)> + 'a {
    let forces = pattern.sliding().iter().zip(motion.forces.iter());
    forces.map(|(p, nu)| {
        let signal = motion.signals[p.layer][(p.unit, p.sample)];
        let gate = if *nu == 0.0 { 0.0 } else { nu / signal };
        (*p, gate)
    })
}

impl Pieces for ReluKernel {
    fn clearance(&self, theta: &[f64], multipliers: &[f64]) -> f64 {
        let Some(pattern) = self.pattern.as_deref() else {
            return f64::INFINITY;
        };
        let pass = self.forward(theta);
        let sizes = all_sizes(&pass);
        let of_sides = pattern
            .pairs()
            .filter_map(|p| match pattern.get(p) {
                Mode::Sliding => None,
                mode => sine(&pass, &sizes, p, mode),
            })
            .fold(f64::INFINITY, f64::min);
        if pattern.sliding().is_empty() {
            return of_sides + PAST;
        }
        let motion = pass.motion(multipliers, pass.forces().as_ref());
        let of_gates = gates(&motion, pattern)
            .map(|(_, g)| g.min(1.0 - g))
            .fold(f64::INFINITY, f64::min);
        (of_sides + PAST).min(of_gates + GATE_PAST)
    }

    fn enter(&self, theta: &mut [f64], multipliers: &[f64]) -> Result<Entered, String> {
        let before = match &self.pattern {
            Some(pattern) => Pattern::clone(pattern),
            None => Pattern::of_signs(&self.forward(theta).a),
        };
        let mut pattern = before.clone();
        let mut departures = self.departures.clone();
        let mut kinks = Kinks::default();
        for (layer, counts) in departures.iter_mut().enumerate() {
            let widths: Vec<f64> = views(&self.setting.shapes, theta)[layer]
                .column_iter()
                .map(|w| w.norm())
                .collect();
            let of_layer = widths.iter().map(|w| w * w).sum::<f64>().sqrt();
            for (unit, count) in counts.iter_mut().enumerate() {
                let arrived = self.pattern.is_some() && widths[unit] <= VANISHED * of_layer;
                if arrived || widths[unit] == 0.0 {
                    let leaves = self.leaves_zero(
                        &mut pattern,
                        theta,
                        multipliers,
                        (layer, unit),
                        of_layer,
                        count,
                    );
                    kinks.departures += usize::from(leaves);
                }
            }
        }
        let border = self.border(&pattern, theta);
        set_onto_kinks(&self.setting, &pattern, &border, theta)?;
        settle(&self.setting, &mut pattern, &border, theta, multipliers)?;
        for p in border {
            match (before.get(p), pattern.get(p)) {
                (a, b) if a == b => {}
                (_, Mode::Sliding) => kinks.slides += 1,
                (Mode::Sliding, _) => kinks.releases += 1,
                _ => kinks.crossings += 1,
            }
        }
        kinks.sliding = pattern.sliding_pairs();
        Ok(Entered {
            kernel: Arc::new(Self {
                setting: Arc::clone(&self.setting),
                idle: self.setting.idle(&pattern),
                pattern: Some(Arc::new(pattern)),
                departures,
            }),
            kinks,
        })
    }

    /// The mode of every pair, then how often every unit has left zero; nothing before the first piece has been entered.
    fn state(&self) -> Vec<u64> {
        let Some(pattern) = self.pattern.as_deref() else {
            return Vec::new();
        };
        let departures = self.departures.iter().flatten().map(|n| *n as u64);
        pattern.words().chain(departures).collect()
    }

    fn restored(&self, state: &[u64]) -> Option<Arc<dyn Kernel>> {
        let widths: Vec<usize> = self.departures.iter().map(Vec::len).collect();
        let mut words = state.iter();
        let pattern = Pattern::of_words(&widths, self.setting.labels.len(), &mut words)?;
        let mut departures = self.departures.clone();
        for count in departures.iter_mut().flatten() {
            *count = usize::try_from(*words.next()?).ok()?;
        }
        words.next().is_none().then(|| {
            Arc::new(Self {
                setting: Arc::clone(&self.setting),
                idle: self.setting.idle(&pattern),
                pattern: Some(Arc::new(pattern)),
                departures,
            }) as Arc<dyn Kernel>
        })
    }
}

/// Where the columns of `w_l` start in θ, and how long they are.
fn column(shapes: &[(usize, usize)], layer: usize, unit: usize) -> std::ops::Range<usize> {
    let start: usize = shapes[..layer].iter().map(|(r, c)| r * c).sum();
    let inputs = shapes[layer].0;
    start + unit * inputs..start + (unit + 1) * inputs
}

impl ReluKernel {
    /// A unit at zero leaves along its velocity with all gates one, or rests; whether it left. `of_layer` is the norm of
    /// its layer.
    fn leaves_zero(
        &self,
        pattern: &mut Pattern,
        theta: &mut [f64],
        multipliers: &[f64],
        (layer, unit): (usize, usize),
        of_layer: f64,
        departures: &mut usize,
    ) -> bool {
        let pass = Forward::new(&self.setting, Some(pattern), theta);
        let width = pass.w[layer].column(unit).norm();
        let motion = pass.motion(multipliers, pass.forces().as_ref());
        let inputs = pass.h[layer].clone();
        let free = &inputs * motion.signals[layer].row(unit).transpose();
        let speed = free.norm();
        let samples = self.setting.labels.len();
        let own = column(&self.setting.shapes, layer, unit);
        let pair = |sample| Pair {
            layer,
            unit,
            sample,
        };
        if speed == 0.0 || *departures >= MOST_DEPARTURES {
            let mode = if speed == 0.0 {
                Mode::Active
            } else {
                Mode::Inactive
            };
            (0..samples).for_each(|n| pattern.set(pair(n), mode));
            theta[own].fill(0.0);
            return false;
        }
        let size = if of_layer > width {
            DEPARTURE * of_layer
        } else {
            DEPARTURE * speed
        };
        let w = free * (size / speed);
        for sample in 0..samples {
            let active = inputs.column(sample).dot(&w) >= 0.0;
            let mode = if active { Mode::Active } else { Mode::Inactive };
            pattern.set(pair(sample), mode);
        }
        if layer + 1 == self.departures.len()
            && let Some(b) = self.setting.signals.last_feedback(unit)
        {
            // on the conserved level: b_j w_Lj − ½‖w_j‖² stays as it was
            let gained = 0.5 * (w.norm_squared() - width * width) / b;
            theta[column(&self.setting.shapes, layer + 1, 0).start + unit] += gained;
        }
        theta[own].copy_from_slice(w.as_slice());
        *departures += 1;
        true
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

/// Moves the weights of each unit by the least that puts it onto its kinks.
///
/// # Errors
/// If that is more than rounding.
fn set_onto_kinks(
    setting: &Setting,
    pattern: &Pattern,
    border: &[Pair],
    theta: &mut [f64],
) -> Result<(), String> {
    for layer in 0..setting.shapes.len() - 1 {
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
            .map(|pairs| {
                // directions only: inputs of different sizes weigh the same
                let columns = DMatrix::from_fn(pass.h[layer].nrows(), pairs.len(), |i, k| {
                    let n = pairs[k].sample;
                    pass.h[layer][(i, n)] / sizes.inputs[n]
                });
                let off = DVector::from_fn(pairs.len(), |k, _| {
                    let p = pairs[k];
                    pass.a[layer][(p.unit, p.sample)] / sizes.inputs[p.sample]
                });
                let inverse = columns
                    .transpose()
                    .pseudo_inverse(SETTLED)
                    .map_err(str::to_owned)?;
                Ok((pairs[0].unit, inverse * off))
            })
            .collect::<Result<_, String>>()?;
        let widths = sizes.widths;
        for (unit, by) in moves {
            let size = by.norm();
            if size.is_nan() || size > MOVED * widths[unit] {
                return Err(format!(
                    "unit {unit} of layer {} stands on kinks that only a move of {size:.1e} would put it on",
                    layer + 1
                ));
            }
            let own = &mut theta[column(&setting.shapes, layer, unit)];
            for (w, by) in own.iter_mut().zip(by.iter()) {
                *w -= by;
            }
        }
    }
    Ok(())
}

/// Gives the pairs of `border` modes that are consistent with the velocity they lead to.
fn settle(
    setting: &Setting,
    pattern: &mut Pattern,
    border: &[Pair],
    theta: &[f64],
    multipliers: &[f64],
) -> Result<(), String> {
    let patient = 2 * border.len() + 4;
    let mut dice: u64 = 1;
    for round in 0..100 * (border.len() + 4) {
        let pass = Forward::new(setting, Some(pattern), theta);
        let motion = pass.motion(multipliers, pass.forces().as_ref());
        let mut offences = offences(&pass, &motion, pattern, border);
        let chosen = if round < patient {
            // the worst first, lower layers first: what happens there moves the preactivations above
            let lowest = offences.iter().map(|o| o.pair.layer).min();
            offences.retain(|o| Some(o.pair.layer) == lowest);
            offences.iter().max_by(|x, y| x.size.total_cmp(&y.size))
        } else if round < 3 * patient {
            // if that goes round in circles, the first, which cannot for a positive definite matrix (Murty's rule)
            offences.first()
        } else {
            // under feedback alignment the matrix is not symmetric: any, by a fixed sequence
            dice = dice
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            offences.get((dice >> 33) as usize % offences.len().max(1))
        };
        let Some(offence) = chosen else {
            return Ok(());
        };
        let next = match (pattern.get(offence.pair), offence.upwards) {
            (Mode::Sliding, true) => Mode::Active,
            (Mode::Sliding, false) => Mode::Inactive,
            (mode, upwards) => {
                if !offence.unseen && pushes_back(&pass, &motion, offence.pair) {
                    Mode::Sliding
                } else if upwards && mode == Mode::Inactive {
                    Mode::Active
                } else {
                    Mode::Inactive
                }
            }
        };
        pattern.set(offence.pair, next);
    }
    Err(format!(
        "no gates were found for the {} (unit, sample) pairs on their kinks that are consistent with the velocity they lead \
         to; network.relu.smoothing may help",
        border.len()
    ))
}

/// How preactivations would move, up to a positive factor, if all sliding units opened (layer by layer, units × N).
fn openings(pass: &Forward<'_>, pattern: &Pattern) -> Vec<DMatrix<f64>> {
    let mut openings: Vec<DMatrix<f64>> = Vec::with_capacity(pass.hidden());
    for l in 0..pass.hidden() {
        let opening = match openings.last() {
            None => DMatrix::zeros(pass.a[l].nrows(), pass.a[l].ncols()),
            Some(below) => {
                let mut opened = below.map(|a| a.max(0.0));
                for p in pattern.sliding().iter().filter(|p| p.layer + 1 == l) {
                    opened[(p.unit, p.sample)] = 1.0;
                }
                pass.w[l].tr_mul(&opened)
            }
        };
        openings.push(opening);
    }
    openings
}

/// A pair whose mode contradicts its velocity.
struct Offence {
    pair: Pair,
    /// No unit below sees the sample: the pair has no push of its own.
    unseen: bool,
    /// Towards a > 0.
    upwards: bool,
    size: f64,
}

fn offences(
    pass: &Forward<'_>,
    motion: &Motion,
    pattern: &Pattern,
    border: &[Pair],
) -> Vec<Offence> {
    let openings = openings(pass, pattern);
    let sizes = all_sizes(pass);
    let norms = |columns: &[DMatrix<f64>]| -> Vec<Vec<f64>> {
        columns
            .iter()
            .map(|c| significant_norms(c, ROUNDING))
            .collect()
    };
    let (remains, inflows) = (norms(&pass.h), norms(&motion.h_dot));
    let mut found: Vec<Offence> = border
        .iter()
        .filter_map(|&pair| {
            let (layer, at) = (pair.layer, (pair.unit, pair.sample));
            let width = sizes[layer].widths[pair.unit];
            let (inputs, inflow) = (
                sizes[layer].inputs[pair.sample],
                inflows[layer][pair.sample],
            );
            let unseen = inputs == 0.0;
            let speed = motion.velocity[layer].column(pair.unit).norm();
            let (rate, size) = if unseen && remains[layer][pair.sample] > 0.0 {
                // the last unit that sees the sample is about to go, or the first has just come: the side it is on
                (pass.a[layer][at], width * remains[layer][pair.sample])
            } else if unseen && inflow == 0.0 {
                // no unit below moves yet: the side it would go to if those that slide opened
                (openings[layer][at], 1.0)
            } else {
                (motion.a_dot[layer][at], speed * inputs + width * inflow)
            };
            let relative = if size > 0.0 { rate / size } else { 0.0 };
            let offends = match pattern.get(pair) {
                Mode::Active => relative < -SETTLED,
                Mode::Inactive => relative > SETTLED,
                // nothing to hold on to
                Mode::Sliding => unseen,
            };
            offends.then_some(Offence {
                pair,
                unseen,
                upwards: relative > 0.0,
                size: relative.abs(),
            })
        })
        .collect();
    let held = gates(motion, pattern).filter(|(p, _)| sizes[p.layer].inputs[p.sample] > 0.0);
    found.extend(held.filter_map(|(pair, gate)| {
        let outside = (-gate).max(gate - 1.0);
        // not a number where the signal has vanished: such a pair is let go
        (outside.is_nan() || outside > SETTLED).then_some(Offence {
            pair,
            unseen: false,
            upwards: gate > 1.0,
            size: outside,
        })
    }));
    found.sort_by_key(|o| o.pair);
    found
}

/// Whether opening the pair's own gate lowers its preactivation.
fn pushes_back(pass: &Forward<'_>, motion: &Motion, p: Pair) -> bool {
    let signal = motion.signals[p.layer][(p.unit, p.sample)];
    let [gradient, update] = [true, false].map(|g| Rays::of_pairs(pass, &[p], g));
    signal * form(pass, &gradient, &update)[(0, 0)] < 0.0
}
