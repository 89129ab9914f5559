use super::*;
use crate::network::Architecture;
use crate::network::tests::{assert_close, gaussian, random_data, velocity};
use crate::rule::Rule;

/// Widths, and a factor for each initial layer: none, one or all of them zero.
const CASES: [(&[usize], &[f64]); 7] = [
    (&[], &[0.4]),
    (&[3], &[0.4, 0.4]),
    (&[5, 3], &[0.4, 0.4, 0.4]),
    (&[3, 4, 2], &[0.4, 0.4, 0.4, 0.4]),
    (&[3, 4, 2], &[0.4, 0.0, 0.4, 0.4]),
    (&[3, 4, 2], &[0.0, 0.4, 0.4, 0.0]),
    (&[3, 4, 2], &[0.0, 0.0, 0.0, 0.0]),
];

/// On the manifold of weights parametrised by the unknowns the full vector field is tangent and equals the reduced
/// one; margins and their rates agree. Fewer and more samples than inputs.
#[test]
fn the_reduced_field_is_the_full_one_on_the_weights_it_stands_for() {
    for (hidden, factors) in CASES {
        for samples in [3, 9] {
            let network = FullyConnectedLinear::new(4, hidden);
            let data = random_data(samples, 4);
            let feedback: Vec<DVector<f64>> = hidden
                .iter()
                .enumerate()
                .map(|(l, &n)| DVector::from_vec(gaussian(20 + l as u64, n)))
                .collect();
            let theta0: Vec<f64> = network
                .layout()
                .shapes()
                .iter()
                .zip(factors)
                .enumerate()
                .flat_map(|(l, (&(r, c), factor))| {
                    gaussian(40 + l as u64, r * c)
                        .into_iter()
                        .map(move |x| factor * x)
                })
                .collect();
            let reduced = Reduction::new(&network, &feedback, &theta0, &data);
            let full = network.kernel(
                Rule::direct_feedback_alignment(feedback.clone()).signals(),
                &data,
            );
            let name = format!("{hidden:?} {factors:?}, {samples} samples");
            let n = reduced.parameters();
            assert_eq!(n, samples.min(4), "{name}");

            let start = reduced.theta(&DMatrix::zeros(n, 1));
            assert_eq!(start.as_slice(), theta0, "{name}");

            let c = DMatrix::from_vec(n, 1, gaussian(7, n)) * 0.7;
            let alpha: Vec<f64> = gaussian(9, samples).iter().map(|x| x.exp()).collect();
            let (c_dot, rates) = velocity(&reduced, c.as_slice(), &alpha);
            let theta = reduced.theta(&c);
            let (theta_dot, full_rates) = velocity(&*full, theta.as_slice(), &alpha);
            assert_close(&rates, &full_rates, 1e-13, &name);
            let active = [2, 0];
            let among = reduced.tangent_kernel(c.as_slice(), &active);
            let expected = full.tangent_kernel(theta.as_slice(), &active);
            assert_eq!(among.shape(), expected.shape(), "{name}");
            assert_close(among.as_slice(), expected.as_slice(), 1e-13, &name);

            // θ is a polynomial in c: central differences of fourth order
            let c_dot = DMatrix::from_vec(n, 1, c_dot) * 1e-4;
            let at = |k: f64| reduced.theta(&(&c + &c_dot * k));
            let moved = (at(1.0) - at(-1.0)) * 8.0 - (at(2.0) - at(-2.0));
            let moved = moved / (12.0 * 1e-4);
            assert_close(moved.as_slice(), &theta_dot, 1e-9, &name);

            let margins = |kernel: &dyn Kernel, theta: &[f64]| {
                let mut margins = vec![0.0; samples];
                kernel.margins(theta, &mut margins);
                margins
            };
            assert_close(
                &margins(&reduced, c.as_slice()),
                &margins(&*full, theta.as_slice()),
                1e-13,
                &name,
            );
        }
    }
}
