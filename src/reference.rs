//! The limit a run is measured against: known before the run, or only at its end.

use crate::accuracy;
use crate::diagnostics::diagnose;
use crate::error::{Error, Result};
use crate::flow::{FlowOptions, SaveAt, integrate};
use crate::limit::{
    FarkasCertificate, Limit, Potential, Separability, feature_max_margin, max_margin, minimise,
    predicted, refine,
};
use crate::problem::Problem;
use crate::trajectory::Trajectory;

/// What theory says about the limit of a problem before it is run.
#[derive(Debug, Clone)]
pub enum Reference {
    /// The certified minimiser of the predicted potential.
    Global(Box<Limit>),
    /// The potential is not convex (p < 1): the limit is a stationary point, and which one depends on the path.
    Local(Potential),
    /// A ReLU network: the output weights tend to the hard-margin SVM of the features, which the run itself learns.
    /// Whether a hyperplane separates the data does not matter.
    Features,
    /// The data are not separable.
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
                let beta = problem.network.predictor(theta)?;
                refine(problem.dataset.signed_samples(), &potential, &beta)
            }
            Self::Features => {
                let fits = problem.network.margins(theta, &problem.dataset).min() > 0.0;
                fits.then(|| feature_max_margin(problem, theta))?
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
        let trajectory = integrate(problem, &options, &mut |_| {})?;
        let measured = diagnose(problem, &trajectory, None);
        let conclusion = accuracy::judge(problem, &options, &trajectory, &measured);
        if !conclusion.completed() {
            return Err(Error::Solver(conclusion.message.unwrap_or_default()));
        }
        match self.after(problem, &trajectory) {
            None if local => Err(Error::Solver(
                "no stationary point was found next to the end of the run: it is not yet near its limit; extend \
                 flow.until"
                    .into(),
            )),
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
    if problem.network.relu().is_some() {
        return Ok(Reference::Features);
    }
    let potential = predicted(problem);
    let g = problem.dataset.signed_samples();
    let local = potential.exponent < 1.0;
    let decision = if local {
        max_margin(g)
    } else {
        minimise(g, &potential)
    };
    match decision {
        Separability::Separable(_) if local => Ok(Reference::Local(potential)),
        Separability::Separable(limit) => Ok(Reference::Global(Box::new(limit))),
        _ if allow_nonseparable => Ok(Reference::None),
        Separability::NotSeparable(certificate) => Err(Error::NotSeparable(describe(&certificate))),
        Separability::Unreachable { unusable, .. } => Err(Error::NotSeparable(format!(
            "the data are separable, but not through the frequencies that learn by feedback: the feedback vanishes at \
             {unusable:?} (from 0); take another feedback; --allow-nonseparable runs the flow all the same"
        ))),
        Separability::Undecided(why) => Err(Error::NotSeparable(format!(
            "the limit could not be certified: {why}; --allow-nonseparable runs the flow all the same"
        ))),
    }
}

fn describe(certificate: &FarkasCertificate) -> String {
    let listed: Vec<String> = certificate
        .support
        .iter()
        .map(|n| format!("{} ({:.3})", n + 1, certificate.multipliers[*n]))
        .collect();
    format!(
        "the data are not separable by a hyperplane through the origin: the non-negative combination of signed samples \
         y_n x_n with weights n (a_n) = {} vanishes (relative residual {:.1e}), so no direction has a positive margin \
         on all of them; add a constant feature if the separating plane need not pass through the origin, or \
         --allow-nonseparable to run the flow all the same (claims about limits are then not applicable)",
        listed.join(", "),
        certificate.residual
    )
}
