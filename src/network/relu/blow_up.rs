//! The gates that smoothing selects at a border, where changing modes one at a time goes round in circles.
//!
//! Kinks rounded over a width ε become, for ε → 0, an instant in which the weights stand still and only the positions
//! `α_i = a_i/(ε‖w‖‖h‖)` of the pairs on their kinks move, with gates `g_i = H(α_i)`, H rising from κ to 1 on [−1, 1]:
//! ```text
//! α_i' = a'_i(H(α))/(‖w‖‖h‖)
//! ```
//! Where that comes to rest, or leaves [−1, 1], are the gates of a piece. Under gradient descent the loss falls along
//! it, so it cannot go round in circles. A sample that no unit below sees is seen by those that open in this instant:
//! its inputs are `ε ‖w‖‖h‖ S(α)` with `S' = H`, and what lies above follows from them.

use super::equilibrium::Search;
use super::pattern::{Mode, Pair, Pattern};
use crate::activation::Kink;
use crate::control;
use nalgebra::DVector;

/// Steps of the instant.
const MOST_STEPS: usize = 2000;

/// Steps after which it is looked whether a piece has been reached.
const LOOK: usize = 25;

/// The error allowed to one step, in positions.
const ERROR: f64 = 0.02;

/// The most that a position within its kink moves in one step.
const STRIDE: f64 = 0.3;

/// Where no unit below sees a sample, gates pass from one side to the other while the cosine of weights and opening
/// units goes from minus to plus this.
const TRANSITION: f64 = 1e-2;

/// Gates of the search's pairs that `accepts` takes; `None` if the instant leads to none.
pub(super) fn blow_up(
    search: &Search<'_>,
    pattern: &Pattern,
    accepts: &mut dyn FnMut(&[f64]) -> bool,
) -> Option<Vec<f64>> {
    let start = search.pairs.iter().map(|p| match pattern.get(*p) {
        Mode::Active => 1.0,
        Mode::Inactive => -1.0,
        Mode::Sliding | Mode::Resting => 0.0,
    });
    let mut at = DVector::from_iterator(search.pairs.len(), start);
    let instant = Instant {
        search,
        kink: pattern.kink(),
    };
    let mut rates = instant.rates(&at);
    let mut step = STRIDE / rates.amax().max(f64::MIN_POSITIVE);
    for round in 1..=MOST_STEPS {
        if control::is_over() || !step.is_finite() {
            return None;
        }
        let within = |alpha: &f64, rate: &f64| if alpha.abs() < 1.5 { rate.abs() } else { 0.0 };
        let fastest = at
            .iter()
            .zip(&rates)
            .map(|(a, r)| within(a, r))
            .fold(0.0, f64::max);
        let h = step.min(STRIDE / fastest.max(f64::MIN_POSITIVE));
        let ahead = instant.rates(&(&at + &rates * h));
        let error = 0.5 * h * (&ahead - &rates).amax();
        if error <= ERROR {
            at += (&rates + &ahead) * (0.5 * h);
            rates = instant.rates(&at);
        }
        step = h * (0.9 * (ERROR / error.max(1e-300)).sqrt()).clamp(0.3, 2.0);
        if round % LOOK == 0 {
            let gates = instant.gates(&at);
            if accepts(&gates) {
                return Some(gates);
            }
        }
    }
    None
}

struct Instant<'s, 'a> {
    search: &'s Search<'a>,
    kink: Kink,
}

/// H, from zero to one.
fn share(alpha: f64) -> f64 {
    (0.5 * (alpha + 1.0)).clamp(0.0, 1.0)
}

/// S with S′ = H.
fn passed(alpha: f64) -> f64 {
    if alpha < 1.0 {
        0.25 * (alpha + 1.0).max(0.0).powi(2)
    } else {
        alpha
    }
}

impl Instant<'_, '_> {
    /// The gates of all pairs at these positions.
    fn gates(&self, at: &DVector<f64>) -> Vec<f64> {
        let Kink { inactive, active } = self.kink;
        let pairs = self.search.pairs.iter().zip(at.iter());
        pairs
            .map(|(pair, alpha)| {
                let share = match self.search.is_unseen(*pair) {
                    false => share(*alpha),
                    true => self.opening(*pair, at).map_or(share(*alpha), |cosine| {
                        (0.5 + 0.5 * cosine / TRANSITION).clamp(0.0, 1.0)
                    }),
                };
                inactive + (active - inactive) * share
            })
            .collect()
    }

    /// α' of the pairs that see their samples, zero for the others.
    fn rates(&self, at: &DVector<f64>) -> DVector<f64> {
        let search = self.search;
        let mut pass = search.pass.clone();
        // from here on it has gates of its own
        pass.pattern = None;
        for (pair, gate) in search.pairs.iter().zip(self.gates(at)) {
            pass.gates[pair.layer][(pair.unit, pair.sample)] = gate;
        }
        let motion = pass.motion_with(search.output.clone(), DVector::zeros(0));
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
        let (search, n) = (self.search, pair.sample);
        let first = (0..=pair.layer).find(|l| search.sizes[*l].inputs[n] == 0.0)?;
        if first == 0 {
            return None;
        }
        let mut seen = DVector::zeros(search.pass.w[first].nrows());
        for (p, alpha) in search.pairs.iter().zip(at.iter()) {
            if p.layer + 1 == first && p.sample == n {
                seen[p.unit] = search.sizes[p.layer].of(*p) * passed(*alpha);
            }
        }
        for layer in first..pair.layer {
            seen = search.pass.w[layer].tr_mul(&seen).map(|a| a.max(0.0));
        }
        let length = seen.norm() * search.sizes[pair.layer].widths[pair.unit];
        let along = search.pass.w[pair.layer].column(pair.unit).dot(&seen);
        (length > 0.0).then(|| along / length)
    }
}
