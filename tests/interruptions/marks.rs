//! A flow that is interrupted after any of its steps, and taken up again, is the flow that was never interrupted: bit
//! for bit, statistics included, before, at and after the hand-over from one integrator to the other.

use super::support::{bp, dfa, gradient_descent};
use marginflow::control::{Control, Observer};
use marginflow::dataset::{Dataset, gaussian_random_labels, gaussian_teacher};
use marginflow::error::Error;
use marginflow::flow::{FlowOptions, Method, Progress, State, integrate, integrate_under};
use marginflow::loss::Loss;
use marginflow::network::Network;
use marginflow::problem::Problem;
use marginflow::trajectory::{Status, Trajectory};
use nalgebra::{DVector, dmatrix};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Sends a signal after a step.
struct Stop {
    after: usize,
    signal: AtomicUsize,
}

impl Observer for Stop {
    fn flow(&self, p: Progress) {
        if p.steps == self.after {
            self.signal.store(2, Ordering::Relaxed);
        }
    }
}

fn until(
    after: usize,
    folder: &Path,
    problem: &Problem,
    options: &FlowOptions,
) -> Result<Trajectory, Error> {
    let stop = Stop {
        after,
        signal: AtomicUsize::new(0),
    };
    let control = Control {
        checkpoints: Some(folder),
        interval: f64::INFINITY,
        signal: &stop.signal,
        observer: &stop,
    };
    integrate_under(problem, options, "flow", &control)
}

#[track_caller]
fn same(name: &str, a: &Trajectory, b: &Trajectory) {
    assert_eq!(a.log_log_time, b.log_log_time, "{name}");
    assert_eq!(a.theta, b.theta, "{name}");
    assert_eq!(a.log_multipliers, b.log_multipliers, "{name}");
    assert_eq!(a.accumulated, b.accumulated, "{name}");
    assert_eq!(a.kinks, b.kinks, "{name}");
    assert_eq!(a.loss_rise, b.loss_rise, "{name}");
    assert_eq!((a.status, &a.message), (b.status, &b.message), "{name}");
    let counts = |t: &Trajectory| {
        let s = &t.solver;
        let counts = [
            s.steps,
            s.rejected_steps,
            s.newton_failures,
            s.rhs_evaluations,
            s.jacobian_evaluations,
            s.restarts,
            s.unknowns,
        ];
        (s.method.clone(), counts)
    };
    assert_eq!(counts(a), counts(b), "{name}");
}

/// Interrupts after every `stride`-th step, each time once from the start and then to the end.
fn any_step(name: &str, problem: &Problem, options: &FlowOptions, stride: usize) -> Trajectory {
    let whole = integrate(problem, options, &mut |_| {}).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for after in (1..whole.solver.steps).step_by(stride) {
        let name = format!("{name}, after step {after}");
        match until(after, folder.path(), problem, options) {
            Err(Error::Interrupted { signal: 2, .. }) => {}
            other => panic!("{name}: {other:?}"),
        }
        let resumed = until(0, folder.path(), problem, options).unwrap();
        same(&name, &resumed, &whole);
        std::fs::remove_file(folder.path().join("flow.checkpoint")).unwrap();
    }
    whole
}

#[test]
fn after_any_step_of_our_own_integrator() {
    let problem = dfa(gaussian_teacher(8, 5, 5), 3, 0.1).with_loss(Loss::Logistic);
    let whole = any_step("full", &problem, &FlowOptions::to(40.0), 47);
    assert_eq!(whole.solver.method, "adams-bdf");
    let reduced = FlowOptions {
        state: State::Reduced,
        ..FlowOptions::to(40.0)
    };
    any_step("reduced", &problem, &reduced, 97);
    let spectral = gradient_descent(gaussian_teacher(7, 5, 2), Network::convolutional(7, 3));
    any_step("spectral", &spectral, &FlowOptions::to(80.0), 97);
}

/// Three samples on a line, whose log-multipliers are carried in coordinates from half-way on, data that nothing
/// separates, which are left to the fully implicit method, and two samples that contradict each other, which are held
/// while the rest goes on.
#[test]
fn around_changes_of_states_and_method() {
    let line = Dataset::new(
        dmatrix![1.0, 0.2, 0.5; 1.0, 0.6, 0.1; 1.0, 1.0, -0.3],
        DVector::from_element(3, 1.0),
    );
    let contrary = gaussian_random_labels(2, 12, 4);
    let partly = Dataset::new(
        dmatrix![1.0, 0.0, 0.3; -1.0, 0.0, -0.3; 2.0, 1.0, -0.5; 0.5, 2.0, 1.0],
        DVector::from_element(4, 1.0),
    );
    let cases = [
        ("line", line, 14.0),
        ("contrary", contrary, 8.0),
        ("partly", partly, 9.0),
    ];
    for (name, dataset, until) in cases {
        let problem = dfa(dataset, 2, 0.1);
        for fixed in [200, 900] {
            let options = FlowOptions {
                checkpoint_steps: Some(fixed),
                ..FlowOptions::to(until)
            };
            let stride = if name == "partly" { 397 } else { 43 };
            let whole = any_step(name, &problem, &options, stride);
            assert_eq!(whole.held.is_some(), name == "partly");
            let method = &whole.solver.method;
            if name == "line" {
                assert_eq!((method.as_str(), whole.solver.restarts), ("adams-bdf", 1));
            } else if name == "contrary" {
                assert!(method.starts_with("adams-bdf, from s = "), "{method}");
            }
        }
    }
}

#[test]
fn after_any_step_of_other_methods() {
    for method in [Method::Bdf, Method::Esdirk34, Method::TrBdf2] {
        let problem = bp(gaussian_teacher(6, 5, 5), 2);
        let options = FlowOptions {
            method,
            checkpoint_steps: Some(200),
            ..FlowOptions::to(30.0)
        };
        let whole = any_step(method.name(), &problem, &options, 211);
        assert_eq!(whole.status, Status::Completed);
    }
}
