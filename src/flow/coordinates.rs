//! Log-multipliers in coordinates, for samples that are linearly dependent or nearly so.
//!
//! In a network that is linear in its input, `p_n = τ − g_n·β`. Take a sample a that is still being learned as the
//! *anchor*, and write the differences of the others from it in vectors u_2 … u_r:
//! ```text
//! g_n = g_a + Σ_i T_ni u_i,     P_1 = p_a,     P_i = −u_i·β  (i ≥ 2),     p_n = P_1 + Σ_i T_ni P_i
//! ```
//! The flow needs no more than `z = Σ_n E_n g_n = Uᵀ a` with `a = TᵀE` and `U = (g_a, u_2, …)`, so it is the flow of
//! the same network on the r rows of U, `P' = o e^s − U β'` with `o = (1, 0, …, 0)`. What it buys:
//!
//! - r ≤ D of the N log-multipliers are states. The combinations that no weights can change (duplicates, three
//!   support vectors on a line, corners of a cube) are not among them. As states they would not be damped by the
//!   stiffness that holds the others, and pick up the rounding of their rates, which is of size ε e^s.
//! - No multiple of τ is left in any p_n, so nothing of size e^s has to cancel in a sample being learned.
//! - Samples that are nearly equal differ by a state of their own, with a rate that is as small as their difference,
//!   instead of by a small difference of two rates of size e^s.
//!
//! The anchor is the sample with the largest multiplier. The u_i are what elimination with pivoting leaves of the
//! differences, first of all samples being learned, then of the others in the order of their log-multipliers, so that
//! a p_n is never a small difference of large P_i: once it is, or the integrator does not get on, others are chosen.
//! Differences are taken in doubled arithmetic, so that of nearly equal samples no digit is lost.
//!
//! Where the differences span all features, the anchor itself is a combination `g_a = Σ_i c_i u_i`, so that
//! `P_1 = τ + Σ_i c_i P_i` at all times. One of the P_i, with one of the largest terms, is then taken from this
//! relation instead of being a state.
//!
//! Vectors are orthogonal in a metric: the response of β to z (its diagonal). Where most features are given up (sparse
//! limits), their response is smaller than that of the others by powers of log t, and a difference of samples in these
//! features alone has to be a vector without any of the others, whose rates carry rounding of size ε e^s.

mod elimination;
mod quality;
#[cfg(test)]
mod tests;

use elimination::{Elimination, in_order, metric};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

pub(super) use quality::PROMOTED;

/// e^s from which coordinates may be needed: below, rounding of size ε e^s is far under any tolerance.
pub(super) const NEEDED_GROWTH: f64 = 2e4;

/// Samples whose differences are dependent to this, relative to their length, are carried in coordinates. Rounding of
/// rates moves an undamped combination by ε over its square, which is then 1e-10.
const NEARLY_DEPENDENT: f64 = 1e-3;

/// What elimination leaves of a difference, relative to the samples, that counts as rounding of the data.
const TIE: f64 = 64.0 * f64::EPSILON;

/// A log-multiplier may be this many times smaller than the largest term of its sum, before other coordinates are
/// chosen: it then has lost three digits to cancellation.
const CANCELLED: f64 = 1e3;

/// Share of the largest term of the relation that the term of the coordinate taken from it must have, so that not too
/// much cancels.
const SHARE: f64 = 0.01;

/// Multipliers of samples being learned that differ by less than this power of e are eliminated together. Coordinates
/// of strong samples must not come from weak ones: there would be more of them than strong samples to hold them.
const BAND: f64 = 12.0;

/// Other log-multipliers that differ by less than this factor are eliminated together, the largest remainder first.
const TIER: f64 = 8.0;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Coordinates {
    /// U, r × D.
    vectors: DMatrix<f64>,
    /// T, N × r. Zero in the rows of samples that are zero.
    combine: DMatrix<f64>,
    /// T with all coordinates.
    pivoted: DMatrix<f64>,
    /// What each p_n has of τ: one where samples are zero, and where a coordinate is taken from the relation.
    clock: DVector<f64>,
    /// `c_2 … c_r`, while none of the coordinates is taken from the relation.
    relation: Option<Vec<f64>>,
    /// What spans the samples that are held, one vector a row.
    held: DMatrix<f64>,
    /// Samples without that, N × D.
    rest: DMatrix<f64>,
    /// What margins are besides those of the rest; empty if none are held.
    shift: Vec<f64>,
    choice: Choice,
    /// Samples that are zero: margins of zero, `p_n = τ`.
    zero: Vec<usize>,
}

/// What tells coordinates from others of the same samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Choice {
    /// Samples that are held.
    held: Vec<usize>,
    /// The sample that each coordinate was eliminated with, the anchor first.
    pivots: Vec<usize>,
    /// log4 of the metric, feature by feature.
    metric: Vec<i32>,
    /// Log-log-time at which they were chosen.
    since: f64,
    /// How much smaller than the largest term of its sum a log-multiplier may be.
    cancelled: f64,
    /// How much smaller the smallest was when they were chosen.
    at_first: f64,
    /// How much less accurate than usual states need be, as rounding does not allow for more.
    pub looser: f64,
    /// Which of the coordinates is taken from the relation.
    dropped: Option<usize>,
}

impl Choice {
    /// r.
    pub(super) fn len(&self) -> usize {
        self.pivots.len() - usize::from(self.dropped.is_some())
    }
}

/// A time of a run: log-log-time s of the clock in use, and what log-multipliers and margins add up to there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub s: f64,
    pub tau: f64,
}

/// Log-multiplier above which a sample is being learned, with room to spare (all others run off like −e^s).
fn near(s: f64) -> f64 {
    -(3.0 * s + 100.0)
}

/// The samples being learned at log-multipliers `p` and log-log-time s.
pub(super) fn learned(p: impl Iterator<Item = f64>, s: f64) -> Vec<usize> {
    let learned = p.enumerate().filter(|(_, p)| *p > near(s));
    learned.map(|(n, _)| n).collect()
}

/// Whether the samples `learned` (rows of `g`, with log-multipliers `p`) are linearly dependent, or nearly so.
pub(super) fn are_dependent(g: &DMatrix<f64>, p: &[f64], learned: &[usize]) -> bool {
    let none = vec![0; g.ncols()];
    let Some(mut elimination) = Elimination::new((g, &[]), p, learned, none) else {
        return false;
    };
    let mut open = elimination.without_anchor(learned.to_vec());
    while let Some(sample) = elimination.largest(&open) {
        if elimination.size(sample) < NEARLY_DEPENDENT {
            return true;
        }
        elimination.eliminate(sample, &mut open);
    }
    // of what is left, nothing remains
    !open.is_empty()
}

impl Coordinates {
    /// Those for the log-multipliers `p` at log-log-time s, where features answer to z as in `response` (length D).
    /// Of samples of which some are `held`, they are those of what is left of the others. Those in `first` are
    /// eliminated before all others, in this order. None without a sample that can be learned.
    pub(super) fn choose(
        (g, held): (&DMatrix<f64>, &[usize]),
        (p, s): (&[f64], f64),
        response: &[f64],
        first: &[usize],
    ) -> Option<Self> {
        let all: Vec<usize> = (0..p.len()).collect();
        let mut elimination = Elimination::new((g, held), p, &all, metric(response))?;
        let mut open = elimination.without_anchor(all);
        for &sample in first {
            elimination.eliminate(sample, &mut open);
        }
        // tiers of multipliers, or else log-multipliers, of about one size, those of samples being learned first
        let most = p[elimination.anchor];
        let tier = |n: usize| match p[n] > near(s) {
            true => (false, ((most - p[n]) / BAND) as i64),
            false => (true, (p[n] / near(s)).log(TIER) as i64),
        };
        open.sort_by_key(|&n| tier(n));
        while let Some(&first) = open.first() {
            let together = open.iter().take_while(|&&n| tier(n) == tier(first)).count();
            let mut these: Vec<usize> = open.drain(..together).collect();
            while let Some(sample) = elimination.largest(&these) {
                elimination.eliminate(sample, &mut these);
            }
        }
        Some(elimination.finish(s, CANCELLED))
    }

    /// Those of the same samples and choice: the same to the last bit. None if it is not one of these samples.
    pub(super) fn of_choice(g: &DMatrix<f64>, choice: &Choice) -> Option<Self> {
        let (&anchor, rest) = choice.pivots.split_first()?;
        let named = choice.pivots.iter().chain(&choice.held);
        if named.into_iter().any(|&n| n >= g.nrows()) {
            return None;
        }
        if choice.metric.len() != g.ncols() {
            return None;
        }
        let mut elimination = Elimination::at((g, &choice.held), anchor, choice.metric.clone());
        for &sample in rest {
            elimination.eliminate(sample, &mut Vec::new());
        }
        let mut coordinates = elimination.finish(choice.since, choice.cancelled);
        if let Some(dropped) = choice.dropped {
            coordinates.drop(dropped)?;
        }
        coordinates.choice = choice.clone();
        Some(coordinates)
    }

    /// What tells these coordinates from others of the same samples.
    pub(super) fn choice(&self) -> &Choice {
        &self.choice
    }

    /// The sample whose log-multiplier is the first coordinate.
    pub(super) fn anchor(&self) -> usize {
        self.choice.pivots[0]
    }

    /// What spans the samples that are held, one vector a row, orthogonal in the metric.
    pub(super) fn held(&self) -> &DMatrix<f64> {
        &self.held
    }

    /// Holds the predictor at `beta` in the span of the samples `g` that are held.
    pub(super) fn hold(&mut self, g: &DMatrix<f64>, beta: &DVector<f64>) {
        self.shift = ((g - &self.rest) * beta).data.into();
    }

    /// What margins are besides those of the rest; empty if none are held.
    pub(super) fn shift(&self) -> &[f64] {
        &self.shift
    }

    /// U: the rows that the network sees.
    pub(super) fn vectors(&self) -> &DMatrix<f64> {
        &self.vectors
    }

    /// r.
    pub(super) fn len(&self) -> usize {
        self.choice.len()
    }

    /// N.
    pub(super) fn samples(&self) -> usize {
        self.combine.nrows()
    }

    /// T.
    pub(super) fn combine(&self) -> &DMatrix<f64> {
        &self.combine
    }

    /// What each p_n has of τ besides.
    pub(super) fn clock(&self) -> &DVector<f64> {
        &self.clock
    }

    /// `o_i`, the share of τ in P_i.
    pub(super) fn offset(i: usize) -> f64 {
        if i == 0 { 1.0 } else { 0.0 }
    }

    /// Takes one of the coordinates from the relation, if there is one.
    pub(super) fn use_relation(&mut self, coordinates: &[f64]) {
        let Some(relation) = &self.relation else {
            return;
        };
        let terms = relation.iter().zip(coordinates.iter().skip(1));
        let sizes: Vec<f64> = terms.map(|(c, p)| (c * p).abs()).collect();
        let large = SHARE * sizes.iter().copied().fold(0.0, f64::max);
        // the errors of the others count by their factors over its own
        let candidates = (0..sizes.len()).filter(|&i| sizes[i] >= large);
        let best = candidates.max_by(|a, b| relation[*a].abs().total_cmp(&relation[*b].abs()));
        if let Some(best) = best {
            self.drop(best + 1);
        }
    }

    /// Takes a coordinate from the relation: `P_d = (P_1 − τ − Σ_{i≠d} c_i P_i)/c_d`.
    fn drop(&mut self, dropped: usize) -> Option<()> {
        let relation = self.relation.take()?;
        let own = *relation.get(dropped.checked_sub(1)?)?;
        let share = self.combine.column(dropped) / own;
        for i in 0..self.choice.len() {
            let factor = if i == 0 { 1.0 } else { -relation[i - 1] };
            self.combine.column_mut(i).axpy(factor, &share, 1.0);
        }
        self.clock -= share;
        self.combine = self.combine.clone().remove_column(dropped);
        self.vectors = self.vectors.clone().remove_row(dropped);
        self.choice.dropped = Some(dropped);
        Some(())
    }

    /// Writes `p = T P`, and what it has of τ.
    pub(super) fn expand(&self, coordinates: &[f64], tau: f64, p: &mut [f64]) {
        for (p, share) in p.iter_mut().zip(self.clock.iter()) {
            *p = if *share == 0.0 { 0.0 } else { share * tau };
        }
        for (column, c) in self.combine.column_iter().zip(coordinates) {
            for (p, t) in p.iter_mut().zip(column.iter()) {
                *p += t * c;
            }
        }
    }

    /// Margins `g_n·β` of all samples from those of the vectors, `u_i·β`.
    pub(super) fn of_vectors(&self, margins: Vec<f64>) -> Vec<f64> {
        (&self.combine * DVector::from_vec(margins)).data.into()
    }

    /// Writes `a = TᵀE`.
    pub(super) fn pull(&self, multipliers: &[f64], a: &mut [f64]) {
        for (a, column) in a.iter_mut().zip(self.combine.column_iter()) {
            *a = column.iter().zip(multipliers).map(|(t, e)| t * e).sum();
        }
    }

    /// Writes the diagonal of [`Self::curvature`].
    pub(super) fn diagonal(&self, slopes: &[f64], diagonal: &mut [f64]) {
        for (d, column) in diagonal.iter_mut().zip(self.combine.column_iter()) {
            *d = column.iter().zip(slopes).map(|(t, s)| t * t * s).sum();
        }
    }

    /// Whether a sample is zero, so that its multiplier moves nothing.
    pub(super) fn is_zero(&self, sample: usize) -> bool {
        self.zero.contains(&sample)
    }

    /// `M = Tᵀ diag(S) T`, the change of a per change of P where S is that of E per change of p.
    pub(super) fn curvature(&self, slopes: &[f64]) -> DMatrix<f64> {
        let mut weighted = self.combine.clone();
        for mut column in weighted.column_iter_mut() {
            for (x, s) in column.iter_mut().zip(slopes) {
                *x *= s;
            }
        }
        self.combine.tr_mul(&weighted)
    }

    /// P from the log-multipliers of the samples, by substitution along the pivots: `difference(n)` is `p_n − p_a`.
    pub(super) fn substitute(&self, anchor: f64, difference: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut coordinates = vec![anchor];
        for (i, &pivot) in self.choice.pivots.iter().enumerate().skip(1) {
            let known: f64 = (1..i)
                .map(|k| self.pivoted[(pivot, k)] * coordinates[k])
                .sum();
            coordinates.push((difference(pivot) - known) / self.pivoted[(pivot, i)]);
        }
        if let Some(dropped) = self.choice.dropped {
            coordinates.remove(dropped);
        }
        coordinates
    }

    /// The same where one of them is taken from the relation, from the others' samples and the relation at a time of
    /// log t = `tau`, instead of from its own sample: of nearly equal samples its difference from others knows little.
    pub(super) fn solve(
        &self,
        (anchor, tau): (f64, f64),
        difference: impl Fn(usize) -> f64,
    ) -> Option<Vec<f64>> {
        let dropped = self.choice.dropped?;
        let pivots = self.choice.pivots.iter().enumerate().skip(1);
        let kept: Vec<usize> = pivots
            .filter(|(i, _)| *i != dropped)
            .map(|(_, n)| *n)
            .collect();
        let rows = kept.iter().map(|&n| {
            let known = (self.combine[(n, 0)] - 1.0) * anchor + self.clock[n] * tau;
            let row = self.combine.row(n);
            row.iter()
                .skip(1)
                .copied()
                .chain([difference(n) - known])
                .collect()
        });
        let others = in_order(rows.collect())?;
        Some([&[anchor], &others[..]].concat())
    }
}
