//! Linearised steps against dense matrices, assembled column by column from velocities and tangents.

use super::smoothed_step::SmoothedStep;
use super::tests::pieces_with_sliding;
use super::*;
use crate::activation::examples;
use crate::network::quasi_newton::QuasiNewtonStep;
use crate::network::tests::{gaussian, random_data, random_feedback, velocity};
use crate::network::{Kernel, LinearisedStep, Network, linearised};
use crate::rule::Rule;

/// Derivatives at one point, as matrices.
struct Dense {
    /// `𝒢`, P × N: velocities under unit multipliers.
    updates: DMatrix<f64>,
    /// `∂(velocity)/∂θ`, P × P
    velocity: DMatrix<f64>,
    /// `A = ∂m/∂θ`, N × P
    margins: DMatrix<f64>,
    /// `∂(margin rates)/∂θ`, N × P
    rates: DMatrix<f64>,
}

impl Dense {
    fn new(kernel: &dyn Kernel, theta: &[f64], multipliers: &[f64]) -> Self {
        let (p, n) = (kernel.parameters(), kernel.samples());
        let mut dense = Self {
            updates: DMatrix::zeros(p, n),
            velocity: DMatrix::zeros(p, p),
            margins: DMatrix::zeros(n, p),
            rates: DMatrix::zeros(n, p),
        };
        for m in 0..n {
            let mut unit = vec![0.0; n];
            unit[m] = 1.0;
            let (update, _) = velocity(kernel, theta, &unit);
            dense.updates.column_mut(m).copy_from_slice(&update);
        }
        for i in 0..p {
            let mut along = vec![0.0; p];
            along[i] = 1.0;
            let t = kernel.tangent(theta, multipliers, &along, &vec![0.0; n]);
            dense.velocity.column_mut(i).copy_from_slice(&t.velocity);
            dense.margins.set_column(i, &t.margins);
            dense.rates.set_column(i, &t.rates);
        }
        dense
    }

    /// Checks that `step` solves `dθ = P (r + c 𝒢 dα)`; margins change by A dθ, rates by `(∂m'/∂θ) P r + A P 𝒢 dα`.
    fn check(&self, step: &dyn LinearisedStep, p: &DMatrix<f64>, c: f64, name: &str) {
        let (parameters, samples) = self.updates.shape();
        let r = DVector::from_vec(gaussian(5, parameters));
        let change = DVector::from_vec(gaussian(6, samples));
        let mut found = r.clone();
        let mut alone = None;
        let margins = step.solve(found.as_mut_slice(), &mut |m, rates| {
            alone = Some((m.clone(), rates.clone()));
            change.clone()
        });
        let expected = p * (&r + &self.updates * &change * c);
        close(found.as_slice(), expected.as_slice(), name);
        close(
            margins.as_slice(),
            (&self.margins * &expected).as_slice(),
            name,
        );
        let (margins_alone, rates_alone) = alone.expect("close was called");
        let first = p * &r;
        let expected = &self.margins * &first;
        close(margins_alone.as_slice(), expected.as_slice(), name);
        let expected = &self.rates * &first;
        close(rates_alone.as_slice(), expected.as_slice(), name);
        let active: Vec<usize> = (0..samples).filter(|n| n % 3 != 1).collect();
        let kernel = (&self.margins * p * &self.updates).select_columns(&active);
        let (margins, rates) = step.response(&active);
        close(rates.as_slice(), kernel.as_slice(), name);
        close(margins.as_slice(), (kernel * c).as_slice(), name);
    }
}

fn close(found: &[f64], expected: &[f64], name: &str) {
    let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
    let error: Vec<f64> = found.iter().zip(expected).map(|(a, b)| a - b).collect();
    let error = norm(&error);
    assert!(error <= 1e-10 * norm(expected), "{name}: {error:e}");
}

/// Rules, kernels and points of networks of two layers and more.
fn points(activation: Activation) -> Vec<(ReluKernel, Vec<f64>, Vec<f64>, String)> {
    let mut points = Vec::new();
    for hidden in [&[5][..], &[5, 3]] {
        let relu = Relu::with(4, hidden, activation);
        let network = Network::new(relu.clone());
        let shapes = network.feedback_shapes().iter().enumerate();
        let through = shapes
            .map(|(l, &(r, c))| DMatrix::from_vec(r, c, gaussian(30 + l as u64, r * c)))
            .collect();
        for rule in [
            Rule::gradient_descent(),
            Rule::feedback_alignment(through),
            random_feedback(&network),
        ] {
            let kernel = relu.relu_kernel(rule.signals(), &random_data(6, 4));
            let theta = gaussian(7, kernel.parameters());
            let multipliers: Vec<f64> = gaussian(9, 6).iter().map(|x| x.exp()).collect();
            let name = format!("{hidden:?}, {}", rule.key());
            points.push((kernel, theta, multipliers, name));
        }
    }
    points
}

/// It responds to multipliers like a dense step whose velocity does not depend on θ, sliding pairs included.
#[test]
fn quasi_newton_steps_answer_to_multipliers_alone() {
    let c = 0.3;
    let mut checked = 0;
    let pieces = pieces_with_sliding().into_iter();
    let others = examples().into_iter().flat_map(points);
    let others = others.map(|(kernel, theta, multipliers, name)| {
        let kernel: Arc<dyn Kernel> = Arc::new(kernel);
        (kernel, theta, multipliers, name)
    });
    for (kernel, theta, multipliers, name) in pieces.chain(others) {
        let dense = Dense::new(&*kernel, &theta, &multipliers);
        let step = QuasiNewtonStep::new(&kernel, &theta, &multipliers, c);
        let identity = DMatrix::identity(theta.len(), theta.len());
        dense.check(&step, &identity, c, &name);
        checked += 1;
    }
    assert!(checked > 36, "{checked}");
}

/// The blocks of `1 − c ∂(velocity)/∂θ` of single units of the last hidden layer (their signals do not depend on their
/// own weights) are all that is kept, and they are inverted exactly.
#[test]
fn smoothed_steps_invert_the_blocks_of_single_units() {
    // a step long enough for every unit and every sample to matter
    let c = 40.0;
    for (kernel, theta, multipliers, name) in points(SmoothedRelu::or_exact(0.4)) {
        let dense = Dense::new(&kernel, &theta, &multipliers);
        let mut blocks = DMatrix::identity(theta.len(), theta.len());
        let setting = Arc::clone(&kernel.setting);
        let direct = matches!(setting.signals, crate::network::signals::Held::Direct(_));
        let layers = setting.layout.hidden().len();
        if layers > 1 && !direct {
            // for lower layers the signals depend on the unit's own weights
            continue;
        }
        for layer in 0..layers {
            for unit in 0..setting.layout.shapes()[layer].1 {
                let own = setting.column(layer, unit);
                let (start, size) = (own.start, own.len());
                let block = dense.velocity.view((start, start), (size, size)) * c;
                let mut at = blocks.view_mut((start, start), (size, size));
                at -= block;
            }
        }
        let inverse = blocks.try_inverse().expect("a regular matrix");
        let step = SmoothedStep::new(kernel, &theta, &multipliers, c);
        dense.check(&step, &inverse, c, &name);
    }
}

/// Iterated, either step solves the full equation `dθ = r + c (∂(velocity)/∂θ dθ + 𝒢 dα)`; where kinks are sharp, only
/// the one that includes the curvature.
#[test]
fn iterations_converge_to_the_dense_step() {
    let iterate = |step: &dyn LinearisedStep, dense: &Dense, c: f64, rounds: usize| {
        let (parameters, samples) = dense.updates.shape();
        let change = DVector::from_vec(gaussian(6, samples));
        let r = DVector::from_vec(gaussian(5, parameters)) + &dense.updates * &change * c;
        let matrix = DMatrix::identity(parameters, parameters) - &dense.velocity * c;
        let exact = matrix.clone().lu().solve(&r).expect("a regular matrix");
        let mut x = DVector::zeros(parameters);
        for _ in 0..rounds {
            let mut correction = &r - &matrix * &x;
            step.solve(correction.as_mut_slice(), &mut |m, _| m * 0.0);
            x += correction;
        }
        (x - &exact).norm() / exact.norm()
    };
    for activation in examples() {
        for (kernel, theta, multipliers, name) in points(activation) {
            let dense = Dense::new(&kernel, &theta, &multipliers);
            let c = 0.3 / dense.velocity.norm();
            let kernel: Arc<dyn Kernel> = Arc::new(kernel);
            let step = linearised(&kernel, &theta, &multipliers, c);
            let error = iterate(&*step, &dense, c, 30);
            assert!(error < 1e-10, "{name}, {activation:?}: {error:e}");
        }
    }
    let mut checked = 0;
    for (kernel, mut theta, multipliers, name) in points(SmoothedRelu::or_exact(1e-4)) {
        // move the first unit onto the boundary of a sample that pushes back: stiffness of order 1/ε
        let x = kernel.setting.inputs.column(0).into_owned();
        let w = DVector::from_column_slice(&theta[..4]);
        let on = &w - &x * (w.dot(&x) / x.norm_squared());
        theta[..4].copy_from_slice(on.as_slice());
        let dense = Dense::new(&kernel, &theta, &multipliers);
        let stiff = dense.velocity.view((0, 0), (4, 4)).norm();
        let pushes_back = dense.velocity.view((0, 0), (4, 4)).trace() < 0.0;
        let c = 20.0 / stiff;
        if !pushes_back || c > 0.01 {
            continue;
        }
        checked += 1;
        let kernel: Arc<dyn Kernel> = Arc::new(kernel);
        let step = linearised(&kernel, &theta, &multipliers, c);
        let error = iterate(&*step, &dense, c, 40);
        assert!(error < 1e-8, "{name}: {error:e}");
        let plain = QuasiNewtonStep::new(&kernel, &theta, &multipliers, c);
        let error = iterate(&plain, &dense, c, 40);
        assert!(error > 1e3, "{name}: {error:e}");
    }
    assert!(checked > 0);
}
