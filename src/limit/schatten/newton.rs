//! Projected Newton steps for `min ‖x‖_p s.t. Gx ≥ 1`, 1 < p ≤ 2, led by the dual.
//!
//! With `Φ* = Σ σ^q/q`, which is twice differentiable for q > 2, the Newton step of the dual `max 1ᵀλ − Φ*(Gᵀλ)` at
//! `z = Gᵀλ` is a projection in the metric `H = M⁻¹`, `M = ∇²Φ*(z)`, exactly as for blocks (see the Newton steps
//! there). In the singular bases of z the operator M is diagonal: with `f(σ) = σ^{q−1}` it is `(f_i − f_j)/(σ_i − σ_j)`
//! on symmetric changes, `(f_i + f_j)/(σ_i + σ_j)` on antisymmetric ones and `f_i/σ_i` outside of U (Lewis 1996). From
//! the multi-class SVM (q = 2) the exponent is raised by steps that its own optimum can follow.

use super::super::doubled::DoubledVector;
use super::super::projection::{Outcome, Precision, Projection};
use super::Pair;
use super::spectrum::{Spectrum, norm};
use nalgebra::{DMatrix, DVector};

/// Most steps for one exponent.
const STEPS: usize = 60;

/// The exponent q grows at most by this factor at a time.
const GROWTH: f64 = 2.0;

/// A gap from which the next exponent is tried, and one that ends the search.
const FOLLOWED: f64 = 1e-4;
const DONE: f64 = 4.0 * f64::EPSILON;

/// Rows that one step looks at first, per dimension, and how often it may look at more.
const WORKING: usize = 3;
const ROUNDS: usize = 20;

/// The largest q, from which the nuclear norm is polished.
pub(super) const MOST: f64 = 1e4;

/// The minimiser for `columns` (D'C' × N), from multipliers of the multi-class SVM; for p = 1 that of the largest q.
pub(super) fn minimise(
    columns: &DMatrix<f64>,
    shape: (usize, usize),
    p: f64,
    start: &DVector<f64>,
) -> Option<Pair> {
    let target = if p == 1.0 { MOST } else { p / (p - 1.0) };
    let mut multipliers = start.clone();
    let mut q: f64 = 2.0;
    let mut members: Vec<usize> = (0..start.len()).filter(|n| start[*n] > 0.0).collect();
    loop {
        q = (q * GROWTH).min(target);
        let program = Program { columns, shape, q };
        let last = q == target;
        let enough = if last { DONE } else { FOLLOWED };
        let found = program.descend(multipliers, &mut members, enough)?;
        if last {
            return Some(found);
        }
        multipliers = found.multipliers;
    }
}

struct Program<'a> {
    columns: &'a DMatrix<f64>,
    shape: (usize, usize),
    q: f64,
}

impl Program<'_> {
    /// Newton steps until the gap is `enough`, or no longer falls.
    fn descend(
        &self,
        mut multipliers: DVector<f64>,
        members: &mut Vec<usize>,
        enough: f64,
    ) -> Option<Pair> {
        let mut best: Option<Pair> = None;
        let mut idle = 0;
        for _ in 0..STEPS {
            let (x, next) = self.step(&mut multipliers, members)?;
            let gap = self.gap(&x, &next);
            let better = best.as_ref().is_none_or(|best| gap < best.gap);
            idle = if better { 0 } else { idle + 1 };
            if better && gap.is_finite() {
                best = Some(Pair {
                    x,
                    multipliers: next.clone(),
                    gap,
                });
            }
            let done = best.as_ref().is_some_and(|best| best.gap <= enough);
            if done || idle > 8 {
                break;
            }
            match self.line_search(&multipliers, &next) {
                Some(moved) => multipliers = moved,
                None => break,
            }
        }
        best
    }

    /// x⁺ and λ⁺ of the step at λ, which is scaled to `ψ*(Gᵀλ) = 1`.
    fn step(
        &self,
        multipliers: &mut DVector<f64>,
        members: &mut Vec<usize>,
    ) -> Option<(DVector<f64>, DVector<f64>)> {
        let q = self.q;
        let size = norm(&self.spectrum(multipliers).sigma, q);
        if !(size > 0.0 && size.is_finite()) {
            return None;
        }
        *multipliers /= size;
        let spectrum = self.spectrum(multipliers);
        let sigma = &spectrum.sigma;
        let level = sigma.iter().map(|s| s.powf(q)).sum::<f64>() / multipliers.sum();
        let floor = sigma.first()? * floor(q);
        let bounded: Vec<f64> = sigma.iter().map(|s| s.max(floor)).collect();
        let half = spectrum.weights(
            |i, j| divided(bounded[i], bounded[j], q).sqrt(),
            |i, j| match j {
                Some(j) => mean(bounded[i], bounded[j], q).sqrt(),
                None => bounded[i].powf(0.5 * (q - 2.0)),
            },
        );
        let anchor: Vec<f64> = (sigma.iter().zip(&bounded))
            .map(|(sigma, bounded)| {
                let along = ((q - 1.0) * bounded.powf(q - 2.0)).sqrt();
                sigma.powf(q - 1.0) / along - along * sigma
            })
            .collect();
        let anchor = spectrum.diagonal(&anchor);
        let linked = spectrum.with_values(|sigma| sigma.powf(q - 1.0));
        let mut working = self.nearest(&self.columns.tr_mul(&linked), members);
        for _ in 0..ROUNDS {
            let metric = working.iter().map(|n| {
                let column = self.columns.column(*n);
                spectrum.apply(&half, column.as_slice())
            });
            let metric: Vec<DVector<f64>> = metric.collect();
            let mut projection =
                Projection::new(DMatrix::from_columns(&metric), anchor.clone(), level);
            let place = |n: &usize| working.iter().position(|m| m == n);
            projection.start_from(&members.iter().filter_map(place).collect::<Vec<_>>());
            if let Outcome::Infeasible(_) = projection.run(Precision::Working) {
                return None;
            }
            *members = projection.members().iter().map(|i| working[*i]).collect();
            let x = spectrum.apply(&half, projection.point().hi.as_slice());
            let margins = self.columns.tr_mul(&x);
            let violated = |n: &usize| margins[*n] < level * (1.0 - 1e-9) && !working.contains(n);
            let more: Vec<usize> = (0..margins.len()).filter(violated).collect();
            if more.is_empty() {
                let mut multipliers = DVector::zeros(margins.len());
                for (n, multiplier) in working.iter().zip(projection.multipliers().hi.iter()) {
                    multipliers[*n] = multiplier.max(0.0);
                }
                return Some((x, multipliers));
            }
            working.extend(more);
        }
        None
    }

    /// The rows with the smallest margins, a few times as many as can be independent, and those that were active: of
    /// many rows of many classes few can be active, and the others need not be transformed.
    fn nearest(&self, margins: &DVector<f64>, members: &[usize]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..margins.len()).collect();
        let most = WORKING * self.columns.nrows();
        if order.len() > most {
            order.select_nth_unstable_by(most, |m, n| margins[*m].total_cmp(&margins[*n]));
            order.truncate(most);
        }
        let rest = members.iter().filter(|n| !order.contains(n));
        let rest: Vec<usize> = rest.copied().collect();
        order.extend(rest);
        order.sort_unstable();
        order
    }

    fn spectrum(&self, multipliers: &DVector<f64>) -> Spectrum {
        Spectrum::of(&self.combination(multipliers), self.shape)
    }

    /// `Gᵀλ`, in doubled arithmetic where multipliers cancel.
    fn combination(&self, multipliers: &DVector<f64>) -> DVector<f64> {
        let mut z = DoubledVector::zeros(self.columns.nrows());
        let doubled = DoubledVector::from(multipliers.clone());
        for (n, g) in self.columns.column_iter().enumerate() {
            if multipliers[n] != 0.0 {
                z.add_scaled(doubled.get(n), g.as_slice());
            }
        }
        z.hi
    }

    fn gap(&self, x: &DVector<f64>, multipliers: &DVector<f64>) -> f64 {
        gap(
            self.columns,
            self.shape,
            self.q / (self.q - 1.0),
            (x, multipliers),
        )
    }

    /// The best of `λ + t (next − λ)`, t = 1, ½, ¼, … for `ln(ψ*(Gᵀλ)/1ᵀλ)`.
    fn line_search(&self, from: &DVector<f64>, next: &DVector<f64>) -> Option<DVector<f64>> {
        let at = |t: f64| from * (1.0 - t) + next * t;
        let merit = |t: f64| {
            let multipliers = at(t);
            norm(&self.spectrum(&multipliers).sigma, self.q).ln() - multipliers.sum().ln()
        };
        let here = merit(0.0);
        let (mut t, mut value) = (1.0, merit(1.0));
        while value.is_nan() || value > here + 1e-14 {
            t *= 0.5;
            if t < 1e-10 {
                return None;
            }
            value = merit(t);
        }
        loop {
            let half = merit(0.5 * t);
            if half.is_nan() || half >= value - 1e-12 {
                return Some(at(t));
            }
            (t, value) = (0.5 * t, half);
        }
    }
}

/// `(‖x‖_p/γ)(‖Gᵀλ‖_q/1ᵀλ) − 1`; infinite if γ ≤ 0.
pub(super) fn gap(
    columns: &DMatrix<f64>,
    shape: (usize, usize),
    p: f64,
    (x, multipliers): (&DVector<f64>, &DVector<f64>),
) -> f64 {
    let gamma = columns.tr_mul(x).min();
    let total = multipliers.sum();
    if gamma <= 0.0 || total <= 0.0 {
        return f64::INFINITY;
    }
    let primal = norm(&Spectrum::of(x, shape).sigma, p) / gamma;
    let z = columns * multipliers;
    let dual = norm(&Spectrum::of(&z, shape).sigma, p / (p - 1.0)) / total;
    let gap = primal * dual - 1.0;
    // below the rounding of the singular values nothing is known of it
    if gap.is_nan() {
        f64::INFINITY
    } else {
        gap.max(0.0)
    }
}

/// Singular values of z count as at least this share of the largest in the metric: smaller ones would leave the range
/// of doubles, or that of its root, and do not contribute to the norm.
fn floor(q: f64) -> f64 {
    let range: f64 = if q > 24.0 { 1e-60 } else { 1e-16 };
    let share = range.powf(1.0 / (q - 2.0));
    if q > 24.0 { share } else { share.min(1e-3) }
}

/// `(f(x) − f(y))/(x − y)` for `f = σ^{q−1}`, without cancellation.
fn divided(x: f64, y: f64, q: f64) -> f64 {
    let (large, small) = (x.max(y), x.min(y));
    if large == 0.0 {
        return 0.0;
    }
    let log = (small / large).ln();
    let ratio = if log == 0.0 {
        q - 1.0
    } else {
        ((q - 1.0) * log).exp_m1() / log.exp_m1()
    };
    large.powf(q - 2.0) * ratio
}

/// `(f(x) + f(y))/(x + y)` for `f = σ^{q−1}`.
fn mean(x: f64, y: f64, q: f64) -> f64 {
    let large = x.max(y);
    if large == 0.0 {
        return 0.0;
    }
    let ratio = x.min(y) / large;
    large.powf(q - 2.0) * (1.0 + ratio.powf(q - 1.0)) / (1.0 + ratio)
}
