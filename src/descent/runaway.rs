//! A proof that the loss of an overflowing run does not tend to zero.
//!
//! That weights overflow proves nothing: a step that is far too large may throw all margins up as well as down. What
//! can be proved is that the run never recovers. Take steps of constant size with the exponential loss on a linear
//! network under fixed feedback. Once one multiplier `A = η e^{−m_n}` outweighs all others and all weights, a step
//! replaces every layer,
//! ```text
//! w_l ← w_l + A (w_1⋯w_{l−1})ᵀ g_n b_lᵀ  ≈  A (w_1⋯w_{l−1})ᵀ g_n b_lᵀ,
//! ```
//! so the *directions* of the new layers depend on n and on the directions of the old layers below, the lengths only
//! set how much the next sample outweighs the others. Margins are the product of all lengths times the margins of the
//! directions, and so grow like towers of exponentials: if the least margin of the new directions is negative, its
//! sample takes the next turn, and outweighs all others by even more. The direction of layer l depends on the last l
//! turns, so that once a sequence of L turns repeats, the samples take turns for ever, some margin is below any bound
//! after every step, and the loss tends to infinity. If the least margin of the directions is positive instead, the run
//! leaps to a loss near zero, and nothing is proved.
//!
//! What is neglected is at most `e^{−40}`, relatively, and [`settled`] says from where on this gets ever smaller;
//! margins of directions that are nearer to zero, or to each other, than [`CLEAR`] prove nothing.

use super::{Descent, Lane, Schedule, stepper};
use crate::network::{Kernel, norm};
use crate::problem::Problem;
use crate::theory;
use crate::trajectory::Status;
use nalgebra::DVector;
use std::sync::Arc;

/// Why the loss of a run tends to infinity.
#[derive(Debug, Clone, PartialEq)]
pub struct Runaway {
    /// The step after which the weights are last finite.
    pub step: u64,
    /// The least margin there.
    pub min_margin: f64,
    /// The samples that take turns for ever.
    pub turns: Vec<usize>,
}

/// What outweighs does so by a factor e to this power.
const OUTWEIGHS: f64 = 40.0;

/// Margins and updates of directions between this and its inverse are safe from rounding.
const CLEAR: f64 = 1e-9;

/// Turns after which a repetition is no longer waited for.
const MOST_TURNS: usize = 10_000;

/// The proof for a run that has overflown, if there is one: steps of constant size, the exponential loss, a linear
/// network under fixed feedback, and turns that repeat.
pub fn runaway(problem: &Problem, descent: &Descent) -> Option<Runaway> {
    let covered = descent.schedule == Schedule::Constant
        && descent.trajectory.status == Status::NonFinite
        && problem.loss().log_correction_is_zero()
        && problem.network().is_linear()
        && theory::of(problem).errors.are_fixed();
    let (step, theta) = covered.then(|| last_finite(problem, descent))?;
    let margins = problem
        .network()
        .margins(theta.as_slice(), problem.dataset());
    let mut layers = Layers::of(problem, descent.size, theta)?;
    let depth = problem.network().depth();
    let mut turns = Vec::new();
    while turns.len() < MOST_TURNS {
        let was_settled = layers.settled();
        turns.push(layers.turn()?);
        if was_settled && let Some(first) = repeated(&turns, depth) {
            return Some(Runaway {
                step,
                min_margin: margins.min(),
                turns: turns[first..turns.len() - depth].to_vec(),
            });
        }
        if !was_settled {
            turns.clear();
        }
    }
    None
}

/// Where the last `depth` turns stand for the first time, if earlier.
fn repeated(turns: &[usize], depth: usize) -> Option<usize> {
    let end = turns.len().checked_sub(depth)?;
    let last = &turns[end..];
    (0..end).find(|&k| turns[k..k + depth] == *last)
}

/// The state before the first step at which weights or margins overflow, and the number of that step.
fn last_finite(problem: &Problem, descent: &Descent) -> (u64, DVector<f64>) {
    let last = descent.steps.len() - 1;
    let mut theta = descent.trajectory.theta.column(last).into_owned();
    let mut step = descent.steps[last];
    let lane = Lane {
        size: descent.size,
        theta: theta.clone(),
    };
    let mut run = stepper(problem, Schedule::Constant, &[lane]);
    let mut next = theta.clone();
    while step < descent.count {
        run.advance(1);
        run.theta(0, next.as_mut_slice());
        let margins = problem
            .network()
            .margins(next.as_slice(), problem.dataset());
        if !next.iter().chain(margins.iter()).all(|x| x.is_finite()) {
            break;
        }
        theta.copy_from(&next);
        step += 1;
    }
    (step, theta)
}

/// Weights as directions and lengths of layers: `w_l = e^{λ_l} w̄_l` with `‖w̄_l‖ = 1`.
struct Layers<'a> {
    problem: &'a Problem,
    kernel: Arc<dyn Kernel>,
    log_size: f64,
    /// w̄, flat.
    directions: DVector<f64>,
    /// λ_1 … λ_L; infinite once they are beyond doubles.
    lengths: Vec<f64>,
}

/// What the next turn does to the directions.
struct Update {
    sample: usize,
    /// The least margin of the directions, negative.
    margin: f64,
    /// By how much the margins of other samples are larger.
    gap: f64,
    /// The directions' updates by that sample alone.
    velocity: Vec<f64>,
    /// Their norms, layer by layer.
    norms: Vec<f64>,
}

impl<'a> Layers<'a> {
    fn of(problem: &'a Problem, size: f64, theta: DVector<f64>) -> Option<Self> {
        let norms = layer_norms(problem, theta.as_slice());
        if norms.iter().any(|norm| *norm == 0.0 || !norm.is_finite()) {
            return None;
        }
        let mut directions = theta;
        scale_layers(problem, directions.as_mut_slice(), &norms);
        Some(Self {
            problem,
            kernel: problem.kernel(),
            log_size: size.ln(),
            directions,
            lengths: norms.iter().map(|norm| norm.ln()).collect(),
        })
    }

    /// ln of the factor between margins and those of the directions.
    fn log_growth(&self) -> f64 {
        self.lengths.iter().sum()
    }

    /// Whether every later turn outweighs the others as this one does, and by ever more, as long as directions stay
    /// [`CLEAR`]: with `M = e^{Σλ}` and `Λ = max|λ_l|`, the least margin is below `−M·CLEAR`, next time lengths are
    /// `λ' = M·(1 ± 0.1)` and margins grow by `e^{Lλ'}`, which is more than any multiple of λ'.
    fn settled(&self) -> bool {
        let depth = self.lengths.len() as f64;
        let largest = self.lengths.iter().fold(0.0, |a: f64, x| a.max(x.abs()));
        let others = OUTWEIGHS + self.log_size.abs() + (self.problem.dataset().len() as f64).ln();
        let needed = 10.0 * (others - 3.0 * CLEAR.ln() + (depth + 1.0) * largest);
        self.log_growth() == f64::INFINITY || self.log_growth().exp() * CLEAR >= needed
    }

    /// Takes one step; returns the sample that outweighs the others. `None` if none does, if no margin is negative or
    /// if anything is not clear.
    fn turn(&mut self) -> Option<usize> {
        let update = self.update()?;
        let clear = |x: f64| (CLEAR..=1.0 / CLEAR).contains(&x);
        let norms = &update.norms;
        if !(clear(-update.margin) && clear(update.gap) && norms.iter().all(|x| clear(*x))) {
            return None;
        }
        let settled = self.settled();
        let growth = self.log_growth().exp();
        let log_multiplier = self.log_size - growth * update.margin;
        let mut below = 0.0;
        let mut lengths = Vec::new();
        for (length, norm) in self.lengths.iter().zip(norms) {
            let new = log_multiplier + below + norm.ln();
            if !settled && new - length < OUTWEIGHS {
                return None;
            }
            lengths.push(if settled { f64::INFINITY } else { new });
            below += length;
        }
        if !settled && growth * update.gap < OUTWEIGHS + self.log_rivals(&update) {
            return None;
        }
        let mut velocity = update.velocity;
        scale_layers(self.problem, &mut velocity, norms);
        self.directions.copy_from_slice(&velocity);
        self.lengths = lengths;
        Some(update.sample)
    }

    fn update(&self) -> Option<Update> {
        let data = self.problem.dataset();
        let margins = self
            .problem
            .network()
            .margins(self.directions.as_slice(), data);
        let (sample, margin) = margins.argmin();
        let g = data.signed_samples();
        let twins: Vec<bool> = (g.row_iter()).map(|row| row == g.row(sample)).collect();
        let others = margins.iter().zip(&twins).filter(|(_, twin)| !**twin);
        let gap = others.map(|(m, _)| m - margin).reduce(f64::min)?;
        let multipliers: Vec<f64> = twins
            .iter()
            .map(|twin| f64::from(u8::from(*twin)))
            .collect();
        let velocity = self.velocity(&multipliers);
        let norms = layer_norms(self.problem, &velocity);
        (margin < 0.0).then_some(Update {
            sample,
            margin,
            gap,
            velocity,
            norms,
        })
    }

    /// ln of how much more all other samples together may move some layer at equal multipliers.
    fn log_rivals(&self, update: &Update) -> f64 {
        let samples = self.problem.dataset().len();
        let mut most = 0.0f64;
        for n in (0..samples).filter(|n| *n != update.sample) {
            let mut unit = vec![0.0; samples];
            unit[n] = 1.0;
            let norms = layer_norms(self.problem, &self.velocity(&unit));
            let shares = norms
                .iter()
                .zip(&update.norms)
                .map(|(theirs, its)| theirs / its);
            most = shares.fold(most, f64::max);
        }
        (samples as f64 * most.max(1.0)).ln()
    }

    fn velocity(&self, multipliers: &[f64]) -> Vec<f64> {
        let mut velocity = vec![0.0; self.directions.len()];
        let mut rates = vec![0.0; multipliers.len()];
        let theta = self.directions.as_slice();
        self.kernel
            .velocity(theta, multipliers, &mut velocity, &mut rates);
        velocity
    }
}

fn layer_norms(problem: &Problem, flat: &[f64]) -> Vec<f64> {
    let layout = problem.network().layout();
    let layers = (0..layout.depth()).map(|l| &flat[layout.range(l)]);
    layers.map(norm).collect()
}

fn scale_layers(problem: &Problem, flat: &mut [f64], norms: &[f64]) {
    let layout = problem.network().layout();
    for (layer, norm) in layout.split_mut(flat).into_iter().zip(norms) {
        layer.iter_mut().for_each(|x| *x /= norm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Control;
    use crate::dataset::{Dataset, gaussian_teacher, standard_normals};
    use crate::descent::{State, StepOptions, descend};
    use crate::loss::Loss;
    use crate::network::Network;
    use crate::rule::Rule;
    use nalgebra::{DMatrix, dmatrix, dvector};

    fn problem(network: &Network, data: Dataset, theta0: DVector<f64>) -> Problem {
        let draw = |(l, n): (usize, usize)| {
            let draws = standard_normals("runaway tests", l as u64);
            DVector::from_iterator(n, draws.take(n))
        };
        let signals = network.signal_lengths().into_iter().enumerate();
        let rule = Rule::direct_feedback_alignment(signals.map(draw).collect());
        Problem::new(data, network.clone(), rule, Loss::Exponential, theta0).unwrap()
    }

    fn from_zero(network: &Network, data: Dataset) -> Problem {
        problem(network, data, DVector::zeros(network.parameters()))
    }

    fn steps(problem: &Problem, size: f64) -> Descent {
        let options = StepOptions {
            sizes: vec![size],
            count: 500,
            schedule: Schedule::Constant,
            state: State::Full,
        };
        descend(problem, &options, &Control::none())
            .unwrap()
            .remove(0)
    }

    /// The turns by signs alone. On fully connected layers from zero weights everything is a number: Z points along
    /// the last sample, φ_2 takes the sign of the old Z·g_n, φ_{l+1} that of the old φ_l⋯φ_2 Z·g_n.
    fn turns_by_signs(
        kernel: &DMatrix<f64>,
        mut phi: Vec<f64>,
        first: usize,
        seen: f64,
    ) -> Vec<usize> {
        let (mut n, mut seen, mut turns) = (first, seen, vec![first]);
        while turns.len() < 60 {
            let mut change = seen;
            for phi in &mut phi {
                let old = *phi;
                *phi = change.signum();
                change *= old;
            }
            let sign: f64 = phi.iter().product();
            let margins = kernel.column(n) * sign;
            let (next, least) = margins.argmin();
            assert!(least < 0.0);
            seen = kernel[(next, n)];
            n = next;
            turns.push(n);
        }
        turns
    }

    #[test]
    fn samples_take_turns_as_signs_have_it() {
        let mut proofs = 0;
        for (seed, depth) in [(1, 2), (1, 3), (1, 4), (2, 2), (3, 3), (4, 5)] {
            let data = gaussian_teacher(6, 20, seed);
            let network = Network::fully_connected(6, &vec![6; depth - 1]);
            let problem = from_zero(&network, data);
            let run = steps(&problem, 1.0);
            let Some(proof) = runaway(&problem, &run) else {
                continue;
            };
            proofs += 1;
            let alignment = theory::of(&problem).alignment.unwrap();
            let law = alignment.outer_products().unwrap();
            let (_, theta) = last_finite(&problem, &run);
            let weights = network.weights(theta.as_slice());
            let phi = law.phi(&weights);
            let g = problem.dataset().signed_samples();
            let (first, least) = network
                .margins(theta.as_slice(), problem.dataset())
                .argmin();
            assert_eq!(least, proof.min_margin);
            let seen = (g * &weights[0] * &law.feedback[0])[first];
            let turns = turns_by_signs(&(g * g.transpose()), phi, first, seen);
            let (period, end) = (proof.turns.len(), turns.len());
            let late = &turns[end - 2 * period..];
            assert_eq!(late[..period], late[period..], "{proof:?}: {turns:?}");
            let cyclic = |k: usize| (0..period).all(|i| proof.turns[(k + i) % period] == late[i]);
            assert!((0..period).any(cyclic), "{proof:?}: {turns:?}");
        }
        assert!(proofs >= 5, "{proofs}");
    }

    #[test]
    fn layers_that_act_entry_by_entry_run_away_too() {
        for network in [
            Network::convolutional(6, 2),
            Network::convolutional(6, 3),
            Network::diagonal(6, 2),
        ] {
            let problem = from_zero(&network, gaussian_teacher(6, 20, 1));
            let run = steps(&problem, 3.0);
            assert_eq!(run.trajectory.status, Status::NonFinite);
            let proof = runaway(&problem, &run).expect("a proof");
            assert!(proof.min_margin < -100.0 && !proof.turns.is_empty());
        }
    }

    /// All signed samples lie at acute angles: whatever a step throws up throws up all margins.
    #[test]
    fn a_run_that_overflows_upwards_proves_nothing() {
        let data = Dataset::new(dmatrix![1.0, 0.2; 0.3, 1.0], dvector![1.0, 1.0]);
        let network = Network::fully_connected(2, &[2]);
        let theta0 = dvector![-30.0, 0.0, 0.0, -30.0, 30.0, 30.0];
        let problem = problem(&network, data, theta0);
        let run = steps(&problem, 1.0);
        assert_eq!(run.trajectory.status, Status::NonFinite);
        assert_eq!(runaway(&problem, &run), None);
    }

    #[test]
    fn other_runs_are_not_covered() {
        let network = Network::fully_connected(6, &[6]);
        let problem = from_zero(&network, gaussian_teacher(6, 20, 1));
        let small = steps(&problem, 1e-3);
        assert_eq!(runaway(&problem, &small), None);
        let large = steps(&problem, 1.0);
        assert!(runaway(&problem, &large).is_some());
        let normalised = Descent {
            schedule: Schedule::LossNormalised,
            ..large.clone()
        };
        assert_eq!(runaway(&problem, &normalised), None);
        let logistic = problem.with_loss(Loss::Logistic);
        assert_eq!(runaway(&logistic, &large), None);
    }
}
