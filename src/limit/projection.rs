//! Projection onto a polyhedron by the dual active-set method of Goldfarb & Idnani (1983).
//!
//! One problem covers the Euclidean limit, the Newton steps towards the others, and all certificates:
//!
//! ```text
//! min ½‖β − b‖²  s.t.  g_n·β ≥ e for every allowed n,        β = b + Gᵀλ,  λ ≥ 0,  λ_n (g_n·β − e) = 0
//! ```
//!
//! * `b = 0, e = 1`: the max-margin problem, with multipliers λ.
//! * `b = −f, e = 0`: then `β = Gᵀλ − f`, and λ solves the non-negative least-squares problem `min_{λ≥0} ‖Gᵀλ − f‖`.
//! * both non-zero: a Newton step for any other potential, in the metric of its Hessian (`newton`).
//!
//! The method keeps a linearly independent set S with `λ_S ≥ 0`, `g_n·β = e` on S (so β is optimal for the constraints
//! in S alone) and adds violated samples one by one. When sample p enters, `g_p = Σ_S c_n g_n + z`, `z ⟂ span S`, and
//! the step is `β += t z`, `λ_S −= t c`, `λ_p += t`. A full step `t = (e − g_p·β)/‖z‖²` makes p tight; a sample whose
//! multiplier would turn negative before that leaves S first. If neither happens (`z = 0`, `c ≤ 0`), then
//! `g_p − Σ c_n g_n = 0` is a non-negative combination with a positive sum of coefficients: Farkas' certificate that no
//! β is feasible. The objective rises with every full step, so the method is finite, and degenerate or repeated samples
//! never enter S together.

use super::active_set::ActiveSet;
use super::doubled::{Doubled, DoubledVector};
use crate::products::transposed_product;
use nalgebra::{DMatrix, DVector};

/// How β, λ and the violations are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precision {
    /// Plain f64.
    Working,
    /// Iterative refinement with doubled residuals, violations in doubled arithmetic.
    Doubled,
}

/// How a run of the active-set method ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    /// No violated sample is left.
    Optimal,
    /// A non-negative combination of samples vanishes: (index, weight), the entering sample first.
    Infeasible(Vec<(usize, f64)>),
    /// Rounding keeps the method from finishing; the state is the last one reached.
    Stalled,
}

/// The projection problem and the current active set. `samples` holds `g_n` as columns, D × N.
#[derive(Debug, Clone)]
pub(super) struct Projection {
    samples: DMatrix<f64>,
    norms: DVector<f64>,
    anchor: DVector<f64>,
    level: f64,
    allowed: Vec<bool>,
    active: ActiveSet,
    point: DoubledVector,
    multipliers: DoubledVector,
}

/// How often one sample may enter without measurable progress in between before it is ignored.
const ATTEMPTS: u8 = 8;

impl Projection {
    /// A problem with an empty active set.
    pub(super) fn new(samples: DMatrix<f64>, anchor: DVector<f64>, level: f64) -> Self {
        let (dimension, count) = samples.shape();
        Self {
            norms: DVector::from_iterator(count, samples.column_iter().map(|g| g.norm())),
            active: ActiveSet::new(dimension, count),
            allowed: vec![true; count],
            point: DoubledVector::zeros(dimension),
            multipliers: DoubledVector::zeros(0),
            samples,
            anchor,
            level,
        }
    }

    /// Changes the anchor b; the active set stays as a warm start.
    pub(super) fn set_anchor(&mut self, anchor: DVector<f64>) {
        self.anchor = anchor;
    }

    /// Restricts the constraints to the samples with `allowed[n]`.
    pub(super) fn allow(&mut self, allowed: Vec<bool>) {
        self.allowed = allowed;
        for position in (0..self.active.members().len()).rev() {
            if !self.allowed[self.active.members()[position]] {
                self.active.remove(position);
            }
        }
    }

    /// Restarts from the independent samples in `guess`, taken in this order.
    pub(super) fn start_from(&mut self, guess: &[usize]) {
        self.active.clear();
        let mut candidates = Vec::with_capacity(guess.len());
        let mut seen = vec![false; self.allowed.len()];
        for &n in guess {
            if self.allowed[n] && !std::mem::replace(&mut seen[n], true) {
                candidates.push(n);
            }
        }
        self.active.fill(&self.samples, &self.norms, &candidates);
    }

    /// Takes in more samples; the active set stays as a warm start.
    pub(super) fn append(&mut self, more: &[DVector<f64>]) {
        let count = self.samples.ncols();
        let samples = std::mem::replace(&mut self.samples, DMatrix::zeros(0, 0));
        let mut samples = samples.resize_horizontally(count + more.len(), 0.0);
        for (i, g) in more.iter().enumerate() {
            samples.set_column(count + i, g);
        }
        self.samples = samples;
        let norms = self
            .norms
            .iter()
            .copied()
            .chain(more.iter().map(|g| g.norm()));
        self.norms = DVector::from_iterator(count + more.len(), norms);
        self.allowed.resize(count + more.len(), true);
        self.active.grow(count + more.len());
    }

    /// S, in the order of entry.
    pub(super) fn members(&self) -> &[usize] {
        self.active.members()
    }

    /// β of the last solve.
    pub(super) fn point(&self) -> &DoubledVector {
        &self.point
    }

    /// Solves `v − G_Sᵀλ = residual`, `G_S v = shortfall` for the members (in the order of entry).
    pub(super) fn correction(
        &self,
        residual: &DVector<f64>,
        shortfall: &DVector<f64>,
    ) -> (DVector<f64>, DVector<f64>) {
        self.active.solve(residual, shortfall)
    }

    /// Frobenius norm of the inverse of the members, each divided by its length, on their span.
    pub(super) fn inverse_norm(&self) -> f64 {
        self.active.inverse_norm(&self.norms)
    }

    /// λ of the last solve, length N.
    pub(super) fn multipliers(&self) -> DoubledVector {
        let mut all = DoubledVector::zeros(self.samples.ncols());
        for (i, &n) in self.active.members().iter().enumerate() {
            all.set(n, self.multipliers.get(i));
        }
        all
    }

    /// Runs the method from the current active set.
    pub(super) fn run(&mut self, precision: Precision) -> Outcome {
        self.settle(precision);
        let count = self.samples.ncols();
        let mut attempts = vec![0u8; count];
        let mut best = self.progress();
        for _ in 0..10 * (count + self.samples.nrows()) + 100 {
            let Some((entering, violation, worth_trying)) =
                self.most_violated(precision, &attempts)
            else {
                return Outcome::Optimal;
            };
            if !worth_trying {
                return Outcome::Stalled;
            }
            attempts[entering] += 1;
            if let Some(combination) = self.enter(entering, violation) {
                return Outcome::Infeasible(combination);
            }
            self.settle(precision);
            let progress = self.progress();
            if progress > best + 1e-13 * best.abs() {
                best = progress;
                attempts.fill(0);
            }
        }
        Outcome::Stalled
    }

    /// Drops members whose multiplier is below `threshold · max_n λ_n‖g_n‖` (weighted likewise), and solves again.
    pub(super) fn prune(&mut self, threshold: f64, precision: Precision) {
        let weights: Vec<f64> = self.member_weights().collect();
        let largest = weights.iter().copied().fold(0.0, f64::max);
        for position in (0..weights.len()).rev() {
            if weights[position] <= threshold * largest {
                self.active.remove(position);
            }
        }
        self.settle(precision);
    }

    /// Solves for the current S, and drops members with negative multipliers, the most negative first.
    pub(super) fn settle(&mut self, precision: Precision) {
        loop {
            self.solve(precision);
            let lowest = self
                .member_weights()
                .enumerate()
                .min_by(|a, b| a.1.total_cmp(&b.1));
            match lowest {
                Some((position, weight)) if weight < 0.0 => self.active.remove(position),
                _ => break,
            }
        }
    }

    /// `λ_n ‖g_n‖` over the members.
    fn member_weights(&self) -> impl Iterator<Item = f64> + '_ {
        let members = self.active.members();
        self.multipliers
            .hi
            .iter()
            .zip(members)
            .map(|(m, &n)| m * self.norms[n])
    }

    /// A number that rises with every full step: ‖β − b‖², and −‖β‖² when e = 0 (there ‖β − b‖² = ‖b‖² − ‖β‖², which
    /// would hide late progress).
    fn progress(&self) -> f64 {
        if self.level == 0.0 {
            -self.point.hi.norm_squared()
        } else {
            (&self.point.hi - &self.anchor).norm_squared()
        }
    }

    fn solve(&mut self, precision: Precision) {
        let k = self.active.members().len();
        let levels = DVector::from_element(k, self.level);
        let (point, multipliers) = self.active.solve(&self.anchor, &levels);
        self.point = point.into();
        self.multipliers = multipliers.into();
        if precision == Precision::Doubled {
            self.refine();
        }
    }

    /// Iterative refinement of `β − G_Sᵀλ = b`, `G_S β = e` with doubled residuals (Björck 1967). Converges while
    /// cond(G_S)·ε < 1; stops when a correction no longer halves.
    fn refine(&mut self) {
        let mut last = f64::INFINITY;
        for _ in 0..30 {
            let mut span = DoubledVector::from(self.anchor.clone());
            for (i, &n) in self.active.members().iter().enumerate() {
                let g = self.samples.column(n);
                span.add_scaled(self.multipliers.get(i), g.as_slice());
            }
            let residual = span.minus(&self.point);
            let level = Doubled::new(self.level, 0.0);
            let members = self.active.members();
            let shortfall = DVector::from_iterator(
                members.len(),
                members
                    .iter()
                    .map(|&n| level.minus(self.point.dot(self.samples.column(n).as_slice()))),
            );
            let (point, multipliers) = self.active.solve(&residual, &shortfall);
            let size =
                relative(&point, &self.point.hi).max(relative(&multipliers, &self.multipliers.hi));
            if !size.is_finite() || size > 0.5 * last {
                break;
            }
            self.point.add(&point);
            self.multipliers.add(&multipliers);
            if size < 1e-28 {
                break;
            }
            last = size;
        }
    }

    /// The sample farthest (in units of its length) on the wrong side: index, `e − g_n·β`, and whether it has attempts
    /// left. Samples without attempts left are returned only when no other is violated.
    fn most_violated(&self, precision: Precision, attempts: &[u8]) -> Option<(usize, f64, bool)> {
        let size = self.point.hi.norm() + self.anchor.norm();
        let mut plain = vec![0.0; self.samples.ncols()];
        let point = self.point.hi.as_slice();
        transposed_product(self.samples.as_slice(), point, &mut plain);
        let digits = 4.0 * self.samples.nrows() as f64 * f64::EPSILON;
        let mut worst: Option<(usize, f64, bool)> = None;
        for (n, &used) in attempts.iter().enumerate() {
            if !self.allowed[n] || self.active.contains(n) {
                continue;
            }
            let (violation, tolerance) = match precision {
                Precision::Working => (
                    self.level - plain[n],
                    32.0 * f64::EPSILON * (self.level + self.norms[n] * size),
                ),
                // more digits would not change that there is none
                Precision::Doubled if plain[n] - self.level > digits * self.norms[n] * size => {
                    continue;
                }
                Precision::Doubled => {
                    let margin = self.point.dot(self.samples.column(n).as_slice());
                    let scale = if self.level > 0.0 {
                        self.level
                    } else {
                        self.norms[n] * size
                    };
                    (
                        Doubled::new(self.level, 0.0).minus(margin),
                        4.0 * f64::EPSILON * scale,
                    )
                }
            };
            if violation <= tolerance {
                continue;
            }
            let fresh = used < ATTEMPTS;
            let better = match worst {
                None => true,
                Some((m, other, other_fresh)) => {
                    (fresh && !other_fresh)
                        || (fresh == other_fresh
                            && violation * self.norms[m] > other * self.norms[n])
                }
            };
            if better {
                worst = Some((n, violation, fresh));
            }
        }
        worst
    }

    /// Adds sample p, dropping the members that block it. If that is impossible, returns a vanishing combination.
    fn enter(&mut self, p: usize, mut violation: f64) -> Option<Vec<(usize, f64)>> {
        let mut multipliers: Vec<f64> = self.multipliers.hi.iter().copied().collect();
        loop {
            let split = self.active.split(self.samples.column(p).as_slice());
            let coefficients = self.active.coefficients(&split.along);
            let square = split.distance * split.distance;
            let independent = !self.active.is_full() && split.is_independent(self.norms[p]);
            let full = if independent {
                violation / square
            } else {
                f64::INFINITY
            };
            match self.blocking(p, &coefficients, &multipliers) {
                Some((position, step)) if step < full => {
                    for (m, c) in multipliers.iter_mut().zip(coefficients.iter()) {
                        *m = (*m - step * c).max(0.0);
                    }
                    multipliers.remove(position);
                    self.active.remove(position);
                    if independent {
                        violation -= step * square;
                    }
                }
                _ if independent => {
                    self.active.push(p, &split);
                    return None;
                }
                _ => {
                    let members = self.active.members().iter().copied();
                    let weights = coefficients.iter().map(|c| (-c).max(0.0));
                    return Some(
                        std::iter::once((p, 1.0))
                            .chain(members.zip(weights))
                            .collect(),
                    );
                }
            }
        }
    }

    /// The member whose multiplier reaches zero first: its position and the step length at which it does.
    fn blocking(
        &self,
        p: usize,
        coefficients: &DVector<f64>,
        multipliers: &[f64],
    ) -> Option<(usize, f64)> {
        let members = self.active.members();
        let length = |i: usize| coefficients[i].abs() * self.norms[members[i]];
        let largest = (0..members.len()).map(length).fold(self.norms[p], f64::max);
        (0..members.len())
            .filter(|&i| coefficients[i] > 0.0 && length(i) > 4.0 * f64::EPSILON * largest)
            .map(|i| (i, multipliers[i] / coefficients[i]))
            .min_by(|a, b| a.1.total_cmp(&b.1))
    }
}

fn relative(change: &DVector<f64>, of: &DVector<f64>) -> f64 {
    let (change, of) = (change.norm(), of.norm());
    if change == 0.0 { 0.0 } else { change / of }
}
