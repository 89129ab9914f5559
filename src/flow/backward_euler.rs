//! The smallest possible integrator: backward Euler with constant steps. It shows that a method only has to supply
//! its steps: saves, budgets, kinks, fixed points and checkpoints come from the driver.

use super::drive::{LegEnd, all_finite};
use super::error::Cause;
use super::integrator::{Driver, Effort, Failure, Integrator, Kind, Start, Step};
use super::system::System;
use crate::error::Result;

/// Most Newton iterations in one step.
const MOST_ROUNDS: usize = 50;

/// [`Method::BackwardEuler`](super::Method::BackwardEuler): the step size is the relative tolerance.
pub(super) fn begin(start: &Start<'_>, drive: &mut Driver<'_>) -> Result<LegEnd> {
    drive(&mut BackwardEuler {
        system: start.system,
        size: start.rtol,
        from: 0.0,
        to: 0.0,
        before: start.y.to_vec(),
        y: start.y.to_vec(),
    })
}

struct BackwardEuler<'a> {
    system: &'a System,
    size: f64,
    /// The last step starts here.
    from: f64,
    to: f64,
    /// (θ, v) at its ends.
    before: Vec<f64>,
    y: Vec<f64>,
}

impl BackwardEuler<'_> {
    /// `y = y_0 + h f(y)`, by Newton's method from y_0.
    fn solve(&self, t: f64) -> Option<Vec<f64>> {
        let h = t - self.to;
        let mut y = self.y.clone();
        let mut residual = vec![0.0; y.len()];
        for _ in 0..MOST_ROUNDS {
            self.system.rhs(&y, t, &mut residual);
            for ((r, y), start) in residual.iter_mut().zip(&y).zip(&self.y) {
                *r = start + h * *r - y;
            }
            self.system.linearise(&y, t, h).solve(&mut residual);
            let mut largest = 0.0_f64;
            for (y, change) in y.iter_mut().zip(&residual) {
                *y += change;
                largest = largest.max(change.abs() / (1.0 + y.abs()));
            }
            if largest < 1e-12 {
                return Some(y).filter(|y| all_finite(y));
            }
        }
        None
    }
}

impl Integrator for BackwardEuler<'_> {
    fn kind(&self) -> Kind {
        Kind::Implicit
    }

    fn time(&self) -> f64 {
        self.to
    }

    fn step(&mut self, end: f64) -> std::result::Result<Step, Failure> {
        let arrived = self.to + 1.001 * self.size >= end;
        let t = if arrived { end } else { self.to + self.size };
        let failed = || Failure::Nonlinear("Newton's method does not converge".into());
        let y = self.solve(t).ok_or_else(failed)?;
        self.before = std::mem::replace(&mut self.y, y);
        (self.from, self.to) = (self.to, t);
        Ok(Step {
            arrived,
            next: self.size,
        })
    }

    fn weights(&self) -> &[f64] {
        &self.y[..self.system.parameters()]
    }

    fn states(&self) -> &[f64] {
        &self.y[self.system.parameters()..]
    }

    fn interpolate(&mut self, t: f64, y: &mut [f64]) -> std::result::Result<(), Cause> {
        let share = (t - self.from) / (self.to - self.from);
        for ((y, a), b) in y.iter_mut().zip(&self.before).zip(&self.y) {
            *y = a + share * (b - a);
        }
        Ok(())
    }

    fn statistics(&self) -> Effort {
        let (rhs_evaluations, jacobian_evaluations) = self.system.evaluations();
        Effort {
            rhs_evaluations,
            jacobian_evaluations,
            ..Default::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::control::{Control, Observer};
    use crate::dataset::{gaussian_random_labels, gaussian_teacher, standard_normals};
    use crate::error::Error;
    use crate::flow::{FlowOptions, Method, Progress, SaveAt, integrate, integrate_under};
    use crate::loss::Loss;
    use crate::network::{FullyConnectedLinear, Network, Relu};
    use crate::problem::Problem;
    use crate::rule::Rule;
    use crate::trajectory::{Status, Trajectory};
    use nalgebra::DVector;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn problem(network: Network, scale: f64, teacher: bool) -> Problem {
        let draws = standard_normals("initial", 3).map(|x| scale * x);
        let dataset = if teacher {
            gaussian_teacher(4, 5, 5)
        } else {
            gaussian_random_labels(4, 6, 3)
        };
        Problem::new(
            dataset,
            network.clone(),
            Rule::gradient_descent(),
            Loss::Logistic,
            DVector::from_iterator(network.parameters(), draws.take(network.parameters())),
        )
        .unwrap()
    }

    fn linear() -> Problem {
        let network = FullyConnectedLinear::new(4, &[3]);
        problem(Network::new(network), 0.3, true)
    }

    fn kinked() -> Problem {
        problem(Network::new(Relu::new(4, &[6], 0.0)), 0.3, false)
    }

    fn steps_of(size: f64, until: f64) -> FlowOptions {
        FlowOptions {
            method: Method::BackwardEuler,
            rtol: size,
            saves: SaveAt::Uniform(7),
            ..FlowOptions::to(until)
        }
    }

    fn run(problem: &Problem, options: &FlowOptions) -> Trajectory {
        let run = integrate(problem, options, &mut |_| {}).unwrap();
        assert_eq!(run.status, Status::Completed, "{:?}", run.message);
        run
    }

    /// Largest relative differences of weights, log-multipliers and accumulated multipliers after the first save.
    fn distances(a: &Trajectory, b: &Trajectory) -> [f64; 3] {
        assert_eq!(a.log_log_time, b.log_log_time);
        let totals = |t: &Trajectory| t.accumulated.clone().unwrap();
        let (a_totals, b_totals) = (totals(a), totals(b));
        let pairs = [
            (&a.theta, &b.theta),
            (&a.log_multipliers, &b.log_multipliers),
            (&a_totals, &b_totals),
        ];
        pairs.map(|(a, b)| {
            let of_save = |k| (a.column(k) - b.column(k)).norm() / b.column(k).norm();
            (1..a.ncols()).map(of_save).fold(0.0, f64::max)
        })
    }

    #[test]
    fn a_method_of_ones_own_converges_to_the_same_flow_at_its_order() {
        for (problem, until) in [(linear(), 6.0), (kinked(), 2.0)] {
            let others = FlowOptions {
                saves: SaveAt::Uniform(7),
                ..FlowOptions::to(until)
            };
            let reference = run(&problem, &others);
            let [coarse, fine] = [4e-3, 1e-3].map(|size| run(&problem, &steps_of(size, until)));
            assert_eq!(coarse.solver.method, "backward-euler");
            let (coarse, fine) = (distances(&coarse, &reference), distances(&fine, &reference));
            for (coarse, fine) in coarse.into_iter().zip(fine) {
                assert!(fine < 2e-2, "{coarse} {fine}");
                let ratio = coarse / fine;
                assert!((3.0..5.5).contains(&ratio), "{coarse} {fine}");
            }
        }
    }

    #[test]
    fn kinks_and_budgets_are_the_drivers() {
        let problem = kinked();
        let mine = run(&problem, &steps_of(5e-4, 2.0)).kinks.unwrap();
        let bdf = run(&problem, &FlowOptions::to(2.0)).kinks.unwrap();
        assert!(bdf.crossings > 0, "kinks on the way");
        assert_eq!(mine, bdf);
        let options = FlowOptions {
            max_steps: 10,
            ..steps_of(1e-2, 5.0)
        };
        let short = integrate(&linear(), &options, &mut |_| {}).unwrap();
        assert_eq!(
            (short.status, short.solver.steps),
            (Status::BudgetSteps, 10)
        );
        let reached = short.log_log_time.last().unwrap();
        assert!((reached - 0.1).abs() < 1e-12, "{reached}");
    }

    /// Sends a signal after a step.
    struct Stop(usize, AtomicUsize);

    impl Observer for Stop {
        fn flow(&self, p: Progress) {
            if p.steps == self.0 {
                self.1.store(2, Ordering::Relaxed);
            }
        }
    }

    /// It has no marks of its own, so the run restarts it at fixed points and resumes from those.
    #[test]
    fn it_is_taken_up_again_bit_for_bit() {
        for problem in [linear(), kinked()] {
            let options = FlowOptions {
                checkpoint_steps: Some(70),
                ..steps_of(5e-3, 2.0)
            };
            let whole = run(&problem, &options);
            let folder = tempfile::tempdir().unwrap();
            let until = |after: usize| {
                let stop = Stop(after, AtomicUsize::new(0));
                let control = Control {
                    checkpoints: Some(folder.path()),
                    interval: f64::INFINITY,
                    signal: &stop.1,
                    observer: &stop,
                };
                integrate_under(&problem, &options, "flow", &control)
            };
            assert!(matches!(until(200), Err(Error::Interrupted { .. })));
            let resumed = until(0).unwrap();
            assert_eq!(resumed.theta, whole.theta);
            assert_eq!(resumed.accumulated, whole.accumulated);
            assert_eq!(resumed.kinks, whole.kinks);
            assert_eq!(resumed.solver.steps, whole.solver.steps);
            assert_eq!(resumed.solver.rhs_evaluations, whole.solver.rhs_evaluations);
        }
    }
}
