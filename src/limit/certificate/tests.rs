//! Certificates of the Euclidean case against closed forms; the others are tested with their minimisers.

use super::*;
use crate::limit::{Separability, max_margin};
use std::f64::consts::PI;

/// A fixed N × D matrix in general position, with a positive first column.
fn samples(n: usize, d: usize) -> DMatrix<f64> {
    DMatrix::from_fn(n, d, |i, j| {
        let wave = ((i * i + 3 * i * j + 7 * j) as f64 * 0.7).sin();
        if j == 0 { 1.5 + wave } else { wave }
    })
}

#[test]
fn gap_of_a_known_pair() {
    // G = identity, β = (1, 2), a = (1, 1): γ = 1, gap = √5 · √2 / 2 − 1.
    let g = DMatrix::identity(2, 2);
    let (beta, a) = (
        DVector::from_vec(vec![1.0, 2.0]),
        DVector::from_vec(vec![1.0, 1.0]),
    );
    let gap = duality_gap(&g, &beta, &a).unwrap();
    assert!((gap - (10f64.sqrt() / 2.0 - 1.0)).abs() < 1e-15);
    let huge = duality_gap(&(g * 1e-300), &(beta * 1e250), &(a * 1e200)).unwrap();
    assert!((gap - huge).abs() < 1e-15);
}

#[test]
fn gap_near_zero_keeps_its_digits() {
    // β = (1, 1 + h): γ = 1, a = (1, 1): gap = √(1 + (1+h)²)/√2 − 1 = h/2 + h²/8 + …; with a = β the angle vanishes:
    // gap = (1 + (1+h)²)/(2 + h) − 1 = h(1+h)/(2+h).
    let g = DMatrix::identity(2, 2);
    let h = 2f64.powi(-45);
    let beta = DVector::from_vec(vec![1.0, 1.0 + h]);
    let even = duality_gap(&g, &beta, &DVector::from_element(2, 1.0)).unwrap();
    assert!((even / (h / 2.0) - 1.0).abs() < 1e-3, "{even:e}");
    let own = duality_gap(&g, &beta, &beta).unwrap();
    assert!((own / (h / 2.0) - 1.0).abs() < 1e-12, "{own:e}");
    let exact = DVector::from_element(2, 0.3);
    assert!(duality_gap(&g, &exact, &exact).unwrap() < 1e-30);
}

#[test]
fn gap_needs_a_positive_margin_and_non_negative_multipliers() {
    let g = DMatrix::identity(2, 2);
    let one = DVector::from_element(2, 1.0);
    assert!(duality_gap(&g, &DVector::from_vec(vec![1.0, 0.0]), &one).is_none());
    assert!(duality_gap(&g, &one, &DVector::from_vec(vec![1.0, -1e-9])).is_none());
    assert!(duality_gap(&g, &one, &DVector::zeros(2)).is_none());
    assert!(duality_gap(&g, &(&one * f64::NAN), &one).is_none());
}

/// `w = β − Gᵀa` must satisfy `G w ≤ 0`, `a·Gw = 0`, `a ≥ 0`.
fn assert_least_squares(g: &DMatrix<f64>, beta: &DVector<f64>, a: &DVector<f64>) {
    let rest = beta - g.tr_mul(a);
    let slope = g * &rest;
    let size = beta.norm() * g.norm();
    assert!(a.min() >= 0.0);
    assert!(slope.max() <= 1e-14 * size, "{:e}", slope.max() / size);
    for (a, slope) in a.iter().zip(slope.iter()) {
        assert!(*a == 0.0 || slope.abs() <= 1e-14 * size);
    }
}

fn of_blocks(g: &DMatrix<f64>) -> BlockCertifier {
    BlockCertifier::new(g, &Potential::euclidean(g.ncols()))
}

fn fit_all(g: &DMatrix<f64>, beta: &DVector<f64>) -> DVector<f64> {
    let mut certifier = of_blocks(g);
    certifier
        .fit_target(beta, vec![true; g.nrows()])
        .multipliers
        / certifier.samples.unit
}

#[test]
fn the_fit_solves_the_least_squares_problem() {
    for (n, d) in [(1, 1), (3, 8), (8, 3), (40, 12), (30, 30)] {
        let g = samples(n, d);
        let beta = DVector::from_fn(d, |i, _| ((5 * i + n) as f64).cos() + 0.3);
        let a = fit_all(&g, &beta);
        assert_least_squares(&g, &beta, &a);
        let columns = ndarray::Array2::from_shape_fn((d, n), |(i, j)| g[(j, i)]);
        let target = ndarray::Array1::from_iter(beta.iter().copied());
        let (_, distance) = nnls::nnls(columns.view(), target.view());
        let ours = (&beta - g.tr_mul(&a)).norm();
        assert!(
            (ours - distance).abs() < 1e-12 * beta.norm(),
            "{ours} {distance}"
        );
        // A combination of the samples is reproduced.
        let weights = DVector::from_fn(n, |i, _| (i % 3) as f64);
        let inside = g.tr_mul(&weights);
        let a = fit_all(&g, &inside);
        assert!((g.tr_mul(&a) - &inside).norm() <= 1e-14 * inside.norm());
    }
    let g = samples(6, 4);
    let outside = DVector::from_vec(vec![-100.0, 0.0, 0.0, 0.0]);
    assert_eq!(fit_all(&g, &outside), DVector::zeros(6));
    assert_eq!(fit_all(&g, &DVector::zeros(4)), DVector::zeros(6));
}

#[test]
fn a_run_certifies_itself_with_more_samples_than_dimensions() {
    let g = samples(60, 4);
    let Separability::Separable(limit) = max_margin(&g) else {
        panic!("the first feature separates")
    };
    let mut certifier = euclidean(&g);
    for exponent in [3, 6, 9] {
        let h = 10f64.powi(-exponent);
        let beta = DVector::from_fn(4, |i, _| limit.beta[i] + h * (i as f64).cos()) * 1e20;
        let a = certifier.best_multipliers(&beta);
        let gap = certifier.duality_gap(&beta, &a).unwrap();
        assert!(gap < 30.0 * h, "{h:e}: {gap:e}");
        // Fitting all samples instead reproduces β just as well, and certifies nothing.
        let all = fit_all(&g, &(&beta / 1e20));
        assert!(certifier.duality_gap(&beta, &all).unwrap() > 0.1);
    }
    let backwards = -&limit.beta;
    assert_eq!(certifier.best_multipliers(&backwards), DVector::zeros(60));
}

#[test]
fn a_warm_certifier_agrees_with_one_shot_calls() {
    let g = samples(40, 12);
    let mut certifier = of_blocks(&g);
    let mut compared = 0;
    for step in 0..30 {
        let phase = 0.1 * f64::from(step);
        let wave = |i: usize| {
            if i == 0 {
                40.0
            } else {
                (phase + i as f64).sin()
            }
        };
        let beta = DVector::from_fn(12, |i, _| wave(i));
        let warm = certifier.fit_target(&beta, vec![true; 40]).multipliers / certifier.samples.unit;
        assert_least_squares(&g, &beta, &warm);
        let fits = [warm, fit_all(&g, &beta)].map(|a| g.tr_mul(&a));
        assert!((&fits[0] - &fits[1]).norm() <= 1e-13 * beta.norm());
        let beta = beta * 10f64.powi(step);
        if let Some(cold) = kkt_residual(&g, &beta) {
            let warm = certifier.kkt_residual(&beta).unwrap();
            assert!((warm.stationarity - cold.stationarity).abs() < 1e-13);
            assert_eq!(warm.active, cold.active);
            compared += 1;
        }
    }
    assert!(compared > 10, "{compared}");
}

#[test]
fn kkt_residual_of_known_directions() {
    // Samples (1, ±1): optimum (1, 0). At angle φ only (1, −1) is active (φ > 0), at distance sin(π/4 + φ).
    let g = DMatrix::from_row_slice(2, 2, &[1.0, 1.0, 1.0, -1.0]);
    let best = kkt_residual(&g, &DVector::from_vec(vec![7.0, 0.0])).unwrap();
    assert!(best.stationarity < 1e-15 && best.complementarity == 0.0);
    assert_eq!(best.active, [0, 1]);
    assert!((best.multipliers - DVector::from_element(2, 0.5)).norm() < 1e-15);
    let phi: f64 = 0.2;
    let tilted = kkt_residual(&g, &DVector::from_vec(vec![phi.cos(), phi.sin()])).unwrap();
    assert_eq!(tilted.active, [1]);
    assert!((tilted.stationarity - (PI / 4.0 + phi).sin()).abs() < 1e-15);
    // Within δ both count as active; the second is used, and its excess margin shows.
    let phi: f64 = 1e-3;
    let near = kkt_residual(&g, &DVector::from_vec(vec![phi.cos(), phi.sin()])).unwrap();
    assert!(near.stationarity < 1e-15 && near.active.len() == 2);
    let excess = (1.0 + phi.tan()) / (1.0 - phi.tan()) - 1.0;
    assert!((near.complementarity - excess * 0.5 * (1.0 + phi.tan())).abs() < 1e-12);
    assert!(kkt_residual(&g, &DVector::from_vec(vec![1.0, 1.0])).is_none());
    assert!(kkt_residual(&g, &DVector::from_vec(vec![f64::INFINITY, 1.0])).is_none());
}
