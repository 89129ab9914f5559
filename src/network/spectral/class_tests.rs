//! Networks with C outputs, against loops over samples in the original space and differences.

use super::*;
use crate::dataset::gaussian_class_teacher;
use crate::network::Network;
use crate::network::tests::gaussian;

const OUTPUTS: usize = 3;

fn matrix(seed: u64, (r, c): (usize, usize)) -> DMatrix<f64> {
    DMatrix::from_vec(r, c, gaussian(seed, r * c))
}

/// What a hidden layer does to its inputs: a circular layer in the Fourier basis, else a scale for every entry.
fn layer(basis: Basis, w: &[f64]) -> DMatrix<f64> {
    let d = w.len();
    match basis {
        Basis::Fourier => DMatrix::from_fn(d, d, |j, i| w[(i + d - j) % d] / (d as f64).sqrt()),
        Basis::Standard => DMatrix::from_diagonal(&DVector::from_column_slice(w)),
    }
}

/// Every sample forward, its errors back through layers or feedback, and every weight's update by its own.
fn velocity_of_a_loop(
    (basis, w): (Basis, &[DMatrix<f64>]),
    signals: Signals<'_>,
    data: &Dataset,
    multipliers: &[f64],
) -> Vec<f64> {
    let (d, depth) = (data.dimension(), w.len());
    let hidden: Vec<_> = w[..depth - 1]
        .iter()
        .map(|w| layer(basis, w.as_slice()))
        .collect();
    let mut velocity: Vec<DMatrix<f64>> = w.iter().map(|w| w * 0.0).collect();
    for n in 0..data.len() {
        let mut h = vec![data.samples().row(n).transpose()];
        for w in &hidden {
            h.push(w * &h[h.len() - 1]);
        }
        let own = data.class_of(n);
        let mut error = DVector::zeros(OUTPUTS);
        let others = (0..OUTPUTS).filter(|k| *k != own);
        for (row, k) in data.groups().rows_of(n).zip(others) {
            error[own] += multipliers[row];
            error[k] -= multipliers[row];
        }
        velocity[depth - 1] += &h[depth - 1] * error.transpose();
        let mut above: Option<DVector<f64>> = None;
        for l in (0..depth - 1).rev() {
            let top = l == depth - 2;
            let delta = match (signals, &above) {
                (Signals::Backward, None) => &w[depth - 1] * &error,
                (Signals::Backward, Some(above)) => hidden[l + 1].tr_mul(above),
                (Signals::Layerwise(f), _) if top => &f[l] * &error,
                (Signals::Layerwise(f), Some(above)) => layer(basis, f[l].as_slice()).tr_mul(above),
                (Signals::Direct(b), _) => &b[l] * &error,
                (Signals::Layerwise(_), None) => unreachable!("the layer above comes first"),
            };
            for k in 0..d {
                // layers are linear in each of their weights
                let mut unit = vec![0.0; d];
                unit[k] = 1.0;
                velocity[l][k] += delta.dot(&(layer(basis, &unit) * &h[l]));
            }
            above = Some(delta);
        }
    }
    velocity.iter().flat_map(|v| v.iter().copied()).collect()
}

#[test]
fn velocities_of_several_outputs_are_those_of_a_loop_and_tangents_their_derivatives() {
    for (basis, d, depth) in [
        (Basis::Fourier, 5, 1),
        (Basis::Fourier, 4, 2),
        (Basis::Fourier, 5, 3),
        (Basis::Standard, 4, 2),
        (Basis::Standard, 3, 4),
    ] {
        let data = gaussian_class_teacher(d, 6, OUTPUTS, 5).unwrap();
        let network = Network::new(SpectralLinear::with_outputs(basis, d, depth, OUTPUTS));
        let weights = gaussian(1, network.parameters());
        let theta = network.theta(DVector::from_vec(weights.clone()));
        let theta = theta.as_slice();
        let w = network.layout().matrices(&weights);
        let shapes = network.feedback_shapes().iter().enumerate();
        let f: Vec<_> = shapes.map(|(l, s)| matrix(20 + l as u64, *s)).collect();
        let shapes = network.signal_shapes().into_iter().enumerate();
        let b: Vec<_> = shapes.map(|(l, s)| matrix(30 + l as u64, s)).collect();
        let alpha: Vec<f64> = gaussian(2, data.rows()).iter().map(|x| x.exp()).collect();
        for signals in [
            Signals::Backward,
            Signals::Layerwise(&f),
            Signals::Direct(&b),
        ] {
            let kernel = network.kernel(signals, &data);
            let rows = data.rows();
            let (mut velocity, mut rates) = (vec![0.0; theta.len()], vec![0.0; rows]);
            kernel.velocity(theta, &alpha, &mut velocity, &mut rates);
            let expected = velocity_of_a_loop((basis, &w), signals, &data, &alpha);
            let expected = network.theta(DVector::from_vec(expected));
            let apart = (DVector::from_column_slice(&velocity) - &expected).norm();
            let what = format!("{basis:?}, L = {depth}, {signals:?}");
            assert!(apart < 1e-13 * expected.norm(), "{what}: {apart:e}");

            let (d_theta, d_alpha) = (gaussian(3, theta.len()), gaussian(4, rows));
            let tangent = kernel.tangent(theta, &alpha, &d_theta, &d_alpha);
            let at = |k: f64| {
                let moved = |x: &[f64], d: &[f64]| -> Vec<f64> {
                    x.iter().zip(d).map(|(x, d)| x + k * 1e-3 * d).collect()
                };
                let (theta, alpha) = (moved(theta, &d_theta), moved(&alpha, &d_alpha));
                let (mut velocity, mut rates) = (vec![0.0; theta.len()], vec![0.0; rows]);
                let mut margins = vec![0.0; rows];
                kernel.velocity(&theta, &alpha, &mut velocity, &mut rates);
                kernel.margins(&theta, &mut margins);
                DVector::from_vec([velocity, rates, margins].concat())
            };
            let difference = ((at(1.0) - at(-1.0)) * 8.0 - (at(2.0) - at(-2.0))) / 12e-3;
            let parts = [
                tangent.velocity,
                tangent.rates.as_slice().to_vec(),
                tangent.margins.as_slice().to_vec(),
            ];
            let error = (DVector::from_vec(parts.concat()) - &difference).norm();
            assert!(error < 1e-7 * difference.norm(), "{what}: {error:e}");

            // rates along the velocity are the change of the margins, which are those of the output layer
            let along = kernel.tangent(theta, &alpha, &velocity, &d_alpha).margins;
            let rates = DVector::from_vec(rates);
            assert!((along - &rates).norm() < 1e-12 * rates.norm(), "{what}");
            let layer = network.output_layer(theta, &data).unwrap();
            let margins = network.margins(theta, &data);
            let seen = layer.features * layer.weights;
            assert!((seen - &margins).norm() < 1e-13 * margins.norm(), "{what}");
            let mut again = vec![0.0; rows];
            kernel.margins(theta, &mut again);
            let again = DVector::from_vec(again);
            assert!((again - &margins).norm() < 1e-13 * margins.norm(), "{what}");

            let active = [0, 3, 7, 11];
            let columns = kernel.tangent_kernel(theta, &active);
            for (j, m) in active.into_iter().enumerate() {
                let mut unit = vec![0.0; rows];
                unit[m] = 1.0;
                let mut rates = vec![0.0; rows];
                kernel.velocity(theta, &unit, &mut velocity, &mut rates);
                let apart = (columns.column(j) - DVector::from_vec(rates)).norm();
                assert!(apart < 1e-12 * columns.column(j).norm(), "{what}");
            }
            let others = kernel.on_rows(kernel.signed_samples().unwrap()).unwrap();
            let mut again = vec![0.0; rows];
            others.velocity(theta, &alpha, &mut velocity, &mut again);
            assert!((DVector::from_vec(again) - &rates).norm() < 1e-13 * rates.norm());
        }
        // layers commute with every feedback filter: feedback alignment is direct feedback by products
        let composed = network.fixed_signals(Signals::Layerwise(&f)).unwrap();
        let [x, y] = [Signals::Layerwise(&f), Signals::Direct(&composed)].map(|signals| {
            let (mut velocity, mut rates) = (vec![0.0; theta.len()], vec![0.0; data.rows()]);
            let kernel = network.kernel(signals, &data);
            kernel.velocity(theta, &alpha, &mut velocity, &mut rates);
            DVector::from_vec(velocity)
        });
        assert!((&x - y).norm() <= 1e-13 * x.norm());
    }
}

/// Of two outputs only the difference counts: with `û_1 = −û_2 = û/√2` and multipliers of √2 the flow is that of one
/// output.
#[test]
fn two_opposite_outputs_are_one() {
    let (d, depth) = (5, 3);
    let data = gaussian_class_teacher(d, 7, 2, 3).unwrap();
    let two = SpectralLinear::with_outputs(Basis::Fourier, d, depth, 2);
    let labels = DVector::from_fn(
        data.len(),
        |n, _| if data.class_of(n) == 0 { 1.0 } else { -1.0 },
    );
    let binary = Dataset::new(data.samples().clone(), labels);
    let one = Network::convolutional(d, depth);
    let theta = DVector::from_vec(gaussian(5, d * depth));
    let (hidden, last) = (
        theta.rows(0, d * (depth - 1)),
        theta.rows(d * (depth - 1), d),
    );
    let half = std::f64::consts::FRAC_1_SQRT_2;
    let doubled: Vec<f64> = (hidden.iter().copied())
        .chain(last.iter().map(|u| u * half))
        .chain(last.iter().map(|u| -u * half))
        .collect();
    let margins = |network: &Network, theta: &[f64], data: &Dataset| network.margins(theta, data);
    let two = Network::new(two);
    let root = std::f64::consts::SQRT_2;
    let expected = margins(&one, theta.as_slice(), &binary) * root;
    assert!((margins(&two, &doubled, &data) - &expected).norm() < 1e-13 * expected.norm());
    let alpha: Vec<f64> = gaussian(6, data.len()).iter().map(|x| x.exp()).collect();
    let scaled: Vec<f64> = alpha.iter().map(|a| a * half).collect();
    let of = |network: &Network, data: &Dataset, theta: &[f64], alpha: &[f64]| {
        let (mut velocity, mut rates) = (vec![0.0; theta.len()], vec![0.0; data.rows()]);
        let kernel = network.kernel(Signals::Backward, data);
        kernel.velocity(theta, alpha, &mut velocity, &mut rates);
        (DVector::from_vec(velocity), DVector::from_vec(rates))
    };
    let (of_one, rates) = of(&one, &binary, theta.as_slice(), &alpha);
    let (of_two, rates_of_two) = of(&two, &data, &doubled, &scaled);
    let hidden = d * (depth - 1);
    let apart = (of_two.rows(0, hidden) - of_one.rows(0, hidden)).norm();
    assert!(apart < 1e-13 * of_one.norm());
    assert!((rates_of_two - &rates * root).norm() < 1e-13 * rates.norm());
}
