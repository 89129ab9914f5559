//! Alignment of entrywise layers with their feedback, frequency by frequency.
//!
//! From zero weights `ŵ_1 = b̂_1^* Ẑ` and `ŵ_l = φ_l b̂_{l−1} b̂_l^*` (l = 2..L, `b̂_L = 1`) with complex φ_l:
//! `φ_2' = Ẑ^* Ẑ'` and `φ_{l+1}' = |b̂_{l−1}|² φ_l^* φ_l'`. The real parts integrate to `Re φ_2 = ½|Ẑ|²`,
//! `Re φ_{l+1} = ½|b̂_{l−1}|² |φ_l|²`; the imaginary parts are (twice) areas swept in the complex plane, `Im φ_2` by Ẑ,
//! and not zero. The report's Proposition 2 claims that φ_l is positive; true is only `Re φ_l > 0`, so
//! `arg φ_l ∈ (−π/2, π/2)`.
//!
//! Ẑ is read off the first layer and φ_l off the others; the recursion is checked, not used.

use crate::network::SpectralLinear;
use crate::problem::Problem;
use crate::singular::Singular;
use crate::theory::Theory;
use crate::trajectory::Trajectory;
use nalgebra::{DMatrix, DVector};
use num_complex::Complex64;

/// The alignment coefficients of a run with fixed feedback on a convolutional or diagonal network.
#[derive(Debug, Clone)]
pub struct Phases {
    /// Frequencies of the half spectrum that every feedback vector and the data reach, F of them, increasing.
    pub frequencies: Vec<usize>,
    /// Whether at each of them the data lie on a line through the origin of the complex plane, so that no area is swept
    /// and every φ_l stays real.
    pub on_lines: bool,
    /// `Ẑ = (ŵ_1 − ŵ_1(0))/b̂_1^*`, F × T.
    pub z: DMatrix<Complex64>,
    /// `φ_l = ŵ_l/(b̂_{l−1} b̂_l^*)` for l = 2..L (index l − 2), each F × T.
    pub phi: Vec<DMatrix<Complex64>>,
    /// Distance of Re φ_l from its recursion, all frequencies together and relative to the layer,
    /// `‖b̂_{l−1} b̂_l (Re φ_l − …)‖/‖ŵ_l‖`; rows l = 2..L, (L−1) × T; exact from zero weights.
    pub recursion: DMatrix<f64>,
    /// Largest over frequencies of |arg φ_l|, rows l = 2..L, (L−1) × T, radians. Entries of ŵ_l below the run's
    /// absolute tolerance have no meaningful phase and are left out.
    pub argument: DMatrix<f64>,
    /// The same, less what the errors of the run can turn an entry by: as far as phases are certain.
    pub certain: DMatrix<f64>,
}

/// A phase and where it occurred.
#[derive(Debug, Clone, Copy)]
pub struct Phase {
    /// |arg φ_l|
    pub radians: f64,
    /// l
    pub layer: usize,
    /// d
    pub frequency: usize,
    /// Index of the save.
    pub save: usize,
}

impl Phases {
    /// The largest |arg φ_l| of the run.
    pub fn worst_argument(&self) -> Phase {
        let mut worst = Phase {
            radians: 0.0,
            layer: 2,
            frequency: 0,
            save: 0,
        };
        for (row, arguments) in self.argument.row_iter().enumerate() {
            let (save, radians) =
                arguments
                    .iter()
                    .copied()
                    .enumerate()
                    .fold(
                        (0, 0.0),
                        |best, (k, a)| if a > best.1 { (k, a) } else { best },
                    );
            if radians > worst.radians {
                let column = self.phi[row].column(save);
                let at = column.iter().position(|phi| phi.arg().abs() == radians);
                worst = Phase {
                    radians,
                    layer: row + 2,
                    frequency: at.map_or(0, |d| self.frequencies[d]),
                    save,
                };
            }
        }
        worst
    }

    /// Largest deviation from the recursion over layers and saves.
    pub fn worst_recursion(&self) -> f64 {
        self.recursion.iter().copied().fold(0.0, f64::max)
    }
}

/// Entries of the data's transform below this fraction of the largest are rounding: nothing is learned there.
const ROUNDING: f64 = 1e-12;

/// Errors of the steps of a run add up to this many times its relative tolerance.
const ERRORS_ADD_UP: f64 = 20.0;

/// Whether rows of two coordinates are multiples of one another, to rounding of a transform.
fn is_a_line(rows: &DMatrix<f64>) -> bool {
    Singular::of(rows).rank(ROUNDING) < 2
}

pub(super) struct Builder {
    network: SpectralLinear,
    /// `b̂_1 … b̂_L` on the frequencies in use.
    feedback: Vec<DVector<Complex64>>,
    first: DVector<Complex64>,
    /// Smallest entry of ŵ_l whose phase counts.
    resolution: f64,
    /// Errors of entries relative to their layer.
    relative: f64,
    phases: Phases,
}

impl Builder {
    /// `None` unless theory predicts that layers align with their feedback entrywise.
    pub(super) fn new(problem: &Problem, theory: &Theory, trajectory: &Trajectory) -> Option<Self> {
        let law = theory.alignment.as_ref()?.frequencies()?;
        let (saves, network) = (trajectory.len(), &law.network);
        let (depth, reached) = (law.feedback.len(), &law.reached);
        let entries = network.frequencies();
        let coordinates = network.basis().rows(problem.dataset().signed_samples());
        let data = DVector::from_iterator(
            entries.len(),
            entries
                .iter()
                .map(|f| coordinates.columns(f.start, f.len).norm()),
        );
        let frequencies: Vec<usize> = (0..entries.len())
            .filter(|&d| reached[d] && data[d] > ROUNDING * data.max())
            .collect();
        let pick = |x: &DVector<Complex64>| x.select_rows(&frequencies);
        let feedback: Vec<DVector<Complex64>> = law.feedback.iter().map(pick).collect();
        let count = frequencies.len();
        let first = network.transforms(problem.theta0().as_slice());
        Some(Self {
            network: network.clone(),
            feedback,
            resolution: trajectory.solver.atol,
            relative: ERRORS_ADD_UP * trajectory.solver.rtol,
            first: pick(&first.column(0).into_owned()),
            phases: Phases {
                on_lines: frequencies.iter().all(|&d| {
                    let f = &entries[d];
                    f.len == 1 || is_a_line(&coordinates.columns(f.start, f.len).into_owned())
                }),
                frequencies,
                z: DMatrix::zeros(count, saves),
                phi: vec![DMatrix::zeros(count, saves); depth - 1],
                recursion: DMatrix::zeros(depth - 1, saves),
                argument: DMatrix::zeros(depth - 1, saves),
                certain: DMatrix::zeros(depth - 1, saves),
            },
        })
    }

    pub(super) fn record(&mut self, k: usize, theta: &[f64]) {
        let w = self
            .network
            .transforms(theta)
            .select_rows(&self.phases.frequencies);
        let norms: Vec<f64> = w.column_iter().map(|layer| layer.norm()).collect();
        let b = &self.feedback;
        let phases = &mut self.phases;
        let mut distance = vec![0.0_f64; w.ncols() - 1];
        let mut size = vec![0.0_f64; w.ncols() - 1];
        for d in 0..w.nrows() {
            let z = (w[(d, 0)] - self.first[d]) / b[0][d].conj();
            phases.z[(d, k)] = z;
            let mut expected = 0.5 * z.norm_sqr();
            for l in 2..=w.ncols() {
                let row = l - 2;
                let (before, after) = (b[l - 2][d], b[l - 1][d]);
                let scale = before * after.conj();
                let phi = w[(d, l - 1)] / scale;
                phases.phi[row][(d, k)] = phi;
                distance[row] = distance[row].hypot((phi.re - expected) * scale.norm());
                size[row] = size[row].hypot(phi.norm().max(expected) * scale.norm());
                let (entry, argument) = (w[(d, l - 1)].norm(), phi.arg().abs());
                if entry > self.resolution {
                    let largest = &mut phases.argument[(row, k)];
                    *largest = largest.max(argument);
                    let error = self.resolution + self.relative * norms[l - 1];
                    let largest = &mut phases.certain[(row, k)];
                    *largest = largest.max(argument - error / entry);
                }
                expected = 0.5 * before.norm_sqr() * phi.norm_sqr();
            }
        }
        for (row, (distance, size)) in distance.into_iter().zip(size).enumerate() {
            if distance > 0.0 {
                phases.recursion[(row, k)] = distance / size;
            }
        }
    }

    pub(super) fn finish(self) -> Phases {
        self.phases
    }
}
