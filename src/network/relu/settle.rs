//! Finds modes for pairs on their kinks that are consistent with the resulting velocity.

use super::Setting;
use super::equilibrium::balance;
use super::passes::{Forward, Motion};
use super::pattern::{Mode, Pair, Pattern};
use super::rays::{Rays, form};
use super::sizes::{all_sizes, gates, significant_norms};
use crate::activation::{Argument, Formula};
use crate::control;
use nalgebra::DMatrix;

/// Velocities count as zero, and gates as at an end of their interval, to this relative accuracy.
const SETTLED: f64 = 1e-12;

/// What gates that balance each other may miss.
const BALANCED: f64 = 1e-9;

/// Inputs and velocities below this share of the largest are rounding.
const ROUNDING: f64 = 1e-13;

/// Gives the pairs of `border` modes that are consistent with the resulting velocity.
pub(super) fn settle(
    setting: &Setting,
    pattern: &mut Pattern,
    border: &[Pair],
    theta: &[f64],
    multipliers: &[f64],
) -> Result<(), String> {
    let patient = 2 * border.len() + 4;
    let mut balanced = false;
    for round in 0..7 * patient {
        if control::is_over() {
            return Err("the search for gates was broken off".into());
        }
        if round == 3 * patient || round == 5 * patient {
            // under feedback alignment the matrix is not symmetric: all gates together
            let accepts = |pattern: &Pattern| {
                let pass = Forward::new(setting, Some(pattern), theta);
                let motion = pass.motion(multipliers, pass.forces().as_ref());
                !(offences(&pass, &motion, pattern, border).iter()).any(Offence::counts)
            };
            balanced = balance(setting, pattern, border, (theta, multipliers), &accepts);
        }
        let pass = Forward::new(setting, Some(pattern), theta);
        let motion = pass.motion(multipliers, pass.forces().as_ref());
        let mut offences = offences(&pass, &motion, pattern, border);
        if balanced {
            // what is left is rounding, or may be anything
            offences.retain(Offence::counts);
        }
        let chosen = if round < patient {
            // lower layers first, since they move the preactivations above; within a layer the worst first
            let lowest = offences.iter().map(|o| o.pair.layer).min();
            offences.retain(|o| Some(o.pair.layer) == lowest);
            offences.iter().max_by(|x, y| x.size.total_cmp(&y.size))
        } else {
            // if that goes round in circles, the first, which cannot for a positive definite matrix (Murty's rule)
            offences.first()
        };
        let Some(offence) = chosen else {
            return Ok(());
        };
        let gang = gang(&pass, border, offence.pair);
        let next = match (pattern.get(offence.pair), offence.upwards) {
            (Mode::Sliding, true) => Mode::Active,
            (Mode::Sliding, false) => Mode::Inactive,
            (mode, upwards) => {
                if !offence.unseen && pushes_back(&pass, &motion, &gang) {
                    Mode::Sliding
                } else if upwards && mode == Mode::Inactive {
                    Mode::Active
                } else {
                    Mode::Inactive
                }
            }
        };
        for pair in gang {
            pattern.set(pair, next);
        }
    }
    Err(format!(
        "no gates were found for the {} (unit, sample) pairs on their kinks that are consistent with the velocity they \
         lead to; a smoothing of the network's kinks may help",
        border.len()
    ))
}

/// A pair with those of the border that share its kink.
fn gang(pass: &Forward<'_>, border: &[Pair], pair: Pair) -> Vec<Pair> {
    let others = border.iter().copied();
    let others = others.filter(|p| *p != pair && pass.is_gang(*p, pair));
    std::iter::once(pair).chain(others).collect()
}

/// Rates of the preactivations, up to a positive factor, if all sliding units opened (layer by layer, units × N).
fn openings(pass: &Forward<'_>, pattern: &Pattern) -> Vec<DMatrix<f64>> {
    let mut openings: Vec<DMatrix<f64>> = Vec::with_capacity(pass.hidden());
    for l in 0..pass.hidden() {
        let opening = match openings.last() {
            None => DMatrix::zeros(pass.a[l].nrows(), pass.a[l].ncols()),
            Some(below) => {
                let g = pass.setting.layers[l - 1].activation;
                let mut opened = below.map(|a| g.value(Argument::of(a)));
                for p in pattern.sliding().iter().filter(|p| p.layer + 1 == l) {
                    opened[(p.unit, p.sample)] = 1.0;
                }
                pass.w[l].tr_mul(&pass.setting.taken(l, opened, false))
            }
        };
        openings.push(opening);
    }
    openings
}

/// A pair whose mode contradicts its velocity.
struct Offence {
    pair: Pair,
    /// No unit below sees the sample, or is about to.
    unseen: bool,
    slides: bool,
    /// Towards a > 0.
    upwards: bool,
    size: f64,
}

impl Offence {
    /// Whether it is more than rounding, among gates that balance each other.
    fn counts(&self) -> bool {
        self.slides && self.unseen || self.size > BALANCED && !self.unseen
    }
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
            // inputs that have just begun to grow hold a pair on its kink like those that are there
            let begun = inflow > 0.0 && remains[layer][pair.sample] == 0.0;
            let unseen = inputs == 0.0 && !begun;
            let speed = motion.velocity[layer].column(pair.unit).norm();
            let (rate, size) = if unseen && remains[layer][pair.sample] > 0.0 {
                // the last unit that sees the sample is about to close, or the first has just opened: decide by the
                // pair's side
                (pass.a[layer][at], width * remains[layer][pair.sample])
            } else if unseen {
                // no unit below moves yet: decide by the side it would go to if the sliding ones opened
                (openings[layer][at], 1.0)
            } else {
                (motion.a_dot[layer][at], speed * inputs + width * inflow)
            };
            let relative = if size > 0.0 { rate / size } else { 0.0 };
            let offends = match pattern.get(pair) {
                Mode::Active => relative < -SETTLED,
                Mode::Inactive => relative > SETTLED,
                // no input that could hold the pair on its kink
                Mode::Sliding => unseen,
                Mode::Resting => false,
            };
            offends.then_some(Offence {
                pair,
                unseen,
                slides: pattern.get(pair) == Mode::Sliding,
                upwards: relative > 0.0,
                size: relative.abs(),
            })
        })
        .collect();
    let held = gates(motion, pattern)
        .filter(|(p, _)| sizes[p.layer].inputs[p.sample] > 0.0 || inflows[p.layer][p.sample] > 0.0);
    found.extend(held.filter_map(|(pair, gate)| {
        let kink = pattern.kink(pair.layer);
        let outside = -kink.inside(gate);
        // NaN where the signal has vanished: such a pair is released
        (outside.is_nan() || outside > SETTLED).then_some(Offence {
            pair,
            unseen: false,
            slides: true,
            upwards: gate > kink.active,
            size: outside,
        })
    }));
    found.sort_by_key(|o| o.pair);
    found
}

/// Whether opening the gates of pairs that share a kink lowers the preactivation of the first.
fn pushes_back(pass: &Forward<'_>, motion: &Motion, pairs: &[Pair]) -> bool {
    let signal = |p: &Pair| motion.signals[p.layer][(p.unit, p.sample)];
    let gradient = Rays::of_pairs(pass, &pairs[..1], true);
    let updates = form(pass, &gradient, &Rays::of_pairs(pass, pairs, false));
    let changes = updates.iter().zip(pairs);
    changes.map(|(by, p)| by * signal(p)).sum::<f64>() < 0.0
}
