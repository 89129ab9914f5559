//! Minimisers of Schatten norms beside closed forms, slow twins and each other.

use super::*;
use crate::dataset::{ClassMeans, Dataset, class_means, gaussian_class_teacher, standard_normals};
use crate::limit::{Certifier, minimise as minimise_any};

fn limit(g: &DMatrix<f64>, shape: (usize, usize), p: f64) -> Limit {
    match minimise_any(g, &Potential::schatten(shape, p)) {
        Separability::Separable(limit) => limit,
        other => panic!("p = {p}: {other:?}"),
    }
}

fn random(seed: u64, shape: (usize, usize)) -> DMatrix<f64> {
    let draws = standard_normals("schatten tests", seed).take(shape.0 * shape.1);
    DMatrix::from_iterator(shape.0, shape.1, draws)
}

/// One row: the minimiser is `∇(½ψ*²)(g)`, for the nuclear norm the leading singular pair.
#[test]
fn one_row_has_a_closed_form() {
    let shape = (4, 3);
    let g = random(1, shape);
    let row = DMatrix::from_row_slice(1, 12, g.as_slice());
    let svd = g.svd(true, true);
    let (u, v, sigma) = (svd.u.unwrap(), svd.v_t.unwrap(), svd.singular_values);
    for p in [4.0 / 3.0, 8.0 / 7.0, 16.0 / 15.0, 1.6] {
        let q: f64 = p / (p - 1.0);
        let values = sigma.map(|s| s.powf(q - 1.0));
        let expected = &u * DMatrix::from_diagonal(&values) * &v;
        let found = limit(&row, shape, p).beta;
        let angle = crate::limit::angle(found.as_slice(), expected.as_slice());
        assert!(angle < 1e-12, "p = {p}: {angle:e}");
    }
    let leading = u.column(0) * v.row(0);
    let found = limit(&row, shape, 1.0).beta;
    let angle = crate::limit::angle(found.as_slice(), leading.as_slice());
    assert!(angle < 1e-10, "{angle:e}");
}

/// Every exponent on several data sets: the gap proves the solution, the certifier finds the same multipliers from β
/// alone, and p → 2 is the multi-class SVM.
#[test]
fn minimisers_prove_themselves() {
    for seed in 1..=6 {
        let data = gaussian_class_teacher(6, 8, 3, seed).unwrap();
        let g = data.signed_samples();
        let shape = (6, 3);
        let svm = limit(g, shape, 2.0);
        for p in [1.9999, 4.0 / 3.0, 8.0 / 7.0, 16.0 / 15.0] {
            let found = limit(g, shape, p);
            assert!(found.duality_gap.unwrap() < 1e-12, "{seed}, p = {p}");
            assert!(((g * &found.beta).min() - 1.0).abs() < 1e-12);
            let apart = crate::limit::angle(found.beta.as_slice(), svm.beta.as_slice());
            assert_eq!(apart < 1e-3, p > 1.9, "{seed}, p = {p}: {apart:e}");
            let mut certifier = Certifier::new(g, &found.potential);
            let multipliers = certifier.best_multipliers(&found.beta);
            let gap = certifier.duality_gap(&found.beta, &multipliers).unwrap();
            assert!(gap < 1e-12, "{seed}, p = {p}: {gap:e}");
            let residual = certifier.kkt_residual(&found.beta).unwrap();
            assert!(residual.stationarity < 1e-6, "{:e}", residual.stationarity);
            let z = g.transpose() * &found.multipliers;
            let gradient = found.potential.gradient(&found.beta);
            assert!((&z - &gradient).norm() < 1e-6 * gradient.norm(), "p = {p}");
            let back = found.potential.inverse_gradient(&gradient);
            let apart = (back - &found.beta).norm() / found.beta.norm();
            assert!(apart < 1e-9, "{seed}, p = {p}: {apart:e}");
        }
    }
}

/// The nuclear norm: accepted on its gap, and no larger than that of its neighbours.
#[test]
fn nuclear_minimisers_are_below_their_neighbours() {
    for seed in 1..=8 {
        let data = class_means(&ClassMeans {
            dimension: 6,
            classes: 4,
            samples: 12,
            spread: 0.3,
            seed,
        });
        let g = data.signed_samples();
        let shape = (6, 4);
        let found = limit(g, shape, 1.0);
        assert!(found.duality_gap.unwrap() <= NUCLEAR_TOLERANCE);
        let here = value(&found.beta, shape, 1.0);
        for p in [4.0 / 3.0, 32.0 / 31.0] {
            let other = limit(g, shape, p);
            let there = value(&other.beta, shape, 1.0);
            assert!(there >= here * (1.0 - 1e-10), "{seed}: {there} {here}");
        }
    }
}

/// A descent by small projected steps knows nothing of any of this (the slow twin): `max 1ᵀa − ½‖Gᵀa‖_q²`, a ≥ 0.
#[test]
fn dual_ascent_finds_the_same_minimiser() {
    let data = gaussian_class_teacher(4, 5, 3, 3).unwrap();
    let g = data.signed_samples();
    let shape = (4, 3);
    let p = 4.0 / 3.0;
    let potential = Potential::schatten(shape, p);
    let mut a = DVector::from_element(g.nrows(), 0.1);
    for _ in 0..200_000 {
        let beta = potential.inverse_gradient(&(g.transpose() * &a));
        let slope = (g * beta).map(|m| 1.0 - m);
        a = (a + slope * 0.01).map(|a| a.max(0.0));
    }
    let slow = potential.inverse_gradient(&(g.transpose() * a));
    let found = limit(g, shape, p);
    let angle = crate::limit::angle(found.beta.as_slice(), slow.as_slice());
    assert!(angle < 1e-6, "{angle:e}");
}

/// A feature below the rounding of the frame may separate the data, in a direction that minimises another norm.
#[test]
fn the_euclidean_minimiser_is_never_given_out_for_another() {
    let (thin, shape) = (1e-15, (2, 2));
    // x (e_1 − e_2)ᵀ of x = (1, 0) and (−1, 1e-15), column by column
    let g = DMatrix::from_row_slice(2, 4, &[1.0, 0.0, -1.0, 0.0, -1.0, thin, 1.0, -thin]);
    let euclidean = crate::limit::max_margin(&g);
    assert!(
        matches!(euclidean, Separability::Separable(_)),
        "{euclidean:?}"
    );
    for p in [1.0, 4.0 / 3.0] {
        let found = minimise_any(&g, &Potential::schatten(shape, p));
        assert!(
            matches!(found, Separability::Undecided(_)),
            "p = {p}: {found:?}"
        );
    }
}

/// Rotations of the input space rotate the minimiser; classes may be renamed; data that overlap are refused with
/// Farkas' proof.
#[test]
fn symmetries_and_refusals() {
    let data = gaussian_class_teacher(5, 7, 3, 2).unwrap();
    let shape = (5, 3);
    let q = random(7, (5, 5)).qr().q();
    let classes: Vec<usize> = (0..7).map(|n| data.class_of(n)).collect();
    let rotated = Dataset::of_classes(data.samples() * q.transpose(), &classes, 3).unwrap();
    let renamed: Vec<usize> = classes.iter().map(|c| (c + 1) % 3).collect();
    let renamed = Dataset::of_classes(data.samples().clone(), &renamed, 3).unwrap();
    for p in [1.0, 4.0 / 3.0] {
        let matrix = |data: &Dataset| {
            let beta = limit(data.signed_samples(), shape, p).beta;
            DMatrix::from_column_slice(5, 3, beta.as_slice())
        };
        let beta = matrix(&data);
        let turned = &q * &beta;
        let apart = (matrix(&rotated) - &turned).norm() / turned.norm();
        assert!(apart < 1e-6, "p = {p}: {apart:e}");
        let moved = matrix(&renamed);
        for c in 0..3 {
            let apart = (moved.column((c + 1) % 3) - beta.column(c)).norm();
            assert!(apart < 1e-6 * beta.norm(), "p = {p}: {apart:e}");
        }
    }
    let mixed = class_means(&ClassMeans {
        dimension: 2,
        classes: 3,
        samples: 60,
        spread: 3.0,
        seed: 1,
    });
    for p in [1.0, 4.0 / 3.0] {
        let found = minimise_any(mixed.signed_samples(), &Potential::schatten((2, 3), p));
        assert!(matches!(found, Separability::NotSeparable(_)), "{found:?}");
    }
}
