//! Finite steps of fully connected linear networks under fixed feedback, L·D unknowns instead of L·D².
//!
//! Error signals `b_l` that never change leave one free column to every hidden layer: `w_l = w_l(0) + u_l b_lᵀ`, for
//! finite steps as for the flow, whatever the initial weights. With `z = Σ_n η_k α_n g_n`, `h_0 = z` and
//! `s_{L−1} = w_L`,
//! ```text
//! s_{l−1} = w_l s_l        = w_l(0) s_l + u_l (b_l·s_l),                β = s_0
//! h_l     = w_lᵀ h_{l−1}   = w_l(0)ᵀ h_{l−1} + b_l (u_l·h_{l−1})
//! u_l ← u_l + h_{l−1}  (l < L),          w_L ← w_L + h_{L−1}
//! ```
//! An initial layer of zeros costs nothing.

use crate::network::stepping::columns::{Columns, column, combine, dot};
use crate::network::stepping::run::{self, Run};
use crate::network::stepping::vector::width;
use crate::network::stepping::{Lane, Stepper, Training};
use crate::network::{Architecture, FullyConnectedLinear, vectors};
use nalgebra::DMatrix;
use pulp::{Arch, Simd, WithSimd};

/// Steps of the vectors `u_1 … u_{L−1}` and `w_L`, one lane after the other.
pub(crate) struct RankOneStepper {
    arch: Arch,
    parameters: usize,
    passes: Passes,
    runs: Vec<Started>,
}

/// A run and the weights it started from.
struct Started {
    /// `w_1(0) … w_{L−1}(0)`, none where it is zero.
    initial: Vec<Option<Initial>>,
    /// Updates `u_1 … u_{L−1}, w_L`, each one column.
    run: Run,
}

/// An initial layer, stored for products from both sides.
struct Initial {
    w: Columns,
    transposed: Columns,
}

struct Passes {
    /// G, N × D
    signed_samples: Columns,
    /// Gᵀ, D × N
    transposed: Columns,
    /// `b_1 … b_{L−1}`, each one column.
    feedback: Vec<Columns>,
    /// `s_0 … s_{L−2}`
    s: Vec<Columns>,
    /// `h_0 … h_{L−1}`
    h: Vec<Columns>,
    /// `m_n`, then `η_k α_n`; N × 1
    weights: Columns,
}

impl RankOneStepper {
    /// `None` where the signals are not fixed (backpropagation).
    pub(crate) fn new(
        network: &FullyConnectedLinear,
        training: &Training<'_>,
        lanes: &[Lane],
    ) -> Option<Self> {
        let feedback = network.fixed_signals(training.signals).map(vectors)?;
        let arch = Arch::new();
        let shapes = network.layout().shapes();
        let inputs = || shapes.iter().map(|&(inputs, _)| Columns::zeros(inputs, 1));
        let run = |lane: &Lane| {
            let mut w = network.weights(lane.theta.as_slice());
            let mut u: Vec<Columns> = inputs().collect();
            if let (Some(w), Some(u)) = (w.pop(), u.last_mut()) {
                u.read(w.as_slice());
            }
            let initial = |w: &DMatrix<f64>| {
                w.iter().any(|w| *w != 0.0).then(|| Initial {
                    w: Columns::new(w),
                    transposed: Columns::new(&w.transpose()),
                })
            };
            Started {
                initial: w.iter().map(initial).collect(),
                run: Run::new(training, lane, width(arch), u),
            }
        };
        let g = training.data.signed_samples();
        Some(Self {
            arch,
            parameters: network.layout().parameters(),
            passes: Passes {
                signed_samples: Columns::new(g),
                transposed: Columns::new(&g.transpose()),
                feedback: feedback.iter().map(column).collect(),
                s: inputs().take(feedback.len()).collect(),
                h: inputs().collect(),
                weights: Columns::zeros(g.nrows(), 1),
            },
            runs: lanes.iter().map(run).collect(),
        })
    }
}

impl Stepper for RankOneStepper {
    fn lanes(&self) -> usize {
        self.runs.len()
    }

    fn advance(&mut self, steps: u64) {
        for started in &mut self.runs {
            self.arch.dispatch(Advance {
                passes: &mut self.passes,
                started,
                steps,
            });
        }
    }

    fn theta(&self, lane: usize, theta: &mut [f64]) {
        assert_eq!(theta.len(), self.parameters, "length of theta");
        let Started { initial, run } = &self.runs[lane];
        let u = &run.moved;
        let mut rest = theta;
        for ((initial, u), b) in initial.iter().zip(u).zip(&self.passes.feedback) {
            let (layer, tail) = rest.split_at_mut(u.rows() * b.rows());
            match initial {
                Some(initial) => initial.w.write(layer),
                None => layer.fill(0.0),
            }
            for (w, b) in layer.chunks_exact_mut(u.rows()).zip(b.entries()) {
                for (w, u) in w.iter_mut().zip(u.entries()) {
                    *w += u * b;
                }
            }
            rest = tail;
        }
        u[u.len() - 1].write(rest);
    }

    fn log_time(&self, lane: usize) -> f64 {
        self.runs[lane].run.pace.log_time(0)
    }

    fn state(&self) -> Vec<f64> {
        run::state(self.runs.iter().map(|started| &started.run))
    }

    fn restore(&mut self, state: &[f64]) {
        run::restore(self.runs.iter_mut().map(|started| &mut started.run), state);
    }
}

/// Steps of one run.
struct Advance<'a> {
    passes: &'a mut Passes,
    started: &'a mut Started,
    steps: u64,
}

impl WithSimd for Advance<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let samples = self.passes.weights.rows();
        for _ in 0..self.steps {
            self.passes.margins(simd, self.started);
            let weights = self.passes.weights.entries_mut();
            weights[samples..].fill(f64::INFINITY);
            self.started.run.pace.weigh(simd, weights);
            self.passes.update(simd, self.started);
        }
    }
}

impl Passes {
    /// Backward pass from the last layer to β, and the margins.
    #[inline(always)]
    fn margins<S: Simd>(&mut self, simd: S, started: &Started) {
        let u = &started.run.moved;
        let last = &u[u.len() - 1];
        for l in (0..self.s.len()).rev() {
            let (s, above) = self.s.split_at_mut(l + 1);
            let (s, above) = (&mut s[l], above.first().unwrap_or(last));
            let c = dot(simd, self.feedback[l].entries(), above.entries());
            if let Some(initial) = &started.initial[l] {
                combine(simd, s, &initial.w, above.right(), false);
                add_multiple(simd, s, c, &u[l]);
            } else {
                set_multiple(simd, s, c, &u[l]);
            }
        }
        let beta = self.s.first().unwrap_or(last).right();
        combine(simd, &mut self.weights, &self.signed_samples, beta, false);
    }

    /// Forward pass from z through the layers, updating each on the way.
    #[inline(always)]
    fn update<S: Simd>(&mut self, simd: S, started: &mut Started) {
        let weights = self.weights.right();
        combine(simd, &mut self.h[0], &self.transposed, weights, false);
        for (l, u) in started.run.moved.iter_mut().enumerate() {
            let (below, above) = self.h.split_at_mut(l + 1);
            let h = &below[l];
            if let Some(above) = above.first_mut() {
                let c = dot(simd, u.entries(), h.entries());
                if let Some(initial) = &started.initial[l] {
                    combine(simd, above, &initial.transposed, h.right(), false);
                    add_multiple(simd, above, c, &self.feedback[l]);
                } else {
                    set_multiple(simd, above, c, &self.feedback[l]);
                }
            }
            add_multiple(simd, u, 1.0, h);
        }
    }
}

/// `y ← y + c x`
#[inline(always)]
fn add_multiple<S: Simd>(simd: S, y: &mut Columns, c: f64, x: &Columns) {
    let c = simd.splat_f64s(c);
    let y = S::as_mut_simd_f64s(y.entries_mut()).0.iter_mut();
    for (y, x) in y.zip(S::as_simd_f64s(x.entries()).0) {
        *y = simd.mul_add_e_f64s(c, *x, *y);
    }
}

/// `y ← c x`
#[inline(always)]
fn set_multiple<S: Simd>(simd: S, y: &mut Columns, c: f64, x: &Columns) {
    let c = simd.splat_f64s(c);
    let y = S::as_mut_simd_f64s(y.entries_mut()).0.iter_mut();
    for (y, x) in y.zip(S::as_simd_f64s(x.entries()).0) {
        *y = simd.mul_f64s(c, *x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{gaussian_teacher, standard_normals};
    use crate::descent::reduced_stepper;
    use crate::loss::Loss;
    use crate::network::Network;
    use crate::network::stepping::GenericStepper;
    use crate::network::stepping::Schedule;
    use crate::problem::{NoReducedState, Problem};
    use crate::rule::Rule;
    use nalgebra::DVector;

    fn gaussian(seed: u64, n: usize) -> Vec<f64> {
        let draws = standard_normals("rank-one tests", seed);
        draws.take(n).collect()
    }

    fn problem(dimension: usize, hidden: &[usize], samples: usize, scale: f64) -> Problem {
        let network = Network::new(FullyConnectedLinear::new(dimension, hidden));
        let signals = hidden.iter().enumerate();
        let draw = |(l, &units)| DVector::from_vec(gaussian(20 + l as u64, units));
        Problem::new(
            gaussian_teacher(dimension, samples, 3),
            network.clone(),
            Rule::direct_feedback_alignment(signals.map(draw).collect()),
            Loss::Exponential,
            DVector::from_vec(gaussian(1, network.parameters())) * scale,
        )
        .unwrap()
    }

    /// From random weights and from zero. Loss-normalised steps of a fixed size become unstable as the weights grow,
    /// and then no two computations agree, so they are smaller here.
    fn lanes(problem: &Problem, schedule: Schedule) -> Vec<Lane> {
        let size = match schedule {
            Schedule::Constant => 4e-3,
            Schedule::LossNormalised => 4e-4,
        };
        [problem.theta0().clone(), problem.theta0().scale(0.0)]
            .map(|theta| Lane { size, theta })
            .into()
    }

    fn reduced(problem: &Problem, schedule: Schedule) -> RankOneStepper {
        let (network, _) = problem.rank_one().expect("rank one");
        let lanes = lanes(problem, schedule);
        RankOneStepper::new(network, &problem.training(schedule), &lanes).expect("rank one")
    }

    fn theta(stepper: &dyn Stepper, lane: usize, problem: &Problem) -> DVector<f64> {
        let mut theta = DVector::zeros(problem.theta0().len());
        stepper.theta(lane, theta.as_mut_slice());
        theta
    }

    const SCHEDULES: [Schedule; 2] = [Schedule::Constant, Schedule::LossNormalised];

    /// Lanes from zero and from random weights, widths that differ, both losses and schedules.
    #[test]
    fn thousands_of_steps_are_those_of_all_weights() {
        let cases: [(usize, &[usize], usize); 4] = [
            (5, &[], 7),
            (8, &[8], 5),
            (4, &[6, 9], 10),
            (9, &[3, 4, 2], 8),
        ];
        for (dimension, hidden, samples) in cases {
            for loss in [Loss::Exponential, Loss::Logistic] {
                let problem = problem(dimension, hidden, samples, 0.3).with_loss(loss);
                for schedule in SCHEDULES {
                    let mut fast = reduced(&problem, schedule);
                    let mut slow = GenericStepper::new(
                        problem.kernel(),
                        &problem.training(schedule),
                        &lanes(&problem, schedule),
                    );
                    let case = (hidden, loss, schedule);
                    for steps in [1, 4999] {
                        fast.advance(steps);
                        slow.advance(steps);
                        for lane in 0..2 {
                            let expected = theta(&slow, lane, &problem);
                            let error = (theta(&fast, lane, &problem) - &expected).norm();
                            assert!(
                                error <= 1e-12 * expected.norm(),
                                "{case:?} {lane}: {error:e}"
                            );
                            assert!(expected.norm() > 0.0, "{case:?} {lane} moves");
                        }
                    }
                    for lane in 0..2 {
                        let times = [fast.log_time(lane), slow.log_time(lane)];
                        assert!(
                            schedule == Schedule::Constant || (times[0] - times[1]).abs() < 1e-11,
                            "{case:?}: {times:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_restored_stepper_goes_on_bit_for_bit() {
        let problem = problem(5, &[4, 3], 6, 0.3);
        for schedule in SCHEDULES {
            let mut straight = reduced(&problem, schedule);
            straight.advance(70);
            let kept = straight.state();
            straight.advance(30);
            let mut resumed = reduced(&problem, schedule);
            resumed.advance(3);
            resumed.restore(&kept);
            assert_eq!(resumed.state(), kept);
            resumed.advance(30);
            assert_eq!(resumed.state(), straight.state());
            assert_eq!(theta(&resumed, 0, &problem), theta(&straight, 0, &problem));
        }
    }

    /// Feedback alignment is direct feedback alignment with products; no other rule or network is of rank one.
    #[test]
    fn only_fixed_feedback_on_fully_connected_layers_is_of_rank_one() {
        let refusal = |problem: &Problem| {
            let schedule = Schedule::Constant;
            reduced_stepper(problem, schedule, &lanes(problem, schedule)).err()
        };
        let tried = problem(4, &[4, 4], 3, 0.1);
        let layers = [
            DMatrix::from_vec(4, 4, gaussian(8, 16)),
            DMatrix::from_vec(4, 1, gaussian(9, 4)),
        ];
        let through = Rule::feedback_alignment(layers.into());
        assert_eq!(refusal(&tried.clone().with_rule(through).unwrap()), None);
        let descent = tried.with_rule(Rule::gradient_descent()).unwrap();
        let rule = NoReducedState::Rule("gradient-descent");
        assert_eq!(refusal(&descent), Some(rule));
        let feedback = DVector::from_vec(gaussian(9, 4));
        let convolutional = Problem::new(
            gaussian_teacher(4, 3, 3),
            Network::convolutional(4, 2),
            Rule::direct_feedback_alignment(vec![feedback]),
            Loss::Exponential,
            DVector::from_vec(gaussian(1, 8)),
        )
        .unwrap();
        let network = NoReducedState::Network("convolutional-linear");
        assert_eq!(refusal(&convolutional), Some(network));
    }
}
