//! Losses against their closed forms, and groups of several rows through a loss that couples them.

use super::*;

const MARGINS: [f64; 9] = [-800.0, -30.0, -2.5, -0.1, 0.0, 0.7, 5.0, 36.9, 800.0];

const CROSS_ENTROPY: Loss = Loss::CrossEntropy;

fn close(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-14 * expected.abs().max(1e-300)
}

#[test]
fn names_are_found_again() {
    for loss in Loss::ALL {
        assert_eq!(Loss::of_name(loss.name()), Some(*loss));
    }
    assert_eq!(Loss::of_name("hinge"), None);
    assert_ne!(Loss::Exponential, Loss::Logistic);
}

/// Compared with the textbook formulas, where these neither overflow nor cancel.
#[test]
fn scalar_losses_are_their_formulas() {
    for m in MARGINS {
        assert_eq!(Loss::Exponential.log_correction(m), 0.0);
        assert_eq!(Loss::Exponential.log_correction_slope(m), 0.0);
        assert_eq!(Loss::Exponential.log_loss([m].into_iter()), -m);
        if m.abs() < 30.0 {
            let logistic = Loss::Logistic;
            assert!(close(logistic.log_correction(m), -(-m).exp().ln_1p()));
            assert!(close(
                logistic.log_correction_slope(m),
                1.0 / (1.0 + m.exp())
            ));
            assert!(close(
                logistic.log_loss([m].into_iter()).exp(),
                (-m).exp().ln_1p()
            ));
        }
    }
    // the multiplier of a sample that is far on the wrong side is 1
    assert_eq!(Loss::Logistic.log_correction(-800.0), -800.0);
    assert_eq!(Loss::Logistic.log_loss([800.0].into_iter()), -800.0);
}

#[test]
fn the_inverse_is_the_margin_of_a_single_sample() {
    for loss in Loss::ALL {
        for m in MARGINS.into_iter().filter(|m| m.abs() < 700.0) {
            let log_loss = loss.log_loss([m].into_iter());
            let found = loss.inverse(log_loss);
            // where ℓ is large, e^𝓛 − 1 is all that distinguishes margins
            assert!(
                (found - m).abs() <= 1e-13 * m.abs().max(1.0),
                "{loss:?} at {m}: {found}"
            );
        }
    }
}

/// Groups of one agree bit for bit with the scalar methods, through either interface.
#[test]
fn groups_of_one_are_scalars() {
    let groups = Groups::single(MARGINS.len());
    for loss in Loss::ALL {
        let mut corrections = MARGINS;
        loss.log_corrections(groups, &mut corrections);
        for (m, correction) in MARGINS.into_iter().zip(corrections) {
            assert_eq!(correction.to_bits(), loss.log_correction(m).to_bits());
            let mut slope = [f64::NAN];
            loss.jacobian(&[m], &mut slope);
            assert_eq!(slope[0].to_bits(), loss.log_correction_slope(m).to_bits());
        }
        let total = loss.log_loss(MARGINS.into_iter());
        assert_eq!(
            loss.log_loss_of(groups, &MARGINS).to_bits(),
            total.to_bits()
        );
        assert_eq!(
            loss.log_correction_is_zero(),
            corrections.iter().all(|c| *c == 0.0)
        );
    }
}

/// For a loss that treats rows separately, their grouping does not matter.
#[test]
fn losses_of_single_rows_do_not_see_the_groups() {
    let margins = [0.3, -1.2, 4.0, 0.0, 2.2, 40.0];
    for loss in Loss::ALL.iter().filter(|loss| !loss.couples_rows()) {
        let alone = loss.log_loss(margins.into_iter());
        for size in [1, 2, 3, 6] {
            let groups = Groups::new(margins.len() / size, size);
            assert!(close(loss.log_loss_of(groups, &margins), alone));
            let mut corrections = margins;
            loss.log_corrections(groups, &mut corrections);
            assert!(
                corrections
                    .iter()
                    .zip(margins)
                    .all(|(c, m)| *c == loss.log_correction(m))
            );
        }
    }
}

/// `∂κ_i/∂m_j` against central differences, and `κ_i` against the derivative of ℓ itself.
#[test]
fn jacobians_and_corrections_are_derivatives() {
    const H: f64 = 1e-5;
    let margins = [0.4, -0.9, 2.1];
    for loss in [Loss::Exponential, Loss::Logistic, CROSS_ENTROPY] {
        let at = |j: usize, step: f64| {
            let mut moved = margins;
            moved[j] += step;
            moved
        };
        let corrections = |mut at: [f64; 3]| {
            loss.log_corrections(Groups::new(1, 3), &mut at);
            at
        };
        let value = |at: [f64; 3]| loss.log_loss_of(Groups::new(1, 3), &at).exp();
        let mut jacobian = [f64::NAN; 9];
        loss.jacobian(&margins, &mut jacobian);
        for j in 0..3 {
            let (before, after) = (corrections(at(j, -H)), corrections(at(j, H)));
            for i in 0..3 {
                let difference = (after[i] - before[i]) / (2.0 * H);
                assert!(
                    (jacobian[3 * i + j] - difference).abs() < 1e-9,
                    "{loss:?}: {i}, {j}"
                );
            }
            let multiplier = -(value(at(j, H)) - value(at(j, -H))) / (2.0 * H);
            let expected = (corrections(margins)[j] - margins[j]).exp();
            assert!((multiplier - expected).abs() < 1e-9, "{loss:?}: {j}");
        }
    }
}

/// Three samples of four classes: the loss `−ln softmax(f)_y` and its gradient `softmax(f)_c`, from the outputs.
#[test]
fn cross_entropy_over_groups_is_its_closed_form() {
    let outputs = [
        [0.3, -1.0, 2.0, 0.5],
        [1.0, 1.0, 1.0, 1.0],
        [9.0, -9.0, 0.0, 3.0],
    ];
    let classes = [2, 0, 3];
    let groups = Groups::new(3, 3);
    let others = |n: usize| (0..4).filter(move |c| *c != classes[n]);
    let margins: Vec<f64> = (0..3)
        .flat_map(|n| others(n).map(move |c| outputs[n][classes[n]] - outputs[n][c]))
        .collect();
    let softmax = |n: usize, c: usize| {
        let sum: f64 = outputs[n].iter().map(|f: &f64| f.exp()).sum();
        outputs[n][c].exp() / sum
    };
    let loss: f64 = (0..3).map(|n| -softmax(n, classes[n]).ln()).sum();
    let found = CROSS_ENTROPY.log_loss_of(groups, &margins).exp();
    assert!((found - loss).abs() < 1e-13 * loss, "{found} {loss}");
    let mut corrections = margins.clone();
    CROSS_ENTROPY.log_corrections(groups, &mut corrections);
    for n in 0..3 {
        for (row, c) in groups.rows_of(n).zip(others(n)) {
            assert_eq!(groups.sample_of(row), n);
            let multiplier = (corrections[row] - margins[row]).exp();
            assert!(
                (multiplier - softmax(n, c)).abs() < 1e-14,
                "sample {n}, class {c}"
            );
        }
    }
}

/// Two classes have one row per sample, and cross-entropy is the logistic loss.
#[test]
fn cross_entropy_of_two_classes_is_logistic() {
    for m in MARGINS {
        let [found, expected] = [CROSS_ENTROPY, Loss::Logistic].map(|loss| {
            [
                loss.log_correction(m),
                loss.log_correction_slope(m),
                loss.log_loss([m].into_iter()),
            ]
        });
        for (found, expected) in found.into_iter().zip(expected) {
            assert_eq!(
                found.to_bits(),
                expected.to_bits(),
                "{m}: {found} {expected}"
            );
        }
    }
}

/// The diagonals of the Jacobians, in groups.
#[test]
fn corrections_of_all_rows_come_with_their_own_slopes() {
    let margins = [0.4, -0.9, 2.1, 7.0, 0.0, -3.0];
    for loss in Loss::ALL {
        for size in [1, 2, 3] {
            let (mut corrections, mut slopes) = ([f64::NAN; 6], [f64::NAN; 6]);
            loss.corrections(size, &margins, &mut corrections, &mut slopes);
            let mut expected = margins;
            loss.log_corrections(Groups::new(6 / size, size), &mut expected);
            assert_eq!(corrections, expected, "{loss:?}");
            for (group, slopes) in margins.chunks(size).zip(slopes.chunks(size)) {
                let mut jacobian = vec![0.0; size * size];
                loss.jacobian(group, &mut jacobian);
                let diagonal: Vec<f64> = (0..size).map(|i| jacobian[i * size + i]).collect();
                assert_eq!(slopes, diagonal);
            }
        }
    }
}
