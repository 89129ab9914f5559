//! The limit against which a run is measured: known before the run, or only at its end.

use crate::accuracy;
use crate::dataset::Dataset;
use crate::diagnostics::diagnose;
#[cfg(doc)]
use crate::error::Error;
use crate::error::{NotSeparable, Result, SolverError};
use crate::flow::{FlowOptions, SaveAt, integrate};
use crate::limit::{
    FarkasCertificate, Limit, Potential, Separability, feature_max_margin, max_margin, minimise,
    refine,
};
use crate::problem::Problem;
use crate::theory::{self, LimitForm};
use crate::trajectory::Trajectory;

/// What theory says about the limit of a problem before the run.
#[derive(Debug, Clone)]
pub enum Reference {
    /// The certified minimiser of the predicted potential.
    Global(Box<Limit>),
    /// The potential is not convex (p < 1): the limit is a stationary point, and which one depends on the path.
    Local(Potential),
    /// A network that is not linear in its input: the output weights tend to the hard-margin SVM of the features, which
    /// the run itself learns. The data need not be separable by a hyperplane.
    Features,
    /// Theory predicts no limit, or the data are not separable.
    None,
}

impl Reference {
    /// The limit, given the finished run.
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
                let data = problem.dataset();
                let fits = problem.network().margins(theta, data).min() > 0.0;
                let layer = problem.network().output_layer(theta, data)?;
                fits.then(|| feature_max_margin(&layer.features))?
            }
            Self::None => None,
        }
    }

    /// The limit without a given run: the flow is integrated only if the limit depends on it, with two saves. `None`
    /// for non-separable data, if these were allowed, and for ReLU networks that do not fit their data.
    ///
    /// # Errors
    /// [`Error::Solver`] if the flow does not reach its horizon, or no stationary point is found near its end.
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
        let trajectory = integrate(problem, &options, &mut |_| {})?;
        let measured = diagnose(problem, &trajectory, None);
        let conclusion = accuracy::judge(problem, &options, &trajectory, &measured);
        if !conclusion.completed() {
            return Err(SolverError::Unfinished(conclusion.message.unwrap_or_default()).into());
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
/// [`Error::NotSeparable`], naming the support of the certificate, or saying why this could not be decided.
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
        Separability::NotSeparable(certificate) => {
            Err(described(&certificate, problem.dataset()).into())
        }
        Separability::Unreachable { unusable, .. } => {
            Err(NotSeparable::Unreachable { unusable }.into())
        }
        Separability::Undecided(why) => Err(NotSeparable::Undecided(why.to_string()).into()),
    }
}

fn described(certificate: &FarkasCertificate, data: &Dataset) -> NotSeparable {
    let support = &certificate.support;
    let mut columns = data.samples().column_iter();
    NotSeparable::Certified {
        support: (support.iter().map(|n| (*n, certificate.multipliers[*n]))).collect(),
        residual: certificate.residual,
        rows: data.rows_of(support),
        has_constant: columns.any(|x| x[0] != 0.0 && x.iter().all(|entry| *entry == x[0])),
    }
}
