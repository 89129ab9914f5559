//! Gradient descent on convolutional and diagonal linear networks (Gunasekar et al. 2018).

use super::direction::Approach;
use super::{
    Claim, Evidence, Subject, Verdict, direction, directional_limit, limit_of_completed_run,
    not_applicable,
};

pub(super) const CLAIM: Claim = Claim {
    id: "gd-conv",
    printed: "Under gradient descent flow a convolutional linear network converges in direction to a minimiser of \
              ‖β̂‖_{2/L} subject to Gβ ≥ 1.",
    corrected: "True for L ≤ 2, where the problem is convex (L = 2: ℓ1 of the Fourier coefficients); for L > 2 the \
                limit is a \
                first-order stationary point, which one depends on the path. Diagonal networks: the same without the \
                transform. The rate depends on the data: coefficients off the support fall behind like powers of log \
                t.",
    check: "L ≤ 2: the final angle between the predictor and the certified minimiser, or, where ℓ1 has many minimisers \
            (or nearly minimal directions everywhere), the run's own duality gap, at most 5e-5 all through the last \
            third of the run. L > 2: the final relative distance of the gradient of Σ|β̂_d|^{2/L}, on the support of \
            the limit, from the cone of the active samples. Tolerance: 0.01, still falling (like (log t)^{−1/40} or \
            faster) or below 1e-6, or at L ≤ 2 within it all through the last third. Violated only (L ≤ 2) where the \
            run's own duality gap proves that it passes by the minimiser; inconclusive otherwise: runs rest for long \
            near vectors with too few entries. Hypotheses: convolutional or diagonal linear, gradient descent, \
            separable data; at L = 2 no entry that starts at zero in both layers, and no real one at equal moduli.",
    subject: Subject::Flow,
    judge,
};

fn judge(e: &Evidence<'_>) -> Verdict {
    if let Some(verdict) = super::other_rule(e, false) {
        return verdict;
    }
    let why = "the network is neither convolutional nor diagonal linear";
    if let Some(verdict) = super::other_limit(e, "gd-conv", why) {
        return verdict;
    }
    if let Some(d) = imprisoned_entry(e) {
        return not_applicable(format!(
            "entry {d} of the spectrum cannot take every value from these initial weights: both layers start it at \
             zero, or a \
             real one at equal moduli, which stay equal"
        ));
    }
    if e.problem.network().depth() <= 2 {
        return limit_of_completed_run(e)
            .map_or_else(|verdict| verdict, |_| directional_limit::angle_to_limit(e));
    }
    if let Some(verdict) = super::unfinished(e) {
        return verdict;
    }
    let more = match e.diagnostics.final_angle() {
        Some(angle) => {
            format!("; {angle:.1e} rad from the stationary point nearest to the end of the run")
        }
        None => String::new(),
    };
    let approach = Approach {
        named: ("stationarity residual", ""),
        distance: &e.diagnostics.kkt_residual,
        expected: None,
        certified: false,
        contradiction: None,
        more,
    };
    direction::judge(e, &approach)
}

/// At L = 2, an entry that the flow keeps at zero, or a real one whose sign it fixes: `|ŵ_1|² − |ŵ_2|²` is conserved.
fn imprisoned_entry(e: &Evidence<'_>) -> Option<usize> {
    let network = e.problem.network().spectrum()?;
    if e.problem.network().depth() != 2 {
        return None;
    }
    let w = network.transforms(e.problem.theta0().as_slice());
    let largest = w.iter().map(|w| w.norm()).fold(0.0, f64::max);
    let frequencies = network.frequencies();
    (0..frequencies.len()).find(|&d| {
        let (a, b) = (w[(d, 0)].norm(), w[(d, 1)].norm());
        let equal = (a - b).abs() <= 1e-12 * largest;
        equal && (frequencies[d].len == 1 || a <= 1e-12 * largest)
    })
}
