//! The gates that smoothing selects at a border, where changing modes one at a time goes round in circles.
//!
//! Kinks rounded over a width ε become, for ε → 0, an instant in which the weights stand still and only the positions
//! `α_i = a_i/(ε‖w‖‖h‖)` of the pairs on their kinks move, with gates `g_i = H(α_i)`, H rising from κ to 1:
//! ```text
//! α_i' = a'_i(H(α))/(‖w‖‖h‖)
//! ```
//! Where that comes to rest, or leaves for ±∞, are the gates of a piece. Under gradient descent the loss falls along
//! it, so it cannot go round in circles. A sample that no unit below sees is seen by those that open in this instant:
//! its inputs are `ε ‖w‖‖h‖ S(α)` with `S' = H`, and what lies above follows from them.
//!
//! H is the logistic function: gates of any smallness have a position of their own. (A linear H has them all within a
//! hair of its end, where the inputs that a thousandth of a gate lets through are lost beside an error of the step.)
//! What lies above turns round while these inputs hardly move, so that the instant is stiff: steps are those of a
//! linearly implicit Euler method, which may become as long as the instant.

use super::equilibrium::Search;
use super::pattern::{Mode, Pair, Pattern};
use crate::activation::{Argument, Formula, Kink};
use crate::control;
use nalgebra::{DMatrix, DVector};

/// Steps of the instant.
const MOST_STEPS: usize = 400;

/// The most that a position within its kink moves in one step.
const STRIDE: f64 = 0.7;

/// What the field may differ from its linearisation over a step, in positions.
const ERROR: f64 = 0.1;

/// Positions beyond this are outside of their kinks: gates are at their ends to rounding.
const OUTSIDE: f64 = 35.0;

/// How far outside they may get: on the open side inputs go on to grow there.
const FARTHEST: [f64; 2] = [-40.0, 1e5];

/// Change of a position for differences.
const NUDGE: f64 = 1e-6;

/// Where no unit below sees a sample, gates pass from one side to the other while the cosine of weights and opening
/// units goes from minus to plus some times this; one after the other is tried. A unit that hardly hears those that
/// open has a cosine of its own that is small.
const TRANSITIONS: [f64; 3] = [1e-2, 1e-4, 1e-6];

/// Positions from which a narrower transition is tried go this far.
const AGAIN: f64 = 6.0;

/// Moves in a row that are smaller than this lead nowhere.
const AT_REST: f64 = 1e-7;

/// How many.
const IN_A_ROW: usize = 4;

/// Gates of the search's pairs that `accepts` takes; `None` if the instant leads to none.
pub(super) fn blow_up(
    search: &Search<'_>,
    pattern: &Pattern,
    accepts: &mut dyn FnMut(&[f64]) -> bool,
) -> Option<Vec<f64>> {
    let start = search.pairs.iter().map(|p| match pattern.get(*p) {
        Mode::Active => 3.0,
        Mode::Inactive => -3.0,
        Mode::Sliding | Mode::Resting => 0.0,
    });
    let mut at = DVector::from_iterator(search.pairs.len(), start);
    // pairs that share a kink are at one place within it
    for (i, p) in search.pairs.iter().enumerate() {
        let mut before = search.pairs[..i].iter();
        if let Some(l) = before.position(|q| search.pass.is_gang(*q, *p)) {
            at[i] = at[l];
        }
    }
    for transition in TRANSITIONS {
        let instant = Instant {
            search,
            kinks: (search.pairs.iter())
                .map(|p| pattern.kink(p.layer))
                .collect(),
            transition,
        };
        let accepted = instant.passes(&mut at, accepts);
        if accepted.is_some() || control::is_over() {
            return accepted;
        }
        at.apply(|a| *a = a.clamp(-AGAIN, AGAIN));
    }
    None
}

struct Instant<'s, 'a> {
    search: &'s Search<'a>,
    /// Of the search's pairs.
    kinks: Vec<Kink>,
    transition: f64,
}

/// H, from zero to one.
fn share(alpha: f64) -> f64 {
    1.0 / (1.0 + (-alpha).exp())
}

/// S with S′ = H.
fn passed(alpha: f64) -> f64 {
    alpha.max(0.0) + (-alpha.abs()).exp().ln_1p()
}

impl Instant<'_, '_> {
    /// Follows the positions until `accepts` takes their gates, or they come to nothing.
    fn passes(
        &self,
        at: &mut DVector<f64>,
        accepts: &mut dyn FnMut(&[f64]) -> bool,
    ) -> Option<Vec<f64>> {
        let one = DMatrix::identity(at.len(), at.len());
        let mut rates = self.rates(at);
        let mut slopes = self.slopes(at, &rates);
        let mut step = 0.1 * STRIDE / rates.amax().max(f64::MIN_POSITIVE);
        let mut still = 0;
        for _ in 0..MOST_STEPS {
            if control::is_over() || !step.is_finite() {
                return None;
            }
            let moves = (&one - &slopes * step).lu().solve(&(&rates * step))?;
            let moving = at.iter().zip(moves.iter());
            let stride = moving
                .filter(|(a, by)| a.abs() < OUTSIDE || *a * *by < 0.0)
                .fold(0.0_f64, |most, (_, by)| most.max(by.abs()));
            if stride > STRIDE {
                step *= 0.8 * STRIDE / stride;
                continue;
            }
            let [least, most] = FARTHEST;
            let next = (&*at + &moves).map(|a| a.clamp(least, most));
            let ahead = self.rates(&next);
            let error = step * (&ahead - &rates - &slopes * &moves).amax();
            if error > ERROR {
                step *= (0.8 * (ERROR / error).sqrt()).max(0.1);
                continue;
            }
            (*at, rates) = (next, ahead);
            let gates = self.gates(at);
            if accepts(&gates) {
                return Some(gates);
            }
            still = if stride < AT_REST { still + 1 } else { 0 };
            if still == IN_A_ROW {
                return None;
            }
            slopes = self.slopes(at, &rates);
            step *= (0.8 * (ERROR / error.max(1e-300)).sqrt()).clamp(0.5, 3.0);
        }
        None
    }

    /// The gates of all pairs at these positions.
    fn gates(&self, at: &DVector<f64>) -> Vec<f64> {
        let pairs = self.search.pairs.iter().zip(at.iter());
        pairs
            .zip(&self.kinks)
            .map(|((pair, alpha), Kink { inactive, active })| {
                let share = match self.search.is_unseen(*pair) {
                    false => share(*alpha),
                    true => self
                        .opening(*pair, at)
                        .map_or(share(*alpha), |cosine| share(cosine / self.transition)),
                };
                inactive + (active - inactive) * share
            })
            .collect()
    }

    /// How rates change with positions, from those at `at`.
    fn slopes(&self, at: &DVector<f64>, rates: &DVector<f64>) -> DMatrix<f64> {
        let mut slopes = DMatrix::zeros(at.len(), at.len());
        let mut near = at.clone();
        for (i, pair) in self.search.pairs.iter().enumerate() {
            // the gate of a sample that is not seen follows the others
            if self.search.is_unseen(*pair) {
                continue;
            }
            near[i] += NUDGE;
            slopes.set_column(i, &((self.rates(&near) - rates) / NUDGE));
            near[i] = at[i];
        }
        slopes
    }

    /// α' of the pairs that see their samples, zero for the others.
    fn rates(&self, at: &DVector<f64>) -> DVector<f64> {
        let search = self.search;
        let motion = search.motion(&self.gates(at));
        DVector::from_iterator(
            at.len(),
            search.pairs.iter().map(|p| {
                let size = search.sizes[p.layer].of(*p);
                let rate = motion.a_dot[p.layer][(p.unit, p.sample)];
                if size > 0.0 { rate / size } else { 0.0 }
            }),
        )
    }

    /// The cosine of a unit's weights and of what it sees, in this instant, of a sample that no unit below saw before;
    /// `None` if that is still nothing.
    fn opening(&self, pair: Pair, at: &DVector<f64>) -> Option<f64> {
        let (search, pass) = (self.search, &self.search.pass);
        let (setting, n) = (pass.setting, search.sample(pair));
        if pair.layer == 0 {
            return None;
        }
        // what the units of a layer pass on of this sample, in this instant: those on kinks as their positions say,
        // those whose inputs grow out of nothing what becomes of these, and the others nothing new
        let mut passed_on = DMatrix::zeros(0, 0);
        for layer in 0..pair.layer {
            let count = setting.patches(layer);
            let mut own = DMatrix::zeros(pass.w[layer].ncols(), count);
            if layer > 0 {
                let g = setting.layers[layer].activation;
                let seen = setting.taken(layer, passed_on, false);
                let grown = pass.w[layer].tr_mul(&seen);
                for p in (0..count).filter(|p| search.sizes[layer].inputs[n * count + p] == 0.0) {
                    let grown = grown.column(p).map(|a| g.value(Argument::of(a)));
                    own.set_column(p, &grown);
                }
            }
            for (p, alpha) in search.pairs.iter().zip(at.iter()) {
                if p.layer == layer && search.sample(*p) == n && !search.is_unseen(*p) {
                    let size = search.sizes[p.layer].of(*p);
                    own[(p.unit, p.sample % count)] = size * passed(*alpha);
                }
            }
            passed_on = own;
        }
        let seen = setting.taken(pair.layer, passed_on, false);
        let seen = seen.column(pair.sample % setting.patches(pair.layer));
        let length = seen.norm() * search.sizes[pair.layer].widths[pair.unit];
        let along = pass.w[pair.layer].column(pair.unit).dot(&seen);
        (length > 0.0).then(|| along / length)
    }
}
