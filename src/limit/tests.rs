//! The max-margin decision against closed forms, exhaustive enumeration and certificates.

use super::*;
use nalgebra::DMatrix;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64;

pub(super) fn gaussian(rows: usize, columns: usize, rng: &mut Pcg64) -> DMatrix<f64> {
    DMatrix::from_fn(rows, columns, |_, _| StandardNormal.sample(rng))
}

/// Gaussian samples whose signs follow a Gaussian teacher: separable.
pub(super) fn teacher(rows: usize, columns: usize, seed: u64) -> DMatrix<f64> {
    let mut rng = Pcg64::seed_from_u64(seed);
    let mut g = gaussian(rows, columns, &mut rng);
    let w = gaussian(columns, 1, &mut rng);
    for mut row in g.row_iter_mut() {
        let sign = (&row * &w)[0].signum();
        row *= sign;
    }
    g
}

fn separable(g: &DMatrix<f64>) -> Limit {
    match max_margin(g) {
        Separability::Separable(limit) => limit,
        other => panic!("expected a separator: {other:?}"),
    }
}

fn not_separable(g: &DMatrix<f64>) -> FarkasCertificate {
    match max_margin(g) {
        Separability::NotSeparable(certificate) => certificate,
        other => panic!("expected a certificate: {other:?}"),
    }
}

fn gap_of(limit: &Limit) -> f64 {
    limit.duality_gap.expect("a convex problem")
}

/// Checks everything a limit guarantees, in plain arithmetic.
fn assert_certified(g: &DMatrix<f64>, limit: &Limit) {
    assert!(gap_of(limit) <= GAP_TOLERANCE, "{}", gap_of(limit));
    let size = g.row_iter().map(|r| r.norm()).fold(0.0, f64::max) * limit.beta.norm();
    let smallest = (g * &limit.beta).min();
    assert!((smallest - 1.0).abs() <= 1e-15 * (1.0 + size), "{smallest}");
    let span = g.tr_mul(&limit.multipliers);
    assert!((span - &limit.beta).norm() <= 1e-14 * size * limit.beta.norm());
    let support: Vec<usize> = (0..g.nrows())
        .filter(|&n| limit.multipliers[n] > 0.0)
        .collect();
    assert_eq!(support, limit.support);
    assert!(limit.multipliers.min() >= 0.0);
    assert!(support.len() <= g.ncols());
    let gap = duality_gap(g, &limit.beta, &limit.multipliers).unwrap();
    assert!((0.0..=1e-15 * (1.0 + size)).contains(&gap), "{gap}");
}

/// The max-margin solution by trying every support: `G_S G_Sᵀ λ = 1`, λ ≥ 0, all margins ≥ 1.
fn enumerated(g: &DMatrix<f64>) -> Option<DVector<f64>> {
    (1usize..1 << g.nrows()).find_map(|bits| {
        let members: Vec<usize> = (0..g.nrows()).filter(|n| bits >> n & 1 == 1).collect();
        if members.len() > g.ncols() {
            return None;
        }
        let rows = g.select_rows(&members);
        let gram = &rows * rows.transpose();
        let lambda = gram
            .lu()
            .solve(&DVector::from_element(members.len(), 1.0))?;
        let beta = rows.tr_mul(&lambda);
        let on_margin = (&rows * &beta).add_scalar(-1.0).amax() < 1e-9;
        (on_margin && lambda.min() > 1e-9 && (g * &beta).min() > 1.0 - 1e-9).then_some(beta)
    })
}

#[test]
fn closed_forms_in_the_plane() {
    // One sample: β = g/‖g‖². Opposed samples ±u + m v: β = v/m.
    let one = separable(&DMatrix::from_row_slice(1, 2, &[3.0, 4.0]));
    assert!((one.beta - DVector::from_vec(vec![0.12, 0.16])).norm() < 1e-16);
    assert_eq!(one.support, [0]);
    let line = separable(&DMatrix::from_row_slice(3, 1, &[-0.5, -2.0, -4.0]));
    assert_eq!((line.beta[0], line.support.as_slice()), (-2.0, &[0][..]));
    let inner = DMatrix::from_row_slice(3, 2, &[1.0, 0.0, 0.0, 2.0, 5.0, 5.0]);
    let limit = separable(&inner);
    assert!((&limit.beta - DVector::from_vec(vec![1.0, 0.5])).norm() < 1e-15);
    assert_eq!(limit.support, [0, 1]);
    assert_certified(&inner, &limit);
}

#[test]
fn tiny_margins_keep_the_direction() {
    // ±(3,4) + m(−4,3) is exact in f64 for m a power of two; the direction is (−4,3) whatever m is.
    for exponent in [-13, -27, -33, -40] {
        let m = 2f64.powi(exponent);
        let rows = [3.0 - 4.0 * m, 4.0 + 3.0 * m, -3.0 - 4.0 * m, -4.0 + 3.0 * m];
        let limit = separable(&DMatrix::from_row_slice(2, 2, &rows));
        let error = angle(limit.beta.as_slice(), &[-4.0, 3.0]);
        assert!(error < 3e-16, "margin {m:e}: {error:e}");
        assert!(gap_of(&limit) <= GAP_TOLERANCE);
        assert_eq!(limit.support, [0, 1]);
    }
}

#[test]
fn agrees_with_enumeration_of_supports() {
    let mut rng = Pcg64::seed_from_u64(11);
    let (mut yes, mut no) = (0, 0);
    for case in 0..80 {
        let (n, d) = (1 + case % 8, 1 + case % 4);
        let g = gaussian(n, d, &mut rng);
        match enumerated(&g) {
            Some(beta) => {
                let limit = separable(&g);
                assert_certified(&g, &limit);
                let error = angle(limit.beta.as_slice(), beta.as_slice());
                assert!(
                    error < 1e-12 * beta.norm().max(1.0),
                    "case {case}: {error:e}"
                );
                yes += 1;
            }
            None => {
                let certificate = not_separable(&g);
                assert!(certificate.residual < 1e-14, "case {case}");
                assert!(certificate.support.len() <= d + 1);
                no += 1;
            }
        }
    }
    assert!(yes >= 25 && no >= 20, "{yes} separable, {no} not");
}

#[test]
fn integer_data_are_as_degenerate_as_they_come() {
    // Entries −1, 0, 1: repeated, opposite, zero and dependent samples, and ties everywhere.
    let mut rng = Pcg64::seed_from_u64(3);
    let (mut yes, mut no) = (0, 0);
    for case in 0..400 {
        let (n, d) = (2 + case % 7, 2 + case % 4);
        let g = gaussian(n, d, &mut rng).map(|x| (x * 0.8).round().clamp(-1.0, 1.0));
        match enumerated(&g) {
            Some(beta) => {
                let limit = separable(&g);
                assert_certified(&g, &limit);
                assert!(angle(limit.beta.as_slice(), beta.as_slice()) < 1e-14, "{g}");
                yes += 1;
            }
            None => {
                let certificate = not_separable(&g);
                assert!(certificate.residual < 1e-15, "{g}");
                assert!(certificate.support.len() <= d + 1);
                no += 1;
            }
        }
    }
    assert!(yes >= 80 && no >= 80, "{yes} separable, {no} not");
}

#[test]
fn thin_margins_are_still_decided() {
    // Samples m w + noise across w, dense enough that the best margin is of order m; w is not along an axis.
    let mut rng = Pcg64::seed_from_u64(17);
    let w = gaussian(6, 1, &mut rng).normalize();
    let across = DMatrix::identity(6, 6) - &w * w.transpose();
    for exponent in [-4, -6, -8, -10, -12] {
        let m = 10f64.powi(exponent);
        let g = gaussian(60, 6, &mut rng) * &across + DMatrix::from_fn(60, 6, |_, i| m * w[i]);
        let limit = separable(&g);
        assert!(gap_of(&limit) < 1e-15, "{m:e}: {:e}", gap_of(&limit));
        let margin = limit.beta.norm().recip();
        assert!((0.3..3.0).contains(&(margin / m)), "{margin:e} for {m:e}");
        // The noise fixes the direction to within the margin; below ε the rounding of the data fixes it.
        assert!(angle(limit.beta.as_slice(), w.as_slice()) < 10.0 * m + 1e-15);
    }
}

#[test]
fn larger_problems_are_certified() {
    for (n, d) in [
        (360, 64),
        (60, 60),
        (20, 120),
        (3, 200),
        (500, 3),
        (150, 100),
    ] {
        let g = teacher(n, d, (n + d) as u64);
        let limit = separable(&g);
        assert_certified(&g, &limit);
        assert!(gap_of(&limit) < 1e-15, "{n}×{d}: {}", gap_of(&limit));
    }
}

#[test]
fn repeated_and_dependent_samples_change_nothing() {
    let g = teacher(12, 5, 4);
    let limit = separable(&g);
    let tripled = g.select_rows(&(0..36).map(|i| i % 12).collect::<Vec<_>>());
    let again = separable(&tripled);
    assert_certified(&tripled, &again);
    assert!(angle(limit.beta.as_slice(), again.beta.as_slice()) < 1e-14);
    assert_eq!(again.support.len(), limit.support.len());
    // Cube vertices above the plane: four active samples of rank three, and their centre makes a fifth.
    let cube = [
        1.0, 1.0, 1.0, 1.0, -1.0, 1.0, -1.0, 1.0, 1.0, -1.0, -1.0, 1.0, 0.0, 0.0, 1.0,
    ];
    let cube = DMatrix::from_row_slice(5, 3, &cube);
    let limit = separable(&cube);
    assert_certified(&cube, &limit);
    assert!(angle(limit.beta.as_slice(), &[0.0, 0.0, 1.0]) < 1e-15);
    // A rounded convex combination of support vectors is active too, to rounding.
    let mut mixed = g.clone().insert_row(12, 0.0);
    let support = separable(&g).support;
    for &n in &support {
        let row = g.row(n) / support.len() as f64;
        mixed.set_row(12, &(mixed.row(12) + row));
    }
    let again = separable(&mixed);
    assert_certified(&mixed, &again);
    assert!(angle(separable(&g).beta.as_slice(), again.beta.as_slice()) < 1e-13);
}

#[test]
fn samples_of_very_different_length() {
    let mut g = teacher(30, 10, 21);
    for (n, mut row) in g.row_iter_mut().enumerate() {
        row *= 10f64.powi(-((n % 7) as i32));
    }
    let limit = separable(&g);
    assert!(gap_of(&limit) < 1e-15, "{:e}", gap_of(&limit));
    let rescaled = separable(&(&g * 1e-140));
    assert!(angle(limit.beta.as_slice(), rescaled.beta.as_slice()) < 1e-14);
    assert!((rescaled.beta.norm() / limit.beta.norm() / 1e140 - 1.0).abs() < 1e-13);
    // On (3, 7)·1e9 the margin one is a difference of products near 1e18: no f64 β separates to any accuracy.
    let apart = DMatrix::from_row_slice(2, 2, &[3e9, 7e9, -7.1e-9, 3e-9]);
    match max_margin(&apart) {
        Separability::Undecided(reason) => {
            assert!(reason.to_string().contains("lengths"), "{reason}")
        }
        other => panic!("{other:?}"),
    }
    // β = 1e200 is representable, but its multipliers 1e400 are not.
    assert!(matches!(
        max_margin(&DMatrix::from_element(1, 1, 1e-200)),
        Separability::Undecided(_)
    ));
}

#[test]
fn non_separable_data_have_a_small_certificate() {
    let g = gaussian(300, 20, &mut Pcg64::seed_from_u64(5));
    let certificate = not_separable(&g);
    assert!(certificate.support.len() <= 21 && certificate.residual < 1e-14);
    assert!((certificate.multipliers.sum() - 1.0).abs() < 1e-14);
    assert!(certificate.multipliers.min() >= 0.0);
    let size = g.row_iter().map(|r| r.norm()).fold(0.0, f64::max);
    assert!(g.tr_mul(&certificate.multipliers).norm() <= FARKAS_TOLERANCE * size);
    // XOR with a constant feature needs all four samples at weight ¼.
    let xor = [
        1.0, 1.0, 1.0, -1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, -1.0,
    ];
    let certificate = not_separable(&DMatrix::from_row_slice(4, 3, &xor));
    assert_eq!(certificate.support, [0, 1, 2, 3]);
    assert!((certificate.multipliers.add_scalar(-0.25)).amax() < 1e-15);
    assert!(certificate.residual < 1e-15);
}

#[test]
fn a_zero_sample_is_its_own_certificate() {
    let g = DMatrix::from_row_slice(3, 2, &[1.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
    let certificate = not_separable(&g);
    assert_eq!((certificate.support, certificate.residual), (vec![1], 0.0));
    assert_eq!(not_separable(&DMatrix::zeros(2, 2)).support.len(), 1);
}

#[test]
fn redundant_features_do_not_separate_by_their_rounding() {
    // The third column is a combination of the first two up to rounding: the true rank is two.
    let g = gaussian(60, 2, &mut Pcg64::seed_from_u64(8));
    let g = g.insert_column(2, 0.0);
    let g = DMatrix::from_fn(60, 3, |n, d| {
        if d < 2 {
            g[(n, d)]
        } else {
            (0.3 * g[(n, 0)] + 0.7 * g[(n, 1)]) / 3.0
        }
    });
    assert!(not_separable(&g).residual < 1e-14);
}

#[test]
fn unusable_data_are_undecided_with_a_reason() {
    for g in [DMatrix::zeros(0, 3), DMatrix::from_element(2, 2, f64::NAN)] {
        match max_margin(&g) {
            Separability::Undecided(reason) => assert!(reason.to_string().len() > 20),
            other => panic!("{other:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn order_and_scale_of_the_samples_do_not_matter(
        (n, d) in (1usize..12, 1usize..6),
        seed in 0u64..1000,
        scale in 1e-6f64..1e6,
        shift in 0usize..12,
    ) {
        let g = teacher(n, d, seed);
        let limit = separable(&g);
        assert_certified(&g, &limit);
        let order: Vec<usize> = (0..n).map(|i| (i * 5 + shift) % n).collect();
        let distinct = (0..n).all(|i| order.contains(&i));
        prop_assume!(distinct);
        let moved = separable(&(g.select_rows(&order) * scale));
        // Rounding `scale · g` moves the direction by up to ε max‖g‖‖β‖ times the conditioning of the support.
        let tolerance = 1e-13 * (1.0 + limit.beta.norm()).powi(2);
        prop_assert!(angle(limit.beta.as_slice(), moved.beta.as_slice()) < tolerance);
        prop_assert!((moved.beta.norm() * scale / limit.beta.norm() - 1.0).abs() < tolerance);
        let mut support: Vec<usize> = moved.support.iter().map(|&i| order[i]).collect();
        support.sort_unstable();
        prop_assert_eq!(support, limit.support);
    }
}
