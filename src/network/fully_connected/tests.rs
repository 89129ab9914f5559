use super::*;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;

fn gaussian(rng: &mut rand_pcg::Pcg64, n: usize) -> Vec<f64> {
    (0..n).map(|_| rng.sample(StandardNormal)).collect()
}

/// Kernel, θ, multipliers.
type Case = (Arc<dyn Kernel>, Vec<f64>, Vec<f64>);

/// A random kernel of the given input dimension and hidden widths, with θ and multipliers.
fn random_case(dimension: usize, hidden: &[usize], samples: usize, feedback: bool) -> Case {
    let rng = &mut rand_pcg::Pcg64::seed_from_u64(7 + 10 * hidden.len() as u64);
    let network = FullyConnectedLinear::new(dimension, hidden);
    let x = DMatrix::from_vec(samples, dimension, gaussian(rng, samples * dimension));
    let data = Dataset::new(
        x,
        DVector::from_fn(samples, |n, _| if n % 2 == 0 { 1.0 } else { -1.0 }),
    );
    let rule = if feedback {
        Rule::DirectFeedbackAlignment(
            hidden
                .iter()
                .map(|&h| DVector::from_vec(gaussian(rng, h)))
                .collect(),
        )
    } else {
        Rule::GradientDescent
    };
    let kernel = network.kernel(&rule, &data);
    let theta = gaussian(rng, kernel.parameters())
        .iter()
        .map(|x| 0.5 * x)
        .collect();
    let multipliers = gaussian(rng, samples).iter().map(|x| x.exp()).collect();
    (kernel, theta, multipliers)
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for feedback in [true, false] {
        for hidden in [&[][..], &[3], &[4, 2], &[3, 5, 2]] {
            cases.push(random_case(4, hidden, 3, feedback));
            cases.push(random_case(3, hidden, 6, feedback));
        }
    }
    cases
}

fn velocity(kernel: &dyn Kernel, theta: &[f64], multipliers: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut velocity = vec![0.0; kernel.parameters()];
    let mut rates = vec![0.0; kernel.samples()];
    kernel.velocity(theta, multipliers, &mut velocity, &mut rates);
    (velocity, rates)
}

fn assert_close(a: &[f64], b: &[f64], tolerance: f64, what: &str) {
    let scale = a.iter().chain(b).fold(1e-300f64, |m, x| m.max(x.abs()));
    for (a, b) in a.iter().zip(b) {
        assert!(
            (a - b).abs() <= tolerance * scale,
            "{what}: {a} against {b}"
        );
    }
}

/// The velocity is what the definitions say, written out with explicit products; BP's is minus the gradient of the loss.
#[test]
fn velocity_is_the_rule() {
    let (kernel, theta, alpha) = random_case(4, &[3, 2], 3, false);
    let (v, _) = velocity(&*kernel, &theta, &alpha);
    // BP: θ' = Σ α_n ∂m_n/∂θ, by central differences of the margins
    let mut expected = vec![0.0; theta.len()];
    for i in 0..theta.len() {
        let shifted = |h: f64| {
            let mut t = theta.clone();
            t[i] += h;
            let mut m = vec![0.0; kernel.samples()];
            kernel.margins(&t, &mut m);
            m.iter().zip(&alpha).map(|(m, a)| m * a).sum::<f64>()
        };
        expected[i] = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
    }
    assert_close(&v, &expected, 1e-9, "gradient");
}

#[test]
fn feedback_velocity_is_the_outer_product_of_forward_pass_and_feedback() {
    let rng = &mut rand_pcg::Pcg64::seed_from_u64(3);
    let network = FullyConnectedLinear::new(4, &[3, 2]);
    let x = DMatrix::from_vec(5, 4, gaussian(rng, 20));
    let data = Dataset::new(x, DVector::from_vec(vec![1.0, -1.0, 1.0, 1.0, -1.0]));
    let b: Vec<_> = [3, 2].map(|n| DVector::from_vec(gaussian(rng, n))).into();
    let kernel = network.kernel(&Rule::DirectFeedbackAlignment(b.clone()), &data);
    let theta = gaussian(rng, kernel.parameters());
    let alpha = gaussian(rng, 5);
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

#[test]
fn tangent_matches_central_differences() {
    for (kernel, theta, alpha) in cases() {
        let rng = &mut rand_pcg::Pcg64::seed_from_u64(11);
        let d_theta = gaussian(rng, theta.len());
        let d_alpha = gaussian(rng, alpha.len());
        let t = kernel.tangent(&theta, &alpha, &d_theta, &d_alpha);
        let h = 1e-5;
        let at = |k: f64| {
            let theta: Vec<f64> = theta.iter().zip(&d_theta).map(|(x, d)| x + k * d).collect();
            let alpha: Vec<f64> = alpha.iter().zip(&d_alpha).map(|(x, d)| x + k * d).collect();
            let mut m = vec![0.0; kernel.samples()];
            kernel.margins(&theta, &mut m);
            let (v, r) = velocity(&*kernel, &theta, &alpha);
            (v, m, r)
        };
        let (plus, minus) = (at(h), at(-h));
        let difference = |a: &[f64], b: &[f64]| -> Vec<f64> {
            a.iter().zip(b).map(|(a, b)| (a - b) / (2.0 * h)).collect()
        };
        assert_close(
            &t.velocity,
            &difference(&plus.0, &minus.0),
            1e-8,
            "velocity",
        );
        assert_close(
            t.margins.as_slice(),
            &difference(&plus.1, &minus.1),
            1e-8,
            "margins",
        );
        assert_close(
            t.rates.as_slice(),
            &difference(&plus.2, &minus.2),
            1e-8,
            "rates",
        );
    }
}

/// The eliminated step satisfies its defining equation, checked with the independent tangent.
#[test]
fn linearised_step_solves_its_equation() {
    for (kernel, theta, alpha) in cases() {
        let rng = &mut rand_pcg::Pcg64::seed_from_u64(5);
        let c = 0.05;
        let step = kernel.linearise(&theta, &alpha, c);
        let residual = gaussian(rng, theta.len());
        let d_alpha = DVector::from_vec(gaussian(rng, alpha.len()));
        let mut d_theta = residual.clone();
        let mut alone = None;
        let d_margins = step.solve(&mut d_theta, &mut |m, r| {
            alone = Some((m.clone(), r.clone()));
            d_alpha.clone()
        });
        let t = kernel.tangent(&theta, &alpha, &d_theta, d_alpha.as_slice());
        let expected: Vec<f64> = residual
            .iter()
            .zip(&t.velocity)
            .map(|(r, v)| r + c * v)
            .collect();
        assert_close(&d_theta, &expected, 1e-12, "dθ");
        assert_close(d_margins.as_slice(), t.margins.as_slice(), 1e-12, "dm");
        // what close() was told, plus the response to the multipliers, is the total
        let (margins_alone, rates_alone) = alone.expect("close was called");
        let all: Vec<usize> = (0..alpha.len()).collect();
        let (margins, rates) = step.response(&all);
        let total = margins_alone + &margins * &d_alpha;
        assert_close(
            total.as_slice(),
            t.margins.as_slice(),
            1e-12,
            "margin response",
        );
        let input = step.input_response().expect("a linear network");
        let g = input.signed_samples;
        let through = g * &input.margins * g.transpose();
        assert_close(margins.as_slice(), through.as_slice(), 1e-12, "G Q Gᵀ");
        let through = g * &input.rates * g.transpose();
        assert_close(rates.as_slice(), through.as_slice(), 1e-12, "G Q' Gᵀ");
        let total = rates_alone + &rates * &d_alpha;
        assert_close(total.as_slice(), t.rates.as_slice(), 1e-12, "rate response");
    }
}
