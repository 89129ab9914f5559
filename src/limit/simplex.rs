//! p = 1 with blocks of one coordinate: `min Σ_d |x_d| s.t. Gx ≥ 1`, a linear program.
//!
//! Its dual is solved by the simplex method for bounded variables,
//!
//! ```text
//! max 1ᵀa   s.t.  z = Gᵀa,   −1 ≤ z_d ≤ 1,   a ≥ 0
//! ```
//!
//! from the vertex a = 0. A vertex has D basic variables; the N others rest at a bound, and how the objective changes
//! with them is the primal: `x_d` for a z_d at its bound, `1 − g_n·x` for an a_n at zero. It is optimal once no margin
//! is below one and no x_d has the sign opposite to its z_d. More samples active than coefficients non-zero, equal
//! columns and ties of all kinds are vertices at which a basic variable is at a bound too; where the objective stands
//! still the smallest index decides (Bland 1977), which excludes cycles, and the number of pivots is bounded besides.
//!
//! A vertex is a square system on the samples S with a_n basic and the features K with z_d at a bound,
//!
//! ```text
//! G_SK x_K = 1,       G_SKᵀ a_S = sign z_K
//! ```
//!
//! which is solved afresh at the end and refined with doubled residuals. Where the dictionary had lost too many digits
//! to see that this vertex is not optimal yet (thin margins), what the refined solution says takes the place of its own
//! values, and single pivots follow, a bound that is exceeded first. The outcome is accepted on its duality gap.

use super::doubled::{Doubled, DoubledVector};
use super::gap::gap;
use super::newton::{Pair, Program};
use super::scaling::power_of_two;
use nalgebra::{DMatrix, DVector};

/// How far a margin or a sign may be off before a variable enters: relative to the terms it is made of, which is what
/// the dictionary can tell, and to one, which is what the refined solution can.
const ENTERING: (f64, f64) = (1e-10, 1e-10);
const ENTERING_REFINED: (f64, f64) = (0.0, 1e-15);

/// How far a bound may be exceeded, relatively.
const EXCEEDED: f64 = 1e-15;

/// Pivots with the refined solution at most, and after how many the dictionary is computed afresh.
const REFINED: usize = 200;
const FRESH: usize = 20;

/// Rates of change below this fraction of the largest are rounding of zero.
const PIVOT: f64 = 1e-10;

/// Steps shorter than this, relative to the bounds, are none.
const DEGENERATE: f64 = 1e-12;

/// A gap that no further round can better.
const GOOD: f64 = 1e-20;

/// The best vertex found; `None` if there is none with positive margins. All blocks must have one coordinate.
pub(super) fn solve(program: &Program<'_>) -> Option<Pair> {
    let columns = program.columns;
    let mut dictionary = Dictionary::new(columns);
    dictionary.run();
    let mut best: Option<Pair> = None;
    for pivot in 0..REFINED {
        let Some((x, multipliers)) = dictionary.vertex(columns) else {
            break;
        };
        if let Some(measure) = gap(program.blocks, columns, &x, &non_negative(&multipliers))
            && best.as_ref().is_none_or(|best| measure < best.measure)
        {
            best = Some(Pair {
                x: x.clone(),
                multipliers: non_negative(&multipliers),
                measure,
                steps: dictionary.pivots,
            });
        }
        if best.as_ref().is_some_and(|best| best.measure <= GOOD) {
            break;
        }
        if pivot % FRESH == 0 {
            dictionary.refresh(columns);
        }
        dictionary.correct(columns, &x, &multipliers);
        if !dictionary.improve(pivot > REFINED / 2) {
            break;
        }
    }
    best
}

/// Without the entries that are below zero.
fn non_negative(multipliers: &DoubledVector) -> DoubledVector {
    let mut kept = DoubledVector::zeros(multipliers.hi.len());
    for n in (0..multipliers.hi.len()).filter(|&n| multipliers.hi[n] > 0.0) {
        kept.set(n, multipliers.get(n));
    }
    kept
}

/// `basic = values + T · (change of the others)`, in scaled variables: every row and column of G divided by a power of
/// two, so that its largest entry is near one.
struct Dictionary {
    /// T, D × N.
    rates: DMatrix<f64>,
    /// Variables of its rows and columns: z_d is d, a_n is D + n.
    basic: Vec<usize>,
    resting: Vec<usize>,
    /// Values of all variables.
    values: Vec<f64>,
    /// How the objective changes with the resting ones.
    slopes: Vec<f64>,
    /// Bounds of |z_d|, and the objective's coefficients of a_n.
    bounds: Vec<f64>,
    costs: Vec<f64>,
    pivots: usize,
}

/// The variable that blocks a step, by its row; `None` for the entering one itself at its other bound.
struct Step {
    length: f64,
    row: Option<usize>,
}

impl Dictionary {
    fn new(columns: &DMatrix<f64>) -> Self {
        let (dimension, count) = columns.shape();
        let mut rates = columns.clone();
        let bounds: Vec<f64> = (rates.row_iter_mut())
            .map(|mut row| {
                let unit = power_of_two(row.amax());
                row /= unit;
                1.0 / unit
            })
            .collect();
        let costs: Vec<f64> = (rates.column_iter_mut())
            .map(|mut column| {
                let unit = power_of_two(column.amax());
                column /= unit;
                1.0 / unit
            })
            .collect();
        Self {
            rates,
            basic: (0..dimension).collect(),
            resting: (dimension..dimension + count).collect(),
            values: vec![0.0; dimension + count],
            slopes: costs.clone(),
            bounds,
            costs,
            pivots: 0,
        }
    }

    /// The same vertex from the data: the rounding of all pivots so far is gone.
    fn refresh(&mut self, columns: &DMatrix<f64>) {
        let dimension = self.bounds.len();
        let at_bound: Vec<usize> = (self.resting.iter().copied())
            .filter(|&v| v < dimension)
            .collect();
        let mut entering: Vec<usize> = (self.basic.iter().copied())
            .filter(|&v| v >= dimension)
            .collect();
        let signs: Vec<f64> = at_bound.iter().map(|&d| self.values[d].signum()).collect();
        let pivots = self.pivots;
        *self = Self::new(columns);
        self.pivots = pivots;
        let mut leaving = at_bound.clone();
        while !leaving.is_empty() {
            let rows = (0..self.basic.len()).filter(|&i| leaving.contains(&self.basic[i]));
            let columns = (0..self.resting.len()).filter(|&j| entering.contains(&self.resting[j]));
            let (rows, columns): (Vec<usize>, Vec<usize>) = (rows.collect(), columns.collect());
            let Some((row, column)) = (rows.iter())
                .flat_map(|&i| columns.iter().map(move |&j| (i, j)))
                .max_by(|&a, &b| self.rates[a].abs().total_cmp(&self.rates[b].abs()))
                .filter(|&at| self.rates[at] != 0.0)
            else {
                break;
            };
            leaving.retain(|&v| v != self.basic[row]);
            entering.retain(|&v| v != self.resting[column]);
            self.pivot(row, column);
        }
        for (&d, sign) in at_bound.iter().zip(signs) {
            if let Some(column) = self.resting.iter().position(|&v| v == d) {
                self.shift(column, sign * self.bounds[d]);
            }
        }
    }

    /// Pivots until the vertex is optimal as far as the dictionary can tell, the pivots allowed are used up, or the
    /// objective turns out to have no bound.
    fn run(&mut self) {
        let mut standing = 0;
        for _ in 0..50 * (self.basic.len() + self.resting.len()) + 100 {
            let by_index = standing > 20;
            let Some((column, direction)) = self.entering(ENTERING, by_index) else {
                return;
            };
            let Some(length) = self.advance(column, direction, by_index) else {
                return;
            };
            if length > DEGENERATE {
                standing = 0;
            } else {
                standing += 1;
            }
        }
    }

    /// Moves a resting variable until another is at a bound, which then rests; how far, `None` if nothing ends it.
    fn advance(&mut self, column: usize, direction: f64, by_index: bool) -> Option<f64> {
        let step = self.step(column, direction, by_index)?;
        self.shift(column, direction * step.length);
        if let Some(row) = step.row {
            let leaving = self.basic[row];
            self.values[leaving] = self.nearest_bound(leaving);
            self.pivot(row, column);
        }
        self.pivots += 1;
        Some(step.length)
    }

    /// Takes values and slopes from a refined solution of this vertex.
    fn correct(&mut self, columns: &DMatrix<f64>, x: &DoubledVector, multipliers: &DoubledVector) {
        let dimension = self.bounds.len();
        let one = Doubled::new(1.0, 0.0);
        for (slope, &v) in self.slopes.iter_mut().zip(&self.resting) {
            *slope = if v < dimension {
                x.get(v).value() / self.bounds[v]
            } else {
                let n = v - dimension;
                self.costs[n] * one.minus(x.dot(columns.column(n).as_slice()))
            };
        }
        let mut z = DoubledVector::zeros(dimension);
        for n in (0..columns.ncols()).filter(|&n| multipliers.hi[n] != 0.0) {
            z.add_scaled(multipliers.get(n), columns.column(n).as_slice());
        }
        for &v in &self.basic {
            self.values[v] = if v < dimension {
                z.get(v).value() * self.bounds[v]
            } else {
                multipliers.hi[v - dimension] / self.costs[v - dimension]
            };
        }
    }

    /// One pivot towards the optimum from a vertex with refined values; `false` if none is called for.
    fn improve(&mut self, by_index: bool) -> bool {
        if let Some((row, bound)) = self.exceeded() {
            return self.restore(row, bound);
        }
        let entering = self.entering(ENTERING_REFINED, by_index);
        entering
            .is_some_and(|(column, direction)| self.advance(column, direction, by_index).is_some())
    }

    /// The basic variable that exceeds a bound the most, by its row, and that bound.
    fn exceeded(&self) -> Option<(usize, f64)> {
        let dimension = self.bounds.len();
        let multipliers = self.basic.iter().filter(|&&v| v >= dimension);
        let largest = multipliers.map(|&v| self.values[v]).fold(0.0, f64::max);
        let excess = |(row, &v): (usize, &usize)| {
            let value = self.values[v];
            let (bound, excess) = if v < dimension {
                (self.nearest_bound(v), value.abs() / self.bounds[v] - 1.0)
            } else {
                (0.0, -value / largest)
            };
            (excess > EXCEEDED).then_some((row, bound, excess))
        };
        let rows = self.basic.iter().enumerate().filter_map(excess);
        rows.max_by(|a, b| a.2.total_cmp(&b.2))
            .map(|(row, bound, _)| (row, bound))
    }

    /// Lets the variable of a row rest at a bound that it exceeds, in exchange for the resting one whose slope forbids
    /// it least; `false` if none can move it that way.
    fn restore(&mut self, row: usize, bound: f64) -> bool {
        let leaving = self.basic[row];
        let change = bound - self.values[leaving];
        let least = PIVOT * self.rates.row(row).amax();
        let candidates = (0..self.resting.len()).filter_map(|j| {
            let rate = self.rates[(row, j)];
            let v = self.resting[j];
            let direction = if v < self.bounds.len() {
                -self.values[v].signum()
            } else {
                1.0
            };
            let helps = rate.abs() > least && rate * direction * change > 0.0;
            helps.then(|| (j, (self.slopes[j] / rate).abs()))
        });
        let Some((column, _)) = candidates.min_by(|a, b| a.1.total_cmp(&b.1)) else {
            return false;
        };
        self.shift(column, change / self.rates[(row, column)]);
        self.values[leaving] = bound;
        self.pivot(row, column);
        self.pivots += 1;
        true
    }

    /// The resting variable with the steepest gain, or the first with any, and the direction in which it gains.
    fn entering(&self, (relative, absolute): (f64, f64), by_index: bool) -> Option<(usize, f64)> {
        let dimension = self.bounds.len();
        let largest = (self.resting.iter().zip(&self.slopes))
            .filter(|(v, _)| **v < dimension)
            .map(|(_, slope)| slope.abs())
            .fold(0.0, f64::max);
        let gains = |j: usize| {
            let v = self.resting[j];
            let (direction, rounding) = if v < dimension {
                (
                    -self.values[v].signum(),
                    relative.max(f64::EPSILON) * largest,
                )
            } else {
                let cost = self.costs[v - dimension];
                (1.0, relative * largest + absolute * cost)
            };
            let gain = direction * self.slopes[j];
            (gain > rounding).then_some((j, direction, gain))
        };
        let candidates = (0..self.resting.len()).filter_map(gains);
        let chosen = if by_index {
            candidates.min_by_key(|&(j, ..)| self.resting[j])
        } else {
            candidates.max_by(|a, b| a.2.total_cmp(&b.2))
        };
        chosen.map(|(j, direction, _)| (j, direction))
    }

    /// How far a resting variable can go before another reaches a bound; `None` if nothing ends it.
    fn step(&self, column: usize, direction: f64, by_index: bool) -> Option<Step> {
        let dimension = self.bounds.len();
        let rates = self.rates.column(column);
        let least = PIVOT * rates.amax();
        let own = self.resting[column];
        let mut best: Option<Step> = (own < dimension).then(|| Step {
            length: 2.0 * self.bounds[own],
            row: None,
        });
        let mut consider = |row: usize, length: f64| {
            let length = length.max(0.0);
            let better = match &best {
                None => true,
                Some(other)
                    if (length - other.length).abs() <= DEGENERATE * (1e-3 + other.length) =>
                {
                    // Ties: the largest pivot, for the sake of rounding; the smallest index where there may be cycles.
                    other.row.is_some_and(|other| {
                        if by_index {
                            self.basic[row] < self.basic[other]
                        } else {
                            rates[row].abs() > rates[other].abs()
                        }
                    })
                }
                Some(other) => length < other.length,
            };
            if better {
                best = Some(Step {
                    length,
                    row: Some(row),
                });
            }
        };
        for (row, &v) in self.basic.iter().enumerate() {
            let rate = direction * rates[row];
            if rate > least && v < dimension {
                consider(row, (self.bounds[v] - self.values[v]) / rate);
            } else if rate < -least {
                let lower = if v < dimension { -self.bounds[v] } else { 0.0 };
                consider(row, (self.values[v] - lower) / -rate);
            }
        }
        best
    }

    fn nearest_bound(&self, v: usize) -> f64 {
        match self.bounds.get(v) {
            Some(bound) => bound.copysign(self.values[v]),
            None => 0.0,
        }
    }

    /// Changes the value of a resting variable.
    fn shift(&mut self, column: usize, change: f64) {
        self.values[self.resting[column]] += change;
        for (&v, rate) in self.basic.iter().zip(self.rates.column(column).iter()) {
            self.values[v] += rate * change;
        }
    }

    /// Exchanges the variables of a row and a column.
    fn pivot(&mut self, row: usize, column: usize) {
        let pivot = self.rates[(row, column)];
        let above = self.rates.row(row).into_owned();
        let beside = self.rates.column(column).into_owned() / pivot;
        let slope = self.slopes[column] / pivot;
        for (j, factor) in above.iter().enumerate() {
            if j != column && *factor != 0.0 {
                self.rates.column_mut(j).axpy(-factor, &beside, 1.0);
                self.rates[(row, j)] = -factor / pivot;
                self.slopes[j] -= slope * factor;
            }
        }
        self.rates.set_column(column, &beside);
        self.rates[(row, column)] = 1.0 / pivot;
        self.slopes[column] = slope;
        std::mem::swap(&mut self.basic[row], &mut self.resting[column]);
    }

    /// x and a of this vertex, refined.
    fn vertex(&self, columns: &DMatrix<f64>) -> Option<(DoubledVector, DoubledVector)> {
        let dimension = self.bounds.len();
        let features: Vec<usize> = (self.resting.iter().copied())
            .filter(|&v| v < dimension)
            .collect();
        let samples: Vec<usize> = (self.basic.iter())
            .filter(|&&v| v >= dimension)
            .map(|&v| v - dimension)
            .collect();
        if samples.is_empty() {
            return None;
        }
        let square = DMatrix::from_fn(samples.len(), features.len(), |i, j| {
            columns[(features[j], samples[i])]
        });
        let ones = DVector::from_element(samples.len(), 1.0);
        let signs = features.iter().map(|&d| self.values[d].signum());
        let signs = DVector::from_iterator(features.len(), signs);
        let on_features = solved(&square, &ones)?;
        let on_samples = solved(&square.transpose(), &signs)?;
        let mut x = DoubledVector::zeros(dimension);
        for (i, &d) in features.iter().enumerate() {
            x.set(d, on_features.get(i));
        }
        let mut multipliers = DoubledVector::zeros(columns.ncols());
        for (i, &n) in samples.iter().enumerate() {
            multipliers.set(n, on_samples.get(i));
        }
        Some((x, multipliers))
    }
}

/// `M⁻¹ right`, refined with doubled residuals until a correction no longer halves.
fn solved(matrix: &DMatrix<f64>, right: &DVector<f64>) -> Option<DoubledVector> {
    let factors = matrix.clone().lu();
    let rows = matrix.transpose();
    let mut solution = DoubledVector::from(factors.solve(right)?);
    let mut last = f64::INFINITY;
    for _ in 0..30 {
        let rest = DVector::from_fn(right.len(), |i, _| {
            Doubled::new(right[i], 0.0).minus(solution.dot(rows.column(i).as_slice()))
        });
        let change = factors.solve(&rest)?;
        let size = change.norm() / solution.hi.norm();
        if !size.is_finite() || size > 0.5 * last {
            break;
        }
        solution.add(&change);
        if size < 1e-28 {
            break;
        }
        last = size;
    }
    Some(solution)
}
