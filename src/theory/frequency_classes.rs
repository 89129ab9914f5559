//! Convolutional and diagonal linear networks with C outputs.
//!
//! Gradient descent on `β̂_c = ŵ_1 ⊙ ⋯ ⊙ ŵ_{L−1} ⊙ û_c` balances `|ŵ_l[d]|` and `‖û[d]‖` (the norm over the outputs),
//! so that the least `½‖θ‖²` of a given β is `(L/2) Σ_d ‖β̂[d]‖^{2/L}`: the group norm over outputs, the multi-class
//! SVM for L = 1, convex for L = 2, for L > 2 a quasi-norm of which the limit is a stationary point.
//!
//! Fixed feedback `b̂_l[d] ∈ C^C` enters every hidden layer through one number per frequency, `Σ_c b̂_{lc}^* ẑ_c`: what
//! stands for K_l in fully connected networks has rank one, and no norm is minimised.

use super::LimitForm;
use super::limit::CandidatePotential;
use crate::limit::Potential;
use crate::network::{Architecture, Known, Signals, SpectralLinear};
use crate::problem::Problem;
use crate::spectrum::Basis;

/// The id of the claim about the limit.
pub(crate) const GD_CONV_VECTOR: &str = "gd-conv-vector";

/// Moduli at the start that differ by less, relatively to the largest, are equal.
const EQUAL: f64 = 1e-12;

/// The claim that states the limit, and its form.
pub(super) fn limit(
    problem: &Problem,
    network: &SpectralLinear,
) -> Option<(&'static str, LimitForm)> {
    let depth = network.layout().depth();
    let backward = matches!(problem.rule().limit_signals()?, Signals::Backward);
    (backward || depth == 1).then(|| {
        let potential = group_norm(network, 2.0 / depth as f64);
        let form = if potential.exponent < 1.0 {
            LimitForm::Stationary(potential)
        } else {
            LimitForm::Minimiser(potential)
        };
        (GD_CONV_VECTOR, form)
    })
}

/// The multi-class SVM, and the limits of gradient descent on this and on fully connected networks of two layers.
pub(super) fn candidates(problem: &Problem, network: &SpectralLinear) -> Vec<CandidatePotential> {
    let depth = network.layout().depth();
    let Some(signals) = problem.rule().limit_signals().filter(|_| depth > 1) else {
        return Vec::new();
    };
    let shape = (network.dimension(), network.outputs());
    let mut list = vec![
        CandidatePotential {
            id: "frobenius",
            label: "multi-class SVM, Frobenius norm",
            potential: Potential::schatten(shape, 2.0),
        },
        CandidatePotential {
            id: "nuclear",
            label: "fully connected at L = 2, nuclear norm",
            potential: Potential::schatten(shape, 1.0),
        },
    ];
    if depth > 2 || !matches!(signals, Signals::Backward) {
        list.push(CandidatePotential {
            id: "groups",
            label: match network.basis() {
                Basis::Fourier => "gradient descent at L = 2, frequencies as groups",
                Basis::Standard => "gradient descent at L = 2, features as groups",
            },
            potential: group_norm(network, 1.0),
        });
    }
    list
}

/// `Σ_d ‖β̂[d]‖^p`
fn group_norm(network: &SpectralLinear, exponent: f64) -> Potential {
    let shape = (network.dimension(), network.outputs());
    let ones = vec![1.0; network.frequencies().len()];
    Potential::grouped(network.basis(), shape, exponent, &ones)
}

/// At L = 2, an entry of the spectrum that gradient descent keeps at zero, since it starts at zero in both layers; with
/// two outputs also a real one whose sign it fixes, as with one output: `ŵ² − ½(û_1 − û_2)²` is zero for ever.
pub(crate) fn imprisoned_entry(problem: &Problem) -> Option<usize> {
    let Known::EntryByEntryClasses(network) = problem.network().known() else {
        return None;
    };
    if network.layout().depth() != 2 {
        return None;
    }
    let entries = network.transforms(problem.theta0().as_slice());
    let outputs = network.outputs();
    let largest = entries.iter().map(|w| w.norm()).fold(0.0, f64::max);
    let frequencies = network.frequencies();
    (0..frequencies.len()).find(|&d| {
        let mean = entries.row(d).columns(1, outputs).sum() / outputs as f64;
        let of_differences = entries.row(d).columns(1, outputs).add_scalar(-mean);
        let (w, u) = (entries[(d, 0)].norm(), of_differences.norm());
        let zero = w.max(u) <= EQUAL * largest;
        let fixed = outputs == 2 && frequencies[d].len == 1 && (w - u).abs() <= EQUAL * largest;
        zero || fixed
    })
}
