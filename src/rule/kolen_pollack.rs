//! Kolen–Pollack learning: error signals come back through matrices that learn along with the weights they replace.
//!
//! `δ_l = F_l δ_{l+1}` as in feedback alignment, but every change of `w_{l+1}` is applied to `F_l` too (which has the
//! shape of `w_{l+1}`): `F_l' = w_{l+1}'`. So `F_l − w_{l+1}` never changes, and as weights that separate the data grow
//! without bound, the feedback aligns with them: the limit is that of gradient descent. From `F_l(0) = w_{l+1}(0)` the
//! rule *is* gradient descent. (Kolen and Pollack, ICNN 1994; Akrout et al., NeurIPS 2019.)
//!
//! A run's state is `(θ, F_1 … F_{L−1})`, both in the network's coordinates. All the field needs from the network is
//! its field under [`Signals::Layerwise`], which is rebuilt for the F of every state.

use super::{Conserved, Entry, LearningRule, Measured, Needs, Rule};
use crate::dataset::Dataset;
use crate::network::{Entered, Kernel, Network, Pieces, Signals, Tangent};
use nalgebra::{DMatrix, DVector};
use std::sync::Arc;

pub(super) const ENTRY: Entry = Entry {
    key: "kolen-pollack",
    about: "Errors go back layer by layer through matrices that change as the weights do (Kolen and Pollack).",
    needs: Needs::Matrices(rule),
    about_feedback: "The matrices at time 0.",
    is_fixed: false,
};

pub(super) fn rule(feedback: Vec<DMatrix<f64>>) -> Rule {
    Rule::new(KolenPollack(feedback))
}

/// `F_1(0) … F_{L−1}(0)`
#[derive(Debug)]
struct KolenPollack(Vec<DMatrix<f64>>);

impl LearningRule for KolenPollack {
    fn key(&self) -> &'static str {
        ENTRY.key
    }

    fn signals(&self) -> Signals<'_> {
        Signals::Layerwise(&self.0)
    }

    fn limit_signals(&self) -> Option<Signals<'_>> {
        Some(Signals::Backward)
    }

    fn evolves(&self) -> bool {
        true
    }

    /// F in the network's coordinates, laid out like `w_2 … w_L` in θ.
    fn state(&self, network: &Network) -> DVector<f64> {
        let first = network.layout().range(0).len();
        let mut weights = vec![0.0; first];
        weights.extend(self.0.iter().flat_map(|f| f.iter().copied()));
        let theta = network.theta(DVector::from_vec(weights));
        theta.rows(first, theta.len() - first).into_owned()
    }

    fn kernel(&self, network: &Network, data: &Dataset) -> Arc<dyn Kernel> {
        Arc::new(Field {
            first: network.kernel(self.signals(), data),
            network: network.clone(),
            data: data.clone(),
            piece: None,
        })
    }

    fn conserved(&self, network: &Network) -> Vec<Conserved> {
        let layout = network.layout();
        let (parameters, first) = (layout.parameters(), layout.range(0).len());
        (1..layout.depth())
            .map(|l| {
                let w = layout.range(l);
                let f = w.start + parameters - first..w.end + parameters - first;
                let formula = format!("F{l} − w{}", l + 1);
                Conserved::new("feedback-difference", l, formula, move |state| {
                    let (f, w) = (&state[f.clone()], &state[w.clone()]);
                    let norm = |x: &[f64]| x.iter().fold(0.0, |n: f64, x| n.hypot(*x));
                    Measured {
                        value: f.iter().zip(w).map(|(f, w)| f - w).collect(),
                        size: norm(f) + norm(w),
                        reach: 0.0,
                    }
                })
            })
            .collect()
    }
}

/// The vector field on `(θ, F)`.
struct Field {
    network: Network,
    data: Dataset,
    /// The network's field under the feedback at time 0, in this piece; serves whatever does not depend on F.
    first: Arc<dyn Kernel>,
    /// The state of the current piece of a piecewise smooth field; none before one has been entered.
    piece: Option<Vec<u64>>,
}

impl Field {
    /// P.
    fn weights(&self) -> usize {
        self.network.parameters()
    }

    /// F of a state, in the original space.
    fn feedback(&self, f: &[f64]) -> Vec<DMatrix<f64>> {
        let mut theta = vec![0.0; self.network.layout().range(0).len()];
        theta.extend_from_slice(f);
        self.network.weights(&theta).split_off(1)
    }

    /// The network's field under the feedback `f`.
    fn under(&self, f: &[f64]) -> Arc<dyn Kernel> {
        let feedback = self.feedback(f);
        let kernel = self
            .network
            .kernel(Signals::Layerwise(&feedback), &self.data);
        let piece = self.piece.as_ref();
        let entered = piece.and_then(|piece| kernel.pieces()?.restored(piece));
        entered.unwrap_or(kernel)
    }

    /// Velocity of the weights and margin rates at `(θ, F)`.
    fn moves(&self, theta: &[f64], f: &[f64], multipliers: &[f64]) -> (Vec<f64>, DVector<f64>) {
        let (mut velocity, mut rates) = (vec![0.0; theta.len()], vec![0.0; self.samples()]);
        self.under(f)
            .velocity(theta, multipliers, &mut velocity, &mut rates);
        (velocity, DVector::from_vec(rates))
    }

    /// The same field in another piece of the network's field.
    fn in_piece(&self, kernel: Arc<dyn Kernel>) -> Arc<dyn Kernel> {
        Arc::new(Self {
            network: self.network.clone(),
            data: self.data.clone(),
            piece: kernel.pieces().map(Pieces::state),
            first: kernel,
        })
    }

    /// Appends the changes of `w_2 … w_L` as those of F.
    fn with_feedback(&self, mut of_weights: Vec<f64>) -> Vec<f64> {
        of_weights.extend_from_within(self.network.layout().range(0).end..);
        of_weights
    }
}

/// Step for differences along F, relative to F. The field is a polynomial of degree L − 1 in F, for which
/// fourth-order differences are exact up to L = 5, and beyond that (or on sliding sets) accurate to rounding.
const STEP: f64 = 1e-3;

impl Kernel for Field {
    fn parameters(&self) -> usize {
        2 * self.weights() - self.network.layout().range(0).len()
    }

    fn samples(&self) -> usize {
        self.data.rows()
    }

    fn layers(&self) -> Vec<usize> {
        let mut lengths = self.network.layout().lengths();
        lengths.extend_from_within(1..);
        lengths
    }

    fn signed_samples(&self) -> Option<&DMatrix<f64>> {
        self.first.signed_samples()
    }

    fn margins(&self, state: &[f64], margins: &mut [f64]) {
        self.first.margins(&state[..self.weights()], margins);
    }

    fn velocity(
        &self,
        state: &[f64],
        multipliers: &[f64],
        velocity: &mut [f64],
        rates: &mut [f64],
    ) {
        let (theta, f) = state.split_at(self.weights());
        let (of_weights, of_feedback) = velocity.split_at_mut(theta.len());
        self.under(f)
            .velocity(theta, multipliers, of_weights, rates);
        of_feedback.copy_from_slice(&of_weights[self.network.layout().range(0).end..]);
    }

    fn tangent(
        &self,
        state: &[f64],
        multipliers: &[f64],
        d_state: &[f64],
        d_multipliers: &[f64],
    ) -> Tangent {
        let (theta, f) = state.split_at(self.weights());
        let (d_theta, df) = d_state.split_at(theta.len());
        let mut tangent = self
            .under(f)
            .tangent(theta, multipliers, d_theta, d_multipliers);
        let norm = |x: &[f64]| x.iter().fold(0.0, |n: f64, x| n.hypot(*x));
        if norm(df) > 0.0 {
            let h = STEP * norm(f).max(f64::MIN_POSITIVE) / norm(df);
            let at = |k: f64| {
                let moved: Vec<f64> = f.iter().zip(df).map(|(f, d)| f + k * h * d).collect();
                self.moves(theta, &moved, multipliers)
            };
            for (k, weight) in [(1.0, 8.0), (-1.0, -8.0), (2.0, -1.0), (-2.0, 1.0)] {
                let (velocity, rates) = at(k);
                let factor = weight / (12.0 * h);
                for (total, part) in tangent.velocity.iter_mut().zip(&velocity) {
                    *total += factor * part;
                }
                tangent.rates += rates * factor;
            }
        }
        Tangent {
            velocity: self.with_feedback(tangent.velocity),
            ..tangent
        }
    }

    fn tangent_kernel(&self, state: &[f64], active: &[usize]) -> DMatrix<f64> {
        let (theta, f) = state.split_at(self.weights());
        self.under(f).tangent_kernel(theta, active)
    }

    fn idle(&self) -> &[usize] {
        self.first.idle()
    }

    fn dead(&self) -> &[usize] {
        self.first.dead()
    }

    fn pieces(&self) -> Option<&dyn Pieces> {
        self.first.pieces().map(|_| self as &dyn Pieces)
    }
}

impl Pieces for Field {
    fn clearance(&self, state: &[f64], multipliers: &[f64]) -> f64 {
        let (theta, f) = state.split_at(self.weights());
        let kernel = self.under(f);
        let pieces = kernel.pieces();
        pieces.map_or(f64::INFINITY, |pieces| pieces.clearance(theta, multipliers))
    }

    fn enter(&self, state: &mut [f64], multipliers: &[f64]) -> Result<Entered, String> {
        let (theta, f) = state.split_at_mut(self.weights());
        let kernel = self.under(f);
        let Some(pieces) = kernel.pieces() else {
            return Err("the field of this network has no pieces".into());
        };
        let entered = pieces.enter(theta, multipliers)?;
        Ok(Entered {
            kernel: self.in_piece(entered.kernel),
            kinks: entered.kinks,
        })
    }

    fn has_kinks(&self) -> bool {
        self.first.pieces().is_some_and(Pieces::has_kinks)
    }

    fn state(&self) -> Vec<u64> {
        self.first.pieces().map_or(Vec::new(), Pieces::state)
    }

    fn restored(&self, state: &[u64]) -> Option<Arc<dyn Kernel>> {
        let kernel = self.first.pieces()?.restored(state)?;
        Some(self.in_piece(kernel))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{gaussian_teacher, standard_normals};
    use crate::diagnostics::diagnose;
    use crate::flow::{FlowOptions, integrate};
    use crate::limit::{Separability, max_margin};
    use crate::loss::Loss;
    use crate::network::NETWORKS;
    use crate::network::stepping::Schedule;
    use crate::problem::Problem;
    use crate::trajectory::Status;

    fn gaussian(seed: u64, n: usize) -> Vec<f64> {
        standard_normals("kolen-pollack tests", seed)
            .take(n)
            .collect()
    }

    fn matrices(network: &Network, scale: f64) -> Vec<DMatrix<f64>> {
        let shapes = network.feedback_shapes().iter().enumerate();
        shapes
            .map(|(l, &(r, c))| DMatrix::from_vec(r, c, gaussian(30 + l as u64, r * c)) * scale)
            .collect()
    }

    fn problem(network: Network, feedback: Vec<DMatrix<f64>>, scale: f64) -> Problem {
        let dimension = network.input_dimension();
        let theta0 = DVector::from_vec(gaussian(1, network.parameters())) * scale;
        Problem::new(
            gaussian_teacher(dimension, 5, 3),
            network,
            rule(feedback),
            Loss::Exponential,
            theta0,
        )
        .unwrap()
    }

    /// Every registered network, compared with fourth-order differences.
    #[test]
    fn tangents_are_derivatives_along_weights_feedback_and_multipliers() {
        for network in NETWORKS.iter().flat_map(|kind| (kind.examples)(4)) {
            let name = format!("{network:?}");
            let feedback = matrices(&network, 1.0);
            let problem = problem(network, feedback, 0.5);
            let (kernel, state) = (problem.kernel(), problem.state0());
            assert_eq!(kernel.parameters(), state.len());
            assert_eq!(kernel.layers().iter().sum::<usize>(), state.len());
            let alpha: Vec<f64> = gaussian(9, 5).iter().map(|x| x.exp()).collect();
            let (d_state, d_alpha) = (gaussian(11, state.len()), gaussian(12, 5));
            let tangent = kernel.tangent(state.as_slice(), &alpha, &d_state, &d_alpha);
            let at = |k: f64| {
                let moved = |x: &[f64], d: &[f64]| -> Vec<f64> {
                    x.iter().zip(d).map(|(x, d)| x + k * 1e-5 * d).collect()
                };
                let (mut velocity, mut rates) = (vec![0.0; state.len()], vec![0.0; 5]);
                let (x, a) = (moved(state.as_slice(), &d_state), moved(&alpha, &d_alpha));
                kernel.velocity(&x, &a, &mut velocity, &mut rates);
                DVector::from_vec([velocity, rates].concat())
            };
            let difference = ((at(1.0) - at(-1.0)) * 8.0 - (at(2.0) - at(-2.0))) / 12e-5;
            let found = [tangent.velocity, tangent.rates.data.into()].concat();
            let error = (DVector::from_vec(found) - &difference).norm() / difference.norm();
            assert!(error < 1e-8, "{name}: {error:e}");
        }
    }

    /// Feedback that starts equal to the weights stays equal to them.
    #[test]
    fn from_its_own_weights_it_is_gradient_descent() {
        for network in [
            Network::fully_connected(4, &[3]),
            Network::convolutional(4, 2),
            Network::relu(4, &[5], 0.0),
        ] {
            let started = problem(network.clone(), matrices(&network, 1.0), 0.4);
            let weights = network.weights(started.theta0().as_slice()).split_off(1);
            let learned = started.clone().with_rule(rule(weights)).unwrap();
            let descent = started.with_rule(Rule::gradient_descent()).unwrap();
            let options = FlowOptions {
                rtol: 1e-9,
                ..FlowOptions::to(2.0)
            };
            let [a, b] = [learned, descent].map(|problem| {
                let run = integrate(&problem, &options, &mut |_| {}).unwrap();
                assert_eq!(run.status, Status::Completed, "{:?}", run.message);
                let end = run.theta.column(run.len() - 1).into_owned();
                end.rows(0, problem.theta0().len()).into_owned()
            });
            let apart = (&a - &b).norm() / b.norm();
            assert!(apart < 1e-7, "{network:?}: {apart:e}");
        }
    }

    /// The limit is the hard-margin SVM, and F − w does not change.
    #[test]
    fn it_tends_to_the_limit_of_gradient_descent() {
        let network = Network::fully_connected(5, &[4]);
        let problem = problem(network.clone(), matrices(&network, 1.0), 0.3);
        let Separability::Separable(limit) = max_margin(problem.dataset().signed_samples()) else {
            panic!("a teacher separates");
        };
        let mut before = f64::INFINITY;
        for until in [10.0, 20.0, 30.0] {
            let run = integrate(&problem, &FlowOptions::to(until), &mut |_| {}).unwrap();
            assert_eq!(run.status, Status::Completed, "{:?}", run.message);
            let measured = diagnose(&problem, &run, Some(&limit));
            let angle = measured.final_angle().unwrap();
            assert!(angle < 0.1 * before, "{until}: {angle:e}");
            before = angle;
            let names: Vec<&str> = measured
                .invariants
                .iter()
                .map(|i| i.name.as_str())
                .collect();
            assert_eq!(names, ["feedback-difference-1"]);
            assert!(
                measured.worst_invariant() < 1e-7,
                "{}",
                measured.worst_invariant()
            );
        }
        assert!(before < 1e-5, "{before:e}");
    }

    /// Halving the step size halves the distance of finite steps from the flow.
    #[test]
    fn the_flow_is_the_limit_of_small_steps() {
        for network in [Network::diagonal(4, 3), Network::relu(4, &[5], 0.1)] {
            let problem = problem(network.clone(), matrices(&network, 0.7), 0.5);
            let time: f64 = 2.0;
            let options = FlowOptions {
                rtol: 1e-10,
                ..FlowOptions::to(time.ln_1p().ln_1p())
            };
            let run = integrate(&problem, &options, &mut |_| {}).unwrap();
            let exact = run.theta.column(run.len() - 1).into_owned();
            let distance = |count: u64| {
                let size = time / count as f64;
                let lane = crate::descent::Lane {
                    size,
                    theta: problem.theta0().clone(),
                };
                let mut steps = crate::descent::stepper(&problem, Schedule::Constant, &[lane]);
                steps.advance(count);
                let mut end = vec![0.0; exact.len()];
                steps.theta(0, &mut end);
                (DVector::from_vec(end) - &exact).norm()
            };
            let order = (distance(400) / distance(800)).log2();
            assert!((order - 1.0).abs() < 0.2, "{network:?}: {order}");
        }
    }
}
