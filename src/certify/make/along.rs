//! Statements about numbers along a run, and about its start.

use super::Finished;
use super::numbers::excess;
use crate::activation::Formula;
use crate::certify::check::{
    Data, Exact, FeedbackMargin, LeastNorm, LossRises, Norm, Phases, Proof, Sandwich, Statement,
    Weights, verify,
};
use crate::certify::dyadic::Dyadic;
use crate::diagnostics::loss_rate;
use crate::loss::Loss;
use crate::problem::Problem;
use crate::spectrum::Basis;
use crate::theory::Alignment;
use nalgebra::{DMatrix, DVector};

/// Proposition 2 refuted, where its hypotheses hold and it is false.
pub(super) fn phases(problem: &Problem, run: Finished<'_>) -> Option<Proof> {
    let d = run.diagnostics;
    let from_zero = problem.theta0().amax() == 0.0;
    let is_convolutional = problem
        .network()
        .spectrum()
        .is_some_and(|s| s.basis() == Basis::Fourier);
    let aligned = matches!(d.theory.alignment, Some(Alignment::Frequencies(_)))
        && d.theory.errors.are_fixed();
    let is_known = [Loss::Exponential, Loss::Logistic].contains(&problem.loss());
    (from_zero && is_convolutional && aligned && is_known).then_some(Proof::Phases(Phases {}))
}

/// The bounds of Theorem 2, at the latest save where the errors of the run leave them intact: R exceeds a/Ψ by a
/// constant, which is ever less in relation to a.
pub(super) fn sandwich(
    problem: &Problem,
    data: &Data,
    run: Finished<'_>,
    limit: &LeastNorm,
) -> Option<Proof> {
    let law = run.diagnostics.theory.sandwich.as_ref()?;
    let is_power = matches!(limit.norm, Norm::EntriesPower | Norm::FrequenciesPower);
    if !is_power || law.off_zero.is_some() || problem.loss() != Loss::Exponential {
        return None;
    }
    let exact = Exact::of(data).ok()?;
    let last = run.trajectory.len() - 1;
    let saves = (1..=last).rev().step_by((last / TRIES).max(1));
    saves.into_iter().find_map(|k| {
        let proof = sandwich_at(problem, &exact, run, limit, k)?;
        let found = Statement::of(Proof::Sandwich(proof));
        verify(&found, &exact).is_ok().then_some(found.proof)
    })
}

fn sandwich_at(
    problem: &Problem,
    exact: &Exact<'_>,
    run: Finished<'_>,
    limit: &LeastNorm,
    save: usize,
) -> Option<Sandwich> {
    let accumulated = run.trajectory.accumulated.as_ref()?.column(save);
    let network = problem.network();
    let theta = run.trajectory.theta.column(save);
    let weights = accumulated.iter().map(|a| Dyadic::from_f64(a.max(0.0)));
    let mut proof = Sandwich {
        norm: limit.norm,
        multipliers: limit.multipliers.clone(),
        accumulated: weights.collect::<Option<_>>()?,
        output: Dyadic::list(&theta.as_slice()[network.layout().range(network.depth() - 1)])?,
        dual_excess: Dyadic::zero(),
        radius_excess: Dyadic::zero(),
        slack: Dyadic::zero(),
    };
    let parts = proof.parts(exact).ok()?;
    proof.dual_excess = excess(&parts.dual, parts.q)?;
    proof.radius_excess = excess(&parts.radius, parts.q)?;
    proof.slack = excess(&parts.order, 1)?;
    Some(proof)
}

/// That the loss rises at the save where it rises fastest.
pub(super) fn loss_rises(problem: &Problem, data: &Data, run: Finished<'_>) -> Option<Proof> {
    let spectrum = problem.network().spectrum()?;
    let is_convolutional = spectrum.basis() == Basis::Fourier && !data.feedback.is_empty();
    if !is_convolutional || problem.loss() != Loss::Exponential {
        return None;
    }
    let rates = loss_rate(problem, run.trajectory);
    let fastest = (0..rates.len()).max_by(|j, k| rates[*j].total_cmp(&rates[*k]))?;
    if rates[fastest] <= 0.0 {
        return None;
    }
    let theta = run.trajectory.theta.column(fastest);
    let layers = theta.as_slice()[..problem.network().parameters()].chunks(spectrum.dimension());
    let entries = |w: &[f64]| {
        let original = Basis::Fourier.original(&DVector::from_column_slice(w));
        Dyadic::list(original.iter())
    };
    let layers = layers.map(entries).collect::<Option<_>>()?;
    let proof = Proof::LossRises(LossRises { layers });
    let found = Statement::of(proof);
    verify(&found, &Exact::of(data).ok()?)
        .is_ok()
        .then_some(found.proof)
}

/// That the margin of feedback has risen, from as early a save as that can be proved of.
pub(super) fn feedback_margin(problem: &Problem, data: &Data, run: Finished<'_>) -> Option<Proof> {
    let law = run.diagnostics.theory.feedback_margin.as_ref()?;
    let network = problem.network();
    let activation = network.units()?.activation();
    let slope = activation
        .kink()
        .filter(|_| activation.degree() == 1)?
        .gate(false);
    if law.offset != 0.0 || problem.loss() != Loss::Exponential || network.depth() != 2 {
        return None;
    }
    let weights = |k: usize| {
        let theta = run.trajectory.theta.column(k);
        let mut layers = network.weights(&theta.as_slice()[..network.parameters()]);
        let (output, hidden) = (layers.pop()?, layers.pop()?);
        Some(Weights {
            hidden: columns(&hidden)?,
            output: Dyadic::list(output.iter())?,
        })
    };
    let labels = problem
        .dataset()
        .labels()
        .iter()
        .map(|y| if *y > 0.0 { 1 } else { -1 });
    let last = run.trajectory.len() - 1;
    let mut proof = FeedbackMargin {
        slope: Dyadic::from_f64(slope)?,
        labels: labels.collect(),
        earlier: weights(last)?,
        later: weights(last)?,
    };
    let exact = Exact::of(data).ok()?;
    let margins = &run.diagnostics.min_margin;
    // from where on the loss is below one
    let entropy = (problem.dataset().len() as f64).ln();
    let first = margins.iter().position(|m| *m > entropy)?;
    let steps = (first..last).step_by(((last - first) / TRIES).max(1));
    for k in steps {
        proof.earlier = weights(k)?;
        let found = Statement::of(Proof::FeedbackMargin(proof.clone()));
        if verify(&found, &exact).is_ok() {
            return Some(found.proof);
        }
    }
    None
}

/// Saves that are tried as the earlier one.
const TRIES: usize = 20;

fn columns(matrix: &DMatrix<f64>) -> Option<Vec<Vec<Dyadic>>> {
    matrix
        .column_iter()
        .map(|column| Dyadic::list(column.iter()))
        .collect()
}
