//! Residuals at points where they are known, gradients against differences, gates against exhaustive lists.

use super::gradients::Gradients;
use super::stationarity::{
    Normalised, Support, epsilon_delta, feedback_kkt, gradient_kkt, output_on_level_set,
};
use super::*;
use crate::activation::examples;
use crate::dataset::Dataset;
use crate::loss::Loss;
use crate::network::Network;
use crate::network::Relu;
use crate::rule::Rule;
use nalgebra::{dmatrix, dvector};

fn wave(count: usize, seed: usize) -> DVector<f64> {
    DVector::from_fn(count, |i, _| {
        ((7 * i * seed + 3 * i + seed) as f64 * 0.7).sin()
    })
}

fn theta(first: &[f64], output: &[f64]) -> Vec<f64> {
    [first, output].concat()
}

fn gradient_residual(network: &Relu, theta: &[f64], data: &Dataset) -> f64 {
    let at = Normalised::new(Measured::Gated(network), theta, data).unwrap();
    gradient_kkt(&at, &mut Support::new()).unwrap()
}

fn feedback_residual(network: &Relu, theta: &[f64], b: &DVector<f64>, data: &Dataset) -> f64 {
    feedback_kkt(network, theta, b, data, &mut Support::new()).unwrap()
}

#[test]
fn gradients_are_those_of_the_margins() {
    let data = Dataset::new(
        DMatrix::from_column_slice(5, 3, wave(15, 4).as_slice()),
        dvector![1.0, -1.0, 1.0, -1.0, 1.0],
    );
    let hidden: [&[usize]; 3] = [&[4], &[4, 3], &[4, 3, 5]];
    let activations = examples().into_iter();
    for (hidden, activation) in activations.flat_map(|g| hidden.map(|h| (h, g))) {
        let relu = Relu::with(3, hidden, activation);
        let network = Network::new(relu.clone());
        let theta = wave(network.parameters(), 2);
        let gradients = Gradients::new(&relu, theta.as_slice(), &data);
        let margins = network.margins(theta.as_slice(), &data);
        assert!((gradients.margins() - &margins).norm() < 1e-15 * margins.norm());
        let h = 1e-6;
        for n in 0..5 {
            let slope = DVector::from_fn(theta.len(), |i, _| {
                let at = |step: f64| {
                    let mut theta = theta.clone();
                    theta[i] += step;
                    network.margins(theta.as_slice(), &data)[n]
                };
                (at(h) - at(-h)) / (2.0 * h)
            });
            let error = (gradients.open(n) - &slope).norm();
            assert!(
                error < 1e-8 * (1.0 + slope.norm()),
                "{activation:?} {hidden:?} {n} {error:e}"
            );
            assert!(gradients.steepest(n, &slope).is_none());
            let direction = wave(theta.len(), n + 3);
            let product = gradients.open(n).dot(&direction);
            let along = gradients.along(direction.as_slice())[n];
            assert!((along - product).abs() < 1e-13 * slope.norm() * direction.norm());
        }
    }
}

/// Units 0 and 2 of the first layer are orthogonal to the sample, at depth 3 one of the second layer as well.
#[test]
fn the_steepest_gates_are_the_best_of_all() {
    let data = Dataset::new(dmatrix![1.0, 0.0, 0.0], dvector![-1.0]);
    let first = [0.0, 1.0, -0.3, 0.8, 0.2, 0.1, 0.0, -2.0, 0.5];
    let two = theta(&first, &[0.7, -1.2, -0.4]);
    // h_1 = (0, 0.8, 0)
    let second = [0.3, 0.0, -1.0, 1.0, 0.5, -0.2];
    let three = theta(&[&first[..], &second].concat(), &[0.9, -0.6]);
    for (theta, hidden) in [(two, vec![3]), (three, vec![3, 2])] {
        let network = Relu::new(3, &hidden, 0.0);
        let gradients = Gradients::new(&network, &theta, &data);
        let kinked = hidden.len() + 1;
        let mut chosen = Vec::new();
        for seed in 1..40 {
            let direction = wave(theta.len(), seed);
            let best = gradients.steepest(0, &direction).unwrap();
            let product = best.dot(&direction);
            // Moving the kinked units off their kinks by a tiny amount, each to either side, lists all vertices.
            let largest = (0..1 << kinked)
                .map(|pattern: usize| {
                    let mut moved = theta.clone();
                    // far smaller below, where it moves the second layer as well
                    let entries = [(0, 1e-8), (6, 1e-8), (10, 1e-6)];
                    for (i, (entry, hair)) in entries.iter().take(kinked).enumerate() {
                        let side = if pattern >> i & 1 == 1 { 1.0 } else { -1.0 };
                        moved[*entry] += side * hair;
                    }
                    Gradients::new(&network, &moved, &data)
                        .open(0)
                        .dot(&direction)
                })
                .fold(f64::NEG_INFINITY, f64::max);
            assert!(
                (product - largest).abs() < 1e-5,
                "{seed}: {product} {largest}"
            );
            chosen.push(best);
        }
        let distinct = |v: &DVector<f64>| chosen.iter().filter(|u| (*u - v).norm() < 1e-12).count();
        assert!(chosen.iter().any(|v| distinct(v) < 30), "gates never vary");
    }
}

/// One unit, one sample x = (1, 0): on the level set F = ½|w|² (w·x)/b has its largest margin for given Φ along x, and
/// `w = 3bλx` there. At angle φ the residual is that of a gradient ∝ (1 + 2ŵŵᵀ)x against ŵ.
#[test]
fn one_unit_on_its_level_set() {
    let data = Dataset::new(dmatrix![1.0, 0.0], dvector![1.0]);
    let network = Relu::new(2, &[1], 0.0);
    let b = dvector![0.7];
    for (phi, size) in [(0.0f64, 3.0), (0.3, 0.2), (1.0, 1e5)] {
        let w = [size * phi.cos(), size * phi.sin()];
        let level = output_on_level_set(&w, &b);
        let found = feedback_residual(&network, &theta(&w, level.as_slice()), &b, &data);
        let pulled = [1.0 + 2.0 * phi.cos().powi(2), 2.0 * phi.cos() * phi.sin()];
        let expected = crate::limit::angle(&w, &pulled).sin();
        assert!(
            (found - expected).abs() < 1e-14,
            "{phi}: {found} {expected}"
        );
        // Gradient descent: the limit has |w| = w_2 and w along x.
        let balanced = theta(&w, &[size]);
        let found = gradient_residual(&network, &balanced, &data);
        let gradient = [1.0, 0.0, phi.cos()];
        let own = [phi.cos(), phi.sin(), 1.0];
        let expected = crate::limit::angle(&gradient, &own).sin();
        assert!(
            (found - expected).abs() < 1e-14,
            "{phi}: {found} {expected}"
        );
    }
}

/// Two units of opposite feedback with one sample each: `w_j = 3 b_j λ_j y_j x_j` and equal margins
/// `‖w_j‖³‖x_j‖/(2|b_j|) = 1` are the KKT conditions of the problem of fixed feedback.
fn orthogonal_pair() -> (Relu, Dataset, DVector<f64>, Vec<f64>) {
    let data = Dataset::new(dmatrix![2.0, 0.0; 0.0, 0.5], dvector![1.0, -1.0]);
    let b = dvector![0.6, -1.5];
    let sizes = [(2.0 * 0.6 / 2.0f64).cbrt(), (2.0 * 1.5 / 0.5f64).cbrt()];
    let first = [sizes[0], 0.0, 0.0, sizes[1]];
    let level = output_on_level_set(&first, &b);
    (
        Relu::new(2, &[2], 0.0),
        data,
        b,
        theta(&first, level.as_slice()),
    )
}

#[test]
fn the_two_problems_have_different_solutions() {
    let (network, data, b, optimum) = orthogonal_pair();
    assert!(feedback_residual(&network, &optimum, &b, &data) < 1e-15);
    assert!(gradient_residual(&network, &optimum, &data) > 0.1);
    // |w_j| = |w_2j| and margins one: |w_j|² = 1/‖x_j‖.
    let sizes = [0.5f64.sqrt(), 2.0f64.sqrt()];
    let balanced = theta(&[sizes[0], 0.0, 0.0, sizes[1]], &[sizes[0], -sizes[1]]);
    assert!(gradient_residual(&network, &balanced, &data) < 1e-15);
    assert!(feedback_residual(&network, &balanced, &b, &data) > 0.1);
    // Neither depends on the scale of its homogeneous point.
    let far: Vec<f64> = balanced.iter().map(|x| 1e60 * x).collect();
    assert!(gradient_residual(&network, &far, &data) < 1e-15);
    let scale = [1e40; 4].into_iter().chain([1e80; 2]);
    let far: Vec<f64> = optimum.iter().zip(scale).map(|(x, c)| c * x).collect();
    assert!(feedback_residual(&network, &far, &b, &data) < 1e-15);
}

#[test]
fn what_is_off_the_level_set_shows() {
    let (network, data, b, optimum) = orthogonal_pair();
    let mut off = optimum.clone();
    off[5] *= 0.5;
    let output = DVector::from_column_slice(&optimum[4..]);
    let expected = 0.5 * output[1].abs() / output.norm();
    let found = feedback_residual(&network, &off, &b, &data);
    assert!((found - expected).abs() < 1e-14);
    off[5] = -optimum[5];
    assert!(feedback_residual(&network, &off, &b, &data) > 1.0);
    // A first layer that fits no sample has no margin to compare with.
    let backwards: Vec<f64> = optimum.iter().map(|x| -x).collect();
    assert!(feedback_kkt(&network, &backwards, &b, &data, &mut Support::new()).is_none());
    assert!(feedback_kkt(&network, &[0.0; 6], &b, &data, &mut Support::new()).is_none());
    assert!(Normalised::new(Measured::Gated(&network), &backwards, &data).is_none());
    assert!(Normalised::new(Measured::Gated(&network), &[0.0; 6], &data).is_none());
}

/// The gradient of Φ and those of F by differences, and the distance from their cone by another solver.
#[test]
fn the_residual_is_the_problem_as_stated() {
    let b = dvector![0.9, -0.7, 1.3, 0.4];
    let mut telling = 0;
    for (seed, smoothing) in (1..20).zip([0.0, 0.2].into_iter().cycle()) {
        let network = Relu::new(3, &[4], smoothing);
        let samples = DMatrix::from_column_slice(3, 3, wave(9, 4).as_slice());
        let mut first = wave(12, seed) + DVector::from_element(12, 0.5);
        let potential = |first: &DVector<f64>| {
            let units = first.as_slice().chunks(3).zip(b.iter());
            units
                .map(|(w, b)| w.iter().map(|x| x * x).sum::<f64>().powi(2) / (8.0 * b * b))
                .sum::<f64>()
        };
        let outputs = |first: &DVector<f64>| {
            let level = output_on_level_set(first.as_slice(), &b);
            network.outputs(&theta(first.as_slice(), level.as_slice()), &samples)
        };
        if outputs(&first).amin() < 1e-3 {
            continue;
        }
        let signs = outputs(&first).map(f64::signum);
        let data = Dataset::new(samples.clone(), signs.clone());
        first /= outputs(&first).amin().cbrt();
        let slope = |f: &dyn Fn(&DVector<f64>) -> f64| {
            DVector::from_fn(12, |i, _| {
                let at = |step: f64| {
                    let mut first = first.clone();
                    first[i] += step;
                    f(&first)
                };
                (at(1e-5) - at(-1e-5)) / 2e-5
            })
        };
        let target = slope(&potential);
        let margins = outputs(&first).component_mul(&signs);
        let active: Vec<usize> = (0..3).filter(|&n| margins[n] <= 1.01).collect();
        let columns: Vec<DVector<f64>> = active
            .iter()
            .map(|&n| slope(&|first| signs[n] * outputs(first)[n]))
            .collect();
        let columns = DMatrix::from_columns(&columns);
        let columns = ndarray::Array2::from_shape_fn(columns.shape(), |(i, j)| columns[(i, j)]);
        let f = ndarray::Array1::from_iter(target.iter().copied());
        let (_, distance) = nnls::nnls(columns.view(), f.view());
        let level = output_on_level_set(first.as_slice(), &b);
        let at = theta(first.as_slice(), level.as_slice());
        let found = feedback_residual(&network, &at, &b, &data);
        let expected = distance / target.norm();
        telling += usize::from(expected < 0.9);
        assert!((found - expected).abs() < 1e-7, "{found} {expected}");
    }
    assert!(telling >= 4, "{telling}");
}

/// A unit along (1, 0) between samples (1, 1) and (1, −1), which it fits equally, and on the kink of (0, 1): a unit
/// along (0, 1) fits that. `w_1 = Σ λ g y w_2 x` needs the kink's gate at zero if λ₁ = λ₂, and a fraction if λ₁ < λ₂.
#[test]
fn sliding_pairs_need_fractional_gates() {
    // Unit 0: w = (1, 0), w_2 = 1. Samples (1, −½) and (0, 1), both positive. The second is on the kink of unit 0 and
    // fitted by unit 1 along (0, 1) alone, w_2 = 1. Stationarity of unit 0: (1, 0) = λ₀(1, −½) + λ₁ g (0, 1): λ₀ = 1, g
    // = ½ for λ₁ = 1, which unit 1 requires: (0, 1) = λ₁ (0, 1) as it does not see the first sample.
    let data = Dataset::new(dmatrix![1.0, -0.5; 0.0, 1.0], dvector![1.0, 1.0]);
    let network = Relu::new(2, &[2], 0.0);
    let at = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0];
    assert!(gradient_residual(&network, &at, &data) < 1e-15);
    // With the first sample on the other side the gate would have to be −½; the best is zero, and (0, ½) remains of θ.
    let data = Dataset::new(dmatrix![1.0, 0.5; 0.0, 1.0], dvector![1.0, 1.0]);
    let blocked = [1.0, 0.0, -0.5, 1.0, 1.0, 1.0];
    let found = gradient_residual(&network, &blocked, &data);
    assert!(found > 0.1, "{found}");
    // Fixed feedback: w_j = 3 b_j Σ λ y g x with margins ½‖w_j‖²/b_j (w_j·x) = 1 at ‖w_j‖ = 1, b = ½: λ₀ = ⅔, and g λ₁
    // = ⅓.
    let data = Dataset::new(dmatrix![1.0, -0.5; 0.0, 1.0], dvector![1.0, 1.0]);
    let b = dvector![0.5, 0.5];
    assert!(feedback_residual(&network, &at, &b, &data) < 1e-15);
    // Slightly off its kink the gate of the pair is one or zero, and neither fits.
    for tilt in [1e-7, -1e-7] {
        let mut tilted = at;
        tilted[1] = tilt;
        let level = output_on_level_set(&tilted[..4], &b);
        tilted[4..].copy_from_slice(level.as_slice());
        let residuals = [
            feedback_residual(&network, &tilted, &b, &data),
            gradient_residual(&network, &tilted, &data),
        ];
        assert!(residuals.iter().all(|r| *r > 0.1), "{residuals:?}");
    }
}

#[test]
fn epsilon_and_delta_are_the_ones_of_the_definition() {
    let pair = |theta: &[f64], network: &Relu, data: &Dataset| {
        let at = Normalised::new(Measured::Gated(network), theta, data).unwrap();
        epsilon_delta(&at, &mut Support::new()).unwrap()
    };
    let (network, data, _, _) = orthogonal_pair();
    let sizes = [0.5f64.sqrt(), 2.0f64.sqrt()];
    let at = |factor: f64| {
        theta(
            &[sizes[0], 0.0, 0.0, factor * sizes[1]],
            &[sizes[0], -factor * sizes[1]],
        )
    };
    let (epsilon, delta) = pair(&at(1.0), &network, &data);
    assert!(epsilon < 1e-15 && delta < 1e-15);
    // The second sample has margin c², hence excess e = c² − 1; its part of θ̃, of length cK (K² = 2·2), is λ times a
    // gradient of length K/… : with g = h/‖h‖ and ‖h‖ = c·1, min over λ of (2c − cλ)² + (λe)².
    let factor: f64 = 1.1;
    let (excess, length) = (factor * factor - 1.0, 2.0 * factor);
    let slope = factor * (0.25 * 2.0 + 2.0 * 0.25f64).sqrt();
    let lambda = length * slope / (slope * slope + excess * excess);
    let (epsilon, delta) = pair(&at(factor), &network, &data);
    assert!(
        (epsilon - (length - slope * lambda)).abs() < 1e-13,
        "{epsilon}"
    );
    assert!((delta - lambda * excess).abs() < 1e-13, "{delta}");
    // Both are measured at θ̃, whatever the length of θ.
    let longer: Vec<f64> = at(factor).iter().map(|x| 1e3 * x).collect();
    let far = pair(&longer, &network, &data);
    assert!((far.0 - epsilon).abs() < 1e-12 && (far.1 - delta).abs() < 1e-12);
}

/// A run of two saves, zero and the optimum of the pair, and what is recorded of it.
#[test]
fn everything_is_recorded_at_every_save() {
    let (relu, dataset, b, optimum) = orthogonal_pair();
    let theta0 = DVector::zeros(6);
    let problem = Problem::new(
        dataset,
        Network::new(relu),
        Rule::direct_feedback_alignment(vec![b]),
        Loss::Logistic,
        theta0.clone(),
    )
    .unwrap();
    let states = [theta0, DVector::from_vec(optimum.clone()) * 2.0];
    let theory = crate::theory::of(&problem);
    let mut builder = Builder::new(&problem, &theory, 2).unwrap();
    for (k, theta) in states.iter().enumerate() {
        let margins = problem
            .network()
            .margins(theta.as_slice(), problem.dataset());
        let log_loss = problem.loss().log_loss(margins.iter().copied());
        let features = builder.record(k, theta.as_slice(), margins.min(), log_loss);
        assert_eq!(features.angle.is_some(), k == 1);
        assert_eq!(features.gap.is_some(), k == 1);
    }
    let h = builder.finish();
    assert_eq!([h.normalised_margin[0], 0.0], [0.0, h.unit_norms[(0, 0)]]);
    assert!(h.feature_angle[0].is_none() && h.feedback_kkt[0].is_none());
    assert!(h.epsilon[0].is_none() && h.delta[0].is_none() && h.gradient_kkt[0].is_none());
    // 𝓛 = 2 ln 2 at zero, whose inverse under the loss of one sample is negative.
    assert!(h.smoothed_margin[0].is_none());
    let size = DVector::from_vec(optimum.clone()).norm().powi(2);
    assert!((h.normalised_margin[1] - 1.0 / size).abs() < 1e-15);
    let smoothed = -((1.0 + (-4.0f64).exp()).powi(2) - 1.0).ln() / (4.0 * size);
    assert!((h.smoothed_margin[1].unwrap() - smoothed).abs() < 1e-14);
    // Features (a₀, 0) and (0, a₁): the SVM is (1/a₀, −1/a₁), of margin √2/√(a₀⁻² + a₁⁻²)/‖a‖.
    let activations = [2.0 * 2.0 * optimum[0], 0.5 * 2.0 * optimum[3]];
    let svm = [1.0 / activations[0], -1.0 / activations[1]];
    let expected = angle(&svm, &optimum[4..]);
    assert!((h.feature_angle[1].unwrap() - expected).abs() < 1e-14);
    let margin = 2f64.sqrt() / svm[0].hypot(svm[1]) / activations[0].hypot(activations[1]);
    assert!((h.feature_margin[1].unwrap() - margin).abs() < 1e-14);
    assert_eq!(h.directions.column(1).as_slice(), [1.0, 0.0, 0.0, 1.0]);
    assert_eq!(
        h.activation_sines.column(1).as_slice(),
        [1.0, 0.0, 0.0, 1.0]
    );
    assert_eq!(
        h.output_weights.column(1).as_slice(),
        states[1].rows(4, 2).as_slice()
    );
    assert_eq!(h.unit_norms[(1, 1)], 2.0 * optimum[3]);
}

/// From inner products as from the gradients themselves, to the root of rounding.
#[test]
fn inner_products_lead_to_the_same_point() {
    let data = Dataset::new(
        DMatrix::from_column_slice(6, 5, wave(30, 4).as_slice()),
        dvector![1.0, -1.0, 1.0, -1.0, 1.0, 1.0],
    );
    for smoothing in [0.2, 0.0] {
        let network = Relu::new(5, &[7, 6], smoothing);
        let count = network.shapes().iter().map(|(r, c)| r * c).sum();
        let theta = wave(count, 2);
        let outputs = network.outputs(theta.as_slice(), data.samples());
        let fitted = Dataset::new(data.samples().clone(), outputs.map(f64::signum));
        let at = Normalised::new(Measured::Gated(&network), theta.as_slice(), &fitted).unwrap();
        let all: Vec<usize> = (0..6).collect();
        let beside = wave(6, 9).map(f64::abs);
        let found = large::nearest(&at, &all, &beside).unwrap();
        let columns: Vec<DVector<f64>> = (0..6)
            .map(|n| at.gradients.open(n).insert_row(count, beside[n]))
            .collect();
        let columns = DMatrix::from_columns(&columns);
        let target = at.theta.clone().insert_row(count, 0.0);
        let exact = crate::limit::nearest_of_columns(&columns, &target);
        assert!(exact.amax() > 0.0);
        assert!((&found.multipliers - &exact).amax() < 1e-7 * exact.amax());
        let left = (&target - &columns * &exact).rows(0, count).norm();
        assert!((found.residual - left).abs() < 1e-7 * left.max(1e-3));
    }
    assert!(large::is_large(1 << 20, 500) && !large::is_large(3250, 357));
}
