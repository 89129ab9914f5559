//! Makers: what the solvers found, written down so that the checker can follow it. One file per kind of statement.

mod along;
mod classes;
mod kkt_point;
mod least_norm;
mod newton;
mod numbers;

use super::check::{
    self, Certificate, Classes, Data, FORMAT, NonSeparable, Norm, Proof, Separable, Statement,
};
use super::dyadic::Dyadic;
use crate::diagnostics::Diagnostics;
use crate::limit::{FarkasCertificate, Limit, LimitKind, Potential};
use crate::problem::Problem;
use crate::spectrum::Basis;
use crate::trajectory::Trajectory;
use nalgebra::DVector;

/// A finished run, as far as certificates need it.
#[derive(Clone, Copy)]
pub struct Finished<'a> {
    pub trajectory: &'a Trajectory,
    pub diagnostics: &'a Diagnostics,
}

/// The data of a problem as certificates store them; `None` if an entry is not finite.
fn data(problem: &Problem) -> Option<Data> {
    let data = problem.dataset();
    if let Some(outputs) = data.classes() {
        return Some(Data {
            signed_samples: least_norm::rows_of(data.samples())?,
            feedback: Vec::new(),
            classes: Some(Classes {
                outputs,
                labels: (0..data.len()).map(|n| data.class_of(n)).collect(),
            }),
        });
    }
    let entry_by_entry = problem.network().spectrum().is_some();
    let feedback = problem
        .feedback()
        .filter(|_| entry_by_entry)
        .unwrap_or_default();
    Some(Data {
        signed_samples: least_norm::rows_of(data.signed_samples())?,
        feedback: feedback
            .iter()
            .map(|b| Dyadic::list(b.iter()))
            .collect::<Option<_>>()?,
        classes: None,
    })
}

/// The norm that certificates know a potential as.
fn norm(problem: &Problem, potential: &Potential) -> Option<Norm> {
    if potential.is_multiple_of_euclidean() {
        return Some(Norm::Euclidean);
    }
    if potential.matrix.is_some() || potential.vectors > 1 {
        return None;
    }
    let (dimension, basis) = (potential.dimension(), potential.basis);
    let frequencies = basis.frequencies(dimension).len();
    if potential.exponent == 1.0 {
        let plain = Potential::spectral(basis, dimension, 1.0, &vec![1.0; frequencies]);
        return (*potential == plain).then_some(match basis {
            Basis::Standard => Norm::EntriesSum,
            Basis::Fourier => Norm::FrequenciesSum,
        });
    }
    let q = 2f64.powi(problem.network().depth() as i32);
    let is_power = (potential.exponent * (q - 1.0) - q).abs() < 1e-9 * q;
    (is_power && problem.feedback().is_some()).then_some(match basis {
        Basis::Standard => Norm::EntriesPower,
        Basis::Fourier => Norm::FrequenciesPower,
    })
}

/// What is proved of a limit, and of the end of a run that is measured against it.
fn nearness(
    problem: &Problem,
    data: &Data,
    limit: &Limit,
    run: Option<Finished<'_>>,
) -> Option<Proof> {
    let last = run.map(|run| run.trajectory.len() - 1);
    if limit.kind == LimitKind::FeatureMaxMargin {
        // of rows of classes it would be the features of the samples that are stored: no such network has this limit
        let (run, last) = (run?, last.filter(|_| data.classes.is_none())?);
        let theta = run.trajectory.theta.column(last);
        let network = problem.network();
        let theta = &theta.as_slice()[..network.parameters()];
        let layer = network.output_layer(theta, problem.dataset())?;
        let target = least_norm::Target {
            norm: Norm::Euclidean,
            limit,
            rows: &layer.features,
            features: Some(least_norm::rows_of(&layer.features)?),
            directions: vec![(END, layer.weights)],
        };
        return least_norm::make(&target, data).map(Proof::LeastNorm);
    }
    let end = run
        .zip(last)
        .map(|(run, last)| (END, run.diagnostics.beta.column(last).into_owned()));
    let rows = problem.dataset().signed_samples();
    if let Some(shape) = limit.potential.matrix {
        let target = classes::Target {
            limit,
            rows,
            shape,
            depth: problem.network().depth(),
            directions: end.into_iter().collect(),
        };
        return classes::make(&target, data);
    }
    let target = least_norm::Target {
        norm: norm(problem, &limit.potential)?,
        limit,
        rows,
        features: None,
        directions: end.into_iter().collect(),
    };
    least_norm::make(&target, data).map(Proof::LeastNorm)
}

/// The name of the direction at the end of a run.
pub(super) const END: &str = "end of the run";

/// What the solvers found out about a problem.
#[derive(Clone, Copy, Default)]
pub struct Found<'a> {
    /// The limit, if there is one.
    pub limit: Option<&'a Limit>,
    /// The combination of samples that vanishes, if they are not separable.
    pub farkas: Option<&'a FarkasCertificate>,
    /// The run, if there was one.
    pub run: Option<Finished<'a>>,
}

/// Numbers in a matrix of samples up to which a certificate takes about a second or less.
const QUICK: usize = 100_000;

/// Weights times samples up to which that is so of a network with gates.
const QUICK_PAIRS: usize = 10_000;

/// Whether certifying a problem takes about a second at most.
pub fn is_quick(problem: &Problem) -> bool {
    let numbers = problem.dataset().rows() * problem.dataset().predictor_length();
    let network = problem.network();
    let depth = if network.spectrum().is_some() {
        network.depth()
    } else {
        1
    };
    let gated = network.units().is_some();
    let pairs = if gated {
        problem.dataset().len() * network.parameters()
    } else {
        0
    };
    numbers.saturating_mul(depth * depth) <= QUICK && pairs <= QUICK_PAIRS
}

/// Everything that can be proved of a problem; `None` if that is nothing. `label` is the scenario's name and SHA-256.
///
/// What is returned has passed the checker.
pub fn certify(problem: &Problem, found: Found<'_>, label: (&str, &str)) -> Option<Certificate> {
    let data = data(problem)?;
    let mut proofs = Vec::new();
    if let Some(farkas) = found.farkas {
        proofs.extend(lifted(problem, farkas).map(Proof::NonSeparable));
    }
    let near = found
        .limit
        .and_then(|limit| nearness(problem, &data, limit, found.run));
    if let Some(run) = found.run {
        proofs.extend(of_run(problem, &data, run, near.as_ref()));
    }
    proofs.splice(..0, near);
    let mut certificate = Certificate {
        format: FORMAT.into(),
        scenario: label.0.into(),
        scenario_sha256: label.1.into(),
        data,
        statements: proofs.into_iter().map(Statement::of).collect(),
    };
    // a statement that does not pass is none
    let verdicts = check::check(&certificate).ok()?;
    let mut verdicts = verdicts.into_iter();
    certificate
        .statements
        .retain(|_| verdicts.next().is_some_and(|verdict| verdict.is_ok()));
    (!certificate.statements.is_empty()).then_some(certificate)
}

/// What is proved of a run besides its distance from the limit. To add a kind of statement: one line here.
fn of_run(problem: &Problem, data: &Data, run: Finished<'_>, near: Option<&Proof>) -> Vec<Proof> {
    let limit = match near {
        Some(Proof::LeastNorm(limit)) => Some(limit),
        _ => None,
    };
    let one_output = data.classes.is_none();
    let all = [
        near.is_none()
            .then(|| separating(run).map(Proof::Separable))
            .flatten(),
        limit.and_then(|limit| along::sandwich(problem, data, run, limit)),
        along::phases(problem, run),
        along::loss_rises(problem, data, run),
        one_output
            .then(|| along::feedback_margin(problem, data, run))
            .flatten(),
        one_output
            .then(|| kkt_point::make(problem, data, run).map(Proof::KktPoint))
            .flatten(),
    ];
    all.into_iter().flatten().collect()
}

/// The vanishing combination as integers.
fn lifted(problem: &Problem, farkas: &FarkasCertificate) -> Option<NonSeparable> {
    let weights = farkas.lifted(problem.dataset().signed_samples())?;
    let multipliers = weights
        .into_iter()
        .map(|weight| Dyadic::new(weight, 0))
        .collect();
    Some(NonSeparable { multipliers })
}

/// The end of a run on linearly separable data whose limit has no certificate.
fn separating(run: Finished<'_>) -> Option<Separable> {
    let d = run.diagnostics;
    let last = d.min_margin.len() - 1;
    let beta: DVector<f64> = d.beta.column(last).into_owned();
    let separates = !beta.is_empty() && d.min_margin[last] > 0.0;
    separates.then(|| Dyadic::list(beta.iter()).map(|beta| Separable { beta }))?
}
