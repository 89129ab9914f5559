//! General networks against networks that are known, loops, and each other. Derivatives and implicit steps are tested
//! with those of all kernels.

use super::super::tests::{gaussian, random_data};
use super::*;
use crate::activation::{ACTIVATIONS, Activation, OfLayers, examples_of_layers};
use crate::dataset::{ClassMeans, class_means};
use crate::rule::Rule;
use crate::spectrum::Basis;

fn named(name: &str, number: f64) -> Activation {
    let registered = ACTIVATIONS
        .iter()
        .find(|a| a.name == name)
        .expect("registered");
    match registered.of_layers.expect("one of layers") {
        OfLayers::Name(make) => make(),
        OfLayers::Number { make, .. } => make(number).expect("in range"),
    }
}

/// Hidden layers on six inputs: every activation with kinks rounded, convolutions, averages, biases.
pub(in crate::network) fn examples() -> Vec<Vec<LayerSpec>> {
    let smooth = examples_of_layers()
        .into_iter()
        .filter(|g| g.kink().is_none());
    let mut all: Vec<Vec<LayerSpec>> = smooth
        .map(|g| vec![LayerSpec::dense(4, g), LayerSpec::dense(3, Identity)])
        .collect();
    let (relu, leaky) = (
        named("relu", 0.0).rounded(0.2),
        named("leaky-relu", 0.1).rounded(0.3),
    );
    all.push(vec![
        LayerSpec::convolution(3, 2, relu),
        LayerSpec {
            pooling: vec![2],
            bias: true,
            ..LayerSpec::convolution(2, 3, leaky)
        },
        LayerSpec::dense(4, named("relu-power", 2.0)),
    ]);
    all.push(vec![
        LayerSpec::dense(4, relu),
        LayerSpec {
            bias: true,
            ..LayerSpec::convolution(4, 1, relu)
        },
        LayerSpec {
            pooling: vec![2],
            ..LayerSpec::dense(3, leaky)
        },
    ]);
    all
}

fn three_classes_of(dimension: usize, samples: usize) -> Dataset {
    class_means(&ClassMeans {
        dimension,
        classes: 3,
        samples,
        spread: 0.5,
        seed: 2,
    })
}

fn layered(dimension: usize, hidden: &[LayerSpec], outputs: usize) -> Network {
    Network::new(Layered::new(dimension, hidden, outputs).expect("layers that fit"))
}

/// Margins, velocity and rates of two networks with the same weights are the same.
fn assert_same(name: &str, (a, b): (&Network, &Network), rules: &[Rule], data: &Dataset) {
    let theta: Vec<f64> = gaussian(3, a.parameters())
        .iter()
        .map(|x| 0.5 * x)
        .collect();
    let alpha: Vec<f64> = gaussian(4, data.rows()).iter().map(|x| x.exp()).collect();
    let of = |network: &Network, theta: &[f64], rule: &Rule| {
        let kernel = rule.kernel(network, data);
        let (mut v, mut rates) = (vec![0.0; kernel.parameters()], vec![0.0; data.rows()]);
        kernel.velocity(theta, &alpha, &mut v, &mut rates);
        let mut all = network.margins(theta, data).as_slice().to_vec();
        // in the space of the weights, which may differ from that of θ
        all.extend(network.weights(&v).iter().flat_map(|w| w.iter().copied()));
        all.extend(rates);
        DVector::from_vec(all)
    };
    for rule in rules {
        let weights = DVector::from_vec(theta.clone());
        let found = of(a, a.theta(weights.clone()).as_slice(), rule);
        let expected = of(b, b.theta(weights).as_slice(), rule);
        let error = (&found - &expected).amax();
        assert!(
            error < 1e-13 * (1.0 + expected.amax()),
            "{name} {}: {error:e}",
            rule.key()
        );
    }
}

/// BP, FA, and DFA with feedback of the network's shapes.
fn rules(network: &Network) -> Vec<Rule> {
    let draw = |(l, (r, c)): (usize, (usize, usize))| {
        DMatrix::from_vec(r, c, gaussian(40 + l as u64, r * c))
    };
    let direct = network
        .signal_shapes()
        .into_iter()
        .enumerate()
        .map(draw)
        .collect();
    let matrices = network
        .feedback_shapes()
        .iter()
        .copied()
        .enumerate()
        .map(draw)
        .collect();
    vec![
        Rule::gradient_descent(),
        Rule::feedback_alignment(matrices),
        Rule::direct_feedback_matrices(direct),
    ]
}

#[test]
fn dense_layers_of_rectified_units_are_the_relu_network() {
    let data = random_data(5, 4);
    for activation in examples_of_layers()
        .into_iter()
        .filter(|g| g.name().ends_with("relu"))
    {
        let hidden = [
            LayerSpec::dense(5, activation),
            LayerSpec::dense(3, activation),
        ];
        let relu = Network::new(Relu::with(4, &[5, 3], activation));
        let general = layered(4, &hidden, 1);
        assert_same(
            &format!("{activation:?}"),
            (&general, &relu),
            &rules(&relu),
            &data,
        );
    }
    // and a scenario that asks for such layers gets that network
    let hidden = [5, 3].map(|units| LayerSpec::dense(units, ExactRelu));
    let output = LayerSpec::dense(1, Identity);
    for smoothing in [0.0, 0.2] {
        let built = network(4, &hidden, &output, smoothing).unwrap();
        assert_eq!(built, Network::relu(4, &[5, 3], smoothing));
    }
    let two = LayerSpec::dense(2, Identity);
    assert!(!have_mixed_kinks(4, &hidden, &output));
    assert!(have_mixed_kinks(4, &hidden, &two));
    assert!(!have_mixed_kinks(
        4,
        &[LayerSpec::dense(5, Identity)],
        &output
    ));
}

#[test]
fn full_convolutions_without_activation_are_the_convolutional_network() {
    for dimension in [4, 5] {
        let data = random_data(4, dimension);
        let hidden = [0, 1].map(|_| LayerSpec::convolution(dimension, 1, Identity));
        let general = layered(dimension, &hidden, 1);
        let spectral = Network::new(crate::network::SpectralLinear::new(
            Basis::Fourier,
            dimension,
            3,
        ));
        // feedback alignment passes filters, in the place of which these layers have their transposes
        let rules: Vec<Rule> = rules(&general)
            .into_iter()
            .filter(|r| r.key() != "feedback-alignment")
            .collect();
        assert_same("convolution", (&general, &spectral), &rules, &data);
    }
}

#[test]
fn linear_layers_of_several_outputs_are_the_fully_connected_network() {
    let data = three_classes_of(4, 6);
    let hidden = [5, 3].map(|units| LayerSpec::dense(units, Identity));
    let (general, linear) = (
        layered(4, &hidden, 3),
        Network::fully_connected_with_outputs(4, &[5, 3], 3),
    );
    assert_same("linear", (&general, &linear), &rules(&linear), &data);
}

/// Two classes are two signs: f_1 − f_0 of two outputs w_L, with the opposite of each other.
#[test]
fn two_classes_are_two_signs() {
    let signs = random_data(6, 4);
    let classes: Vec<usize> = signs
        .labels()
        .iter()
        .map(|y| usize::from(*y > 0.0))
        .collect();
    let data = Dataset::of_classes(signs.samples().clone(), &classes, 2).unwrap();
    let hidden = [
        LayerSpec::convolution(2, 2, named("relu", 0.0).rounded(0.1)),
        LayerSpec::dense(3, Identity),
    ];
    let (one, two) = (layered(4, &hidden, 1), layered(4, &hidden, 2));
    let theta = gaussian(5, one.parameters());
    let mut doubled = theta.clone();
    let last = one.layout().range(2);
    // outputs 0 and 1: −w/2 and w/2
    doubled.truncate(last.start);
    doubled.extend(theta[last.clone()].iter().map(|w| -0.5 * w));
    doubled.extend(theta[last].iter().map(|w| 0.5 * w));
    let difference = one.margins(&theta, &signs) - two.margins(&doubled, &data);
    assert!(difference.amax() < 1e-14);
}

/// The textbook loop: every sample forward through its patches, its error back, for any ways of the signals.
#[test]
fn the_field_is_that_of_a_loop_over_samples() {
    let data = three_classes_of(6, 7);
    let leaky = named("leaky-relu", 0.1).rounded(0.3);
    let hidden = [
        LayerSpec::convolution(3, 2, named("quadratic", 0.0)),
        LayerSpec::dense(4, leaky),
    ];
    let network = layered(6, &hidden, 3);
    let theta = gaussian(6, network.parameters());
    let alpha: Vec<f64> = gaussian(7, data.rows()).iter().map(|x| x.exp()).collect();
    let w = network.weights(&theta);
    for rule in rules(&network) {
        let mut expected = [0, 1, 2].map(|l| DMatrix::zeros(w[l].nrows(), w[l].ncols()));
        let e = outputs::errors(&data, &alpha);
        for n in 0..data.len() {
            let x: Vec<f64> = data.samples().row(n).iter().copied().collect();
            let patch = |p: usize| DVector::from_fn(3, |i, _| x[(p + i) % 6] / 3.0_f64.sqrt());
            let a: Vec<DVector<f64>> = (0..6).map(|p| w[0].tr_mul(&patch(p))).collect();
            let h1 = DVector::from_fn(12, |unit, _| a[unit / 2][unit % 2].powi(2));
            let a2 = w[1].tr_mul(&h1);
            let q = |j: usize| a2[j].hypot(0.3 * w[1].column(j).norm() * h1.norm());
            let h2 = DVector::from_fn(4, |j, _| 0.55 * a2[j] + 0.45 * q(j));
            let e = e.row(n).transpose();
            let s2 = match rule.signals() {
                Signals::Backward => &w[2] * &e,
                Signals::Layerwise(f) => &f[1] * &e,
                Signals::Direct(b) => &b[1] * &e,
            };
            let gate = |j: usize| 0.55 + 0.45 * a2[j] / q(j);
            let d2 = DVector::from_fn(4, |j, _| s2[j] * gate(j));
            let lengths = |j: usize| 0.45 * 0.09 * s2[j] / q(j);
            let s1 = match rule.signals() {
                Signals::Backward => {
                    let inward: f64 = (0..4)
                        .map(|j| lengths(j) * w[1].column(j).norm_squared())
                        .sum();
                    &w[1] * &d2 + &h1 * inward
                }
                Signals::Layerwise(f) => &f[0] * &d2,
                Signals::Direct(b) => &b[0] * &e,
            };
            for p in 0..6 {
                let d1 = DVector::from_fn(2, |c, _| s1[2 * p + c] * 2.0 * a[p][c]);
                expected[0] += patch(p) * d1.transpose();
            }
            expected[1] += &h1 * d2.transpose();
            for j in 0..4 {
                let longer = lengths(j) * h1.norm_squared();
                let column = w[1].column(j) * longer;
                expected[1].column_mut(j).axpy(1.0, &column, 1.0);
            }
            expected[2] += &h2 * e.transpose();
        }
        let kernel = rule.kernel(&network, &data);
        let (mut v, mut rates) = (vec![0.0; theta.len()], vec![0.0; data.rows()]);
        kernel.velocity(&theta, &alpha, &mut v, &mut rates);
        for (found, expected) in network.weights(&v).iter().zip(&expected) {
            let error = (found - expected).amax();
            assert!(
                error < 1e-12 * (1.0 + expected.amax()),
                "{}: {error:e}",
                rule.key()
            );
        }
    }
}

#[test]
fn gradients_are_the_velocities_of_single_rows() {
    let data = three_classes_of(6, 7);
    for hidden in examples() {
        let network = Layered::new(6, &hidden, 3).unwrap();
        let theta = gaussian(6, network.layout().parameters());
        let gradients = network.gradients(&theta, &data);
        let kernel = network.kernel(Signals::Backward, &data);
        let (mut v, mut rates) = (vec![0.0; theta.len()], vec![0.0; data.rows()]);
        for row in 0..data.rows() {
            let mut unit = vec![0.0; data.rows()];
            unit[row] = 1.0;
            kernel.velocity(&theta, &unit, &mut v, &mut rates);
            let error = (gradients.column(row) - DVector::from_column_slice(&v)).amax();
            assert!(error < 1e-12 * (1.0 + gradients.amax()), "{error:e}");
        }
    }
}

#[test]
fn margins_are_homogeneous_of_the_degrees_of_the_layers() {
    let data = random_data(5, 6);
    let mut with_bias = 0;
    for hidden in examples() {
        let network = Layered::new(6, &hidden, 1).unwrap();
        let theta = gaussian(6, network.layout().parameters());
        let margins = network.margins(&theta, &data);
        let Some(degrees) = network.degrees() else {
            with_bias += 1;
            continue;
        };
        for (l, degree) in degrees.iter().enumerate() {
            let mut scaled = theta.clone();
            scaled[network.layout().range(l)]
                .iter_mut()
                .for_each(|w| *w *= 2.0);
            let expected = &margins * 2.0_f64.powi(*degree as i32);
            let error = (network.margins(&scaled, &data) - &expected).amax();
            assert!(
                error < 1e-12 * (1.0 + expected.amax()),
                "layer {l}: {error:e}"
            );
        }
    }
    assert_eq!(with_bias, 2);
}

/// The examples with exact kinks where they were rounded.
fn with_exact_kinks() -> Vec<Vec<LayerSpec>> {
    let (relu, leaky) = (named("relu", 0.0), named("leaky-relu", 0.1));
    let (convolution, dense) = (LayerSpec::convolution, LayerSpec::dense);
    vec![
        vec![
            convolution(3, 2, relu),
            dense(4, leaky),
            dense(3, Identity.into()),
        ],
        vec![
            dense(4, Identity.into()),
            LayerSpec {
                bias: true,
                ..convolution(3, 2, relu)
            },
            dense(3, named("quadratic", 0.0)),
        ],
        vec![
            convolution(2, 2, named("relu-power", 2.0)),
            LayerSpec {
                pooling: vec![2],
                bias: true,
                ..convolution(2, 3, leaky)
            },
            LayerSpec {
                pooling: vec![3],
                ..dense(4, relu)
            },
        ],
        vec![dense(4, relu), dense(3, relu)],
    ]
}

/// Two fields of the same networks, that of layers and that of pieces, before any piece is entered.
#[test]
fn pieces_of_layers_are_their_field() {
    for (i, hidden) in with_exact_kinks().iter().enumerate() {
        for outputs in [1, 3] {
            let data = match outputs {
                1 => random_data(5, 6),
                _ => three_classes_of(6, 7),
            };
            let network = Layered::new(6, hidden, outputs).expect("layers that fit");
            let rules = rules(&Network::new(network.clone()));
            let p = network.layout.parameters();
            let numbers = |seed: u64, n: usize| gaussian(seed, n);
            let (theta, d_theta) = (numbers(3, p), numbers(5, p));
            let alpha: Vec<f64> = numbers(4, data.rows()).iter().map(|x| x.exp()).collect();
            let d_alpha = numbers(6, data.rows());
            for rule in &rules {
                let signals = rule.signals();
                let pieces = network.kernel(signals, &data);
                assert!(pieces.pieces().is_some());
                let plain = LayeredKernel::new(network.field(signals), &data, None);
                let of = |kernel: &dyn Kernel| {
                    let (mut m, mut v) = (vec![0.0; data.rows()], vec![0.0; p]);
                    let mut rates = m.clone();
                    kernel.margins(&theta, &mut m);
                    kernel.velocity(&theta, &alpha, &mut v, &mut rates);
                    let change = kernel.tangent(&theta, &alpha, &d_theta, &d_alpha);
                    let active: Vec<usize> = (0..data.rows()).step_by(2).collect();
                    let k = kernel.tangent_kernel(&theta, &active);
                    let all = [m, v, rates, change.velocity].concat().into_iter();
                    let all = all.chain(change.margins.iter().copied());
                    let all = all.chain(change.rates.iter().copied());
                    DVector::from_vec(all.chain(k.iter().copied()).collect())
                };
                let (found, expected) = (of(&*pieces), of(&plain));
                let error = (&found - &expected).amax();
                assert!(
                    error < 1e-12 * (1.0 + expected.amax()),
                    "{i}, {outputs} outputs, {}: {error:e}",
                    rule.key()
                );
            }
        }
    }
}

/// A unit on the kinks of several samples: products of gradients with a direction are the derivatives of the margin
/// there, from above or below, and the steepest is the larger.
#[test]
fn gradients_at_kinks_are_those_of_both_sides() {
    let data = random_data(4, 6);
    for hidden in with_exact_kinks() {
        let network = Layered::new(6, &hidden, 1).expect("layers that fit");
        let mut theta = gaussian(7, network.layout.parameters());
        // the first hidden layer with a kink: its first unit is put on the kink of the first column that it sees
        let l = (hidden.iter()).position(|s| s.activation.kink().is_some());
        let l = l.expect("kinks");
        let field = network.field(Signals::Backward);
        let inputs = data.samples().transpose();
        let (x, w) = {
            let pass = Forward::new(&field, &theta, &inputs);
            let seen = &pass.hidden[l];
            (seen.x.column(0).into_owned(), seen.w.column(0).into_owned())
        };
        let on_kink = &w - &x * (w.dot(&x) / x.norm_squared());
        let start = network.layout.range(l).start;
        theta[start..start + w.len()].copy_from_slice(on_kink.as_slice());
        let gradients = network.margin_gradients(&theta, &data);
        assert!(gradients.has_kinks(0));
        let direction = DVector::from_vec(gaussian(8, theta.len()));
        let slope = |sign: f64| {
            let step = 1e-6 * sign;
            let moved: Vec<f64> = (theta.iter().zip(direction.iter()))
                .map(|(w, d)| w + step * d)
                .collect();
            let margin = |theta: &[f64]| network.margins(theta, &data)[0];
            (margin(&moved) - margin(&theta)) / step
        };
        let (ahead, behind) = (slope(1.0), slope(-1.0));
        let best = gradients.steepest(0, &direction).expect("kinks");
        let open = gradients.open.column(0).dot(&direction);
        let largest = ahead.max(behind);
        let scale = 1e-4 * (1.0 + largest.abs());
        assert!((best.dot(&direction) - largest).abs() < scale);
        assert!((open - ahead).abs().min((open - behind).abs()) < scale);
        assert!((ahead - behind).abs() > 10.0 * scale, "no kink");
    }
}
