//! The output layer of a network beside the hard-margin SVM of its features (Theorem 3).
//!
//! Any network whose output layer is linear is a linear classifier of its features, so also one that is linear
//! throughout: a fully connected network sees `w_{L−1}ᵀ⋯w_1ᵀ x`, one that acts entry by entry `ŵ_1^*⋯ŵ_{L−1}^* x̂`. As
//! on ReLU networks (`homogeneous`), the SVM is that of the features of the same save.

use super::Homogeneous;
use crate::limit::{Certifier, Potential, Separability, angle, max_margin_from};
use crate::network::OutputLayer;
use crate::problem::Problem;

/// The output weights beside the SVM of the features, along a run (T entries each); `None` where the features are not
/// separable, where some margin is not positive, and at saves that were passed over.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FeatureMachine {
    /// Angle between w_L and the SVM of the features of the same save, radians.
    pub angle: Vec<Option<f64>>,
    /// Margin of that SVM on features scaled to `Σ_n ‖φ_n‖² = N`.
    pub margin: Vec<Option<f64>>,
    /// The duality gap that w_L certifies on the features.
    pub gap: Vec<Option<f64>>,
}

impl FeatureMachine {
    /// What was measured of a ReLU network, `gap` the duality gaps of its output weights.
    pub(super) fn of(h: &Homogeneous, gap: &[Option<f64>]) -> Self {
        Self {
            angle: h.feature_angle.clone(),
            margin: h.feature_margin.clone(),
            gap: gap.to_vec(),
        }
    }

    /// The last entry of a series at or before save k that was measured.
    pub fn at(series: &[Option<f64>], k: usize) -> Option<f64> {
        series[..=k].iter().rev().find_map(|x| *x)
    }
}

/// Entries of features that one run is measured on: beyond, saves are passed over.
const ENTRIES: usize = 1 << 21;

/// Saves that are measured in any case.
const FEWEST: usize = 60;

/// Fills a [`FeatureMachine`] save by save.
pub(super) struct Builder<'a> {
    problem: &'a Problem,
    saves: usize,
    /// Every so many saves are measured, counted from the last one.
    stride: usize,
    support: Vec<usize>,
    measured: FeatureMachine,
}

impl<'a> Builder<'a> {
    /// `None` unless the network has two layers or more, and a linear output layer that is known.
    pub(super) fn new(problem: &'a Problem, saves: usize) -> Option<Self> {
        let network = problem.network();
        let zero = vec![0.0; network.parameters()];
        let layer =
            (network.depth() >= 2).then(|| network.output_layer(&zero, problem.dataset()))??;
        let affordable = (ENTRIES / layer.features.len().max(1)).max(FEWEST);
        Some(Self {
            problem,
            saves,
            stride: saves.div_ceil(affordable).max(1),
            support: Vec::new(),
            measured: FeatureMachine::default(),
        })
    }

    /// Measures save k, the next one; `smallest` is its least margin. Returns the angle, where it was measured.
    pub(super) fn record(&mut self, k: usize, theta: &[f64], smallest: f64) -> Option<f64> {
        let due = (self.saves - 1 - k).is_multiple_of(self.stride);
        let found = (due && smallest > 0.0)
            .then(|| self.measure(theta))
            .flatten();
        let m = &mut self.measured;
        m.angle.push(found.map(|f| f.0));
        m.margin.push(found.map(|f| f.1));
        m.gap.push(found.and_then(|f| f.2));
        found.map(|f| f.0)
    }

    /// Angle, margin and gap.
    fn measure(&mut self, theta: &[f64]) -> Option<(f64, f64, Option<f64>)> {
        let data = self.problem.dataset();
        let OutputLayer { features, weights } = self.problem.network().output_layer(theta, data)?;
        let Separability::Separable(limit) = max_margin_from(&features, &self.support) else {
            return None;
        };
        self.support.clone_from(&limit.support);
        let scale = features.norm() / (data.len() as f64).sqrt();
        let mut certifier = Certifier::new(&features, &Potential::euclidean(features.ncols()));
        let multipliers = certifier.best_multipliers(&weights);
        Some((
            angle(weights.as_slice(), limit.beta.as_slice()),
            1.0 / (limit.beta.norm() * scale),
            certifier.duality_gap(&weights, &multipliers),
        ))
    }

    pub(super) fn finish(self) -> FeatureMachine {
        self.measured
    }
}
