//! What every kernel must satisfy, whatever the architecture: gradients, tangents and implicit steps against oracles.

use super::*;
use crate::activation::examples;
use crate::dataset::standard_normals;
use crate::rule::Rule;

/// A numbered stream of normal draws.
pub(super) fn gaussian(seed: u64, n: usize) -> Vec<f64> {
    standard_normals("network tests", seed).take(n).collect()
}

/// Random data with alternating labels.
pub(super) fn random_data(samples: usize, dimension: usize) -> Dataset {
    let x = DMatrix::from_vec(samples, dimension, gaussian(1, samples * dimension));
    let labels = DVector::from_fn(samples, |n, _| if n % 2 == 0 { 1.0 } else { -1.0 });
    Dataset::new(x, labels)
}

/// Gaussian direct feedback of the shapes the network needs.
pub(super) fn random_feedback(network: &Network) -> Rule {
    let signals = network.signal_lengths().into_iter().enumerate();
    let draw = |(l, length)| DVector::from_vec(gaussian(20 + l as u64, length));
    Rule::direct_feedback_alignment(signals.map(draw).collect())
}

/// Kernel, θ, multipliers, and what it is.
type Case = (Arc<dyn Kernel>, Vec<f64>, Vec<f64>, String);

fn cases() -> Vec<Case> {
    let fully_connected = |d, hidden: &[usize]| Network::new(FullyConnectedLinear::new(d, hidden));
    let mut networks = vec![
        fully_connected(4, &[]),
        fully_connected(3, &[3]),
        fully_connected(4, &[4, 2]),
        fully_connected(3, &[3, 5, 2]),
    ];
    for depth in 1..=4 {
        networks.extend([1, 2, 3, 5, 6].map(|d| Network::convolutional(d, depth)));
        networks.push(Network::diagonal(4, depth));
    }
    for activation in examples() {
        let hidden: [&[usize]; 4] = [&[], &[4], &[3, 4], &[4, 2, 3]];
        networks.extend(hidden.map(|h| Network::new(Relu::with(3, h, activation))));
    }
    for hidden in layered::tests::examples() {
        networks.push(Network::new(
            Layered::new(6, &hidden, 1).expect("layers that fit"),
        ));
    }
    let mut cases = Vec::new();
    for network in networks {
        let dimension = network.input_dimension();
        for samples in [3, 7] {
            let mut rules = vec![random_feedback(&network), Rule::gradient_descent()];
            if network.units().is_some() || network.key() == "layers" {
                let shapes = network.feedback_shapes().iter().enumerate();
                rules.push(Rule::feedback_alignment(
                    shapes
                        .map(|(l, &(r, c))| DMatrix::from_vec(r, c, gaussian(30 + l as u64, r * c)))
                        .collect(),
                ));
            }
            for rule in rules {
                let kernel = network.kernel(rule.signals(), &random_data(samples, dimension));
                let theta = gaussian(7, kernel.parameters())
                    .iter()
                    .map(|x| 0.5 * x)
                    .collect();
                let multipliers = gaussian(9, samples).iter().map(|x| x.exp()).collect();
                let (name, rule) = (network.key(), rule.key());
                let shapes = network.shapes();
                cases.push((
                    kernel,
                    theta,
                    multipliers,
                    format!("{name} {shapes:?}, {rule}"),
                ));
            }
        }
    }
    cases.extend(reduced_cases());
    cases
}

/// Reduced states, from random and from zero weights.
fn reduced_cases() -> impl Iterator<Item = Case> {
    let hidden: [&[usize]; 4] = [&[], &[3], &[4, 2], &[3, 5, 2]];
    hidden.into_iter().flat_map(|hidden| {
        let network = FullyConnectedLinear::new(4, hidden);
        let wrapped = Network::new(network.clone());
        let feedback = wrapped
            .fixed_signals(random_feedback(&wrapped).signals())
            .map(vectors)
            .expect("fixed feedback");
        [(3, 0.5), (7, 0.5), (3, 0.0), (7, 0.0)].map(|(samples, scale)| {
            let theta0: Vec<f64> = gaussian(8, wrapped.parameters())
                .iter()
                .map(|x| scale * x)
                .collect();
            let data = random_data(samples, 4);
            let kernel = Reduction::new(&network, &feedback, &theta0, &data);
            assert_eq!(kernel.parameters(), samples.min(4));
            let unknowns = gaussian(7, kernel.parameters())
                .iter()
                .map(|x| 0.5 * x)
                .collect();
            let multipliers = gaussian(9, samples).iter().map(|x| x.exp()).collect();
            let name = format!("reduced {hidden:?}, {samples} samples, from {scale}");
            (
                Arc::new(kernel) as Arc<dyn Kernel>,
                unknowns,
                multipliers,
                name,
            )
        })
    })
}

pub(super) fn velocity(
    kernel: &dyn Kernel,
    theta: &[f64],
    multipliers: &[f64],
) -> (Vec<f64>, Vec<f64>) {
    let mut velocity = vec![0.0; kernel.parameters()];
    let mut rates = vec![0.0; kernel.samples()];
    kernel.velocity(theta, multipliers, &mut velocity, &mut rates);
    (velocity, rates)
}

pub(super) fn assert_close(a: &[f64], b: &[f64], tolerance: f64, what: &str) {
    let scale = a.iter().chain(b).fold(1e-300f64, |m, x| m.max(x.abs()));
    for (a, b) in a.iter().zip(b) {
        assert!(
            (a - b).abs() <= tolerance * scale,
            "{what}: {a} against {b}"
        );
    }
}

/// Gradient descent is minus the gradient of the loss: `θ' = Σ α_n ∂m_n/∂θ`, by central differences of the margins.
#[test]
fn gradient_descent_follows_the_gradient() {
    let mut checked = 0;
    for (kernel, theta, alpha, name) in cases() {
        if !name.ends_with("gradient-descent") {
            continue;
        }
        let (v, _) = velocity(&*kernel, &theta, &alpha);
        let mut expected = vec![0.0; theta.len()];
        for (i, expected) in expected.iter_mut().enumerate() {
            let shifted = |h: f64| {
                let mut t = theta.clone();
                t[i] += h;
                let mut m = vec![0.0; kernel.samples()];
                kernel.margins(&t, &mut m);
                m.iter().zip(&alpha).map(|(m, a)| m * a).sum::<f64>()
            };
            *expected = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
        }
        assert_close(&v, &expected, 1e-8, &name);
        checked += 1;
    }
    assert!(checked > 20);
}

/// Feedback alignment through products of feedback matrices is direct feedback alignment: the definition
/// `δ_l = F_l δ_{l+1}` against [`Network::feedback`].
#[test]
fn feedback_alignment_composes_its_feedback() {
    let network = Network::new(FullyConnectedLinear::new(4, &[3, 5, 2]));
    let shapes = network.feedback_shapes();
    assert_eq!(shapes, [(3, 5), (5, 2), (2, 1)]);
    let f: Vec<DMatrix<f64>> = shapes
        .iter()
        .enumerate()
        .map(|(l, &(r, c))| DMatrix::from_vec(r, c, gaussian(30 + l as u64, r * c)))
        .collect();
    let b = network
        .fixed_signals(Rule::feedback_alignment(f.clone()).signals())
        .unwrap();
    assert!((&b[2] - f[2].column(0)).norm() < 1e-15);
    assert!((&b[1] - (&f[1] * &f[2]).column(0)).norm() < 1e-14);
    assert!((&b[0] - (&f[0] * &f[1] * &f[2]).column(0)).norm() < 1e-14);
    assert_eq!(
        network.fixed_signals(Rule::gradient_descent().signals()),
        None
    );
}

#[test]
fn tangent_matches_central_differences() {
    for (kernel, theta, alpha, name) in cases() {
        let d_theta = gaussian(11, theta.len());
        let d_alpha = gaussian(12, alpha.len());
        let t = kernel.tangent(&theta, &alpha, &d_theta, &d_alpha);
        let at = |k: f64| {
            let theta: Vec<f64> = theta.iter().zip(&d_theta).map(|(x, d)| x + k * d).collect();
            let alpha: Vec<f64> = alpha.iter().zip(&d_alpha).map(|(x, d)| x + k * d).collect();
            let mut m = vec![0.0; kernel.samples()];
            kernel.margins(&theta, &mut m);
            let (v, r) = velocity(&*kernel, &theta, &alpha);
            [v, m, r]
        };
        // fourth order: small entries may come from large terms that cancel
        let h = 1e-4;
        let [near, back, far, far_back] = [at(h), at(-h), at(2.0 * h), at(-2.0 * h)];
        let difference = |part: usize| -> Vec<f64> {
            (0..near[part].len())
                .map(|i| {
                    let inner = near[part][i] - back[part][i];
                    let outer = far[part][i] - far_back[part][i];
                    (8.0 * inner - outer) / (12.0 * h)
                })
                .collect()
        };
        assert_close(&t.velocity, &difference(0), 1e-9, &name);
        assert_close(t.margins.as_slice(), &difference(1), 1e-9, &name);
        assert_close(t.rates.as_slice(), &difference(2), 1e-9, &name);
    }
}

/// The eliminated step satisfies its defining equation, checked with the independent tangent.
#[test]
fn linearised_step_solves_its_equation() {
    for (kernel, theta, alpha, name) in cases() {
        let c = 0.05;
        let step = linearised(&kernel, &theta, &alpha, c);
        let residual = gaussian(5, theta.len());
        let d_alpha = DVector::from_vec(gaussian(6, alpha.len()));
        let mut d_theta = residual.clone();
        let mut alone = None;
        let d_margins = step.solve(&mut d_theta, &mut |m, r| {
            alone = Some((m.clone(), r.clone()));
            d_alpha.clone()
        });
        let t = kernel.tangent(&theta, &alpha, &d_theta, d_alpha.as_slice());
        assert_close(d_margins.as_slice(), t.margins.as_slice(), 1e-12, &name);
        // what close() was told, plus the response to the multipliers, is the total
        let (margins_alone, rates_alone) = alone.expect("close was called");
        let all: Vec<usize> = (0..alpha.len()).collect();
        let (margins, rates) = step.response(&all);
        let total = margins_alone + &margins * &d_alpha;
        assert_close(total.as_slice(), t.margins.as_slice(), 1e-12, &name);
        let Some(input) = step.input_response() else {
            // these keep only the stiff part of the equation; their dense twins are in relu/step_tests
            let keeps = name.starts_with("relu") || name.starts_with("layers");
            assert!(keeps, "{name}: a linear network");
            continue;
        };
        let expected: Vec<f64> = residual
            .iter()
            .zip(&t.velocity)
            .map(|(r, v)| r + c * v)
            .collect();
        assert_close(&d_theta, &expected, 1e-12, &name);
        let g = input.signed_samples;
        let through = g * &input.margins * g.transpose();
        assert_close(margins.as_slice(), through.as_slice(), 1e-12, &name);
        let through = g * &input.rates * g.transpose();
        assert_close(rates.as_slice(), through.as_slice(), 1e-12, &name);
        let total = rates_alone + &rates * &d_alpha;
        assert_close(total.as_slice(), t.rates.as_slice(), 1e-12, &name);
    }
}

/// Its columns are the margin rates that one sample alone causes.
#[test]
fn tangent_kernel_answers_to_single_samples() {
    for (kernel, theta, _, name) in cases() {
        let active: Vec<usize> = (0..kernel.samples()).filter(|n| n % 3 != 1).collect();
        let columns = kernel.tangent_kernel(&theta, &active);
        assert_eq!(columns.shape(), (kernel.samples(), active.len()), "{name}");
        for (column, &m) in columns.column_iter().zip(&active) {
            let mut alone = vec![0.0; kernel.samples()];
            alone[m] = 1.0;
            let (_, rates) = velocity(&*kernel, &theta, &alone);
            let scale = columns.amax();
            let difference = (column - DVector::from_vec(rates)).amax();
            assert!(difference <= 1e-13 * scale, "{name}: {difference}");
        }
    }
}

#[test]
fn sizes_along_paths_of_rank_one_are_those_of_all_weights() {
    let hidden: [&[usize]; 4] = [&[], &[3], &[4, 2], &[3, 5, 2]];
    for hidden in hidden {
        let network = Network::new(FullyConnectedLinear::new(4, hidden));
        for rule in [random_feedback(&network), Rule::gradient_descent()] {
            let name = format!("{hidden:?}, {}", rule.key());
            let kernel = network.kernel(rule.signals(), &random_data(5, 4));
            let theta = gaussian(7, kernel.parameters());
            let mut own = kernel.path(&theta, 4).expect("a form of its own");
            let mut full = FullPath::new(&*kernel, &theta, 4);
            let mut at = vec![0.0; 4];
            for slot in 0..4 {
                let multipliers: Vec<f64> = gaussian(9 + slot as u64, 5)
                    .iter()
                    .map(|x| x.exp())
                    .collect();
                let mut rates = vec![0.0; 5];
                own.velocity(&at, &multipliers, slot, &mut rates);
                full.velocity(&at, &multipliers, slot, &mut rates);
                at[slot] = 0.02 * ((slot + 1) as f64).cos();
                check_sizes(&mut *own, &mut full, network.layout(), &at, &name);
            }
        }
    }
}

/// Checks sizes relative to absolute tolerances. Sums of rank-one matrices whose rows point in one direction (a single
/// velocity, or fixed error signals) have the size of the full vectors. The part orthogonal to the newest velocity v
/// is estimated by random signs x: with `M⊥ = M(1 − vvᵀ)` the mean of `‖M⊥ x‖²` is `‖M⊥‖²`, and its largest value is
/// at most the number of columns of M times that.
fn check_sizes(
    own: &mut dyn WeightPath,
    full: &mut FullPath<'_>,
    layout: &Layout,
    at: &[f64],
    name: &str,
) {
    let absolute: Vec<f64> = (0..layout.depth()).map(|l| 1e-3 * (l + 1) as f64).collect();
    let mut single = vec![0.0; at.len()];
    for (slot, c) in at.iter().enumerate() {
        single[slot] = *c;
        let size = own.size(&single, 0.0, &absolute);
        let exact = full.size(&single, 0.0, &absolute);
        let error = (size - exact).abs();
        assert!(error <= 1e-12 * exact, "{name}: {size} {exact}");
        single[slot] = 0.0;
    }
    let velocities = full.velocities();
    let parameters = velocities.len() / at.len();
    let newest = (0..at.len()).max_by(|i, j| at[*i].abs().total_cmp(&at[*j].abs()));
    let newest = newest.expect("slots");
    let layers = |slot: usize| layout.views(&velocities[slot * parameters..][..parameters]);
    let (mut least, mut most, mut exact): (f64, f64, f64) = (0.0, 0.0, 0.0);
    for (l, &(inputs, units)) in layout.shapes().iter().enumerate() {
        let mut sum = DMatrix::zeros(inputs, units);
        for (slot, c) in at.iter().enumerate() {
            sum += layers(slot)[l] * *c;
        }
        let velocity = layers(newest)[l];
        let main = velocity.row_iter().map(|row| row.transpose());
        let main = main.max_by(|x, y| x.norm().total_cmp(&y.norm()));
        let main = main.expect("inputs").normalize();
        let along = (&sum * main).norm_squared();
        let across = (sum.norm_squared() - along).max(0.0);
        let unit = absolute[l].powi(2) * sum.len() as f64;
        least = least.max(along / unit);
        most = most.max((along + across * units as f64) / unit);
        exact = exact.max((along + across) / unit);
    }
    let size = own.size(at, 0.0, &absolute).powi(2);
    let rounding = 1e-12 * exact;
    let bounds = least - rounding..=most + rounding;
    assert!(bounds.contains(&size), "{name}: {size} in {bounds:?}");
    if !name.ends_with("gradient-descent") {
        let error = (size - exact).abs();
        assert!(error <= rounding, "{name}: {size} {exact}");
    }
}

/// What the output layer sees and weighs gives the margins, and both keep their lengths: coordinates are orthonormal.
#[test]
fn margins_are_features_times_output_weights() {
    let data = crate::dataset::gaussian_teacher(5, 7, 1);
    for network in super::NETWORKS.iter().flat_map(|kind| (kind.examples)(5)) {
        let draws = (0..network.parameters()).map(|k| ((3 * k + 1) as f64).sin());
        let theta: Vec<f64> = draws.collect();
        let layer = network
            .output_layer(&theta, &data)
            .expect("a linear output layer");
        let margins = &layer.features * &layer.weights;
        let name = format!("{network:?}");
        assert!(
            (margins - network.margins(&theta, &data)).norm() < 1e-12,
            "{name}"
        );
        let last = network.weights(&theta).pop().unwrap();
        assert!((layer.weights.norm() - last.norm()).abs() < 1e-13, "{name}");
    }
}

/// Entries of equal modulus count one each, whatever their phases.
#[test]
fn effective_entries_of_a_spectrum() {
    let diagonal = SpectralLinear::new(Basis::Standard, 6, 2);
    let beta = DVector::from_vec(vec![2.0, 0.0, -2.0, 0.0, 2.0, 0.0]);
    assert!((diagonal.effective_entries(&beta).unwrap() - 3.0).abs() < 1e-14);
    assert_eq!(diagonal.effective_entries(&DVector::zeros(6)), None);
    let convolutional = SpectralLinear::new(Basis::Fourier, 6, 2);
    let impulse = DVector::from_vec(vec![0.0, 1e-200, 0.0, 0.0, 0.0, 0.0]);
    assert!((convolutional.effective_entries(&impulse).unwrap() - 6.0).abs() < 1e-12);
    let wave = DVector::from_fn(6, |j, _| (std::f64::consts::TAU * j as f64 / 6.0).cos());
    assert!((convolutional.effective_entries(&wave).unwrap() - 2.0).abs() < 1e-12);
}

/// A path in a special form gives the same results as one of plain vectors, and as the kernel at the same weights.
#[test]
fn paths_in_any_form_agree() {
    const SLOTS: usize = 4;
    let mut own_forms = 0;
    for (kernel, theta, multipliers, name) in cases() {
        let Some(mut own) = kernel.path(&theta, SLOTS) else {
            continue;
        };
        own_forms += 1;
        let (p, n) = (kernel.parameters(), kernel.samples());
        let mut full = FullPath::new(&*kernel, &theta, SLOTS);
        let mut rates = [vec![0.0; n], vec![0.0; n]];
        let mut weights = [vec![0.0; p], vec![0.0; p]];
        let mut at = vec![0.0; SLOTS];
        for round in 0..9 {
            let slot = round % SLOTS;
            let some: Vec<f64> = (multipliers.iter().enumerate())
                .map(|(n, e)| e * (1.0 + 0.3 * ((n + 3 * round) as f64).sin()))
                .collect();
            // the old value of the slot may still be part of the sum
            full.write(&at, &mut weights[1]);
            own.velocity(&at, &some, slot, &mut rates[0]);
            full.velocity(&at, &some, slot, &mut rates[1]);
            assert_close(&rates[0], &rates[1], 1e-12, &format!("{name}: rates"));
            let (_, plain) = velocity(&*kernel, &weights[1], &some);
            assert_close(&rates[0], &plain, 1e-12, &format!("{name}: plain rates"));
            if round == 4 {
                own.scale(slot, 1.5);
                full.scale(slot, 1.5);
            }
            at[slot] = 0.02 * ((round + 1) as f64).cos();
            let active: Vec<usize> = (0..n).filter(|n| n % 3 != round % 3).collect();
            let kernels = [
                own.tangent_kernel(&at, &active),
                full.tangent_kernel(&at, &active),
            ];
            assert_close(
                kernels[0].as_slice(),
                kernels[1].as_slice(),
                1e-12,
                &format!("{name}: tangent kernel"),
            );
            if round % 3 == 2 {
                own.advance(&at);
                full.advance(&at);
            }
            own.write(&at, &mut weights[0]);
            full.write(&at, &mut weights[1]);
            assert_close(&weights[0], &weights[1], 1e-13, &format!("{name}: weights"));
            assert_close(own.theta(), full.theta(), 1e-13, &format!("{name}: θ"));
        }
    }
    assert!(own_forms >= 16, "{own_forms}");
}
