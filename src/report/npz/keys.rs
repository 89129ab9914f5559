//! The arrays of `trajectory.npz`, one line each: to add one, add it here.

use super::arrays::{Array, Series};
use super::series::{self as from};
use crate::run::Run;
use std::borrow::Cow;

/// An array, or one for each layer or run of finite steps.
#[cfg_attr(
    not(feature = "cli"),
    expect(dead_code, reason = "what only the page about files says")
)]
pub(super) struct Key {
    /// Its name in the file; `{l}` and `{i}` stand for numbers from 1.
    pub name: &'static str,
    /// Length of every axis.
    pub shape: &'static str,
    pub elements: Elements,
    pub unit: &'static str,
    pub about: &'static str,
    pub source: Source,
}

/// Where the arrays come from: as many as there are numbers, or one, or none where there is nothing to store.
#[derive(Clone, Copy)]
pub(super) enum Source {
    Arrays(for<'a> fn(&'a Run) -> Vec<Array<'a>>),
    /// Series that are not defined everywhere: stored with the indices of the saves (or records) where they are, in
    /// `<name>_saves`.
    Series(for<'a> fn(&'a Run) -> Vec<Series<'a>>),
}

/// What an entry is, as NumPy names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Elements {
    Float64,
    Complex128,
    Int64,
    Text,
}

#[cfg(feature = "cli")]
impl Elements {
    fn name(self) -> &'static str {
        match self {
            Self::Float64 => "float64",
            Self::Complex128 => "complex128",
            Self::Int64 => "int64",
            Self::Text => "str",
        }
    }
}

impl Key {
    /// The name of array number `i`.
    pub(super) fn numbered(&self, i: usize) -> String {
        let number = i.to_string();
        self.name.replace("{l}", &number).replace("{i}", &number)
    }
}

/// Log time.
const TIME: &str = "ln(1+t)";
const RADIANS: &str = "rad";
/// Numbers without a unit.
const PLAIN: &str = "1";

macro_rules! keys {
    ($($name:literal [$shape:literal] $elements:ident, $unit:expr, $source:ident($of:expr), $about:literal;)*) => {
        /// Every array, in the order of the file.
        pub(super) const KEYS: &[Key] = &[$(Key {
            name: $name,
            shape: $shape,
            elements: Elements::$elements,
            unit: $unit,
            about: $about,
            source: Source::$source($of),
        }),*];
    };
}

keys! {
    "scenario" [""] Text, PLAIN, Arrays(|r| vec![Array::text(r.scenario.text())]),
        "The scenario after `--set`, paths as written.";
    "X" ["N, D"] Float64, "as given", Arrays(|r| vec![Array::matrix(r.problem.dataset().samples())]), "Samples.";
    "y" ["N"] Int64, PLAIN, Arrays(from::labels), "Labels, 1 or -1; or classes, from 0.";
    "feedback_{l}" ["units, or units × units of the next layer"] Float64, PLAIN, Arrays(from::feedback),
        "Feedback of layer l = 1 … L−1: the vector b_l, or the matrix F_l (a filter for a filter); at the start, where \
         it learns.";
    "log_log_time" ["T"] Float64, "ln(1+ln(1+t))", Arrays(|r| vec![Array::vector(&r.trajectory.log_log_time)]),
        "s of every save.";
    "log_time" ["T"] Float64, TIME, Arrays(|r| vec![Array::vector(&r.diagnostics.log_time)]), "τ = ln(1+t).";
    "log_loss" ["T"] Float64, "nats", Arrays(|r| vec![Array::vector(&r.diagnostics.log_loss)]), "ln 𝓛.";
    "min_margin" ["T"] Float64, PLAIN, Arrays(|r| vec![Array::vector(&r.diagnostics.min_margin)]),
        "The smallest margin.";
    "margin_over_layer_norms" ["saves"] Float64, PLAIN, Series(from::margin_over_layer_norms),
        "min m_n/∏_l ‖w_l‖, where no layer is zero.";
    "margins" ["T, N"] Float64, PLAIN, Arrays(|r| vec![Array::columns(&r.diagnostics.margins)]), "m_n = y_n f(x_n).";
    "log_multipliers" ["T, N"] Float64, "nats", Arrays(|r| vec![Array::columns(&r.trajectory.log_multipliers)]),
        "p_n = τ − m_n, as integrated.";
    "accumulated_multipliers" ["T, N"] Float64, PLAIN,
        Arrays(|r| from::each(&r.trajectory.accumulated, Array::columns)),
        "A_n = ∫α_n dt.";
    "multiplier_drift" ["T"] Float64, PLAIN, Arrays(|r| vec![Array::vector(&r.diagnostics.multiplier_drift)]),
        "max_n |p_n − (τ − m_n)|/max(1+τ, |m_n|).";
    "layer_norms" ["T, L"] Float64, PLAIN, Arrays(|r| vec![Array::columns(&r.diagnostics.layer_norms)]), "‖w_l‖.";
    "w_{l}" ["T, inputs, units"] Float64, PLAIN, Arrays(from::weights),
        "Weights of layer l (a single column for filters and diagonal layers).";
    "rule_state" ["T, numbers"] Float64, PLAIN, Arrays(from::rule_state),
        "What the rule keeps besides the weights: feedback that learns, F_1 … F_{L−1}, each column by column.";
    "beta" ["T, D"] Float64, PLAIN, Arrays(from::beta),
        "The predictor of a linear network, f = β·x; with C outputs T × D × C, f = βᵀx.";
    "singular_values" ["T, the smaller of D and C"] Float64, PLAIN,
        Arrays(|r| from::each(&r.diagnostics.classes, |c| Array::columns(&c.singular_values))),
        "With several outputs: singular values of β, the largest first.";
    "effective_rank" ["T"] Float64, PLAIN,
        Arrays(|r| from::each(&r.diagnostics.classes, |c| Array::vector(&c.effective_rank))),
        "exp(−Σ p_i ln p_i), p_i = σ_i/Σσ.";
    "symmetric_residual" ["T, L−1"] Float64, PLAIN,
        Arrays(|r| from::each(from::areas(r), |a| Array::columns(&a.recursion))),
        "Fixed feedback from zero weights: distance of sym C_l from its law, relative to C_l, of layers 2 … L.";
    "relative_area" ["T, L−1"] Float64, PLAIN,
        Arrays(|r| from::each(from::areas(r), |a| Array::columns(&a.swept))),
        "‖anti C_l‖/‖sym C_l‖ of the same layers.";
    "limit_beta" ["D"] Float64, PLAIN, Arrays(|r| from::each(&r.limit, |l| Array::vector(l.beta.as_slice()))),
        "The certified limit at margin one. ReLU networks: the SVM of the features at the end, one entry per unit of \
         the last hidden layer. With C outputs D·C numbers, output after output; so are candidates.";
    "limit_multipliers" ["N"] Float64, PLAIN,
        Arrays(|r| from::each(&r.limit, |l| Array::vector(l.multipliers.as_slice()))), "Its multipliers.";
    "limit_support" ["support vectors"] Int64, "index",
        Arrays(|r| from::each(&r.limit, |l| Array::indices(l.support.iter().copied()))),
        "Rows of `limit_multipliers` that are positive, from 0.";
    "angle_to_limit" ["T"] Float64, RADIANS,
        Arrays(|r| from::each(r.diagnostics.angle_to_limit.as_deref(), Array::vector)),
        "Angle between β and the limit (ReLU networks: between w_L and the SVM of the features of the same save); π/2 \
         without a direction.";
    "candidates" ["C"] Text, PLAIN, Arrays(from::candidates), "Ids of other limits that have been claimed.";
    "candidate_beta" ["C, D"] Float64, PLAIN, Arrays(from::candidate_beta), "Their minimisers.";
    "candidate_angles" ["T, C"] Float64, RADIANS, Arrays(from::candidate_angles), "Angles of β to them.";
    "certified" ["K"] Int64, "index", Arrays(from::certified_saves), "Saves with positive margins.";
    "kkt_residual" ["K"] Float64, PLAIN, Arrays(from::kkt_residual),
        "At those saves, the distance of the gradient of the predicted potential from the cone of the active samples; \
         where feedback of several outputs selects no norm, the residual of the complementarity problem that is left.";
    "duality_gap" ["K"] Float64, PLAIN, Arrays(from::duality_gap),
        "At those saves, the gap that β certifies; absent where the potential is not convex.";
    "accumulated_gap" ["saves"] Float64, PLAIN, Series(from::accumulated_gap),
        "The gap with the multipliers accumulated along the run.";
    "invariants" ["I"] Text, PLAIN, Arrays(from::invariants), "Names of the conserved quantities.";
    "invariant_drift" ["T, I"] Float64, PLAIN, Arrays(from::invariant_drifts), "Their relative drifts.";
    "phi" ["T, L−1"] Float64, PLAIN,
        Arrays(|r| from::each(&r.diagnostics.alignment, |a| Array::columns(&a.phi))),
        "Fully connected, fixed feedback: φ_l of layers 2 … L along b_{l−1}b_lᵀ.";
    "phi_closed_form" ["T, L−1"] Float64, PLAIN,
        Arrays(|r| from::each(&r.diagnostics.alignment, |a| Array::columns(&a.closed_form))),
        "Its closed form from zero weights.";
    "alignment_residual" ["T, L"] Float64, PLAIN,
        Arrays(|r| from::each(&r.diagnostics.alignment, |a| Array::columns(&a.residual))),
        "‖w_l − φ_l b_{l−1}b_lᵀ‖/‖w_l‖.";
    "frequencies" ["F"] Int64, "index",
        Arrays(|r| from::each(&r.diagnostics.phases, |p| Array::indices(p.frequencies.iter().copied()))),
        "Convolutional and diagonal networks, fixed feedback: the frequencies (entries) below, from 0.";
    "z_hat" ["T, F"] Complex128, PLAIN, Arrays(|r| from::each(&r.diagnostics.phases, |p| Array::complex_columns(&p.z))),
        "Ẑ = (ŵ_1 − ŵ_1(0))/b̂_1*.";
    "phi_hat" ["T, L−1, F"] Complex128, PLAIN, Arrays(|r| from::each(&r.diagnostics.phases, from::phi_hat)),
        "φ_l of layers 2 … L; its argument is the phase.";
    "largest_phase" ["T, L−1"] Float64, RADIANS,
        Arrays(|r| from::each(&r.diagnostics.phases, |p| Array::columns(&p.argument))),
        "The largest |arg φ_l| over frequencies.";
    "phase_recursion" ["T, L−1"] Float64, PLAIN,
        Arrays(|r| from::each(&r.diagnostics.phases, |p| Array::columns(&p.recursion))),
        "Distance of Re φ_l from its recursion, relative to the layer.";
    "swept_area" ["T, F"] Float64, PLAIN, Arrays(|r| from::each(&r.diagnostics.phases, from::swept_area)),
        "½ Im φ_2, the signed area that Ẑ has swept.";
    "accumulated" ["T"] Float64, PLAIN,
        Arrays(|r| from::each(&r.diagnostics.sandwich, |s| Array::vector(&s.accumulated))),
        "Fixed feedback on linear networks: a = Σ_n A_n.";
    "dual_of_z" ["T"] Float64, PLAIN, Arrays(|r| from::each(&r.diagnostics.sandwich, |s| Array::vector(&s.dual))),
        "ψ*(Z), with Z read off the first layer.";
    "radius" ["T"] Float64, PLAIN, Arrays(|r| from::each(&r.diagnostics.sandwich, |s| Array::vector(&s.radius))),
        "R, from the length of the last layer.";
    "largest_dual" ["T"] Float64, PLAIN,
        Arrays(|r| from::each(&r.diagnostics.sandwich, |s| Array::vector(&s.largest_dual))),
        "The upper bound of ψ*(Z) that follows from it; R itself from zero weights.";
    "feature_angle" ["saves"] Float64, RADIANS,
        Series(|r| from::each(&r.diagnostics.feature_machine, |m| Cow::from(&m.angle))),
        "With a hidden layer: angle between w_L and the SVM of the features of the same save.";
    "feature_margin" ["saves"] Float64, PLAIN,
        Series(|r| from::each(&r.diagnostics.feature_machine, |m| Cow::from(&m.margin))),
        "Margin of that SVM on features scaled to Σ‖φ_n‖² = N.";
    "feature_gap" ["saves"] Float64, PLAIN,
        Series(|r| from::each(&r.diagnostics.feature_machine, |m| Cow::from(&m.gap))),
        "The gap that w_L certifies on the features.";
    "output_weights" ["T, units"] Float64, PLAIN,
        Arrays(|r| from::each(&r.diagnostics.homogeneous, |h| Array::columns(&h.output_weights))),
        "ReLU networks: w_L.";
    "unit_norms" ["T, units"] Float64, PLAIN,
        Arrays(|r| from::each(&r.diagnostics.homogeneous, |h| Array::columns(&h.unit_norms))),
        "Lengths of the units of the last hidden layer.";
    "normalised_margin" ["T"] Float64, PLAIN,
        Arrays(|r| from::each(&r.diagnostics.homogeneous, |h| Array::vector(&h.normalised_margin))), "min m_n/‖θ‖ᴸ.";
    "smoothed_margin" ["saves"] Float64, PLAIN,
        Series(|r| from::each(&r.diagnostics.homogeneous, |h| Cow::from(&h.smoothed_margin))), "ℓ⁻¹(𝓛)/‖θ‖ᴸ.";
    "feedback_margin" ["saves"] Float64, PLAIN,
        Series(|r| from::each(&r.diagnostics.homogeneous, |h| Cow::from(&h.feedback_margin))),
        "γ̃ of two layers with fixed feedback.";
    "feedback_kkt" ["saves"] Float64, PLAIN,
        Series(|r| from::each(&r.diagnostics.homogeneous, |h| Cow::from(&h.feedback_kkt))),
        "KKT residual of min Σ‖w_j‖⁴/b_j².";
    "gradient_kkt" ["saves"] Float64, PLAIN,
        Series(|r| from::each(&r.diagnostics.homogeneous, |h| Cow::from(&h.gradient_kkt))),
        "KKT residual of min ½‖θ‖².";
    "epsilon" ["saves"] Float64, PLAIN,
        Series(|r| from::each(&r.diagnostics.homogeneous, |h| Cow::from(&h.epsilon))), "ε of Lyu and Li's condition.";
    "delta" ["saves"] Float64, PLAIN,
        Series(|r| from::each(&r.diagnostics.homogeneous, |h| Cow::from(&h.delta))), "δ of the same.";
    "dead_samples" ["samples"] Int64, "index",
        Arrays(|r| from::each(&r.diagnostics.homogeneous, |h| Array::indices(h.dead.iter().copied()))),
        "Samples, from 0, that some hidden layer passes nothing on of at the end.";
    "steps_{i}_k" ["K"] Int64, "steps", Arrays(|r| from::each(from::steps(r), from::step_numbers)),
        "Finite steps, run i: the number of steps at every record.";
    "steps_{i}_log_time" ["K"] Float64, TIME,
        Arrays(|r| from::each(from::steps(r), |b| Array::vector(&b.diagnostics.log_time))),
        "ln(1+t), t = Σ η_k.";
    "steps_{i}_log_loss" ["K"] Float64, "nats",
        Arrays(|r| from::each(from::steps(r), |b| Array::vector(&b.diagnostics.log_loss))), "ln 𝓛.";
    "steps_{i}_min_margin" ["K"] Float64, PLAIN,
        Arrays(|r| from::each(from::steps(r), |b| Array::vector(&b.diagnostics.min_margin))), "The smallest margin.";
    "steps_{i}_margins" ["K, N"] Float64, PLAIN,
        Arrays(|r| from::each(from::steps(r), |b| Array::columns(&b.diagnostics.margins))), "Margins.";
    "steps_{i}_layer_norms" ["K, L"] Float64, PLAIN,
        Arrays(|r| from::each(from::steps(r), |b| Array::columns(&b.diagnostics.layer_norms))), "‖w_l‖.";
    "steps_{i}_beta" ["K, D"] Float64, PLAIN,
        Arrays(from::beta_of_steps), "The predictor of a linear network; D × C with C outputs.";
    "steps_{i}_angle_to_limit" ["K"] Float64, RADIANS, Arrays(from::limit_angle_of_steps), "As for the flow.";
    "steps_{i}_relative_distance" ["records"] Float64, PLAIN,
        Series(|r| from::each(from::steps(r), |b| Cow::from(&b.relative_distance))), "‖θ_k − θ(t_k)‖/‖θ(t_k)‖.";
    "steps_{i}_angle_to_flow" ["records"] Float64, RADIANS,
        Series(|r| from::each(from::steps(r), |b| Cow::from(&b.angle_to_flow))),
        "Angle between β_k and β(t_k) (ReLU networks: between the outputs).";
    "flow_beside_log_time" ["B"] Float64, TIME,
        Arrays(|r| from::each(from::flow_beside(r), |d| Array::vector(&d.log_time))),
        "The flow at the times that the steps recorded.";
    "flow_beside_log_loss" ["B"] Float64, "nats",
        Arrays(|r| from::each(from::flow_beside(r), |d| Array::vector(&d.log_loss))), "ln 𝓛 there.";
    "flow_beside_angle_to_limit" ["B"] Float64, RADIANS,
        Arrays(|r| from::each(from::flow_beside(r).and_then(|d| d.angle_to_limit.as_deref()), Array::vector)),
        "Angle to the limit there.";
    "flow_beside_beta" ["B, D"] Float64, PLAIN,
        Arrays(from::beta_of_flow_beside), "The predictor there; D × C with C outputs.";
}

/// The table of docs/files.md.
#[cfg(feature = "cli")]
pub(crate) fn markdown() -> String {
    let mut text = String::from(
        "## `trajectory.npz`\n\n`numpy.load` reads it. T saves, N samples, D dimensions, L layers; rows are saves. \
         With classes margins and multipliers have a row for every sample and every other class, N(C − 1) in all, \
         sample after sample. Arrays of which a run has nothing are absent. A key with ° is not defined at every save \
         (or record): it has the entries that are, and `<key>_saves` (int64) their indices, from 0. `units` \
         (str) has a line `key: unit` for every array of the file. Where a run completed, all numbers are finite.\n\n\
         | key | shape | type | unit | meaning |\n|---|---|---|---|---|\n",
    );
    for key in KEYS {
        let mark = match key.source {
            Source::Arrays(_) => "",
            Source::Series(_) => "°",
        };
        let about = key.about.replace('|', "\\|");
        text.push_str(&format!(
            "| `{}`{mark} | {} | {} | {} | {about} |\n",
            key.name,
            key.shape,
            key.elements.name(),
            key.unit
        ));
    }
    text
}
