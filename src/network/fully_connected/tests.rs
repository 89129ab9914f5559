use super::*;
use crate::network::tests::{assert_close, gaussian, random_data, velocity};
use crate::rule::Rule;

#[test]
fn feedback_velocity_is_the_outer_product_of_forward_pass_and_feedback() {
    let network = FullyConnectedLinear::new(4, &[3, 2]);
    let data = random_data(5, 4);
    let b: Vec<_> = [3, 2].map(|n| DVector::from_vec(gaussian(2, n))).into();
    let kernel = network.kernel(Rule::direct_feedback_alignment(b.clone()).signals(), &data);
    let theta = gaussian(3, kernel.parameters());
    let alpha = gaussian(4, 5);
    let (v, rates) = velocity(&*kernel, &theta, &alpha);
    let w1 = DMatrix::from_column_slice(4, 3, &theta[..12]);
    let w2 = DMatrix::from_column_slice(3, 2, &theta[12..18]);
    let w3 = DMatrix::from_column_slice(2, 1, &theta[18..]);
    let z = data.signed_samples().transpose() * DVector::from_vec(alpha);
    let v1 = &z * b[0].transpose();
    let v2 = w1.transpose() * &z * b[1].transpose();
    let v3 = w2.transpose() * w1.transpose() * &z;
    let expected: Vec<f64> = v1
        .iter()
        .chain(v2.iter())
        .chain(v3.iter())
        .copied()
        .collect();
    assert_close(&v, &expected, 1e-14, "velocity");
    let beta_dot = &v1 * &w2 * &w3 + &w1 * &v2 * &w3 + &w1 * &w2 * &v3;
    let expected = data.signed_samples() * beta_dot;
    assert_close(&rates, expected.as_slice(), 1e-13, "rates");
}

/// What a step that failed leaves behind must not spoil the next.
#[test]
fn a_cleared_slot_counts_nothing_whatever_it_held() {
    let network = FullyConnectedLinear::new(4, &[3, 2]);
    let kernel = network.kernel(Signals::Backward, &random_data(5, 4));
    let theta = gaussian(3, kernel.parameters());
    let mut path = kernel.path(&theta, 2).unwrap();
    let mut rates = vec![0.0; 5];
    path.velocity(&[0.0; 2], &[f64::INFINITY; 5], 1, &mut rates);
    assert!(rates.iter().all(|rate| !rate.is_finite()));
    path.clear(1);
    let alpha = gaussian(4, 5);
    path.velocity(&[0.0; 2], &alpha, 0, &mut rates);
    let (_, expected) = velocity(&*kernel, &theta, &alpha);
    assert_close(&rates, &expected, 1e-13, "rates");
}
