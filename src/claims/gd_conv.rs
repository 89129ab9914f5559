//! Gradient descent on convolutional and diagonal linear networks (Gunasekar et al. 2018).

use super::{
    Claim, Evidence, Outcome, Subject, Verdict, direction, directional_limit,
    limit_of_completed_run, not_applicable,
};
use crate::limit::Limit;

pub const CLAIM: Claim = Claim {
    id: "gd-conv",
    printed: "Under gradient descent flow a convolutional linear network converges in direction to a minimiser of \
              ‖β̂‖_{2/L} subject to Gβ ≥ 1.",
    corrected: "True for L ≤ 2, where the problem is convex (L = 2: ℓ1 of the Fourier coefficients); for L > 2 the \
                limit is a \
                first-order stationary point, which one depends on the path. Diagonal networks: the same without the \
                transform. The rate depends on the data: coefficients off the support fall behind like powers of log \
                t.",
    check: "L ≤ 2: the final angle between the predictor and the certified minimiser. L > 2: the final relative \
            distance of \
            the gradient of Σ|β̂_d|^{2/L}, on the support of the limit, from the cone of the active samples. \
            Tolerance: 0.01, \
            still falling (like (log t)^{−1/40} or faster) or below 1e-6. Above: inconclusive while it falls, violated \
            once \
            it has stalled (in a run long enough to tell, and with no \
            entry on the support of the limit still gaining on the others). Hypotheses: convolutional or diagonal \
            linear, gradient descent, \
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
        return match limit_of_completed_run(e) {
            Ok(limit) => {
                let verdict = directional_limit::angle_to_limit(e);
                match (verdict.outcome, late_entry(e, limit)) {
                    (Outcome::Violated, Some(d)) => Verdict {
                        outcome: Outcome::Inconclusive,
                        evidence: format!(
                            "on a plateau: entry {d} of the spectrum, on the support of the limit, still gains on the \
                             others; extend flow.until: {}",
                            verdict.evidence
                        ),
                        ..verdict
                    },
                    _ => verdict,
                }
            }
            Err(verdict) => verdict,
        };
    }
    if let Some(verdict) = super::unfinished(e) {
        return verdict;
    }
    if e.diagnostics.min_margin.last().is_some_and(|m| *m <= 0.0) {
        return not_applicable("no margin is positive at the end: the data are not separable");
    }
    let more = match e.diagnostics.final_angle() {
        Some(angle) => {
            format!("; {angle:.1e} rad from the stationary point nearest to the end of the run")
        }
        None => String::new(),
    };
    let residuals = &e.diagnostics.kkt_residual;
    direction::judge(e, ("stationarity residual", ""), residuals, None, &more)
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

/// An entry on the limit's support that has less than nine tenths of its share and has been gaining on the others
/// steadily: runs linger near vectors with too few entries while the missing ones grow like small powers of log t. (An
/// entry that merely converges gains less and less.)
fn late_entry(e: &Evidence<'_>, limit: &Limit) -> Option<usize> {
    let network = e.problem.network().spectrum()?;
    let d = e.diagnostics;
    let last = d.log_log_time.len() - 1;
    let share = |k: usize, entry: usize| {
        let beta = d.beta.column(k);
        network.transform(&beta.into_owned())[entry].norm() / beta.norm()
    };
    let target = network.transform(&limit.beta).map(|b| b.norm()) / limit.beta.norm();
    (0..target.len()).find(|&entry| {
        let [start, middle, end] =
            [last - last / 3, last - last / 6, last].map(|k| share(k, entry).ln());
        let (early, late) = (middle - start, end - middle);
        end < (0.9 * target[entry]).ln() && early > STEADY && late > 0.7 * early
    })
}

/// Gains (of the logarithm of a share over a sixth of a run) below this are rounding.
const STEADY: f64 = 1e-7;
