//! One run from problem to verdicts: the arrows of the data flow, in order.

use crate::accuracy::{Conclusion, Verification, judge, verify};
use crate::certify::{self, Certificate, Certified, Finished, Found};
use crate::claims::{self, Evidence, Outcome, Subject, Verdict};
use crate::control::Control;
use crate::descent::{self, Comparison, descend, flow_beside};
use crate::diagnostics::{Diagnostics, diagnose};
#[cfg(doc)]
use crate::error::Error;
use crate::error::{Result, exit};
#[cfg(feature = "figures")]
use crate::figures;
use crate::flow::integrate_under;
use crate::limit::Limit;
use crate::memory::Work;
use crate::problem::Problem;
pub use crate::reference::{Reference, reference_limit};
use crate::scenario::Scenario;
use crate::theory::certified_candidates;
use crate::trajectory::{Status, Trajectory};

/// Options of a run beyond its scenario.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunOptions {
    /// Rerun at a hundredth of the tolerance and compare.
    pub verify: bool,
    /// Whether what can be proved of the run is written down.
    pub certify: Certify,
    /// Run on data without a separating hyperplane; claims about limits are then not applicable.
    pub allow_nonseparable: bool,
}

/// Whether a run leaves a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Certify {
    #[default]
    Never,
    /// Where it takes about a second at most.
    WhereQuick,
    Always,
}

impl Certify {
    /// What is proved of a problem, its limit and its run, also marked in the verdicts.
    fn of(
        self,
        (problem, limit): (&Problem, Option<&Limit>),
        (trajectory, diagnostics): (&Trajectory, &Diagnostics),
        scenario: &Scenario,
        verdicts: &mut [Verdict],
    ) -> (Option<Certificate>, Certified) {
        let wanted = match self {
            Self::Never => false,
            Self::WhereQuick => certify::is_quick(problem),
            Self::Always => true,
        };
        let run = Finished {
            trajectory,
            diagnostics,
        };
        let found = Found {
            limit,
            run: Some(run),
            ..Found::default()
        };
        let label = (scenario.name.as_str(), scenario.sha256.as_str());
        let certificate = match wanted {
            true => certify::certify(problem, found, label),
            false => None,
        };
        let certified = (certificate.as_ref()).map_or_else(Certified::default, Certified::of);
        mark(verdicts, &certified, diagnostics);
        (certificate, certified)
    }
}

/// Says of verdicts what is proved of them.
fn mark(verdicts: &mut [Verdict], certified: &Certified, diagnostics: &Diagnostics) {
    let law = diagnostics.theory.limit.as_ref();
    let stated = law.and_then(|law| law.statement);
    for verdict in verdicts {
        if verdict.outcome != Outcome::NotApplicable {
            verdict.proved = certified.about(verdict.id, stated);
        }
    }
}

/// A finished run with everything measured on it.
pub struct Run {
    /// The command that made it: `run`, or `compare`, where the flow goes only as far as the finite steps.
    pub verb: &'static str,
    pub options: RunOptions,
    pub scenario: Scenario,
    pub problem: Problem,
    /// `None` if the data are not separable (or not through the frequencies the feedback reaches, or this is undecided)
    /// but the run was allowed, if no stationary point was found where the predicted potential is not convex, or if a
    /// ReLU network does not fit its data at the end of the run.
    pub limit: Option<Limit>,
    /// As integrated; [`Self::conclusion`] says how it ended, all checks included.
    pub trajectory: Trajectory,
    pub diagnostics: Diagnostics,
    /// How the run ended, all checks included.
    pub conclusion: Conclusion,
    /// Finite steps compared with the flow, if the scenario has any.
    pub steps: Option<Comparison>,
    pub verdicts: Vec<Verdict>,
    pub verification: Option<Verification>,
    /// What is proved, as far as it was asked for; it has passed the checker.
    pub certificate: Option<Certificate>,
    /// The same in numbers.
    pub certified: Certified,
}

/// Runs a scenario: limit, flow, diagnostics, verdicts.
///
/// # Errors
/// [`Error::Scenario`] or [`Error::Data`] if the problem cannot be built, [`Error::NotSeparable`] without a separating
/// hyperplane (unless allowed), [`Error::Solver`] if the integrator cannot start, [`Error::Interrupted`] once the
/// control has received a signal, [`Error::Io`] if checkpoints cannot be read or written.
pub fn run(scenario: Scenario, options: RunOptions, control: &Control<'_>) -> Result<Run> {
    let problem = built(&scenario, Work::Run, control)?;
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
    let trajectory = integrate_under(&problem, &scenario.flow, "flow", control)?;
    let limit = reference.after(&problem, &trajectory);
    control.check()?;
    let mut diagnostics = diagnose(&problem, &trajectory, limit.as_ref());
    set_beside(&problem, limit.as_ref(), &mut diagnostics);
    let mut conclusion = judge(&problem, &scenario.flow, &trajectory, &diagnostics);
    control.check()?;
    let steps = match made {
        None => None,
        Some((options, descents, flow)) => {
            let measured = diagnose(&problem, &flow, limit.as_ref());
            let beside = judge(&problem, &scenario.flow, &flow, &measured);
            conclusion = conclusion.standing_on("the flow beside the steps", &beside);
            let flow = (&flow, measured);
            Some(descent::compare(
                &problem,
                limit.as_ref(),
                options,
                descents,
                flow,
            ))
        }
    };
    let verification = if options.verify {
        let (limit, flow) = (limit.as_ref(), &scenario.flow);
        let found = verify(&problem, limit, flow, &diagnostics, control)?;
        conclusion = conclusion.checked_against(&found, &scenario.flow, &trajectory.solver);
        Some(found)
    } else {
        None
    };
    let mut verdicts = claims::check(&Evidence {
        problem: &problem,
        options: &scenario.flow,
        trajectory: &trajectory,
        status: conclusion.status,
        diagnostics: &diagnostics,
        limit: limit.as_ref(),
        steps: steps.as_ref(),
        extend: "flow.until",
    });
    control.check()?;
    let (certificate, certified) = options.certify.of(
        (&problem, limit.as_ref()),
        (&trajectory, &diagnostics),
        &scenario,
        &mut verdicts,
    );
    control.check()?;
    Ok(Run {
        verb: "run",
        options,
        scenario,
        problem,
        limit,
        trajectory,
        diagnostics,
        conclusion,
        steps,
        verdicts,
        verification,
        certificate,
        certified,
    })
}

/// Compares the finite steps of a scenario with the flow, integrated as far as they reach: the run's trajectory is the
/// flow at the times the steps recorded, and only claims about steps are judged.
///
/// # Errors
/// [`Error::Scenario`] if the scenario has no `[steps]`, else as [`run`] and [`descend`].
pub fn compare(scenario: Scenario, allow_nonseparable: bool, control: &Control<'_>) -> Result<Run> {
    let Some(options) = &scenario.steps else {
        return Err(scenario.without_steps());
    };
    let problem = built(&scenario, Work::Compare, control)?;
    let reference = reference_limit(&problem, allow_nonseparable)?;
    control.check()?;
    let descents = descend(&problem, options, control)?;
    let trajectory = flow_beside(&problem, &scenario.flow, &descents, control)?;
    let limit = reference.after(&problem, &trajectory);
    let diagnostics = diagnose(&problem, &trajectory, limit.as_ref());
    let conclusion = judge(&problem, &scenario.flow, &trajectory, &diagnostics);
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
        status: conclusion.status,
        diagnostics: &diagnostics,
        limit: limit.as_ref(),
        steps: Some(&steps),
        extend: "steps.count",
    });
    control.check()?;
    Ok(Run {
        verb: "compare",
        options: RunOptions {
            allow_nonseparable,
            ..RunOptions::default()
        },
        scenario,
        problem,
        limit,
        trajectory,
        diagnostics,
        conclusion,
        steps: Some(steps),
        verdicts,
        verification: None,
        certificate: None,
        certified: Certified::default(),
    })
}

/// Measures the run against the other limits that have been claimed; also where none is predicted, once it fits its
/// data, for then they have limits.
pub fn set_beside(problem: &Problem, limit: Option<&Limit>, diagnostics: &mut Diagnostics) {
    let fits = diagnostics.min_margin.last().is_some_and(|m| *m > 0.0);
    if limit.is_none() && !fits {
        return;
    }
    let g = problem.dataset().signed_samples();
    let candidates = certified_candidates(&diagnostics.theory.candidates, g);
    diagnostics.compare(candidates, g, limit);
}

/// The problem of a scenario; what its data warn of is said at once, for a run may be long, or refused.
fn built(scenario: &Scenario, work: Work, control: &Control<'_>) -> Result<Problem> {
    let problem = scenario.build_for(work)?;
    for caution in problem.dataset().cautions() {
        control.observer.note(format!("caution: {caution}"));
    }
    Ok(problem)
}

impl Run {
    /// The data figures are drawn from.
    #[cfg(feature = "figures")]
    pub fn drawn(&self) -> figures::Drawn<'_> {
        figures::Drawn {
            problem: &self.problem,
            diagnostics: &self.diagnostics,
            limit: self.limit.as_ref(),
            steps: self.steps.as_ref(),
        }
    }

    /// Verdicts that differ from the scenario's `[expect]`: (id, expected, found). What a sweep is expected to show,
    /// one of its cases need not.
    pub fn surprises(&self) -> Vec<(&str, Outcome, Outcome)> {
        let of_sweep = |v: &Verdict| {
            self.scenario.sweep().is_some()
                && claims::find(v.id).is_some_and(|claim| claim.subject == Subject::Sweep)
        };
        self.verdicts
            .iter()
            .filter(|v| !of_sweep(v))
            .filter_map(|v| {
                let expected = *self.scenario.expect.get(v.id)?;
                (expected != v.outcome).then_some((v.id, expected, v.outcome))
            })
            .collect()
    }

    /// The exit code, see [`exit`]: as expected, a claim came out otherwise, the solver failed, is inaccurate or
    /// disagrees with the tighter run, or a budget ran out.
    pub fn exit_code(&self) -> u8 {
        match self.conclusion.status {
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
