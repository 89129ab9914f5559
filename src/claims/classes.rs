//! Claims of our own on linear networks with several outputs.

use super::direction::Approach;
use super::directional_limit::angle_to_limit;
use super::theorem_2_unconditional;
use super::{
    Claim, Evidence, Outcome, Subject, Verdict, beyond_resolution, direction,
    limit_of_completed_run, not_applicable,
};
use crate::diagnostics::worse;
use crate::theory::{GD_CONV_VECTOR, GD_FC_VECTOR, THM_1_VECTOR, imprisoned_entry};

pub(super) const PROP_1: Claim = Claim {
    id: "prop-1-vector",
    printed: "(Ours; the report treats one output.) From zero weights fixed feedback aligns every layer of a fully \
              connected linear network with C outputs: w_1 = Z F_1ᵀ, w_l = F_{l−1} C_l F_lᵀ, with sym C_2 = ½ZᵀZ and \
              sym C_{l+1} = ½C_lᵀK_{l−1}C_l, K_l = F_lᵀF_l.",
    corrected: "True for all times, whatever the loss. The antisymmetric parts are areas that Z sweeps; they fall \
                behind the symmetric ones where Z comes to point in one direction.",
    check: "Residual: the largest relative distance of sym C_l from its law over all saves. Tolerance: a hundred times \
            the run's own, at most 1e-3; beyond it violated. Inconclusive while the relative area ‖anti C_l‖/‖sym C_l‖ \
            of some layer is above 0.01 at the end and does not fall. Hypotheses: fully connected linear with several \
            outputs, two layers or more, fixed feedback with F_l⁺F_l the identity on differences of outputs (it \
            is where F_l has rank C), zero initial weights: elsewhere Z and the C_l cannot be told from the weights.",
    subject: Subject::Flow,
    judge: alignment,
};

pub(super) const THM_1: Claim = Claim {
    id: THM_1_VECTOR,
    printed: "(Ours.) Under fixed feedback with F_lᵀF_l ∝ 1 a fully connected linear network with C outputs converges \
              in direction to the minimiser of the Schatten norm with p = 2^L/(2^L − 1) subject to \
              ⟨x_n (e_c − e_k)ᵀ, β⟩ ≥ 1: not the limit of gradient descent, unlike with one output.",
    corrected: "As stated, on differences of outputs: F_lᵀF_l has to be a multiple of the identity there (orthonormal \
                feedback, or wide Gaussian feedback in the limit). From zero weights and with the exponential or the \
                logistic loss over pairs it is proved without assumptions: a/Ψ ≤ ‖Z‖_q ≤ R ≤ a/Ψ + C at all times \
                (docs/theory.md, section 12). The angle falls like (log t)^{−a/(2^L−1)}, a ≤ 1 of the limit. For L = 1 \
                it is the multi-class SVM.",
    check: CHECK,
    subject: Subject::Flow,
    judge: |e| limit(e, THM_1_VECTOR, true),
};

pub(super) const GD_FC: Claim = Claim {
    id: GD_FC_VECTOR,
    printed: "(Ours; known for L = 2.) Under gradient descent a fully connected linear network with C outputs \
              converges in direction to the minimiser of the Schatten norm with p = 2/L subject to \
              ⟨x_n (e_c − e_k)ᵀ, β⟩ ≥ 1: the multi-class SVM for L = 1, the least nuclear norm for L = 2.",
    corrected: "True for L ≤ 2 from generic weights; for L > 2 the limit is a first-order stationary point, which one \
                depends on the path.",
    check: CHECK,
    subject: Subject::Flow,
    judge: |e| limit(e, GD_FC_VECTOR, false),
};

pub(super) const GD_CONV: Claim = Claim {
    id: GD_CONV_VECTOR,
    printed: "(Ours.) Under gradient descent a convolutional linear network with C outputs converges in direction to a \
              minimiser of Σ_d ‖β̂[d]‖^{2/L}, with the norm over the C outputs at every frequency, subject to \
              ⟨x_n (e_c − e_k)ᵀ, β⟩ ≥ 1. Diagonal networks: the same without the transform.",
    corrected: "True for L ≤ 2 from generic weights, where the problem is convex: at L = 2 all outputs use the same \
                few frequencies. For L > 2 the limit is a first-order stationary point, which one depends on the path.",
    check: "As gd-fc-vector. Hypotheses: convolutional or diagonal linear with several outputs, gradient descent, \
            separable data; at L = 2 no entry of the spectrum that starts at zero in both layers, and with two outputs \
            no real one at equal moduli.",
    subject: Subject::Flow,
    judge: |e| match imprisoned_entry(e.problem) {
        Some(d) => not_applicable(format!(
            "entry {d} of the spectrum cannot take every value from these initial weights: both layers start it at \
             zero, or, with two outputs, a real one at equal moduli, which stay equal"
        )),
        None => limit(e, GD_CONV_VECTOR, false),
    },
};

const CHECK: &str = "Residual: the final angle between the predictor and the certified minimiser (p < 1: the relative \
                     distance of the gradient of the potential from the cone of the active rows). Tolerance: 0.01, and \
                     it must still fall, have stayed within it all through the last third of the run, or be below \
                     1e-6. Violated only where the proved bounds fail by more than a hundred times the run's own \
                     tolerance, or where the run's own duality gap proves that it passes by the minimiser; \
                     inconclusive otherwise. Hypotheses: fully connected linear with several outputs, separable data.";

pub(super) const COMPLEMENTARITY: Claim = Claim {
    id: "dfa-complementarity",
    printed: "(Ours.) From zero weights and under any fixed feedback, a fully connected linear network with C outputs \
              ends at a solution of a complementarity problem: β ∝ ZK_1C_2K_2⋯K_{L−1}C_L with C_2 = ½ZᵀZ, C_{l+1} = \
              ½C_lᵀK_{l−1}C_l, K_l = F_lᵀF_l, and Z in the cone of the rows x_n (e_c − e_k)ᵀ of smallest margin.",
    corrected: "Derived where Z converges in direction, which is proved for K_l ∝ 1 only: there it is the minimiser of \
                thm-1-vector. With other K_l no norm is minimised; near K_l ∝ 1 the solution is the only one nearby, \
                and Gaussian feedback of n units leads away from that minimiser by about 1/√n (docs/theory.md, \
                section 12).",
    check: "Residual: the larger of the relative distances of β from the direction that Z gives, and of Z from the \
            cone of the rows within one percent of the smallest margin. Tolerance: 0.01, still falling (like (log \
            t)^{−1/40} or faster) or below 1e-6; inconclusive otherwise. Hypotheses: fully connected linear with \
            several outputs, two layers or more, fixed feedback with F_l⁺F_l, but not F_lᵀF_l, a multiple of the \
            identity on differences of outputs, zero initial weights, separable data.",
    subject: Subject::Flow,
    judge: complementarity,
};

fn complementarity(e: &Evidence<'_>) -> Verdict {
    if let Some(verdict) = super::other_rule(e, true) {
        return verdict;
    }
    let measured = e.diagnostics.classes.as_ref();
    let Some(residuals) = measured.and_then(|classes| classes.complementarity.as_ref()) else {
        return not_applicable(match e.diagnostics.theory.limit {
            Some(_) if e.problem.network().outputs() > 1 => "the predicted limit minimises a norm",
            _ => without_matrices(e),
        });
    };
    if let Some(verdict) = super::unfinished(e) {
        return verdict;
    }
    let approach = Approach {
        named: ("complementarity residual", ""),
        distance: residuals,
        expected: None,
        certified: false,
        contradiction: None,
        more: String::new(),
    };
    direction::judge(e, &approach)
}

/// Why Z and the C_l are not measured.
fn without_matrices(e: &Evidence<'_>) -> &'static str {
    match e.problem.network().outputs() {
        1 => "the network has one output",
        _ if e.problem.theta0().amax() > 0.0 => "the initial weights are not zero",
        _ if e.problem.network().depth() == 1 => "a network of depth 1 has no layer to align",
        _ if e.problem.feedback_matrices().is_some() => {
            "F_l⁺F_l is not the identity on differences of outputs (a hidden layer is narrow, or its feedback of low \
             rank): Z and C_l cannot be told from the weights"
        }
        _ => "the network is not fully connected linear",
    }
}

/// As for one output.
const LARGEST_TOLERANCE: f64 = 1e-3;

fn limit(e: &Evidence<'_>, id: &str, feedback: bool) -> Verdict {
    if let Some(verdict) = super::other_rule(e, feedback) {
        return verdict;
    }
    let why = match e.problem.network().outputs() {
        1 => "the network has one output",
        _ if feedback => {
            "no norm is minimised: the feedback is not a multiple of orthonormal columns on differences of outputs, or \
             the network is not fully connected linear"
        }
        _ if id == GD_CONV_VECTOR => "the network is neither convolutional nor diagonal linear",
        _ => "the network is not fully connected linear",
    };
    if let Some(verdict) = super::other_limit(e, id, why) {
        return verdict;
    }
    let convex =
        (e.diagnostics.theory.potential()).is_none_or(|potential| potential.exponent >= 1.0);
    if convex {
        return limit_of_completed_run(e)
            .map_or_else(|verdict| verdict, |_| between_bounds(e, angle_to_limit(e)));
    }
    if let Some(verdict) = super::unfinished(e) {
        return verdict;
    }
    let approach = Approach {
        named: ("stationarity residual", ""),
        distance: &e.diagnostics.kkt_residual,
        expected: None,
        certified: false,
        contradiction: None,
        more: String::new(),
    };
    direction::judge(e, &approach)
}

/// A verdict on the angle, together with the bounds that theory proves of the accumulated signal, where it has any.
fn between_bounds(e: &Evidence<'_>, verdict: Verdict) -> Verdict {
    let sandwich = e.diagnostics.sandwich.as_ref();
    let Some(sandwich) = sandwich else {
        return verdict;
    };
    let tolerance = (100.0 * e.options.rtol.max(e.options.atol)).min(LARGEST_TOLERANCE);
    let failures = theorem_2_unconditional::failures(e, sandwich, sandwich.constant, tolerance);
    let worst = failures.iter().copied().fold(0.0, worse);
    let bounds = format!("a/Ψ ≤ ψ*(Z) ≤ R ≤ a/Ψ + C fail by {worst:.1e} at most");
    if worst > tolerance {
        let evidence = format!("{bounds}: {}", verdict.evidence);
        return Verdict::new(Outcome::Violated, worst, tolerance, evidence);
    }
    Verdict {
        evidence: format!("{}; {bounds}", verdict.evidence),
        ..verdict
    }
}

fn alignment(e: &Evidence<'_>) -> Verdict {
    if let Some(verdict) = super::other_rule(e, true) {
        return verdict;
    }
    let areas = (e.diagnostics.classes.as_ref()).and_then(|classes| classes.areas.as_ref());
    let Some(areas) = areas else {
        return not_applicable(without_matrices(e));
    };
    if let Some(verdict) = super::unfinished(e) {
        return verdict;
    }
    let tolerance = (100.0 * e.options.rtol.max(e.options.atol)).min(LARGEST_TOLERANCE);
    let norms = &e.diagnostics.layer_norms;
    let sizes = norms.rows(1, areas.recursion.nrows());
    let errors = areas.recursion.iter().copied().zip(sizes.iter().copied());
    let residual = beyond_resolution(e, tolerance, errors);
    let last = areas.swept.ncols() - 1;
    // nothing has been swept where nothing has been learned
    let swept: Vec<Option<f64>> = (areas.swept.column_iter())
        .map(|layers| Some(layers.max()).filter(|area| *area > 0.0))
        .collect();
    let measured = format!(
        "largest distance from the law of the symmetric parts {residual:.1e}; relative areas at the end {}",
        (areas.swept.column(last).iter())
            .map(|area| format!("{area:.1e}"))
            .collect::<Vec<_>>()
            .join(", ")
    );
    if residual > tolerance {
        return Verdict::new(Outcome::Violated, residual, tolerance, measured);
    }
    let approach = Approach {
        named: ("relative area", ""),
        distance: &swept,
        expected: None,
        certified: false,
        contradiction: None,
        more: String::new(),
    };
    let course = direction::judge(e, &approach);
    let evidence = format!("{measured}; {}", course.evidence);
    Verdict::new(course.outcome, residual, tolerance, evidence)
}
