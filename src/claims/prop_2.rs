//! Proposition 2: from zero weights, what multiple of the feedback is each layer of a convolutional network?

use super::{Claim, Evidence, Outcome, Subject, Verdict, beyond_resolution, not_applicable};
use crate::diagnostics::Phases;
use std::f64::consts::FRAC_PI_2;

pub(super) const PRINTED: Claim = Claim {
    id: "prop-2",
    printed: "Under direct feedback alignment from zero weights, the Fourier coefficients of every layer of a \
              convolutional \
              linear network stay positively proportional to those of the feedback: ŵ_l = φ_l b̂_{l−1} b̂_l^* with φ_l \
              > 0.",
    corrected: "False at finite time: φ_l is complex, its imaginary part an area swept (see prop-2-corrected). The \
                proof \
                rests on a lemma that the real part of the DFT matrix is invertible; its rank is ⌊D/2⌋ + 1. Exact for \
                diagonal networks, for even data and for D ≤ 2.",
    check: "Residual: the largest |arg φ_l| over layers, frequencies and saves (entries of ŵ_l above atol). Tolerance: \
            100 times the larger of rtol and atol, at most 0.01 rad. Violated if a phase exceeds it by more than the \
            errors of the run can turn its entry, inconclusive if none does. Holds where no phase does and the data \
            lie on a line through the origin at every frequency, so that none ever will. Hypotheses: convolutional or \
            diagonal linear, fixed feedback, depth ≥ 2, zero initial weights.",
    subject: Subject::Flow,
    judge: printed,
};

pub(super) const CORRECTED: Claim = Claim {
    id: "prop-2-corrected",
    printed: "(Not in the report; its Proposition 2 corrected.) Re φ_2 = ½|Ẑ|² and Re φ_{l+1} = ½|b̂_{l−1}|²|φ_l|² \
              exactly, so \
              arg φ_l ∈ (−π/2, π/2); and arg φ_l → 0.",
    corrected: "True; the phases fall like the angle to the limit (rate-dfa) where Ẑ converges in direction.",
    check: "Residual: the largest distance of Re φ_l from the recursion over saves, relative to the layer (of layers \
            as short as atol only what exceeds it). Tolerance: 100 times the larger of rtol and atol, at most 0.01. \
            Violated beyond it, or where a phase reaches π/2 by more than the errors of the run. Inconclusive unless \
            every |arg φ_l| is below 0.01 rad at the end. Hypotheses as for prop-2, and separable data.",
    subject: Subject::Flow,
    judge: corrected,
};

/// Upper bound of the tolerance, however loosely a run is integrated.
const LARGEST_TOLERANCE: f64 = 0.01;

/// Phases below this count as zero (radians).
const SMALL_PHASE: f64 = 0.01;

fn measured<'a>(e: &'a Evidence<'_>) -> Result<&'a Phases, Verdict> {
    if let Some(verdict) = super::other_rule(e, true) {
        return Err(verdict);
    }
    let why = "the network is neither convolutional nor diagonal linear";
    if let Some(verdict) = super::other_limit(e, "thm-2-corrected", why) {
        return Err(verdict);
    }
    let Some(phases) = &e.diagnostics.phases else {
        return Err(not_applicable("a network of depth 1 has no layer to align"));
    };
    if e.problem.theta0().amax() > 0.0 {
        return Err(not_applicable("the initial weights are not zero"));
    }
    super::unfinished(e).map_or(Ok(phases), Err)
}

fn tolerance(e: &Evidence<'_>) -> f64 {
    (100.0 * e.options.rtol.max(e.options.atol)).min(LARGEST_TOLERANCE)
}

/// The largest phase in words.
fn largest_phase(e: &Evidence<'_>, phases: &Phases) -> (f64, String) {
    let worst = phases.worst_argument();
    let text = format!(
        "the largest |arg φ_l| is {:.4} rad (l = {}, frequency {}, ln t = {:.3e})",
        worst.radians, worst.layer, worst.frequency, e.diagnostics.log_time[worst.save]
    );
    (worst.radians, text)
}

fn printed(e: &Evidence<'_>) -> Verdict {
    let phases = match measured(e) {
        Ok(phases) => phases,
        Err(verdict) => return verdict,
    };
    let (worst, text) = largest_phase(e, phases);
    let certain = phases.certain.max();
    let (outcome, text) = if worst <= tolerance(e) && phases.on_lines {
        (Outcome::Holds, text)
    } else if worst <= tolerance(e) {
        let why = "no phase yet, but the data do not exclude one, extend flow.until";
        (Outcome::Inconclusive, format!("{why}: {text}"))
    } else if certain > tolerance(e) {
        (Outcome::Violated, text)
    } else {
        let why = "too small an entry to have a phase, lower flow.rtol and flow.atol";
        (Outcome::Inconclusive, format!("{why}: {text}"))
    };
    Verdict::new(outcome, worst, tolerance(e), text)
}

fn corrected(e: &Evidence<'_>) -> Verdict {
    let phases = match measured(e) {
        Ok(phases) => phases,
        Err(verdict) => return verdict,
    };
    if let Err(verdict) = super::limit_of_completed_run(e) {
        return verdict;
    }
    let (_, text) = largest_phase(e, phases);
    let norms = &e.diagnostics.layer_norms;
    let sizes = norms.rows(1, phases.recursion.nrows()).into_owned();
    let errors = phases.recursion.iter().copied().zip(sizes.iter().copied());
    let recursion = beyond_resolution(e, tolerance(e), errors);
    let last = phases.argument.column(phases.argument.ncols() - 1).max();
    let text = format!(
        "largest distance from the recursion {recursion:.1e}; {text}; {last:.2e} rad at the end"
    );
    let (outcome, text) = if recursion > tolerance(e) {
        (Outcome::Violated, text)
    } else if phases.certain.max() >= FRAC_PI_2 {
        (Outcome::Violated, format!("a phase reaches π/2: {text}"))
    } else if last <= SMALL_PHASE {
        (Outcome::Holds, text)
    } else {
        let advice = format!("too early to see the phases vanish, extend {}", e.extend);
        (Outcome::Inconclusive, format!("{advice}: {text}"))
    };
    Verdict::new(outcome, recursion, tolerance(e), text)
}
