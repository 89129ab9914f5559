//! Minimisers of every potential against closed forms, covariances and each other.

use super::newton::{Program, STEPS, Side};
use super::norm_margin::reduced;
use super::tests::{gaussian, teacher};
use super::*;
use crate::spectrum::Basis;
use nalgebra::DMatrix;
use rand::SeedableRng;
use rand_pcg::Pcg64;

pub(super) const EXPONENTS: [f64; 10] = [
    4.0 / 3.0,
    8.0 / 7.0,
    16.0 / 15.0,
    1.0,
    2.0,
    3.0,
    5.0,
    1.5,
    1.25,
    9.0,
];

/// The weights `κ_d = W_d^{−1/(2^L−1)}` of direct feedback alignment at depth L with Gaussian feedback, and its
/// exponent.
pub(super) fn dfa(basis: Basis, dimension: usize, depth: u32, seed: u64) -> Potential {
    let mut rng = Pcg64::seed_from_u64(seed);
    let q = 2f64.powi(depth as i32);
    let mut log_w = vec![0.0; basis.frequencies(dimension).len()];
    for k in 1..depth {
        let b = gaussian(dimension, 1, &mut rng).column(0).into_owned();
        let b = basis.coordinates(&b);
        for (log_w, f) in log_w.iter_mut().zip(basis.frequencies(dimension)) {
            *log_w += 2f64.powi((depth - k) as i32) * f.entry(b.as_slice()).norm().ln();
        }
    }
    let weights: Vec<f64> = log_w.iter().map(|w| (-w / (q - 1.0)).exp()).collect();
    Potential::spectral(basis, dimension, q / (q - 1.0), &weights)
}

pub(super) fn with_exponent(potential: &Potential, exponent: f64) -> Potential {
    Potential {
        exponent,
        ..potential.clone()
    }
}

pub(super) fn minimiser(g: &DMatrix<f64>, potential: &Potential) -> Limit {
    match minimise(g, potential) {
        Separability::Separable(limit) => limit,
        other => panic!("p = {}: {other:?}", potential.exponent),
    }
}

/// Checks what a limit guarantees, recomputed from its β and a alone; returns the resulting gap.
pub(super) fn assert_optimal(g: &DMatrix<f64>, limit: &Limit) -> f64 {
    let p = limit.potential.exponent;
    assert!(
        limit.duality_gap.unwrap() <= GAP_TOLERANCE,
        "{}",
        limit.proof()
    );
    let smallest = (g * &limit.beta).min();
    assert!((smallest - 1.0).abs() < 1e-12, "p = {p}: {smallest}");
    assert!(limit.multipliers.min() >= 0.0);
    // The plain definition of the gap.
    let z = g.tr_mul(&limit.multipliers);
    let (psi, dual) = (limit.potential.value(&limit.beta), limit.potential.dual(&z));
    let plain = psi / smallest * dual / limit.multipliers.sum() - 1.0;
    assert!(plain.abs() < 1e-12, "p = {p}: {plain:e}");
    assert!((limit.multipliers.sum() / (psi * psi) - 1.0).abs() < 1e-12);
    if p > 1.0 {
        let back = limit.potential.inverse_gradient(&z);
        let error = angle(back.as_slice(), limit.beta.as_slice());
        // A rounding error ε of Z becomes ε^{q−1} in β.
        let rounding = 10.0 * 1e-16f64.powf((1.0 / (p - 1.0)).min(1.0)).max(1e-9);
        assert!(error < rounding, "p = {p}: {error:e}");
    }
    let gap = Certifier::new(g, &limit.potential)
        .duality_gap(&limit.beta, &limit.multipliers)
        .unwrap();
    assert!((0.0..1e-12).contains(&gap), "p = {p}: {gap:e}");
    gap
}

#[test]
fn one_sample_has_a_closed_form() {
    // β_b ∝ κ_b^{1−q} ‖g_b‖^{q−2} g_b; for p = 1 the block with the largest ‖g_b‖/κ_b alone.
    for dimension in [1, 2, 3, 8, 9] {
        let g = gaussian(1, dimension, &mut Pcg64::seed_from_u64(dimension as u64));
        for basis in [Basis::Fourier, Basis::Standard] {
            for p in EXPONENTS {
                let potential = with_exponent(&dfa(basis, dimension, 3, 5), p);
                let limit = minimiser(&g, &potential);
                assert_optimal(&g, &limit);
                let x = basis.coordinates(&g.row(0).transpose());
                let mut expected = x.clone();
                let score = |block: &Block| x.rows(block.start, block.len).norm() / block.weight;
                let best = potential.blocks.iter().map(score).fold(0.0, f64::max);
                for block in &potential.blocks {
                    let norm = x.rows(block.start, block.len).norm();
                    let factor = if p == 1.0 {
                        f64::from(u8::from(score(block) == best))
                    } else {
                        let q = p / (p - 1.0);
                        block.weight.powf(1.0 - q) * norm.powf(q - 2.0)
                    };
                    expected.rows_mut(block.start, block.len).scale_mut(factor);
                }
                let expected = basis.original(&expected);
                let error = angle(limit.beta.as_slice(), expected.as_slice());
                assert!(error < 1e-13, "D = {dimension}, p = {p}: {error:e}");
                assert!(
                    (limit.multipliers[0] - limit.potential.value(&limit.beta).powi(2)).abs()
                        < 1e-12 * limit.multipliers[0]
                );
            }
        }
    }
}

#[test]
fn separate_coordinates_have_a_closed_form() {
    // G diagonal (signed, of very different sizes): every margin is one, whatever the norm.
    let sizes = [3.0, -1e-4, 250.0, -0.5, 1e3];
    let g = DMatrix::from_diagonal(&DVector::from_row_slice(&sizes));
    for p in EXPONENTS {
        let potential = Potential::spectral(Basis::Standard, 5, p, &[1.0, 2.0, 1e-3, 50.0, 0.1]);
        let limit = minimiser(&g, &potential);
        for (d, size) in sizes.iter().enumerate() {
            assert!((limit.beta[d] * size - 1.0).abs() < 1e-10, "p = {p}: {d}");
        }
        // a_n is of order |β_n|^{p−1}: for large p most of them are below the rounding of the largest.
        assert!(p > 2.0 || limit.support.len() == 5, "p = {p}");
        assert!(limit.unique);
    }
}

#[test]
fn two_samples_in_the_plane() {
    // (1, 1), (1, −1): β = (1, 0) for p > 1; Z = (2a, 0), so the second block is at its singular point.
    // (1, 1) twice and (1, −1)·10: only the first is active, β ∝ κ^{1−q}.
    let even = DMatrix::from_row_slice(2, 2, &[1.0, 1.0, 1.0, -1.0]);
    let lone = DMatrix::from_row_slice(3, 2, &[1.0, 1.0, 1.0, 1.0, 10.0, -2.0]);
    for p in EXPONENTS {
        let potential = Potential::spectral(Basis::Standard, 2, p, &[1.0, 1.5]);
        let limit = minimiser(&even, &potential);
        // Here ψ grows with |β_2|^p only, so a gap g leaves β_2 of order g^{1/p}.
        let left = limit.beta[1].abs();
        assert!(
            left <= limit.duality_gap.unwrap().max(1e-30).powf(1.0 / p) * 20.0,
            "{p}: {left}"
        );
        let limit = minimiser(&lone, &potential);
        let ratio = limit.beta[1] / limit.beta[0];
        let expected = if p == 1.0 {
            0.0
        } else {
            1.5f64.powf(-1.0 / (p - 1.0))
        };
        assert!((ratio - expected).abs() < 1e-13, "p = {p}: {ratio}");
    }
}

#[test]
fn equal_weights_at_two_are_the_hard_margin_machine() {
    for (n, d) in [(5, 8), (30, 7), (40, 41)] {
        let g = teacher(n, d, 3);
        let Separability::Separable(svm) = max_margin(&g) else {
            panic!("a teacher separates")
        };
        for basis in [Basis::Fourier, Basis::Standard] {
            let weights = vec![0.37; basis.frequencies(d).len()];
            let limit = minimiser(&g, &Potential::spectral(basis, d, 2.0, &weights));
            assert_eq!(limit.kind, LimitKind::MaxMargin);
            assert_eq!(limit.support, svm.support);
            assert!(angle(limit.beta.as_slice(), svm.beta.as_slice()) < 1e-14);
            // Multipliers scale with the factor of ψ²: Gᵀa = 0.37 β.
            assert!(
                (&limit.multipliers / 0.37 - &svm.multipliers).norm()
                    < 1e-12 * svm.multipliers.norm()
            );
            // Exponents next to two give nearly the same limit, from both sides.
            for p in [1.999_999, 2.000_001] {
                let near = minimiser(&g, &Potential::spectral(basis, d, p, &weights));
                assert!(angle(near.beta.as_slice(), svm.beta.as_slice()) < 1e-5);
            }
        }
    }
}

#[test]
fn every_exponent_is_solved_to_rounding() {
    for basis in [Basis::Fourier, Basis::Standard] {
        for (n, d) in [(5, 8), (20, 50), (30, 15), (60, 61)] {
            let g = teacher(n, d, (n + d) as u64);
            for p in EXPONENTS {
                for depth in [2, 4] {
                    let potential = with_exponent(&dfa(basis, d, depth, 7), p);
                    let limit = minimiser(&g, &potential);
                    let own = assert_optimal(&g, &limit);
                    let bound = if p == 1.0 { 1e-14 } else { 1e-18 };
                    assert!(
                        limit.duality_gap.unwrap() < bound,
                        "{n}×{d}, p = {p}: {}",
                        limit.proof()
                    );
                    // β certifies itself as well as the limit's own multipliers do.
                    let mut certifier = Certifier::new(&g, &potential);
                    let best = certifier.best_multipliers(&limit.beta);
                    let gap = certifier.duality_gap(&limit.beta, &best).unwrap();
                    assert!(
                        gap < 10.0 * own + 1e-14,
                        "{n}×{d}, p = {p}: {gap:e} {own:e}"
                    );
                }
            }
        }
    }
}

/// At the supported sizes one round of both sides is enough, with few steps; benches/flows/limits.rs measures their
/// cost.
#[test]
fn the_sizes_promised_take_few_newton_steps() {
    let g = teacher(100, 256, 1);
    for depth in [2, 3] {
        let potential = dfa(Basis::Fourier, 256, depth, 11);
        let (blocks, columns) = reduced(&g, &potential).expect("blocks with data in them");
        let Separability::Separable(start) = max_margin(&columns.transpose()) else {
            panic!("a teacher separates")
        };
        let program = Program {
            blocks: &blocks,
            columns: &columns,
        };
        let primal = program.descend(Side::Primal, &start.beta, 3).unwrap();
        let dual = program.descend(Side::Dual, &primal.multipliers.hi, STEPS);
        let found = dual.unwrap();
        assert!(found.measure < 1e-20, "depth {depth}: {:e}", found.measure);
        assert!(found.steps <= 12, "depth {depth}: {} steps", found.steps);
        let limit = minimiser(&g, &potential);
        assert!(limit.duality_gap.unwrap() < 1e-20, "{}", limit.proof());
    }
}

#[test]
fn order_scale_and_repetition_of_the_samples_do_not_matter() {
    let g = teacher(12, 9, 5);
    let order: Vec<usize> = (0..12).map(|i| (5 * i + 3) % 12).collect();
    for p in EXPONENTS {
        let potential = with_exponent(&dfa(Basis::Fourier, 9, 2, 2), p);
        let limit = minimiser(&g, &potential);
        let moved = minimiser(&(g.select_rows(&order) * 1e3), &potential);
        assert!(
            angle(limit.beta.as_slice(), moved.beta.as_slice()) < 1e-11,
            "p = {p}"
        );
        assert!((moved.beta.norm() * 1e3 / limit.beta.norm() - 1.0).abs() < 1e-11);
        let twice: Vec<usize> = (0..24).map(|i| i % 12).collect();
        let twice = minimiser(&g.select_rows(&twice), &potential);
        assert!(
            angle(limit.beta.as_slice(), twice.beta.as_slice()) < 1e-11,
            "p = {p}"
        );
        for scale in [1e-100, 1e100] {
            let scaled = minimiser(&(&g * scale), &potential);
            assert!(
                angle(limit.beta.as_slice(), scaled.beta.as_slice()) < 1e-11,
                "p = {p}"
            );
            let mut certifier = Certifier::new(&(&g * scale), &potential);
            let a = certifier.best_multipliers(&scaled.beta);
            assert!(certifier.duality_gap(&scaled.beta, &a).unwrap() < 1e-13);
        }
        // A common factor of the weights changes ψ, not the minimiser.
        let mut heavier = potential.clone();
        heavier
            .blocks
            .iter_mut()
            .for_each(|block| block.weight *= 1e-40);
        let heavier = minimiser(&g, &heavier);
        assert!(
            angle(limit.beta.as_slice(), heavier.beta.as_slice()) < 1e-11,
            "p = {p}"
        );
    }
}

#[test]
fn a_cyclic_shift_of_the_features_shifts_the_minimiser() {
    for d in [7, 8] {
        let g = teacher(6, d, 9);
        let shifted = DMatrix::from_fn(6, d, |n, j| g[(n, (j + 3) % d)]);
        for p in EXPONENTS {
            let potential = with_exponent(&dfa(Basis::Fourier, d, 3, 1), p);
            let (a, b) = (minimiser(&g, &potential), minimiser(&shifted, &potential));
            let back = DVector::from_fn(d, |j, _| a.beta[(j + 3) % d]);
            assert!(
                angle(back.as_slice(), b.beta.as_slice()) < 1e-11,
                "D = {d}, p = {p}"
            );
        }
    }
}

#[test]
fn agrees_with_sequential_quadratic_programming() {
    // SciPy's SLSQP on the primal, best of twenty starts, scaled to smallest margin one: ψ and β.
    let g = DMatrix::from_fn(6, 9, |n, d| {
        let (n, d) = (n as f64, d as f64);
        (1.3 * (n + 1.0) * (d + 2.0) + 0.5 * d * d).sin() + if d == 0.0 { 1.5 } else { 0.0 }
    });
    let reference = [
        (
            4.0 / 3.0,
            1.2935960128496888,
            [
                0.6390012412565835,
                0.049256615035196405,
                -0.324349228535154,
                -0.22241868769135206,
                0.01116482536950009,
                -0.05648177455038294,
                -0.30867701438712125,
                -0.19428439510252415,
                0.4069868790412885,
            ],
        ),
        (
            8.0 / 7.0,
            1.5955841347397555,
            [
                0.5922976432065524,
                0.12272429924299437,
                -0.2703115758023701,
                -0.2007374632999051,
                0.001764890685348565,
                -0.10503899507708667,
                -0.32458185217360447,
                -0.11599657136452317,
                0.4275093604839343,
            ],
        ),
        (
            3.0,
            0.5779376924397438,
            [
                0.6872795463371952,
                -0.1011182275832625,
                -0.2827753922771643,
                -0.2766944842828851,
                0.06851338953186324,
                -0.07986013447206808,
                -0.08487724929086883,
                -0.2924153065666116,
                0.2393016203962963,
            ],
        ),
    ];
    let weights = [0.5, 2.0, 0.1, 1.0, 3.0];
    for (p, psi, beta) in reference {
        let potential = Potential::spectral(Basis::Fourier, 9, p, &weights);
        let limit = minimiser(&g, &potential);
        let value = potential.value(&limit.beta);
        assert!((value / psi - 1.0).abs() < 1e-9, "p = {p}: {value} {psi}");
        assert!(value <= psi * (1.0 + 1e-13));
        let apart = angle(limit.beta.as_slice(), &beta);
        assert!(apart < 1e-4, "p = {p}: {apart:e}");
    }
    // Only ψ where SLSQP's β is inaccurate.
    for (p, psi) in [(9.0, 0.3575266038071914), (1.0, 1.927570941852283)] {
        let potential = Potential::spectral(Basis::Fourier, 9, p, &weights);
        let value = potential.value(&minimiser(&g, &potential).beta);
        assert!(
            (value / psi - 1.0).abs() < 1e-7 && value <= psi * (1.0 + 1e-13),
            "{p}: {value}"
        );
    }
}

#[test]
fn the_certified_gap_is_of_second_order() {
    // Perturb β keeping the limit's active margins equal: β* + h v, v orthogonal to the active samples.
    for (basis, p) in [
        (Basis::Fourier, 4.0 / 3.0),
        (Basis::Fourier, 1.5),
        (Basis::Standard, 4.0 / 3.0),
        (Basis::Fourier, 3.0),
    ] {
        let g = teacher(6, 16, 2);
        let potential = with_exponent(&dfa(basis, 16, 2, 3), p);
        let limit = minimiser(&g, &potential);
        let active = g.select_rows(&limit.support);
        let v = DVector::from_fn(16, |i, _| (3.0 * i as f64).sin());
        let gram = (&active * active.transpose()).cholesky().unwrap();
        let v = &v - active.tr_mul(&gram.solve(&(&active * &v)));
        let v = v.normalize() * limit.beta.norm();
        let mut certifier = Certifier::new(&g, &potential);
        let mut at = |h: f64| {
            let beta = (&limit.beta + &v * h) * 1e30;
            let a = certifier.best_multipliers(&beta);
            let residual = certifier.kkt_residual(&beta).unwrap().stationarity;
            (certifier.duality_gap(&beta, &a).unwrap(), residual)
        };
        let ((far, far_residual), (near, near_residual)) = (at(1e-6), at(1e-7));
        assert!(
            (far / near - 100.0).abs() < 5.0,
            "{basis:?} {p}: {far:e} {near:e}"
        );
        assert!((far_residual / near_residual - 10.0).abs() < 0.5);
        assert!(far < 1e-10 && far_residual < 1e-4);
        // Doubling β and G's scale changes nothing.
        let other = Certifier::new(&(&g * 8.0), &potential);
        let beta = &limit.beta + &v * 1e-6;
        let a = certifier.best_multipliers(&beta);
        assert!((other.duality_gap(&beta, &a).unwrap() / far - 1.0).abs() < 1e-2);
    }
}
