//! Proposition 1: from zero weights DFA aligns every layer of a fully connected linear network with the feedback.

use super::loss_decreases::largest_rise;
use super::{
    Claim, Evidence, Outcome, Subject, Verdict, beyond_resolution, limit_of_completed_run,
    not_applicable,
};
use crate::accuracy;
use nalgebra::DMatrix;

pub(super) const CLAIM: Claim = Claim {
    id: "prop-1",
    printed: "Under direct feedback alignment from zero weights, the layers of a fully connected linear network stay \
              proportional to the outer products of the feedback vectors; the loss decreases to zero and the norms of \
              all layers diverge.",
    corrected: "True and exact: w_1 = Z b_1ᵀ, w_l = φ_l b_{l−1} b_lᵀ with φ_2 = ½‖Z‖², φ_{l+1} = ½‖b_{l−1}‖² φ_l² \
                (the report's recursion A.1 is misprinted).",
    check: "Residual: the largest of ‖w_l − φ_l b_{l−1} b_lᵀ‖/‖w_l‖ over layers and saves, and of the relative \
            difference between φ_l and the recursion (of layers as short as atol only what exceeds it). Tolerance: 100 \
            times the larger of rtol and atol, at most 0.01. Violated beyond it, or if ln 𝓛 rises over the steps of \
            the integrator (by 20 rtol of max(1, |ln 𝓛|) or more; below rtol = 1e-6, by 20 √(1e-6 rtol)). Inconclusive \
            unless every layer's norm grows over \
            the last third of the run and −ln 𝓛/ln t is within a tenth of one at the end. Hypotheses: fully connected \
            linear, DFA, depth ≥ 2, zero initial weights, separable data.",
    subject: Subject::Flow,
    judge,
};

/// However loosely a run is integrated, layers further than this from the outer products are not aligned.
const LARGEST_TOLERANCE: f64 = 0.01;

fn judge(e: &Evidence<'_>) -> Verdict {
    if let Some(verdict) = super::other_rule(e, true) {
        return verdict;
    }
    if let Some(verdict) =
        super::other_limit(e, "thm-1", "the network is not fully connected linear")
    {
        return verdict;
    }
    let Some(alignment) = &e.diagnostics.alignment else {
        return not_applicable(match e.problem.network().depth() {
            1 => "a network of depth 1 has no layer to align",
            _ => "the alignment with feedback of this size leaves the range of double precision",
        });
    };
    if e.problem.theta0().amax() > 0.0 {
        return not_applicable("the initial weights are not zero");
    }
    if let Err(verdict) = limit_of_completed_run(e) {
        return verdict;
    }
    let tolerance = (100.0 * e.options.rtol.max(e.options.atol)).min(LARGEST_TOLERANCE);
    let d = e.diagnostics;
    let norms = &d.layer_norms;
    let each = |errors: DMatrix<f64>, first: usize| {
        let sizes = norms.rows(first, errors.nrows()).into_owned();
        beyond_resolution(
            e,
            tolerance,
            errors.iter().copied().zip(sizes.iter().copied()),
        )
    };
    let outer = each(alignment.residual.clone(), 0);
    let recursion = each(alignment.recursion(), 1);
    let residual = outer.max(recursion);
    let rise = largest_rise(e);
    let last = d.log_time.len() - 1;
    let decay = -d.log_loss[last] / d.log_time[last];
    let measured = format!(
        "largest distance from the outer products {outer:.1e}, from the recursion of φ_l {recursion:.1e}; \
         −ln 𝓛/ln t = {decay:.4} at the end"
    );
    if residual > tolerance {
        return Verdict::new(Outcome::Violated, residual, tolerance, measured);
    }
    if rise.largest > accuracy::tolerance(e.options) {
        return Verdict::new(
            Outcome::Violated,
            residual,
            tolerance,
            format!(
                "the loss rises by {:.2e} in ln 𝓛 from log-log-time {:.4} on; {measured}",
                rise.nats, rise.from
            ),
        );
    }
    let earlier = last - last / 3;
    let still = (0..norms.nrows()).find(|&l| norms[(l, last)] <= norms[(l, earlier)]);
    let too_early = match still {
        Some(l) => Some(format!("the norm of layer {} does not grow now", l + 1)),
        None if (decay - 1.0).abs() > 0.1 => {
            Some("too early to see the loss tend to zero like 1/t".to_owned())
        }
        None => None,
    };
    if let Some(why) = too_early {
        let text = format!("{why} (extend {}); {measured}", e.extend);
        return Verdict::new(Outcome::Inconclusive, residual, tolerance, text);
    }
    Verdict::new(Outcome::Holds, residual, tolerance, measured)
}
