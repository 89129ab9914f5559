//! One run from problem to verdicts: the arrows of the data flow, in order.

use crate::accuracy;
use crate::claims::{self, Evidence, Outcome, Verdict};
use crate::control::Control;
use crate::descent::{self, Comparison, descend, flow_beside};
use crate::diagnostics::{Diagnostics, diagnose};
#[cfg(doc)]
use crate::error::Error;
use crate::error::{NotSeparable, Result, SolverError, exit};
use crate::figures;
use crate::flow::{FlowOptions, SaveAt, integrate, integrate_under};
use crate::limit::{
    FarkasCertificate, Limit, Potential, Separability, angle, feature_max_margin, max_margin,
    minimise, refine,
};
use crate::memory::Work;
use crate::problem::Problem;
use crate::scenario::Scenario;
use crate::theory::{self, LimitForm, certified_candidates};
use crate::trajectory::{Status, Trajectory};
use nalgebra::DVector;
use serde::Serialize;

/// How a run is to be made, beyond what its scenario says.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunOptions {
    /// Rerun at a hundredth of the tolerance and compare.
    pub verify: bool,
    /// Run on data without a separating hyperplane; claims about limits are then not applicable.
    pub allow_nonseparable: bool,
}

/// A finished run with everything that was measured on it.
pub struct Run {
    /// The verb that made it: `run`, or `compare`, where the flow goes only as far as the finite steps.
    pub verb: &'static str,
    pub scenario: Scenario,
    pub problem: Problem,
    /// `None` if the data are not separable (or not through the frequencies the feedback reaches, or this is undecided) and the
    /// run was allowed all the same, if no stationary point was found where the predicted potential is not convex, or if a
    /// ReLU network does not fit its data at the end of the run.
    pub limit: Option<Limit>,
    pub trajectory: Trajectory,
    pub diagnostics: Diagnostics,
    /// Finite steps beside the flow, if the scenario has any.
    pub steps: Option<Comparison>,
    pub verdicts: Vec<Verdict>,
    pub verification: Option<Verification>,
}

/// The same run at a hundredth of the tolerances, compared at the end.
#[derive(Debug, Clone, Serialize)]
pub struct Verification {
    pub rtol: f64,
    pub status: Status,
    /// Angle between the two final predictors (for ReLU networks: their outputs on the N samples), radians.
    pub angle_between: f64,
    /// The tighter run's final angle to the limit (for ReLU networks: of its output weights to the machine of its own
    /// features), radians.
    pub angle_to_limit: Option<f64>,
    /// Relative difference of the two smallest margins.
    pub relative_difference_of_min_margin: f64,
    /// What `angle_between` is held against: 100 rtol, at most 1 %, of the angle to the limit (1e-4 of it at the default tolerance), or
    /// of one radian without a limit, plus 1e-12.
    pub stated_accuracy: f64,
    pub agrees: bool,
}

/// Runs a scenario: limit, flow, diagnostics, verdicts.
///
/// # Errors
/// [`Error::Scenario`] or [`Error::Data`] if the problem cannot be built, [`Error::NotSeparable`] without a separating
/// hyperplane (unless allowed), [`Error::Solver`] if the integrator cannot start, [`Error::Interrupted`] once the control's signal has
/// come, [`Error::Io`] if checkpoints cannot be read or written.
pub fn run(scenario: Scenario, options: RunOptions, control: &Control<'_>) -> Result<Run> {
    let problem = scenario.build_for(Work::Run)?;
    let reference = reference_limit(&problem, options.allow_nonseparable)?;
    control.check()?;
    let made = match &scenario.steps {
        Some(steps) => {
            let descents = descend(&problem, steps, control)?;
            let flow = flow_beside(&problem, &scenario.flow, &descents, control)?;
            Some((steps, descents, flow))
        }
        None => None,
    };
    let mut trajectory = integrate_under(&problem, &scenario.flow, "flow", control)?;
    let limit = reference.after(&problem, &trajectory);
    control.check()?;
    let mut diagnostics = diagnose(&problem, &trajectory, limit.as_ref());
    if limit.is_some() {
        let g = problem.dataset().signed_samples();
        let candidates = certified_candidates(&diagnostics.theory.candidates, g);
        diagnostics.compare(candidates);
    }
    accuracy::judge(&problem, &scenario.flow, &mut trajectory, &diagnostics);
    control.check()?;
    let steps = made.map(|(options, descents, mut flow)| {
        let measured = diagnose(&problem, &flow, limit.as_ref());
        accuracy::judge(&problem, &scenario.flow, &mut flow, &measured);
        trajectory.stands_on("the flow beside the steps", &flow);
        descent::compare(
            &problem,
            limit.as_ref(),
            options,
            descents,
            (&flow, measured),
        )
    });
    let verification = if options.verify {
        let found = verify(
            &problem,
            limit.as_ref(),
            &scenario.flow,
            &diagnostics,
            control,
        )?;
        accuracy::compare(&found, &scenario.flow, &mut trajectory);
        Some(found)
    } else {
        None
    };
    let verdicts = claims::check(&Evidence {
        problem: &problem,
        options: &scenario.flow,
        trajectory: &trajectory,
        diagnostics: &diagnostics,
        limit: limit.as_ref(),
        steps: steps.as_ref(),
        extend: "flow.until",
    });
    control.check()?;
    Ok(Run {
        verb: "run",
        scenario,
        problem,
        limit,
        trajectory,
        diagnostics,
        steps,
        verdicts,
        verification,
    })
}

/// Compares the finite steps of a scenario with the flow, followed as far as they go: the run's trajectory is the flow at the times the
/// steps recorded, and only claims about steps are judged.
///
/// # Errors
/// [`Error::Scenario`] if the scenario has no `[steps]`, else as [`run`] and [`descend`].
pub fn compare(scenario: Scenario, allow_nonseparable: bool, control: &Control<'_>) -> Result<Run> {
    let Some(options) = &scenario.steps else {
        return Err(scenario.without_steps());
    };
    let problem = scenario.build_for(Work::Compare)?;
    let reference = reference_limit(&problem, allow_nonseparable)?;
    control.check()?;
    let descents = descend(&problem, options, control)?;
    let mut trajectory = flow_beside(&problem, &scenario.flow, &descents, control)?;
    let limit = reference.after(&problem, &trajectory);
    let diagnostics = diagnose(&problem, &trajectory, limit.as_ref());
    accuracy::judge(&problem, &scenario.flow, &mut trajectory, &diagnostics);
    let steps = descent::compare(
        &problem,
        limit.as_ref(),
        options,
        descents,
        (&trajectory, diagnostics.clone()),
    );
    let verdicts = claims::check_steps(&Evidence {
        problem: &problem,
        options: &scenario.flow,
        trajectory: &trajectory,
        diagnostics: &diagnostics,
        limit: limit.as_ref(),
        steps: Some(&steps),
        extend: "steps.count",
    });
    control.check()?;
    Ok(Run {
        verb: "compare",
        scenario,
        problem,
        limit,
        trajectory,
        diagnostics,
        steps: Some(steps),
        verdicts,
        verification: None,
    })
}

/// What theory says about the limit of a problem before it is run.
#[derive(Debug, Clone)]
pub enum Reference {
    /// The certified minimiser of the predicted potential.
    Global(Box<Limit>),
    /// The potential is not convex (p < 1): the limit is a stationary point, and which one depends on the path.
    Local(Potential),
    /// A ReLU network: the output weights tend to the hard-margin SVM of the features, which the run itself learns. Whether
    /// a hyperplane separates the data does not matter.
    Features,
    /// Theory names no limit, or the data are not separable.
    None,
}

impl Reference {
    /// The limit, now that the run has been made.
    pub fn after(self, problem: &Problem, trajectory: &Trajectory) -> Option<Limit> {
        let theta = trajectory.theta.column(trajectory.len() - 1);
        let theta = theta.as_slice();
        match self {
            Self::Global(limit) => Some(*limit),
            Self::Local(potential) => {
                let beta = problem.network().predictor(theta)?;
                refine(problem.dataset().signed_samples(), &potential, &beta)
            }
            Self::Features => {
                let fits = problem.network().margins(theta, problem.dataset()).min() > 0.0;
                let units = problem.network().units()?;
                fits.then(|| feature_max_margin(&units.signed_features(theta, problem.dataset())))?
            }
            Self::None => None,
        }
    }

    /// The limit without the run: the flow is made only where the limit depends on it, with two saves. `None` for data
    /// that no hyperplane separates, where this was allowed, and for ReLU networks that do not fit their data.
    ///
    /// # Errors
    /// [`Error::Solver`] if the flow does not reach its horizon, or no stationary point is found next to its end.
    pub fn alone(self, problem: &Problem, options: &FlowOptions) -> Result<Option<Limit>> {
        let local = match self {
            Self::Global(limit) => return Ok(Some(*limit)),
            Self::None => return Ok(None),
            Self::Local(_) => true,
            Self::Features => false,
        };
        let options = FlowOptions {
            saves: SaveAt::Uniform(2),
            ..options.clone()
        };
        let mut trajectory = integrate(problem, &options, &mut |_| {})?;
        let measured = diagnose(problem, &trajectory, None);
        accuracy::judge(problem, &options, &mut trajectory, &measured);
        if trajectory.status != Status::Completed {
            return Err(SolverError::Unfinished(trajectory.message.unwrap_or_default()).into());
        }
        match self.after(problem, &trajectory) {
            None if local => Err(SolverError::NoStationaryPoint.into()),
            limit => Ok(limit),
        }
    }
}

/// The predicted limit of separable data, [`Reference::None`] for data that are not, if `allow_nonseparable`;
/// [`Reference::Features`] for ReLU networks on any data.
///
/// # Errors
/// [`Error::NotSeparable`], naming the support of the certificate, or saying what could not be decided.
pub fn reference_limit(problem: &Problem, allow_nonseparable: bool) -> Result<Reference> {
    let g = problem.dataset().signed_samples();
    let (potential, local) = match theory::of(problem).limit.map(|law| law.form) {
        None => return Ok(Reference::None),
        Some(LimitForm::FeatureMachine) => return Ok(Reference::Features),
        Some(LimitForm::Minimiser(potential)) => (potential, false),
        Some(LimitForm::Stationary(potential)) => (potential, true),
    };
    let decision = if local {
        max_margin(g)
    } else {
        minimise(g, &potential)
    };
    match decision {
        Separability::Separable(_) if local => Ok(Reference::Local(potential)),
        Separability::Separable(limit) => Ok(Reference::Global(Box::new(limit))),
        _ if allow_nonseparable => Ok(Reference::None),
        Separability::NotSeparable(certificate) => Err(described(&certificate).into()),
        Separability::Unreachable { unusable, .. } => {
            Err(NotSeparable::Unreachable { unusable }.into())
        }
        Separability::Undecided(why) => Err(NotSeparable::Undecided(why.to_string()).into()),
    }
}

fn described(certificate: &FarkasCertificate) -> NotSeparable {
    let support = certificate.support.iter();
    NotSeparable::Certified {
        support: support.map(|n| (*n, certificate.multipliers[*n])).collect(),
        residual: certificate.residual,
    }
}

/// Share of the angle to the limit that two runs may differ by at any tolerance: what is off by more is wrong.
const MOST_OF_ANGLE: f64 = 0.01;

fn verify(
    problem: &Problem,
    limit: Option<&Limit>,
    options: &FlowOptions,
    diagnostics: &Diagnostics,
    control: &Control<'_>,
) -> Result<Verification> {
    let tight = FlowOptions {
        saves: SaveAt::Uniform(2),
        ..options.tightened()
    };
    let mut trajectory = integrate_under(problem, &tight, "verify", control)?;
    let reference = diagnose(problem, &trajectory, limit);
    accuracy::judge(problem, &tight, &mut trajectory, &reference);
    let angle_between = angle(
        learned(problem, diagnostics).as_slice(),
        learned(problem, &reference).as_slice(),
    );
    let to_limit = match &reference.homogeneous {
        None => reference.final_angle(),
        Some(h) => h.feature_angle.last().copied().flatten(),
    };
    let share = (100.0 * options.rtol).min(MOST_OF_ANGLE);
    let stated_accuracy = share * to_limit.unwrap_or(1.0) + 1e-12;
    let last = |d: &Diagnostics| d.min_margin.last().copied().unwrap_or(0.0);
    Ok(Verification {
        rtol: tight.rtol,
        status: trajectory.status,
        angle_between,
        angle_to_limit: to_limit,
        relative_difference_of_min_margin: relative_difference(last(diagnostics), last(&reference)),
        stated_accuracy,
        agrees: trajectory.status == Status::Completed && angle_between <= stated_accuracy,
    })
}

/// What a run has learned, as a direction: the predictor, or for ReLU networks the outputs `f(x_n)`, length N.
fn learned(problem: &Problem, diagnostics: &Diagnostics) -> DVector<f64> {
    if problem.network().is_linear() {
        return diagnostics.final_beta();
    }
    let margins = &diagnostics.margins;
    margins
        .column(margins.ncols() - 1)
        .component_mul(problem.dataset().labels())
}

/// `|x − y|` over the larger of the two, 0 if they are equal.
fn relative_difference(x: f64, y: f64) -> f64 {
    if x == y {
        0.0
    } else {
        (x - y).abs() / x.abs().max(y.abs())
    }
}

impl Run {
    /// What figures look at.
    pub fn drawn(&self) -> figures::Run<'_> {
        figures::Run {
            problem: &self.problem,
            diagnostics: &self.diagnostics,
            limit: self.limit.as_ref(),
            steps: self.steps.as_ref(),
        }
    }

    /// How the run at a hundredth of the tolerances ended, if there was one.
    pub fn verified(&self) -> Option<Status> {
        self.verification.as_ref().map(|v| v.status)
    }

    /// Verdicts that differ from the scenario's `[expect]`: (id, expected, found).
    pub fn surprises(&self) -> Vec<(&str, Outcome, Outcome)> {
        self.verdicts
            .iter()
            .filter_map(|v| {
                let expected = *self.scenario.expect.get(v.id)?;
                (expected != v.outcome).then_some((v.id, expected, v.outcome))
            })
            .collect()
    }

    /// The exit code, see [`exit`]: as expected, a claim came out otherwise, the solver failed, is inaccurate or disagrees
    /// with its tighter self, or a budget ran out.
    pub fn exit_code(&self) -> u8 {
        match self.trajectory.status {
            Status::BudgetSteps | Status::BudgetWall => exit::BUDGET,
            Status::StepTooSmall
            | Status::NonlinearFailure
            | Status::NonFinite
            | Status::Inaccurate => exit::SOLVER,
            Status::Completed if self.verification.as_ref().is_some_and(|v| !v.agrees) => {
                exit::SOLVER
            }
            Status::Completed if self.surprises().is_empty() => exit::DONE,
            Status::Completed => exit::UNEXPECTED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::gaussian_teacher;
    use crate::network::FullyConnectedLinear;
    use crate::network::Network;
    use crate::rule::Rule;

    /// The angle to the limit falls like e^{−s/2}: a run that ends δ earlier is off by δ/2 of it.
    #[test]
    fn however_loose_the_tolerance_one_percent_of_the_angle_is_too_much() {
        let network = Network::new(FullyConnectedLinear::new(6, &[6]));
        let dataset = gaussian_teacher(6, 4, 2);
        let theta0 = DVector::from_fn(network.parameters(), |i, _| 0.1 * (1.0 + i as f64).sin());
        let problem = Problem::new(
            dataset,
            network,
            Rule::gradient_descent(),
            crate::loss::Loss::Exponential,
            theta0,
        )
        .unwrap();
        let g = problem.dataset().signed_samples();
        let Separability::Separable(limit) = max_margin(g) else {
            panic!("a teacher separates");
        };
        let loose = FlowOptions {
            rtol: 0.1,
            atol: 1e-3,
            ..FlowOptions::to(16.0)
        };
        for (early, agrees) in [(0.0, true), (0.01, true), (0.04, false), (0.5, false)] {
            let shorter = FlowOptions::to(16.0 - early);
            let trajectory = integrate(&problem, &shorter, &mut |_| {}).unwrap();
            let diagnostics = diagnose(&problem, &trajectory, Some(&limit));
            let found = verify(
                &problem,
                Some(&limit),
                &loose,
                &diagnostics,
                &Control::none(),
            )
            .unwrap();
            assert_eq!(found.agrees, agrees, "{early}: {found:?}");
        }
    }
}
