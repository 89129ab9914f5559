//! The angles of a case: for the certified limit, the flow and finite steps.

use super::{Case, Kind, Measurement, Plan, Record};
use crate::accuracy::judge;
use crate::control::Control;
use crate::dataset::gaussian_teacher_vector;
use crate::descent::{Lane, State, StepOptions, reduced_stepper, stepper};
use crate::diagnostics::diagnose;
use crate::error::{Error, Result, SolverError};
use crate::flow::{FlowOptions, SaveAt, integrate_under};
use crate::limit::angle;
use crate::problem::Problem;
use crate::reference::{Reference, reference_limit};
use nalgebra::DVector;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// β, and the duality gap that certifies it; or why no β was found.
type FoundDirection = std::result::Result<(DVector<f64>, Option<f64>), String>;

/// Measures a case.
///
/// # Errors
/// [`Error::Interrupted`] if a signal came; any error in building the case. A limit that cannot be certified, and a
/// flow or steps that end early, are part of the record.
pub(super) fn evaluate(plan: &Plan, case: &Case, signal: &AtomicUsize) -> Result<Record> {
    let scenario = plan.scenario_of(case)?;
    let problem = scenario.build()?;
    let teacher = gaussian_teacher_vector(plan.dimension, plan.data_seed(case));
    let mut results = Vec::with_capacity(plan.options.kinds.len());
    for &kind in &plan.options.kinds {
        let found = match kind {
            Kind::Limit => limit(&problem),
            Kind::Flow => flow(&problem, &scenario.flow, signal)?,
            Kind::Steps => {
                let steps = scenario.steps.as_ref();
                steps_taken(&problem, steps.expect("checked by the scenario"), signal)?
            }
        };
        results.push(measurement(kind, found, &teacher));
    }
    Ok(Record::new(plan, case, results))
}

fn measurement(kind: Kind, found: FoundDirection, teacher: &DVector<f64>) -> Measurement {
    let found = found.and_then(|(beta, gap)| {
        let degrees = angle(beta.as_slice(), teacher.as_slice()).to_degrees();
        if degrees.is_finite() && beta.norm() > 0.0 {
            Ok((degrees, gap))
        } else {
            Err("the predictor has no direction".into())
        }
    });
    let (angle_degrees, duality_gap, failure) = match found {
        Ok((degrees, gap)) => (Some(degrees), gap, None),
        Err(why) => (None, None, Some(why)),
    };
    Measurement {
        kind: kind.name().into(),
        angle_degrees,
        duality_gap,
        failure,
    }
}

fn limit(problem: &Problem) -> FoundDirection {
    match reference_limit(problem, false).map_err(|e| e.to_string())? {
        Reference::Global(limit) => Ok((limit.beta, limit.duality_gap)),
        _ => Err("this network has no one limit".into()),
    }
}

fn flow(problem: &Problem, options: &FlowOptions, signal: &AtomicUsize) -> Result<FoundDirection> {
    let options = FlowOptions {
        saves: SaveAt::Uniform(2),
        ..options.clone()
    };
    let control = Control {
        signal,
        ..Control::none()
    };
    let trajectory = match integrate_under(problem, &options, "flow", &control) {
        Ok(trajectory) => trajectory,
        Err(Error::Interrupted { signal, .. }) => return Err(interrupted(signal)),
        Err(e) => return Ok(Err(e.to_string())),
    };
    let measured = diagnose(problem, &trajectory, None);
    let conclusion = judge(problem, &options, &trajectory, &measured);
    if !conclusion.completed() {
        let why = conclusion.message.as_deref().unwrap_or_default();
        return Ok(Err(format!("the flow ended early: {why}")));
    }
    let last = trajectory.theta.column(trajectory.theta.ncols() - 1);
    let beta = problem.network().predictor(last.as_slice());
    Ok(Ok((beta.expect("swept networks are linear"), None)))
}

/// An interrupted case; the next run does it again.
fn interrupted(signal: usize) -> Error {
    Error::Interrupted {
        signal,
        resumable: true,
    }
}

/// Time between checks of the signal.
const CHUNK: Duration = Duration::from_millis(100);

fn steps_taken(
    problem: &Problem,
    options: &StepOptions,
    signal: &AtomicUsize,
) -> Result<FoundDirection> {
    let lanes = [Lane {
        size: options.sizes[0],
        theta: problem.theta0().clone(),
    }];
    let mut stepper = match options.state {
        State::Full => stepper(problem, options.schedule, &lanes),
        State::Reduced => reduced_stepper(problem, options.schedule, &lanes)
            .map_err(|why| SolverError::NoReducedState(why.to_string()))?,
    };
    let (mut taken, mut chunk) = (0, 16);
    while taken < options.count {
        let came = signal.load(Ordering::Relaxed);
        if came != 0 {
            return Err(interrupted(came));
        }
        let start = Instant::now();
        let steps = chunk.min(options.count - taken);
        stepper.advance(steps);
        taken += steps;
        if start.elapsed() < CHUNK / 2 {
            chunk *= 2;
        } else if start.elapsed() > CHUNK {
            chunk = (chunk / 2).max(1);
        }
    }
    let mut theta = vec![0.0; problem.network().parameters()];
    stepper.theta(0, &mut theta);
    if !theta.iter().all(|x| x.is_finite()) {
        return Ok(Err(format!(
            "the weights overflow in steps of size {}",
            options.sizes[0]
        )));
    }
    let beta = problem.network().predictor(&theta);
    Ok(Ok((beta.expect("swept networks are linear"), None)))
}
