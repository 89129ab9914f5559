//! Weights along an integration by linear multistep formulas.
//!
//! Between two steps θ is fixed; all weights the integrator needs are of the form `θ + Σ_j c_j f_j`, with velocities
//! `f_j` that it requested before, kept in numbered slots. A network may keep them, and evaluate such sums, in whatever
//! form is cheap for it: a fully connected one keeps factors of rank one and never writes such a sum down
//! ([`Kernel::path`]).

use super::Kernel;
use nalgebra::DMatrix;
use std::ops::Range;

/// See the module. `at`, `combination`: the coefficients `c_j`, one per slot.
pub trait WeightPath {
    /// θ.
    fn theta(&self) -> &[f64];

    /// Writes the velocity for `multipliers` (length N) at `θ + Σ c_j f_j` to a slot (whose old value may still be
    /// part of the sum), and the margin rates it causes to `rates` (length N).
    fn velocity(&mut self, at: &[f64], multipliers: &[f64], slot: usize, rates: &mut [f64]);

    /// Multiplies the velocity in a slot by `factor`, as scaling all multipliers would.
    fn scale(&mut self, slot: usize, factor: f64);

    /// Sets the velocity in a slot to zero, whatever it is: that of a failed step may not be finite, and then spoils
    /// sums in which it counts nothing.
    fn clear(&mut self, slot: usize);

    /// The tangent kernel `K_nm = ∂m_n/∂θ · y_m 𝒢_m(θ)` at `θ + Σ c_j f_j` among the samples `active`.
    fn tangent_kernel(&mut self, at: &[f64], active: &[usize]) -> DMatrix<f64>;

    /// Size of `Σ c_j f_j` relative to the tolerances: for each layer the root mean square of its entries in units of
    /// `absolute_l + relative·|w|`, then the largest over the layers. |w| is the weight itself or, where single weights
    /// have no significant digits of their own, the root mean square of the layer's weights.
    fn size(&mut self, combination: &[f64], relative: f64, absolute: &[f64]) -> f64;

    /// Asks [`size`](Self::size) to count these parts of θ one by one, each relative to its own norm however small it
    /// is, and [`advance`](Self::advance) to keep the norms of each set equal. [`FullPath`] does.
    fn resolve(&mut self, _sets: &[Vec<Range<usize>>]) {}

    /// `out = θ + Σ c_j f_j`
    fn write(&self, combination: &[f64], out: &mut [f64]);

    /// `θ += Σ c_j f_j`
    fn advance(&mut self, combination: &[f64]);

    /// All velocities in whatever form they are kept, as numbers to be stored.
    fn velocities(&self) -> Vec<f64>;

    /// Takes over the [`velocities`](Self::velocities) of a path of the same network and slots; `None` if they do not
    /// fit.
    fn restore(&mut self, velocities: &[f64]) -> Option<()>;
}

/// Weights that are added up together.
const BLOCK: usize = 1 << 11;

/// Numbers below this have lost digits, and their products vanish.
pub(crate) const SMALLEST: f64 = 1e-290;

/// The path of any kernel: velocities as vectors of length P.
pub struct FullPath<'k> {
    kernel: &'k dyn Kernel,
    theta: Vec<f64>,
    layers: Vec<usize>,
    velocities: Vec<Vec<f64>>,
    /// `θ + Σ c_j f_j`
    sum: Vec<f64>,
    /// Parts that are resolved one by one, in sets of equal norms.
    resolved: Vec<Vec<Range<usize>>>,
}

impl<'k> FullPath<'k> {
    /// A path at `theta`, with room for `slots` velocities.
    pub fn new(kernel: &'k dyn Kernel, theta: &[f64], slots: usize) -> Self {
        Self {
            kernel,
            theta: theta.to_vec(),
            layers: kernel.layers(),
            velocities: vec![vec![0.0; theta.len()]; slots],
            sum: theta.to_vec(),
            resolved: Vec::new(),
        }
    }

    /// In blocks that stay in the first-level cache from one velocity to the next.
    fn add(&self, combination: &[f64], out: &mut [f64]) {
        let terms: Vec<(f64, &[f64])> = (combination.iter().zip(&self.velocities))
            .filter(|(c, _)| **c != 0.0)
            .map(|(c, f)| (*c, &f[..]))
            .collect();
        for (block, out) in out.chunks_mut(BLOCK).enumerate() {
            let place = block * BLOCK..block * BLOCK + out.len();
            for (c, f) in &terms {
                for (x, f) in out.iter_mut().zip(&f[place.clone()]) {
                    *x += c * f;
                }
            }
        }
    }

    fn set_sum(&mut self, at: &[f64]) {
        let mut sum = std::mem::take(&mut self.sum);
        self.write(at, &mut sum);
        self.sum = sum;
    }
}

/// ‖x‖, without overflow or underflow on the way.
pub(crate) fn norm(x: &[f64]) -> f64 {
    x.iter().fold(0.0, |norm: f64, x| norm.hypot(*x))
}

/// Gives parts that differ by rounding the norm that they have on average. Unequal parts are off the set on which they
/// cannot cross zero: a difference of their squares that is left from larger weights would let them.
fn equalise(theta: &mut [f64], parts: &[Range<usize>]) {
    let sum: f64 = parts.iter().map(|part| norm(&theta[part.clone()])).sum();
    let mean = sum / parts.len() as f64;
    for part in parts {
        match &mut theta[part.clone()] {
            [w] => *w = mean.copysign(*w),
            part => {
                let size = norm(part);
                if size > 0.0 {
                    part.iter_mut().for_each(|w| *w *= mean / size);
                }
            }
        }
    }
}

impl WeightPath for FullPath<'_> {
    fn theta(&self) -> &[f64] {
        &self.theta
    }

    fn velocity(&mut self, at: &[f64], multipliers: &[f64], slot: usize, rates: &mut [f64]) {
        self.set_sum(at);
        self.kernel
            .velocity(&self.sum, multipliers, &mut self.velocities[slot], rates);
    }

    fn scale(&mut self, slot: usize, factor: f64) {
        for f in &mut self.velocities[slot] {
            *f *= factor;
        }
    }

    fn clear(&mut self, slot: usize) {
        self.velocities[slot].fill(0.0);
    }

    fn tangent_kernel(&mut self, at: &[f64], active: &[usize]) -> DMatrix<f64> {
        self.set_sum(at);
        self.kernel
            .tangent_kernel(&self.sum, active)
            .select_rows(active)
    }

    fn size(&mut self, combination: &[f64], relative: f64, absolute: &[f64]) -> f64 {
        let mut sum = std::mem::take(&mut self.sum);
        sum.fill(0.0);
        self.add(combination, &mut sum);
        let mut largest: f64 = 0.0;
        let mut start = 0;
        for (len, absolute) in self.layers.iter().zip(absolute) {
            let layer = start..start + len;
            let squares = sum[layer.clone()].iter().zip(&self.theta[layer]);
            let squares = squares.map(|(x, w)| (x / (absolute + relative * w.abs())).powi(2));
            largest = largest.max(squares.sum::<f64>() / *len as f64);
            start += len;
        }
        for part in self.resolved.iter().flatten() {
            let allowed = relative * norm(&self.theta[part.clone()]) + SMALLEST;
            largest = largest.max((norm(&sum[part.clone()]) / allowed).powi(2));
        }
        self.sum = sum;
        largest.sqrt()
    }

    fn resolve(&mut self, sets: &[Vec<Range<usize>>]) {
        self.resolved = sets.to_vec();
    }

    fn write(&self, combination: &[f64], out: &mut [f64]) {
        out.copy_from_slice(&self.theta);
        self.add(combination, out);
    }

    fn advance(&mut self, combination: &[f64]) {
        let mut theta = std::mem::take(&mut self.theta);
        self.add(combination, &mut theta);
        for set in &self.resolved {
            equalise(&mut theta, set);
        }
        self.theta = theta;
    }

    fn velocities(&self) -> Vec<f64> {
        self.velocities.concat()
    }

    fn restore(&mut self, velocities: &[f64]) -> Option<()> {
        let fits = velocities.len() == self.velocities.len() * self.theta.len();
        let stored = velocities.chunks_exact(self.theta.len().max(1));
        for (own, stored) in self.velocities.iter_mut().zip(stored) {
            own.copy_from_slice(stored);
        }
        fits.then_some(())
    }
}
