use super::*;
use crate::network::Network;
use crate::network::tests::{assert_close, gaussian, random_data, velocity};
use crate::rule::Rule;

/// The matrix of the circular layer `(H h)(j) = D^{−1/2} Σ_k w(k) h(j + k mod D)`.
fn circular(w: &[f64]) -> DMatrix<f64> {
    let d = w.len();
    DMatrix::from_fn(d, d, |j, i| w[(i + d - j) % d] / (d as f64).sqrt())
}

const DIMENSIONS: [usize; 7] = [1, 2, 3, 7, 8, 64, 101];

#[test]
fn forward_pass_is_the_product_of_circular_matrices() {
    for d in DIMENSIONS {
        for depth in 1..=4 {
            let network = Network::convolutional(d, depth);
            let weights = gaussian(depth as u64, d * depth);
            let layers: Vec<&[f64]> = weights.chunks_exact(d).collect();
            let data = random_data(5, d);
            let mut forward = data.signed_samples().transpose();
            for w in &layers[..depth - 1] {
                forward = circular(w) * forward;
            }
            let outputs = forward.tr_mul(&DVector::from_column_slice(layers[depth - 1]));
            let theta = network.theta(DVector::from_vec(weights.clone()));
            let beta = network.predictor(theta.as_slice()).unwrap();
            let through_beta = data.signed_samples() * beta;
            let size = outputs.amax();
            assert!(
                (&outputs - through_beta).amax() <= 1e-13 * size,
                "D = {d}, L = {depth}"
            );
            let mut margins = vec![0.0; 5];
            let kernel = network.kernel(
                Rule::direct_feedback_alignment(vec![DVector::zeros(d); depth - 1]).signals(),
                &data,
            );
            kernel.margins(theta.as_slice(), &mut margins);
            assert!((&outputs - DVector::from_vec(margins)).amax() <= 1e-13 * size);
            for (w, layer) in network.weights(theta.as_slice()).iter().zip(layers) {
                assert_close(w.as_slice(), layer, 1e-14, "weights come back");
            }
        }
    }
}

/// The update of a circular layer written out in the original space, `w_l'(k) = D^{−1/2} Σ_j δ_l(j) h_{l−1}(j + k)`
/// summed over samples, with the signals of each rule propagated by circular matrices.
#[test]
fn velocity_is_the_rule_in_the_original_space() {
    for d in [1, 2, 5, 8] {
        let depth = 3;
        let network = Network::convolutional(d, depth);
        let weights = gaussian(3, d * depth);
        let w: Vec<&[f64]> = weights.chunks_exact(d).collect();
        let data = random_data(4, d);
        let alpha = gaussian(4, 4);
        let f: Vec<DMatrix<f64>> = (0..2)
            .map(|l| DMatrix::from_vec(d, 1, gaussian(40 + l, d)))
            .collect();
        let b: Vec<DVector<f64>> = (0..2)
            .map(|l| DVector::from_vec(gaussian(50 + l, d)))
            .collect();
        let last = DVector::from_column_slice(w[2]);
        // δ_1, δ_2: a layer passes signals back through its transpose
        let signals = [
            (
                Rule::gradient_descent(),
                [circular(w[1]).tr_mul(&last), last],
            ),
            (
                Rule::feedback_alignment(f.clone()),
                [
                    circular(f[0].as_slice()).tr_mul(&f[1].column(0)),
                    f[1].column(0).into_owned(),
                ],
            ),
            (
                Rule::direct_feedback_alignment(b.clone()),
                [b[0].clone(), b[1].clone()],
            ),
        ];
        for (rule, [delta_1, delta_2]) in signals {
            let h0 = data
                .signed_samples()
                .tr_mul(&DVector::from_vec(alpha.clone()));
            let h1 = circular(w[0]) * &h0;
            let h2 = circular(w[1]) * &h1;
            let correlate = |delta: &DVector<f64>, h: &DVector<f64>| -> Vec<f64> {
                (0..d)
                    .map(|k| {
                        (0..d).map(|j| delta[j] * h[(j + k) % d]).sum::<f64>() / (d as f64).sqrt()
                    })
                    .collect()
            };
            let mut expected = correlate(&delta_1, &h0);
            expected.extend(correlate(&delta_2, &h1));
            expected.extend(h2.iter());
            let kernel = network.kernel(rule.signals(), &data);
            let theta = network.theta(DVector::from_vec(weights.clone()));
            let (v, _) = velocity(&*kernel, theta.as_slice(), &alpha);
            let original = network.weights(&v);
            let found: Vec<f64> = original.iter().flat_map(|w| w.iter().copied()).collect();
            assert_close(
                &found,
                &expected,
                1e-13,
                &format!("D = {d}, {}", rule.key()),
            );
        }
    }
}

#[test]
fn diagonal_networks_multiply_entry_by_entry() {
    let network = Network::diagonal(3, 3);
    let theta = [1.0, 2.0, 3.0, 0.5, -1.0, 2.0, 4.0, 1.0, -1.0];
    assert_eq!(
        network.predictor(&theta).unwrap().as_slice(),
        [2.0, -2.0, -6.0]
    );
    let f = [[1.0, 2.0, -1.0], [3.0, -1.0, 0.5]].map(|f| DMatrix::from_row_slice(3, 1, &f));
    let b = network
        .fixed_signals(Rule::feedback_alignment(f.into()).signals())
        .map(vectors)
        .unwrap();
    assert_eq!(b[0].as_slice(), [3.0, -2.0, -0.5]);
    let data = random_data(2, 3);
    let kernel = network.kernel(Rule::direct_feedback_alignment(b.clone()).signals(), &data);
    let (v, _) = velocity(&*kernel, &theta, &[1.0, 0.5]);
    let z = data
        .signed_samples()
        .tr_mul(&DVector::from_vec(vec![1.0, 0.5]));
    let w = |l: usize| DVector::from_column_slice(&theta[3 * l..3 * l + 3]);
    let expected = [
        b[0].component_mul(&z),
        w(0).component_mul(&b[1]).component_mul(&z),
        w(0).component_mul(&w(1)).component_mul(&z),
    ];
    let expected: Vec<f64> = expected.iter().flat_map(|x| x.iter().copied()).collect();
    assert_close(&v, &expected, 1e-15, "velocity");
}

/// Rows that are not samples have inner products of their own; what they say is what β̂' says, and exact where rows are
/// orthogonal at every frequency.
#[test]
fn rates_of_rows_are_those_of_the_predictor_and_orthogonal_rows_do_not_answer() {
    for d in [2, 3, 7, 8] {
        let network = Network::convolutional(d, 3);
        let data = random_data(5, d);
        let rule = Rule::gradient_descent();
        let kernel = network.kernel(rule.signals(), &data);
        let theta = gaussian(3, 3 * d);
        let g = kernel.signed_samples().unwrap();
        let rows = g.rows(0, d.min(5)).into_owned();
        let alpha = gaussian(4, rows.nrows());
        let mut all = alpha.clone();
        all.resize(5, 0.0);
        let (_, expected) = velocity(&*kernel, &theta, &all);
        let (_, rates) = velocity(&*kernel.on_rows(&rows).unwrap(), &theta, &alpha);
        assert_close(&rates, &expected[..rows.nrows()], 1e-13, "rates");
    }
    // a real and a complex frequency; at the second the rows stand at right angles, but for rounding
    let kernel =
        Network::convolutional(3, 3).kernel(Rule::gradient_descent().signals(), &random_data(1, 3));
    let (cos, sin) = (0.1_f64.cos(), 0.1_f64.sin());
    let rows = DMatrix::from_row_slice(2, 3, &[1.0, 3.0 * cos, 3.0 * sin, 0.0, -sin, cos]);
    let (_, rates) = velocity(
        &*kernel.on_rows(&rows).unwrap(),
        &gaussian(5, 9),
        &[1e20, 0.0],
    );
    assert_eq!(rates[1], 0.0);
}
