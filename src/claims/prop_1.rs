//! Proposition 1: from zero weights DFA aligns every layer of a fully connected linear network with the feedback.

use super::{Claim, Evidence, Outcome, Subject, Verdict, limit_of_completed_run, not_applicable};

pub const CLAIM: Claim = Claim {
    id: "prop-1",
    printed: "Under direct feedback alignment from zero weights, the layers of a fully connected linear network stay \
              proportional to the outer products of the feedback vectors; the loss decreases to zero and the norms of \
              all layers diverge.",
    corrected: "True and exact: w_1 = Z b_1ᵀ, w_l = φ_l b_{l−1} b_lᵀ with φ_2 = ½‖Z‖², φ_{l+1} = ½‖b_{l−1}‖² φ_l² \
                (the report's recursion A.1 is misprinted).",
    check: "Residual: the largest of ‖w_l − φ_l b_{l−1} b_lᵀ‖/‖w_l‖ over layers and saves, and of the relative \
            difference between φ_l and the recursion. Tolerance: 100 times \
            the larger of rtol and atol, at most 0.01. The loss must fall from save to save, every \
            layer's norm must grow over the last third of the run, and −ln 𝓛/ln t must be within a tenth of one at the \
            end (else inconclusive). Hypotheses: fully connected linear, DFA, depth ≥ 2, \
            zero initial weights, separable data.",
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
    let (outer, recursion) = (alignment.worst_residual(), alignment.worst_recursion());
    let residual = outer.max(recursion);
    let d = e.diagnostics;
    let rise = d.log_loss.windows(2).position(|pair| pair[1] > pair[0]);
    let last = d.log_time.len() - 1;
    let decay = -d.log_loss[last] / d.log_time[last];
    let measured = format!(
        "largest distance from the outer products {outer:.1e}, from the recursion of φ_l {recursion:.1e}; \
         −ln 𝓛/ln t = {decay:.4} at the end"
    );
    if residual > tolerance {
        return Verdict::new(Outcome::Violated, residual, tolerance, measured);
    }
    if let Some(k) = rise {
        return Verdict::new(
            Outcome::Violated,
            residual,
            tolerance,
            format!(
                "the loss rises after ln t = {:.6e}; {measured}",
                d.log_time[k]
            ),
        );
    }
    let earlier = last - last / 3;
    if let Some(l) = (0..d.layer_norms.nrows())
        .find(|&l| d.layer_norms[(l, last)] <= d.layer_norms[(l, earlier)])
    {
        return Verdict::new(
            Outcome::Violated,
            residual,
            tolerance,
            format!("the norm of layer {} does not grow; {measured}", l + 1),
        );
    }
    if (decay - 1.0).abs() > 0.1 {
        return Verdict::new(
            Outcome::Inconclusive,
            residual,
            tolerance,
            format!(
                "too early to see the loss tend to zero like 1/t (extend flow.until); {measured}"
            ),
        );
    }
    Verdict::new(Outcome::Holds, residual, tolerance, measured)
}
