//! Gates of pairs on their kinks as one complementarity problem, where changing modes one at a time goes round in
//! circles.
//!
//! With gates `g_i ∈ [κ, 1]` of the pairs on their kinks as unknowns, the rates `a'_i(g)` are polynomials of them,
//! linear in each single one, and a piece is consistent if `a'_i ≥ 0` where `g_i = 1`, `a'_i ≤ 0` where `g_i = κ`, and
//! `a'_i = 0` in between: a variational inequality on a box, which always has a solution. It is looked for gate by
//! gate: each takes the value that answers all others (one of its ends where it pushes itself away from its kink: the
//! one it is at), at first in full, then with more and more damping, since under feedback alignment answers may turn
//! round each other.

use super::Setting;
use super::blow_up::blow_up;
use super::passes::{Forward, Motion};
use super::pattern::{Mode, Pair, Pattern};
use super::sizes::{Sizes, all_sizes, significant_norms};
use crate::activation::{Argument, Formula, Kink};
use crate::control;
use nalgebra::{DMatrix, DVector};
use std::collections::BTreeSet;

/// Rounds over all gates.
const MOST_ROUNDS: usize = 240;

/// Rounds without damping; after as many more, answers are taken half, then a quarter, and so on.
const UNDAMPED: usize = 20;

/// Starts from other gates.
const MOST_STARTS: usize = 6;

/// Where no unit below sees a sample, gates pass from one side to the other while the cosine of weights and opening
/// units goes from minus to plus this.
const TRANSITION: f64 = 1e-3;

/// Changes of gates, and rates relative to what they consist of, that count as none.
const SETTLED: f64 = 1e-12;

/// Answers this near are taken in full.
const NEAR: f64 = 1e-5;

/// Rates of inputs below this share of the largest are rounding, or what gates in the making leave.
const ROUNDING: f64 = 1e-9;

/// Gates this near an end are at it.
const AT_END: f64 = 1e-10;

/// Preactivations on their kinks that grow by more than this, relatively, make inputs.
const GROWS: f64 = 1e-6;

/// Gives the pairs of `border`, and those that slide, the modes of an equilibrium: of the one that smoothing selects,
/// if `accepts` takes it, otherwise of any; false if none was found.
pub(super) fn balance(
    setting: &Setting,
    pattern: &mut Pattern,
    border: &[Pair],
    (theta, multipliers): (&[f64], &[f64]),
    accepts: &dyn Fn(&Pattern) -> bool,
) -> bool {
    let mut pairs: Vec<Pair> = border.iter().chain(pattern.sliding()).copied().collect();
    pairs.sort();
    pairs.dedup();
    let mut closed = pattern.clone();
    for pair in &pairs {
        closed.set(*pair, Mode::Inactive);
    }
    let pass = Forward::new(setting, Some(&closed), theta);
    let search = Search {
        output: setting.errors(multipliers),
        sizes: all_sizes(&pass),
        pairs,
        pass,
    };
    let selected = blow_up(&search, pattern, &mut |gates| {
        let mut selected = pattern.clone();
        search.adopt(gates, &mut selected);
        accepts(&selected)
    });
    match selected.or_else(|| search.run(pattern)) {
        Some(gates) => search.adopt(&gates, pattern),
        None => return false,
    }
    true
}

/// Gates that are looked for.
pub(super) struct Search<'a> {
    /// The unknowns, lower layers first.
    pub pairs: Vec<Pair>,
    /// With all unknown gates closed: none slides.
    pub pass: Forward<'a>,
    /// `‖w_j‖`, `‖h_n‖` per layer.
    pub sizes: Vec<Sizes>,
    /// e, C × N
    pub output: DMatrix<f64>,
}

impl<'a> Search<'a> {
    /// Gives the pairs the modes that these gates are of.
    fn adopt(&self, gates: &[f64], pattern: &mut Pattern) {
        let motion = self.motion(gates);
        // layers and samples whose inputs begin to grow
        let mut begun: BTreeSet<(usize, usize)> = BTreeSet::new();
        for (pair, gate) in self.pairs.iter().zip(gates) {
            let kink = pattern.kink(pair.layer);
            let within = AT_END < gate - kink.inactive && AT_END < kink.active - gate;
            let seen_now = begun.contains(&(pair.layer, self.sample(*pair)));
            let unseen = self.is_unseen(*pair) && !seen_now;
            if within && unseen {
                pattern.set_gate(*pair, *gate);
                continue;
            }
            let opens = kink.active - gate <= AT_END;
            if !unseen && opens && self.relative_rate(&motion, *pair) > GROWS {
                begun.insert((pair.layer + 1, self.sample(*pair)));
            }
            let mode = if within {
                Mode::Sliding
            } else if 2.0 * gate >= kink.inactive + kink.active {
                Mode::Active
            } else {
                Mode::Inactive
            };
            pattern.set(*pair, mode);
        }
        for pair in pattern.sliding().to_vec() {
            for other in &self.pairs {
                if self.pass.is_gang(*other, pair) {
                    pattern.set(*other, Mode::Sliding);
                }
            }
        }
    }

    /// The motion under these gates.
    pub(super) fn motion(&self, gates: &[f64]) -> Motion {
        let mut pass = self.pass.clone();
        // from here on it has gates of its own
        pass.pattern = None;
        for (pair, gate) in self.pairs.iter().zip(gates) {
            pass.gates[pair.layer][(pair.unit, pair.sample)] = *gate;
        }
        pass.motion_with(self.output.clone(), DVector::zeros(0))
    }

    /// The sample of a pair, whose column it may share with others.
    pub(super) fn sample(&self, pair: Pair) -> usize {
        pair.sample / self.pass.setting.patches(pair.layer)
    }

    pub(super) fn is_unseen(&self, pair: Pair) -> bool {
        self.sizes[pair.layer].inputs[pair.sample] == 0.0
    }

    /// Gates that answer each other.
    fn run(&self, pattern: &Pattern) -> Option<Vec<f64>> {
        let kinks: Vec<Kink> = (self.pairs.iter()).map(|p| pattern.kink(p.layer)).collect();
        let mut gates: Vec<f64> = (self.pairs.iter().zip(&kinks))
            .map(|(p, kink)| match pattern.get(*p) {
                Mode::Active => kink.active,
                Mode::Inactive => kink.inactive,
                Mode::Sliding | Mode::Resting => 0.5 * (kink.inactive + kink.active),
            })
            .collect();
        let mut draws: u64 = 1;
        for _ in 0..MOST_STARTS {
            if self.settles(&mut gates, &kinks) {
                return Some(gates);
            }
            for (gate, kink) in gates.iter_mut().zip(&kinks) {
                draws = (draws.wrapping_mul(6364136223846793005)).wrapping_add(1442695040888963407);
                let share = (draws >> 11) as f64 / (1_u64 << 53) as f64;
                *gate = kink.inactive + share * (kink.active - kink.inactive);
            }
        }
        None
    }

    /// Whether the gates come to answer each other.
    fn settles(&self, gates: &mut [f64], kinks: &[Kink]) -> bool {
        let mut pass = self.pass.clone();
        // from here on it has gates of its own
        pass.pattern = None;
        for (pair, gate) in self.pairs.iter().zip(&*gates) {
            pass.gates[pair.layer][(pair.unit, pair.sample)] = *gate;
        }
        for round in 0..MOST_ROUNDS {
            if control::is_over() {
                return false;
            }
            let share = 0.5_f64.powi((round / UNDAMPED) as i32);
            let mut largest = 0.0_f64;
            for ((pair, gate), kink) in self.pairs.iter().zip(&mut *gates).zip(kinks) {
                let answer = self.answer(&mut pass, *pair, *gate, *kink);
                let next = if (answer - *gate).abs() < NEAR {
                    answer
                } else {
                    *gate + share * (answer - *gate)
                };
                largest = largest.max((answer - *gate).abs());
                *gate = next;
                pass.gates[pair.layer][(pair.unit, pair.sample)] = next;
            }
            if largest < SETTLED {
                return true;
            }
        }
        false
    }

    /// The gate of one pair that answers all others.
    fn answer(&self, pass: &mut Forward<'_>, pair: Pair, now: f64, kink: Kink) -> f64 {
        let (low, high) = (kink.inactive, kink.active);
        if self.is_unseen(pair) {
            let share = self
                .opening(pass, pair, high)
                .map(|cosine| 0.5 + 0.5 * cosine / TRANSITION);
            return share.map_or(now, |share| low + (high - low) * share.clamp(0.0, 1.0));
        }
        let mut rate = |gate: f64| {
            pass.gates[pair.layer][(pair.unit, pair.sample)] = gate;
            let motion = pass.motion_with(self.output.clone(), DVector::zeros(0));
            self.relative_rate(&motion, pair)
        };
        let (closed, open) = (rate(low), rate(high));
        if closed.abs() <= SETTLED && open.abs() <= SETTLED {
            now
        } else if closed <= SETTLED && open <= SETTLED {
            low
        } else if closed >= -SETTLED && open >= -SETTLED {
            high
        } else if closed > open {
            low + (high - low) * closed / (closed - open)
        } else if now - low >= high - now {
            high
        } else {
            low
        }
    }

    /// `a'` of a pair relative to the sizes of what it consists of.
    fn relative_rate(&self, motion: &Motion, pair: Pair) -> f64 {
        let layer = pair.layer;
        let inflow = significant_norms(&motion.h_dot[layer], ROUNDING)[pair.sample];
        let speed = motion.velocity[layer].column(pair.unit).norm();
        let sizes = &self.sizes[layer];
        let size = speed * sizes.inputs[pair.sample] + sizes.widths[pair.unit] * inflow;
        if size > 0.0 {
            motion.a_dot[layer][(pair.unit, pair.sample)] / size
        } else {
            0.0
        }
    }

    /// Of a pair on a sample that no unit below sees: the cosine of its weights and of what it is about to see, which
    /// are the units below that open at the rates they open with, or, if none does, those that slide, as far as they
    /// are open. `None` if there are none.
    fn opening(&self, pass: &Forward<'_>, pair: Pair, high: f64) -> Option<f64> {
        let setting = pass.setting;
        let width = self.sizes[pair.layer].widths[pair.unit];
        // layers without kinks hand on what the next one below them opens
        let below = (0..pair.layer).rfind(|l| setting.layers[*l].activation.kink().is_some())?;
        if width == 0.0 {
            return None;
        }
        let count = setting.patches(below);
        let first = self.sample(pair) * count;
        let gates = pass.gates[below].columns(first, count);
        let gates = gates.component_mul(&self.on_kinks(pair, below));
        let opens = |gate: &f64| *gate >= high - AT_END;
        let mut opened = gates.clone();
        if gates.iter().any(opens) {
            let motion = pass.motion_with(self.output.clone(), DVector::zeros(0));
            let rates = motion.a_dot[below].columns(first, count);
            let opening = gates.zip_map(
                &rates,
                |gate, rate| {
                    if opens(&gate) { rate.max(0.0) } else { 0.0 }
                },
            );
            if opening.norm() > 0.0 {
                opened = opening;
            }
        }
        for layer in below + 1..pair.layer {
            let g = setting.layers[layer].activation;
            let seen = setting.taken(layer, opened, false);
            opened = (pass.w[layer].tr_mul(&seen)).map(|a| g.value(Argument::of(a)));
        }
        let seen = setting.taken(pair.layer, opened, false);
        let seen = seen.column(pair.sample % setting.patches(pair.layer));
        let length = seen.norm();
        let along = pass.w[pair.layer].column(pair.unit).dot(&seen);
        (length > 0.0).then(|| along / (width * length))
    }

    /// One for units of layer `below` that stand on their kinks of the pair's sample, zero for the others.
    fn on_kinks(&self, pair: Pair, below: usize) -> DMatrix<f64> {
        let count = self.pass.setting.patches(below);
        let mut on = DMatrix::zeros(self.pass.w[below].ncols(), count);
        let of_sample = |p: &&Pair| p.layer == below && self.sample(**p) == self.sample(pair);
        for p in self.pairs.iter().filter(of_sample) {
            on[(p.unit, p.sample % count)] = 1.0;
        }
        on
    }
}
