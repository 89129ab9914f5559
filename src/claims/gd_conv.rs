//! Gradient descent on convolutional and diagonal linear networks (Gunasekar et al. 2018).

use super::{
    Claim, Evidence, Verdict, direction, directional_limit, limit_of_completed_run, not_applicable,
};

pub const CLAIM: Claim = Claim {
    id: "gd-conv",
    printed: "Under gradient descent flow a convolutional linear network converges in direction to a minimiser of \
              ‖β̂‖_{2/L} subject to Gβ ≥ 1.",
    corrected: "True for L ≤ 2, where the problem is convex (L = 2: ℓ1 of the Fourier coefficients); for L > 2 the limit is a \
                first-order stationary point, which one depends on the path. Diagonal networks: the same without the \
                transform. The rate depends on the data: coefficients off the support fall behind like powers of log t.",
    check: "L ≤ 2: the final angle between the predictor and the certified minimiser. L > 2: the final relative distance of \
            the gradient of Σ|β̂_d|^{2/L}, on the support of the limit, from the cone of the active samples. Tolerance: 0.01, \
            still falling (like (log t)^{−1/40} or faster) or below 1e-6. Above: inconclusive while it falls, violated once \
            it has stalled (in a run long enough to tell). Hypotheses: convolutional or diagonal linear, gradient descent, \
            separable data.",
    judge,
};

fn judge(e: &Evidence<'_>) -> Verdict {
    if let Some(verdict) = super::other_rule(e, false) {
        return verdict;
    }
    if e.problem.network.spectral().is_none() {
        return not_applicable("the network is neither convolutional nor diagonal linear");
    }
    if e.problem.network.depth() <= 2 {
        return match limit_of_completed_run(e) {
            Ok(_) => directional_limit::angle_to_limit(e),
            Err(verdict) => verdict,
        };
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
    let residuals = &e.diagnostics.kkt_residual;
    direction::judge(e, "stationarity residual", residuals, None, &more)
}
