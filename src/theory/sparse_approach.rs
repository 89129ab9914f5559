//! How directions approach the sparse limits of gradient descent with L = 2, where layers act entry by entry, to one
//! output or several.
//!
//! With balanced layers, `ρ_d = ‖β̂_d‖` (the norm over C outputs) and `e_d = β̂_d/ρ_d`,
//! `β̂_d' = ρ_d (ẑ_d + e_d e_d^* ẑ_d)`. On the support of the limit `2τ‖ẑ_d‖ → 1`; off it `2τ‖ẑ_d‖ → κ_d < 1`, the
//! dual's entry relative to the largest, so those entries decay relative to the others like `(log t)^{κ_d − 1}`. On the
//! support, write relative changes of β̂_d as χ along e_d, and y across: phases, along i e_d, and transverse parts, in
//! which outputs turn against each other. With changes `Ĝᵀc` of the dual from the multipliers c, in the clock s,
//!
//! ```text
//! χ' = Rᵀc,       y' = −D (y − Pᵀc),       D = 1 for phases, ½ for transverse parts
//! ```
//!
//! (R, P: parts of `Ĝ_S` along and across), and the margins, which must not change, fix c: `K c = PρDy`,
//! `K = RρRᵀ + PρDPᵀ`. So y decays at the eigenvalues of the symmetric matrix `D − Dρ^½Pᵀ K^{−1} Pρ^½D`, leaving out
//! zeros (there `Rᵀc = 0`, and the margins fix y = 0). With one output only phases are left, and real entries have
//! none. The slowest of all these, and of 1, dominates.

use crate::limit::Limit;
use crate::network::{Architecture, SpectralLinear};
use nalgebra::{DMatrix, DVector};

/// Entries of β̂* below this fraction of the largest, and eigenvalues below it, count as zero.
const ZERO: f64 = 1e-9;

/// An entry of the spectrum on the support of the limit.
struct Entry {
    /// `ρ_d`.
    modulus: f64,
    /// Its coordinates of the support vectors.
    samples: DMatrix<f64>,
    /// `e_d`.
    direction: DVector<f64>,
    /// D.
    across: DMatrix<f64>,
}

impl Entry {
    fn new(modulus: f64, samples: DMatrix<f64>, dual: &DVector<f64>, complex: bool) -> Self {
        let direction = dual.normalize();
        let size = direction.len();
        let mut across = DMatrix::identity(size, size) - &direction * direction.transpose();
        if complex {
            // i e: real parts of all outputs come first
            let half = size / 2;
            let turned = DVector::from_fn(size, |i, _| match i < half {
                true => -direction[i + half],
                false => direction[i - half],
            });
            across += &turned * turned.transpose();
        }
        Self {
            modulus,
            samples,
            direction,
            across: across * 0.5,
        }
    }
}

/// The rate: angle ∝ `(log t)^{−rate}`. `None` if the multipliers do not determine it.
pub(super) fn rate(
    network: &SpectralLinear,
    signed_samples: &DMatrix<f64>,
    limit: &Limit,
) -> Option<f64> {
    let (entries, lagging) = on_support(network, signed_samples, limit);
    let size = limit.support.len();
    let mut k = DMatrix::zeros(size, size);
    for entry in &entries {
        let along = &entry.samples * &entry.direction;
        let across = &entry.samples * &entry.across * entry.samples.transpose();
        k += (&along * along.transpose() + across) * entry.modulus;
    }
    // L⁻¹ Pρ^½D with K = LLᵀ, side by side
    let lower = k.cholesky()?.unpack();
    let total: usize = entries.iter().map(|entry| entry.direction.len()).sum();
    let mut pulls = DMatrix::zeros(size, total);
    let mut decay = DMatrix::zeros(total, total);
    let mut at = 0;
    for entry in &entries {
        let len = entry.direction.len();
        let pull = &entry.samples * &entry.across * entry.modulus.sqrt();
        (pulls.columns_mut(at, len)).copy_from(&lower.solve_lower_triangular(&pull)?);
        (decay.view_mut((at, at), (len, len))).copy_from(&entry.across);
        at += len;
    }
    decay -= pulls.tr_mul(&pulls);
    let free = decay.symmetric_eigenvalues();
    let rates = free.iter().copied().filter(|rate| *rate > ZERO);
    let rate = rates.chain(lagging).fold(1.0, f64::min);
    (rate > ZERO).then_some(rate)
}

/// The entries on the support of the limit, and `1 − κ_d` of the others.
fn on_support(
    network: &SpectralLinear,
    signed_samples: &DMatrix<f64>,
    limit: &Limit,
) -> (Vec<Entry>, Vec<f64>) {
    let (basis, outputs) = (network.basis(), network.outputs());
    let mut support = signed_samples.select_rows(&limit.support);
    for mut row in support.row_iter_mut() {
        let coordinates = basis.joint_coordinates(&row.transpose(), outputs);
        row.copy_from(&coordinates.transpose());
    }
    let dual = basis.joint_coordinates(&signed_samples.tr_mul(&limit.multipliers), outputs);
    let beta = basis.joint_coordinates(&limit.beta, outputs);
    let frequencies = network.frequencies();
    let moduli = |x: &DVector<f64>| -> Vec<f64> {
        let parts = frequencies.iter();
        let parts = parts.map(|f| (x.rows(f.start * outputs, f.len * outputs).norm(), f.len));
        parts
            .map(|(norm, len)| norm / (len as f64).sqrt())
            .collect()
    };
    let (of_dual, of_beta) = (moduli(&dual), moduli(&beta));
    let largest = |moduli: &[f64]| moduli.iter().copied().fold(0.0, f64::max);
    let (largest_dual, largest_beta) = (largest(&of_dual), largest(&of_beta));
    let (mut entries, mut lagging) = (Vec::new(), Vec::new());
    for (f, (z, b)) in frequencies.iter().zip(of_dual.into_iter().zip(of_beta)) {
        if b <= ZERO * largest_beta {
            lagging.push(1.0 - z / largest_dual);
            continue;
        }
        let (start, len) = (f.start * outputs, f.len * outputs);
        // ‖ẑ_d‖ is the same all over the support
        entries.push(Entry::new(
            b * largest_dual / z,
            support.columns(start, len).into_owned(),
            &dual.rows(start, len).into_owned(),
            f.len == 2,
        ));
    }
    (entries, lagging)
}
