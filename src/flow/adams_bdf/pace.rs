//! A start at full order from a single state.
//!
//! Where a run crosses into another piece of its field, nothing it has learned of the smoothness of the last one holds,
//! but how long its steps may be does. The flow of the new piece, continued backwards, is as smooth as it is forwards:
//! its velocities at a few times before the border are a past to go on from. They are the fixed point of
//! `y(t_j) = y(0) + ∫_0^{t_j} P(f)`, with P the polynomial through the velocities at all these times, found by sweeps
//! over them; each reduces the error by the length of the span times the rates of the field. These are small except
//! for the multipliers, whose rates set the span.

use super::order::Order;
use super::{HISTORY, Stepper, combine, weights};
use crate::flow::integrator::Pace;

/// Nodes before the start.
const NODES: usize = 4;

/// Sweeps over them.
const MOST_SWEEPS: usize = 6;

/// What a last sweep may change, in units of the tolerance of a step.
const CONVERGED: f64 = 1.0;

/// Distance of the nodes, in units of the time in which multipliers answer.
const OF_RESPONSE: f64 = 0.1;

/// Attempts at shorter and shorter distances.
const MOST_ATTEMPTS: usize = 2;

/// The most of the log-log-time so far that the past reaches back.
const MOST_OF_CLOCK: f64 = 0.5;

impl Stepper<'_> {
    /// Gives a stepper that has just [started](Stepper::start) the past of a run that comes along at this pace, if the
    /// sweeps converge.
    pub(super) fn start_at(&mut self, pace: Pace) {
        let plain = (self.times.clone(), self.v.clone(), self.h);
        let slope = self.slopes(self.base);
        let mut distance = (pace.step)
            .min(OF_RESPONSE / self.response())
            .min(MOST_OF_CLOCK * self.base / NODES as f64);
        for _ in 0..MOST_ATTEMPTS {
            if distance <= plain.2 {
                break;
            }
            if self.continue_backwards(distance, &slope) {
                return;
            }
            distance *= 0.2;
        }
        (self.times, self.v, self.h) = plain;
        self.multipliers.truncate(1);
        self.known = 1;
    }

    /// The largest rate at which a multiplier answers to its own log-multiplier, as far as the start can tell.
    fn response(&self) -> f64 {
        let multipliers = &self.trial.multipliers;
        let (mut pull, mut answers, mut strongest) = (0.0_f64, 0.0_f64, 0.0_f64);
        for (n, e) in multipliers.answering() {
            pull += e * e;
            answers += e * self.trial.rates[n];
            strongest = strongest.max(e);
        }
        (answers.abs() / pull * strongest).max(f64::MIN_POSITIVE)
    }

    /// The past at nodes of this distance, from the rates `slope` of the states at the start; false if the sweeps do
    /// not converge.
    fn continue_backwards(&mut self, distance: f64, slope: &[f64]) -> bool {
        let times: Vec<f64> = (0..=NODES).map(|j| -(j as f64) * distance).collect();
        let start = self.v[0].clone();
        let mut v = vec![start.clone()];
        let mut slopes = vec![slope.to_vec()];
        self.multipliers.truncate(1);
        for sweep in 0..MOST_SWEEPS {
            let mut change = 0.0_f64;
            for j in 1..=NODES {
                let known = if sweep == 0 { j } else { NODES + 1 };
                let weights = weights::integral(&times[..known], 0.0, times[j]);
                let mut at = start.clone();
                combine(&weights, &slopes[..known], &mut at);
                for (x, start) in at.iter_mut().zip(&start) {
                    *x += start;
                }
                self.lay_out(&weights, 0);
                self.trial
                    .multipliers
                    .set(&at, self.base + times[j], self.loss, &self.log_counts);
                let newest = self.slots[HISTORY];
                self.evaluate(newest);
                if !at.iter().chain(&self.trial.rates).all(|x| x.is_finite()) {
                    return false;
                }
                let slope = self.slopes(self.base + times[j]);
                let values = self.trial.multipliers.values.clone();
                if sweep == 0 {
                    v.push(at);
                    slopes.push(slope);
                    self.multipliers.push(values);
                    change = f64::INFINITY;
                } else {
                    let moved: Vec<f64> = at.iter().zip(&v[j]).map(|(x, y)| x - y).collect();
                    change = change.max(self.size_of_multipliers(&moved));
                    change = change.max(self.difference(newest, self.slots[j], distance));
                    (v[j], slopes[j], self.multipliers[j]) = (at, slope, values);
                }
                self.slots.swap(j, HISTORY);
            }
            if change <= CONVERGED {
                (self.times, self.v, self.h) = (times, v, distance);
                self.known = NODES + 1;
                self.adams = Order {
                    now: NODES,
                    age: NODES,
                };
                self.backward = Order {
                    now: NODES - 1,
                    age: NODES,
                };
                return true;
            }
        }
        false
    }

    /// Size of the difference of two velocities over a time.
    fn difference(&mut self, one: usize, other: usize, time: f64) -> f64 {
        self.trial.at.fill(0.0);
        self.trial.at[one] = time;
        self.trial.at[other] = -time;
        let tolerances = &self.tolerances;
        self.path
            .size(&self.trial.at, tolerances.relative, &tolerances.weights)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tolerances::Tolerances;
    use super::*;
    use crate::dataset::gaussian_teacher;
    use crate::flow::clock::compress;
    use crate::flow::integrator::Start;
    use crate::flow::system::{NewtonSolver, System};
    use crate::flow::{FlowOptions, integrate};
    use crate::loss::Loss;
    use crate::network::Network;
    use crate::problem::Problem;
    use crate::rule::Rule;
    use std::sync::Arc;

    /// (θ, v) at s, far more accurately than a step would be.
    fn state(problem: &Problem, s: f64) -> Vec<f64> {
        let options = FlowOptions {
            rtol: 1e-11,
            atol: 1e-13,
            ..FlowOptions::to(s)
        };
        let run = integrate(problem, &options, &mut |_| {}).unwrap();
        let last = run.len() - 1;
        let p = run.log_multipliers.column(last);
        let v = p.iter().map(|p| compress(*p));
        run.theta.column(last).iter().copied().chain(v).collect()
    }

    #[test]
    fn the_past_is_that_of_the_flow() {
        let network = Network::fully_connected(3, &[4]);
        let draws = crate::dataset::standard_normals("pace", 1);
        let theta = draws.take(network.parameters()).map(|w| 0.5 * w);
        let theta = nalgebra::DVector::from_iterator(network.parameters(), theta);
        let data = gaussian_teacher(3, 4, 1);
        let rule = Rule::gradient_descent();
        let problem = Problem::new(data, network, rule, Loss::Exponential, theta).unwrap();
        let base = 0.5;
        let y = state(&problem, base);
        let kernel = problem.kernel_on(problem.dataset());
        let system = System::new(kernel, Loss::Exponential, NewtonSolver::Structured, base);
        let system = Arc::new(system);
        // steps that suit, and steps that multipliers do not let pass
        for step in [1e-3, 0.2] {
            let start = Start {
                system: &system,
                y: &y,
                accumulated: &[0.0; 4],
                rtol: 1e-6,
                atol: 1e-8,
                weights: &[1e-13; 2],
                pace: Some(Pace { step }),
            };
            let tolerances = Tolerances {
                relative: 1e-8,
                weights: vec![1e-13; 2],
                relative_multipliers: 3e-10,
                multipliers: 3e-10,
                newton: 1e-9,
            };
            let stepper = Stepper::new(&start, tolerances);
            assert_eq!(stepper.known, NODES + 1, "the sweeps converge");
            assert!(stepper.h <= step && stepper.h > 1e-4, "{}", stepper.h);
            let mut theta = vec![0.0; problem.network().parameters()];
            let mut v = vec![0.0; 4];
            for (j, t) in stepper.times.iter().enumerate().skip(1) {
                let exact = state(&problem, base + t);
                stepper.interpolate(*t, &mut theta, &mut v);
                let pairs = theta.iter().chain(&stepper.v[j]).zip(&exact);
                for (x, y) in pairs {
                    let bound = 1e-5 * (t / stepper.times[NODES]).powi(2) * (step / 0.2);
                    assert!((x - y).abs() <= bound.max(1e-9), "{step} {j}: {x} {y}");
                }
            }
        }
    }
}
