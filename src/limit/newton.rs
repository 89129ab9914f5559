//! Projected Newton steps for `min ψ(x) s.t. Gx ≥ 1`, by projections in the metric of the Hessian.
//!
//! Let `Φ = Σ_b ‖x_b‖^p/p` and its conjugate `Φ* = Σ_b ‖z_b‖^q/q` (unit coordinates). For linked pairs, `z = ∇Φ(x)` or
//! `x = ∇Φ*(z)`, the Hessians are inverse to each other,
//!
//! ```text
//! H = ∇²Φ(x) = [∇²Φ*(z)]⁻¹ = ‖x_b‖^{p−2} [ I + (p − 2) x̂_b x̂_bᵀ ]      block by block
//! ```
//!
//! The Newton step of the primal at x and that of the dual `max_{λ≥0} e 1ᵀλ − Φ*(Gᵀλ)` at `z = Gᵀλ` are one quadratic
//! program,
//!
//! ```text
//! min ½ (x⁺ − x)ᵀ H (x⁺ − x) + z·(x⁺ − x)   s.t.  G x⁺ ≥ e,         multipliers λ⁺ ≥ 0,   Gᵀλ⁺ = z + H (x⁺ − x)
//! ```
//!
//! and in the coordinates `H^{1/2} x` it is a projection (`projection`): active sets, degenerate samples and accuracy
//! are dealt with there. The smooth side leads: for p < 2 the dual (q > 2, Φ* twice differentiable), with a line search
//! in λ; for p > 2 the primal, with a line search in x. λ stays non-negative and x feasible automatically. The merit
//! functions `ln(ψ*(Gᵀλ)/1ᵀλ)` and `ln(ψ(x)/γ)` do not depend on scale; before every step the iterate is scaled to a
//! norm near one and the level e to the best value for that scale, so nothing overflows. `(x⁺, λ⁺)` is feasible on both
//! sides whatever the iterate is, so every step measures its own gap, which is of second order in the distance to the
//! optimum.
//!
//! Where `‖v_b‖ → 0` on the leading side its Hessian vanishes; it is computed with `‖v_b‖` bounded below by a floor,
//! which only shortens the steps of blocks whose share of the norm is below rounding.
//!
//! For p ≤ 1, on the blocks of a support, the primal leads with its own gradient and the radial curvature `p − 1 ≤ 0`
//! replaced by a small positive one: every step minimises an upper bound of Φ to second order, so ψ still falls.

use super::blocks::{UnitBlocks, length};
use super::doubled::{Doubled, DoubledVector};
use super::gap::gap;
use super::projection::{Outcome, Precision, Projection};
use super::scaling::power_of_two;
use nalgebra::{DMatrix, DVector};

/// Most steps; ten to forty are usual.
pub(super) const STEPS: usize = 300;

/// Steps without improvement of the measure after which the best is returned.
const PATIENCE: usize = 40;

/// How often the two sides may alternate.
const ROUNDS: usize = 4;

/// A gap at which the search stops.
const DONE: f64 = 1e-18;

/// A gap no step can improve.
const ROUNDING: f64 = 1e-29;

/// Radial curvature where the potential has none (p ≤ 1), relative to the tangential: at the first step, and its
/// minimum. It falls tenfold with every step; convergence is linear at a rate proportional to it.
const PROXIMAL: (f64, f64) = (1e-2, 1e-9);

/// Which variable the line search moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// x with positive margins.
    Primal,
    /// λ ≥ 0.
    Dual,
}

/// `min ψ(x) s.t. Gx ≥ 1` in unit coordinates; columns of order one, none of them zero.
#[derive(Debug)]
pub(super) struct Program<'a> {
    pub blocks: &'a UnitBlocks,
    /// D × N.
    pub columns: &'a DMatrix<f64>,
}

/// The result of a step.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    /// x with `Gx ≥ e`.
    pub x: DoubledVector,
    /// λ ≥ 0.
    pub multipliers: DoubledVector,
    /// p > 1: the duality gap. p ≤ 1: the sum of squares of the relative stationarity residual on the program's blocks
    /// and of the relative excess margin `Σ a_n (m_n/γ − 1)/Σ a_n`.
    pub measure: f64,
    /// Steps taken to get there.
    pub steps: usize,
}

/// `H^{−1/2}` and the linked pair in the coordinates `H^{1/2} x`.
struct Metric {
    /// Unit vector of every block (zero where the block is).
    direction: DVector<f64>,
    /// `H^{−1/2}` across and along the direction, by block.
    half: Vec<(f64, f64)>,
    /// `H^{1/2} (x − H⁻¹ z)`.
    anchor: DVector<f64>,
}

impl Metric {
    /// `H^{−1/2} v`.
    fn apply(&self, blocks: &UnitBlocks, v: &mut DVector<f64>) {
        for (span, (across, along)) in blocks.spans.iter().zip(&self.half) {
            let direction = self.direction.rows(span.start, span.len);
            let mut part = v.rows_mut(span.start, span.len);
            let radial = direction.dot(&part);
            part *= *across;
            part.axpy((along - across) * radial, &direction, 1.0);
        }
    }
}

impl Program<'_> {
    /// The minimiser for p > 1, from x with positive margins. The smooth side needs a start with the right orders of
    /// magnitude: from the hard-margin solution blocks may have to change by many orders, which it does only by a
    /// factor per step, while the other side, where it is safe, gets there at once. So the other side takes a few
    /// steps first, and more whenever the smooth side ends early.
    pub(super) fn minimise(&self, start: &DVector<f64>) -> Option<Pair> {
        let smooth_is_dual = self.blocks.exponent < 2.0;
        let mut best: Option<Pair> = None;
        for round in 0..ROUNDS {
            let sides = if smooth_is_dual {
                [(Side::Primal, 3 + 30 * round), (Side::Dual, STEPS)]
            } else {
                [(Side::Primal, STEPS), (Side::Dual, 30)]
            };
            for (side, steps) in sides {
                let leader = match (&best, side) {
                    (None, Side::Primal) => start.clone(),
                    (None, Side::Dual) => return None,
                    (Some(best), Side::Primal) => best.x.hi.clone(),
                    (Some(best), Side::Dual) => best.multipliers.hi.clone(),
                };
                if let Some(pair) = self.descend(side, &leader, steps)
                    && best.as_ref().is_none_or(|best| pair.measure < best.measure)
                {
                    best = Some(pair);
                }
                let smooth = smooth_is_dual == (side == Side::Dual);
                if smooth && best.as_ref().is_some_and(|best| best.measure <= DONE) {
                    return best;
                }
            }
        }
        best
    }

    /// Steps from `start`: x with positive margins or λ ≥ 0, as `side` says. `None` if none could be taken.
    pub(super) fn descend(&self, side: Side, start: &DVector<f64>, steps: usize) -> Option<Pair> {
        let mut leader = DoubledVector::from(start.clone());
        let mut members: Vec<usize> = match side {
            Side::Dual => (0..start.len()).filter(|&n| start[n] > 0.0).collect(),
            Side::Primal => Vec::new(),
        };
        let mut best: Option<Pair> = None;
        for step in 1..=steps {
            let proximal = (PROXIMAL.0 * 0.1f64.powi(step as i32)).max(PROXIMAL.1);
            let Some((metric, level)) = self.linearised(side, &mut leader, proximal) else {
                break;
            };
            let mut scaled = self.columns.clone();
            for mut column in scaled.column_iter_mut() {
                let mut g = column.clone_owned();
                metric.apply(self.blocks, &mut g);
                column.copy_from(&g);
            }
            let mut projection = Projection::new(scaled, metric.anchor.clone(), level);
            projection.start_from(&members);
            let mut outcome = projection.run(Precision::Working);
            let late = best.as_ref().is_some_and(|best| best.measure < 1e-4);
            if late && outcome == Outcome::Optimal {
                outcome = projection.run(Precision::Doubled);
            }
            if matches!(outcome, Outcome::Infeasible(_)) {
                break;
            }
            members = projection.members().to_vec();
            let (x, multipliers, measure) = self.refined(&metric, &projection, level);
            let next = match side {
                Side::Dual => multipliers.clone(),
                Side::Primal => x.clone(),
            };
            if best.as_ref().is_none_or(|best| measure < best.measure) {
                best = Some(Pair {
                    x,
                    multipliers,
                    measure,
                    steps: step,
                });
            }
            let (reached, waited) = best.as_ref().map_or((f64::INFINITY, step), |best| {
                (best.measure, step - best.steps)
            });
            if reached <= ROUNDING
                || waited >= PATIENCE
                || (reached <= DONE && waited >= 2)
                || (reached <= 1e-13 && waited >= 5)
            {
                break;
            }
            let Some(moved) = self.line_search(side, &leader, &next) else {
                break;
            };
            leader = moved;
        }
        best
    }

    /// The exponent of the norm of a side: p or q.
    fn exponent(&self, side: Side) -> f64 {
        match side {
            Side::Primal => self.blocks.exponent,
            Side::Dual => self.blocks.conjugate(),
        }
    }

    /// Scales the leading iterate to a norm in [1, 2); returns metric and level, `None` if it cannot be scaled.
    fn linearised(
        &self,
        side: Side,
        leader: &mut DoubledVector,
        proximal: f64,
    ) -> Option<(Metric, f64)> {
        let dual = side == Side::Dual;
        let s = self.exponent(side);
        let size = length(&self.blocks.norms(&self.images(side, leader).0), s);
        if !(size > 0.0 && size.is_finite()) {
            return None;
        }
        leader.scale(1.0 / power_of_two(size));
        let (v, divisor) = self.images(side, leader);
        let norms = self.blocks.norms(&v);
        let level = if dual {
            length(&norms, s).powf(s) / divisor[0]
        } else {
            divisor.min()
        };
        let largest = norms.iter().copied().fold(0.0, f64::max);
        // The metric's factors then span no more than 1e11.
        let floor = largest * 1e-16f64.powf(1.0 / (s - 2.0).abs()).min(1e-3);
        let curvature = (s - 1.0).max(proximal).sqrt();
        let mut half = Vec::with_capacity(norms.len());
        let mut anchor = self.blocks.directions(&v);
        let direction = anchor.clone();
        for (span, &norm) in self.blocks.spans.iter().zip(&norms) {
            let root = norm.max(floor).powf(0.5 * (s - 2.0));
            let (across, along) = if dual {
                (root, root * curvature)
            } else {
                (1.0 / root, 1.0 / (root * curvature))
            };
            let linked = if norm > 0.0 { norm.powf(s - 1.0) } else { 0.0 };
            let (x, z) = if dual { (linked, norm) } else { (norm, linked) };
            anchor
                .rows_mut(span.start, span.len)
                .scale_mut(x / along - along * z);
            half.push((across, along));
        }
        let metric = Metric {
            direction,
            half,
            anchor,
        };
        (level > 0.0 && level.is_finite()).then_some((metric, level))
    }

    /// x⁺ and λ⁺ from the projection, refined: the active margins equal the level in doubled arithmetic, and near the
    /// optimum `Gᵀλ = ∇Φ(x)` to rounding in every block. The projection itself works on samples rounded by the
    /// metric, an error that large cancelling multipliers would expose.
    fn refined(
        &self,
        metric: &Metric,
        projection: &Projection,
        level: f64,
    ) -> (DoubledVector, DoubledVector, f64) {
        let mut x = projection.point().hi.clone();
        metric.apply(self.blocks, &mut x);
        let mut x = DoubledVector::from(x);
        let mut multipliers = projection.multipliers();
        let nothing = DVector::zeros(x.hi.len());
        for _ in 0..2 {
            let shortfall = self.shortfall(&x, projection, level);
            let (mut change, _) = projection.correction(&nothing, &shortfall);
            metric.apply(self.blocks, &mut change);
            x.add(&change);
        }
        let mut measure = self.measure(&x, &multipliers);
        for _ in 0..3 {
            if measure.is_nan() || measure >= 1e-6 {
                break;
            }
            let mut residual = self
                .combination(&multipliers)
                .minus(&self.blocks.gradient(&x.hi, self.blocks.exponent).into());
            metric.apply(self.blocks, &mut residual);
            let shortfall = self.shortfall(&x, projection, level);
            let (mut change, more) = projection.correction(&residual, &shortfall);
            metric.apply(self.blocks, &mut change);
            let (mut next_x, mut next) = (x.clone(), DVector::zeros(multipliers.hi.len()));
            next_x.add(&change);
            for (i, &n) in projection.members().iter().enumerate() {
                next[n] = more[i];
            }
            let mut next_multipliers = multipliers.clone();
            next_multipliers.add(&next);
            let next_measure = self.measure(&next_x, &next_multipliers);
            // Even where the measure is at rounding level, the correction still helps the smallest blocks.
            let better = next_measure <= measure.max(ROUNDING);
            if !better || next_multipliers.hi.min() < 0.0 {
                break;
            }
            (x, multipliers, measure) = (next_x, next_multipliers, next_measure);
        }
        (x, multipliers, measure)
    }

    /// `e − g_n·x` over the members.
    fn shortfall(&self, x: &DoubledVector, projection: &Projection, level: f64) -> DVector<f64> {
        let members = projection.members();
        let level = Doubled::new(level, 0.0);
        let shortfall = members
            .iter()
            .map(|&n| level.minus(x.dot(self.columns.column(n).as_slice())));
        DVector::from_iterator(members.len(), shortfall)
    }

    /// `Gᵀλ`.
    fn combination(&self, multipliers: &DoubledVector) -> DoubledVector {
        let mut z = DoubledVector::zeros(self.columns.nrows());
        for (n, g) in self.columns.column_iter().enumerate() {
            if multipliers.hi[n] != 0.0 {
                z.add_scaled(multipliers.get(n), g.as_slice());
            }
        }
        z
    }

    fn measure(&self, x: &DoubledVector, multipliers: &DoubledVector) -> f64 {
        if self.blocks.exponent > 1.0 {
            return gap(self.blocks, self.columns, x, multipliers).unwrap_or(f64::INFINITY);
        }
        let margins: Vec<Doubled> = self
            .columns
            .column_iter()
            .map(|g| x.dot(g.as_slice()))
            .collect();
        let Some(smallest) = margins
            .iter()
            .copied()
            .min_by(|a, b| a.minus(*b).total_cmp(&0.0))
        else {
            return f64::INFINITY;
        };
        let excess: f64 = margins
            .iter()
            .zip(multipliers.hi.iter())
            .map(|(m, a)| a * m.minus(smallest))
            .sum();
        if smallest.value() <= 0.0 {
            return f64::INFINITY;
        }
        let excess = excess / (smallest.value() * multipliers.hi.sum());
        let fit = misfit(self.blocks, &x.hi, &self.combination(multipliers).hi) + excess * excess;
        if fit.is_finite() { fit } else { f64::INFINITY }
    }

    /// The best of `v + t (next − v)`, t = 1, ½, ¼, …; `None` if none is at least as good as v.
    fn line_search(
        &self,
        side: Side,
        v: &DoubledVector,
        next: &DoubledVector,
    ) -> Option<DoubledVector> {
        let (start, change) = (self.images(side, v), self.images(side, next));
        let at = |t: f64| self.merit(side, &start, &change, t);
        let here = at(0.0);
        let mut t = 1.0;
        let mut value = at(t);
        // Accept a full step if the merit does not rise by more than rounding.
        while value.is_nan() || value > here + 1e-14 {
            t *= 0.5;
            if t < 1e-12 {
                return None;
            }
            value = at(t);
        }
        loop {
            let half = at(0.5 * t);
            // Not a number ends it too.
            if half.is_nan() || half >= value - 1e-12 {
                break;
            }
            t *= 0.5;
            value = half;
        }
        Some(if t == 1.0 {
            next.clone()
        } else {
            v.between(next, t)
        })
    }

    /// The two vectors of a side's merit: the norm of the first is divided by the smallest entry of the second. Both
    /// may result from cancellation of large numbers, hence the doubled arithmetic.
    fn images(&self, side: Side, v: &DoubledVector) -> (DVector<f64>, DVector<f64>) {
        match side {
            Side::Dual => (self.combination(v).hi, DVector::from_element(1, v.hi.sum())),
            Side::Primal => (v.hi.clone(), self.margins(v)),
        }
    }

    fn margins(&self, x: &DoubledVector) -> DVector<f64> {
        let margins = self
            .columns
            .column_iter()
            .map(|g| x.dot(g.as_slice()).value());
        DVector::from_iterator(self.columns.ncols(), margins)
    }

    fn merit(
        &self,
        side: Side,
        start: &(DVector<f64>, DVector<f64>),
        end: &(DVector<f64>, DVector<f64>),
        t: f64,
    ) -> f64 {
        let v = &start.0 * (1.0 - t) + &end.0 * t;
        let divisor = (&start.1 * (1.0 - t) + &end.1 * t).min();
        if divisor <= 0.0 {
            return f64::INFINITY;
        }
        length(&self.blocks.norms(&v), self.exponent(side)).ln() - divisor.ln()
    }
}

/// `‖z − ∇Φ(x)‖²/‖∇Φ(x)‖²` in the norm `‖v‖² = Σ_b ‖x_b‖^{2−p} ‖v_b‖²`.
fn misfit(blocks: &UnitBlocks, x: &DVector<f64>, z: &DVector<f64>) -> f64 {
    let p = blocks.exponent;
    let apart = z - blocks.gradient(x, p);
    let (mut sum, mut size) = (0.0, 0.0);
    for (rest, norm) in blocks.norms(&apart).iter().zip(blocks.norms(x)) {
        if norm > 0.0 {
            sum += norm.powf(2.0 - p) * rest * rest;
            size += norm.powf(p);
        }
    }
    sum / size
}
