//! Lengths of weights and inputs, and the quantities measured relative to them: sines of preactivations, gates.

use super::passes::{Forward, Motion};
use super::pattern::{Mode, Pair, Pattern};
use nalgebra::DMatrix;

/// Inputs below this size, relative to the largest of their layer, count as those of a sample that no unit below
/// sees. This is far above the remainder of inputs that vanish at a border located to 1e-12, for which the sines
/// above would be pure rounding.
const UNSEEN: f64 = 1e-9;

/// `‖w_lj‖` and `‖h_{l−1,n}‖`; zero for inputs that are only rounding.
pub(super) struct Sizes {
    pub widths: Vec<f64>,
    pub inputs: Vec<f64>,
}

impl Sizes {
    pub(super) fn new(pass: &Forward<'_>, layer: usize) -> Self {
        Self {
            widths: pass.w[layer].column_iter().map(|w| w.norm()).collect(),
            inputs: significant_inputs(&pass.h[layer]),
        }
    }

    /// `‖w_j‖‖h_n‖`
    pub(super) fn of(&self, p: Pair) -> f64 {
        self.widths[p.unit] * self.inputs[p.sample]
    }
}

/// `‖h_n‖`, zero for those that are only rounding.
pub(super) fn significant_inputs(inputs: &DMatrix<f64>) -> Vec<f64> {
    significant_norms(inputs, UNSEEN)
}

/// Norms of the columns, zero for those below `share` of the largest.
pub(super) fn significant_norms(columns: &DMatrix<f64>, share: f64) -> Vec<f64> {
    let mut norms: Vec<f64> = columns.column_iter().map(|c| c.norm()).collect();
    let largest = norms.iter().copied().fold(0.0, f64::max);
    for norm in &mut norms {
        if *norm <= share * largest {
            *norm = 0.0;
        }
    }
    norms
}

pub(super) fn all_sizes(pass: &Forward<'_>) -> Vec<Sizes> {
    (0..pass.hidden()).map(|l| Sizes::new(pass, l)).collect()
}

/// `a/(‖w‖‖h‖)`, positive on the side of the pair's mode; `None` where a vanishes identically.
pub(super) fn sine(pass: &Forward<'_>, sizes: &[Sizes], p: Pair, mode: Mode) -> Option<f64> {
    let size = sizes[p.layer].of(p);
    let sine = pass.a[p.layer][(p.unit, p.sample)] / size;
    (size > 0.0).then_some(match mode {
        Mode::Active => sine,
        Mode::Inactive => -sine,
        Mode::Sliding | Mode::Resting => 0.0,
    })
}

/// Gates of the sliding pairs, in order: each is the force divided by the error signal.
pub(super) fn gates<'a>(
    motion: &'a Motion,
    pattern: &'a Pattern,
) -> impl Iterator<Item = (Pair, f64)> + 'a {
    let forces = pattern.sliding().iter().zip(motion.forces.iter());
    forces.map(|(p, nu)| {
        let signal = motion.signals[p.layer][(p.unit, p.sample)];
        // without a signal any gate will do
        let gate = if *nu == 0.0 && signal == 0.0 {
            pattern.kink(p.layer).inactive
        } else {
            nu / signal
        };
        (*p, gate)
    })
}
