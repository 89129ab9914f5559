//! Finite steps of fully connected linear networks under fixed feedback, L·D unknowns instead of L·D².
//!
//! Error signals `b_l` that never change leave every hidden layer with one column of freedom: `w_l = w_l(0) + u_l b_lᵀ`, for
//! finite steps as for the flow, whatever the initial weights. With `z = Σ_n η_k α_n g_n`, `h_0 = z` and `s_{L−1} = w_L`,
//! ```text
//! s_{l−1} = w_l s_l        = w_l(0) s_l + u_l (b_l·s_l),                β = s_0
//! h_l     = w_lᵀ h_{l−1}   = w_l(0)ᵀ h_{l−1} + b_l (u_l·h_{l−1})
//! u_l ← u_l + h_{l−1}  (l < L),          w_L ← w_L + h_{L−1}
//! ```
//! An initial layer of zeros costs nothing.

use super::columns::{Columns, column, combine, dot};
use super::pace::Schedule;
use super::vector::width;
use super::weights::Weights;
use super::{Lane, Stepper};
use crate::problem::Problem;
use nalgebra::DMatrix;
use pulp::{Arch, Simd, WithSimd};

/// Steps of the vectors `u_1 … u_{L−1}` and `w_L`, one lane after the other.
pub(super) struct RankOneStepper {
    arch: Arch,
    parameters: usize,
    passes: Passes,
    runs: Vec<Run>,
}

struct Run {
    pace: Weights,
    /// `w_1(0) … w_{L−1}(0)`, none where it is zero.
    initial: Vec<Option<Initial>>,
    /// `u_1 … u_{L−1}, w_L`, each one column.
    u: Vec<Columns>,
}

/// An initial layer, for products from both sides.
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
    /// # Errors
    /// A sentence, if the layers of this problem do not move by rank one.
    pub(super) fn new(
        problem: &Problem,
        schedule: Schedule,
        lanes: &[Lane],
    ) -> Result<Self, String> {
        let (network, feedback) = problem.rank_one()?;
        let arch = Arch::new();
        let shapes = network.shapes();
        let inputs = || shapes.iter().map(|&(inputs, _)| Columns::zeros(inputs, 1));
        let run = |lane: &Lane| {
            let mut w = problem.network.weights(lane.theta.as_slice());
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
            Run {
                pace: Weights::of_samples(problem.loss, schedule, lane.size, width(arch)),
                initial: w.iter().map(initial).collect(),
                u,
            }
        };
        let g = problem.dataset.signed_samples();
        Ok(Self {
            arch,
            parameters: problem.network.parameters(),
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
        for run in &mut self.runs {
            self.arch.dispatch(Advance {
                passes: &mut self.passes,
                run,
                steps,
            });
        }
    }

    fn theta(&self, lane: usize, theta: &mut [f64]) {
        assert_eq!(theta.len(), self.parameters, "length of theta");
        let Run { initial, u, .. } = &self.runs[lane];
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
        self.runs[lane].pace.log_time(0)
    }

    fn state(&self) -> Vec<f64> {
        let mut state = Vec::new();
        for run in &self.runs {
            state.extend(run.pace.state(0));
            for u in &run.u {
                state.extend(&u.entries()[..u.rows()]);
            }
        }
        state
    }

    fn restore(&mut self, state: &[f64]) {
        let unknowns = self.passes.h.iter().map(Columns::rows).sum::<usize>();
        let length = Weights::STATE + unknowns;
        assert_eq!(state.len(), length * self.runs.len(), "length of the state");
        for (run, state) in self.runs.iter_mut().zip(state.chunks_exact(length)) {
            let (pace, mut rest) = state.split_at(Weights::STATE);
            run.pace.restore(0, pace);
            for u in &mut run.u {
                let (head, tail) = rest.split_at(u.rows());
                u.read(head);
                rest = tail;
            }
        }
    }
}

/// Steps of one run.
struct Advance<'a> {
    passes: &'a mut Passes,
    run: &'a mut Run,
    steps: u64,
}

impl WithSimd for Advance<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let samples = self.passes.weights.rows();
        for _ in 0..self.steps {
            self.passes.margins(simd, self.run);
            let weights = self.passes.weights.entries_mut();
            weights[samples..].fill(f64::INFINITY);
            self.run.pace.weigh(simd, weights);
            self.passes.update(simd, self.run);
        }
    }
}

impl Passes {
    /// From the last layer down to β, and the margins.
    #[inline(always)]
    fn margins<S: Simd>(&mut self, simd: S, run: &Run) {
        let last = &run.u[run.u.len() - 1];
        for l in (0..self.s.len()).rev() {
            let (s, above) = self.s.split_at_mut(l + 1);
            let (s, above) = (&mut s[l], above.first().unwrap_or(last));
            let c = dot(simd, self.feedback[l].entries(), above.entries());
            if let Some(initial) = &run.initial[l] {
                combine(simd, s, &initial.w, above.right(), false);
                add_multiple(simd, s, c, &run.u[l]);
            } else {
                set_multiple(simd, s, c, &run.u[l]);
            }
        }
        let beta = self.s.first().unwrap_or(last).right();
        combine(simd, &mut self.weights, &self.signed_samples, beta, false);
    }

    /// From z up through the layers, each moved on the way.
    #[inline(always)]
    fn update<S: Simd>(&mut self, simd: S, run: &mut Run) {
        let weights = self.weights.right();
        combine(simd, &mut self.h[0], &self.transposed, weights, false);
        for (l, u) in run.u.iter_mut().enumerate() {
            let (below, above) = self.h.split_at_mut(l + 1);
            let h = &below[l];
            if let Some(above) = above.first_mut() {
                let c = dot(simd, u.entries(), h.entries());
                if let Some(initial) = &run.initial[l] {
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
    use crate::descent::generic::GenericStepper;
    use crate::loss::Loss;
    use crate::network::{FullyConnectedLinear, Network};
    use crate::rule::Rule;
    use nalgebra::DVector;

    fn gaussian(seed: u64, n: usize) -> Vec<f64> {
        let draws = standard_normals("rank-one tests", seed);
        draws.take(n).collect()
    }

    fn problem(dimension: usize, hidden: &[usize], samples: usize, scale: f64) -> Problem {
        let network = Network::FullyConnectedLinear(FullyConnectedLinear::new(dimension, hidden));
        let signals = hidden.iter().enumerate();
        let draw = |(l, &units)| DVector::from_vec(gaussian(20 + l as u64, units));
        Problem {
            dataset: gaussian_teacher(dimension, samples, 3),
            rule: Rule::DirectFeedbackAlignment(signals.map(draw).collect()),
            loss: Loss::Exponential,
            theta0: DVector::from_vec(gaussian(1, network.parameters())) * scale,
            network,
        }
    }

    /// From random weights and from zero. Loss-normalised steps of one size lose their stability as the weights grow, and with
    /// it the agreement of any two computations: they are smaller.
    fn lanes(problem: &Problem, schedule: Schedule) -> Vec<Lane> {
        let size = match schedule {
            Schedule::Constant => 4e-3,
            Schedule::LossNormalised => 4e-4,
        };
        [problem.theta0.clone(), problem.theta0.scale(0.0)]
            .map(|theta| Lane { size, theta })
            .into()
    }

    fn reduced(problem: &Problem, schedule: Schedule) -> RankOneStepper {
        RankOneStepper::new(problem, schedule, &lanes(problem, schedule)).expect("rank one")
    }

    fn theta(stepper: &dyn Stepper, lane: usize, problem: &Problem) -> DVector<f64> {
        let mut theta = DVector::zeros(problem.theta0.len());
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
                let mut problem = problem(dimension, hidden, samples, 0.3);
                problem.loss = loss;
                for schedule in SCHEDULES {
                    let mut fast = reduced(&problem, schedule);
                    let mut slow =
                        GenericStepper::new(&problem, schedule, &lanes(&problem, schedule));
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

    /// Feedback alignment is direct feedback alignment with products; nothing else has the structure.
    #[test]
    fn only_fixed_feedback_on_fully_connected_layers_is_of_rank_one() {
        let refusal = |problem: &Problem| {
            let schedule = Schedule::Constant;
            RankOneStepper::new(problem, schedule, &lanes(problem, schedule)).err()
        };
        let mut tried = problem(4, &[4, 4], 3, 0.1);
        let layers = [
            DMatrix::from_vec(4, 4, gaussian(8, 16)),
            DMatrix::from_vec(4, 1, gaussian(9, 4)),
        ];
        tried.rule = Rule::FeedbackAlignment(layers.into());
        assert_eq!(refusal(&tried), None);
        tried.rule = Rule::GradientDescent;
        assert!(refusal(&tried).is_some_and(|text| text.contains("gradient-descent")));
        let mut tried = problem(4, &[4], 3, 0.1);
        tried.network = Network::convolutional(4, 2);
        assert!(refusal(&tried).is_some_and(|text| text.contains("convolutional-linear")));
    }
}
