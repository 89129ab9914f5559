//! The hard-margin direction: coordinate ascent for a first support, active set for the digits.
//!
//! Coordinate ascent on the dual `max 1ᵀa − ½‖Gᵀa‖², a ≥ 0` (Hildreth 1957) costs 2ND multiplications a sweep and soon
//! identifies most of the support; only the order of its multipliers is used. It gives the active-set method of
//! `projection` its initial set; that method then finds the exact support and solves on it with doubled residuals. If
//! this ends without a certificate, an interior-point method supplies a better initial set, at ten to twenty times the
//! cost of everything else; the last attempt starts from the empty set. The outcome is accepted on its certificate
//! alone.
//!
//! As the interior-point method, Clarabel solves the nearest-point form `min ½‖z‖² s.t. z = Gᵀa, 1ᵀa = 1, a ≥ 0` (the
//! point of the convex hull of the samples nearest to the origin), which is feasible and bounded whether or not the
//! data are separable. Its β is accurate only to 1e-5 … 1e-8, so again only the order of its multipliers is used.

use super::doubled::DoubledVector;
use super::gap::gap;
use super::projection::{Outcome, Precision, Projection};
use super::scaling::{ScaledSamples, largest};
use super::separability::{FarkasCertificate, Separability};
use super::undecided::{Uncertified, Undecided, Unrepresentable};
use super::{Limit, LimitKind, Potential, UnitBlocks};
use clarabel::algebra::CscMatrix;
use clarabel::solver::{DefaultSettings, DefaultSolver, IPSolver, SupportedConeT};
use nalgebra::{DMatrix, DVector};

/// Largest duality gap of an accepted solution.
pub const GAP_TOLERANCE: f64 = 1e-12;

/// Below this `‖Gᵀa‖ / Σ a_n‖g_n‖` the margin is rounding of the data: changing their last digit can flip its sign.
const MARGIN_ROUNDING: f64 = 1e-14;

/// Multipliers below this fraction of the largest count as zero.
const SUPPORT_ROUNDING: f64 = 64.0 * f64::EPSILON;

/// Solves `min ‖β‖₂ s.t. Gβ ≥ 1` for signed samples `G` (N × D, rows `y_n x_n`), or proves that the data are not
/// separable.
///
/// A returned limit has `duality_gap ≤` [`GAP_TOLERANCE`]; a returned certificate has `residual ≤`
/// [`FARKAS_TOLERANCE`](super::FARKAS_TOLERANCE). Data whose margin is below 1e-14 of their size in every feature
/// count as not separable (the certificate's residual shows it). [`Separability::Undecided`] is returned for no
/// samples, for margins that small that depend on features much smaller than the others, for entries that are not
/// finite, for data too ill-conditioned for either proof, and for data whose solution does not survive rounding to
/// f64.
///
/// ```
/// use marginflow::limit::{Separability, max_margin};
/// use nalgebra::DMatrix;
/// let signed_samples = DMatrix::from_row_slice(2, 2, &[1.0, 1.0, 1.0, -1.0]);
/// let Separability::Separable(limit) = max_margin(&signed_samples) else { panic!() };
/// assert!((limit.beta[0] - 1.0).abs() < 1e-15 && limit.beta[1].abs() < 1e-15);
/// ```
pub fn max_margin(signed_samples: &DMatrix<f64>) -> Separability {
    max_margin_from(signed_samples, &[])
}

/// [`max_margin`] with a guess of the support: along a run the limit of one save starts the search for the next, and
/// the interior-point method is used only if the guess fails. The outcome rests on the same certificates.
///
/// # Panics
/// If an index in the guess is not that of a sample.
pub fn max_margin_from(signed_samples: &DMatrix<f64>, guess: &[usize]) -> Separability {
    if signed_samples.is_empty() {
        return Separability::Undecided(Undecided::NoSamples);
    }
    let Some(samples) = ScaledSamples::new(signed_samples) else {
        return Separability::Undecided(Undecided::NotFinite);
    };
    if !guess.is_empty()
        && let Ok(decision) = decide(&samples, guess)
    {
        return decision;
    }
    type Start = fn(&DMatrix<f64>) -> Vec<usize>;
    let starts: [(&'static str, Start); 3] = [
        ("coordinate start", ascended_support),
        ("interior-point start", interior_support),
        ("empty start", |_| Vec::new()),
    ];
    let mut reasons = Vec::new();
    for (start, guess) in starts {
        match decide(&samples, &guess(&samples.columns)) {
            Ok(decision) => return decision,
            Err(reason) => reasons.push((start, reason)),
        }
    }
    Separability::Undecided(Undecided::NoCertificate(reasons))
}

/// Runs the active-set method from `guess`; `Err` says why the outcome has no certificate.
fn decide(samples: &ScaledSamples, guess: &[usize]) -> Result<Separability, Uncertified> {
    let columns = &samples.columns;
    let mut projection = Projection::new(columns.clone(), DVector::zeros(columns.nrows()), 1.0);
    projection.start_from(guess);
    let mut outcome = projection.run(Precision::Working);
    if !matches!(outcome, Outcome::Infeasible(_)) {
        // Fresh factors, so that refinement need not repair the rounding of many updates.
        let members = projection.members().to_vec();
        projection.start_from(&members);
        outcome = projection.run(Precision::Doubled);
    }
    if let Outcome::Infeasible(combination) = outcome {
        return FarkasCertificate::refined(columns, &combination)
            .map(Separability::NotSeparable)
            .ok_or(Uncertified::Combination);
    }
    projection.prune(SUPPORT_ROUNDING, Precision::Doubled);
    let multipliers = projection.multipliers();
    let farkas = FarkasCertificate::measured(columns, &multipliers.hi);
    if farkas.residual <= MARGIN_ROUNDING {
        return if farkas.vanishes_in_every_feature(columns) {
            Ok(Separability::NotSeparable(farkas))
        } else {
            Err(Uncertified::SmallFeature)
        };
    }
    let blocks = UnitBlocks::new(&Potential::euclidean(columns.nrows()));
    let gap = gap(&blocks, columns, projection.point(), &multipliers);
    match gap {
        Some(gap) if gap <= GAP_TOLERANCE => {
            let limit = rounded(samples, projection.point(), &multipliers, gap)?;
            Ok(Separability::Separable(limit))
        }
        _ => Err(Uncertified::Gap {
            margin: farkas.residual,
            gap,
        }),
    }
}

/// The solution in the data's own units, with smallest margin one. `Err` if it over- or underflows, or if β rounded to
/// f64 has a margin so small that plain arithmetic cannot tell its sign.
fn rounded(
    samples: &ScaledSamples,
    point: &DoubledVector,
    multipliers: &DoubledVector,
    duality_gap: f64,
) -> Result<Limit, Unrepresentable> {
    let columns = &samples.columns;
    let smallest = columns
        .column_iter()
        .map(|g| point.dot(g.as_slice()).value())
        .fold(f64::INFINITY, f64::min);
    let beta = &point.hi / smallest;
    let exact = DoubledVector::from(beta.clone());
    let length = beta.norm();
    let survives = columns.column_iter().all(|g| {
        // The usual size of the rounding of this margin in plain arithmetic (its bound grows with D).
        let rounding = 2.0 * f64::EPSILON * g.norm() * length;
        exact.dot(g.as_slice()).value() > rounding
    });
    if !survives {
        return Err(Unrepresentable::Margins);
    }
    let multipliers = &multipliers.hi / smallest;
    let beta = beta / samples.unit;
    let multipliers = multipliers / samples.unit / samples.unit;
    if !largest(&beta).is_normal() || !largest(&multipliers).is_normal() {
        return Err(Unrepresentable::Range);
    }
    let support = (0..multipliers.len())
        .filter(|&n| multipliers[n] > 0.0)
        .collect();
    Ok(Limit {
        kind: LimitKind::MaxMargin,
        potential: Potential::euclidean(columns.nrows()),
        beta,
        multipliers,
        duality_gap: Some(duality_gap),
        stationarity: None,
        support,
        unique: true,
    })
}

/// Settings for all uses of Clarabel: silent, single-threaded, as accurate as possible.
pub(super) fn interior_point_settings() -> DefaultSettings<f64> {
    DefaultSettings {
        verbose: false,
        max_threads: 1,
        tol_gap_abs: 1e-12,
        tol_gap_rel: 1e-12,
        tol_feas: 1e-12,
        ..DefaultSettings::default()
    }
}

/// Most sweeps of coordinate ascent.
const SWEEPS: usize = 100;

/// Samples ordered by their `a_n‖g_n‖`, largest first, after coordinate ascent on `max 1ᵀa − ½‖Gᵀa‖², a ≥ 0`.
///
/// Each step makes one margin of `z = Gᵀa` exact: `a_n ← max(0, a_n + (1 − g_n·z)/‖g_n‖²)`. Stops early if no step of
/// a sweep moves z by 1e-3 of its length; on data that are not separable it need not converge at all.
fn ascended_support(columns: &DMatrix<f64>) -> Vec<usize> {
    let (dimension, count) = columns.shape();
    let squares: Vec<f64> = columns.column_iter().map(|g| g.norm_squared()).collect();
    let mut point = DVector::<f64>::zeros(dimension);
    let mut multipliers = vec![0.0f64; count];
    for _ in 0..SWEEPS {
        let mut moved: f64 = 0.0;
        for (n, g) in columns.column_iter().enumerate() {
            // Squares this small have lost their digits; samples of zero length are left to `decide`.
            if squares[n] < f64::MIN_POSITIVE / f64::EPSILON {
                continue;
            }
            let step = ((1.0 - g.dot(&point)) / squares[n]).max(-multipliers[n]);
            if step != 0.0 {
                multipliers[n] += step;
                point.axpy(step, &g, 1.0);
                moved = moved.max(step * step * squares[n]);
            }
        }
        if moved < 1e-6 * point.norm_squared() {
            break;
        }
    }
    let weight = |n: usize| multipliers[n] * squares[n].sqrt();
    let mut support: Vec<usize> = (0..count).filter(|&n| weight(n) > 0.0).collect();
    support.sort_by(|&m, &n| weight(n).total_cmp(&weight(m)));
    support
}

/// Samples ordered by Clarabel's multipliers, largest first, as far as these stand out; empty if it fails.
fn interior_support(columns: &DMatrix<f64>) -> Vec<usize> {
    let (dimension, count) = columns.shape();
    // Unknowns (z, a); rows: Gᵀa − z = 0, 1ᵀa = 1, −a ≤ 0.
    let mut pointers = vec![0];
    let (mut rows, mut values) = (Vec::new(), Vec::new());
    for i in 0..dimension {
        rows.push(i);
        values.push(-1.0);
        pointers.push(rows.len());
    }
    for (n, g) in columns.column_iter().enumerate() {
        for (i, &x) in g.iter().enumerate().filter(|(_, x)| **x != 0.0) {
            rows.push(i);
            values.push(x);
        }
        rows.extend([dimension, dimension + 1 + n]);
        values.extend([1.0, -1.0]);
        pointers.push(rows.len());
    }
    let unknowns = dimension + count;
    let constraints = CscMatrix::new(dimension + 1 + count, unknowns, pointers, rows, values);
    let quadratic = CscMatrix::new(
        unknowns,
        unknowns,
        (0..=unknowns).map(|j| j.min(dimension)).collect(),
        (0..dimension).collect(),
        vec![1.0; dimension],
    );
    let mut bounds = vec![0.0; dimension + 1 + count];
    bounds[dimension] = 1.0;
    let cones = [
        SupportedConeT::ZeroConeT(dimension + 1),
        SupportedConeT::NonnegativeConeT(count),
    ];
    let settings = interior_point_settings();
    let linear = vec![0.0; unknowns];
    let Ok(mut solver) =
        DefaultSolver::new(&quadratic, &linear, &constraints, &bounds, &cones, settings)
    else {
        return Vec::new();
    };
    solver.solve();
    let multipliers = &solver.solution.x[dimension..];
    let largest = multipliers.iter().copied().fold(0.0, f64::max);
    let mut support: Vec<usize> = (0..count)
        .filter(|&n| multipliers[n] > 1e-6 * largest)
        .collect();
    support.sort_by(|&m, &n| multipliers[n].total_cmp(&multipliers[m]));
    support
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Separable data in general position: 1.2 in the first feature only just outweighs the waves.
    fn samples(n: usize, d: usize) -> ScaledSamples {
        let g = DMatrix::from_fn(n, d, |i, j| {
            let wave = ((i * i + 5 * i * j + 11 * j) as f64 * 0.9).sin();
            if j == 0 { 1.2 + wave } else { wave }
        });
        ScaledSamples::new(&g).unwrap()
    }

    #[test]
    fn every_start_ends_at_the_same_solution() {
        let samples = samples(80, 15);
        let interior = interior_support(&samples.columns);
        let ascended = ascended_support(&samples.columns);
        let everything: Vec<usize> = (0..80).collect();
        let solutions = [ascended, interior, Vec::new(), everything].map(|guess| {
            match decide(&samples, &guess) {
                Ok(Separability::Separable(limit)) => limit,
                other => panic!("{other:?}"),
            }
        });
        for limit in &solutions[1..] {
            assert_eq!(limit.support, solutions[0].support);
            assert!((&limit.beta - &solutions[0].beta).norm() < 1e-15 * limit.beta.norm());
        }
    }

    #[test]
    fn a_guess_good_or_bad_changes_nothing() {
        let g = samples(80, 15).columns.transpose();
        let Separability::Separable(limit) = max_margin(&g) else {
            panic!("separable by construction")
        };
        let reversed: Vec<usize> = (0..80).rev().collect();
        for guess in [&limit.support, &reversed, &vec![3]] {
            let Separability::Separable(other) = max_margin_from(&g, guess) else {
                panic!("separable by construction")
            };
            assert_eq!(other.support, limit.support);
            assert!((&other.beta - &limit.beta).norm() < 1e-15 * limit.beta.norm());
        }
        // A sample and its opposite: no guess makes that separable.
        let mut opposite = g.clone().insert_row(80, 0.0);
        opposite.row_mut(80).copy_from(&-g.row(0));
        let decision = max_margin_from(&opposite, &limit.support);
        assert!(matches!(decision, Separability::NotSeparable(_)));
    }

    #[test]
    fn both_starts_hold_the_support() {
        let samples = samples(80, 15);
        let Ok(Separability::Separable(limit)) = decide(&samples, &[]) else {
            panic!("separable by construction")
        };
        for (guess, more) in [
            (interior_support(&samples.columns), 2),
            (ascended_support(&samples.columns), 5),
        ] {
            assert!(limit.support.iter().all(|n| guess.contains(n)));
            assert!(guess.len() <= limit.support.len() + more, "{}", guess.len());
        }
    }
}
