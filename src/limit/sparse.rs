//! p = 1: `min Σ_b ‖x_b‖ s.t. Gx ≥ 1`.
//!
//! Where every block has one coordinate this is a linear program (`simplex`). Otherwise Clarabel solves the cone
//! program of second order to about 1e-8, which is enough to identify the blocks of the minimiser, but not to
//! resolve its digits. On a guessed support the potential is differentiable, and the steps of `newton` converge
//! to the stationary point there; λ then also decides about the other blocks, because the gap involves every
//! `‖z_b‖`. The supports tried come from a ladder of thresholds, and the best gap wins. Where more samples are
//! active than the support determines multipliers, none of them need do: then both are completed at once, from
//! the middle of their faces (`face`).

use super::blocks::UnitBlocks;
use super::doubled::DoubledVector;
use super::face::{self, Central};
use super::gap::gap;
use super::max_margin::{GAP_TOLERANCE, interior_point_settings};
use super::newton::{Pair, Program, STEPS, Side};
use super::simplex;
use crate::singular::Singular;
use clarabel::algebra::CscMatrix;
use clarabel::solver::{DefaultSolver, IPSolver, SupportedConeT};
use nalgebra::{DMatrix, DVector};

/// Blocks whose dual norm is within the first of the largest may carry a second minimiser; samples whose multiplier is
/// below the second of the largest may be without.
type Rounding = (f64, f64);
const OF_A_VERTEX: Rounding = (1e-7, 1e-10);
const OF_AN_INTERIOR_POINT: Rounding = (1e-5, 1e-5);

/// A gap that shows an interior-point method has come to its end.
const CENTRED: f64 = 1e-7;

/// Singular values below this fraction of the largest count as zero.
const RANK_ROUNDING: f64 = 1e-10;

/// Blocks below this fraction of the largest are leaving the support.
const VANISHED: f64 = 1e-9;

/// How far `‖z_b‖` must exceed one for a block to enter.
const ENTERING: f64 = 1e-14;

/// Most supports tried.
const SUPPORTS: usize = 60;

/// A gap at which the search for a better support ends.
const GOOD: f64 = 1e-14;

pub(super) struct SparseSolution {
    pub pair: Pair,
    /// Whether a second minimiser is excluded.
    pub unique: bool,
}

/// The best pair found; `start` must have positive margins, and is used if Clarabel's solution does not.
pub(super) fn solve(program: &Program<'_>, start: &DVector<f64>) -> Option<SparseSolution> {
    let is_linear = program.blocks.spans.iter().all(|span| span.len == 1);
    let mut best = if is_linear {
        simplex::solve(program)
    } else {
        None
    };
    let within = |best: &Option<Pair>, gap| best.as_ref().is_some_and(|best| best.measure <= gap);
    let mut central = None;
    if !within(&best, GOOD) {
        central = cone_solution(program, start);
        on_ladders(
            program,
            [central.as_ref().map(|c| &c.x), Some(start)],
            &mut best,
        );
    }
    if !within(&best, GAP_TOLERANCE)
        && let Some(pair) = central.as_ref().and_then(|c| face::complete(program, c))
        && best.as_ref().is_none_or(|best| pair.measure < best.measure)
    {
        best = Some(pair);
    }
    let pair = best?;
    let unique = is_unique(program, &pair.multipliers.hi, OF_A_VERTEX) || {
        // Other multipliers may exclude what these do not, those in the middle of their face most of all.
        let central = central.or_else(|| cone_solution(program, start));
        central.is_some_and(|c| {
            let (x, a) = (c.x.into(), c.multipliers.clone().into());
            gap(program.blocks, program.columns, &x, &a).is_some_and(|gap| gap <= CENTRED)
                && is_unique(program, &c.multipliers, OF_AN_INTERIOR_POINT)
        })
    };
    Some(SparseSolution { pair, unique })
}

/// Tries the supports of the blocks of each guess above a ladder of thresholds.
fn on_ladders(program: &Program<'_>, guesses: [Option<&DVector<f64>>; 2], best: &mut Option<Pair>) {
    for guess in guesses.into_iter().flatten() {
        let norms = program.blocks.norms(guess);
        let largest = norms.iter().copied().fold(0.0, f64::max);
        let mut tried: Vec<Vec<bool>> = Vec::new();
        for exponent in [5, 6, 4, 7, 3, 8, 2, 10, 12] {
            let threshold = largest * 10f64.powi(-exponent);
            let keep: Vec<bool> = norms.iter().map(|&norm| norm > threshold).collect();
            exchange(program, keep, guess, &mut tried, best);
            if best.as_ref().is_some_and(|best| best.measure <= GOOD) {
                return;
            }
        }
    }
}

/// Solves on a support, and changes it until it no longer changes: blocks that shrink to nothing leave, blocks with
/// `‖z_b‖ > 1` enter along `z_b`.
fn exchange(
    program: &Program<'_>,
    mut keep: Vec<bool>,
    guess: &DVector<f64>,
    tried: &mut Vec<Vec<bool>>,
    best: &mut Option<Pair>,
) {
    let mut guess = guess.clone();
    while tried.len() < SUPPORTS && !tried.contains(&keep) {
        tried.push(keep.clone());
        let Some(pair) = on_support(program, &keep, &guess) else {
            return;
        };
        let x_norms = program.blocks.norms(&pair.x.hi);
        let largest = x_norms.iter().copied().fold(0.0, f64::max);
        let z = program.columns * &pair.multipliers.hi;
        let z_norms = program.blocks.norms(&z);
        // ‖z_b‖ is the same in every block that stays; blocks on their way out lag behind.
        let bound = (0..keep.len())
            .filter(|&b| x_norms[b] > VANISHED * largest)
            .map(|b| z_norms[b])
            .fold(0.0, f64::max);
        let directions = program.blocks.directions(&z);
        guess = pair.x.hi.clone();
        for (b, span) in program.blocks.spans.iter().enumerate() {
            if keep[b] {
                keep[b] = x_norms[b] > VANISHED * largest;
            } else if z_norms[b] > (1.0 + ENTERING) * bound {
                keep[b] = true;
                let entering = directions.rows(span.start, span.len) * (1e-3 * largest);
                guess.rows_mut(span.start, span.len).copy_from(&entering);
            }
        }
        if best.as_ref().is_none_or(|best| pair.measure < best.measure) {
            *best = Some(pair);
        }
    }
}

/// Newton steps on the blocks with `keep`; the pair and its gap in the whole space.
fn on_support(program: &Program<'_>, keep: &[bool], guess: &DVector<f64>) -> Option<Pair> {
    let (blocks, coordinates) = program.blocks.restricted(keep);
    let columns = program.columns.select_rows(&coordinates);
    let inner = Program {
        blocks: &blocks,
        columns: &columns,
    };
    let pair = inner.descend(Side::Primal, &guess.select_rows(&coordinates), STEPS)?;
    let mut x = DoubledVector::zeros(program.blocks.len());
    for (i, &coordinate) in coordinates.iter().enumerate() {
        x.set(coordinate, pair.x.get(i));
    }
    let measure = gap(program.blocks, program.columns, &x, &pair.multipliers)?;
    Some(Pair { x, measure, ..pair })
}

/// A minimiser is unique if no combination of the directions of the dually tight blocks leaves every margin with a
/// positive multiplier unchanged: any other minimiser has the same dual solutions, hence its blocks along the same
/// directions.
fn is_unique(program: &Program<'_>, multipliers: &DVector<f64>, (near, least): Rounding) -> bool {
    let directions = program.blocks.directions(&(program.columns * multipliers));
    let tight = face::tight(program, multipliers, near);
    let used = face::used(multipliers, least);
    if tight.len() > used.len() {
        return false;
    }
    let radial = DMatrix::from_fn(used.len(), tight.len(), |i, j| {
        let span = program.blocks.spans[tight[j]];
        program
            .columns
            .column(used[i])
            .rows(span.start, span.len)
            .dot(&directions.rows(span.start, span.len))
    });
    Singular::of(&radial).rank(RANK_ROUNDING) == tight.len()
}

/// Samples that Clarabel is given first, in units of the dimension: a minimiser has that many active ones at most.
const FIRST: usize = 2;

/// Samples left out whose margin exceeds the level by less than this share are included: they may be active.
const NEARLY_ACTIVE: f64 = 1e-3;

/// Clarabel's x and a for `min Σ t_b s.t. ‖x_b‖ ≤ t_b, Gx ≥ level`, the level being that of `start` scaled to
/// unit size; `None` if its margins are not all positive.
///
/// Its time grows with the samples, few of which are active. So those with the smallest margins at `start` come first,
/// then all that the solution leaves too near, until it leaves none.
fn cone_solution(program: &Program<'_>, start: &DVector<f64>) -> Option<Central> {
    let (dimension, count) = program.columns.shape();
    let margins = program.columns.tr_mul(start);
    let level = margins.min() / start.norm();
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| margins[*a].total_cmp(&margins[*b]));
    let mut given = FIRST * dimension;
    if count <= 2 * given {
        given = count;
    }
    let mut rest = order.split_off(given);
    loop {
        let columns = program.columns.select_columns(&order);
        let (x, a) = cone_program(program.blocks, &columns, level)?;
        let margins = program.columns.tr_mul(&x);
        let near = |n: &usize| margins[*n] < (1.0 + NEARLY_ACTIVE) * level;
        let (missing, others): (Vec<usize>, Vec<usize>) = rest.into_iter().partition(near);
        if missing.is_empty() {
            let separates = x.iter().all(|x| x.is_finite()) && margins.min() > 0.0;
            let mut multipliers = DVector::zeros(count);
            for (n, a) in order.iter().zip(a) {
                multipliers[*n] = a.max(0.0);
            }
            return separates.then_some(Central { x, multipliers });
        }
        order.extend(missing);
        rest = others;
    }
}

/// Solves that program on some of the samples.
fn cone_program(
    blocks: &UnitBlocks,
    columns: &DMatrix<f64>,
    level: f64,
) -> Option<(DVector<f64>, Vec<f64>)> {
    let UnitBlocks { spans, .. } = blocks;
    let (dimension, count) = columns.shape();
    // Unknowns (x, t); rows: −Gx ≤ −level, then −(t_b, x_b) in the cone of every block.
    let mut first_row = vec![count];
    for span in spans {
        first_row.push(first_row[first_row.len() - 1] + span.len + 1);
    }
    let total = first_row[spans.len()];
    let mut pointers = vec![0];
    let (mut rows, mut values) = (Vec::new(), Vec::new());
    for (b, span) in spans.iter().enumerate() {
        for i in 0..span.len {
            for (n, g) in columns.row(span.start + i).iter().enumerate() {
                if *g != 0.0 {
                    rows.push(n);
                    values.push(-g);
                }
            }
            rows.push(first_row[b] + 1 + i);
            values.push(-1.0);
            pointers.push(rows.len());
        }
    }
    for &row in &first_row[..spans.len()] {
        rows.push(row);
        values.push(-1.0);
        pointers.push(rows.len());
    }
    let unknowns = dimension + spans.len();
    let constraints = CscMatrix::new(total, unknowns, pointers, rows, values);
    let quadratic = CscMatrix::zeros((unknowns, unknowns));
    let mut linear = vec![0.0; dimension];
    linear.resize(unknowns, 1.0);
    let mut bounds = vec![-level; count];
    bounds.resize(total, 0.0);
    let mut cones = vec![SupportedConeT::NonnegativeConeT(count)];
    cones.extend(
        spans
            .iter()
            .map(|span| SupportedConeT::SecondOrderConeT(span.len + 1)),
    );
    let settings = interior_point_settings();
    let mut solver =
        DefaultSolver::new(&quadratic, &linear, &constraints, &bounds, &cones, settings).ok()?;
    solver.solve();
    let x = DVector::from_column_slice(&solver.solution.x[..dimension]);
    Some((x, solver.solution.z[..count].to_vec()))
}
