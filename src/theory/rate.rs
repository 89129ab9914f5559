//! How fast the direction approaches its limit: `angle ∝ (log t)^{−r}`, a slope −r of ln(angle) against s.
//!
//! r = 1/(2^L − 1) under fixed feedback, 1/L under BP, if something outside the span of the support vectors was learned
//! along the way (or initialised). Otherwise the multipliers of the support vectors settle to constant ratios, their
//! margins differ by constants, and the angle falls like `1/log t`: r = 1. Where layers act entrywise, the slope
//! depends on the limit (module `approach`): `−a/(2^L − 1)` with a ≤ 1 under fixed feedback, and a value specific to
//! the limit under BP with L = 2; under BP with L > 2 none is known.
//!
//! With C outputs under fixed feedback with `F_lᵀF_l ∝ 1` the slope is `−a/(2^L − 1)` with a ≤ 1 of the limit, too
//! (module `class_approach`).
//!
//! For ReLU networks the rate is that of the angle between `w_L` and the SVM of the features of the same save. Two
//! layers, fixed feedback: `w_j = w_j(0) + b_j Σ_n y_n ∫ α_n g' x_n`, so the first layer is `r w̄_j + e_j` with
//! constant e_j (from initialisation, and from samples off the support) and r growing like `(log t)^{1/3}`: the law of
//! motion is a mirror flow, whose positive definite `∂m/∂A` fixes everything else. `w_{2,j} = ‖w_j‖²/(2b_j)` then is
//! off its direction by `w̄_j·e_j/r` relatively, twice as much as the SVM of features that are off by `e_j·x/r`: r =
//! 1/3. Under BP `w_{2,j} = ±‖w_j‖` moves with the features to this order, and slower modes are not excluded; no number
//! is given there, nor for more layers.

use super::classes::inverse_on_differences;
use super::growth::predictor_degree;
use super::{Errors, approach, class_approach, errors, sparse_approach};
use crate::limit::Limit;
use crate::network::{Architecture, Known, SpectralLinear};
use crate::problem::Problem;
use crate::singular::Singular;
use nalgebra::{DMatrix, DVector};

/// Log-log-time before which corrections to a power law are still visible.
const EARLY: f64 = 8.0;

/// The same if the features themselves still turn.
const EARLY_FEATURES: f64 = 15.0;

/// The law for the rate of convergence of a problem.
#[derive(Debug, Clone)]
pub struct RateLaw {
    /// The id of the claim that states it.
    pub statement: &'static str,
    /// Whether it concerns the output weights and the SVM of their features.
    pub of_features: bool,
    /// Log-log-time before which corrections to the power law are still visible.
    pub early: f64,
    /// Whether phases of complex entries approach in modes of their own, which may take long to show.
    pub has_phases: bool,
    slope: Slope,
    /// What has been learned, on which the law depends; `None` where it does not matter.
    learned: Option<Learned>,
}

#[derive(Debug, Clone)]
enum Slope {
    /// The same for all limits.
    Of(f64),
    /// That of a power law if something was learned outside the span of the support, else −1.
    Power(f64),
    /// `−a/degree`, with a of the slowest mode.
    SlowestMode(SpectralLinear),
    /// The same for D × C predictors under fixed feedback, where areas take the place of phases; with the depth.
    OfAreas((usize, usize), usize),
    /// That of the limit of gradient descent with L = 2 where layers act entry by entry, for any number of outputs.
    Sparse {
        network: SpectralLinear,
        /// G, rows × DC.
        signed_samples: DMatrix<f64>,
    },
}

/// What the first layer can have learned, and what it retains of its initial weights.
#[derive(Debug, Clone)]
struct Learned {
    /// G, without what the feedback does not reach, in some orthonormal coordinates; N × D.
    reached: DMatrix<f64>,
    /// G itself, N × D.
    signed_samples: DMatrix<f64>,
    /// What the first layer retains of its initial weights, as columns in the same coordinates.
    kept: DMatrix<f64>,
    /// The size to which rounding of `kept` is relative.
    scale: f64,
}

/// The law for a problem, where theory has one.
pub(super) fn of(problem: &Problem) -> Option<RateLaw> {
    let depth = problem.network().depth();
    let errors = errors(problem);
    let statement = match errors {
        Errors::Backward => "rate-bp",
        Errors::Fixed { .. } => "rate-dfa",
        Errors::Other => return None,
    };
    let law = |slope, learned, has_phases| RateLaw {
        statement,
        of_features: false,
        early: EARLY,
        has_phases,
        slope,
        learned,
    };
    let sparse = |network: &SpectralLinear| Slope::Sparse {
        network: network.clone(),
        signed_samples: problem.dataset().signed_samples().clone(),
    };
    let degree = predictor_degree(depth);
    match problem.network().known() {
        Known::Nothing | Known::Layered(_) => None,
        Known::FullyConnectedClasses(network) => {
            let isotropic = super::limit::of(problem)?.potential().is_some();
            let shape = (network.layout().shapes()[0].0, network.outputs());
            let slope = Slope::OfAreas(shape, depth);
            let learned = Learned::of_classes(problem);
            match depth {
                1 => Some(law(Slope::Of(-1.0), None, false)),
                _ => (isotropic && errors.are_fixed()).then(|| law(slope, learned, false)),
            }
        }
        Known::EntryByEntryClasses(network) => match depth {
            1 => Some(law(Slope::Of(-1.0), None, false)),
            2 if errors.are_gradients() => Some(law(sparse(network), None, true)),
            _ => None,
        },
        Known::Gated(_) => (depth == 2 && errors.are_fixed()).then(|| RateLaw {
            of_features: true,
            early: EARLY_FEATURES,
            ..law(Slope::Of(-1.0 / 3.0), None, false)
        }),
        Known::FullyConnected(_) => {
            let rate = if errors.are_fixed() {
                1.0 / degree
            } else {
                1.0 / depth as f64
            };
            let learned = Learned::of(problem, None);
            Some(law(Slope::Power(-rate), Some(learned), false))
        }
        Known::EntryByEntry(network) if errors.are_fixed() => {
            let learned = Learned::of(problem, Some(network));
            let slope = Slope::SlowestMode(network.clone());
            Some(law(slope, Some(learned), complex(network)))
        }
        Known::EntryByEntry(network) => match depth {
            1 => {
                let learned = Learned::of(problem, Some(network));
                Some(law(Slope::Of(-1.0), Some(learned), complex(network)))
            }
            2 => Some(law(sparse(network), None, complex(network))),
            _ => None,
        },
    }
}

fn complex(network: &SpectralLinear) -> bool {
    network.frequencies().iter().any(|f| f.len == 2)
}

impl RateLaw {
    /// The predicted slope towards a limit; `None` where theory gives no value.
    pub fn predicted(&self, limit: &Limit) -> Option<f64> {
        match &self.slope {
            Slope::Of(slope) => Some(*slope),
            Slope::Power(_) if self.has_nothing_to_act_on(limit) => Some(-1.0),
            Slope::Power(slope) => Some(*slope),
            Slope::Sparse {
                network,
                signed_samples,
            } => sparse_approach::rate(network, signed_samples, limit).map(|rate| -rate),
            Slope::SlowestMode(network) => self.slowest_mode(network, limit),
            Slope::OfAreas(shape, depth) => {
                let samples = &self.learned.as_ref()?.signed_samples;
                let at = (*shape, *depth);
                let mode = |up_to| class_approach::slowest_mode(at, samples, limit, up_to);
                let a = match self.has_nothing_to_act_on(limit) {
                    false => Some(mode(1.0).unwrap_or(1.0)),
                    true => mode(1.999),
                };
                a.map(|a| -a / predictor_degree(*depth))
            }
        }
    }

    fn slowest_mode(&self, network: &SpectralLinear, limit: &Limit) -> Option<f64> {
        let degree = predictor_degree(network.layout().depth());
        let samples = &self.learned.as_ref()?.signed_samples;
        let mode = |up_to| approach::slowest_mode(network, samples, limit, up_to);
        let real = network.frequencies().iter().all(|f| f.len == 1);
        match (self.has_nothing_to_act_on(limit), real) {
            (false, _) => Some(-mode(1.0).unwrap_or(1.0) / degree),
            (true, true) => Some(-1.0),
            // nothing forces a = 1; the slowest free mode dominates if it lies before the first pole
            (true, false) => mode(1.999).map(|a| -a / degree),
        }
    }

    /// Whether everything learned or initialised lies in the span of the support vectors, so that the law has nothing
    /// to act on. Samples with the smallest margin count as support, whether they have a multiplier or not: where more
    /// are active than independent, multipliers are one choice of many.
    pub fn has_nothing_to_act_on(&self, limit: &Limit) -> bool {
        self.learned.as_ref().is_some_and(|learned| {
            learned.is_in_the_span_of(&limit.active(&learned.signed_samples))
        })
    }
}

impl Learned {
    /// For fully connected layers, or for layers that act entrywise like those of `network`.
    fn of(problem: &Problem, network: Option<&SpectralLinear>) -> Self {
        let signed_samples = problem.dataset().signed_samples().clone();
        let feedback = problem.feedback();
        let mut reached = signed_samples.clone();
        if let (Some(network), Some(feedback)) = (network, &feedback) {
            reached = network.basis().rows(&signed_samples);
            let frequencies = network.frequencies().into_iter();
            for (f, is_reached) in frequencies.zip(network.reached(feedback)) {
                if !is_reached {
                    reached.columns_mut(f.start, f.len).fill(0.0);
                }
            }
        }
        let (kept, scale) = kept_from_the_start(problem, network, feedback.as_deref());
        Self {
            reached,
            signed_samples,
            kept,
            scale,
        }
    }

    /// With several outputs: rows of D·C entries, and of the initial weights `w_1(0)(F_1⁺)ᵀ`, the value of Z at the
    /// start. `None` without fixed feedback, and where F_1⁺ does not undo F_1 on differences of outputs.
    fn of_classes(problem: &Problem) -> Option<Self> {
        let g = problem.dataset().signed_samples();
        let first = problem.feedback_matrices()?.into_iter().next()?;
        let inverse = inverse_on_differences(&first)?;
        let theta = problem.theta0().as_slice();
        let w = problem.network().weights(theta).swap_remove(0);
        let start = &w * inverse.transpose();
        let differences = start.map_with_location(|i, _, z| z - start.row(i).mean());
        Some(Self {
            reached: g.clone(),
            signed_samples: g.clone(),
            kept: DMatrix::from_column_slice(g.ncols(), 1, differences.as_slice()),
            scale: w.norm() * inverse.norm(),
        })
    }

    /// Whether all of it lies in the span of the support. The first layer moves in the span of the samples, and
    /// retains of its initial weights all of `w_1(0)` under BP, `w_1(0) b_1` under DFA (β sees the first layer through
    /// the feedback once it has grown; where that vanishes, the rest of `w_1(0)` fades too, at twice the rate of the
    /// law).
    fn is_in_the_span_of(&self, support: &[usize]) -> bool {
        let (g, kept) = (&self.reached, &self.kept);
        let mut reached = DMatrix::zeros(g.nrows() + kept.ncols(), g.ncols());
        reached.rows_mut(0, g.nrows()).copy_from(g);
        for (j, column) in kept.column_iter().enumerate() {
            // directions matter, not sizes: small initial weights are retained like large ones, but rounding of w_1(0)
            // b_1 = 0 is not
            let size = column.norm();
            if size > 1e-9 * self.scale {
                reached
                    .row_mut(g.nrows() + j)
                    .copy_from(&(column.transpose() * (g.norm() / size)));
            }
        }
        rank(&g.select_rows(support)) == rank(&reached)
    }
}

/// What the first layer retains of its initial weights, as columns in the input space, and the size to which rounding
/// is relative: `w_1(0)` under BP; `w_1(0) b_1` under fixed feedback, or the coordinates of `ŵ_1(0)/b̂_1^*` where
/// layers act entrywise (the value of Ẑ at the start).
fn kept_from_the_start(
    problem: &Problem,
    network: Option<&SpectralLinear>,
    feedback: Option<&[DVector<f64>]>,
) -> (DMatrix<f64>, f64) {
    let theta = problem.theta0().as_slice();
    let first = problem.network().weights(theta).swap_remove(0);
    let size = first.norm();
    match (feedback, network) {
        (Some([b_1, ..]), None) => {
            let along = &first * b_1;
            (DMatrix::from_columns(&[along]), size * b_1.norm())
        }
        (Some([b_1, ..]), Some(network)) => {
            let (w, b) = (network.transforms(theta), network.transform(b_1));
            let reached = network.reached(std::slice::from_ref(b_1));
            let mut start = DVector::zeros(network.dimension());
            for (d, f) in network.frequencies().into_iter().enumerate() {
                if reached[d] {
                    f.set(start.as_mut_slice(), w[(d, 0)] / b[d].conj());
                }
            }
            let size = start.norm();
            (DMatrix::from_columns(&[start]), size)
        }
        _ => (first, size),
    }
}

/// Numerical rank, relative tolerance 1e-9.
fn rank(m: &DMatrix<f64>) -> usize {
    // rows that are many are first turned into as few as there are columns
    let found = if m.nrows() > m.ncols() {
        Singular::of(&m.clone().qr().r())
    } else {
        Singular::of(m)
    };
    found.rank(1e-9)
}
