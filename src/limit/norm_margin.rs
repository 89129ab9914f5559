//! Minimisers of every convex potential in the family.
//!
//! The problem is written in unit coordinates (`blocks`), on the blocks that are usable and in which the data are not
//! just rounding. The hard-margin SVM there ([`max_margin()`]) decides separability, with proof, and provides the
//! starting point. Then come projected Newton steps (`newton`) for p > 1, or a second-order cone program followed by
//! the same steps on its support (`sparse`) for p = 1. The outcome is accepted on its duality gap alone.

use super::blocks::UnitBlocks;
use super::doubled::DoubledVector;
use super::max_margin::{GAP_TOLERANCE, hard_margin, max_margin};
use super::newton::{Pair, Program};
use super::potential::Potential;
use super::scaling::{largest, longest, power_of_two};
use super::separability::{Proof, Separability};
use super::undecided::{Undecided, Unrepresentable};
use super::{Limit, LimitKind, schatten, sparse};
use crate::spectrum::Basis;
use nalgebra::{DMatrix, DVector};

/// A block in which no sample has more than this fraction of its norm holds only rounding of the transform.
const ABSENT: f64 = 8.0 * f64::EPSILON;

/// Solves `min ψ(β) s.t. Gβ ≥ 1` for signed samples `G` (N × D, rows `y_n x_n`, original coordinates) and p ≥ 1, or
/// proves that the data cannot be separated through the usable blocks.
///
/// A returned limit has `duality_gap ≤` [`GAP_TOLERANCE`]. [`Separability::Unreachable`] if the data are separable, but
/// only with blocks of infinite weight. [`Separability::Undecided`] as for [`max_margin()`], for p < 1 (see
/// [`refine`](super::refine())), and if the gap of the best solution found is larger; the message says how large.
///
/// # Panics
/// If the potential is not defined on `R^D`.
///
/// ```
/// use marginflow::{limit::{Potential, Separability, minimise}, spectrum::Basis};
/// use nalgebra::DMatrix;
/// // One sample in the standard basis: β ∝ |g|^{q−2} g, here with p = 4/3, q = 4.
/// let potential = Potential::spectral(Basis::Standard, 2, 4.0 / 3.0, &[1.0, 1.0]);
/// let g = DMatrix::from_row_slice(1, 2, &[1.0, 2.0]);
/// let Separability::Separable(limit) = minimise(&g, &potential) else { panic!() };
/// assert!((limit.beta[1] / limit.beta[0] - 8.0).abs() < 1e-13);
/// ```
pub fn minimise(signed_samples: &DMatrix<f64>, potential: &Potential) -> Separability {
    let dimension = signed_samples.ncols();
    assert_eq!(potential.dimension(), dimension, "a potential of R^D");
    if *potential == Potential::euclidean(dimension) {
        return max_margin(signed_samples);
    }
    if potential.matrix.is_some() {
        return schatten::minimise(signed_samples, potential);
    }
    let size = largest(signed_samples.iter());
    if signed_samples.is_empty() || !size.is_finite() {
        return max_margin(signed_samples);
    }
    if !(potential.exponent >= 1.0 && potential.exponent.is_finite()) {
        return Separability::Undecided(Undecided::NotConvex(potential.exponent));
    }
    let unit = power_of_two(size);
    let Some((blocks, columns)) = reduced(&(signed_samples / unit), potential) else {
        return unreachable(signed_samples, potential, None);
    };
    // Unit coordinates carry the rounding of transform and weights.
    let start = match hard_margin(&columns.transpose(), &[], Proof::ToRounding) {
        Separability::Separable(limit) => limit,
        other => return unreachable(signed_samples, potential, Some(other)),
    };
    let program = Program {
        blocks: &blocks,
        columns: &columns,
    };
    let mut unique = true;
    let found = if potential.exponent == 2.0 {
        Some(Pair {
            x: start.beta.into(),
            multipliers: start.multipliers.into(),
            measure: start.duality_gap.unwrap_or(f64::INFINITY),
            steps: 0,
        })
    } else if potential.exponent == 1.0 {
        sparse::solve(&program, &start.beta).map(|solution| {
            unique = solution.unique;
            solution.pair
        })
    } else {
        program.minimise(&start.beta)
    };
    let Some(pair) = found.filter(|pair| pair.measure <= f64::MAX) else {
        return Separability::Undecided(Undecided::NoPositiveMargins);
    };
    if pair.measure > GAP_TOLERANCE {
        return Separability::Undecided(Undecided::Gap {
            exponent: potential.exponent,
            gap: pair.measure,
        });
    }
    match in_data_units(&program, signed_samples, potential, &pair) {
        Ok(limit) => Separability::Separable(Limit {
            duality_gap: Some(pair.measure),
            unique,
            ..limit
        }),
        Err(reason) => Separability::Undecided(reason.into()),
    }
}

/// The usable blocks in which some sample has more than rounding, and the samples there (D' × N), scaled by a power of
/// two to order one. `None` if there is no such block.
pub(super) fn reduced(
    signed_samples: &DMatrix<f64>,
    potential: &Potential,
) -> Option<(UnitBlocks, DMatrix<f64>)> {
    let norms: Vec<f64> = signed_samples.row_iter().map(|row| row.norm()).collect();
    let usable = UnitBlocks::new(potential);
    let mut unweighted = potential.clone();
    for block in &mut unweighted.blocks {
        if block.weight.is_finite() {
            block.weight = 1.0;
        }
    }
    let plain = UnitBlocks::new(&unweighted).columns(signed_samples);
    let present: Vec<bool> = usable
        .spans
        .iter()
        .map(|span| {
            let rows = plain.rows(span.start, span.len);
            rows.column_iter()
                .zip(&norms)
                .any(|(g, norm)| g.norm() > ABSENT * norm)
        })
        .collect();
    let (blocks, _) = usable.restricted(&present);
    let columns = blocks.columns(signed_samples);
    let size = largest(columns.iter());
    (size > 0.0 && size.is_finite()).then(|| (blocks, columns / power_of_two(size)))
}

/// What is true of data that could not be separated in unit coordinates, which carry rounding: the samples themselves
/// decide.
fn unreachable(
    signed_samples: &DMatrix<f64>,
    potential: &Potential,
    in_unit_coordinates: Option<Separability>,
) -> Separability {
    match max_margin(signed_samples) {
        Separability::Separable(_) => {}
        other => return other,
    }
    let (usable, unusable): (Vec<usize>, Vec<usize>) =
        (0..potential.blocks.len()).partition(|&b| potential.blocks[b].weight.is_finite());
    let plain = potential.basis == Basis::Standard && potential.vectors == 1;
    let through_usable = if plain && !unusable.is_empty() {
        let coordinates = (usable.iter().map(|&b| potential.blocks[b]))
            .flat_map(|block| block.start..block.start + block.len);
        let coordinates: Vec<usize> = coordinates.collect();
        let part = signed_samples.select_columns(&coordinates);
        in_unit_coordinates.map(|_| max_margin(&part))
    } else {
        in_unit_coordinates
    };
    match through_usable {
        Some(Separability::NotSeparable(certificate)) if !unusable.is_empty() => {
            Separability::Unreachable {
                certificate: Some(certificate),
                unusable,
            }
        }
        None if !unusable.is_empty() => Separability::Unreachable {
            certificate: None,
            unusable,
        },
        Some(Separability::Undecided(why)) => Separability::Undecided(why),
        _ => Separability::Undecided(Undecided::UnitCoordinates),
    }
}

/// The pair in original coordinates and the data's own units, with smallest margin one. `Err` if it over- or
/// underflows, or if β rounded to f64 has a margin that plain arithmetic cannot distinguish from zero.
pub(super) fn in_data_units(
    program: &Program<'_>,
    signed_samples: &DMatrix<f64>,
    potential: &Potential,
    pair: &Pair,
) -> Result<Limit, Unrepresentable> {
    let unit = power_of_two(largest(signed_samples.iter()));
    let samples = signed_samples.transpose() / unit;
    let beta = program.blocks.beta(&pair.x.hi);
    let beta = &beta / power_of_two(largest(&beta));
    let exact = DoubledVector::from(beta.clone());
    let length = beta.norm();
    let mut smallest = f64::INFINITY;
    for g in samples.column_iter() {
        let margin = exact.dot(g.as_slice()).value();
        // The usual size of the rounding of this margin in plain arithmetic (its bound grows with D).
        if margin <= 2.0 * f64::EPSILON * g.norm() * length {
            let in_units = (program.columns.column_iter())
                .map(|g| pair.x.dot(g.as_slice()).value())
                .fold(f64::INFINITY, f64::min);
            return Err(Unrepresentable::Margins {
                relative: in_units / (pair.x.hi.norm() * longest(program.columns)),
                margin: None,
            });
        }
        smallest = smallest.min(margin);
    }
    let beta = beta / smallest / unit;
    let psi = potential.value(&beta);
    let multipliers = &pair.multipliers.hi * (psi / pair.multipliers.hi.sum()) * psi;
    if !largest(&beta).is_normal() || !largest(&multipliers).is_normal() {
        return Err(Unrepresentable::Range);
    }
    Ok(Limit {
        kind: LimitKind::of(potential),
        potential: potential.clone(),
        beta,
        support: support(&multipliers),
        multipliers,
        duality_gap: None,
        stationarity: None,
        unique: false,
    })
}

/// Indices of the positive entries.
fn support(multipliers: &DVector<f64>) -> Vec<usize> {
    (0..multipliers.len())
        .filter(|&n| multipliers[n] > 0.0)
        .collect()
}
