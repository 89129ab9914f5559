//! Theorem 2 (corrected) without assumptions: a run certifies it by two-sided bounds that hold at every save.
//!
//! The bounds are theorems about the exact flow ([`Sandwich`]); nothing in the integrator enforces them, and the
//! numbers in them come from different ends of the network. They close like 1/a, which carries the limit with them.

use super::direction::TOLERANCE as SMALL;
use super::{
    Claim, Evidence, Outcome, Subject, Verdict, beyond_resolution, not_applicable, theorem_2,
};
use crate::diagnostics::{Sandwich, worse};

pub(super) const CLAIM: Claim = Claim {
    id: "thm-2-unconditional",
    printed: "(Not in the report; its Theorem 2 corrected, and without the assumption that Z converges in direction.) \
              From zero weights a/Ψ ≤ ψ*(Z) ≤ R ≤ a/Ψ + C at all times, with a = Σ_n ∫α_n, ψ and its constrained \
              minimum Ψ from thm-2-corrected, R from ½‖w_L‖² = (c₀/q) R^q and C from Ψ, N and L alone. So Z/a and β \
              converge in direction, β to the minimiser of ψ, and the loss tends to zero.",
    corrected: "True for convolutional and diagonal networks of every depth L ≥ 2, with c₀ = 2^{−(2^L−L−1)}, q = 2^L, \
                C = (π/n)/sin(π/n) (Ψ H/c₀)^{1/n}, n = q − 1, and H = ln N for the exponential loss, ln 2N for the \
                logistic one, on data that can be separated through frequencies the feedback reaches; also where the \
                loss rises on the way. The excess RΨ/a − 1 is at most CΨ/a.",
    check: "Residual: the largest relative amount by which one of the three inequalities fails at a save (of weights \
            as short as atol only what exceeds it), with a from the accumulated multipliers, Z from the first layer, R \
            from the last, Ψ from the certified limit. Tolerance: 100 times the larger of rtol and atol, at most 0.01. \
            Violated beyond it; inconclusive while RΨ/a − 1 is above 0.01 at the end. Hypotheses: convolutional or \
            diagonal linear of depth 2 and more, fixed feedback, zero initial weights, exponential or logistic loss, \
            data separable through the frequencies the feedback reaches.",
    subject: Subject::Flow,
    judge: |e| verdict(e).unwrap_or_else(|verdict| verdict),
};

/// Upper bound of the tolerance, however loosely a run is integrated.
const LARGEST_TOLERANCE: f64 = 0.01;

fn verdict(e: &Evidence<'_>) -> Result<Verdict, Verdict> {
    if let Some(verdict) = theorem_2::hypotheses(e) {
        return Err(verdict);
    }
    let (sandwich, constant) = bounds(e)?;
    let tolerance = (100.0 * e.options.rtol.max(e.options.atol)).min(LARGEST_TOLERANCE);
    let failures = failures(e, sandwich, constant, tolerance);
    let residual = failures.iter().copied().fold(0.0, worse);
    let last = sandwich.accumulated.len() - 1;
    let excess = |x: Option<f64>| x.unwrap_or(f64::INFINITY);
    let (dual, radius, bound) = (
        excess(sandwich.dual_excess(last)),
        excess(sandwich.radius_excess(last)),
        excess(sandwich.bound(last)),
    );
    let measured = format!(
        "over {} saves a/Ψ ≤ ψ*(Z) ≤ R ≤ a/Ψ + C fail by {:.1e}, {:.1e}, {:.1e} at most; at the end ψ*(Z)Ψ/a − 1 = \
         {dual:.3e}, RΨ/a − 1 = {radius:.3e}, CΨ/a = {bound:.3e}",
        last + 1,
        failures[0],
        failures[1],
        failures[2],
    );
    let (outcome, evidence) = if residual > tolerance {
        (Outcome::Violated, measured)
    } else if radius > SMALL {
        let why = format!(
            "the bounds are not close yet, extend {}: {measured}",
            e.extend
        );
        (Outcome::Inconclusive, why)
    } else {
        (Outcome::Holds, measured)
    };
    Ok(Verdict::new(outcome, residual, tolerance, evidence))
}

/// The measured bounds and C.
///
/// # Errors
/// *not applicable*, naming the hypothesis that fails.
fn bounds<'a>(e: &Evidence<'a>) -> Result<(&'a Sandwich, f64), Verdict> {
    if e.problem.theta0().amax() > 0.0 {
        return Err(not_applicable("the initial weights are not zero"));
    }
    if e.problem.network().depth() < 2 {
        return Err(not_applicable("a network of depth 1 has no feedback"));
    }
    if e.diagnostics.theory.sandwich.is_none() {
        return Err(not_applicable(
            "the loss is neither exponential nor logistic",
        ));
    }
    let measured = e.diagnostics.sandwich.as_ref();
    measured
        .map(|sandwich| (sandwich, sandwich.constant))
        .ok_or_else(|| {
            Verdict::without_measurement(
                Outcome::Inconclusive,
                "the multipliers were not accumulated along the run",
            )
        })
}

/// The largest relative amounts by which the three inequalities fail, from left to right.
pub(super) fn failures(
    e: &Evidence<'_>,
    sandwich: &Sandwich,
    constant: f64,
    tolerance: f64,
) -> [f64; 3] {
    let norms = &e.diagnostics.layer_norms;
    let last = norms.nrows() - 1;
    let largest = |layer: usize, pair: &dyn Fn(usize) -> (f64, f64)| {
        let errors = (0..sandwich.accumulated.len()).map(|k| {
            let (smaller, larger) = pair(k);
            let excess = if smaller > larger {
                1.0 - larger / smaller
            } else {
                0.0
            };
            (excess, norms[(layer, k)])
        });
        beyond_resolution(e, tolerance, errors)
    };
    let (dual, radius) = (&sandwich.dual, &sandwich.radius);
    let below = |k: usize| sandwich.accumulated[k] / sandwich.least;
    [
        largest(0, &|k| (below(k), dual[k])),
        largest(last, &|k| (dual[k], radius[k])),
        largest(last, &|k| (radius[k], below(k) + constant)),
    ]
}
