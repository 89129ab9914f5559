//! Gradient descent on homogeneous networks (Lyu and Li 2020).

use super::direction::{self, Approach};
use super::{Claim, Evidence, Outcome, Subject, Verdict, not_applicable, relu, unfinished};
use crate::diagnostics::Homogeneous;
use crate::theory::Monotone;

pub(super) const CLAIM: Claim = Claim {
    id: "gd-homogeneous",
    printed: "Under gradient descent flow every limit direction of a homogeneous network is that of a KKT point of min \
              ½‖θ‖² subject to \
              y_n f(x_n) ≥ 1.",
    corrected: "True once the loss is below that of one sample with margin zero (Lyu and Li 2020): from then on the \
                smoothed margin \
                ℓ⁻¹(𝓛)/‖θ‖^L never falls, and θ/γ^{1/L} is an (ε, δ)-KKT point with ε, δ → 0. (The normalised margin \
                γ/‖θ‖^L is \
                within ln N/‖θ‖^L of it, but may fall at times.) No rate is predicted: norms shift between units like \
                small powers of log t.",
    check: "Residual: the larger of ε/‖θ̃‖ and δ/‖θ̃‖² at the end (θ̃ = θ/γ^{1/L}; so scaled, the scale of the data \
            does not matter), for the multipliers with the smallest ε² + (Σ λ_n (m_n − 1))². Tolerance: 0.01, still \
            falling (like (log t)^{−1/40} or faster) or below 1e-6; else inconclusive. Violated if the smoothed margin \
            falls between saves by more than 100 times the larger of rtol and atol (at most 0.01), relatively to \
            itself or, if that is longer, to a smoothed margin ℓ⁻¹(𝓛) of one. Hypotheses: a network of units that are \
            homogeneous, L the degree of the network (ReLU networks; general layers without biases), gradient descent, \
            a loss that gets below that of one sample with margin zero and tends to zero.",
    subject: Subject::Flow,
    judge: |e| verdict(e).unwrap_or_else(|verdict| verdict),
};

/// Upper bound of the tolerance, however loosely a run is integrated.
const LARGEST_TOLERANCE: f64 = 0.01;

fn verdict(e: &Evidence<'_>) -> Result<Verdict, Verdict> {
    if let Some(verdict) = super::other_rule(e, false) {
        return Err(verdict);
    }
    let h = relu::measured(e)?;
    let theory = &e.diagnostics.theory;
    if !theory.monotone.contains(&Monotone::SmoothedMargin) {
        return Err(not_applicable(
            "theory has no smoothed margin that never falls for this network",
        ));
    }
    relu::fits(e)?;
    if let Some(verdict) = unfinished(e) {
        return Err(verdict);
    }
    if h.smoothed_margin.iter().all(Option::is_none) {
        return Err(Verdict::without_measurement(
            Outcome::Inconclusive,
            format!(
                "the loss is not yet below that of one sample with margin zero, extend {}",
                e.extend
            ),
        ));
    }
    let tolerance = (100.0 * e.options.rtol.max(e.options.atol)).min(LARGEST_TOLERANCE);
    let (save, fall) = worst_fall(e, h);
    if fall > tolerance {
        return Ok(Verdict::new(
            Outcome::Violated,
            fall,
            tolerance,
            format!(
                "the smoothed margin falls by {fall:.1e} of itself before ln t = {:.6e}",
                e.diagnostics.log_time[save]
            ),
        ));
    }
    let last = h.normalised_margin.len() - 1;
    // ‖θ̃‖ = (‖θ‖^L/γ)^{1/L}: ε has its unit, δ the unit of its square
    let degree = f64::from(h.degree);
    let relative = |k: usize| -> Option<(f64, f64)> {
        let per_size = h.normalised_margin[k].max(0.0).powf(1.0 / degree);
        Some((h.epsilon[k]? * per_size, h.delta[k]? * per_size.powi(2)))
    };
    let distance: Vec<Option<f64>> = (0..=last)
        .map(|k| relative(k).map(|(epsilon, delta)| epsilon.max(delta)))
        .collect();
    let pair = relative(last).map_or_else(String::new, |(epsilon, delta)| {
        format!("; ε/‖θ̃‖ = {epsilon:.3e}, δ/‖θ̃‖² = {delta:.3e}")
    });
    let more = format!(
        "{pair}; the smoothed margin falls between saves by {fall:.1e} of itself at most, the normalised margin is \
         {:.3e} at \
         the end",
        h.normalised_margin[last]
    );
    let approach = Approach {
        named: ("max(ε/‖θ̃‖, δ/‖θ̃‖²)", ""),
        distance: &distance,
        expected: None,
        certified: false,
        contradiction: None,
        more,
    };
    Ok(direction::judge(e, &approach))
}

/// The largest relative fall of the smoothed margin between saves, and the save it ends at. Relative errors of
/// `ℓ⁻¹(𝓛)` are those of ln 𝓛, which is not small where it is.
fn worst_fall(e: &Evidence<'_>, h: &Homogeneous) -> (usize, f64) {
    let inverse = |k: usize| e.problem.loss().inverse(e.diagnostics.log_loss[k]);
    let pairs = h.smoothed_margin.windows(2).enumerate();
    pairs
        .filter_map(|(k, pair)| {
            let before = pair[0]?;
            let fall = 1.0 - pair[1].unwrap_or(0.0) / before;
            Some((k + 1, fall * inverse(k).min(1.0)))
        })
        .fold(
            (0, 0.0),
            |worst, now| if now.1 > worst.1 { now } else { worst },
        )
}
