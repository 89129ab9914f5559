//! Sweeps against the passes.

use super::super::Relu;
use super::super::kernel::ReluKernel;
use super::*;
use crate::activation::examples;
use crate::dataset::Dataset;
use crate::network::tests::{gaussian, random_data, random_feedback};
use crate::network::{Kernel, Network};
use crate::rule::Rule;
use std::sync::{Arc, OnceLock};

fn close(found: &[f64], expected: &[f64], name: &str) {
    let size = expected.iter().fold(1e-300_f64, |s, x| s.max(x.abs()));
    for (x, y) in found.iter().zip(expected) {
        assert!((x - y).abs() <= 1e-12 * size, "{name}: {x} {y}");
    }
}

fn parameters(relu: &Relu) -> usize {
    relu.shapes().iter().map(|(r, c)| r * c).sum()
}

/// Nine samples, one of them zero, two equal but for their labels.
fn data() -> Dataset {
    let data = random_data(9, 4);
    let mut samples = data.samples().clone();
    samples.row_mut(3).fill(0.0);
    let other = samples.row(1).into_owned();
    samples.set_row(5, &other);
    Dataset::new(samples, data.labels().clone())
}

/// A piece in which pairs slide, up to `most` on one unit; with a curved activation there is but one piece.
fn piece(kernel: &ReluKernel, theta: &mut [f64], most: usize) -> ReluKernel {
    let inputs = kernel.setting.inputs.clone();
    if kernel.setting.is_rounded() {
        return kernel.clone();
    }
    let kinks = kernel.setting.kinks();
    let mut pattern = Pattern::of_signs(kinks, &kernel.forward(theta).a);
    let units = kernel.setting.layout.hidden()[0].1;
    for unit in 0..units {
        let samples: Vec<usize> = [0, 6, 2, 8][..unit % (most + 1)].to_vec();
        let onto = inputs.select_columns(&samples);
        let w = &mut theta[kernel.setting.column(0, unit)];
        let own = DVector::from_column_slice(w);
        if let Some(gram) = onto.tr_mul(&onto).cholesky() {
            let own = &own - &onto * gram.solve(&onto.tr_mul(&own));
            w.copy_from_slice(own.as_slice());
        }
        for sample in samples {
            pattern.set(
                Pair {
                    layer: 0,
                    unit,
                    sample,
                },
                Mode::Sliding,
            );
        }
    }
    let place = |unit, sample| Pair {
        layer: 0,
        unit,
        sample,
    };
    ReluKernel {
        pattern: Some(Arc::new(pattern)),
        shallow: OnceLock::new(),
        slack: [(place(1, 4), 0.25), (place(2, 1), 1e-3)].into(),
        ..kernel.clone()
    }
}

#[test]
fn sweeps_are_the_passes() {
    let mut sliding = 0;
    for (g, units) in examples()
        .into_iter()
        .flat_map(|g| [(g, 3), (g, 8), (g, 21)])
    {
        let relu = Relu::with(4, &[units], g);
        let network = Network::new(relu.clone());
        let through = vec![DMatrix::from_vec(units, 1, gaussian(30, units))];
        let rules = [
            Rule::gradient_descent(),
            Rule::feedback_alignment(through),
            random_feedback(&network),
        ];
        for (rule, most) in rules.iter().zip([0, 2, 3]) {
            let name = format!("{g:?} {units} {}", rule.key());
            let mut theta = gaussian(7, parameters(&relu));
            let kernel = piece(&relu.relu_kernel(rule.signals(), &data()), &mut theta, most);
            let mut multipliers: Vec<f64> =
                gaussian(9, 9).iter().map(|x| (3.0 * x).exp()).collect();
            multipliers[7] = 0.0;
            let shallow = kernel.shallow().expect("one hidden layer");
            let (mut v, mut expected) = (vec![0.0; theta.len()], vec![0.0; theta.len()]);
            let (mut rates, mut expected_rates) = ([0.0; 9], [0.0; 9]);
            let at = (&theta[..], &multipliers[..]);
            // twice: what is left in memory does not matter
            for _ in 0..2 {
                assert!(shallow.velocity(&kernel.setting, at, &mut v, &mut rates));
                kernel.passed_velocity(at, &mut expected, &mut expected_rates);
                close(&v, &expected, &name);
                close(&rates, &expected_rates, &name);
                let mut margins = [0.0; 9];
                assert!(shallow.margins(&kernel.setting, &theta, &mut margins));
                let outputs = kernel.forward(&theta).outputs();
                let expected = kernel.setting.margins(&outputs);
                close(&margins, expected.as_slice(), &name);
            }
            let Some(pattern) = kernel.pattern.as_deref() else {
                continue;
            };
            sliding += pattern.sliding().len();
            let found = shallow
                .inside(&kernel.setting, pattern, at)
                .expect("units have weights");
            let expected = kernel.inside(pattern, &theta, &multipliers);
            close(&[found.0], &[expected.0], &name);
            match expected.1.is_finite() {
                true => close(&[found.1], &[expected.1], &name),
                false => assert_eq!(found.1, expected.1, "{name}"),
            }
        }
    }
    assert!(sliding > 20, "{sliding}");
}

/// Deeper networks, dependent inputs on one unit, units at rest or zero: the passes.
#[test]
fn what_it_leaves_out_it_says_so() {
    let rule = Rule::gradient_descent();
    let deep = Relu::new(4, &[3, 2], 0.1).relu_kernel(rule.signals(), &data());
    assert!(deep.shallow().is_none());
    let relu = Relu::new(4, &[3], 0.0);
    let kernel = relu.relu_kernel(rule.signals(), &data());
    assert!(kernel.shallow().is_none(), "no piece has been entered");
    let mut theta = gaussian(7, parameters(&relu));
    let mut dependent = piece(&kernel, &mut theta, 0);
    let mut pattern = dependent.pattern.as_deref().cloned().expect("a piece");
    for sample in [1, 5] {
        pattern.set(
            Pair {
                layer: 0,
                unit: 0,
                sample,
            },
            Mode::Sliding,
        );
    }
    dependent.pattern = Some(Arc::new(pattern));
    assert!(dependent.shallow().is_none());
    let smooth = Relu::new(4, &[3], 0.1).relu_kernel(rule.signals(), &data());
    let mut theta = gaussian(7, parameters(&relu));
    theta[..4].fill(0.0);
    let shallow = smooth.shallow().expect("one hidden layer");
    let (mut v, mut rates) = (vec![0.0; theta.len()], [0.0; 9]);
    assert!(!shallow.velocity(&smooth.setting, (&theta, &[1.0; 9]), &mut v, &mut rates));
    smooth.velocity(&theta, &[1.0; 9], &mut v, &mut rates);
    assert!(v.iter().chain(&rates).all(|x| x.is_finite()));
}
