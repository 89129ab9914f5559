//! Alignment of entry-by-entry layers with their feedback, frequency by frequency.
//!
//! From zero weights `ŵ_1 = b̂_1^* Ẑ` and `ŵ_l = φ_l b̂_{l−1} b̂_l^*` (l = 2..L, `b̂_L = 1`) with complex φ_l:
//! `φ_2' = Ẑ^* Ẑ'` and `φ_{l+1}' = |b̂_{l−1}|² φ_l^* φ_l'`. Real parts integrate, `Re φ_2 = ½|Ẑ|²`,
//! `Re φ_{l+1} = ½|b̂_{l−1}|² |φ_l|²`; imaginary parts are (twice) areas swept, `Im φ_2` by Ẑ in the complex plane, and not
//! zero. The report's Proposition 2 has φ_l positive; what is true is `Re φ_l > 0`, so `arg φ_l ∈ (−π/2, π/2)`.
//!
//! Ẑ is read off the first layer and φ_l off the others; the recursion is measured, not used.

use crate::problem::Problem;
use nalgebra::{DMatrix, DVector};
use num_complex::Complex64;

/// The alignment coefficients of a run with fixed feedback on a convolutional or diagonal network.
#[derive(Debug, Clone)]
pub struct Phases {
    /// Frequencies of the half spectrum that every feedback vector and the data reach, F of them, increasing.
    pub frequencies: Vec<usize>,
    /// `Ẑ = (ŵ_1 − ŵ_1(0))/b̂_1^*`, F × T.
    pub z: DMatrix<Complex64>,
    /// `φ_l = ŵ_l/(b̂_{l−1} b̂_l^*)` for l = 2..L (index l − 2), each F × T.
    pub phi: Vec<DMatrix<Complex64>>,
    /// Largest over frequencies of `|Re φ_l − its recursion|/|φ_l|`, rows l = 2..L, (L−1) × T; exact from zero weights.
    pub recursion: DMatrix<f64>,
    /// Largest over frequencies of |arg φ_l|, rows l = 2..L, (L−1) × T, radians; 0 while φ_l = 0.
    pub argument: DMatrix<f64>,
}

impl Phases {
    /// The largest |arg φ_l| of the run: radians, layer l, index into [`Self::frequencies`], save.
    pub fn worst_argument(&self) -> (f64, usize, usize, usize) {
        let mut worst = (0.0, 2, 0, 0);
        for (row, phi) in self.phi.iter().enumerate() {
            for k in 0..phi.ncols() {
                for d in 0..phi.nrows() {
                    let size = phi[(d, k)].arg().abs();
                    if size > worst.0 {
                        worst = (size, row + 2, d, k);
                    }
                }
            }
        }
        worst
    }

    /// Largest deviation from the recursion over layers and saves.
    pub fn worst_recursion(&self) -> f64 {
        self.recursion.iter().copied().fold(0.0, f64::max)
    }
}

/// Entries of a transform below this fraction of its largest are rounding: nothing is fed back or learned there.
const ROUNDING: f64 = 1e-12;

pub(super) struct Builder<'a> {
    problem: &'a Problem,
    /// `b̂_1 … b̂_L` on the frequencies that count.
    feedback: Vec<DVector<Complex64>>,
    first: DVector<Complex64>,
    phases: Phases,
}

impl<'a> Builder<'a> {
    /// `None` unless the network acts entry by entry, has a hidden layer, and its feedback is fixed.
    pub fn new(problem: &'a Problem, saves: usize) -> Option<Self> {
        let network = problem.network.spectral()?;
        let mut feedback: Vec<DVector<Complex64>> = problem
            .feedback()?
            .iter()
            .map(|b| network.transform(b))
            .collect();
        let depth = problem.network.depth();
        if depth < 2 {
            return None;
        }
        let entries = network.frequencies();
        feedback.push(DVector::from_element(entries.len(), Complex64::ONE));
        let coordinates = network.basis().rows(problem.dataset.signed_samples());
        let data = DVector::from_iterator(
            entries.len(),
            entries
                .iter()
                .map(|f| coordinates.columns(f.start, f.len).norm()),
        );
        let frequencies: Vec<usize> = (0..entries.len())
            .filter(|&d| {
                let reached = |b: &DVector<Complex64>| {
                    let largest = b.iter().map(|b| b.norm()).fold(0.0, f64::max);
                    b[d].norm() > ROUNDING * largest
                };
                feedback.iter().all(reached) && data[d] > ROUNDING * data.max()
            })
            .collect();
        let pick = |x: &DVector<Complex64>| x.select_rows(&frequencies);
        let feedback: Vec<DVector<Complex64>> = feedback.iter().map(pick).collect();
        let count = frequencies.len();
        let first = network.transforms(problem.theta0.as_slice());
        Some(Self {
            problem,
            feedback,
            first: pick(&first.column(0).into_owned()),
            phases: Phases {
                frequencies,
                z: DMatrix::zeros(count, saves),
                phi: vec![DMatrix::zeros(count, saves); depth - 1],
                recursion: DMatrix::zeros(depth - 1, saves),
                argument: DMatrix::zeros(depth - 1, saves),
            },
        })
    }

    pub fn record(&mut self, k: usize, theta: &[f64]) {
        let Some(network) = self.problem.network.spectral() else {
            return;
        };
        let w = network
            .transforms(theta)
            .select_rows(&self.phases.frequencies);
        let b = &self.feedback;
        for d in 0..w.nrows() {
            let z = (w[(d, 0)] - self.first[d]) / b[0][d].conj();
            self.phases.z[(d, k)] = z;
            let mut expected = 0.5 * z.norm_sqr();
            for l in 2..=w.ncols() {
                let (before, after) = (b[l - 2][d], b[l - 1][d]);
                let phi = w[(d, l - 1)] / (before * after.conj());
                self.phases.phi[l - 2][(d, k)] = phi;
                if phi != Complex64::ZERO {
                    let (recursion, argument) =
                        (&mut self.phases.recursion, &mut self.phases.argument);
                    let distance = (phi.re - expected).abs() / phi.norm();
                    recursion[(l - 2, k)] = recursion[(l - 2, k)].max(distance);
                    argument[(l - 2, k)] = argument[(l - 2, k)].max(phi.arg().abs());
                }
                expected = 0.5 * before.norm_sqr() * phi.norm_sqr();
            }
        }
    }

    pub fn finish(self) -> Phases {
        self.phases
    }
}
